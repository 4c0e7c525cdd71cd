"""The circuit breaker: hosts that fail are left alone, and tried again by one request."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asyncclient import ConnectError, IncompleteRead, LocalResponse, PoolTimeout, StaleConnectionError
from asyncclient.politeness import CircuitOpen, HostResting, Rules
from tests.politeness.hosts import Crawl

URL = "http://a.test/"
RULES = Rules(connections=4, max_failures=2, recovery=10)


def failing() -> LocalResponse:
    return LocalResponse(500)


async def fail(crawl: Crawl, n: int = 2) -> None:
    """Let n requests fail in a row."""
    usual = crawl.hosts.answer
    crawl.hosts.answer = lambda _: ConnectError("refused")
    for _ in range(n):
        await crawl.finish(crawl.get(URL))
    crawl.hosts.answer = usual


def is_open(crawl: Crawl) -> bool:
    return crawl.polite.host("a.test").is_open


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: LocalResponse(500),
        lambda _: LocalResponse(502),
        lambda _: ConnectError("refused"),
        lambda _: ConnectionResetError("reset"),
        lambda _: IncompleteRead(b""),
        lambda _: TimeoutError("slow"),
    ],
)
async def test_failures_in_a_row_open_the_breaker(answer: Callable[[str], Any]) -> None:
    async with Crawl(RULES, answer) as crawl:
        await crawl.finish(crawl.get(URL, "http://b.test/"))
        assert not is_open(crawl)
        await crawl.finish(crawl.get(URL))
        assert is_open(crawl)
        with pytest.raises(CircuitOpen, match=r"the last 2 requests to a\.test failed, the next is tried in 10 s") as e:
            await crawl.client.get(URL)
        assert isinstance(e.value, HostResting)
        assert (e.value.host, e.value.seconds) == ("a.test", 10)
    assert len(crawl.hosts.times("a.test")) == 2


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: LocalResponse(404),
        lambda _: LocalResponse(429, headers={"Retry-After": "0.1"}),
        lambda _: StaleConnectionError(),
        lambda _: PoolTimeout("no place", "pool", 1.0),
        lambda _: ValueError("of the caller"),
    ],
)
async def test_other_endings_are_not_failures(answer: Callable[[str], Any]) -> None:
    async with Crawl(RULES, answer, retries=0) as crawl:
        for _ in range(5):
            await crawl.finish(crawl.get(URL))
        assert crawl.polite.host("a.test").failures == 0


async def test_a_success_between_failures_starts_the_count_again() -> None:
    async with Crawl(RULES) as crawl:
        for _ in range(3):
            await fail(crawl, 1)
            await crawl.finish(crawl.get(URL))
        assert not is_open(crawl)


async def test_truncated_content_in_a_row_opens_the_breaker() -> None:
    async def content() -> Any:
        yield b"abc"
        raise ConnectionResetError("reset")

    async with Crawl(RULES, lambda _: LocalResponse(content=content())) as crawl:
        await crawl.finish(crawl.get(URL))
        await crawl.finish(crawl.get(URL))
        assert is_open(crawl)
        assert crawl.polite.stats().active == 0


async def test_waiting_requests_fail_when_the_breaker_opens() -> None:
    async with Crawl(Rules(connections=2, max_failures=1, delay=50)) as crawl:
        first, *waiting = crawl.get("http://a.test/held/0", URL, URL)
        await crawl.advance()
        crawl.hosts.release("/held/0", failing())
        await crawl.finish([first])
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [CircuitOpen] * 2
        assert crawl.clock.now() == 0
        assert crawl.polite.stats().waiting == 0


async def test_one_request_is_tried_after_the_recovery_and_closes_the_breaker() -> None:
    async with Crawl(RULES) as crawl:
        await fail(crawl)
        await crawl.advance(10)
        (probe,) = crawl.get("http://a.test/held/probe")
        await crawl.advance()
        with pytest.raises(CircuitOpen):
            await crawl.client.get(URL)
        crawl.hosts.release("/held/probe")
        await crawl.finish([probe])
        assert not is_open(crawl)
        await crawl.finish(crawl.get(URL, URL))
    assert len(crawl.hosts.starts) == 5


async def test_a_probe_that_fails_begins_another_recovery() -> None:
    async with Crawl(RULES) as crawl:
        await fail(crawl)
        await crawl.advance(10)
        await fail(crawl, 1)
        await crawl.advance(9)
        with pytest.raises(CircuitOpen, match="the last 3 requests"):
            await crawl.client.get(URL)
        await crawl.advance(1)
        await crawl.finish(crawl.get(URL))
        assert not is_open(crawl)


@pytest.mark.parametrize("is_sent", [True, False])
async def test_a_cancelled_probe_leaves_its_turn_to_the_next_request(is_sent: bool) -> None:
    async with Crawl(Rules(max_failures=2, recovery=10, delay=20)) as crawl:
        await fail(crawl)
        await crawl.advance(20 if is_sent else 10)
        (probe,) = crawl.get("http://a.test/held/probe")
        await crawl.advance()
        assert ("/held/probe" in crawl.hosts.held) is is_sent
        probe.cancel()
        await asyncio.wait([probe])
        await crawl.finish(crawl.get(URL))
        assert not is_open(crawl)


async def test_the_head_of_a_stream_closes_the_breaker() -> None:
    async with Crawl(RULES) as crawl:
        await fail(crawl)
        await crawl.advance(10)
        async with crawl.client.stream("GET", URL):
            assert not is_open(crawl)


async def test_failures_are_forgotten_after_a_recovery_without_requests() -> None:
    async with Crawl(RULES) as crawl:
        await fail(crawl, 1)
        await crawl.advance(10)
        assert crawl.polite.stats().hosts == 0
        await fail(crawl, 1)
        assert not is_open(crawl)
