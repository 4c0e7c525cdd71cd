"""Sitemaps in a crawl: where they are looked for, and which of their URLs are added."""

import gzip
from typing import Any

import pytest

from asyncclient import InvalidURL, LocalResponse
from asyncclient.crawl import Crawler
from asyncclient.politeness import Rules
from asyncclient.testing import MockTransport
from tests.crawl.sites import AGENT, fetched, page_with, redirect_to


def urlset(*urls: str) -> str:
    return f"<urlset>{''.join(f'<url><loc>{url}</loc></url>' for url in urls)}</urlset>"


def index(*urls: str) -> str:
    return f"<sitemapindex>{''.join(f'<sitemap><loc>{url}</loc></sitemap>' for url in urls)}</sitemapindex>"


def answers(robots: str = "", **contents: Any) -> MockTransport:
    table = {f"GET http://a.test/{name}.xml": content for name, content in contents.items()}
    pages = {f"GET http://a.test/{n}": page_with() for n in range(5)}
    return MockTransport(
        {
            "GET http://a.test/robots.txt": LocalResponse(content=robots),
            "GET http://a.test/sitemap.xml": 404,
            **{
                url: LocalResponse(content=text) if isinstance(text, str | bytes) else text
                for url, text in table.items()
            },
            **pages,
        }
    )


async def crawl_sitemaps(transport: MockTransport, url: str = "http://a.test", **options: Any) -> tuple[int, list[str]]:
    """Return how many URLs were added, and the pages that were fetched."""
    async with Crawler(agent=AGENT, transport=transport, rules=Rules(connections=4), **options) as crawler:
        added = await crawler.add_sitemaps(url)
        return added, sorted([page.url[-1] async for page in crawler if page.ok])


async def test_the_sitemap_of_a_site_is_read() -> None:
    transport = answers(sitemap=urlset("http://a.test/1", "http://a.test/2"))
    assert await crawl_sitemaps(transport) == (2, ["1", "2"])


async def test_sitemaps_in_robots_txt_are_read() -> None:
    robots = "Sitemap: nowhere\nSitemap: http://a.test/x.xml\nSitemap: http://a.test/y.xml"
    transport = answers(robots, x=urlset("http://a.test/1"), y=gzip.compress(urlset("http://a.test/2").encode()))
    assert await crawl_sitemaps(transport) == (2, ["1", "2"])


async def test_an_index_leads_to_sitemaps_once() -> None:
    loop = index("http://b.test/x.xml", "http://a.test/x.xml", "http://a.test/sitemap.xml", "http://a.test/x.xml")
    transport = answers(sitemap=loop, x=urlset("http://a.test/3"))
    assert await crawl_sitemaps(transport) == (1, ["3"])
    assert fetched(transport).count("http://a.test/x.xml") == 1


async def test_one_sitemap_is_read_alone() -> None:
    transport = answers("Sitemap: http://a.test/x.xml", x=urlset("http://a.test/1"), y=urlset("http://a.test/2"))
    assert await crawl_sitemaps(transport, "http://a.test/y.xml") == (1, ["2"])


async def test_urls_out_of_scope_are_left_out() -> None:
    transport = answers(sitemap=urlset("http://b.test/1", "http://a.test/4"))
    assert await crawl_sitemaps(transport) == (1, ["4"])


async def test_a_sitemap_may_be_moved() -> None:
    transport = answers(sitemap=redirect_to("/x.xml"), x=urlset("http://a.test/1"))
    assert await crawl_sitemaps(transport) == (1, ["1"])


async def test_without_robots_only_the_usual_place_is_asked() -> None:
    transport = answers("Sitemap: http://a.test/x.xml", sitemap=urlset("http://a.test/1"))
    assert await crawl_sitemaps(transport, robots=False) == (1, ["1"])


@pytest.mark.parametrize("answer", [500, ConnectionResetError("reset"), "<urlset><url>", "garbage\0"])
async def test_a_sitemap_that_cannot_be_read_has_no_urls(answer: Any) -> None:
    assert await crawl_sitemaps(answers(sitemap=answer)) == (0, [])


async def test_a_site_is_a_url() -> None:
    with pytest.raises(InvalidURL):
        await crawl_sitemaps(answers(), "a.test")
