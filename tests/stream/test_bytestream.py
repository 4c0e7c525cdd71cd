"""The contract of ByteStream, reading: every stream passes it, over TCP, over TLS and over a script."""

import pytest

from asyncclient.errors import IncompleteRead, LineTooLong
from tests.stream.peers import Feed

HEAD = b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n"
LIMIT = 1000


def halves(data: bytes) -> list[bytes]:
    """The data over and over, split once at every place."""
    return [half for at in range(1, len(data)) for half in (data[:at], data[at:])]


def bytewise(data: bytes) -> list[bytes]:
    return [bytes((byte,)) for byte in data]


# readhead()


@pytest.mark.parametrize(
    "head", [HEAD, HEAD.replace(b"\r", b""), HEAD[:-4] + b"\n\r\n", HEAD[:-4] + b"\r\n\n", b"HTTP/1.1 200 OK\n\r\n"]
)
async def test_a_head_ends_with_its_empty_line_wherever_it_is_split(feed: Feed, head: bytes) -> None:
    pieces = halves(head)
    async with feed([*pieces, *bytewise(head), b"rest"]) as stream:
        for _ in range(len(pieces) // 2 + 1):
            assert await stream.readhead(LIMIT, b"HTTP/") == head
        assert await stream.readexactly(4) == b"rest"


async def test_two_heads_in_one_piece_are_two(feed: Feed) -> None:
    async with feed([HEAD + b"HTTP/1.1 204 None\n\nHTT", b"P/1.1 200 OK\r\n\r\n"]) as stream:
        assert await stream.readhead(LIMIT) == HEAD
        assert await stream.readhead(LIMIT) == b"HTTP/1.1 204 None\n\n"
        assert await stream.readhead(LIMIT) == b"HTTP/1.1 200 OK\r\n\r\n"
        assert await stream.readhead(LIMIT) == b""


@pytest.mark.parametrize("pieces", [[HEAD], bytewise(HEAD)])
async def test_a_head_as_long_as_the_limit_is_accepted(feed: Feed, pieces: list[bytes]) -> None:
    async with feed(pieces) as stream:
        assert await stream.readhead(len(HEAD)) == HEAD


@pytest.mark.parametrize(
    "pieces", [[HEAD], [HEAD[:-2], HEAD[-2:]], [HEAD[:-2] + b"X: y\r\n"], [HEAD[:-2], b"X: y\r\n"], [b"x" * 100]]
)
async def test_a_head_beyond_the_limit_is_refused_at_once(feed: Feed, pieces: list[bytes]) -> None:
    async with feed(pieces, stays=True) as stream:
        with pytest.raises(LineTooLong):
            await stream.readhead(len(HEAD) - 1)


@pytest.mark.parametrize(
    "what", [b"SSH-2.0-OpenSSH\r\n", b"HTTQ", b"\x15\x03\x01", b"\r\nHTTP/1.1 200 OK", b"http/1.1"]
)
async def test_data_with_another_prefix_is_returned_at_once(feed: Feed, what: bytes) -> None:
    async with feed([what], stays=True) as stream:
        head = await stream.readhead(LIMIT, b"HTTP/")
        assert head
        assert what.startswith(head)


async def test_a_part_of_the_prefix_is_waited_for(feed: Feed) -> None:
    async with feed([b"HT", b"TP", b"/1.1 200 OK\r\n\r\n"], stays=True) as stream:
        assert await stream.readhead(LIMIT, b"HTTP/") == b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize("end", [1, 5, 17, *range(len(HEAD) - 4, len(HEAD))])
async def test_a_truncated_head_is_an_error_with_the_received_bytes(feed: Feed, end: int) -> None:
    async with feed([HEAD[: end // 2], HEAD[end // 2 : end]]) as stream:
        with pytest.raises(IncompleteRead) as raised:
            await stream.readhead(LIMIT)
        assert raised.value.partial == HEAD[:end]


async def test_an_end_without_data_is_an_empty_head(feed: Feed) -> None:
    async with feed([]) as stream:
        assert await stream.readhead(LIMIT, b"HTTP/") == b""
        assert stream.loss() is None


# readline()


async def test_lines_end_with_lf_wherever_they_are_split(feed: Feed) -> None:
    line = b"5;x=y\r\n"
    async with feed([*halves(line), b"\n", b"a\nb\r\n", b"rest"]) as stream:
        for _ in range(len(line) - 1):
            assert await stream.readline(LIMIT) == line
        assert [await stream.readline(LIMIT) for _ in range(4)] == [b"\n", b"a\n", b"b\r\n", b"rest"]
        assert await stream.readline(LIMIT) == b""


async def test_a_line_as_long_as_the_limit_is_accepted(feed: Feed) -> None:
    async with feed([b"1234\n123", b"4\n"]) as stream:
        assert await stream.readline(5) == await stream.readline(5) == b"1234\n"


@pytest.mark.parametrize("pieces", [[b"12345\n"], [b"12345", b"6"], [b"123", b"456"], [b"123456"]])
async def test_a_line_beyond_the_limit_is_refused_at_once(feed: Feed, pieces: list[bytes]) -> None:
    async with feed(pieces, stays=True) as stream:
        with pytest.raises(LineTooLong):
            await stream.readline(5)


# read(), readexactly(), take_exactly(), readinto()


async def test_read_returns_the_received_bytes_up_to_the_given_number(feed: Feed) -> None:
    async with feed([b"hello"], stays=True) as stream:
        assert await stream.readexactly(1) == b"h"
        assert await stream.read(2) == b"el"
        assert await stream.read(100) == b"lo"


async def test_read_gives_nothing_at_the_end_and_again(feed: Feed) -> None:
    async with feed([b"hello"]) as stream:
        got = b""
        while data := await stream.read(3):
            assert len(data) <= 3
            got += data
        assert got == b"hello"
        assert await stream.read(1) == b""
        assert await stream.readinto(memoryview(bytearray(1))) == 0
        assert await stream.readline(LIMIT) == b""
        assert await stream.readhead(LIMIT) == b""


@pytest.mark.parametrize("pieces", [[b"helloworld"], [b"hello", b"world"], bytewise(b"helloworld")])
async def test_readexactly_returns_that_many(feed: Feed, pieces: list[bytes]) -> None:
    async with feed([*pieces, b"!"]) as stream:
        assert await stream.readexactly(0) == b""
        assert await stream.readexactly(7) == b"hellowo"
        assert await stream.readexactly(3) == b"rld"
        with pytest.raises(IncompleteRead) as raised:
            await stream.readexactly(3)
        assert (raised.value.partial, raised.value.expected) == (b"!", 3)


@pytest.mark.parametrize("n", [2**63 - 1, 2**64 - 1, 2**80])
async def test_a_huge_number_takes_no_more_memory_than_the_received_bytes(feed: Feed, n: int) -> None:
    async with feed([b"hel", b"lo"]) as stream:
        with pytest.raises(IncompleteRead) as raised:
            await stream.readexactly(n)
        assert (raised.value.partial, raised.value.expected) == (b"hello", n)


async def test_take_exactly_takes_only_received_bytes(feed: Feed) -> None:
    async with feed([b"hello"], stays=True) as stream:
        assert await stream.readexactly(1) == b"h"
        rest = await stream.readexactly(1) + (stream.take_exactly(3) or await stream.readexactly(3))
        assert rest == b"ello"
        assert stream.take_exactly(1) is None
        assert stream.take_exactly(0) == b""


async def test_take_exactly_leaves_too_few_bytes_in_the_buffer(feed: Feed) -> None:
    async with feed([b"ab"], stays=True) as stream:
        assert await stream.readexactly(1) == b"a"
        assert stream.take_exactly(2) is None
        assert await stream.readexactly(1) == b"b"


async def test_buffered_bytes_are_seen_before_they_are_skipped(feed: Feed) -> None:
    async with feed([b"hello"], stays=True) as stream:
        assert await stream.readexactly(1) == b"h"
        data, at = stream.buffered()
        assert data[at:] == b"ello"
        stream.skip(2)
        assert await stream.readexactly(2) == b"lo"


SMALL, LARGE = 4, 512 * 1024  # a large buffer may be filled by the kernel itself


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_readinto_fills_the_buffer_with_the_received_bytes(feed: Feed, size: int) -> None:
    async with feed(bytewise(b"helloworld")) as stream:
        buffer, got = memoryview(bytearray(size)), b""
        while count := await stream.readinto(buffer):
            assert 1 <= count <= size
            got += buffer[:count]
        assert got == b"helloworld"
        assert stream.loss() is None


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_readinto_takes_turns_with_other_readers(feed: Feed, size: int) -> None:
    async with feed([b"a", b"b", b"c\n", b"dd", *bytewise(b"eeee"), b"ff", HEAD, b"g"], stays=True) as stream:
        buffer, got = memoryview(bytearray(size)), b""
        while len(got) < 2:
            count = await stream.readinto(buffer[: 2 - len(got)] if size == SMALL else buffer)
            got += buffer[:count]
        rest = b"abc\nddeeeeff" + HEAD + b"g"
        assert rest.startswith(got)
        while len(got) < 4:
            got += await stream.read(4 - len(got))
        while len(got) < 10:
            got += await stream.readexactly(1)
            got += buffer[: await stream.readinto(buffer[:1])]
        assert rest.startswith(got)
        if len(got) <= 12:
            got += await stream.readexactly(12 - len(got))
            assert await stream.readhead(LIMIT) == HEAD
            assert await stream.readexactly(1) == b"g"


async def test_readers_may_take_turns(feed: Feed) -> None:
    async with feed(bytewise(b"a\nbbccc" + HEAD + b"d"), stays=True) as stream:
        assert await stream.readline(LIMIT) == b"a\n"
        assert await stream.readexactly(2) == b"bb"
        assert await stream.read(1) == b"c"
        buffer = memoryview(bytearray(1))
        assert await stream.readinto(buffer) == 1
        assert await stream.readexactly(1) == b"c"
        assert await stream.readhead(LIMIT) == HEAD
        assert await stream.readexactly(1) == b"d"


@pytest.mark.parametrize("size", [100_000, LARGE])
async def test_much_data_is_received_in_order(feed: Feed, size: int) -> None:
    data = bytes(range(256)) * 20_000
    async with feed([data[:100], data[100:]]) as stream:
        assert await stream.readexactly(1000) == data[:1000]
        buffer = bytearray(size)
        got = bytearray()
        while count := await stream.readinto(memoryview(buffer)):
            got += buffer[:count]
        assert got == data[1000:]


# Writing


async def test_drain_returns_at_once_if_writing_does_not_block(feed: Feed) -> None:
    async with feed([], stays=True) as stream:
        stream.write(b"hello")
        assert not await stream.drain()


async def test_a_dropped_stream_cannot_be_used(feed: Feed) -> None:
    async with feed([], stays=True) as stream:
        stream.abort()
        stream.abort()
        with pytest.raises(Exception, match="was closed"):
            stream.write(b"x")
        for use in (stream.read(1), stream.readhead(LIMIT), stream.readline(LIMIT), stream.readexactly(1)):
            with pytest.raises(Exception, match="was closed"):
                await use
