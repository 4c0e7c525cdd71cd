"""All ways to read a response give the same bytes, and all know its end."""

import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from asyncclient import HTTPResponse, IncompleteRead, Timeout
from asyncclient.testing import RawConnection, RawServer
from tests.connection.conversations import (
    MEBIBYTE,
    OK,
    chunked,
    connection_to,
    connection_with_replies,
    fetch,
    reply,
    start_exchange,
    unread_response,
)
from tests.durations import FOREVER, lasts

UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"
BIG = random.Random(1).randbytes(10 * MEBIBYTE)


def in_chunks(content: bytes, size: int) -> bytes:
    return chunked(*(content[at : at + size] for at in range(0, len(content), size)))


def framed(content: bytes, framing: str) -> bytes:
    if framing == "length":
        return reply(content)
    return UNTIL_CLOSE + content if framing == "until close" else in_chunks(content, 3 + len(content) // 50)


def serve(content: bytes, framing: str) -> RawServer:
    """A server of this one content, in one of the three framings."""
    ends = framing == "until close"
    return RawServer.replying(framed(content, framing), then=RawConnection.close if ends else RawConnection.wait_closed)


every_framing = pytest.mark.parametrize("framing", ["length", "chunked", "until close"])


async def by_amounts(response: HTTPResponse) -> AsyncIterator[bytes]:
    while data := await response.read(100_003):
        yield data


async def by_read1(response: HTTPResponse) -> AsyncIterator[bytes]:
    while data := await response.read1():
        yield data


async def by_limited_read1(response: HTTPResponse) -> AsyncIterator[bytes]:
    while data := await response.read1(70_001):
        assert len(data) <= 70_001
        yield data


async def by_readinto(response: HTTPResponse) -> AsyncIterator[bytes]:
    buffer = bytearray(65_537)
    while count := await response.readinto(buffer):
        yield bytes(buffer[:count])


async def by_lines(response: HTTPResponse) -> AsyncIterator[bytes]:
    async for line in response:
        assert line.find(b"\n") == len(line) - 1 or response.closed
        yield line


async def by_limited_lines(response: HTTPResponse) -> AsyncIterator[bytes]:
    while line := await response.readline(100):
        assert len(line) <= 100
        yield line


async def by_chunks(response: HTTPResponse) -> AsyncIterator[bytes]:
    async for chunk in response.iter_chunks():
        assert chunk
        yield chunk


async def by_sized_chunks(response: HTTPResponse) -> AsyncIterator[bytes]:
    async for chunk in response.iter_chunks(123_457):
        assert len(chunk) == 123_457 or response.closed
        yield chunk


async def by_peeking(response: HTTPResponse) -> AsyncIterator[bytes]:
    while seen := await response.peek():
        data = await response.read(len(seen))
        assert data == seen
        yield data


async def by_the_documented_loop(response: HTTPResponse) -> AsyncIterator[bytes]:
    while not response.closed:
        yield await response.read(200_000)


async def by_all_of_them(response: HTTPResponse) -> AsyncIterator[bytes]:
    buffer = bytearray(999)
    while not response.closed:
        yield await response.read(1000)
        await response.peek(10)
        yield await response.readline()
        yield bytes(buffer[: await response.readinto(buffer)])
        yield await response.read1(1000)
        yield await response.readline(7)
        async for chunk in response.iter_chunks(5000):
            yield chunk
            break
        async for line in response:
            yield line
            break


WAYS = [
    by_amounts, by_read1, by_limited_read1, by_readinto, by_lines, by_limited_lines, by_chunks, by_sized_chunks,
    by_peeking, by_the_documented_loop, by_all_of_them,
]  # fmt: skip
Way = Callable[[HTTPResponse], AsyncIterator[bytes]]


@every_framing
@pytest.mark.parametrize("way", WAYS)
async def test_every_way_to_read_gives_the_same(way: Way, framing: str) -> None:
    content = BIG if way is not by_limited_lines else BIG[:MEBIBYTE]
    with serve(content, framing) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection)
            parts = [part async for part in way(response)]
            assert (response.closed, await response.read(), await response.read1()) == (True, b"", b"")
    assert hashlib.sha256(b"".join(parts)).digest() == hashlib.sha256(content).digest()


