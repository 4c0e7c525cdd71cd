"""The crawler: pages of the URLs in a frontier, as they are received."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self

from ..arguments import check_number
from ..client.client import Client
from ..client.pool_transport import PoolTransport
from ..errors import ImproperConnectionState, InvalidURL
from ..limits import PoolLimits
from ..message.fields import HeaderValue
from ..politeness import Clock, Polite, Robots, Rules
from ..politeness.clock import LoopClock
from ..politeness.rules import DEFAULT, RulesLike
from ..timeouts import Timeout
from ..transport import Transport
from .agenda import Agenda
from .delivery import Delivery
from .entry import Entry, Outcome, State
from .fetching import fetch
from .frontier import Frontier
from .keeper import Keeper
from .links import find_links
from .memory import MemoryFrontier
from .page import Page
from .recent import RecentUrls
from .scope import Scope
from .stats import CrawlStats, HostStats, Tally
from .urls import normalize_url
from .workers import Workers

if TYPE_CHECKING:
    from .sinks.sink import Sink

_TIMEOUT: Final = Timeout(read=30.0, total=300.0)

ADD_AT_ONCE: Final = 5000
"""URLs of one call of add() that are written together."""

MOST_HOPS: Final = 10
"""Redirects in a row that are followed."""

HOPS_KEPT: Final = 10_000
"""Targets of redirects that are not fetched yet, whose number of redirects is known."""

MOST_SEEDS: Final = 100_000
"""Hosts that are remembered as belonging to the crawl, if its scope names none."""

RETRY_DELAY: Final = 1.0
LONGEST_RETRY_DELAY: Final = 60.0
"""Seconds before a URL is fetched again for the first time, doubled each time, and their limit."""


class Crawler:
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
        follow_redirects: add the targets of redirects that are in scope, instead of returning the redirects as pages.
        headers, timeout: as for Client.
        transport: sends the requests instead of a PoolTransport; it is closed with the crawler.
        clock: the clock of the rules and retries, for tests.

    Raises:
        ValueError, TypeError: an argument that is invalid.
        ImportError: a package is missing that asyncclient-http[crawl] installs.

    Attributes:
        client: the Client that sends the requests.
        scope: the Scope.
    """

    def __init__(
        self,
        *,
        agent: str,
        frontier: str | os.PathLike[str] | Frontier | None = None,
        rules: RulesLike | None = DEFAULT,
        robots: bool = True,
        scope: Scope | Callable[[str], Any] | Iterable[str] | None = None,
        max_depth: int | None = None,
        max_pages: int | None = None,
        max_pages_per_host: int | None = None,
        attempts: int = 3,
        connections: int = 100,
        per_host: int = 8,
        idle: int = 400,
        buffer: int = 100,
        max_content: int = 10 * 1024 * 1024,
        sinks: Iterable[Sink] = (),
        follow_redirects: bool = True,
        headers: Mapping[str, HeaderValue] | None = None,
        timeout: float | Timeout = _TIMEOUT,
        transport: Transport | None = None,
        clock: Clock | None = None,
    ) -> None:
        _check_numbers(1, attempts=attempts, connections=connections, per_host=per_host, buffer=buffer)
        _check_numbers(0, max_depth=max_depth, max_pages=max_pages, max_pages_per_host=max_pages_per_host, idle=idle)
        self.scope = Scope.of(scope)
        self._attempts = attempts
        self._max_depth = math.inf if max_depth is None else max_depth
        self._max_pages = math.inf if max_pages is None else max_pages
        self._follows = follow_redirects
        self._sinks = tuple(sinks)
        self._clock = clock or LoopClock()
        transport = transport or _open_pool(connections, idle)
        if rules is not None or robots:
            given = Rules(connections=per_host) if rules is None else rules
            obeyed = Robots(agent=agent) if robots else None
            transport = Polite(transport, given, robots=obeyed, clock=self._clock)
        self._polite = transport if isinstance(transport, Polite) else None
        self.client = Client(
            transport=transport,
            headers={"User-Agent": agent, **(headers or {})},
            timeout=timeout,
            max_body_size=max_content,
            follow_redirects=False,
        )
        self._agenda = self._make_agenda(per_host, max_pages_per_host)
        self._keeper = Keeper(open_frontier(frontier), self._agenda, self._flush_sinks, self._go_on)
        self._delivery = Delivery(buffer, self._write_to_sinks, self._finish)
        self._workers = Workers(
            self._agenda, self._clock, connections, self._count_postponed, self._fetch, self._go_on, self._delivery.end
        )
        self._recent = RecentUrls()
        self._hops: dict[str, int] = {}
        self._seeds: set[str] = set()
        self._tally = Tally()
        self._is_open = False
        self._started = 0.0

    def _make_agenda(self, per_host: int, max_pages: int | None) -> Agenda:
        polite = self._polite
        if polite is None:
            return Agenda(None, lambda _: per_host, max_pages)
        return Agenda(polite.ready_at, lambda host: polite.find_rules(host).connections, max_pages)

    # Adding

    async def add(
        self, urls: str | Iterable[str] | AsyncIterable[str], *, depth: int = 0, priority: int = 0, meta: Any = None
    ) -> None:
        """Add URLs, whatever the scope; those that were added before are ignored. They are not lost after this call.

        Their hosts belong to the scope if that is by host.

        Args:
            urls: a URL, or any number of them, which are read as they are written.
            depth: the number of links that lead to them.
            priority: URLs of a host with a higher number are fetched before others.
            meta: a value that JSON can hold, for `Page.meta`.

        Raises:
            InvalidURL: a URL is invalid. Those before it were added.
            Exception: the frontier can't be written.
        """
        async for batch in _batches(urls):
            entries = []
            for url in batch:
                normal = normalize_url(url)
                entry = Entry(normal, depth=depth, priority=priority, meta=meta)
                self._note_seed(entry.host)
                entries.append(entry)
            self._delivery.reopen()
            await self._keeper.add_all(entries)

    async def add_links(self, page: Page, *, priority: int = 0, meta: Any = None) -> int:
        """Add the links of a page that are in scope and not too deep; return how many may be new.

        They are written before the page is finished, so they are not lost. Content that is not HTML has no links.

        Args:
            page: a page of this crawler.
            priority, meta: as for add().
        """
        depth = page.depth + 1
        if page.response is None or depth > self._max_depth:
            return 0
        self._note_seed(page.entry.host)
        added = 0
        for url in find_links(page):
            if self._recent.is_new(url):
                entry = Entry(url, depth=depth, priority=priority, meta=meta)
                if self.scope.allows(url, host=entry.host, seeds=self._seeds):
                    self._keeper.add(entry)
                    added += 1
        return added

    def _note_seed(self, host: str) -> None:
        """Note a host that belongs to the crawl; after a restart those of the first pages are noted again."""
        if len(self._seeds) < MOST_SEEDS:
            self._seeds.add(host)

    # Pages

    def __aiter__(self) -> AsyncIterator[Page]:
        """Yield the pages as they are received, until every URL is finished. Several tasks may iterate at once."""
        if not self._is_open:
            raise ImproperConnectionState("the crawler is not open: use `async with`")
        self._workers.begin()
        self._ask()
        return self._delivery.iterate()

    async def run(self) -> CrawlStats:
        """Crawl until every URL is finished, for a crawl whose pages go to sinks only; return the figures."""
        async for _ in self:
            pass
        return self.stats()

    def stop(self) -> None:
        """Start no more fetches. The loops end when those in progress have ended; nothing is lost."""
        self._workers.stop()
        self._ask()

    def _finish(self, page: Page) -> None:
        """Note that the program is done with a page."""
        self._keeper.finish(Outcome(page.entry, State.FAILED if page.reason else State.DONE, page.reason))
        self._ask()

    def _ask(self) -> None:
        self._keeper.ask(is_urgent=self._workers.are_idle)

    def _go_on(self) -> None:
        """Do what has become possible."""
        for outcome in self._agenda.take_due(self._clock.now()):
            self._keeper.finish(outcome)
            self._ask()
        self._workers.start()
        if self._agenda.wants:
            self._ask()
        if self._workers or not self._delivery.is_empty:
            return
        if self._workers.is_over or (self._agenda.is_over and self._keeper.is_idle):
            self._delivery.end()

    # Fetching

    def _count_postponed(self) -> int:
        return 0 if self._polite is None else self._polite.stats().waiting

    async def _fetch(self, entry: Entry) -> None:
        """Fetch an entry, and do with it what its result asks for."""
        fetched = await fetch(self.client, entry)
        page = fetched.page
        if fetched.rest is not None:
            self._end(Outcome(entry, State.WAITING, page.reason, counts=False), is_error=True)
        elif fetched.is_again and entry.attempts + 1 < self._attempts:
            self._try_again(page)
        elif fetched.redirect is not None and self._add_redirect(entry, fetched.redirect):
            self._tally.redirects += 1
            self._end(Outcome(entry, State.DONE, counts=False), is_error=False)
        else:
            await self._deliver(page)

    def _end(self, outcome: Outcome, *, is_error: bool) -> None:
        """End a fetch that gives no page."""
        self._workers.left += 1
        self._agenda.end(outcome.entry, is_page=False, is_error=is_error)
        self._keeper.finish(outcome)
        self._ask()

    def _try_again(self, page: Page) -> None:
        entry = page.entry
        delay = min(LONGEST_RETRY_DELAY, RETRY_DELAY * 2.0**entry.attempts)
        entry.attempts += 1
        self._workers.left += 1
        self._tally.retries += 1
        self._agenda.end(entry, is_page=False, is_error=True)
        self._agenda.delay(Outcome(entry, State.WAITING, page.reason, counts=False), self._clock.now() + delay)

    def _add_redirect(self, entry: Entry, url: str) -> bool:
        """Add the target of a redirect; return False if the redirect itself is the page."""
        hops = self._hops.pop(entry.url, 0)
        if not self._follows or hops >= MOST_HOPS:
            return False
        try:
            target = normalize_url(url)
        except InvalidURL:
            return False
        following = Entry(target, depth=entry.depth, priority=entry.priority, meta=entry.meta)
        # The first URL of a site may lead to another host, as from example.com to shop.example.com.
        seeds = self._seeds if entry.depth else (following.host,)
        if not self.scope.allows(target, host=following.host, seeds=seeds):
            return False
        self._note_hops(target, hops + 1)
        self._keeper.add(following)
        return True

    def _note_hops(self, url: str, hops: int) -> None:
        self._hops[url] = hops
        if len(self._hops) > HOPS_KEPT:
            del self._hops[next(iter(self._hops))]

    async def _deliver(self, page: Page) -> None:
        tally, response = self._tally, page.response
        tally.pages += 1
        tally.errors += bool(page.reason)
        if response is not None:
            tally.bytes += len(response.content)
        self._agenda.end(page.entry, is_page=True, is_error=bool(page.reason))
        await self._delivery.put(page)

    # Sinks

    async def _write_to_sinks(self, page: Page) -> None:
        for sink in self._sinks:
            await sink.write(page)

    async def _flush_sinks(self) -> None:
        for sink in self._sinks:
            await sink.flush()

    # Figures

    def stats(self) -> CrawlStats:
        """Return the figures of the crawl."""
        tally, keeper = self._tally, self._keeper
        return CrawlStats(
            seconds=self._clock.now() - self._started,
            pages=tally.pages,
            errors=tally.errors,
            retries=tally.retries,
            redirects=tally.redirects,
            bytes=tally.bytes,
            running=len(self._workers),
            ready=self._delivery.ready,
            waiting=keeper.waiting,
            done=keeper.done,
            failed=keeper.failed,
            hosts=self._agenda.count_hosts(),
        )

    def hosts(self) -> Iterator[HostStats]:
        """Yield the figures of each host that has URLs at hand or fetches in progress."""
        now = self._clock.now()
        for host in self._agenda.hosts():
            at = -math.inf if self._polite is None else self._polite.ready_at(host.host)
            yield HostStats(*host, resting=max(0.0, at - now) if at < math.inf else 0.0)

    # Opening and closing

    async def __aenter__(self) -> Self:
        """Open the frontier.

        Raises:
            OSError, sqlite3.Error: it can't be opened, or another process has it open.
        """
        await self._keeper.open()
        self._started = self._clock.now()
        self._workers.left = self._max_pages - self._keeper.done - self._keeper.failed
        self._keeper.start(self._delivery.end)
        self._is_open = True
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        """End the fetches in progress, finish the pages that the loops were done with, and close everything.

        A page that a loop was left with, as by `break`, is finished if no exception has ended the block.
        """
        self._is_open = False
        await self._workers.aclose()
        if kind is None:
            self._delivery.finish_left()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.client.aclose)
            for sink in self._sinks:
                stack.push_async_callback(sink.aclose)
            await self._keeper.aclose()

    def __repr__(self) -> str:
        return f"<Crawler {self.stats()}>"


