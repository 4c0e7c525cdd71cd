"""One coarse timer for all deadlines of a loop, and the waits outside a stream that use it.

A wait with a time limit stores its deadline and does no more: a timer for each wait would cost more than the rest of it
(decision 89). The timer is set to the nearest deadline that was scheduled. A wait that ends in time does not cancel its
deadline: when the timer fires, it checks the present deadline of each wait, ends those that are overdue, and is set to
the nearest of the others.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol
from weakref import WeakKeyDictionary, ref

from ..errors import PhaseTimeout, ReadTimeout, WriteTimeout
from ..timeouts import Deadline

GRAIN: Final = 0.05
"""Seconds between two checks at the least: no deadline is missed by more, and ten thousand streams stay cheap."""


class Phase(NamedTuple):
    """The purpose of a wait: its error, its name, and the beginning of the error's text; a soft one has no error."""

    error: type[PhaseTimeout] | None
    name: str
    text: str


RESPONSE: Final = Phase(ReadTimeout, "read", "no response from")
DATA: Final = Phase(ReadTimeout, "read", "no more data from")
WRITE: Final = Phase(WriteTimeout, "write", "no data accepted by")
LISTEN: Final = Phase(None, "", "")


class HasDeadline(Protocol):
    """An object with a deadline: a time of its loop, infinite while it waits for nothing."""

    deadline: float

    def expire(self, now: float) -> None:
        """End the wait, whose time is over, or set a later deadline."""
        ...


class DeadlineTimer:
    """The timer of one loop. An object with a deadline adds itself, and is referred to until it is discarded.

    Args:
        loop: that loop.

    Attributes:
        next_check: the time of the loop at which the deadlines are checked next; infinite if they are not.
    """

    __slots__ = ("__weakref__", "_handle", "_known", "loop", "next_check")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        # No weak references: each would be one more object for each connection (decision 23).
        self._known: set[HasDeadline] = set()
        self._handle: asyncio.TimerHandle | None = None
        self.next_check = math.inf

    def add(self, item: HasDeadline) -> None:
        """Check this object's deadline from now on."""
        self._known.add(item)

    def discard(self, item: Any) -> None:
        """Check this object's deadline no more; without any object the timer is stopped."""
        self._known.discard(item)
        if not self._known:
            self._stop()

    def schedule(self, when: float) -> None:
        """Check no later than at that time of the loop. Call it only if that is before `next_check`."""
        self._stop()
        self.next_check = when
        self._handle = self.loop.call_at(when, self._check)

    def _stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self.next_check = math.inf

    def _check(self) -> None:
        self._stop()
        now = self.loop.time()
        nearest = math.inf
        for item in list(self._known):
            if item.deadline <= now:
                item.expire(now)
            if now < item.deadline < nearest:  # also a later deadline that expire() has set
                nearest = item.deadline
        if nearest != math.inf:
            self.schedule(max(nearest, now + GRAIN))


_timers: WeakKeyDictionary[asyncio.AbstractEventLoop, ref[DeadlineTimer]] = WeakKeyDictionary()
"""The timer of each loop, held by its users: it refers to the loop, which must be collected."""

_last: tuple[ref[asyncio.AbstractEventLoop], ref[DeadlineTimer]] | None = None
"""The loop whose timer was asked for last, and that timer: a look-up in the dictionary is Python code."""


def timer_of(loop: asyncio.AbstractEventLoop) -> DeadlineTimer:
    """Return the timer of a loop; keep it as long as an object is added to it."""
    global _last
    last = _last
    timer = None if last is None or last[0]() is not loop else last[1]()
    if timer is None:
        known = _timers.get(loop)
        timer = (None if known is None else known()) or DeadlineTimer(loop)
        _last = ref(loop), ref(timer)
        _timers[loop] = _last[1]
    return timer


def schedule_expiry(item: HasDeadline, loop: asyncio.AbstractEventLoop) -> DeadlineTimer:
    """Have an object expire at its deadline. Returns the timer: discard the object from it when the wait is over."""
    timer = timer_of(loop)
    timer.add(item)
    if item.deadline < timer.next_check:
        timer.schedule(item.deadline)
    return timer


def deadline_since(started: float, seconds: float | None) -> Deadline:
    """Return the deadline, on the running loop, of what began at that time of time.monotonic(); None sets no limit."""
    return Deadline.after(seconds, asyncio.get_running_loop().time() - (time.monotonic() - started))


class TimeLimit:
    """A `with` in a coroutine that raises an error once it has lasted that long; None sets no limit.

    The error is raised only if this very limit expired: another timeout, or a cancellation from outside, is passed
    on. The timer of the loop is used, as by streams: asyncio.timeout(), with a timer of its own for each, costs more
    (decision 89).

    Args:
        seconds: how long it may last.
        build_error: returns the error, given those seconds.
    """

    __slots__ = ("__weakref__", "_before", "_build_error", "_has_expired", "_seconds", "_task", "_timer", "deadline")

    _timer: DeadlineTimer

    def __init__(self, seconds: float | None, build_error: Callable[[float], PhaseTimeout]) -> None:
        self._seconds = seconds
        self._build_error = build_error
        self._task: asyncio.Task[object] | None = None
        self._has_expired = False
        self.deadline = math.inf

    @classmethod
    def until(cls, deadline: Deadline, doing: str) -> TimeLimit:
        """Return a limit that raises the deadline's TotalTimeout; see Deadline.error()."""
        if deadline.at == math.inf:
            return cls(None, lambda _: deadline.error(doing))
        return cls(deadline.left(asyncio.get_running_loop().time()), lambda _: deadline.error(doing))

    def __enter__(self) -> None:
        if self._seconds is None:
            return
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("expected to run in a task, which a time limit can end")
        self._task, self._before = task, task.cancelling()
        # As schedule_expiry() does: one call less for each connection.
        self.deadline = until = loop.time() + self._seconds
        self._timer = timer = timer_of(loop)
        timer.add(self)
        if until < timer.next_check:
            timer.schedule(until)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        self._timer.discard(self)
        is_alone = self._has_expired and task.uncancel() <= self._before
        # The error that we raise refers to this frame, and the task would refer to the error: a reference cycle.
        del task
        if is_alone and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise self._build_error(self._seconds or 0.0)

    def expire(self, now: float) -> None:
        """Cancel the task; called by the timer."""
        self.deadline = math.inf
        if self._task is not None:
            self._has_expired = True
            self._task.cancel()


class Alarm:
    """A `with` in which a future is completed with None after some seconds, unless it is done before."""

    __slots__ = ("__weakref__", "_future", "_timer", "deadline")

    _timer: DeadlineTimer

    def __init__(self, future: asyncio.Future[None], seconds: float) -> None:
        self._future = future
        self.deadline = future.get_loop().time() + seconds

    def __enter__(self) -> None:
        self._timer = schedule_expiry(self, self._future.get_loop())

    def __exit__(self, *exc_info: object) -> None:
        self._timer.discard(self)

    def expire(self, now: float) -> None:
        """Complete the future; called by the timer."""
        self.deadline = math.inf
        _complete(self._future)


async def wait_at_most(awaited: asyncio.Future[Any], seconds: float) -> bool:
    """Wait until a future is done, at most that many seconds; return whether it is. Cancelling leaves it as it was."""
    end: asyncio.Future[None] = awaited.get_loop().create_future()

    def notice(_: object) -> None:
        _complete(end)

    awaited.add_done_callback(notice)
    try:
        with Alarm(end, seconds):
            await end
    finally:
        awaited.remove_done_callback(notice)
    return awaited.done()


def _complete(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
