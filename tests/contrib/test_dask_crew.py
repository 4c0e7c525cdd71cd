"""Workers that join, leave and are lost in mid-crawl, in this process."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest

from asyncclient.contrib.dask import ClusterCrawler, RemotePage, WorkerLost
from asyncclient.crawl import Page
from asyncclient.politeness import Rules
from tests.client.answering import becomes_true
from tests.contrib.cluster import Site, page
from tests.contrib.fake_dask import FakeDask, FakeWorker

AGENT = "testbot/1.0"
FREE = Rules(connections=4)


@pytest.fixture
async def dask() -> AsyncIterator[FakeDask]:
    dask = FakeDask()
    for name in ("a", "b"):
        await dask.add_worker(name)
    yield dask
    assert all(not worker.plugins for worker in dask.workers.values())


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(lambda host, target: page("end")) as site:
        yield site


def open_crawler(dask: FakeDask, rules: Rules = FREE, **options: Any) -> ClusterCrawler:
    client: Any = dask
    return ClusterCrawler(client, agent=AGENT, rules=rules, robots=False, **options)


async def gather(crawler: ClusterCrawler, urls: list[str]) -> list[RemotePage]:
    await crawler.add(urls)
    return [found async for found in crawler]


async def test_hosts_move_to_a_worker_that_joins(dask: FakeDask, site: Site) -> None:
    urls = [site.url(host, f"/{number}") for number in range(40) for host in range(1, 25)]
    pages: list[RemotePage] = []
    async with open_crawler(dask, Rules(connections=1, delay=0.05)) as crawler:
        await crawler.add(urls)
        async for found in crawler:
            if not pages:
                await dask.add_worker("c")
            pages.append(found)
    assert sorted(found.url for found in pages) == sorted(urls)
    assert len({found.worker for found in pages}) == 3
    assert max(site.count().values()) == 1
    by_host: dict[str, list[str]] = {}
    for found in pages:
        workers = by_host.setdefault(found.entry.host, [])
        if found.worker not in workers[-1:]:
            workers.append(found.worker)
    moved = [workers for workers in by_host.values() if len(workers) > 1]
    assert 0 < len(moved) < 24
    assert {tuple(workers[1:]) for workers in moved} == {("tcp://c",)}


@pytest.mark.parametrize("is_orderly", [True, False])
async def test_a_lost_worker_loses_no_url_and_no_politeness(dask: FakeDask, site: Site, is_orderly: bool) -> None:
    urls = [site.url(host, f"/{number}") for number in range(4) for host in range(1, 25)]
    pages: list[RemotePage] = []
    async with open_crawler(dask, Rules(connections=1, rate=5)) as crawler:
        await crawler.add(urls)
        async for found in crawler:
            if not pages:
                await (dask.close_worker if is_orderly else dask.kill_worker)(found.worker)
            pages.append(found)
        assert crawler.workers == [*dask.workers]
        assert crawler.stats().done == len(urls)
    assert sorted(found.url for found in pages) == sorted(urls)
    assert len({found.worker for found in pages}) == 2
    assert max(site.count().values()) <= 2
    assert min(site.gaps()) > 0.1  # 0.2, or less on a machine that holds the site up for a moment


async def test_a_url_with_which_two_workers_are_lost_has_failed(dask: FakeDask, site: Site) -> None:
    await dask.add_worker("c")
    url = site.url(1, "/")
    async with open_crawler(dask, on_page=wait_without_end) as crawler:
        gathering = asyncio.create_task(gather(crawler, [url]))
        for number in (1, 2):
            assert await becomes_true(partial(has_arrivals, site, number))
            (busy,) = [worker for worker in dask.workers.values() if running_on(worker)]
            await dask.kill_worker(busy.address)
        (failed,) = await gathering
        assert crawler.stats().failed == 1
    assert (failed.url, failed.status, failed.ok) == (url, None, False)
    assert isinstance(failed.error, WorkerLost)
    assert failed.reason.startswith("WorkerLost: the worker tcp://")


def has_arrivals(site: Site, number: int) -> bool:
    return len(site.arrivals) == number


def running_on(worker: FakeWorker) -> int:
    """Return how many fetches are in progress on a worker."""
    return sum(plugin.fetcher.running for plugin in worker.plugins.values())


async def wait_without_end(found: Page) -> None:
    await asyncio.Event().wait()
