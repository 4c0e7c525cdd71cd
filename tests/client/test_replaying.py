"""Bodies of every kind: the bytes sent, how often they can be sent, and the files they leave open."""

import array
import asyncio
import gzip
import io
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiofiles
import pytest

from asyncclient.client.body.arguments import build_payload
from asyncclient.errors import BodyNotReplayable
from tests.client.bodies import agenerate, build, generate, is_open, send, send_all
from tests.exchange.sending import TOO_LARGE
from tests.scripted import ScriptedStream, run_now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file.bin"
    path.write_bytes(b"0123456789")
    return path


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


class Restartable:
    """An iterable that can be iterated over any number of times."""

    def __iter__(self) -> Iterator[bytes]:
        return generate(b"ab", b"", b"c")


class AsyncRestartable:
    def __aiter__(self) -> AsyncIterator[bytes]:
        return agenerate(b"ab", b"", b"c")


class OnlyRead:
    def __init__(self, *blocks: bytes) -> None:
        self.blocks = list(blocks)

    def read(self, n: int) -> bytes:
        return self.blocks.pop(0) if self.blocks else b""


class OnlyAsyncRead(OnlyRead):
    async def read(self, n: int) -> bytes:  # type: ignore[override]
        return super().read(n)


class Pipe(io.BytesIO):
    """A file whose seekable() is True and whose tell() fails."""

    def tell(self) -> int:
        raise OSError(29, "illegal seek")


class OldFile:
    """A file object without seekable()."""

    def __init__(self, data: bytes) -> None:
        file = io.BytesIO(data)
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def seeked(file: Any, position: int) -> Any:
    file.seek(position)
    return file


class Producer:
    """An object that is called for its body."""

    def __call__(self) -> bytes:
        return b"abc"


REPLAYABLE: list[tuple[Callable[[], Any], int | None, bytes]] = [
    (lambda: b"abc", 3, b"abc"),
    (lambda: b"", 0, b""),
    (lambda: bytearray(b"abc"), 3, b"abc"),
    (lambda: memoryview(b"abcdef")[::2], 3, b"ace"),
    (lambda: array.array("H", [1, 2]), 4, array.array("H", [1, 2]).tobytes()),
    (lambda: "naïve €", 10, "naïve €".encode()),
    (lambda: io.BytesIO(b"abc"), 3, b"abc"),
    (lambda: seeked(io.BytesIO(b"abc"), 1), 2, b"bc"),
    (lambda: seeked(io.StringIO("x€y"), 1), None, "€y".encode()),
    (lambda: OldFile(b"abc"), 3, b"abc"),
    (lambda: [b"ab", b"c"], None, b"abc"),
    (lambda: (b"abc",), None, b"abc"),
    (list, None, b""),
    (Restartable, None, b"abc"),
    (AsyncRestartable, None, b"abc"),
    (lambda: lambda: b"abc", 3, b"abc"),
    (lambda: lambda: "€", 3, "€".encode()),
    (lambda: lambda: generate(b"a", b"bc"), None, b"abc"),
    (lambda: lambda: agenerate(b"a", b"bc"), None, b"abc"),
    (lambda: lambda: later(b"abc"), 3, b"abc"),
    (lambda: lambda: later(agenerate(b"a", b"bc")), None, b"abc"),
    (lambda: lambda: io.BytesIO(b"abc"), 3, b"abc"),
    (lambda: lambda: OnlyAsyncReadClosing(b"ab", b"c"), None, b"abc"),
    (Producer, 3, b"abc"),
]


class OnlyAsyncReadClosing(OnlyAsyncRead):
    async def close(self) -> None:
        await asyncio.sleep(0)


@pytest.mark.parametrize(("make", "length", "content"), REPLAYABLE)
async def test_a_replayable_body_is_sent_any_number_of_times(
    make: Callable[[], Any], length: int | None, content: bytes
) -> None:
    payload = build(body=make())
    for _ in range(3):
        assert payload.is_replayable
        assert await send_all(payload) == (length, content)


@pytest.mark.parametrize(
    ("make", "length"),
    [
        (lambda: generate(b"a", b"", b"bc"), None),
        (lambda: agenerate(b"a", b"bc"), None),
        (lambda: iter([b"abc"]), None),
        (lambda: map(bytes, [b"a", b"bc"]), None),
        (lambda: OnlyRead(b"a", b"bc"), None),
        (lambda: OnlyAsyncRead(b"a", b"bc"), None),
        (lambda: Pipe(b"abc"), None),
    ],
)
async def test_bodies_that_can_be_read_once_are_sent_once(make: Callable[[], Any], length: int | None) -> None:
    payload = build(body=make())
    assert payload.is_replayable
    await payload.open(4)  # and nothing is taken: the connection could not be opened, say
    await payload.aclose()
    assert payload.is_replayable
    assert await send_all(payload) == (length, b"abc")
    assert not payload.is_replayable
    for _ in range(2):
        with pytest.raises(BodyNotReplayable, match="can be read only once"):
            await payload.open()


