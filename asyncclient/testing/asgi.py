"""A transport that calls an ASGI or WSGI application in the same process, without a socket."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Self
from urllib.parse import unquote

from ..arguments import check_type, known_arguments
from ..client.deadlines import await_in_time
from ..errors import ClientClosed
from ..transport import TransportRequest, TransportResponse
from .application import ApplicationCall
from .lifespan import VERSION, ASGIApp, Lifespan, Scope, end_tasks

CLOSE_TIMEOUT: Final = 1.0
"""Seconds for requests in progress to end after a disconnect, and for the shutdown, before they are cancelled."""


@known_arguments({})
class ASGITransport:
    """A transport that calls an ASGI application, without a network.

    >>> from asyncclient import Client
    >>> async def application(scope, receive, send):
    ...     await send({"type": "http.response.start", "status": 204, "headers": []})
    ...     await send({"type": "http.response.body"})
    >>> client = Client(transport=ASGITransport(application), base_url="https://testserver")

    Requests and responses are streamed, a chunk at a time: the application waits until its last chunk was taken. The
    end of a response is reported when the application has returned, so that its background work is done. If the client
    closes a response early or is cancelled, the application receives `http.disconnect`, and what it sends is discarded.

    Args:
        app: the application.
        raise_app_exceptions: raise an exception of the application in the client. If False, the response is a 500 or,
            after its head, truncated, as from a server.
        root_path: the path at which the application is mounted; paths of requests include it.
        client: address and port of the client in the scope.
        lifespan: run the startup of the application before the first request, and its shutdown in aclose(). `async
            with` runs the startup at once.

    Raises:
        TypeError: an argument of another type.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        raise_app_exceptions: bool = True,
        root_path: str = "",
        client: tuple[str, int] = ("127.0.0.1", 123),
        lifespan: bool = True,
    ) -> None:
        if not callable(app):
            raise TypeError(f"expected an ASGI application as app, got {type(app).__name__}")
        check_type("root_path", root_path, str, "str")
        check_type("client", client, tuple, "(address, port)")
        self._app = app
        self._raises = raise_app_exceptions
        self._root_path = root_path
        self._client = client
        self._lifespan = Lifespan(app) if lifespan else None
        self._running: set[ApplicationCall] = set()
        self._is_closed = False

    async def send(self, request: TransportRequest) -> TransportResponse:
        """Call the application, and return its response as soon as it has started.

        Raises:
            RuntimeError: the startup has failed, or the application returns without a response.
            ReadTimeout, TotalTimeout: the application has not answered in time.
            ClientClosed: the transport is closed.
            Exception: an exception of the application, or of the caller's body.
        """
        if self._is_closed:
            raise ClientClosed("the transport is closed")
        if self._lifespan is not None:
            await await_in_time(self._lifespan.start(), request.deadline, request.destination.host)
        if request.on_start is not None:
            request.on_start()
        call = ApplicationCall(request, self._raises)
        self._running.add(call)
        try:
            return await call.open(self._app, self._build_scope)
        finally:
            if call.task is None or call.task.done():
                self._running.discard(call)
            else:
                call.task.add_done_callback(lambda _: self._running.discard(call))

    def _build_scope(self, request: TransportRequest, headers: list[tuple[bytes, bytes]]) -> Scope:
        """Return the connection scope of a request (ASGI, HTTP connection scope)."""
        path, _, query = request.target.partition("?")
        scheme, host, port, _ = request.destination
        state = {} if self._lifespan is None else {"state": self._lifespan.state.copy()}
        return {
            "type": "http",
            "asgi": VERSION,
            "http_version": "1.1",
            "method": request.method,
            "scheme": scheme,
            "path": unquote(path),
            "raw_path": path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": self._root_path,
            "headers": headers,
            "client": self._client,
            "server": (host, port),
            "extensions": {"http.response.trailers": {}},
            **state,
        }

    async def aclose(self) -> None:
        """Disconnect requests in progress, and run the shutdown of the application; may be called any number of times.

        Raises:
            RuntimeError: the application reports that its shutdown has failed.
            Exception: an exception of the shutdown.
        """
        self._is_closed = True
        for call in self._running:
            call.disconnect(ClientClosed("the client was closed meanwhile"))
        await end_tasks([call.task for call in self._running if call.task is not None], CLOSE_TIMEOUT)
        if self._lifespan is not None:
            await self._lifespan.stop(CLOSE_TIMEOUT)

    async def __aenter__(self) -> Self:
        if self._lifespan is not None:
            await self._lifespan.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._running)} requests>"


class WSGITransport(ASGITransport):
    """A transport that calls a WSGI application in worker threads, through a2wsgi (the extra `testing`).

    Args:
        app: the application.
        workers: the number of threads.
        options: raise_app_exceptions, root_path and client, see ASGITransport.

    Raises:
        ImportError: a2wsgi is not installed.
        TypeError: an argument of another type.
    """

    def __init__(self, app: Callable[..., Any], *, workers: int = 10, **options: Any) -> None:
        try:
            from a2wsgi import WSGIMiddleware
        except ModuleNotFoundError as exc:
            raise ImportError("WSGI needs a2wsgi: install asyncclient-http[testing]", name="a2wsgi") from exc
        if not callable(app):
            raise TypeError(f"expected a WSGI application as app, got {type(app).__name__}")
        middleware = WSGIMiddleware(app, workers=workers)
        self._end_threads = partial(middleware.executor.shutdown, wait=False)
        super().__init__(middleware, **options, lifespan=False)

    async def aclose(self) -> None:
        """Disconnect requests in progress, and end the threads."""
        try:
            await super().aclose()
        finally:
            self._end_threads()
