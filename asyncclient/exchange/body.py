"""Request bodies: what a caller may pass, and the Source that a request reads an opened body from."""

from __future__ import annotations

import inspect
import io
import os
import stat
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from ..arguments import maybe_await
from ..errors import BodyNotReplayable, clip
from .stream import Buffer

BLOCKSIZE: Final = 256 * 1024
"""Bytes read from a file at once, and the longest chunk of content that is in memory (decision 61)."""

LATIN_1: Final = "ISO-8859-1"
"""http.client's charset for text."""


class Readable(Protocol):
    """A file object: read(n) returns bytes or str, empty at the end."""

    def read(self, n: int, /) -> Any: ...


class AsyncReadable(Protocol):
    """A file object whose read(n) is a coroutine, such as those of aiofiles."""

    async def read(self, n: int, /) -> Any: ...


Body = (
    bytes
    | bytearray
    | memoryview
    | str
    | os.PathLike[str]
    | Readable
    | AsyncReadable
    | Iterable[Buffer]
    | AsyncIterable[Buffer]
)

Offload = Callable[..., Awaitable[Any]]
"""Calls a function, which may block on a disk, with its arguments, and returns its result. Callers on asyncio pass
stream.files.offload, which uses a worker thread."""


async def in_place(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in the calling thread: the Offload for content in memory, and for blocking callers."""
    return function(*args)


class RegularFile(NamedTuple):
    """A file that the kernel can send: its descriptor, the offset of the content, and the file object."""

    descriptor: int
    offset: int
    file: Any

    async def advance(self, position: int) -> None:
        """Set the position of the file that reading it would have led to."""
        await maybe_await(self.file.seek(position))


class Source:
    """An opened body: its length, and its content in chunks, to be read once.

    A source takes nothing from the body before the first read(). After that, the reader calls aclose() in any case.

    Attributes:
        length: bytes of content; more or fewer are an error. None if unknown: any length is accepted. It may be changed
            before the first read().
        data: the whole content if it is in memory; it may be sent without read().
        file: the regular file that has the content, if there is one; it may be sent without read().
        bytes_read: bytes that read() has returned.
        has_begun: whether read() was called, on this source or on an earlier one of the same body.
        had_content: whether an earlier source of the same body returned content. If this one returns none, the body is
            used up, which is an error.
    """

    __slots__ = ("bytes_read", "data", "file", "had_content", "has_begun", "length")

    def __init__(self, length: int | None, data: Buffer | None = None, file: RegularFile | None = None) -> None:
        self.length = length
        self.data = data
        self.file = file
        self.bytes_read = 0
        self.has_begun = False
        self.had_content = False

    @property
    def is_empty(self) -> bool:
        """Whether it is known, before anything is read, that there is no content."""
        return False

    async def read(self) -> Buffer:
        """Return the next chunk of the content, which the caller may keep; b"" at the end.

        Raises:
            ValueError: the content is shorter or longer than its length, or text that the charset can't encode.
            TypeError: the body returned something other than bytes.
            BodyNotReplayable: the body is used up.
            Exception: any error of the body.
        """
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close what read() has opened, but not the body itself; may be called any number of times."""

    def _count(self, chunk: Buffer) -> Buffer:
        """Return a chunk, after checking that it is within the length."""
        self.bytes_read += len(chunk)
        if self.length is not None and self.bytes_read > self.length:
            raise ValueError(f"body is longer than its length of {self.length} bytes")
        return chunk

    def _end(self) -> bytes:
        """Return b"", after checking that the content may end here."""
        if self.had_content and not self.bytes_read:
            raise BodyNotReplayable("body must be sent again, but has no content any more")
        if self.length is not None and self.bytes_read < self.length:
            missing = self.length - self.bytes_read
            raise ValueError(f"body ended {missing} bytes before its length of {self.length}")
        return b""


class BytesSource(Source):
    """Content in memory."""

    __slots__ = ("_data",)

    def __init__(self, data: Buffer) -> None:
        super().__init__(len(data), data)
        self._data = data

    @property
    def is_empty(self) -> bool:
        return self.length == 0

    async def read(self) -> Buffer:
        chunk = memoryview(self._data)[self.bytes_read : self.bytes_read + BLOCKSIZE]
        if not chunk:
            return self._end()
        # A transport may keep the data for a while, so a buffer that the caller may change is copied.
        return self._count(chunk if isinstance(self._data, bytes) else bytes(chunk))


class IterableSource(Source):
    """Content from an iterable. Empty items are skipped."""

    __slots__ = ("_items", "_iterator")

    def __init__(self, items: Iterable[Buffer]) -> None:
        super().__init__(None)
        self._items = items
        self._iterator: Iterator[Buffer] | None = None

    async def read(self) -> Buffer:
        if self._iterator is None:
            self.has_begun = True
            self._iterator = iter(self._items)
        for item in self._iterator:
            chunk = item if isinstance(item, bytes) else _to_bytes(item)
            if chunk:
                return self._count(chunk)
        return self._end()

    async def aclose(self) -> None:
        if isinstance(self._iterator, Generator):
            self._iterator.close()


class AsyncIterableSource(Source):
    """Content from an async iterable. Empty items are skipped."""

    __slots__ = ("_items", "_iterator")

    def __init__(self, items: AsyncIterable[Buffer]) -> None:
        super().__init__(None)
        self._items = items
        self._iterator: AsyncIterator[Buffer] | None = None

    async def read(self) -> Buffer:
        if self._iterator is None:
            self.has_begun = True
            self._iterator = aiter(self._items)
        async for item in self._iterator:
            chunk = item if isinstance(item, bytes) else _to_bytes(item)
            if chunk:
                return self._count(chunk)
        return self._end()

    async def aclose(self) -> None:
        # The garbage collector would close an unfinished generator in a task of its own.
        if isinstance(self._iterator, AsyncGenerator):
            await self._iterator.aclose()


class FileSource(Source):
    """Content of a file, read in blocks. Bytes after the length are not content: the file may grow.

    Args:
        read: returns up to n bytes or characters; empty at the end.
        length: bytes from the present position to the end; None if unknown.
        file: see Source.
        blocksize: bytes or characters to read at once.
        charset: the charset of text that read() returns.
    """

    __slots__ = ("_blocksize", "_charset", "_read")

    def __init__(
        self,
        read: Callable[[int], Awaitable[object]],
        length: int | None,
        file: RegularFile | None,
        blocksize: int,
        charset: str,
    ) -> None:
        super().__init__(length, None, file)
        self._read = read
        self._blocksize = blocksize
        self._charset = charset

    @property
    def is_empty(self) -> bool:
        return self.length == 0

    async def read(self) -> Buffer:
        self.has_begun = True
        left = None if self.length is None else self.length - self.bytes_read
        if left == 0:
            return self._end()
        block = await self._read(self._blocksize if left is None else min(left, self._blocksize))
        chunk = _encode_block(block, self._charset)[:left]
        return self._count(chunk) if chunk else self._end()


async def open_source(
    body: Body, blocksize: int = BLOCKSIZE, charset: str = LATIN_1, *, offload: Offload = in_place
) -> Source:
    """Return the source of a body. The caller closes the body, and does not change it until it is sent.

    A file is read from its present position. Paths are not accepted here: open them first.

    Args:
        body: see Body.
        blocksize: bytes read from a file at once.
        charset: the charset of a str, and of the text that a file returns.
        offload: calls the read() of a file.

    Raises:
        TypeError: the body has another type.
        ValueError: text that the charset can't encode, or a file that is not open for reading.
    """
    if isinstance(body, str):
        return BytesSource(encode_text(body, charset))
    if isinstance(body, bytes):
        return BytesSource(body)
    read = getattr(body, "read", None)
    if read is None:
        return _open_buffer_or_iterable(body)
    if inspect.iscoroutinefunction(read):
        return await _open_async_file(body, blocksize, charset)
    return await _open_file(body, blocksize, charset, offload)


def _open_buffer_or_iterable(body: Any) -> Source:
    data = find_buffer(body)
    if data is not None:
        return BytesSource(data)
    if isinstance(body, AsyncIterable):
        return AsyncIterableSource(body)
    if isinstance(body, Iterable) and not isinstance(body, Mapping):
        return IterableSource(body)
    raise TypeError(f"expected bytes, str, a file, a path or an iterable of bytes as body, got {type(body).__name__}")


def find_buffer(body: Any) -> Buffer | None:
    """Return the bytes of an object with the buffer protocol, such as a bytearray or an array; None for others."""
    try:
        view = memoryview(body)
    except TypeError:
        return None
    return view.cast("B") if view.contiguous else view.tobytes()


def encode_text(text: str, charset: str = LATIN_1) -> bytes:
    """Return encoded text; raises a ValueError that names the first characters that the charset can't encode."""
    try:
        return text.encode(charset)
    except UnicodeEncodeError as exc:
        raise ValueError(
            f"expected a body in {charset}, got {clip(text[exc.start : exc.end])} in a str: pass encoded bytes instead"
        ) from None


def _to_bytes(item: object) -> bytes:
    try:
        return bytes(memoryview(item))  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"expected bytes from the body, got {type(item).__name__}") from None


