"""A time limit for what is waited for outside a stream: resolving, connecting, a handshake, the caller's own body."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from types import TracebackType

from ..errors import PhaseTimeout
from .watch import Watch, watch_of


class TimeLimit:
    """An `async with` that raises the error once it has lasted that long; None is for ever.

    A timeout is ours only if our own scope expired: another one, or a cancellation from outside, stays what it is. It
    is watched as the deadlines of streams are: asyncio.timeout(), with a timer for each, takes twice as long.

    Args:
        seconds: how long it may last.
        build_error: makes the error, of those seconds.
    """

    __slots__ = ("__weakref__", "_before", "_build_error", "_has_expired", "_seconds", "_task", "_watch", "deadline")

    _watch: Watch

    def __init__(self, seconds: float | None, build_error: Callable[[float], PhaseTimeout]) -> None:
        self._seconds = seconds
        self._build_error = build_error
        self._task: asyncio.Task[object] | None = None
        self._has_expired = False
        self.deadline = math.inf

    async def __aenter__(self) -> None:
        if self._seconds is None:
            return
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("expected to run in a task, which a time limit can end")
        self._task, self._before = task, task.cancelling()
        self._watch = watch_of(loop)
        self._watch.add(self)
        self.deadline = until = loop.time() + self._seconds
        if until < self._watch.next_look:
            self._watch.look_at(until, loop)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        self._watch.discard(self)
        is_alone = self._has_expired and task.uncancel() <= self._before
        del task  # it may end with our error, whose traceback leads here: neither could be freed
        if is_alone and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise self._build_error(self._seconds or 0.0)

    def expire(self, now: float) -> None:
        """End what is waited for; called by the watch."""
        self.deadline = math.inf
        if self._task is not None:
            self._has_expired = True
            self._task.cancel()
