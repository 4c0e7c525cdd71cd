"""Tests of a small API client without a network.

Run it with pytest and pytest-asyncio (asyncio_mode=auto).
"""

import pytest

from asyncclient import (
    Client,
    ConnectError,
    LocalResponse,
    Response,
    Retry,
    StatusError,
)
from asyncclient.testing import (
    MockTransport,
    SentRequest,
    UnexpectedRequest,
    build_response,
)

API = "https://api.example.com"


class Shop:
    """The code under test."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def find(self, name: str) -> list[str]:
        response = await self.client.get(f"{API}/items", params={"name": name})
        return [item["id"] for item in response.raise_for_status().json()]

    async def order(self, item: str, count: int) -> Response:
        return await self.client.post(f"{API}/orders", json={"item": item, "n": count})


async def test_find() -> None:
    mock = MockTransport()
    mock.get(f"{API}/items", params={"name": "lamp"}).respond(json=[{"id": "a7"}])
    async with Client(transport=mock) as client:
        assert await Shop(client).find("lamp") == ["a7"]
    mock.assert_all_called()


async def test_find_tells_of_errors() -> None:
    mock = MockTransport()
    mock.get(f"{API}/items", params={}).respond(status=500, text="out of lamps")
    async with Client(transport=mock) as client:
        with pytest.raises(StatusError):
            await Shop(client).find("lamp")


async def test_find_is_retried() -> None:
    mock = MockTransport()
    answers = (503, ConnectError("refused"), build_response(json=[]))
    mock.get(f"{API}/items", params={}).sequence(*answers)
    retries = Retry(total=2, backoff=0)
    async with Client(transport=mock, retries=retries) as client:
        assert await Shop(client).find("lamp") == []
    assert len(mock.calls) == 3


async def test_order() -> None:
    mock = MockTransport()
    route = mock.post(f"{API}/orders", times=1).respond(status=201)
    async with Client(transport=mock, headers={"X-Key": "7"}) as client:
        assert (await Shop(client).order("a7", 2)).status == 201
    (call,) = route.calls
    assert call.request.json() == {"item": "a7", "n": 2}
    assert call.request.headers["x-key"] == "7"


async def test_answer_by_a_function() -> None:
    def show(sent: SentRequest) -> LocalResponse:
        return build_response(json={"id": sent.path_params["id"]})

    mock = MockTransport()
    mock.get(f"{API}/items/{{id}}").respond(show)
    async with Client(transport=mock) as client:
        assert (await client.get(f"{API}/items/a7")).json() == {"id": "a7"}


async def test_a_request_that_no_route_expects() -> None:
    mock = MockTransport()
    mock.get(f"{API}/orders")
    async with Client(transport=mock) as client:
        with pytest.raises(UnexpectedRequest, match=r"GET .*another method"):
            await Shop(client).order("a7", 2)
