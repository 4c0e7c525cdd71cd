"""What a caller may pass as a body, as one thing: how long it is, and its pieces."""

from __future__ import annotations

import inspect
import io
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable, Mapping
from contextlib import aclosing
from typing import Any, Final, NamedTuple, Protocol

from ..errors import clip
from .stream import Buffer, ByteStream

BLOCK: Final = 256 * 1024
"""Bytes read from a file at once, each time in a worker thread: the hop costs 60 µs, a block 30."""

LATIN_1: Final = "ISO-8859-1"
"""http.client's charset for text."""

Pieces = Callable[[ByteStream], AsyncGenerator[Buffer, None]]


class Readable(Protocol):
    """A file object: read(n) gives bytes or str, at the end an empty one."""

    def read(self, n: int, /) -> Any: ...


class AsyncReadable(Protocol):
    """A file object whose read(n) is a coroutine, as aiofiles gives."""

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


class RegularFile(NamedTuple):
    """A file that the kernel can send by itself: its descriptor, where its content begins, and the object above it."""

    descriptor: int
    offset: int
    file: Any

    async def advance(self, position: int) -> None:
        """Leave the file where reading it would have."""
        moved = self.file.seek(position)
        if inspect.isawaitable(moved):
            await moved


class Source(NamedTuple):
    """The content of a request.

    Attributes:
        length: its bytes, None if only the end of the pieces will tell.
        pieces: gives them, given the stream they go to, whose workers read files.
        data: all of it, where it is at hand as bytes.
        file: the regular file it is in, if it is.
        may_grow: it is in a file: what that has beyond the length is not content.
    """

    length: int | None
    pieces: Pieces
    data: Buffer | None = None
    file: RegularFile | None = None
    may_grow: bool = False


async def open_source(body: Body, blocksize: int = BLOCK, charset: str = LATIN_1) -> Source:
    """Return the content that a body stands for; the body stays the caller's, to close and to keep as it is.

    A file counts from its present position. Paths are the business of whoever opens them.

    Args:
        body: what a caller may pass.
        blocksize: bytes read from a file at once.
        charset: of a str, and of what a text file gives.

    Raises:
        TypeError: nothing that can be sent.
        ValueError: text that the charset can't encode.
    """
    if isinstance(body, str):
        return from_bytes(encode_text(body, charset))
    if isinstance(body, bytes):
        return from_bytes(body)
    read = getattr(body, "read", None)
    if read is not None:
        return (
            await _from_async_file(body, blocksize, charset)
            if inspect.iscoroutinefunction(read)
            else _from_file(body, blocksize, charset)
        )
    return _from_buffer_or_iterable(body)


def _from_buffer_or_iterable(body: Any) -> Source:
    data = find_buffer(body)
    if data is not None:
        return from_bytes(data)
    if isinstance(body, AsyncIterable):
        return Source(None, lambda stream: _checked(body))
    if isinstance(body, Iterable) and not isinstance(body, Mapping):
        return Source(None, lambda stream: _checked(_iterate(body)))
    raise TypeError(f"expected bytes, str, a file, a path or an iterable of bytes as body, got {type(body).__name__}")


def find_buffer(body: Any) -> Buffer | None:
    """Return the bytes of an object that has them at hand, such as a bytearray or an array; None if it has none."""
    try:
        view = memoryview(body)
    except TypeError:
        return None
    return view.cast("B") if view.contiguous else view.tobytes()


def encode_text(text: str, charset: str = LATIN_1) -> bytes:
    """Encode text; what the charset can't encode is a ValueError that tells no more than that of it."""
    try:
        return text.encode(charset)
    except UnicodeEncodeError as exc:
        raise ValueError(
            f"expected a body in {charset}, got {clip(text[exc.start : exc.end])} in a str: pass encoded bytes instead"
        ) from None


def from_bytes(data: Buffer) -> Source:
    """Return the content that these bytes are."""
    return Source(len(data), lambda stream: _slices(data), data)


async def _slices(data: Buffer) -> AsyncGenerator[Buffer, None]:
    view = memoryview(data)
    for start in range(0, len(view), BLOCK):
        piece = view[start : start + BLOCK]
        # A transport may keep what it is given for a while: only bytes can't change meanwhile.
        yield piece if isinstance(data, bytes) else bytes(piece)


async def _iterate(pieces: Iterable[Buffer]) -> AsyncGenerator[Buffer, None]:
    iterator = iter(pieces)
    try:
        for piece in iterator:
            yield piece
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


async def _checked(pieces: AsyncIterable[Buffer]) -> AsyncGenerator[Buffer, None]:
    iterator = aiter(pieces)
    try:
        async for piece in iterator:
            yield piece if isinstance(piece, bytes) else _to_bytes(piece)
    finally:
        # A generator that is not exhausted would be closed by the garbage collector, in a task of its own.
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()


