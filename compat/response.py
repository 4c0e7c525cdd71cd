"""http.client's response: the engine's readers over whatever the socket gives to read from.

The problem: programs look into a response and change what they find. They read chunk lines from `fp` themselves, put a
file of their own there, set `length` or `chunk_left`, take `fp is None` for the end. So these attributes are the state,
at every moment: each call begins with them and leaves them true.

Over a socket of ours there is no file until somebody looks at `fp`: making one takes as long as parsing the head.
"""

from __future__ import annotations

import http.client as std
import io
from collections.abc import Callable, Iterator
from typing import Any, Final

from asyncclient.errors import HTTPException
from asyncclient.limits import Limits
from asyncclient.message import lenient
from asyncclient.message.cycle import CloseReason
from asyncclient.message.framing import Framing, Kind, decide_framing
from asyncclient.message.head import StatusLine, parse_head

from .chunks import MUCH, ChunkReading, take_chunk_steps
from .errors import as_http_client
from .fields import ResponseFields
from .files import SocketFile, count_ahead, read_exactly
from .message import read_section
from .names import find, gather_members, limits_of, replaced, say
from .sockets import OwnSocket, may_read_straight
from .steps import Status, file_of, parse_status, read_line, select_framing

UNKNOWN: Final = "UNKNOWN"

_Parse = Callable[[Any], Any]


