"""Habits of other clients that end in an error of Python's own: the pages about them have its text."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import compat
from asyncclient import Client
from asyncclient.testing import MockTransport, build_response

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGES = [DOCS / f"from_{name}.md" for name in ("requests", "httpx", "aiohttp")]
ROW = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|$", re.MULTILINE)
URL = "http://example.com/"

Habit = Callable[[Any, Any], Any]


async def enter(client: Any, response: Any) -> None:
    with client.stream("GET", URL):
        pass


async def enter_request(client: Any, response: Any) -> None:
    request = client.get(URL)
    try:
        async with request:
            pass
    finally:
        request.close()


async def read_status(client: Any, response: Any) -> None:
    request = client.get(URL)
    try:
        request.status  # noqa: B018
    finally:
        request.close()


HABITS: dict[str, Habit] = {
    'client.get(url, {"q": "a"})': lambda client, _: client.get(URL, {"q": "a"}),
    'client.post(url, {"a": "b"})': lambda client, _: client.post(URL, {"a": "b"}),
    "client.get(url).status": read_status,
    'with client.stream("GET", url) as r:': enter,
    "for chunk in r.iter_chunks():": lambda _, response: iter(response.iter_chunks()),
    "for line in r.iter_lines():": lambda _, response: iter(response.iter_lines()),
    "async with client.get(url) as r:": enter_request,
    'await client.stream("GET", url)': lambda client, _: client.stream("GET", URL),
    "await r.json()": lambda _, response: response.json(),
    "await r.text()": lambda _, response: response.text(),
}


def rows_of(page: Path) -> list[tuple[str, ...]]:
    return ROW.findall(page.read_text().partition("## Python's errors for habits")[2])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_pages_have_the_texts_of_python(page: Path) -> None:
    rows = rows_of(page)
    assert len(rows) >= 5
    async with Client(transport=MockTransport({f"GET {URL}": build_response(json={"a": 1})})) as client:
        response = await client.get(URL)
        for written, text, _ in rows:
            with pytest.raises((TypeError, AttributeError)) as raised:
                await HABITS[written](client, response)
            assert str(raised.value).startswith(text)


def test_each_habit_is_on_a_page() -> None:
    assert {row[0] for page in PAGES for row in rows_of(page)} == HABITS.keys()


@pytest.mark.parametrize("kind", [Client, compat.Client])
def test_errors_about_arguments_name_the_client(kind: Any) -> None:
    client = kind()
    for method in ("get", "head", "options", "post", "put", "patch", "delete"):
        text = rf"^Client\.{method}\(\) takes 2 positional arguments but 3 were given$"
        with pytest.raises(TypeError, match=text):
            getattr(client, method)(URL, {"q": "a"})
    assert client.stream.__qualname__ == "Client.stream"
    if kind is Client:
        asyncio.run(client.aclose())
    else:
        client.close()
