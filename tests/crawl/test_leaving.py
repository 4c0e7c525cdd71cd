"""Loops that are left, and crawlers that are closed or not open: no task waits for what does not come."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from asyncclient import ImproperConnectionState, InvalidURL
from asyncclient.crawl import Crawler, Page
from asyncclient.crawl.memory import MemoryFrontier
from asyncclient.politeness import Rules
from asyncclient.testing import MockTransport
from tests.crawl.sites import AGENT, page_with, site, tree

FAST = Rules(connections=8, backoff=0)
URLS = sorted(tree(3))


def crawler_of(transport: MockTransport, **options: Any) -> Crawler:
    return Crawler(**{"agent": AGENT, "rules": FAST, "transport": transport, **options})


async def first_of(crawler: Crawler) -> Page:
    async for page in crawler:
        return page
    raise AssertionError("no page")


async def rest_of(crawler: Crawler) -> list[str]:
    return [page.url async for page in crawler]


async def let_go_on() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.mark.timeout(20)
async def test_a_loop_after_one_that_was_left_ends() -> None:
    frontier = MemoryFrontier()
    async with crawler_of(site(tree(3)), frontier=frontier) as crawler:
        await crawler.add(URLS)
        first = await first_of(crawler)
        rest = await rest_of(crawler)
    assert sorted([first.url, *rest]) == URLS
    assert (await frontier.open()).done == 3


@pytest.mark.timeout(20)
async def test_a_loop_ends_when_another_one_was_left() -> None:
    async with crawler_of(site(tree(3))) as crawler:
        await crawler.add(URLS)
        first, rest = await asyncio.gather(first_of(crawler), rest_of(crawler))
    assert sorted([first.url, *rest]) == URLS


@pytest.mark.timeout(20)
async def test_a_loop_ends_when_another_one_was_cancelled_in_a_sink() -> None:
    class Stuck:
        def __init__(self) -> None:
            self.is_called = asyncio.Event()

        async def write(self, page: Page) -> None:
            if not self.is_called.is_set():
                self.is_called.set()
                await asyncio.Event().wait()

        async def flush(self) -> None: ...

        async def aclose(self) -> None: ...

    frontier, sink = MemoryFrontier(), Stuck()
    async with crawler_of(site(tree(3)), frontier=frontier, sinks=[sink]) as crawler:
        await crawler.add(URLS)
        loop = asyncio.create_task(rest_of(crawler))
        await sink.is_called.wait()
        loop.cancel()
        assert len(await rest_of(crawler)) == 2
    counts = await frontier.open()
    assert (counts.done, counts.waiting) == (2, 1)


async def test_a_page_is_finished_by_break_when_no_fetch_is_in_progress() -> None:
    frontier = MemoryFrontier()
    async with crawler_of(site(tree(1)), frontier=frontier) as crawler:
        await crawler.add("http://a.test/0")
        async for _ in crawler:
            await let_go_on()
            assert crawler.stats().running == 0
            break
    assert (await frontier.open()).done == 1


@pytest.mark.timeout(20)
async def test_a_loop_in_another_task_ends_with_the_crawler() -> None:
    async with crawler_of(site(tree(1))) as crawler:
        await crawler.add("http://a.test/0")
        pages = aiter(crawler)
        await anext(pages)
        loop = asyncio.create_task(rest_of(crawler))
        await let_go_on()
    assert await loop == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize("was_open", [False, True])
async def test_adding_to_a_crawler_that_is_not_open_is_an_error(*, was_open: bool) -> None:
    crawler = crawler_of(site({}))
    if was_open:
        async with crawler:
            pass
    with pytest.raises(ImproperConnectionState, match="not open"):
        await crawler.add("http://a.test/")
    await crawler.client.aclose()


@pytest.mark.timeout(20)
async def test_urls_before_an_invalid_one_are_added() -> None:
    async with crawler_of(site(tree(3))) as crawler:
        with pytest.raises(InvalidURL):
            await crawler.add(["http://a.test/0", "ftp://a.test/", "http://a.test/1"])
        assert await rest_of(crawler) == ["http://a.test/0"]


@pytest.mark.timeout(20)
async def test_a_crawl_ends_when_the_budget_of_a_host_is_spent_before_its_urls() -> None:
    frontier = MemoryFrontier()
    async with crawler_of(site(tree(3)), max_pages_per_host=1, frontier=frontier) as crawler:
        await crawler.add(URLS)
        assert len(await rest_of(crawler)) == 1
    counts = await frontier.open()
    assert (counts.done, counts.waiting) == (1, 2)


@pytest.mark.timeout(20)
async def test_links_that_are_added_after_the_end_are_fetched_by_the_next_loop() -> None:
    async with crawler_of(site({"http://a.test/": page_with("/1"), "http://a.test/1": page_with()})) as crawler:
        await crawler.add("http://a.test/")
        (page,) = [page async for page in crawler]
        assert await crawler.add_links(page) == 1
        assert await rest_of(crawler) == ["http://a.test/1"]


@pytest.mark.timeout(20)
async def test_a_meta_that_json_cannot_hold_does_not_end_the_crawl(tmp_path: Path) -> None:
    async with crawler_of(site(tree(3)), frontier=tmp_path / "crawl.db") as crawler:
        await crawler.add("http://a.test/1")
        with pytest.raises(TypeError, match="not JSON serializable"):
            await crawler.add("http://a.test/2", meta=object())
        assert await rest_of(crawler) == ["http://a.test/1"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("turns", range(60))
async def test_a_crawler_that_is_cancelled_at_any_moment_is_closed_and_loses_nothing(turns: int) -> None:
    frontier = MemoryFrontier()
    urls: list[str] = []

    async def run() -> None:
        async with crawler_of(site(tree(15)), frontier=frontier, connections=3, buffer=2) as crawler:
            await crawler.add("http://a.test/0")
            async for page in crawler:
                await crawler.add_links(page)
                urls.append(page.url)

    task = asyncio.create_task(run())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await run()
    assert set(urls) == set(tree(15))
    assert len(urls) <= 16
