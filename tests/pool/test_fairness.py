"""Hosts that compete for slots: no host starves, and no connection is closed needlessly."""

import asyncio
from collections.abc import Callable
from operator import itemgetter

import pytest

from asyncclient import Client
from asyncclient.pool.slots import MAX_TURNS
from tests.pool.hosts import (
    Doors,
    Host,
    Peer,
    assert_answers,
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


async def keep_busy(client: Client, host: Host, is_over: Callable[[], bool]) -> None:
    """A client's task that sends the next request to a host as soon as it has answered."""
    while not is_over():
        await get(client, host, f"/ok/{len(host.targets)}")


async def compete(client: Client, hosts: list[Host], *, tasks: int, exchanges: int) -> None:
    """Let as many tasks at each host ask until so many exchanges are done in all."""

    def is_over() -> bool:
        return sum(len(host.targets) for host in hosts) >= exchanges

    await wait_until_served(
        *(asyncio.create_task(keep_busy(client, host, is_over)) for host in hosts for _ in range(tasks))
    )


@pytest.mark.parametrize("connections", [1, 2, 3, 4])
@pytest.mark.parametrize("busy", [1, 2, 3])
async def test_a_host_is_served_among_others_with_endless_queues(connections: int, busy: int) -> None:
    class Busy(Host):
        count = 0

        def asked(self, peer: Peer, target: str) -> None:
            Busy.count += 1
            super().asked(peer, target)

    is_over = False
    async with Busy() as a, Busy() as b, Busy() as c, Host() as calm, client_of(connections=connections) as client:
        crowd = [
            asyncio.create_task(keep_busy(client, host, lambda: is_over)) for host in (a, b, c)[:busy] for _ in range(8)
        ]
        await wait_until(lambda: Busy.count > 40)
        for number in range(3):
            before = Busy.count
            await wait_until_served(*start_requests(client, calm, f"/ok/{number}"))
            # Each connection may be busy for its turns, and each busy host may stand before it in line.
            assert Busy.count - before <= (MAX_TURNS + 2) * (busy + 1) * connections
        is_over = True
        await wait_until_served(*crowd)
        check_quiet(client)


@pytest.mark.parametrize(
    ("connections", "hosts", "least"),
    [(2, 2, 0.4), (4, 2, 0.4), (3, 3, 0.25), (4, 3, 0.2), (1, 2, 0.35), (1, 3, 0.2), (2, 5, 0.1), (3, 4, 0.12)],
)
async def test_hosts_with_endless_queues_share_the_slots(connections: int, hosts: int, least: float) -> None:
    exchanges = 600
    async with Host() as a, Host() as b, Host() as c, Host() as d, Host() as e:
        async with client_of(connections=connections) as client:
            competing = [a, b, c, d, e][:hosts]
            await compete(client, competing, tasks=6, exchanges=exchanges)
            check_quiet(client)
        shares = [len(host.targets) / exchanges for host in competing]
        assert min(shares) >= least, shares
        # Opening is expensive: a connection is closed for another host only after it has served its turns.
        opened = sum(host.accepted for host in competing)
        assert opened <= connections + hosts + exchanges / MAX_TURNS


async def test_a_single_host_keeps_its_connections() -> None:
    async with Host() as host, client_of(connections=3) as client:
        await compete(client, [host], tasks=12, exchanges=300)
        assert host.accepted == 3


async def test_no_connection_is_closed_while_all_hosts_have_slots() -> None:
    async with Host() as a, Host() as b, client_of(connections=4, per_host=2) as client:
        await compete(client, [a, b], tasks=6, exchanges=300)
        assert (a.accepted, b.accepted) == (2, 2)


@pytest.mark.parametrize("connections", [1, 2, 3])
async def test_the_yielded_slot_goes_to_the_other_host(connections: int) -> None:
    async with Host() as a, Host() as b, client_of(connections=connections) as client:
        crowd = start_requests(client, a, *(f"/ok/{number}" for number in range(60)))
        await wait_until_served(*start_requests(client, b, "/ok/b"))
        assert a.accepted == connections
        assert a.meter.now == connections - 1
        assert len(a.targets) <= (MAX_TURNS + 2) * connections
        await wait_until_served(*crowd)
        check_quiet(client)


async def test_many_hosts_are_served_with_few_slots() -> None:
    names = [f"host-{number}.test" for number in range(50)]
    async with Host() as host, client_of(connections=3, resolver=Doors(are_open=True)) as client:

        async def visit(name: str) -> None:
            for number in range(2):
                target = f"/ok/{name}/{number}"
                assert_answers(await client.get(f"http://{name}:{host.port}{target}"), target)
                check(client)

        await wait_until_served(*(asyncio.create_task(visit(name)) for name in names))
        check_quiet(client)
        assert host.meter.most == client.stats().idle == 3
        assert len(host.targets) == 100


async def test_a_connection_without_waiters_frees_its_slot() -> None:
    async with Host() as a, Host() as b, client_of(connections=2) as client:
        of_a = await occupy(client, a, 2)
        of_b = start_requests(client, b, "/ok/held/1", "/ok/held/2")
        await wait_until(lambda: client.stats().waiting == 2)
        for n, target in enumerate(held_targets(2), 1):
            a.release(target)
            await b.wait_until_held(f"/ok/held/{n}")
            check(client)
        b.release()
        await wait_until_served(*of_a, *of_b)
        assert (a.accepted, b.accepted) == (2, 2)


async def test_a_dialled_connection_without_waiters_gives_its_slot_to_another_host() -> None:
    """The second was served by the first's connection while one was opened for it, and that is in the way now."""
    doors = Doors()
    async with Host("a.test") as a, Host("b.test") as b, client_of(resolver=doors, connections=3) as client:
        tasks = [*start_requests(client, a, "/ok/held/1"), *start_requests(client, b, "/ok/held/1")]
        await doors.wait_until_held(2)
        doors.let_in(0, 1)
        await a.wait_until_held("/ok/held/1")
        await b.wait_until_held("/ok/held/1")
        tasks += start_requests(client, a, "/ok/held/2")
        await doors.wait_until_held(3)
        tasks += start_requests(client, b, "/ok/held/2")
        await wait_until(lambda: client.stats().waiting == 2)
        a.release()
        await a.wait_until_held("/ok/held/2")
        doors.let_in(2)
        await doors.wait_until_held(4)
        check(client)
        doors.let_in(3)
        await b.wait_until_held("/ok/held/2")
        assert (a.accepted, b.accepted) == (2, 2)
        a.release()
        b.release()
        await wait_until_served(*tasks)


@pytest.mark.parametrize("reason", ["cancelled", "served"])
async def test_no_slot_is_given_to_a_host_without_waiters(reason: str) -> None:
    async with Host() as a, Host() as b, client_of(connections=2) as client:
        first = await occupy(client, b)
        of_a = await occupy(client, a)
        (late,) = start_requests(client, b, "/ok/late")
        await wait_until(lambda: client.stats().waiting)
        if reason == "cancelled":
            late.cancel()
            await errors_of(late)
        else:
            b.release()
            await wait_until_served(late)
        a.release()
        await wait_until_served(*of_a)
        check(client)
        assert len(group_of(client, a).idle) == 1
        if b.held:
            b.release()
        await wait_until_served(*first)


async def test_a_cancelled_request_evicts_nothing() -> None:
    async with Host() as a, Host() as b, client_of(connections=2) as client:
        first = await occupy(client, b, 2)
        (late,) = start_requests(client, a, "/ok/late")
        await wait_until(lambda: client.stats().waiting)
        late.cancel()
        await errors_of(late)
        b.release()
        await wait_until_served(*first)
        await open_idle_connections(client, b, 2)
        assert (b.accepted, a.accepted) == (2, 0)


@pytest.mark.parametrize("places", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
async def test_hosts_take_turns_in_the_order_of_their_first_requests(places: tuple[int, ...]) -> None:
    asked: list[Host] = []

    class Noting(Host):
        def asked(self, peer: Peer, target: str) -> None:
            asked.append(self)
            super().asked(peer, target)

    async with Noting() as a, Noting() as b, Noting() as c, Noting() as d, client_of(connections=1) as client:
        tasks = await occupy(client, a)
        order = [a, *(host for _, host in sorted(zip(places, (b, c, d), strict=True), key=itemgetter(0)))]
        for number, host in enumerate(order[1:], 1):
            tasks += start_requests(client, host, "/ok/1")
            await wait_until(lambda number=number: client.stats().waiting == number)  # type: ignore[misc]
        a.release()
        await wait_until_served(*tasks)
        assert asked == order
        check_quiet(client)
