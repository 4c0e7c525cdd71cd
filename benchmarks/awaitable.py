"""The asynchronous contenders, with their defaults: cookies, redirects, decoding, time limits.

Each has methods that make requests one after another and check that content was received. They call their client
themselves: a coroutine for each request in between would be counted for the client.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from benchmarks.rows import BODY, MEGABYTES_100
from benchmarks.setup import PIECE, Setup


class Client(Protocol):
    """The methods that rows name; each makes a request for each URL."""

    async def get(self, urls: list[str]) -> None: ...
    async def post(self, urls: list[str]) -> None: ...
    async def download(self, urls: list[str]) -> None: ...
    async def upload(self, urls: list[str]) -> None: ...


class ContentRead:
    """Base of clients whose get() and post() return a response with its content read."""

    def __init__(self, client: Any, setup: Setup) -> None:
        self._client = client
        self._file = setup.file

    async def get(self, urls: list[str]) -> None:
        for url in urls:
            response = await self._client.get(url)
            assert response.content

    async def post(self, urls: list[str]) -> None:
        for url in urls:
            response = await self._client.post(url, json=BODY)
            assert response.content


class Ours(ContentRead):
    """asyncclient.Client."""

    async def download(self, urls: list[str]) -> None:
        for url in urls:
            received = 0
            async with self._client.stream("GET", url) as response:
                async for piece in response.iter_chunks():
                    received += len(piece)
            assert received == MEGABYTES_100

    async def upload(self, urls: list[str]) -> None:
        for url in urls:
            response = await self._client.put(url, body=Path(self._file))
            assert response.ok


@asynccontextmanager
async def open_ours(setup: Setup) -> AsyncIterator[Client]:
    """Open asyncclient's client."""
    import asyncclient

    most = max(setup.at_once, 100)
    pool = asyncclient.PoolLimits(connections=most, per_host=most, idle=most, idle_per_host=most)
    async with asyncclient.Client(pool=pool, ssl=setup.context) as client:
        yield Ours(client, setup)


class Aiohttp:
    """aiohttp.ClientSession."""

    def __init__(self, session: Any, setup: Setup) -> None:
        self._session = session
        self._file = setup.file

    async def get(self, urls: list[str]) -> None:
        for url in urls:
            async with self._session.get(url) as response:
                assert await response.read()

    async def post(self, urls: list[str]) -> None:
        for url in urls:
            async with self._session.post(url, json=BODY) as response:
                assert await response.read()

    async def download(self, urls: list[str]) -> None:
        for url in urls:
            received = 0
            async with self._session.get(url) as response:
                async for piece in response.content.iter_any():
                    received += len(piece)
            assert received == MEGABYTES_100

    async def upload(self, urls: list[str]) -> None:
        for url in urls:
            with open(self._file, "rb") as file:
                async with self._session.put(url, data=file) as response:
                    assert response.ok


@asynccontextmanager
async def open_aiohttp(setup: Setup) -> AsyncIterator[Client]:
    """Open aiohttp's client."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=max(setup.at_once, 100), ssl=setup.context or True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Aiohttp(session, setup)


class Httpx(ContentRead):
    """httpx.AsyncClient."""

    async def download(self, urls: list[str]) -> None:
        for url in urls:
            received = 0
            async with self._client.stream("GET", url) as response:
                async for piece in response.aiter_bytes():
                    received += len(piece)
            assert received == MEGABYTES_100

    async def upload(self, urls: list[str]) -> None:
        for url in urls:
            with open(self._file, "rb") as file:
                length = {"Content-Length": str(MEGABYTES_100)}
                response = await self._client.put(url, content=pieces_of(file), headers=length)
            assert response.is_success


async def pieces_of(file: Any) -> AsyncIterator[bytes]:
    """Yield the content of a file in pieces."""
    while piece := file.read(PIECE):
        yield piece


@asynccontextmanager
async def open_httpx(setup: Setup) -> AsyncIterator[Client]:
    """Open httpx's client."""
    import httpx

    most = max(setup.at_once, 100)
    limits = httpx.Limits(max_connections=most, max_keepalive_connections=most)
    async with httpx.AsyncClient(limits=limits, verify=setup.context or True, timeout=60) as client:
        yield Httpx(client, setup)


