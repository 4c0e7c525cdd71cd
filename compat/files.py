"""What a response is read from: a file over a socket of ours, or any blocking file, and how the engine sees it.

Of a program's own file nothing is read ahead, ever: its position after a message is where the next begins, and programs
read from it themselves. Over a socket of ours a SocketFile reads ahead, for one response; when somebody asks to see it,
it becomes an io.BufferedReader as http.client has (`open_reader`).
"""

from __future__ import annotations

import io
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asyncclient.errors import IncompleteRead, LineTooLong
from asyncclient.message.buffer import Pieces

if TYPE_CHECKING:
    from .sockets import OwnSocket

_T = TypeVar("_T")

AHEAD: Final = 64 * 1024
"""Bytes received at once. With the 8 KiB of http.client's file it takes eight times the system calls."""

LARGE: Final = 32 * 1024
"""Bytes asked for at once from which on nothing is read ahead."""

MUCH: Final = 1024 * 1024
"""Bytes of content that room is made for because they were announced; beyond it, as much as has come."""

BLOCK: Final = 512 * 1024
"""Bytes received at once of much content; fewer cost more calls, more do not stay in the cache."""

_BROKEN: Final = "cannot read from timed out object"  # a socket's own file says so, whatever it was


def read_much(readinto: Callable[[memoryview], int], n: int, first: bytes = b"") -> bytes:
    """Read n bytes, or to the end, and put them behind the first; room is held for what has come and no more.

    A BytesIO gives what was written to it without a copy; joining pieces takes twice as long.
    """
    block = memoryview(bytearray(BLOCK))
    whole = io.BytesIO()
    whole.write(first)
    while n and (count := readinto(block if n >= BLOCK else block[:n])):
        whole.write(block[:count])
        n -= count
    return whole.getvalue()


class SocketFile:
    """What http.client reads of a file, over a socket of ours: as a BufferedReader would, but nothing is copied twice.

    It holds the socket open, whoever closes that, until it is closed itself.
    """

    def __init__(self, sock: OwnSocket) -> None:
        self._sock = sock
        self._pieces = Pieces()
        self._step = AHEAD if sock.reads_ahead else 1
        self._has_ended = False
        self._is_broken = False
        sock.hold()

    def _receive(self, n: int = 0) -> bytes:
        """Receive something; b"" at the end, and ever after: what TLS has ended the socket may not tell again."""
        return self._have(self._sock.receive, n or self._step) or b""

    def _receive_into(self, view: memoryview) -> int:
        return self._have(self._sock.receive_into, view) or 0

    def _have(self, receive: Callable[[Any], _T], argument: Any) -> _T | None:
        """Return what a call of the socket gives, None at the end."""
        if self._is_broken:
            raise OSError(_BROKEN)
        if self._has_ended:
            return None
        self._is_broken = True  # unless this ends well: what was in hand is gone then, and the rest fits nothing
        found = receive(argument)
        self._is_broken = False
        self._has_ended = not found
        return found

    @property
    def ahead(self) -> int:
        """How many bytes were received and not read."""
        return self._pieces.size

    def take_exactly(self, n: int) -> bytes | None:
        """Return n bytes that are at hand, None if they are not."""
        return self._pieces.take_exactly(n) if self._pieces.size >= n else None

    def read(self, n: int = -1) -> bytes:
        """Read n bytes, fewer at the end only; all to the end if n is below 0."""
        pieces = self._pieces
        if 0 <= n <= pieces.size:
            return pieces.take_exactly(n)
        first = pieces.take_exactly(pieces.size)
        n = sys.maxsize if n < 0 else n - len(first)
        if n > MUCH:
            return read_much(self._receive_into, n, first)
        parts = [first] if first else []
        is_large = n >= LARGE
        while n and (data := self._receive(n if is_large else 0)):
            if len(data) > n:
                pieces.append(data)
                data = pieces.take(n)
            parts.append(data)
            n -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read1(self, n: int) -> bytes:
        """Read what is at hand, n bytes at most."""
        if n and not self._pieces.size:
            self._pieces.append(self._receive())
        return self._pieces.take(n)

    def readinto(self, view: memoryview) -> int:
        """Fill the buffer unless the end comes first."""
        done = self._pieces.take_into(view) if self._pieces.size else 0
        while done < len(view):
            count = self._pieces.take_into(view[done:]) if self._pieces.size else self._receive_into(view[done:])
            if not count:
                break
            done += count
        return done

    def readline(self, limit: int) -> bytes:
        """Read one line, or limit bytes of it."""
        parts: list[bytes] = []
        pieces = self._pieces
        while limit:
            if not pieces.size:
                pieces.append(self._receive())
            part = pieces.take_part_of_line(limit)
            limit -= len(part)
            parts.append(part)
            if part[-1:] in b"\n":
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def peek(self, n: int = 0) -> bytes:
        """Return what is at hand, and leave it there."""
        if not self._pieces.size:
            self._pieces.append(self._receive())
        return self._pieces.peek()

    def skip(self, n: int) -> None:
        """Take what was seen by peek()."""
        self._pieces.take(n)

    def open_reader(self) -> io.BufferedReader:
        """Return a BufferedReader in the place of this, which is of no further use: it begins where this stands."""
        raw: Any = self._sock.makefile("rb", 0)
        raw.__class__ = RestFile
        raw.rest = self._pieces.take_exactly(self._pieces.size)
        self.close()
        return io.BufferedReader(raw, self._step)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        number: int = self._sock.fileno()
        return number

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Let go of the socket."""
        self._sock.release()


class RestFile(socket.SocketIO):
    """The raw file of a socket, giving first what had been received before it was made."""

    rest = b""
    is_broken = False
    is_mute = False
    """Whether reading finds nothing, without looking: to see what its reader has already read ahead."""

    def readinto(self, b: Any) -> Any:
        """Read what is at hand, and return how much; None if nothing may be."""
        if self.rest:
            given, self.rest = self.rest[: len(b)], self.rest[len(b) :]
            b[: len(given)] = given
            return len(given)
        if self.is_broken:
            raise OSError(_BROKEN)
        try:
            return None if self.is_mute else super().readinto(b)
        except BaseException:
            self.is_broken = True  # its reader forgets what it had in hand
            raise


def count_ahead(file: Any) -> int:
    """Return how many bytes a file of ours has received and not given; 0 for a program's own."""
    if isinstance(file, SocketFile):
        return file.ahead
    raw = file.raw if type(file) is io.BufferedReader else None
    if not isinstance(raw, RestFile):
        return 0
    raw.is_mute = True
    try:
        return len(file.peek(1) or b"") + len(raw.rest)
    finally:
        raw.is_mute = False


