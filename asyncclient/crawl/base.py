"""The part of a crawler that does not fetch: adding URLs, judging results, returning pages, and the frontier."""

from __future__ import annotations

import asyncio
import math
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from inspect import Signature, signature
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict, TypeVar

from ..arguments import check_number
from ..errors import ImproperConnectionState, InvalidURL
from ..politeness import Clock
from .delivery import Delivery
from .entry import Entry, Outcome, State, check_meta
from .fetching import Fetched
from .frontier import Frontier
from .keeper import Keeper, Stock
from .memory import MemoryFrontier
from .page import Page
from .recent import RecentUrls
from .scope import Scope
from .stats import CrawlStats, Tally
from .urls import normalize_url
from .workers import Fetching

if TYPE_CHECKING:
    from .sinks.sink import Sink

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


FrontierLike = str | os.PathLike[str] | Frontier | None
"""A file, a frontier, or None for one in memory."""

ScopeLike = Scope | Callable[[str], Any] | Iterable[str] | None
"""The arguments of Scope.of()."""

_Init = TypeVar("_Init", bound=Callable[..., None])


class CrawlOptions(TypedDict, total=False):
    """The keyword arguments of BaseCrawler, which all crawlers have; see Crawler."""

    frontier: FrontierLike
    scope: ScopeLike
    max_depth: int | None
    max_pages: int | None
    attempts: int
    follow_redirects: bool


def shows_options(init: _Init) -> _Init:
    """Name the CrawlOptions, with their defaults, in the signature of a constructor that passes them on."""
    own = [each for each in signature(init).parameters.values() if each.kind is not each.VAR_KEYWORD]
    shared = [each for each in signature(BaseCrawler.__init__).parameters.values() if each.kind is each.KEYWORD_ONLY]
    init.__signature__ = Signature([*own, *shared], return_annotation=None)  # type: ignore[attr-defined]
    return init