@every_framing
@pytest.mark.parametrize("size", [0, 1, 65_536, 10 * MEBIBYTE])
async def test_read_gives_all(framing: str, size: int) -> None:
    with serve(BIG[:size], framing) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection)
            assert await response.read() == BIG[:size]
            assert response.closed


@every_framing
@pytest.mark.parametrize("way", WAYS)
async def test_every_way_to_read_nothing(way: Way, framing: str) -> None:
    with serve(b"", framing) as server:
        async with connection_to(server) as connection:
            assert b"".join([part async for part in way(await start_exchange(connection))]) == b""


def drip(data: bytes) -> Callable[[RawConnection], None]:
    """Send a response byte by byte, in separate packets as far as TCP allows it."""

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send_slowly((data[at : at + 1] for at in range(len(data))), pause=0.0002)

    return handler


@every_framing
async def test_amount_is_exact_for_slow_content_too(framing: str) -> None:
    with RawServer(drip(framed(b"0123456789", framing))) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection)
            assert [await response.read(n) for n in (4, 0, 3, 5, 5)] == [b"0123", b"", b"456", b"789", b""]
            assert response.closed


@every_framing
async def test_lines_that_are_received_slowly(framing: str) -> None:
    with RawServer(drip(framed(b"a\n\nbc\r\nrest", framing))) as server:
        async with connection_to(server) as connection:
            assert [line async for line in await start_exchange(connection)] == [b"a\n", b"\n", b"bc\r\n", b"rest"]


@pytest.mark.parametrize("negative", [-1, -5, None])
async def test_read_without_an_amount_reads_all(negative: int | None) -> None:
    async with unread_response(OK) as response:
        assert await response.read(negative) == b"ok"


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_limits_of_readline(framing: str) -> None:
    async with unread_response(framed(b"ab\ncdef\nend", framing)) as response:
        limits = [0, 2, 2, 3, 1, 1, -1]
        assert [await response.readline(n) for n in limits] == [b"", b"ab", b"\n", b"cde", b"f", b"\n", b"end"]
        assert (await response.readline(), response.closed) == (b"", True)


@every_framing
@pytest.mark.parametrize("end", [b"", b"\n"])
async def test_line_may_be_very_long(framing: str, end: bytes) -> None:
    line = bytes(3 * MEBIBYTE) + end
    with serve(line, framing) as server:
        async with connection_to(server) as connection:
            assert [len(found) async for found in await start_exchange(connection)] == [len(line)]


async def test_peek_takes_nothing_away() -> None:
    async with unread_response(reply(b"hello")) as response:
        seen = await response.peek()
        assert b"hello".startswith(seen)
        assert seen
        assert (await response.peek(2), response.closed) == (seen, False)
        assert (await response.read(), await response.peek()) == (b"hello", b"")


async def test_response_is_open_until_the_peeked_bytes_are_read() -> None:
    async with unread_response(OK) as response:
        while len(await response.peek()) < 2:
            await response.read1(0)
        assert not response.closed
        assert (await response.readline(), response.closed) == (b"ok", True)


async def test_readinto_fills_any_writable_buffer() -> None:
    async with unread_response(chunked(b"abc", b"defg")) as response:
        buffer = bytearray(b"........")
        count = 0
        while count < 7:
            count += await response.readinto(memoryview(buffer)[count:])
        assert buffer == b"abcdefg."
        assert await response.readinto(buffer) == await response.readinto(bytearray()) == 0


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"A: 1"])
async def test_status_without_content(status: bytes, field: bytes) -> None:
    async with connection_with_replies(b"HTTP/1.1 %b\r\n%b\r\n\r\n" % (status, field), OK) as connection:
        assert await fetch(connection) == (int(status[:3]), b"")
        assert await fetch(connection) == (200, b"ok")


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"A: 1"])
async def test_head_has_no_content(field: bytes) -> None:
    async with connection_with_replies(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % field, OK) as connection:
        response = await start_exchange(connection, "HEAD")
        assert (await response.read(), response.closed) == (b"", True)
        assert field in b"\r\n".join(f"{name}: {value}".encode() for name, value in response.getheaders())
        assert await fetch(connection) == (200, b"ok")


async def read_whole(response: HTTPResponse) -> None:
    await response.read()


async def read_by_amount(response: HTTPResponse) -> None:
    await response.read(100)


async def read_lines(response: HTTPResponse) -> None:
    while await response.readline():
        pass


