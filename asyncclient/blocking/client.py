"""The blocking client: asyncclient.Client's names and results, usable by any number of threads at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

from ..caller import find_caller
from ..client import client as awaitable
from ..client import response as awaitable_response
from ..client import streams as awaitable_streams
from ..client.cookies.jar import CookieJar
from ..client.option_docs import lists_options
from ..client.other_names import BLOCKING_CLIENT, answers_clients
from ..client.request import Options, Request
from ..client.verbs import Verbs
from ..errors import ClientClosed, ResponseError
from ..pool.group import PoolStats
from ..runner import find_loop_factory
from .body import wrap_options
from .middlewares import BlockingMiddlewares
from .portal import Portal
from .response import Response, replace_response

if TYPE_CHECKING:
    from .events import EventSource
    from .websocket import OpeningWebSocket

__all__ = ["Client", "Response", "Streaming"]

_P = ParamSpec("_P")
_Self = TypeVar("_Self")
_T = TypeVar("_T")


def _like(
    model: Callable[Concatenate[Any, _P], object],
) -> Callable[[Callable[Concatenate[_Self, ...], _T]], Callable[Concatenate[_Self, _P], _T]]:
    """Give a method the parameters of another, to which it passes its own on, for readers and type checkers."""
    return wraps(model, assigned=(), updated=())


@answers_clients(BLOCKING_CLIENT)
class Client(Verbs):
    """An HTTP client for code without asyncio. `with Client() as client` closes it.

    Any number of threads may use it at once. They share its connections, on an event loop in a thread of its own, which
    starts with the first request and ends with the client. After a fork, a client can be used in the child process only
    if that thread had not started. Arguments and behaviour are those of asyncclient.Client, with these differences:

    - Callbacks run in the loop's thread, so they must not block and can't use the client: auth, resolver, tracer (which
      gets asyncclient's own responses), a function as proxy or trailers.
    - Iterables and functions given as a body or as the content of a file, and the progress function of a download, run
      in the thread that makes the request, while it waits. They may block and use the client; a response or a timeout
      meanwhile takes effect afterwards. This applies to requests made by this client, not to a Request() made directly.
    - Middlewares are plain functions in the thread that makes the request. They may block and use the client.
    - An exception that ends the wait, for example from Ctrl-C or a signal handler, cancels the request.
    """

    _is_closed = True

    @_like(awaitable.Client.__init__)
    def __init__(self, *args: Any, **settings: Any) -> None:
        middlewares = BlockingMiddlewares(settings.pop("middlewares", ()))
        self._client = awaitable.Client(*args, middlewares=middlewares.adapt(), **settings)
        self._portal = middlewares.portal = Portal(self._client, find_loop_factory())
        self._is_closed = False

    @property
    def base_url(self) -> str:
        """The URL to which relative URLs are appended."""
        return self._client.base_url

    @property
    def cookies(self) -> CookieJar:
        """The cookies. They are used in the loop's thread: change them only while no request is in progress."""
        return self._client.cookies

    # Requests

    @lists_options
    def request(self, method: str, url: str, **options: Unpack[Options]) -> Response:
        """Send a request and return the response with its content read.

        Raises: see asyncclient.Client.request(); also ImproperConnectionState in a callback or a forked process.
        """
        return self.send(self.build_request(method, url, **options))

    def send(self, request: Request) -> Response:
        """Send a prepared request unchanged, and return the response with its content read.

        Raises: see request().
        """
        return self._finish(self._client.send(request))

    def _finish(self, coroutine: Coroutine[Any, Any, awaitable_response.Response]) -> Response:
        try:
            return Response(self._portal.run(coroutine), self._portal)
        except ResponseError as error:
            replace_response(error, self._portal)
            raise

    @lists_options
    def stream(self, method: str, url: str, **options: Unpack[Options]) -> Streaming:
        """Send a request at the start of the `with` block, and return the response with unread content.

        At the end of the block the connection is kept if the content was read or little of it is left, otherwise it is
        dropped. After an exception it is dropped at once.

        Raises: see request().
        """
        streaming = awaitable_streams.Streaming(self._client, self.build_request(method, url, **options), find_caller())
        return Streaming(self, streaming)

    @lists_options
    @_like(awaitable.Client.events)
    def events(self, *args: Any, **options: Any) -> EventSource:
        """Open an event stream at the start of the `with` block; iterate over its events.

        See asyncclient.Client.events() for the arguments, the reconnects and the errors.
        """
        from .events import EventSource  # imported on use: few programs need it

        return EventSource(self._client.events(*args, **wrap_options(options)), self._portal)

    @lists_options
    @_like(awaitable.Client.websocket)
    def websocket(self, *args: Any, **options: Any) -> OpeningWebSocket:
        """Open a WebSocket at the start of the `with` block; needs asyncclient-http[websocket].

        See asyncclient.Client.websocket() for the arguments, the end and the errors.
        """
        from .websocket import OpeningWebSocket  # imported on use: few programs need it

        return OpeningWebSocket(self._client.websocket(*args, **options), self._portal, find_caller())

    @lists_options
    @_like(awaitable.Client.download)
    def download(self, *args: Any, **options: Any) -> Response:
        """GET a URL into a file, and return the response, whose content is in the file only.

        If path is a directory, the file in it is named `response.filename`. progress is called in the waiting thread;
        an exception it raises cancels the download, unless that is complete. See asyncclient.Client.download().

        Raises:
            StatusError: the status is not 2xx; the content was not read.
            ChecksumError: a digest of the content does not match; the path is unchanged.
            ProtocolError: the response has only a part, although the whole content was requested.
            OSError: the file can't be written, exists in the directory, or is being downloaded already.
            Others: see request(), and the exceptions of progress.
        """
        return self._finish(self._client.download(*args, **wrap_options(options)))

    @lists_options
    def build_request(self, method: str, url: str, **options: Unpack[Options]) -> Request:
        """Return the request that request() would send; see asyncclient.Client.build_request()."""
        return self._client.build_request(method, url, **wrap_options(options))

    # Connections

    def preconnect(self, origin: str, n: int = 1) -> None:
        """Open connections to an origin until n are idle; see asyncclient.Client.preconnect()."""
        self._portal.run(self._client.preconnect(origin, n))

    def stats(self) -> PoolStats:
        """Return the numbers of connections and of waiting requests; see asyncclient.Client.stats()."""
        return self._portal.call(self._client.stats)

    def close_idle(self) -> int:
        """Begin to close all idle connections, and return how many; see asyncclient.Client.close_idle()."""
        return self._portal.call(self._client.close_idle)

    def close(self) -> None:
        """End requests in progress with an error, close all connections, and end the thread.

        Over TLS, servers get close_notify; theirs is awaited for Timeout.tls_close seconds, by default not at all. The
        client can't be used again.
        """
        self._is_closed = True
        self._portal.stop()
        self._portal.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<compat." + self._portal.call(self._client.__repr__)[1:]

    def __del__(self) -> None:
        if not self._is_closed and self._portal.is_running:
            self._portal.stop()
            warnings.warn(f"unclosed {object.__repr__(self)}", ResourceWarning, source=self, stacklevel=2)


class Streaming(AbstractContextManager[Response]):
    """A request that is sent when the `with` block is entered; see Client.stream()."""

    def __init__(self, client: Client, streaming: awaitable_streams.Streaming) -> None:
        self._client = client
        self._streaming = streaming
        self._response: awaitable_response.Response | None = None

    def __enter__(self) -> Response:
        portal = self._client._portal
        try:
            return Response(portal.run(self._open(), self._close), portal)
        except ResponseError as error:
            replace_response(error, portal)
            raise

    async def _open(self) -> awaitable_response.Response:
        self._response = await self._streaming.__aenter__()
        return self._response

    def _close(self) -> None:
        if self._response is not None:
            self._response.close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._client._portal.call_soon(self._close)
        elif self._response is not None and not self._response.closed:
            with suppress(ClientClosed):
                self._client._portal.run(self._response.aclose(), self._close)