class HTTPResponse(ResponseFields, ChunkReading, io.BufferedIOBase):
    """The response to a request, as http.client documents it; it is an iterable file and a context manager."""

    __module__ = "http.client"

    version: Any = UNKNOWN
    status: Any = UNKNOWN
    reason: Any = UNKNOWN
    chunked: Any = UNKNOWN
    chunk_left: Any = UNKNOWN
    length: Any = UNKNOWN
    will_close: Any = UNKNOWN

    max_headers: int | None = None
    is_whole = False
    """Whether its content was read to its end, and nothing came after it: the connection may go on."""

    _is_own = False
    _is_shared = False  # a program has looked at fp, and may read from it

    def __init__(self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> None:
        if issubclass(type(sock), OwnSocket):
            sock.listens = False
            if sock.due:
                sock.due -= 1
            self._is_own = may_read_straight(sock)
        self._file = SocketFile(sock) if self._is_own else sock.makefile("rb")
        self.debuglevel = debuglevel
        self._method = method

    @property
    def fp(self) -> Any:
        """The file that is read from; None at the end of the content."""
        self._is_shared = True
        if type(self._file) is SocketFile:
            self._file = self._file.open_reader()
        return self._file

    @fp.setter
    def fp(self, value: Any) -> None:
        self._file = value

    # The head

    def begin(self) -> None:
        """Read the head of the response; interim responses before it are skipped."""
        if self._section is not None or self._headers is not None:
            return
        limits, parse = replaced.limits, replaced.parse_headers
        if self.max_headers is not None:
            limits = limits_of(limits.line, self.max_headers)
        self._limits = limits
        kind, own = type(self), self.__dict__
        has_own_steps = (
            kind._read_status is _own_read_status
            and kind._check_close is _own_check_close
            and "_read_status" not in own
            and "_check_close" not in own
        )
        may_be_at_once = has_own_steps and parse is None and self._is_own and self.debuglevel <= 0
        if may_be_at_once and self._begin_at_once(limits):
            return
        status = self._read_status()
        if 100 <= status[1] < 200 and status[1] != 101:
            status, section = self._skip_interim(status, limits, parse)
        else:
            section = self._read_section(limits, parse)
        version, self.status, reason = status
        self.code = self.status
        self.reason = reason.strip()
        if version in ("HTTP/1.0", "HTTP/0.9"):
            self.version = 10
        elif version.startswith("HTTP/1."):
            self.version = 11
        else:
            raise std.UnknownProtocol(version)
        self._keep_section(section)
        self._frame(section if isinstance(section, bytes) else select_framing(section), limits)
        if not has_own_steps:
            self._ask_whether_it_closes()
        if self.debuglevel > 0:
            for name, value in self.headers.items():
                say("header:", name + ":", value)

    def _begin_at_once(self, limits: Limits) -> bool:
        """Take a head that has come whole and that nothing is odd about, as nearly all; True if there was one.

        Line by line, as programs may look on, it takes 6 µs more.
        """
        if type(self._file) is not SocketFile:
            return False
        data = self._file.peek()
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            return False
        try:
            head = parse_head(data[:end], limits)
            if head.status < 200 or (self._method == "HEAD" and not head.is_plain):
                return False
            framing = decide_framing(head, self._framing_method())
        except HTTPException:
            return False
        self._file.skip(end)
        self.code = self.status = head.status
        self.reason, self.version = head.reason, head.version
        self._section = data[head.start : end]  # folds and all
        self._settle(framing)
        return True

    def _read_status(self) -> Status:
        # Programs call it with a stand-in that has no more than `fp`, `debuglevel` and `_close_conn`.
        is_ours = isinstance(self, HTTPResponse)
        line = read_line(self, "status line")
        if self.debuglevel > 0:
            say("reply:", repr(str(line, "iso-8859-1")))
        if not line:
            raise std.RemoteDisconnected("Remote end closed connection without response")
        if line[:5] != b"HTTP/":
            self._close_conn()
            raise std.BadStatusLine(str(line, "iso-8859-1"))
        if line[-1:] != b"\n" and not (is_ours and self._is_own):
            line += b"\n"
        return parse_status(line)

    def _read_section(self, limits: Limits, parse: _Parse | None) -> Any:
        """Read the fields: the bytes of the section, or what a program's own parser makes of it."""
        if parse is not None:
            return parse(self.fp)
        # Where the file is a program's own, what ends with it is taken for whole, as http.client does.
        return read_section(self._file, limits, may_end=not self._is_own)

    def _skip_interim(self, status: Status, limits: Limits, parse: _Parse | None) -> tuple[Status, Any]:
        """Return the first response that is none of the interim ones (1xx but 101), or the last before the end."""
        size = 0
        for _ in range(limits.interim):
            lines = find("_read_headers", self._read_lines)(self._file if parse is None else self.fp)
            size += sum(map(len, lines))
            if self.debuglevel > 0:
                say("headers:", lines)
            try:
                following = self._read_status()
            except std.RemoteDisconnected:
                if status[1] == 100:
                    raise
                return status, b"".join(lines)  # as http.client has it; nothing can be taken for another's any more
            if not 100 <= following[1] < 200 or following[1] == 101:
                return following, self._read_section(limits, parse)
            status = following
            if size > limits.head:
                break
        raise std.HTTPException(f"got more than {limits.interim} interim responses")

    def _read_lines(self, file: Any) -> list[bytes]:
        section = read_section(file, self._limits or replaced.limits, may_end=not self._is_own)
        return section.splitlines(keepends=True)

    def _keep_section(self, section: Any) -> None:
        if isinstance(section, bytes):
            self._section = section
        else:
            self.headers = self.msg = section

    def _ask_whether_it_closes(self) -> None:
        """Have a program's own `_check_close` decide; what can't be framed, or is not sound, ends anyway."""
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
            self._settle(lenient.frame(line, block, 1, method, limits))
            if method == "HEAD" and lenient.frame(line, block, 1, "GET", limits)[0] is Kind.CHUNKED:
                self.chunked, self.chunk_left = True, None
        except lenient.InvalidLength as exc:
            # The fields can be looked at, as some do before they read; what they frame can't.
            self._failure = as_http_client(exc)
            self._settle((Kind.UNTIL_CLOSE, 0, CloseReason.READ_UNTIL_CLOSE))
        except HTTPException as exc:
            raise as_http_client(exc) from None

    def _settle(self, framing: Framing) -> None:
        """Have the attributes say what the framing is."""
        kind, length, reason = framing
        self.chunked = kind is Kind.CHUNKED
        if self.chunked:
            self.chunk_left = None
        self.length = length if kind is Kind.LENGTH else None
        self.will_close = reason is not None

    def _framing_method(self) -> str:
        """Return the method as far as it matters for framing; to http.client CONNECT is one like others."""
        return "HEAD" if self._method == "HEAD" else "GET"

    # The content

    def read(self, amt: int | None = None) -> bytes:
        """Read and return the content, or the next amt bytes of it.

        Raises:
            IncompleteRead: the connection ended before all of the content, or a chunk, had come.
            HTTPException: Content-Length fields that leave no length.
        """
        if self._has_no_content():
            return b""
        if amt is not None and amt < 0:
            amt = None
        if self.chunked:
            return self._read_chunked(amt)
        return self._read_all() if amt is None else self._read_part(amt, self._file.read)

    def read1(self, n: int = -1) -> bytes:
        """Read what is at hand, with one system call at most; n bytes of it, if n is not below 0."""
        if self._has_no_content():
            return b""
        n = n if n >= 0 else MUCH
        return self._read1_chunked(n) if self.chunked else self._read_part(n, self._file.read1)

    def readinto(self, b: Any) -> int:
        """Read into a buffer, filling it unless the content ends; return the number of bytes."""
        if self._has_no_content():
            return 0
        with memoryview(b) as view, view.cast("B") as octets:
            if octets.readonly:
                raise TypeError("expected a buffer that can be written to")
            if not self.chunked:
                return self._read_part_into(octets)
            return self._readinto_chunked(octets)

    def peek(self, n: int = -1) -> bytes:
        """Return bytes at hand without using them up; n is a wish."""
        if self._file is None or self._method == "HEAD" or self._has_no_content() or self.length == 0:
            return b""
        if self.chunked:
            return self._peek_chunked(n)
        data: bytes = self._file.peek(n)
        return data if self.length is None else data[: self.length]

    def readline(self, limit: int | None = -1) -> bytes:
        """Read one line with its ending, at most limit bytes of it if that is not below 0."""
        if self._has_no_content():
            return b""
        limit = -1 if limit is None else limit
        if self.chunked:
            return super().readline(limit)
        return self._read_part(limit if limit >= 0 else MUCH, self._file.readline)

    def _has_no_content(self) -> bool:
        """Return whether there is nothing to read, or nothing more; a response to HEAD ends when it is asked."""
        if self._failure is not None:
            raise type(self._failure)(*self._failure.args)
        if self._file is not None and self._method == "HEAD":
            self._end()
        return self._file is None

    def _read_all(self) -> bytes:
        if self.length is None:
            data: bytes = self._file.read()
        else:
            try:
                data = self._safe_read(self.length)
            except std.IncompleteRead:
                self._close_conn()
                raise
            self.length = 0
        self._end()
        return data

    def _safe_read(self, amt: int) -> bytes:
        try:
            file = self._file
        except AttributeError:  # a stand-in of the program's
            file = self.fp
        try:
            return read_exactly(file, amt)
        except HTTPException as exc:
            raise as_http_client(exc) from None

    def _safe_readinto(self, b: Any) -> int:
        amt = len(b)
        count: int = file_of(self).readinto(b)
        if count < amt:
            raise std.IncompleteRead(bytes(b[:count]), amt - count)
        return count

    def _read_part(self, n: int, read: Callable[[int], bytes]) -> bytes:
        if self.length is not None and n > self.length:
            n = self.length
        data = read(n) if n else b""
        self._note_read(n, len(data))
        return data

    def _read_part_into(self, view: memoryview) -> int:
        if self.length is not None:
            view = view[: self.length]
        count: int = self._file.readinto(view)
        self._note_read(len(view), count)
        return count

    def _note_read(self, asked: int, count: int) -> None:
        """Note what was read; where content without a length ends it is whole, for all anybody knows."""
        if self.length is not None:
            self.length -= count
            if not self.length:
                self._end()
                return
        if asked and not count:
            self._end() if self.length is None else self._close_conn()

    # The end

    def _end(self) -> None:
        """Note that the content was read to its end; nobody has asked for what came after it."""
        self.is_whole = self.status != 101 and not count_ahead(self._file)
        self._close_conn()

    def _close_conn(self) -> None:
        try:
            file, self._file = self._file, None
        except AttributeError:  # a stand-in of the program's
            file, self.fp = self.fp, None
        file.close()

    def close(self) -> None:
        """Give the response up."""
        # urllib3 reads chunks off the file by itself, and closes the connection where it did not come to their end.
        if self.chunked is True and self._chunks is None and self._is_shared and not self._is_own:
            self.is_whole = True
        if self.length == 0 and self._file is not None:
            self._end()  # there was nothing to read
        try:
            super().close()
        finally:
            if self._file:
                self._close_conn()

    def __del__(self) -> None:
        """Let go of the file; what IOBase does here costs 3 µs, and most often there is nothing left to do."""
        try:
            if self._file is not None:
                self.close()
        except (OSError, ValueError):
            pass  # a program has closed the file

    def flush(self) -> None:
        """Do what a file's flush() does."""
        super().flush()
        if self._file:
            self._file.flush()

    def readable(self) -> bool:
        """Return True."""
        return True

    def isclosed(self) -> bool:
        """Return whether there is nothing more to read."""
        return self._file is None

    def fileno(self) -> int:
        """Return the descriptor of the connection's socket."""
        number: int = self._file.fileno()
        return number

    def __iter__(self) -> Iterator[bytes]:
        return self


gather_members(HTTPResponse)
HTTPResponse.own_chunk_steps = take_chunk_steps(HTTPResponse)

_own_read_status: Final = HTTPResponse._read_status
_own_check_close: Final = HTTPResponse._check_close
