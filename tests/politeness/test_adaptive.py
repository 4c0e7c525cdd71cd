"""Connections that adapt to the latency of a host."""

from typing import Any

import pytest

from asyncclient import ConnectError, LocalResponse
from asyncclient.politeness import Rules
from tests.politeness.hosts import Crawl


async def serve(crawl: Crawl, latency: float, answer: Any = None) -> int:
    """Answer all requests that are in progress after that latency; return how many there were."""
    await crawl.advance(latency)
    targets = [*crawl.hosts.held]
    for target in targets:
        crawl.hosts.release(target, answer)
    await crawl.advance()
    return len(targets)


def begin(crawl: Crawl, n: int) -> None:
    crawl.get(*[f"http://a.test/held/{number}" for number in range(n)])


async def test_the_limit_grows_by_one_with_each_round_of_fast_responses() -> None:
    async with Crawl(Rules(connections=5, target_latency=1)) as crawl:
        begin(crawl, 30)
        counts = [await serve(crawl, 0.5) for _ in range(8)]
        assert counts == sorted(counts)
        assert counts[:3] == [1, 2, 2]
        assert counts[-1] == 5


@pytest.mark.parametrize(
    ("latency", "answer"),
    [(1.5, None), (0.5, LocalResponse(500)), (0.5, ConnectError("refused")), (0.5, LocalResponse(429))],
    ids=["slow", "500", "error", "429"],
)
async def test_the_limit_halves_once_for_a_round_of_slow_or_failed_responses(latency: float, answer: Any) -> None:
    async with Crawl(Rules(connections=8, target_latency=1, backoff=0)) as crawl:
        begin(crawl, 200)
        while crawl.polite.host("a.test").connections < 8:
            await serve(crawl, 0.5)
        await serve(crawl, latency, answer)
        assert crawl.polite.host("a.test").connections == 4


async def test_the_limit_does_not_grow_with_sequential_requests() -> None:
    async with Crawl(Rules(connections=8, target_latency=1)) as crawl:
        for _ in range(9):
            await crawl.finish(crawl.get("http://a.test/"))
        assert crawl.polite.host("a.test").connections == 2


async def test_the_limit_is_forgotten_after_a_minute() -> None:
    async with Crawl(Rules(connections=8, target_latency=1)) as crawl:
        await crawl.finish(crawl.get("http://a.test/"))
        await crawl.advance(59)
        assert crawl.polite.stats().hosts == 1
        await crawl.advance(1)
        assert crawl.polite.stats().hosts == 0
