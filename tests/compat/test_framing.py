"""Where a response ends, over a socket of compat's, a plain one and a file: it must be the same (R1 to R12)."""

import itertools
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from compat import client
from tests.compat.connections import connection_with_replies, start_exchange, unread_response
from tests.connection.conversations import chunked, reply

OVER = pytest.mark.parametrize("over", ["own", "plain", "file"])

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

READERS: dict[str, Callable[[Any], bytes]] = {
    "read()": lambda response: response.read(),
    "read(3)": lambda response: b"".join(iter(lambda: response.read(3), b"")),
    "read1()": lambda response: b"".join(iter(response.read1, b"")),
    "readline()": lambda response: b"".join(iter(response.readline, b"")),
    "readinto()": lambda response: b"".join(iter(lambda: read_into(response), b"")),
}


def read_into(response: Any) -> bytes:
    buffer = bytearray(3)
    return bytes(buffer[: response.readinto(buffer)])


@OVER
@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"", client.RemoteDisconnected),
        (b"HTTP/2.0 200 OK\r\n\r\n", client.UnknownProtocol),
        (b"HTTP/3 200 OK\r\n\r\n", client.UnknownProtocol),
        (b"HTTP/11.1 200 OK\r\n\r\n", client.BadStatusLine),
        (b"HTTP/1.1\r\n\r\n", client.BadStatusLine),
        (b"http/1.1 200 OK\r\n\r\n", client.BadStatusLine),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", client.BadStatusLine),
        (b"HTTP/1.1 20 OK\r\n\r\n", client.BadStatusLine),
        (b"HTTP/1.1 2000 OK\r\n\r\n", client.BadStatusLine),
        (b"HTTP/1.1 099 OK\r\n\r\n", client.BadStatusLine),
        (b"HTTP/1.1 +20 OK\r\n\r\n", client.BadStatusLine),
        (b"HTTP/1.1 -20 OK\r\n\r\n", client.BadStatusLine),
        (b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n", client.BadStatusLine),
        (b"HTTP/1.1\t200 OK\r\n\r\n", client.BadStatusLine),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", client.BadStatusLine),
        (b"ICY 200 OK\r\n\r\n", client.BadStatusLine),
        (b"<html>\r\n\r\n", client.BadStatusLine),
        (b"\x00" * 100, client.BadStatusLine),
        (b"HTTP/1.1 200 " + b"x" * 65_536 + b"\r\n\r\n", client.LineTooLong),
        (b"x" * 70_000, client.LineTooLong),
    ],
)
def test_invalid_status_line_is_refused(line: bytes, error: type[Exception], over: str) -> None:
    with unread_response(line, over) as response, pytest.raises(error):
        response.begin()


@pytest.mark.parametrize("size", range(len(HEAD + b"A: b\r\n\r\n")))
def test_truncated_head_is_an_error(size: int) -> None:
    with unread_response((HEAD + b"A: b\r\n\r\n")[:size], "own") as response, pytest.raises(client.HTTPException):
        response.begin()


BAD_LENGTHS = [b"", b"x", b"+5", b"5 5", b"0x5", b"1_0", b"5.0", "٥".encode(), b"5, 6", b"5\r\nContent-Length: 6"]
BAD_LENGTHS += [b"9" * 50, b"9" * 5000, b"5,", b"--5"]


@OVER
@pytest.mark.parametrize("value", BAD_LENGTHS)
@pytest.mark.parametrize("reader", READERS)
def test_invalid_length_is_an_error_of_the_first_read(reader: str, value: bytes, over: str) -> None:
    with unread_response(HEAD + b"Content-Length: %b\r\nX: y\r\n\r\nhello" % value, over) as response:
        response.begin()
        assert (response.status, response.getheader("X"), response.will_close) == (200, "y", True)
        for _ in range(2):
            with pytest.raises(client.HTTPException, match=r"invalid content length|content lengths that differ"):
                READERS[reader](response)


@pytest.mark.parametrize("value", BAD_LENGTHS)
def test_invalid_length_closes_the_connection(value: bytes) -> None:
    with connection_with_replies(HEAD + b"Content-Length: %b\r\n\r\nhello" % value) as connection:
        response = start_exchange(connection)
        assert connection.sock is None
        response.close()


@OVER
@pytest.mark.parametrize("value", [b"5, 5", b"5\r\nContent-Length: 5", b" 5\t", b"005"])
def test_equal_lengths_count_once(value: bytes, over: str) -> None:
    with unread_response(HEAD + b"Content-Length: %b\r\n\r\nhello world" % value, over) as response:
        response.begin()
        assert (response.length, response.read(), response.will_close) == (5, b"hello", False)


