"""The streams that the engine's readers pull a response from: over a socket of compat, or over any blocking file.

A program's own file is never read ahead: its position after a message is where the next message begins, and programs
read from it themselves. Over a socket of compat a SocketStream reads ahead, for one response. When a program asks for
the file of the response, the stream becomes an io.BufferedReader as http.client has it (`open_reader`).
"""

from __future__ import annotations

import io
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from asyncclient.errors import IncompleteRead, LineTooLong
from asyncclient.message.buffer import Pieces

if TYPE_CHECKING:
    from .sockets import OwnSocket

READ_AHEAD: Final = 64 * 1024
"""Bytes received at once. With the 8 KiB of http.client's file it takes eight times the system calls."""

LARGE_READ: Final = 32 * 1024
"""Bytes asked for at once from which on nothing is read ahead."""

MAX_RESERVED: Final = 1024 * 1024
"""Bytes of announced content that memory is reserved for; beyond it, memory is taken for received bytes only."""

BLOCK: Final = 512 * 1024
"""Bytes received at once of long content; fewer cost more calls, more do not stay in the cache."""

READ, READ1, READLINE = "read", "read1", "readline"
"""What read(n) of a stream gives: n bytes, what one call gives, or one line."""

_BROKEN: Final = "cannot read from timed out object"  # the text of socket.SocketIO, whatever the error was


class SocketStream:
    """Reads a response from a socket of compat (see exchange.stream.ByteReader), as a BufferedReader would.

    It keeps the socket open until it is closed itself.

    Attributes:
        mode: what read() gives: READ, READ1 or READLINE.
    """

    def __init__(self, sock: OwnSocket) -> None:
        self.mode = READ
        self._sock = sock
        self._pieces = Pieces()
        self._step = READ_AHEAD if sock.reads_ahead else 1
        self._has_ended = False
        self._is_broken = False
        sock.hold()

    async def _receive(self, n: int = 0) -> bytes:
        """Receive something; b"" at the end and ever after: a TLS socket may not tell its end twice."""
        return await self._call(self._sock.receive, n or self._step) or b""

    async def _receive_into(self, view: memoryview) -> int:
        return await self._call(self._sock.receive_into, view) or 0

    async def _call(self, receive: Callable[[Any], Awaitable[Any]], argument: Any) -> Any:
        """Return the result of a method of the socket, None after the end."""
        if self._is_broken:
            raise OSError(_BROKEN)
        if self._has_ended:
            return None
        self._is_broken = True  # an exception loses the bytes in hand, so later bytes would not follow the earlier ones
        found = await receive(argument)
        self._is_broken = False
        self._has_ended = not found
        return found

    @property
    def ahead(self) -> int:
        """How many bytes were received and not read."""
        return self._pieces.size

    def take_exactly(self, n: int) -> bytes | None:
        """See ByteReader."""
        return self._pieces.take_exactly(n) if self._pieces.size >= n else None

    async def read(self, n: int) -> bytes:
        """See ByteReader; how much it gives depends on `mode`."""
        pieces = self._pieces
        if self.mode is READ:
            return await self._read_up_to(n)
        if self.mode is READLINE:
            return await self._read_part_of_line(n)
        if not pieces.size:
            pieces.append(await self._receive())
        return pieces.take(n)

    async def _read_up_to(self, n: int) -> bytes:
        """Return n bytes, fewer at the end only."""
        pieces = self._pieces
        if n <= pieces.size:
            return pieces.take_exactly(n)
        first = pieces.take_exactly(pieces.size)
        n -= len(first)
        if n > MAX_RESERVED:
            return await read_much(self._receive_into, n, first)
        parts = [first] if first else []
        is_large = n >= LARGE_READ
        while n and (data := await self._receive(n if is_large else 0)):
            if len(data) > n:
                pieces.append(data)
                data = pieces.take(n)
            parts.append(data)
            n -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def readexactly(self, n: int) -> bytes:
        """See ByteReader."""
        return _check_length(await self._read_up_to(n), n)

    async def readinto(self, buffer: memoryview) -> int:
        """See ByteReader; fills the whole buffer unless the peer has ended."""
        done = self._pieces.take_into(buffer) if self._pieces.size else 0
        while done < len(buffer):
            rest = buffer[done:]
            count = self._pieces.take_into(rest) if self._pieces.size else await self._receive_into(rest)
            if not count:
                break
            done += count
        return done

    async def readline(self, limit: int) -> bytes:
        """See ByteReader."""
        return _check_line(await self._read_part_of_line(limit + 1), limit)

    async def _read_part_of_line(self, limit: int) -> bytes:
        """Return one line, or limit bytes of it."""
        parts: list[bytes] = []
        pieces = self._pieces
        while limit:
            if not pieces.size:
                pieces.append(await self._receive())
            part = pieces.take_part_of_line(limit)
            limit -= len(part)
            parts.append(part)
            if part[-1:] in b"\n":
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def peek(self, n: int = 0) -> bytes:
        """Return the bytes at hand, at least one, and leave them there; b"" when the peer has ended."""
        if not self._pieces.size:
            self._pieces.append(await self._receive())
        return self._pieces.peek()

    def skip(self, n: int) -> None:
        """Take bytes that peek() has returned."""
        self._pieces.take(n)

    def open_reader(self) -> io.BufferedReader:
        """Return a BufferedReader that goes on where this stream stands; the stream is of no further use."""
        raw: Any = self._sock.makefile("rb", 0)
        raw.__class__ = RestFile
        raw.rest = self._pieces.take_exactly(self._pieces.size)
        self.close()
        return io.BufferedReader(raw, self._step)

    def loss(self) -> Exception | None:
        """Return None: receiving has raised the error of a connection that was lost."""
        return None

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        number: int = self._sock.fileno()
        return number

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Let the socket close."""
        self._sock.release()


class FileStream:
    """Reads a response from a blocking file (see exchange.stream.ByteReader); its coroutines never suspend.

    Attributes:
        file: the file.
        mode: the method of the file that read() calls: READ, READ1 or READLINE.
    """

    def __init__(self, file: Any) -> None:
        self.file = file
        self.mode = READ

    @property
    def ahead(self) -> int:
        """How many bytes compat has received and not read; 0 for a program's own file."""
        raw = self.file.raw if type(self.file) is io.BufferedReader else None
        if not isinstance(raw, RestFile):
            return 0
        raw.is_mute = True
        try:
            return len(self.file.peek(1) or b"") + len(raw.rest)
        finally:
            raw.is_mute = False

    def take_exactly(self, n: int) -> bytes | None:
        """Return None: nothing is known to be at hand."""
        return None

    async def read(self, n: int) -> bytes:
        """See ByteReader; how much it gives depends on `mode`."""
        if self.mode is READ:
            return await self._read_up_to(n)
        data: bytes = getattr(self.file, self.mode)(n)
        return data

    async def _read_up_to(self, n: int) -> bytes:
        data: bytes = await read_much(self.readinto, n) if n > MAX_RESERVED else self.file.read(n)
        return data

    async def readexactly(self, n: int) -> bytes:
        """See ByteReader."""
        return _check_length(await self._read_up_to(n), n)

    async def readinto(self, buffer: memoryview) -> int:
        """See ByteReader; fills the whole buffer unless the file has ended."""
        count: int = self.file.readinto(buffer)
        return count

    async def readline(self, limit: int) -> bytes:
        """See ByteReader."""
        return _check_line(self.file.readline(limit + 1), limit)

    async def peek(self, n: int = 0) -> bytes:
        """Return bytes at hand, and leave them there."""
        data: bytes = self.file.peek(n)
        return data

    def loss(self) -> Exception | None:
        """Return None: the file has raised whatever error there was."""
        return None

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        number: int = self.file.fileno()
        return number

    def flush(self) -> None:
        """Flush the file."""
        self.file.flush()

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def _check_length(data: bytes, n: int) -> bytes:
    if len(data) < n:
        raise IncompleteRead(data, n - len(data))
    return data


