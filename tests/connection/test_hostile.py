"""Faults found by attacks on the engine: peers that push and drip, interfering calls, odd buffers."""

import asyncio
import resource
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from asyncclient import HTTPSConnection, ImproperConnectionState, NotConnected, ProxyError, Timeout
from asyncclient.testing import RawConnection, RawServer
from asyncclient.testing.raw import TIMEOUT
from tests.connection.conversations import (
    OK,
    Script,
    connection_to,
    connection_with_replies,
    echo_target,
    fetch,
    make_long_idle,
    reply,
    start_exchange,
    wait_for_event,
)
from tests.servers import Certificates

HEAD = b"HTTP/1.1 200 OK\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"


@pytest.fixture
def crowd() -> Iterator[None]:
    """So many files that what is opened next gets a descriptor past 1023."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    with ExitStack() as files:
        for _ in range(1100):
            files.enter_context(open("/dev/null"))
        yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
async def complaints() -> list[dict[str, Any]]:
    """Record the calls of the loop's exception handler."""
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: found.append(context))
    return found


# On an idle connection

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"


class Push:
    """A server: after the response to /one it pushes data on a signal, then serves further requests."""

    def __init__(self, data: bytes, end: Script | None = None) -> None:
        self.data, self.end = data, end
        self.may, self.done = threading.Event(), threading.Event()

    def __call__(self, peer: RawConnection) -> None:
        target = peer.read_request()[0].split()[1]
        peer.send(reply(target))
        if target == b"/one":
            assert self.may.wait(TIMEOUT)
            peer.send(self.data)
            if self.end is not None:
                self.end(peer)
            self.done.set()
        if target != b"/one" or self.end is None:
            echo_target(peer)


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(
    ("data", "end"),
    [
        (EVIL, None),
        (EVIL[:10], None),
        (b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", RawConnection.close),
        (b"", RawConnection.close),
        (b"", RawConnection.reset),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_push_on_an_idle_connection_while_the_loop_is_blocked(
    data: bytes, end: Script | None, method: str, secure: bool, tls: Certificates
) -> None:
    push = Push(data, end)
    with RawServer(push, tls=tls.server_context() if secure else None) as server:
        own = HTTPSConnection("localhost", server.port, TIMEOUT, context=tls.client_context())
        async with own if secure else connection_to(server) as connection:
            assert await fetch(connection, url="/one") == (200, b"/one")
            push.may.set()
            assert push.done.wait(TIMEOUT)  # the loop does not notice it
            make_long_idle(connection)
            body = b"body" if method == "POST" else None
            assert await fetch(connection, method, "/two", body=body) == (200, b"/two")
        assert server.accepted == 2


@pytest.mark.parametrize("data", [b"", EVIL])
async def test_descriptor_past_1023(data: bytes, crowd: None) -> None:
    push = Push(data)
    with RawServer(push) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection, url="/one")
            assert response.fileno() > 1023
            assert await response.read() == b"/one"
            push.may.set()
            assert push.done.wait(TIMEOUT)
            make_long_idle(connection)
            assert await fetch(connection, url="/two") == (200, b"/two")
        assert server.accepted == (2 if data else 1)


@pytest.mark.parametrize(
    ("value", "accepted"), [("close", 2), ("Close", 2), ("x,\tclose ", 2), (b"close", 2), ("x-close", 1), ("x", 1)]
)
async def test_request_that_asks_to_close(value: str | bytes, accepted: int) -> None:
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            for url in ("/a", "/b"):
                response = await start_exchange(connection, url=url, headers={"Connection": value})
                assert await response.read() == url.encode()
                assert response.will_close is (accepted == 2)
        assert server.accepted == accepted


# Calls that cut across a request


class SlowFile:
    """A body whose tell() waits for the test."""

    def __init__(self) -> None:
        self.asked, self.may = asyncio.Event(), asyncio.Event()

    async def read(self, n: int) -> bytes:
        return b""

    async def tell(self) -> int:
        self.asked.set()
        await self.may.wait()
        return 0

    async def seek(self, *position: int) -> int:
        return 0


@pytest.mark.parametrize("is_next_begun", [False, True])
async def test_close_while_a_body_is_measured_prevents_the_request(is_next_begun: bool) -> None:
    file = SlowFile()
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            task = asyncio.create_task(connection.request("POST", "/pay", body=file))
            await file.asked.wait()
            await connection.aclose()
            if is_next_begun:
                await connection.request("GET", "/next")
            file.may.set()
            with pytest.raises(NotConnected):
                await task
            if not is_next_begun:
                assert "closed, idle" in repr(connection)
                await connection.request("GET", "/next")
            assert await (await connection.getresponse()).read() == b"/next"
        assert [head.split()[1] for head in server.requests] == [b"/next"]


class Stuck:
    """The body of an async generator that never ends after its first chunk."""

    def __init__(self) -> None:
        self.reached, self.may = asyncio.Event(), asyncio.Event()
        self.is_closed = False

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            yield b"x"
            self.reached.set()
            await self.may.wait()
        finally:
            self.is_closed = True


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "2"}])
async def test_close_ends_a_request_while_its_body_waits(headers: dict[str, str]) -> None:
    body = Stuck()
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            task = asyncio.create_task(connection.request("POST", "/stuck", body.pieces(), headers))
            await body.reached.wait()
            connection.close()
            with pytest.raises(NotConnected):
                await asyncio.wait_for(task, TIMEOUT)
            assert body.is_closed
            assert await fetch(connection, url="/next") == (200, b"/next")


