"""AioStream: the ByteStream of an asyncio connection, and a StreamReader in everything that it inherits.

The problem: each wait has a time limit, and may be cut short by cancellation, by the peer or by close(). A task, a lock
or a timeout scope for each wait would cost more than the exchange itself.

The rules:
- Each wait has one future, which is completed to end it; a second wait on the same stream is refused.
- A time limit is a number that the timer of the loop checks (deadlines.py); when the limit is exceeded, the stream ends
  with the error of its phase and the transport is aborted.
- Buffered data is used before anything is waited for: a response that is received in one piece costs one suspension.
- The end of a stream is one value, `ending` (transport.py), which is not set while the stream is open.
- From when content is sent in pieces until its response has been read, a duplicate of the socket's descriptor is kept.
  Files are sent through it (sendfile.py). And when the peer responds and resets the connection, so that the transport
  drops it with the response unread, the rest of the response is read from the duplicate (decision 84).

Only public parts of asyncio are used: the callbacks of a protocol, and the interface of StreamReader. A StreamWriter is
made only for a connection that is given away (handover.py); one for each connection would need memory, and would warn a
second time about an unclosed connection (decision 76).
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from .. import errors
from ..exchange.content import collect
from ..exchange.stream import Buffer
from ..message.buffer import Pieces
from ..timeouts import NEVER, Deadline, Timeout, no_response
from .deadlines import DATA, LISTEN, RESPONSE, WRITE, Phase, wait_at_most
from .descriptor import duplicate
from .direct import DIRECT_FROM, DirectRead
from .sendfile import CAN_DUPLICATE, CAN_SENDFILE, send_file
from .transport import CLOSED, Ending, Sending, ShortRead, TransportProtocol, is_readable, share_remote

WRITE_BEFORE_TURN: Final = 64 * 1024
"""Bytes written until the loop gets a turn: without one, an early response is not noticed."""

TURNS_TO_READ: Final = 3
"""Turns of the loop in which it has read what the kernel held: uvloop reads in the turn after the next."""


class AioStream(TransportProtocol, asyncio.StreamReader):
    """The ByteStream of one connection, for the loop that it was opened on.

    Everything that a StreamReader has works as documented there, with `limit` for lines and separators. But a second
    reader is always refused, and the time limits of the stream hold.

    Args:
        loop: that loop.
        peer: host:port, for messages.
        timeout: seconds for each wait to read and to write; may be replaced at any time.
    """

    # Without slots, the attributes would exceed what CPython keeps in place for an instance of StreamReader.
    __slots__ = ("_phase", "deadline", "timeout", "total")

    limit = 64 * 1024
    """Bytes of a line or of what readuntil() returns, without the separator; as asyncio's streams have it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, peer: str, timeout: Timeout) -> None:
        # That of StreamReader is not called: all methods that would use its attributes are replaced here.
        TransportProtocol.__init__(self, loop, peer)
        # Replaced by the connection when an exchange begins.
        self.timeout = timeout
        # Of the exchange as a whole; replaced together with `timeout`, and by limited().
        self.total: Deadline = NEVER
        # The time of the loop at which the wait in progress fails; read by the timer.
        self.deadline = math.inf
        # The phase of the last wait, for expire().
        self._phase = DATA

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the connection is open, and its TLS handshake done."""
        self.remote = share_remote(self.peer, transport.get_extra_info("peername"))
        self.set_transport(transport)

    def set_transport(self, transport: asyncio.BaseTransport) -> None:
        """Set the transport; also called by asyncio after an upgrade."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's class does not derive from asyncio's
        self._timer.add(self)

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]
        """Add received bytes, as StreamReader.feed_data() does."""
        self.data_received(data)

    # Waiting

    async def _wait(self, seconds: float | None, phase: Phase) -> None:
        wake_up = self.begin_wait(seconds, phase)
        try:
            await wake_up
        except RuntimeError as exc:  # asyncio's own, for a task of another loop
            raise errors.ImproperConnectionState(
                f"connection to {self.peer} belongs to another event loop: open one on each"
            ) from exc
        finally:
            self._wake_up = None
            self.deadline = math.inf
        self.end_wait()

    def begin_wait(self, seconds: float | None, phase: Phase) -> asyncio.Future[None]:
        """Begin a wait, and return the future that ends it: await it in a task of the loop, then call end_wait().

        A coroutine around it would be one more object for each request in flight (decision 112).
        """
        if self.ending is not None and self.ending.is_local:
            raise self._take_failure()
        if self._wake_up is not None:
            raise self._build_refusal()
        if not self._is_reading and self.transport is not None:
            self._is_reading = True
            self.transport.resume_reading()
        timer = self._timer
        self._wake_up = wake_up = timer.loop.create_future()
        self._phase = phase
        until = self.total.at
        if seconds is not None and (soon := timer.loop.time() + seconds) < until:
            until = soon
        self.deadline = until
        if until < timer.next_check:
            timer.schedule(until)
        return wake_up

    def end_wait(self) -> None:
        """Forget the wait that begin_wait() began. Raises the failure of a stream that was ended from this side."""
        self._wake_up = None
        self.deadline = math.inf
        if self.ending is not None and self.ending.is_local:
            raise self._take_failure()

    async def wait_written(self) -> None:
        """Wait for wake(), within the time limit of writing."""
        await self._wait(self.timeout.write, WRITE)

    def _take_failure(self) -> Exception:
        """Return the failure to raise.

        A timeout is forgotten then: keeping a raised exception would keep its traceback's frames alive.
        """
        ending, error = self.ending, None
        if ending is not None:
            error = ending.error
            if ending.kind == "timeout":
                self.ending = CLOSED
        return error or errors.NotConnected(f"connection to {self.peer} was closed")

    @contextmanager
    def limited(self, seconds: float | None) -> Iterator[None]:
        """Limit what happens on the stream in this scope to that many seconds together; None adds no limit."""
        before, deadline = self.total, Deadline.after(seconds, self.loop.time())
        self.total = deadline if deadline.at < before.at else before
        try:
            yield
        finally:
            self.total = before

    def expire(self, now: float) -> None:
        """End the wait whose time is over: with the error of its phase, if that has one; called by the timer."""
        error, name, text = self._phase
        if now >= self.total.at:
            self.abort(self.total.error(no_response(self.peer)))
        elif error is None:
            self.wake()
        else:
            seconds = (self.timeout.write if self._phase is WRITE else self.timeout.read) or 0.0
            self.abort(error(f"{text} {self.peer} in {seconds:g} s", name, seconds))

    def _build_refusal(self) -> errors.ImproperConnectionState:
        return errors.ImproperConnectionState(f"another task is waiting on the connection to {self.peer}")

    # Reading

    def _readable(self) -> Pieces:
        """Return the buffer to a reader, unless another one waits or set_exception() was called."""
        if self._wake_up is not None:
            raise self._build_refusal()
        if self.ending is not None and self.ending.kind == "failed":
            raise self._take_failure()
        return self._pieces

    async def receive_more(self) -> bool:
        """See ByteStream."""
        if self.ending is not None:
            if self.ending.is_local:
                raise self._take_failure()
            return False
        await self._wait(self.timeout.read, DATA)
        return True

    async def readhead(self, limit: int, start: bytes | tuple[bytes, ...] = b"", known: bytes | None = None) -> bytes:
        """See ByteStream."""
        while (head := self.take_head(limit, start, known)) is None:
            await self.wait_response()
        return head

    def take_head(self, limit: int, start: bytes | tuple[bytes, ...] = b"", known: bytes | None = None) -> bytes | None:
        """Return what readhead() returns if it was received, else None: wait_response(), then try again."""
        pieces = self._pieces if self._wake_up is None and self.ending is None else self._readable()
        head = pieces.take_head(limit, start, known) if pieces.size else None
        if head is None and self.ending is not None:
            return self._end_head(self.ending)
        return head

    def wait_response(self) -> Coroutine[Any, Any, None]:
        """Wait, once it is awaited, until more was received or the stream has ended; raises what readhead() does."""
        return self._wait(self.timeout.read, RESPONSE)

    def _end_head(self, ending: Ending) -> bytes:
        if ending.is_local:
            raise self._take_failure()
        if self._pieces.size:
            raise errors.IncompleteRead(self._pieces.take_exactly(self._pieces.size)) from ending.error
        if ending.kind == "lost":
            raise self.build_loss("reset the connection before a response")
        return b""

    def build_loss(self, what: str) -> errors.TLSError | errors.RemoteDisconnected:
        """Return the error of a connection without a response: an alert of TLS, or what the peer did."""
        cause = self.ending.error if self.ending is not None and self.ending.kind == "lost" else None
        error: errors.TLSError | errors.RemoteDisconnected
        if isinstance(cause, ssl.SSLError):
            error = errors.TLSError(f"TLS with {self.peer} failed before a response: {cause}")
        else:
            error = errors.RemoteDisconnected(f"{self.peer} {what}")
        error.__cause__ = cause
        return error

    async def readline(self, limit: int | None = None) -> bytes:
        """Return one line with its ending; without a limit as StreamReader.readline(), with one see ByteStream."""
        if limit is None:
            return await self._read_limited_line()
        pieces = self._readable()
        while (line := pieces.take_line(limit)) is None:
            if not await self.receive_more():
                return pieces.take_exactly(pieces.size)
        return line

    async def _read_limited_line(self) -> bytes:
        try:
            return await self.readuntil(b"\n")
        except asyncio.IncompleteReadError as exc:
            return exc.partial
        except asyncio.LimitOverrunError as exc:
            pieces = self._pieces
            is_whole = pieces.find((b"\n",), exc.consumed) == (exc.consumed, exc.consumed + 1)
            pieces.take_exactly(exc.consumed + 1 if is_whole else pieces.size)
            raise ValueError(exc.args[0]) from exc

    async def readuntil(  # type: ignore[override]  # the stub names its types of separators privately
        self, separator: bytes | tuple[bytes, ...] = b"\n"
    ) -> bytes:
        """See StreamReader.readuntil(); several separators may be given on every version of Python."""
        separators = sorted(separator, key=len) if isinstance(separator, tuple) else [separator]
        if not separators:
            raise ValueError("Separator should contain at least one element")
        if not separators[0]:
            raise ValueError("Separator should be at least one-byte string")
        pieces, searched = self._readable(), 0
        while (found := pieces.find(separators, searched)) is None:
            searched = max(0, pieces.size + 1 - len(separators[-1]))
            if searched > self.limit:
                raise asyncio.LimitOverrunError("Separator is not found, and chunk exceed the limit", searched)
            if not await self.receive_more():
                raise ShortRead(pieces.take_exactly(pieces.size), None) from self.loss()
        if found[0] > self.limit:
            raise asyncio.LimitOverrunError("Separator is found, but chunk is longer than limit", found[0])
        return pieces.take_exactly(found[1])

    async def read(self, n: int = -1) -> bytes:
        """See ByteStream; n below 0 reads to the end, as StreamReader.read() does."""
        pieces = self._readable()
        if n < 0:
            return await collect(self.read)
        while not pieces.size:
            if not n or not await self.receive_more():
                return b""
        return pieces.take(n)

    async def readexactly(self, n: int) -> bytes:
        """See ByteStream and StreamReader.readexactly()."""
        pieces = self._readable()
        if n < 0:
            raise ValueError("readexactly size can not be less than zero")
        if pieces.size >= n:
            return pieces.take_exactly(n)
        parts: list[bytes] = []
        left = n
        try:
            while left:
                if pieces.size:
                    parts.append(pieces.take(left))
                    left -= len(parts[-1])
                elif not await self.receive_more():
                    raise ShortRead(b"".join(parts), n) from self.loss()
        except asyncio.CancelledError:
            pieces.put_back(b"".join(parts))  # as a StreamReader, which takes nothing before it has everything
            raise
        return b"".join(parts)

    def take_exactly(self, n: int) -> bytes | None:
        """See ByteStream."""
        pieces = self._pieces
        return pieces.take_exactly(n) if pieces.size >= n and self._wake_up is None else None

    def buffered(self) -> tuple[bytes, int]:
        """See ByteStream."""
        return self._pieces.first() if self._wake_up is None else (b"", 0)

    def skip(self, n: int) -> None:
        """See ByteStream."""
        self._pieces.skip(n)

    async def readinto(self, buffer: memoryview) -> int:
        """See ByteStream."""
        pieces = self._readable()
        if len(buffer) >= DIRECT_FROM and not self.has_news and self.tls is None:
            return await self._read_directly(buffer)
        while not pieces.size:
            if not await self.receive_more():
                return 0
        return pieces.take_into(buffer)

    async def _read_directly(self, buffer: memoryview) -> int:
        transport = self.transport
        assert transport is not None
        self.is_read_directly = True
        with DirectRead(transport, self, buffer, self.wake) as direct:
            while not (direct.count or self.has_news):
                await self._wait(self.timeout.read, DATA)
        return direct.count or (self._pieces.take_into(buffer) if self._pieces.size else 0)

    async def wait_readable(self, seconds: float) -> bool:
        """See ByteStream."""
        until = self.loop.time() + seconds
        while not self.has_news and (left := until - self.loop.time()) > 0:
            await self._wait(left, LISTEN)
        return self.has_news

    def loss(self) -> Exception | None:
        """See ByteStream."""
        return None if self.ending is None else self.ending.error

    def at_eof(self) -> bool:
        """Return whether the peer has ended the stream and everything has been read."""
        return self.ending is not None and self.exception() is None and not self._pieces.size

    def exception(self) -> Exception | None:
        """Return the error that ended the stream; as for a StreamReader, a missing close_notify is not an error."""
        ending = self.ending
        return None if ending is None or ending.kind == "truncated" else ending.error

    def set_exception(self, exc: Exception) -> None:
        """End the stream: each read raises the error from now on."""
        self.ending = Ending("failed", exc)
        self.wake()

    # Freshness

    def is_fresh(self, *, ask_kernel: bool) -> bool:
        """Return whether a request may be sent now: the stream has not ended, and there is no unsolicited data.

        The kernel may be asked as well: bytes received since the loop last looked would be taken for the response.
        """
        if self._pieces.size or self.ending is not None:
            return False
        return not (ask_kernel or self.is_read_directly) or not is_readable(self.transport)

    async def absorb_tls_records(self) -> bool:
        """Let the loop decrypt what the kernel has of TLS, and return whether the stream is fresh then.

        A session ticket leaves nothing behind, unsolicited data does. Ciphertext that the kernel still has then is
        neither: tickets arrive in pieces. Without TLS all received bytes are unsolicited data.
        """
        if self.tls is None:
            return False
        for _ in range(TURNS_TO_READ):
            if self.has_news or not is_readable(self.transport):
                break
            await asyncio.sleep(0)
        return self.is_fresh(ask_kernel=False)

    # Writing

    def write(self, data: Buffer) -> None:
        """See ByteStream."""
        transport = self.transport
        if self.ending is not None:
            if self.ending.is_local:
                raise self._take_failure()
            if self.is_lost:
                return
        assert transport is not None
        if self.sending is not None:
            self.sending.unseen += len(data)
        transport.write(data)

    async def drain(self) -> bool:
        """See ByteStream."""
        sending, transport = self._begin_sending(), self.transport
        assert transport is not None
        while not (self._pieces.size or self.ending is not None):
            if not self.may_write:
                await self._wait(self.timeout.write, WRITE)
            elif sending.unseen >= WRITE_BEFORE_TURN or transport.is_closing():
                sending.unseen = 0
                await asyncio.sleep(0)  # received bytes, and the end of a closing transport, are reported in a turn
            else:
                return False
        return True

    def _begin_sending(self) -> Sending:
        """Note that content is sent in pieces from now on, unless that is known."""
        if self.sending is None:
            may_duplicate = CAN_DUPLICATE and not self.is_lost
            self.sending = Sending(duplicate(self.get_extra_info("socket").fileno()) if may_duplicate else None)
        return self.sending

    async def sendfile(self, descriptor: int, offset: int, count: int) -> int | None:
        """See ByteStream. A worker thread makes the calls: reading the file may block on a disk."""
        socket = self._begin_sending().duplicate if self.tls is None and CAN_SENDFILE else None
        if socket is None:
            return None
        return await send_file(self, socket, descriptor, offset, count)

    # Ending

    def close(self) -> None:
        """Begin to close politely; never waits. Data that has not left yet is dropped: a peer may never take it."""
        self._end(CLOSED)
        transport = self.transport
        if transport is not None and not self.is_lost:
            self._call_in_loop(transport.abort if transport.get_write_buffer_size() else transport.close)

    def abort(self, failure: Exception | None = None) -> None:
        """Drop the connection at once. The waiter gets the failure, else NotConnected."""
        self._end(CLOSED if failure is None else Ending("timeout", failure))
        if self.transport is not None and not self.is_lost:
            self._call_in_loop(self.transport.abort)

    def _end(self, ending: Ending) -> None:
        """End the stream from this side, unless that was done before."""
        if self.ending is None or not self.ending.is_local:
            self.ending = ending
        self.end_exchange()
        if self._wake_up is not None:
            self._call_in_loop(self.wake)

    def _call_in_loop(self, call: Callable[[], None]) -> None:
        """Make a call in the thread of the loop, if the loop is not closed."""
        if self.loop.is_closed():
            return
        if self.is_here:
            call()
        else:
            self.loop.call_soon_threadsafe(call)

    @property
    def is_here(self) -> bool:
        """Whether the loop of the stream runs in this thread now."""
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False

    def abort_if_abandoned(self) -> bool:
        """Free the socket of a stream that was never closed; True if it was open. May be called by any thread."""
        transport = self.transport
        if transport is None or self.is_lost or transport.is_closing() or self.loop.is_closed():
            return False  # asyncio itself warns of a transport that its loop left behind
        self.loop.call_soon_threadsafe(transport.abort)
        return True

    def detach(self) -> Ending | None:
        """Let go of the transport, which has another protocol now; return how the stream had ended, if it had."""
        ending, self.ending = self.ending, CLOSED
        if not (self._is_reading or self.is_lost or self.transport is None):
            self.transport.resume_reading()
        self._note_loss()
        self.end_exchange()
        self._timer.discard(self)
        return ending

    async def wait_closed(self) -> None:
        """Wait until the connection is gone; one that takes longer than timeout.close is dropped."""
        if self.is_lost or asyncio.get_running_loop() is not self.loop:
            return
        lost = self.find_lost()
        if not await wait_at_most(lost, self.timeout.close):
            self.abort()
            await wait_at_most(lost, self.timeout.close)

    def __repr__(self) -> str:
        state = "open" if self.ending is None else self.ending.kind
        return f"<{type(self).__name__} {self.peer} {state}, {self._pieces.size} bytes buffered>"
