"""The crawler: which pages it returns, what it tries again, and what it does when the program ends early."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator

from asyncclient import ConnectError, ImproperConnectionState, InvalidURL, LocalResponse
from asyncclient.crawl import WARC, Crawler, Files, FrontierError, JSONLines, Page, Scope, Sink
from asyncclient.crawl.base import MOST_HOPS, BaseCrawler, CrawlOptions
from asyncclient.crawl.memory import MemoryFrontier
from asyncclient.politeness import RobotsDisallowed, Rules
from asyncclient.testing import ManualClock, MockTransport, RawServer
from tests.crawl.sites import AGENT, crawl, fetched, page_with, redirect_to, site, tree

FAST = Rules(connections=8, backoff=0)


def crawler_of(transport: MockTransport, **options: Any) -> Crawler:
    return Crawler(**{"agent": AGENT, "rules": FAST, "transport": transport, **options})


async def test_each_page_is_fetched_once() -> None:
    transport = site(tree(100))
    pages = await crawl(crawler_of(transport), "http://a.test/0")
    assert {page.url for page in pages} == set(tree(100))
    assert sorted(fetched(transport)) == sorted(tree(100))
    assert all(page.ok and page.status == 200 and page.error is None for page in pages)


SINKS: list[Callable[[Path], dict[str, Any]]] = [
    lambda path: {"sinks": [JSONLines(path / "pages.jsonl")]},
    lambda path: {"sinks": [JSONLines(path / "pages.jsonl.gz", max_size=100)]},
    lambda path: {"sinks": [Files(path / "files")]},
    lambda path: {"warc": WARC(path / "archive")},
    lambda path: {"frontier": path / "crawl.db", "sinks": [JSONLines(path.parent / "pages.jsonl")]},
]


@pytest.mark.parametrize("make", SINKS)
async def test_a_folder_that_cannot_be_written_to_stops_a_crawl_before_its_first_request(
    make: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    transport = site(tree(10))
    (tmp_path / "file").touch()
    for folder, is_possible in ((tmp_path / "file", False), (tmp_path / "missing" / "too", True)):
        crawler = crawler_of(transport, **make(folder))
        if is_possible:
            assert len(await crawl(crawler, "http://a.test/0")) == 10
            assert folder.is_dir()
        else:
            with pytest.raises((NotADirectoryError, FileExistsError, FrontierError), match="file"):
                await crawl(crawler, "http://a.test/0")
            assert fetched(transport) == []


async def test_a_sink_without_open_is_a_sink() -> None:
    class Written:
        def __init__(self) -> None:
            self.pages: list[Page] = []

        async def write(self, page: Page) -> None:
            self.pages.append(page)

        async def flush(self) -> None:
            pass

        async def aclose(self) -> None:
            pass

    sink = Written()
    sinks: list[Sink] = [sink]
    await crawl(crawler_of(site(tree(3)), sinks=sinks), "http://a.test/0")
    assert len(sink.pages) == 3


async def test_depth_counts_links() -> None:
    pages = await crawl(crawler_of(site(tree(31)), max_depth=2), "http://a.test/0")
    assert sorted(page.depth for page in pages) == [0, 1, 1, 2, 2, 2, 2]


async def test_links_to_other_hosts_are_out_of_scope() -> None:
    transport = site({"http://a.test/": page_with("http://b.test/", "/1"), "http://a.test/1": page_with()})
    pages = await crawl(crawler_of(transport), "http://a.test/")
    assert [page.url for page in pages] == ["http://a.test/", "http://a.test/1"]


async def test_a_scope_names_hosts() -> None:
    transport = site({"http://a.test/": page_with("http://b.test/", "/1"), "http://b.test/": page_with()})
    pages = await crawl(crawler_of(transport, scope=Scope(hosts=["b.test"])), "http://a.test/")
    assert [page.url for page in pages] == ["http://a.test/", "http://b.test/"]


async def test_different_forms_of_a_url_are_fetched_once() -> None:
    transport = site({"http://a.test/": page_with(), "http://a.test/~b": page_with()})
    urls = ["HTTP://A.test:80", "http://a.test/#x", "http://a.test/%7Eb", "http://a.test/./~b"]
    await crawl(crawler_of(transport), urls)
    assert sorted(fetched(transport)) == ["http://a.test/", "http://a.test/~b"]


async def test_an_invalid_url_is_an_error() -> None:
    async with crawler_of(site({})) as crawler:
        with pytest.raises(InvalidURL):
            await crawler.add("ftp://a.test/")


async def test_urls_may_be_in_an_async_iterable() -> None:
    async def names() -> AsyncIterator[str]:
        for n in range(3):
            yield f"http://a.test/{n}"

    transport = site(tree(3))
    async with crawler_of(transport) as crawler:
        await crawler.add(names())
        assert [page.ok async for page in crawler] == [True] * 3


async def test_priority_and_meta_are_kept() -> None:
    transport = site(tree(3))
    async with crawler_of(transport, connections=1) as crawler:
        await crawler.add("http://a.test/0", meta={"n": 0})
        await crawler.add("http://a.test/1", priority=-1)
        await crawler.add("http://a.test/2", priority=5, meta=[2])
        pages = [page async for page in crawler]
    assert [(page.url[-1], page.meta) for page in pages] == [("2", [2]), ("0", {"n": 0}), ("1", None)]


# Failures


async def test_a_passing_status_is_tried_again() -> None:
    clock = ManualClock()
    transport = site({"http://a.test/": [500, 502, page_with()]})
    async with crawler_of(transport, clock=clock) as crawler:
        await crawler.add("http://a.test/")
        task = asyncio.create_task(_list(crawler))
        await clock.advance(0.9)
        assert len(fetched(transport)) == 1
        await clock.advance(0.2)
        assert len(fetched(transport)) == 2
        await clock.advance(2.1)
        (page,) = await task
        assert page.ok
        assert crawler.stats().retries == 2


async def test_a_lasting_status_is_returned_after_the_last_attempt() -> None:
    clock = ManualClock()
    transport = site({"http://a.test/": 500})
    frontier = MemoryFrontier()
    async with crawler_of(transport, clock=clock, frontier=frontier, attempts=2) as crawler:
        await crawler.add("http://a.test/")
        task = asyncio.create_task(_list(crawler))
        await clock.advance(10)
        (page,) = await task
        assert (page.status, page.ok, page.error) == (500, False, None)
        assert len(fetched(transport)) == 2
        failures = [(entry.url, reason) async for entry, reason in frontier.failures()]
    assert failures == [("http://a.test/", "500 Internal Server Error")]


async def test_a_network_error_is_returned_after_the_last_attempt() -> None:
    clock = ManualClock()
    transport = site({"http://a.test/": ConnectError("no connection to a.test")})
    frontier = MemoryFrontier()
    async with crawler_of(transport, clock=clock, frontier=frontier) as crawler:
        await crawler.add("http://a.test/")
        task = asyncio.create_task(_list(crawler))
        await clock.advance(10)
        (page,) = await task
        assert isinstance(page.error, ConnectError)
        assert (page.response, page.status, page.ok) == (None, None, False)
        assert len(fetched(transport)) == 3
        (reason,) = [reason async for _, reason in frontier.failures()]
        assert "ConnectError" in reason


async def test_a_missing_page_is_not_tried_again() -> None:
    transport = site({"http://a.test/": 404})
    (page,) = await crawl(crawler_of(transport), "http://a.test/")
    assert page.status == 404
    assert len(fetched(transport)) == 1


async def test_a_page_disallowed_by_robots_txt_is_an_error() -> None:
    transport = MockTransport({"GET http://a.test/robots.txt": LocalResponse(content="User-agent: *\nDisallow: /x")})
    (page,) = await crawl(crawler_of(transport), "http://a.test/x")
    assert isinstance(page.error, RobotsDisallowed)
    assert fetched(transport) == []


async def test_without_robots_nothing_is_asked() -> None:
    transport = MockTransport({"GET http://a.test/x": 200})
    (page,) = await crawl(crawler_of(transport, robots=False), "http://a.test/x")
    assert page.ok


async def test_content_has_a_limit() -> None:
    transport = site({"http://a.test/": LocalResponse(content="x" * 1001)})
    (page,) = await crawl(crawler_of(transport, max_content=1000), "http://a.test/")
    assert "ContentTooLarge" in page.reason


# Redirects


async def test_the_target_of_a_redirect_is_fetched_once() -> None:
    transport = site(
        {
            "http://a.test/1": redirect_to("/3"),
            "http://a.test/2": redirect_to("http://a.test/3"),
            "http://a.test/3": page_with(),
        }
    )
    crawler = crawler_of(transport)
    pages = await crawl(crawler, ["http://a.test/1", "http://a.test/2"])
    assert [page.url for page in pages] == ["http://a.test/3"]
    assert fetched(transport).count("http://a.test/3") == 1
    assert crawler.stats().redirects == 2
    assert crawler.stats().done == 3


async def test_the_first_url_may_lead_to_another_host() -> None:
    transport = site(
        {
            "http://a.test/": redirect_to("http://shop.test/"),
            "http://shop.test/": page_with("/1"),
            "http://shop.test/1": redirect_to("http://other.test/"),
        }
    )
    pages = await crawl(crawler_of(transport), "http://a.test/")
    assert [(page.url, page.status) for page in pages] == [("http://shop.test/", 200), ("http://shop.test/1", 302)]


async def test_redirects_in_a_row_have_a_limit() -> None:
    chain = {f"http://a.test/{n}": redirect_to(f"/{n + 1}") for n in range(MOST_HOPS + 5)}
    transport = site(chain)
    (page,) = await crawl(crawler_of(transport), "http://a.test/0")
    assert page.url == f"http://a.test/{MOST_HOPS}"
    assert len(fetched(transport)) == MOST_HOPS + 1


async def test_redirects_are_pages_if_they_are_not_followed() -> None:
    transport = site({"http://a.test/": redirect_to("/1")})
    (page,) = await crawl(crawler_of(transport, follow_redirects=False), "http://a.test/")
    assert page.status == 302


async def test_a_redirect_to_an_invalid_url_is_a_page() -> None:
    transport = site({"http://a.test/": redirect_to("mailto:a@b.test")})
    (page,) = await crawl(crawler_of(transport), "http://a.test/")
    assert page.status == 302


# Budgets


async def test_pages_have_a_budget() -> None:
    transport = site(tree(50))
    crawler = crawler_of(transport, max_pages=7)
    pages = await crawl(crawler, "http://a.test/0")
    assert len(pages) == len(fetched(transport)) == 7
    assert crawler.stats().waiting > 0


async def test_pages_of_a_host_have_a_budget() -> None:
    transport = site({**tree(20, "a.test"), **tree(3, "b.test")})
    pages = await crawl(crawler_of(transport, max_pages_per_host=4), ["http://a.test/0", "http://b.test/0"])
    assert sorted(page.entry.host for page in pages) == ["a.test"] * 4 + ["b.test"] * 3


async def test_budgets_hold_over_a_restart(tmp_path: Path) -> None:
    transport = site(tree(20))
    path = tmp_path / "crawl.db"
    await crawl(crawler_of(transport, frontier=path, max_pages=3), "http://a.test/0")
    await crawl(crawler_of(site(tree(20)), frontier=path, max_pages=5), "http://a.test/0")
    async with crawler_of(transport, frontier=path) as crawler:
        assert crawler.stats().done == 5


async def test_followed_redirects_do_not_use_the_budget_of_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "crawl.db"
    answers = {
        "http://a.test/1": redirect_to("/2"),
        "http://a.test/2": redirect_to("/3"),
        "http://a.test/3": page_with("/4"),
        "http://a.test/4": page_with("/5"),
    }
    first = await crawl(crawler_of(site(answers), frontier=path, max_pages=1), "http://a.test/1")
    second = await crawl(crawler_of(site(answers), frontier=path, max_pages=2), ())
    assert [page.url[-1] for page in (*first, *second)] == ["3", "4"]


# Politeness


async def test_a_host_is_asked_at_its_rate() -> None:
    clock = ManualClock()
    transport = site({**tree(3, "a.test"), **tree(3, "b.test")})
    async with crawler_of(transport, rules=Rules(rate=1), clock=clock, robots=False) as crawler:
        await crawler.add([*tree(3, "a.test"), *tree(3, "b.test")])
        task = asyncio.create_task(_list(crawler))
        for seconds in range(3):
            await clock.advance(0.01)
            assert len(fetched(transport)) == 2 * (seconds + 1)
            await clock.advance(0.99)
        assert len(await task) == 6


async def test_a_resting_host_does_not_hold_up_others() -> None:
    clock = ManualClock()
    busy = LocalResponse(429, headers={"Retry-After": "3600"})
    transport = site({"http://a.test/0": [busy, page_with()], **tree(50, "b.test")})
    async with crawler_of(transport, clock=clock, connections=2) as crawler:
        await crawler.add("http://a.test/0")
        await crawler.add(tree(50, "b.test"))
        task = asyncio.create_task(_list(crawler))
        await clock.advance(5)
        assert len(fetched(transport)) == 51
        await clock.advance(3600)
        assert len(await task) == 51


# The loop of the program


async def test_a_slow_loop_holds_the_crawl_up() -> None:
    transport = site(tree(100))
    async with crawler_of(transport, connections=2, buffer=3) as crawler:
        await crawler.add(tree(100))
        pages = aiter(crawler)
        await anext(pages)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(fetched(transport)) <= 1 + 3 + 2
        assert crawler.stats().ready == 3


async def test_several_loops_share_the_pages() -> None:
    transport = site(tree(40))
    async with crawler_of(transport) as crawler:
        await crawler.add("http://a.test/0")
        found: list[str] = []

        async def work() -> None:
            async for page in crawler:
                await crawler.add_links(page)
                found.append(page.url)

        await asyncio.gather(work(), work(), work())
    assert sorted(found) == sorted(tree(40))


async def test_urls_may_be_added_after_the_end() -> None:
    async with crawler_of(site(tree(2))) as crawler:
        await crawler.add("http://a.test/0")
        assert len(await _list(crawler)) == 1
        await crawler.add("http://a.test/1")
        assert len(await _list(crawler)) == 1


async def test_a_crawl_without_urls_ends_at_once() -> None:
    async with crawler_of(site({})) as crawler:
        assert await _list(crawler) == []


async def test_stop_ends_the_loop_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "crawl.db"
    urls: list[str] = []
    async with crawler_of(site(tree(30)), frontier=path, connections=2, buffer=2) as crawler:
        await crawler.add(tree(30))
        async for page in crawler:
            urls.append(page.url)
            if len(urls) == 5:
                crawler.stop()
    assert 5 <= len(urls) < 30
    urls += [page.url for page in await crawl(crawler_of(site(tree(30)), frontier=path), ())]
    assert sorted(urls) == sorted(tree(30))


async def test_a_page_is_finished_when_its_loop_is_left_with_break(tmp_path: Path) -> None:
    path = tmp_path / "crawl.db"
    async with crawler_of(site(tree(3)), frontier=path, connections=1) as crawler:
        await crawler.add(tree(3))
        async for page in crawler:
            first = page.url
            break
    rest = [page.url for page in await crawl(crawler_of(site(tree(3)), frontier=path), ())]
    assert sorted([first, *rest]) == sorted(tree(3))


async def test_a_page_is_fetched_again_after_its_loop_has_failed(tmp_path: Path) -> None:
    path = tmp_path / "crawl.db"
    with pytest.raises(LookupError):
        async with crawler_of(site(tree(3)), frontier=path, connections=1) as crawler:
            await crawler.add(tree(3))
            async for _ in crawler:
                raise LookupError
    again = await crawl(crawler_of(site(tree(3)), frontier=path), ())
    assert sorted(page.url for page in again) == sorted(tree(3))


async def test_links_are_known_before_their_page_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "crawl.db"
    async with crawler_of(site(tree(3)), frontier=path, max_pages=1) as crawler:
        await crawler.add("http://a.test/0")
        async for page in crawler:
            assert await crawler.add_links(page) == 2
    async with crawler_of(site({}), frontier=path) as crawler:
        assert (crawler.stats().waiting, crawler.stats().done) == (2, 1)


async def test_a_crawler_must_be_open() -> None:
    with pytest.raises(ImproperConnectionState, match="async with"):
        aiter(crawler_of(site({})))


async def test_an_error_of_the_frontier_ends_the_loop() -> None:
    class Full(MemoryFrontier):
        async def finish(self, outcomes: Any) -> None:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        async with crawler_of(site(tree(3)), frontier=Full()) as crawler:
            await crawler.add("http://a.test/0")
            await _list(crawler)


async def test_add_returns_when_its_own_urls_are_written() -> None:
    class Slow(MemoryFrontier):
        def __init__(self) -> None:
            super().__init__()
            self.written: list[str] = []
            self.gate = asyncio.Semaphore(0)
            self.is_entered = asyncio.Event()

        async def add(self, entries: Any) -> dict[str, int]:
            self.is_entered.set()
            await self.gate.acquire()
            self.written += [entry.url for entry in entries]
            return await super().add(entries)

    frontier = Slow()
    async with crawler_of(site(tree(2)), frontier=frontier) as crawler:
        first = asyncio.create_task(crawler.add("http://a.test/0"))
        await frontier.is_entered.wait()
        second = asyncio.create_task(crawler.add("http://a.test/1"))
        await asyncio.sleep(0)
        frontier.gate.release()
        await first
        await asyncio.sleep(0)
        assert not second.done()
        frontier.gate.release()
        await second
        assert frontier.written == ["http://a.test/0", "http://a.test/1"]


async def test_a_usual_url_is_fetched_before_a_lower_priority_at_hand() -> None:
    async with crawler_of(site(tree(2)), connections=1) as crawler:
        await crawler.add("http://a.test/0", priority=-1)
        await crawler.add("http://a.test/1")
        assert [page.url[-1] async for page in crawler] == ["1", "0"]


async def test_an_error_of_the_frontier_ends_add() -> None:
    class Full(MemoryFrontier):
        async def add(self, entries: Any) -> dict[str, int]:
            raise OSError("disk full")

    async with crawler_of(site({}), frontier=Full()) as crawler:
        with pytest.raises(OSError, match="disk full"):
            await crawler.add("http://a.test/0")


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"attempts": 0}, ValueError, "attempts"),
        ({"connections": 0}, ValueError, "connections"),
        ({"buffer": 0}, ValueError, "buffer"),
        ({"max_depth": -1}, ValueError, "max_depth"),
        ({"max_pages": "many"}, TypeError, "max_pages"),
        ({"scope": 7}, TypeError, "scope"),
        ({"agent": ""}, ValueError, "agent"),
    ],
)
def test_arguments_are_checked(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        crawler_of(site({}), **options)


def test_the_signature_has_the_options_of_all_crawlers_with_their_defaults() -> None:
    base = inspect.signature(BaseCrawler.__init__).parameters.values()
    shared = [each for each in base if each.kind is each.KEYWORD_ONLY]
    assert {each.name for each in shared} == CrawlOptions.__annotations__.keys()
    assert [*inspect.signature(Crawler).parameters.values()][-len(shared) :] == shared


# Sinks


class Kept:
    """A sink that notes what is done with it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def write(self, page: Page) -> None:
        self.calls.append(f"write {page.url}")

    async def flush(self) -> None:
        self.calls.append("flush")

    async def aclose(self) -> None:
        self.calls.append("close")


