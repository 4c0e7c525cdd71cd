"""The tasks that fetch: as many as there are connections, and one more for each that waits for politeness."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Final

from ..politeness import Clock
from ..politeness.clock import Timer
from .agenda import RECHECK, Agenda
from .entry import Entry

MOST_POSTPONED: Final = 10_000
"""Fetches that may wait for politeness, for example for a robots.txt, in addition to those that may be in progress."""

LONGEST_STREAK: Final = 32
"""Fetches of one host in a row by one task, before hosts that wait have their turn."""


class Workers:
    """Fetches the entries of an agenda as they may be fetched.

    Args:
        agenda: the agenda.
        clock: the clock of its times.
        limit: fetches that may be in progress.
        postponed: returns how many fetches wait for politeness.
        fetch: fetches an entry, and notes its end in the agenda.
        on_time: called when the time has come for something in the agenda, before entries are chosen.
        on_error: called with an error of `fetch`.
    """

    def __init__(
        self,
        agenda: Agenda,
        clock: Clock,
        limit: int,
        postponed: Callable[[], int],
        fetch: Callable[[Entry], Awaitable[None]],
        on_time: Callable[[], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        self._agenda = agenda
        self._clock = clock
        self._limit = limit
        self._postponed = postponed
        self._fetch = fetch
        self._on_time = on_time
        self._on_error = on_error
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: Timer | None = None
        self._timer_at = math.inf
        self._has_begun = self._is_stopped = False
        self.left = math.inf  # entries that may still be fetched

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def are_idle(self) -> bool:
        """True if more fetches could be in progress."""
        return len(self._tasks) < self._limit

    @property
    def may_start(self) -> bool:
        """False before begin(), after stop(), and when the budget is spent."""
        return self._has_begun and self.left > 0 and not self._is_stopped

    @property
    def is_over(self) -> bool:
        """True after stop(), and when the budget is spent."""
        return self.left <= 0 or self._is_stopped

    def begin(self) -> None:
        """Allow fetches to be started."""
        self._has_begun = True

    def stop(self) -> None:
        """Start no more fetches."""
        self._is_stopped = True
        self._stop_timer()

    def start(self) -> None:
        """Start as many fetches as may be in progress."""
        while (entry := self._choose()) is not None:
            task = asyncio.create_task(self._work(entry))
            self._tasks.add(task)
            task.add_done_callback(self._end)
        self._set_timer()

    def _choose(self) -> Entry | None:
        """Return the next entry to fetch by a new task."""
        running = len(self._tasks)
        if running >= self._limit and running >= self._limit + min(self._postponed(), MOST_POSTPONED):
            return None
        return self._take(self._agenda.choose(self._clock.now())) if self.may_start else None

    def _take(self, entry: Entry | None) -> Entry | None:
        if entry is not None:
            self.left -= 1
        return entry

    async def _work(self, entry: Entry) -> None:
        """Fetch an entry, and then others: of the same host for a while, as its connection is open, then of any."""
        for streak in count(1):
            await self._fetch(entry)
            if not self.may_start or len(self._tasks) > self._limit:
                return
            now = self._clock.now()
            following = self._agenda.choose_again(entry.host, now) if streak % LONGEST_STREAK else None
            following = self._take(following or self._agenda.choose(now))
            if following is None:
                return
            entry = following
            if self.are_idle:
                self.start()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_error(error)
        else:
            self._on_time()

    def _set_timer(self) -> None:
        """Look at the agenda again when the next of its hosts has rested, or when fetches have begun to wait."""
        at = self._agenda.wakes_at
        if not self.are_idle and self._agenda.has_ready:
            at = min(at, self._clock.now() + RECHECK)
        if at < self._timer_at and not self._is_stopped:
            self._stop_timer()
            self._timer_at = at
            self._timer = self._clock.call_at(at, self._wake)

    def _wake(self) -> None:
        self._timer, self._timer_at = None, math.inf
        self._on_time()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, math.inf

    async def aclose(self) -> None:
        """Cancel all fetches."""
        self.stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
