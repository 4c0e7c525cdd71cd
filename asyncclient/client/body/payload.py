"""A request's body as the client keeps it: opened again each time the request is sent.

A request may be sent several times: after a redirect, a challenge or an error. Each time its body has to be the same,
so it is rewound or created again. If that is impossible, or has not worked, the request fails: a truncated body is
never sent without an error.
"""

from __future__ import annotations

import inspect
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from io import BufferedReader
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Final

from ...arguments import maybe_await
from ...errors import BodyNotReplayable, clip
from ...exchange.body import BLOCKSIZE, CANT_SEEK, BytesSource, Source, encode_text, find_buffer, open_source
from ...exchange.stream import Buffer
from ...stream.files import FileState, measure_file, offload, open_file

CHARSET: Final = "UTF-8"
"""The charset of text that is sent: of a str, and of the text that a file returns."""

TEXT: Final = "text/plain; charset=utf-8"


class Payload:
    """The body of a request, which may be sent any number of times, one at a time: open(), send the source, aclose().

    The source is closed by its reader.

    Attributes:
        content_type: a default for Content-Type; None if it is not known.
        data: the whole body if it is in memory; it may be sent without open().
    """

    content_type: str | None = None
    data: Buffer | None = None

    @property
    def is_replayable(self) -> bool:
        """Whether open() returns the whole body now: nothing was read yet, or it can be rewound or created again."""
        return True

    async def open(self, blocksize: int = BLOCKSIZE, *, lazy: bool = False) -> Source:
        """Return the source of the body, to be sent once. If this fails or is cancelled, nothing stays open.

        Args:
            blocksize: bytes read from a file at once.
            lazy: measure the file of a path now, and open it at the first read of the source, which closes it at its
                end, so that the parts of a form need one descriptor at a time.

        Raises:
            BodyNotReplayable: the body was read before, and can be read only once.
            OSError, ValueError, TypeError: it can't be opened or sent.
            Exception: any error of a caller's function or file.
        """
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close the files that open() has opened, but not those of the caller; may be called any number of times."""

    def store(self) -> Payload:
        """Return the payload to put into a pickle: with the bytes if the body is in memory, else a GonePayload."""
        return (
            GonePayload(self.content_type) if self.data is None else BytesPayload(bytes(self.data), self.content_type)
        )


class WrappedPayload(Payload):
    """Base of a body that is made of another one while that is sent; a subclass opens it."""

    def __init__(self, payload: Payload) -> None:
        self.content_type = payload.content_type
        self._payload = payload

    @property
    def is_replayable(self) -> bool:
        """See Payload."""
        return self._payload.is_replayable

    async def aclose(self) -> None:
        """See Payload."""
        await self._payload.aclose()


def make_payload(body: Any, *, is_owned: bool = False, file: str | None = None) -> Payload:
    """Return the payload of a caller's body.

    Args:
        body: bytes, str (UTF-8), a path, a file, an iterable or async iterable of bytes, or a function without
            arguments, plain or async, generator or not, that returns one of these each time the body is sent.
        is_owned: aclose() closes a file.
        file: the name of the file of a form whose content it is, for error texts.

    Raises:
        TypeError: the body is of another type.
        ValueError: text that UTF-8 can't encode, or a closed file.
    """
    if isinstance(body, str):
        return BytesPayload(encode_text(body, CHARSET), TEXT)
    if isinstance(body, bytes):
        return BytesPayload(body)
    if isinstance(body, os.PathLike):
        return PathPayload(body)
    if hasattr(body, "read"):
        return FilePayload(body, is_owned=is_owned)
    data = find_buffer(body)
    if data is not None:
        return BytesPayload(data)
    if isinstance(body, Iterable | AsyncIterable) and not isinstance(body, Mapping):
        return IterablePayload(body)
    if callable(body):
        return FactoryPayload(body)
    what = "body" if file is None else f"content of the file {clip(file)}"
    raise TypeError(
        "expected bytes, str, a file, a path, an iterable of bytes or a function that returns one of these as "
        f"{what}, got {type(body).__name__}"
    )


class BytesPayload(Payload):
    """A body in memory."""

    def __init__(self, data: Buffer, content_type: str | None = None) -> None:
        self.data = self._data = data
        self.content_type = content_type

    async def open(self, blocksize: int = BLOCKSIZE, *, lazy: bool = False) -> Source:
        """See Payload."""
        return BytesSource(self._data)


class GonePayload(Payload):
    """A body that was left out of a pickle of its request."""

    def __init__(self, content_type: str | None) -> None:
        self.content_type = content_type

    @property
    def is_replayable(self) -> bool:
        """See Payload."""
        return False

    async def open(self, blocksize: int = BLOCKSIZE, *, lazy: bool = False) -> Source:
        """See Payload."""
        raise BodyNotReplayable("body is not kept in a pickle of its request: only bytes in memory are")


class _ReadPayload(Payload):
    """A body that is read while it is sent. It may be used up when it is opened again."""

    def __init__(self) -> None:
        self._source: Source | None = None  # the source that was opened last

    @property
    def _has_begun(self) -> bool:
        return self._source is not None and self._source.has_begun

    def _track(self, source: Source) -> Source:
        """Return a source, after noting in it whether earlier sources of the body were read."""
        last = self._source
        if last is not None:
            source.has_begun |= last.has_begun
            source.had_content = last.had_content or last.bytes_read > 0
        self._source = source
        return source


def _used_up(body: object) -> BodyNotReplayable:
    return BodyNotReplayable(
        f"body was read already, and {type(body).__name__} can be read only once: give a function that creates it again"
    )


class FilePayload(_ReadPayload):
    """A file, plain or async, read from its position at the first open(), and rewound to it if it can seek."""

    def __init__(self, file: Any, *, is_owned: bool = False) -> None:
        super().__init__()
        self._file = file
        self._is_owned = is_owned
        self._start: int | None = None
        self._may_seek = _may_seek(file)

    @property
    def is_replayable(self) -> bool:
        """See Payload."""
        return self._may_seek or not self._has_begun

    async def open(self, blocksize: int = BLOCKSIZE, *, lazy: bool = False) -> Source:
        """See Payload."""
        if self._start is not None:
            await self._rewind(self._start)
        elif self._has_begun:
            raise _used_up(self._file)
        elif self._may_seek:
            await self._note_start()
        return self._track(await open_source(self._file, blocksize, CHARSET, offload=offload))

    async def _note_start(self) -> None:
        try:
            self._start = await maybe_await(self._file.tell())
        except CANT_SEEK:
            self._may_seek = False

    async def _rewind(self, start: int) -> None:
        try:
            await maybe_await(self._file.seek(start))
        except CANT_SEEK as exc:
            raise BodyNotReplayable(f"body has to be sent again, but can't be rewound: {exc}") from exc

    async def aclose(self) -> None:
        """See Payload."""
        close = getattr(self._file, "close", None) if self._is_owned else None
        if close is not None:
            await maybe_await(close())


def _may_seek(file: Any) -> bool:
    """Return whether a file can be rewound: by its seekable(), or, if that is a coroutine, by the methods it has."""
    seekable = getattr(file, "seekable", None)
    if seekable is None or inspect.iscoroutinefunction(seekable):
        return hasattr(file, "seek") and hasattr(file, "tell")
    return bool(seekable())


class IterablePayload(_ReadPayload):
    """Bytes from an iterable, which can be read any number of times, or from an iterator, which can be read once."""

    def __init__(self, items: Iterable[Buffer] | AsyncIterable[Buffer]) -> None:
        super().__init__()
        self._items = items
        self._is_iterator = isinstance(items, Iterator | AsyncIterator)

    @property
    def is_replayable(self) -> bool:
        """See Payload."""
        return not (self._is_iterator and self._has_begun)

    async def open(self, blocksize: int = BLOCKSIZE, *, lazy: bool = False) -> Source:
        """See Payload."""
        if not self.is_replayable or _is_finished(self._items):
            raise _used_up(self._items)
        return self._track(await open_source(self._items, blocksize))


def _is_finished(items: object) -> bool:
    """Return whether this is a generator that has ended, perhaps because another request has sent it."""
    if isinstance(items, GeneratorType):
        return items.gi_frame is None
    return isinstance(items, AsyncGeneratorType) and items.ag_frame is None


class FactoryPayload(_ReadPayload):
    """A function that returns the body for each sending. aclose() closes a file that it returned."""

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__()
        self._make = make
        self._made: Payload | None = None

    async def open(self, blocksize: int = BLOCKSIZE, *, lazy: bool = False) -> Source:
        """See Payload."""
        self._made = make_payload(await maybe_await(self._make()), is_owned=True)
        try:
            return self._track(await self._made.open(blocksize, lazy=lazy))
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """See Payload."""
        made, self._made = self._made, None
        if made is not None:
            await made.aclose()


class PathPayload(_ReadPayload):
    """The file at a path, opened again each time. A FIFO or a device can be read only once."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self._path = path
        self._is_regular: bool | None = None  # None until it is opened or measured
        self._file: BufferedReader | None = None

    @property
    def is_replayable(self) -> bool:
        """See Payload."""
        return self._is_regular is not False or not self._has_begun

    async def open(self, blocksize: int = BLOCKSIZE, *, lazy: bool = False) -> Source:
        """See Payload."""
        if not self.is_replayable:
            raise _used_up(self._path)
        source = await (self._open_lazily(blocksize) if lazy else self._open_now(blocksize))
        return self._track(source)

    async def _open_now(self, blocksize: int) -> Source:
        self._file = await open_file(self._path, must_be_regular=self._is_regular is True)
        self._is_regular = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        source = await open_source(self._file, blocksize, offload=offload)
        source.has_begun = not self._is_regular  # opening a FIFO and closing it ends the program that writes to it
        return source

    async def _open_lazily(self, blocksize: int) -> Source:
        state = await measure_file(self._path)
        if state is None and self._is_regular:
            raise _used_up(self._path)
        self._is_regular = state is not None
        return _LazyFileSource(self._path, state, blocksize)

    async def aclose(self) -> None:
        """See Payload."""
        if self._file is not None:
            self._file.close()


class _LazyFileSource(Source):
    """The content of a path, opened with the first read() and closed at the end.

    Args:
        path: of the file.
        state: of a regular file, which must be unchanged when it is opened; None for a FIFO or a device.
        blocksize: bytes read at once.
    """

    __slots__ = ("_blocksize", "_file", "_opened", "_path", "_state")

    def __init__(self, path: str | os.PathLike[str], state: FileState | None, blocksize: int) -> None:
        super().__init__(None if state is None else state.size)
        self._path = path
        self._state = state
        self._blocksize = blocksize
        self._file: BufferedReader | None = None
        self._opened: Source | None = None

    async def read(self) -> Buffer:
        self.has_begun = True
        if self._opened is None:
            self._file = await open_file(self._path, self._state)
            self._opened = await open_source(self._file, self._blocksize, offload=offload)
            if self.length is not None:
                self._opened.length = self.length
        chunk = await self._opened.read()
        if chunk:
            return self._count(chunk)
        await self.aclose()
        return self._end()

    async def aclose(self) -> None:
        """See Payload."""
        if self._file is not None:
            self._file.close()
