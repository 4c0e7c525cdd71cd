"""The plugin for pytest: fixtures, a network that is shut off, and a check that tests leave nothing open.

It is loaded wherever asyncclient is installed. So it imports what it needs on use, and adds no fixture to tests that do
not ask for one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

if TYPE_CHECKING:
    from .client.client import Client
    from .local_response import LocalResponse
    from .testing import MockTransport, RawConnection, RawServer

# Without it another plugin runs async fixtures and tests, such as that of anyio.
_PYTEST_ASYNCIO: Final[Any] = import_module("pytest_asyncio") if find_spec("pytest_asyncio") else None

_F = TypeVar("_F", bound=Callable[..., Any])


def _async_fixture(function: _F) -> _F:
    """Make a fixture of a coroutine function, in the strict mode of pytest-asyncio, too."""
    decorate: Any = pytest.fixture if _PYTEST_ASYNCIO is None else _PYTEST_ASYNCIO.fixture
    fixture: _F = decorate(function)
    return fixture


MARKERS: Final = (
    "disable_network: refuse connections to other hosts in this test",
    "enable_network: allow connections to other hosts in this test, in spite of --disable-network",
    "check_leaks: fail this test if it leaves a connection, a descriptor or a task",
    "asyncclient_mock(assert_all_called=True): whether all routes of asyncclient_mock must be called",
)

_FAILED: Final = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("asyncclient")
    group.addoption("--disable-network", action="store_true", help="refuse connections to other hosts in all tests")
    group.addoption(
        "--check-leaks",
        action="store_true",
        help="fail each test that leaves a connection, a descriptor or a task",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the fixtures that options and markers ask for, before all others."""
    for item in items:
        names = getattr(item, "fixturenames", None)
        if names is not None:
            names[:0] = [name for name in _list_fixtures(config, item) if name not in names]


def _list_fixtures(config: pytest.Config, item: pytest.Item) -> Iterator[str]:
    is_off = config.getoption("--disable-network") and item.get_closest_marker("enable_network") is None
    if is_off or item.get_closest_marker("disable_network") is not None:
        yield "asyncclient_no_network"
    if config.getoption("--check-leaks") or item.get_closest_marker("check_leaks") is not None:
        yield "asyncclient_no_leaks"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Remember that a test failed: the checks afterwards would only hide why."""
    report = yield
    if call.when == "call":
        item.stash[_FAILED] = report.failed
    return report


def has_failed(request: pytest.FixtureRequest) -> bool:
    """Return True if the test of a fixture has failed: its traceback keeps alive what it had opened."""
    return bool(request.node.stash.get(_FAILED, False))


@pytest.fixture
def asyncclient_mock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[MockTransport]:
    """Answer the requests of all clients from routes.

    Clients that use a pool of connections, also those that the code under test makes, send to this MockTransport. At
    the end of a test that has passed, all routes must have been called, and no request may have been unexpected.
    """
    from .client.pool_transport import PoolTransport
    from .testing import MockTransport

    mock = MockTransport()
    monkeypatch.setattr(PoolTransport, "send", lambda _, sent: mock.send(sent))
    yield mock
    marker = request.node.get_closest_marker("asyncclient_mock")
    if not has_failed(request) and (marker is None or marker.kwargs.get("assert_all_called", True)):
        mock.assert_all_called()


@pytest.fixture
def asyncclient_server() -> Iterator[Callable[..., RawServer]]:
    """Return a function that starts a server on the loopback interface, until the end of the test.

    Its arguments are a handler of a RawConnection, or responses as for RawServer.replying(); then its keyword
    arguments, such as `tls`.
    """
    with ExitStack() as stack:

        def start(*answers: Callable[[RawConnection], object] | bytes | LocalResponse, **options: Any) -> RawServer:
            return stack.enter_context(_open_server(answers, options))

        yield start


def _open_server(answers: tuple[Any, ...], options: dict[str, Any]) -> RawServer:
    from .testing import RawServer

    if len(answers) == 1 and callable(answers[0]):
        return RawServer(answers[0], **options)
    return RawServer.replying(*answers, **options)


@_async_fixture
async def asyncclient_client() -> AsyncIterator[Client]:
    """Return a client, which is closed at the end of the test; with asyncclient_mock its requests go there."""
    from .client.client import Client

    async with Client() as client:
        yield client


@pytest.fixture
def asyncclient_no_network() -> Iterator[None]:
    """Refuse connections to other hosts; `--disable-network` and the marker `disable_network` add it."""
    from .testing.no_network import no_network

    with no_network():
        yield


@pytest.fixture
def asyncclient_no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a connection, a descriptor or a task; `--check-leaks` and the marker add it."""
    from .testing.leaks import Leaks

    if _PYTEST_ASYNCIO is not None and _PYTEST_ASYNCIO.is_async_test(request.node):
        request.getfixturevalue("_asyncclient_no_leaks_on_loop")
        yield
        return
    leaks = Leaks()
    yield
    if not has_failed(request):
        _report(leaks.wait())


@_async_fixture
async def _asyncclient_no_leaks_on_loop(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Check from inside the loop, whose own descriptors are open before and after the test."""
    from .testing.leaks import LoopLeaks

    leaks = LoopLeaks()
    yield
    if not has_failed(request):
        _report(await leaks.wait_on_loop())


def _report(left: set[str]) -> None:
    if left:
        pytest.fail(f"left by the test: {', '.join(sorted(left))}")