def _encode_block(block: object, charset: str) -> bytes:
    """Return the result of read() as bytes. None is refused: a file in non-blocking mode returns it before its end."""
    if isinstance(block, bytes):
        return block
    return encode_text(block, charset) if isinstance(block, str) else _to_bytes(block)


# Files


async def _open_file(file: Any, blocksize: int, charset: str, offload: Offload) -> Source:
    if isinstance(file, io.IOBase) and not file.readable():
        raise ValueError("expected a file that is open for reading as body")
    read = partial(in_place if isinstance(file, io.BytesIO) else offload, file.read)
    length = await _measure(file) if _is_measurable(file) else None
    return FileSource(read, length, _find_regular_file(file, file), blocksize, charset)


async def _open_async_file(file: Any, blocksize: int, charset: str) -> Source:
    raw = getattr(file, "_file", None)  # of aiofiles; a file of another type there is not used
    regular = _find_regular_file(file, raw) if type(file).__module__.startswith("aiofiles.") else None
    length = await _measure(file) if _is_measurable(file) and _is_measurable(raw) else None
    return FileSource(file.read, length, regular, blocksize, charset)


_DECOMPRESSING = frozenset(("bz2", "gzip", "lzma", "zipfile"))
"""Modules of files that must decompress all of their content to find its end."""


