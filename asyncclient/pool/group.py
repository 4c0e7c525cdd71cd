"""The connections of one destination, and who waits for one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from ..message.head import Head
from ..stream.dial import Opened, Route
from ..timeouts import Timeout
from .connection import PooledConnection


class HostStats(NamedTuple):
    """How many connections to a destination serve a request, are kept, are being opened, and how many wait for one."""

    active: int
    idle: int
    connecting: int
    waiting: int


class PoolStats(NamedTuple):
    """The same for all destinations together, and for each by itself."""

    active: int
    idle: int
    connecting: int
    waiting: int
    hosts: dict[str, HostStats]


class Waiter:
    """A request that waits for a connection.

    Attributes:
        future: gets a connection, which is leased to the waiter from then on, or the reason why there is none.
        timeout: what a connection that is opened for it may take.
        is_late: whether it has waited for as long as Timeout.pool lets it.
        dial: the task that opens one for it, while it does. Whichever connection comes first serves the waiter.
    """

    __slots__ = ("dial", "future", "is_late", "timeout")

    def __init__(self, future: asyncio.Future[PooledConnection], timeout: Timeout) -> None:
        self.future = future
        self.timeout = timeout
        self.is_late = False
        self.dial: asyncio.Task[Opened] | None = None


class Group:
    """The connections that lead to one destination, and the requests that wait for one.

    Args:
        label: the destination for messages and statistics, without secrets.
        route: how to get there.

    Attributes:
        last_head: the head of the last response, which the next is likely to have as well, on a new connection, too.
    """

    __slots__ = ("__weakref__", "connecting", "idle", "label", "last_head", "leased", "queued", "route", "waiters")

    def __init__(self, label: str, route: Route) -> None:
        self.label = label
        self.route = route
        self.last_head: Head | None = None
        self.leased: set[PooledConnection] = set()
        self.idle: dict[PooledConnection, None] = {}  # last the one used last
        self.connecting = 0
        self.waiters: OrderedDict[Waiter, None] = OrderedDict()
        self.queued: OrderedDict[Waiter, None] = OrderedDict()  # those of them that have no dial of their own

    @property
    def size(self) -> int:
        """How many connections there are."""
        return len(self.leased) + len(self.idle) + self.connecting

    @property
    def wants(self) -> bool:
        """Whether somebody waits here for whom no connection is being opened."""
        return self.connecting < len(self.waiters)

    def add(self, waiter: Waiter, *, is_next: bool = False) -> None:
        """Put a waiter at the end of the line, or at its head."""
        for line in (self.waiters, self.queued):
            line[waiter] = None
            if is_next:
                line.move_to_end(waiter, last=False)

    def remove(self, waiter: Waiter) -> None:
        """Take a waiter out of the line, wherever it stands."""
        self.waiters.pop(waiter, None)
        self.queued.pop(waiter, None)

    def fail(self, waiter: Waiter, error: BaseException) -> None:
        """End the wait of a waiter with an error, unless it has ended already."""
        if not waiter.future.done():
            self.remove(waiter)
            waiter.future.set_exception(error)

    def take_waiter(self) -> Waiter | None:
        """Take out who has waited longest; one that was cancelled and does not know it yet is passed over."""
        while self.waiters:
            waiter, _ = self.waiters.popitem(last=False)
            self.queued.pop(waiter, None)
            if not waiter.future.done():
                return waiter
        return None

    def take_undialled(self) -> Waiter | None:
        """Take the one who has waited longest without a dial of his own, and leave him in line."""
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
    """Return the present numbers of all groups, by host; one with nothing going on is left out."""
    hosts: dict[str, HostStats] = {}
    for group in groups:
        if group.size or group.waiters:
            numbers = group.stats()
            others = hosts.get(group.label)  # http and https of one host and port
            hosts[group.label] = numbers if others is None else HostStats(*map(sum, zip(numbers, others, strict=True)))
    active, idle, connecting, waiting = map(sum, zip(*hosts.values(), strict=True)) if hosts else (0, 0, 0, 0)
    return PoolStats(active, idle, connecting, waiting, hosts)
