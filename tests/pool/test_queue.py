"""The queue for connections: its order, its service by released and dialled connections, and cancelled waiters."""

import asyncio
import socket

import pytest

from asyncclient import ConnectError, ConnectTimeout, Timeout
from tests.pool.hosts import (
    HOST,
    Doors,
    Host,
    assert_answers,
    client_of,
    errors_of,
    get,
    group_of,
    held_targets,
    let_loop_turn,
    occupy,
    start_requests,
    wait_until,
    wait_until_served,
)
from tests.pool.invariant import check, check_quiet
from tests.servers import raw_response

# In order


@pytest.mark.parametrize("connections", [1, 3])
async def test_requests_are_served_in_their_order(connections: int) -> None:
    targets = [f"/{kind}/{number}" for number in range(6) for kind in ("ok", "last", "error", "chunked")]
    async with Host() as host, client_of(connections=connections) as client:
        first = await occupy(client, host, connections)
        tasks = start_requests(client, host, *targets)
        await wait_until(lambda: client.stats().waiting == len(targets))
        host.release()
        await wait_until_served(*first, *tasks)
        order = [targets.index(target) for target in host.targets[connections:]]
        late = [place - number for number, place in enumerate(order)]
        assert max(map(abs, late)) < connections
        check_quiet(client)


async def test_cancelled_waiters_do_not_change_the_order_of_the_others() -> None:
    async with Host() as host, client_of(connections=1) as client:
        first = await occupy(client, host)
        tasks = start_requests(client, host, *(f"/ok/{number}" for number in range(9)))
        await wait_until(lambda: client.stats().waiting == 9)
        for task in tasks[::2]:
            task.cancel()
        await wait_until(lambda: client.stats().waiting == 4)
        check(client)
        host.release()
        await wait_until_served(*first, *tasks[1::2])
        assert host.targets[1:] == ["/ok/1", "/ok/3", "/ok/5", "/ok/7"]
        assert host.accepted == 1
        check_quiet(client)


async def test_a_new_request_does_not_overtake_a_waiter_that_was_just_served() -> None:
    async with Host() as host, client_of(connections=1) as client:
        async with client.stream("GET", host.url("/ok/first")) as response:
            waiting = start_requests(client, host, "/ok/second")
            await wait_until(lambda: client.stats().waiting)
            await wait_until(lambda: raw_response(response)._stream._pieces.size)
            newcomer = start_requests(client, host, "/ok/third")
            await response.read()  # the one in line has it, but has not had a turn yet
            assert client._pool.take_idle(group_of(client, host)) is None
        await wait_until_served(*waiting, *newcomer)
        assert host.targets == ["/ok/first", "/ok/second", "/ok/third"]


# The first connection that is ready


async def test_a_released_connection_serves_a_waiter_during_its_dial() -> None:
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors) as client:
        first = start_requests(client, host, "/ok/held/1")
        await doors.wait_until_held(1)
        doors.let_in(0)
        await host.wait_until_held("/ok/held/1")
        second = start_requests(client, host, "/ok/held/2")
        await doors.wait_until_held(2)
        host.release()
        await host.wait_until_held("/ok/held/2")
        check(client)
        assert client.stats()[:4] == (1, 0, 1, 0)
        assert (host.accepted, host.peers[0].targets) == (1, ["/ok/held/1", "/ok/held/2"])
        doors.let_in(1)  # what is opened meanwhile is kept for the next
        await wait_until(lambda: client.stats().idle)
        third = start_requests(client, host, "/ok/held/3")
        await host.wait_until_held("/ok/held/3")
        host.release()
        await wait_until_served(*first, *second, *third)
        assert [len(peer.targets) for peer in host.peers] == [2, 1]
        await doors.wait_until_held(2)
        check_quiet(client)


async def test_the_first_dialled_connection_serves_the_first_waiter() -> None:
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors) as client:
        tasks = start_requests(client, host, *held_targets(3))
        await doors.wait_until_held(3)
        for number, target in zip((2, 0, 1), held_targets(3), strict=True):
            doors.let_in(number)
            await host.wait_until_held(target)
            check(client)
        host.release()
        await wait_until_served(*tasks)
        assert host.accepted == 3


