"""Taking http.client's place for a whole program, and giving it back."""

import http.client as std
import logging
import logging.handlers
import pickle
import sys
import urllib.request
import warnings
from collections.abc import Iterator
from types import ModuleType

import pytest

import compat
from asyncclient.testing import RawConnection, RawServer
from compat import client
from tests.connection.conversations import OK, echo_target

NAMES = ["HTTPConnection", "HTTPSConnection", "HTTPResponse", "HTTPMessage", "parse_headers", "_read_headers"]
NAMES += ["_create_https_context"]


def names_in_http_client() -> dict[str, object]:
    return {name: vars(std).get(name) for name in NAMES}


OWN = names_in_http_client()


def install() -> compat.Installation:
    """Install, whatever modules this test run has imported before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return compat.install()


@pytest.fixture
def installed() -> Iterator[None]:
    with install():
        yield


def test_names_of_http_client_are_ours_until_it_is_uninstalled() -> None:
    assert not compat.is_installed()
    install()
    assert compat.is_installed()
    assert names_in_http_client() == {name: getattr(client, name) for name in NAMES}
    compat.uninstall()
    assert not compat.is_installed()
    assert names_in_http_client() == OWN
    assert hasattr(std, "_create_https_context") is (sys.version_info >= (3, 12))


def test_installing_and_uninstalling_again_changes_nothing() -> None:
    for _ in range(2):
        install()
        assert std.HTTPConnection is client.HTTPConnection  # type: ignore[comparison-overlap]
    for _ in range(2):
        compat.uninstall()
        assert names_in_http_client() == OWN


def test_installation_ends_with_its_block_even_by_an_error() -> None:
    with install() as installation:
        assert repr(installation) == "<compat installed>"
    assert repr(installation) == "<compat not installed>"
    with pytest.raises(LookupError), install():
        raise LookupError
    assert names_in_http_client() == OWN


@pytest.mark.usefixtures("installed")
def test_programs_of_http_client_run_on_ours() -> None:
    with RawServer(echo_target) as server, urllib.request.urlopen(f"{server.url}/mine", timeout=10) as response:
        assert type(response) is client.HTTPResponse
        assert response.read() == b"/mine"


def module_with(**names: object) -> ModuleType:
    module = ModuleType("holder_of_old_classes")
    vars(module).update(names)
    return module


class Derived(std.HTTPResponse):
    pass


@pytest.mark.parametrize("held", [std.HTTPConnection, std.HTTPSConnection, std.HTTPResponse, Derived])
def test_modules_that_hold_old_classes_are_named(held: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holder_of_old_classes", module_with(held=held))
    with pytest.warns(
        RuntimeWarning, match=r"holder_of_old_classes.*; import them after compat\.install\(\)$"
    ) as caught:
        compat.install()
    compat.uninstall()
    assert [warning.filename for warning in caught] == [__file__]


class Lazy:
    """An object that loads something when it is used, as Django's settings do, and can't."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError("not configured")


@pytest.mark.parametrize(
    "held", [std, std.HTTPException, std.HTTPMessage, std.responses, 1, pytest.param(Lazy(), id="lazy")]
)
def test_modules_that_hold_something_else_are_not_named(held: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holder_of_old_classes", module_with(held=held))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compat.install()
    compat.uninstall()
    assert not any("holder_of_old_classes" in str(warning.message) for warning in caught)


def test_second_install_does_not_search_for_old_classes() -> None:
    with install(), warnings.catch_warnings():
        warnings.simplefilter("error")
        compat.install()


# Same as in http.client


@pytest.mark.parametrize("name", [name for name in std.__all__ if isinstance(getattr(std, name), type)])
def test_exceptions_are_http_clients_own(name: str) -> None:
    own = getattr(std, name)
    if issubclass(own, Exception):
        assert getattr(client, name) is own
    else:
        assert getattr(client, name) is not own


@pytest.mark.parametrize("name", [*NAMES[:5], "HTTPException", "IncompleteRead"])
def test_public_names_have_the_module_http_client(name: str) -> None:
    assert getattr(client, name).__module__ == "http.client"
    assert getattr(client, name).__qualname__ == name


def test_module_has_every_name_of_http_client() -> None:
    assert vars(client)["__all__"] == std.__all__
    imported = {name for name, value in vars(std).items() if isinstance(value, ModuleType)} | {"urlsplit"}
    public = {name for name in vars(std) if not name.startswith("_")} - imported
    private = {"_CS_IDLE", "_CS_REQ_STARTED", "_CS_REQ_SENT", "_MAXLINE", "_MAXHEADERS", "_UNKNOWN"}
    for name in public | private:
        assert hasattr(client, name)
    for name in private:
        assert getattr(client, name) == getattr(std, name)


ERRORS = [
    client.IncompleteRead(b"part", 5),
    client.BadStatusLine("x"),
    client.LineTooLong("header line"),
    client.RemoteDisconnected("gone"),
    client.UnknownProtocol("HTTP/9"),
    client.InvalidURL("bad"),
    client.HTTPException("text"),
    client.CannotSendRequest("Idle"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_exceptions_go_through_pickle_as_http_clients_do(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)


def test_logging_over_http_does_not_log_itself(installed: None) -> None:
    def answer(peer: RawConnection) -> None:
        while peer.read_request()[0]:
            peer.send(OK)

    root, level = logging.getLogger(), logging.getLogger().level
    with RawServer(answer) as server:
        handler = logging.handlers.HTTPHandler(f"{server.host}:{server.port}", "/log", "POST")
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            root.debug("once")
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
        assert len(server.requests) == 1
