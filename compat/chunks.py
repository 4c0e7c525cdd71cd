"""Reading content in chunks as http.client does: what a cut leaves, and what the attributes say meanwhile."""

from __future__ import annotations

import http.client as std
from collections.abc import Callable
from typing import Any

from asyncclient.exchange.receive import ChunkedContent
from asyncclient.limits import Limits

from .files import AHEAD, FileStream
from .message import HTTPMessage, bounds, build_message
from .runner import run_now


class ChunkReading:
    """Part of HTTPResponse. `chunk_left` is the bytes left of the chunk begun, None between chunks."""

    chunk_left: Any

    _file: Any = None
    _failure: std.HTTPException | None = None  # why nothing can be read, whatever fp says
    _limits: Limits | None = None
    _chunks: ChunkedContent | None = None

    def _begin_chunks(self, read: Callable[[int], bytes] | None = None) -> ChunkedContent:
        """Return the engine's reader, at the place that the attributes say, on the file that is there now."""
        chunks = self._chunks
        stream = FileStream(self._file, read or self._file.read)
        if chunks is None:
            chunks = self._chunks = ChunkedContent(stream, self._limits or bounds(), is_lenient=True)
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

    def _end(self) -> None:
        raise NotImplementedError

    def _close_conn(self) -> None:
        raise NotImplementedError
