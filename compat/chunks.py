"""Reading content in chunks as http.client does: what a cut leaves, and what the attributes say meanwhile."""

from __future__ import annotations

import http.client as std
from collections.abc import Callable
from operator import attrgetter
from typing import Any, ClassVar, Final

from asyncclient.errors import ProtocolError
from asyncclient.exchange.receive import ChunkedContent
from asyncclient.limits import Limits
from asyncclient.message.framing import parse_chunk_size

from .files import AHEAD, FileStream
from .message import HTTPMessage, build_message
from .names import replaced
from .runner import run_now
from .steps import read_line

MUCH: Final = 2**31 - 1

CHUNK_STEPS: Final = frozenset(
    ("_get_chunk_left", "_read_next_chunk_size", "_read_and_discard_trailer", "_safe_read", "_safe_readinto")
)
take_chunk_steps: Final = attrgetter(*CHUNK_STEPS)


class ChunkReading:
    """Part of HTTPResponse. `chunk_left` is the bytes left of the chunk begun, None between chunks."""

    chunk_left: Any

    _file: Any = None
    _failure: std.HTTPException | None = None  # why nothing can be read, whatever fp says
    _limits: Limits | None = None
    _chunks: ChunkedContent | None = None
    _by_steps: bool | None = None
    own_chunk_steps: ClassVar[tuple[Any, ...]]

    def _read_chunked(self, amt: int | None = None) -> bytes:
        if self._goes_by_steps():
            return read_by_steps(self, amt)
        return self._read_all_chunks() if amt is None else self._read_chunks(amt)

    def _readinto_chunked(self, b: Any) -> int:
        if self._goes_by_steps():
            return readinto_by_steps(self, memoryview(b))
        data = self._read_chunks(len(b))
        b[: len(data)] = data
        return len(data)

    def _read1_chunked(self, n: int) -> bytes:
        if self._goes_by_steps():
            return read1_by_steps(self, n)
        return self._read_chunk(n if n >= 0 else MUCH, self._file.read1)

    def _peek_chunked(self, n: int) -> bytes:
        return peek_by_steps(self) if self._goes_by_steps() else self._peek_chunk()

    def _goes_by_steps(self) -> bool:
        """Return whether a program has replaced a step of reading chunks; looked at when the content is begun."""
        if self._by_steps is None:
            is_own = take_chunk_steps(type(self)) == self.own_chunk_steps and CHUNK_STEPS.isdisjoint(vars(self))
            self._by_steps = not is_own
        if self.chunk_left == 0 and not self._by_steps:
            self._toss_crlf()  # a program has read a chunk by itself, and said so
        return self._by_steps

    # The steps

    def _get_chunk_left(self) -> int | None:
        """Return how much is left of the chunk begun, else begin the next; None after the last."""
        if self.chunk_left:
            left: int = self.chunk_left
            return left
        if self.chunk_left is not None:
            self._toss_crlf()
        try:
            size = self._read_next_chunk_size()
        except ValueError:
            raise std.IncompleteRead(b"") from None
        if not size:
            self._read_and_discard_trailer()
            self._end()
        self.chunk_left = size or None
        return self.chunk_left  # type: ignore[no-any-return]

    def _toss_crlf(self) -> None:
        self._safe_read(2)
        self.chunk_left = None

    def _read_next_chunk_size(self) -> int:
        """Read the line before a chunk. Raises LineTooLong; ValueError: it has no size, and the file is closed."""
        line = read_line(self, "chunk size")
        try:
            return parse_chunk_size(line)[0]
        except ProtocolError as exc:
            self._close_conn()
            raise ValueError(str(exc)) from None

    def _read_and_discard_trailer(self) -> None:
        limits = getattr(self, "_limits", None) or replaced.limits
        for _ in range(limits.fields + 1):
            if read_line(self, "trailer line") in (b"\r\n", b"\n", b""):
                return
        raise std.HTTPException(f"got more than {limits.fields} trailer fields")

    # By the engine's reader

    def _begin_chunks(self, read: Callable[[int], bytes] | None = None) -> ChunkedContent:
        """Return the engine's reader, at the place that the attributes say, on the file that is there now."""
        chunks = self._chunks
        stream = FileStream(self._file, read or self._file.read)
        if chunks is None:
            chunks = self._chunks = ChunkedContent(stream, self._limits or replaced.limits, is_lenient=True)
        chunks.stream = stream
        chunks.in_chunk = self.chunk_left or 0
        return chunks

    def _note_chunks(self, chunks: ChunkedContent) -> None:
        """Have the attributes say where the reader is."""
        self.chunk_left = chunks.in_chunk or None
        if chunks.is_done:
            self._end()

    def _failed(self, chunks: ChunkedContent, error: std.HTTPException, parts: list[bytes]) -> std.HTTPException:
        """Return what http.client raises for content that is cut or no chunks: whole chunks count, no broken one."""
        if not chunks.in_chunk:
            self._close_conn()  # in a chunk's line: nobody knows where the next is
        if isinstance(error, std.LineTooLong):
            return error
        self._failure = std.IncompleteRead(b"")  # the end that fp shows from now on is none
        return std.IncompleteRead(b"".join(parts))

    def _read_all_chunks(self) -> bytes:
        chunks = self._begin_chunks()
        parts: list[bytes] = []
        try:
            while part := run_now(chunks.read_chunk()):
                parts.append(part)
        except std.HTTPException as exc:
            if isinstance(exc, std.IncompleteRead) and exc.expected is None:
                parts.append(exc.partial)  # whole, but for the CRLF behind it
                chunks.in_chunk = 0
            raise self._failed(chunks, exc, parts) from exc
        self._note_chunks(chunks)
        return b"".join(parts)

    def _read_chunks(self, n: int) -> bytes:
        """Read n bytes, of as many chunks as they take."""
        if self.chunk_left and 0 < n < self.chunk_left:
            data: bytes = self._file.read(n)
            if len(data) < n:
                raise std.IncompleteRead(b"")
            self.chunk_left -= n
            return data
        chunks = self._begin_chunks()
        parts: list[bytes] = []
        while n and not chunks.is_done:
            begun = chunks.in_chunk
            try:
                part = run_now(chunks.read(n))
            except std.HTTPException as exc:
                part = self._save(chunks, exc)
                if not part:
                    raise self._failed(chunks, exc, parts[:-1] if begun else parts) from exc
            parts.append(part)
            n -= len(part)
        self._note_chunks(chunks)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _save(self, chunks: ChunkedContent, error: std.HTTPException) -> bytes:
        """Return a chunk that came whole though the CRLF behind it did not: the next step will fail."""
        if not isinstance(error, std.IncompleteRead) or not error.partial:
            return b""
        chunks.in_chunk = 0
        return error.partial

    def _read_chunk(self, n: int, read: Callable[[int], bytes]) -> bytes:
        """Read what is at hand of one chunk, n bytes at most."""
        chunks = self._begin_chunks(read)
        try:
            data = run_now(chunks.read(n)) if n else b""
        except std.HTTPException as exc:
            data = self._save(chunks, exc)
            if not data:
                raise self._failed(chunks, exc, []) from exc
        self._note_chunks(chunks)
        return data

    def _peek_chunk(self) -> bytes:
        """Return what is at hand of one chunk; b"" where there is none to be had, however that came."""
        chunks = self._begin_chunks()
        try:
            has_one = chunks.in_chunk > 0 or run_now(chunks.begin_chunk())
        except std.LineTooLong:
            raise
        except std.HTTPException as exc:
            self._failed(chunks, exc, [])
            return b""
        data: bytes = self._file.peek(min(chunks.in_chunk, AHEAD))[: chunks.in_chunk] if has_one else b""
        self._note_chunks(chunks)
        return data

    @property
    def trailers(self) -> HTTPMessage | None:
        """The fields that came after content in chunks; None before its end, or for other content."""
        found = None if self._chunks is None else self._chunks.trailers
        if found is None:
            return None
        lines = "".join(f"{name}: {value}\r\n" for name, value in found.items())
        return build_message(f"{lines}\r\n".encode("latin-1"), HTTPMessage)

    def _safe_read(self, amt: int) -> bytes:
        raise NotImplementedError

    def _safe_readinto(self, b: Any) -> int:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError

    def _close_conn(self) -> None:
        raise NotImplementedError