async def test_connect_during_an_upload_is_refused() -> None:
    body = Stuck()
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            task = asyncio.create_task(fetch(connection, "POST", "/upload", body=body.pieces()))
            await body.reached.wait()
            with pytest.raises(ImproperConnectionState):
                await connection.connect()
            body.may.set()
            assert await task == (200, b"/upload")
        assert server.accepted == 1


async def test_tunnel_while_the_connection_is_being_opened_is_refused() -> None:
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            task = asyncio.create_task(fetch(connection, url="/a"))
            await asyncio.sleep(0)
            with pytest.raises(ImproperConnectionState):
                connection.set_tunnel("origin.example")
            assert await task == (200, b"/a")


async def test_request_with_a_path_cancelled_at_any_turn(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"body")
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            for turns in range(60):
                task = asyncio.create_task(fetch(connection, "POST", "/path", body=path))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait((task,))
                assert await fetch(connection, url="/next") == (200, b"/next")


# Buffers for readinto()

UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\n\r\nhello"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize("answer", [UNTIL_CLOSE, CHUNKED, reply(b"hello")])
@pytest.mark.parametrize("then", [RawConnection.close, RawConnection.half_close])
async def test_empty_buffer_is_not_taken_for_the_end(answer: bytes, then: Script) -> None:
    gone = threading.Event()

    def end(peer: RawConnection) -> None:
        then(peer)
        gone.set()

    async with connection_with_replies(answer, then=end) as connection:
        await connection.request("GET", "/")
        await wait_for_event(gone)
        response = await connection.getresponse()
        assert [await response.readinto(bytearray(0)) for _ in range(3)] == [0, 0, 0]
        assert not response.closed
        assert await response.read() == b"hello"
        assert await response.readinto(bytearray(0)) == 0


@pytest.mark.parametrize("buffer", [bytes(100_000), memoryview(bytes(10)), memoryview(bytearray(100_000)).toreadonly()])
async def test_read_only_buffer_is_refused_and_nothing_lost(buffer: Any, complaints: list[dict[str, Any]]) -> None:
    may = threading.Event()
    content = bytes(range(250)) * 800

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(content))
        assert may.wait(TIMEOUT)
        peer.send(content)
        echo_target(peer)

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection)
            with pytest.raises(TypeError, match="buffer"):
                await response.readinto(buffer)
            may.set()
            assert await response.read() == content
            assert await fetch(connection, url="/next") == (200, b"/next")
        assert (server.accepted, complaints) == (1, [])


