"""The first test: a function that makes a request, without a network.

Run it with pytest and pytest-asyncio (asyncio_mode=auto).
"""

import pytest

from asyncclient import Client, StatusError
from asyncclient.testing import MockTransport

API = "https://api.example.com"


async def find_user(number: int) -> str:
    async with Client(base_url=API, retries=2) as client:
        response = await client.get(f"/users/{number}")
        name: str = response.raise_for_status().json()["name"]
        return name


async def test_a_user(asyncclient_mock: MockTransport) -> None:
    asyncclient_mock.get(f"{API}/users/7").respond(json={"name": "Ada"})
    assert await find_user(7) == "Ada"


async def test_an_unknown_user(asyncclient_mock: MockTransport) -> None:
    asyncclient_mock.get(f"{API}/users/8").respond(status=404)
    with pytest.raises(StatusError):
        await find_user(8)
