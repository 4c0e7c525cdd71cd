"""Files as bodies, of every kind: their lengths, the bytes that are sent, and the state they are left in."""

import asyncio
import bz2
import codecs
import contextlib
import gzip
import io
import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiofiles
import pytest

from asyncclient.exchange.body import open_source
from tests.exchange.sending import content_of, read_source
from tests.scripted import run_now

REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file.bin"
    path.write_bytes(b"0123456789")
    return path


def spooled(data: bytes, max_size: int) -> Any:
    file = tempfile.SpooledTemporaryFile(max_size)  # noqa: SIM115
    file.write(data)
    file.seek(0)
    return file


@pytest.mark.parametrize("position", [0, 4, 10, 15])
@pytest.mark.parametrize(
    "open_file",
    [
        lambda path: path.open("rb"),
        lambda path: path.open("r+b"),
        lambda path: path.open("rb", buffering=0),
        lambda path: io.BytesIO(path.read_bytes()),
        lambda path: spooled(path.read_bytes(), 1000),
        lambda path: spooled(path.read_bytes(), 1),
    ],
    ids=["buffered", "random", "raw", "memory", "spooled", "rolled over"],
)
def test_a_file_counts_from_its_position(path: Path, open_file: Callable[[Path], Any], position: int) -> None:
    with open_file(path) as file:
        file.seek(position)
        rest = b"0123456789"[position:]
        assert content_of(file) == (len(rest), rest)
        assert file.tell() == max(position, 10)


def test_reading_a_file_ahead_does_not_move_its_content(path: Path) -> None:
    with path.open("rb") as file:
        file.readline(3)
        source = run_now(open_source(file))
        assert source.file is not None
        assert os.pread(source.file.descriptor, 100, source.file.offset) == b"3456789"
        run_now(source.file.advance(7))
        assert file.tell() == 7


