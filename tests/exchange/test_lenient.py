"""A lenient exchange over a scripted stream: repaired content, content cut short, and the end of the connection."""

import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from asyncclient.errors import HTTPException, IncompleteRead, LineTooLong, ProtocolError
from asyncclient.exchange.content import Content, collect, open_content
from asyncclient.exchange.lenient import LenientExchange
from asyncclient.limits import DEFAULT, Limits
from asyncclient.message.cycle import CloseReason
from asyncclient.message.framing import Kind
from asyncclient.message.head import parse_head
from asyncclient.message.repairs import Repair
from asyncclient.message.request import RequestHead
from tests.scripted import ScriptedStream, run_now

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKED_FRAMING = (Kind.CHUNKED, 0, None)
RESET = ConnectionResetError(104, "reset")


def exchange() -> LenientExchange:
    return LenientExchange(RequestHead("GET", "/"), 0.0)


async def read_in_steps(content: Content) -> bytes:
    parts = []
    while part := await content.read(2):
        parts.append(part)
    return b"".join(parts)


async def read_into_buffers(content: Content) -> bytes:
    parts, buffer = [], bytearray(3)
    while count := await content.readinto(memoryview(buffer)):
        parts.append(bytes(buffer[:count]))
    return b"".join(parts)


async def read_collected(content: Content) -> bytes:
    return await collect(content.read)


READERS = [lambda content: content.readall(), read_collected, read_in_steps, read_into_buffers]
Reader = Callable[[Content], Coroutine[Any, Any, bytes]]


def read(
    message: bytes, reader: Reader, step: int = 1000, loss: Exception | None = None
) -> tuple[bytes, tuple[Repair, ...], Content]:
    """Receive a message; return its content, the repairs, and the Content object."""
    stream = ScriptedStream([message[at : at + step] for at in range(0, len(message), step)], loss=loss)
    lenient = exchange()
    head = run_now(lenient.heads.receive(stream, DEFAULT))
    content, reason = lenient.open_content(stream, head, lenient.head.method, DEFAULT)
    assert reason is not None or not lenient.repairs
    data = run_now(reader(content))
    assert (lenient.close_reason is CloseReason.REPAIRED) is bool(lenient.repairs)
    assert content.is_done
    assert content.left in (0, None)
    assert content.takeall() == run_now(content.readall()) == run_now(content.read(9)) == b""
    return data, tuple(lenient.repairs), content


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"5\nhello\n0\n\n", b"hello"),
        (b"5\r\nhello\n0\r\n\r\n", b"hello"),
        (b"5\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n0\n\n", b"hello"),
        (b"5 \nhello\n6\n world\n0\nA: b\n\n", b"hello world"),
        (b"2\r\n\n\n\n1\n\r\n0\r\n\r\n", b"\n\n\r"),
    ],
)
def test_bare_lf_around_chunks_is_repaired(body: bytes, expected: bytes, reader: Reader, step: int) -> None:
    assert read(CHUNKED + body, reader, step)[:2] == (expected, (Repair.BARE_LF,))


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "body",
    [
        b"5;a=b\nhello\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\rx0\r\n\r\n",
        b"5\r\nhello\r\r\n0\r\n\r\n",
        b"5\r\nhello\n\n0\r\n\r\n",
        b"5\rhello\r0\r\r",
        b"<html>",
        b"5\r\nhello\r\n<",
        b"5\nhello\n0 x",
        b"0x5\nhello\n0\n\n",
        b"\n5\nhello\n0\n\n",
        b"-5\nhello\n0\n\n",
        b"5\nhello!\n0\n\n",
        b"0\nContent-Length: x\n\n",
    ],
)
def test_chunks_with_other_faults_stay_an_error(body: bytes, reader: Reader, step: int) -> None:
    with pytest.raises(ProtocolError):
        read(CHUNKED + body, reader, step)


def test_chunk_is_returned_before_the_byte_after_its_bare_lf() -> None:
    stream = ScriptedStream([b"5\nhello\n", AssertionError("the next chunk was waited for")])
    content, _ = exchange().open_content(stream, parse_head(CHUNKED), "GET", DEFAULT)
    assert run_now(content.read(100)) == b"hello"


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_lines_of_chunks_keep_to_their_limits(eol: bytes) -> None:
    limits = Limits(chunk_line=20, line=20, fields=3)
    for body in (b"5" + b" " * 30 + eol, b"0" + eol + b"A: " + b"b" * 30 + eol, b"1\nx\n" + b"0" * 30 + eol):
        content, _ = exchange().open_content(ScriptedStream([body]), parse_head(CHUNKED), "GET", limits)
        with pytest.raises(LineTooLong):
            run_now(content.readall())


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (CHUNKED, b""),
        (CHUNKED + b"5", b""),
        (CHUNKED + b"5\r\nhel", b"hel"),
        (CHUNKED + b"5\r\nhello", b"hello"),
        (CHUNKED + b"5\r\nhello\r", b"hello"),
        (CHUNKED + b"5\r\nhello\r\n", b"hello"),
        (CHUNKED + b"5\r\nhello\r\n2\r\n", b"hello"),
        (CHUNKED + b"5\r\nhello\r\n0\r\n", b"hello"),
        (CHUNKED + b"5\r\nhello\r\n0\r\nA: b\r\n", b"hello"),
        (OK + b"Content-Length: 9\r\n\r\nhello", b"hello"),
        (OK + b"Content-Length: 9\r\n\r\n", b""),
    ],
)
def test_content_cut_short_by_the_end_of_the_connection_is_incomplete(
    message: bytes, expected: bytes, reader: Reader, step: int
) -> None:
    data, repairs, content = read(message, reader, step)
    assert (data, repairs) == (expected, (Repair.INCOMPLETE,))
    assert content.trailers is not None


