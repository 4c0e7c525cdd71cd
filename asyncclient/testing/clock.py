"""A clock that a test sets, for a polite transport."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Final

TURNS: Final = 20
"""Turns of the loop after each callback, in which the tasks that it has woken go on; each await takes one at most."""


class ManualClock:
    """A clock that stands still until a test moves it, so that no test has to wait.

    >>> from asyncclient.politeness import Polite, Rules
    >>> from asyncclient.testing import ManualClock, MockTransport
    >>> clock = ManualClock()
    >>> transport = Polite(MockTransport({}), Rules(rate=1), clock=clock)

    Args:
        now: the seconds at which it starts.
        unix: the Unix seconds at which it starts.
    """

    def __init__(self, now: float = 0.0, unix: float = 1_800_000_000.0) -> None:
        self._now = now
        self._unix_offset = unix - now
        self._calls: list[tuple[float, int, ManualTimer]] = []
        self._numbers = count()

    def now(self) -> float:
        """Return the time."""
        return self._now

    def unix(self) -> float:
        """Return the time as Unix seconds."""
        return self._now + self._unix_offset

    def call_at(self, when: float, callback: Callable[[], object]) -> ManualTimer:
        """Call a function when the clock is moved to that time or beyond."""
        timer = ManualTimer(callback)
        heapq.heappush(self._calls, (when, next(self._numbers), timer))
        return timer

    @property
    def next_at(self) -> float | None:
        """The time of the next callback; None without any."""
        while self._calls and self._calls[0][2].is_cancelled:
            heapq.heappop(self._calls)
        return self._calls[0][0] if self._calls else None

    async def advance(self, seconds: float) -> None:
        """Move the clock, and let tasks go on: before, after each callback on the way, and at the end.

        Tasks that wait for sockets or threads may need more time.
        """
        end = self._now + seconds
        await self._let_go_on()
        while (when := self.next_at) is not None and when <= end:
            self._now = max(self._now, when)
            heapq.heappop(self._calls)[2].callback()
            await self._let_go_on()
        self._now = end
        await self._let_go_on()

    async def _let_go_on(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def __repr__(self) -> str:
        return f"<ManualClock {self._now:g} s>"


class ManualTimer:
    """A callback of a ManualClock."""

    __slots__ = ("callback", "is_cancelled")

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        """Do not call it any more."""
        self.is_cancelled = True
