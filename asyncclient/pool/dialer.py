"""Opening the connections of a pool, each in a task of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

from ..errors import ConnectError
from ..limits import Limits
from ..stream.dial import Opened, forget_addresses, open_stream
from ..timings import Timings
from ..tracing import Tracer
from .group import Dial, Group, Waiter

Dialled = Callable[[Group, Waiter, Timings, Opened | BaseException], None]
"""Called with the group, the waiter for which the connection was opened, the duration of the steps, and the connection
or the error that ended the dial."""


class Dialer:
    """Opens connections, and calls a tracer for each.

    Args:
        limits: bounds on what a proxy may send.
        tracer: the tracer; None without one.

    Attributes:
        dials: the tasks that have not ended.
    """

    def __init__(self, limits: Limits, tracer: Tracer | None) -> None:
        self._limits = limits
        self._tracer = tracer
        self.dials: set[Dial] = set()

    def dial(self, loop: asyncio.AbstractEventLoop, group: Group, waiter: Waiter, dialled: Dialled) -> Dial:
        """Begin to open a connection of a group; return the task, which may be cancelled."""
        timings = Timings(time.monotonic())
        task = loop.create_task(open_stream(group.route, waiter.timeout, timings, self._limits))
        self.dials.add(task)
        # A callback, and not the end of a coroutine: a task may be cancelled before its coroutine has begun.
        task.add_done_callback(partial(self._end, group, waiter, timings, dialled))
        return task

    def _end(self, group: Group, waiter: Waiter, timings: Timings, dialled: Dialled, task: Dial) -> None:
        self.dials.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        result = task.result() if error is None else error
        if self._tracer is not None:
            result = _trace(self._tracer, group.label, timings, result)
        dialled(group, waiter, timings, result)
        if error is not None and isinstance(error, ConnectError):
            forget_addresses(group.route, error)


def _trace(tracer: Tracer, label: str, timings: Timings, result: Opened | BaseException) -> Opened | BaseException:
    """Call the tracer; return the result, or the error of the tracer, which ends the connection."""
    try:
        if isinstance(result, BaseException):
            tracer.connection_failed(label, result)
        else:
            tracer.connection_opened(label, timings)
    except BaseException as exc:
        if not isinstance(result, BaseException):
            result[0].abort()
        return exc
    return result
