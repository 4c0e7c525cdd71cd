"""One call of an ASGI application: a request and its response, two streams of messages with one chunk at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final, NoReturn

from ..client.deadlines import await_in_time
from ..errors import IncompleteRead, ReadTimeout
from ..exchange.body import Source
from ..local_response import LocalResponse
from ..message.fields import Fields
from ..stream.deadlines import TimeLimit
from ..timeouts import no_response
from ..transport import TransportRequest
from .lifespan import ASGIApp, Message, Scope

_Pairs = list[tuple[bytes, bytes]]

BuildScope = Callable[[TransportRequest, _Pairs], Scope]

_WITHOUT_CONTENT: Final = (204, 304)


class ApplicationCall:
    """One call of an application, which runs in a task of its own.

    The application sends a chunk when its last one was taken, and gets a chunk of the request's body when it asks for
    it. After the client has left, it receives `http.disconnect`, and what it sends is discarded.

    Args:
        request: the request.
        raises: raise the exceptions of the application.

    Attributes:
        task: the task; None before the application is called.
        started: when the call began, in monotonic seconds.
    """

    def __init__(self, request: TransportRequest, raises: bool) -> None:
        self.task: asyncio.Task[None] | None = None
        self.started = time.monotonic()
        self._request = request
        self._raises = raises
        self._source: Source | None = None  # of the body
        self._has_received = False  # all of the body
        self._start: Message | None = None
        self._chunk = b""  # sent by the application, not taken by the client
        self._trailers: _Pairs = []
        self._is_complete = False  # the application has sent the end of the response
        self._is_gone = False  # the client has left
        self._failure: BaseException | None = None  # a reason to leave, which the client has to know
        self._error: BaseException | None = None  # of the application
        self._change = asyncio.Event()  # replaced by another one when it is set

    # The client's side

    async def open(self, app: ASGIApp, build_scope: BuildScope) -> ApplicationResponse:
        """Call the application, and return its response when it has started.

        Args:
            app: the application.
            build_scope: returns the scope for the request and its fields.
        """
        try:
            headers = await self._open_body()
            self.task = asyncio.create_task(self._run(app, build_scope(self._request, headers)))
            while self._start is None:
                if self.task.done():
                    return self._answer_failure()
                await self._wait()
            return ApplicationResponse(self, int(self._start["status"]), [*self._start.get("headers", ())])
        except BaseException:
            self.disconnect()
            raise

    async def _open_body(self) -> _Pairs:
        """Open the body, and return the fields of the request, with the one that frames the body."""
        request, pairs = self._request, [*self._request.headers.items()]
        if request.body is not None:
            self._source = await await_in_time(request.body.open(), request.deadline, request.destination.host)
            if not {"content-length", "transfer-encoding"} & {name.lower() for name, _ in pairs}:
                length = self._source.length
                pairs.append(("transfer-encoding", "chunked") if length is None else ("content-length", str(length)))
        return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]

    def _answer_failure(self) -> ApplicationResponse:
        """Return the response to an application that has returned without one, or raise its exception."""
        if self._raises:
            self._raise_error("without a response")
        self._error, self._is_complete, self._chunk = None, True, b"Internal Server Error"
        fields = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"21")]
        return ApplicationResponse(self, 500, fields)

    async def iter_chunks(self) -> AsyncIterator[bytes]:
        """Yield the content; at its end, wait until the application has returned.

        Raises:
            ReadTimeout, TotalTimeout: the application has sent nothing in time.
            IncompleteRead: the application has failed, and its exceptions are not raised.
            Exception: an exception of the application.
        """
        while self._chunk or self.task is None or not self.task.done():
            if self._chunk:
                chunk, self._chunk = self._chunk, b""
                self._notify()
                yield chunk
            else:
                await self._wait()
        if self._failure is not None:
            raise self._failure
        if self._raises and (self._error is not None or not self._is_complete):
            self._raise_error("before the end of its response")
        if not self._is_complete:
            raise IncompleteRead(b"") from self._error

    def _raise_error(self, when: str) -> NoReturn:
        error, self._error = self._error, None
        try:
            raise RuntimeError(f"application has returned {when}") if error is None else error
        finally:
            del error  # its traceback refers to this frame

    async def _wait(self) -> None:
        """Wait for a change, for as long as the timeouts of the request allow."""
        request = self._request
        host = request.destination.host
        with (
            TimeLimit.until(request.deadline, no_response(host)),
            TimeLimit(request.timeout.read, lambda s: ReadTimeout(f"no response from {host} in {s:g} s", "read", s)),
        ):
            await self._change.wait()
        if self._failure is not None:
            raise self._failure

    def list_trailers(self) -> Fields:
        """Return the fields after the content."""
        return Fields([(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._trailers])

    def disconnect(self, failure: BaseException | None = None) -> None:
        """Tell the application that the client has left; a client that waits gets the failure."""
        self._is_gone = True
        self._failure = failure
        self._chunk = b""
        self._notify()

    def _notify(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    # The application's side

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._send)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # outcomes of pytest are not derived from Exception
            self._error = error
        finally:
            await self._close_body()
            self._notify()

    async def _close_body(self) -> None:
        source, self._source = self._source, None
        with suppress(Exception):  # an error of closing would hide the response
            if source is not None:
                await source.aclose()
            if self._request.body is not None:
                await self._request.body.aclose()

    async def _receive(self) -> Message:
        """Return the next chunk of the body; after its end, wait until there is nothing more to do."""
        if not (self._has_received or self._is_gone):
            chunk = await self._read_body(self._source)
            if not self._is_gone:
                return {"type": "http.request", "body": chunk, "more_body": not self._has_received}
        while not (self._is_gone or self._is_complete):
            await self._change.wait()
        return {"type": "http.disconnect"}

    async def _read_body(self, source: Source | None) -> bytes:
        if source is None:
            self._has_received = True
            return b""
        try:
            chunk = bytes(await source.read())
        except Exception as error:  # of the client's body: the client has to know, not the application
            self.disconnect(error)
            return b""
        self._has_received = not chunk or source.bytes_read == source.length
        return chunk

    async def _send(self, message: Message) -> None:
        if self._is_gone:
            await asyncio.sleep(0)  # an application that sends without end can be cancelled
            return
        kind = message["type"]
        if self._is_complete or (self._start is None) is not (kind == "http.response.start"):
            raise RuntimeError(f"expected another message of the application, got {kind!r}")
        if kind == "http.response.start":
            self._start = message
        elif kind == "http.response.body":
            await self._send_chunk(bytes(message.get("body", b"")))
            self._is_complete = not (message.get("more_body") or (self._start or {}).get("trailers"))
        elif kind == "http.response.trailers":
            self._trailers += message.get("headers", ())
            self._is_complete = not message.get("more_trailers")
        self._notify()

    async def _send_chunk(self, chunk: bytes) -> None:
        """Pass on a chunk when the last one was taken; a response without content has none."""
        if self._request.method == "HEAD" or (self._start or {})["status"] in _WITHOUT_CONTENT:
            return
        while chunk and self._chunk and not self._is_gone:
            await self._change.wait()
        if chunk and not self._is_gone:
            self._chunk = chunk


class ApplicationResponse(LocalResponse):
    """The response of an application; closing it early disconnects the client."""

    __slots__ = ("_call",)

    def __init__(self, call: ApplicationCall, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._call = call
        super().__init__(status, headers=headers, content=call.iter_chunks())  # type: ignore[arg-type]
        self.timings.started, now = call.started, self.timings.started
        self.timings.first_byte = now - call.started

    @property
    def trailers(self) -> Fields | None:
        """The fields after the content; None before its end was read."""
        return None if super().trailers is None else self._call.list_trailers()

    def close(self) -> None:
        """Discard unread content, and tell the application that the client has left."""
        if not self.closed:
            self._call.disconnect()
        super().close()
