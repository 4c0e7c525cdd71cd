"""Every name of http.client, public or private: it is there in compat, means the same, and can be replaced."""

import builtins
import http.client as std
import inspect
import io
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from functools import cache
from typing import Any

import pytest

from asyncclient.testing import RawConnection, RawServer
from compat import client
from tests.compat.names import (
    INSTANCES,
    LIBRARIES,
    LOOKED_UP,
    METHODS,
    OURS_IN_MODULE,
    VALUES,
    is_in_this_python,
    names_of_module,
)
from tests.compat.transcript.servers import Recorder

CLASSES = list(METHODS)
OF_CLASSES = [(kind, name) for kind in CLASSES for name in (*METHODS[kind], *VALUES[kind])]
OF_INSTANCES = [(kind, name) for kind, names in INSTANCES.items() for name in names]


def own_names(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("__") and not name.startswith("_abc")}


# Is there


@pytest.mark.parametrize("kind", CLASSES)
def test_table_has_every_member_of_the_class(kind: str) -> None:
    table = {name for name in (*METHODS[kind], *VALUES[kind]) if is_in_this_python(name)}
    assert own_names(getattr(std, kind)) == table


def test_table_has_every_attribute_of_the_instances() -> None:
    for kind, make in MAKE.items():
        bases = ("HTTPConnection",) if kind == "HTTPSConnection" else ()
        table = {name for base in (kind, *bases) for name in INSTANCES[base] if is_in_this_python(name)}
        assert set(vars(make(std))) == table


@pytest.mark.parametrize("name", names_of_module())
def test_module_has_the_name(name: str) -> None:
    if name == "__all__":
        assert vars(client)["__all__"] == std.__all__
    elif name in OURS_IN_MODULE:
        assert getattr(client, name) is not getattr(std, name)
        assert getattr(client, name).__module__ in ("http.client", "compat.https", "compat.message")
    else:
        assert getattr(client, name) == getattr(std, name)


@pytest.mark.parametrize(("kind", "name"), OF_CLASSES)
def test_class_has_the_member_itself(kind: str, name: str) -> None:
    assert name in vars(getattr(client, kind)) or kind == "HTTPMessage"


@pytest.mark.parametrize(("kind", "name"), OF_INSTANCES)
def test_instance_has_the_attribute_and_takes_another_value(kind: str, name: str) -> None:
    instance = MAKE[kind](client)
    before = getattr(instance, name)
    setattr(instance, name, mine := io.BytesIO())
    assert getattr(instance, name) is mine
    setattr(instance, name, before)


MAKE: dict[str, Callable[[Any], Any]] = {
    "HTTPConnection": lambda library: library.HTTPConnection("example.com"),
    "HTTPSConnection": lambda library: library.HTTPSConnection("example.com"),
    "HTTPResponse": lambda library: library.HTTPResponse(Recorder()),
}


# Means the same


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name in OF_CLASSES if name in METHODS[kind]])
def test_method_is_of_the_same_kind_and_takes_the_same_arguments(kind: str, name: str) -> None:
    if is_in_this_python(name):
        theirs, ours = (
            inspect.getattr_static(getattr(std, kind), name),
            inspect.getattr_static(getattr(client, kind), name),
        )
        assert type(ours) is type(theirs)
        parameters = list(inspect.signature(getattr(getattr(client, kind), name)).parameters.values())
        for mine, other in zip(
            parameters, inspect.signature(getattr(getattr(std, kind), name)).parameters.values(), strict=True
        ):
            assert (mine.name, mine.kind, mine.default == other.default) == (other.name, other.kind, True)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in CLASSES for name in VALUES[kind]])
def test_class_has_the_same_value(kind: str, name: str) -> None:
    value = getattr(getattr(client, kind), name)
    assert value == getattr(getattr(std, kind), name) or value is client.HTTPResponse


@pytest.mark.parametrize(("kind", "name"), OF_INSTANCES)
def test_instance_begins_with_the_same_value(kind: str, name: str) -> None:
    theirs, ours = (getattr(MAKE[kind](library), name, None) for library in (std, client))
    assert ours == theirs or type(ours) is type(theirs)


# Can be replaced


def answer(peer: RawConnection) -> None:
    """Answer by the path: with content of a known length, or in chunks, after an interim response if it asks for it."""
    while (request := peer.read_request())[0]:
        if b" /100" in request[0]:
            peer.send(b"HTTP/1.1 100 Continue\r\nA: 1\r\n\r\n")
        if b" /chunks" in request[0]:
            peer.send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"5\r\nhello\r\n7\r\n\nworld\n\r\n0\r\nT: 1\r\n\r\n"
            )
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX: y\r\n\r\nhello\nworld\n")


class Proxy(Recorder):
    """A socket that grants a tunnel."""

    def __init__(self) -> None:
        super().__init__(b"HTTP/1.1 200 OK\r\nVia: me\r\n\r\n")

    def setsockopt(self, *arguments: Any) -> None:
        pass


def read_in_all_ways(response: Any) -> list[Any]:
    found: list[Any] = [response.read(2), response.peek()[:2], response.read1(2), response.readline()]
    response.readinto(buffer := bytearray(3))
    return [*found, bytes(buffer), response.read(), response.isclosed(), response.closed]


def make_requests() -> list[tuple[Any, ...]]:
    return [
        ("GET", "/100"),
        ("GET", "/chunks"),
        ("POST", "/chunks", iter((b"a", b"", b"b"))),
        ("POST", "/", "text"),
        ("PUT", "/"),
        ("POST", "/", io.StringIO("text")),
        ("GET", "http://[fe80::1%25a]/"),
        ("GET", "/", None, {"A": "b", "N": 1}),
    ]


