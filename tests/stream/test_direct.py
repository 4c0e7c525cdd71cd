"""Content received straight into a caller's buffer: no byte is lost or misplaced, however it ends."""

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asyncclient import HTTPConnection, HTTPResponse, IncompleteRead, NotConnected, ReadTimeout, Timeout, TotalTimeout
from asyncclient.stream.direct import DIRECT_FROM, DirectRead
from asyncclient.testing import RawConnection, RawServer
from asyncclient.testing.raw import TIMEOUT
from tests.connection.conversations import (
    Script,
    chunked,
    connection_to,
    connection_with_replies,
    echo_target,
    fetch,
    reply,
    start_exchange,
    wait_for_event,
)

HEAD = b"HTTP/1.1 200 OK\r\n"
SIZE = 2 * 1024 * 1024 + 7
CONTENT = (bytes(range(251)) * (SIZE // 251 + 1))[:SIZE]
CHUNKED = chunked(*(CONTENT[at : at + 99_999] for at in range(0, SIZE, 99_999)))
PART = CONTENT[:1000]
LENGTH = HEAD + b"Content-Length: %d\r\n\r\n" % len(CONTENT)
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\n\r\n"


async def read_by_readinto(response: HTTPResponse, size: int = 4 * DIRECT_FROM) -> bytes:
    """Read the rest by readinto() into one buffer over and over."""
    buffer, found = bytearray(size), bytearray()
    while count := await response.readinto(buffer):
        found += memoryview(buffer)[:count]
    return bytes(found)


class Late:
    """A server's side: /late is answered with a head; the test says when the rest is sent or the connection ends."""

    def __init__(self, head: bytes = LENGTH, rest: bytes = CONTENT, then: Script = echo_target) -> None:
        self.head, self.rest, self.then = head, rest, then
        self.may = threading.Event()

    def __call__(self, peer: RawConnection) -> None:
        target = peer.read_request()[0].split()[1]
        if target != b"/late":
            peer.send(reply(target))
            return echo_target(peer)
        peer.send(self.head)
        assert self.may.wait(TIMEOUT)
        peer.send(self.rest)
        self.then(peer)
        return None


async def begin_readinto(response: HTTPResponse, buffer: bytearray | None = None) -> asyncio.Task[int]:
    """Return a task that waits in readinto(), the kernel to fill its buffer."""
    task = asyncio.create_task(response.readinto(bytearray(4 * DIRECT_FROM) if buffer is None else buffer))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def assert_answers_right(connection: HTTPConnection) -> None:
    """The connection, or another one, gives the right responses."""
    for url in ("/a", "/b"):
        assert await fetch(connection, url=url) == (200, url.encode())


# Whole contents


@pytest.mark.parametrize("size", [1000, DIRECT_FROM - 1, DIRECT_FROM, 16 * DIRECT_FROM, len(CONTENT) + 1])
@pytest.mark.parametrize("answer", [reply(CONTENT), CHUNKED])
async def test_content_is_whole_and_the_connection_goes_on(size: int, answer: bytes) -> None:
    async with connection_with_replies(answer, reply(b"next"), answer) as connection:
        assert await read_by_readinto(await start_exchange(connection), size) == CONTENT
        assert await fetch(connection) == (200, b"next")
        response = await start_exchange(connection)
        assert await response.read() == CONTENT
        assert response.timings.reused


async def test_content_until_close() -> None:
    async with connection_with_replies(UNTIL_CLOSE + CONTENT, then=RawConnection.close) as connection:
        assert await read_by_readinto(await start_exchange(connection)) == CONTENT


async def test_two_answers_on_one_connection() -> None:
    with RawServer.replying(reply(CONTENT), reply(CONTENT), reply(b"end")) as server:
        async with connection_to(server) as connection:
            for _ in range(2):
                assert await read_by_readinto(await start_exchange(connection)) == CONTENT
            assert await fetch(connection) == (200, b"end")
        assert server.accepted == 1


async def test_bytes_after_the_content_are_never_a_response() -> None:
    late = Late(rest=CONTENT + reply(b"evil"))
    with RawServer(late) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection, url="/late")
            task = await begin_readinto(response, buffer := bytearray(len(CONTENT) + 1000))
            late.may.set()
            count = await task
            assert buffer[:count] + await read_by_readinto(response) == CONTENT
            await assert_answers_right(connection)
        assert server.accepted == 2


# Mixed with other methods to read

Read = Callable[[HTTPResponse], Awaitable[bytes]]


async def first_chunk(response: HTTPResponse) -> bytes:
    async for piece in response.iter_chunks(5000):
        return piece
    return b""


async def read_long(response: HTTPResponse) -> bytes:
    buffer = bytearray(DIRECT_FROM)
    return bytes(buffer[: await response.readinto(buffer)])


async def read_peeked_bytes(response: HTTPResponse) -> bytes:
    return await response.read(len(await response.peek()))


async def read_short(response: HTTPResponse) -> bytes:
    buffer = bytearray(10)
    return bytes(buffer[: await response.readinto(buffer)])


WAYS: dict[str, Read] = {
    "read": lambda response: response.read(70_001),
    "read1": lambda response: response.read1(),
    "readline": lambda response: response.readline(),
    "iter_chunks": first_chunk,
    "peek": read_peeked_bytes,
    "readinto, small": read_short,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("answer", [reply(CONTENT), CHUNKED])
async def test_mixed_with_other_ways_to_read(way: str, answer: bytes) -> None:
    async with connection_with_replies(answer, reply(b"next")) as connection:
        response = await start_exchange(connection)
        found = b""
        while part := await read_long(response):
            found += part + await WAYS[way](response)
        assert found == CONTENT
        assert await fetch(connection) == (200, b"next")


@pytest.mark.parametrize("way", ["read", "aclose", "close"])
async def test_rest_after_a_direct_read(way: str) -> None:
    late = Late()
    with RawServer(late) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection, url="/late")
            task = await begin_readinto(response)
            late.may.set()
            count = await task
            if way == "read":
                assert await response.read() == CONTENT[count:]
            elif way == "aclose":
                await response.aclose()
            else:
                response.close()
            await assert_answers_right(connection)
        assert server.accepted == (1 if way == "read" else 2)


# Cut short


@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize("comes", [False, True])
async def test_cancellation_drops_the_connection(has_begun: bool, comes: bool) -> None:
    late, buffer = Late(LENGTH + PART * has_begun), bytearray(4 * DIRECT_FROM)
    with RawServer(late) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection, url="/late")
            if has_begun:
                assert await response.read(len(PART)) == PART
            task = await begin_readinto(response, buffer)
            if comes:
                late.may.set()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            found = bytes(buffer)
            late.may.set()
            await assert_answers_right(connection)
            assert bytes(buffer) == found  # the kernel has let go of it
            with pytest.raises(NotConnected):
                await response.readinto(buffer)
        assert server.accepted == 2


