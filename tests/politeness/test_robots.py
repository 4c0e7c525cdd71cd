"""robots.txt: fetched once per origin by the rules of its host, and obeyed (RFC 9309)."""

import asyncio
import gzip
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from asyncclient import (
    Client,
    ClientClosed,
    ConnectError,
    LocalResponse,
    PoolTransport,
    Proxy,
    ReadTimeout,
    Timeout,
    TotalTimeout,
    TransportRequest,
)
from asyncclient.message.request import RequestHead
from asyncclient.message.url import URL
from asyncclient.politeness import HostResting, Polite, Robots, RobotsDisallowed, Rules
from asyncclient.politeness import robots_cache as cache_module
from asyncclient.politeness.robots import MAX_SIZE, RobotsFile
from asyncclient.politeness.robots_cache import build_robots_request
from asyncclient.testing import Answer, ManualClock, MockTransport, SentRequest
from asyncclient.timeouts import NEVER
from asyncclient.transport import Destination
from tests.client.answering import Answering, redirect
from tests.connection.conversations import OK
from tests.politeness.hosts import Crawl

ROBOTS = "GET http://a.test/robots.txt"
RULES_TEXT = "User-agent: examplebot\nDisallow: /private\nAllow: /private/open\n\nUser-agent: *\nDisallow: /\n"


def text(content: str | bytes, **fields: str) -> LocalResponse:
    return LocalResponse(headers=fields, content=content)


class Site:
    """A client that obeys robots.txt, over a table of responses.

    Args:
        table: responses; those to `GET http://a.test/`, `/x`, `/private/x` and `/private/open` are added.
        rules: for all hosts.
        settings: of Robots.
    """

    def __init__(
        self, table: dict[str, Answer | Sequence[Answer]], rules: Rules | None = None, **settings: Any
    ) -> None:
        pages = {f"GET http://a.test{path}": 200 for path in ("/", "/x", "/private/x", "/private/open")}
        self.clock = ManualClock()
        self.transport = MockTransport({**pages, **table})
        robots = Robots(agent="examplebot/1.0", **settings)
        self.polite = Polite(self.transport, rules or Rules(), robots=robots, clock=self.clock)
        self.client = Client(transport=self.polite, headers={"User-Agent": "ExampleBot/1.0 (+https://a.test/bot)"})

    async def __aenter__(self) -> "Site":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.client.aclose()

    def answer_first(self, url: str, answer: Answer) -> None:
        """Answer the requests for a URL before the table does."""
        routes = self.transport.routes
        routes.insert(0, self.transport.get(url).respond(answer))
        routes.pop()

    async def allows(self, path: str) -> bool:
        try:
            await self.client.get(f"http://a.test{path}")
        except RobotsDisallowed:
            return False
        return True

    @property
    def urls(self) -> list[str]:
        return [request.url for request in self.transport.requests]


async def test_urls_are_checked_before_anything_is_sent() -> None:
    async with Site({ROBOTS: text(RULES_TEXT)}) as site:
        assert await site.allows("/x")
        assert await site.allows("/private/open")
        with pytest.raises(RobotsDisallowed) as raised:
            await site.client.get("http://a.test/private/x?secret=1")
        assert raised.value.url == "http://a.test/private/x?secret=1"
        assert not raised.value.is_unreachable
        assert str(raised.value) == (
            "robots.txt of http://a.test does not allow '/private/x' (GET http://a.test/private/x?...)"
        )
    assert site.urls == ["http://a.test/robots.txt", "http://a.test/x", "http://a.test/private/open"]
    assert site.transport.requests[0].headers["User-Agent"] == "ExampleBot/1.0 (+https://a.test/bot)"
    assert "Authorization" not in site.transport.requests[0].headers


async def test_a_file_is_fetched_once_for_all_that_wait_and_again_after_its_time() -> None:
    async with Site({ROBOTS: [text("Disallow:"), text("User-agent: *\nDisallow: /x")]}, ttl=100) as site:
        await asyncio.gather(*(site.client.get("http://a.test/x") for _ in range(5)))
        await site.clock.advance(99)
        assert await site.allows("/x")
        await site.clock.advance(1)
        assert not await site.allows("/x")
    assert site.urls.count("http://a.test/robots.txt") == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418])
