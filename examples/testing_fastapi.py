"""A FastAPI application with one client for all requests, and its test.

Run it with pytest and pytest-asyncio (asyncio_mode=auto).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypedDict

from fastapi import Depends, FastAPI, HTTPException, Request

from asyncclient import Client
from asyncclient import HTTPException as ClientError
from asyncclient.testing import ASGITransport, MockTransport

WEATHER = "https://weather.example"


class State(TypedDict):
    client: Client


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[State]:
    async with Client(base_url=WEATHER, timeout=5) as client:
        yield {"client": client}


def get_client(request: Request) -> Client:
    client: Client = request.state.client
    return client


Connected = Annotated[Client, Depends(get_client)]
app = FastAPI(lifespan=lifespan)


@app.get("/weather/{town}")
async def show_weather(town: str, client: Connected) -> Any:
    try:
        response = await client.get("/now", params={"town": town})
        return response.raise_for_status().json()
    except ClientError as exc:
        raise HTTPException(502, "no weather") from exc


async def test_weather(asyncclient_mock: MockTransport) -> None:
    now = f"{WEATHER}/now"
    asyncclient_mock.get(now, params={"town": "Bath"}).respond(json={"sun": True})
    asyncclient_mock.get(now, params={"town": "Hull"}).respond(status=500)
    transport = ASGITransport(app)
    async with Client(transport=transport, base_url="https://shop.example") as client:
        assert (await client.get("/weather/Bath")).json() == {"sun": True}
        assert (await client.get("/weather/Hull")).status == 502
