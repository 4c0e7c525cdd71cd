"""OpenTelemetry: spans and metrics, by the SDK's exporters in memory."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from opentelemetry import context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from asyncclient import Client, ConnectError, LocalResponse, PoolLimits, Retry
from asyncclient.contrib.otel import BUCKETS, OpenTelemetryTracer
from asyncclient.testing import MockTransport
from tests.client.answering import Answering, becomes_true
from tests.connection.conversations import OK
from tests.servers import Certificates, ConnectProxy

URL = "http://example.com/"


class Kit(NamedTuple):
    """A tracer and the exporters behind it."""

    tracer: OpenTelemetryTracer
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    provider: TracerProvider

    def points(self, name: str) -> list[Any]:
        """The data points of a metric."""
        data = self.reader.get_metrics_data()
        metrics = [] if data is None else [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]


@pytest.fixture
def kit() -> Iterator[Kit]:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    spans, metrics = TracerProvider(shutdown_on_exit=False), MeterProvider([reader], shutdown_on_exit=False)
    spans.add_span_processor(SimpleSpanProcessor(exporter))
    yield Kit(OpenTelemetryTracer(tracer_provider=spans, meter_provider=metrics), exporter, reader, spans)
    spans.shutdown()
    metrics.shutdown()


async def test_a_span_by_the_semantic_conventions(kit: Kit) -> None:
    with Answering(default=OK) as server:
        async with Client(tracers=[kit.tracer], trust_env=False) as client:
            await client.get(f"{server.url}/a?token=secret")
    (span,) = kit.exporter.get_finished_spans()
    assert (span.name, span.kind, span.status.status_code) == ("GET", SpanKind.CLIENT, StatusCode.UNSET)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "url.scheme": "http",
        "url.full": f"{server.url}/a?token=***",
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
        "network.peer.address": "127.0.0.1",
        "network.peer.port": server.port,
    }


async def test_each_attempt_has_a_span_and_the_next_ones_count(kit: Kit) -> None:
    transport = MockTransport({f"GET {URL}": [ConnectError("refused"), 503, 200]})
    async with Client(transport=transport, tracers=[kit.tracer], retries=Retry(backoff=0)) as client:
        await client.get(URL)
    spans = [dict(span.attributes or {}) for span in kit.exporter.get_finished_spans()]
    assert [span.get("http.request.resend_count") for span in spans] == [None, 1, 2]
    assert [span.get("error.type") for span in spans] == ["asyncclient.errors.ConnectError", "503", None]
    assert [span.get("http.response.status_code") for span in spans] == [None, 503, 200]


async def test_a_tunnel_is_two_events_of_the_span(
    kit: Kit, tls: Certificates, connect_proxy: Callable[..., ConnectProxy]
) -> None:
    proxy = f"http://127.0.0.1:{connect_proxy().port}"
    with Answering(default=OK, tls=tls.server_context()) as server:
        async with Client(tracers=[kit.tracer], ssl=tls.client_context(), proxy=proxy) as client:
            for _ in range(2):
                await client.get(f"https://localhost:{server.port}")
    first, second = kit.exporter.get_finished_spans()
    assert [event.name for event in first.events] == ["asyncclient.tunnel.started", "asyncclient.tunnel.opened"]
    described = {"asyncclient.tunnel.kind": "connect", "asyncclient.tunnel.target": f"localhost:{server.port}"}
    assert [dict(event.attributes or {}) for event in first.events] == [described] * 2
    assert first.events[0].timestamp <= first.events[1].timestamp
    assert list(second.events) == []


async def test_content_that_is_refused_is_an_error(kit: Kit) -> None:
    transport = MockTransport({f"GET {URL}": LocalResponse(content=b"x" * 100)})
    async with Client(transport=transport, tracers=[kit.tracer], max_body_size=10) as client:
        with pytest.raises(Exception, match="larger"):
            await client.get(URL)
    (span,) = kit.exporter.get_finished_spans()
    assert span.status.status_code == StatusCode.ERROR
    assert dict(span.attributes or {})["error.type"] == "asyncclient.errors.ContentTooLarge"


async def test_the_context_is_sent_and_the_parent_is_the_current_span(kit: Kit) -> None:
    transport = MockTransport({f"GET {URL}": 200})
    async with Client(transport=transport, tracers=[kit.tracer]) as client:
        with kit.provider.get_tracer("test").start_as_current_span("parent"):
            await client.get(URL)
    child, parent = kit.exporter.get_finished_spans()
    assert child.parent is not None
    assert child.parent.span_id == parent.context.span_id
    sent = transport.requests[0].headers["traceparent"]
    assert sent.startswith(f"00-{child.context.trace_id:032x}-{child.context.span_id:016x}-")


async def test_propagation_can_be_turned_off(kit: Kit) -> None:
    transport = MockTransport({f"GET {URL}": 200})
    tracer = OpenTelemetryTracer(tracer_provider=kit.provider, propagates=False)
    async with Client(transport=transport, tracers=[tracer]) as client:
        await client.get(URL)
    assert "traceparent" not in transport.requests[0].headers
    assert len(kit.exporter.get_finished_spans()) == 1


async def test_unknown_methods_are_one_time_series(kit: Kit) -> None:
    transport = MockTransport({f"BREW {URL}": 200})
    async with Client(transport=transport, tracers=[kit.tracer]) as client:
        await client.request("BREW", URL)
    (span,) = kit.exporter.get_finished_spans()
    found = dict(span.attributes or {})
    assert span.name == "HTTP"
    assert (found["http.request.method"], found["http.request.method_original"]) == ("_OTHER", "BREW")


async def test_requests_of_an_exporter_are_not_traced(kit: Kit) -> None:
    transport = MockTransport({f"GET {URL}": 200})
    token = context.attach(context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, value=True))
    try:
        async with Client(transport=transport, tracers=[kit.tracer]) as client:
            await client.get(URL)
    finally:
        context.detach(token)
    assert kit.exporter.get_finished_spans() == ()
    assert kit.points("http.client.request.duration") == []


async def test_durations_and_active_requests(kit: Kit) -> None:
    transport = MockTransport({f"GET {URL}": [503, 200]})
    async with Client(transport=transport, tracers=[kit.tracer], retries=Retry(backoff=0)) as client:
        async with client.stream("GET", URL):
            pass
        found = kit.points("http.client.request.duration")
    points = {point.attributes["http.response.status_code"]: point for point in found}
    assert {status: point.count for status, point in points.items()} == {503: 1, 200: 1}
    assert points[503].attributes["error.type"] == "503"
    assert tuple(points[200].explicit_bounds) == BUCKETS
    (active,) = kit.points("http.client.active_requests")
    assert active.value == 0


async def test_open_connections_by_state_and_time_in_queue(kit: Kit) -> None:
    def states() -> dict[str, int]:
        found = kit.points("http.client.open_connections")
        return {point.attributes["http.connection.state"]: point.value for point in found}

    with Answering(default=OK) as server:
        async with Client(tracers=[kit.tracer], pool=PoolLimits(connections=1), trust_env=False) as client:
            async with client.stream("GET", server.url) as held:
                assert states() == {"active": 1}
                task = asyncio.create_task(client.get(server.url))
                assert await becomes_true(lambda: client.stats().waiting == 1)
                await held.read()
            await task
            assert states() == {"active": 0, "idle": 1}
        assert states() == {"active": 0, "idle": 0}
    (point,) = kit.points("http.client.request.time_in_queue")
    assert (point.count, point.attributes["asyncclient.queue"]) == (1, "pool")
