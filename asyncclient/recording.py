"""Recording: the exact bytes of an exchange, as the stream writes and receives them. Those of TLS are not among them.

A request with a `recorder` makes its connection record. For that the classes of the open stream, of its buffer and of
its wire are changed until the exchange has ended, so that other exchanges pay nothing and an idle connection is as
small as before (decision 102).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Literal, cast

from .exchange.exchange import Exchange
from .exchange.stream import Buffer
from .message.buffer import Pieces
from .message.cycle import CloseReason
from .message.repairs import Repair
from .stream.aio import AioStream
from .stream.direct import DIRECT_FROM
from .wire import Wire

Cut = Literal["length", "time", "disconnect", "unspecified"]
"""Why a message is not recorded to its end: it is longer than the limit; a time limit was exceeded; the peer or the
network ended the connection; or anything else, such as a response that was closed before its end."""

MOST_AT_ONCE: Final = DIRECT_FROM - 1
"""Bytes of a buffer that are filled from received bytes; more would be filled by the kernel, unseen by the stream."""


class Beginning:
    """The first bytes of a flow of bytes.

    Args:
        limit: how many bytes are kept.

    Attributes:
        size: bytes of the flow so far.
    """

    __slots__ = ("_kept", "_left", "size")

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._left = limit
        # In one piece: a peer that sends byte by byte would otherwise make an object of each.
        self._kept = bytearray()

    @property
    def kept(self) -> int:
        """The number of bytes that are kept."""
        return len(self._kept)

    def add(self, data: Buffer) -> None:
        """Add the next bytes."""
        self.size += len(data)
        if self._left > 0:
            part = data[: self._left]
            self._kept += part
            self._left -= len(part)

    def slice(self, start: int, end: int) -> bytes:
        """Return the bytes between two positions, as far as they are kept."""
        return bytes(memoryview(self._kept)[start:end])


class Recording:
    """The bytes of one exchange, complete when the function `ended` is called.

    Args:
        limit: how many bytes are kept of the request, and of the responses to it.
        ended: called once with the recording, when an exchange has ended for which a byte was sent. It must neither
            wait nor raise an error.

    Attributes:
        started: when the exchange began, in seconds since 1970.
        peer: the address of the peer, which is a proxy if there is one; None if it is unknown.
        head_size: bytes of the head of the final response; 0 if it was not received.
        request_cut, response_cut: why not all of the message is recorded; None if all of it is.
    """

    __slots__ = (
        "_end",
        "_ended",
        "_start",
        "exchange",
        "has_timed_out",
        "head_size",
        "peer",
        "received",
        "request_cut",
        "response_cut",
        "sent",
        "started",
    )

    def __init__(self, limit: int, ended: Callable[[Recording], object]) -> None:
        self.started = time.time()
        self.peer: Any = None
        self.head_size = 0
        self.request_cut: Cut | None = None
        self.response_cut: Cut | None = None
        self._ended = ended
        # The exchange that is recorded.
        self.exchange: Exchange | None = None
        self.sent = Beginning(limit)
        self.received = Beginning(limit)
        # Whether a time limit has ended the exchange.
        self.has_timed_out = False
        # Where the last head begins in the received bytes, and where the response ends.
        self._start = 0
        self._end = 0

    @property
    def size(self) -> int:
        """The number of bytes that are kept."""
        return self.sent.kept + self.received.kept

    @property
    def request(self) -> bytes:
        """The request: its head, and as much of the body as was sent."""
        return self.sent.slice(0, self.sent.size)

    @property
    def interim(self) -> bytes:
        """The interim responses (1xx)."""
        return self.received.slice(0, self._start)

    @property
    def response(self) -> bytes:
        """The final response: its head, and the body with its framing."""
        return self.received.slice(self._start, self._end)

    def note_head(self, size: int) -> None:
        """Note that the next bytes of the responses, that many, are a head."""
        self._start += self.head_size
        self.head_size = size

    def end(self, exchange: Exchange, surplus: int, cut: Cut | None) -> None:
        """End the recording, and pass it on if it is that of the exchange.

        Args:
            exchange: the exchange that has ended.
            surplus: bytes that were received after a whole response.
            cut: why the response is not whole; None if it is.
        """
        recorded, self.exchange = self.exchange, None
        if recorded is not exchange or not self.sent.size:
            return  # nothing of its own request was sent, and another one has used the connection
        self._end = self.received.size - surplus
        if exchange.heads.final is None:
            self._start, self.head_size = self._start + self.head_size, 0
        if self.sent.size > self.sent.kept:
            self.request_cut = "length"
        self.response_cut = "length" if self._end > self.received.kept else cut
        self._ended(self)


class RecordedPieces(Pieces):
    """The received bytes of a stream, which are also added to a recording."""

    __slots__ = ("recording",)

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self.recording = recording

    def append(self, data: bytes) -> None:
        """Add received bytes."""
        self.recording.received.add(data)
        super().append(data)


class RecordedStream(AioStream):
    """A stream that records one exchange. start_recording() makes one of an open AioStream, until stop()."""

    __slots__ = ()

    @property
    def recording(self) -> Recording:
        """The recording."""
        return cast(RecordedPieces, self._pieces).recording

    def start(self, recording: Recording) -> None:
        """Add all bytes to a recording from now on; nothing is buffered."""
        recording.peer = self.remote.address
        self._pieces = RecordedPieces(recording)

    def stop(self, exchange: Exchange, *, is_whole: bool) -> None:
        """Stop recording at the end of an exchange; bytes after its response stay in the buffer.

        Args:
            exchange: the exchange.
            is_whole: whether the response was received to its end.
        """
        recording, rest = self.recording, self._pieces.take_exactly(self._pieces.size)
        cut = None if is_whole else self._find_cut(recording)
        self._pieces = Pieces()
        if rest:
            self._pieces.append(rest)
        self.__class__ = AioStream  # type: ignore[assignment]  # the base class, as before
        recording.end(exchange, len(rest) if is_whole else 0, cut)

    def _find_cut(self, recording: Recording) -> Cut:
        if recording.has_timed_out:
            return "time"
        return "unspecified" if self.ending is None or self.ending.is_local else "disconnect"

    def take_head(self, limit: int, start: bytes | tuple[bytes, ...] = b"", known: bytes | None = None) -> bytes | None:
        """Return a received head, and note its size."""
        head = super().take_head(limit, start, known)
        if head:
            self.recording.note_head(len(head))
        return head

    async def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer from received bytes."""
        return await super().readinto(buffer[:MOST_AT_ONCE])

    def write(self, data: Buffer) -> None:
        """Write the data and record them."""
        super().write(data)
        self.recording.sent.add(data)

    async def sendfile(self, descriptor: int, offset: int, count: int) -> None:
        """Return None: the kernel sends no file here, because all sent bytes must be recorded."""

    def abort(self, failure: Exception | None = None) -> None:
        """Drop the connection; a failure is that of a time limit."""
        if failure is not None:
            self.recording.has_timed_out = True
        super().abort(failure)


class RecordedWire(Wire):
    """A wire whose exchange is recorded. start_recording() makes one of an open Wire, until the exchange has ended."""

    __slots__ = ()

    def end(self, exchange: Exchange, at: float | None) -> None:
        """Stop recording, and end the exchange."""
        self._stop(exchange, is_whole=at is not None and Repair.INCOMPLETE not in exchange.repairs)
        Wire.end(self, exchange, at)

    def close(self, reason: CloseReason = CloseReason.CLOSED) -> None:
        """Stop recording an exchange in progress, and begin to close."""
        if self.exchange is not None:
            self._stop(self.exchange, is_whole=False)
        Wire.close(self, reason)

    def _stop(self, exchange: Exchange, *, is_whole: bool) -> None:
        self.__class__ = Wire  # type: ignore[assignment]  # the base class, as before
        cast(RecordedStream, self.stream).stop(exchange, is_whole=is_whole)


def start_recording(wire: Wire, exchange: Exchange, recording: Recording) -> None:
    """Have the bytes of an exchange recorded, which is about to be sent on the wire."""
    recording.exchange = exchange
    wire.__class__ = RecordedWire
    wire.stream.__class__ = RecordedStream
    cast(RecordedStream, wire.stream).start(recording)
