"""Histories of crawls made at random: each URL is finished once, none is lost, and the figures are right."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from asyncclient import ConnectError, LocalResponse
from asyncclient.crawl import Crawler, Scope
from asyncclient.crawl.frontier import Frontier
from asyncclient.crawl.memory import MemoryFrontier
from asyncclient.crawl.sqlite import SQLiteFrontier
from asyncclient.politeness import Rules
from asyncclient.testing import ManualClock, MockTransport
from tests.crawl.sites import AGENT, page_with, redirect_to

HOSTS: Final = ("a.test", "b.test", "c.test")
SIZE: Final = 12
URLS: Final = [f"http://{HOSTS[n % 3]}/{n}" for n in range(SIZE)]

LINKS = st.lists(st.sampled_from(URLS), max_size=3).map(lambda urls: page_with(*urls))
ANSWERS = st.one_of(
    LINKS,
    st.sampled_from(URLS).map(redirect_to),
    st.sampled_from([404, 500]).map(LocalResponse),
    st.integers(1, 40).map(lambda seconds: LocalResponse(503, headers={"Retry-After": str(seconds)})),
    st.just(ConnectError("refused")),
)
SITES = st.fixed_dictionaries({url: st.lists(ANSWERS, min_size=1, max_size=3) for url in URLS})
ENDS = st.sampled_from(["end", "stop", "break", "fail", "cancel"])
RUNS = st.lists(st.tuples(ENDS, st.integers(0, 5), st.lists(st.sampled_from(URLS), max_size=3)), max_size=4)
OPTIONS = st.fixed_dictionaries(
    {
        "attempts": st.integers(1, 3),
        "connections": st.integers(1, 4),
        "buffer": st.integers(1, 3),
        "follow_redirects": st.booleans(),
        "rules": st.sampled_from([None, Rules(rate=2), Rules(connections=2, max_wait=5), Rules(max_failures=2)]),
    }
)


class Failed(Exception):
    """An error of the program."""


class History:
    """The crawls of one frontier, and the pages that were finished in them."""

    def __init__(self, answers: Mapping[str, Any], frontier: Frontier, options: dict[str, Any]) -> None:
        self.transport = MockTransport({f"GET {url}": [*given, *given[-1:] * 40] for url, given in answers.items()})
        self.frontier = frontier
        self.clock = ManualClock()
        self.options = options
        self.finished: Counter[str] = Counter()
        self.known: set[str] = set()

    async def run(self, end: str, after: int, urls: list[str]) -> None:
        task = asyncio.create_task(self._crawl(end, after, urls))
        for _ in range(800):
            if task.done():
                break
            await asyncio.sleep(0.001)  # threads, and the time in which changes are collected
            await self.clock.advance(30)
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            raise AssertionError("the crawl does not end")
        with suppress(Failed, asyncio.CancelledError):
            await task

    async def _crawl(self, end: str, after: int, urls: list[str]) -> None:
        crawler = Crawler(
            agent=AGENT,
            frontier=self.frontier,
            robots=False,
            scope=Scope(hosts=HOSTS),
            transport=self.transport,
            clock=self.clock,
            **self.options,
        )
        seen: list[str] = []
        kept = 0
        async with crawler:
            await crawler.add(urls)
            self.known |= set(urls)
            async for page in crawler:
                self.finished.update(seen[kept:])
                kept = len(seen)
                await crawler.add_links(page)
                seen.append(page.url)
                if len(seen) > after:
                    self._leave(end, crawler)
                    if end == "break":
                        break
            else:
                self.finished.update(seen[kept:])
                kept = len(seen)
            self.check_figures(crawler)
        self.finished.update(seen[kept:])

    def _leave(self, end: str, crawler: Crawler) -> None:
        task = asyncio.current_task()
        assert task is not None
        if end == "stop":
            crawler.stop()
        elif end == "fail":
            raise Failed
        elif end == "cancel":
            task.cancel()

    def check_figures(self, crawler: Crawler) -> None:
        figures = crawler.stats()
        assert figures.waiting >= 0
        assert figures.done >= 0
        assert figures.pages >= figures.errors


async def play(answers: Any, frontier: Frontier, options: dict[str, Any], runs: Any) -> None:
    history = History(answers, frontier, options)
    for end, after, urls in runs:
        await history.run(end, after, urls)
    await history.run("end", SIZE, [URLS[0]])
    assert not {url: n for url, n in history.finished.items() if n > 1}
    assert set(history.finished) >= history.known - redirecting(history)
    counts = await frontier.open()
    await frontier.aclose()
    assert counts.waiting == 0
    assert counts.done + counts.failed == len(requested(history))


def requested(history: History) -> set[str]:
    return {request.url for request in history.transport.requests}


def redirecting(history: History) -> set[str]:
    """URLs that were requested and gave no page: their redirects were followed."""
    return requested(history) - set(history.finished)


@settings(max_examples=60, deadline=None)
@given(answers=SITES, options=OPTIONS, runs=RUNS)
def test_histories_in_memory(answers: Any, options: dict[str, Any], runs: Any) -> None:
    asyncio.run(play(answers, MemoryFrontier(), options, runs))


@settings(max_examples=3, deadline=None)
@given(answers=SITES, options=OPTIONS, runs=RUNS)
def test_histories_in_a_file(answers: Any, options: dict[str, Any], runs: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(answers, SQLiteFrontier(Path(folder) / "crawl.db"), options, runs))
