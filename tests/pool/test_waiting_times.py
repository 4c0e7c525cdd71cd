"""How long a request waits for a connection, and the text of the error when that was too long."""

import asyncio
import re
from typing import Any

import pytest

from asyncclient import PoolTimeout, Timeout, TotalTimeout
from tests.pool.hosts import (
    HOST,
    Doors,
    Host,
    client_of,
    errors_of,
    get,
    group_of,
    held_targets,
    occupy,
    open_idle_connections,
    start_requests,
    wait_until,
    wait_until_served,
)
from tests.pool.invariant import check, check_quiet


async def test_waiting_for_a_slot_has_no_limit_by_default() -> None:
    assert Timeout().pool is None
    async with Host() as host, client_of(connections=1) as client:
        first = await occupy(client, host)
        second = start_requests(client, host, "/ok/2")
        await wait_until(lambda: client.stats().waiting)
        (waiter,) = group_of(client, host).waiters
        assert waiter.timeout == Timeout()
        host.release()
        await wait_until_served(*first, *second)


async def test_a_pool_timeout_names_the_host_and_the_numbers() -> None:
    async with Host() as a, Host() as b, client_of(connections=3, timeout=Timeout(pool=0.05)) as client:
        first = [*await occupy(client, a, 2), *await occupy(client, b)]
        late = start_requests(client, a, "/ok/late")
        patient = start_requests(client, a, "/ok/patient", timeout=Timeout())
        (error,) = await errors_of(*late)
        assert isinstance(error, PoolTimeout)
        assert isinstance(error, TimeoutError)
        assert re.sub(r"for \d+ s", "for 0 s", str(error)) == (
            f"no connection to {HOST}:{a.port} became free in 0.05 s: open to this host: 2, in total: 3; "
            "waiting requests: 2; "
            f"connections in use: GET {held_targets(2)[0]} at {HOST}:{a.port} for 0 s; "
            f"GET {held_targets(2)[1]} at {HOST}:{a.port} for 0 s; "
            f"GET {held_targets(1)[0]} at {HOST}:{b.port} for 0 s (GET http://{HOST}:{a.port}/ok/late)"
        )
        assert (error.phase, error.seconds) == ("pool", 0.05)
        check(client)
        assert client.stats().waiting == 1
        a.release()
        b.release()
        await wait_until_served(*first, *patient)
        check_quiet(client)


async def test_no_time_at_all_is_enough_for_an_idle_connection() -> None:
    async with Host() as host, client_of(connections=1, timeout=Timeout(pool=0)) as client:
        await open_idle_connections(client, host, 1)
        await get(client, host, "/ok/at-once")
        first = await occupy(client, host)
        with pytest.raises(PoolTimeout):
            await get(client, host, "/ok/late")
        host.release()
        await wait_until_served(*first)


async def test_the_time_of_a_dial_does_not_count_as_waiting_for_a_slot() -> None:
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors, timeout=Timeout(pool=0.02)) as client:
        loop = asyncio.get_running_loop()
        tasks = start_requests(client, host, "/ok/1")
        await doors.wait_until_held(1)
        end = loop.time() + 0.05
        await wait_until(lambda: loop.time() > end)
        doors.let_in(0)
        await wait_until_served(*tasks)


async def test_the_pool_timeout_holds_for_a_waiter_after_its_dial_served_another() -> None:
    """The first was served by what was opened for the second, and what was for the first fails: the second waits."""
    doors = Doors()
    options: dict[str, Any] = {"connections": 3, "resolver": doors, "timeout": Timeout(pool=0.05)}
    async with Host("a.test") as a, Host("b.test") as b, client_of(**options) as client:
        loop = asyncio.get_running_loop()
        of_a = start_requests(client, a, *held_targets(2))
        await doors.wait_until_held(2)
        of_b = start_requests(client, b, *held_targets(2), timeout=Timeout())
        await doors.wait_until_held(3)
        end = loop.time() + 0.08
        await wait_until(lambda: loop.time() > end)
        doors.let_in(1)
        await a.wait_until_held(held_targets(2)[0])
        doors.refuse(0)
        await doors.wait_until_held(4)
        doors.let_in(2, 3)
        await b.wait_until_held(*held_targets(2))
        assert client.stats()[:4] <= (3, 0, 0, 1)
        (error,) = await errors_of(of_a[1])
        assert isinstance(error, PoolTimeout)
        a.release()
        b.release()
        await wait_until_served(of_a[0], *of_b)


@pytest.mark.parametrize("connections", [1, 2])
async def test_the_total_time_limit_ends_waiting_and_opening(connections: int) -> None:
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors, connections=connections) as client:
        first = start_requests(client, host, "/ok/held/1")
        await doors.wait_until_held(1)
        doors.let_in(0)
        await host.wait_until_held("/ok/held/1")
        (error,) = await errors_of(*start_requests(client, host, "/ok/late", timeout=0.05))
        assert isinstance(error, TotalTimeout)
        assert str(error) == f"no connection to a.test:{host.port} in 0.05 s (GET http://a.test:{host.port}/ok/late)"
        await wait_until(lambda: not client.stats().connecting)
        check(client)
        assert client.stats().waiting == 0
        host.release()
        await wait_until_served(*first)
        check_quiet(client)
