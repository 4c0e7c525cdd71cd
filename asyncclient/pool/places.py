"""Places of a pool: how many connections there may be, who may open one, and opening it.

The rules kept:
- `counted` is how many connections there are, those being opened included; it is changed here and nowhere else, and no
  method that changes it awaits.
- A connection is opened in a task of the pool, for the one in line who has waited longest without. Its error goes to
  him; if he was served by another connection meanwhile, to nobody.
- Where all places are taken groups take turns, so that no host can starve another. An idle connection gives way.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import OrderedDict
from functools import partial
from typing import Final

from ..errors import ConnectError, PoolTimeout
from ..limits import Limits, PoolLimits
from ..stream.aio import AioStream
from ..stream.dial import Opened, Route, forget_addresses, open_stream
from ..timings import Timings
from ..tracing import Tracer
from .connection import PooledConnection
from .group import Group, Waiter
from .stalls import StallWarner, describe_users

TURNS: Final = 8
"""Exchanges of a connection for its own group's line, where the group has part of a place too much."""


class Places:
    """Base of Pool, which documents the arguments: what is counted."""

    def __init__(
        self, limits: Limits, sizes: PoolLimits, tracer: Tracer | None = None, stall_warning: float | None = None
    ) -> None:
        self.limits = limits
        self.sizes = sizes
        self.counted = 0
        self._tracer = tracer
        self._loop: asyncio.AbstractEventLoop | None = None
        self._groups: weakref.WeakValueDictionary[object, Group] = weakref.WeakValueDictionary()
        self._idle: OrderedDict[PooledConnection, Group] = OrderedDict()  # first the one idle longest
        self._lacking: OrderedDict[Group, None] = OrderedDict()  # groups for whose lines there is no place
        self._dials: set[asyncio.Task[Opened]] = set()
        self._closing: set[AioStream] = set()  # over TLS: close_notify is being sent
        self._stalls: StallWarner | None = None
        if stall_warning is not None:
            self._stalls = StallWarner(stall_warning, self._groups, sizes.per_host)

    def group(self, key: object, label: str, route: Route) -> Group:
        """Return the group of a destination, which `key` says; there is one at a time. The caller keeps it."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(label, route)
        return group

    def _want_place(self, group: Group) -> None:
        """Open what the line of a group asks for and the limits allow, and what others do that came before."""
        if self._may_open(group):
            self._lacking[group] = None
        while (following := self._next_lacking()) is not None and self._make_place(following):
            waiter = following.take_undialled()
            if waiter is None:
                del self._lacking[following]
            else:
                self._lacking.move_to_end(following)
                self._dial(following, waiter)

    def _may_open(self, group: Group) -> bool:
        """Return whether a group could use a place: somebody waits, and it is not at its own limit."""
        return group.wants and (group.size < self.sizes.per_host or bool(group.idle))

    def _has_room(self, group: Group) -> bool:
        """Return whether a connection is wanted, and there is a place without an idle one going."""
        sizes = self.sizes
        return group.wants and self.counted < sizes.connections and group.size < sizes.per_host

    def _next_lacking(self) -> Group | None:
        """Return the group whose turn it is, forgetting those that can't use a place any more."""
        while self._lacking:
            group = next(iter(self._lacking))
            if self._may_open(group):
                return group
            del self._lacking[group]
        return None

    def _make_place(self, group: Group) -> bool:
        """Make a place for one more connection if it takes that an idle one goes; return whether there is one."""
        if group.size >= self.sizes.per_host:
            self._take_out(group, next(iter(group.idle)))
        elif self.counted >= self.sizes.connections and self._idle:
            oldest = next(iter(self._idle))
            self._take_out(self._idle[oldest], oldest)
        return self.counted < self.sizes.connections

    def _free_place(self, group: Group) -> None:
        self.counted -= 1
        if self._lacking or group.waiters:
            self._want_place(group)

    def _dial(self, group: Group, waiter: Waiter) -> asyncio.Task[Opened]:
        assert self._loop is not None
        timings = Timings(time.monotonic())
        opening = open_stream(group.route, waiter.timeout, timings, self.limits)
        waiter.dial = task = self._loop.create_task(opening)
        self.counted += 1
        group.connecting += 1
        self._dials.add(task)
        # A callback, and not the end of a coroutine: a task may be cancelled before its coroutine has begun.
        task.add_done_callback(partial(self._dialled, group, waiter, timings))
        return task

    def _dialled(self, group: Group, waiter: Waiter, timings: Timings, task: asyncio.Task[Opened]) -> None:
        self._dials.discard(task)
        group.connecting -= 1
        waiter.dial = None
        if waiter in group.waiters:
            group.queued[waiter] = None
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if self._tracer is not None:
            error = self._trace(self._tracer, group, timings, task, error)
        if error is None:
            self._welcome(group, timings, task.result())
        else:
            if not isinstance(error, asyncio.CancelledError):
                group.fail(waiter, error)
            self._free_place(group)
        if waiter.is_late and waiter in group.waiters:
            self._end_waiting(group, waiter)
        if isinstance(error, ConnectError):
            forget_addresses(group.route, error)

    def _trace(
        self,
        tracer: Tracer,
        group: Group,
        timings: Timings,
        task: asyncio.Task[Opened],
        error: BaseException | None,
    ) -> BaseException | None:
        """Tell the tracer; return the error, or what the tracer raised, which ends the connection."""
        try:
            if error is None:
                tracer.connection_opened(group.label, timings)
            else:
                tracer.connection_failed(group.label, error)
        except BaseException as exc:
            if error is None:
                task.result()[0].abort()
            return exc
        return error

    def _welcome(self, group: Group, timings: Timings, opened: Opened) -> None:
        """Take in a connection that has just been opened: what a pool does with it."""
        raise NotImplementedError

    def _end_waiting(self, group: Group, waiter: Waiter) -> None:
        """Let nobody wait longer for a place; opening a connection has a time limit of its own."""
        waiter.is_late = True
        if waiter.dial is None:
            seconds = waiter.timeout.pool or 0.0
            opening = f", {group.connecting} of them not yet" if group.connecting else ""
            crowd = f"{group.size} are open{opening}, {self.counted} in all, {len(group.waiters)} requests wait"
            text = f"no connection to {group.label} became free in {seconds:g} s: {crowd}"
            groups = (group,) if group.size >= self.sizes.per_host else self._groups.values()
            group.fail(waiter, PoolTimeout(f"{text}; {describe_users(groups)}", "pool", seconds))

    def _take_out(self, group: Group, connection: PooledConnection) -> None:
        del self._idle[connection], group.idle[connection]
        self.counted -= 1
        connection.close()

    def _must_yield(self, group: Group, connection: PooledConnection) -> bool:
        """Return whether the place is another group's now: this one needs it not, or has had more than its share."""
        if group in self._lacking:
            self._lacking.move_to_end(group)
        if self.counted < self.sizes.connections or self._next_lacking() in (None, group):
            return False
        others = len(self._lacking) - (group in self._lacking)
        connection.turns += 1
        over = group.size - self.sizes.connections / (others + 1)  # its share
        return not group.waiters or over >= 1 or (over > 0 and connection.turns > TURNS)
