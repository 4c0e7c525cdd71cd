"""Any bytes for a response, read strictly and leniently: the lenient reading ends, and differs only by its repairs."""

import asyncio
import gzip
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from asyncclient import Client
from asyncclient.errors import HTTPException
from asyncclient.exchange.content import Content
from asyncclient.exchange.exchange import Exchange
from asyncclient.exchange.lenient import LenientExchange
from asyncclient.limits import Limits
from asyncclient.message.repairs import parse_head_leniently
from asyncclient.message.request import RequestHead
from asyncclient.testing import RawConnection, RawServer
from tests.fuzz.test_fuzz_content import read_in_steps, read_into_buffers, split
from tests.scripted import ScriptedStream, run_now

LIMITS = Limits(line=200, head=600, fields=8, interim=3, chunk_line=40)

OK = b"HTTP/1.1 200 OK\r\n"
STATUS_LINES = [
    OK,
    OK,
    OK,
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 204 x\r\n",
    b"HTTP/1.1 200OK\r\n",
    b"\r\n" + OK,
    b"ICY 200 x\n",
]
LINES = [
    b"Content-Length: 5",
    b"Content-Length : 5",
    b"Content-Length: 5\r",
    b"Content-Length: 6",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding\t: chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: gzip",
    b" Transfer-Encoding: chunked",
    b"Connection: close",
    b"A: b",
    b"A : b",
    b"A: b\rc",
    b"A: b\0",
    b"A: b\x0bc",
    b"PHP Warning:  foo",
    b"no colon",
    b"\r",
    b": b",
]
FIELDS = st.lists(st.sampled_from(LINES), max_size=4).map(
    lambda lines: b"".join(line + b"\r\n" for line in lines) + b"\r\n"
)
CHUNK_TOKENS = [
    b"5\r\nhello\r\n",
    b"5\nhello\n",
    b"5;x\nhello\r\n",
    b"1\r\n\n\r\n",
    b"0\r\n",
    b"0\n",
    b"\r\n",
    b"\n",
    b"A : b\r\n",
    b"5\r\nhe",
]
BODIES = st.sampled_from([b"hello", b"hel", b""]) | st.lists(st.sampled_from(CHUNK_TOKENS), max_size=6).map(b"".join)
SPOILERS = st.tuples(st.integers(0, 150), st.integers(0, 2), st.sampled_from([b"", b"\r", b"\n", b"\0", b" ", b":"]))
SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=4)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    interims = draw(st.lists(FIELDS.map(lambda fields: b"HTTP/1.1 103 x\r\n" + fields), max_size=1))
    message = b"".join(interims) + draw(st.sampled_from(STATUS_LINES)) + draw(FIELDS) + draw(BODIES)
    for at, removed, added in draw(st.lists(SPOILERS, max_size=2)):
        message = message[:at] + added + message[at + removed :]
    return message


class Reading(NamedTuple):
    """Return the status, fields, content and trailers of a message, and whether the connection can be reused."""

    status: int
    pairs: list[tuple[str, str]]
    content: bytes
    trailers: list[tuple[str, str]]
    unread: bytes
    goes_on: bool


async def read_all(content: Content, n: int) -> bytes:
    return await content.readall()


READERS = (read_all, read_in_steps, read_into_buffers)


def read(message: bytes, exchange: Exchange, sizes: Sequence[int], reader: int, n: int) -> Reading | None:
    """Read a message; None if it is refused."""
    stream = ScriptedStream(split(message, sizes))
    try:
        head = run_now(exchange.heads.receive(stream, LIMITS))
        content, reason = exchange.open_content(stream, head, exchange.head.method, LIMITS)
        data = run_now(READERS[reader](content, n))
    except HTTPException as error:
        event(type(error).__name__)
        return None
    assert content.is_done
    assert content.trailers is not None
    goes_on = reason is None and exchange.close_reason is None
    return Reading(head.status, head.fields.pairs(), data, content.trailers.pairs(), stream.unread, goes_on)


def exchanges() -> tuple[Exchange, LenientExchange]:
    head = RequestHead("GET", "/")
    return Exchange(head, 0.0), LenientExchange(head, 0.0)


