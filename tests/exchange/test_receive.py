"""Content of responses by each framing, over a scripted stream: complete content, and invalid framing."""

import ssl

import pytest

from asyncclient.errors import (
    IncompleteRead,
    LineTooLong,
    ProtocolError,
    UnknownTransferEncoding,
)
from asyncclient.exchange.content import (
    MAX_EXTENSIONS,
    ChunkedContent,
    Content,
    LengthContent,
    UntilCloseContent,
    collect,
    open_content,
)
from asyncclient.exchange.receive import ResponseHeads
from asyncclient.limits import DEFAULT, Limits
from asyncclient.message.fields import Fields
from asyncclient.message.framing import Kind, decide_framing
from asyncclient.message.head import Head
from tests.scripted import ScriptedStream, run_now

HUGE = 2**64 - 1


def receive(*pieces: bytes, limits: Limits = DEFAULT) -> tuple[ResponseHeads, ScriptedStream]:
    answer, stream = ResponseHeads(), ScriptedStream(pieces)
    run_now(answer.receive(stream, limits))
    return answer, stream


def receive_head(*pieces: bytes) -> Head:
    answer, _ = receive(*pieces)
    assert answer.final is not None
    return answer.final


def chunked(*pieces: bytes, limits: Limits = DEFAULT) -> ChunkedContent:
    return ChunkedContent(ScriptedStream(pieces), limits)


async def read_collected(content: Content) -> bytes:
    return await collect(content.read)


# Collecting


@pytest.mark.parametrize(("n", "collected", "left"), [(None, b"abcdef", b""), (4, b"abcd", b"ef"), (9, b"abcdef", b"")])
def test_reads_are_collected_up_to_a_number_of_bytes(n: int | None, collected: bytes, left: bytes) -> None:
    stream = ScriptedStream([b"abc", b"def"])
    assert run_now(collect(stream.read, n)) == collected
    assert stream.unread == left


def test_nothing_is_read_where_no_bytes_are_wanted() -> None:
    stream = ScriptedStream([LookupError()])
    assert run_now(collect(stream.read, 0)) == b""


@pytest.mark.parametrize("error", [IncompleteRead(b"d", 5), LookupError()])
def test_reads_before_an_error_are_kept(error: Exception) -> None:
    parts: list[bytes] = []
    with pytest.raises(type(error)) as raised:
        run_now(collect(ScriptedStream([b"ab", b"c", error]).read, 10, parts))
    assert parts == [b"ab", b"c"]
    if isinstance(raised.value, IncompleteRead):
        assert (raised.value.partial, raised.value.expected) == (b"abcd", 5)


# Framing


def content_of(head: bytes, body: bytes, method: str = "GET") -> tuple[Content, bool]:
    answer, stream = receive(head + b"\r\n" + body)
    assert answer.final is not None
    framing = decide_framing(answer.final, method)
    return open_content(stream, framing, DEFAULT), framing[2] is None


