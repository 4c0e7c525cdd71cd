"""Connections that are opened before they are needed."""

import asyncio
import gc
from typing import Any

import pytest

from asyncclient import ClientClosed, ConnectError, Timeout, TotalTimeout
from tests.durations import STALL
from tests.pool.hosts import (
    Doors,
    Host,
    client_of,
    get,
    grow_older,
    held_targets,
    idle_of,
    let_loop_turn,
    occupy,
    open_idle_connections,
    start_requests,
    wait_until,
    wait_until_served,
)
from tests.pool.invariant import check, check_quiet
from tests.servers import Certificates


@pytest.mark.parametrize(
    ("limits", "n", "opened"),
    [
        ({}, 3, 3),
        ({}, 1, 1),
        ({}, 0, 0),
        ({}, -1, 0),
        ({"connections": 2}, 5, 2),
        ({"per_host": 2}, 5, 2),
        ({"idle_per_host": 2}, 5, 2),
        ({"idle": 2}, 5, 2),
        ({"idle": 0}, 5, 0),
    ],
)
async def test_preconnect_opens_no_more_connections_than_allowed(limits: dict[str, Any], n: int, opened: int) -> None:
    async with Host() as host, client_of(**limits) as client:
        await client.preconnect(host.url("/whatever?it=is"), n)
        check_quiet(client)
        assert (client.stats().idle, host.accepted, host.meter.most) == (opened, opened, opened)
        assert host.targets == []


async def test_preconnected_connections_serve_requests(tls: Certificates) -> None:
    async with Host(tls=tls.server_context()) as host, client_of(ssl=tls.client_context()) as client:
        await client.preconnect(host.url(), 3)
        await open_idle_connections(client, host, 3)
        assert host.accepted == 3


async def test_idle_connections_count_for_preconnect() -> None:
    async with Host() as host, client_of() as client:
        await open_idle_connections(client, host, 2)
        await client.preconnect(host.url(), 3)
        await client.preconnect(host.url(), 2)
        assert (client.stats().idle, host.accepted) == (3, 3)


async def test_preconnect_respects_base_url() -> None:
    async with Host() as host, client_of(base_url=host.url("/api/")) as client:
        await client.preconnect("")
        assert host.accepted == 1


async def test_connections_that_preconnect_opened_before_an_error_are_kept() -> None:
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors) as client:
        task = asyncio.create_task(client.preconnect(host.url(), 3))
        await doors.wait_until_held(3)
        doors.let_in(0)
        await wait_until(lambda: host.accepted == 1 and client.stats().connecting == 2)
        doors.refuse(1, 2)  # it waits for all of them
        with pytest.raises(ConnectError, match="refused 1"):
            await task
        await wait_until(lambda: not client.stats().connecting)
        check_quiet(client)
        assert (client.stats().idle, host.meter.now) == (1, 1)


