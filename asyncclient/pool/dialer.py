"""Opening the connections of a pool, each in a task of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from ..errors import ConnectError
from ..limits import Limits
from ..stream.dial import Opened, forget_addresses, open_stream
from ..stream.opening import Opening
from .group import Dial, Group, Waiter

if TYPE_CHECKING:
    from ..tracing.trace import ConnectionTrace

Dialled = Callable[[Group, Waiter, Opening, Opened | BaseException], None]
"""Called with the group, the waiter for which the connection was opened, the duration of the steps, and the connection
or the error that ended the dial."""


AT_ONCE: Final = 100
"""Dials in progress up to which each further one is begun at once."""

PER_TURN: Final = 25
"""Dials that are begun in a turn of the loop when there are more."""


class Dialer:
    """Opens connections.

    If thousands of connections are wanted at once, some are begun in each turn of the loop: the first ones are open
    before the last ones are begun, and the memory of their dials is used again (decision 25). Dials in progress are not
    limited: servers that do not answer would hold up the others.

    Args:
        limits: bounds on what a proxy may send.

    Attributes:
        dials: the tasks that have not ended.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.dials: set[Dial] = set()
        # How many dials beyond AT_ONCE may be begun in this turn of the loop.
        self._allowed = 0
        self._next_turn: asyncio.Handle | None = None

    @property
    def may_begin(self) -> bool:
        """Whether a dial may be begun in this turn of the loop."""
        return len(self.dials) < AT_ONCE or self._allowed > 0

    def wait_for_turn(self, loop: asyncio.AbstractEventLoop, begin: Callable[[], None]) -> None:
        """Have a function called in the next turn of the loop, in which it may begin some more dials."""
        if self._next_turn is None:
            self._next_turn = loop.call_soon(self._take_turn, begin)

    def _take_turn(self, begin: Callable[[], None]) -> None:
        self._next_turn = None
        self._allowed = PER_TURN
        begin()
        self._allowed = 0

    def dial(self, loop: asyncio.AbstractEventLoop, group: Group, waiter: Waiter, dialled: Dialled) -> Dial:
        """Begin to open a connection of a group; return the task, which may be cancelled."""
        self._allowed -= self._allowed > 0
        opening = Opening(time.monotonic())
        if waiter.open_trace is not None:
            opening.trace = waiter.open_trace(group.label, opening)
            opening.trace.connection_started()
        task = loop.create_task(open_stream(group.route, waiter.timeout, opening, self._limits))
        self.dials.add(task)
        # A callback, and not the end of a coroutine: a task may be cancelled before its coroutine has begun.
        task.add_done_callback(partial(self._end, group, waiter, opening, dialled))
        return task

    def cancel_all(self) -> list[Dial]:
        """Cancel all dials, and return them, to be waited for."""
        dials = list(self.dials)
        for dial in dials:
            dial.cancel()
        return dials

    def _end(self, group: Group, waiter: Waiter, opening: Opening, dialled: Dialled, task: Dial) -> None:
        self.dials.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        result = task.result() if error is None else error
        if opening.trace is not None:
            _report(opening.trace, result)
            if error is not None:
                opening.trace = None  # it refers to the opening, too
        dialled(group, waiter, opening, result)
        if error is not None and isinstance(error, ConnectError):
            forget_addresses(group.route, error)


def _report(trace: ConnectionTrace, result: Opened | BaseException) -> None:
    if isinstance(result, BaseException):
        trace.connection_failed(result)
    else:
        trace.connection_opened()
