"""Requests sent over a scripted stream: the bytes written, bodies that fail, and early responses."""

import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from asyncclient.exchange.body import Body, BytesSource, open_source
from asyncclient.exchange.receive import ResponseHeads
from asyncclient.exchange.send import MAX_SINGLE_WRITE, fits_single_write, send_content, send_request
from asyncclient.exchange.stream import Buffer
from asyncclient.limits import DEFAULT
from asyncclient.message.request import RequestHead
from tests.exchange.sending import (
    HEAD,
    HINTS,
    LAST_CHUNK,
    TOO_LARGE,
    join_in_chunks,
    open_with_length,
    send,
    sent_content,
)
from tests.scripted import ScriptedStream, run_now


@pytest.fixture
def file(tmp_path: Path) -> Iterator[io.BufferedRandom]:
    path = tmp_path / "file.bin"
    path.write_bytes(b"0123456789")
    with path.open("r+b") as opened:
        yield opened


# Bytes written


def test_a_request_without_content_is_its_head() -> None:
    stream = ScriptedStream()
    answer = send(stream, None)
    assert stream.writes == [HEAD]
    assert answer.final is None
    assert answer.final is None


@pytest.mark.parametrize(
    ("field", "size", "may"),
    [
        (("Content-Length", MAX_SINGLE_WRITE), MAX_SINGLE_WRITE, True),
        (("Content-Length", MAX_SINGLE_WRITE + 1), MAX_SINGLE_WRITE + 1, False),
        (("Transfer-Encoding", "chunked"), 1, False),
        (("Expect", "100-continue"), 1, False),
    ],
)
def test_short_content_fits_the_write_of_the_head(field: tuple[str, str | int], size: int, may: bool) -> None:
    head = RequestHead("PUT", "/")
    head.add(*field)
    assert fits_single_write(head, bytes(size)) is may


def test_large_content_is_written_in_parts() -> None:
    stream = ScriptedStream()
    send(stream, b"x" * 1_000_000)
    assert sent_content(stream) == b"x" * 1_000_000
    assert max(map(len, stream.writes)) <= 256 * 1024


def test_changing_the_callers_buffer_does_not_change_written_bytes() -> None:
    stream, body = ScriptedStream(), bytearray(b"x" * 100_000)
    send(stream, body)
    body[:] = b"y" * 100_000
    assert sent_content(stream) == b"x" * 100_000
    assert b"".join(stream.writes[1:]) == b"x" * 100_000


@pytest.mark.parametrize("expect", [None, 1.0])
def test_empty_content_is_not_waited_for(expect: float | None) -> None:
    stream = ScriptedStream()
    send(stream, b"", expect=expect)
    assert sent_content(stream) == b""
    assert stream.waits == []


def test_chunks_are_framed_and_ended() -> None:
    stream = ScriptedStream()
    send(stream, [b"hello", b" ", b"x" * 26])
    assert sent_content(stream) == join_in_chunks(b"hello", b" ", b"x" * 26)


def test_empty_items_do_not_end_a_chunked_body() -> None:
    stream = ScriptedStream()
    send(stream, [b"", b"a", b"", bytearray(), memoryview(b""), b"b", b""])
    assert sent_content(stream) == join_in_chunks(b"a", b"b")


@pytest.mark.parametrize("body", [[], [b""], b""])
def test_an_empty_chunked_body_is_a_last_chunk(body: Body) -> None:
    stream = ScriptedStream()
    send(stream, body, chunked=True)
    assert sent_content(stream) == LAST_CHUNK


def test_bytes_may_be_sent_in_chunks() -> None:
    stream = ScriptedStream()
    send(stream, b"hello", chunked=True)
    assert sent_content(stream) == join_in_chunks(b"hello")


# Bodies that fail


class Broken(Exception):
    pass


def failing() -> Iterator[bytes]:
    yield b"hello"
    raise Broken


async def failing_later() -> AsyncIterator[bytes]:
    yield b"hello"
    raise Broken


class FailingFile:
    def __init__(self, *blocks: bytes) -> None:
        self.blocks = list(blocks)

    def read(self, n: int) -> bytes:
        if not self.blocks:
            raise Broken
        return self.blocks.pop(0)


class FailingAsyncFile(FailingFile):
    async def read(self, n: int) -> bytes:  # type: ignore[override]
        return super().read(n)


@pytest.mark.parametrize(
    "make", [failing, failing_later, lambda: FailingFile(b"hello"), lambda: FailingAsyncFile(b"hello")]
)
def test_the_error_of_a_body_is_raised_and_no_last_chunk_is_sent(make: type) -> None:
    stream = ScriptedStream()
    with pytest.raises(Broken):
        send(stream, make())
    assert sent_content(stream) == b"5\r\nhello\r\n"


@pytest.mark.parametrize("wrong", ["text", 5, None, 1.5, {"a": 1}, [b"x"]])
def test_items_of_a_wrong_type_are_refused_and_no_last_chunk_is_sent(wrong: object) -> None:
    stream = ScriptedStream()
    with pytest.raises(TypeError, match="expected bytes from the body, got"):
        send(stream, [b"hello", wrong])  # type: ignore[list-item]
    assert sent_content(stream) == b"5\r\nhello\r\n"


def test_a_body_shorter_than_its_length_is_an_error() -> None:
    stream = ScriptedStream()
    with pytest.raises(ValueError, match="ended 2 bytes before its length of 10"):
        send(stream, open_with_length([b"hello", b"you"], 10))
    assert sent_content(stream) == b"helloyou"


def test_a_body_longer_than_its_length_is_an_error_and_nothing_is_sent_beyond_it() -> None:
    stream = ScriptedStream()
    with pytest.raises(ValueError, match="longer than its length of 7"):
        send(stream, open_with_length([b"hello", b"you"], 7))
    assert len(sent_content(stream)) <= 7


