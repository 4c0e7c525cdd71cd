"""The events of a URL for the blocking client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ..client import events as awaitable
from ..errors import ResponseError
from .portal import Portal
from .response import replace_response

if TYPE_CHECKING:
    from ..client.content.events import ServerSentEvent

_T = TypeVar("_T")


class EventSource(AbstractContextManager["EventSource"], Iterator["ServerSentEvent"]):
    """The events of a URL; see Client.events(). Iterate over it in its `with` block, in one thread.

    Args:
        source: the asyncclient.EventSource that does the work.
        portal: runs it.
    """

    def __init__(self, source: awaitable.EventSource, portal: Portal) -> None:
        self._source = source
        self._portal = portal

    @property
    def last_event_id(self) -> str:
        """The ID of the last event, which is sent at a reconnect; "" if there is none."""
        return self._source.last_event_id

    def __enter__(self) -> Self:
        self._run(self._source.__aenter__())
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection and end the iteration."""
        self._portal.call_soon(self._source.close)

    def __next__(self) -> ServerSentEvent:
        """Return the next event. Raises the errors of asyncclient's EventSource."""
        event = self._run(take_next(self._source))
        if event is None:
            raise StopIteration
        return event

    def _run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        try:
            return self._portal.run(coroutine, self._source.close)
        except ResponseError as error:
            replace_response(error, self._portal)
            raise


async def take_next(items: AsyncIterator[_T]) -> _T | None:
    """Return the next item of an iterator; None at its end."""
    return await anext(items, None)
