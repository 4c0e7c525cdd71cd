"""The interface that the engine needs of a stream of bytes.

Coroutines that read from a ByteStream know no loop, no task and no timeout: over an asyncio stream they are awaited;
over a blocking file none of its methods ever suspends, and one `coroutine.send(None)` runs a coroutine to its end.
"""

from __future__ import annotations

from typing import Protocol

Buffer = bytes | bytearray | memoryview


class ByteReader(Protocol):
    """The reading methods of a stream that content needs; a blocking file has no others."""

    async def readline(self, limit: int) -> bytes:
        """Return one line with its ending; at the end of the stream the rest, then b"".

        Raises:
            LineTooLong: there is no LF in `limit` bytes.
        """
        ...

    async def read(self, n: int) -> bytes:
        """Return 1 to n bytes, as soon as there are any; b"" at the end, however the stream ended."""
        ...

    async def readexactly(self, n: int) -> bytes:
        """Return n bytes.

        Raises:
            IncompleteRead: the stream ended before; `partial` has the bytes before its end.
        """
        ...

    def take_exactly(self, n: int) -> bytes | None:
        """Return n buffered bytes, else None; never waits. A stream that buffers nothing always returns None."""
        ...

    def buffered(self) -> tuple[bytes, int]:
        """Return received bytes in one piece, and the position of the first unread byte in them; b"" and 0 without any.

        Never waits. There may be more pieces. A stream that buffers nothing always returns b"" and 0.
        """
        ...

    async def receive_more(self) -> bool:
        """Wait until more is buffered; False if nothing more will be received, or if the stream buffers nothing."""
        ...

    def skip(self, n: int) -> None:
        """Take n bytes that buffered() has returned, without returning them."""
        ...

    async def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer with at least one byte, as soon as there are any; return how many, 0 at the end."""
        ...

    def loss(self) -> Exception | None:
        """Return the error that truncated the stream; None if the peer closed it cleanly (over TLS: with close_notify).

        Content that ends with the stream is known to be whole only by this (RFC 9112 §9.8).
        """
        ...


class ByteStream(ByteReader, Protocol):
    """One connection as bytes. A stream has one reader and one writer at a time.

    A second reader or writer gets ImproperConnectionState, and the stream can still be used. After any other error, and
    after a method was cancelled, the stream must be dropped: cancelling loses no received bytes by itself, but the
    progress of the method is unknown.
    """

    @property
    def peer(self) -> str:
        """host:port of the peer, for messages."""
        ...

    async def readhead(self, limit: int, start: bytes | tuple[bytes, ...] = b"", known: bytes | None = None) -> bytes:
        r"""Return the bytes through the first empty line; b"" if the peer closed before the first byte.

        Lines end with CRLF or LF. Bytes that cannot begin with `start`, or with one of several, are returned as they
        were received: their end is not known. `known` is a head that is likely to be next: if it is, that object is
        returned, which takes less time than looking for the end.

        Raises:
            LineTooLong: there is no empty line in `limit` bytes.
            IncompleteRead: the stream ended in the middle.
        """
        ...

    async def wait_readable(self, seconds: float) -> bool:
        """Wait until there is something to read, or the stream ends; return False after that many seconds."""
        ...

    def write(self, data: Buffer) -> None:
        """Accept all of the data, to be sent in order; never waits."""
        ...

    async def drain(self) -> bool:
        """Wait until more may be written, or the peer has begun to respond or has closed; True in the latter case.

        For content that is sent in pieces: an early response is noticed even if the peer takes everything at once.
        """
        ...

    async def sendfile(self, descriptor: int, offset: int, count: int) -> int | None:
        """Send bytes of a regular file without passing them through Python.

        Returns how many were sent: fewer than `count` if the file ended or the peer began to respond; None if this
        stream has no such way, and then nothing was sent.
        """
        ...

    def abort(self) -> None:
        """Drop the connection at once, with everything that is not sent yet."""
        ...


__all__ = ["Buffer", "ByteReader", "ByteStream"]
