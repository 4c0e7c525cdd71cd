"""The events of a URL, as a browser's EventSource gives them: the connection is opened again when it ends."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, Final, Self

from ..arguments import check_number, check_type
from ..errors import PhaseTimeout, ReadTimeout, RemoteDisconnected, StatusError
from ..message.fields import Pairs
from ..message.head import build_field
from ..stream.deadlines import TimeLimit
from ..timeouts import Timeout
from .content.events import EventParser, ServerSentEvent
from .error_context import shorten_url
from .request import Request, build_derived
from .response import MAX_EVENT, Response, build_status_error, iterate_events, open_event_parser
from .retries import DEFAULT_RECONNECT, Action, Outcome, Retry, decide_retry
from .settings import Settings

_STREAM_FIELDS: Final = (("Accept", "text/event-stream"), ("Cache-Control", "no-store"))
"""Fields of a request for an event stream (WHATWG HTML §9.2.2), unless the caller gives them."""

Open = Callable[[Request], Awaitable[Response]]


class LimitedReads(AsyncIterator[bytes]):
    """The content of a response as it is received, with a time limit for each wait.

    The limit is not the `Timeout.read` of the request, which also holds until the head was received.
    """

    def __init__(self, response: Response, seconds: float) -> None:
        self._chunks = response.iter_chunks()
        self._url = response.url
        self._seconds = seconds

    async def __anext__(self) -> bytes:
        with TimeLimit(self._seconds, self._build_error):
            return await anext(self._chunks)

    def _build_error(self, seconds: float) -> ReadTimeout:
        return ReadTimeout(f"no more data from {shorten_url(self._url)} in {seconds:g} s", "read", seconds)


class EventSource(AbstractAsyncContextManager["EventSource"], AsyncIterator[ServerSentEvent]):
    """The events of a URL; see Client.events(). Iterate over it in its `async with` block, in one task.

    Args:
        open: sends a request, and returns its response with unread content.
        settings: those of the client.
        request: the request, as its caller stated it.
        last_event_id: the event after which the server is to continue; "" for none.
        reconnect: how often and when the stream is opened again; None: never.
        read_timeout: seconds without a byte of the content after which the connection is dropped; None for no limit.
        max_event_size: limit of one event in characters.

    Attributes:
        response: the response that is being read; None before the first one and during a pause.
    """

    def __init__(
        self,
        open: Open,
        settings: Settings,
        request: Request,
        *,
        last_event_id: str = "",
        reconnect: Retry | int | None = DEFAULT_RECONNECT,
        read_timeout: float | None = None,
        max_event_size: int = MAX_EVENT,
    ) -> None:
        _check_arguments(last_event_id, reconnect, read_timeout, max_event_size)
        self.response: Response | None = None
        self._open = open
        self._settings = settings
        self._timeout = timeout = settings.timeout_for(request.choices)
        self._request = _prepare(request, replace(timeout, read=None, total=None, min_rate=None))
        self._read_timeout = read_timeout
        self._policy = DEFAULT_RECONNECT._replace(total=reconnect) if isinstance(reconnect, int) else reconnect
        self._parser = EventParser(max_event_size, last_event_id)  # of the present response, or of the last one
        self._events: AsyncIterator[ServerSentEvent] | None = None
        self._failures = 0  # connections in a row that have given no event
        self._is_over = False

    @property
    def last_event_id(self) -> str:
        """The ID of the last event, which is sent at a reconnect; "" if there is none."""
        return self._parser.last_id

    async def __aenter__(self) -> Self:
        await self._connect()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection and end the iteration."""
        self._is_over = True
        self._drop()

    async def __anext__(self) -> ServerSentEvent:
        """Return the next event.

        Raises:
            StatusError, DecodingError: a reconnect was answered by another status, or not by an event stream.
            ContentTooLarge: an event is larger than the limit.
            Others: the errors of Client.request(), after the last reconnect that is allowed.
        """
        while not self._is_over:
            try:
                event = await self._receive()
            except Exception as error:
                self._drop()
                if not await self._reconnects(error):
                    self._is_over = True
                    raise
                continue
            if event is not None:
                self._failures = 0
                return event
        raise StopAsyncIteration

    async def _receive(self) -> ServerSentEvent | None:
        """Return the next event; None if the stream has ended for good. Raises RemoteDisconnected at its other ends."""
        if self._events is None:
            await self._connect()
        if self._events is None:
            return None
        try:
            return await anext(self._events)
        except StopAsyncIteration:
            if self._may_end():
                self.close()
                return None
        raise RemoteDisconnected(f"event stream ended (GET {shorten_url(self._request.url)})")

    def _may_end(self) -> bool:
        """Return True if the end of the content is the end of the events: the request can't be sent again."""
        policy = self._policy
        return policy is None or not policy.total or self._request.method not in policy.methods

    def _drop(self) -> None:
        response, self.response, self._events = self.response, None, None
        if response is not None:
            response.close()

    # Connecting

    async def _connect(self) -> None:
        """Open the stream; a status of 204 ends it for good."""
        with TimeLimit(self._timeout.total or self._timeout.read, self._build_timeout):
            response = await self._open(self._add_last_id())
        try:
            self._begin(response)
        except BaseException:
            response.close()
            raise

    def _begin(self, response: Response) -> None:
        if response.status == 204:
            self._is_over = True
            response.close()
            return
        if response.status != 200:
            raise build_status_error(response)
        self._parser = open_event_parser(response, self._parser.max_size, self.last_event_id, self._parser.retry)
        chunks = None if self._read_timeout is None else LimitedReads(response, self._read_timeout)
        self._events = iterate_events(response, self._parser, chunks)
        self.response = response

    def _add_last_id(self) -> Request:
        """Return the request with Last-Event-ID, if there is one."""
        request, value = self._request, self.last_event_id.encode()
        if not value:
            return request
        kept = [pair for pair in request.headers if pair[0].lower() != "last-event-id"]
        return _derive(request, [*kept, ("Last-Event-ID", value)])

    def _build_timeout(self, seconds: float) -> PhaseTimeout:
        return ReadTimeout(f"no event stream from {shorten_url(self._request.url)} in {seconds:g} s", "read", seconds)

    async def _reconnects(self, error: Exception) -> bool:
        """Wait before a reconnect; return False if there is none."""
        policy, payload = self._policy, self._request.payload
        if policy is None:
            return False
        outcome = Outcome(
            self._request.method,
            self._failures + 1,
            is_replayable=payload is None or payload.is_replayable,
            **_describe(error),
        )
        decision = decide_retry(outcome, policy, random.random, time.time())
        if decision.action is not Action.WAIT:
            return False
        self._failures += 1
        await self._settings.pauses.wait(max(decision.seconds, min(self._parser.retry or 0.0, policy.max_retry_after)))
        return True