async def read_into(response: HTTPResponse) -> None:
    buffer = bytearray(100)
    while await response.readinto(buffer):
        pass


async def read_chunks(response: HTTPResponse) -> None:
    async for _ in response.iter_chunks():
        pass


async def read_peeking(response: HTTPResponse) -> None:
    while seen := await response.peek():
        await response.read1(len(seen))


@pytest.mark.parametrize("read", [read_whole, read_by_amount, read_lines, read_into, read_chunks, read_peeking])
@pytest.mark.parametrize("then", [RawConnection.close, RawConnection.reset])
@pytest.mark.parametrize("answer", [reply(b"hello")[:-2], chunked(b"hel", b"lo")[:-2], chunked(b"hel", b"lo")[:-8]])
async def test_content_cut_short_is_an_error_in_every_way(
    read: Callable[[HTTPResponse], Awaitable[None]], then: Callable[[RawConnection], object], answer: bytes
) -> None:
    with RawServer.replying(answer, then=then) as server:
        async with connection_to(server) as connection:
            with pytest.raises((IncompleteRead, ConnectionResetError)):
                await read(await start_exchange(connection))
            assert (await start_exchange(connection)).status == 200
        assert server.accepted == 2


async def test_incomplete_read_has_the_received_bytes() -> None:
    async with unread_response(reply(b"hello")[:-2], then=RawConnection.close) as response:
        with pytest.raises(IncompleteRead) as raised:
            await response.read()
        assert (raised.value.partial, raised.value.expected) == (b"hel", 2)


async def test_incomplete_read_of_chunks_has_the_received_bytes() -> None:
    async with unread_response(chunked(b"hel", b"lo")[:-6], then=RawConnection.close) as response:
        with pytest.raises(IncompleteRead) as raised:
            await response.read()
        assert raised.value.partial in (b"hello", b"hell")


async def test_until_close_ended_by_a_reset_is_incomplete() -> None:
    async with unread_response(UNTIL_CLOSE + b"hel", then=RawConnection.reset) as response:
        with pytest.raises((IncompleteRead, ConnectionResetError)):
            await response.read()


# Giving up


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize(("size", "accepted"), [(60_000, 1), (2 * MEBIBYTE, 2)])
async def test_aclose_keeps_the_connection_if_little_is_left(framing: str, size: int, accepted: int) -> None:
    with RawServer.replying(framed(BIG[:size], framing), OK) as server:
        async with connection_to(server) as connection:
            async with await start_exchange(connection) as response:
                assert await response.read(5) == BIG[:5]
            assert response.closed
            await start_exchange(connection)
        assert server.accepted == accepted


async def test_aclose_keeps_the_connection_if_little_of_much_content_is_left() -> None:
    with RawServer.replying(reply(BIG[:MEBIBYTE]), OK) as server:
        async with connection_to(server) as connection:
            async with await start_exchange(connection) as response:
                await response.read(MEBIBYTE - 1000)
            assert await fetch(connection) == (200, b"ok")
        assert server.accepted == 1


async def test_aclose_does_not_wait_long_for_missing_content() -> None:
    with RawServer.replying(reply(b"hello")[:-1]) as server:
        async with connection_to(server) as connection:
            async with await start_exchange(connection) as response:
                pass
            assert response.closed
            await start_exchange(connection)
        assert server.accepted == 2


async def test_aclose_drops_content_that_ends_with_the_connection() -> None:
    with RawServer.replying(UNTIL_CLOSE + b"x") as server:
        async with connection_to(server, timeout=Timeout(close=FOREVER)) as connection:
            async with await start_exchange(connection) as response:
                assert await response.read(1) == b"x"
                with lasts():  # there is nothing to be won by waiting for the rest
                    await response.aclose()
            await start_exchange(connection)
        assert server.accepted == 2


async def test_close_drops_unless_all_was_read() -> None:
    with RawServer.replying(OK, OK) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection)
            await response.read()
            response.close()
            (await start_exchange(connection)).close()
            assert await fetch(connection) == (200, b"ok")
        assert server.accepted == 2


async def test_leaving_a_loop_early_leaves_the_rest() -> None:
    async with unread_response(reply(b"a\nb\nc")) as response:
        async for line in response:
            assert line == b"a\n"
            break
        assert await response.read() == b"b\nc"
