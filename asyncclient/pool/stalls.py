"""Requests that wait for a connection while none becomes free: what holds the connections is told.

The problem: a request made inside a stream() of the same client needs a second connection. Where the limits allow no
more, each waits for the other, for ever. Nothing is wrong with either, so nothing fails.

The rules kept:
- A queue stalls if the same waiter stays at its head: waiters are served in order, so no connection became free. A long
  queue that moves is no stall, however long its waiters wait.
- One timer for all queues of a pool, and only while there are waiters for which no connection is being opened.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import time
import warnings
import weakref
from collections.abc import Iterable
from itertools import chain, islice
from typing import Final

from ..errors import PoolWarning
from .group import Group, Waiter

NAMED: Final = 3
"""Connections that a text names, those in use for longest."""

INSPECTED: Final = 100
"""Connections among which these are looked for: many waiters may end at once."""


def describe_users(groups: Iterable[Group]) -> str:
    """Return what holds the connections of groups, for messages; of many, some."""
    leased = chain.from_iterable(group.leased for group in groups)
    users = list(islice(leased, INSPECTED))
    now = time.monotonic()
    named = heapq.nsmallest(NAMED, users, key=lambda connection: connection.leased_since)
    texts = [connection.describe_use(now) for connection in named]
    if len(users) > len(named):
        texts.append("others")
    return f"connections in use: {'; '.join(texts) or 'none'}"


class StallWatch:
    """Warns of the queues of a pool that do not move.

    Args:
        seconds: for which a queue must not have moved.
        groups: all of the pool.
        most_per_host: connections that a group may have; beyond it the group itself holds what its queue needs.

    Raises:
        TypeError, ValueError: the seconds are not a number above 0.
    """

    def __init__(self, seconds: float, groups: weakref.WeakValueDictionary[object, Group], most_per_host: int) -> None:
        if not isinstance(seconds, int | float):
            raise TypeError(f"expected seconds as stall_warning, got {type(seconds).__name__}")
        if not seconds > 0:
            raise ValueError(f"expected seconds above 0 as stall_warning, or None, got {seconds!r}")
        self._seconds = seconds
        self._groups = groups
        self._most_per_host = most_per_host
        # The head of each queue, and since when it is known as such; infinite if the program was warned of it.
        self._heads: dict[Group, tuple[Waiter, float]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, group: Group, loop: asyncio.AbstractEventLoop) -> None:
        """Watch a queue from now on, until it is empty."""
        if group not in self._heads or len(group.waiters) == 1:
            self._heads[group] = next(iter(group.waiters)), loop.time()
        if self._timer is None:
            self._schedule(self._seconds, loop)

    def close(self) -> None:
        """Watch no more."""
        self._heads.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        watch: weakref.ref[StallWatch] = weakref.ref(self)
        self._timer = loop.call_later(seconds, _check, watch, loop)

    def check(self, loop: asyncio.AbstractEventLoop) -> None:
        """Warn of the queues whose head has been there for too long, once for each head."""
        self._timer, now, nearest = None, loop.time(), math.inf
        for group, (known, since) in list(self._heads.items()):
            head = next(iter(group.waiters), None)
            if head is None:
                del self._heads[group]
                continue
            if head is not known or not group.wants or head.future.done():  # one that is being opened may serve it
                since = now
            elif now >= since + self._seconds:
                since = math.inf
                self._warn(group, head)
            self._heads[group] = head, since
            nearest = min(nearest, since)
        if self._heads:
            self._schedule(max(min(nearest, now) + self._seconds - now, 0.0), loop)

    def _warn(self, group: Group, head: Waiter) -> None:
        """Warn; where the program makes an error of the warning, the waiter gets it."""
        groups = (group,) if group.size >= self._most_per_host else self._groups.values()
        text = (
            f"no connection to {group.label} became free in {self._seconds:g} s, requests waiting: "
            f"{len(group.waiters)}, {describe_users(groups)}"
        )
        try:
            warnings.warn(text, PoolWarning, stacklevel=2)
        except PoolWarning as error:
            group.fail(head, error.with_traceback(None))  # the traceback leads back to the waiter


def _check(reference: weakref.ref[StallWatch], loop: asyncio.AbstractEventLoop) -> None:
    """Check, if the pool is still there: a timer must not keep it."""
    watch = reference()
    if watch is not None:
        watch.check(loop)
