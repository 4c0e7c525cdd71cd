"""The seam between the rules of a client and the wire: one request in, one response out.

Above it are the rules: redirects, retries, authentication, cookies, decoding. Below it is anything that answers
requests: the pool of connections, a table of responses for tests, an application in the same process, a cache in front
of another transport. A transport does not know the rules, and the rules do not know connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .message.fields import Fields, HasItems, HeaderValue, list_pairs
from .message.target import show_url
from .message.url import URL, build_url, parse_url
from .stream.deadlines import TimeLimit
from .timeouts import Deadline, Timeout

if TYPE_CHECKING:
    from .caller import Caller
    from .exchange.body import Source
    from .exchange.send import Trailers
    from .exchange.stream import Buffer
    from .message.head import Head, Interim
    from .message.repairs import Repair
    from .message.request import RequestHead
    from .recording import Recording
    from .stream.tls import TLSInfo
    from .timings import Timings
    from .tracing.trace import Trace

Origin = tuple[str, str, int]
"""Scheme, host and port (RFC 9110 §4.3.1)."""


class Destination(NamedTuple):
    """Where requests are sent. Requests with equal destinations may share connections.

    Attributes:
        scheme, host, port: the origin.
        proxy: the Proxy to send them through; None without one.
    """

    scheme: str
    host: str
    port: int
    proxy: Hashable = None

    @property
    def origin(self) -> Origin:
        """The origin, as a plain tuple."""
        return self[:3]


class RequestBody(Protocol):
    """The body of a request, which may be sent several times, one at a time: open(), send the source, aclose().

    A transport that reads the source itself closes it as well: `async with aclosing(source)`.
    """

    @property
    def data(self) -> Buffer | None:
        """The whole body if it is in memory: it may then be sent without open(). Otherwise None."""
        ...

    @property
    def is_replayable(self) -> bool:
        """True if open() can return the whole body now: nothing was read yet, or it can be rewound or created again."""
        ...

    async def open(self) -> Source:
        """Return the content for one attempt. If this fails or is cancelled, nothing stays open.

        Raises:
            BodyNotReplayable: a part of it was read before and is gone.
            OSError, ValueError, TypeError: it can't be opened or sent; also the errors of a caller's function or file.
        """
        ...

    async def aclose(self) -> None:
        """Close what open() has opened, but not the caller's objects; may be called any number of times."""
        ...


class TransportRequest:
    """One request to be sent once. A transport must not modify it.

    Attributes:
        head: request line and fields as sent. Content-Length or Transfer-Encoding is missing if the length is unknown
            before the body is opened; a transport that writes to a connection adds it.
        destination: origin and proxy, by which a transport finds its connections.
        timeout: the timeout of each phase, in seconds.
        deadline: when the exchange must be done.
        body: opened for each attempt; None without a body.
        trailers: fields to send after the body, or a function that returns them after the body was sent.
        wants_new: True if no idle connection may be used, because the server had closed the last one.
        may_resend: True if the sender sends the request again after a StaleConnectionError. A transport may then use an
            idle connection without asking the kernel whether the server has just closed it.
        caller: where the response is opened, if only the caller ends it: for warnings about abandoned responses.
        on_start: called without arguments when the request is about to be sent: a transport that waits for a connection
            calls it after that, before it opens the body. If it raises an error, nothing is sent, and send() raises
            that error. None if there is nothing to call.
        recorder: returns the Recording that gets the bytes of the exchange; called without arguments after `on_start`,
            by a transport that writes to a connection. None if they are not recorded.
        trace: the request of the caller, which is told of what the transport does; None without tracers. A transport
            that passes requests on passes it on, too.
    """

    __slots__ = (
        "body",
        "caller",
        "deadline",
        "destination",
        "head",
        "may_resend",
        "on_start",
        "recorder",
        "timeout",
        "trace",
        "trailers",
        "wants_new",
    )

    def __init__(
        self,
        head: RequestHead,
        destination: Destination,
        timeout: Timeout,
        deadline: Deadline,
        body: RequestBody | None = None,
        trailers: Trailers | None = None,
        wants_new: bool = False,
        caller: Caller | None = None,
        may_resend: bool = False,
        trace: Trace | None = None,
        on_start: Callable[[], object] | None = None,
        recorder: Callable[[], Recording] | None = None,
    ) -> None:
        self.head = head
        self.destination = destination
        self.timeout = timeout
        self.deadline = deadline
        self.body = body
        self.trailers = trailers
        self.wants_new = wants_new
        self.caller = caller
        self.may_resend = may_resend
        self.on_start = on_start
        self.recorder = recorder
        self.trace = trace

    @property
    def method(self) -> str:
        """The method, as sent."""
        return self.head.method

    @property
    def target(self) -> str:
        """Path and query, as sent in the request line unless the whole URL is sent to a proxy."""
        target = self.head.target
        return target if target.startswith("/") else parse_url(target).target

    @property
    def url(self) -> str:
        """The URL, without userinfo and fragment."""
        scheme, host, port, _ = self.destination
        return build_url(URL(scheme, host, port, self.target))

    @property
    def headers(self) -> Fields:
        """The fields, as pairs and by case-insensitive name, with those of the client; see `head` about the framing."""
        return self.head.fields

    async def read_body(self) -> bytes:
        """Return the whole body, for a transport that does not stream it; b"" without a body.

        Raises:
            TotalTimeout: `deadline` expired.
            Exception: the errors of RequestBody.open() and of reading.
        """
        body = self.body
        if body is None or body.data is not None:
            return b"" if body is None or body.data is None else bytes(body.data)
        try:
            with TimeLimit.until(self.deadline, f"request not sent to {self.destination.host}"):
                return await _read_all(await body.open())
        finally:
            await body.aclose()

    def replace(
        self,
        *,
        headers: HasItems | Iterable[tuple[str, HeaderValue | None]] = (),
        destination: Destination | None = None,
        timeout: Timeout | None = None,
        deadline: Deadline | None = None,
        on_start: Callable[[], object] | None = None,
        recorder: Callable[[], Recording] | None = None,
    ) -> TransportRequest:
        """Return a request with changes, for a transport that passes requests on to another transport.

        Args:
            headers: fields instead of those with the same names; the value None removes a field.
            destination: another origin or proxy. The fields are kept, also Host.
            timeout: other timeouts of the phases.
            deadline: another deadline.
            on_start: another function instead of `on_start`.
            recorder: another function instead of `recorder`.

        Raises:
            ValueError, TypeError: a field that can't be sent.
        """
        pairs = list_pairs(headers)
        return TransportRequest(
            self.head.replace_fields(pairs) if pairs else self.head,
            self.destination if destination is None else destination,
            self.timeout if timeout is None else timeout,
            self.deadline if deadline is None else deadline,
            self.body,
            self.trailers,
            self.wants_new,
            self.caller,
            self.may_resend,
            self.trace,
            self.on_start if on_start is None else on_start,
            self.recorder if recorder is None else recorder,
        )

    def __repr__(self) -> str:
        return f"<TransportRequest {self.method} {show_url(self.url)}>"


