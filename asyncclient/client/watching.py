"""Requests that are traced: the beginning and the end of a trace, and what is read of the response.

The rules report attempts (transfer), and the transport what it does; here is what remains. Content that breaks off or
can't be decoded ends the trace with that error.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from ..errors import NotConnected
from ..tracing.trace import Trace
from ..transport import Transport, TransportRequest, TransportResponse
from ..wrapped_response import WrappedResponse
from .content.decoding import MAX_DECODE_STEP
from .content.reader import ContentReader

if TYPE_CHECKING:
    from ..tracing.tracers import Tracers
    from .request import Request
    from .response import Response
    from .transfer import Transfer


def begin_trace(tracers: Tracers, request: Request) -> Trace | None:
    """Return the trace of a request that begins; None without tracers and while the log is off."""
    audience = tracers.find_audience()
    if audience is None:
        return None
    scheme, mark, rest = request.url.partition("#")[0].partition("://")
    authority, slash, path = rest.partition("/")
    return Trace(audience.tell, request.method, f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}")


async def run_traced(transfer: Transfer, trace: Trace, *, may_retry: bool) -> Response:
    """Return the response of Transfer.run(), whose end is that of the trace.

    Args:
        may_retry: a failure of the content does not end the trace: the caller reads it, and sends the request again or
            ends the trace itself.
    """
    if transfer.trace is None:
        transfer.begin_trace(trace, partial(WatchedTransport, trace=trace))
    try:
        response = await transfer.run()
    except BaseException as error:
        trace.request_ended(error)
        raise
    watched = cast(WatchedResponse, response._raw)
    response._reader = cast(ContentReader, WatchedReader(response._reader or watched, watched))
    watched.deliver(may_retry=may_retry)
    return response


class WatchedTransport:
    """A transport for the attempts of one request.

    Args:
        transport: sends the requests.
        trace: is told of them.
    """

    def __init__(self, transport: Transport, trace: Trace) -> None:
        self._transport = transport
        self._trace = trace

    async def send(self, request: TransportRequest) -> TransportResponse:
        """Send a request with the fields that tracers add; those of the caller take precedence."""
        fields = self._trace.attempt_started(request.method, request.url)
        if fields:
            request = request.replace(headers=[field for field in fields if field[0] not in request.headers])
        request.trace = self._trace
        return WatchedResponse(await self._transport.send(request), self._trace)

    async def aclose(self) -> None:
        """Do nothing: the client closes its transport."""


class WatchedResponse(WrappedResponse):
    """A response whose trace is told what is read of it; after deliver() its end is the end of the trace.

    Args:
        raw: the response.
        trace: is told.

    Attributes:
        is_being_read: True while the content is read and decoded: its end is then known only to the reader.
    """

    __slots__ = ("_error", "_is_delivered", "_loop", "_may_retry", "_trace", "is_being_read")

    def __init__(self, raw: TransportResponse, trace: Trace) -> None:
        super().__init__(raw)
        self._trace = trace
        self._loop = asyncio.get_running_loop()
        self._is_delivered = self._may_retry = self.is_being_read = False
        self._error: BaseException | None = None
        trace.head_received(raw.head, raw.timings, raw.peer)

    def deliver(self, *, may_retry: bool) -> None:
        """Note that this is the response of the caller, and not a redirect or a challenge."""
        self._is_delivered, self._may_retry = True, may_retry
        if self.closed:  # it has no content
            self._trace.content_ended()
            self.end()

    def note_content(self, data: bytes) -> None:
        """Tell the trace of it."""
        if data:
            self._trace.content_received(len(data))
        if self._raw.closed:
            self._trace.content_ended()

    def note_end(self) -> None:
        """End the trace, unless a reader does."""
        if not self.is_being_read:
            self.end()

    def fail(self, error: BaseException) -> None:
        """Note that reading or decoding has failed, which ends the trace if it has ended the response."""
        self._error = error
        if self._may_retry:
            self._is_delivered = False
        elif self._raw.closed:
            self.end()

    def end(self) -> None:
        """End the trace, with the error of the last read."""
        if self._is_delivered:
            self._is_delivered = False
            error, self._error = self._error, None  # its traceback refers to the frames of the caller
            self._trace.request_ended(error)

    def finish(self) -> None:
        """End the trace without an error."""
        self._error = None
        self.end()

    def __del__(self) -> None:
        if self._is_delivered:  # the collector may run in any thread
            try:
                error = NotConnected("response was dropped before it was read or closed")
                self._loop.call_soon_threadsafe(self._trace.request_ended, error)
            except RuntimeError:  # the loop is closed
                pass


class _Reading(Protocol):
    async def read(self) -> bytes: ...

    async def read1(self, n: int) -> bytes: ...


class WatchedReader:
    """The content of a watched response as its caller reads it.

    Args:
        reader: the content, decoded if it is to be; the watched response itself for content without limits.
        watched: the response.
    """

    __slots__ = ("_reader", "_watched")

    def __init__(self, reader: _Reading, watched: WatchedResponse) -> None:
        self._reader = reader
        self._watched = watched

    async def read(self) -> bytes:
        """Return the rest of the content."""
        watched = self._watched
        watched.is_being_read = True
        try:
            data = await self._reader.read()
        except BaseException as error:
            watched.fail(error)
            raise
        finally:
            watched.is_being_read = False
        watched.finish()
        return data

    async def read1(self, n: int = MAX_DECODE_STEP) -> bytes:
        """Return available bytes, at least one and at most n; b"" at the end."""
        watched = self._watched
        watched.is_being_read = True
        try:
            data = await self._reader.read1(n)
        except BaseException as error:
            watched.fail(error)
            raise
        finally:
            watched.is_being_read = False
        if not data or (self._reader is watched and watched.closed):
            watched.finish()
        return data