@given(messages() | st.binary(max_size=60).map(OK.__add__), SIZES, st.integers(0, 2), st.integers(1, 9))
@example(OK + b"Content-Length: 5\r\n\r\nhello", [1000], 0, 9)
@example(OK + b"A: b\r\r\n\r\n", [1000], 0, 9)
@example(b"HTTP/1.1 103 x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n" + OK + b"\r\nhello", [1000], 0, 9)
def test_lenient_reading_is_like_strict_reading_or_reports_repairs(
    message: bytes, sizes: list[int], reader: int, n: int
) -> None:
    strict, lenient = exchanges()
    by_strict, by_lenient = (read(message, exchange, sizes, reader, n) for exchange in (strict, lenient))
    event("strict" if by_strict else "repaired" if by_lenient else "refused")
    if by_strict is not None:
        assert by_lenient == by_strict
        assert not lenient.repairs
    elif by_lenient is not None:
        assert lenient.repairs
        assert not by_lenient.goes_on
        for name, value in by_lenient.pairs + by_lenient.trailers:
            assert not any(byte in name + value for byte in "\r\n\0")
            assert name.strip(" \t") == name


@given(messages(), SIZES, st.integers(0, 2), st.integers(1, 9))
def test_lenient_reading_does_not_depend_on_the_pieces(message: bytes, sizes: list[int], reader: int, n: int) -> None:
    one, other = exchanges()[1], exchanges()[1]
    whole = read(message, one, [10_000], 0, 1)
    assert read(message, other, sizes, reader, n) == whole
    if whole is not None:
        assert set(one.repairs) == set(other.repairs)


@given(messages())
def test_repaired_head_is_parsed_alike_by_the_strict_parser(message: bytes) -> None:
    end = message.find(b"\r\n\r\n") + 4
    try:
        head, repairs = parse_head_leniently(message[:end], LIMITS)
    except HTTPException:
        return
    if repairs:
        again, none = parse_head_leniently(head.block, LIMITS)
        assert none == ()
        assert (again.version, again.status, again.fields.pairs()) == (head.version, head.status, head.fields.pairs())


ZIPPED = gzip.compress(b"hello", mtime=0)
WHOLE_LINES = [b"A: b", b"A : b", b"A: b\rc", b"A: b\0", b"no colon", b"Server: x", b"Content-Language: de"]
WHOLE_BODIES = [
    b"Content-Length: 5\r\n\r\nhello",
    b"Content-Length : 5\r\n\r\nhello",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    *(
        b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(ZIPPED + excess), ZIPPED + excess)
        for excess in (b"", b"\0", b"\n", b"junk")
    ),
]
WHOLE_MESSAGES = st.tuples(
    st.sampled_from([OK, OK, OK, b"HTTP/1.1  200\r\n"]),
    st.lists(st.sampled_from(WHOLE_LINES).map(lambda line: line + b"\r\n"), max_size=3).map(b"".join),
    st.sampled_from(WHOLE_BODIES),
).map(b"".join)


@settings(max_examples=30)
@given(st.lists(WHOLE_MESSAGES, min_size=2, max_size=4), st.booleans())
def test_no_connection_is_used_after_a_repair(answers: list[bytes], streamed: bool) -> None:
    """Each answer is whole, so that nothing but the client's decision ends a connection."""
    served: list[int] = []
    numbers = iter(range(100))

    def serve(connection: RawConnection) -> None:
        number = next(numbers)
        while connection.read_request()[0]:
            served.append(number)
            connection.send(answers[len(served) - 1])

    async def ask(client: Client, url: str) -> bool:
        async with client.stream("GET", url) as response:
            if streamed:
                assert b"".join([piece async for piece in response.iter_chunks()]) == b"hello"
            else:
                assert await response.read() == b"hello"
        return bool(response.repairs)

    async def ask_all(url: str) -> list[bool]:
        async with Client(lenient=True, timeout=10) as client:
            return [await ask(client, url) for _ in answers]

    with RawServer(serve) as server:
        repaired = asyncio.run(ask_all(server.url))
    expected = 0
    for number, was_repaired in zip(served, [False, *repaired], strict=False):
        expected += was_repaired
        assert number == expected