async def test_a_missing_file_allows_everything(status: int) -> None:
    async with Site({ROBOTS: status}) as site:
        assert await site.allows("/private/x")


@pytest.mark.parametrize("answer", [500, 503, 429, ConnectError("refused"), ReadTimeout("slow", "read", 1.0)])
async def test_a_file_that_can_not_be_fetched_allows_nothing_for_a_while(answer: Answer) -> None:
    async with Site({ROBOTS: [answer, 404]}, Rules(backoff=0), retry=60) as site:
        with pytest.raises(RobotsDisallowed, match=r"robots\.txt of http://a\.test could not be fetched") as raised:
            await site.client.get("http://a.test/x")
        assert raised.value.is_unreachable
        await site.clock.advance(59)
        assert not await site.allows("/x")
        assert len(site.urls) == 1
        await site.clock.advance(1)
        assert await site.allows("/x")


async def test_truncated_content_counts_as_not_fetched() -> None:
    class Truncated:
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"User-agent: *\n"
            raise ConnectionResetError("reset")

    async with Site({ROBOTS: LocalResponse(content=Truncated())}) as site:
        assert not await site.allows("/x")
        assert site.polite.stats().active == 0


async def test_redirects_are_followed_also_to_other_hosts() -> None:
    moved = LocalResponse(301, headers={"Location": "https://b.test/other.txt"})
    table: dict[str, Answer | Sequence[Answer]] = {ROBOTS: moved, "GET https://b.test/other.txt": text(RULES_TEXT)}
    async with Site(table) as site:
        assert not await site.allows("/private/x")
        assert await site.allows("/x")
    assert site.urls == ["http://a.test/robots.txt", "https://b.test/other.txt", "http://a.test/x"]


@pytest.mark.parametrize("location", ["/robots.txt", "ftp://a.test/", "http://a b/"])
async def test_redirects_that_lead_nowhere_count_as_a_missing_file(location: str) -> None:
    async with Site({ROBOTS: LocalResponse(302, headers={"Location": location})}) as site:
        assert await site.allows("/private/x")
    assert site.urls.count("http://a.test/robots.txt") == (6 if location == "/robots.txt" else 1)


async def test_targets_of_redirects_are_checked_at_their_own_origin() -> None:
    table: dict[str, Answer | Sequence[Answer]] = {
        ROBOTS: 404,
        "GET http://a.test/to-b": LocalResponse(302, headers={"Location": "http://b.test/x"}),
        "GET http://b.test/robots.txt": text("User-agent: *\nDisallow: /"),
    }
    async with Site(table) as site:
        with pytest.raises(RobotsDisallowed) as raised:
            await site.client.get("http://a.test/to-b")
        assert raised.value.url == "http://b.test/x"
    assert site.urls == ["http://a.test/robots.txt", "http://a.test/to-b", "http://b.test/robots.txt"]


async def test_a_request_for_robots_txt_itself_is_sent() -> None:
    async with Site({ROBOTS: text("User-agent: *\nDisallow: /")}) as site:
        assert await site.allows("/robots.txt")
    assert len(site.urls) == 1


