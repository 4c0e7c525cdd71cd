"""The protocol of one WebSocket connection on its transport.

The protocol itself (frames, masking, compression, the closing handshake) is the sans-I/O ClientProtocol of the library
websockets. Here its input and output are connected to an asyncio transport, in callbacks: there is no task.

The rules kept:
- Pings are answered, and close frames too, also while no task receives.
- Messages that are not received yet are limited: beyond that nothing is read from the connection, so the peer waits.
  Received bytes are decoded in steps, because a few compressed bytes may be many messages.
- The end is noted as soon as the peer's close frame, a fault, or the end of the connection is seen. Each waiter gets it
  as an error, after the messages that were received before it. The transport then has `close_timeout` to end.
- A text is strict UTF-8 (RFC 6455 §8.1).
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from ...errors import WebSocketClosed

if TYPE_CHECKING:
    from websockets.client import ClientProtocol
    from websockets.frames import Frame

HIGH_WATER: Final = 256 * 1024
"""Bytes of messages that wait to be received, beyond which nothing more is read."""

LOW_WATER: Final = 64 * 1024
"""Bytes of messages that wait to be received, from which on the connection is read again."""

MESSAGE_COST: Final = 64
"""Bytes that a message counts in addition to its content, so that the number of small messages is limited, too."""

STEP: Final = 16 * 1024
"""Received bytes that are decoded before the messages are counted again."""

MOST_UNREAD: Final = 64 * 1024
"""Bytes of pongs that may be added to a full buffer of the transport; the pongs after them are left out."""

ABNORMAL: Final = 1006
"""The code of a connection that ended without a close frame (RFC 6455 §7.1.5)."""

Message = str | bytes


class Limits(NamedTuple):
    """Seconds: between two pings (None: no pings), and for the end of the connection after the closing handshake."""

    ping_interval: float | None
    close_timeout: float


class Link(asyncio.Protocol):
    """The protocol of a connection that the opening handshake was made on.

    Args:
        protocol: the protocol of websockets, after the handshake.
        writer: that of the connection, kept because it closes the connection when it is collected.
        limits: see Limits.

    Attributes:
        writer: see above.
        has_ended: True once no message can be sent any more.
        is_lost: True once the transport is closed.
    """

    def __init__(self, protocol: ClientProtocol, writer: asyncio.StreamWriter, limits: Limits) -> None:
        self.has_ended = False
        self.is_lost = False
        self._protocol = protocol
        self._open = protocol.state  # the state before the end
        self._cause: Exception | None = None  # of the end
        self._has_eof = False
        self.writer = writer
        self._transport = cast(asyncio.Transport, writer.transport)
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._messages: deque[tuple[Message, int]] = deque()  # with their costs
        self._size = 0  # of the messages, and MESSAGE_COST for each
        self._rest = b""  # received bytes that are not decoded yet
        self._part = bytearray()  # of a message whose end is not received
        self._is_text = False
        self._is_discarding = False  # True once no message will be received any more
        self._is_reading = True
        self._may_write = True
        self._unread = 0  # bytes of pongs since the transport's buffer is full
        self._receiver: asyncio.Future[None] | None = None
        self._waiters: set[asyncio.Future[None]] = set()  # for room in the transport, or for its end
        self._pings: dict[bytes, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self, early: bytes, *, has_eof: bool) -> None:
        """Begin with the bytes that were received after the handshake, and with the end if that was received."""
        self._transport.set_protocol(self)
        if self._limits.ping_interval is not None:
            self._timer = self._loop.call_later(self._limits.ping_interval, self._keep_alive, None)
        self.data_received(early)
        if has_eof:
            self.abort()
            self.connection_lost(None)
        elif self._is_reading:
            self._transport.resume_reading()

    # Callbacks of the transport

    def data_received(self, data: bytes) -> None:
        """Decode received bytes, as far as messages are wanted."""
        self._rest = self._rest + data if self._rest else data
        self._decode()

    def eof_received(self) -> bool:
        """Note that the peer has ended the connection, and let the transport close."""
        self._receive_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone."""
        self.is_lost = True
        self._cause = self._cause or exc
        self._receive_eof()
        self._stop_timer()
        self._wake_waiters()

    def pause_writing(self) -> None:
        """Note that the transport's buffer is full."""
        self._may_write = False

    def resume_writing(self) -> None:
        """Note that there is room again."""
        self._may_write = True
        self._unread = 0
        self._wake_waiters()

    # Receiving

    def _decode(self) -> None:
        while self._rest and (self._size <= HIGH_WATER or self._is_discarding):
            self._decode_step()
        if self._size > HIGH_WATER and self._is_reading and not self._is_discarding:
            self._is_reading = False
            self._transport.pause_reading()

    def _receive_eof(self) -> None:
        """Decode the rest, which is limited, as nothing follows it; then the end."""
        while self._rest:
            self._decode_step()
        self._has_eof = True
        self._protocol.receive_eof()
        self._take_events()
        self._end()

    def _decode_step(self) -> None:
        data, self._rest = self._rest[:STEP], self._rest[STEP:]
        if not self._has_eof:
            self._protocol.receive_data(data)
            self._take_events()

    def _take_events(self) -> None:
        for event in self._protocol.events_received():
            self._take_frame(event)
        self._answer()
        if self._protocol.state is not self._open:
            self._end()

    def _take_frame(self, frame: Any) -> None:
        name = frame.opcode.name
        if name == "PONG":
            self._take_pong(bytes(frame.data))
        elif name in ("TEXT", "BINARY", "CONT") and not self._is_discarding:
            self._add_part(frame, name)

    def _add_part(self, frame: Frame, name: str) -> None:
        if name != "CONT":
            self._is_text = name == "TEXT"
        if not frame.fin:
            self._part += frame.data
            return
        data = bytes(self._part + frame.data) if self._part else bytes(frame.data)
        self._part = bytearray()
        try:
            message = data.decode() if self._is_text else data
        except UnicodeDecodeError as error:
            self._is_discarding = True  # further messages of the same step
            self._cause = error
            self._protocol.fail(1007, f"{error.reason} at position {error.start}")
            return
        cost = len(data) + MESSAGE_COST
        self._messages.append((message, cost))
        self._size += cost
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    async def receive(self) -> Message:
        """Return the next message; see WebSocket.receive()."""
        while not self._messages:
            if self.has_ended:
                raise self.build_closed()
            self._receiver = receiver = self._loop.create_future()
            try:
                await receiver
            finally:
                self._receiver = None
        message, cost = self._messages.popleft()
        self._size -= cost
        if self._size <= LOW_WATER and not self._is_reading:
            self._read_again()
        return message

    @property
    def is_received_from(self) -> bool:
        """True while a task waits for a message."""
        return self._receiver is not None

    def _read_again(self) -> None:
        self._decode()
        if self._size <= HIGH_WATER and not self.is_lost:
            self._is_reading = True
            self._transport.resume_reading()

    # Sending

    def send(self, message: Message | bytearray | memoryview) -> None:
        """Send a message; raises WebSocketClosed."""
        if self.has_ended:
            raise self.build_closed()
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self.flush()

    async def wait_written(self) -> None:
        """Wait until the transport has room; raises WebSocketClosed."""
        while not self._may_write:
            if self.is_lost:
                raise self.build_closed()
            await self._wait()

    def flush(self) -> None:
        """Write the protocol's output."""
        for data in self._protocol.data_to_send():
            if self.is_lost:
                continue
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()

    def _answer(self) -> None:
        """Write the answers to received frames; a peer that sends pings and reads nothing gets no further pongs."""
        if self._may_write or self.is_lost or self._protocol.state is not self._open:
            self.flush()
            return
        for pong in self._protocol.data_to_send():
            self._unread += len(pong)
            if self._unread <= MOST_UNREAD:
                self._transport.write(pong)

    async def _wait(self) -> None:
        waiter = self._loop.create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def _wake_waiters(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    # Pings

    async def ping(self, data: bytes) -> None:
        """Send a ping, and wait for its pong; raises WebSocketClosed."""
        if self.has_ended:
            raise self.build_closed()
        while not data or data in self._pings:
            data = secrets.token_bytes(4)
        self._pings[data] = pong = self._loop.create_future()
        try:
            self._protocol.send_ping(data)
            self.flush()
            await pong
        finally:
            self._pings.pop(data, None)

    def _take_pong(self, data: bytes) -> None:
        """End the ping of a pong, and those before it: a peer may answer only the last one (RFC 6455 §5.5.3)."""
        if data not in self._pings:
            return
        for sent in list(self._pings):
            pong = self._pings.pop(sent)
            if not pong.done():
                pong.set_result(None)
            if sent == data:
                break

    def _keep_alive(self, last: bytes | None) -> None:
        """Send the next ping, if the last one was answered."""
        interval = self._limits.ping_interval
        assert interval is not None
        if last is not None and last in self._pings and self._is_reading:
            self._protocol.fail(ABNORMAL)
            self._end(TimeoutError(f"no pong in {interval:g} s"))
            self.abort()
            return
        if last is None or last not in self._pings:
            last = secrets.token_bytes(4)
            self._pings[last] = self._loop.create_future()
            self._protocol.send_ping(last)
            self.flush()
        self._timer = self._loop.call_later(interval, self._keep_alive, last)

    # The end

    def build_closed(self) -> WebSocketClosed:
        """Return the error of the end."""
        close = self._protocol.close_rcvd or self._protocol.close_sent
        error = WebSocketClosed(ABNORMAL) if close is None else WebSocketClosed(int(close.code), close.reason)
        error.__cause__ = self._cause
        return error

    def _end(self, cause: Exception | None = None) -> None:
        """Note the end, and give the transport some time to close."""
        if self.has_ended:
            return
        self.has_ended = True
        fault = self._protocol.parser_exc
        self._cause = cause or self._cause or (None if isinstance(fault, EOFError) else fault)
        self._part = bytearray()
        self._stop_timer()
        if not self.is_lost:
            self._timer = self._loop.call_later(self._limits.close_timeout, self.abort)
        for pong in self._pings.values():
            if not pong.done():
                pong.set_exception(self.build_closed())
                pong.exception()  # a ping of the keep-alive has no waiter
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    @property
    def is_closing(self) -> bool:
        """True if the transport is closed, or about to be."""
        return self.is_lost or self._transport.is_closing()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def send_close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; messages are no longer received."""
        self._discard()
        if not self.has_ended:
            self._protocol.send_close(code, reason)
            self.flush()
            self._end()

    def _discard(self) -> None:
        self._is_discarding = True
        self._messages.clear()
        self._size = 0
        if not self._is_reading:
            self._read_again()

    async def wait_lost(self) -> None:
        """Wait until the connection is gone: `close_timeout` at most, if that was begun."""
        while not self.is_lost:
            await self._wait()

    def drop(self, code: int) -> None:
        """End the connection at once, with a close frame if it can be sent without waiting."""
        if self.is_lost:
            return
        self.send_close(code, "")
        if self._transport.get_write_buffer_size():
            self.abort()
        else:
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection."""
        self._transport.abort()