# By steps, as http.client goes: where a program has replaced one of them


def read_by_steps(response: Any, n: int | None) -> bytes:
    """Read n bytes of content in chunks, or all of it."""
    parts: list[bytes] = []
    try:
        while n != 0 and (left := response._get_chunk_left()) is not None:
            size = left if n is None else min(n, left)
            parts.append(response._safe_read(size))
            response.chunk_left = left - size
            n = None if n is None else n - size
    except std.IncompleteRead as exc:
        raise std.IncompleteRead(b"".join(parts)) from exc
    return b"".join(parts)


def readinto_by_steps(response: Any, view: memoryview) -> int:
    """Fill a buffer with content in chunks; return how much there was."""
    done = 0
    try:
        while done < len(view) and (left := response._get_chunk_left()) is not None:
            count = response._safe_readinto(view[done : done + left])
            response.chunk_left = left - count
            done += count
    except std.IncompleteRead:
        raise std.IncompleteRead(bytes(view[:done])) from None
    return done


def read1_by_steps(response: Any, n: int) -> bytes:
    """Read what is at hand of one chunk, n bytes at most."""
    left = response._get_chunk_left()
    if left is None or n == 0:
        return b""
    data: bytes = response.fp.read1(min(n, left) if n >= 0 else left)
    if not data:
        raise std.IncompleteRead(b"")
    response.chunk_left -= len(data)
    return data


def peek_by_steps(response: Any) -> bytes:
    """Return what is at hand of one chunk, and leave it there."""
    try:
        left = response._get_chunk_left()
    except std.IncompleteRead:
        return b""
    return b"" if left is None else response.fp.peek(min(left, AHEAD))[:left]