async def test_no_more_connections_are_opened_than_requests_wait() -> None:
    """Dials whose request was served in the meantime serve the requests that wait now."""
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors) as client:
        tasks = start_requests(client, host, "/ok/held/1")
        await doors.wait_until_held(1)
        doors.let_in(0)
        await host.wait_until_held("/ok/held/1")
        tasks += start_requests(client, host, "/ok/held/2")
        await doors.wait_until_held(2)
        host.release("/ok/held/1")  # serves the second
        await host.wait_until_held("/ok/held/2")
        tasks += start_requests(client, host, "/ok/held/3")
        await wait_until(lambda: client.stats().waiting)
        check(client)
        assert client.stats()[:4] == (1, 0, 1, 1)
        doors.let_in(1)
        await host.wait_until_held("/ok/held/3")
        host.release()
        await wait_until_served(*tasks)
        assert host.accepted == 2


# Failing


async def test_a_dial_error_goes_to_the_request_of_the_dial() -> None:
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors, connections=3) as client:
        tasks = start_requests(client, host, *held_targets(5))
        await doors.wait_until_held(3)
        doors.refuse(1)
        (error,) = await errors_of(tasks[1])
        assert isinstance(error, ConnectError)
        assert "refused 1" in str(error)
        await doors.wait_until_held(4)  # the place goes to the next in line
        check(client)
        assert client.stats()[:4] == (0, 0, 3, 4)
        doors.let_in(0, 2, 3)
        await host.wait_until_held(held_targets(5)[0], held_targets(5)[2], held_targets(5)[3])
        host.release()
        await host.wait_until_held(held_targets(5)[4])
        host.release()
        await wait_until_served(tasks[0], *tasks[2:])
        check_quiet(client)


async def test_a_dial_error_is_dropped_if_its_request_was_served() -> None:
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors) as client:
        tasks = start_requests(client, host, "/ok/held/1", "/ok/held/2")
        await doors.wait_until_held(2)
        doors.let_in(1)  # serves the first
        await host.wait_until_held("/ok/held/1")
        doors.refuse(0)  # was for the first: the second gets a dial of its own
        await doors.wait_until_held(3)
        check(client)
        assert not any(task.done() for task in tasks)
        doors.let_in(2)
        await host.wait_until_held("/ok/held/2")
        host.release()
        await wait_until_served(*tasks)
        check_quiet(client)


async def test_each_waiter_gets_its_dial_error_and_all_slots_are_freed() -> None:
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors, connections=2) as client:
        tasks = start_requests(client, host, *held_targets(6))
        for number in range(6):
            await wait_until(lambda number=number: len(doors.waiting) > number)  # type: ignore[misc]
            check(client)
            doors.refuse(number)
        assert [type(error) for error in await errors_of(*tasks)] == [ConnectError] * 6
        assert len({id(error) for error in await errors_of(*tasks)}) == 6
        check_quiet(client)
        assert client._pool.counted == 0
        doors.are_open = True
        await get(client, host, "/ok/now")


class Blackhole:
    """A listening socket whose backlog is full: no further connection is taken nor refused."""

    def __enter__(self) -> socket.socket:
        self.listener = socket.create_server((HOST, 0), backlog=0)
        self.inside: list[socket.socket] = []
        for _ in range(4):
            self.inside.append(socket.socket())
            self.inside[-1].setblocking(False)
            self.inside[-1].connect_ex(self.listener.getsockname())
        return self.listener

    def __exit__(self, *_: object) -> None:
        for sock in (self.listener, *self.inside):
            sock.close()


async def test_connect_timeouts_leave_the_pool_usable() -> None:
    with Blackhole() as hole:
        timeout = Timeout(connect=0.05)
        async with Host() as host, client_of(connections=3, timeout=timeout) as client:
            url = f"http://{HOST}:{hole.getsockname()[1]}/ok/there"
            for _ in range(2):
                tasks = [asyncio.create_task(client.get(url)) for _ in range(7)]
                await wait_until_served(*start_requests(client, host, "/ok/beside"))
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
                assert [type(outcome) for outcome in outcomes] == [ConnectTimeout] * 7
                check_quiet(client)
            assert client._pool.counted == client.stats().idle
            await wait_until_served(*start_requests(client, host, *(f"/ok/{number}" for number in range(9))))
            async with Host(listener=hole):
                assert_answers(await client.get(url, timeout=Timeout()), "/ok/there")
            check_quiet(client)


