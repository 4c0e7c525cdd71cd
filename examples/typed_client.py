"""Calls of the client with their types, which mypy and pyright check as user code."""

import argparse
import io
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from http import cookiejar
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, assert_type

import asyncclient
from asyncclient import (
    AuthRequest,
    Client,
    Cookie,
    CookieJar,
    Limits,
    LocalResponse,
    Part,
    PoolLimits,
    PoolTransport,
    Proxy,
    Request,
    Response,
    Retry,
    Routes,
    Timeout,
    Transport,
    TransportRequest,
    TransportResponse,
)
from asyncclient.client.cookies.files import (
    from_cookiejar,
    read_netscape,
    to_cookiejar,
    write_netscape,
)
from asyncclient.message.challenges import parse_challenges
from asyncclient.message.links import Link
from asyncclient.testing import Answer, MockTransport, SentRequest


async def verbs(client: Client) -> None:
    assert_type(
        await client.get("/echo", params={"a": 1, "b": ["x", None, True]}), Response
    )
    assert_type(
        await client.head("/echo", headers=[("Accept", "*/*"), (b"X-Number", 1)]),
        Response,
    )
    assert_type(
        await client.options("/echo", params=[("a", 1.5)], headers={"X-Bytes": b"x"}),
        Response,
    )
    assert_type(await client.post("/echo", json={"a": None}, auth=None), Response)
    assert_type(
        await client.put("/echo", body=b"x", timeout=5, expect_continue=True), Response
    )
    assert_type(
        await client.patch("/echo", data={"a": ["x", 1]}, timeout=Timeout(read=5)),
        Response,
    )
    assert_type(
        await client.delete("/echo", timeout=None, follow_redirects=False), Response
    )
    assert_type(
        await client.request("PUT", "/echo", body=produce, trailers=[("X-Sum", "1")]),
        Response,
    )
    assert_type(
        await client.request(
            "GET", "/echo", decode=False, max_body_size=None, cookies={"a": "b"}
        ),
        Response,
    )


async def produce() -> AsyncIterator[bytes]:
    yield b"piece"


async def requests(client: Client) -> None:
    request = client.build_request("post", "/echo", body=io.BytesIO(b"x"))
    assert_type(request, Request)
    assert_type((request.method, request.url), tuple[str, str])
    assert_type(request.headers, list[tuple[str, Any]])
    assert_type(await client.send(request), Response)
    own = Request(
        "PUT",
        client.base_url + "/echo",
        body=lambda: [b"made ", b"again"],
        trailers=lambda: [("X-Sum", "1")],
    )
    assert_type(await client.send(own), Response)

    files: dict[str, Any] = {
        "path": Path(__file__),
        "bytes": ("a.bin", b"content"),
        "part": Part("b.txt", "content", "text/plain", {"X-Part": "1"}, length=7),
    }
    response = await client.post("/echo", data=[("name", "Ada")], files=files)
    print(response.status, response.request.method)


async def content(client: Client) -> None:
    response = await client.get("/lines/3")
    assert_type(
        (response.status, response.reason, response.version, response.url),
        tuple[int, str, int, str],
    )
    assert_type(response.ok, bool)
    assert_type(response.raise_for_status(), Response)
    assert_type(response.headers, asyncclient.Fields)
    assert_type(response.headers["Content-Type"], str)
    assert_type(response.headers.get("Link"), str | None)
    assert_type(response.trailers, asyncclient.Fields | None)
    assert_type(response.interim, tuple[asyncclient.Interim, ...])
    assert_type(response.history, tuple[Response, ...])
    assert_type(response.request, Request)
    assert_type(response.links, dict[str, Link])
    assert_type(response.timings, asyncclient.Timings)
    assert_type(response.tls, asyncclient.TLSInfo | None)
    assert_type(response.closed, bool)
    assert_type(response.content, bytes)
    assert_type(await response.read(), bytes)
    assert_type(response.encoding, str)
    response.encoding = "ascii"
    assert_type(response.text, str)
    assert_type(response.lines, list[str])
    assert_type((await client.get("/json")).json(parse_int=str), Any)
    print(response.lines, response.peer is None, response.upgraded)


