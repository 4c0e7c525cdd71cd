"""An asyncio connection and the one wait it may be in: for bytes, for room to write, for the end.

The problem: each wait has a time limit, and may be cut short by cancellation, by the peer or by close(). A task, a lock
or a timeout scope for each of these would cost more than the exchange itself.

The rules kept:
- One future, made for each wait, is all there is to wake; a second wait on the same stream is refused.
- A time limit is a number that the watch of the loop looks at (see watch.py); when it is over, the stream fails with
  the error of its phase and the transport is aborted.
- The end of a stream is clean only when the peer said so: FIN on TCP, close_notify on TLS.

Only public parts of asyncio are used: the callbacks of a protocol, and the methods of a StreamReader, whose own buffer
stays empty. A StreamWriter is made when somebody asks for the pair (an upgrade, see handover.py);
made for each connection it would take 0.6 KB and warn a second time about one that was left open.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple, Self, cast
from weakref import ref

from .. import errors
from ..message.buffer import Pieces
from ..timeouts import Timeout
from .descriptor import Descriptor
from .tls_transport import TLSTransport
from .watch import watch_of

HIGH_WATER = 256 * 1024
"""Bytes held before reading is paused; a loop receives up to 256 KiB at once."""


class Phase(NamedTuple):
    """What is waited for: its error, its name, and the beginning of the error's text."""

    error: type[errors.PhaseTimeout]
    name: str
    text: str


RESPONSE = Phase(errors.ReadTimeout, "read", "no response from")
DATA = Phase(errors.ReadTimeout, "read", "no more data from")
WRITE = Phase(errors.WriteTimeout, "write", "nothing taken by")

CLOSED = errors.NotConnected("the connection was closed")
"""Stands for the error that is made for whom asks: most connections are closed, and nobody does."""


class Feed(asyncio.Protocol):
    """The callbacks of the transport, handed on to the stream. It knows that weakly: an abandoned one must not live on.

    (StreamReaderProtocol, which would do the same, takes three times as long for each connection.)
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: Waiting) -> None:
        self._stream = ref(stream)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = self._stream()
        if stream is not None:
            stream.set_transport(transport)

    def data_received(self, data: bytes) -> None:
        stream = self._stream()
        if stream is not None:
            stream.feed_data(data)

    def eof_received(self) -> bool:
        """Have the transport stay open for what is still to be sent, but over TLS, which can't."""
        stream = self._stream()
        if stream is None:
            return False
        stream.feed_eof()
        return stream.tls is None

    def connection_lost(self, exc: Exception | None) -> None:
        stream = self._stream()
        if stream is not None:
            stream.feed_loss(exc)

    def pause_writing(self) -> None:
        stream = self._stream()
        if stream is not None:
            stream.may_write = False

    def resume_writing(self) -> None:
        stream = self._stream()
        if stream is not None:
            stream.may_write = True
            stream.wake()


