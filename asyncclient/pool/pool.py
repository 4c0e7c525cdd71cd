"""The pool: connections that are counted, leased for one exchange at a time, and kept idle for the next.

The problem: requests come and are cancelled at any moment, connections fail, close and go stale by themselves. A slot,
a waiter or a response that is forgotten once is lost forever, or is given to another request.

The rules kept:
- Each connection uses one slot (slots.py) from the begin of its opening until it is closed.
- A connection has one owner: the pool, or one exchange from acquire() to the end of its response. A connection whose
  response was not read to its end is closed by the wire.
- A request without a connection joins the queue, and a dial is started for it. Whichever connection is ready first, the
  dialled one or one that another request released, goes to the head of the queue; a late one goes to the next waiter or
  is kept idle. A waiter that is cancelled after it was given a connection passes it on.
- An idle connection is closed for a group that needs its slot.
- Everything is O(1), except for the timer that closes expired connections.

Not done on purpose: no lock (one loop, and no await between a check and a change), no task except for opening.
"""

from __future__ import annotations

import asyncio
import math
import time
import warnings
import weakref
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING

from ..errors import ClientClosed, ImproperConnectionState, PoolTimeout, show_count
from ..limits import DEFAULT, DEFAULT_POOL, Limits, PoolLimits
from ..message.cycle import CloseReason
from ..stream.aio import AioStream
from ..stream.deadlines import GRAIN, DeadlineTimer, TimeLimit, schedule_expiry, timer_of
from ..stream.dial import Opened, Route
from ..stream.opening import Opening
from ..timeouts import NEVER, Deadline, Timeout
from ..wire import RECENT, Wire
from .closing import wait_all_closed
from .dialer import Dialer
from .group import Dial, Group, Lease, OpenTrace, PoolStats, Waiter, add_up
from .late_options import LateOptions
from .slots import Slots
from .stalls import StallWarner, describe_users
from .sweeper import Sweeper

if TYPE_CHECKING:
    from ..tracing.trace import Trace


