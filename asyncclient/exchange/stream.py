"""What the engine needs of a stream of bytes.

Coroutines that pull from a ByteStream know no loop, no task and no timeout: over an asyncio stream they are awaited,
over a blocking file none of its methods ever suspends, and one `coroutine.send(None)` runs them to their end.
"""

from __future__ import annotations

from typing import Protocol

Buffer = bytes | bytearray | memoryview


class ByteReader(Protocol):
    """The reading of a stream as far as content needs it; all that a blocking file can do."""

    async def readline(self, limit: int) -> bytes:
        """Return one line with its ending, or what there is of it when the peer closed.

        Raises:
            LineTooLong: limit bytes, and no LF.
        """
        ...

    async def read(self, n: int) -> bytes:
        """Return what is at hand, one byte at least and n at most; b"" when the peer has ended, however it did."""
        ...

    async def readexactly(self, n: int) -> bytes:
        """Return n bytes.

        Raises:
            IncompleteRead: the peer closed before; `partial` has what came.
        """
        ...

    def take_exactly(self, n: int) -> bytes | None:
        """Return n bytes that are at hand already, None if they are not; a stream that reads nothing ahead has none."""
        ...

    async def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer with what is at hand, one byte at least; 0 when the peer has ended."""
        ...

    def loss(self) -> Exception | None:
        """Return how the stream was cut short; None if the peer ended it itself, which TLS only knows of close_notify.

        Where the end of the stream is the end of the content, nothing else tells a whole one (RFC 9112 §9.8).
        """
        ...


class ByteStream(ByteReader, Protocol):
    """One connection as bytes. A stream has one reader and one writer at a time; a second one is refused.

    Whatever a method raises, the stream is of no further use. Cancelling a method leaves the stream as it was, but
    nothing says how far it came: drop it.
    """

    peer: str
    """host:port of the other end, for messages."""

    async def readhead(self, limit: int, start: bytes | tuple[bytes, ...] = b"") -> bytes:
        r"""Return the bytes through the first empty line; b"" if the peer closed before the first byte.

        Lines end with CRLF or LF. Bytes that cannot begin with `start`, or with one of several, are returned as they
        were received: their end is not known.

        Raises:
            LineTooLong: limit bytes, and no empty line.
            IncompleteRead: the peer closed in the middle.
        """
        ...

    async def wait_readable(self, seconds: float) -> bool:
        """Wait until something can be read, the end included; False after that many seconds, which harms nothing."""
        ...

    def write(self, data: Buffer) -> None:
        """Take all of the data, to be sent in order; never waits."""
        ...

    async def drain(self) -> bool:
        """Wait until more may be written or the peer has begun to answer (or has closed): True says that it has.

        For content that goes out in pieces: it looks for the answer even where nothing holds the writing up.
        """
        ...

    async def sendfile(self, descriptor: int, offset: int, count: int) -> int | None:
        """Send bytes of a regular file without their passing through Python.

        Returns how many were sent, fewer than count where the file ended or the peer began to answer; None if this
        stream can't do it, and then nothing was sent.
        """
        ...

    def abort(self) -> None:
        """Drop the connection at once, whatever is not sent yet."""
        ...


__all__ = ["Buffer", "ByteReader", "ByteStream"]
