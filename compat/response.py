"""http.client's response, read by the engine's readers from a socket or from whatever file it gives.

The problem: programs look into a response and change what they find. They read chunk lines from `fp` themselves, put a
file of their own there, set `length` or `chunk_left`, and take `fp is None` for the end. So these attributes are the
state, at every moment: each call begins with them and leaves them true.
"""

from __future__ import annotations

import http.client as std
import io
import sys
from collections.abc import Coroutine, Iterator
from operator import attrgetter
from typing import Any, Final, TypeVar

from asyncclient.errors import HTTPException
from asyncclient.exchange.content import ChunkedContent, Content, LengthContent, UntilCloseContent
from asyncclient.limits import Limits
from asyncclient.message import lenient
from asyncclient.message.cycle import CloseReason
from asyncclient.message.framing import Framing, Kind, decide_framing
from asyncclient.message.head import StatusLine

from . import chunks
from .errors import as_http_client
from .head import Status, limits_of, read_head, read_status, select_framing, stream_of
from .loop import run
from .message import HTTPMessage, build_message
from .names import Parse, build_limits, replaced, say
from .sockets import OwnSocket, may_read_directly
from .streams import READ, READ1, READ_AHEAD, READLINE, FileStream, open_stream

UNKNOWN: Final = "UNKNOWN"

_std_response: Final[Any] = std.HTTPResponse
"""http.client's own loops over the steps of reading chunks, for a response that has a step of the program's."""

_HEAD_STEPS: Final = frozenset(("_read_status", "_check_close"))
_take_head_steps: Final = attrgetter(*_HEAD_STEPS)

_CHUNK_STEPS: Final = frozenset(
    ("_get_chunk_left", "_read_next_chunk_size", "_read_and_discard_trailer", "_safe_read", "_safe_readinto")
)
_take_chunk_steps: Final = attrgetter(*_CHUNK_STEPS)

_T = TypeVar("_T")


