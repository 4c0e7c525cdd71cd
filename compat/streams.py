"""The files that a response is read from, and the stream that the engine's readers pull from a file.

A program's own file is never read ahead: its position after a message is where the next message begins, and programs
read from it themselves. The file over a socket of compat is an io.BufferedReader, as in http.client. A response that
was read to its end hands the file on to the next one, unless a program has looked at it: making a file takes as long as
parsing a head.
"""

from __future__ import annotations

import io
import os
import socket
from typing import TYPE_CHECKING, Any, ClassVar, Final

from asyncclient.errors import IncompleteRead, LineTooLong
from asyncclient.limits import Limits
from asyncclient.message.head import LONGEST_KEPT, Head, parse_head

if TYPE_CHECKING:
    from .sockets import OwnSocket

READ_AHEAD: Final = 64 * 1024
"""Bytes received at once. With the 8 KiB of http.client's file it takes eight times the system calls."""

MIN_DIRECT: Final = 32 * 1024
"""Bytes from which on a read is received in place, and not copied from the read-ahead buffer (decision 38)."""

MAX_RESERVED: Final = 1024 * 1024
"""Bytes of announced content that memory is reserved for; beyond it, memory is taken for received bytes only."""

BLOCK: Final = 512 * 1024
"""Bytes received at once of long content; fewer cost more calls, more do not stay in the cache."""

READ, READ1, READLINE = "read", "read1", "readline"
"""Modes of read(n) of a stream: it returns n bytes, the bytes that one call returns, or one line."""


class ResponseFile(socket.SocketIO):
    """The raw file that a BufferedReader reads responses of a socket from.

    Without a socket it finds nothing to read, which shows how much its reader has read ahead.
    """

    _sock: Any
    _mode = "rb"
    _is_broken = False
    _has_ended = False

    def attach(self, sock: OwnSocket) -> ResponseFile:
        """Read from a socket, and keep it open until detach() or close()."""
        self._sock = sock
        sock._io_refs += 1  # as makefile() does
        return self

    def detach(self) -> Any:
        """Let the socket close, and return it."""
        sock, self._sock = self._sock, None
        sock._decref_socketios()
        return sock

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, b: Any) -> Any:
        """Receive something, and return how much; 0 at the end and ever after: a TLS socket may not tell it twice."""
        sock = self._sock
        if sock is None:
            return None
        if self._is_broken:
            raise OSError("cannot read from timed out object")  # the text of SocketIO, whatever the error was
        if self._has_ended:
            return 0
        try:
            sock.waits_in = os.getpid()
            count: int = sock.recv_into(b)  # waits in the kernel (decision 36)
        except BaseException:
            self._is_broken = True  # the reader loses the bytes in hand, so later bytes would not follow the earlier
            raise
        finally:
            sock.waits_in = 0
        self._has_ended = not count
        return count

    def close(self) -> None:
        """Close the file, and the socket if it was closed before."""
        if not self.closed:
            io.RawIOBase.close(self)
            if self._sock is not None:
                self.detach()


def open_stream(sock: OwnSocket) -> FileStream:
    """Return a stream to read a response from; it keeps the socket open until it is closed or handed on."""
    stream: FileStream | None = sock.idle_stream
    if stream is not None:
        sock.idle_stream = None
        stream.file.raw.attach(sock)
        return stream
    raw = ResponseFile.__new__(ResponseFile).attach(sock)  # the constructor of SocketIO would check a mode
    return FileStream(io.BufferedReader(raw, READ_AHEAD if sock.reads_ahead else 1), raw)


