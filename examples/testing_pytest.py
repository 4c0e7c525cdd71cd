"""Tests with the fixtures of the plugin for pytest.

Run it with pytest and pytest-asyncio (asyncio_mode=auto).
"""

from collections.abc import Callable

import pytest

import compat
from asyncclient import Client
from asyncclient.testing import MockTransport, RawServer, build_response

API = "https://api.example.com"
Start = Callable[..., RawServer]


async def list_names() -> list[str]:
    """The code under test, with a client of its own."""
    async with Client() as client:
        names: list[str] = (await client.get(f"{API}/names")).json()
        return names


async def test_list_names(asyncclient_mock: MockTransport) -> None:
    asyncclient_mock.get(f"{API}/names").respond(json=["ada"])
    assert await list_names() == ["ada"]


def test_a_blocking_client(asyncclient_mock: MockTransport) -> None:
    asyncclient_mock.get(f"{API}/names").respond(json=["ada"])
    with compat.Client() as client:
        assert client.get(f"{API}/names").json() == ["ada"]


@pytest.mark.check_leaks
@pytest.mark.disable_network
async def test_a_server(asyncclient_server: Start, asyncclient_client: Client) -> None:
    server = asyncclient_server(build_response(text="a"), build_response(text="b"))
    assert (await asyncclient_client.get(server.url)).text == "a"
    assert (await asyncclient_client.get(server.url)).text == "b"