@pytest.mark.parametrize(
    ("status", "method"), [(204, "GET"), (304, "GET"), (101, "GET"), (200, "HEAD"), (404, "HEAD"), (200, "CONNECT")]
)
@pytest.mark.parametrize("fields", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_some_responses_ignore_their_framing_fields(status: int, method: str, fields: bytes) -> None:
    content, _ = content_of(b"HTTP/1.1 %d X\r\n%b" % (status, fields), b"5\r\nhello\r\n0\r\n\r\n", method)
    assert content.is_done
    assert content.takeall() == b""
    assert run_now(content.readall()) == run_now(content.read(10)) == b""
    assert run_now(content.readinto(memoryview(bytearray(5)))) == 0
    assert content.left == 0
    assert content.trailers == Fields()


@pytest.mark.parametrize(
    ("fields", "kind", "keeps"),
    [
        (b"Content-Length: 5\r\n", LengthContent, True),
        (b"Content-Length: 5\r\nConnection: close\r\n", LengthContent, False),
        (b"Content-Length: 5, 5\r\n", LengthContent, True),
        (b"Transfer-Encoding: chunked\r\n", ChunkedContent, True),
        (b"Transfer-Encoding: \tCHUNKED \r\n", ChunkedContent, True),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", ChunkedContent, False),
        (b"", UntilCloseContent, False),
    ],
)
def test_the_framing_decides_the_reader_and_the_keep_alive(fields: bytes, kind: type, keeps: bool) -> None:
    content, keeps_alive = content_of(b"HTTP/1.1 200 OK\r\n" + fields, b"")
    assert type(content) is kind
    assert keeps_alive is keeps


def test_chunks_in_http_1_0_end_the_connection() -> None:
    content, keeps_alive = content_of(
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n", b"1\r\nx\r\n0\r\n\r\n"
    )
    assert run_now(content.readall()) == b"x"
    assert not keeps_alive


@pytest.mark.parametrize(
    "coding", [b"gzip", b"chunked, gzip", b"chunked, chunked", b"gzip, chunked", b"chunked\x0b", b"xchunked", b""]
)
def test_other_transfer_codings_are_refused(coding: bytes) -> None:
    with pytest.raises(UnknownTransferEncoding):
        decide_framing(receive_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %b\r\n\r\n" % coding), "GET")


def test_each_kind_of_framing_has_its_reader() -> None:
    stream = ScriptedStream()
    assert open_content(stream, (Kind.LENGTH, 3, None), DEFAULT).left == 3
    assert open_content(stream, (Kind.CHUNKED, 0, None), DEFAULT).left is None
    assert open_content(stream, (Kind.UNTIL_CLOSE, 0, None), DEFAULT).left is None


# Content of a length


def test_content_of_a_length_leaves_later_bytes_unread() -> None:
    stream = ScriptedStream([b"he", b"llo", b"next"])
    content = LengthContent(stream, 5)
    assert (content.is_done, content.left, content.trailers) == (False, 5, None)
    assert run_now(content.read(100)) == b"he"
    assert content.left == 3
    buffer = bytearray(10)
    assert run_now(content.readinto(memoryview(buffer))) == 3
    assert buffer[:3] == b"llo"
    assert content.is_done
    assert content.trailers == Fields()
    assert run_now(content.read(1)) == b""
    assert stream.unread == b"next"


def test_content_is_taken_at_once_only_if_all_of_it_is_buffered() -> None:
    stream = ScriptedStream([b"hel", b"lo"])
    content = LengthContent(stream, 5)
    assert content.takeall() is None
    assert content.takeall() is None
    assert run_now(content.read(1)) == b"h"
    assert content.takeall() is None
    assert run_now(content.readall()) == b"ello"


def test_buffered_content_is_taken_without_waiting() -> None:
    stream = ScriptedStream([b"Xhello"])
    run_now(stream.read(1))
    content = LengthContent(stream, 5)
    assert content.takeall() == b"hello"
    assert content.is_done


def test_a_huge_length_takes_no_more_memory_than_the_received_bytes() -> None:
    content = LengthContent(ScriptedStream([b"hello"]), HUGE)
    with pytest.raises(IncompleteRead) as raised:
        run_now(content.readall())
    assert raised.value.partial == b"hello"
    assert raised.value.expected == HUGE - 5


# Content in chunks


def test_chunks_are_one_content() -> None:
    stream = ScriptedStream([b'5\r\nhello\r\n00A;x="1"\r\n worldwide\r\n0\r\n\r\nnext'])
    content = ChunkedContent(stream, DEFAULT)
    assert content.takeall() is None
    assert run_now(content.readall()) == b"hello worldwide"
    assert content.is_done
    assert content.takeall() == run_now(content.read(1)) == run_now(content.readall()) == b""
    assert run_now(content.readinto(memoryview(bytearray(1)))) == 0
    assert stream.unread == b"next"


def test_chunks_that_were_received_are_one_read() -> None:
    stream = ScriptedStream([b"H", b"2\r\nhe\r\n3\r\nllo\r\n6\r\n wor", b"ld\r\n0\r\n\r\nnext"])
    run_now(stream.readexactly(2))
    content = chunked()
    content.stream, content.in_chunk = stream, 2
    run_now(stream.readexactly(2))
    assert run_now(content.read(100)) == b"hello"
    assert run_now(content.read(100)) == b" wor"  # content that was received is not held back
    assert run_now(content.read(100)) == b"ld"
    assert run_now(content.read(100)) == b""
    assert (content.is_done, stream.unread) == (True, b"next")


class WithoutLines(ScriptedStream):
    """A stream whose lines must not be read."""

    async def readline(self, limit: int) -> bytes:
        raise AssertionError("a line was read")


def test_whole_chunks_in_each_piece_are_read_without_reading_lines() -> None:
    content = ChunkedContent(WithoutLines([b"2\r\nhe\r\n", b"3\r\nllo\r\n1\r\n \r\n", b"0\r\n\r\n"]), DEFAULT)
    assert run_now(content.readall()) == b"hello "


def test_last_chunk_is_taken_with_the_content_before_it() -> None:
    stream = ScriptedStream([b"5\r\nhello\r\n0\r\n\r\n0\r\n\r\n"])
    content = ChunkedContent(stream, DEFAULT)
    run_now(content.begin_chunk())
    assert run_now(content.read(5)) == b"hello"
    assert not content.is_done
    assert run_now(content.read(5)) == b""
    assert content.is_done
    assert run_now(content.read(5)) == b""
    assert stream.unread == b"0\r\n\r\n"


@pytest.mark.parametrize("body", [b"5\r\nhello\r\n6\r\n world\r\n", b"B\r\nhello world\r\n", b""])
def test_chunked_content_is_taken_at_once_if_all_of_it_is_buffered(body: bytes) -> None:
    for missing in range(5):
        stream = ScriptedStream([b"H" + body + b"0\r\n\r\n"[: 5 - missing], b"0\r\n\r\n"[5 - missing :]])
        run_now(stream.read(1))
        content = ChunkedContent(stream, DEFAULT)
        expected = b"hello world" if body else b""
        assert content.takeall() == (None if missing else expected)
        assert content.is_done is (missing == 0)
        assert run_now(content.readall()) == (expected if missing else b"")
        assert content.trailers == Fields()


@pytest.mark.parametrize(
    "body", [b"5\r\n0\r\n\r\n", b"6;x\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n0\r\n\r\n", b"g\r\n0\r\n\r\n"]
)
def test_content_that_only_looks_like_its_end_is_not_taken_at_once(body: bytes) -> None:
    stream = ScriptedStream([b"H" + body])
    run_now(stream.read(1))
    content = ChunkedContent(stream, DEFAULT)
    assert content.takeall() is None
    assert (content.is_done, stream.unread) == (False, body)


def test_a_limit_on_chunk_lines_holds_for_short_ones() -> None:
    body = b"5\r\nhello\r\n00005\r\nworld\r\n0\r\n\r\n"
    assert run_now(chunked(body, limits=Limits(chunk_line=7)).readall()) == b"helloworld"
    with pytest.raises(LineTooLong):
        run_now(chunked(body, limits=Limits(chunk_line=6)).readall())


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 100])
def test_chunks_are_read_in_pieces_of_any_size(n: int) -> None:
    body = b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nX-Sum: 1\r\n\r\n"
    content, buffered = chunked(body), chunked(*(body[i : i + 2] for i in range(0, len(body), 2)))
    parts: list[bytes] = []
    while part := run_now(content.read(n)):
        assert len(part) <= n
        parts.append(part)
    assert b"".join(parts) == b"hello world"
    buffer, got = bytearray(n), b""
    while count := run_now(buffered.readinto(memoryview(buffer))):
        got += buffer[:count]
    assert got == b"hello world"
    assert content.trailers == buffered.trailers == Fields([("X-Sum", "1")])


