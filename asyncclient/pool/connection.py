"""A connection that a pool owns, and lends for one exchange at a time."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Final
from weakref import ref

from ..caller import Caller
from ..connection import SHORT_IDLE, HTTPConnection
from ..errors import RemoteDisconnected, clip
from ..exchange.body import Source
from ..exchange.exchange import Exchange
from ..exchange.send import Trailers
from ..exchange.stream import Buffer
from ..limits import Limits, PoolLimits
from ..message.cycle import State
from ..message.head import Head
from ..response import HTTPResponse
from ..stream.aio import AioStream
from ..stream.dial import Route
from ..timeouts import Timeout
from ..timings import Timings, copy_opening
from .guard import Guard

_KEEP_ALIVE: Final = re.compile(rb"\nkeep-alive:[^\n]*?timeout[ \t]*=[ \t]*\"?([0-9]{1,9})", re.IGNORECASE)
_FOREVER: Final = Timeout.each(None)

MARGIN: Final = 0.1
"""The share of a server's keep-alive time, and the seconds at least, by which a connection is closed before its server
closes it: a request that is in transit then would get lost."""


class PooledConnection(HTTPConnection):
    """An open connection. It is lent, for one exchange, and gives itself back when that is over, however it ended.

    Attributes:
        label: where it leads, for messages.
        is_leased: whether somebody has it.
        keep_alive: seconds that it may be idle.
        is_new: whether it was never kept, nor lent a second time.
        turns: how often in a row it served its own line while other destinations had no place.
    """

    _guard: ref[Guard] | None = None

    def __init__(
        self,
        label: str,
        route: Route,
        stream: AioStream,
        opening: Timings,
        limits: Limits,
        sizes: PoolLimits,
        *,
        given_back: Callable[[PooledConnection], None],
        roused: Callable[[PooledConnection], None],
        closing: Callable[[AioStream], None],
        proxy_head: Head | None,
        last_head: Head | None = None,
    ) -> None:
        super().__init__(route.host, route.port, _FOREVER, limits=limits)
        self.label = label
        self.is_leased = True
        self.is_new = True
        self.turns = 0
        self._given_back = given_back
        self._closing = closing
        stream.on_unsolicited = partial(roused, self)
        self._stream = stream
        self._opening = opening
        self._idle_since = time.monotonic()
        self._retires_at = self._idle_since + sizes.max_age
        self._proxy_head = proxy_head
        if last_head is not None:
            self._last_head = last_head
            stream.expect_head(last_head.block)
        self.keep_alive = sizes.keep_alive
        self._has_heeded = False

    @property
    def last_head(self) -> Head | None:
        """The head that came last, here or on another connection to the same place; None if it may not come again."""
        return self._last_head

    @property
    def is_open(self) -> bool:
        """Whether there is something to close."""
        return self._stream is not None

    def is_reusable(self) -> bool:
        """Return whether another exchange may follow: the last was read to its end, both sides and its age allow it."""
        stream = self._stream
        if stream is None or self._exchange is not None or self._idle_since >= self._retires_at:
            return False
        return stream.is_fresh(ask_kernel=False)

    @property
    def expires(self) -> float:
        """The monotonic time after which it is not used again, while it is idle."""
        return min(self._idle_since + self.keep_alive, self._retires_at)

    def is_fresh(self, now: float) -> bool:
        """Return whether its time is not over and there is no unsolicited data; the kernel is asked, too."""
        return now < self._idle_since + self.keep_alive and now < self._retires_at and self.is_quiet(now)

    def is_quiet(self, now: float) -> bool:
        """Return whether nothing came that nobody asked for, an end included; the kernel is asked, too."""
        stream = self._stream
        return stream is not None and stream.is_fresh(ask_kernel=now - self._idle_since > SHORT_IDLE)

    async def may_settle(self) -> bool:
        """Return whether what has come was nothing but TLS's own, such as a session ticket."""
        is_over = not self.is_new and time.monotonic() >= self.expires
        return self._stream is not None and not is_over and await self._stream.absorb_tls_records()

    def build_refusal(self) -> Exception:
        """Return the error of a new connection on which something was received before a request was sent."""
        return self._build_refusal()

    def begin(self, exchange: Exchange, timeout: Timeout, until: float, content: Buffer | None = None) -> None:
        """Send a request whose head is made, and that has no body or a short one; getresponse() gives its response.

        Args:
            exchange: the request's head is made.
            timeout: for each wait; `total` is in error messages only.
            until: the time of the loop at which all is to be done.
            content: what fits_single_write() with the head, which declares its framing.

        Raises:
            RemoteDisconnected: the connection was closed, or the server sent data; nothing was written.
        """
        self._send_now(self._begin_exchange(exchange, timeout, until), exchange, content)
        self._state = State.SENT

    async def begin_with(
        self,
        exchange: Exchange,
        timeout: Timeout,
        until: float,
        source: Source,
        *,
        chunked: bool,
        trailers: Trailers | None,
    ) -> None:
        """Send a request with its content, whose framing its head says; see begin().

        Args:
            source: the content.
            chunked: it is to be put in chunks.
            trailers: fields to send after the last of them.

        Raises: as HTTPConnection.request().
        """
        if self._stream is not None and self._stream.ending is not None:  # while the body was opened
            self._drop_stream()
        stream = self._begin_exchange(exchange, timeout, until)
        self._state = State.SENDING
        await self._send_with_body(stream, exchange, source, chunked, trailers)
        self._note_sent(stream, exchange)

    def _begin_exchange(self, exchange: Exchange, timeout: Timeout, until: float) -> AioStream:
        stream = self._stream
        exchange.was_kept = not self.is_new
        if stream is None:
            self.give_back()
            raise RemoteDisconnected(f"{self.label} closed the connection before the request")
        exchange.was_sent = True
        stream.timeout, stream.total_until = timeout, until
        self.is_new = False
        if self._opening is not None:
            copy_opening(self._opening, exchange.timings)
            self._opening = None
        self._exchange = exchange
        return stream

    def guard(self, response: HTTPResponse, caller: Caller) -> None:
        """Have the connection given back if a response is collected before it has ended; `caller` opened it."""
        exchange, stream = self._exchange, self._stream
        if exchange is not None and stream is not None and exchange is response._exchange:
            response._ended = guard = Guard(response._ended, self.describe, stream, exchange, caller)
            self._guard = ref(guard)

    def describe(self, exchange: Exchange) -> str | None:
        """Return which request an exchange is for, without its query; None if the connection does not serve it now."""
        if exchange is not self._exchange or not self.is_leased:
            return None
        return f"{exchange.head.method} {clip(exchange.head.target.partition('?')[0])[1:-1]} at {self.label}"

    def describe_use(self, now: float) -> str:
        """Return what the connection is in use for, since when, and where that was opened if it is known."""
        exchange, guard = self._exchange, None if self._guard is None else self._guard()
        text = None if exchange is None else self.describe(exchange)
        if exchange is None or text is None:
            return f"a request to {self.label}"
        place = "" if guard is None or guard.exchange is not exchange else f", opened at {guard.caller}"
        return f"{text} for {now - self.leased_since:.0f} s{place}"

    @property
    def leased_since(self) -> float:
        """The monotonic time at which its request was sent, or is being sent since; infinite without any."""
        if self._exchange is None:
            return math.inf
        return self._exchange.timings.started + (self._exchange.timings.sent or 0.0)

    def _response_ended(self, stream: AioStream, exchange: Exchange, at: float | None) -> None:
        if not self._has_heeded and exchange.heads.final is not None:
            self._heed_keep_alive(exchange.heads.final.block)
        HTTPConnection._response_ended(self, stream, exchange, at)  # in this form it takes half the time of super()
        self.give_back()

    def _fail(self, stream: AioStream, exchange: Exchange) -> None:
        super()._fail(stream, exchange)
        self.give_back()

    def _heed_keep_alive(self, block: bytes) -> None:
        """Keep the connection no longer than the server does; it says so with each response, and always the same."""
        self._has_heeded = True
        found = _KEEP_ALIVE.search(block)
        if found is not None:
            seconds = int(found[1])
            self.keep_alive = min(self.keep_alive, max(seconds - max(MARGIN * seconds, MARGIN), 0.0))

    def _drop_stream(self) -> None:
        if self._stream is not None:
            self._stream.on_unsolicited = None  # it knows this connection: else the garbage collector would be needed
            if self._stream.ssl_object is not None:
                self._closing(self._stream)
        super()._drop_stream()

    def give_back(self) -> None:
        """Give the connection back to the pool; the second time nothing happens."""
        if self.is_leased:
            self.is_leased = False
            self._given_back(self)

    def end(self) -> AioStream | None:
        """Close, and end the exchange under way; return what is to be waited for until the socket is free."""
        stream = self._stream
        self.close()
        self.give_back()
        return stream

    def __del__(self) -> None:
        # The pool has warned already.
        if self._stream is not None:
            self._stream.abort_if_abandoned()