FRAMINGS: list[tuple[bytes, bytes, bytes, bool]] = [
    (b"1.1", b"Transfer-Encoding: chunked", b"abc", False),
    (b"1.1", b"Transfer-Encoding: CHUNKED", b"abc", False),
    (b"1.1", b"Transfer-Encoding: \t chunked \t", b"abc", False),
    (b"1.0", b"Transfer-Encoding: chunked", b"abc", True),
    (b"1.0", b"Transfer-Encoding: chunked\r\nConnection: keep-alive", b"abc", True),
    (b"1.1", b"Transfer-Encoding: chunked\r\nContent-Length: 3", b"abc", True),
    (b"1.1", b"Content-Length: 3\r\nTransfer-Encoding: chunked", b"abc", True),
    (b"1.1", b"Transfer-Encoding: gzip\r\nContent-Length: 3", b"3\r\n", True),
    (b"1.1", b"Transfer-Encoding: xchunked", b"3\r\nabc\r\n0\r\n\r\n", True),
    (b"1.1", b"Transfer-Encoding: chunked, gzip", b"3\r\nabc\r\n0\r\n\r\n", True),
    (b"1.1", b"Transfer-Encoding: \x0bchunked", b"3\r\nabc\r\n0\r\n\r\n", True),
    (b"1.1", b"Content-Length: 3", b"3\r\n", False),
    (b"1.1", b"Content-Length: 3\r\nConnection: close", b"3\r\n", True),
    (b"1.1", b"Content-Length: 3\r\nConnection: Keep-Alive, CLOSE", b"3\r\n", True),
    (b"1.1", b"Content-Length: 3\r\nConnection: x\r\nConnection: close", b"3\r\n", True),
    (b"1.0", b"Content-Length: 3", b"3\r\n", True),
    (b"1.0", b"Content-Length: 3\r\nConnection: keep-alive", b"3\r\n", False),
    (b"1.1", b"X: y", b"3\r\nabc\r\n0\r\n\r\n", True),
    (b"1.1", b"Content-Length: 3\r\nno colon", b"3\r\n", True),
    (b"1.1", b"Content-Length: 3\r\nA : b", b"3\r\n", True),
    (b"1.1", b" Folded: x\r\nContent-Length: 3", b"3\r\n", True),
]


@OVER
@pytest.mark.parametrize(("version", "fields", "content", "will_close"), FRAMINGS)
def test_fields_decide_the_framing_and_the_connections_end(
    version: bytes, fields: bytes, content: bytes, will_close: bool, over: str
) -> None:
    with unread_response(b"HTTP/%b 200 OK\r\n%b\r\n\r\n3\r\nabc\r\n0\r\n\r\n" % (version, fields), over) as response:
        response.begin()
        assert (response.read(), response.will_close) == (content, will_close)


BAD_CHUNKS = [
    b"5\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhelloXX0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"0_5\r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n",
    b"5;a=\nb\r\nhello\r\n0\r\n\r\n",
    b"5\rhello\r\n0\r\n\r\n",
    b"f" * 17 + b"\r\nhello",
    b"5\r\nhello\r\n",
    b"5\r\nhello",
    b"5\r\nhel",
    b"5",
    b"",
    b"5;" + b"x" * 70_000 + b"\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n" + b"A: b\r\n" * 101 + b"\r\n",
    b"5\r\nhello\r\n0\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
    b"".join(b"1;%b\r\nx\r\n" % (b"x" * 1000) for _ in range(100)) + b"0\r\n\r\n",
]


@OVER
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("chunks", BAD_CHUNKS, ids=range(len(BAD_CHUNKS)))
def test_invalid_or_truncated_chunks_are_an_error(chunks: bytes, reader: str, over: str) -> None:
    if over == "file" and reader == "readline()":
        over = "plain"  # a file without peek() has no lines in chunks, here as in http.client
    with unread_response(CHUNKED + chunks, over) as response:
        response.begin()
        with pytest.raises((client.IncompleteRead, client.LineTooLong)):
            READERS[reader](response)
        assert not response.is_whole


@pytest.mark.parametrize("pieces", list(itertools.product([b"5", b"5 ;x", b"005", b'5;a="b;c"'], [b"", b"A: b\r\n"])))
@OVER
def test_chunks_of_every_form_are_read(pieces: tuple[bytes, bytes], over: str) -> None:
    size, trailer = pieces
    with unread_response(CHUNKED + b"%b\r\nhello\r\n0\r\n%b\r\n" % (size, trailer), over) as response:
        response.begin()
        assert response.trailers is None
        assert response.read() == b"hello"
        assert response.trailers is not None
        assert response.trailers.items() == ([("A", "b")] if trailer else [])