async def streams(client: Client) -> None:
    async with client.stream("GET", "/lines/3") as response:
        assert_type(response, Response)
        pieces = [piece async for piece in response.iter_chunks(10)]
        assert_type(pieces, list[bytes])
    async with client.stream("GET", "/lines/3", max_body_size=1000) as response:
        assert_type([text async for text in response.iter_text()], list[str])
    async with client.stream("GET", "/lines/3") as response:
        lines = [line async for line in response.iter_lines()]
        assert_type(lines, list[str])
    async with client.stream("GET", "/bytes/100") as response:
        await response.aclose()
    async with client.stream("GET", "/bytes/1000000") as response:
        response.close()
    with TemporaryDirectory() as directory:
        path = Path(directory, "file")
        assert_type(
            await client.download("/lines/3", path, resume=True, progress=print),
            Response,
        )
        assert_type(
            await client.download(
                "/lines/3", str(path), timeout=10, headers={"X-A": "1"}
            ),
            Response,
        )
        response = await client.download(
            "/lines/3", directory, overwrite=True, decode=True
        )
        assert_type(response.filename, str)
    print(len(pieces), lines)


def cookies() -> CookieJar:
    jar = CookieJar(
        {"everywhere": "1"}, max_cookies=100, max_per_domain=50, max_size=4096
    )
    jar.set(
        "a",
        "1",
        domain="example.com",
        path="/",
        expires=None,
        secure=True,
        http_only=True,
        host_only=True,
    )
    jar.update([Cookie("b", "2", "example.com")])
    jar.update(to_cookiejar(jar))
    assert_type(list(jar), list[Cookie])
    assert_type(jar.remove("b", domain="example.com", path="/"), int)
    assert_type(to_cookiejar(jar), cookiejar.CookieJar)
    assert_type(write_netscape(jar), str)
    jar.clear_session()
    jar.expire()
    jar.clear()
    jar.update(read_netscape("example.com\tFALSE\t/\tFALSE\t0\ta\t1\n"))
    jar.update(from_cookiejar(cookiejar.CookieJar()))
    cookie = next(iter(jar))
    assert_type(
        (cookie.name, cookie.value, cookie.domain, cookie.path),
        tuple[str, str, str, str],
    )
    assert_type(cookie.expires, float | None)
    print(len(jar), bool(jar), cookie)
    return CookieJar(jar)


class Key(asyncclient.Auth):
    async def authorize(self, request: AuthRequest) -> list[tuple[str, str]]:
        assert_type(request.body, bytes | None)
        return [
            (
                "X-Key",
                f"{request.method} {request.host} {request.port} {request.target}",
            )
        ]

    def answer(
        self, request: AuthRequest, status: int, challenges: Sequence[str], attempt: int
    ) -> list[tuple[str, str]] | None:
        return [
            ("Authorization", challenge.scheme)
            for challenge in parse_challenges(challenges)
        ][:attempt] or None


async def credentials(client: Client) -> None:
    ways: list[asyncclient.Auth | tuple[str, str]] = [
        ("ada", "lovelace"),
        asyncclient.Basic("ada", "lovelace"),
        asyncclient.Bearer("t0ken"),
        asyncclient.Digest("ada", "lovelace"),
        asyncclient.Netrc("no-such-file"),
        Key(),
    ]
    print([(await client.get("/basic/ada/lovelace", auth=way)).status for way in ways])
    await client.get("/echo", auth=lambda request: {"X-Url": request.url})
    await client.get("/echo", auth=lambda request: "Bearer t0ken")