async def test_a_body_of_which_a_part_was_taken_is_not_sent_again() -> None:
    payload = build(body=generate(*[b"piece"] * 10))
    await send(payload, ScriptedStream([TOO_LARGE], answers=[20]))
    assert not payload.is_replayable
    with pytest.raises(BodyNotReplayable):
        await payload.open()


@pytest.mark.parametrize(
    ("opener", "is_measured"),
    [
        (lambda path: path.open("rb"), True),
        (lambda path: path.open("rb", buffering=0), True),
        (lambda path: path.open(), False),
        (lambda path: spooled(path), True),
        (lambda path: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(path.read_bytes()))), False),
    ],
    ids=["buffered", "raw", "text", "spooled", "gzip"],
)
async def test_a_file_is_sent_from_its_position_each_time(
    opener: Callable[[Path], Any], is_measured: bool, path: Path
) -> None:
    with opener(path) as file:
        file.read(4)
        payload = build(body=file)
        for _ in range(3):
            assert await send_all(payload) == (6 if is_measured else None, b"456789")
            assert not file.closed


async def test_an_asynchronous_file_is_sent_from_its_position_each_time(path: Path) -> None:
    async with aiofiles.open(path, "rb") as file:
        await file.seek(4)
        payload = build(body=file)
        for _ in range(3):
            assert await send_all(payload) == (6, b"456789")
            assert not file.closed


def spooled(path: Path) -> Any:
    file = tempfile.SpooledTemporaryFile(1)  # noqa: SIM115
    file.write(path.read_bytes())
    file.seek(0)
    return file


async def test_a_file_is_rewound_after_it_was_sent_in_part(path: Path) -> None:
    with path.open("rb") as file:
        payload = build(body=file)
        await send(payload, ScriptedStream([TOO_LARGE], answers=[4]))
        assert file.tell() < 10
        assert await send(payload) == b"0123456789"


async def test_the_kernel_may_send_a_file_that_is_rewound(path: Path) -> None:
    with path.open("rb") as file:
        payload = build(body=file)
        for _ in range(2):
            stream = ScriptedStream(file_step=3)
            assert await send(payload, stream) == b"0123456789"
            assert max(map(len, stream.writes)) == 3  # and not the 4 that are read at once


class ThreadNotingFile(io.StringIO):
    """A file that notes the threads in which it is read."""

    threads: list[int]

    def read(self, n: int | None = -1, /) -> str:
        self.threads.append(threading.get_ident())
        return super().read(n)


async def test_a_file_is_read_in_a_worker_thread() -> None:
    file = ThreadNotingFile("abc")
    file.threads = []
    assert await send_all(build(body=file)) == (None, b"abc")
    assert len(file.threads) == 2
    assert threading.get_ident() not in file.threads


async def test_a_pipe_is_sent_once() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"abc")
    os.close(writing)
    with open(reading, "rb") as file:
        payload = build(body=file)
        assert await send_all(payload) == (None, b"abc")
        with pytest.raises(BodyNotReplayable):
            await payload.open()


# A body is never silently sent shorter


@pytest.mark.parametrize("make", [generate, agenerate])
async def test_a_generator_that_another_request_has_sent_is_refused(make: Callable[..., Any]) -> None:
    pieces = make(b"abc")
    assert await send_all(build(body=pieces)) == (None, b"abc")
    with pytest.raises(BodyNotReplayable, match="generator can be read only once"):
        await send(build(body=pieces))


class Draining:
    """An iterable that is not an iterator, and is empty the second time."""

    def __init__(self) -> None:
        self.left = [b"abc"]

    def __iter__(self) -> Iterator[bytes]:
        while self.left:
            yield self.left.pop()


def returning(body: Any) -> Callable[[], Any]:
    return lambda: body


@pytest.mark.parametrize(
    "make", [Draining, lambda: returning(iter([b"a", b"bc"])), lambda: returning(OnlyAsyncReadClosing(b"a", b"bc"))]
)
async def test_an_iterable_that_is_empty_the_second_time_is_an_error(make: Callable[[], Any]) -> None:
    payload = build(body=make())
    assert await send_all(payload) == (None, b"abc")
    stream = ScriptedStream()
    with pytest.raises(BodyNotReplayable, match="has no content any more"):
        await send(payload, stream)
    assert stream.written == b""


