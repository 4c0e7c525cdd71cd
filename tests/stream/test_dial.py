"""Opening a connection: the attempts, the errors of a failure, and that nothing is left."""

import asyncio
import errno
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from asyncclient.errors import ConnectError, ConnectTimeout
from asyncclient.stream import racing
from asyncclient.stream.dial import Route, open_stream
from asyncclient.stream.opening import Opening
from asyncclient.testing import RawConnection, RawServer
from asyncclient.timeouts import Timeout
from tests.durations import FOREVER, lasts
from tests.stream.peers import PATIENCE, dial

Resolve = Callable[..., None]


@pytest.fixture
def closed_port() -> int:
    """A port without a listener."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def black_hole() -> Iterator[tuple[str, int]]:
    """An address that does not answer: its backlog is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.3", 0), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        time.sleep(0.01)
        yield listener.getsockname()


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """resolve(*addresses): have the running loop resolve example.com to these."""

    def resolve(*addresses: tuple[str, int] | OSError) -> None:
        loop = asyncio.get_running_loop()
        original = loop.getaddrinfo

        async def getaddrinfo(host: Any, port: Any, **options: Any) -> Any:
            if host != "example.com":  # uvloop's sock_connect() has addresses resolved, too
                return await original(host, port, **options)
            for address in addresses:
                if isinstance(address, OSError):
                    raise address
            families = [socket.AF_INET6 if ":" in str(address) else socket.AF_INET for address in addresses]
            return [(family, socket.SOCK_STREAM, 6, "", a) for family, a in zip(families, addresses, strict=True)]

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)

    return resolve


# One address


async def test_the_error_of_a_refused_connection_has_address_and_reason(closed_port: int) -> None:
    text = rf"^no connection to 127\.0\.0\.1:{closed_port}: \[Errno \d+\] Connection refused$"
    with pytest.raises(ConnectError, match=text) as raised:
        await dial(Route("127.0.0.1", closed_port), PATIENCE)
    (attempt,) = raised.value.attempts
    assert isinstance(attempt, ConnectionRefusedError)
    assert attempt.errno == errno.ECONNREFUSED
    assert attempt.strerror == f"Connection refused: 127.0.0.1:{closed_port}"
    assert attempt.__traceback__ is None  # it would lead back to this
    assert isinstance(raised.value.__cause__, ConnectionRefusedError)


@pytest.mark.asyncio(loop_factories=["asyncio"])  # uvloop's own sock_connect() asks, without a thread
async def test_an_address_needs_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*args: Any, **options: Any) -> None:
        raise AssertionError("resolved an address")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    for host in ("127.0.0.1", "::1"):
        with RawServer(RawConnection.hold, host=host) as server:
            timings = Opening(0.0)
            stream, proxy = await open_stream(Route(host, server.port), PATIENCE, timings)
            assert proxy is None
            assert stream.get_extra_info("peername")[:2] == (host, server.port)
            assert timings.resolve is not None
            assert timings.connect is not None
            assert timings.tls is None
            stream.abort()
            await stream.wait_closed()


async def test_an_address_that_does_not_answer_is_a_timeout(black_hole: tuple[str, int]) -> None:
    where = r"no connection to 127\.0\.0\.3:[0-9]+ in 0\.1 s"
    with lasts(0.1), pytest.raises(ConnectTimeout, match=where) as raised:
        await dial(Route(*black_hole), Timeout(connect=0.1))
    assert (raised.value.phase, raised.value.seconds) == ("connect", 0.1)
    assert len(raised.value.attempts) == 1


async def test_a_resolver_that_does_not_answer_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*args: Any, **options: Any) -> None:
        await asyncio.sleep(FOREVER)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    with pytest.raises(ConnectTimeout, match=r"no connection to example\.com:80 in 0\.1 s") as raised:
        await dial(Route("example.com", 80), Timeout(connect=0.1))
    assert raised.value.attempts == ()


async def test_an_unknown_name_is_an_error(resolve: Resolve) -> None:
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    resolve(unknown)
    with pytest.raises(ConnectError, match=r"no connection to example\.com:80: .*Name or service not known") as raised:
        await dial(Route("example.com", 80), PATIENCE)
    (attempt,) = raised.value.attempts
    assert isinstance(attempt, socket.gaierror)
    assert (attempt.args, attempt.__traceback__) == (unknown.args, None)
    assert raised.value.__cause__ is unknown


