"""Requests that wait: deadlines, cancellation, closing, the order, and what they cost."""

import asyncio
import gc
import time
import tracemalloc

import pytest

from asyncclient import (
    ClientClosed,
    ImproperConnectionState,
    LocalResponse,
    TotalTimeout,
    TransportRequest,
    TransportResponse,
)
from asyncclient.politeness import Polite, Rules
from asyncclient.politeness.clock import LoopClock
from asyncclient.testing import ManualClock
from tests.politeness.hosts import Crawl, Hosts, request_to

URL = "http://a.test/"


async def test_a_deadline_ends_the_wait() -> None:
    async with Crawl(Rules(rate=0.001)) as crawl:
        await crawl.finish(crawl.get(URL))
        with pytest.raises(TotalTimeout, match=r"request not sent to a\.test in 0\.01 s"):
            await crawl.client.get(URL, timeout=0.01)
        assert crawl.polite.host("a.test").waiting == 0


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_a_cancelled_request_leaves_the_turns_of_the_others(which: int) -> None:
    async with Crawl(Rules(rate=1)) as crawl:
        await crawl.finish(crawl.get(URL))
        tasks = crawl.get(*[f"http://a.test/{n}" for n in range(3)])
        await crawl.advance(0.5)
        tasks[which].cancel()
        left = [task for task in tasks if task is not tasks[which]]
        await crawl.finish(left)
    assert crawl.hosts.times() == [0, 1, 2]
    assert [start.target for start in crawl.hosts.starts[1:]] == [f"/{n}" for n in range(3) if n != which]


async def test_a_request_that_is_cancelled_when_it_is_granted_costs_no_turn() -> None:
    async with Crawl(Rules(rate=1)) as crawl:
        await crawl.finish(crawl.get(URL))
        first, second = crawl.get("http://a.test/1", "http://a.test/2")
        await crawl.advance()
        crawl.clock._now = 1
        crawl.polite._schedule._wake()
        first.cancel()  # its task has not gone on yet
        await crawl.finish([first, second])
        assert first.cancelled()
    assert [(start.at, start.target) for start in crawl.hosts.starts] == [(0, "/"), (1, "/2")]


async def test_a_request_that_is_cancelled_just_before_it_would_be_granted_is_passed_over() -> None:
    async with Crawl(Rules(rate=1)) as crawl:
        await crawl.finish(crawl.get(URL))
        first, second = crawl.get("http://a.test/1", "http://a.test/2")
        await crawl.advance()
        first.cancel()
        crawl.clock._now = 1
        crawl.polite._schedule._wake()
        await crawl.finish([first, second])
        assert first.cancelled()
    assert [(start.at, start.target) for start in crawl.hosts.starts] == [(0, "/"), (1, "/2")]


async def test_an_error_that_a_cancelled_request_does_not_see_is_not_reported() -> None:
    reports: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    async with Crawl(Rules(rate=1)) as crawl:
        first, second = crawl.get(URL, URL)
        await crawl.advance()
        crawl.polite._schedule.close()
        second.cancel()
        await asyncio.wait([first, second])
        assert second.cancelled()
    gc.collect()
    assert reports == []


async def test_closing_fails_waiting_requests() -> None:
    async with Crawl(Rules(rate=1)) as crawl:
        tasks = crawl.get(URL, URL, URL)
        await crawl.advance()
        await crawl.client.aclose()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result).__name__ for result in results] == ["Response", "ClientClosed", "ClientClosed"]
        with pytest.raises(ClientClosed):
            await crawl.polite.send(request_to("a.test"))
        assert crawl.polite.stats().waiting == 0
        assert crawl.hosts.is_closed


def test_another_loop_is_refused() -> None:
    polite = Polite(Hosts(ManualClock()))
    asyncio.run(_send(polite))
    with pytest.raises(ImproperConnectionState, match="belongs to another event loop"):
        asyncio.run(_send(polite))


async def _send(polite: Polite) -> None:
    await (await polite.send(request_to("a.test"))).aclose()


def test_a_response_that_outlives_its_loop_can_be_closed_and_dropped() -> None:
    polite = Polite(Hosts(ManualClock()), Rules(rate=1))
    closed = asyncio.run(polite.send(request_to("a.test")))
    dropped = asyncio.run(Polite(Hosts(ManualClock()), Rules(rate=1)).send(request_to("a.test")))
    closed.close()
    del dropped
    assert polite.stats().active == 0


