"""Prometheus: the numbers of a client's connections, and the durations of its requests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final, Protocol
from urllib.parse import urlsplit

from ..pool.group import PoolStats
from ..tracing.trace import Trace
from ..tracing.tracer import Tracer

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Histogram
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError("prometheus_client is missing: install asyncclient-http[prometheus]") from error

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The boundaries in seconds of the semantic conventions of OpenTelemetry, for equal dashboards."""


class HasStats(Protocol):
    """A Client, of asyncclient or of compat."""

    def stats(self) -> PoolStats:
        """Return the numbers of connections."""
        ...


class ClientCollector(Collector):
    """Metrics of `client.stats()`, read at each scrape: `REGISTRY.register(ClientCollector(client))`.

    A scrape may run in another thread. Unregister the collector when the client is closed.

    Args:
        client: the client.
        name: the value of the label `client`, to tell several clients apart.
    """

    def __init__(self, client: HasStats, name: str = "default") -> None:
        self._client = client
        self._name = name

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Return the metrics without values, for the registry."""
        yield from _make_families()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the metrics."""
        connections, waiting = _make_families()
        for host, numbers in self._client.stats().hosts.items():
            for state in ("active", "idle", "connecting"):
                connections.add_metric([self._name, host, state], getattr(numbers, state))
            waiting.add_metric([self._name, host], numbers.waiting)
        yield connections
        yield waiting


def _make_families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    connections = GaugeMetricFamily(
        "asyncclient_connections", "Connections of the client.", labels=["client", "host", "state"]
    )
    waiting = GaugeMetricFamily(
        "asyncclient_waiting_requests", "Requests that wait for a connection.", labels=["client", "host"]
    )
    return connections, waiting


class PrometheusTracer(Tracer):
    """A tracer for the durations of requests: `Client(tracers=[PrometheusTracer()])`.

    The histogram `asyncclient_request_duration_seconds` has the labels method, host, and result: the status, or the
    name of the error's class. A request counts once, with its redirects and retries.

    Args:
        registry: gets the histogram.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._durations = Histogram(
            "asyncclient_request_duration_seconds",
            "Durations of requests, to the end of their content.",
            ["method", "host", "result"],
            registry=registry,
            buckets=BUCKETS,
        )

    def request_ended(self, trace: Trace, error: BaseException | None) -> None:
        """Record the duration."""
        result = str(trace.status) if error is None else type(error).__name__
        host = urlsplit(trace.url).hostname or ""
        self._durations.labels(trace.method, host, result).observe(time.monotonic() - trace.started)
