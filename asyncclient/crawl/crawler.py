"""The crawler of one process: pages of the URLs in a frontier, as they are received."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Unpack

from ..arguments import known_arguments
from ..client.body.arguments import UNSET, Unset
from ..client.proxy.proxies import ProxySetting
from ..message.fields import HeaderValue
from ..politeness import Clock, Polite, Robots, Rules
from ..politeness.clock import LoopClock
from ..politeness.rules import DEFAULT, RulesLike
from ..timeouts import Timeout
from ..transport import Transport
from .agenda import Agenda
from .base import BaseCrawler, CrawlOptions, check_numbers, shows_options
from .discovery import read_sitemaps
from .entry import Entry
from .fetching import fetch, open_client, open_pool
from .links import find_links
from .page import Page
from .stats import HostStats
from .urls import find_host, normalize_url
from .workers import Workers

if TYPE_CHECKING:
    from .sinks.sink import Sink
    from .warc.archive import WARC

TIMEOUT: Final = Timeout(read=30.0, total=300.0)


INSTEAD: Final = {
    "allowed_domains": "scope=Scope(hosts=...)",
    "concurrency": "connections=, and rules=Rules(connections=...) for each host",
    "delay": "rules=Rules(delay=...)",
    "depth": "max_depth=",
    "download_delay": "rules=Rules(delay=...)",
    "max_retries": "attempts=, which counts the first fetch",
    "obey_robots": "robots=",
    "pages": "max_pages=",
    "proxies": "proxy=",
    "rate": "rules=Rules(rate=...)",
    "retries": "attempts=, which counts the first fetch",
    "start_urls": "await crawler.add(urls)",
    "url": "await crawler.add(url)",
    "urls": "await crawler.add(urls)",
    "user_agent": "agent=",
}
"""What to write for the words of other libraries."""


@known_arguments(INSTEAD)
class Crawler(BaseCrawler):
    """Fetches the URLs of a frontier, politely, and returns the pages as they are received.

    >>> async def crawl():
    ...     async with Crawler(agent="examplebot/1.0 (+https://example.com/bot)") as crawler:
    ...         await crawler.add("https://example.com/")
    ...         async for page in crawler:
    ...             print(page.status, page.url)
    ...             await crawler.add_links(page)

    The loop is the back-pressure: no more is fetched while `buffer` pages wait for it. A page is finished in the
    frontier when the loop asks for the next page. If the process ends before that, however it ends, a crawler with the
    same frontier fetches the URL again; all others are fetched once.

    Args:
        agent: the User-Agent, by whose name robots.txt is obeyed: the name of the crawler, and where to read about it.
        frontier: the file in which the URLs are kept, so that another crawler can go on; or a Frontier. By default they
            are kept in memory.
        rules: how each host is treated, see Polite; None to hold to no rules but the number of connections.
        robots: obey robots.txt.
        scope: the URLs that belong to the crawl, see Scope.of(); by default those on the hosts of the URLs that were
            added by add(), and where these redirect to.
        max_depth: URLs with a greater depth are not added; None for no limit.
        max_pages: pages that are fetched, those of earlier crawls with the same frontier included; None for no limit.
        max_pages_per_host: the same for each host.
        attempts: how many times a URL is fetched at most if the network fails, or with a status that may pass.
        connections: fetches that may be in progress at once.
        per_host: the same for each host if `rules` is None.
        idle: further connections that are kept open, so that a host which is asked once a second needs no new ones.
        buffer: pages that may wait for the loop.
        max_content: largest content of a page in bytes, encoded and decoded.
        sinks: each page is written to them before the loop gets it.
        warc: records all exchanges, also redirects and robots.txt; it is closed with the crawler.
        follow_redirects: add the targets of redirects that are in scope, instead of returning the redirects as pages.
        headers, timeout: as for Client.
        proxy, trust_env: as for Client: without `proxy`, and unless a transport is given, the environment names the
            proxies.
        transport: sends the requests instead of a PoolTransport; it is closed with the crawler.
        clock: the clock of the rules and retries, for tests.

    Raises:
        ValueError, TypeError: an argument that is invalid.
        ImportError: a package is missing that asyncclient-http[crawl] installs.

    Attributes:
        client: the Client that sends the requests.
        scope: the Scope.
    """

    @shows_options
    def __init__(
        self,
        *,
        agent: str,
        rules: RulesLike | None = DEFAULT,
        robots: bool = True,
        max_pages_per_host: int | None = None,
        connections: int = 100,
        per_host: int = 8,
        idle: int = 400,
        buffer: int = 100,
        max_content: int = 10 * 1024 * 1024,
        sinks: Iterable[Sink] = (),
        warc: WARC | None = None,
        headers: Mapping[str, HeaderValue] | None = None,
        timeout: float | Timeout = TIMEOUT,
        proxy: ProxySetting = None,
        trust_env: bool | Unset = UNSET,
        transport: Transport | None = None,
        clock: Clock | None = None,
        **options: Unpack[CrawlOptions],
    ) -> None:
        check_numbers(1, connections=connections, per_host=per_host)
        check_numbers(0, max_pages_per_host=max_pages_per_host, idle=idle)
        clock = clock or LoopClock()
        if isinstance(trust_env, Unset):
            trust_env = transport is None  # as for a Client (decision 3)
        transport = transport or open_pool(connections, idle)
        transport = transport if warc is None else warc.record(transport)
        if rules is not None or robots:
            given = Rules(connections=per_host) if rules is None else rules
            obeyed = Robots(agent=agent) if robots else None
            transport = Polite(transport, given, robots=obeyed, clock=clock)
        self._polite = transport if isinstance(transport, Polite) else None
        self.client = open_client(
            transport,
            agent,
            headers=headers,
            timeout=timeout,
            max_content=max_content,
            proxy=proxy,
            trust_env=trust_env,
        )
        agenda = self._make_agenda(per_host, max_pages_per_host)
        super().__init__(agenda, clock, buffer, sinks if warc is None else (*sinks, warc), **options)
        self._fetching = Workers(
            agenda, clock, connections, self._count_postponed, self._fetch, self._go_on, self._delivery.end
        )

    def _make_agenda(self, per_host: int, max_pages: int | None) -> Agenda:
        polite = self._polite
        if polite is None:
            return Agenda(None, lambda _: per_host, max_pages)
        return Agenda(polite.ready_at, lambda host: polite.find_rules(host).connections, max_pages)

    # Fetching

    def _count_postponed(self) -> int:
        return 0 if self._polite is None else self._polite.stats().waiting

    async def _fetch(self, entry: Entry) -> None:
        await self._settle(await fetch(self.client, entry))

    def _find_links(self, page: Page, *, obey_nofollow: bool) -> Iterable[str]:
        return () if page.response is None else find_links(page, obey_nofollow=obey_nofollow)

    async def add_sitemaps(self, url: str, *, meta: Any = None) -> int:
        """Add the URLs in the sitemaps of a site that are in scope; return how many there were.

        The sitemaps are fetched by the rules of their host, one after another.

        Args:
            url: the root of a site, for /sitemap.xml and the sitemaps that its robots.txt names; or one sitemap.
            meta: as for add().

        Raises:
            InvalidURL: the URL is invalid.
            Exception: the frontier can't be written.
        """
        url = normalize_url(url)
        self._note_seed(find_host(url))
        added = 0
        async for items in read_sitemaps(self.client, self._polite, url):
            entries = [Entry(item.url, meta=meta) for item in items]
            entries = [each for each in entries if self.scope.allows(each.url, host=each.host, seeds=self._seeds)]
            await self._add_all(entries)
            added += len(entries)
        return added

    async def _aclose_client(self) -> None:
        await self.client.aclose()

    def hosts(self) -> Iterator[HostStats]:
        """Yield the figures of each host that has URLs at hand or fetches in progress."""
        now = self._clock.now()
        for host in self._agenda.hosts():
            at = -math.inf if self._polite is None else self._polite.ready_at(host.host)
            yield HostStats(*host, resting=max(0.0, at - now) if at < math.inf else 0.0)
