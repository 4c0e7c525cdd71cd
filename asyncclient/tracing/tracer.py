"""The base class of tracers: a method for each event of a request or a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..message.fields import Fields
    from ..message.head import Interim
    from .trace import ConnectionTrace, Resend, Trace


class Tracer:
    """Base class of tracers: each method is called after an event and does nothing here; override what you need.

    The order of the events of a request; those in brackets do not always happen:

    request_started, then for each time that it is sent: attempt_started, [queue_joined, queue_left],
    connection_acquired, head_sent, [body_sent …], request_sent, [interim_received …], head_received; between two of
    these rounds request_resent; and at the end [content_received …, content_ended], request_ended.

    The methods are plain functions. They are called in the event loop, in the task that makes the request or opens the
    connection, so a slow one holds up all requests: the log gets a warning about it. An exception that a method raises
    does not reach the request: it is logged once. The URL and the fields of an event may hold secrets.
    """

    # Requests

    def request_started(self, trace: Trace) -> None:
        """A caller has made a request; `trace` is the same object in all of its events."""

    def attempt_started(self, trace: Trace) -> None:
        """It is about to be sent, for the first time or again; only here `trace.add_header()` may be called."""

    def head_received(self, trace: Trace, status: int, headers: Fields) -> None:
        """The head of a final response was received; also that of a redirect, a challenge, or before a retry."""

    def request_resent(self, trace: Trace, resend: Resend) -> None:
        """The request will be sent again, for a reason, after a pause; the attempt has ended."""

    def content_received(self, trace: Trace, size: int) -> None:
        """The caller has read that many bytes of content, before decoding."""

    def content_ended(self, trace: Trace) -> None:
        """The last byte of the content was read."""

    def request_ended(self, trace: Trace, error: BaseException | None) -> None:
        """The request is over; called exactly once.

        Without an error its content was read, or the response was closed. The error may be a cancellation, and may have
        happened while the content was read.
        """

    # Steps of the transport

    def queue_joined(self, trace: Trace, queue: str) -> None:
        """The request waits for its turn: in the queue "pool" for a connection, in "politeness" for its host."""

    def queue_left(self, trace: Trace, queue: str, seconds: float) -> None:
        """It waits no more: it has its turn, a connection is being opened for it, or it has failed."""

    def connection_acquired(self, trace: Trace, connection: ConnectionTrace) -> None:
        """The request has a connection; `connection.requests` is above 1 if that was used before."""

    def head_sent(self, trace: Trace, size: int) -> None:
        """The head of the request was written: that many bytes."""

    def body_sent(self, trace: Trace, size: int) -> None:
        """That many further bytes of the body were written, with the lines of chunks."""

    def request_sent(self, trace: Trace) -> None:
        """All of the request was written, or as much as the server wanted."""

    def interim_received(self, trace: Trace, interim: Interim) -> None:
        """An interim response (1xx) was received."""

    # Connections

    def connection_started(self, connection: ConnectionTrace) -> None:
        """A connection is being opened, for `connection.trace` or in advance."""

    def resolved(self, connection: ConnectionTrace, addresses: tuple[str, ...]) -> None:
        """The addresses of the host are known; `connection.timings` has the duration of this and the next steps."""

    def connected(self, connection: ConnectionTrace, peer: str) -> None:
        """The address, or the path of a Unix socket, has accepted the connection."""

    def tunnel_started(self, connection: ConnectionTrace, kind: str, target: str) -> None:
        """A proxy is asked for a tunnel: by CONNECT ("connect"), or by "socks4", "socks4a", "socks5" or "socks5h".

        `target` is the host and port where the tunnel leads: the server, or the next proxy of a chain. The event is
        repeated if a proxy demands that the request is sent again, with other credentials, on a new connection.
        """

    def tunnel_opened(self, connection: ConnectionTrace, kind: str, target: str, seconds: float) -> None:
        """The proxy has opened the tunnel, after that time; TLS to the target is not begun."""

    def secured(self, connection: ConnectionTrace, version: str, cipher: str) -> None:
        """A TLS handshake is done."""

    def connection_opened(self, connection: ConnectionTrace) -> None:
        """The connection is open. It may serve another request than the one that it was opened for."""

    def connection_failed(self, connection: ConnectionTrace, error: BaseException) -> None:
        """Opening it has failed, or was given up."""

    def connection_released(self, connection: ConnectionTrace) -> None:
        """The connection is idle: it waits for another request."""

    def connection_closed(self, connection: ConnectionTrace, reason: str) -> None:
        """An open connection is closed by this side, for a reason such as "closed by the server"."""
