"""Responses cut at every byte are never complete, however they are read (RFC 9112 §8); trailers of responses."""

import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from asyncclient.errors import IncompleteRead, LineTooLong, ProtocolError
from asyncclient.exchange.content import ChunkedContent, Content, open_content
from asyncclient.exchange.receive import ResponseHeads
from asyncclient.limits import DEFAULT, Limits
from asyncclient.message.framing import decide_framing
from tests.scripted import ScriptedStream, run_now

HEAD = b"HTTP/1.1 200 OK\r\n"
CONTENT = b"hello, world"
WHOLE = {
    "length": (HEAD + b"Content-Length: 12\r\n\r\n", CONTENT),
    "chunked": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        b"5\r\nhello\r\n2;x=y\r\n, \r\n5\r\nworld\r\n0\r\n\r\n",
    ),
    "trailers": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        b"C\r\nhello, world\r\n0\r\nX-Sum: 12\r\nX-Other: 1\r\n\r\n",
    ),
    "until close": (HEAD + b"\r\n", CONTENT),
}
CUT = ssl.SSLEOFError("cut")


async def read_at_once(content: Content, got: bytearray) -> None:
    got += await content.readall()


async def read_bytewise(content: Content, got: bytearray) -> None:
    while data := await content.read(1):
        got += data


async def read_piecewise(content: Content, got: bytearray) -> None:
    while data := await content.read(100):
        got += data


async def read_into_small_buffers(content: Content, got: bytearray) -> None:
    buffer = bytearray(3)
    while count := await content.readinto(memoryview(buffer)):
        got += buffer[:count]


async def read_into_large_buffers(content: Content, got: bytearray) -> None:
    buffer = bytearray(100)
    while count := await content.readinto(memoryview(buffer)):
        got += buffer[:count]


async def read_some_and_the_rest(content: Content, got: bytearray) -> None:
    got += await content.read(2)
    got += await content.readall()


READERS = [
    read_at_once,
    read_bytewise,
    read_piecewise,
    read_into_small_buffers,
    read_into_large_buffers,
    read_some_and_the_rest,
]
Reader = Callable[[Content, bytearray], Coroutine[Any, Any, None]]


async def receive(stream: ScriptedStream, read: Reader, got: bytearray) -> Content:
    head = await ResponseHeads().receive(stream, DEFAULT)
    content = open_content(stream, decide_framing(head, "GET"), DEFAULT)
    await read(content, got)
    return content