class HTTPResponse(io.BufferedIOBase):
    """The response to a request, as http.client documents it; it is an iterable file and a context manager."""

    __module__ = "http.client"

    version: Any = UNKNOWN
    status: Any = UNKNOWN
    reason: Any = UNKNOWN
    chunked: Any = UNKNOWN
    chunk_left: Any = UNKNOWN
    length: Any = UNKNOWN
    will_close: Any = UNKNOWN

    url: str
    max_headers: int | None = None
    is_whole = False
    """Whether the content was read to its end, and nothing came after it: the connection may be used again."""

    _stream: Any = None
    _is_own = False
    _is_shared = False  # a program has looked at fp, and may read from it
    _section: bytes | None = None
    _headers: Any = None
    _msg: Any = None
    _limits: Limits | None = None
    _failure: std.HTTPException | None = None  # why nothing can be read, even where fp seems to be at its end
    _chunks: ChunkedContent | None = None
    _by_steps: bool | None = None

    def __init__(self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> None:
        if issubclass(type(sock), OwnSocket):
            sock.listens = False
            if sock.due:
                sock.due -= 1
            self._is_own = may_read_directly(sock)
        if self._is_own:
            self._stream = open_stream(sock)
        else:
            self.fp = sock.makefile("rb")
        self.debuglevel = debuglevel
        self._method = method

    @property
    def fp(self) -> Any:
        """The file that is read from; None at the end of the content."""
        self._is_shared = True
        return None if self._stream is None else self._stream.file

    @fp.setter
    def fp(self, value: Any) -> None:
        self._stream = None if value is None else FileStream(value)  # sockets in tests may give no file

    # The head

    def begin(self) -> None:
        """Read the head of the response; interim responses before it are skipped."""
        if self._section is not None or self._headers is not None:
            return
        limits, parse = replaced.limits, replaced.parse_headers
        if self.max_headers is not None:
            limits = build_limits(limits.line, self.max_headers)
        self._limits = limits
        has_own_steps = _take_head_steps(type(self)) == _own_head_steps and _HEAD_STEPS.isdisjoint(vars(self))
        has_own_file = self._is_own and type(self._stream.file) is io.BufferedReader
        may_be_at_once = has_own_steps and parse is None and has_own_file and self.debuglevel <= 0
        if not (may_be_at_once and self._begin_at_once(limits)):
            self._begin_by_steps(limits, parse, has_own_steps=has_own_steps)

    def _begin_at_once(self, limits: Limits) -> bool:
        """Take a head that was received in one piece and is sound, as nearly all are; False leaves it to the steps."""
        stream = self._stream
        try:
            found = stream.peek_head(limits)
            if found is None:
                return False
            head, size = found
            if head.status < 200 or (self._method == "HEAD" and not head.is_plain):
                return False
            framing = decide_framing(head, self._framing_method())
        except HTTPException:
            return False
        self.code = self.status = head.status
        self.reason, self.version = head.reason, head.version
        self._section = stream.file.read(size)[head.start :]  # with its folds
        self._apply_framing(framing)
        return True

    def _begin_by_steps(self, limits: Limits, parse: Parse | None, *, has_own_steps: bool) -> None:
        (version, self.status, reason), section = read_head(self, limits, parse)
        self.code = self.status
        self.reason = reason.strip()
        if version in ("HTTP/1.0", "HTTP/0.9"):
            self.version = 10
        elif version.startswith("HTTP/1."):
            self.version = 11
        else:
            raise std.UnknownProtocol(version)
        if isinstance(section, bytes):
            self._section = section
        else:
            self.headers = self.msg = section
            section = select_framing(section)
        self._frame(section, limits)
        if not has_own_steps:
            self._ask_whether_it_closes()
        if self.debuglevel > 0:
            for name, value in self.headers.items():
                say("header:", name + ":", value)

    def _read_status(self) -> Status:
        return read_status(self)

    def _ask_whether_it_closes(self) -> None:
        """Apply a program's own `_check_close`; a response that is unsound or has no framing closes in any case."""
        is_unsound = self.will_close is True and not HTTPResponse._check_close(self)
        self.will_close = bool(self._check_close()) or is_unsound or not (self.chunked or self.length is not None)

    def _check_close(self) -> bool:
        """Return whether the fields say that the connection ends with this response."""
        said = (self.headers.get("connection") or "").lower()
        if self.version == 11:
            return "close" in said
        return not self.headers.get("keep-alive") and "keep-alive" not in said

    def _frame(self, section: bytes, limits: Limits) -> None:
        """Decide where the content ends, and whether the connection goes on after it."""
        line, block = StatusLine(self.version, self.status, self.reason), b"\n" + section
        method = self._framing_method()
        try:
            self._apply_framing(lenient.frame(line, block, 1, method, limits))
            if method == "HEAD" and lenient.frame(line, block, 1, "GET", limits)[0] is Kind.CHUNKED:
                self.chunked, self.chunk_left = True, None
        except lenient.InvalidLength as exc:
            # Programs may look at the fields first; only reading the content raises the error.
            self._failure = as_http_client(exc)
            self._apply_framing((Kind.UNTIL_CLOSE, 0, CloseReason.READ_UNTIL_CLOSE))
        except HTTPException as exc:
            raise as_http_client(exc) from None

    def _apply_framing(self, framing: Framing) -> None:
        kind, length, close_reason = framing
        self.chunked = kind is Kind.CHUNKED
        if self.chunked:
            self.chunk_left = None
        self.length = length if kind is Kind.LENGTH else None
        self.will_close = close_reason is not None

    def _framing_method(self) -> str:
        """Return the method as far as it matters for framing; in http.client CONNECT has content like others."""
        return "HEAD" if self._method == "HEAD" else "GET"

    # The fields: the message is made when it is first looked at

    @property
    def headers(self) -> Any:
        """The fields as an HTTPMessage; None before begin()."""
        if self._headers is None and self._section is not None:
            self._headers = build_message(self._section, HTTPMessage)
        return self._headers

    @headers.setter
    def headers(self, value: Any) -> None:
        self._headers = value

    @property
    def msg(self) -> Any:
        """The same as `headers`, unless another value was assigned, as urllib does."""
        return self.headers if self._msg is None else self._msg

    @msg.setter
    def msg(self, value: Any) -> None:
        self._msg = value

    @property
    def trailers(self) -> HTTPMessage | None:
        """The fields that came after content in chunks; None before its end, or for other content."""
        found = None if self._chunks is None else self._chunks.trailers
        if found is None:
            return None
        lines = "".join(f"{name}: {value}\r\n" for name, value in found.items())
        return build_message(f"{lines}\r\n".encode("latin-1"), HTTPMessage)

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

    # The content

    def read(self, amt: int | None = None) -> bytes:
        """Read and return the content, or the next amt bytes of it."""
        if self._has_no_content():
            return b""
        if amt is not None and amt < 0:
            amt = None
        if self.chunked:
            return self._read_chunked(amt)
        return self._read_all() if amt is None else self._read_part(amt, READ)

    def read1(self, n: int = -1) -> bytes:
        """Read what is at hand, with one system call at most; n bytes of it, if n is not below 0."""
        if self._has_no_content():
            return b""
        return self._read1_chunked(n) if self.chunked else self._read_part(n if n >= 0 else READ_AHEAD, READ1)

    def readinto(self, b: Any) -> int:
        """Read into a buffer, filling it unless the content ends; return the number of bytes."""
        if self._has_no_content():
            return 0
        with memoryview(b) as view, view.cast("B") as octets:
            if octets.readonly:
                raise TypeError("expected a buffer that can be written to")
            if self.chunked:
                return self._readinto_chunked(octets)
            content = self._open(READ)
            return self._take(content, content.readinto(octets), 0) if octets else 0

    def peek(self, n: int = -1) -> bytes:
        """Return bytes at hand without using them up; n is a wish."""
        if self._stream is None or self._method == "HEAD" or self._has_no_content() or self.length == 0:
            return b""
        if self.chunked:
            return self._peek_chunked(n)
        data: bytes = self._stream.file.peek(n)
        return data if self.length is None else data[: self.length]

    def readline(self, limit: int | None = -1) -> bytes:
        """Read one line with its ending, at most limit bytes of it if that is not below 0."""
        if self._has_no_content():
            return b""
        limit = -1 if limit is None else limit
        if self.chunked:
            return super().readline(limit)
        return self._read_part(limit if limit >= 0 else sys.maxsize, READLINE)

    def _has_no_content(self) -> bool:
        """Return whether there is nothing to read, or nothing more; a response to HEAD ends when it is asked."""
        if self._failure is not None:
            raise type(self._failure)(*self._failure.args)
        if self._stream is not None and self._method == "HEAD":
            self._end()
        return self._stream is None

    def _open(self, mode: str) -> Content:
        """Return the engine's reader of the content, at the place that the attributes say."""
        stream = self._stream
        stream.mode = mode
        if not self.chunked:
            return UntilCloseContent(stream) if self.length is None else LengthContent(stream, self.length)
        if self._chunks is None:
            self._chunks = ChunkedContent(stream, limits_of(self), is_lenient=True)
        self._chunks.stream = stream
        self._chunks.in_chunk = self.chunk_left or 0
        return self._chunks

    def _note(self, content: Any) -> None:
        """Have the attributes say where the reader is."""
        if self.chunked:
            self.chunk_left = content.in_chunk or None
        else:
            self.length = content.left
        if content.is_done:
            self._end()

    def _read_all(self) -> bytes:
        if self.length is None:
            content = self._open(READ)
            return self._take(content, content.readall(), b"")
        try:
            data = self._safe_read(self.length)
        except std.IncompleteRead:
            self._close_conn()
            raise
        self.length = 0
        self._end()
        return data

    def _read_part(self, n: int, mode: str) -> bytes:
        if not n and self.length != 0:
            return b""
        content = self._open(mode)
        return self._take(content, content.read(n), b"")

    def _take(self, content: Any, reading: Coroutine[Any, Any, _T], nothing: _T) -> _T:
        """Return what a reader gives; nothing where the content is cut short, which only read() to its end tells."""
        try:
            found = run(reading)
        except std.IncompleteRead:
            self._close_conn()
            return nothing
        self._note(content)
        return found

    def _safe_read(self, amt: int) -> bytes:
        return run(LengthContent(stream_of(self), amt).readall())

    def _safe_readinto(self, b: Any) -> int:
        amt, stream = len(b), stream_of(self)
        count: int = run(stream.readinto(b))
        if count < amt:
            raise std.IncompleteRead(bytes(b[:count]), amt - count)
        return count

    # Content in chunks. `chunk_left` has the bytes left of the chunk begun, None between chunks

    def _read_chunked(self, amt: int | None = None) -> bytes:
        if self._goes_by_steps():
            return _std_response._read_chunked(self, amt)  # type: ignore[no-any-return]
        return chunks.read(self, sys.maxsize if amt is None else amt)

    def _readinto_chunked(self, b: Any) -> int:
        if self._goes_by_steps():
            return _std_response._readinto_chunked(self, b)  # type: ignore[no-any-return]
        data = chunks.read(self, len(b))
        b[: len(data)] = data
        return len(data)

    def _read1_chunked(self, n: int) -> bytes:
        if self._goes_by_steps():
            return _std_response._read1_chunked(self, n)  # type: ignore[no-any-return]
        return chunks.read(self, n if n >= 0 else READ_AHEAD, READ1)

    def _peek_chunked(self, n: int) -> bytes:
        if self._goes_by_steps():
            return _std_response._peek_chunked(self, n)  # type: ignore[no-any-return]
        return chunks.peek(self)

    def _goes_by_steps(self) -> bool:
        """Return whether a program has replaced a step of reading chunks; decided when the content is begun."""
        if self._by_steps is None:
            is_own = _take_chunk_steps(type(self)) == _own_chunk_steps and _CHUNK_STEPS.isdisjoint(vars(self))
            self._by_steps = not is_own
        if self.chunk_left == 0 and not self._by_steps:
            self._toss_crlf()  # a program has read a chunk by itself, and said so
        return self._by_steps

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
        return chunks.read_size(self)

    def _read_and_discard_trailer(self) -> None:
        chunks.discard_trailer(self)

    # The end

    def _end(self) -> None:
        """Note that the content was read to its end; bytes after it are unsolicited."""
        stream = self._stream
        self.is_whole = self.status != 101 and not stream.find_received()
        may_hand_on = self.is_whole and self.will_close is False and not self._is_shared
        has_own_end = type(self)._close_conn is _own_close_conn and "_close_conn" not in self.__dict__
        if may_hand_on and has_own_end and stream.hand_on():
            self._stream = None
        else:
            self._close_conn()

    def _close_conn(self) -> None:
        stream: Any = stream_of(self)
        self.fp = None
        stream.file.close()

    def close(self) -> None:
        """Give the response up."""
        # urllib3 reads chunks from the file by itself, and closes the connection unless it came to their end.
        if self.chunked is True and self._chunks is None and self._is_shared and not self._is_own:
            self.is_whole = True
        if self.length == 0 and self._stream is not None:
            self._end()  # there was nothing to read
        try:
            super().close()
        finally:
            if self._stream:
                self._close_conn()

    def __del__(self) -> None:
        """Let the socket close; IOBase would close the response again, which most often has ended already."""
        try:
            if self._stream is not None:
                self.close()
        except (OSError, ValueError):
            pass  # a program has closed the file

    def flush(self) -> None:
        """Do what a file's flush() does."""
        super().flush()
        if self._stream:
            self._stream.file.flush()

    def readable(self) -> bool:
        """Return True."""
        return True

    def isclosed(self) -> bool:
        """Return whether there is nothing more to read."""
        return self._stream is None

    def fileno(self) -> int:
        """Return the descriptor of the connection's socket."""
        number: int = (self._stream and self._stream.file).fileno()
        return number

    def __iter__(self) -> Iterator[bytes]:
        return self


_own_head_steps: Final = _take_head_steps(HTTPResponse)
_own_close_conn: Final = HTTPResponse._close_conn
_own_chunk_steps: Final = _take_chunk_steps(HTTPResponse)
