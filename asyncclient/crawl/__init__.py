"""Crawling: a frontier of URLs, fetched politely, with the pages as they are received."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .crawler import Crawler
    from .entry import Counts, Entry, Outcome, State
    from .frontier import Frontier, FrontierError, Taken
    from .links import find_links
    from .memory import MemoryFrontier
    from .page import Page
    from .progress import Progress, describe
    from .scope import Scope
    from .sinks.files import Files
    from .sinks.json_lines import JSONLines
    from .sinks.sink import Sink
    from .sitemaps import Sitemap, SitemapError, SitemapURL, parse_sitemap
    from .sqlite import SQLiteFrontier
    from .stats import CrawlStats, HostStats
    from .urls import TRACKING, drop_params, find_host, normalize_url
    from .warc.archive import WARC, WARCError

__all__ = [
    "TRACKING",
    "WARC",
    "Counts",
    "CrawlStats",
    "Crawler",
    "Entry",
    "Files",
    "Frontier",
    "FrontierError",
    "HostStats",
    "JSONLines",
    "MemoryFrontier",
    "Outcome",
    "Page",
    "Progress",
    "SQLiteFrontier",
    "Scope",
    "Sink",
    "Sitemap",
    "SitemapError",
    "SitemapURL",
    "State",
    "Taken",
    "WARCError",
    "describe",
    "drop_params",
    "find_host",
    "find_links",
    "normalize_url",
    "parse_sitemap",
]

_HOMES: Final = {
    "Counts": "entry",
    "CrawlStats": "stats",
    "Crawler": "crawler",
    "Entry": "entry",
    "Files": "sinks.files",
    "Frontier": "frontier",
    "FrontierError": "frontier",
    "HostStats": "stats",
    "JSONLines": "sinks.json_lines",
    "MemoryFrontier": "memory",
    "Outcome": "entry",
    "Page": "page",
    "Progress": "progress",
    "SQLiteFrontier": "sqlite",
    "Scope": "scope",
    "Sink": "sinks.sink",
    "Sitemap": "sitemaps",
    "SitemapError": "sitemaps",
    "SitemapURL": "sitemaps",
    "State": "entry",
    "TRACKING": "urls",
    "Taken": "frontier",
    "WARC": "warc.archive",
    "WARCError": "warc.archive",
    "describe": "progress",
    "drop_params": "urls",
    "find_host": "urls",
    "find_links": "links",
    "normalize_url": "urls",
    "parse_sitemap": "sitemaps",
}
"""The modules of the names: each is imported on first use, because a crawl needs only some of them."""


if not TYPE_CHECKING:  # with a module-level __getattr__, a type checker would accept any name

    def __getattr__(name: str) -> object:
        """Import a name on first use."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found: object = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        """List all names, for completion and for Python's "did you mean"."""
        return sorted({*globals(), *__all__})
