"""A crawl over the workers of a dask cluster, which are processes."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("distributed")

from distributed import Client

from asyncclient import ConnectError
from asyncclient.contrib.dask import ClusterCrawler, RemotePage
from asyncclient.crawl import Page
from asyncclient.politeness import RobotsDisallowed, Rules
from tests.contrib.cluster import DaskCluster, Site, page, running_cluster

AGENT = "testbot/1.0"
FREE = Rules(connections=4)
SLOW = Rules(connections=1, delay=0.4)

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with running_cluster(tmp_path_factory.mktemp("dask"), workers=3) as running:
        yield running


@pytest.fixture
async def early_client(cluster: DaskCluster) -> AsyncIterator[Client]:
    """A client of the cluster, whose workers may still be starting."""
    connecting: Any = Client
    async with connecting(scheduler_file=cluster.file, asynchronous=True) as client:
        yield client


@pytest.fixture
async def client(cluster: DaskCluster, early_client: Client) -> Client:
    waiting: Any = early_client.wait_for_workers  # a coroutine, as the client is asynchronous
    await waiting(cluster.workers)
    return early_client


def answer(host: str, target: str) -> bytes:
    number = int(target.rpartition("/")[2]) if target.rpartition("/")[2].isdecimal() else 0
    if target == "/robots.txt":
        return page("User-agent: *\nDisallow: /private", fields="")
    if target.startswith("/moved"):
        return page(status="302 Found", fields=f"Location: /page/{number}\r\n")
    if target.startswith("/missing"):
        return page("not found", status="404 Not Found")
    return page(f'<a href="/page/{number + 1}">next</a>' if number < 3 else "end")


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(answer) as site:
        yield site


async def gather(crawler: ClusterCrawler, urls: list[str], *, follows: bool = False) -> list[RemotePage]:
    await crawler.add(urls)
    pages = []
    async for found in crawler:
        pages.append(found)
        if follows:
            await crawler.add_links(found)
    return pages


def describe(found: Page) -> tuple[int | None, int]:
    return found.status, found.size


async def test_workers_join_a_crawl_that_has_begun(cluster: DaskCluster, early_client: Client, site: Site) -> None:
    """The first test: the processes of the workers have just been started."""
    async with ClusterCrawler(early_client, agent=AGENT, rules=FREE, robots=False, on_page=describe) as crawler:
        for number in count():
            urls = [site.url(host, f"/page/{9 + number}") for host in range(1, 31)]
            pages = await gather(crawler, urls)
            assert sorted(page.url for page in pages) == sorted(urls)
            if len(crawler.workers) == cluster.workers:
                break
        assert crawler.stats().done == 30 * (number + 1)
    assert max(site.count().values()) == 1


async def test_every_url_is_fetched_once_and_each_host_by_one_worker(
    cluster: DaskCluster, client: Client, site: Site
) -> None:
    urls = [site.url(host, f"/page/{9 + number}") for number in range(25) for host in range(1, 41)]
    async with ClusterCrawler(client, agent=AGENT, rules=FREE, robots=False, on_page=describe) as crawler:
        pages = await gather(crawler, urls)
    assert sorted(page.url for page in pages) == sorted(urls)
    assert {page.value for page in pages} == {(200, 3)}
    assert {(page.size, page.ok, page.response, page.reason) for page in pages} == {(3, True, None, "")}
    assert len({page.digest for page in pages}) == 1
    assert max(site.count().values()) == 1
    workers: dict[str, set[str]] = {}
    for found in pages:
        workers.setdefault(found.entry.host, set()).add(found.worker)
    assert {len(found) for found in workers.values()} == {1}
    assert len(set.union(*workers.values())) == cluster.workers


# Results


async def test_links_redirects_and_failures(client: Client, site: Site) -> None:
    urls = [site.url(1, "/page/0"), site.url(2, "/moved/7"), site.url(3, "/missing"), "http://127.0.0.4:1/"]
    async with ClusterCrawler(client, agent=AGENT, rules=FREE, robots=False, links=True, attempts=1) as crawler:
        pages = await gather(crawler, urls, follows=True)
        stats = crawler.stats()
    by_url = {found.url: found for found in pages}
    first = by_url[site.url(1, "/page/0")]
    assert list(first.links) == [site.url(1, "/page/1")]
    assert by_url[site.url(1, "/page/3")].depth == 3
    assert by_url[site.url(2, "/page/7")].ok
    assert site.url(2, "/moved/7") not in by_url
    assert (by_url[urls[2]].status, by_url[urls[2]].reason) == (404, "404 Not Found")
    refused = by_url[urls[3]]
    assert isinstance(refused.error, ConnectError)
    assert (refused.status, refused.size, refused.error.request) == (None, 0, None)
    assert (len(pages), stats.done, stats.failed, stats.redirects) == (7, 6, 2, 1)


async def test_robots_txt_is_obeyed_on_the_workers(client: Client, site: Site) -> None:
    urls = [site.url(host, target) for host in (1, 2, 3) for target in ("/private/1", "/page/5")]
    async with ClusterCrawler(client, agent=AGENT, rules=FREE) as crawler:
        pages = await gather(crawler, urls)
    errors = {found.url: type(found.error) for found in pages if found.error}
    assert errors == {url: RobotsDisallowed for url in urls if "/private" in url}
    assert not site.count("/private")
    assert set(site.count("/robots.txt").values()) == {1}


async def lock_or_fail(found: Page) -> object:
    await asyncio.sleep(0)
    if found.url.endswith("/5"):
        raise ValueError("no data")
    return threading.Lock() if found.url.endswith("/6") else found.url


async def test_a_failing_function_fails_its_page_alone(client: Client, site: Site) -> None:
    urls = [site.url(1, f"/page/{number}") for number in range(4, 8)]
    async with ClusterCrawler(client, agent=AGENT, rules=FREE, robots=False, on_page=lock_or_fail) as crawler:
        pages = await gather(crawler, urls)
        assert crawler.stats().failed == 2
    reasons = {found.url: found.reason for found in pages}
    assert reasons[urls[1]] == "on_page: ValueError: 'no data'"
    assert reasons[urls[2]].startswith("on_page: TypeError: ")
    assert [found.value for found in pages if not found.reason] == [found.url for found in pages if not found.reason]


class Lines:
    """A sink of the sizes of pages, in a file for each worker."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []

    async def write(self, found: Page) -> None:
        assert found.response is not None
        self._lines.append(f"{found.url} {found.response.text}\n")

    async def flush(self) -> None:
        with self._path.open("a") as file:
            file.writelines(self._lines)
        self._lines.clear()

    async def aclose(self) -> None:
        await self.flush()
        self._path.with_suffix(".closed").touch()