def _is_measurable(file: Any) -> bool:
    """Return whether the end of a file gives its length: encoded text has another length than its file."""
    is_text = isinstance(file, io.TextIOBase) or getattr(file, "encoding", None) is not None
    return not is_text and type(file).__module__ not in _DECOMPRESSING


CANT_SEEK: Final = (AttributeError, OSError, ValueError, TypeError)
"""Exceptions of a pipe, or of an object that has only read()."""


async def _measure(file: Any) -> int | None:
    """Return the bytes from the present position to the end, by seeking there and back; None if the file can't seek."""
    try:
        position = await maybe_await(file.tell())
        try:
            await maybe_await(file.seek(0, os.SEEK_END))
            size = await maybe_await(file.tell()) - position
        finally:
            await maybe_await(file.seek(position))
    except CANT_SEEK:
        return None
    return max(int(size), 0)


def _find_regular_file(file: Any, raw: Any) -> RegularFile | None:
    """Return the regular file under `raw`. A subclass is refused, because its read() may return other bytes."""
    if type(raw) not in (io.BufferedReader, io.BufferedRandom, io.FileIO):
        return None
    if type(getattr(raw, "raw", raw)) is not io.FileIO or not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
        return None
    return RegularFile(raw.fileno(), raw.tell(), file)
