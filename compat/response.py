"""http.client's response: the engine's readers over whatever file the socket gives.

The problem: programs look into a response and change what they find. They read chunk lines from `fp` themselves, put a
file of their own there, set `length` or `chunk_left`, take `fp is None` for the end. So these attributes are the state,
at every moment: each call begins with them and leaves them true, and `fp` is looked up each time.
"""

from __future__ import annotations

import http.client as std
import io
from collections.abc import Callable, Iterator
from typing import Any, Final

from asyncclient.exchange.receive import ChunkedContent, LengthContent, UntilCloseContent
from asyncclient.limits import Limits
from asyncclient.message import lenient
from asyncclient.message.framing import Kind
from asyncclient.message.head import StatusLine, parse_status_line, remember_status_line

from .errors import translated
from .files import FileStream
from .message import HTTPMessage, build_message, limits_of, max_headers, max_line, read_lines, read_section
from .runner import run_now
from .sockets import LoopSocket, LoopTLSSocket

UNKNOWN: Final = "UNKNOWN"

_MUCH: Final = 2**31 - 1


class HTTPResponse(io.BufferedIOBase):
    """The response to a request, as http.client documents it; it is an iterable file and a context manager."""

    __module__ = "http.client"

    max_headers: int | None = None
    is_whole = False
    """Whether its content was read to its end, and nothing came after it: the connection may go on."""

    _sock: LoopSocket | LoopTLSSocket | None = None
    _chunks: ChunkedContent | None = None

    def __init__(self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> None:
        self.fp: Any = sock.makefile("rb")
        self.debuglevel = debuglevel
        self._method = method
        if isinstance(sock, LoopSocket | LoopTLSSocket):
            self._sock = sock
        if url is not None:
            self.url = url
        self.headers: Any = None
        self.msg: Any = None
        self.version: Any = UNKNOWN
        self.status: Any = UNKNOWN
        self.reason: Any = UNKNOWN
        self.chunked: Any = UNKNOWN
        self.chunk_left: Any = UNKNOWN
        self.length: Any = UNKNOWN
        self.will_close: Any = UNKNOWN

    def __getattr__(self, name: str) -> Any:
        """Make the message when it is first looked at."""
        if name not in ("headers", "msg") or "_section" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        message = build_message(self._section, HTTPMessage)
        self.__dict__.setdefault("headers", message)
        self.__dict__.setdefault("msg", message)
        return message

    # The head

    def begin(self) -> None:
        """Read the head of the response; interim responses before it are skipped."""
        if self.headers is not None:
            return
        version, status, reason = self._read_final_status()
        self.code = self.status = status
        self.reason = reason.strip()
        if version in ("HTTP/1.0", "HTTP/0.9"):
            self.version = 10
        elif version.startswith("HTTP/1."):
            self.version = 11
        else:
            raise std.UnknownProtocol(version)
        # Where the file is a program's own, what ends with it is taken for whole, as http.client does.
        self._section = read_section(self.fp, self.max_headers, may_end=self._sock is None)
        del self.headers, self.msg
        self._frame()
        if self.debuglevel > 0:
            for name, value in self.getheaders():
                print("header:", name + ":", value)

    def _read_status(self) -> tuple[str, int, str]:
        limit = max_line()
        line = self.fp.readline(limit + 1)
        if len(line) > limit:
            raise std.LineTooLong("status line")
        if self.debuglevel > 0:
            print("reply:", repr(str(line, "iso-8859-1")))
        if not line:
            raise std.RemoteDisconnected("Remote end closed connection without response")
        if line[:5] != b"HTTP/":
            self._close_conn()
            raise std.BadStatusLine(str(line, "iso-8859-1"))
        if line[-1:] != b"\n" and self._sock is None:
            line += b"\n"
        version = line[:8]
        if version == b"HTTP/0.9":
            line = b"HTTP/1.0" + line[8:]  # by its own word only: without a status line nothing is a response
        status = translated(remember_status_line if len(line) < 64 else parse_status_line, line)
        return str(version, "iso-8859-1"), status.status, status.reason

    def _read_final_status(self) -> tuple[str, int, str]:
        limits = self._limits()
        count = size = 0
        while True:
            found = self._read_status()
            if not 100 <= found[1] < 200 or found[1] == 101:
                return found
            skipped = read_lines(self.fp)
            if self.debuglevel > 0:
                print("headers:", skipped)
            count, size = count + 1, size + sum(map(len, skipped))
            if count > limits.interim or size > limits.head:
                raise std.HTTPException(f"got more than {limits.interim} interim responses")

    def _limits(self) -> Limits:
        return limits_of(max_line(), self.max_headers or max_headers())

    def _frame(self) -> None:
        """Settle where the content ends, and whether the connection goes on after it."""
        line = StatusLine(self.version, self.status, self.reason)
        method = "HEAD" if self._method == "HEAD" else "GET"
        kind, length, keep_alive = translated(lenient.frame, line, self._section, method, self._limits())
        self.chunked = kind is Kind.CHUNKED
        if self.chunked:
            self.chunk_left = None
        self.length = length if kind is Kind.LENGTH else None
        self.will_close = not keep_alive

    # The content

    def read(self, amt: int | None = None) -> bytes:  # type: ignore[override]
        """Read and return the content, or the next amt bytes of it.

        Raises:
            IncompleteRead: the connection ended before all of the content, or a chunk, had come.
        """
        if self._has_no_content():
            return b""
        if amt is not None and amt < 0:
            amt = None
        if self.chunked:
            return self._read_all_chunks() if amt is None else self._read_chunks(amt)
        return self._read_all() if amt is None else self._read_part(amt, self.fp.read)

    def read1(self, n: int = -1) -> bytes:
        """Read what is at hand, with one system call at most; n bytes of it, if n is not below 0."""
        if self._has_no_content():
            return b""
        return self._read_part(n if n >= 0 else _MUCH, self.fp.read1)

    def readinto(self, b: Any) -> int:
        """Read into a buffer, filling it unless the content ends; return the number of bytes."""
        if self._has_no_content():
            return 0
        with memoryview(b) as view, view.cast("B") as octets:
            return self._read_chunks_into(octets) if self.chunked else self._read_part_into(octets)

    def peek(self, n: int = -1) -> bytes:
        """Return bytes at hand without using them up; n is a wish."""
        if self.fp is None or self._method == "HEAD":
            return b""
        if self.chunked:
            return self._peek_chunk()
        data: bytes = self.fp.peek(n)
        return data if self.length is None else data[: self.length]

    def readline(self, limit: int | None = -1) -> bytes:  # type: ignore[override]
        """Read one line with its ending, at most limit bytes of it if that is not below 0."""
        if self._has_no_content():
            return b""
        limit = -1 if limit is None else limit
        if self.chunked:
            return super().readline(limit)
        return self._read_part(limit if limit >= 0 else _MUCH, self.fp.readline)

    def _has_no_content(self) -> bool:
        """Return whether there is nothing to read, or nothing more; a response to HEAD ends when it is asked."""
        if self.fp is not None and self._method == "HEAD":
            self._end()
        return self.fp is None

    def _content(self, read: Callable[[int], bytes] | None = None) -> LengthContent | UntilCloseContent:
        stream = FileStream(self.fp, read)
        return UntilCloseContent(stream) if self.length is None else LengthContent(stream, self.length)

    def _read_all(self) -> bytes:
        try:
            data = run_now(self._content().readall())
        except std.IncompleteRead:
            self._close_conn()
            raise
        if self.length is not None:
            self.length = 0
        self._end()
        return data

    def _read_part(self, n: int, read: Callable[[int], bytes]) -> bytes:
        if self.chunked:
            return self._read_chunk(n, read)
        if not n:
            return b""
        content = self._content(read)
        try:
            data = run_now(content.read(n))
        except std.IncompleteRead:
            data = b""  # http.client says so only to read() without a number
        self._note_read(len(data), content.is_done)
        return data

    def _read_part_into(self, view: memoryview) -> int:
        if not view:
            return 0
        content = self._content()
        try:
            count = run_now(content.readinto(view))
        except std.IncompleteRead:
            count = 0
        self._note_read(count, content.is_done)
        return count

    def _note_read(self, count: int, is_done: bool) -> None:
        if self.length is not None:
            self.length -= count
        if is_done:
            self._end()
        elif not count:
            self._close_conn()

    # Content in chunks

    def _begin_chunks(self, read: Callable[[int], bytes] | None = None) -> ChunkedContent:
        chunks = self._chunks
        stream = FileStream(self.fp, read)
        if chunks is None:
            chunks = self._chunks = ChunkedContent(stream, self._limits(), is_lenient=True)
        chunks.stream = stream
        chunks.in_chunk = self.chunk_left or 0
        return chunks

    def _note_chunks(self, chunks: ChunkedContent) -> None:
        self.chunk_left = chunks.in_chunk or None
        if chunks.is_done:
            self._end()

    def _read_all_chunks(self) -> bytes:
        chunks = self._begin_chunks()
        parts: list[bytes] = []
        try:
            while part := run_now(chunks.read_chunk()):
                parts.append(part)
        except std.LineTooLong:
            raise
        except std.HTTPException as exc:
            raise self._incomplete(parts) from exc
        finally:
            self._note_chunks(chunks)
        return b"".join(parts)

    def _read_chunks(self, amt: int) -> bytes:
        chunks = self._begin_chunks()
        parts: list[bytes] = []
        before = 0
        try:
            while amt and (part := run_now(chunks.read(amt))):
                parts.append(part)
                amt -= len(part)
                before = chunks.in_chunk
        except std.LineTooLong:
            raise
        except std.HTTPException as exc:
            if before and parts:
                parts.pop()  # of the chunk that broke off: http.client counts whole ones only
            raise self._incomplete(parts) from exc
        finally:
            self._note_chunks(chunks)
        return b"".join(parts)

    def _read_chunks_into(self, view: memoryview) -> int:
        chunks = self._begin_chunks()
        count = 0
        try:
            while count < len(view) and (step := run_now(chunks.readinto(view[count:]))):
                count += step
        except std.LineTooLong:
            raise
        except std.HTTPException as exc:
            raise self._incomplete([bytes(view[:count])]) from exc
        finally:
            self._note_chunks(chunks)
        return count

    def _read_chunk(self, n: int, read: Callable[[int], bytes]) -> bytes:
        chunks = self._begin_chunks(read)
        try:
            return run_now(chunks.read(n)) if n else b""
        except std.LineTooLong:
            raise
        except std.HTTPException as exc:
            raise self._incomplete([]) from exc
        finally:
            self._note_chunks(chunks)

    def _peek_chunk(self) -> bytes:
        chunks = self._begin_chunks()
        try:
            if not chunks.in_chunk and not run_now(chunks.begin_chunk()):
                return b""
            data: bytes = self.fp.peek(chunks.in_chunk)
            return data[: chunks.in_chunk]
        except std.IncompleteRead:
            return b""
        finally:
            self._note_chunks(chunks)

    def _incomplete(self, parts: list[bytes]) -> std.IncompleteRead:
        return std.IncompleteRead(b"".join(parts))

    @property
    def trailers(self) -> HTTPMessage | None:
        """The fields that came after content in chunks; None before its end, or for other content."""
        found = None if self._chunks is None else self._chunks.trailers
        if found is None:
            return None
        return build_message(
            b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in found.items()) + b"\r\n", HTTPMessage
        )

    def _safe_read(self, amt: int) -> bytes:
        return run_now(FileStream(self.fp).readexactly(amt))

    # The end

    def _end(self) -> None:
        """Note that the content was read to its end; what came after it nobody asked for."""
        if self.status != 101:
            self.is_whole = self._sock is None or not self._has_more(self._sock)
        self._close_conn()

    def _has_more(self, sock: LoopSocket | LoopTLSSocket) -> bool:
        sock.is_mute = True
        try:
            return isinstance(self.fp, io.BufferedReader) and bool(self.fp.peek(1))
        finally:
            sock.is_mute = False

    def _close_conn(self) -> None:
        fp, self.fp, self._sock = self.fp, None, None
        fp.close()

    def close(self) -> None:
        """Give the response up."""
        try:
            super().close()
        finally:
            if self.fp:
                self._close_conn()

    def flush(self) -> None:
        """Do what a file's flush() does."""
        super().flush()
        if self.fp:
            self.fp.flush()

    def readable(self) -> bool:
        """Return True."""
        return True

    def isclosed(self) -> bool:
        """Return whether there is nothing more to read."""
        return self.fp is None

    def fileno(self) -> int:
        """Return the descriptor of the connection's socket."""
        number: int = self.fp.fileno()
        return number

    def __iter__(self) -> Iterator[bytes]:  # type: ignore[override]
        return self

    # The fields

    def getheader(self, name: str, default: Any = None) -> Any:
        """Return the value of a field, all of that name joined by ", "; the default if there is none."""
        if self.headers is None:
            raise std.ResponseNotReady
        found = self.headers.get_all(name) or default
        return found if isinstance(found, str) or not hasattr(found, "__iter__") else ", ".join(found)

    def getheaders(self) -> list[tuple[str, str]]:
        """Return all fields as pairs (name, value)."""
        if self.headers is None:
            raise std.ResponseNotReady
        return list(self.headers.items())

    def info(self) -> Any:
        """Return the fields; an old name of urllib's."""
        return self.headers

    def geturl(self) -> str:
        """Return the URL, where urllib has set it."""
        return self.url

    def getcode(self) -> int:
        """Return the status code."""
        code: int = self.status
        return code
