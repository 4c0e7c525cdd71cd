"""The half of a crawler that runs on a worker: it fetches the entries that it is given, and keeps their results."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

from ...arguments import maybe_await
from ...client.proxy.proxies import ProxySetting
from ...crawl.agenda import Agenda
from ...crawl.entry import Entry
from ...crawl.fetching import Fetched, fetch, open_client, open_pool
from ...crawl.frontier import Taken
from ...crawl.links import find_links
from ...crawl.page import Page
from ...crawl.sinks.sink import Sink
from ...crawl.warc.archive import WARC
from ...crawl.workers import Workers
from ...errors import HTTPException, clip
from ...message.fields import HeaderValue
from ...politeness import Polite, Robots
from ...politeness.clock import LoopClock
from ...politeness.rules import RulesLike
from ...timeouts import Timeout
from ...transport import Transport
from .page import Report

IDLE: Final = 400
"""Connections that may be open without an exchange."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a worker fetches; it travels to the workers. See ClusterCrawler."""

    agent: str
    rules: RulesLike
    robots: bool
    connections: int
    max_content: int
    attempts: int
    follow_redirects: bool
    headers: dict[str, HeaderValue]
    timeout: float | Timeout
    proxy: ProxySetting
    trust_env: bool
    on_page: Callable[[Page], Any] | None
    sink: Callable[[str], Sink] | None
    links: bool


class Yield(NamedTuple):
    """The results that a worker returns at once.

    Attributes:
        reports: the results, each as the tuple of a Report.
        delays: the Crawl-delay in seconds of the hosts among them that have one.
        is_closing: True if the worker closes: it returns nothing more.
    """

    reports: list[tuple[Any, ...]]
    delays: dict[str, float]
    is_closing: bool


