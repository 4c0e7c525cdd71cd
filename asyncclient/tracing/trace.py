"""The objects that identify a request and a connection in all of their events.

The code of each layer reports an event by a method of the object, which notes what it says and calls the tracers. A
request without tracers has no such object.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import Final, NamedTuple

from ..message.head import Head, Interim, build_field
from ..timings import Timings

_numbers: Final = count(1)
_connection_numbers: Final = count(1)

_OWN: Final = frozenset(
    ("connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade")
)
"""Fields about framing and routing, which only the client and its caller may choose."""


Tell = Callable[..., None]
"""Calls tracers: given the name of an event of Tracer, and its arguments."""


class Resend(NamedTuple):
    """Why a request is sent again.

    Attributes:
        reason: "redirect", "challenge" (401, 407), "expectation" (417), "retry", or "stale": the server had closed the
            idle connection.
        seconds: the pause before.
        status: of the response that led to it; None if an error did.
        error: the error that led to it; None if a response did.
    """

    reason: str
    seconds: float
    status: int | None
    error: BaseException | None


class Trace:
    """One request of a caller, from its start to its end: redirects, retries and challenges are attempts of it.

    A transport gets it as `TransportRequest.trace`. It reports what it does by the methods that are named like those of
    Tracer, and passes the trace on with the request.

    Attributes:
        number: a number that no other request of this process has.
        method, url: of the present attempt; a redirect may change them. The URL has no userinfo and no fragment, but
            its query may hold secrets.
        attempt: how often a request was sent for the caller's, the present attempt included.
        resends: why each of the attempts after the first was made: the reasons that Resend has.
        started: when the request began, by time.monotonic().
        status: of the response in the present attempt; None before its head was received.
        reason: the reason phrase of that response.
        sent, received: bytes of the body and of the content, before decoding, in the present attempt.
        is_complete: True if all content of the response was received.
        timings: durations in the present attempt, once its response was received; None before.
        peer: the address that has responded; None if it is unknown.
        has_ended: True after the last event of the request.
    """

    __slots__ = (
        "__weakref__",
        "_headers",
        "_tell",
        "attempt",
        "has_ended",
        "is_complete",
        "method",
        "number",
        "peer",
        "reason",
        "received",
        "resends",
        "sent",
        "started",
        "status",
        "timings",
        "url",
    )

    def __init__(self, tell: Tell, method: str, url: str) -> None:
        self._tell = tell
        self.number = next(_numbers)
        self.started = time.monotonic()
        self.attempt = 0
        self.resends: tuple[str, ...] = ()
        self.has_ended = False
        self._begin(method, url)
        self._headers: list[tuple[str, str]] | None = None  # set during attempt_started
        tell("request_started", self)

    def _begin(self, method: str, url: str) -> None:
        self.method = method
        self.url = url
        self.status: int | None = None
        self.reason = ""
        self.sent = self.received = 0
        self.is_complete = False
        self.timings: Timings | None = None
        self.peer: object = None

    def add_header(self, name: str, value: str) -> None:
        """Send a field with the present attempt, such as traceparent, unless the request has one of that name.

        Raises:
            RuntimeError: it is not called by attempt_started() of a tracer.
            ValueError, TypeError: a field that can't be sent, or that frames or routes the request.
        """
        if self._headers is None:
            raise RuntimeError("expected add_header() to be called by attempt_started()")
        build_field(name, value)
        if name.lower() in _OWN:
            raise ValueError(f"expected a field that does not frame or route the request, got {name}")
        self._headers.append((name, value))

    # Reported by the client

    def attempt_started(self, method: str, url: str) -> list[tuple[str, str]]:
        """Begin an attempt; return the fields that tracers have added."""
        self._begin(method, url)
        self.attempt += 1
        headers: list[tuple[str, str]] = []
        self._headers = headers
        self._tell("attempt_started", self)
        self._headers = None
        return headers

    def head_received(self, head: Head, timings: Timings, peer: object) -> None:
        """Report the head of a final response."""
        self.status, self.reason, self.timings, self.peer = head.status, head.reason, timings, peer
        self._tell("head_received", self, head.status, head.fields)

    def request_resent(self, reason: str, seconds: float, status: int | None, error: BaseException | None) -> None:
        """Report that the request will be sent again."""
        self.resends = (*self.resends, reason)
        self._tell("request_resent", self, Resend(reason, seconds, status, error))

    def content_received(self, size: int) -> None:
        """Report content that the caller has read."""
        self.received += size
        self._tell("content_received", self, size)

    def content_ended(self) -> None:
        """Report the end of the content; after the first call this does nothing."""
        if not self.is_complete:
            self.is_complete = True
            self._tell("content_ended", self)

    def request_ended(self, error: BaseException | None) -> None:
        """Report the end of the request; after the first call this does nothing."""
        if not self.has_ended:
            self.has_ended = True
            self._tell("request_ended", self, error)

    # Reported by the transport

    def queue_joined(self, queue: str) -> None:
        """Report that the request waits for its turn in a queue."""
        self._tell("queue_joined", self, queue)

    def queue_left(self, queue: str, seconds: float) -> None:
        """Report that the request has left a queue after some time."""
        self._tell("queue_left", self, queue, seconds)

    def connection_acquired(self, connection: ConnectionTrace) -> None:
        """Report the connection of the request."""
        connection.requests += 1
        self._tell("connection_acquired", self, connection)

    def head_sent(self, size: int) -> None:
        """Report that the head was written."""
        self._tell("head_sent", self, size)

    def body_sent(self, size: int) -> None:
        """Report bytes of the body that were written."""
        self.sent += size
        self._tell("body_sent", self, size)

    def request_sent(self) -> None:
        """Report that all of the request was written."""
        self._tell("request_sent", self)

    def interim_received(self, interim: Interim) -> None:
        """Report an interim response."""
        self._tell("interim_received", self, interim)

    def open_connection(self, label: str, timings: Timings) -> ConnectionTrace:
        """Return the trace of a connection that is opened for the request."""
        return ConnectionTrace(self._tell, label, timings, self)

    def adopt_connection(self, label: str, now: float, *, is_new: bool) -> ConnectionTrace:
        """Return the trace of a connection that was opened without one."""
        trace = ConnectionTrace(self._tell, label, Timings(now), None)
        trace.requests = 0 if is_new else 1
        return trace

    def __repr__(self) -> str:
        return f"<Trace {self.number} attempt {self.attempt}>"


class ConnectionTrace:
    """One connection, from when it is opened until it is closed.

    Attributes:
        number: a number that no other connection of this process has.
        label: its destination, without secrets, such as "example.com:443".
        trace: the request that it was opened for; None if it was opened in advance.
        timings: when opening it began, and the duration of each step.
        requests: how many requests it has been used for.
    """

    __slots__ = ("__weakref__", "_tell", "label", "number", "requests", "timings", "trace")

    def __init__(self, tell: Tell, label: str, timings: Timings, trace: Trace | None) -> None:
        self._tell = tell
        self.number = next(_connection_numbers)
        self.label = label
        self.trace = trace
        self.timings = timings
        self.requests = 0

    def connection_started(self) -> None:
        """Report that opening the connection has begun."""
        self._tell("connection_started", self)

    def resolved(self, addresses: tuple[str, ...]) -> None:
        """Report the addresses of the host."""
        self._tell("resolved", self, addresses)

    def connected(self, peer: str) -> None:
        """Report the address that has accepted the connection."""
        self._tell("connected", self, peer)

    def tunnel_started(self, kind: str, target: str) -> None:
        """Report that a proxy is asked for a tunnel."""
        self._tell("tunnel_started", self, kind, target)

    def tunnel_opened(self, kind: str, target: str, seconds: float) -> None:
        """Report that a proxy has opened a tunnel."""
        self._tell("tunnel_opened", self, kind, target, seconds)

    def secured(self, version: str, cipher: str) -> None:
        """Report a TLS handshake."""
        self._tell("secured", self, version, cipher)

    def connection_opened(self) -> None:
        """Report that the connection is open."""
        self._tell("connection_opened", self)

    def connection_failed(self, error: BaseException) -> None:
        """Report that opening it has failed."""
        self._tell("connection_failed", self, error)

    def connection_released(self) -> None:
        """Report that the connection is idle."""
        self._tell("connection_released", self)

    def connection_closed(self, reason: str) -> None:
        """Report that the connection is closed."""
        self._tell("connection_closed", self, reason)

    def __repr__(self) -> str:
        return f"<ConnectionTrace {self.number} {self.label}>"
