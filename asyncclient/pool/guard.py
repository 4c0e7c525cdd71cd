"""A guard for responses that a caller may drop: collecting the response releases its connection.

The problem: a response of stream() holds a connection until its content is read or it is closed. If the `async with`
block is never left, neither happens, and the pool would count the connection forever.

The rules kept:
- The guard is the `ended` callback of the response and has no other strong reference. So it is collected together with
  the response and all iterators over the content.
- The garbage collector may run at any time in any thread, even inside a method of the pool. So the guard changes
  nothing itself: it schedules the release on the loop.
- Requests whose content the client reads itself have no guard and no cost.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable

from ..caller import Caller
from ..exchange.exchange import Exchange
from ..response import Ended


class Guard:
    """Passes the end of a response to its connection, either from the response or when that is collected.

    Args:
        ended: called at the end, see response.Ended.
        describe: returns what the connection does for an exchange; None after the exchange.
        loop: the loop of the connection.
        exchange: the exchange of the response.
        caller: where the response was opened.
    """

    __slots__ = ("__weakref__", "_describe", "_ended", "_has_ended", "_loop", "caller", "exchange")

    def __init__(
        self,
        ended: Ended,
        describe: Callable[[Exchange], str | None],
        loop: asyncio.AbstractEventLoop,
        exchange: Exchange,
        caller: Caller,
    ) -> None:
        self._ended = ended
        self._describe = describe
        self._loop = loop
        self._has_ended = False
        self.exchange = exchange
        self.caller = caller

    def __call__(self, exchange: Exchange, at: float | None) -> None:
        """Pass on the end of the response."""
        self._has_ended = True
        self._ended(exchange, at)

    def __del__(self) -> None:
        request = None if self._has_ended else self._describe(self.exchange)
        if request is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._ended, self.exchange, None)
        except RuntimeError:  # the loop is closed; the connection is collected too
            return
        text = (
            f"unclosed response to {request}, opened at {self.caller}: "
            "leave its `async with` block, read it, or close it"
        )
        warnings.warn_explicit(text, ResourceWarning, self.caller.file, self.caller.line, source=self)
