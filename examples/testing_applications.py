"""Tests of FastAPI and Flask applications without a server.

Run it with pytest and pytest-asyncio (asyncio_mode=auto).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Request
from flask import Flask

import compat
from asyncclient import Client
from asyncclient.testing import ASGITransport, WSGITransport

URL = "https://shop.example"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, list[str]]]:
    yield {"names": ["lamp"]}  # a database, in a real application


fastapi = FastAPI(lifespan=lifespan)
flask = Flask("shop")


@fastapi.get("/items")
async def list_items(request: Request) -> list[str]:
    names: list[str] = request.state.names
    return names


@fastapi.get("/broken")
async def fail() -> None:
    raise KeyError("no such lamp")


@flask.get("/items")
def list_flask_items() -> list[str]:
    return ["lamp"]


async def test_fastapi() -> None:
    transport = ASGITransport(fastapi)
    async with Client(transport=transport, base_url=URL) as client:
        assert (await client.get("items")).json() == ["lamp"]


async def test_an_exception_of_the_application() -> None:
    transport = ASGITransport(fastapi)
    async with Client(transport=transport, base_url=URL) as client:
        with pytest.raises(KeyError, match="no such lamp"):
            await client.get("broken")
    transport = ASGITransport(fastapi, raise_app_exceptions=False)
    async with Client(transport=transport, base_url=URL) as client:
        assert (await client.get("broken")).status == 500


async def test_flask() -> None:
    transport = WSGITransport(flask)
    async with Client(transport=transport, base_url=URL) as client:
        assert (await client.get("items")).json() == ["lamp"]


def test_flask_with_the_blocking_client() -> None:
    with compat.Client(transport=WSGITransport(flask), base_url=URL) as client:
        assert client.get("items").json() == ["lamp"]
