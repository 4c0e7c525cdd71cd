"""OpenTelemetry and Prometheus: spans, metrics, and the numbers of connections."""

import argparse

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

import asyncclient
from asyncclient.contrib.otel import OpenTelemetryTracer
from asyncclient.contrib.prometheus import ClientCollector, PrometheusTracer


async def send_spans(url: str) -> None:
    exporter = InMemorySpanExporter()  # in a service: an OTLPSpanExporter
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = OpenTelemetryTracer(tracer_provider=provider)
    async with asyncclient.Client(base_url=url, tracers=[tracer]) as client:
        await client.get("/redirect/302/json")
    for span in exporter.get_finished_spans():
        found = span.attributes or {}
        resends = found.get("http.request.resend_count", 0)
        print(span.name, found["http.response.status_code"], resends)


async def count(url: str) -> None:
    registry = CollectorRegistry()  # in a service: prometheus_client.REGISTRY
    tracer = PrometheusTracer(registry)
    async with asyncclient.Client(base_url=url, tracers=[tracer]) as client:
        registry.register(ClientCollector(client))
        await client.get("/json")
        host = url.removeprefix("http://")
        labels = {"client": "default", "host": host, "state": "idle"}
        print(registry.get_sample_value("asyncclient_connections", labels))


async def main(url: str) -> None:
    await send_spans(url)
    await count(url)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