class FileStream:
    """Reads a response from a blocking file (see exchange.stream.ByteReader); its coroutines never suspend.

    Attributes:
        file: the file; its `raw` is given where that is compat's.
        mode: the method of the file that read() calls: READ, READ1 or READLINE.
        latest: the last head with status 200 that any stream has parsed, and the limits that it has kept to.
    """

    latest: ClassVar[tuple[Limits, Head] | None] = None

    __slots__ = ("_known", "_raw", "file", "mode")

    def __init__(self, file: Any, raw: ResponseFile | None = None) -> None:
        self.file = file
        self._raw = raw
        self.mode = READ
        self._known = FileStream.latest

    def find_received(self) -> bytes:
        """Return the bytes that compat has received and that were not read; it has none of a program's own file."""
        raw = self._raw
        if raw is None:
            return b""
        sock, raw._sock = raw._sock, None
        try:
            data: bytes = self.file.peek(1)
        finally:
            raw._sock = sock
        return data

    def hand_on(self) -> bool:
        """Keep a file that has nothing left for the next response of its socket; False for a program's own file."""
        if self._raw is None:
            return False
        self._raw.detach().idle_stream = self
        return True

    def peek_head(self, limits: Limits) -> tuple[Head, int] | None:
        """Return the next head, which stays in the file, and its size; None if it was not received in one piece.

        A head that is equal to the last one of this stream, or to the last one before its first, is not parsed again
        (decisions 12 and 33). Raises: see parse_head().
        """
        data: bytes = self.file.peek()
        if self._known is not None and self._known[0] is limits and data.startswith(self._known[1].block):
            head = self._known[1]
            return head, len(head.block)
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            return None
        head = parse_head(data[:end], limits)
        if head.status == 200 and end <= LONGEST_KEPT and data.startswith(head.block):  # has no folds
            self._known = FileStream.latest = limits, head
        return head, end

    def take_exactly(self, n: int) -> bytes | None:
        """Return None: nothing is known to be at hand."""
        return None

    def buffered(self) -> tuple[bytes, int]:
        """See ByteReader; only the mode READ may take more than one chunk."""
        return self.find_received() if self.mode is READ else b"", 0

    async def receive_more(self) -> bool:
        """Return False: the other methods wait."""
        return False

    def skip(self, n: int) -> None:
        """See ByteReader."""
        self.file.read(n)

    async def read(self, n: int) -> bytes:
        """See ByteReader; how much it gives depends on `mode`."""
        if self.mode is READ and n > MAX_RESERVED:
            return self._read_much(n)
        if self.mode is READ and n >= MIN_DIRECT and self._raw is not None:
            data: bytes = self.file.read1(n)  # what was read ahead, else what is received, without a copy
            return data if len(data) == n else self._read_on(data, n)
        return getattr(self.file, self.mode)(n)  # type: ignore[no-any-return]

    def _read_on(self, data: bytes, n: int) -> bytes:
        """Return n bytes that begin with the given ones, or those before the end."""
        parts = [data]
        while parts[-1] and (n := n - len(parts[-1])):
            parts.append(self.file.read1(n))
        return b"".join(parts)

    def _read_much(self, n: int) -> bytes:
        """Read n bytes, or to the end; memory is taken for received bytes only.

        A BytesIO returns its content without a copy; joining pieces would take twice the time.
        """
        block = memoryview(bytearray(BLOCK))
        whole = io.BytesIO()
        while n and (count := self.file.readinto(block if n >= BLOCK else block[:n])):
            whole.write(block[:count])
            n -= count
        return whole.getvalue()

    async def readexactly(self, n: int) -> bytes:
        """See ByteReader."""
        data: bytes = self.file.read(n) if n <= MAX_RESERVED else self._read_much(n)
        if len(data) < n:
            raise IncompleteRead(data, n - len(data))
        return data

    async def readinto(self, buffer: memoryview) -> int:
        """See ByteReader; fills the whole buffer unless the file has ended."""
        count: int = self.file.readinto(buffer)
        return count

    async def readline(self, limit: int) -> bytes:
        """See ByteReader."""
        line: bytes = self.file.readline(limit + 1)
        if len(line) > limit:
            raise LineTooLong("a line", limit)
        return line

    def loss(self) -> Exception | None:
        """Return None: the file has raised whatever error there was."""
        return None