def _describe(error: Exception) -> dict[str, Any]:
    """Return the arguments of Outcome for an error, which may be about the status of a response."""
    if not isinstance(error, StatusError):
        return {"error": error}
    return {"status": error.response.status, "retry_after": error.response.headers.get_single("retry-after")}


def _prepare(request: Request, timeout: Timeout) -> Request:
    """Return the request with the fields of an event stream, and without limits on the time of the whole."""
    given = {name.lower() for name, _ in request.headers}
    added = [(name, value) for name, value in _STREAM_FIELDS if name.lower() not in given]
    return _derive(request, [*request.headers, *added], timeout=timeout)


def _derive(request: Request, headers: Pairs, **choices: Any) -> Request:
    return build_derived(request.method, request.url, headers, request.payload, request.choices._replace(**choices))


def _check_arguments(last_event_id: object, reconnect: object, read_timeout: object, max_event_size: object) -> None:
    check_type("last_event_id", last_event_id, str, "str")
    build_field("Last-Event-ID", str(last_event_id).encode())
    if isinstance(reconnect, bool) or not isinstance(reconnect, Retry | int | None):
        raise TypeError(f"expected a Retry, a number or None as reconnect, got {type(reconnect).__name__}")
    if read_timeout is not None:
        check_number("read_timeout", read_timeout, 0, "seconds or None")
    check_number("max_event_size", max_event_size, 1)