class Waiting(asyncio.StreamReader):
    """One connection, for the loop it was opened on: what has come, what is waited for, and how it ends.

    Args:
        loop: that loop.
        peer: host:port, for messages.
        timeout: seconds for each wait to read and to write; may be exchanged for another at any time.

    Attributes:
        tls: the transport where it is one of TLS, None without TLS.
        peername: the address of the other end as the socket gave it.
        unasked: called when something comes while nobody waits, an end included; set by who keeps the stream for later.
    """

    # With the base's own, an instance would have more attributes than CPython keeps at hand (30), and each would go by
    # a hash table: that took 2 to 5 % of all CPU of a client.
    __slots__ = (
        "_duplicate",
        "_has_ended",
        "_is_clean",
        "_is_lost",
        "_is_reading",
        "_loss",
        "_lost",
        "_phase",
        "_pieces",
        "_unseen",
        "_wake_up",
        "_watch",
        "deadline",
        "failure",
        "is_open",
        "loop",
        "may_write",
        "peer",
        "peername",
        "timeout",
        "tls",
        "total_until",
        "transport",
        "unasked",
    )

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, peer: str, timeout: Timeout) -> None:
        super().__init__(loop=loop)
        self.loop = loop
        self.peer = peer
        self.timeout = timeout
        self.deadline = math.inf  # of the wait under way
        self.total_until = math.inf  # of the exchange as a whole
        self.is_open = False
        self.may_write = True
        self.failure: Exception | None = None  # set by what ends the stream from this side: time, abort()
        self._pieces = Pieces()
        self._watch = watch_of(loop)
        self._wake_up: asyncio.Future[None] | None = None
        self._phase = DATA
        self._is_reading = True
        self._has_ended = False  # nothing more will come ...
        self._is_clean = False  # ... and the peer said so
        self._is_lost = False
        self._duplicate: Descriptor | None = None
        self._unseen = 0
        self._loss: Exception | None = None
        self._lost: asyncio.Future[None] | None = None
        self.tls: TLSTransport | None = None
        self.peername: Any = None
        self.unasked: Callable[[], None] | None = None

    # What the transport tells

    def set_transport(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the connection is open, its TLS handshake done."""
        self.is_open = True
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        # Asked for while it is open: a closed one has forgotten them, or asyncio's stumbles.
        self.tls = transport if isinstance(transport, TLSTransport) else None
        self.peername = transport.get_extra_info("peername")
        self._watch.add(self)

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]
        """Keep what has arrived."""
        self._pieces.append(data)
        wake_up = self._wake_up
        if wake_up is None:
            if self.unasked is not None:
                self.unasked()
        elif not wake_up.done():
            wake_up.set_result(None)
        if self._pieces.size > HIGH_WATER and self._is_reading and self.is_open:
            self._is_reading = False
            self.transport.pause_reading()

    def feed_eof(self) -> None:
        """Note that the peer sends no more; after a loss that says nothing new."""
        if not self._has_ended:
            self._has_ended = True
            self._is_clean = self._was_end_announced()
            self.wake()

    def feed_loss(self, exc: Exception | None) -> None:
        """Note that the connection is gone; keep what the kernel still has of it.

        A server that refuses an upload answers and closes, and what is written then resets the connection: both loops
        drop it at once, with the answer unread.
        """
        self._is_lost = True
        if not self.is_open:  # its TLS handshake failed, or is just being noticed
            self._has_ended, self._loss = True, exc
            return
        if self.failure is None and self._duplicate is not None:
            rest = self._duplicate.read_rest(HIGH_WATER)
            self._pieces.append(rest if self.tls is None else self.tls.decrypt(rest))
        if self.tls is not None:
            exc = self.tls.failure or exc
            self._is_clean |= self.failure is None and self.tls.is_end_announced
        self._release_duplicate()
        self._has_ended = True
        self._loss = exc
        self._watch.discard(self)
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)
        self.wake()

    def _release_duplicate(self) -> None:
        if self._duplicate is not None:
            self._duplicate.close()
            self._duplicate = None

    def _was_end_announced(self) -> bool:
        """Return whether the peer ended the stream itself: over TLS only close_notify says so (RFC 9112 §9.8)."""
        return self.tls is None or self.tls.is_end_announced

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be received: the peer has closed, or this side."""
        return self._has_ended

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        """The state of TLS, None without TLS."""
        return None if self.tls is None else self.tls.ssl_object

    # Waiting

    def wake(self) -> None:
        """End the wait under way, if there is one; who waits looks itself what has changed."""
        if self._wake_up is not None and not self._wake_up.done():
            self._wake_up.set_result(None)
        elif self._has_ended and self.unasked is not None:
            self.unasked()

    async def _wait(self, seconds: float | None, phase: Phase) -> None:
        if self.failure is not None:
            raise self._take_failure()
        if self._wake_up is not None:
            raise self._second()
        if not self._is_reading:
            self._is_reading = True
            self.transport.resume_reading()
        self._wake_up = self.loop.create_future()
        self._phase = phase
        until = self.total_until
        if seconds is not None and (soon := self.loop.time() + seconds) < until:
            until = soon
        self.deadline = until
        if until < self._watch.next_look:
            self._watch.look_at(until, self.loop)
        try:
            await self._wake_up
        except RuntimeError as exc:  # asyncio's own, for a task of another loop
            raise errors.ImproperConnectionState(
                f"connection to {self.peer} belongs to another event loop: open one on each"
            ) from exc
        finally:
            self._wake_up = None
            self.deadline = math.inf
        if self.failure is not None:
            raise self._take_failure()

    def _take_failure(self) -> Exception:
        """Return why nothing more can be had, to be raised once: kept here, its traceback would keep what it holds."""
        failure, self.failure = self.failure, CLOSED
        return self._closed() if failure is None or failure is CLOSED else failure

    def _closed(self) -> errors.NotConnected:
        return errors.NotConnected(f"connection to {self.peer} was closed")

    def hurry(self, seconds: float) -> None:
        """Let the exchange take that many seconds more at most."""
        self.total_until = min(self.total_until, self.loop.time() + seconds)

    def expire(self, now: float) -> None:
        """Fail with the error of the wait whose time is over; called by the watch."""
        error, name, text = self._phase
        seconds = self.timeout.write if self._phase is WRITE else self.timeout.read
        if now >= self.total_until:
            error, name, text, seconds = errors.TotalTimeout, "total", "exchange not done with", self.timeout.total
        self.abort(error(f"{text} {self.peer} in {seconds or 0.0:g} s", name, seconds or 0.0))

    def _second(self) -> errors.ImproperConnectionState:
        return errors.ImproperConnectionState(f"another task is waiting on the connection to {self.peer}")

    # Ending

    def close(self) -> None:
        """Begin to close politely, never wait. What has not left yet is dropped: a peer may never take it."""
        if self.failure is None:
            self.failure = CLOSED
        if not self._is_lost:
            self._tell(self.transport.abort if self.transport.get_write_buffer_size() else self.transport.close)
        self._end()

    def abort(self, failure: Exception | None = None) -> None:
        """Drop the connection at once. Who waits on it gets the failure."""
        if self.failure is None:
            self.failure = failure or CLOSED
        if not self._is_lost:
            self._tell(self.transport.abort)
        self._end()

    def _tell(self, call: Callable[[], None]) -> None:
        """Make a call on the transport in the thread of its loop, if that is still there."""
        if self.loop.is_closed():
            return
        if self.is_here:
            call()
        else:
            self.loop.call_soon_threadsafe(call)

    @property
    def is_here(self) -> bool:
        """Whether this is the loop of the stream, at work, and its thread."""
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False

    def _end(self) -> None:
        self._has_ended = True
        self._release_duplicate()
        if self._wake_up is not None:
            self._tell(self.wake)

    def drop(self) -> bool:
        """Free the socket of a stream that nobody closed; True if it was open. May be called by any thread."""
        if self._is_lost or self.transport.is_closing() or self.loop.is_closed():
            return False  # asyncio itself warns of a transport that its loop left behind
        self.loop.call_soon_threadsafe(self.transport.abort)
        return True

    def detach(self) -> tuple[bytes, bool, Exception | None]:
        """Let go of the transport, which has another protocol now.

        Returns what was not read, whether that is all there will be, and why the connection was lost if it was.
        """
        rest, has_ended = self._pieces.take_exactly(self._pieces.size), self._has_ended
        loss = self._loss or ConnectionAbortedError(f"connection to {self.peer} is gone") if self._is_lost else None
        if not self._is_reading and not self._is_lost:
            self.transport.resume_reading()
        self._is_lost = self._has_ended = True
        self._release_duplicate()
        self._watch.discard(self)
        return rest, has_ended, loss

    def when_lost(self, callback: Callable[[Self], object]) -> None:
        """Have a function called once the connection is gone, which it may be already."""
        if self._is_lost:
            callback(self)
            return
        self._lost = self._lost or self.loop.create_future()
        self._lost.add_done_callback(lambda _: callback(self))

    async def wait_closed(self) -> None:
        """Wait until the connection is gone; one that takes longer than timeout.close is dropped."""
        if self._is_lost or asyncio.get_running_loop() is not self.loop:
            return
        self._lost = self._lost or self.loop.create_future()
        await asyncio.wait((self._lost,), timeout=self.timeout.close)
        if not self._is_lost:
            self.abort()
            await asyncio.wait((self._lost,), timeout=self.timeout.close)

    def get_extra_info(self, name: str) -> Any:
        """Return what the transport knows: socket, peername, sockname, ssl_object, ... None if nothing."""
        return self.transport.get_extra_info(name)
