"""Politeness over real sockets: when requests arrive at their hosts, by a clock that the test sets.

The clock moves only when no exchange is in progress, so that a request that a rule should have held back shows.
"""

import asyncio
import random
from typing import Any

import pytest

import compat
from asyncclient import Client, ConnectError, HTTPException, PoolLimits, PoolTransport, Retry, StaticResolver
from asyncclient.politeness import Polite, Rules
from asyncclient.testing import ManualClock
from tests.client.answering import Answering, redirect
from tests.connection.conversations import OK
from tests.pool.hosts import HOST, Doors, Host, Peer, let_loop_turn, reply, wait_until

NAMES = ("a.test", "b.test", "c.test")


class TimedHost(Host):
    """A host under the names of NAMES that records when each request arrives; it resets each n-th connection."""

    def __init__(self, clock: ManualClock, *, resets: bool = False) -> None:
        super().__init__()
        self.clock = clock
        self.resets = resets
        self.arrivals: dict[str, list[float]] = {name: [] for name in NAMES}

    def asked(self, peer: Peer, target: str) -> None:
        _, kind, name, *rest = target.split("/")
        self.arrivals[name].append(self.clock.now())
        if self.resets and len(peer.targets) > 1:
            peer.transport.abort()
        elif kind == "to":
            peer.answering = None
            peer.send(redirect(f"http://{rest[0]}:{self.port}/ok/{rest[0]}/x"))
        elif kind == "busy":
            peer.answering = None
            peer.send(reply(b"", b"Retry-After: 3", status=b"503 Service Unavailable"))
        else:
            super().asked(peer, target)

    def urls(self, name: str, n: int, kind: str = "ok") -> list[str]:
        return [f"http://{name}:{self.port}/{kind}/{name}/{number}" for number in range(n)]

    def gaps(self) -> list[float]:
        """Return the seconds between two arrivals at one host, of all hosts."""
        return [
            after - before
            for times in self.arrivals.values()
            for before, after in zip(times, times[1:], strict=False)  # noqa: RUF007
        ]


def polite_client(clock: ManualClock, rules: Rules, *, pool: PoolLimits | None = None, **options: Any) -> Client:
    resolver = options.pop("resolver", StaticResolver(dict.fromkeys(NAMES, HOST)))
    inner = PoolTransport(resolver=resolver, pool=pool or PoolLimits())
    return Client(transport=Polite(inner, rules, clock=clock), **options)


def polite_of(client: Client) -> Polite:
    assert isinstance(client._transport, Polite)
    return client._transport


async def drive(client: Client, clock: ManualClock, tasks: list[asyncio.Task[Any]]) -> None:
    """Move the clock to its next callback whenever no exchange is in progress, until all tasks are done."""
    polite = polite_of(client)
    while True:
        await let_loop_turn(3)
        await wait_until(lambda: not polite.stats().active or all(task.done() for task in tasks))
        await let_loop_turn(3)
        if all(task.done() for task in tasks):
            return
        if not polite.stats().active and clock.next_at is not None:
            await clock.advance(max(0.0, clock.next_at - clock.now()))


def get_all(client: Client, urls: list[str]) -> list[asyncio.Task[Any]]:
    return [asyncio.create_task(client.get(url)) for url in urls]


async def test_free_resends_after_dropped_connections_keep_to_the_rate() -> None:
    clock = ManualClock()
    async with TimedHost(clock, resets=True) as host, polite_client(clock, Rules(rate=1)) as client:
        tasks = get_all(client, [*host.urls("a.test", 6), *host.urls("b.test", 6)])
        await drive(client, clock, tasks)
        assert {task.result().status for task in tasks} == {200}
        assert sum(map(len, host.arrivals.values())) > 12  # some were sent twice
        assert min(host.gaps()) >= 1


async def test_redirects_between_hosts_keep_to_the_rate_of_both() -> None:
    clock = ManualClock()
    async with TimedHost(clock) as host, polite_client(clock, Rules(rate=1)) as client:
        urls = [f"http://a.test:{host.port}/to/a.test/b.test/{n}" for n in range(4)]
        urls += [f"http://b.test:{host.port}/to/b.test/a.test/{n}" for n in range(4)]
        tasks = get_all(client, urls)
        await drive(client, clock, tasks)
        assert {task.result().status for task in tasks} == {200}
        assert [len(host.arrivals[name]) for name in NAMES] == [8, 8, 0]
        assert min(host.gaps()) >= 1


async def test_nothing_reaches_a_host_while_it_rests_also_no_retry() -> None:
    clock = ManualClock()
    policy = Retry(total=2, backoff=0, statuses=(503,), respect_retry_after=False)
    async with TimedHost(clock) as host, polite_client(clock, Rules(), retries=policy) as client:
        tasks = get_all(client, [*host.urls("a.test", 2, "busy"), *host.urls("b.test", 3)])
        await drive(client, clock, tasks)
        assert [task.result().status for task in tasks] == [503, 503, 200, 200, 200]
        assert host.arrivals["a.test"] == [0, 0, 3, 3, 6, 6]
        assert host.arrivals["b.test"] == [0, 0, 0]


