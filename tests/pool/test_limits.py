"""How many connections there are: never more than the limits say, counted where they arrive."""

from typing import Any

import pytest

from tests.pool.hosts import (
    Host,
    Meter,
    client_of,
    group_of,
    held_targets,
    occupy,
    open_idle_connections,
    start_requests,
    wait_until,
    wait_until_served,
)
from tests.pool.invariant import check, check_quiet


@pytest.mark.parametrize(
    ("limits", "most_at_one", "most_in_all"),
    [
        ({"connections": 3}, 3, 3),
        ({"per_host": 2}, 2, 4),
        ({"connections": 3, "per_host": 2}, 2, 3),
        ({"connections": 1}, 1, 1),
    ],
)
async def test_no_more_connections_are_open_than_allowed(
    limits: dict[str, Any], most_at_one: int, most_in_all: int
) -> None:
    whole = Meter()

    class Counted(Meter):
        def note(self, change: int) -> None:
            super().note(change)
            whole.note(change)

    async with Host(meter=Counted()) as a, Host(meter=Counted()) as b, client_of(**limits) as client:
        targets = [f"/{kind}/{number}" for number in range(8) for kind in ("ok", "last", "chunked")]
        await wait_until_served(*start_requests(client, a, *targets), *start_requests(client, b, *targets))
        check_quiet(client)
        assert max(a.meter.most, b.meter.most) == most_at_one
        assert whole.most == most_in_all
        assert sorted(a.targets) == sorted(b.targets) == sorted(targets)


async def test_a_request_beyond_the_limit_waits_for_a_slot() -> None:
    async with Host() as host, client_of(connections=2) as client:
        tasks = start_requests(client, host, *held_targets(3))
        await host.wait_until_held(*held_targets(2))
        check(client)
        assert client.stats()[:4] == (2, 0, 0, 1)
        host.release()
        await host.wait_until_held(held_targets(3)[2])
        host.release()
        await wait_until_served(*tasks)
        assert host.accepted == 2


@pytest.mark.parametrize(
    ("limits", "kept_at_each"),
    [
        ({}, (3, 3)),
        ({"idle_per_host": 2}, (2, 2)),
        ({"idle": 4}, (1, 3)),
        ({"idle": 4, "idle_per_host": 3}, (1, 3)),
        ({"idle": 5, "idle_per_host": 2}, (2, 2)),
        ({"idle_per_host": 0}, (0, 0)),
        ({"idle": 0}, (0, 0)),
    ],
)
async def test_no_more_connections_are_kept_than_allowed(limits: dict[str, Any], kept_at_each: tuple[int, int]) -> None:
    async with Host() as a, Host() as b, client_of(**limits) as client:
        await open_idle_connections(client, a, 3)
        await open_idle_connections(client, b, 3)
        await wait_until(lambda: (a.meter.now, b.meter.now) == kept_at_each)
        check_quiet(client)
        assert client.stats().idle == sum(kept_at_each)


@pytest.mark.parametrize("limit", ["idle", "idle_per_host"])
async def test_the_connection_unused_longest_is_not_kept(limit: str) -> None:
    async with Host() as host, client_of(**{limit: 2}) as client:
        await open_idle_connections(client, host, 3)
        await host.peers[0].ended.wait()
        assert [peer.is_open for peer in host.peers] == [False, True, True]


async def test_the_connection_used_last_is_used_first() -> None:
    async with Host() as host, client_of() as client:
        await open_idle_connections(client, host, 3)
        await wait_until_served(*start_requests(client, host, "/ok/again"))
        assert host.peers[2].targets == [held_targets(3)[2], "/ok/again"]


async def test_the_connection_idle_longest_is_closed_for_another_host() -> None:
    async with Host() as a, Host() as b, Host() as c, client_of(connections=3) as client:
        await open_idle_connections(client, a, 2)
        await open_idle_connections(client, b, 1)
        await wait_until_served(
            *start_requests(client, a, "/ok/again")
        )  # on the second connection, which is the youngest now
        await wait_until_served(*start_requests(client, c, "/ok/first"))
        await a.peers[0].ended.wait()
        await wait_until_served(*start_requests(client, c, "/ok/second"), *start_requests(client, c, "/ok/third"))
        await b.peers[0].ended.wait()
        check_quiet(client)
        assert a.peers[1].is_open
        assert (a.accepted, b.accepted, c.accepted) == (2, 1, 2)


async def test_a_connection_in_use_is_not_closed_for_another_host() -> None:
    async with Host() as a, Host() as b, client_of(connections=1) as client:
        first = await occupy(client, a)
        second = start_requests(client, b, "/ok/b")
        await wait_until(lambda: client.stats().waiting)
        check(client)
        assert (a.meter.now, b.accepted) == (1, 0)
        a.release()
        await wait_until_served(*first, *second)
        await a.peers[0].ended.wait()
        assert b.accepted == 1


async def test_a_host_at_its_own_limit_evicts_nothing() -> None:
    async with Host() as a, Host() as b, client_of(connections=4, per_host=2) as client:
        await open_idle_connections(client, b, 2)
        tasks = start_requests(client, a, *held_targets(4))
        await a.wait_until_held(*held_targets(2))
        await wait_until(lambda: client.stats().waiting == 2)
        assert len(group_of(client, b).idle) == 2
        a.release()
        await a.wait_until_held(*held_targets(4)[2:])
        a.release()
        await wait_until_served(*tasks)
        assert (a.accepted, b.meter.now) == (2, 2)


async def test_a_released_slot_is_not_given_to_a_host_at_its_own_limit() -> None:
    async with Host() as a, Host() as b, client_of(connections=4, per_host=2) as client:
        of_a = await occupy(client, a, 2)
        of_b = start_requests(client, b, *held_targets(3))
        await b.wait_until_held(*held_targets(2))
        await wait_until(lambda: client.stats().waiting == 1)
        a.release()
        await wait_until_served(*of_a)
        check(client)
        assert len(group_of(client, a).idle) == 2
        b.release()
        await b.wait_until_held(held_targets(3)[2])
        b.release()
        await wait_until_served(*of_b)
