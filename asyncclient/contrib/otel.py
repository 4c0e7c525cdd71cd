"""OpenTelemetry: spans and metrics of a client, by the stable semantic conventions of HTTP.

Each attempt of a request has a span of its own (redirects, retries and challenges too), as the conventions say. It ends
with the last byte of the content, so that content that breaks off is an error. Only the API is needed; without an SDK
nothing is recorded.
"""

from __future__ import annotations

import time
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from ..message.fields import Fields
from ..tracing.logs import mask_query
from ..tracing.trace import ConnectionTrace, Resend, Trace
from ..tracing.tracer import Tracer

try:
    from opentelemetry import context, metrics, propagate
    from opentelemetry import trace as otel
    from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY, _SUPPRESS_INSTRUMENTATION_KEY
    from opentelemetry.trace import Span, SpanKind, Status, StatusCode
except ImportError as error:
    raise ImportError("opentelemetry is missing: install asyncclient-http[otel]") from error

Attributes = dict[str, str | int]

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Boundaries in seconds that the conventions recommend for durations."""

METHODS: Final = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
"""Methods that are attribute values; others are "_OTHER", for servers must not set the number of time series."""

SUPPRESSED: Final = (_SUPPRESS_INSTRUMENTATION_KEY, _SUPPRESS_HTTP_INSTRUMENTATION_KEY)
"""Keys of the context that exporters set for their own requests; all instrumentations use them by these names."""


class _Attempt(NamedTuple):
    """An attempt in progress: its span, its start by time.perf_counter(), and the attributes of its metrics."""

    span: Span
    started: float
    attributes: Attributes


class OpenTelemetryTracer(Tracer):
    """A tracer that makes spans and metrics: `Client(tracers=[OpenTelemetryTracer()])`.

    The parent of a span is the current span of the task that makes the request.

    Args:
        tracer_provider, meter_provider: by default those of the program.
        propagates: send the context of the span with each attempt, by the propagators of the program; by default W3C
            Trace Context and Baggage. They are sent to every host.
        shows_query: record the values of the query; by default they are masked.
    """

    def __init__(
        self,
        *,
        tracer_provider: otel.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        propagates: bool = True,
        shows_query: bool = False,
    ) -> None:
        self._tracer = otel.get_tracer("asyncclient", tracer_provider=tracer_provider)
        meter = metrics.get_meter("asyncclient", meter_provider=meter_provider)
        self._propagates = propagates
        self._shows_query = shows_query
        self._attempts: dict[Trace, _Attempt] = {}
        self._states: dict[ConnectionTrace, str] = {}
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )
        self._queued = meter.create_histogram(
            "http.client.request.time_in_queue",
            unit="s",
            description="Time that requests have waited for a connection or for their turn.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )
        self._active = meter.create_up_down_counter(
            "http.client.active_requests", unit="{request}", description="Number of active HTTP requests."
        )
        self._open = meter.create_up_down_counter(
            "http.client.open_connections",
            unit="{connection}",
            description="Number of outbound HTTP connections that are currently active or idle on the client.",
        )

    # Attempts

    def attempt_started(self, trace: Trace) -> None:
        """Start the span, and send its context."""
        if any(context.get_value(key) for key in SUPPRESSED):  # an exporter that uses this client
            return
        method = trace.method if trace.method in METHODS else "_OTHER"
        attributes = {"http.request.method": method, **_describe_server(trace.url)}
        span = self._tracer.start_span(
            "HTTP" if method == "_OTHER" else method,
            kind=SpanKind.CLIENT,
            attributes={**attributes, **self._describe_request(trace, method)},
        )
        self._attempts[trace] = _Attempt(span, time.perf_counter(), attributes)
        self._active.add(1, attributes)
        if self._propagates:
            fields: dict[str, str] = {}
            propagate.inject(fields, context=otel.set_span_in_context(span))
            for name, value in fields.items():
                trace.add_header(name, value)

    def _describe_request(self, trace: Trace, method: str) -> Attributes:
        found: Attributes = {"url.full": trace.url if self._shows_query else mask_query(trace.url)}
        if method == "_OTHER":
            found["http.request.method_original"] = trace.method
        if trace.attempt > 1:
            found["http.request.resend_count"] = trace.attempt - 1
        return found

    def head_received(self, trace: Trace, status: int, headers: Fields) -> None:
        """Note the status and the peer."""
        attempt = self._attempts.get(trace)
        if attempt is None:
            return
        attempt.attributes.update({"http.response.status_code": status, "network.protocol.version": "1.1"})
        attempt.span.set_attributes(attempt.attributes)
        if isinstance(trace.peer, tuple):
            attempt.span.set_attribute("network.peer.address", str(trace.peer[0]))
            attempt.span.set_attribute("network.peer.port", int(trace.peer[1]))

    def request_resent(self, trace: Trace, resend: Resend) -> None:
        """End the span of the attempt before."""
        self._end(trace, resend.error)

    def request_ended(self, trace: Trace, error: BaseException | None) -> None:
        """End the span of the last attempt."""
        self._end(trace, error)

    def _end(self, trace: Trace, error: BaseException | None) -> None:
        attempt = self._attempts.pop(trace, None)
        if attempt is None:
            return
        self._active.add(-1, {key: attempt.attributes[key] for key in _ACTIVE})
        kind = _find_error_type(trace.status, error)
        if kind is not None:
            attempt.attributes["error.type"] = kind
            attempt.span.set_attribute("error.type", kind)
            attempt.span.set_status(Status(StatusCode.ERROR))
        self._duration.record(
            time.perf_counter() - attempt.started,
            attempt.attributes,
            context=otel.set_span_in_context(attempt.span),
        )
        attempt.span.end()

    def queue_left(self, trace: Trace, queue: str, seconds: float) -> None:
        """Record the wait."""
        attempt = self._attempts.get(trace)
        if attempt is not None:
            self._queued.record(seconds, {**attempt.attributes, "asyncclient.queue": queue})

    # Connections

    def tunnel_started(self, connection: ConnectionTrace, kind: str, target: str) -> None:
        """Add an event to the span for which the connection is opened."""
        self._add_event(connection, "asyncclient.tunnel.started", kind, target)

    def tunnel_opened(self, connection: ConnectionTrace, kind: str, target: str, seconds: float) -> None:
        """Add an event to the same span."""
        self._add_event(connection, "asyncclient.tunnel.opened", kind, target)

    def _add_event(self, connection: ConnectionTrace, name: str, kind: str, target: str) -> None:
        attempt = None if connection.trace is None else self._attempts.get(connection.trace)
        if attempt is not None:
            attempt.span.add_event(name, {"asyncclient.tunnel.kind": kind, "asyncclient.tunnel.target": target})

    def connection_acquired(self, trace: Trace, connection: ConnectionTrace) -> None:
        """Count the connection as active."""
        self._set_state(connection, "active")

    def connection_released(self, connection: ConnectionTrace) -> None:
        """Count the connection as idle."""
        self._set_state(connection, "idle")

    def connection_closed(self, connection: ConnectionTrace, reason: str) -> None:
        """Count the connection no more."""
        self._set_state(connection, None)

    def _set_state(self, connection: ConnectionTrace, state: str | None) -> None:
        before = self._states.pop(connection, None)
        if before is not None:
            self._open.add(-1, _describe_connection(connection, before))
        if state is not None:
            self._states[connection] = state
            self._open.add(1, _describe_connection(connection, state))


_ACTIVE: Final = ("http.request.method", "server.address", "server.port", "url.scheme")
"""Attributes that are known when an attempt begins; the number of active requests has the same at both ends."""


def _describe_server(url: str) -> Attributes:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {"server.address": parts.hostname or "", "server.port": port, "url.scheme": parts.scheme}


def _describe_connection(connection: ConnectionTrace, state: str) -> Attributes:
    host, _, port = connection.label.partition(" via ")[0].rpartition(":")
    return {"http.connection.state": state, "server.address": host.strip("[]"), "server.port": int(port)}


def _find_error_type(status: int | None, error: BaseException | None) -> str | None:
    """Return the class of the error, or the status if that is one; None for neither."""
    if error is not None:
        kind = type(error)
        return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return str(status) if status is not None and status >= 400 else None
