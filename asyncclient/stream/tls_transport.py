"""A TLS transport: the protocol of the transport below it, and the transport of the protocol above it.

The problem: the TLS of both loops hides its buffers. Data of a reset connection that are still in the kernel cannot be
decrypted there, so an early response is lost; closing waits for the peer; and asyncio's TLS uses 256 KiB per
connection.

The rules kept:
- Received data are decrypted and passed up at once; no decrypted data are stored here.
- Only close_notify announces the end (RFC 8446 §6.1). Any other end, and any alert, reaches the protocol above as an
  unannounced end, or as the error of the connection.
- Closing sends close_notify and closes the transport below; the peer's close_notify is awaited only on request.
- All connections of one asyncio loop receive into the same buffer: its content is decrypted before the loop receives
  again.

`SSLObject` and `MemoryBIO` do the cryptography; this module moves bytes between them and the transports.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from ..exchange.stream import Buffer

MAX_RECORD: Final = 16 * 1024
"""Bytes of content in one TLS record (RFC 8446 §5.1)."""

RECEIVE_BUFFER: Final = 256 * 1024
"""Size of the buffer that all connections of one asyncio loop receive into."""

_buffers: WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview] = WeakKeyDictionary()


def _find_buffer(loop: asyncio.AbstractEventLoop) -> memoryview:
    buffer = _buffers.get(loop)
    if buffer is None:
        buffer = _buffers[loop] = memoryview(bytearray(RECEIVE_BUFFER))
    return buffer


class TLSTransport(asyncio.Transport, asyncio.Protocol):
    """The client side of one TLS connection over another transport.

    Args:
        loop: the loop of both transports.
        protocol: gets this transport once the handshake is done, and then all received data.
        context, server_name: for verifying the certificate; the name is also sent (RFC 6066 §3).
        close_timeout: seconds for which close() waits for the peer's close_notify; 0 does not wait.

    Attributes:
        ssl_object: the TLS state.
        failure: the TLS error that ended the connection, also an alert of the peer; None if there was none.
        is_end_announced: True if the peer's close_notify was received.
    """

    __slots__ = (
        "_backlog",
        "_close_timeout",
        "_closing",
        "_handshake",
        "_incoming",
        "_is_closing",
        "_is_established",
        "_loop",
        "_outgoing",
        "_protocol",
        "_transport",
        "failure",
        "is_end_announced",
        "ssl_object",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.Protocol,
        context: ssl.SSLContext,
        server_name: str | None,
        close_timeout: float = 0.0,
    ) -> None:
        super().__init__()
        self._loop = loop
        self._protocol: asyncio.Protocol | None = protocol
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl_object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._transport: asyncio.Transport | None = None
        self._handshake: asyncio.Future[None] = loop.create_future()
        self._is_established = False
        self._backlog: list[Buffer] = []  # data that cannot be encrypted yet, during a renegotiation of TLS 1.2
        self._close_timeout = close_timeout
        self._closing: asyncio.TimerHandle | None = None
        self.failure: Exception | None = None
        self._is_closing = False
        self.is_end_announced = False

    @property
    def is_connected(self) -> bool:
        """True if this protocol has a transport below, which abort() and close() end."""
        return self._transport is not None

    async def shake_hands(self) -> None:
        """Wait until the handshake is done and the protocol has this transport.

        Cancelling leaves the connection open: call abort().

        Raises:
            ssl.SSLError: the handshake failed, or the certificate was refused.
            ConnectionError: the peer closed.
        """
        await self._handshake

    # The protocol of the transport below

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self._advance_handshake()

    def data_received(self, data: Buffer) -> None:
        """Decrypt received data."""
        self._incoming.write(data)
        if self._is_established:
            self._receive()
        else:
            self._advance_handshake()

    def eof_received(self) -> bool:
        """Report an unannounced end to the protocol above, and let the transport below close."""
        if not self._is_established:
            self._fail(ConnectionResetError("the peer closed the connection"))
        elif not self.is_end_announced and self._protocol is not None:
            self._protocol.eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the loss of the connection, and its error, to the protocol above."""
        self._is_closing = True
        self._stop_waiting()
        protocol, self._protocol = self._protocol, None
        failure = self.failure or exc
        if not self._is_established:
            self._end_handshake(failure or ConnectionResetError("the connection was closed"))
        elif protocol is not None:
            protocol.connection_lost(failure)
        self.failure = None  # its traceback would keep this transport alive

    def pause_writing(self) -> None:
        """Pass the call to the protocol above."""
        if self._protocol is not None and self._is_established:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass the call to the protocol above."""
        if self._protocol is not None and self._is_established:
            self._protocol.resume_writing()

    # The handshake

    def _advance_handshake(self) -> None:
        try:
            self.ssl_object.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as exc:
            self._flush()  # send the alert with the reason
            self._fail(exc)
        else:
            self._is_established = True
            self._flush()
            if self._protocol is not None and not self._is_closing:
                self._protocol.connection_made(self)
            self._end_handshake(None)
            self._receive()

    def _end_handshake(self, failure: Exception | None) -> None:
        if self._handshake.done():
            return
        if failure is None:
            self._handshake.set_result(None)
        else:
            self._handshake.set_exception(failure)
            self._handshake.exception()  # mark it as retrieved: the waiter may have been cancelled before

    # Receiving

    def _receive(self) -> None:
        """Pass all decrypted data up, then send what TLS itself has to send."""
        data = self._decrypt()
        if data and not self._is_closing and self._protocol is not None:
            self._protocol.data_received(data)
        if self.failure is not None:
            self.abort()
            return
        if self._outgoing.pending:
            self._flush()
        if self._backlog:
            self._write_backlog()
        if self.is_end_announced:
            self._end()

    def _decrypt(self) -> bytes:
        """Return all data that can be decrypted, one record per read; note the end and failures."""
        parts = []
        try:
            while self._incoming.pending:
                part = self.ssl_object.read(MAX_RECORD)
                if not part:
                    self.is_end_announced = True
                    break
                parts.append(part)
        except ssl.SSLWantReadError:
            pass  # the record is incomplete
        except ssl.SSLZeroReturnError:  # instead of b"" after our own close_notify was sent
            self.is_end_announced = True
        except ssl.SSLError as exc:
            self.failure = exc
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _end(self) -> None:
        """Close after the peer's close_notify, and report it to the protocol above: nothing more can be exchanged."""
        self._close_timeout = 0.0
        if self._is_closing:
            cast(asyncio.Transport, self._transport).close()
            return
        if self._protocol is not None:
            self._protocol.eof_received()
        self.close()

    def decrypt(self, data: bytes) -> bytes:
        """Decrypt data that were received in another way after the connection was lost."""
        if isinstance(self._transport, TLSTransport):
            data = self._transport.decrypt(data)
        self._incoming.write(data)
        return self._decrypt()

    # The transport of the protocol above

    def write(self, data: Buffer) -> None:
        """Encrypt and send; see asyncio.WriteTransport."""
        if self._is_closing or not data:
            return
        if self._backlog:
            self._backlog.append(data)
            return
        try:
            sent = self.ssl_object.write(data)
        except ssl.SSLError:
            sent = 0
        if sent < len(data):
            self._encrypt(memoryview(data)[sent:])
        self._flush()

    def _encrypt(self, data: Buffer) -> None:
        """Encrypt all of the data, record by record; data that can't be encrypted yet go first in the backlog."""
        view = memoryview(data)
        try:
            while view:
                view = view[self.ssl_object.write(view) :]
        except ssl.SSLWantReadError:
            self._backlog.insert(0, bytes(view))
        except ssl.SSLError as exc:
            self._fail(exc)

    def _write_backlog(self) -> None:
        waiting, self._backlog = self._backlog, []
        for number, data in enumerate(waiting, 1):
            self._encrypt(data)
            if self._backlog:
                self._backlog += waiting[number:]
                break
        self._flush()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data and self._transport is not None:
            self._transport.write(data)

    def can_write_eof(self) -> bool:
        """Return False: TLS has no half-closed connections that peers agree on."""
        return False

    def close(self) -> None:
        """Send close_notify and close; see the argument close_timeout."""
        if self._is_closing or self._transport is None:
            return
        self._is_closing = True
        try:
            self.ssl_object.unwrap()
        except ssl.SSLError:
            pass  # the peer's close_notify is missing, or there are unread data
        self._flush()
        if self._close_timeout:
            self._transport.resume_reading()
            self._wait_for_peer(self._transport.get_write_buffer_size() + 1)
        else:
            self._transport.close()

    def _wait_for_peer(self, unsent: int) -> None:
        """Wait for the peer's close_notify, again while it still accepts written data; then drop the connection.

        Data received meanwhile are discarded. Unread data would make the kernel reset the connection, and written data
        that the peer has not read yet would be lost.
        """
        assert self._transport is not None
        size = self._transport.get_write_buffer_size()
        if self._closing is not None and (not size or size >= unsent):
            self.abort()
        else:
            self._closing = self._loop.call_later(self._close_timeout, self._wait_for_peer, size)

    def linger(self, seconds: float) -> None:
        """Make close() wait for the peer's close_notify: for a connection that is handed over."""
        self._close_timeout = max(self._close_timeout, seconds)

    def abort(self) -> None:
        """Drop the connection at once."""
        self._is_closing = True
        self._stop_waiting()
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, failure: Exception) -> None:
        """Drop the connection; connection_lost() is called with this error."""
        self.failure = self.failure or failure
        self.abort()

    def _stop_waiting(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def is_closing(self) -> bool:
        """Return True if close() or abort() was called, or the connection is lost, here or below."""
        return self._is_closing or (self._transport is not None and self._transport.is_closing())

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Replace the protocol above."""
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol above."""
        assert self._protocol is not None
        return self._protocol

    def is_reading(self) -> bool:
        """Return True if the transport below receives."""
        return self._transport is not None and self._transport.is_reading()

    def pause_reading(self) -> None:
        """Stop receiving."""
        if self._transport is not None and not self._is_closing:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Receive again."""
        if self._transport is not None and not self._is_closing:
            self._transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return the number of bytes that are not sent by the transport below, or not encrypted yet."""
        below = 0 if self._transport is None else self._transport.get_write_buffer_size()
        return below + sum(map(len, self._backlog))

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the limits of the transport below, the lower one first."""
        return (0, 0) if self._transport is None else self._transport.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the limits of the transport below."""
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return information on TLS, by the names of asyncio's transports, or of the transport below."""
        if name == "ssl_object":
            return self.ssl_object
        if name == "sslcontext":
            return self.ssl_object.context
        if name == "peercert":
            return self.ssl_object.getpeercert()
        if name in ("cipher", "compression"):
            return getattr(self.ssl_object, name)()
        return default if self._transport is None else self._transport.get_extra_info(name, default)


class BufferedTLSTransport(TLSTransport, asyncio.BufferedProtocol):
    """A TLS transport that receives into the buffer of its loop."""

    __slots__ = ()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer to receive into."""
        return _find_buffer(self._loop)

    def buffer_updated(self, nbytes: int) -> None:
        """Decrypt data received into the buffer."""
        self.data_received(_find_buffer(self._loop)[:nbytes])


def choose_class(loop: asyncio.AbstractEventLoop) -> type[TLSTransport]:
    """Return the class of TLS transport for a loop.

    asyncio's loops allocate 256 KiB per read unless the protocol provides a buffer; uvloop is faster without one.
    """
    return BufferedTLSTransport if isinstance(loop, asyncio.BaseEventLoop) else TLSTransport
