"""Warnings about queues that do not move: requests wait for a connection and none becomes free.

The problem: a request made inside a stream() of the same client needs a second connection. If the limits allow no more,
each waits for the other forever. Neither is wrong by itself, so nothing fails.

The rules kept:
- A queue stalls if the same waiter stays at its head: waiters are served in order, so no connection became free. A long
  queue that moves is not stalled, however long its waiters wait.
- There is one timer for all queues of a pool, active only while there are waiters for which no dial is running.
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

MAX_NAMED: Final = 3
"""Connections named in a text: those in use for the longest time."""

MAX_INSPECTED: Final = 100
"""Connections among which the named ones are searched: many waiters may fail at once."""


def describe_users(groups: Iterable[Group]) -> str:
    """Return the users of the connections of groups, for messages; of many connections, only some."""
    leased = chain.from_iterable(group.leased for group in groups)
    users = list(islice(leased, MAX_INSPECTED))
    now = time.monotonic()
    named = heapq.nsmallest(MAX_NAMED, users, key=lambda lease: lease.leased_since)
    texts = [lease.describe_use(now) for lease in named]
    if len(users) > len(named):
        texts.append("others")
    return f"connections in use: {'; '.join(texts) or 'none'}"


class StallWarner:
    """Warns about the queues of a pool that do not move.

    Args:
        seconds: time after which a queue that has not moved is stalled.
        groups: all groups of the pool.
        max_per_host: connections that a group may have; at that number the group itself holds what its queue needs.

    Raises:
        TypeError, ValueError: `seconds` is not a number above 0.
    """

    def __init__(self, seconds: float, groups: weakref.WeakValueDictionary[object, Group], max_per_host: int) -> None:
        if not isinstance(seconds, int | float):
            raise TypeError(f"expected seconds as stall_warning, got {type(seconds).__name__}")
        if not seconds > 0:
            raise ValueError(f"expected seconds above 0 as stall_warning, or None, got {seconds!r}")
        self._seconds = seconds
        self._groups = groups
        self._max_per_host = max_per_host
        # The head of each queue, and the time since which it is the head; infinite after its warning.
        self._heads: dict[Group, tuple[Waiter, float]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, group: Group, loop: asyncio.AbstractEventLoop) -> None:
        """Observe the queue of a group until it is empty."""
        if group not in self._heads or len(group.waiters) == 1:
            self._heads[group] = next(iter(group.waiters)), loop.time()
        if self._timer is None:
            self._schedule(self._seconds, loop)

    def close(self) -> None:
        """Stop observing."""
        self._heads.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        warner: weakref.ref[StallWarner] = weakref.ref(self)
        self._timer = loop.call_later(seconds, _check, warner, loop)

    def check(self, loop: asyncio.AbstractEventLoop) -> None:
        """Warn about queues whose head has not changed for too long, once per head."""
        self._timer, now, nearest = None, loop.time(), math.inf
        for group, (known, since) in list(self._heads.items()):
            head = next(iter(group.waiters), None)
            if head is None:
                del self._heads[group]
                continue
            if head is not known or not group.wants_dial or head.future.done():  # a running dial may serve it
                since = now
            elif now >= since + self._seconds:
                since = math.inf
                self._warn(group, head)
            self._heads[group] = head, since
            nearest = min(nearest, since)
        if self._heads:
            self._schedule(max(min(nearest, now) + self._seconds - now, 0.0), loop)

    def _warn(self, group: Group, head: Waiter) -> None:
        """Issue the warning; if the program turns it into an error, the waiter fails with it."""
        groups = (group,) if group.size >= self._max_per_host else self._groups.values()
        text = (
            f"no connection to {group.label} became free in {self._seconds:g} s, requests waiting: "
            f"{len(group.waiters)}, {describe_users(groups)}"
        )
        try:
            warnings.warn(text, PoolWarning, stacklevel=2)
        except PoolWarning as error:
            group.fail(head, error.with_traceback(None))  # its traceback would refer to the waiter: a reference cycle


def _check(reference: weakref.ref[StallWarner], loop: asyncio.AbstractEventLoop) -> None:
    """Check if the pool still exists: a timer must not keep it alive."""
    warner = reference()
    if warner is not None:
        warner.check(loop)
