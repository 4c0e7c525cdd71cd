"""The clock of a polite transport, which a test can replace by one that it sets."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A callback that is going to be called."""

    def cancel(self) -> object:
        """Do not call it any more."""
        ...


class Clock(Protocol):
    """The time, and callbacks at a time. asyncclient.testing.ManualClock is a clock for tests."""

    def now(self) -> float:
        """Return seconds from any start; they never go back."""
        ...

    def unix(self) -> float:
        """Return Unix seconds, with which dates of servers are compared."""
        ...

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Call a function once now() is at least `when`, on the event loop."""
        ...


class Alarm:
    """Calls a function at the earliest of the times it was set to, once; then it can be set again.

    Args:
        clock: the clock of the times.
        ring: the function.
    """

    def __init__(self, clock: Clock, ring: Callable[[], object]) -> None:
        self._clock = clock
        self._ring = ring
        self._timer: Timer | None = None
        self._at = math.inf

    def set(self, when: float) -> None:
        """Call the function at a time, unless it is going to be called before."""
        if when < self._at:
            self.stop()
            self._at = when
            self._timer = self._clock.call_at(when, self._go_off)

    def stop(self) -> None:
        """Do not call the function, until another time is set."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at = None, math.inf

    def _go_off(self) -> None:
        self._timer, self._at = None, math.inf
        self._ring()


class LoopClock:
    """The monotonic clock of the system, and the timers of an event loop.

    The loop's own time() is not used: uvloop's is that of the loop's last turn, in whole milliseconds.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop  # None for the running one

    def now(self) -> float:
        """Return the seconds of time.monotonic()."""
        return time.monotonic()

    def unix(self) -> float:
        """Return the seconds of time.time()."""
        return time.time()

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Call a function at a time of now(), or a few milliseconds later.

        Whole milliseconds, rounded up: uvloop rounds to the nearest, and a timer that is early is set again at once.
        """
        loop = self._loop or asyncio.get_running_loop()
        return loop.call_later(max(0, math.ceil((when - time.monotonic()) * 1000)) / 1000, callback)
