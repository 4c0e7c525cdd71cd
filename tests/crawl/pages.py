"""Pages for tests, fetched by a client from a mock transport."""

from typing import Any

from asyncclient import Client, LocalResponse
from asyncclient.crawl import Entry, Page
from asyncclient.testing import MockTransport


async def fetch_page(
    content: str | bytes = b"",
    *,
    url: str = "https://a.example/dir/page?q",
    status: int = 200,
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    **entry: Any,
) -> Page:
    """Return a page with a response, by default of HTML."""
    if headers is None:
        headers = {"Content-Type": "text/html"}
    response = LocalResponse(status, headers=headers, content=content)
    async with Client(transport=MockTransport({f"GET {url}": response})) as client:
        return Page(Entry(url, **entry), await client.get(url))
