"""A ByteStream in memory that follows a script: the test says which bytes are received and when. It never waits.

Coroutines over it need no loop:

    stream = ScriptedStream([b"HTTP/1.1 200 OK\\r\\n", b"Content-Length: 2\\r\\n\\r\\nok"])
    head = run_now(ResponseHeads().receive(stream, Limits()))
"""

import os
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from asyncclient.errors import IncompleteRead, LineTooLong, NotConnected, RemoteDisconnected
from asyncclient.exchange.stream import Buffer

T = TypeVar("T")


def run_now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise AssertionError(f"{coroutine!r} suspended")


class ScriptedStream:
    """A connection whose peer sends these pieces, then ends.

    Args:
        pieces: the bytes to receive, piece by piece; an exception is raised in its turn.
        loss: how the connection was cut short, after the last piece.
        answers: for each piece, the number of bytes written after which drain() and wait_readable() notice it; one
            number more stands for the end. Pieces without a number arrive only when the stream is read.
        breaks: (count, error): drain() raises the error once so many bytes are written.
        file_step: bytes that one sendfile() sends; 0 if the stream has no sendfile().
        reads_ahead: whether received bytes are buffered; a stream over a blocking file has no buffer.

    Attributes:
        written: all bytes written; `writes` has them as they were given.
        waits: the seconds of each wait_readable().
        is_aborted: whether abort() was called.
    """

    def __init__(
        self,
        pieces: Iterable[bytes | Exception] = (),
        *,
        loss: Exception | None = None,
        answers: Sequence[int] = (),
        breaks: tuple[int, Exception] | None = None,
        file_step: int = 0,
        reads_ahead: bool = True,
    ) -> None:
        self.peer = "peer:80"
        self.written = bytearray()
        self.writes: list[Buffer] = []
        self.waits: list[float] = []
        self.is_aborted = False
        self._script = deque(pieces)
        self._answers = deque(answers)
        self._buffer = bytearray()
        self._loss = loss
        self._breaks = breaks
        self._file_step = file_step
        self._reads_ahead = reads_ahead

    @property
    def unread(self) -> bytes:
        """Return the unread bytes, with the pieces that have not arrived."""
        return bytes(self._buffer) + b"".join(piece for piece in self._script if isinstance(piece, bytes))

    # Reading

    async def readhead(self, limit: int, start: bytes | tuple[bytes, ...] = b"", known: bytes | None = None) -> bytes:
        while (end := self._end_of_head()) < 0:
            if len(self._buffer) > limit:
                raise LineTooLong("a head", limit)
            starts = start if isinstance(start, tuple) else (start,)
            if self._buffer and not any(self._buffer[: len(it)] == it[: len(self._buffer)] for it in starts):
                return self._take(len(self._buffer))
            if not self._receive():
                if self._buffer:
                    raise IncompleteRead(self._take(len(self._buffer))) from self._loss
                if self._loss is not None:
                    raise RemoteDisconnected("the peer reset the connection") from self._loss
                return b""
        if end > limit:
            raise LineTooLong("a head", limit)
        return self._take(end)

    def _end_of_head(self) -> int:
        ends = [at + len(mark) for mark in (b"\n\r\n", b"\n\n") if (at := self._buffer.find(mark)) >= 0]
        return min(ends, default=-1)

    async def readline(self, limit: int) -> bytes:
        while (end := self._buffer.find(b"\n") + 1) == 0 and len(self._buffer) <= limit:
            if not self._receive():
                return self._take(len(self._buffer))
        if (end or len(self._buffer)) > limit:
            raise LineTooLong("a line", limit)
        return self._take(end)

    async def read(self, n: int) -> bytes:
        while not self._buffer:
            if not self._receive():
                return b""
        return self._take(n)

    async def readexactly(self, n: int) -> bytes:
        while len(self._buffer) < n:
            if not self._receive():
                raise IncompleteRead(self._take(n), n) from self._loss
        return self._take(n)

    def take_exactly(self, n: int) -> bytes | None:
        return self._take(n) if self._reads_ahead and len(self._buffer) >= n else None

    def buffered(self) -> tuple[bytes, int]:
        return (bytes(b"read" + self._buffer), 4) if self._reads_ahead and self._buffer else (b"", 0)

    async def receive_more(self) -> bool:
        return self._reads_ahead and self._receive()

    def skip(self, n: int) -> None:
        self._take(n)

    async def readinto(self, buffer: memoryview) -> int:
        data = await self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def loss(self) -> Exception | None:
        return self._loss

    async def wait_readable(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return self._has_answered()

    def _take(self, n: int) -> bytes:
        data = bytes(self._buffer[:n])
        del self._buffer[:n]
        return data

    def _receive(self) -> bool:
        """Receive the next piece; False at the end."""
        self._check_open()
        if self._answers:
            self._answers.popleft()
        if not self._script:
            return False
        piece = self._script.popleft()
        if isinstance(piece, Exception):
            raise piece
        self._buffer += piece
        return True

    def _has_answered(self) -> bool:
        self._check_open()
        return bool(self._buffer) or bool(self._answers and len(self.written) >= self._answers[0])

    # Writing

    def write(self, data: Buffer) -> None:
        self._check_open()
        self.writes.append(data)
        self.written += data

    async def drain(self) -> bool:
        if self._breaks is not None and len(self.written) >= self._breaks[0]:
            raise self._breaks[1]
        return self._has_answered()

    async def sendfile(self, descriptor: int, offset: int, count: int) -> int | None:
        if not self._file_step:
            return None
        if self._has_answered():
            return 0
        data = os.pread(descriptor, min(count, self._file_step), offset)
        self.write(data)
        return len(data)

    def abort(self) -> None:
        self.is_aborted = True

    def _check_open(self) -> None:
        if self.is_aborted:
            raise NotConnected("connection was closed")