def read_exactly(file: Any, n: int) -> bytes:
    """Read n bytes.

    Raises:
        IncompleteRead: the file ended before.
    """
    is_much = n > MUCH and type(file) is not SocketFile
    data: bytes = read_much(file.readinto, n) if is_much else file.read(n)
    if len(data) < n:
        raise IncompleteRead(data, n - len(data))
    return data


class FileStream:
    """What the engine's readers ask of a stream, over a blocking file; its coroutines never suspend.

    Args:
        file: the file.
        read: that call of it which read(n) stands for: `read` waits for all n, `read1` for what is at hand.
    """

    __slots__ = ("_file", "_read", "take_exactly")

    def __init__(self, file: Any, read: Callable[[int], bytes]) -> None:
        self._file = file
        self._read = read
        self.take_exactly = file.take_exactly if type(file) is SocketFile else _take_nothing

    async def readline(self, limit: int) -> bytes:
        """See ByteReader."""
        line: bytes = self._file.readline(limit + 1)
        if len(line) > limit:
            raise LineTooLong("a line", limit)
        return line

    async def read(self, n: int) -> bytes:
        """See ByteReader."""
        return self._read(n)

    async def readexactly(self, n: int) -> bytes:
        """See ByteReader. Of a program's own file a chunk and the CRLF after it are read apart, as http.client does."""
        file = self._file
        if n <= 2 or type(file) is SocketFile:
            return read_exactly(file, n)
        try:
            data = read_exactly(file, n - 2)
        except IncompleteRead as exc:
            raise IncompleteRead(exc.partial, n - len(exc.partial)) from None
        crlf: bytes = file.read(2)
        if len(crlf) < 2:
            raise IncompleteRead(data + crlf, 2 - len(crlf))
        return data + crlf

    async def readinto(self, buffer: memoryview) -> int:
        """See ByteReader; fills all of the buffer but at the end."""
        count: int = self._file.readinto(buffer)
        return count

    def loss(self) -> Exception | None:
        """Return None: the file has told all there is to tell, or raised it."""
        return None


def _take_nothing(n: int) -> None:
    """Return None: nothing is at hand of a program's own file."""
