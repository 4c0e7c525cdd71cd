"""The progress of a crawl: a table on a terminal, and a summary as text."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from heapq import nlargest
from typing import IO, TYPE_CHECKING, Final, Self

from .stats import CrawlStats, HostStats

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from .crawler import Crawler

REFRESH: Final = 0.5
"""Seconds between two pictures."""

NARROW: Final = 60
"""Columns of a terminal below which the table has fewer columns."""

_COLUMNS: Final[dict[str, Callable[[HostStats], str]]] = {
    "running": lambda host: f"{host.running:,}",
    "queued in memory": lambda host: f"{host.at_hand:,}",
    "pages": lambda host: f"{host.pages:,}",
    "errors": lambda host: f"{host.errors:,}",
    "pause": lambda host: f"{host.resting:.1f} s" if host.resting else "",
}

_UNITS: Final = ("B", "KB", "MB", "GB", "TB")


class Progress:
    """A table of the busiest hosts, which is drawn again while its block runs; nothing where there is no terminal.

    >>> async def crawl(crawler):
    ...     async with Progress(crawler):
    ...         await crawler.run()

    Args:
        crawler: the crawler.
        hosts: rows of the table.
        file: the terminal; by default the standard error.

    Raises:
        ImportError: rich is not installed, which asyncclient-http[crawl] installs.
    """

    def __init__(self, crawler: Crawler, *, hosts: int = 10, file: IO[str] | None = None) -> None:
        try:
            from rich.console import Console
        except ImportError as error:
            raise ImportError("a table needs rich: install asyncclient-http[crawl]", name="rich") from error
        self._crawler = crawler
        self._hosts = hosts
        self._console: Console = Console(file=file or sys.stderr)
        self._live: Live | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        from rich.live import Live

        if self._console.is_terminal:
            self._live = Live(self._draw(), console=self._console, auto_refresh=False, transient=True)
            self._live.start()
            self._task = asyncio.create_task(self._refresh(self._live))
        return self

    async def _refresh(self, live: Live) -> None:
        while True:
            await asyncio.sleep(REFRESH)
            live.update(self._draw(), refresh=True)

    def _draw(self) -> RenderableType:
        rows = nlargest(self._hosts, self._crawler.hosts(), key=lambda host: (host.running, host.at_hand))
        return build_table(self._crawler.stats(), rows, self._console.width)

    async def __aexit__(self, *exc_info: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._live is not None:
            self._live.stop()


def build_table(stats: CrawlStats, hosts: Iterable[HostStats], width: int = 80) -> RenderableType:
    """Return a table of hosts, with the figures of the crawl below it; it has fewer columns in a narrow terminal."""
    from rich.table import Table

    table = Table(
        expand=True, caption=describe(stats), box=None, pad_edge=False, caption_justify="left", caption_style=""
    )
    table.add_column("host", overflow="ellipsis", no_wrap=True, ratio=1)
    columns = _COLUMNS if width >= NARROW else {title: _COLUMNS[title] for title in ("running", "pages", "pause")}
    for title in columns:
        table.add_column(title, justify="right", no_wrap=True)
    for host in hosts:
        table.add_row(host.host, *(show(host) for show in columns.values()))
    return table


def describe(stats: CrawlStats) -> str:
    """Return the figures of a crawl in one sentence."""
    parts = [
        f"{count(stats.pages, 'page', 'pages')} in {show_seconds(stats.seconds)} ({stats.rate:,.1f}/s)",
        show_size(stats.bytes),
        count(stats.errors, "error", "errors"),
        count(stats.retries, "retry", "retries"),
        count(stats.waiting, "URL waits", "URLs wait"),
    ]
    return ", ".join(parts)


def count(number: int, one: str, many: str) -> str:
    """Return a number with the word for it."""
    return f"{number:,} {one if number == 1 else many}"


def show_size(size: float) -> str:
    """Return a number of bytes with a unit, such as 1.5 MB."""
    if size < 1000:
        return f"{size:.0f} B"
    power = min(int(math.log10(size)) // 3, len(_UNITS) - 1)
    return f"{size / 1000**power:.1f} {_UNITS[power]}"


def show_seconds(seconds: float) -> str:
    """Return a duration, such as 9.5 s or 1:02:03."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
