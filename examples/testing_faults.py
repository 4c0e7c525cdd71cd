"""Tests of how code behaves when networks and servers fail.

Run it with pytest and pytest-asyncio (asyncio_mode=auto).
"""

import pytest

from asyncclient import Client, IncompleteRead, Retry
from asyncclient.testing import (
    FaultInjector,
    MockTransport,
    RawConnection,
    RawServer,
    build_response,
    faults,
)

API = "https://api.example.com"


async def test_a_reset_and_a_truncation_are_retried() -> None:
    mock = MockTransport()
    mock.get(f"{API}/items").respond(json=[1, 2])
    plan = [faults.Reset(times=1), faults.Truncation(after=3, times=1)]
    transport = FaultInjector(mock, plan)
    retries = Retry(total=2, backoff=0)
    async with Client(transport=transport, retries=retries) as client:
        assert (await client.get(f"{API}/items")).json() == [1, 2]
    assert transport.injected == plan


async def test_one_request_in_five_fails() -> None:
    mock = MockTransport()
    mock.get(f"{API}/items").respond(json=[])
    plan = [faults.Reset(probability=0.2)]
    transport = FaultInjector(mock, plan, seed=7)  # each run has the same faults
    retries = Retry(total=5, backoff=0, budget=None)
    async with Client(transport=transport, retries=retries) as client:
        for _ in range(50):
            assert (await client.get(f"{API}/items")).ok


async def test_real_bytes_on_a_real_socket() -> None:
    def handler(connection: RawConnection) -> None:
        request = connection.receive()
        assert request is not None
        assert request.method == "GET"
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")
        connection.reset()

    async with RawServer(handler) as server, Client() as client:
        with pytest.raises(IncompleteRead):
            await client.get(server.url)


async def test_a_server_with_two_answers() -> None:
    answers = (build_response(text="first"), build_response(status=404))
    async with RawServer.replying(*answers) as server, Client() as client:
        assert (await client.get(server.url)).text == "first"
        assert (await client.get(server.url)).status == 404