@OVER
def test_trailers_do_not_change_the_headers(over: str) -> None:
    trailers = b"Content-Length: 99\r\nTransfer-Encoding: gzip\r\nX-Sum: 1\r\nA: c\r\nConnection: close\r\n"
    answer = HEAD + b"A: b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n%b\r\n" % trailers
    with unread_response(answer, over) as response:
        response.begin()
        fields = response.getheaders()
        assert response.read() == b"ok"
        assert response.getheaders() == fields
        assert response.trailers is not None
        assert response.trailers["x-sum"] == "1"
        assert "Content-Length" not in response.trailers
        assert not response.will_close


def test_content_that_is_not_in_chunks_has_no_trailers() -> None:
    with unread_response(reply(b"ok"), "own") as response:
        response.begin()
        response.read()
        assert response.trailers is None


BODILESS = [("HEAD", b"200 OK"), ("GET", b"204 No Content"), ("GET", b"304 Not Modified"), ("GET", b"101 Switching")]


@OVER
@pytest.mark.parametrize(("method", "status"), BODILESS)
@pytest.mark.parametrize("framing", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X: y"])
@pytest.mark.parametrize("reader", READERS)
def test_responses_without_content_ignore_their_framing(
    reader: str, framing: bytes, method: str, status: bytes, over: str
) -> None:
    with unread_response(b"HTTP/1.1 %b\r\n%b\r\n\r\nhello" % (status, framing), over, method) as response:
        response.begin()
        assert READERS[reader](response) == b""
        assert response.isclosed()


@OVER
@pytest.mark.parametrize("codes", [[100], [102], [103], [199], [100, 103, 102], [100] * 100])
def test_interim_responses_are_skipped(codes: list[int], over: str) -> None:
    interim = b"".join(b"HTTP/1.1 %d Wait\r\nX: y\r\n\r\n" % code for code in codes)
    with unread_response(interim + reply(b"ok"), over) as response:
        response.begin()
        assert (response.status, response.getheaders(), response.read()) == (200, [("Content-Length", "2")], b"ok")


@OVER
def test_endless_interim_responses_are_refused(over: str) -> None:
    interim = b"HTTP/1.1 100 Wait\r\n\r\n" * 1000
    with unread_response(interim, over) as response, pytest.raises(client.HTTPException, match="more than 100 interim"):
        response.begin()


def test_interim_responses_are_bounded_in_bytes() -> None:
    one = b"HTTP/1.1 103 Wait\r\n" + b"X: %b\r\n" % (b"x" * 65_000) * 90 + b"\r\n"
    with (
        unread_response(one * 3 + reply(b"ok"), "file") as response,
        pytest.raises(client.HTTPException, match="interim"),
    ):
        response.begin()


@OVER
@pytest.mark.parametrize("line", [b"A: b\0c", b"A\0: b", b"A: b\rc", b"A: b\r\r\nX: y"])
def test_ambiguous_field_line_is_refused(line: bytes, over: str) -> None:
    with (
        unread_response(HEAD + line + b"\r\n\r\n", over) as response,
        pytest.raises(client.HTTPException, match="invalid"),
    ):
        response.begin()


@OVER
def test_lines_end_at_crlf_and_nowhere_else(over: str) -> None:
    value = b"a\x0bb\x0cc\x1cd\x1de\x1ef\x85g"
    with unread_response(HEAD + b"A: %b\r\nContent-Length: 0\r\n\r\n" % value, over) as response:
        response.begin()
        assert response.getheaders() == [("A", value.decode("latin-1")), ("Content-Length", "0")]


@OVER
@pytest.mark.parametrize("reader", READERS)
def test_truncated_content_is_an_error_of_read_and_an_end_for_partial_reads(reader: str, over: str) -> None:
    """In pieces it gives the part, and then nothing: as in http.client, on purpose."""
    with unread_response(HEAD + b"Content-Length: 10\r\n\r\nhello", over) as response:
        response.begin()
        with suppress(client.IncompleteRead):
            assert READERS[reader](response) == b"hello"
            assert reader != "read()"
        assert response.isclosed()
        assert not response.is_whole


@OVER
def test_incomplete_read_has_the_received_bytes_and_the_missing_number(over: str) -> None:
    with unread_response(HEAD + b"Content-Length: 10\r\n\r\nhello", over) as response:
        response.begin()
        with pytest.raises(client.IncompleteRead) as caught:
            response.read()
        assert (caught.value.partial, caught.value.expected) == (b"hello", 5)


@OVER
def test_incomplete_read_has_the_complete_chunks(over: str) -> None:
    with unread_response(chunked(b"one", b"two")[:-10], over) as response:
        response.begin()
        with pytest.raises(client.IncompleteRead) as caught:
            response.read()
        assert caught.value.partial == b"one"


@OVER
@pytest.mark.parametrize("reader", ["read()", "read(3)"])
def test_response_ends_at_an_invalid_chunk_size(reader: str, over: str) -> None:
    with unread_response(CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n", over) as response:
        response.begin()
        with pytest.raises(client.IncompleteRead):
            READERS[reader](response)
        assert response.isclosed()
