"""The tasks that fetch: as many as there are connections, and one more for each that waits for politeness."""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Any, Final

from ..politeness import Clock
from ..politeness.clock import Alarm
from .agenda import RECHECK, Agenda
from .entry import Entry

MOST_POSTPONED: Final = 10_000
"""Fetches that may wait for politeness, for example for a robots.txt, in addition to those that may be in progress."""

LONGEST_STREAK: Final = 32
"""Fetches of one host in a row by one task, before hosts that wait have their turn."""


class Fetching(ABC):
    """The part of a crawler that fetches: its tasks, its budget, and when it looks for entries again.

    Args:
        clock: the clock of the agenda.
        on_time: called when the time has come for something in the agenda.

    Attributes:
        left: entries that may still be fetched.
    """

    def __init__(self, clock: Clock, on_time: Callable[[], None]) -> None:
        self._clock = clock
        self._alarm = Alarm(clock, on_time)
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_begun = self._is_stopped = False
        self.left = math.inf

    @abstractmethod
    def __len__(self) -> int:
        """Return how many fetches are in progress."""

    @property
    @abstractmethod
    def are_idle(self) -> bool:
        """True if more fetches could be in progress."""

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

    @abstractmethod
    def start(self) -> None:
        """Start as many fetches as may be in progress."""

    def _wake_at(self, when: float) -> None:
        if not self._is_stopped:
            self._alarm.set(when)

    def stop(self) -> None:
        """Start no more fetches."""
        self._is_stopped = True
        self._alarm.stop()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)

    async def aclose(self) -> None:
        """Cancel all fetches."""
        self.stop()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


class Workers(Fetching):
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
        super().__init__(clock, on_time)
        self._agenda = agenda
        self._limit = limit
        self._postponed = postponed
        self._fetch = fetch
        self._on_time = on_time
        self._on_error = on_error

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def are_idle(self) -> bool:
        """True if more fetches could be in progress."""
        return len(self._tasks) < self._limit

    def start(self) -> None:
        """Start as many fetches as may be in progress."""
        while (entry := self._choose()) is not None:
            self._spawn(self._work(entry))
        at = self._agenda.wakes_at
        if not self.are_idle and self._agenda.has_ready:  # fetches may begin to wait for politeness
            at = min(at, self._clock.now() + RECHECK)
        self._wake_at(at)

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
        super()._end(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_error(error)
        else:
            self._on_time()