async def test_content_stays_in_the_sinks_of_the_workers(
    cluster: DaskCluster, client: Client, site: Site, tmp_path: Path
) -> None:
    urls = [site.url(host, f"/page/{number}") for host in range(1, 13) for number in range(4, 8)]

    def open_sink(worker: str) -> Lines:
        return Lines(tmp_path / f"{worker}.txt")

    async with ClusterCrawler(client, agent=AGENT, rules=FREE, robots=False, sink=open_sink) as crawler:
        pages = await gather(crawler, urls)
        assert {found.response for found in pages} == {None}
        written = [path.read_text() for path in tmp_path.glob("*.txt")]
        assert sorted("".join(written).splitlines()) == sorted(f"{url} end" for url in urls)
    assert len(list(tmp_path.glob("*.closed"))) == cluster.workers


class Full(Lines):
    async def flush(self) -> None:
        raise OSError(28, "no space left on device")


async def test_an_error_of_a_sink_ends_the_crawl(client: Client, site: Site, tmp_path: Path) -> None:
    crawler = ClusterCrawler(client, agent=AGENT, rules=FREE, robots=False, sink=lambda worker: Full(tmp_path / worker))
    with pytest.raises(OSError, match="no space left"):
        async with crawler:
            await gather(crawler, [site.url(1, "/page/4")])


# Opening and closing


def list_plugins(dask_worker: Any) -> list[str]:
    return [name for name in dask_worker.plugins if name.startswith("asyncclient")]


