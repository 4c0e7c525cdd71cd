"""A response whose caller may drop it: the place of its connection is given back when the response is collected.

The problem: a response of stream() holds a connection until its content is read or it is closed. If the `async with`
block is never left, nothing does that, and the pool would count the connection for ever.

The rules kept:
- The guard is the `ended` callback of the response, and nothing else refers to it strongly. So it is collected with the
  response and with all iterators over the content.
- The collector may run at any time and in any thread, also in the middle of a method of the pool. So the guard changes
  nothing itself: it has the loop do that.
- Requests whose content the client reads have no guard, and pay nothing for it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from ..caller import Caller
from ..exchange.exchange import Exchange
from ..stream.aio import AioStream


class Guard:
    """The end of a response, told to its connection: by the response itself, or by its being collected.

    Args:
        ended: what is called at the end; see response.Ended.
        describe: says what the connection does for an exchange; None if it serves that no more.
        stream, exchange: what `ended` is called with.
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
        except RuntimeError:  # the loop is closed, and the connection is collected as well
            return
        text = (
            f"unclosed response to {what}, opened at {self.caller}: leave its `async with` block, read it, or close it"
        )
        warnings.warn_explicit(text, ResourceWarning, self.caller.file, self.caller.line, source=self)
