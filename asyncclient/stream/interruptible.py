"""Waits that close() ends, although they do not wait on the stream: opening a connection, the caller's own body."""

from __future__ import annotations

import asyncio
from types import TracebackType

from ..errors import NotConnected


class Interruptible:
    """A `with` whose task end() may interrupt: what it awaits then raises NotConnected.

    A cancellation from anywhere else stays a cancellation.

    Args:
        message: the text of the NotConnected.
    """

    __slots__ = ("_has_ended", "_message", "_task")

    def __init__(self, message: str) -> None:
        self._message = message
        self._task: asyncio.Task[object] | None = None
        self._has_ended = False

    def __enter__(self) -> None:
        self._task = asyncio.current_task()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        is_cancelled = kind is not None and issubclass(kind, asyncio.CancelledError)
        if is_cancelled and self._has_ended and task is not None and not task.uncancel():
            raise NotConnected(self._message) from None

    def end(self) -> None:
        """Interrupt the task, unless it is the task that calls this; a second call does nothing."""
        task = self._task
        if task is not None and not self._has_ended and task is not _current_task():
            self._has_ended = task.cancel()


def _current_task() -> asyncio.Task[object] | None:
    """Return the running task; close() may be called without one."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
