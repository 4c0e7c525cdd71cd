"""The stream that a response reads: it reads like a BufferedReader, and allocates nothing by a claimed size."""

import io
import os
import socket
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.limits import DEFAULT
from compat import client
from compat.loop import run
from compat.streams import FileStream, open_stream
from tests.compat.connections import (
    Tape,
    connection_with_replies,
    fetch,
    in_thread,
    socket_pair,
    start_exchange,
    unread_response,
)
from tests.connection.conversations import MEBIBYTE, OK, chunked, reply

Call = tuple[str, int]

LINES = b"one\ntwo\n\n" + b"three" * 40 + b"\nfour\n" + bytes(range(256)) * 4 + b"end"

calls = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["read", "readinto", "readline", "peek"]), st.integers(0, 600)),
        st.tuples(st.just("read1"), st.integers(1, 600)),
    ),
    max_size=12,
)


def call(file: Any, name: str, n: int) -> Any:
    if name != "readinto":
        return getattr(file, name)(n)
    buffer = bytearray(n)
    with memoryview(buffer) as view:
        return bytes(buffer[: file.readinto(view)])


def call_each(file: Any, made: list[Call]) -> list[Any]:
    return [call(file, name, n) for name, n in made] + [file.read(-1), file.read(1), file.readline(5)]


@given(content=st.sampled_from([b"", b"\n", LINES, LINES * 3]), made=calls)
def test_file_reads_as_the_file_of_a_plain_socket(content: bytes, made: list[Call]) -> None:
    with socket_pair() as (own, other), socket_pair() as (plain, another):
        for end in (other, another):
            end.sendall(content)
            end.shutdown(socket.SHUT_WR)
        file = open_stream(own).file
        with socket.socket(fileno=os.dup(plain.fileno())) as twin, twin.makefile("rb", 65_536) as expected:
            assert call_each(file, made) == call_each(expected, made)
        file.close()


@given(made=calls, pieces=st.lists(st.binary(min_size=1, max_size=50), max_size=8))
def test_every_byte_is_given_once_and_in_order(made: list[Call], pieces: list[bytes]) -> None:
    with socket_pair() as (own, other):
        file, given_out = open_stream(own).file, b""
        for piece in pieces:
            other.sendall(piece)
            given_out += file.read1(10)
        other.shutdown(socket.SHUT_WR)
        for name, n in made:
            part = call(file, name, n)
            given_out += b"" if name == "peek" else part
        assert given_out + file.read() == b"".join(pieces)
        file.close()


