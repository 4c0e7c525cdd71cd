"""Opening the connections of a pool, each in a task of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

from ..errors import ConnectError
from ..limits import Limits
from ..stream.dial import Opened, Route, forget_addresses, open_stream
from ..timeouts import Timeout
from ..timings import Timings
from ..tracing import Tracer

Dial = asyncio.Task[Opened]

Dialled = Callable[[Timings, Opened | BaseException], None]
"""Called with how long opening a connection took, and with the connection or the error that ended it."""


class Dialer:
    """Opens connections, and tells a tracer of each.

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

    def dial(
        self, loop: asyncio.AbstractEventLoop, label: str, route: Route, timeout: Timeout, dialled: Dialled
    ) -> Dial:
        """Begin to open a connection; return the task, which may be cancelled."""
        timings = Timings(time.monotonic())
        task = loop.create_task(open_stream(route, timeout, timings, self._limits))
        self.dials.add(task)
        # A callback, and not the end of a coroutine: a task may be cancelled before its coroutine has begun.
        task.add_done_callback(partial(self._end, label, route, timings, dialled))
        return task

    def _end(self, label: str, route: Route, timings: Timings, dialled: Dialled, task: Dial) -> None:
        self.dials.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        result = task.result() if error is None else error
        if self._tracer is not None:
            result = _trace(self._tracer, label, timings, result)
        dialled(timings, result)
        if isinstance(result, ConnectError):
            forget_addresses(route, result)


def _trace(tracer: Tracer, label: str, timings: Timings, result: Opened | BaseException) -> Opened | BaseException:
    """Tell the tracer; return the result, or the error of the tracer, which ends the connection."""
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
