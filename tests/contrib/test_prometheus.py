"""Prometheus: the collector and the histogram, by a registry of their own."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import compat
from asyncclient import Client, LocalResponse
from asyncclient.contrib.prometheus import ClientCollector, PrometheusTracer
from asyncclient.testing import MockTransport
from tests.client.answering import Answering
from tests.connection.conversations import OK

URL = "http://example.com/"


async def test_the_numbers_of_connections_by_host_and_state() -> None:
    registry = CollectorRegistry()
    with Answering(default=OK) as server:
        async with Client(trust_env=False) as client:
            registry.register(ClientCollector(client, "shop"))
            await client.get(server.url)
            text = generate_latest(registry).decode()
    host = f'client="shop",host="127.0.0.1:{server.port}"'
    assert f'asyncclient_connections{{{host},state="idle"}} 1.0' in text
    assert f'asyncclient_connections{{{host},state="active"}} 0.0' in text
    assert f"asyncclient_waiting_requests{{{host}}} 0.0" in text


def test_the_blocking_client_has_the_same_numbers() -> None:
    registry = CollectorRegistry()
    with Answering(default=OK) as server, compat.Client(trust_env=False) as client:
        registry.register(ClientCollector(client))
        client.get(server.url)
        labels = {"client": "default", "host": f"127.0.0.1:{server.port}", "state": "idle"}
        assert registry.get_sample_value("asyncclient_connections", labels) == 1


async def test_durations_by_result() -> None:
    registry = CollectorRegistry()
    transport = MockTransport({f"GET {URL}": LocalResponse(content=b"x" * 100), f"HEAD {URL}": 404})
    async with Client(transport=transport, tracers=[PrometheusTracer(registry)], max_body_size=10) as client:
        await client.head(URL)
        with pytest.raises(Exception, match="larger"):
            await client.get(URL)
    name = "asyncclient_request_duration_seconds_count"
    labels = {"host": "example.com"}
    assert registry.get_sample_value(name, {**labels, "method": "HEAD", "result": "404"}) == 1
    assert registry.get_sample_value(name, {**labels, "method": "GET", "result": "ContentTooLarge"}) == 1