async def test_bytes_after_the_content_in_the_kernel_are_not_a_response() -> None:
    """The loop receives no more than the buffer takes, so that it can't have looked for unsolicited data."""
    rest = CONTENT[:DIRECT_FROM] + reply(b"evil")
    late = Late(HEAD + b"Content-Length: %d\r\n\r\n" % DIRECT_FROM, rest)
    with RawServer(late) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection, url="/late")
            late.may.set()
            with socket.socket(fileno=os.dup(response.fileno())) as copy:
                while count_received(copy) < len(rest):  # the loop gets no turn
                    os.sched_yield()
            assert await response.readinto(bytearray(DIRECT_FROM)) == DIRECT_FROM
            await assert_answers_right(connection)
        assert server.accepted == 2


def count_received(sock: socket.socket) -> int:
    try:
        return len(sock.recv(4 * DIRECT_FROM, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return 0


@pytest.mark.parametrize("how", ["close", "aclose"])
async def test_close_ends_a_direct_read(how: str) -> None:
    late = Late()
    with RawServer(late) as server:
        async with connection_to(server) as connection:
            task = await begin_readinto(await start_exchange(connection, url="/late"))
            if (closing := getattr(connection, how)()) is not None:
                await closing
            with pytest.raises(NotConnected):
                await task
            late.may.set()
            await assert_answers_right(connection)


async def test_second_task_is_refused_and_the_first_goes_on() -> None:
    late, buffer = Late(), bytearray(4 * DIRECT_FROM)
    with RawServer(late) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection, url="/late")
            task = await begin_readinto(response, buffer)
            other = bytearray(4 * DIRECT_FROM)
            with pytest.raises(Exception, match="another task"):
                await response.readinto(other)
            late.may.set()
            count = await task
            assert buffer[:count] + await read_by_readinto(response) == CONTENT
            assert not any(other)
            await assert_answers_right(connection)
        assert server.accepted == 1


@pytest.mark.parametrize("then", [RawConnection.close, RawConnection.half_close, RawConnection.reset])
@pytest.mark.parametrize("rest", [b"", PART])
@pytest.mark.parametrize("head", [LENGTH, HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(CONTENT)])
async def test_end_of_the_connection(head: bytes, rest: bytes, then: Script) -> None:
    late = Late(head, rest, then)
    with RawServer(late) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection, url="/late")
            task = await begin_readinto(response, buffer := bytearray(4 * DIRECT_FROM))
            late.may.set()
            with pytest.raises((IncompleteRead, ConnectionError)):
                count = await task
                assert buffer[:count] == rest[:count]
                await read_by_readinto(response)
            await assert_answers_right(connection)
        assert server.accepted == 2