def _check_line(line: bytes, limit: int) -> bytes:
    if len(line) > limit:
        raise LineTooLong("a line", limit)
    return line


async def read_much(readinto: Callable[[memoryview], Awaitable[int]], n: int, first: bytes = b"") -> bytes:
    """Read n bytes, or to the end, and append them to the first ones; memory is taken for received bytes only.

    A BytesIO returns its content without a copy; joining pieces would take twice the time.
    """
    block = memoryview(bytearray(BLOCK))
    whole = io.BytesIO()
    whole.write(first)
    while n and (count := await readinto(block if n >= BLOCK else block[:n])):
        whole.write(block[:count])
        n -= count
    return whole.getvalue()


class RestFile(socket.SocketIO):
    """The raw file of a socket that first gives the bytes which had been received before it was made.

    Attributes:
        rest: those bytes.
        is_mute: reading finds nothing, and does not look: that shows how much its reader has read ahead.
    """

    rest = b""
    is_mute = False
    _is_broken = False

    def readinto(self, b: Any) -> Any:
        """Read what is at hand, and return how much; None if that is nothing."""
        if self.rest:
            given, self.rest = self.rest[: len(b)], self.rest[len(b) :]
            b[: len(given)] = given
            return len(given)
        if self._is_broken:
            raise OSError(_BROKEN)
        try:
            return None if self.is_mute else super().readinto(b)
        except BaseException:
            self._is_broken = True  # its reader loses the bytes in hand
            raise
