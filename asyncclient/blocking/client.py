"""The client of asyncclient, blocking: the same names and results, for any number of threads at once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, Unpack

from ..caller import Caller, find_caller
from ..client import client as awaitable
from ..client import response as awaitable_response
from ..client.cookies.jar import CookieJar
from ..client.request import Options, Request
from ..errors import ClientClosed, ResponseError
from ..pool.group import PoolStats
from ..runner import find_loop_factory
from .body import hand_over, hand_over_calls
from .portal import LoopThread
from .response import Response

__all__ = ["Client", "Response", "Streaming"]

_P = ParamSpec("_P")


def _like(
    model: Callable[Concatenate[Any, _P], None],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, _P], None]]:
    """Give a constructor the arguments of another, for those who read it and for type checkers."""
    return wraps(model)


class Client:
    """An HTTP client for code without asyncio. `with Client() as client` closes it.

    Any number of threads may use it at once; they share its connections, on a loop that has a thread of its own. That
    begins with the first request, and ends with the client. In a forked process a client can be used only if it had not
    begun before. What asyncclient.Client documents holds here, and its arguments are taken, but:

    - Callbacks run on the loop's thread, so they must not block: auth, resolver, tracer (which is shown asyncclient's
      own responses), a function as proxy or trailers. They can't use the client.
    - Iterables and functions given as a body, or as the content of a file, and the progress of a download run in the
      thread that makes the request, while it waits. They may block, and use the client; an answer or a time limit that
      comes meanwhile is heard after. That holds for requests made by this client, not for a Request() made by hand.
    - What ends a wait, such as Ctrl-C or a signal's handler that raises, cancels the request.
    """

    _is_closed = True

    @_like(awaitable.Client.__init__)
    def __init__(self, *args: Any, **settings: Any) -> None:
        self._client = awaitable.Client(*args, **settings)
        self._thread = LoopThread(self._client, find_loop_factory())
        self._is_closed = False

    @property
    def base_url(self) -> str:
        """What relative URLs are appended to."""
        return self._client.base_url

    @property
    def cookies(self) -> CookieJar:
        """The cookies. They are used on the loop's thread: change them while no request is under way."""
        return self._client.cookies

    # Requests

    def get(self, url: str, **options: Unpack[Options]) -> Response:
        """GET a URL and read the response; see request()."""
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Unpack[Options]) -> Response:
        """HEAD: as GET, but the response has no content; see request()."""
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Unpack[Options]) -> Response:
        """Ask what a server can do with a URL; see request()."""
        return self.request("OPTIONS", url, **options)

    def post(self, url: str, **options: Unpack[Options]) -> Response:
        """POST a body, a form or JSON to a URL; see request()."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Unpack[Options]) -> Response:
        """PUT a body at a URL; see request()."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Unpack[Options]) -> Response:
        """PATCH what is at a URL; see request()."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Unpack[Options]) -> Response:
        """DELETE what is at a URL; see request()."""
        return self.request("DELETE", url, **options)

    def request(self, method: str, url: str, **options: Unpack[Options]) -> Response:
        """Send a request and return the response with its content read. The options are those of Request.

        Raises: as asyncclient.Client.request(); ImproperConnectionState in a callback, or in a forked process.
        """
        return self.send(self.build_request(method, url, **options))

    def send(self, request: Request) -> Response:
        """Send a request that was made before, as it stands, and return the response with its content read.

        Raises: as request().
        """
        return self._finish(self._client.send(request))

    def _finish(self, coroutine: Coroutine[Any, Any, awaitable_response.Response]) -> Response:
        try:
            return Response(self._thread.run(coroutine), self._thread)
        except ResponseError as error:
            self._show(error)
            raise

    def stream(self, method: str, url: str, **options: Unpack[Options]) -> Streaming:
        """Send a request at the beginning of `with`, and give the response with its content not read yet.

        At the end of the block the connection is kept if the content was read, or little of it is left, else dropped.
        After an exception it is dropped at once.

        Raises: as request().
        """
        return Streaming(self, self.build_request(method, url, **options), find_caller())

    def download(
        self,
        url: str,
        path: str | os.PathLike[str],
        *,
        resume: bool = False,
        overwrite: bool = False,
        progress: Callable[[int, int | None], object] | None = None,
        **options: Unpack[Options],
    ) -> Response:
        """GET a URL into a file, and return the response; its content is in the file, not in memory.

        Where path is a directory the file in it gets the name `response.filename`.
        progress is called in the thread that waits; what it raises cancels the download, if that is not over yet. See
        asyncclient.Client.download() for all the rest.

        Raises:
            StatusError: the status is not 2xx; nothing of the content was read.
            DecodingError: the content is not what its digest says.
            ProtocolError: the response is a part only, though all was asked for.
            OSError: the file can't be written, is in the directory already, or is being downloaded already.
            Others as request(), and what progress raises.
        """
        tell = None if progress is None else hand_over_calls(progress)
        download = self._client.download(
            url, path, resume=resume, overwrite=overwrite, progress=tell, **hand_over(options)
        )
        return self._finish(download)

    def build_request(self, method: str, url: str, **options: Unpack[Options]) -> Request:
        """Return a request as request() would send it: base_url and params of the client are in it.

        Raises:
            ValueError, TypeError, InvalidURL: something that can't be sent.
        """
        return self._client.build_request(method, url, **hand_over(options))

    def _show(self, error: ResponseError) -> None:
        """Put a response of this client's kind into an error, in place of the one that it came with."""
        if isinstance(error.response, awaitable_response.Response):
            error.response = Response(error.response, self._thread)

    # Connections

    def preconnect(self, origin: str, n: int = 1) -> None:
        """Open connections to an origin until n of them are idle, no more than the limits allow; it waits for no place.

        Raises:
            ConnectError, TotalTimeout: one could not be opened; those that could are kept.
        """
        self._thread.run(self._client.preconnect(origin, n))

    def stats(self) -> PoolStats:
        """Return how many connections are in use, idle and being opened, and how many requests wait; also by host."""
        return self._thread.ask(self._client.stats)

    def close_idle(self) -> int:
        """Begin to close all connections that are idle, and return how many; requests under way are not affected."""
        return self._thread.ask(self._client.close_idle)

    def close(self) -> None:
        """End requests under way with an error, free all connections, and end the thread.

        Over TLS the servers get close_notify; theirs is waited for as long as Timeout.tls_close says, by default not.
        The client can't be used again.
        """
        self._is_closed = True
        self._thread.end()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<compat." + self._thread.ask(self._client.__repr__)[1:]

    def __del__(self) -> None:
        if not self._is_closed and self._thread.is_running:
            self._thread.end()
            warnings.warn(f"unclosed {object.__repr__(self)}", ResourceWarning, source=self, stacklevel=2)


class Streaming(AbstractContextManager[Response]):
    """A request that goes out when `with` is entered; see Client.stream()."""

    def __init__(self, client: Client, request: Request, caller: Caller) -> None:
        self._client = client
        self._request = request
        self._caller = caller
        self._response: awaitable_response.Response | None = None

    def __enter__(self) -> Response:
        thread = self._client._thread
        try:
            return Response(thread.run(self._open(), self._close), thread)
        except ResponseError as error:
            self._client._show(error)
            raise

    async def _open(self) -> awaitable_response.Response:
        self._response = await awaitable.Streaming(self._client._client, self._request, self._caller).__aenter__()
        return self._response

    def _close(self) -> None:
        if self._response is not None:
            self._response.close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._client._thread.tell(self._close)
        elif self._response is not None and not self._response.closed:
            with suppress(ClientClosed):
                self._client._thread.run(self._response.aclose(), self._close)