async def test_a_crawler_leaves_nothing_on_the_workers(client: Client, site: Site) -> None:
    async with ClusterCrawler(client, agent=AGENT, rules=FREE, robots=False) as crawler:
        await crawler.add(site.url(1, "/page/4"))
        async for _ in crawler:
            assert {len(names) for names in (await client.run(list_plugins)).values()} == {1}
            break
    assert not any((await client.run(list_plugins)).values())


async def test_two_crawlers_share_a_cluster(client: Client, site: Site) -> None:
    async with (
        ClusterCrawler(client, agent=AGENT, rules=FREE, robots=False) as one,
        ClusterCrawler(client, agent=AGENT, rules=FREE, robots=False) as other,
    ):
        found = await asyncio.gather(
            gather(one, [site.url(1, "/page/4")]), gather(other, [site.url(2, f"/page/{n}") for n in (5, 6)])
        )
    assert [len(pages) for pages in found] == [1, 2]


async def test_a_worker_that_cannot_open_its_sink_is_an_error(client: Client, tmp_path: Path) -> None:
    def fail(worker: str) -> Lines:
        raise PermissionError("no folder for the sink")

    with pytest.raises(PermissionError, match="no folder"):
        async with ClusterCrawler(client, agent=AGENT, sink=fail):
            pass
    assert not any((await client.run(list_plugins)).values())


class Blocking:
    asynchronous = False


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"client": Blocking()}, "expected a dask Client with asynchronous=True"),
        ({"connections": 0}, "connections"),
        ({"batch": 100, "window": 50}, "window"),
    ],
)
async def test_invalid_arguments_are_refused(client: Client, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ClusterCrawler(**{"client": client, "agent": AGENT, **options})


# Workers that leave the cluster, for good


class Fetch(NamedTuple):
    """A fetch: the process of the worker, and when the request was started there, on the clock of all processes."""

    process: int
    started: float


def note_fetch(found: Page) -> Fetch:
    assert found.response is not None
    return Fetch(os.getpid(), found.response.timings.started)


def check_gaps(pages: list[RemotePage]) -> None:
    """Check the seconds between two requests to a host, also where another worker has sent the second one."""
    by_host: dict[str, list[float]] = {}
    for found in pages:
        by_host.setdefault(found.entry.host, []).append(found.value.started)
    for times in by_host.values():
        assert min(after - before for before, after in pairwise(sorted(times))) > 0.9 * SLOW.delay


async def test_a_killed_worker_loses_no_url_and_no_politeness(cluster: DaskCluster, client: Client, site: Site) -> None:
    urls = [site.url(host, f"/page/{number}") for number in range(3, 6) for host in range(1, 19)]
    pages: list[RemotePage] = []
    async with ClusterCrawler(client, agent=AGENT, rules=SLOW, robots=False, on_page=note_fetch) as crawler:
        await crawler.add(urls)
        cluster.workers -= 1
        async for found in crawler:
            if not pages:
                os.kill(found.value.process, signal.SIGKILL)
                killed = time.monotonic()
            pages.append(found)
        assert len(crawler.workers) == cluster.workers
        assert (crawler.stats().done, crawler.stats().failed) == (len(urls), 0)
    assert sorted(found.url for found in pages) == sorted(urls)
    asked = site.count()
    assert max(asked.values()) <= 2
    repeated = [found for found in pages if asked[found.entry.host, found.url.partition(f":{site.port}")[2]] == 2]
    assert all(found.value.started > killed + SLOW.delay for found in repeated)
    check_gaps(pages)


async def test_a_retired_worker_returns_its_urls(cluster: DaskCluster, client: Client, site: Site) -> None:
    urls = [site.url(host, f"/page/{number}") for number in range(3, 6) for host in range(1, 13)]
    retiring: Any = client.retire_workers
    pages: list[RemotePage] = []
    async with ClusterCrawler(client, agent=AGENT, rules=SLOW, robots=False, on_page=note_fetch) as crawler:
        await crawler.add(urls)
        cluster.workers -= 1
        async for found in crawler:
            if not pages:
                await retiring([found.worker], close_workers=True)
            pages.append(found)
        assert len(crawler.workers) == cluster.workers
    assert sorted(found.url for found in pages) == sorted(urls)
    assert max(site.count().values()) <= 2
    check_gaps(pages)
