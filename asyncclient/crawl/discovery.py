"""Finding the URLs of a site in its sitemaps."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Final

from ..client.client import Client
from ..errors import HTTPException, InvalidURL
from ..message.url import parse_url
from ..politeness import Polite
from .sitemaps import MAX_SIZE, SitemapURL, parse_sitemap
from .urls import find_host, normalize_url

MAX_SITEMAPS: Final = 50_000
"""Sitemaps of a site that are read; an index has at most as many."""


async def read_sitemaps(client: Client, polite: Polite | None, url: str) -> AsyncIterator[list[SitemapURL]]:
    """Yield the URLs of each sitemap of a site. A sitemap that can't be fetched or parsed has none.

    Args:
        client: fetches them.
        polite: its transport, which knows what robots.txt says.
        url: a sitemap, or an index of sitemaps; or the root of a site: then /sitemap.xml, and those in its robots.txt.
    """
    is_site = parse_url(url).target == "/"
    waiting = deque([f"{url}sitemap.xml" if is_site else url])
    known = set(waiting)
    hosts = {find_host(url)}
    while waiting:
        content = await _fetch(client, waiting.popleft())
        if is_site and polite is not None:  # its robots.txt has been fetched for the first one
            is_site = False
            named = list(_normalize(polite.find_sitemaps(url)))
            hosts.update(map(find_host, named))
            _add_new(named, waiting, known)
        if content is None:
            continue
        sitemap = await asyncio.to_thread(parse_sitemap, content)
        if sitemap.is_index:
            # An index lists sitemaps of its own host only, by the protocol.
            _add_new([item.url for item in sitemap.urls if find_host(item.url) in hosts], waiting, known)
        else:
            yield sitemap.urls


def _add_new(urls: list[str], waiting: deque[str], known: set[str]) -> None:
    for url in urls:
        if url not in known and len(known) < MAX_SITEMAPS:
            known.add(url)
            waiting.append(url)


def _normalize(urls: list[str]) -> Iterator[str]:
    for url in urls:
        try:
            yield normalize_url(url)
        except InvalidURL:
            continue


async def _fetch(client: Client, url: str) -> bytes | None:
    try:
        response = await client.get(url, max_body_size=MAX_SIZE, follow_redirects=True)
    except (HTTPException, OSError, ValueError):
        return None
    return response.content if response.status == 200 else None