async def test_a_polite_transport_around_another_one() -> None:
    clock = ManualClock()
    hosts = Hosts(clock)
    inner = Polite(hosts, Rules(rate=1), clock=clock)
    outer = Polite(inner, Rules(rate=0.25, burst=2), clock=clock)
    tasks = [asyncio.create_task(_send(outer)) for _ in range(4)]
    await clock.advance(20)
    await asyncio.gather(*tasks)
    assert hosts.times() == [0, 1, 4, 8]
    await outer.aclose()


async def test_a_polite_transport_around_another_one_counts_from_the_start() -> None:
    clock = ManualClock()
    hosts = Hosts(clock)
    outer = Polite(Polite(hosts, clock=clock), Rules(delay=1), clock=clock)
    tasks = [asyncio.create_task(outer.send(request_to("a.test", f"/held/{n}"))) for n in range(2)]
    await clock.advance(1)  # without a response to the first
    assert hosts.times() == [0, 1]
    for target in [*hosts.held]:
        hosts.release(target)
    for response in await asyncio.gather(*tasks):
        response.close()
    await outer.aclose()


async def test_the_clock_of_the_loop_calls_in_time() -> None:
    loop = asyncio.get_running_loop()
    clock = LoopClock(loop)
    called: asyncio.Future[float] = loop.create_future()
    when = clock.now() + 0.02
    clock.call_at(when, lambda: called.set_result(clock.now()))
    assert when - 0.002 <= await called  # uvloop's timers are up to a millisecond early
    assert abs(clock.unix() - time.time()) < 5


async def test_real_time_keeps_the_rate() -> None:
    starts: list[float] = []

    class Noting(Hosts):
        async def send(self, request: TransportRequest) -> LocalResponse:
            starts.append(time.monotonic())
            assert request.on_start is not None
            request.on_start()
            return LocalResponse()

    polite = Polite(Noting(ManualClock()), Rules(rate=50))
    await asyncio.gather(*(_send(polite) for _ in range(8)))
    gaps = [after - before for before, after in zip(starts, starts[1:], strict=False)]  # noqa: RUF007
    assert min(gaps) >= 0.0199
    await polite.aclose()


# Costs


class Forgetful(Hosts):
    """Hosts that keep nothing of a request."""

    async def send(self, request: TransportRequest) -> TransportResponse:
        response = await super().send(request)
        self.starts.clear()
        return response


async def test_hosts_without_requests_and_pauses_take_no_memory() -> None:
    async with Crawl(Rules(rate=1, burst=2, max_failures=5)) as crawl:
        await crawl.finish(crawl.get(*[f"http://h{n}.test/" for n in range(500)] * 2))
        assert crawl.polite.stats().hosts == 500
        await crawl.advance(2)
        schedule = crawl.polite._schedule
        assert (schedule.hosts, schedule._heap, crawl.clock.next_at) == ({}, [], None)


async def test_a_host_without_rules_about_time_is_forgotten_with_its_last_response() -> None:
    async with Crawl(Rules()) as crawl:
        await crawl.finish(crawl.get(URL))
        assert crawl.polite.stats() == (0, 0, 0)


async def test_outdated_entries_of_the_heap_are_dropped() -> None:
    async with Crawl(Rules(rate=100, recovery=1000), lambda _: LocalResponse(500)) as crawl:
        await crawl.finish(crawl.get("http://b.test/"))  # its entry stays before those of the other host
        for _ in range(100):  # between two requests the host is to be forgotten after its recovery
            await crawl.finish(crawl.get(URL))
        assert len(crawl.polite._schedule._heap) < 20


@pytest.mark.costs
async def test_100_000_hosts_at_rest_take_less_than_60_mb() -> None:
    clock, count = ManualClock(), 20_000
    polite = Polite(Forgetful(clock), Rules(rate=1, connections=2), clock=clock)
    await _send(polite)
    tracemalloc.start()
    try:
        for number in range(count):
            await (await polite.send(request_to(f"host-number-{number}.example.com"))).aclose()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert polite.stats().hosts == count + 1
    assert taken * 100_000 / count < 60e6
    await clock.advance(2)
    assert polite.stats().hosts == 0


@pytest.mark.costs
async def test_a_request_costs_the_same_with_100_000_hosts() -> None:
    clock = ManualClock()
    polite = Polite(Forgetful(clock), Rules(rate=1), clock=clock)
    times = []
    for part in range(10):
        started = time.process_time()
        for number in range(10_000):
            await (await polite.send(request_to(f"host-{part}-{number}.example.com"))).aclose()
        times.append(time.process_time() - started)
    assert polite.stats().hosts == 100_000
    assert min(times[7:]) < 2 * min(times[:3])
    await polite.aclose()