def test_unflushed_writes_are_part_of_the_file(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(5)
        file.write(b"abcdefgh")
        file.seek(0)
        file.seek(13)
        file.write(b"!")
        source = run_now(open_source(file))
        file.seek(0)
        assert content_of(file) == (14, b"01234abcdefgh!")
        assert source.length == 0


def test_files_are_read_in_worker_threads(path: Path) -> None:
    calls = []

    async def offload(function: Callable[..., Any], *args: Any) -> Any:
        calls.append((function, *args))
        return function(*args)

    with path.open("rb") as file:
        assert run_now(read_source(run_now(open_source(file, 4, offload=offload)))) == b"0123456789"
    assert calls == [(file.read, 4), (file.read, 4), (file.read, 2)]


class OwnRead(io.FileIO):
    def read(self, n: int | None = -1, /) -> bytes:
        return super().read(n).translate(bytes(range(1, 256)) + b"\0")


def test_a_subclass_with_its_own_read_is_read(path: Path) -> None:
    with OwnRead(path) as file:
        source = run_now(open_source(file))
        assert source.file is None
        assert run_now(read_source(source)) == b"123456789:"


@pytest.mark.parametrize("opener", [gzip.open, bz2.open])
def test_a_compressed_file_gives_its_content(tmp_path: Path, opener: Callable[..., Any]) -> None:
    with opener(tmp_path / "file", "wb") as file:
        file.write(b"content" * 100)
    with opener(tmp_path / "file", "rb") as file:
        source = run_now(open_source(file))
        assert source.file is None
        assert source.length in (None, 700)
        assert run_now(read_source(source)) == b"content" * 100


@pytest.mark.parametrize("opener", [gzip.open, bz2.open])
def test_a_compressed_file_is_not_decompressed_to_be_measured(tmp_path: Path, opener: Callable[..., Any]) -> None:
    with opener(tmp_path / "file", "wb") as file:
        file.write(bytes(1_000_000))
    with (tmp_path / "file").open("rb") as compressed, opener(compressed, "rb") as file:
        assert run_now(open_source(file)).length is None
        assert file.tell() == compressed.tell() == 0


def test_a_pipe_has_no_length() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as file:
        with open(writing, "wb") as feeding:
            feeding.write(b"through the pipe")
        assert content_of(file) == (None, b"through the pipe")


class OnlyRead:
    def __init__(self, *blocks: Any) -> None:
        self.blocks = list(blocks)

    def read(self, n: int) -> Any:
        return self.blocks.pop(0) if self.blocks else b""


class OnlyAsyncRead(OnlyRead):
    async def read(self, n: int) -> Any:
        return super().read(n)


@pytest.mark.parametrize("kind", [OnlyRead, OnlyAsyncRead])
@pytest.mark.parametrize("blocks", [(b"ab", b"c"), ("ab", "c"), (bytearray(b"ab"), memoryview(b"c")), ("\xe9", b"")])
def test_an_object_that_can_only_read_is_a_file(kind: type[OnlyRead], blocks: tuple[Any, ...]) -> None:
    expected = b"\xe9" if blocks[0] == "\xe9" else b"abc"
    assert content_of(kind(*blocks)) == (None, expected)


@pytest.mark.parametrize("kind", [OnlyRead, OnlyAsyncRead])
@pytest.mark.parametrize("wrong", [5, 1.5, [1, 2], {"a": 1}, object(), None])
def test_a_file_that_gives_something_else_is_refused(kind: type[OnlyRead], wrong: object) -> None:
    with pytest.raises(TypeError):
        content_of(kind(b"a", wrong, b"c"))


@pytest.mark.parametrize("kind", [OnlyRead, OnlyAsyncRead])
def test_a_file_with_text_beyond_latin_1_is_refused(kind: type[OnlyRead]) -> None:
    with pytest.raises(ValueError, match="ISO-8859-1"):
        content_of(kind("a", "€"))


class Seekable(io.BytesIO):
    """As mmap.mmap before Python 3.13, and files of old: seek() gives nothing."""

    def seek(self, *args: int) -> None:  # type: ignore[override]
        super().seek(*args)


def test_a_file_is_sent_whole_if_its_seek_returns_none(path: Path) -> None:
    memory: Any = Seekable(b"hello")
    length, content = content_of(memory)
    assert content == b"hello"
    assert length in (None, 5)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped.seek(3)
        length, content = content_of(mapped)
        assert content == b"3456789"
        assert length in (None, 7)


# Text files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
@pytest.mark.parametrize("kind", ["file", "named", "spooled", "rolled over", "codecs"])
def test_text_is_never_measured_in_its_files_encoding(tmp_path: Path, encoding: str, kind: str) -> None:
    with contextlib.ExitStack() as stack:
        file: Any
        if kind == "file":
            file = (tmp_path / "text").open("w+", encoding=encoding)
        elif kind == "named":
            file = tempfile.NamedTemporaryFile("w+", encoding=encoding)  # noqa: SIM115
        elif kind == "codecs":
            file = codecs.open(str(tmp_path / "text"), "w+", encoding=encoding)  # noqa: SIM115
        else:
            file = tempfile.SpooledTemporaryFile(1000 if kind == "spooled" else 1, "w+", encoding=encoding)  # noqa: SIM115
        stack.enter_context(file)
        file.write("déjà vu")
        file.seek(0)
        assert content_of(file) == (None, b"d\xe9j\xe0 vu")


def test_text_in_memory_is_latin_1() -> None:
    assert content_of(io.StringIO("déjà vu")) == (None, b"d\xe9j\xe0 vu")
    with pytest.raises(ValueError, match="ISO-8859-1"):
        content_of(io.StringIO("€"))


# aiofiles


async def test_an_asynchronous_file_counts_from_its_position(path: Path) -> None:
    async with aiofiles.open(path, "rb") as file:
        await file.seek(4)
        source = await open_source(file, 4)
        assert source.length == 6
        assert source.file is not None
        assert os.pread(source.file.descriptor, 100, source.file.offset) == b"456789"
        assert await read_source(source) == b"456789"
        await source.file.advance(5)
        assert await file.tell() == 5


async def test_asynchronous_text_is_never_measured_in_its_files_encoding(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("déjà vu", encoding="utf-8")
    async with aiofiles.open(tmp_path / "text", encoding="utf-8") as file:
        source = await open_source(file, 4)
        assert source.file is None
        assert await read_source(source) == b"d\xe9j\xe0 vu"
        assert source.length is None


async def test_an_asynchronous_pipe_has_no_length() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"hello")
    os.close(writing)
    async with aiofiles.open(reading, "rb") as file:
        source = await open_source(file)
        assert source.length is None
        assert source.file is None
        assert await read_source(source) == b"hello"


async def test_a_stream_reader_is_a_file() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"hello")
    reader.feed_eof()
    source = await open_source(reader)
    assert source.length is None
    assert await read_source(source) == b"hello"


class NoneSeeking:
    """An asynchronous file whose seek() gives nothing."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)

    async def read(self, n: int) -> bytes:
        return self.file.read(n)

    async def tell(self) -> int:
        return self.file.tell()

    async def seek(self, *args: int) -> None:
        self.file.seek(*args)


async def test_an_asynchronous_file_is_sent_whole_if_its_seek_returns_none() -> None:
    source = await open_source(NoneSeeking(b"hello"))
    assert await read_source(source) == b"hello"


@pytest.mark.parametrize("kind", ["on disk", "in memory"])
def test_bytes_that_a_file_grows_by_are_not_content(path: Path, kind: str) -> None:
    with path.open("r+b") if kind == "on disk" else io.BytesIO(path.read_bytes()) as file:
        source = run_now(open_source(file, 4))
        file.seek(0, os.SEEK_END)
        file.write(b"more")
        file.seek(0)
        assert run_now(read_source(source)) == b"0123456789"
        assert file.tell() == 10


def test_an_empty_source_is_known_before_it_is_read(path: Path) -> None:
    with path.open("rb") as file:
        assert not run_now(open_source(file)).is_empty
        file.seek(10)
        assert run_now(open_source(file)).is_empty
    assert run_now(open_source(io.BytesIO())).is_empty
    assert run_now(open_source(b"")).is_empty
    assert not run_now(open_source(b"x")).is_empty
    assert not run_now(open_source([])).is_empty