def test_ways_of_reading_may_alternate() -> None:
    content = chunked(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
    assert run_now(content.read(2)) == b"he"
    buffer = bytearray(2)
    assert run_now(content.readinto(memoryview(buffer))) == 2
    assert buffer == b"ll"
    assert run_now(content.readall()) == b"o world"


@pytest.mark.parametrize("size", [b"FFFFFFFFFFFFFFFF", b"7FFFFFFFFFFFFFFF", b"fffffff"])
def test_a_huge_chunk_takes_no_more_memory_than_the_received_bytes(size: bytes) -> None:
    for read in (ChunkedContent.readall, read_collected):
        with pytest.raises(IncompleteRead) as raised:
            run_now(read(chunked(size + b"\r\nhello")))
        assert raised.value.partial == b"hello"


@pytest.mark.parametrize(
    "line",
    [
        b"\r\n",
        b" 5\r\n",
        b"+5\r\n",
        b"-5\r\n",
        b"0x5\r\n",
        b"5_0\r\n",
        b"5 5\r\n",
        b"5,5\r\n",
        b"G\r\n",
        b"\xd9\xa5\r\n",
        b"5\n",
        b"5;x\n",
        b"5\r\r\n",
        b"5\rX\r\n",
        b"5;x\ry\r\n",
        b"5;\x00\r\n",
        b"5 ;x\x00\r\n",
        b"5\x0b\r\n",
        b"10000000000000000\r\n",
        b"00000000000000005\r\n",
    ],
)
def test_invalid_chunk_size_is_refused(line: bytes) -> None:
    for read in (ChunkedContent.readall, read_collected):
        with pytest.raises(ProtocolError):
            run_now(read(chunked(line + b"hello\r\n0\r\n\r\n")))


@pytest.mark.parametrize(
    "end", [b"\n0\r\n\r\n", b"0\r\n\r\n", b"\r0\r\n\r\n", b"\n\r0\r\n\r\n", b"XX\r\n0\r\n\r\n", b"  "]
)
def test_a_chunk_that_does_not_end_with_crlf_is_refused(end: bytes) -> None:
    body = b"5\r\nhello" + end
    for read in (ChunkedContent.readall, read_collected):
        with pytest.raises(ProtocolError, match="expected CRLF after a chunk"):
            run_now(read(chunked(body)))
    content, buffer = chunked(body), memoryview(bytearray(5))
    with pytest.raises(ProtocolError, match="expected CRLF after a chunk"):
        run_now(content.readinto(buffer))


def test_a_long_chunk_line_is_refused_before_it_ends() -> None:
    stream = ScriptedStream([b"5;" + b"x" * 1000] * 100)
    with pytest.raises(LineTooLong):
        run_now(ChunkedContent(stream, DEFAULT).readall())
    assert len(stream.unread) > 90_000


def test_a_flood_of_extensions_is_refused() -> None:
    chunk = b"1;" + b"x" * 1000 + b"\r\n.\r\n"
    stream = ScriptedStream([chunk] * 100)
    with pytest.raises(ProtocolError, match=f"more than {MAX_EXTENSIONS} bytes of chunk extensions"):
        run_now(read_collected(ChunkedContent(stream, DEFAULT)))
    assert len(stream.unread) > 80 * len(chunk)


def test_extensions_shorter_than_their_content_are_accepted() -> None:
    chunk = b"400;" + b"x" * 1000 + b"\r\n" + b"." * 1024 + b"\r\n"
    assert len(run_now(chunked(chunk * 100, b"0\r\n\r\n").readall())) == 100 * 1024


# Content until the connection closes


def test_content_until_close_ends_with_the_connection() -> None:
    content = UntilCloseContent(ScriptedStream([b"hello ", b"world"]))
    assert (content.is_done, content.left, content.trailers, content.takeall()) == (False, None, None, None)
    assert run_now(content.read(100)) == b"hello "
    buffer = bytearray(3)
    assert run_now(content.readinto(memoryview(buffer))) == 3
    assert buffer == b"wor"
    assert run_now(content.readall()) == b"ld"
    assert content.is_done
    assert content.trailers == Fields()
    assert content.takeall() == run_now(content.readall()) == b""
    assert run_now(content.readinto(memoryview(buffer))) == 0


@pytest.mark.parametrize("loss", [ConnectionResetError(104, "reset"), ssl.SSLEOFError("cut")])
def test_content_until_close_that_was_cut_short_is_incomplete(loss: Exception) -> None:
    content = UntilCloseContent(ScriptedStream([b"hello"], loss=loss))
    with pytest.raises(IncompleteRead) as raised:
        run_now(content.readall())
    assert raised.value.partial == b"hello"
    assert raised.value.expected is None
    assert raised.value.__cause__ is loss
    assert not content.is_done


@pytest.mark.parametrize("pieces", [[b"2\r\nok\r\n0\r\n"], [b"2\r\nok\r\n0\r\n", b"A: b\r\n"], [b"2\r\nok\r\n0\r\nA"]])
def test_end_of_the_connection_may_end_trailers_if_lenient(pieces: list[bytes]) -> None:
    strict, lenient = (ChunkedContent(ScriptedStream(pieces), DEFAULT, is_lenient=may_end) for may_end in (False, True))
    assert run_now(lenient.readall()) == b"ok"
    assert lenient.is_done
    with pytest.raises(IncompleteRead):
        run_now(strict.readall())


@pytest.mark.parametrize("line", [b"A: b\x0bc", b"A: b\x0cc", b"A: \x01", b"A: b\x7f", b"A: \x1cb", b"A: b\r\n \x0b"])
def test_trailer_with_a_control_character_is_refused(line: bytes) -> None:
    content = ChunkedContent(ScriptedStream([b"2\r\nok\r\n0\r\nX: y\r\n%b\r\n\r\n" % line]), DEFAULT)
    with pytest.raises(ProtocolError, match="control characters in trailer 'A'"):
        run_now(content.readall())
    assert not content.is_done


@pytest.mark.parametrize("value", [b"", b"x", b"0x5", b"5, 6"])
def test_trailer_with_an_invalid_length_is_refused(value: bytes) -> None:
    content = ChunkedContent(ScriptedStream([b"0\r\nContent-Length: %b\r\n\r\n" % value]), DEFAULT)
    with pytest.raises(ProtocolError, match="content length"):
        run_now(content.readall())


def test_trailers_with_other_bytes_are_kept() -> None:
    content = ChunkedContent(ScriptedStream([b"0\r\nA: b\tc\x85\xff\r\nContent-Length: 5\r\n\r\n"]), DEFAULT)
    assert run_now(content.readall()) == b""
    assert content.trailers is not None
    assert content.trailers.pairs() == [("A", "b\tc\x85\xff")]
