"""The crawler of a cluster: one process has the frontier, and dask's workers fetch."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Self, Unpack, cast
from uuid import uuid4

from ...arguments import check_number, known_arguments
from ...client.proxy.proxies import ProxySetting
from ...crawl.agenda import Agenda
from ...crawl.base import BaseCrawler, CrawlOptions, check_numbers, shows_options
from ...crawl.crawler import INSTEAD, TIMEOUT
from ...crawl.page import Page
from ...crawl.sinks.sink import Sink
from ...message.fields import HeaderValue
from ...politeness import Rules
from ...politeness.clock import LoopClock
from ...politeness.rules import DEFAULT, RulesLike, RuleTable
from ...timeouts import Timeout
from .crew import Crew
from .fetcher import Settings
from .holds import Holds
from .page import RemotePage
from .spread import Spread

if TYPE_CHECKING:
    from distributed import Client

PREFETCH: Final = 16
"""Entries of a host that a worker has for each connection that the host may have, so that none waits for messages."""

AHEAD: Final = 2.0
"""Seconds for which a worker has entries of a host with a rate or a delay."""


@known_arguments(INSTEAD)
class ClusterCrawler(BaseCrawler):
    """Fetches the URLs of a frontier by the workers of a dask cluster, and returns small pages as they are received.

    >>> async def crawl():
    ...     async with dask.distributed.Client("tcp://scheduler:8786", asynchronous=True) as client:
    ...         async with ClusterCrawler(client, agent="examplebot/1.0", links=True) as crawler:
    ...             await crawler.add("https://example.com/")
    ...             async for page in crawler:
    ...                 print(page.status, page.url, page.size)
    ...                 await crawler.add_links(page)

    The frontier is in this process, and it is the only truth. A host belongs to one worker at a time, so the rules of a
    host hold without shared state. Workers may join, leave and be killed at any time: hosts move as a whole, and start
    at another worker when their delay has passed. A killed worker loses no URL; those in progress there are fetched
    once more, and a URL with which two workers were lost has failed.

    Arguments that are not listed here are those of Crawler.

    Args:
        client: a dask.distributed Client with asynchronous=True, on this event loop; it is not closed.
        connections: fetches that may be in progress on each worker.
        on_page: a function or coroutine function that runs on the worker for each page, with its response. The result
            is `RemotePage.value`: keep it small. It must not block. If it fails, the page counts as failed.
        proxy: as for Client; a function is sent to the workers.
        trust_env: without `proxy`, the environment of each worker names the proxies.
        sink: a function that returns the sink of a worker from the name of the worker.
        links: find the links of each page, for add_links().
        group_by: returns the key of a host: hosts with the same key belong to the same worker.
        batch: results that travel together at most, if the workers are fast.
        window: entries that may be in progress on each worker.

    Raises:
        ValueError, TypeError: an argument that is invalid.
        ImportError: a package is missing that asyncclient-http[dask] installs.
    """

    @shows_options
    def __init__(
        self,
        client: Client,
        *,
        agent: str,
        rules: RulesLike = DEFAULT,
        robots: bool = True,
        max_pages_per_host: int | None = None,
        connections: int = 100,
        buffer: int = 1000,
        max_content: int = 10 * 1024 * 1024,
        on_page: Callable[[Page], Any] | None = None,
        sink: Callable[[str], Sink] | None = None,
        links: bool = False,
        headers: Mapping[str, HeaderValue] | None = None,
        timeout: float | Timeout = TIMEOUT,
        proxy: ProxySetting = None,
        trust_env: bool = True,
        group_by: Callable[[str], str] = str,
        batch: int = 500,
        window: int = 2000,
        **options: Unpack[CrawlOptions],
    ) -> None:
        _check_arguments(client, connections, batch, window, max_pages_per_host)
        table = RuleTable(rules)
        holds = Holds(table.find)
        self._spread = _open_spread(table, holds, max_pages_per_host, group_by)
        super().__init__(self._spread, LoopClock(), buffer, (), **options)
        settings = Settings(
            agent=agent,
            rules=rules,
            robots=robots,
            connections=connections,
            max_content=max_content,
            attempts=self._attempts,
            follow_redirects=self._follows,
            headers=dict(headers or {}),
            timeout=timeout,
            proxy=proxy,
            trust_env=trust_env,
            on_page=on_page,
            sink=sink,
            links=links,
        )
        self._fetching = self._crew = self._open_crew(client, settings, holds, batch, window)

    def _open_crew(self, client: Client, settings: Settings, holds: Holds, batch: int, window: int) -> Crew:
        return Crew(
            client,
            name=f"asyncclient-crawl-{uuid4().hex}",
            settings=settings,
            spread=self._spread,
            holds=holds,
            clock=self._clock,
            batch=batch,
            window=window,
            settle=self._settle,
            on_change=self._go_on,
            on_error=self._delivery.end,
        )

    def __aiter__(self) -> AsyncIterator[RemotePage]:
        """Yield the pages as they are received, until every URL is finished. Several tasks may iterate at once."""
        return cast(AsyncIterator[RemotePage], super().__aiter__())

    def _find_links(self, page: Page, *, obey_nofollow: bool) -> Iterable[str]:
        return page.links if isinstance(page, RemotePage) else ()

    @property
    def workers(self) -> list[str]:
        """The addresses of the workers that fetch."""
        return self._crew.workers

    async def __aenter__(self) -> Self:
        """Open the frontier, and a client on each worker.

        Raises:
            OSError, sqlite3.Error: the frontier can't be opened, or another process has it open.
            Exception: the error of a worker that can't open its client.
        """
        await super().__aenter__()
        try:
            await self._crew.open()
        except BaseException as error:
            await asyncio.shield(self.__aexit__(type(error), error, None))
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        """Close the clients of the workers, and then everything else, as Crawler does."""
        try:
            await self._crew.aclose()
        finally:
            await super().__aexit__(kind, *exc_info)

    async def _aclose_client(self) -> None:
        """Do nothing: the workers have closed their clients."""


def _check_arguments(client: Client, connections: int, batch: int, window: int, max_pages: int | None) -> None:
    check_numbers(1, connections=connections, batch=batch)
    check_numbers(0, max_pages_per_host=max_pages)
    check_number("window", window, batch)
    if not client.asynchronous:
        raise ValueError("expected a dask Client with asynchronous=True as client")


def _open_spread(table: RuleTable, holds: Holds, max_pages: int | None, group_by: Callable[[str], str]) -> Spread:
    def open_agenda(worker: str) -> Agenda:
        return Agenda(lambda host: holds.ready_at(host, worker), lambda host: find_depth(table.find(host)), max_pages)

    return Spread(open_agenda, group_by)


def find_depth(rules: Rules) -> int:
    """Return how many entries of a host a worker has at most."""
    most = rules.connections * PREFETCH
    per_second = min(math.inf if rules.rate is None else rules.rate, math.inf if not rules.delay else 1 / rules.delay)
    return most if per_second == math.inf else min(most, rules.connections + math.ceil(per_second * AHEAD))