@pytest.mark.parametrize(("timeout", "error"), [(Timeout(read=0.05), ReadTimeout), (Timeout(total=0.1), TotalTimeout)])
async def test_time_limits(timeout: Timeout, error: type[Exception]) -> None:
    late = Late()
    with RawServer(late) as server:
        async with connection_to(server, timeout=timeout) as connection:
            with pytest.raises(error):
                response = await start_exchange(connection, url="/late")
                await response.readinto(bytearray(4 * DIRECT_FROM))
            late.may.set()
            connection.timeout = TIMEOUT
            await assert_answers_right(connection)
        assert server.accepted == 2


async def test_data_and_end_between_two_reads() -> None:
    gone = threading.Event()

    def end(peer: RawConnection) -> None:
        peer.close()
        gone.set()

    late = Late(rest=CONTENT[:100_000], then=end)
    with RawServer(late) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection, url="/late")
            task = await begin_readinto(response, buffer := bytearray(DIRECT_FROM))
            late.may.set()
            found = bytes(buffer[: await task])
            await wait_for_event(gone)
            with pytest.raises(IncompleteRead) as raised:
                await response.read()
            assert found + raised.value.partial == CONTENT[:100_000]


# Cases that no peer can cause


class Recording(asyncio.Transport):
    """A transport that records the protocols that it is given, and does nothing by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.protocols: list[asyncio.BaseProtocol] = []

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocols.append(protocol)


class Taking(asyncio.StreamReaderProtocol):
    """The usual protocol; it keeps the bytes that it is given."""

    def __init__(self) -> None:
        super().__init__(asyncio.StreamReader())
        self.taken: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.taken.append(data)


def fill_buffer(direct: DirectRead, data: bytes) -> None:
    given: Any = direct.get_buffer(len(data))
    given[: len(data)] = data
    direct.buffer_updated(len(data))


async def test_a_transport_may_ask_for_the_buffer_and_receive_nothing() -> None:
    transport, usual, target = Recording(), Taking(), bytearray(8)
    woken: list[bool] = []
    with DirectRead(transport, usual, memoryview(target), lambda: woken.append(True)) as direct:
        direct.get_buffer(-1)
        fill_buffer(direct, b"real")
    assert (direct.count, bytes(target[:4]), usual.taken, woken) == (4, b"real", [], [True])
    assert transport.protocols == [direct, usual, usual]


async def test_bytes_received_after_the_buffer_was_filled_do_not_overwrite_it() -> None:
    """On Windows, asyncio's transport continues with the protocol that it had when it received the bytes."""
    usual, target = Taking(), bytearray(4)
    with DirectRead(Recording(), usual, memoryview(target), lambda: None) as direct:
        fill_buffer(direct, b"real")
        fill_buffer(direct, b"more")
    assert (direct.count, bytes(target), usual.taken) == (4, b"real", [b"more"])