@pytest.mark.parametrize("reader", READERS)
def test_end_of_tls_without_close_notify_makes_content_incomplete(reader: Reader) -> None:
    found = read(OK + b"\r\nhello", reader, loss=ssl.SSLEOFError("cut"))
    assert found[:2] == (b"hello", (Repair.INCOMPLETE,))
    assert read(OK + b"\r\nhello", reader)[:2] == (b"hello", ())


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("message", [CHUNKED + b"5\r\nhel", OK + b"Content-Length: 9\r\n\r\nhel", OK + b"\r\nhel"])
def test_reset_connection_stays_an_error(message: bytes, reader: Reader) -> None:
    with pytest.raises(IncompleteRead) as raised:
        read(message, reader, loss=RESET)
    assert raised.value.__cause__ is RESET


@pytest.mark.parametrize("body", [b"5\nhello\n0\n\n", b"5\r\nhel", b"0\r\nA : b\r\n\r\n"])
def test_chunks_beside_a_content_length_are_not_repaired(body: bytes) -> None:
    head = OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
    with pytest.raises(HTTPException):
        read(head + body, read_collected)
    assert read(head + b"5\r\nhello\r\n0\r\n\r\n", read_collected)[:2] == (b"hello", ())


def test_trailers_are_repaired() -> None:
    _, repairs, content = read(CHUNKED + b"0\r\nA : b\r\nno colon\r\nTrailer: x\r\n\r\n", read_collected)
    assert content.trailers is not None
    assert content.trailers.pairs() == [("A", "b")]
    assert repairs == (Repair.BLANKS, Repair.STRAY_LINE)


def test_repairs_of_interim_heads_count() -> None:
    lenient = exchange()
    interim = b"HTTP/1.1 103 Early\r\nLink : </x>\r\n\r\n"
    head = run_now(lenient.heads.receive(ScriptedStream([interim, OK + b"\r\n"]), DEFAULT))
    assert head.status == 200
    assert lenient.heads.interim[0].fields["link"] == "</x>"
    assert tuple(lenient.repairs) == (Repair.BLANKS,)


def test_interim_heads_are_bounded_by_the_bytes_received() -> None:
    stray = b"HTTP/1.1 103 Early\r\n" + b"no colon\r\n" * 9 + b"\r\n"
    with pytest.raises(ProtocolError, match="interim"):
        run_now(exchange().heads.receive(ScriptedStream([stray] * 9 + [OK + b"\r\n"]), Limits(head=500)))


@pytest.mark.parametrize("start", [b"SSH-2.0-x\r\n", b"<html>", b"\n\n", b"\r\nSSH", b"hTTP/1.1 200 OK"])
def test_end_of_bytes_that_begin_no_head_is_not_waited_for(start: bytes) -> None:
    stream = ScriptedStream([start, AssertionError("more was waited for")])
    with pytest.raises(HTTPException):
        run_now(exchange().heads.receive(stream, DEFAULT))


@pytest.mark.parametrize("start", [b"\r\n" + OK, b"\n" + OK, b"ICY 200 OK\r\n", b"http/1.1 200 OK\r\n"])
def test_repaired_head_may_be_received_byte_by_byte(start: bytes) -> None:
    data = start + b"A : b\r\n\r\n"
    lenient = exchange()
    head = run_now(lenient.heads.receive(ScriptedStream([bytes((byte,)) for byte in data]), DEFAULT))
    assert head.fields.pairs() == [("A", "b")]
    assert len(lenient.repairs) == 2


def test_held_content_is_not_done_before_its_release() -> None:
    lenient = exchange()
    head = parse_head(OK + b"Content-Length: 5\r\n\r\n")
    content, _ = lenient.open_content(ScriptedStream([b"hello"]), head, lenient.head.method, DEFAULT)
    lenient.hold()
    assert run_now(content.read(100)) == b"hello"
    assert run_now(content.read(100)) == b""
    assert not content.is_done
    lenient.release()
    assert content.is_done
    assert lenient.close_reason is None


def test_strict_exchange_repairs_nothing() -> None:
    assert open_content(ScriptedStream(), (Kind.CHUNKED, 0, None), DEFAULT).left is None
    with pytest.raises(ProtocolError):
        run_now(open_content(ScriptedStream([b"5\nhello\n0\n\n"]), CHUNKED_FRAMING, DEFAULT).readall())
