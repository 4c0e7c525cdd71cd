"""The seam between the rules of a client and the wire: one request goes in, one response comes out.

Above it are the rules: redirects, retries, authentication, cookies, decoding. Below it is whatever answers a request:
the pool of connections, a table of answers for tests, an application in this process, a cache in front of another
transport. A transport knows none of the rules, and the rules know no connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .message.target import show_url
from .message.url import URL, build_url, parse_url
from .timeouts import Timeout

if TYPE_CHECKING:
    from .caller import Caller
    from .exchange.body import Source
    from .exchange.send import Trailers
    from .exchange.stream import Buffer
    from .message.fields import Fields
    from .message.head import Head, Interim
    from .message.repairs import Repair
    from .message.request import RequestHead
    from .stream.tls import TLSInfo
    from .timings import Timings

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
    """The body of a request, for any number of sendings, one at a time: open(), send the source, aclose()."""

    @property
    def data(self) -> Buffer | None:
        """All of it, where it is in memory: it may be sent without open()."""
        ...

    @property
    def is_replayable(self) -> bool:
        """Whether open() gives all of it now: nothing was read yet, or it can be rewound or made anew."""
        ...

    async def open(self) -> Source:
        """Return the content for one sending. If this fails or is cancelled nothing stays open.

        Raises:
            BodyNotReplayable: a part of it was read before and is gone.
            OSError, ValueError, TypeError: it can't be opened or sent; and what a caller's function or file raises.
        """
        ...

    async def aclose(self) -> None:
        """Close what open() has opened, but not what is the caller's; any number of times."""
        ...


class TransportRequest:
    """One request as it is to be sent, once. It is a value: a transport changes nothing in it.

    Attributes:
        head: the request line and the fields as they are sent. Content-Length or Transfer-Encoding is missing where
            only the opened body can tell; a transport that writes to a connection adds it.
        destination: its origin and proxy, by which a transport finds its connections.
        timeout: the limits of each phase, in seconds.
        deadline: the time of the event loop at which the exchange must be over; math.inf without a limit.
        body: opened anew for each sending; None without one.
        trailers: fields to send after the body, or a function that returns them once the body has been sent.
        wants_new: whether a connection that was idle must not be used: the one before it had been closed by the server.
        caller: where the response is opened, if nothing but the caller ends it: for warnings about an abandoned one.
    """

    __slots__ = ("body", "caller", "deadline", "destination", "head", "timeout", "trailers", "wants_new")

    def __init__(
        self,
        head: RequestHead,
        destination: Destination,
        timeout: Timeout,
        deadline: float,
        body: RequestBody | None = None,
        trailers: Trailers | None = None,
        wants_new: bool = False,
        caller: Caller | None = None,
    ) -> None:
        self.head = head
        self.destination = destination
        self.timeout = timeout
        self.deadline = deadline
        self.body = body
        self.trailers = trailers
        self.wants_new = wants_new
        self.caller = caller

    @property
    def method(self) -> str:
        """The method, as it is sent."""
        return self.head.method

    @property
    def target(self) -> str:
        """Path and query, as they are sent in the request line unless a proxy is asked for a whole URL."""
        target = self.head.target
        return target if target.startswith("/") else parse_url(target).target

    @property
    def url(self) -> str:
        """Where it goes, without userinfo and fragment."""
        scheme, host, port, _ = self.destination
        return build_url(URL(scheme, host, port, self.target))

    def __repr__(self) -> str:
        return f"<TransportRequest {self.method} {show_url(self.url)}>"


class TransportResponse(Protocol):
    """The response of a transport: its head has been received, its content is read when it is asked for.

    Whoever gets it reads it to its end or closes it.
    """

    @property
    def status(self) -> int:
        """The code."""
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
        """The fields, by name in any case and as pairs in wire order."""
        ...

    @property
    def interim(self) -> tuple[Interim, ...]:
        """The interim responses (1xx) that came first."""
        ...

    @property
    def trailers(self) -> Fields | None:
        """The fields after the content; None until that has been read to its end."""
        ...

    @property
    def length(self) -> int | None:
        """Bytes of content that are left to be read; None if only its end will tell."""
        ...

    @property
    def timings(self) -> Timings:
        """When what happened, in seconds."""
        ...

    @property
    def tls(self) -> TLSInfo | None:
        """What TLS negotiated; None without TLS."""
        ...

    @property
    def peer(self) -> Any:
        """The address of the other end; None if it is not known."""
        ...

    @property
    def proxy_headers(self) -> Fields | None:
        """The fields of the proxy's response to the CONNECT that opened the tunnel; None without a tunnel."""
        ...

    @property
    def upgraded(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """After 101 the connection as (reader, writer), which belongs to the caller then; None otherwise."""
        ...

    @property
    def is_lenient(self) -> bool:
        """Whether faults of the response are repaired."""
        ...

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was repaired in the response so far; always empty unless `is_lenient`."""
        ...

    @property
    def closed(self) -> bool:
        """Whether there is nothing more to read: all of it was read, or the response was closed."""
        ...

    async def read(self) -> bytes:
        """Return the rest of the content.

        Raises:
            IncompleteRead: the content was cut short; `partial` has what this call had read.
            HTTPException, OSError: as Transport.send().
        """
        ...

    async def read1(self, n: int = -1) -> bytes:
        """Return what has been received, at least one byte and at most n; b"" at the end. Raises: as read()."""
        ...

    def take(self) -> bytes | None:
        """Return the rest of the content if all of it has been received, else None: read() waits for it."""
        ...

    def hold(self) -> None:
        """Keep the connection after the last byte of the content, until release(); only where `is_lenient`."""
        ...

    def release(self, *repairs: Repair) -> None:
        """End what hold() began, and note repairs that were made in the content."""
        ...

    def close(self) -> None:
        """Give up what was not read, at once: nothing of it may reach another request."""
        ...

    async def aclose(self) -> None:
        """Give up what was not read, politely: a transport may read a little more to keep a connection."""
        ...


class Transport(Protocol):
    """Sends a request once and returns the response to it: no redirect, no retry, no cookie, no decoding.

    One transport serves any number of requests at once, on one event loop.
    """

    async def send(self, request: TransportRequest) -> TransportResponse:
        """Send a request and return the response as soon as its head has been received.

        The response belongs to the caller from then on, who reads it to its end or closes it. Cancelling, and any
        error, leaves nothing open and nothing that another request could get. The same request may be sent again;
        its body is opened anew then.

        Raises:
            StaleConnectionError: a kept connection was closed before the first byte of a response. A client sends the
                request again where that does no harm, with `wants_new` set.
            ConnectError: no connection could be opened: nothing was sent.
            PhaseTimeout: one of the limits of `request.timeout`, or `request.deadline`, was reached.
            HTTPException, OSError: anything else that the network or the server did wrong. A client may send the
                request again if its retry policy allows that.
            Exception: what a body or a function of the caller raised. It ends the request.
        """
        ...

    async def aclose(self) -> None:
        """End the requests under way with an error and free everything; any number of times."""
        ...