def _to_bytes(piece: object) -> bytes:
    try:
        return bytes(memoryview(piece))  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"expected bytes from the body, got {type(piece).__name__}") from None


def _from_file(file: Any, blocksize: int, charset: str) -> Source:
    if isinstance(file, io.IOBase) and not file.readable():
        raise ValueError("expected a file that is open for reading as body")
    if isinstance(file, io.BytesIO):
        return Source(_size_from_here(file), lambda stream: _read_memory(file, blocksize), may_grow=True)
    length = _size_from_here(file) if _is_measurable(file) else None
    regular = _find_regular_file(file, file)
    return Source(length, lambda stream: _read_blocks(stream, file, blocksize, charset), None, regular, True)


_UNPACKING = frozenset(("bz2", "gzip", "lzma", "zipfile"))
"""Modules whose files unpack all they hold to find their end."""


def _is_measurable(file: Any) -> bool:
    """Return whether the end of a file tells its length: text has another one once it is encoded."""
    is_text = isinstance(file, io.TextIOBase) or getattr(file, "encoding", None) is not None
    return not is_text and type(file).__module__ not in _UNPACKING


def _size_from_here(file: Any) -> int | None:
    """Return the bytes from the present position to the end, by seeking there and back; None if it can't."""
    try:
        position = file.tell()
        try:
            file.seek(0, os.SEEK_END)
            size = file.tell() - position
        finally:
            file.seek(position)
    except (AttributeError, OSError, ValueError, TypeError):
        return None  # a pipe, an object with nothing but read()
    return max(int(size), 0)


def _find_regular_file(file: Any, raw: Any) -> RegularFile | None:
    """Return the regular file read through `raw`, if it is read as it is: a subclass may have a read() of its own."""
    if type(raw) not in (io.BufferedReader, io.BufferedRandom, io.FileIO):
        return None
    if type(getattr(raw, "raw", raw)) is not io.FileIO or not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
        return None
    return RegularFile(raw.fileno(), raw.tell(), file)


async def _read_memory(file: io.BytesIO, blocksize: int) -> AsyncGenerator[bytes, None]:
    while block := file.read(blocksize):
        yield block


async def _read_blocks(stream: ByteStream, file: Readable, blocksize: int, charset: str) -> AsyncGenerator[bytes, None]:
    while block := _encode_block(await stream.offload(file.read, blocksize), charset):
        yield block


async def _read_async(file: AsyncReadable, blocksize: int, charset: str) -> AsyncGenerator[bytes, None]:
    while block := _encode_block(await file.read(blocksize), charset):
        yield block


def _encode_block(block: object, charset: str) -> bytes:
    """Return what read() gave as bytes; None, from a file that does not block, is not the end of it."""
    if isinstance(block, bytes):
        return block
    return encode_text(block, charset) if isinstance(block, str) else _to_bytes(block)


async def _from_async_file(file: Any, blocksize: int, charset: str) -> Source:
    raw = getattr(file, "_file", None)  # aiofiles; only a file that is really that is looked at further
    regular = _find_regular_file(file, raw) if type(file).__module__.startswith("aiofiles.") else None
    length = await _async_size_from_here(file) if _is_measurable(file) and _is_measurable(raw) else None
    return Source(length, lambda stream: _read_async(file, blocksize, charset), None, regular, True)


async def _async_size_from_here(file: Any) -> int | None:
    try:
        position = await file.tell()
        try:
            await file.seek(0, os.SEEK_END)
            size = await file.tell() - position
        finally:
            await file.seek(position)
    except (AttributeError, OSError, ValueError, TypeError):
        return None
    return max(int(size), 0)


def open_pieces(source: Source, stream: ByteStream) -> AsyncGenerator[Buffer, None]:
    """Return the pieces of a source, held to its length: what a file has grown by since it was measured is left out.

    Reading them raises ValueError where the content turns out shorter, or longer and is no file.
    """
    return source.pieces(stream) if source.length is None else _hold_to(source.length, source, stream)


async def _hold_to(length: int, source: Source, stream: ByteStream) -> AsyncGenerator[Buffer, None]:
    left = length
    async with aclosing(source.pieces(stream)) as pieces:
        async for piece in pieces:
            if len(piece) > left and not source.may_grow:
                raise ValueError(f"body is longer than its length of {length} bytes")
            kept = piece[:left]
            left -= len(kept)
            yield kept
            if left == 0 and source.may_grow:
                return
    if left:
        raise ValueError(f"body ended {left} bytes before its length of {length}")
