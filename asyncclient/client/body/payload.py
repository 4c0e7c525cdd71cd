"""A request's body as the client keeps it: opened anew for each sending.

A request may have to go out again: after a redirect, a challenge, a retry. Then its body has to be what it was. So it
is rewound or made anew; where that can't be done, and where it turns out that it was not, the request fails. What goes
out is never less than what was meant, silently.
"""

from __future__ import annotations

import inspect
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing
from functools import partial
from io import BufferedReader
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Final, Protocol

from ...errors import BodyNotReplayable
from ...exchange.body import BLOCK, Source, encode_text, find_buffer, from_bytes, open_source
from ...exchange.stream import Buffer, ByteStream
from ...stream.files import FileState, measure_file, open_file

CHARSET: Final = "UTF-8"
"""Of text that is sent: of a str, and of what a text file gives."""

TEXT: Final = "text/plain; charset=utf-8"

_CANT_SEEK = (AttributeError, OSError, ValueError, TypeError)


class Payload(Protocol):
    """The body of a request, for any number of sendings, one at a time: open() it, send the source, close() it.

    Attributes:
        content_type: a default for Content-Type, None if nothing is known.
        data: all of it, where it is at hand; it may be sent without open().
    """

    content_type: str | None = None
    data: Buffer | None = None

    @property
    def is_replayable(self) -> bool:
        """Whether open() gives the whole of it now: nothing was taken yet, or it can be rewound or made anew."""
        return True

    async def open(self, blocksize: int = BLOCK) -> Source:
        """Return the content, for one sending. If this fails or is cancelled nothing stays open.

        Args:
            blocksize: bytes read from a file at once.

        Raises:
            BodyNotReplayable: some of it was taken before, and is gone.
            OSError, ValueError, TypeError: it can't be opened or sent; and what a caller's function or file raises.
        """
        ...

    async def open_in_turn(self, blocksize: int = BLOCK) -> Source:
        """Return the content as open() does, for one of many parts: a path is measured now, and opened when it is read.

        Raises: as open().
        """
        return await self.open(blocksize)

    async def close(self) -> None:
        """Close what open() has opened, not what is the caller's; any number of times."""
        ...


