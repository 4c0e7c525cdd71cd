"""The content of a response, read by each of the three framings.

The problem: the next response begins where one ends, and the server may be broken, disconnected or hostile. A byte too
many or too few would give a caller the response to another request.

The rules kept:
- Content is complete only by its own framing. Any other end is an IncompleteRead, however the content is read.
- No buffer is allocated from a length that the server claims.
- Each line is limited, and so are the bytes of chunk extensions compared with those of content.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from ..errors import IncompleteRead, LineTooLong, ProtocolError
from ..limits import Limits
from ..message.cycle import CloseReason
from ..message.fields import Fields, check_section
from ..message.framing import (
    LAST_CHUNK,
    LENGTH,
    LONGEST_PLAIN_LINE,
    Framing,
    Kind,
    check_trailers,
    decide_framing,
    may_be_trailer,
    parse_chunk_size,
    split_chunks,
)
from ..message.head import Head
from .stream import ByteReader

READ_SIZE = 256 * 1024
"""Bytes that a read without a size asks for."""

MAX_EXTENSIONS = 16 * 1024
"""Bytes of chunk extensions allowed beyond the bytes of content received so far."""


class Content(Protocol):
    """The content of one response, read from its stream."""

    @property
    def is_done(self) -> bool:
        """Whether all of it has been read, so that the connection may serve another request."""
        ...

    @property
    def left(self) -> int | None:
        """Bytes that are left to be read; None if that is not known."""
        ...

    @property
    def trailers(self) -> Fields | None:
        """The fields after the content; None before its end."""
        ...

    async def read(self, n: int) -> bytes:
        """Return received content, at least one byte and at most n; b"" at the end.

        Raises:
            IncompleteRead: the connection ended before the content.
            ProtocolError, LineTooLong: the framing is invalid.
        """
        ...

    def takeall(self) -> bytes | None:
        """Return the rest of the content if all of it was received, else None."""
        ...

    async def readall(self) -> bytes:
        """Return the rest of the content. Raises: as read(), with all content of this call in `partial`."""
        ...

    async def readinto(self, buffer: memoryview) -> int:
        """Copy received content into the buffer, at least one byte; return how many, 0 at the end. As read()."""
        ...


NO_TRAILERS = Fields()


class LengthContent:
    """Content of a known length, or none at all (RFC 9112 §6.2)."""

    __slots__ = ("_stream", "left")

    def __init__(self, stream: ByteReader, length: int) -> None:
        self._stream = stream
        self.left = length

    @property
    def is_done(self) -> bool:
        return self.left == 0

    @property
    def trailers(self) -> Fields | None:
        return None if self.left else NO_TRAILERS

    async def read(self, n: int) -> bytes:
        if not self.left:
            return b""
        data = await self._stream.read(min(n, self.left))
        self._count(len(data))
        return data

    def takeall(self) -> bytes | None:
        data = self._stream.take_exactly(self.left)
        if data is not None:
            self.left = 0
        return data

    async def readall(self) -> bytes:
        try:
            data = await self._stream.readexactly(self.left)
        except IncompleteRead as exc:
            raise IncompleteRead(exc.partial, self.left - len(exc.partial)) from exc.__cause__
        self.left = 0
        return data

    async def readinto(self, buffer: memoryview) -> int:
        if not self.left:
            return 0
        count = await self._stream.readinto(buffer[: self.left])
        self._count(count)
        return count

    def _count(self, count: int) -> None:
        if not count:
            raise IncompleteRead(b"", self.left) from self._stream.loss()
        self.left -= count


class UntilCloseContent:
    """Content that ends with the connection, unless the connection was cut short (RFC 9112 §6.3, rule 8)."""

    __slots__ = ("_stream", "is_done", "left")

    def __init__(self, stream: ByteReader) -> None:
        self._stream = stream
        self.is_done = False
        self.left = None

    @property
    def trailers(self) -> Fields | None:
        return NO_TRAILERS if self.is_done else None

    async def read(self, n: int) -> bytes:
        data = b"" if self.is_done else await self._stream.read(n)
        if not data:
            self._end()
        return data

    def takeall(self) -> bytes | None:
        return b"" if self.is_done else None

    async def readall(self) -> bytes:
        return await collect(self.read)

    async def readinto(self, buffer: memoryview) -> int:
        count = 0 if self.is_done else await self._stream.readinto(buffer)
        if not count:
            self._end()
        return count

    def _end(self) -> None:
        loss = self._stream.loss()
        if loss is not None and not self.is_done:
            raise IncompleteRead(b"") from loss
        self.is_done = True


A_SIZE: Final = "a chunk size"


class ChunkedContent:
    """Content in chunks, with the trailers after it (RFC 9112 §7.1).

    Attributes:
        stream: where it is read from.
        in_chunk: bytes of the current chunk that are left to be read.
        is_done, trailers: see Content.
    """

    __slots__ = ("_excess", "_is_lenient", "_limits", "in_chunk", "is_done", "stream", "trailers")

    left = None

    def __init__(self, stream: ByteReader, limits: Limits, *, is_lenient: bool = False) -> None:
        self.stream = stream
        self._limits = limits
        # Whether a connection that ends after the last chunk ends the trailers, too.
        self._is_lenient = is_lenient
        self.in_chunk = 0
        # Bytes of extensions received, less those of content.
        self._excess = 0
        self.is_done = False
        self.trailers: Fields | None = None

    async def read(self, n: int) -> bytes:
        while not (data := self._take_chunks(n)):
            if self.is_done or self.stream.buffered()[0] or not await self.stream.receive_more():
                break
        if data or self.is_done:
            return data
        if not self.in_chunk:
            if not await self.begin_chunk():
                return b""
            if data := self._take_chunks(n):  # begin_chunk() has waited
                return data
        data = await self.stream.read(min(n, self.in_chunk))
        self._count(len(data))
        try:
            await self._end_chunk()
        except IncompleteRead as exc:
            raise IncompleteRead(data) from exc.__cause__
        return data

    def takeall(self) -> bytes | None:
        data = b""
        # Without the end of the content in sight no chunk is looked at, because read() would look at it again.
        if not self.is_done and self.stream.buffered()[0].endswith(LAST_CHUNK):
            data = self._take_chunks(sys.maxsize, to_end=True)
        return data if self.is_done else None

    async def readall(self) -> bytes:
        return await collect(self.read)

    def _take_chunks(self, n: int, *, to_end: bool = False) -> bytes:
        """Return the content of the whole chunks that are buffered, up to n bytes; b"" if there are none (decision 63).

        With `to_end` nothing is taken unless the last chunk is among them.
        """
        if self.is_done or self._limits.chunk_line < LONGEST_PLAIN_LINE:
            return b""
        data, at = self.stream.buffered()
        parts: list[bytes] = []
        end, is_last = split_chunks(data, at, self.in_chunk, n, parts)
        if end == at or (to_end and not is_last):
            return b""
        self.stream.skip(end - at)
        self.in_chunk = 0
        if is_last:
            self.is_done, self.trailers = True, NO_TRAILERS
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def readinto(self, buffer: memoryview) -> int:
        if data := self._take_chunks(len(buffer)):
            buffer[: len(data)] = data
            return len(data)
        if not self.in_chunk and not await self.begin_chunk():
            return 0
        count = await self.stream.readinto(buffer[: self.in_chunk])
        self._count(count)
        try:
            await self._end_chunk()
        except IncompleteRead as exc:
            raise IncompleteRead(bytes(buffer[:count])) from exc.__cause__
        return count

    def _count(self, count: int) -> None:
        if not count:
            raise IncompleteRead(b"", self.in_chunk) from self.stream.loss()
        self.in_chunk -= count

    async def begin_chunk(self) -> bool:
        """Read the size of the next chunk; False after the last one, and its trailers are read. Raises: as read()."""
        if self.is_done:
            return False
        line = await self._readline(self._limits.chunk_line, A_SIZE)
        size, extensions = parse_chunk_size(line)
        if extensions:
            self._excess += extensions
            if self._excess > MAX_EXTENSIONS:
                raise ProtocolError(f"got more than {MAX_EXTENSIONS} bytes of chunk extensions beyond the content")
            self._excess -= min(size, self._excess)
        if not size:
            self.trailers = await self._read_trailers()
            self.is_done = True
        self.in_chunk = size
        return size > 0

    async def _end_chunk(self) -> None:
        """Read the CRLF after a chunk, if all of the chunk has been read."""
        if not self.in_chunk:
            check_chunk_end(await self.stream.readexactly(2))

    async def _readline(self, limit: int, what: str) -> bytes:
        try:
            line = await self.stream.readline(limit)
        except LineTooLong:
            raise LineTooLong(what, limit) from None
        if line[-2:] != b"\r\n":
            if line[-1:] != b"\n":
                raise IncompleteRead(b"") from self.stream.loss()
            raise ProtocolError("expected CRLF at the end of a chunk line, got a bare LF")
        return line

    async def _read_trailers(self) -> Fields:
        lines: list[bytes] = []
        left = self._limits.head
        try:
            while (line := await self._readline(min(left, self._limits.line), "a trailer line")) != b"\r\n":
                lines.append(line)
                left -= len(line)
                if len(lines) > self._limits.fields or left <= 0:
                    raise ProtocolError(f"got more than {self._limits.fields} trailer fields")
        except IncompleteRead:
            if not self._is_lenient:
                raise
        if not lines:
            return NO_TRAILERS
        trailers = self._parse_trailers(b"".join(lines) + b"\r\n")
        return Fields(pair for pair in trailers.pairs() if may_be_trailer(pair[0]))

    def _parse_trailers(self, section: bytes) -> Fields:
        trailers = Fields.from_section(check_section(section, self._limits, what="trailer"))
        if not self._is_lenient:
            check_trailers(trailers)
        return trailers


def check_chunk_end(end: bytes) -> None:
    """Raise a ProtocolError unless a chunk ends with CRLF."""
    if end != b"\r\n":
        raise ProtocolError(f"expected CRLF after a chunk, got {end!r}")


async def collect(
    read: Callable[[int], Awaitable[bytes]],
    n: int | None = None,
    parts: list[bytes] | None = None,
    *,
    end: bytes | None = None,
) -> bytes:
    """Return n bytes, or all if n is None, from as many reads as they take; fewer at the end.

    Args:
        read: returns at most the given number of bytes; b"" at the end.
        n: bytes to collect.
        parts: gets the result of each read, for a caller that wants them if a read fails.
        end: a result that ends with these bytes is the last one.

    Raises:
        IncompleteRead: raised by a read; `partial` has the bytes of all reads.
    """
    parts = [] if parts is None else parts
    left = sys.maxsize if n is None else n
    try:
        while left and (part := await read(READ_SIZE if n is None else left)):
            parts.append(part)
            left -= len(part)
            if end is not None and part.endswith(end):
                break
    except IncompleteRead as exc:
        raise IncompleteRead(b"".join((*parts, exc.partial)), exc.expected) from exc.__cause__
    return b"".join(parts)


READERS: Final[Mapping[Kind, Callable[[ByteReader, int, Limits], Content]]] = {
    Kind.LENGTH: lambda stream, length, limits: LengthContent(stream, length),
    Kind.CHUNKED: lambda stream, length, limits: ChunkedContent(stream, limits),
    Kind.UNTIL_CLOSE: lambda stream, length, limits: UntilCloseContent(stream),
}
"""The reader of the content for each framing."""


def open_framed(stream: ByteReader, head: Head, method: str, limits: Limits) -> tuple[Content, CloseReason | None]:
    """Return the content of the response to a method with this head, and why the connection ends after it, if it does.

    Raises:
        UnknownTransferEncoding, ProtocolError: see decide_framing().
    """
    # As decide_framing() does: one call less for most exchanges (decision 12).
    if head.usual_size is not None and method != "HEAD" and method != "CONNECT":
        return LengthContent(stream, head.usual_size), None
    kind, length, reason = decide_framing(head, method)
    content = LengthContent(stream, length) if kind is LENGTH else READERS[kind](stream, length, limits)
    return content, reason


def open_content(stream: ByteReader, framing: Framing, limits: Limits) -> Content:
    """Return the content of a response whose head was read, by its framing."""
    kind, length, _ = framing
    return READERS[kind](stream, length, limits)