def run_all_steps(library: Any) -> str:
    """Take every way through http.client; return what was found, and what was printed."""
    results: list[Any] = []
    with redirect_stdout(io.StringIO()) as printed, RawServer(answer) as server:
        with closing(library.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
            for arguments in make_requests():
                connection.request(*arguments)
                response = connection.getresponse()
                results += [response.status, response.getheader("X"), response.getheaders(), response._check_close()]
                results += read_in_all_ways(response)
                response.flush()
                response.close()
            connection.set_debuglevel(1)
            connection.request("GET", "/chunks")
            response = connection.getresponse()
            response.url = "/chunks"
            results += [
                response.readinto(bytearray(20)),
                response.getcode(),
                response.info().items(),
                response.geturl(),
            ]
            results += [response.readable(), response.isclosed()]
            connection.set_debuglevel(0)
            connection.request("GET", "/chunks")
            response = connection.getresponse()
            results += [response.fileno() >= 0, [*response], response.read()]
        results += [server.requests, run_beside(library)]
    return repr([*results, printed.getvalue()]).replace(str(server.port), "PORT")


@cache
def run_plainly() -> str:
    """Take every way through compat while no name is replaced."""
    return run_all_steps(client)


def run_beside(library: Any) -> list[Any]:
    """Take the steps without a server: a tunnel, an IPv6 address, a file that send() reads, and a context for TLS."""
    proxy = Proxy()
    connection = library.HTTPConnection("[fe80::1%a]", 81)
    connection._create_connection = lambda *arguments: proxy
    connection.set_tunnel("example.com", 80, {"Host": "example.com:80"})
    connection.request("GET", "/")
    found: list[Any] = [proxy.sent[1:]]
    if hasattr(connection, "get_proxy_response_headers"):
        headers = connection.get_proxy_response_headers()
        found.append(headers and headers.items())
    connection = library.HTTPConnection("fe80::1%a", 81)
    connection.sock = recorder = Recorder()
    connection.putrequest("GET", "/", skip_accept_encoding=True)
    connection.endheaders()
    connection.send(io.StringIO("text"))
    secure = library.HTTPSConnection("example.com")
    return [*found, recorder.sent, type(secure._context).__name__]


class Calls:
    """A replacement for a function, a pattern or a set that counts its calls."""

    def __init__(self, original: Any) -> None:
        self.count = 0
        self.original = original

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.count += 1
        return self.original(*arguments, **options)

    def search(self, text: str) -> Any:
        self.count += 1
        return self.original.search(text)

    def __contains__(self, item: object) -> bool:
        self.count += 1
        return item in self.original


REPLACEABLE = [(kind, name) for kind in ("HTTPConnection", "HTTPResponse") for name in METHODS[kind]]
NAMES = [name for name in LOOKED_UP if is_in_this_python(name)]


def make_calls(place: Any, name: str) -> Calls:
    return Calls(getattr(place, name, getattr(builtins, name, None)))


@cache
def count_calls_of_http_client() -> dict[str, int]:
    """Take every way through http.client while all names and methods count their calls; return the counts."""
    calls = {name: make_calls(std, name) for name in NAMES}
    known = [(kind, name) for kind, name in REPLACEABLE if is_in_this_python(name)]
    methods = {f"{kind}.{name}": counting(getattr(std, kind), name) for kind, name in known}
    with pytest.MonkeyPatch.context() as patch:
        for name, replacement in calls.items():
            patch.setattr(std, name, replacement, raising=False)
        for place, (method, _) in methods.items():
            kind, _, name = place.partition(".")
            patch.setattr(getattr(std, kind), name, method)
        run_all_steps(std)
    counts = {name: replacement.count for name, replacement in calls.items()}
    return counts | {place: len(made) for place, (_, made) in methods.items()}


@pytest.mark.parametrize("where", LIBRARIES)
@pytest.mark.parametrize("name", NAMES)
def test_name_of_the_module_can_be_replaced(name: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = run_plainly()
    calls = make_calls(LIBRARIES[where], name)
    with monkeypatch.context() as patch:
        patch.setattr(LIBRARIES[where], name, calls, raising=False)
        found = run_all_steps(client)
    count = calls.count
    assert count
    assert count_calls_of_http_client()[name]
    assert found == plain
    assert run_all_steps(client) == plain
    assert calls.count == count


def counting(kind: type, name: str) -> tuple[Any, list[str]]:
    """A function that does what the method does, and notes each call."""
    original = inspect.getattr_static(kind, name)
    function: Callable[..., Any] = getattr(kind, name)
    calls: list[str] = []

    def replacement(*arguments: Any, **options: Any) -> Any:
        calls.append(name)
        return function(*arguments, **options)

    return (staticmethod(replacement) if isinstance(original, staticmethod) else replacement), calls


@pytest.mark.parametrize(("kind", "name"), REPLACEABLE)
def test_method_can_be_replaced_in_the_class(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_in_this_python(name):
        return
    plain = run_plainly()
    replacement, calls = counting(getattr(client, kind), name)
    with monkeypatch.context() as patch:
        patch.setattr(getattr(client, kind), name, replacement)
        found = run_all_steps(client)
    assert count_calls_of_http_client()[f"{kind}.{name}"]
    assert calls
    assert found == plain


@pytest.mark.parametrize(("kind", "name"), REPLACEABLE)
def test_method_can_be_replaced_by_a_subclass(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_in_this_python(name):
        return
    plain = run_plainly()
    replacement, calls = counting(getattr(client, kind), name)
    derived: Any = type(kind, (getattr(client, kind),), {name: replacement})
    if kind == "HTTPResponse":
        monkeypatch.setattr(client.HTTPConnection, "response_class", derived)
    else:
        monkeypatch.setattr(client, kind, derived)
    assert run_all_steps(client) == plain
    assert calls
