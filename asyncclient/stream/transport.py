"""The reports of a transport: the callbacks of a stream, and the value that says how a connection has ended.

`Ending` is the whole state of a stream's end: not set while the stream is open, afterwards one value.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, Protocol, Self
from weakref import ref

from ..errors import IncompleteRead, shown_as
from ..message.buffer import Pieces
from ..message.head import Head
from .deadlines import timer_of
from .descriptor import Descriptor
from .tls_transport import TLSTransport

HIGH_WATER: Final = 256 * 1024
"""Buffered bytes at which reading is paused; a loop receives up to 256 KiB at once."""


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


@shown_as(IncompleteRead)
class ShortRead(IncompleteRead, asyncio.IncompleteReadError):
    """The connection ended before the bytes that a method of StreamReader was asked for; `expected` is their number."""

    def __str__(self) -> str:
        return EOFError.__str__(self)


class Remote(NamedTuple):
    """The other side of a connection.

    Attributes:
        name: host:port of the server, for messages.
        address: the address of the peer as the socket gave it, asked for early: some transports forget it when they
            close. None until the connection is open.
        proxy_head: the response to CONNECT; None without a tunnel.
    """

    name: str
    address: Any = None
    proxy_head: Head | None = None


@lru_cache(maxsize=1024)
def share_remote(name: str, address: Hashable) -> Remote:
    """Return a value that other connections have as well: a pool has many connections to few addresses."""
    return Remote(name, address)


class Sending:
    """The state of a stream from when content is sent in pieces until the exchange is over.

    Attributes:
        duplicate: a duplicate of the socket; None if the system has none.
        unseen: bytes written since the loop last had a turn in which it could receive.
    """

    __slots__ = ("duplicate", "unseen")

    def __init__(self, duplicate: Descriptor | None) -> None:
        self.duplicate = duplicate
        self.unseen = 0


class Owner(Protocol):
    """The user of a stream that is told of events which no task waits for."""

    def note_unsolicited(self) -> None:
        """Note that there are received bytes, or the end, although no task waits on the stream."""
        ...


class TransportProtocol(asyncio.Protocol):
    """The callbacks of a transport, and what they have reported: a part of each stream.

    The transport refers to the stream, and the stream to the transport, until the connection is lost. So the stream
    refers to its owner weakly: an owner that is dropped must be collected and end the connection.

    Args:
        loop: the loop of the transport.
        peer: host:port, for messages.
    """

    __slots__ = (
        "_is_reading",
        "_loss",
        "_pieces",
        "_timer",
        "_wake_up",
        "ending",
        "is_read_directly",
        "may_write",
        "owner",
        "remote",
        "sending",
        "transport",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, peer: str) -> None:
        self.remote = Remote(peer)
        # Not set until the connection is open.
        self.transport: asyncio.Transport | None = None
        # Not set while the stream is open.
        self.ending: Ending | None = None
        # Told of events that no task waits for; a weak reference.
        self.owner: ref[Owner] | None = None
        # Received bytes, which the reading methods take.
        self._pieces = Pieces()
        # The future of the task that waits, from the begin of its wait until the task runs again.
        self._wake_up: asyncio.Future[None] | None = None
        # Whether the transport receives; not while too much is buffered.
        self._is_reading = True
        # Whether the transport takes more data; set by pause_writing() and resume_writing().
        self.may_write = True
        # Whether the transport is gone; a future, which is completed by that, once something waits for it.
        self._loss: asyncio.Future[None] | bool = False
        # Whether there was a direct read: the loop has not received everything that there is, and the kernel must be
        # asked for unsolicited data. Set by the stream.
        self.is_read_directly = False
        # Set from when content is sent in pieces until the exchange is over.
        self.sending: Sending | None = None
        # The timer of the loop, and with it the loop; never replaced.
        self._timer = timer_of(loop)

    # Callbacks

    def data_received(self, data: bytes) -> None:
        """Add received bytes, and wake the waiter."""
        pieces = self._pieces
        if data:
            pieces.append(data)
        wake_up = self._wake_up
        if wake_up is None:
            if self.owner is not None:
                self._note_unsolicited()
        elif not wake_up.done():
            wake_up.set_result(None)
        if pieces.size > HIGH_WATER and self._is_reading and self.transport is not None:
            self._is_reading = False
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Keep the transport open for data that is still to be sent; over TLS that is not possible."""
        self.feed_eof()
        return self.tls is None

    def feed_eof(self) -> None:
        """Note that the peer sends no more; after another ending this says nothing new."""
        if self.ending is None:
            tls = self.tls
            self.ending = EOF if tls is None or tls.is_end_announced else build_truncation()
            self.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone; keep what the kernel still has of it.

        A server that rejects an upload responds and closes, and a write after that resets the connection: both loops
        drop it at once, with the response unread.
        """
        self._note_loss()
        if self.transport is None:  # the TLS handshake failed, or that is about to be noticed
            self.ending = Ending("lost", exc)
        else:
            if self.ending is None or not self.ending.is_local:
                self._read_rest()
                self.ending = self._build_loss_ending(exc)
            self.end_exchange()
            self._timer.discard(self)
            self.wake()

    def pause_writing(self) -> None:
        """Note that the transport's buffer is full."""
        self.may_write = False

    def resume_writing(self) -> None:
        """Note that there is room again, and wake the writer."""
        self.may_write = True
        self.wake()

    # Results of the callbacks

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the transport."""
        return self._timer.loop

    @property
    def peer(self) -> str:
        """See ByteStream."""
        return self.remote.name

    @property
    def is_lost(self) -> bool:
        """Whether the transport must not be used any more: connection_lost() was called, or it was detached."""
        return self._loss if isinstance(self._loss, bool) else self._loss.done()

    @property
    def tls(self) -> TLSTransport | None:
        """The transport, if it is one of TLS; None without TLS."""
        return self.transport if isinstance(self.transport, TLSTransport) else None

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        """The state of TLS; None without TLS."""
        return None if self.tls is None else self.tls.ssl_object

    @property
    def has_news(self) -> bool:
        """Whether there are buffered bytes, or the stream has ended."""
        return self._pieces.size > 0 or self.ending is not None

    def find_lost(self) -> asyncio.Future[None]:
        """Return a future that connection_lost() completes; the same one each time until then."""
        if isinstance(self._loss, bool):
            is_lost, self._loss = self._loss, self.loop.create_future()
            if is_lost:
                self._loss.set_result(None)
        return self._loss

    def _note_loss(self) -> None:
        loss, self._loss = self._loss, True
        if not (isinstance(loss, bool) or loss.done()):
            loss.set_result(None)

    def when_lost(self, callback: Callable[[Self], object]) -> None:
        """Have a function called once the connection is gone, which it may be already."""
        if self.is_lost:
            callback(self)
        else:
            self.find_lost().add_done_callback(lambda _: callback(self))

    def get_extra_info(self, name: str) -> Any:
        """Return what the transport knows: socket, sockname, ssl_object, ...; None if it knows nothing."""
        return None if self.transport is None else self.transport.get_extra_info(name)

    def wake(self) -> None:
        """End the wait in progress, if there is one; the waiter itself checks what has changed."""
        if self._wake_up is not None and not self._wake_up.done():
            self._wake_up.set_result(None)
        elif self.ending is not None:
            self._note_unsolicited()

    def _note_unsolicited(self) -> None:
        owner = None if self.owner is None else self.owner()
        if owner is not None:
            owner.note_unsolicited()

    def end_exchange(self) -> None:
        """Release what was kept for an exchange that is over."""
        sending, self.sending = self.sending, None
        if sending is not None and sending.duplicate is not None:
            sending.duplicate.close()

    def _read_rest(self) -> None:
        if self.sending is not None and self.sending.duplicate is not None:
            rest = self.sending.duplicate.read_rest(HIGH_WATER)
            self._pieces.append(rest if self.tls is None else self.tls.decrypt(rest))

    def _build_loss_ending(self, exc: Exception | None) -> Ending:
        tls = self.tls
        if tls is not None:
            exc = tls.failure or exc
        if exc is not None:
            return Ending("lost", exc)
        if self.ending is EOF or (tls is not None and tls.is_end_announced):
            return EOF
        if tls is not None:
            return build_truncation()
        return Ending("lost", ConnectionAbortedError(f"connection to {self.peer} is gone"))


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
