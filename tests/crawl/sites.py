"""Sites for crawlers, without a network."""

from collections.abc import Iterable, Mapping
from typing import Any

from asyncclient import LocalResponse
from asyncclient.crawl import Crawler, Page
from asyncclient.testing import MockTransport

AGENT = "testbot/1.0 (+https://example.com/bot)"

Answers = Mapping[str, Any]


def page_with(*links: str) -> LocalResponse:
    anchors = "".join(f'<a href="{link}">link</a>' for link in links)
    return LocalResponse(content=f"<html><body>{anchors}</body></html>", headers={"Content-Type": "text/html"})


def redirect_to(location: str, status: int = 302) -> LocalResponse:
    return LocalResponse(status, headers={"Location": location})


def site(answers: Answers) -> MockTransport:
    """A transport with answers by URL; each host has no robots.txt."""
    hosts = {url.split("/")[2] for url in answers}
    robots = {f"GET http://{host}/robots.txt": 404 for host in hosts}
    return MockTransport({**robots, **{f"GET {url}": answer for url, answer in answers.items()}})


def fetched(transport: MockTransport) -> list[str]:
    """The URLs that were requested, without those of robots.txt."""
    return [request.url for request in transport.requests if not request.url.endswith("/robots.txt")]


def tree(size: int, host: str = "a.test") -> Answers:
    """Pages in a binary tree: each has links to two others."""
    numbers = range(size)
    return {
        f"http://{host}/{n}": page_with(*(f"/{child}" for child in (2 * n + 1, 2 * n + 2) if child < size))
        for n in numbers
    }


async def crawl(crawler: Crawler, urls: str | Iterable[str]) -> list[Page]:
    """Follow all links, and return the pages."""
    pages = []
    async with crawler:
        await crawler.add(urls)
        async for page in crawler:
            await crawler.add_links(page)
            pages.append(page)
    return pages