class Wrapper:
    """A transport: there is no class to derive from."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner

    async def send(self, request: TransportRequest) -> TransportResponse:
        assert_type(
            (request.method, request.url, request.headers),
            tuple[str, str, asyncclient.Fields],
        )
        assert_type(await request.read_body(), bytes)
        return await self.inner.send(request.replace(headers={"X-A": "1", "X-B": None}))

    async def aclose(self) -> None:
        await self.inner.aclose()


async def answer(sent: SentRequest) -> LocalResponse:
    return LocalResponse(
        201,
        headers=[("X-Length", str(len(sent.content)))],
        content=produce(),
        reason="Made",
    )


async def transports() -> None:
    table: dict[str, Answer | Sequence[Answer]] = {
        "GET http://a.test/": LocalResponse(content="text", trailers={"X-Sum": "1"}),
        "PUT http://a.test/": [
            503,
            asyncclient.ConnectError("refused"),
            TimeoutError,
            answer,
        ],
    }
    scripted = MockTransport(table)
    async with Client(
        transport=Routes({"*": PoolTransport(), "*.test": Wrapper(scripted)}), retries=3
    ) as client:
        assert_type((await client.get("http://a.test/")).text, str)
        print((await client.put("http://a.test/", body=b"x")).status)
    assert_type(scripted.requests, list[SentRequest])
    print(len(scripted.requests), scripted.is_closed)


class Table:
    """A resolver: there is no class to derive from."""

    async def resolve(self, host: str, port: int) -> Sequence[str | tuple[str, int]]:
        return [("127.0.0.1", port)]


def choose_proxy(url: str) -> Proxy | str | None:
    return (
        None
        if url.startswith("http://")
        else Proxy("http", "127.0.0.1", 3128, "user", "password")
    )


def encode(value: object) -> bytes:
    return json.dumps(value).encode()


def build_clients(url: str) -> Iterable[Client]:
    yield Client()
    yield Client(
        base_url=url,
        headers={"X-Client": "1", "Accept": "*/*"},
        params={"key": "1"},
        cookies=cookies(),
        auth=("ada", "lovelace"),
        timeout=Timeout(
            connect=5,
            tls=5,
            pool=5,
            write=5,
            read=5,
            total=60,
            min_rate=1,
            rate_patience=10,
            expect=1,
            close=1,
        ),
        limits=Limits(
            line=8192, head=64 * 1024, fields=100, interim=10, chunk_line=256
        ),
        pool=PoolLimits(
            connections=10,
            per_host=5,
            idle=5,
            idle_per_host=2,
            keep_alive=10,
            max_age=60,
        ),
        ssl=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        proxy=choose_proxy,
        trust_env=False,
        follow_redirects=True,
        max_redirects=5,
        retries=Retry(
            total=2,
            statuses=(429, 503),
            methods=("GET", "HEAD"),
            backoff=0.1,
            max_backoff=1,
            jitter=0.5,
            respect_retry_after=True,
            max_retry_after=5,
            budget=None,
        ),
        max_body_size=1024**2,
        resolver=asyncclient.CachingResolver(
            Table(), ttl=30, negative_ttl=1, stale=300, most=100
        ),
        local_address="127.0.0.1",
        socket_options=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)],
        tracers=[asyncclient.Tracer()],
        secret_headers=["X-Key"],
        encode_json=encode,
    )
    yield Client(
        timeout=10,
        ssl=False,
        proxy="socks5h://127.0.0.1",
        retries=2,
        cookies={"a": "1"},
    )
    yield Client(
        timeout=None,
        ssl=["sha256:" + "00" * 32],
        proxy={"https": "http://127.0.0.1", "all": None},
    )
    yield Client(
        resolver=asyncclient.StaticResolver({"a.test": "127.0.0.1"}),
        local_address=("127.0.0.1", 0),
    )


async def main(url: str) -> None:
    print(
        len([assert_type(client, Client) for client in build_clients(url)]), "clients"
    )
    async with Client(base_url=url, trust_env=False) as client:
        assert_type(client, Client)
        await verbs(client)
        await requests(client)
        await content(client)
        await streams(client)
        await credentials(client)
        await transports()
        await client.preconnect("/", n=2)
        assert_type(client.cookies, CookieJar)
        stats = client.stats()
        assert_type(stats, asyncclient.PoolStats)
        assert_type(
            (stats.active, stats.idle, stats.connecting, stats.waiting),
            tuple[int, int, int, int],
        )
        assert_type(stats.hosts, dict[str, asyncclient.HostStats])
        await client.aclose()
    print(stats.active, stats.idle)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