async def test_a_timeout_of_the_caller_stays_a_timeout_error(black_hole: tuple[str, int]) -> None:
    with pytest.raises(TimeoutError) as raised:
        async with asyncio.timeout(0.05):
            await dial(Route(*black_hole), PATIENCE)
    assert not isinstance(raised.value, ConnectTimeout)


# Several addresses


@pytest.mark.parametrize("bad", ["::1", "127.0.0.2"])
async def test_the_next_address_is_tried_at_once_when_one_refuses(
    resolve: Resolve, closed_port: int, bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(racing, "HAPPY_EYEBALLS_DELAY", FOREVER)
    with RawServer(RawConnection.hold) as server:
        resolve((bad, closed_port), (server.host, server.port))
        with lasts():
            stream = await dial(Route("example.com", 80), Timeout(connect=FOREVER))
        assert stream.get_extra_info("peername") == (server.host, server.port)
        stream.abort()
        await stream.wait_closed()


async def test_an_address_that_does_not_answer_is_raced(resolve: Resolve, black_hole: tuple[str, int]) -> None:
    with RawServer(RawConnection.hold) as server:
        resolve(black_hole, (server.host, server.port))
        with lasts(racing.HAPPY_EYEBALLS_DELAY):
            stream = await dial(Route("example.com", 80), Timeout(connect=FOREVER))
        stream.abort()
        await stream.wait_closed()


async def test_the_error_lists_every_failed_address(resolve: Resolve, closed_port: int) -> None:
    resolve(("127.0.0.1", closed_port), ("127.0.0.2", closed_port), ("::1", closed_port))
    with pytest.raises(ConnectError, match=r"no connection to example\.com:80: ") as raised:
        await dial(Route("example.com", 80), PATIENCE)
    assert [attempt.errno for attempt in raised.value.attempts] == [errno.ECONNREFUSED] * 3
    for host in ("127.0.0.1", "127.0.0.2", "::1"):
        assert host in str(raised.value)


async def test_a_connect_timeout_has_the_failed_attempts(
    resolve: Resolve, black_hole: tuple[str, int], closed_port: int
) -> None:
    resolve(("127.0.0.1", closed_port), black_hole)
    with pytest.raises(ConnectTimeout) as raised:
        await dial(Route("example.com", 80), Timeout(connect=0.2))
    assert isinstance(raised.value.attempts[0], ConnectionRefusedError)
    assert len(raised.value.attempts) == 2


# Other routes


async def test_a_unix_socket_is_a_route(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        stream = await dial(Route("example.com", 80, socket_path=path), PATIENCE)
        accepted, _ = listener.accept()
        with accepted:
            accepted.sendall(b"hello")
            assert await stream.readexactly(5) == b"hello"
            stream.abort()
            await stream.wait_closed()


async def test_the_error_of_a_missing_unix_socket_names_its_path(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with pytest.raises(ConnectError, match=f"no connection to {path}: ") as raised:
        await dial(Route("example.com", 80, socket_path=path), PATIENCE)
    assert isinstance(raised.value.attempts[0], FileNotFoundError)


async def test_the_address_to_connect_from_can_be_chosen() -> None:
    with RawServer(RawConnection.hold) as server:
        stream = await dial(Route(server.host, server.port, source_address=("127.0.0.5", 0)), PATIENCE)
        assert stream.get_extra_info("sockname")[0] == "127.0.0.5"
        stream.abort()
        await stream.wait_closed()


async def test_connecting_from_an_address_of_another_machine_is_an_error(closed_port: int) -> None:
    with pytest.raises(ConnectError, match="no connection to"):
        await dial(Route("127.0.0.1", closed_port, source_address=("192.0.2.1", 0)), PATIENCE)


async def test_socket_options_are_set() -> None:
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    with RawServer(RawConnection.hold) as server:
        stream = await dial(Route(server.host, server.port, socket_options=options), PATIENCE)
        assert stream.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        stream.abort()
        await stream.wait_closed()


async def test_socket_options_that_are_refused_are_an_error(closed_port: int) -> None:
    with pytest.raises(ConnectError, match="no connection to"):
        await dial(Route("127.0.0.1", closed_port, socket_options=[(socket.SOL_SOCKET, 9999, 1)]), PATIENCE)