async def test_the_delay_counts_from_when_a_request_is_sent_not_from_when_it_may_be() -> None:
    clock, doors = ManualClock(), Doors()
    async with TimedHost(clock) as host, polite_client(clock, Rules(delay=1), resolver=doors) as client:
        tasks = get_all(client, host.urls("a.test", 2))
        await doors.wait_until_held(1)
        await clock.advance(5)  # the first request waits for its connection
        assert (polite_of(client).host("a.test").waiting, len(doors.waiting)) == (1, 1)
        doors.let_in(0)
        await drive(client, clock, tasks)
        assert host.arrivals["a.test"] == [5, 6]


async def test_a_connection_that_can_not_be_opened_counts_as_a_request() -> None:
    clock, doors = ManualClock(), Doors()
    async with TimedHost(clock) as host, polite_client(clock, Rules(delay=1), resolver=doors) as client:
        failed, other = get_all(client, host.urls("a.test", 2))
        await doors.wait_until_held(1)
        doors.refuse(0)
        await asyncio.wait([failed])
        await let_loop_turn(5)
        assert (len(doors.waiting), clock.next_at) == (1, 1)
        await clock.advance(1)
        await doors.wait_until_held(2)
        doors.let_in(1)
        await drive(client, clock, [other])
        assert (type(failed.exception()), other.result().status) == (ConnectError, 200)


async def test_a_request_that_waits_for_a_connection_when_its_host_asks_for_a_pause_waits_on() -> None:
    clock = ManualClock()
    pool = PoolLimits(connections=1)
    async with TimedHost(clock) as host, polite_client(clock, Rules(), pool=pool) as client:
        tasks = get_all(client, [*host.urls("a.test", 1, "busy"), *host.urls("a.test", 1)])
        await drive(client, clock, tasks)
        assert [task.result().status for task in tasks] == [503, 200]
        assert host.arrivals["a.test"] == [0, 3]


async def test_waiting_requests_take_no_connection_that_others_need() -> None:
    clock = ManualClock()
    pool = PoolLimits(connections=1)
    async with TimedHost(clock) as host, polite_client(clock, Rules(rate=0.001, burst=1), pool=pool) as client:
        waiting = get_all(client, host.urls("a.test", 100))
        await wait_until(waiting[0].done)
        (other,) = get_all(client, host.urls("b.test", 1))
        await wait_until(other.done)
        assert clock.now() == 0
        for task in waiting[1:]:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize("seed", range(3))
async def test_cancellations_at_random_leave_the_rate_and_the_counts_as_they_are(seed: int) -> None:
    clock, chance = ManualClock(), random.Random(seed)
    async with TimedHost(clock, resets=True) as host, polite_client(clock, Rules(rate=1, connections=2)) as client:
        urls = [url for name in NAMES for url in host.urls(name, 15)]
        tasks = get_all(client, urls)
        polite = polite_of(client)
        while not all(task.done() for task in tasks):
            await let_loop_turn(chance.randrange(8))
            chance.choice(tasks).cancel()
            if chance.random() < 0.5:
                await wait_until(lambda: not polite.stats().active or chance.random() < 0.01)
            if not polite.stats().active and clock.next_at is not None:
                await clock.advance(max(0.0, clock.next_at - clock.now()))
        await asyncio.gather(*tasks, return_exceptions=True)
        await clock.advance(10)
        assert polite.stats() == (0, 0, 0)
        assert min(host.gaps(), default=1) >= 1
        (last,) = get_all(client, host.urls("a.test", 1))
        await drive(client, clock, [last])
        assert last.result().status == 200


async def test_truncated_content_is_a_failure_and_frees_the_place() -> None:
    clock = ManualClock()
    async with TimedHost(clock) as host, polite_client(clock, Rules(max_failures=2)) as client:
        tasks = get_all(client, host.urls("a.test", 1, "cut"))
        await drive(client, clock, tasks)
        assert isinstance(tasks[0].exception(), HTTPException)
        state = polite_of(client).host("a.test")
        assert (state.active, state.failures) == (0, 1)


def test_the_blocking_client_takes_the_same_transport() -> None:
    with Answering({}, OK) as server:
        transport = Polite(PoolTransport(), Rules(rate=100))
        with compat.Client(transport=transport) as client:
            statuses = [client.get(server.url).status for _ in range(3)]
    assert statuses == [200] * 3
    assert transport.stats() == (1, 0, 0) or transport.stats() == (0, 0, 0)