def make_payload(body: Any, *, is_owned: bool = False) -> Payload:
    """Return the payload for what a caller gives as a body.

    Args:
        body: bytes, str (UTF-8), a path, a file, an iterable or async iterable of bytes, or a function without
            arguments, plain or async, generator or not, that returns one of these for each sending.
        is_owned: a file is closed after the sending.

    Raises:
        TypeError: none of these.
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
    raise TypeError(
        "expected bytes, str, a file, a path, an iterable of bytes or a function that returns one of these as body, "
        f"got {type(body).__name__}"
    )


class BytesPayload(Payload):
    """Bytes that are at hand."""

    def __init__(self, data: Buffer, content_type: str | None = None) -> None:
        self.data = self._data = data
        self.content_type = content_type

    async def open(self, blocksize: int = BLOCK) -> Source:
        """See Payload."""
        return from_bytes(self._data)

    async def close(self) -> None:
        """See Payload; nothing was opened."""


def store_payload(payload: Payload) -> Payload:
    """Return what stands for a payload in a pickle: its bytes if they are at hand, else a payload that is gone."""
    if payload.data is None:
        return GonePayload(payload.content_type)
    return BytesPayload(bytes(payload.data), payload.content_type)


class GonePayload(Payload):
    """A body that was left out of the pickle that its request comes from."""

    def __init__(self, content_type: str | None) -> None:
        self.content_type = content_type

    @property
    def is_replayable(self) -> bool:
        """See Payload."""
        return False

    async def open(self, blocksize: int = BLOCK) -> Source:
        """Raise BodyNotReplayable."""
        raise BodyNotReplayable("body is not kept in a pickle of its request: only bytes that are at hand are")

    async def close(self) -> None:
        """See Payload; nothing was opened."""


class _Watched(Payload):
    """A body that is read while it is sent, so that another time it may turn out to be gone."""

    def __init__(self) -> None:
        self._is_begun = False
        self._had_content = False

    def _watch(self, source: Source) -> Source:
        return source._replace(pieces=lambda stream: self._read(source, stream))

    async def _read(self, source: Source, stream: ByteStream) -> AsyncGenerator[Buffer, None]:
        self._is_begun = True
        is_empty = True
        async with aclosing(source.pieces(stream)) as pieces:
            async for piece in pieces:
                if piece:
                    is_empty = False
                    self._had_content = True
                yield piece
        if is_empty and self._had_content:
            raise BodyNotReplayable("body has to be sent again, but gives nothing any more")

    async def close(self) -> None:
        """See Payload; nothing was opened."""


def _used_up(body: object) -> BodyNotReplayable:
    return BodyNotReplayable(
        f"body was read already, and {type(body).__name__} can be read only once: give a function that makes it anew"
    )


class FilePayload(_Watched):
    """A file, plain or async, from where it stands at first; rewound to there if it can be."""

    def __init__(self, file: Any, *, is_owned: bool = False) -> None:
        super().__init__()
        self._file = file
        self._is_owned = is_owned
        self._start: int | None = None
        self._may_seek = _may_seek(file)

    @property
    def is_replayable(self) -> bool:
        """See Payload."""
        return self._may_seek or not self._is_begun

    async def open(self, blocksize: int = BLOCK) -> Source:
        """See Payload."""
        if self._start is not None:
            await self._rewind(self._start)
        elif self._is_begun:
            raise _used_up(self._file)
        elif self._may_seek:
            await self._note_start()
        return self._watch(await open_source(self._file, blocksize, CHARSET))

    async def _note_start(self) -> None:
        try:
            self._start = await _settle(self._file.tell())
        except _CANT_SEEK:
            self._may_seek = False

    async def _rewind(self, start: int) -> None:
        try:
            await _settle(self._file.seek(start))
        except _CANT_SEEK as exc:
            raise BodyNotReplayable(f"body has to be sent again, but can't be rewound: {exc}") from exc

    async def close(self) -> None:
        """See Payload."""
        close = getattr(self._file, "close", None) if self._is_owned else None
        if close is not None:
            await _settle(close())


def _may_seek(file: Any) -> bool:
    """Return whether a file says that it can be rewound; where only a coroutine knows, what methods it has."""
    seekable = getattr(file, "seekable", None)
    if seekable is None or inspect.iscoroutinefunction(seekable):
        return hasattr(file, "seek") and hasattr(file, "tell")
    return bool(seekable())


async def _settle(value: Any) -> Any:
    """Return what a method gave that may be a coroutine."""
    return await value if inspect.isawaitable(value) else value


class IterablePayload(_Watched):
    """Pieces of bytes, from something that begins anew each time, or from an iterator, which does not."""

    def __init__(self, pieces: Iterable[Buffer] | AsyncIterable[Buffer]) -> None:
        super().__init__()
        self._pieces = pieces
        self._is_once = isinstance(pieces, Iterator | AsyncIterator)

    @property
    def is_replayable(self) -> bool:
        """See Payload."""
        return not (self._is_once and self._is_begun)

    async def open(self, blocksize: int = BLOCK) -> Source:
        """See Payload."""
        if not self.is_replayable or _is_finished(self._pieces):
            raise _used_up(self._pieces)
        return self._watch(await open_source(self._pieces, blocksize))


def _is_finished(pieces: object) -> bool:
    """Return whether this is a generator that has ended, for another request perhaps."""
    if isinstance(pieces, GeneratorType):
        return pieces.gi_frame is None
    return isinstance(pieces, AsyncGeneratorType) and pieces.ag_frame is None


class FactoryPayload(_Watched):
    """A function that makes the body for each sending. A file that it returns is handed over: closed afterwards."""

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__()
        self._make = make
        self._opened = AsyncExitStack()

    async def open(self, blocksize: int = BLOCK) -> Source:
        """See Payload."""
        return await self._open(blocksize, in_turn=False)

    async def open_in_turn(self, blocksize: int = BLOCK) -> Source:
        """See Payload; a path that the function returns is opened when it is read."""
        return await self._open(blocksize, in_turn=True)

    async def _open(self, blocksize: int, *, in_turn: bool) -> Source:
        payload = make_payload(await _settle(self._make()), is_owned=True)
        (source,), self._opened = await open_all([payload], blocksize, in_turn=in_turn)
        return self._watch(source)

    async def close(self) -> None:
        """See Payload."""
        await self._opened.aclose()


class PathPayload(FactoryPayload):
    """The file that a path names, opened anew for each sending. A FIFO or a device gives its content only once."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(self._open_path)
        self._path = path
        self._was_regular: bool | None = None  # not known before it was opened

    @property
    def is_replayable(self) -> bool:
        """See Payload."""
        return self._was_regular is not False

    async def _open_path(self) -> BufferedReader:
        if not self.is_replayable:
            raise _used_up(self._path)
        file = await open_file(self._path, must_be_regular=self._was_regular is True)
        self._was_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        return file

    async def open_in_turn(self, blocksize: int = BLOCK) -> Source:
        """See Payload. A regular file must be the same, and unchanged, when it is opened."""
        state = await measure_file(self._path)
        if not self.is_replayable or (state is None and self._was_regular):
            raise _used_up(self._path)
        self._was_regular = None if state is None else True
        length = None if state is None else state.size
        return self._watch(Source(length, partial(self._read_in_turn, state, blocksize), may_grow=True))

    async def _read_in_turn(
        self, state: FileState | None, blocksize: int, stream: ByteStream
    ) -> AsyncGenerator[Buffer, None]:
        if state is None:
            self._was_regular = False
        with await open_file(self._path, state) as file:
            source = await open_source(file, blocksize, CHARSET)
            async with aclosing(source.pieces(stream)) as pieces:
                async for piece in pieces:
                    yield piece


async def open_all(
    payloads: Iterable[Payload], blocksize: int, *, in_turn: bool
) -> tuple[list[Source], AsyncExitStack]:
    """Open all payloads, or none if one fails; return their sources, and what closes the payloads."""
    sources = []
    async with AsyncExitStack() as opened:
        for payload in payloads:
            opened.push_async_callback(payload.close)
            sources.append(await (payload.open_in_turn(blocksize) if in_turn else payload.open(blocksize)))
        kept = opened.pop_all()
    return sources, kept