# Peers that go at a bad moment


@pytest.mark.parametrize("then", [RawConnection.reset, RawConnection.close])
async def test_upgrade_of_a_connection_that_is_gone(then: Script, complaints: list[dict[str, Any]]) -> None:
    gone = threading.Event()

    def end(peer: RawConnection) -> None:
        then(peer)
        gone.set()

    async with connection_with_replies(SWITCH + b"hi", then=end) as connection:
        await connection.request("GET", "/", headers={"Upgrade": "x"})
        await wait_for_event(gone)
        upgraded = (await connection.getresponse()).upgraded
        assert upgraded is not None
        reader, writer = upgraded
        try:
            assert await asyncio.wait_for(reader.read(), TIMEOUT) == b"hi"
        except ConnectionError:
            assert then is RawConnection.reset
        writer.close()
        try:
            await asyncio.wait_for(writer.wait_closed(), TIMEOUT)
        except ConnectionError:
            assert then is RawConnection.reset
    assert complaints == []


async def test_descriptor_after_the_connection_was_closed() -> None:
    async with connection_with_replies(OK) as connection:
        response = await start_exchange(connection)
        await response.read()
        await connection.aclose()
        assert response.fileno() == -1


def handshake(peer: RawConnection, context: ssl.SSLContext) -> None:
    """Make a handshake whose last flight has close_notify with it, in one write."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            session.do_handshake()
            break
        except ssl.SSLWantReadError:
            peer.send(outgoing.read())
            incoming.write(peer.read())
    with pytest.raises(ssl.SSLWantReadError):
        session.unwrap()
    peer.send(outgoing.read())


@pytest.mark.parametrize("then", [RawConnection.wait_closed, RawConnection.half_close, RawConnection.close])
async def test_end_in_the_last_flight_of_a_handshake_in_a_tunnel(
    then: Script, tls: Certificates, complaints: list[dict[str, Any]]
) -> None:
    context = tls.server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        handshake(peer, context)
        then(peer)

    with RawServer(handler) as server:
        async with HTTPSConnection(server.host, server.port, TIMEOUT, context=tls.client_context()) as connection:
            connection.set_tunnel("localhost")
            with pytest.raises((ConnectionError, NotConnected)):
                await fetch(connection)
    assert complaints == []


# Text and time that a peer decides


async def test_reason_of_a_proxy_is_clipped() -> None:
    answer = b"HTTP/1.1 407 \x1b[2J" + b"A" * 60_000 + b"\r\nContent-Length: 0\r\n\r\n"
    async with connection_with_replies(answer) as connection:
        connection.set_tunnel("origin.example")
        with pytest.raises(ProxyError, match="407") as raised:
            await fetch(connection)
        assert len(str(raised.value)) < 200
        assert str(raised.value).isprintable()
        assert raised.value.status == 407


async def test_interim_responses_do_not_prolong_the_wait_for_100() -> None:
    sent = threading.Event()

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        for _ in range(50):  # a second in all, within the limit of 100
            if sent.wait(0.02):
                break
            peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        assert sent.is_set()
        peer.send(reply(peer.read_body(4)))
        peer.wait_closed()

    with RawServer(handler) as server:
        async with connection_to(server, timeout=Timeout(read=TIMEOUT, expect=0.1)) as connection:
            await connection.request("POST", "/", b"body", {"Expect": "100-continue"})
            sent.set()
            assert await (await connection.getresponse()).read() == b"body"


@pytest.mark.parametrize("body", [lambda: iter([b"abc"]), lambda: [b"", b"a"], lambda: Stuck().pieces()])
async def test_content_of_a_declared_length_of_0_is_refused(body: Callable[[], Any]) -> None:
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            with pytest.raises(ValueError, match="longer than its length of 0"):
                await connection.request("POST", "/", body(), {"Content-Length": "0"})
            assert await fetch(connection, "POST", "/next", body=[], headers={"Content-Length": "0"}) == (200, b"/next")
