"""The protocol that asyncio's transport reports to, and the value that says how a connection has ended.

`Ending` is the whole state of a stream's end: None while the stream is open, afterwards one value.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from typing import Any, Final, Literal, NamedTuple, Protocol
from weakref import ref

from ..errors import IncompleteRead
from .tls_transport import TLSTransport


class Ending(NamedTuple):
    """How a stream ended.

    Attributes:
        kind: what ended the stream:
            "eof": the peer closed it cleanly: FIN on TCP, close_notify on TLS;
            "truncated": a TLS connection ended without close_notify (RFC 9112 §9.8);
            "lost": the connection failed;
            "closed": this side closed or aborted it;
            "timeout": a time limit was exceeded; the error is raised once, then the stream is "closed";
            "failed": set_exception(); the error is raised by each later read.
        error: the reason; None for "eof" and "closed".
    """

    kind: Literal["eof", "truncated", "lost", "closed", "timeout", "failed"]
    error: Exception | None = None

    @property
    def is_local(self) -> bool:
        """Whether the stream was ended from this side: it can be neither read nor written any more."""
        return self.kind in ("closed", "timeout", "failed")


def build_truncation() -> Ending:
    """Return the ending of a TLS connection that ended without close_notify."""
    return Ending("truncated", ssl.SSLEOFError("TLS connection ended without close_notify"))


EOF: Final = Ending("eof")
CLOSED: Final = Ending("closed")


class ShortRead(IncompleteRead, asyncio.IncompleteReadError):
    """The connection ended before the bytes that a method of StreamReader was asked for; `expected` is their number."""

    def __str__(self) -> str:
        return EOFError.__str__(self)


class Receiver(Protocol):
    """The stream that a TransportProtocol reports to."""

    @property
    def tls(self) -> TLSTransport | None:
        """The TLS transport; None without TLS."""
        ...

    def set_transport(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the connection is open."""
        ...

    def feed_data(self, data: bytes) -> None:
        """Add received bytes."""
        ...

    def feed_eof(self) -> None:
        """Note that the peer sends no more."""
        ...

    def feed_loss(self, exc: Exception | None) -> None:
        """Note that the connection is gone."""
        ...

    def wake(self) -> None:
        """End the wait in progress, if there is one."""
        ...


class TransportProtocol(asyncio.Protocol):
    """Protocol that forwards the callbacks of a transport to a stream, and keeps what they say about the transport.

    The stream is referenced weakly, so that an open transport does not keep an abandoned stream alive.
    asyncio's StreamReaderProtocol does the same, but making one for each connection costs more (decision 76).

    Attributes:
        peername: the address of the peer as the socket gave it; asked for while the connection is open, because some
            transports forget it when they close.
        may_write: whether the transport takes more data; set by pause_writing() and resume_writing().
        is_lost: whether the transport must not be used any more: connection_lost() was called, or it was detached.
        lost: completed by connection_lost(); made by the first task that waits for the end of the connection.
        is_read_directly: whether there was a direct read. The loop has then not received everything that there is, and
            the kernel must be asked for unsolicited data; set by the stream.
        unseen: bytes written since the loop last had a turn in which it could receive; counted by the stream.
    """

    __slots__ = ("_stream", "is_lost", "is_read_directly", "lost", "may_write", "peername", "unseen")

    def __init__(self, stream: Receiver) -> None:
        self._stream = ref(stream)
        self.peername: Any = None
        self.may_write = True
        self.is_lost = False
        self.lost: asyncio.Future[None] | None = None
        self.is_read_directly = False
        self.unseen = 0

    def find_lost(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """Return a future that connection_lost() completes; the same one each time."""
        if self.lost is None:
            self.lost = loop.create_future()
        return self.lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the stream its transport."""
        self.peername = transport.get_extra_info("peername")
        stream = self._stream()
        if stream is not None:
            stream.set_transport(transport)

    def data_received(self, data: bytes) -> None:
        """Give the stream the received bytes."""
        stream = self._stream()
        if stream is not None:
            stream.feed_data(data)

    def eof_received(self) -> bool:
        """Keep the transport open for data that is still to be sent; over TLS that is not possible."""
        stream = self._stream()
        if stream is None:
            return False
        stream.feed_eof()
        return stream.tls is None

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end of the connection to the stream and to the tasks that wait for it."""
        self.is_lost = True
        stream = self._stream()
        if stream is not None:
            stream.feed_loss(exc)
        if self.lost is not None and not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        """Note that the transport's buffer is full."""
        self.may_write = False

    def resume_writing(self) -> None:
        """Note that there is room again, and wake the writer."""
        self.may_write = True
        stream = self._stream()
        if stream is not None:
            stream.wake()


def is_readable(transport: asyncio.Transport | None) -> bool:
    """Ask the kernel whether the socket has bytes or an end to give; select() knows descriptors to 1023 only."""
    socket = None if transport is None else transport.get_extra_info("socket")
    if socket is None or (number := socket.fileno()) < 0:
        return True  # the connection is closed, and the loop is about to report that
    if not hasattr(select, "poll"):
        return bool(select.select((number,), (), (), 0)[0])
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))
