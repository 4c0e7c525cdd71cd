"""Statistics of a client's connections."""

import asyncio

from asyncclient import Client, StaticResolver
from tests.pool.hosts import (
    HOST,
    Doors,
    Host,
    client_of,
    errors_of,
    held_targets,
    let_loop_turn,
    occupy,
    open_idle_connections,
    start_requests,
    wait_until,
    wait_until_served,
)
from tests.pool.invariant import check


async def test_stats_and_repr_count_connections_dials_and_waiters() -> None:
    doors = Doors()
    names = StaticResolver({"a.test": HOST}, fallback=doors)
    async with Host("a.test") as a, Host("b.test") as b, client_of(resolver=names, per_host=2) as client:
        assert repr(client) == "<Client <Pool 0 active, 0 idle, 0 connecting, 0 waiting>>"
        assert client.stats() == (0, 0, 0, 0, {})
        await open_idle_connections(client, a, 2)
        of_a = start_requests(client, a, "/ok/held/again")
        await a.wait_until_held("/ok/held/again")
        of_b = start_requests(client, b, *held_targets(3))
        await doors.wait_until_held(2)
        check(client)
        stats = client.stats()
        assert (stats.active, stats.idle, stats.connecting, stats.waiting) == (1, 1, 2, 3)
        of_a_host, of_b_host = stats.hosts[f"a.test:{a.port}"], stats.hosts[f"b.test:{b.port}"]
        assert (of_a_host.active, of_a_host.idle, of_a_host.connecting, of_a_host.waiting) == (1, 1, 0, 0)
        assert (of_b_host.active, of_b_host.idle, of_b_host.connecting, of_b_host.waiting) == (0, 0, 2, 3)
        assert len(stats.hosts) == 2
        assert repr(client) == "<Client <Pool 1 active, 1 idle, 2 connecting, 3 waiting>>"
        doors.let_in(0, 1)
        await b.wait_until_held(*held_targets(2))
        b.release()
        await b.wait_until_held(held_targets(3)[2])
        a.release()
        b.release()
        await wait_until_served(*of_a, *of_b)
        assert client.stats()[:4] == (0, 4, 0, 0)
    assert repr(client) == "<Client <Pool closed 0 active, 0 idle, 0 connecting, 0 waiting>>"
    assert client.stats() == (0, 0, 0, 0, {})


async def test_http_and_https_of_one_port_are_counted_both() -> None:
    async with Host() as host, client_of(ssl=False) as client:
        first = await occupy(client, host)
        other = asyncio.create_task(client.get(host.url("/").replace("http:", "https:")))
        await wait_until(lambda: client.stats().connecting)
        stats = client.stats()
        assert stats[:4] == (1, 0, 1, 1)
        assert sum(numbers.active for numbers in stats.hosts.values()) == 1
        assert sum(numbers.connecting for numbers in stats.hosts.values()) == 1
        other.cancel()
        await errors_of(other)  # type: ignore[arg-type]
        host.faults.clear()  # TLS errors
        host.release()
        await wait_until_served(*first)


async def test_stats_are_there_before_the_first_request_and_without_a_loop() -> None:
    client = await asyncio.to_thread(Client)
    assert client.stats()[:4] == (0, 0, 0, 0)
    await let_loop_turn()