class Pyreqwest:
    """pyreqwest's client, which runs in threads of its own."""

    def __init__(self, client: Any, setup: Setup) -> None:
        self._client = client
        self._file = setup.file

    async def get(self, urls: list[str]) -> None:
        for url in urls:
            response = await self._client.get(url).build().send()
            assert await response.bytes()

    async def post(self, urls: list[str]) -> None:
        for url in urls:
            response = await self._client.post(url).body_json(BODY).build().send()
            assert await response.bytes()

    async def download(self, urls: list[str]) -> None:
        for url in urls:
            received = 0
            async with self._client.get(url).build_streamed() as response:
                while (piece := await response.body_reader.read_chunk()) is not None:
                    received += len(memoryview(piece))
            assert received == MEGABYTES_100

    async def upload(self, urls: list[str]) -> None:
        for url in urls:
            with open(self._file, "rb") as file:
                request = self._client.put(url).header("Content-Length", str(MEGABYTES_100))
                response = await request.body_stream(pieces_of(file)).build().send()
            assert response.status == 200


@asynccontextmanager
async def open_pyreqwest(setup: Setup) -> AsyncIterator[Client]:
    """Open pyreqwest's client."""
    from pyreqwest.client import ClientBuilder

    most = max(setup.at_once, 100)
    builder = ClientBuilder().max_connections(most).pool_max_idle_per_host(most).default_cookie_store(True)
    builder = builder.gzip(True).timeout(timedelta(seconds=60))
    if setup.cafile:
        builder = builder.add_root_certificate_pem(Path(setup.cafile).read_bytes())
    async with builder.build() as client:
        yield Pyreqwest(client, setup)


class Bare:
    """asyncio's streams, with connections of their own for each task; nothing is parsed.

    The first response says how long all others are.
    """

    def __init__(self, setup: Setup) -> None:
        self._address = urlsplit(setup.base)
        self._context = setup.context
        self._body = json.dumps(BODY).encode()
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._size = 0

    async def get(self, urls: list[str]) -> None:
        await self._repeat(urls, b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    async def post(self, urls: list[str]) -> None:
        fields = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(self._body)
        await self._repeat(urls, b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\n" + fields + self._body)

    async def download(self, urls: list[str]) -> None:
        for url in urls:
            reader, writer = await self._open()
            writer.write(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % target_of(url))
            await reader.readuntil(b"\r\n\r\n")
            left = MEGABYTES_100
            while left:
                piece = await reader.read(min(left, 4 * PIECE))
                assert piece
                left -= len(piece)
            writer.close()

    async def upload(self, urls: list[str]) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        for _, writer in self._idle:
            writer.close()

    async def _repeat(self, urls: list[str], request: bytes) -> None:
        if not self._size:
            self._size = await self._measure(request % target_of(urls[0]))
        if urls[0].endswith("/close"):
            for url in urls:
                reader, writer = await self._open()
                writer.write(request % target_of(url))
                assert await reader.read()
                writer.close()
            return
        reader, writer = self._idle.pop() if self._idle else await self._open()
        start = urls[0].index("/", 8)
        for url in urls:
            writer.write(request % url[start:].encode())
            await reader.readexactly(self._size)
        self._idle.append((reader, writer))

    async def _measure(self, request: bytes) -> int:
        reader, writer = await self._open()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        _, is_long, rest = head.lower().partition(b"content-length:")
        content = int(rest.split(b"\r\n")[0]) if is_long else len(await reader.readuntil(b"\r\n0\r\n\r\n"))
        writer.close()
        return len(head) + content

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = self._address
        return await asyncio.open_connection(address.hostname, address.port, ssl=self._context, limit=1024 * 1024)


def target_of(url: str) -> bytes:
    """Return the path of a URL."""
    return urlsplit(url).path.encode()


@asynccontextmanager
async def open_bare(setup: Setup) -> AsyncIterator[Client]:
    """Give bare streams."""
    bare = Bare(setup)
    yield bare
    await bare.aclose()


CLIENTS: dict[str, Callable[[Setup], AbstractAsyncContextManager[Client]]] = {
    "bare": open_bare,
    "asyncclient": open_ours,
    "pyreqwest": open_pyreqwest,
    "aiohttp": open_aiohttp,
    "httpx": open_httpx,
}