async def test_at_most_500_kib_are_read() -> None:
    start = b"User-agent: *\nDisallow: /x\n"
    filler = b"# " + b"-" * 97 + b"\n"
    long = start + filler * (MAX_SIZE // len(filler)) + b"Disallow: /private\n"
    async with Site({ROBOTS: text(long)}) as site:
        assert not await site.allows("/x")
        assert await site.allows("/private/x")


async def test_encoded_content_and_a_byte_order_mark_are_decoded() -> None:
    content = gzip.compress(b"\xef\xbb\xbfUser-agent: *\nDisallow: /x\n")
    async with Site({ROBOTS: text(content, **{"Content-Encoding": "gzip"})}) as site:
        assert not await site.allows("/x")


async def test_crawl_delay_becomes_the_delay_of_the_host() -> None:
    table: dict[str, Answer | Sequence[Answer]] = {ROBOTS: text("User-agent: *\nCrawl-delay: 3")}
    times: list[float] = []

    async with Site(table) as site:

        def note(_: SentRequest) -> LocalResponse:
            times.append(site.clock.now())
            return LocalResponse()

        site.answer_first("http://a.test/x", note)
        tasks = [asyncio.create_task(site.client.get("http://a.test/x")) for _ in range(3)]
        await site.clock.advance(20)
        await asyncio.gather(*tasks)
    assert times == [0, 3, 6]  # the file itself was requested without knowing it


async def test_the_request_for_a_file_counts_and_goes_first() -> None:
    times: list[tuple[float, str]] = []

    async with Site({}, Rules(rate=1), ttl=1.5) as site:

        def note(sent: SentRequest) -> LocalResponse:
            times.append((site.clock.now(), sent.url.rpartition("/")[2]))
            return LocalResponse()

        site.answer_first("http://a.test/x", note)
        site.answer_first("http://a.test/robots.txt", note)
        tasks = [asyncio.create_task(site.client.get("http://a.test/x")) for _ in range(4)]
        await site.clock.advance(1.75)
        tasks.append(asyncio.create_task(site.client.get("http://a.test/x")))
        await site.clock.advance(20)
        await asyncio.gather(*tasks)
    assert times == [(0, "robots.txt"), (1, "x"), (2, "robots.txt"), (3, "x"), (4, "x"), (5, "x"), (6, "x")]


async def test_a_deadline_ends_the_wait_and_the_fetch_that_no_request_needs() -> None:
    async with Crawl(Rules(), robots=Robots(agent="examplebot")) as crawl:
        crawl.hosts.answer = lambda _: ConnectError("never")

        async def hang(request: Any) -> Any:
            await asyncio.Event().wait()

        crawl.hosts.send = hang  # type: ignore[method-assign]
        with pytest.raises(TotalTimeout, match=r"no robots\.txt from a\.test in 0\.01 s"):
            await crawl.client.get("http://a.test/", timeout=0.01)
        await crawl.advance()
        assert crawl.polite.stats() == (0, 0, 0)


async def test_a_file_that_a_resting_host_can_not_send_disallows_nothing() -> None:
    async with Site(
        {ROBOTS: [LocalResponse(429, headers={"Retry-After": "50"}), 404]}, Rules(max_wait=5), retry=1
    ) as s:
        assert not await s.allows("/x")
        await s.clock.advance(1)
        with pytest.raises(HostResting):
            await s.client.get("http://a.test/x")
        await s.clock.advance(49)
        assert await s.allows("/x")


async def test_closing_ends_a_fetch_and_those_that_wait_for_it() -> None:
    async with Crawl(Rules(), robots=Robots(agent="examplebot")) as crawl:

        async def hang(request: Any) -> Any:
            await asyncio.Event().wait()

        crawl.hosts.send = hang  # type: ignore[method-assign]
        tasks = crawl.get("http://a.test/", "http://a.test/")
        await crawl.advance()
        await crawl.client.aclose()
        assert {type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)} == {ClientClosed}


async def test_the_oldest_files_are_dropped_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    size = RobotsFile(RULES_TEXT, "examplebot").size + cache_module.SIZE_OF_ENTRY
    monkeypatch.setattr(cache_module, "MAX_KEPT", 2 * size)
    table: dict[str, Answer | Sequence[Answer]] = {}
    for name in "bcd":
        table |= {f"GET http://{name}.test/robots.txt": text(RULES_TEXT), f"GET http://{name}.test/": 200}
    async with Site(table) as site:
        for name in "bcdb":
            await site.client.get(f"http://{name}.test/")
        cache = site.polite._robots
        assert cache is not None
        assert len(cache._known) == 2
        assert cache._kept == 2 * size
    assert site.urls.count("http://b.test/robots.txt") == 2


async def test_over_sockets_and_with_the_users_timeouts() -> None:
    answers = {"/robots.txt": redirect("/moved.txt"), "/moved.txt": _reply(b"User-agent: *\nDisallow: /no\n")}
    with Answering(answers, OK) as server:
        polite = Polite(PoolTransport(), Rules(), robots=Robots(agent="examplebot"))
        async with Client(transport=polite, timeout=Timeout(total=5)) as client:
            assert (await client.get(f"{server.url}/yes")).status == 200
            with pytest.raises(RobotsDisallowed):
                await client.get(f"{server.url}/no")
    assert server.targets == ["/robots.txt", "/moved.txt", "/yes"]
    assert server.asked[0]["host"] == f"127.0.0.1:{server.port}"


def _reply(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)


def test_without_protego_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "protego", None)
    with pytest.raises(ImportError, match=r"asyncclient-http\[crawl\]"):
        Polite(MockTransport({}), robots=Robots(agent="examplebot"))