# Cancelling


async def test_a_cancelled_waiter_passes_on_its_connection() -> None:
    async with Host() as host, client_of(connections=1) as client:
        async with client.stream("GET", host.url("/ok/first")) as response:
            tasks = start_requests(client, host, "/ok/second", "/ok/third", "/ok/fourth")
            await wait_until(lambda: client.stats().waiting == 3)
            await wait_until(lambda: raw_response(response)._stream._pieces.size)
            await response.read()
            assert client.stats().waiting == 2
            tasks[0].cancel()  # it was given the connection, and has not run yet
            tasks[1].cancel()  # it is the next
        await wait_until_served(tasks[2])
        assert all(isinstance(error, asyncio.CancelledError) for error in await errors_of(*tasks[:2]))
        assert (host.accepted, host.targets) == (1, ["/ok/first", "/ok/fourth"])
        check_quiet(client)


async def test_the_connection_of_a_cancelled_last_waiter_is_kept_idle() -> None:
    async with Host() as host, client_of(connections=1) as client:
        async with client.stream("GET", host.url("/ok/first")) as response:
            (task,) = start_requests(client, host, "/ok/second")
            await wait_until(lambda: client.stats().waiting)
            await wait_until(lambda: raw_response(response)._stream._pieces.size)
            await response.read()
            task.cancel()
        await errors_of(task)
        check_quiet(client)
        assert client.stats().idle == 1
        await get(client, host, "/ok/third")
        assert (host.accepted, host.targets) == (1, ["/ok/first", "/ok/third"])


async def test_a_dial_without_waiters_is_cancelled() -> None:
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors) as client:
        tasks = start_requests(client, host, *held_targets(3))
        await doors.wait_until_held(3)
        tasks[1].cancel()
        await errors_of(tasks[1])
        await wait_until(lambda: client.stats().connecting == 2)
        check(client)
        assert [door.cancelled() for door in doors.waiting] == [False, True, False]
        tasks[0].cancel()
        tasks[2].cancel()
        await errors_of(*tasks)
        await wait_until(lambda: client.stats().connecting == 0)
        check_quiet(client)
        assert (client._pool.counted, host.accepted) == (0, 0)


async def test_the_dial_of_a_cancelled_waiter_serves_a_waiter_without_a_dial() -> None:
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors, connections=1) as client:
        tasks = start_requests(client, host, "/ok/1", "/ok/2")
        await doors.wait_until_held(1)
        tasks[0].cancel()
        await errors_of(tasks[0])
        check(client)
        doors.let_in(0)
        await wait_until_served(tasks[1])
        await doors.wait_until_held(1)
        assert host.targets == ["/ok/2"]
        check_quiet(client)


async def test_a_request_made_while_a_dial_is_being_cancelled_gets_a_dial() -> None:
    doors = Doors()
    async with Host("a.test") as host, client_of(resolver=doors, connections=1) as client:
        (task,) = start_requests(client, host, "/ok/1")
        await doors.wait_until_held(1)
        task.cancel()
        await let_loop_turn()  # it leaves the line; its dial has been cancelled, and has not ended yet
        second = start_requests(client, host, "/ok/2")
        await doors.wait_until_held(2)
        doors.let_in(1)
        await wait_until_served(*second)
        check_quiet(client)


@pytest.mark.parametrize("turns", range(8))
async def test_cancelling_a_request_during_its_dial_leaves_nothing(turns: int) -> None:
    async with Host() as host, client_of(connections=1) as client:
        (task,) = start_requests(client, host, "/ok/1")
        await let_loop_turn(turns)
        task.cancel()
        await errors_of(task)
        await wait_until(lambda: not client.stats().connecting)
        check_quiet(client)
        await wait_until_served(*start_requests(client, host, "/ok/2", "/ok/3"))
        check_quiet(client)
