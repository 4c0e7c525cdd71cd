"""A connection serves no request beyond Limits.max_age, and idle connections are closed on demand."""

import pytest

from tests.durations import lasts
from tests.pool.hosts import (
    Doors,
    Host,
    client_of,
    errors_of,
    get,
    group_of,
    grow_older,
    held_targets,
    idle_of,
    occupy,
    open_idle_connections,
    start_requests,
    wait_until,
    wait_until_served,
)
from tests.pool.invariant import check, check_quiet


async def test_an_idle_connection_beyond_its_age_is_not_used() -> None:
    async with Host() as host, client_of(keep_alive=1e9, max_age=60) as client:
        await get(client, host, "/ok/1")
        grow_older(idle_of(client)[0], 59)
        await get(client, host, "/ok/2")
        assert host.accepted == 1
        grow_older(idle_of(client)[0], 2)
        await get(client, host, "/ok/3")
        assert host.accepted == 2
        check_quiet(client)


async def test_a_connection_that_is_never_idle_is_replaced_beyond_its_age() -> None:
    async with Host() as host, client_of(connections=1, max_age=60) as client:
        tasks = start_requests(client, host, *held_targets(3))
        await host.wait_until_held(held_targets(3)[0])
        (connection,) = group_of(client, host).leased
        host.release()
        await host.wait_until_held(held_targets(3)[1])
        assert host.accepted == 1
        connection.retires_at -= 60
        host.release()
        await host.wait_until_held(held_targets(3)[2])
        assert host.accepted == 2
        check(client)
        host.release()
        await wait_until_served(*tasks)


async def test_the_exchange_under_way_is_finished_beyond_the_age() -> None:
    async with Host() as host, client_of(max_age=60) as client:
        async with client.stream("GET", host.url("/long/1")) as response:
            (connection,) = group_of(client, host).leased
            connection.retires_at -= 60
            assert len(await response.read()) > 100_000
        await host.peers[0].ended.wait()
        check_quiet(client)
        assert client.stats().idle == 0


async def test_with_an_age_of_0_each_connection_serves_one_request() -> None:
    async with Host() as host, client_of(max_age=0, connections=2) as client:
        await wait_until_served(*start_requests(client, host, *(f"/ok/{number}" for number in range(6))))
        assert [len(peer.targets) for peer in host.peers] == [1] * 6
        check_quiet(client)


async def test_an_idle_connection_is_closed_at_the_end_of_its_age() -> None:
    async with Host() as host, client_of(keep_alive=1e9, max_age=1) as client:
        with lasts(1.0):
            await get(client, host, "/ok/1")
            await host.peers[0].ended.wait()
        check_quiet(client)


@pytest.mark.parametrize("age", [-1, float("nan")])
def test_invalid_max_age_is_refused(age: float) -> None:
    with pytest.raises(ValueError, match="expected max_age of at least 0"):
        client_of(max_age=age)


async def test_close_idle_closes_all_idle_connections_and_no_other() -> None:
    async with Host() as host, Host() as other, client_of() as client:
        await open_idle_connections(client, host, 3)
        await open_idle_connections(client, other, 2)
        tasks = await occupy(client, other)
        assert client.close_idle() == 4
        check(client)
        await wait_until(lambda: (host.open, other.open) == (0, 1))
        other.release()
        await wait_until_served(*tasks)
        assert client.stats()[:2] == (0, 1)
        assert client.close_idle() == 1
        assert client.close_idle() == 0
        check_quiet(client)
        await get(client, host, "/ok/next")


async def test_close_idle_leaves_dials_and_waiters_alone() -> None:
    doors = Doors()
    async with Host("held.test") as host, client_of(connections=1, resolver=doors) as client:
        tasks = start_requests(client, host, "/ok/1", "/ok/2")
        await doors.wait_until_held(1)
        assert client.close_idle() == 0
        check(client)
        doors.let_in(0)
        assert await errors_of(*tasks) == [None, None]


async def test_close_idle_of_a_client_that_is_not_used_yet_or_closed_does_nothing() -> None:
    client = client_of()
    assert client.close_idle() == 0
    await client.aclose()
    assert client.close_idle() == 0
