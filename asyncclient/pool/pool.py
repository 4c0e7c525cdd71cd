"""The pool: connections that are counted, lent for one exchange at a time, and kept for the next.

The problem: requests come and are cancelled at any moment, connections fail, close and go stale by themselves, and
whatever is forgotten once (a place, a waiter, an answer on its way) is lost for good or comes out at somebody else.

The rules kept:
- leased + idle + connecting == counted, for each group and for all, between any two awaits. Only this file and
  places.py change these numbers, and no method that changes them awaits.
- A connection has one owner: the pool or one exchange. It gives itself back when the exchange is over (connection.py),
  and what was not read to its end is dropped there.
- Who needs a connection is put in line, and one is opened for him; whichever comes first serves the line's first.
  What comes later serves the next or is kept. Who is cancelled after he was served passes on what he got.
- Everything is O(1), but the timer that looks at idle connections.

Not done on purpose: no lock (one loop, and no await between a look and a change), no task but for opening.
"""

from __future__ import annotations

import asyncio
import math
import time
import warnings
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Final

from ..errors import ClientClosed, ImproperConnectionState, TotalTimeout
from ..limits import DEFAULT, DEFAULT_POOL, Limits, PoolLimits
from ..stream.aio import AioStream
from ..stream.dial import Opened
from ..timeouts import Timeout
from ..timings import Timings
from ..tracing import Tracer
from .connection import PooledConnection
from .group import Group, PoolStats, Waiter, add_up
from .places import Places

SWEEP_GRAIN: Final = 1.0
"""Seconds between two looks at the idle connections at the least."""