def test_a_body_longer_by_a_whole_item_is_an_error_too() -> None:
    stream = ScriptedStream()
    with pytest.raises(ValueError, match="longer than its length of 5"):
        send(stream, open_with_length([b"hello", b"!"], 5))
    assert sent_content(stream) == b"hello"


def test_empty_items_after_the_length_are_ignored() -> None:
    stream = ScriptedStream()
    send(stream, open_with_length([b"hello", b""], 5))
    assert sent_content(stream) == b"hello"


class Growing(io.BytesIO):
    """A file that grows while it is read."""

    def read(self, n: int | None = -1, /) -> bytes:
        here = self.tell()
        self.seek(0, io.SEEK_END)
        self.write(b"more")
        self.seek(here)
        return super().read(n)


def test_bytes_appended_to_a_file_in_memory_are_not_sent() -> None:
    stream = ScriptedStream()
    send(stream, Growing(b"0123456789"))
    assert sent_content(stream) == b"0123456789"


def test_a_shrinking_file_is_an_error() -> None:
    stream, body = ScriptedStream(), io.BytesIO(b"0123456789")
    source = run_now(open_source(body, 4))
    body.truncate(5)
    with pytest.raises(ValueError, match="ended 5 bytes before its length of 10"):
        send(stream, source)


def test_a_body_of_unknown_length_may_be_sent_without_chunks() -> None:
    stream = ScriptedStream()
    send(stream, [b"hello", b"", b"you"], chunked=False)
    assert sent_content(stream) == b"helloyou"


# Files that the kernel sends


@pytest.mark.parametrize("step", [1, 3, 10, 100])
def test_a_file_is_sent_by_the_kernel_from_its_position(file: io.BufferedRandom, step: int) -> None:
    file.seek(2)
    stream = ScriptedStream(file_step=step)
    send(stream, file)
    assert sent_content(stream) == b"23456789"
    assert file.tell() == 10
    assert max(map(len, stream.writes[1:])) == min(step, 8)


def test_a_file_is_read_if_the_stream_cannot_send_it(file: io.BufferedRandom) -> None:
    file.seek(2)
    stream = ScriptedStream()
    send(stream, file)
    assert sent_content(stream) == b"23456789"
    assert file.tell() == 10
    assert list(map(len, stream.writes)) == [len(HEAD), 4, 4]


def test_a_file_in_chunks_is_read(file: io.BufferedRandom) -> None:
    stream = ScriptedStream(file_step=100)
    send(stream, file, chunked=True)
    assert sent_content(stream) == join_in_chunks(b"0123", b"4567", b"89")


@pytest.mark.parametrize("step", [0, 3])
def test_bytes_appended_to_a_file_are_not_sent(file: io.BufferedRandom, step: int) -> None:
    source = run_now(open_source(file, 4))
    with open(file.name, "ab") as appending:
        appending.write(b"more")
    stream = ScriptedStream(file_step=step)
    send(stream, source)
    assert sent_content(stream) == b"0123456789"
    assert file.tell() == 10


@pytest.mark.parametrize("step", [0, 3])
def test_a_file_that_has_shrunk_is_an_error(file: io.BufferedRandom, step: int) -> None:
    source = run_now(open_source(file, 4))
    file.truncate(5)
    stream = ScriptedStream(file_step=step)
    with pytest.raises(ValueError, match=r"body ended .* before its length of 10"):
        send(stream, source)
    assert sent_content(stream) == b"01234"


def test_an_empty_file_has_no_content(file: io.BufferedRandom) -> None:
    file.seek(0, io.SEEK_END)
    stream = ScriptedStream(file_step=3)
    send(stream, file)
    assert sent_content(stream) == b""


def test_a_final_response_stops_a_file(file: io.BufferedRandom) -> None:
    stream = ScriptedStream([TOO_LARGE], answers=[len(HEAD) + 6], file_step=3)
    answer = send(stream, file)
    assert sent_content(stream) == b"012345"
    assert answer.final is not None
    assert file.tell() == 6


@pytest.mark.parametrize("at", [0, 3, 6])
def test_an_interim_response_does_not_end_a_file(file: io.BufferedRandom, at: int) -> None:
    stream = ScriptedStream([HINTS], answers=[len(HEAD) + at], file_step=3)
    answer = send(stream, file)
    assert sent_content(stream) == b"0123456789"
    assert [head.status for head in answer.interim] == [103]
    assert answer.final is None


# Bodies framed by the caller


def test_chunks_are_checked_before_they_are_sent() -> None:
    stream, seen = ScriptedStream(), list[bytes]()
    source = run_now(open_source([b"a", b"b"]))

    def check(chunk: Buffer) -> Buffer:
        seen.append(bytes(chunk))
        return chunk

    run_now(send_request(stream, HEAD, source, ResponseHeads(), DEFAULT, check=check))
    assert (sent_content(stream), seen) == (b"ab", [b"a", b"b"])


def test_a_refused_chunk_is_not_sent() -> None:
    stream = ScriptedStream()

    def refuse(chunk: Buffer) -> Buffer:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_now(send_content(stream, BytesSource(b"a"), ResponseHeads(), DEFAULT, refuse))
    assert stream.written == b""


def test_a_final_response_ends_a_body_framed_by_the_caller() -> None:
    stream, answer = ScriptedStream([TOO_LARGE], answers=[0]), ResponseHeads()
    run_now(send_content(stream, BytesSource(b"a"), answer, DEFAULT, lambda chunk: chunk))
    assert stream.written == b""
    assert answer.final is not None
