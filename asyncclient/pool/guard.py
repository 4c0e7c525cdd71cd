"""A guard for responses that a caller may drop: collecting the response releases its connection.

The problem: a response of stream() holds a connection until its content is read or it is closed. If the `async with`
block is never left, neither happens, and the pool would count the connection forever.

The rules kept:
- The guard is the `ended` callback of the response and has no other strong reference. So it is collected together with
  the response and all iterators over the content.
- The garbage collector may run at any time in any thread, even inside a method of the pool. So the guard changes
nothing
  itself: it schedules the release on the loop.
- Requests whose content the client reads itself have no guard and no cost.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from ..caller import Caller
from ..exchange.exchange import Exchange
from ..stream.aio import AioStream


class Guard:
    """Passes the end of a response to its connection, either from the response or when that is collected.

    Args:
        ended: called at the end; see response.Ended.
        describe: returns what the connection does for an exchange; None if it no longer serves it.
        stream, exchange: arguments for `ended`.
        caller: where the response was opened.
    """

    __slots__ = ("__weakref__", "_describe", "_ended", "_stream", "caller", "exchange")

    def __init__(
        self,
        ended: Callable[[AioStream, Exchange, float | None], None],
        describe: Callable[[Exchange], str | None],
        stream: AioStream,
        exchange: Exchange,
        caller: Caller,
    ) -> None:
        self._ended = ended
        self._describe = describe
        self._stream: AioStream | None = stream
        self.exchange = exchange
        self.caller = caller

    def __call__(self, stream: AioStream, exchange: Exchange, at: float | None) -> None:
        """Pass the end on."""
        self._stream = None
        self._ended(stream, exchange, at)

    def __del__(self) -> None:
        stream = self._stream
        what = None if stream is None else self._describe(self.exchange)
        if stream is None or what is None:
            return
        try:
            stream.loop.call_soon_threadsafe(self._ended, stream, self.exchange, None)
        except RuntimeError:  # the loop is closed; the connection is collected too
            return
        text = (
            f"unclosed response to {what}, opened at {self.caller}: leave its `async with` block, read it, or close it"
        )
        warnings.warn_explicit(text, ResourceWarning, self.caller.file, self.caller.line, source=self)