# The file


@pytest.mark.parametrize(
    ("content", "is_allowed"),
    [
        ("", True),
        ("User-agent: *\nDisallow: /p", False),
        ("User-agent: *\nDisallow:", True),
        ("User-agent: ExampleBot\nDisallow: /p", False),
        ("user-agent:examplebot/2.0\nDISALLOW: /p # here", False),
        ("User-agent: example\nDisallow: /p", True),
        ("User-agent: examplebot-news\nDisallow: /p", True),
        ("User-agent: otherbot\nDisallow: /p", True),
        ("User-agent: otherbot\nUser-agent: examplebot\nDisallow: /p", False),
        ("User-agent: examplebot\nUser-agent: otherbot\nDisallow: /p", False),
        ("User-agent: examplebot\nDisallow: /q\n\nUser-agent: otherbot\nDisallow: /p", True),
        ("User-agent: examplebot\nDisallow: /q\nUser-agent: otherbot\nDisallow: /p", True),
        ("User-agent: *\nDisallow: /\n\nUser-agent: examplebot\nDisallow: /q", True),
        ("User-agent: examplebot\nDisallow: /q\n\nUser-agent: examplebot\nDisallow: /p", False),
        ("Sitemap: https://a.test/s\nUser-agent: *\nSitemap: https://a.test/t\nDisallow: /p", False),
        ("User-agent: *\nDisallow: /*.html$\nDisallow: /p*ge", False),
        ("\ufeff<html>not found</html>", True),
    ],
)
def test_groups_of_the_agent(content: str, is_allowed: bool) -> None:
    assert RobotsFile(content, "examplebot").allows("http://a.test/page") is is_allowed


def test_delays_and_sitemaps() -> None:
    lines = (
        "User-agent: *\nCrawl-delay: 2\nRequest-rate: 1/5s\nSitemap: https://a.test/s.xml\nsitemap: https://a.test/t"
    )
    file = RobotsFile(lines, "examplebot")
    assert (file.crawl_delay, file.sitemaps) == (5, ("https://a.test/s.xml", "https://a.test/t"))
    assert RobotsFile("User-agent: otherbot\nCrawl-delay: 2", "examplebot").crawl_delay == 0


@pytest.mark.parametrize("line", ["Crawl-delay: 1e99", "Crawl-delay: nan", "Crawl-delay: -1", "Crawl-delay: x"])
async def test_a_crawl_delay_is_limited(line: str) -> None:
    async with Site({ROBOTS: text(f"User-agent: *\n{line}")}, Rules(max_crawl_delay=4)) as site:
        await site.client.get("http://a.test/x")
        host = site.polite._schedule.hosts.get("a.test")
        assert host is None or host.delay <= 4


@pytest.mark.parametrize("agent", ["", " ", "/1.0", "*"])
def test_an_agent_has_a_name(agent: str) -> None:
    with pytest.raises(ValueError, match="expected a name as agent"):
        Robots(agent=agent)
    with pytest.raises(TypeError, match="Robots takes keyword arguments only"):
        Robots("examplebot")  # type: ignore[call-arg]


def test_the_product_token_of_an_agent() -> None:
    assert Robots(agent="ExampleBot/1.0 (+https://a.test)").token == "examplebot"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_request_for_a_file_goes_through_the_same_proxy(scheme: str) -> None:
    proxy = Proxy("http://user:secret@proxy.test:3128")
    head = RequestHead("GET", "http://a.test/x" if scheme == "http" else "/x")
    for name, value in (("User-Agent", "bot"), ("Proxy-Authorization", "Basic abc"), ("Authorization", "Basic s")):
        head.add(name, value)
    request = TransportRequest(head, Destination(scheme, "a.test", 80, proxy), Timeout(), NEVER)
    made = build_robots_request(request, URL(scheme, "a.test", 8080, "/robots.txt"), "examplebot")
    assert made.destination == Destination(scheme, "a.test", 8080, proxy)
    assert made.head.target == ("http://a.test:8080/robots.txt" if scheme == "http" else "/robots.txt")
    assert made.headers.get("proxy-authorization") == ("Basic abc" if scheme == "http" else None)
    assert (made.headers["host"], made.headers["user-agent"]) == ("a.test:8080", "bot")
    assert "authorization" not in made.headers