class BaseCrawler(ABC):
    """The base of crawlers; see Crawler for the other arguments.

    Args:
        agenda: the entries at hand.
    """

    _fetching: Fetching

    def __init__(
        self,
        agenda: Stock,
        clock: Clock,
        buffer: int,
        sinks: Iterable[Sink],
        *,
        frontier: FrontierLike = None,
        scope: ScopeLike = None,
        max_depth: int | None = None,
        max_pages: int | None = None,
        attempts: int = 3,
        follow_redirects: bool = True,
    ) -> None:
        check_numbers(1, attempts=attempts, buffer=buffer)
        check_numbers(0, max_depth=max_depth, max_pages=max_pages)
        self.scope = Scope.of(scope)
        self._agenda = agenda
        self._attempts = attempts
        self._max_depth = math.inf if max_depth is None else max_depth
        self._max_pages = math.inf if max_pages is None else max_pages
        self._follows = follow_redirects
        self._sinks = tuple(sinks)
        self._clock = clock
        self._keeper = Keeper(open_frontier(frontier), agenda, self._flush_sinks, self._go_on)
        self._delivery = Delivery(buffer, self._write_to_sinks, self._finish, self._leave, self._keeper.wait_for_room)
        self._recent = RecentUrls()
        self._hops: dict[str, int] = {}
        self._seeds: set[str] = set()
        self._tally = Tally()
        self._is_open = False
        self._started = 0.0

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
            ImproperConnectionState: the crawler is not open.
            TypeError, ValueError: JSON can't hold the meta.
            Exception: the frontier can't be written.
        """
        check_meta(meta)
        async for batch in _batches(urls):
            entries: list[Entry] = []
            try:
                for url in batch:
                    entries.append(Entry(normalize_url(url), depth=depth, priority=priority, meta=meta))
            finally:
                for entry in entries:
                    self._note_seed(entry.host)
                await self._add_all(entries)

    async def _add_all(self, entries: list[Entry]) -> None:
        self._check_open()
        self._delivery.reopen()
        await self._keeper.add_all(entries)

    async def add_links(self, page: Page, *, priority: int = 0, meta: Any = None, obey_nofollow: bool = True) -> int:
        """Add the links of a page that are in scope and not too deep; return how many may be new.

        They are written before the page is finished, so they are not lost. Content that is not HTML has no links.

        Args:
            page: a page of this crawler.
            priority, meta: as for add().
            obey_nofollow: leave out links that ask not to be followed.
        """
        check_meta(meta)
        depth = page.depth + 1
        if depth > self._max_depth:
            return 0
        self._note_seed(page.entry.host)
        added = 0
        for url in self._find_links(page, obey_nofollow=obey_nofollow):
            if self._recent.is_new(url):
                entry = Entry(url, depth=depth, priority=priority, meta=meta)
                if self.scope.allows(url, host=entry.host, seeds=self._seeds):
                    self._keeper.add(entry)
                    added += 1
        if added and self._delivery.has_ended:
            self._delivery.reopen()
            self._ask()
        return added

    @abstractmethod
    def _find_links(self, page: Page, *, obey_nofollow: bool) -> Iterable[str]:
        """Return the links of a page, normalised."""

    def _note_seed(self, host: str) -> None:
        """Note a host that belongs to the crawl; after a restart those of the first pages are noted again."""
        if len(self._seeds) < MOST_SEEDS:
            self._seeds.add(host)

    # Pages

    def __aiter__(self) -> AsyncIterator[Page]:
        """Yield the pages as they are received, until every URL is finished. Several tasks may iterate at once."""
        self._check_open()
        self._fetching.begin()
        self._ask()
        return self._delivery.iterate()

    def _check_open(self) -> None:
        if not self._is_open:
            raise ImproperConnectionState("the crawler is not open: use `async with`")

    async def run(self) -> CrawlStats:
        """Crawl until every URL is finished, for a crawl whose pages go to sinks only; return the figures."""
        async for _ in self:
            pass
        return self.stats()

    def stop(self) -> None:
        """Start no more fetches. The loops end when those in progress have ended; nothing is lost."""
        self._fetching.stop()
        self._ask()

    def _finish(self, page: Page) -> None:
        """Note that the program is done with a page."""
        self._keeper.finish(Outcome(page.entry, State.FAILED if page.reason else State.DONE, page.reason))
        self._ask()

    def _leave(self, page: Page) -> None:
        """Let other loops end although the program may never be done with a page."""
        if self._is_open:
            self._agenda.leave(page.entry)
            self._go_on()

    def _ask(self) -> None:
        self._keeper.ask(is_urgent=self._fetching.are_idle)

    def _go_on(self) -> None:
        """Do what has become possible."""
        for outcome in self._agenda.take_due(self._clock.now()):
            self._keeper.finish(outcome)
            self._ask()
        self._fetching.start()
        if self._agenda.wants:
            self._ask()
        if self._fetching or not self._delivery.is_empty:
            return
        if self._fetching.is_over or (self._agenda.is_over and self._keeper.is_idle):
            self._delivery.end()

    # Results

    async def _settle(self, fetched: Fetched) -> None:
        """Do with an entry what its result asks for."""
        page = fetched.page
        entry = page.entry
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
        self._fetching.left += 1
        self._agenda.end(outcome.entry, is_page=False, is_error=is_error)
        self._keeper.finish(outcome)
        self._ask()

    def _try_again(self, page: Page) -> None:
        entry = page.entry
        delay = min(LONGEST_RETRY_DELAY, RETRY_DELAY * 2.0**entry.attempts)
        entry.attempts += 1
        self._fetching.left += 1
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
        tally = self._tally
        tally.pages += 1
        tally.errors += bool(page.reason)
        tally.bytes += page.size
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
            running=len(self._fetching),
            ready=self._delivery.ready,
            waiting=keeper.waiting,
            done=keeper.done,
            failed=keeper.failed,
            hosts=self._agenda.count_hosts(),
        )

    # Opening and closing

    async def __aenter__(self) -> Self:
        """Open the sinks and the frontier. If that fails, everything is closed, and nothing was requested.

        Raises:
            OSError: one of them can't be opened, or another process has it open.
            Others: the errors of a sink of another kind.
        """
        async with AsyncExitStack() as opened:
            opened.push_async_callback(self._aclose_client)
            for sink in self._sinks:
                opened.push_async_callback(sink.aclose)
                await open_sink(sink)
            await self._keeper.open()
            opened.pop_all()
        self._started = self._clock.now()
        self._fetching.left = self._max_pages - self._keeper.pages
        self._keeper.start(self._delivery.end)
        self._is_open = True
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        """End the fetches in progress, finish the pages that the loops were done with, and close everything.

        A page that a loop was left with, as by `break`, is finished if no exception has ended the block.
        """
        self._is_open = False
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._aclose_client)
            for sink in self._sinks:
                stack.push_async_callback(sink.aclose)
            stack.push_async_callback(self._keeper.aclose)
            await self._fetching.aclose()
            self._delivery.close()
            for _ in range(2):  # the loop closes a generator that was left by `break` in a task, which it then starts
                await asyncio.sleep(0)
            if kind is None:
                self._delivery.finish_left()

    @abstractmethod
    async def _aclose_client(self) -> None:
        """Close the client."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.stats()}>"


def check_numbers(least: int, **numbers: int | None) -> None:
    """Check that numbers that are set are not below the least one.

    Raises:
        ValueError, TypeError: one of them is, or is not a number.
    """
    for name, value in numbers.items():
        check_number(name, least if value is None else value, least)


async def open_sink(sink: Sink) -> None:
    """Open a sink that has a method for it; see Sink."""
    open = getattr(sink, "open", None)
    if open is not None:
        await open()


def open_frontier(frontier: FrontierLike) -> Frontier:
    """Return the frontier for an argument."""
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