class Fetcher:
    """Fetches entries politely on the loop of a worker, and collects their results until the crawler takes them.

    Args:
        settings: how to fetch.
        name: the name of the worker, for the sink.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._clock = LoopClock()
        self._sink = None if settings.sink is None else settings.sink(name)
        transport: Transport = open_pool(settings.connections, IDLE)
        if isinstance(self._sink, WARC):
            transport = self._sink.record(transport)
        robots = Robots(agent=settings.agent) if settings.robots else None
        self._polite = Polite(transport, settings.rules, robots=robots, clock=self._clock)
        self._client = open_client(
            self._polite,
            settings.agent,
            headers=settings.headers,
            timeout=settings.timeout,
            max_content=settings.max_content,
            proxy=settings.proxy,
            trust_env=settings.trust_env,
        )
        self._agenda = Agenda(
            self._polite.ready_at, lambda host: self._polite.find_rules(host).connections, most_hosts=sys.maxsize
        )
        self._workers = Workers(
            self._agenda,
            self._clock,
            settings.connections,
            lambda: self._polite.stats().waiting,
            self._fetch,
            self._go_on,
            self._fail,
        )
        self._workers.begin()
        self._writing = asyncio.Lock()
        self._reports: list[tuple[Any, ...]] = []
        self._hosts: set[str] = set()
        self._is_filled = asyncio.Event()
        self._wanted = 1
        self._error: BaseException | None = None
        self._is_closing = False
        self._calls = 0
        self._has_answered = asyncio.Event()

    @property
    def running(self) -> int:
        """The number of fetches in progress."""
        return len(self._workers)

    # Calls of the crawler

    def give(self, entries: Iterable[Entry]) -> None:
        """Add entries to fetch; nothing is added once the worker closes."""
        if self._is_closing:
            return
        by_host: dict[str, list[Entry]] = {}
        for entry in entries:
            by_host.setdefault(entry.host, []).append(entry)
        self._agenda.note_added(by_host)
        self._agenda.want()
        self._agenda.put({host: Taken(entries, True, 0) for host, entries in by_host.items()})
        self._go_on()

    def recall(self, hosts: Iterable[str] | None) -> None:
        """Return the entries of hosts that are not being fetched yet; None for those of all hosts."""
        for host in self._agenda.list_known() if hosts is None else hosts:
            self._agenda.empty(host)
        self._go_on()

    async def take(self, most: int, linger: float, patience: float) -> Yield:
        """Return the results that are there, as soon as there are some.

        Args:
            most: return at once when there are so many.
            linger: seconds after the first one for which more are collected.
            patience: seconds to wait for the first one.

        Raises:
            Exception: an error of the sink.
        """
        self._calls += 1
        try:
            await self._wait_for(1, patience)
            if self._reports:
                await self._wait_for(most, linger)
            return await self._empty()
        finally:
            self._calls -= 1
            if not self._calls:
                self._has_answered.set()

    async def _wait_for(self, number: int, seconds: float) -> None:
        if len(self._reports) >= number or self._is_closing or self._error is not None or not seconds:
            return
        self._wanted = number
        self._is_filled.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._is_filled.wait()
        except TimeoutError:
            pass

    async def _empty(self) -> Yield:
        reports, self._reports = self._reports, []
        hosts, self._hosts = self._hosts, set()
        if reports and self._sink is not None:
            async with self._writing:
                await self._sink.flush()
        if self._error is not None:
            raise self._error
        delays = {host: delay for host in hosts if (delay := self._polite.find_delay(host))}
        return Yield(reports, delays, self._is_closing)

    # Fetching

    def _go_on(self) -> None:
        """Start fetches, and return entries whose hosts rest for long."""
        self._workers.start()
        for entry in self._agenda.give_back():
            rest = self._polite.ready_at(entry.host) - self._clock.now()
            self._note(entry, Report(entry.id, rest=rest if 0 < rest < math.inf else 0.0))

    async def _fetch(self, entry: Entry) -> None:
        fetched = await fetch(self._client, entry)
        try:
            report = await self._handle(fetched)
        finally:
            self._agenda.end(entry, is_page=False, is_error=False)
            self._agenda.note_written((entry,))
        self._note(entry, report)

    async def _handle(self, fetched: Fetched) -> Report:
        """Return the report of a result, after the sink and the function of the user."""
        page = fetched.page
        report = Report(page.entry.id, page.status, _strip(page.error), page.reason, *fetched[1:])
        if page.response is None:
            return report
        content = page.response.content
        report = report._replace(size=len(content), digest=sha256(content).hexdigest())
        return await self._process(page, report) if self._is_final(fetched) else report

    def _is_final(self, fetched: Fetched) -> bool:
        """Return True if the crawler returns the page: it is neither a redirect to follow nor fetched again."""
        if fetched.is_again:
            return fetched.page.entry.attempts + 1 >= self._settings.attempts
        return fetched.redirect is None or not self._settings.follow_redirects

    async def _process(self, page: Page, report: Report) -> Report:
        if self._sink is not None:
            async with self._writing:
                await self._sink.write(page)
        if self._settings.links:
            report = report._replace(links=tuple(find_links(page)))
        if self._settings.on_page is None:
            return report
        try:
            value = self._settings.on_page(page)
            return report._replace(value=await maybe_await(value))
        except Exception as error:  # of the user's function: the page has failed, and the crawl goes on
            return report._replace(reason=f"on_page: {type(error).__name__}: {clip(str(error))}")

    def _note(self, entry: Entry, report: Report) -> None:
        self._reports.append(tuple(report))
        self._hosts.add(entry.host)
        if len(self._reports) >= self._wanted:
            self._is_filled.set()

    def _fail(self, error: BaseException) -> None:
        """Return an error of the sink to the crawler, which ends with it."""
        self._error = self._error or error
        self._is_filled.set()

    # Closing

    async def aclose(self) -> None:
        """Cancel the fetches in progress, return the other entries to a crawler that waits, and close everything."""
        self._is_closing = True
        await self._workers.aclose()
        for host in self._agenda.list_known():
            self._agenda.empty(host)
        for entry in self._agenda.give_back():
            self._note(entry, Report(entry.id, rest=0.0))
        self._is_filled.set()
        if self._calls:
            self._has_answered.clear()
            await self._has_answered.wait()
        await self._client.aclose()
        if self._sink is not None:
            await self._sink.aclose()


def _strip(error: Exception | None) -> Exception | None:
    """Return an error without its request and response, which stay on the worker."""
    if isinstance(error, HTTPException):
        error.request = error.response = None
    return error
