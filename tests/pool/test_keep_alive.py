"""For how long an idle connection is kept."""

import asyncio

import pytest

from asyncclient import Client
from asyncclient.tracing.trace import ConnectionTrace
from asyncclient.tracing.tracer import Tracer
from tests.durations import FOREVER, STALL, lasts
from tests.pool.hosts import ANSWERS, Host, client_of, get, grow_older, idle_of, open_idle_connections, reply
from tests.pool.invariant import check_quiet


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        (b"", 150),
        (b"Keep-Alive: timeout=100\r\n", 90),
        (b"Keep-Alive: timeout=50\r\n", 45),
        (b"keep-alive: max=100, timeout=50\r\n", 45),
        (b"Keep-Alive: timeout=50, max=100\r\n", 45),
        (b'KEEP-ALIVE: Timeout = "50"\r\n', 45),
        (b"Keep-Alive: timeout=70\r\n", 63),
        (b"Keep-Alive: max=5\r\n", 150),
        (b"Keep-Alive: timeout=\r\n", 150),
        (b"Keep-Alive: timeout=soon\r\n", 150),
        (b"Keep-Alive: timeout=3600\r\n", 150),
        (b"Keep-Alive: timeout=99999999999999999999999\r\n", 150),
        (b"X-Keep-Alive: timeout=5\r\n", 150),
        (b"Via: keep-alive: timeout=5\r\n", 150),
    ],
)
async def test_a_connection_is_used_as_long_as_both_sides_keep_it(field: bytes, seconds: float) -> None:
    ANSWERS[b"kept"] = lambda target: reply(target, *filter(None, [field.removesuffix(b"\r\n")]))
    async with Host() as host, client_of(keep_alive=150) as client:
        await get(client, host, "/kept/1")
        grow_older(idle_of(client)[0], seconds - STALL)
        await get(client, host, "/kept/2")
        assert host.accepted == 1
        grow_older(idle_of(client)[0], seconds + 0.1)
        await get(client, host, "/kept/3")
        assert host.accepted == 2


async def test_a_connection_that_the_server_keeps_for_no_time_is_not_used_again() -> None:
    ANSWERS[b"brief"] = lambda target: reply(target, b"Keep-Alive: timeout=0")
    async with Host() as host, client_of() as client:
        await get(client, host, "/brief/1")
        await get(client, host, "/brief/2")
        assert host.accepted == 2


async def test_a_connection_that_may_not_be_kept_at_all_is_closed_at_once() -> None:
    async with Host() as host, client_of(keep_alive=0) as client:
        await get(client, host, "/ok/1")
        assert client.stats().idle == 0
        await host.peers[0].ended.wait()


@pytest.mark.parametrize("seconds", [1e9, float("inf")])
async def test_a_connection_may_be_kept_without_limit(seconds: float) -> None:
    async with Host() as host, client_of(keep_alive=seconds) as client:
        await get(client, host, "/ok/1")
        grow_older(idle_of(client)[0], 1e6)
        await get(client, host, "/ok/2")
        assert host.accepted == 1


async def test_an_idle_connection_is_closed_after_keep_alive() -> None:
    async with Host() as host, client_of(keep_alive=1.0) as client:
        with lasts(1.0):
            await get(client, host, "/ok/1")
            await host.peers[0].ended.wait()
        check_quiet(client)
        assert client.stats().idle == 0
        assert client._pool._sweeper.timer is None, "it looks at connections that are not there"


async def test_an_idle_connection_is_closed_after_the_servers_shorter_keep_alive() -> None:
    ANSWERS[b"brief"] = lambda target: reply(target, b"Keep-Alive: timeout=1")
    async with Host() as host, Host() as other, client_of(keep_alive=FOREVER) as client:
        await get(client, host, "/ok/1")  # the next look is FOREVER ahead now
        with lasts(1.0):
            await get(client, other, "/brief/1")
            await other.peers[0].ended.wait()
        check_quiet(client)
        assert client.stats().idle == 1
        assert host.peers[0].is_open


class Closing(Tracer):
    """Closes all idle connections as soon as one is closed."""

    client: Client

    def connection_closed(self, connection: ConnectionTrace, reason: str) -> None:
        self.client.close_idle()


@pytest.mark.parametrize("close", ["sweep", "close_idle"])
async def test_a_tracer_may_close_idle_connections_when_one_is_closed(close: str) -> None:
    tracer = Closing()
    async with Host() as host, client_of(keep_alive=15, tracers=[tracer]) as client:
        tracer.client = client
        await open_idle_connections(client, host, 3)
        for connection in idle_of(client):
            grow_older(connection, 15)
        getattr(client._pool, close)()
        check_quiet(client)
        assert client.stats().idle == 0


async def test_a_sweep_closes_expired_idle_connections() -> None:
    async with Host() as host, client_of(keep_alive=15) as client:
        await open_idle_connections(client, host, 3)
        young, *old = idle_of(client)
        for connection in old:
            grow_older(connection, 15)
        client._pool.sweep()
        check_quiet(client)
        assert idle_of(client) == [young]
        assert client._pool._sweeper.timer is not None
        await asyncio.gather(*(peer.ended.wait() for peer in host.peers[1:]))
        assert host.peers[0].is_open
