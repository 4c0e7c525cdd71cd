"""Pages of a list, by links and by cursors, with tests.

Run it with pytest and pytest-asyncio (asyncio_mode=auto).
"""

from collections.abc import AsyncIterator
from typing import Any

from asyncclient import Client
from asyncclient.testing import MockTransport

API = "https://api.example.com/v1"


async def iter_by_links(client: Client, url: str) -> AsyncIterator[Any]:
    following: str | None = url
    while following is not None:
        response = await client.get(following)
        for item in response.raise_for_status().json():
            yield item
        link = response.links.get("next")
        following = None if link is None else link.url


async def iter_by_cursor(client: Client, url: str) -> AsyncIterator[Any]:
    cursor: str | None = None
    while True:
        response = await client.get(url, params={"cursor": cursor, "limit": 100})
        page = response.raise_for_status().json()
        for item in page["items"]:
            yield item
        cursor = page["next_cursor"]
        if cursor is None:
            return


async def test_links() -> None:
    mock = MockTransport()
    link = '</v1/items?page=2>; rel="next"'
    mock.get(f"{API}/items?page=2").respond(json=[3])
    mock.get(f"{API}/items").respond(json=[1, 2], headers={"Link": link})
    async with Client(base_url=API, transport=mock) as client:
        assert [item async for item in iter_by_links(client, "/items")] == [1, 2, 3]


async def test_a_cursor() -> None:
    mock = MockTransport()
    second = {"items": [3], "next_cursor": None}
    mock.get(f"{API}/items", params={"cursor": "c2"}).respond(json=second)
    first = {"items": [1, 2], "next_cursor": "c2"}
    mock.get(f"{API}/items", params={}).respond(json=first)
    async with Client(base_url=API, transport=mock) as client:
        assert [item async for item in iter_by_cursor(client, "/items")] == [1, 2, 3]
