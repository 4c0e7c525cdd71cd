"""Closing idle connections when they expire."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final
from weakref import WeakMethod, ref

from ..limits import PoolLimits
from .group import Lease
from .slots import Slots

SWEEP_GRAIN: Final = 1.0
"""Seconds between two sweeps of the idle connections at the least."""


class Sweeper:
    """Closes the idle connections that have expired, by one timer, which is set only while there are some.

    Args:
        slots: the idle connections.
        sizes: for how long a connection is kept.
        drop: closes an idle connection; a method of the pool, which is not kept alive by this reference.
    """

    def __init__(self, slots: Slots, sizes: PoolLimits, drop: Callable[[Lease], None]) -> None:
        self._slots = slots
        self._drop = WeakMethod(drop)
        self._keep_alive = sizes.keep_alive
        self._has_max_age = sizes.max_age < math.inf
        # The next sweep, and its time by the loop.
        self.timer: asyncio.TimerHandle | None = None
        self._at = 0.0

    def add(self, lease: Lease, loop: asyncio.AbstractEventLoop) -> None:
        """Close an idle connection, once it has expired."""
        # Usually the next sweep is soon enough: a connection that became idle later expires later.
        if self.timer is None or lease.keep_alive < self._keep_alive or self._has_max_age:
            self._schedule(lease.expires, loop)

    def _schedule(self, expires: float, loop: asyncio.AbstractEventLoop) -> None:
        when = loop.time() + max(expires - time.monotonic(), SWEEP_GRAIN)
        if self.timer is not None:
            if when >= self._at:
                return
            self.timer.cancel()
        reference: ref[Sweeper] = ref(self)
        self.timer, self._at = loop.call_at(when, _sweep, reference, loop), when

    def sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close the connections that have expired."""
        self.close()
        drop, idle, now = self._drop(), self._slots.idle, time.monotonic()
        if drop is None:
            return
        for lease in list(idle):
            if lease in idle and lease.has_expired(now):  # a tracer may have closed some meanwhile
                drop(lease)
        if idle:
            self._schedule(min(lease.expires for lease in idle), loop)

    def close(self) -> None:
        """Stop the timer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def _sweep(reference: ref[Sweeper], loop: asyncio.AbstractEventLoop) -> None:
    """Sweep for a pool that still exists: the timer must not keep an abandoned one alive."""
    sweeper = reference()
    if sweeper is not None:
        sweeper.sweep(loop)