class Pool(Places):
    """Connections to any number of destinations, on one loop.

    Args:
        limits: what a server may send.
        sizes: how many connections there may be, and for how long they are kept.
        tracer: is told of connections.
        stall_warning: seconds after which a PoolWarning says what holds the connections; None is never.
    """

    def __init__(
        self,
        limits: Limits = DEFAULT,
        sizes: PoolLimits = DEFAULT_POOL,
        tracer: Tracer | None = None,
        stall_warning: float | None = None,
    ) -> None:
        super().__init__(limits, sizes, tracer, stall_warning)
        self.is_closed = False
        most, most_per_host = sizes.connections, min(sizes.connections, sizes.per_host)
        self._may_keep_less = sizes.idle < most or sizes.idle_per_host < most_per_host
        self._has_max_age = sizes.max_age < math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._sweeps_at = 0.0

    # Lending

    async def acquire(
        self, group: Group, timeout: Timeout, until: float = math.inf, *, is_new: bool = False
    ) -> PooledConnection:
        """Return a connection: the idle one used last, else a new one, or one that becomes free before that is open.

        The caller has it until it gives itself back, at the end of its exchange. Cancelling passes a connection already
        found to the next in line.

        Args:
            group: where to.
            timeout: for waiting and for opening; `total` is in error messages only.
            until: the time of the loop at which there has to be one.
            is_new: take none that was idle: after one that had gone stale the others may have, too.

        Raises:
            PoolTimeout: no place for one became free in time.
            TotalTimeout: nor until then.
            ConnectError: it could not be opened.
            RemoteDisconnected: it was opened, and the server sent data or closed before the request.
            TLSError: the server ended TLS with an alert after the handshake.
            ClientClosed: the pool was closed.
            ImproperConnectionState: the pool belongs to another loop.
        """
        loop, is_next = self._check_loop(), False
        while True:
            if is_new or not group.idle:
                connection = await self._wait_in_line(loop, group, timeout, until, is_next=is_next)
                is_next, is_good = True, connection.is_quiet(time.monotonic())
            else:
                connection = next(reversed(group.idle))
                self._lend_idle(group, connection)
                is_good = connection.is_fresh(time.monotonic())
            if is_good or await self._settles(connection):
                return connection
            if self.is_closed:
                raise ClientClosed("the client was closed meanwhile")

    def take_idle(self, group: Group) -> PooledConnection | None:
        """Return the idle connection used last, if there is one that needs no second look; acquire() does the rest."""
        if not group.idle or asyncio.get_running_loop() is not self._loop:
            return None
        connection = next(reversed(group.idle))
        if not connection.is_fresh(time.monotonic()):
            return None
        self._lend_idle(group, connection)
        return connection

    async def _settles(self, connection: PooledConnection) -> bool:
        """Return whether a connection may be used although something was received on it; else it is dropped.

        A new connection that may not be used is an error: the next one would not do better.
        """
        may_settle = False
        try:
            may_settle = await connection.may_settle()
            if not may_settle and connection.is_new and not self.is_closed:
                raise connection.build_refusal()
            return may_settle
        finally:
            if not may_settle:
                connection.close()
                connection.give_back()

    def _check_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of this pool, which is the one that uses it first."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            if self._loop is not None:
                raise ImproperConnectionState("the client belongs to another event loop: make one on each")
            self._loop = loop
        if self.is_closed:
            raise ClientClosed("the client is closed")
        return loop

    def _lend_idle(self, group: Group, connection: PooledConnection) -> None:
        del group.idle[connection], self._idle[connection]
        group.leased.add(connection)
        connection.is_leased = True

    # The line

    async def _wait_in_line(
        self, loop: asyncio.AbstractEventLoop, group: Group, timeout: Timeout, until: float, *, is_next: bool
    ) -> PooledConnection:
        waiter = Waiter(loop.create_future(), timeout)
        group.add(waiter, is_next=is_next)
        if not self._lacking and len(group.queued) == 1 and self._has_room(group):
            group.queued.clear()  # it alone wants a place, and there is one; by _want_place() 4 % more CPU
            self._dial(group, waiter)
        else:
            self._want_place(group)
            if self._stalls is not None and waiter in group.queued:
                self._stalls.add(group, loop)
        has_end = timeout.pool is not None or until != math.inf
        timers = list(self._set_timers(loop, group, waiter, until)) if has_end else ()
        try:
            return await waiter.future
        except BaseException:
            self._leave_line(group, waiter)
            raise
        finally:
            for timer in timers:
                timer.cancel()
            del waiter  # its error's traceback leads here, and here back to it

    def _set_timers(
        self, loop: asyncio.AbstractEventLoop, group: Group, waiter: Waiter, until: float
    ) -> Iterator[asyncio.TimerHandle]:
        timeout = waiter.timeout
        if timeout.pool is not None:
            yield loop.call_later(timeout.pool, self._end_waiting, group, waiter)
        if until != math.inf:
            yield loop.call_at(until, group.fail, waiter, _build_timeout(group, timeout))

    def _leave_line(self, group: Group, waiter: Waiter) -> None:
        """Pass on what a waiter got and can't use any more; what is being opened for nobody is given up."""
        future = waiter.future
        if future.done() and not future.cancelled() and future.exception() is None:
            future.result().give_back()
            return
        group.remove(waiter)
        if waiter.dial is not None and group.connecting > len(group.waiters):
            waiter.dial.cancel()

    async def preconnect(self, group: Group, n: int, timeout: Timeout, until: float = math.inf) -> None:
        """Open connections until n of a group are idle, no more than the limits allow and there are places for now.

        It stands in no line: who waits for places while he holds some may wait for another who does the same.

        Raises:
            ConnectError, TotalTimeout, ClientClosed: for the first that could not be opened; the others are kept.
        """
        loop = self._check_loop()
        self.sweep()  # what is over does not count
        waiters = [Waiter(loop.create_future(), timeout) for _ in range(self._count_lacking(group, n))]
        dials = [self._dial(group, waiter) for waiter in waiters if self._make_spare_place(group)]
        if not dials:
            return
        left = None if until == math.inf else until - loop.time()
        try:
            _, pending = await asyncio.wait(dials, timeout=left)
        finally:
            for dial in dials:
                dial.cancel()
            # Asked for even if nobody gets them, and no more can come: asyncio warns of an error nobody asked for.
            errors = [error for waiter in waiters if waiter.future.done() and (error := waiter.future.exception())]
            for waiter in waiters:
                waiter.future.cancel()
        if self.is_closed:
            raise ClientClosed("the client was closed meanwhile")
        if pending:
            raise _build_timeout(group, timeout)
        if errors:
            raise errors[0]

    def _count_lacking(self, group: Group, n: int) -> int:
        sizes = self.sizes
        most = min(n, sizes.connections, sizes.per_host, sizes.idle, sizes.idle_per_host)
        return min(most - len(group.idle), sizes.per_host - group.size)

    def _make_spare_place(self, group: Group) -> bool:
        """Make a place that nobody waits for and no connection of the group goes for; return whether there is one."""
        is_own = bool(self._idle) and self._idle[next(iter(self._idle))] is group
        is_full = self.counted >= self.sizes.connections
        return self._next_lacking() is None and not (is_full and is_own) and self._make_place(group)

    # Opening

    def _welcome(self, group: Group, timings: Timings, opened: Opened) -> None:
        """Take in a connection that has just been opened; whoever has waited longest is served by it."""
        stream, proxy_head = opened
        if self.is_closed:
            stream.abort()
            self._free_place(group)
            return
        connection = PooledConnection(
            group.label,
            group.route,
            stream,
            timings,
            self.limits,
            self.sizes,
            given_back=partial(self._take_back, group),
            roused=partial(self._drop_roused, group),
            closing=self._watch_closing,
            proxy_head=proxy_head,
            last_head=group.last_head,
        )
        group.leased.add(connection)
        self._serve(group, connection)

    def _watch_closing(self, stream: AioStream) -> None:
        """Remember a TLS stream until it is closed: closing the pool waits for that, too."""
        if stream.is_here:
            self._closing.add(stream)
            stream.when_lost(self._closing.discard)

    # Taking back

    def _take_back(self, group: Group, connection: PooledConnection) -> None:
        """Take a connection back from an exchange that is over: for the next in line, to be kept, or to be dropped."""
        may_stay = not self.is_closed and connection.is_reusable()
        if may_stay and not (self._lacking and self._must_yield(group, connection)):
            self._serve(group, connection)
        else:
            group.leased.discard(connection)
            group.last_head = connection.last_head
            if connection.is_open:
                connection.close()
            self._free_place(group)

    def _serve(self, group: Group, connection: PooledConnection) -> None:
        """Give a connection that is lent to nobody in particular to the first in line, or keep it."""
        waiter = group.take_waiter() if group.waiters else None
        if waiter is not None:
            connection.is_leased = True
            waiter.future.set_result(connection)
            return
        group.leased.discard(connection)
        connection.is_leased = connection.is_new = False
        if connection.keep_alive <= 0:
            connection.close()
            self._free_place(group)
            return
        group.idle[connection] = None
        self._idle[connection] = group
        if self._may_keep_less:
            self._drop_excess(group)
        if self._lacking:
            self._want_place(group)  # it may have been opened for somebody who was served meanwhile
        if not self._idle:
            return
        if self._has_max_age:
            self._watch_idle(connection.expires - time.monotonic())
        elif self._timer is None or connection.keep_alive < self.sizes.keep_alive:
            self._watch_idle(connection.keep_alive)

    def _drop_excess(self, group: Group) -> None:
        """Close the connection idle longest where there are more than may be kept."""
        if len(group.idle) > self.sizes.idle_per_host:
            self._drop_idle(group, next(iter(group.idle)))
        elif len(self._idle) > self.sizes.idle:
            oldest = next(iter(self._idle))
            self._drop_idle(self._idle[oldest], oldest)

    def _drop_roused(self, group: Group, connection: PooledConnection) -> None:
        """Close a connection that spoke or ended while it was idle."""
        if connection in self._idle:
            self._drop_idle(group, connection)

    def _drop_idle(self, group: Group, connection: PooledConnection) -> None:
        self._take_out(group, connection)
        self._want_place(group)

    def _watch_idle(self, seconds: float) -> None:
        """Sweep after that many seconds, if not sooner anyway."""
        assert self._loop is not None
        when = self._loop.time() + max(seconds, SWEEP_GRAIN)
        if self._timer is not None:
            if when >= self._sweeps_at:
                return
            self._timer.cancel()
        pool: weakref.ref[Pool] = weakref.ref(self)
        self._timer, self._sweeps_at = self._loop.call_at(when, _sweep, pool), when

    def sweep(self) -> None:
        """Close the connections that have been idle for too long, or are too old."""
        now = time.monotonic()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection, group in list(self._idle.items()):
            if connection.expires <= now:
                self._drop_idle(group, connection)
        if self._idle:
            self._watch_idle(min(connection.expires for connection in self._idle) - now)

    def close_idle(self) -> int:
        """Begin to close all idle connections; return how many. Never waits."""
        idle = dict(self._idle)
        for connection, group in idle.items():
            self._take_out(group, connection)
        for group in dict.fromkeys(idle.values()):
            self._want_place(group)
        return len(idle)

    # Seeing and ending

    def stats(self) -> PoolStats:
        """Return the present numbers."""
        return add_up(self._groups.values())

    async def aclose(self) -> None:
        """End all requests with an error and free all connections, in Timeout.close seconds at most."""
        self.is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._stalls is not None:
            self._stalls.close()
        for group in list(self._groups.values()):
            for waiter in list(group.waiters):
                group.fail(waiter, ClientClosed("the client was closed meanwhile"))
        dials = list(self._dials)
        for dial in dials:
            dial.cancel()
        for connection, group in list(self._idle.items()):
            self._lend_idle(group, connection)
        streams = [connection.end() for group in list(self._groups.values()) for connection in list(group.leased)]
        streams += self._closing
        closing = [stream.wait_closed() for stream in streams if stream is not None]
        done = await asyncio.gather(*dials, *closing, return_exceptions=True)
        late = [opened[0] for opened in done[: len(dials)] if isinstance(opened, tuple)]
        await asyncio.gather(*(stream.wait_closed() for stream in late))

    def __del__(self) -> None:
        if self.counted and not self.is_closed:
            text = f"unclosed client, {self.counted} connections are open: use `async with` or aclose()"
            # The source was made with the pool, of whose own creation tracemalloc knows nothing before 3.12.
            warnings.warn(text, ResourceWarning, source=self._dials, stacklevel=2)

    def __repr__(self) -> str:
        active, idle, connecting, waiting, _ = self.stats()
        state = " closed" if self.is_closed else ""
        return f"<Pool{state} {active} active, {idle} idle, {connecting} connecting, {waiting} waiting>"


def _build_timeout(group: Group, timeout: Timeout) -> TotalTimeout:
    total = timeout.total or 0.0
    return TotalTimeout(f"no connection to {group.label} in {total:g} s", "total", total)


def _sweep(reference: weakref.ref[Pool]) -> None:
    """Sweep a pool, if it is still there: a timer must not keep one that nobody has any more."""
    pool = reference()
    if pool is not None:
        pool.sweep()