def pieces_of(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def content_before(framing: str, end: int) -> bytes:
    """The content that a body has given when it is cut at that byte."""
    if framing in ("length", "until close"):
        return CONTENT[:end]
    body = WHOLE[framing][1]
    positions = [byte for byte in range(len(body)) if is_content(framing, byte)]
    return bytes(body[position] for position in positions if position < end)


def is_content(framing: str, position: int) -> bool:
    chunks = {"chunked": [(3, 8), (17, 19), (24, 29)], "trailers": [(3, 15)]}[framing]
    return any(start <= position < end for start, end in chunks)


@pytest.mark.parametrize("framing", WHOLE)
@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_whole_response_is_read_in_pieces_of_any_size(framing: str, read: Reader, size: int) -> None:
    got = bytearray()
    content = run_now(receive(ScriptedStream(pieces_of(b"".join(WHOLE[framing]), size)), read, got))
    assert got == CONTENT
    assert content.is_done


@pytest.mark.parametrize("framing", WHOLE)
@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("size", [1, 1000])
def test_a_response_cut_at_any_byte_is_never_whole(framing: str, read: Reader, size: int) -> None:
    head, body = WHOLE[framing]
    for end in range(1, len(head) + len(body)):
        got = bytearray()
        # Only a loss shows that content until close is incomplete.
        stream = ScriptedStream(pieces_of((head + body)[:end], size), loss=CUT)
        with pytest.raises(IncompleteRead) as raised:
            run_now(receive(stream, read, got))
        assert raised.value.__cause__ is CUT
        if end >= len(head):
            expected = content_before(framing, end - len(head))
            assert bytes(got) + raised.value.partial == expected or is_in_buffer(read, got, expected), (
                end,
                raised.value,
            )


def is_in_buffer(read: Reader, got: bytearray, expected: bytes) -> bool:
    """Whether the missing bytes are those that the last readinto() copied into its buffer before it failed."""
    return read in (read_into_small_buffers, read_into_large_buffers) and expected.startswith(got)


@pytest.mark.parametrize("framing", ["length", "chunked", "trailers"])
@pytest.mark.parametrize("read", READERS)
def test_a_clean_close_does_not_complete_content(framing: str, read: Reader) -> None:
    """As above where the peer closed as it should: only its own framing makes the content whole."""
    head, body = WHOLE[framing]
    for end in range(len(head), len(head) + len(body)):
        with pytest.raises(IncompleteRead):
            run_now(receive(ScriptedStream([(head + body)[:end]]), read, bytearray()))


@pytest.mark.parametrize("read", READERS)
def test_whole_content_needs_no_end_of_the_connection(read: Reader) -> None:
    """A connection that is lost after the last byte takes nothing away."""
    for framing in ("length", "chunked", "trailers"):
        got = bytearray()
        run_now(receive(ScriptedStream([b"".join(WHOLE[framing])], loss=CUT), read, got))
        assert got == CONTENT


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_the_number_of_expected_bytes_does_not_depend_on_the_way_of_reading(framing: str) -> None:
    head, body = WHOLE[framing]
    cut = head + body[: 2 if framing == "length" else 5]
    missing = {"length": 10, "chunked": 3}[framing]
    for read in (read_at_once, read_piecewise):
        with pytest.raises(IncompleteRead) as raised:
            run_now(receive(ScriptedStream([cut]), read, bytearray()))
        assert raised.value.expected == missing


# Trailers


def trailers_of(section: bytes, limits: Limits = DEFAULT) -> dict[str, str]:
    content = ChunkedContent(ScriptedStream([b"1\r\n.\r\n0\r\n" + section + b"next"]), limits)
    assert content.trailers is None
    assert run_now(content.readall()) == b"."
    assert content.trailers is not None
    return dict(content.trailers)


def test_trailers_are_fields() -> None:
    assert trailers_of(b"X-Sum: abc\r\nx-sum: def\r\nServer-Timing: total;dur=1\r\n\r\n") == {
        "X-Sum": "abc, def",
        "Server-Timing": "total;dur=1",
    }


@pytest.mark.parametrize(
    "name",
    [
        "Content-Length",
        "transfer-encoding",
        "CONNECTION",
        "Set-Cookie",
        "Authorization",
        "Content-Encoding",
        "Content-Type",
        "Content-Range",
        "Host",
        "Trailer",
        "WWW-Authenticate",
        "Cache-Control",
    ],
)
def test_trailers_that_frame_route_or_guard_are_dropped(name: str) -> None:
    assert trailers_of(b"X-Sum: abc\r\n%b: 5\r\n\r\n" % name.encode()) == {"X-Sum": "abc"}


@pytest.mark.parametrize(
    "section",
    [
        b"X-Sum: abc\n\r\n",
        b"\n",
        b"X-Sum: abc\r\n\n",
        b"X Sum: abc\r\n\r\n",
        b"X-Sum\r\n\r\n",
        b" X-Sum: abc\r\n\r\n",
        b": abc\r\n\r\n",
        b"X-Sum: a\rb\r\n\r\n",
        b"X-Sum: a\x00b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_invalid_trailers_are_refused(section: bytes) -> None:
    with pytest.raises(ProtocolError):
        trailers_of(section)


def test_trailers_are_bounded_in_number() -> None:
    assert len(trailers_of(b"".join(b"X-%d: 1\r\n" % i for i in range(8)) + b"\r\n", Limits(fields=8))) == 8
    with pytest.raises(ProtocolError, match="more than 8 trailer fields"):
        trailers_of(b"X: 1\r\n" * 9 + b"\r\n", Limits(fields=8))


@pytest.mark.parametrize(
    "limits", [Limits(head=1000), Limits(line=99), Limits(line=100, head=150)], ids=["head", "line", "both"]
)
def test_trailers_are_bounded_in_bytes(limits: Limits) -> None:
    with pytest.raises((ProtocolError, LineTooLong)):
        trailers_of((b"X: " + b"x" * 95 + b"\r\n") * 20 + b"\r\n", limits)


def test_endless_trailers_are_refused_at_once() -> None:
    stream = ScriptedStream([b"0\r\n", *[b"X: " + b"x" * 1000 + b"\r\n"] * 1000])
    with pytest.raises(ProtocolError):
        run_now(ChunkedContent(stream, DEFAULT).readall())
    assert len(stream.unread) > 700_000


def test_folded_trailers_are_unfolded() -> None:
    assert trailers_of(b"X-Sum: abc\r\n  def\r\n\r\n") == {"X-Sum": "abc def"}
