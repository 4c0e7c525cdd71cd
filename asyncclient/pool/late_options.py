"""Socket options that are set once a connection has been open for some seconds, such as TCP keep-alive."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final
from weakref import ref

from .group import Group, Lease

DELAY: Final = 30.0
"""Seconds until they are set: a connection that is closed before does without the system calls (decision 110)."""

AT_ONCE: Final = 256
"""Connections whose options are set in one turn of the loop, which takes 2 ms."""


class LateOptions:
    """Sets the late options of the connections of a pool, by one timer, which is set only after one was opened.

    Args:
        groups: those of the pool.
    """

    def __init__(self, groups: Mapping[object, Group]) -> None:
        self._groups = groups
        self.timer: asyncio.TimerHandle | None = None

    def schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the options of all connections after the delay, as one was opened."""
        if self.timer is None:
            reference: ref[LateOptions] = ref(self)
            self.timer = loop.call_later(DELAY, _set_all, reference, loop)

    def set_all(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to set the options of all connections that do not have them yet."""
        self.timer = None
        leases = [lease for group in list(self._groups.values()) for lease in (*group.leased, *group.idle)]
        _set_some([lease for lease in leases if not lease.has_late_options], loop)

    def close(self) -> None:
        """Stop the timer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def _set_some(leases: list[Lease], loop: asyncio.AbstractEventLoop) -> None:
    for lease in leases[-AT_ONCE:]:
        lease.set_late_options()
    del leases[-AT_ONCE:]
    if leases:
        loop.call_soon(_set_some, leases, loop)


def _set_all(reference: ref[LateOptions], loop: asyncio.AbstractEventLoop) -> None:
    """Set the options for a pool that still exists: the timer must not keep an abandoned one alive."""
    options = reference()
    if options is not None:
        options.set_all(loop)
