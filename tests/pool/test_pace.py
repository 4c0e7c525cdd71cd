"""The pace of dials: of many connections that are wanted at once, some are begun in each turn of the loop."""

import asyncio
import time

from asyncclient import Timeout
from asyncclient.errors import ClientClosed, PoolTimeout
from asyncclient.pool.dialer import AT_ONCE, PER_TURN
from tests.pool.hosts import (
    Doors,
    Host,
    client_of,
    errors_of,
    held_targets,
    let_loop_turn,
    start_requests,
    wait_until,
    wait_until_served,
)
from tests.pool.invariant import check, check_quiet

MANY = 5 * AT_ONCE


async def test_the_first_of_many_connections_are_open_before_the_last_ones_are_begun() -> None:
    most = 0
    async with Host() as host, client_of(connections=MANY, per_host=MANY) as client:
        tasks = start_requests(client, host, *held_targets(MANY))
        while len(host.held) < MANY:
            await asyncio.sleep(0)
            check(client)
            most = max(most, client.stats().connecting)
        host.release()
        await wait_until_served(*tasks)
        check_quiet(client)
    assert AT_ONCE <= most < 3 * AT_ONCE


async def test_some_more_dials_begin_in_each_turn_although_none_ends() -> None:
    doors = Doors()
    async with Host("slow.test") as host, client_of(resolver=doors, connections=MANY, per_host=MANY) as client:
        tasks = start_requests(client, host, *held_targets(MANY))
        await let_loop_turn()
        begun = [client.stats().connecting]
        while begun[-1] < MANY:
            await let_loop_turn()
            check(client)
            begun.append(client.stats().connecting)
        assert begun == [*range(AT_ONCE, MANY, PER_TURN), MANY]
        for task in tasks:
            task.cancel()
        await errors_of(*tasks)
        check_quiet(client)


async def test_servers_that_do_not_answer_hold_up_no_other_server() -> None:
    doors = Doors()
    client = client_of(resolver=doors, connections=MANY, per_host=MANY)
    async with Host("slow.test") as slow, Host() as host, client:
        pending = start_requests(client, slow, *held_targets(2 * AT_ONCE))
        await doors.wait_until_held(2 * AT_ONCE)
        await wait_until_served(*start_requests(client, host, "/ok/1", "/ok/2"))
        for task in pending:
            task.cancel()
        await errors_of(*pending)


async def test_hosts_take_turns() -> None:
    async with Host() as first, Host() as second, client_of(connections=MANY, per_host=MANY) as client:
        many, one = start_requests(client, first, *held_targets(MANY - 1)), start_requests(client, second, "/ok/1")
        await wait_until_served(*one)
        assert len(first.held) < MANY - 1
        await first.wait_until_held(*held_targets(MANY - 1))
        first.release()
        await wait_until_served(*many)


async def test_the_wait_for_a_turn_is_not_a_wait_for_a_slot() -> None:
    doors = Doors()
    client = client_of(resolver=doors, connections=MANY, per_host=MANY, timeout=Timeout(pool=0.0))
    async with Host("slow.test") as host, client:
        tasks = start_requests(client, host, *held_targets(MANY))
        await doors.wait_until_held(MANY)
        doors.let_in(*range(MANY))
        await host.wait_until_held(*held_targets(MANY))
        host.release()
        await wait_until_served(*tasks)


async def test_requests_that_wait_for_a_turn_may_be_cancelled() -> None:
    doors = Doors()
    async with Host("slow.test") as host, client_of(resolver=doors, connections=MANY, per_host=MANY) as client:
        tasks = start_requests(client, host, *held_targets(MANY))
        await let_loop_turn()
        for task in tasks[AT_ONCE:]:
            task.cancel()
        await errors_of(*tasks[AT_ONCE:])
        await let_loop_turn(3)
        check(client)
        assert client.stats().connecting == AT_ONCE
        for task in tasks[:AT_ONCE]:
            task.cancel()
        await errors_of(*tasks[:AT_ONCE])


async def test_closing_ends_requests_that_wait_for_a_turn() -> None:
    async with Host("slow.test") as host, client_of(resolver=Doors(), connections=MANY, per_host=MANY) as client:
        tasks = start_requests(client, host, *held_targets(MANY))
        await let_loop_turn()
        await client.aclose()
        ends = await errors_of(*tasks)
    assert all(isinstance(end, ClientClosed) for end in ends)


async def test_a_dial_of_another_waiter_that_fails_leaves_no_waiter_behind() -> None:
    doors = Doors()
    client = client_of(resolver=doors, connections=2, timeout=Timeout(pool=0.01, read=60))
    async with Host("slow.test") as host, Host() as other, client:
        first, second = start_requests(client, host, *held_targets(2))
        await doors.wait_until_held(2)
        third = start_requests(client, other, "/ok/held/3", timeout=Timeout(pool=60))
        over = time.monotonic() + 0.02
        await wait_until(lambda: time.monotonic() > over)  # the time for getting a slot
        doors.let_in(1)  # the dial of the second waiter serves the first one, and that one's dial the second
        await host.wait_until_held("/ok/held/0")
        assert not second.done()
        doors.refuse(0)  # the slot is the other host's
        await other.wait_until_held("/ok/held/3")
        assert isinstance((await errors_of(second))[0], PoolTimeout)
        host.release()
        other.release()
        await wait_until_served(first, *third)