async def test_cancelling_keeps_open_connections_and_cancels_the_other_dials() -> None:
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors) as client:
        task = asyncio.create_task(client.preconnect(host.url(), 3))
        await doors.wait_until_held(3)
        doors.let_in(0)
        await wait_until(lambda: client.stats().connecting == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wait_until(lambda: not client.stats().connecting)
        check_quiet(client)
        assert client.stats().idle == 1


@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
async def test_cancelling_preconnect_in_each_turn_leaves_nothing(is_secure: bool, tls: Certificates) -> None:
    async with Host(tls=tls.server_context() if is_secure else None) as host:
        context, turns, is_over = tls.client_context(), 0, False
        while not is_over:
            async with client_of(ssl=context, connections=2, timeout=Timeout(close=0.05)) as client:
                preconnecting = asyncio.create_task(client.preconnect(host.url(), 2))
                await let_loop_turn(turns)
                check(client)
                is_over, turns = preconnecting.done(), turns + 1
                preconnecting.cancel()
                await asyncio.wait([preconnecting])
                await wait_until(lambda client=client: not client.stats().connecting)  # type: ignore[misc]
                check_quiet(client)
                await wait_until_served(*start_requests(client, host, "/ok/1", "/ok/2", "/ok/3"))
            assert client._pool.counted == 0
        assert turns > 3


@pytest.mark.parametrize("turns", range(8))
async def test_cancelling_preconnect_as_dials_fail_leaves_no_error_unread(turns: int) -> None:
    doors, told = Doors(), list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with Host("a.test") as host, client_of(resolver=doors) as client:
        preconnecting = asyncio.create_task(client.preconnect(host.url(), 2))
        await doors.wait_until_held(2)
        doors.refuse(0, 1)
        await let_loop_turn(turns)
        preconnecting.cancel()
        await asyncio.wait([preconnecting])
        assert preconnecting.cancelled() or isinstance(preconnecting.exception(), ConnectError)
        await wait_until(lambda: not client.stats().connecting)
        del preconnecting
    gc.collect()
    assert told == []


async def test_requests_during_preconnect_are_served() -> None:
    async with Host() as host, client_of(connections=2) as client:
        tasks = start_requests(client, host, *(f"/ok/{number}" for number in range(6)))
        await let_loop_turn(2)
        preconnecting = asyncio.create_task(client.preconnect(host.url(), 2))
        tasks += start_requests(client, host, *(f"/ok/{number}" for number in range(6, 12)))
        await wait_until_served(*tasks, preconnecting)
        check_quiet(client)
        assert (client.stats().idle, host.accepted) == (2, 2)


async def test_two_preconnects_for_the_same_slots_do_not_deadlock() -> None:
    async with Host() as a, Host() as b, client_of(connections=2) as client:
        await wait_until_served(*(asyncio.create_task(client.preconnect(host.url(), 2)) for host in (a, b, a, b)))
        check_quiet(client)
        await wait_until_served(
            *start_requests(client, a, "/ok/1", "/ok/2", "/ok/3"), *start_requests(client, b, "/ok/1", "/ok/2", "/ok/3")
        )


async def test_connections_serve_requests_before_preconnect_is_done() -> None:
    """It waits for nothing while it holds something."""
    async with Host() as host, client_of(connections=2) as client:
        first = await occupy(client, host)
        preconnecting = asyncio.create_task(client.preconnect(host.url(), 2))
        await wait_until(lambda: host.accepted == 2 and not client.stats().connecting)
        await wait_until_served(*start_requests(client, host, "/ok/1", "/ok/2"))
        host.release()
        await wait_until_served(*first, preconnecting)
        check_quiet(client)


async def test_preconnect_does_not_wait_for_slots() -> None:
    async with Host() as host, client_of(connections=1) as client:
        first = await occupy(client, host)
        await asyncio.wait_for(client.preconnect(host.url()), STALL)
        check(client)
        assert (client.stats().waiting, client.stats().connecting, host.accepted) == (0, 0, 1)
        host.release()
        await wait_until_served(*first)
        check_quiet(client)


async def test_preconnect_is_limited_by_the_total_timeout() -> None:
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors, timeout=0.05) as client:
        with pytest.raises(TotalTimeout):
            await asyncio.wait_for(client.preconnect(host.url(), 2), STALL)
        await wait_until(lambda: not client.stats().connecting)
        check_quiet(client)


async def test_closing_the_client_ends_preconnect() -> None:
    doors = Doors()
    async with Host("a.test") as host:
        client = client_of(resolver=doors)
        task = asyncio.create_task(client.preconnect(host.url(), 2))
        await doors.wait_until_held(2)
        doors.let_in(0)
        await wait_until(lambda: client.stats().connecting == 1)
        await client.aclose()
        with pytest.raises(ClientClosed):
            await task
        check_quiet(client)
        assert client._pool.counted == 0
        with pytest.raises(ClientClosed):
            await client.preconnect(host.url())


async def test_a_server_that_closes_at_once_leaves_nothing_idle() -> None:
    async with Host() as host, client_of() as client:
        await client.preconnect(host.url(), 2)
        for peer in host.peers:
            peer.transport.close()
        await wait_until(lambda: not client.stats().idle)
        check_quiet(client)
        await get(client, host, held_targets(1)[0].replace("held", "now"))


async def test_expired_idle_connections_do_not_count_for_preconnect() -> None:
    async with Host() as host, client_of(keep_alive=15) as client:
        await client.preconnect(host.url(), 2)
        for connection in idle_of(client):
            grow_older(connection, 15)
        await client.preconnect(host.url(), 2)
        assert (host.accepted, client.stats().idle) == (4, 2)
