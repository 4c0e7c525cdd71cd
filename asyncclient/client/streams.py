"""The methods of a client that return a block to enter: a response that is read by the caller, events, a WebSocket."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from ..caller import Caller, find_caller
from .option_docs import lists_options
from .request import Options, Request
from .response import MAX_EVENT, Response
from .retries import DEFAULT_RECONNECT, Retry
from .settings import Settings

if TYPE_CHECKING:
    from .events import EventSource
    from .websocket.connection import OpeningWebSocket
    from .websocket.opening import Compression


class Opens(Protocol):
    """A client, as its methods here use it."""

    _settings: Settings

    def build_request(self, method: str, url: str, **options: Unpack[Options]) -> Request:
        """Return a request."""
        ...

    def _open(self, request: Request, caller: Caller | None = None) -> Coroutine[Any, Any, Response]:
        """Send a request; return its response with unread content."""
        ...


class Streams:
    """Base of Client."""

    @lists_options
    def stream(self: Opens, method: str, url: str, **options: Unpack[Options]) -> Streaming:
        """Send a request at the start of the `async with` block, and return the response with unread content.

        At the end of the block the connection is kept if the content was read or little of it is left, otherwise it is
        dropped. After an exception it is dropped at once. If the block is never left and the response is collected, the
        connection is dropped with a ResourceWarning.

        Raises: see request().
        """
        return Streaming(self, self.build_request(method, url, **options), find_caller())

    @lists_options
    def events(
        self: Opens,
        url: str,
        *,
        method: str = "GET",
        last_event_id: str = "",
        reconnect: Retry | int | None = DEFAULT_RECONNECT,
        read_timeout: float | None = None,
        max_event_size: int = MAX_EVENT,
        **options: Unpack[Options],
    ) -> EventSource:
        """Open an event stream (text/event-stream) at the start of the `async with` block; iterate over its events.

        After a failure or the end of the content, the request is sent again with the ID of the last event, after the
        pause that the server asks for or that of `reconnect`. A response with status 204 ends the events. A quiet
        stream stays open: TCP keep-alive finds out if the server has gone.

        Args:
            url: the URL.
            method: the method. After another method than those in `Retry.methods`, such as POST, the end of the content
                ends the events.
            last_event_id: the event after which the server is to continue.
            reconnect: how often the request is sent again in a row without an event, and the pauses; None: never. A
                number is `total` of a Retry. The first request is sent again by the client's `retries` only.
            read_timeout: seconds without a byte of the content, comments included, after which the stream is opened
                again. It does not limit the time until the head of a response, see options.
            max_event_size: limit of one event in characters.
            options: as in request(). `Timeout.total`, otherwise `Timeout.read`, limits the time until the head of each
                response.

        Raises:
            StatusError: the status is neither 200 nor 204.
            DecodingError: Content-Type is not text/event-stream.
            Others: see request().
        """
        from .events import EventSource  # imported on use: few programs need it

        open = partial(self._open, caller=find_caller())
        return EventSource(
            open,
            self._settings,
            self.build_request(method, url, **options),
            last_event_id=last_event_id,
            reconnect=reconnect,
            read_timeout=read_timeout,
            max_event_size=max_event_size,
        )

    @lists_options
    def websocket(
        self: Opens,
        url: str,
        *,
        subprotocols: Iterable[str] = (),
        compression: Compression = "deflate",
        max_message_size: int | None = 1024 * 1024,
        ping_interval: float | None = 20.0,
        close_timeout: float = 10.0,
        **options: Unpack[Options],
    ) -> OpeningWebSocket:
        """Open a WebSocket (RFC 6455) at the start of the `async with` block; needs asyncclient-http[websocket].

        The request for it is a GET to which all rules of the client apply: TLS, cookies, authentication, redirects,
        timeouts. A proxy opens a tunnel. At the end of the block the WebSocket is closed in order, code 1000; after an
        exception at once, code 1011, and after a cancellation 1001.

        Args:
            url: a URL of scheme ws, wss, http or https, or a relative one.
            subprotocols: names of subprotocols, the preferred one first; the server may choose one.
            compression: "deflate" offers permessage-deflate (RFC 7692); None does not.
            max_message_size: limit of a received message in bytes; None for no limit.
            ping_interval: seconds between pings that check the connection; if a pong is missing when the next ping is
                due, the connection is dropped. None for no pings.
            close_timeout: seconds that the peer has to end the connection after a close frame.
            options: as in request().

        Raises:
            StatusError: the status is not 101.
            ProtocolError: the response is not that of a handshake, or chooses something that was not offered.
            ImportError: the library websockets is not installed.
            Others: see request().
        """
        from .websocket.connection import OpeningWebSocket  # imported on use: few programs need it
        from .websocket.link import Limits
        from .websocket.opening import check_extra, open_protocol, to_http

        check_extra()
        caller = find_caller()
        open = partial(self._open, caller=caller)
        request = self.build_request("GET", to_http(url), **options)
        protocol = open_protocol(subprotocols, compression, max_message_size)
        return OpeningWebSocket(open, request, protocol, Limits(ping_interval, close_timeout), caller)


class Streaming(AbstractAsyncContextManager[Response]):
    """A request that is sent when the `async with` block is entered; see Client.stream()."""

    def __init__(self, client: Opens, request: Request, caller: Caller) -> None:
        self._client = client
        self._request = request
        self._caller = caller
        self._response: Response | None = None

    async def __aenter__(self) -> Response:
        self._response = await self._client._open(self._request, self._caller)
        return self._response

    async def __aexit__(self, *exc_info: Any) -> None:
        if self._response is not None:
            await self._response.__aexit__(*exc_info)