async def test_pages_are_flushed_before_they_are_finished() -> None:
    sink = Kept()

    class Watched(MemoryFrontier):
        async def finish(self, outcomes: Any) -> None:
            sink.calls.append("finish")
            await super().finish(outcomes)

    async with crawler_of(site(tree(1)), sinks=[sink], frontier=Watched()) as crawler:
        await crawler.add("http://a.test/0")
        stats = await crawler.run()
    assert stats.pages == 1
    assert sink.calls == ["write http://a.test/0", "flush", "finish", "close"]


async def test_an_error_of_a_sink_ends_the_loop_and_leaves_the_page_unfinished() -> None:
    class Broken(Kept):
        async def write(self, page: Page) -> None:
            raise OSError("disk full")

    crawler = crawler_of(site(tree(1)), sinks=[Broken()])
    with pytest.raises(OSError, match="disk full"):
        await crawl(crawler, "http://a.test/0")
    assert crawler.stats().done == 0


async def _list(crawler: Crawler) -> list[Page]:
    return [page async for page in crawler]


async def test_all_exchanges_are_archived(tmp_path: Path) -> None:
    with RawServer.replying(*(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",) * 2) as server:
        warc = WARC(tmp_path / "archive")
        crawler = Crawler(agent=AGENT, rules=FAST, warc=warc)
        pages = await crawl(crawler, f"{server.url}/page")
    assert [page.status for page in pages] == [404]
    (path,) = warc.paths
    with open(path, "rb") as file:
        urls = [
            record.rec_headers.get_header("WARC-Target-URI")
            for record in ArchiveIterator(file)
            if record.rec_type == "response"
        ]
    assert urls == [f"{server.url}/robots.txt", f"{server.url}/page"]