@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"])
def test_head_that_another_connection_has_received_is_parsed_once(close: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" + close + b"\r\n"
    found = []
    for content in (b"one", b"two"):
        with socket_pair() as (own, other):
            other.sendall(head + content)
            stream = open_stream(own)
            found.append(stream.peek_head(DEFAULT))
            assert stream.file.read(len(head) + 3) == head + content
            stream.file.close()
    first, second = found
    assert first is not None
    assert second is not None
    assert first[0] is second[0]


def test_head_that_another_connection_has_received_is_held_to_the_limits_of_this_one() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\nC: d\r\n\r\nok"
    for _ in range(2):
        with connection_with_replies(answer) as connection:
            assert fetch(connection) == (200, b"ok")
    with connection_with_replies(answer, max_response_headers=2) as connection, pytest.raises(client.HTTPException):
        fetch(connection)


@pytest.mark.parametrize("left", [0, 1, 100])
def test_stream_knows_whether_bytes_were_read_ahead(left: int) -> None:
    with socket_pair() as (own, other):
        other.sendall(LINES)
        stream = open_stream(own)
        stream.file.peek()
        stream.file.read(len(LINES) - left)
        assert stream.find_received() == LINES[len(LINES) - left :]
        other.sendall(b"x")
        assert stream.file.read(left + 1) == LINES[len(LINES) - left :] + b"x"
        stream.file.close()


@pytest.mark.parametrize("replace", ["instance", "subclass", "class"])
@pytest.mark.parametrize("answer", [reply(LINES), chunked(LINES)])
def test_replaced_close_conn_is_called_at_the_end(answer: bytes, replace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files: list[Any] = []

    def keep(response: Any) -> None:
        files.append(response.fp)
        response.fp = None

    class Keeping(client.HTTPResponse):
        _close_conn = keep

    with connection_with_replies(answer) as connection:
        if replace == "class":
            monkeypatch.setattr(client.HTTPResponse, "_close_conn", keep)
        if replace == "subclass":
            connection.response_class = Keeping
        response: Any = start_exchange(connection)
        if replace == "instance":
            response._close_conn = lambda: keep(response)
        assert response.read() == LINES
        connection.sock.settimeout(0.01)
        with pytest.raises(TimeoutError):
            files[0].read(1)
        assert idle_stream_of(connection) is None
        files[0].close()
    assert len(files) == 1


def idle_stream_of(connection: Any) -> Any:
    return connection.sock.idle_stream


def test_file_is_handed_on_to_the_next_response_unless_a_program_has_seen_it() -> None:
    with connection_with_replies(OK, OK, OK, OK) as connection:
        fetch(connection)
        kept = idle_stream_of(connection)
        assert kept is not None
        response = start_exchange(connection)
        assert idle_stream_of(connection) is None
        assert response.read() == b"ok"
        assert idle_stream_of(connection) is kept
        response = start_exchange(connection)
        assert response.fp is kept.file
        assert response.read() == b"ok"
        assert idle_stream_of(connection) is None
        assert kept.file.closed
        assert fetch(connection) == (200, b"ok")


def test_socket_with_an_idle_file_closes_at_once() -> None:
    with connection_with_replies(OK) as connection:
        fetch(connection)
        sock = connection.sock
        connection.close()
        assert sock.fileno() == -1


@pytest.mark.parametrize("answer", [reply(LINES), chunked(LINES[:10], LINES[10:])])
@pytest.mark.parametrize("over", ["own", "plain", "file"])
@pytest.mark.parametrize("n", [0, 1, 9, 10, 100])
def test_looking_at_the_file_in_the_middle_loses_nothing(n: int, over: str, answer: bytes) -> None:
    with unread_response(answer, over) as response:
        response.begin()
        first = response.read(n)
        assert response.fp is response.fp
        assert response.fp.readable()
        assert first + response.read() == LINES
        assert response.fp is None


def test_file_of_a_response_is_a_programs_to_read() -> None:
    with connection_with_replies(reply(LINES)) as connection, start_exchange(connection) as response:
        assert (response.fp.readline(), response.fp.read(4), response.fp.read1(1)) == (b"one\n", b"two\n", b"\n")
        response.length = 5
        assert response.read() == b"three"


@pytest.mark.parametrize("wrap", [io.BufferedReader, lambda file: io.BufferedReader(io.BytesIO(file.read()))])
def test_file_of_a_response_may_be_replaced(wrap: Callable[[Any], Any]) -> None:
    with unread_response(reply(LINES), "own") as response:
        response.begin()
        response.fp = wrap(response.fp)
        assert response.peek(3)[:3] == b"one"
        assert response.readline() + response.read() == LINES


# A program's own file


MESSAGES = [OK, reply(LINES), chunked(b"one", b"two"), chunked(b"x", trailers=b"A: b\r\n"), reply(b"")]

READERS: list[Callable[[Any], Any]] = [
    lambda response: response.read(),
    lambda response: list(iter(response.read1, b"")),
    lambda response: list(iter(lambda: response.read(2), b"")),
]


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("read", READERS)
def test_nothing_is_read_ahead_of_a_programs_own_file(message: bytes, read: Callable[[Any], Any]) -> None:
    tape = Tape(message + b"the next")
    with closing(client.HTTPResponse(tape)) as response:
        tape.file.close = lambda: None  # type: ignore[method-assign]
        response.begin()
        read(response)
    assert tape.file.read() == b"the next"


def test_stream_reads_exactly_the_bytes_asked_for() -> None:
    file = io.BytesIO(b"line\nabcdefg")
    stream = FileStream(file)
    assert run(stream.readline(10)) == b"line\n"
    assert run(stream.readexactly(3)) == b"abc"
    assert run(stream.read(2)) == b"de"
    assert file.tell() == 10
    with pytest.raises(client.IncompleteRead, match=r"2 bytes read, 3 more expected"):
        run(stream.readexactly(5))


@pytest.mark.parametrize("limit", [3, 4])
def test_line_beyond_the_limit_is_refused(limit: int) -> None:
    file = io.BytesIO(b"line\n")
    with pytest.raises(client.LineTooLong, match=r"got more than \d+ bytes when reading line$"):
        run(FileStream(file).readline(limit))


# Room


HUGE = [
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % 10**15,
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (10**18 - 1),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % 10**15,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
]

PIECEWISE: list[Callable[[Any], Any]] = [
    lambda response: response.read(100),
    lambda response: response.read1(),
    lambda response: response.readline(),
    lambda response: response.peek(),
    lambda response: response.readinto(bytearray(100)),
]


@pytest.mark.parametrize("head", HUGE)
@pytest.mark.parametrize("over", ["own", "plain", "file"])
def test_size_that_is_claimed_takes_no_room(over: str, head: bytes) -> None:
    with unread_response(head + bytes(100_000), over) as response:
        response.begin()
        tracemalloc.start()
        try:
            with pytest.raises(client.IncompleteRead):
                response.read()
            assert tracemalloc.get_traced_memory()[1] < 2 * MEBIBYTE
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("read", PIECEWISE)
@pytest.mark.parametrize("head", HUGE)
@pytest.mark.parametrize("over", ["own", "plain"])
def test_content_of_a_size_that_is_claimed_can_be_read_in_pieces(
    over: str, head: bytes, read: Callable[[Any], Any]
) -> None:
    with unread_response(head + b"line\n" * 100, over) as response:
        response.begin()
        tracemalloc.start()
        try:
            assert read(response)
            assert tracemalloc.get_traced_memory()[1] < 2 * MEBIBYTE
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("size", [0, 1, 524_287, 524_288, 3_000_000])
def test_reading_more_than_there_is_returns_the_content(size: int) -> None:
    content = os.urandom(size)
    assert run(FileStream(io.BytesIO(content)).read(10**18)) == content
    assert FileStream(io.BytesIO(content))._read_much(size // 2) == content[: size // 2]


@pytest.mark.parametrize("over", ["own", "plain"])
def test_much_content_is_received_whole(over: str) -> None:
    content = os.urandom(3 * MEBIBYTE)
    with connection_with_replies(reply(content)) as connection:
        response = start_exchange(connection)
        if over == "plain":
            assert response.fp
        assert response.read() == content


@pytest.mark.parametrize("size", [32 * 1024, 40_000, 64 * 1024])
def test_long_reads_return_the_bytes_asked_for_however_they_are_received(size: int) -> None:
    content = os.urandom(300_000)
    with socket_pair() as (own, other), closing(client.HTTPResponse(own)) as response:

        def send() -> None:
            message = reply(content)
            for start_of_piece in range(0, len(message), 7_777):
                other.sendall(message[start_of_piece : start_of_piece + 7_777])

        with in_thread(send):
            response.begin()
            blocks = list(iter(lambda: response.read(size), b""))
        assert b"".join(blocks) == content
        assert {len(block) for block in blocks[:-1]} == {size}


def test_long_read_of_truncated_content_returns_the_received_bytes() -> None:
    with unread_response(reply(bytes(100_000))[:-1], "own") as response:
        response.begin()
        assert [len(response.read(65_536)) for _ in range(3)] == [65_536, 34_463, 0]
        assert response.isclosed()