async def test_a_file_that_was_closed_meanwhile_is_an_error(path: Path) -> None:
    async with aiofiles.open(path, "rb") as opened:
        payloads = [build(body=opened)]
        with path.open("rb") as file:
            payloads.append(build(body=file))
            for payload in payloads:
                assert await send(payload) == b"0123456789"
    for payload in payloads:
        with pytest.raises(BodyNotReplayable, match="can't be rewound"):
            await payload.open()


async def test_a_function_that_returns_the_same_file_again_is_an_error(path: Path) -> None:
    with path.open("rb") as file:
        payload = build(body=lambda: file)
        assert await send(payload) == b"0123456789"
        with pytest.raises(ValueError, match="closed file"):
            await payload.open()


@pytest.mark.parametrize("body", [5, 1.5, object(), {"a": b"1"}, True])
def test_invalid_body_is_refused_at_once(body: Any) -> None:
    with pytest.raises(TypeError, match="returns one of these as body, got"):
        build_payload(body=body)


def test_the_error_for_the_content_of_a_file_of_a_form_names_the_file() -> None:
    for file in (5, ("name.txt", 5)):
        with pytest.raises(TypeError, match="returns one of these as content of the file 'a', got int"):
            build_payload(files={"a": file})


async def test_the_result_of_a_body_function_must_be_a_body() -> None:
    with pytest.raises(TypeError, match="as body, got NoneType"):
        await build(body=lambda: None).open()


def test_text_that_utf_8_cannot_encode_is_refused() -> None:
    with pytest.raises(ValueError, match="UTF-8"):
        build_payload(body="secret\ud800")


def test_a_file_not_open_for_reading_is_refused(path: Path) -> None:
    with path.open("ab") as file, pytest.raises(ValueError, match="open for reading"):
        run_now(build(body=file).open())


# Opened bodies are closed


async def test_a_path_is_open_while_it_is_sent(path: Path) -> None:
    payload = build(body=path)
    assert not is_open(path)
    await payload.open()
    assert is_open(path)
    await payload.aclose()
    assert not is_open(path)
    await payload.aclose()


async def test_a_path_that_is_not_there() -> None:
    payload = build(body=Path("nowhere"))
    with pytest.raises(FileNotFoundError):
        await payload.open()
    await payload.aclose()


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
async def test_opened_parts_are_closed_if_a_later_part_fails_to_open(path: Path, error: type[BaseException]) -> None:
    def fail() -> bytes:
        assert is_open(path)
        raise error

    payload = build(files=[("a", lambda: path.open("rb")), ("b", fail), ("c", path)])
    with pytest.raises(error):
        await payload.open()
    assert not is_open(path)


async def test_files_that_a_function_makes_are_closed_and_the_callers_are_not(path: Path) -> None:
    made: list[io.BufferedReader] = []

    def make() -> io.BufferedReader:
        made.append(path.open("rb"))
        return made[-1]

    with path.open("rb") as own:
        payload = build(files={"made": make, "own": own})
        for count in (1, 2):
            await send(payload)
            assert [file.closed for file in made] == [True] * count
            assert not own.closed


async def test_the_asynchronous_file_that_a_function_makes_is_closed(path: Path) -> None:
    made: list[Any] = []

    async def make() -> Any:
        made.append(await aiofiles.open(path, "rb"))
        return made[-1]

    payload = build(body=make)
    assert [await send(payload), await send(payload)] == [b"0123456789"] * 2
    assert [file.closed for file in made] == [True, True]


def as_body(path: Path) -> dict[str, Any]:
    return {"body": path}


def in_form(path: Path) -> dict[str, Any]:
    return {"files": {"f": path}}


@pytest.mark.parametrize("arguments", [as_body, in_form])
async def test_a_path_that_has_become_a_fifo_is_not_sent_again(
    path: Path, arguments: Callable[[Path], dict[str, Any]]
) -> None:
    payload = build(**arguments(path))
    await send_all(payload)
    assert payload.is_replayable
    path.unlink()
    os.mkfifo(path)
    with pytest.raises((BodyNotReplayable, FileExistsError)):
        await send_all(payload)


@pytest.mark.parametrize("arguments", [as_body, in_form])
async def test_a_fifo_is_sent_once(tmp_path: Path, arguments: Callable[[Path], dict[str, Any]]) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    payload = build(**arguments(path))
    writing = asyncio.create_task(asyncio.to_thread(path.write_bytes, b"content"))
    assert b"content" in (await send_all(payload))[1]
    await writing
    assert not payload.is_replayable
    with pytest.raises(BodyNotReplayable, match="only once"):
        await send_all(payload)
