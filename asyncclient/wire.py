"""One open connection, which serves one exchange at a time, and the reason why it must close.

The problem: if an exchange fails, is cancelled or is not read to its end, the following bytes on the connection belong
to no request. A later request must never get them as its response.

The rules kept:
- An exchange has the wire from the first byte that is sent until the last byte of the response is read. Any other end,
  also a cancellation, closes the wire at once; no method awaits in `except BaseException`.
- `close_reason` is set once and never reset. As long as it is None, another exchange may follow.
- The end of an exchange is reported to the owner by the function that it passes to receive(). The wire does not refer
  to its owner, so that an abandoned connection is freed without the garbage collector.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final, cast

from .errors import NotConnected, ProtocolError
from .exchange.body import Body, Source, open_source
from .exchange.exchange import Exchange
from .exchange.receive import refuse_end
from .exchange.send import Trailers, fits_single_write, may_be_rejected_unread, send_content, send_request
from .exchange.stream import Buffer, ByteStream
from .limits import Limits
from .message.cycle import CloseReason, State
from .message.head import Head, HeadCache
from .message.request import BodyGuard
from .response import Ended, HTTPResponse
from .stream.aio import AioStream
from .stream.deadlines import TimeLimit
from .stream.files import offload
from .stream.handover import hand_over
from .stream.interruptible import Interruptible
from .timeouts import no_response
from .timings import Timings

if TYPE_CHECKING:
    from .tracing.trace import Trace

RECENT: Final = 20e-6
"""Seconds after a response in which the kernel is not asked for unsolicited data: the loop has just read everything
(decision 11)."""

RECENT_FOR_RESEND: Final = 1e-3
"""The same for a request that is sent again if the connection turns out to be closed (decision 13)."""


class Wire:
    """One open connection.

    Args:
        stream: the connection as bytes; the wire closes it.
        limits: limits on what the server may send.
        head_cache: has the last head of the server, perhaps from another connection.
        opening: how long opening the connection took, for the timings of the first exchange.
    """

    __slots__ = (
        "_sending",
        "close_reason",
        "ended_at",
        "exchange",
        "head_cache",
        "limits",
        "opening",
        "stream",
    )

    def __init__(self, stream: AioStream, limits: Limits, head_cache: HeadCache, opening: Timings) -> None:
        # The bytes, and the time limits of the exchange in progress.
        self.stream = stream
        self.limits = limits
        # Shared by all connections to one destination.
        self.head_cache = head_cache
        # None once the first exchange has begun.
        self.opening: Timings | None = opening
        # The exchange in progress, from its first byte to its last.
        self.exchange: Exchange | None = None
        # Why no further exchange may follow; None while one may.
        self.close_reason: CloseReason | None = None
        # When the last exchange ended, by time.monotonic(); the loop had read everything received until then.
        self.ended_at = -math.inf
        # The sending of a body, which close() interrupts.
        self._sending: Interruptible | None = None

    # Whether a request may be sent

    def is_available(self, now: float, recent: float = RECENT) -> bool:
        """Return whether a request may be sent now: the connection is open and free, and there is no unsolicited data.

        Args:
            now: by time.monotonic().
            recent: seconds after a response in which the kernel is not asked as well.
        """
        if self.close_reason is not None or self.exchange is not None:
            return False
        return self.stream.is_fresh(ask_kernel=now - self.ended_at > recent)

    async def absorb_tls_records(self) -> bool:
        """Return whether a request may be sent after the loop has read records of TLS, such as session tickets."""
        return self.close_reason is None and await self.stream.absorb_tls_records()

    def build_refusal(self) -> Exception:
        """Return the error of a connection that was opened, and on which no request may be sent."""
        if self.close_reason is not None:
            return NotConnected(f"connection to {self.stream.peer} was closed meanwhile")
        return self.stream.build_loss("sent data or closed before the request")

    # Sending

    def send(self, exchange: Exchange, content: Buffer | None = None) -> None:
        """Send a head, with content that fits_single_write(), in one write and without waiting."""
        head = exchange.head
        if content is not None:
            data = b"".join((head.build(), content))
        else:
            data = head.build_without_body()
            if head.length or head.is_chunked:
                exchange.declared = BodyGuard(head)
                exchange.may_be_rejected_unread = may_be_rejected_unread(head.length)
        self.exchange = exchange
        exchange.was_sent = True
        if self.opening is not None:
            exchange.opening, self.opening = self.opening, None
        try:
            self.stream.write(data)
        except BaseException:
            self.end(exchange, None)
            raise
        exchange.sent_at = time.monotonic()
        exchange.state = State.SENT

    async def send_body(
        self, exchange: Exchange, source: Source, *, chunked: bool, trailers: Trailers | None = None
    ) -> None:
        """Send a head and its content, until a final response is received.

        Args:
            source: the content; the head declares its framing.
            chunked: send the content in chunks.
            trailers: fields to send after the last chunk.

        Raises: see HTTPConnection.request().
        """
        data = source.data
        if data is not None and fits_single_write(exchange.head, data, trailers):
            self.send(exchange, data)
            if exchange.heads.trace is not None:
                report_sent(exchange, exchange.heads.trace, data)
            return
        self.exchange = exchange
        exchange.was_sent = True
        exchange.state = State.SENDING
        if self.opening is not None:
            exchange.opening, self.opening = self.opening, None
        exchange.may_be_rejected_unread = may_be_rejected_unread(source.length)
        try:
            await self._send_source(exchange, source, chunked, trailers)
            self._check_current(exchange)
        except BaseException:
            self.end(exchange, None)
            raise
        self._note_sent(exchange)
        if exchange.heads.final is None:
            exchange.sent_at = time.monotonic()
        if exchange.heads.trace is not None:
            exchange.heads.trace.request_sent()

    async def _send_source(self, exchange: Exchange, source: Source, chunked: bool, trailers: Trailers | None) -> None:
        head, stream, trace = exchange.head, self.stream, exchange.heads.trace
        if head.length is not None:
            source.length = head.length
        # Checks chunks that the caller has encoded.
        declared = exchange.declared = BodyGuard(head) if head.is_chunked and not chunked else None
        self._sending = Interruptible(f"connection to {stream.peer} was closed meanwhile")
        try:
            with self._sending, TimeLimit.until(stream.total, no_response(stream.peer)):
                await send_request(
                    stream if trace is None else _trace_sending(stream, trace),
                    head.build(),
                    source,
                    exchange.heads,
                    self.limits,
                    chunked=chunked,
                    expect=stream.timeout.expect if head.expects_continue else None,
                    check=None if declared is None else declared.check,
                    trailers=trailers,
                )
        finally:
            self._sending = None
        if exchange.heads.final is None and declared is not None and not declared.is_complete:
            raise ValueError("body ended before its last chunk")

    async def send_part(self, exchange: Exchange, body: Body, blocksize: int) -> None:
        """Send more of a body that the head declared; after a final response, send nothing."""
        exchange.state = State.SENDING
        try:
            source = await open_source(body, blocksize, offload=offload)
            if exchange.heads.final is None:
                await send_content(self.stream, source, exchange.heads, self.limits, self._check_sent)
            self._check_current(exchange)
        except BaseException:
            self.end(exchange, None)
            raise
        self._note_sent(exchange)

    def _check_sent(self, data: Buffer) -> Buffer:
        declared = None if self.exchange is None else self.exchange.declared
        if declared is None:
            raise ValueError(f"{len(data)} bytes to send, where the head declared no more")
        return declared.check(data)

    def _check_current(self, exchange: Exchange) -> None:
        if exchange is not self.exchange:
            raise NotConnected(f"connection to {self.stream.peer} was closed while a request was being sent")

    def _note_sent(self, exchange: Exchange) -> None:
        exchange.state = State.SENT
        if exchange.heads.final is not None:
            exchange.close_reason = CloseReason.EARLY_RESPONSE

    # Receiving

    async def receive(self, exchange: Exchange, ended: Ended) -> HTTPResponse:
        """Return the response as soon as its final head has been received.

        Args:
            exchange: its request was sent.
            ended: called once, after the response was read to its end or has failed; it calls end().

        Raises: see HTTPConnection.getresponse().
        """
        exchange.state = State.WAITING
        try:
            while (response := self.take_response(exchange, ended)) is None:
                await self.stream.wait_response()
            return response
        except BaseException:
            ended(exchange, None)
            raise

    def take_response(self, exchange: Exchange, ended: Ended) -> HTTPResponse | None:
        """Return what receive() returns if the final head was received, else None: wait for more, then try again.

        The caller ends the exchange after an error.
        """
        heads, stream, limits = exchange.heads, self.stream, self.limits
        heads.cache = cache = self.head_cache
        # Not heads.receive(): two coroutines less for each exchange (decision 12).
        while heads.final is None:
            known = None if cache.last is None else cache.last.block
            data = stream.take_head(limits.head, heads.starts, known)
            if data is None:
                return None
            heads.add(data or refuse_end(stream), limits)
        return self._build_response(exchange, heads.final, ended)

    def _build_response(self, exchange: Exchange, final: Head, ended: Ended) -> HTTPResponse:
        head, stream = exchange.head, self.stream
        content, reason = exchange.open_content(stream, final, head.method, self.limits)
        if reason is None and (head.asks_close or exchange.declared is not None or exchange.may_be_rejected_unread):
            reason = _find_close_reason(exchange, final)
        if exchange.close_reason is None:
            exchange.close_reason = reason
        is_upgrade = final.status == 101 or (head.method == "CONNECT" and final.status < 300)
        if is_upgrade:
            _check_upgrade(exchange, final)
            exchange.state = State.UPGRADED
            self._let_go(CloseReason.UPGRADED)
        else:
            exchange.state = State.CONTENT
        response = HTTPResponse(ended, stream, exchange, final, content)
        if is_upgrade:
            response.upgraded = hand_over(stream)
        return response

    # Ending

    def end(self, exchange: Exchange, at: float | None) -> None:
        """End an exchange, unless the wire was closed before.

        Args:
            exchange: the exchange that receive() was called for.
            at: when its response had been read to its end, by time.monotonic(); None closes the wire at once.
        """
        if exchange is not self.exchange:
            return
        if at is None:
            self.close(CloseReason.FAILED)
            return
        self.ended_at = at
        self.exchange = None
        exchange.state = State.IDLE
        if exchange.close_reason is not None:
            self.close(exchange.close_reason)
        elif self.stream.sending is not None:
            self.stream.end_exchange()

    def close(self, reason: CloseReason = CloseReason.CLOSED) -> None:
        """Begin to close; never waits. An exchange in progress, in any task, ends with NotConnected."""
        if self.close_reason is not None:
            return
        exchange = self._let_go(reason)
        if exchange is None:
            self.stream.close()
            return
        exchange.state = State.IDLE
        if self._sending is not None:
            self._sending.end()
        self.stream.abort()  # not close(): the peer may never accept the data that is still to be sent

    def _let_go(self, reason: CloseReason) -> Exchange | None:
        self.close_reason = reason
        self.stream.owner = None
        exchange, self.exchange = self.exchange, None
        return exchange

    def __del__(self) -> None:
        if self.close_reason is None:
            self.stream.abort_if_abandoned()

    def __repr__(self) -> str:
        peer = self.stream.peer
        if self.close_reason is not None:
            return f"<Wire {peer} closed ({self.close_reason})>"
        exchange = self.exchange
        if exchange is None:
            return f"<Wire {peer} idle>"
        end = "" if exchange.close_reason is None else f" ({exchange.close_reason})"
        return f"<Wire {peer} {exchange.state}{end}>"


def report_sent(exchange: Exchange, trace: Trace, content: Buffer | None) -> None:
    """Tell a trace of a request that was sent in one write."""
    trace.head_sent(len(exchange.head.build()))
    if content:
        trace.body_sent(len(content))
    trace.request_sent()


def _trace_sending(stream: AioStream, trace: Trace) -> ByteStream:
    from .exchange.traced import TracedSending  # imported on use: few programs trace

    return cast(ByteStream, TracedSending(stream, trace))


def _find_close_reason(exchange: Exchange, final: Head) -> CloseReason | None:
    """Return why the connection ends because of the request, although the framing of the response keeps it."""
    if exchange.head.asks_close:
        return CloseReason.CLIENT_CLOSE
    if exchange.declared is not None and not exchange.declared.is_complete:
        return CloseReason.EARLY_RESPONSE
    if exchange.may_be_rejected_unread and final.status >= 300:
        return CloseReason.REJECTED_UNREAD
    return None


def _check_upgrade(exchange: Exchange, final: Head) -> None:
    """Refuse an upgrade after which the two sides may disagree about where the other protocol begins."""
    if exchange.close_reason is CloseReason.EARLY_RESPONSE:
        raise ProtocolError(f"got {final.status} before the whole request was sent, and another protocol after it")
    if final.status == 101 and not exchange.head.asks_upgrade:
        raise ProtocolError("got 101 Switching Protocols, which was not requested")
    if exchange.repairs:
        faults = ", ".join(exchange.repairs)
        raise ProtocolError(f"got {final.status} with a fault in its head, and another protocol after it: {faults}")
