"""TransportRequest.on_start: the transports of this package call it when a request is about to be sent."""

import asyncio
from collections.abc import Callable

import pytest

from asyncclient import Client, PoolLimits, PoolTransport, Routes, Transport, TransportRequest, TransportResponse
from asyncclient.testing import MockTransport
from tests.pool.hosts import Doors, Host, let_loop_turn
from tests.pool.invariant import check_quiet


class Watching:
    """A transport that sets on_start, and passes requests on."""

    def __init__(self, inner: Transport, on_start: Callable[[], object]) -> None:
        self.inner = inner
        self.on_start = on_start

    async def send(self, request: TransportRequest) -> TransportResponse:
        return await self.inner.send(request.replace(on_start=self.on_start).replace())

    async def aclose(self) -> None:
        await self.inner.aclose()


async def test_a_scripted_transport_calls_on_start_once() -> None:
    calls: list[str] = []
    scripted = MockTransport({"GET http://a.test/": 200})
    async with Client(transport=Watching(Routes({"*": scripted}), lambda: calls.append("start"))) as client:
        await client.get("http://a.test/")
    assert calls == ["start"]


@pytest.mark.parametrize("body", [None, b"abc", [b"ab", b"c"]], ids=["no body", "bytes", "iterable"])
async def test_the_pool_calls_on_start_when_there_is_a_connection(body: bytes | list[bytes] | None) -> None:
    calls: list[str] = []
    doors = Doors()
    transport = Watching(PoolTransport(resolver=doors), lambda: calls.append("start"))
    async with Host("a.test") as host, Client(transport=transport) as client:
        task = asyncio.create_task(client.post(host.url("/ok"), body=body))
        await doors.wait_until_held(1)
        await let_loop_turn(5)
        assert not calls
        doors.let_in(0)
        await task
        await client.post(host.url("/ok"), body=body)
    assert calls == ["start"] * 2
    assert host.accepted == 1


@pytest.mark.parametrize("body", [None, b"abc", [b"ab", b"c"]], ids=["no body", "bytes", "iterable"])
async def test_an_error_of_on_start_sends_nothing_and_keeps_the_connection(
    body: bytes | list[bytes] | None,
) -> None:
    refusals = [ZeroDivisionError("of the caller"), None]

    def start() -> None:
        if error := refusals.pop(0):
            raise error

    pool = PoolTransport(pool=PoolLimits(connections=1))
    async with Host() as host, Client(transport=Watching(pool, start)) as client:
        with pytest.raises(ZeroDivisionError):
            await client.put(host.url("/ok"), body=body)
        check_quiet(pool.pool)
        await client.post(host.url("/ok"), body=b"")
    assert host.accepted == 1
    assert host.targets == ["/ok"]
