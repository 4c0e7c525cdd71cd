"""A client whose requests are sent by a transport of the caller's."""

import pytest

from asyncclient import Client, ClientClosed, PoolTransport, Transport, TransportRequest, TransportResponse
from tests.client.answering import Answering, redirect
from tests.connection.conversations import OK


class Noting:
    """Notes each request, and passes it on."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.urls: list[str] = []
        self.is_closed = False

    async def send(self, request: TransportRequest) -> TransportResponse:
        self.urls.append(request.url)
        return await self.inner.send(request)

    async def aclose(self) -> None:
        self.is_closed = True
        await self.inner.aclose()


async def test_a_transport_around_the_pool_sees_every_exchange_and_is_closed_with_the_client() -> None:
    with Answering({"/a": redirect("/b")}, OK) as server:
        transport = Noting(PoolTransport())
        async with Client(transport=transport) as client:
            response = await client.get(f"{server.url}/a")
        assert (response.status, transport.is_closed) == (200, True)
        assert transport.urls == [f"{server.url}/a", f"{server.url}/b"]
        with pytest.raises(ClientClosed):
            await client.get(f"{server.url}/a")


def test_arguments_for_connections_are_refused_beside_a_transport() -> None:
    with pytest.raises(ValueError, match="expected no ssl with a transport"):
        Client(transport=PoolTransport(), ssl=False)
    with pytest.raises(TypeError, match="expected an object with send"):
        Client(transport=object())  # type: ignore[arg-type]