def _check_numbers(least: int, **numbers: int | None) -> None:
    for name, value in numbers.items():
        check_number(name, least if value is None else value, least)


def _open_pool(connections: int, idle: int) -> PoolTransport:
    most = connections + idle
    return PoolTransport(pool=PoolLimits(connections=most, per_host=connections, idle=most, idle_per_host=connections))


def open_frontier(frontier: str | os.PathLike[str] | Frontier | None) -> Frontier:
    """Return the frontier for an argument: a file, a frontier, or None for one in memory."""
    if frontier is None:
        return MemoryFrontier()
    if isinstance(frontier, str | os.PathLike):
        from .sqlite import SQLiteFrontier

        return SQLiteFrontier(frontier)
    return frontier


async def _batches(urls: str | Iterable[str] | AsyncIterable[str]) -> AsyncIterator[list[str]]:
    """Yield the URLs in lists of limited length."""
    if isinstance(urls, str):
        yield [urls]
    elif isinstance(urls, AsyncIterable):
        batch: list[str] = []
        async for url in urls:
            batch.append(url)
            if len(batch) == ADD_AT_ONCE:
                yield batch
                batch = []
        if batch:
            yield batch
    else:
        rest = iter(urls)
        while batch := list(islice(rest, ADD_AT_ONCE)):
            yield batch