class Pool:
    """Connections to any number of destinations, on one loop.

    Args:
        limits: what a server may send.
        sizes: how many connections there may be, and for how long they are kept.
        stall_warning: seconds after which a PoolWarning names the users of the connections; None: never.
    """

    def __init__(
        self, limits: Limits = DEFAULT, sizes: PoolLimits = DEFAULT_POOL, stall_warning: float | None = None
    ) -> None:
        self.limits = limits
        self.sizes = sizes
        self.is_closed = False
        self.slots = Slots(sizes)
        # The loop that uses this pool first, and the timer of its deadlines, kept between two connections.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deadlines: DeadlineTimer | None = None
        # The groups by their keys, as long as they have connections or are in use elsewhere.
        self._groups: weakref.WeakValueDictionary[object, Group] = weakref.WeakValueDictionary()
        self._dialer = Dialer(limits)
        # TLS streams that are sending close_notify; closing the pool waits for them.
        self._closing: set[AioStream] = set()
        self._sweeper = Sweeper(self.slots, sizes, self._drop)
        self._late_options = LateOptions(self._groups)
        self._stalls: StallWarner | None = None
        if stall_warning is not None:
            self._stalls = StallWarner(stall_warning, self._groups, sizes.per_host)

    def group(self, key: object, label: str, route: Route) -> Group:
        """Return the group of a destination, which `key` identifies; there is one at a time. The caller keeps it."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(label, route, self.release)
        return group

    # Acquiring

    async def acquire(
        self,
        group: Group,
        timeout: Timeout,
        deadline: Deadline = NEVER,
        recent: float = RECENT,
        *,
        is_new: bool = False,
        trace: Trace | None = None,
    ) -> Lease:
        """Return a connection: the last used idle one, else a new one, or one that is released before that is open.

        The caller owns it until it is released, at the end of an exchange. Cancelling passes a connection that was
        already found to the next waiter.

        Args:
            group: the destination.
            timeout: for waiting and for opening.
            deadline: when the request must be over.
            recent: see Wire.is_available().
            is_new: do not use an idle connection: after one that the server had closed others may be closed, too.
            trace: is told of the wait and of a dial; None without tracers.

        Raises:
            PoolTimeout: no slot became free in time.
            TotalTimeout: the wait has ended without a connection.
            ConnectError: it could not be opened.
            RemoteDisconnected: it was opened, and the server sent data or closed before the request.
            TLSError: the server ended TLS with an alert after the handshake.
            ClientClosed: the pool was closed.
            ImproperConnectionState: the pool belongs to another loop.
        """
        loop, is_next = self._check_loop(), False
        while True:
            if is_new or not group.idle:
                expire = partial(self._expire, group)
                # Not a variable: the traceback of the waiter's error refers to this frame, which would be a cycle.
                lease = await self._wait_in_queue(
                    loop, group, Waiter(loop.create_future(), timeout, deadline, expire, trace), is_next=is_next
                )
                # The loop has received what there was on a new connection since it was opened (decision 13).
                since = math.inf if lease.is_new and recent > RECENT else recent
                is_next, is_available = True, lease.wire.is_available(time.monotonic(), since)
            else:
                lease = next(reversed(group.idle))
                self.slots.lease(lease)
                is_available = lease.is_available(time.monotonic(), recent)
            if is_available or await self._absorb_tls_records(lease):
                return lease
            if self.is_closed:
                raise ClientClosed("the client was closed meanwhile")

    def take_idle(self, group: Group, recent: float = RECENT) -> Lease | None:
        """Return the last used idle connection if it is available at once; acquire() does the rest.

        Args:
            group: the destination.
            recent: see Wire.is_available().
        """
        if not group.idle or asyncio.get_running_loop() is not self._loop:
            return None
        lease = next(reversed(group.idle))
        if not lease.is_available(time.monotonic(), recent):
            return None
        self.slots.lease(lease)
        return lease

    async def _absorb_tls_records(self, lease: Lease) -> bool:
        """Return whether a connection may be used although something was received on it; else it is closed.

        For a new connection that may not be used this raises an error: a further one would fail as well.
        """
        is_available = False
        try:
            is_available = await lease.absorb_tls_records()
            if not is_available and lease.is_new and not self.is_closed:
                raise lease.wire.build_refusal()
            return is_available
        finally:
            if not is_available:
                lease.wire.close(CloseReason.UNSOLICITED)
                self.release(lease)

    def _check_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of this pool: the loop that uses it first."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            if self._loop is not None:
                raise ImproperConnectionState("the client belongs to another event loop: make one on each")
            self._loop, self._deadlines = loop, timer_of(loop)
        if self.is_closed:
            raise ClientClosed("the client is closed")
        return loop

    # The queue

    async def _wait_in_queue(
        self, loop: asyncio.AbstractEventLoop, group: Group, waiter: Waiter, *, is_next: bool
    ) -> Lease:
        group.add(waiter, is_next=is_next)
        if self.slots.starved or group.queued or not (self._dialer.may_begin and self.slots.has_room(group)):
            group.enqueue(waiter, is_next=is_next)
            self._open_wanted(group)
        else:  # the usual case
            self._dial(group, waiter)
        if waiter in group.queued:
            waiter.join_queue()
            if self._stalls is not None:
                self._stalls.add(group, loop)
        timer = None if waiter.deadline == math.inf else schedule_expiry(waiter, loop)
        try:
            return await waiter.future
        except BaseException:
            self._leave_queue(group, waiter)
            raise
        finally:
            if timer is not None:
                timer.discard(waiter)
            waiter.leave_queue()
            del waiter  # the traceback of its error refers to this frame: a reference cycle

    def _expire(self, group: Group, waiter: Waiter, now: float) -> None:
        """End a wait whose time is over."""
        if now >= waiter.total.at:
            group.fail(waiter, waiter.total.error(f"no connection to {group.label}"))
        elif not self._is_being_served(group, waiter, now):
            seconds = waiter.timeout.pool or 0.0
            opening = f", {group.connecting} of them not yet" if group.connecting else ""
            sizes = f"{group.size}{opening}, in total: {self.counted}; waiting requests: {len(group.waiters)}"
            text = f"no connection to {group.label} became free in {seconds:g} s: open to this host: {sizes}"
            groups = (group,) if group.size >= self.sizes.per_host else self._groups.values()
            group.fail(waiter, PoolTimeout(f"{text}; {describe_users(groups)}", "pool", seconds))

    def _is_being_served(self, group: Group, waiter: Waiter, now: float) -> bool:
        """Return whether a waiter whose time for getting a slot is over waits on, because it has one.

        It has one if it has a dial, which has a time limit of its own; if it only waits for its turn to dial, which it
        takes now; or if a dial of another waiter will serve it, because an earlier connection has served that waiter.
        """
        assert self._loop is not None
        waiter.deadline = waiter.total.at
        if waiter.dial is None and group.connecting >= len(group.waiters):
            waiter.deadline = min(waiter.deadline, now + GRAIN)  # that dial may fail, and another group get its slot
            schedule_expiry(waiter, self._loop)
            return True
        if waiter.dial is None and waiter in group.queued and self.slots.has_room(group):
            del group.queued[waiter]
            self._dial(group, waiter)
        return waiter.dial is not None

    def _leave_queue(self, group: Group, waiter: Waiter) -> None:
        """Pass on the connection that a cancelled waiter was given, and cancel a dial that no waiter needs."""
        future = waiter.future
        if future.done() and not future.cancelled() and future.exception() is None:
            self.release(future.result())
            return
        group.remove(waiter)
        if waiter.dial is not None and group.connecting > len(group.waiters):
            waiter.dial.cancel()

    def _open_wanted(self, group: Group) -> None:
        """Start the dials that the queue of a group needs and the limits allow, after those of starved groups."""
        slots = self.slots
        if not slots.starved:  # the usual case: no group has to wait for its turn
            while group.queued and slots.has_room(group) and self._dialer.may_begin:
                if (waiter := group.pop_queued()) is not None:
                    self._dial(group, waiter)
            if not group.queued:  # every waiter has a dial
                return
        if slots.may_use(group):
            slots.starved[group] = None
        self._open_starved()

    def _open_starved(self) -> None:
        """Start the dials of starved groups, in turns, as far as the limits and the pace of the dialer allow."""
        slots = self.slots
        while (following := slots.next_starved()) is not None:
            if not self._dialer.may_begin:
                assert self._loop is not None
                self._dialer.wait_for_turn(self._loop, self._open_starved)
                return
            if not self._make_slot(following):
                return
            waiter = following.pop_queued()
            if waiter is None:
                del slots.starved[following]
            else:
                slots.starved.move_to_end(following)
                self._dial(following, waiter)

    def _make_slot(self, group: Group) -> bool:
        """Return whether there is a slot for one more connection, after closing an idle one if that makes it."""
        obstacle = self.slots.find_obstacle(group)
        if obstacle is not None:
            self._close(obstacle)
        return not self.slots.is_full

    # Opening

    def _dial(self, group: Group, waiter: Waiter) -> Dial:
        assert self._loop is not None
        self.slots.take(group)
        waiter.dial = dial = self._dialer.dial(self._loop, group, waiter, self._dialled)
        waiter.leave_queue()
        return dial

    def _dialled(self, group: Group, waiter: Waiter, opening: Opening, result: Opened | BaseException) -> None:
        """Adopt a connection that was opened, or give the error to the waiter, unless it was served meanwhile."""
        waiter.dial = None
        if not isinstance(result, BaseException):
            self._adopt(group, opening, result[0])
            if waiter in group.waiters:
                group.queued[waiter] = None
        else:
            if waiter in group.waiters:
                group.queued[waiter] = None
            if not isinstance(result, asyncio.CancelledError):
                group.fail(waiter, result)
            self.slots.free(group)
            self._open_wanted(group)
        if waiter.slot_until < math.inf and waiter in group.waiters and self._loop is not None:
            now = self._loop.time()
            if now >= waiter.slot_until:
                waiter.expire(now)

    def _adopt(self, group: Group, opening: Opening, stream: AioStream) -> None:
        """Add a connection that was just opened; it serves the oldest waiter."""
        if self.is_closed:
            stream.abort()
            if opening.trace is not None:
                opening.trace.connection_closed(CloseReason.CLOSED)
            self.slots.free(group)
            self._open_wanted(group)
            return
        lease = Lease(Wire(stream, self.limits, group.head_cache, opening), group, self.sizes)
        lease.trace, opening.trace = opening.trace, None
        stream.owner = weakref.ref(lease)
        self.slots.fill(lease)
        self._late_options.schedule(stream.loop)
        self._serve(lease)

    async def preconnect(
        self,
        group: Group,
        n: int,
        timeout: Timeout,
        deadline: Deadline = NEVER,
        open_trace: OpenTrace | None = None,
    ) -> None:
        """Open connections until n of a group are idle, as far as the limits allow and there are slots now.

        It does not join the queue: a task that waits for slots while it holds some may wait for another such task.

        Raises:
            ConnectError, TotalTimeout, ClientClosed: the first error; connections that were opened are kept.
        """
        loop = self._check_loop()
        self.sweep()  # expired connections do not count
        waiters = [Waiter(loop.create_future(), timeout) for _ in range(self.slots.count_missing(group, n))]
        for waiter in waiters:
            waiter.open_trace = open_trace
        dials = [self._dial(group, waiter) for waiter in waiters if self._make_spare_slot(group)]
        if not dials:
            return
        try:
            with TimeLimit.until(deadline, f"no connection to {group.label}"):
                await asyncio.wait(dials)
        finally:
            for dial in dials:
                dial.cancel()
            # Retrieved even if they are not raised: asyncio warns of an exception that was never retrieved.
            errors = [error for waiter in waiters if waiter.future.done() and (error := waiter.future.exception())]
            for waiter in waiters:
                waiter.future.cancel()
        if self.is_closed:
            raise ClientClosed("the client was closed meanwhile")
        if errors:
            raise errors[0]

    def _make_spare_slot(self, group: Group) -> bool:
        """Return whether there is a slot that no group waits for, without closing a connection of this group."""
        obstacle = self.slots.find_obstacle(group)
        is_own = obstacle is not None and obstacle.group is group
        return self.slots.next_starved() is None and not is_own and self._make_slot(group)

    # Releasing

    def release(self, lease: Lease) -> None:
        """Take a connection back: for the next waiter, to be kept idle, or to be closed if it is not available.

        Called when its exchange is over, when none was begun, and when it received data while it was idle. A second
        call does nothing.
        """
        group, wire = lease.group, lease.wire
        if lease not in group.leased:
            if lease in group.idle and not wire.is_available(wire.ended_at):
                self._drop(lease, CloseReason.UNSOLICITED)
            return
        # Its loop has just read what was received, so the kernel is not asked.
        may_stay = wire.close_reason is None and not self.is_closed and lease.idle_since < lease.retires_at
        if may_stay and wire.is_available(wire.ended_at) and not (self.slots.starved and self.slots.must_yield(lease)):
            self._serve(lease)
        else:
            self._drop(lease)

    def _serve(self, lease: Lease) -> None:
        """Give a leased connection without an owner to the oldest waiter, or keep it idle."""
        group = lease.group
        if group.waiters and (waiter := group.pop_waiter()) is not None:
            waiter.future.set_result(lease)
            return
        lease.is_new = False
        if lease.keep_alive <= 0:
            self._drop(lease)
            return
        slots = self.slots
        slots.keep(lease)
        if lease.trace is not None:
            lease.trace.connection_released()
        excess = slots.find_excess(group)
        if excess is not None:
            self._drop(excess)
        if slots.starved:
            self._open_wanted(group)  # it may have been opened for a waiter that was served meanwhile
        if slots.idle and self._loop is not None:
            self._sweeper.add(lease, self._loop)

    def _drop(self, lease: Lease, reason: CloseReason = CloseReason.CLOSED) -> None:
        """Close a connection, leased or idle; its slot is for the next waiter."""
        self._close(lease, reason)
        self._open_wanted(lease.group)

    def _close(self, lease: Lease, reason: CloseReason = CloseReason.CLOSED) -> None:
        """Close a connection if it is open, and free its slot; closing the pool waits for the end of TLS."""
        self.slots.remove(lease)
        wire, stream = lease.wire, lease.wire.stream
        if wire.close_reason is None:
            wire.close(reason)
        elif wire.close_reason is CloseReason.UPGRADED:
            lease.set_late_options()
        if lease.trace is not None:
            lease.trace.connection_closed(wire.close_reason or reason)
        if stream.tls is not None and wire.close_reason is not CloseReason.UPGRADED and stream.is_here:
            self._closing.add(stream)
            stream.when_lost(self._closing.discard)

    def sweep(self) -> None:
        """Close the connections that have expired."""
        if self._loop is not None:
            self._sweeper.sweep(self._loop)

    def close_idle(self) -> int:
        """Begin to close all idle connections; return how many. Never waits."""
        groups, count, idle = set(), 0, self.slots.idle
        while idle:  # not over a copy: a tracer may do the same when it is told of a closed connection
            lease = next(iter(idle))
            groups.add(lease.group)
            self._close(lease)
            count += 1
        for group in groups:
            self._open_wanted(group)
        return count

    # The whole pool

    @property
    def counted(self) -> int:
        """How many connections there are, those being opened included."""
        return self.slots.counted

    def stats(self) -> PoolStats:
        """Return the present numbers; may be called in any thread, as no Python code runs while the list is made."""
        return add_up(filter(None, [reference() for reference in self._groups.valuerefs()]))

    async def aclose(self) -> None:
        """End all requests with an error and free all connections, in Timeout.close seconds at most."""
        self.is_closed = True
        self._sweeper.close()
        self._late_options.close()
        if self._stalls is not None:
            self._stalls.close()
        groups = list(self._groups.values())
        for group in groups:
            for waiter in list(group.waiters):
                group.fail(waiter, ClientClosed("the client was closed meanwhile"))
        dials = self._dialer.cancel_all()
        streams = list(map(self._close_for_good, [lease for group in groups for lease in (*group.idle, *group.leased)]))
        endings: list[Awaitable[Opened | None]] = [*dials, wait_all_closed({*streams, *self._closing})]
        done = await asyncio.gather(*endings, return_exceptions=True)
        await wait_all_closed(opened[0] for opened in done if isinstance(opened, tuple))

    def _close_for_good(self, lease: Lease) -> AioStream:
        """Close a connection, and end its exchange; return the stream to be waited for."""
        lease.wire.close()
        if lease in lease.group.idle:
            self._close(lease)
        else:
            self.release(lease)
        return lease.wire.stream

    def __del__(self) -> None:
        if self.counted and not self.is_closed:
            text = f"unclosed client with {show_count(self.counted, 'open connection')}: use `async with` or aclose()"
            # The source was made with the pool, of whose own creation tracemalloc knows nothing before 3.12.
            warnings.warn(text, ResourceWarning, source=self._closing, stacklevel=2)

    def __repr__(self) -> str:
        active, idle, connecting, waiting, _ = self.stats()
        state = " closed" if self.is_closed else ""
        return f"<Pool{state} {active} active, {idle} idle, {connecting} connecting, {waiting} waiting>"
