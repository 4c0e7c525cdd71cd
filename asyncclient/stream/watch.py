"""One coarse timer for all deadlines of a loop: of streams, and of what is waited for outside them (scope.py).

A wait with a timeout stores when it ends and no more: `asyncio.timeout` or `wait_for` for each read cost 30 % of all
throughput at a hundred requests at once, `call_later` for each 10 %, this nothing that can be measured. The timer
stands at the nearest deadline it has heard of. Deadlines that were met in time are not taken back: when the timer fires
it looks at what each one waits for now, ends what is overdue, and goes to sleep until the nearest that is left.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final, NamedTuple, Protocol
from weakref import WeakKeyDictionary, WeakSet

from ..errors import PhaseTimeout, ReadTimeout, WriteTimeout


class Phase(NamedTuple):
    """The purpose of a wait: its error, its name, and the beginning of the error's text; a soft one has no error."""

    error: type[PhaseTimeout] | None
    name: str
    text: str


RESPONSE: Final = Phase(ReadTimeout, "read", "no response from")
DATA: Final = Phase(ReadTimeout, "read", "no more data from")
WRITE: Final = Phase(WriteTimeout, "write", "nothing taken by")
LISTEN: Final = Phase(None, "", "")

GRAIN = 0.05
"""Seconds between two looks at the least: no deadline is missed by more, and ten thousand streams cost 2 %."""


class Watched(Protocol):
    """What has a deadline: the time of its loop, infinite while it waits for nothing."""

    deadline: float

    def expire(self, now: float) -> None:
        """End the wait: its time is over."""
        ...


class Watch:
    """The timer of one loop. It knows what it watches weakly: an abandoned stream must not live on for its timeout."""

    def __init__(self) -> None:
        self._watched: WeakSet[Watched] = WeakSet()
        self._timer: asyncio.TimerHandle | None = None
        self.next_look = math.inf

    def add(self, watched: Watched) -> None:
        """Look at this from now on."""
        self._watched.add(watched)

    def discard(self, watched: Watched) -> None:
        """Look no more at this; with the last one the timer goes."""
        self._watched.discard(watched)
        if not self._watched:
            self._stop()

    def look_at(self, when: float, loop: asyncio.AbstractEventLoop) -> None:
        """Look no later than at that time of the loop. Call it only where that is before `next_look`."""
        self._stop()
        self.next_look = when
        self._timer = loop.call_at(when, self._look, loop)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.next_look = math.inf

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._stop()
        now = loop.time()
        nearest = math.inf
        for watched in list(self._watched):
            if watched.deadline <= now:
                watched.expire(now)
            else:
                nearest = min(nearest, watched.deadline)
        if nearest != math.inf:
            self.look_at(max(nearest, now + GRAIN), loop)


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()


def watch_of(loop: asyncio.AbstractEventLoop) -> Watch:
    """Return the watch of a loop."""
    watch = _watches.get(loop)
    if watch is None:
        watch = _watches[loop] = Watch()
    return watch