async def _read_all(source: Source) -> bytes:
    async with aclosing(source):
        parts = []
        while part := await source.read():
            parts.append(part)
        return b"".join(parts)


class TransportResponse(Protocol):
    """The response of a transport: its head was received, its content is read on demand.

    The caller reads it to its end or closes it.
    """

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def head(self) -> Head:
        """The status line and the fields as they were received."""
        ...

    @property
    def version(self) -> int:
        """10 for HTTP/1.0, 11 for HTTP/1.1."""
        ...

    @property
    def reason(self) -> str:
        """The reason phrase, "" if there is none."""
        ...

    @property
    def headers(self) -> Fields:
        """The fields, by case-insensitive name and as pairs in wire order."""
        ...

    @property
    def interim(self) -> tuple[Interim, ...]:
        """The interim responses (1xx) before this one."""
        ...

    @property
    def trailers(self) -> Fields | None:
        """The fields sent after the content; None before the end of the content was read."""
        ...

    @property
    def length(self) -> int | None:
        """Bytes of content that are not read yet; None if unknown before the end."""
        ...

    @property
    def timings(self) -> Timings:
        """The durations of the phases, in seconds."""
        ...

    @property
    def tls(self) -> TLSInfo | None:
        """The result of the TLS handshake; None without TLS."""
        ...

    @property
    def peer(self) -> Any:
        """The address of the peer; None if it is unknown."""
        ...

    @property
    def proxy_headers(self) -> Fields | None:
        """The fields of the proxy's response to the CONNECT that opened the tunnel; None without a tunnel."""
        ...

    @property
    def upgraded(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The connection after status 101, as (reader, writer), which then belongs to the caller; otherwise None."""
        ...

    @property
    def is_lenient(self) -> bool:
        """True if faults of the response are repaired."""
        ...

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """The repairs in the response so far; always empty unless `is_lenient`."""
        ...

    @property
    def closed(self) -> bool:
        """True if nothing is left to read: all content was read, or the response was closed."""
        ...

    async def read(self) -> bytes:
        """Return the rest of the content.

        Raises:
            IncompleteRead: the content was cut short; `partial` has the bytes read by this call.
            HTTPException, OSError: see Transport.send().
        """
        ...

    async def read1(self, n: int = -1) -> bytes:
        """Return received bytes, at least one and at most n; b"" at the end. Raises the errors of read()."""
        ...

    def take(self) -> bytes | None:
        """Return the rest of the content if all of it has been received, else None: read() waits for it."""
        ...

    def hold(self) -> None:
        """Keep the connection after the last byte of the content, until release(); only if `is_lenient`."""
        ...

    def release(self, *repairs: Repair) -> None:
        """End the effect of hold(), and add repairs that were made in the content."""
        ...

    def close(self) -> None:
        """Discard unread content at once; none of it may reach another request."""
        ...

    async def aclose(self) -> None:
        """Discard unread content; a transport may read a little more to keep a connection."""
        ...


class Transport(Protocol):
    """Sends a request once and returns the response to it: no redirect, no retry, no cookie, no decoding.

    One transport serves any number of requests at once, on one event loop.
    """

    async def send(self, request: TransportRequest) -> TransportResponse:
        """Send a request and return the response as soon as its head has been received.

        The response then belongs to the caller, which reads it to its end or closes it. Cancelling, or any error,
        leaves nothing open and nothing that could reach another request. The same request may be sent again; its body
        is then opened again.

        Raises:
            StaleConnectionError: an idle connection was closed before the first byte of a response. A client sends the
                request again, with `wants_new` set, if that is safe.
            ConnectError: no connection could be opened, so nothing was sent.
            PhaseTimeout: a timeout of `request.timeout`, or `request.deadline`, expired.
            HTTPException, OSError: any other fault of the network or the server. A client may send the request again if
                its retry policy allows that.
            Exception: an error of the caller's body or function. It ends the request.
        """
        ...

    async def aclose(self) -> None:
        """End requests in progress with an error and release everything; may be called any number of times."""
        ...


def check_transport(transport: object) -> None:
    """Check that an object has the methods of a Transport.

    Raises:
        TypeError: it has no send() or no aclose().
    """
    if not (hasattr(type(transport), "send") and hasattr(type(transport), "aclose")):
        raise TypeError(f"expected an object with send() and aclose() as transport, got {type(transport).__name__}")
