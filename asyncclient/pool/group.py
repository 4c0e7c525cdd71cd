"""The connections to one destination: what the pool knows of each, and the requests that wait for one."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import ref

from ..caller import Caller
from ..errors import RemoteDisconnected, clip
from ..exchange.body import Source
from ..exchange.exchange import Exchange
from ..exchange.send import Trailers
from ..exchange.stream import Buffer
from ..limits import PoolLimits
from ..message.cycle import CloseReason, State
from ..message.head import HeadCache
from ..response import HTTPResponse
from ..stream.deadlines import RESPONSE
from ..stream.dial import Opened, Route, set_late_options
from ..timeouts import NEVER, Deadline, Timeout
from ..timings import Timings
from ..wire import RECENT, Wire
from .guard import Guard

if TYPE_CHECKING:
    from ..tracing.trace import ConnectionTrace, Trace

_KEEP_ALIVE: Final = re.compile(rb"\nkeep-alive:[^\n]*?timeout[ \t]*=[ \t]*\"?([0-9]{1,9})", re.IGNORECASE)

MARGIN: Final = 0.1
"""The share of a server's keep-alive time, and the seconds at least, by which a connection is closed before its server
closes it: a request in transit at that moment would be lost."""


Dial = asyncio.Task[Opened]
"""The task that opens a connection."""


OpenTrace = Callable[[str, Timings], "ConnectionTrace"]
"""Returns the trace of a connection, by the name of its destination and its timings."""


class HostStats(NamedTuple):
    """Connections to one destination that are in use, idle and being opened, and requests that wait for one."""

    active: int
    idle: int
    connecting: int
    waiting: int


class PoolStats(NamedTuple):
    """The sums over all destinations, and the numbers of each by its name."""

    active: int
    idle: int
    connecting: int
    waiting: int
    hosts: dict[str, HostStats]


class Lease:
    """An open connection that belongs to a pool, and serves one exchange at a time.

    A request that has it calls send() or send_body(), then take_response(). It is released by the end of the exchange,
    however that ends; a request that sends nothing calls release().

    Args:
        wire: the connection.
        group: the group it belongs to.
        sizes: for how long it is kept.
    """

    __slots__ = (
        "__weakref__",
        "_guard",
        "_keep_alive_known",
        "group",
        "has_late_options",
        "idle_since",
        "is_new",
        "keep_alive",
        "retires_at",
        "trace",
        "turns",
        "wire",
    )

    def __init__(self, wire: Wire, group: Group, sizes: PoolLimits) -> None:
        self.wire = wire
        # Is told of what happens to the connection; None without tracers.
        self.trace: ConnectionTrace | None = None
        # The connections to the same destination: `leased` and `idle` of it say whether this one is in use.
        self.group = group
        # Whether it was never idle, nor in use for a second request.
        self.is_new = True
        # Times by time.monotonic(): since when it has been idle, if it is idle, and when it is too old for a request.
        self.idle_since = time.monotonic()
        self.retires_at = self.idle_since + sizes.max_age
        # Seconds that it may be idle; fewer once a response says that the server keeps it for a shorter time.
        self.keep_alive = sizes.keep_alive
        self._keep_alive_known = False
        self.has_late_options = False
        # How many exchanges in a row it has served for its own group while other groups had no connection.
        self.turns = 0
        # Tells where the response of the exchange under way was opened.
        self._guard: ref[Guard] | None = None

    # Whether it may be used

    @property
    def expires(self) -> float:
        """The time by time.monotonic() after which it is not used again, while it is idle."""
        return min(self.idle_since + self.keep_alive, self.retires_at)

    def has_expired(self, now: float) -> bool:
        """Return whether it has been idle for too long, or is too old."""
        return now >= self.idle_since + self.keep_alive or now >= self.retires_at

    def is_available(self, now: float, recent: float = RECENT) -> bool:
        """Return whether it may serve a request: it has not expired, and there is no unsolicited data.

        Args:
            now, recent: see Wire.is_available().
        """
        return not self.has_expired(now) and self.wire.is_available(now, recent)

    async def absorb_tls_records(self) -> bool:
        """Return whether it may serve a request after the loop has read records of TLS, such as session tickets."""
        if not self.is_new and self.has_expired(time.monotonic()):
            return False
        return await self.wire.absorb_tls_records()

    # An exchange

    def send(self, exchange: Exchange, timeout: Timeout, deadline: Deadline, content: Buffer | None = None) -> None:
        """Send a request that has no content, or content that fits_single_write() with its head.

        Args:
            exchange: the head of its request is complete.
            timeout: for each wait.
            deadline: when the exchange has to be over.
            content: the content, whose framing the head declares.

        Raises:
            RemoteDisconnected: the connection was closed before; nothing was sent.
        """
        self._begin(exchange, timeout, deadline)
        try:
            self.wire.send(exchange, content)
        except BaseException:
            self.release()
            raise

    async def send_body(
        self,
        exchange: Exchange,
        timeout: Timeout,
        deadline: Deadline,
        source: Source,
        *,
        chunked: bool,
        trailers: Trailers | None,
    ) -> None:
        """Send a request with its content, see send() and Wire.send_body().

        Raises: as HTTPConnection.request().
        """
        if self.wire.stream.ending is not None:  # while the body was being opened
            self.wire.close(CloseReason.UNSOLICITED)
        self._begin(exchange, timeout, deadline)
        try:
            await self.wire.send_body(exchange, source, chunked=chunked, trailers=trailers)
        except BaseException:
            self.release()
            raise

    def _begin(self, exchange: Exchange, timeout: Timeout, deadline: Deadline) -> None:
        exchange.was_kept = not self.is_new
        wire = self.wire
        if wire.close_reason is not None:
            self.release()
            raise RemoteDisconnected(f"{self.group.label} closed the connection before the request")
        stream = wire.stream
        stream.timeout, stream.total = timeout, deadline
        self.is_new = False

    # The next two are Wire.receive() without its coroutines (decision 112). After an error the caller calls end().

    def wait_response(self, exchange: Exchange) -> asyncio.Future[None]:
        """Return a future that ends when more was received; call take_response() then."""
        exchange.state = State.WAITING
        stream = self.wire.stream
        return stream.begin_wait(stream.timeout.read, RESPONSE)

    def take_response(self, exchange: Exchange) -> HTTPResponse | None:
        """Return the response if its head was received, else None."""
        wire = self.wire
        wire.stream.end_wait()
        return wire.take_response(exchange, self.end)

    def end(self, exchange: Exchange, at: float | None) -> None:
        """End an exchange, and release the connection; see response.Ended."""
        if at is not None:
            self.idle_since = at
            if not (self._keep_alive_known or exchange.close_reason or exchange.heads.final is None):
                self._apply_server_keep_alive(exchange.heads.final.block)
        self.wire.end(exchange, at)
        if self.wire.exchange is None:
            self.group.release(self)

    def _apply_server_keep_alive(self, block: bytes) -> None:
        """Keep the connection no longer than the server does; it sends the same time with each response."""
        self._keep_alive_known = True
        found = _KEEP_ALIVE.search(block)
        if found is not None:
            seconds = int(found[1])
            self.keep_alive = min(self.keep_alive, max(seconds - max(MARGIN * seconds, MARGIN), 0.0))

    def set_late_options(self) -> None:
        """Set the late options of its route, once; see LateOptions."""
        if not self.has_late_options:
            self.has_late_options = True
            set_late_options(self.wire.stream, self.group.route.late_options)

    def release(self) -> None:
        """Return the connection to the pool; a second call does nothing."""
        self.group.release(self)

    def note_unsolicited(self) -> None:
        """Have the pool close the connection if it is idle; the stream calls this for each event without a waiter."""
        if self in self.group.idle:
            self.group.release(self)

    # For messages

    def guard(self, response: HTTPResponse, caller: Caller) -> None:
        """Have the connection released if a response is collected before it has ended; `caller` opened it."""
        exchange, wire = self.wire.exchange, self.wire
        if exchange is not None and exchange is response._exchange:
            response._ended = guard = Guard(response._ended, self.describe, wire.stream.loop, exchange, caller)
            self._guard = ref(guard)

    def describe(self, exchange: Exchange) -> str | None:
        """Return which request an exchange is for, without its query; None if it is not in progress here."""
        if exchange is not self.wire.exchange:
            return None
        return f"{exchange.head.method} {clip(exchange.head.target.partition('?')[0])[1:-1]} at {self.group.label}"

    def describe_use(self, now: float) -> str:
        """Return the request that uses the connection, since when, and where its response was opened."""
        exchange, guard = self.wire.exchange, None if self._guard is None else self._guard()
        text = None if exchange is None else self.describe(exchange)
        if exchange is None or text is None:
            return f"a request to {self.group.label}"
        place = "" if guard is None or guard.exchange is not exchange else f", opened at {guard.caller}"
        return f"{text} for {now - self.leased_since:.0f} s{place}"

    @property
    def leased_since(self) -> float:
        """When its request was sent, or began to be sent, by time.monotonic(); infinite without an exchange."""
        exchange = self.wire.exchange
        return math.inf if exchange is None else exchange.sent_at or exchange.started

    def __repr__(self) -> str:
        return f"<Lease {self.group.label} {self.wire!r}>"


class Waiter:
    """A request that waits for a connection; Group.waiters says whether it still waits.

    Args:
        future: gets a connection, which belongs to the waiter from then on, or the error that ends the wait.
        timeout: what opening a connection for it may take.
        total: when its request must be over.
        expired: called with the waiter and the time when a deadline has passed.
        trace: is told of the wait; None without tracers.
    """

    __slots__ = (
        "__weakref__",
        "_expired",
        "_queued_at",
        "deadline",
        "dial",
        "future",
        "open_trace",
        "slot_until",
        "timeout",
        "total",
        "trace",
    )

    def __init__(
        self,
        future: asyncio.Future[Lease],
        timeout: Timeout,
        total: Deadline = NEVER,
        expired: Callable[[Waiter, float], None] | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.future = future
        self.trace = trace
        # Makes the trace of a connection that is opened for it; None without tracers.
        self.open_trace: OpenTrace | None = None if trace is None else trace.open_connection
        # Since when its trace knows that it waits, by time.monotonic(); None if it does not.
        self._queued_at: float | None = None
        self.timeout = timeout
        self.total = total
        self._expired = expired
        # The time of the loop at which the wait for a slot ends: Timeout.pool. With a dial it waits on for that.
        self.slot_until = math.inf
        self.deadline = total.at
        if timeout.pool is not None:
            self.slot_until = future.get_loop().time() + timeout.pool
            self.deadline = min(self.slot_until, total.at)
        # The task that opens a connection for it, if there is one. The connection that is ready first serves it.
        self.dial: Dial | None = None

    def join_queue(self) -> None:
        """Tell the trace that it waits for a slot."""
        if self.trace is not None:
            self._queued_at = time.monotonic()
            self.trace.queue_joined("pool")

    def leave_queue(self) -> None:
        """Tell the trace that it waits no more: there is a dial for it, a connection, or an error."""
        if self.trace is not None and self._queued_at is not None:
            seconds, self._queued_at = time.monotonic() - self._queued_at, None
            self.trace.queue_left("pool", seconds)

    def expire(self, now: float) -> None:
        """Have the pool end the wait; called by the timer."""
        self.deadline = math.inf
        if self._expired is not None:
            self._expired(self, now)


class Group:
    """The connections that lead to one destination, and the requests that wait for one.

    Args:
        label: the destination, for messages and statistics; without secrets.
        route: how to connect to it.
        release: what a connection calls when its exchange is over.
    """

    __slots__ = (
        "__weakref__",
        "connecting",
        "head_cache",
        "idle",
        "label",
        "leased",
        "queued",
        "release",
        "route",
        "waiters",
    )

    def __init__(self, label: str, route: Route, release: Callable[[Lease], None]) -> None:
        self.label = label
        self.route = route
        self.release = release
        # The head of the last response, which the next one is likely to have as well.
        self.head_cache = HeadCache()
        # The connections in use, and the idle ones, the last used one at the end. A connection in neither is closed.
        self.leased: set[Lease] = set()
        self.idle: dict[Lease, None] = {}
        # How many are being opened.
        self.connecting = 0
        # The queue, and those in it that have no dial, in the order in which these are to get one.
        self.waiters: OrderedDict[Waiter, None] = OrderedDict()
        self.queued: OrderedDict[Waiter, None] = OrderedDict()

    @property
    def size(self) -> int:
        """The number of connections, those being opened included."""
        return len(self.leased) + len(self.idle) + self.connecting

    @property
    def wants_dial(self) -> bool:
        """Whether there are more waiters than connections being opened."""
        return self.connecting < len(self.waiters)

    def add(self, waiter: Waiter, *, is_next: bool = False) -> None:
        """Add a waiter at the end of the queue, or at its head; it is to get a dial, or enqueue() is called for it."""
        self.waiters[waiter] = None
        if is_next:
            self.waiters.move_to_end(waiter, last=False)

    def enqueue(self, waiter: Waiter, *, is_next: bool = False) -> None:
        """Have a waiter of the queue wait for a dial, in its turn."""
        self.queued[waiter] = None
        if is_next:
            self.queued.move_to_end(waiter, last=False)

    def remove(self, waiter: Waiter) -> None:
        """Remove a waiter from the queue, if it is there."""
        self.waiters.pop(waiter, None)
        self.queued.pop(waiter, None)

    def fail(self, waiter: Waiter, error: BaseException) -> None:
        """End the wait of a waiter with an error, unless it has ended already."""
        if not waiter.future.done():
            self.remove(waiter)
            waiter.future.set_exception(error)

    def pop_waiter(self) -> Waiter | None:
        """Pop the oldest waiter, skipping any whose future is already cancelled."""
        while self.waiters:
            waiter, _ = self.waiters.popitem(last=False)
            if self.queued:
                self.queued.pop(waiter, None)
            if not waiter.future.done():
                return waiter
        return None

    def pop_queued(self) -> Waiter | None:
        """Return the oldest waiter without a dial, which is to get one now; it stays in the queue."""
        while self.queued:
            waiter, _ = self.queued.popitem(last=False)
            if not waiter.future.done():
                return waiter
            self.waiters.pop(waiter, None)
        return None

    def stats(self) -> HostStats:
        """Return the present numbers."""
        return HostStats(len(self.leased), len(self.idle), self.connecting, len(self.waiters))


def add_up(groups: Iterable[Group]) -> PoolStats:
    """Return the present numbers of all groups, by host; without the hosts that have none."""
    hosts: dict[str, HostStats] = {}
    for group in groups:
        if group.size or group.waiters:
            numbers = group.stats()
            others = hosts.get(group.label)  # http and https of one host and port
            hosts[group.label] = numbers if others is None else HostStats(*map(sum, zip(numbers, others, strict=True)))
    active, idle, connecting, waiting = map(sum, zip(*hosts.values(), strict=True)) if hosts else (0, 0, 0, 0)
    return PoolStats(active, idle, connecting, waiting, hosts)
