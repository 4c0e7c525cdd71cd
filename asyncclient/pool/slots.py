"""The slots of a pool: which connections use them, and which group gets the next one.

The rules kept:
- leased + idle + connecting == counted, for each group and for all. Only this file changes these numbers, each method
  changes them completely, and nothing here waits.
- If all slots are in use, groups take turns, so that no host can starve another.
- Everything is O(1).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from ..limits import PoolLimits
from .group import Group, Lease

MAX_TURNS: Final = 8
"""Exchanges in a row that a connection serves for its own group, if that has a fraction of a slot more than its share
while another group has none."""


class Slots:
    """The books of a pool: a connection takes a slot when its opening begins, and frees it when it is closed.

    Args:
        sizes: how many connections there may be.

    Attributes:
        counted: the slots in use.
        idle: the idle connections of all groups, the one that has been idle longest first.
        starved: the groups that want a slot and have none, in the order of their turns.
    """

    def __init__(self, sizes: PoolLimits) -> None:
        self.counted = 0
        self.idle: OrderedDict[Lease, None] = OrderedDict()
        self.starved: OrderedDict[Group, None] = OrderedDict()
        self._sizes = sizes
        most_per_host = min(sizes.connections, sizes.per_host)
        self._may_keep_all = sizes.idle >= sizes.connections and sizes.idle_per_host >= most_per_host

    # The state of a connection

    def take(self, group: Group) -> None:
        """Use a slot for a connection whose opening begins."""
        self.counted += 1
        group.connecting += 1

    def fill(self, lease: Lease) -> None:
        """Note that a connection is open; it is leased."""
        lease.group.connecting -= 1
        lease.group.leased.add(lease)

    def free(self, group: Group) -> None:
        """Free the slot of a connection that was not opened."""
        self.counted -= 1
        group.connecting -= 1

    def keep(self, lease: Lease) -> None:
        """Make a leased connection idle."""
        group = lease.group
        group.leased.discard(lease)
        group.idle[lease] = None
        self.idle[lease] = None

    def lease(self, lease: Lease) -> None:
        """Make an idle connection leased."""
        group = lease.group
        del group.idle[lease], self.idle[lease]
        group.leased.add(lease)

    def remove(self, lease: Lease) -> None:
        """Free the slot of an open connection, leased or idle."""
        self.counted -= 1
        if lease in self.idle:
            del lease.group.idle[lease], self.idle[lease]
        else:
            lease.group.leased.remove(lease)

    # Room for one more

    @property
    def is_full(self) -> bool:
        """Whether there is no free slot."""
        return self.counted >= self._sizes.connections

    def has_room(self, group: Group) -> bool:
        """Return whether a dial is wanted, and possible without closing an idle connection."""
        sizes, connecting = self._sizes, group.connecting
        if connecting >= len(group.waiters) or self.counted >= sizes.connections:
            return False
        return len(group.leased) + len(group.idle) + connecting < sizes.per_host

    def may_use(self, group: Group) -> bool:
        """Return whether a group could use a slot: a waiter has no dial, and the group is not at its own limit."""
        return group.wants_dial and (group.size < self._sizes.per_host or bool(group.idle))

    def find_obstacle(self, group: Group) -> Lease | None:
        """Return the idle connection that must be closed before one more of the group can be opened, if there is one.

        The group must not be at its own limit without an idle connection.
        """
        if group.size >= self._sizes.per_host:
            return next(iter(group.idle))
        return next(iter(self.idle)) if self.idle and self.is_full else None

    def find_excess(self, group: Group) -> Lease | None:
        """Return the least recently used idle connection, after one more of the group, if there are too many."""
        if self._may_keep_all:
            return None
        if len(group.idle) > self._sizes.idle_per_host:
            return next(iter(group.idle))
        return next(iter(self.idle)) if len(self.idle) > self._sizes.idle else None

    def count_missing(self, group: Group, n: int) -> int:
        """Return how many connections of a group to open, so that n of them are idle, as far as the limits allow."""
        sizes = self._sizes
        most = min(n, sizes.connections, sizes.per_host, sizes.idle, sizes.idle_per_host)
        return min(most - len(group.idle), sizes.per_host - group.size)

    # Turns

    def next_starved(self) -> Group | None:
        """Return the starved group whose turn it is, forgetting those that can't use a slot any more."""
        while self.starved:
            group = next(iter(self.starved))
            if self.may_use(group):
                return group
            del self.starved[group]
        return None

    def must_yield(self, lease: Lease) -> bool:
        """Return whether a starved group gets the slot: its own group does not need it, or had more than its share."""
        group = lease.group
        if group in self.starved:
            self.starved.move_to_end(group)
        if not self.is_full or self.next_starved() in (None, group):
            return False
        others = len(self.starved) - (group in self.starved)
        lease.turns += 1
        excess = group.size - self._sizes.connections / (others + 1)  # beyond its share
        return not group.waiters or excess >= 1 or (excess > 0 and lease.turns > MAX_TURNS)
