"""Pauses that hosts ask for: Retry-After and back-off bind the host, whichever request got the response."""

import asyncio
from email.utils import formatdate

import pytest

from asyncclient import LocalResponse
from asyncclient.politeness import HostResting, Rules
from tests.politeness.hosts import Crawl

URL = "http://a.test/"


def refusal(status: int = 429, retry_after: str | None = None) -> LocalResponse:
    return LocalResponse(status, headers={} if retry_after is None else {"Retry-After": retry_after})


class Script:
    """Answers in order, whatever the target; afterwards 200."""

    def __init__(self, *given: LocalResponse) -> None:
        self.given = [*given]

    def __call__(self, target: str) -> LocalResponse:
        return self.given.pop(0) if self.given else LocalResponse(content="ok")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("7", 7), ("0.5", 0.5), ("0", 1), ("junk", 1), (None, 1), ("99999999", 3600), ("date", 90), ("past", 1)],
)
async def test_nothing_is_sent_to_the_host_until_its_pause_is_over(
    status: int, retry_after: str | None, seconds: float
) -> None:
    async with Crawl(Rules(connections=5)) as crawl:
        dates = {"date": formatdate(crawl.clock.unix() + 90, usegmt=True), "past": formatdate(0, usegmt=True)}
        crawl.hosts.answer = Script(refusal(status, dates.get(retry_after or "", retry_after)))
        await crawl.finish(crawl.get(URL))
        assert crawl.polite.host("a.test").resting == seconds
        await crawl.finish(crawl.get(URL, URL, "http://b.test/"))
    assert crawl.hosts.times("a.test") == [0, seconds, seconds]
    assert crawl.hosts.times("b.test") == [0]


async def test_other_statuses_with_retry_after_do_not_bind_the_host() -> None:
    async with Crawl(Rules(), Script(refusal(404, "9"), refusal(500, "9"))) as crawl:
        await crawl.finish(crawl.get(URL, URL, URL))
    assert crawl.hosts.times() == [0, 0, 0]


async def test_the_pause_doubles_until_a_request_succeeds() -> None:
    script = Script(*[refusal()] * 4, LocalResponse(), refusal())
    async with Crawl(Rules(backoff=2, max_backoff=10), script) as crawl:
        for _ in range(7):
            await crawl.finish(crawl.get(URL))
    assert crawl.hosts.times() == [0, 2, 6, 14, 24, 24, 26]


async def test_refusals_of_requests_in_progress_together_count_once() -> None:
    async with Crawl(Rules(connections=3)) as crawl:
        tasks = crawl.get(*[f"http://a.test/held/{n}" for n in range(3)])
        await crawl.advance()
        for target in [*crawl.hosts.held]:
            crawl.hosts.release(target, refusal())
        await crawl.finish(tasks)
        assert crawl.polite.host("a.test").resting == 1


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    async with Crawl(Rules(connections=2)) as crawl:
        tasks = crawl.get("http://a.test/held/0", "http://a.test/held/1")
        await crawl.advance()
        crawl.hosts.release("/held/0", refusal(503, "20"))
        crawl.hosts.release("/held/1", refusal(503, "2"))
        await crawl.finish(tasks)
        assert crawl.polite.host("a.test").resting == 20


async def test_the_back_off_is_forgotten_after_its_longest_pause() -> None:
    script = Script(refusal(), refusal(), refusal(), refusal())
    async with Crawl(Rules(max_backoff=10), script) as crawl:
        for _ in range(3):
            await crawl.finish(crawl.get(URL))
        await crawl.advance(4 + 10)
        assert crawl.polite.stats().hosts == 0
        await crawl.finish(crawl.get(URL))
        assert crawl.polite.host("a.test").resting == 1


async def test_a_request_that_may_not_wait_for_so_long_fails_at_once() -> None:
    async with Crawl(Rules(connections=1, max_wait=5)) as crawl:
        first, *waiting = crawl.get("http://a.test/held/0", URL, URL)
        await crawl.advance()
        assert crawl.polite.host("a.test").waiting == 2
        crawl.hosts.release("/held/0", refusal(429, "6"))
        await crawl.finish([first])
        for error in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(error, HostResting)
            assert (error.host, error.seconds) == ("a.test", 6)
        await crawl.advance(0.5)
        with pytest.raises(HostResting, match=r"a\.test asked for a pause of 5\.5 s more, and max_wait is 5 \(GET "):
            await crawl.client.get(URL)
        await crawl.advance(0.5)
        await crawl.finish(crawl.get(URL))
    assert crawl.hosts.times() == [0, 6]


async def test_requests_behind_a_pause_keep_to_the_rate_afterwards() -> None:
    async with Crawl(Rules(rate=1, burst=2, connections=9), Script(refusal(429, "10"))) as crawl:
        await crawl.finish(crawl.get(URL))
        await crawl.finish(crawl.get(*[URL] * 4))
    assert crawl.hosts.times() == [0, 10, 10, 11, 12]
