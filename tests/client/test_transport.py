"""A client whose requests are sent by a transport of the caller's."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asyncclient import (
    Client,
    ClientClosed,
    LocalResponse,
    PoolTransport,
    Proxy,
    Retry,
    StaleConnectionError,
    Timeout,
    TotalTimeout,
    Transport,
    TransportRequest,
    TransportResponse,
)
from asyncclient.transport import Destination
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


class Signing(Noting):
    """Adds a field, and removes another."""

    async def send(self, request: TransportRequest) -> TransportResponse:
        text = f"{request.method} {request.headers['host']} {len(await request.read_body())}"
        return await super().send(request.replace(headers={"X-Signature": text, "accept": None, "X-Own": "2"}))


async def test_a_transport_may_change_the_fields_of_a_request() -> None:
    with Answering({}, OK) as server:
        async with Client(transport=Signing(PoolTransport())) as client:
            for body in (b"abc", [b"ab", b"c"]):
                await client.put(f"{server.url}/", body=body, headers={"X-Own": "1"})
        first, last = server.asked
    for asked in (first, last):
        assert asked["x-signature"] == f"PUT {server.url.removeprefix('http://').rstrip('/')} 3"
        assert (asked["accept"], asked["x-own"]) == (None, "2")
    assert (first["content-length"], last["transfer-encoding"]) == ("3", "chunked")
    assert (first.content, last.content) == (b"abc", b"abc")


async def test_a_transport_may_change_the_destination_and_the_timeout() -> None:
    class Redirecting(Noting):
        async def send(self, request: TransportRequest) -> TransportResponse:
            changed = request.replace(
                destination=Destination("http", server.host, server.port), timeout=Timeout(read=5)
            )
            assert (changed.timeout.read, changed.deadline, changed.head) == (5, request.deadline, request.head)
            return await super().send(changed)

    with Answering({}, OK) as server:
        async with Client(transport=Redirecting(PoolTransport())) as client:
            assert (await client.get("https://elsewhere.test/a")).status == 200
    assert [(asked.target, asked["host"]) for asked in server.asked] == [("/a", "elsewhere.test")]


class Reading:
    """Reads the body of each request."""

    async def send(self, request: TransportRequest) -> TransportResponse:
        return LocalResponse(content=await request.read_body())

    async def aclose(self) -> None:
        pass


async def test_reading_a_body_ends_with_the_total_timeout_or_a_cancellation_and_closes_it() -> None:
    stalled = asyncio.Event()
    ended: list[type[BaseException]] = []

    async def stall() -> AsyncIterator[bytes]:
        yield b"abc"
        stalled.set()
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            ended.append(type(error))
            raise

    async with Client(transport=Reading()) as client:
        assert (await client.put("http://a.test/", body=[b"ab", b"c"])).content == b"abc"
        with pytest.raises(TotalTimeout, match=r"request not sent to a\.test in 0\.01 s"):
            await client.put("http://a.test/", body=stall(), timeout=0.01)
        stalled.clear()
        task = asyncio.create_task(client.put("http://a.test/", body=stall()))
        await stalled.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended == [asyncio.CancelledError] * 2


async def test_with_a_given_transport_proxies_are_read_from_the_environment_only_on_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.test:3128")
    for trust_env, found in ((None, None), (True, "proxy.test"), (False, None)):
        transport = Recorder()
        options: dict[str, Any] = {} if trust_env is None else {"trust_env": trust_env}
        async with Client(transport=transport, **options) as client:
            await client.get("http://a.test/x?y")
        assert transport.sent == [("http://a.test/x?y", found)]


class Recorder:
    """Notes URL and proxy of each request."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str | None]] = []

    async def send(self, request: TransportRequest) -> TransportResponse:
        proxy = request.destination.proxy
        self.sent.append((request.url, proxy.host if isinstance(proxy, Proxy) else None))
        return LocalResponse()

    async def aclose(self) -> None:
        pass


class Caching(Noting):
    """Keeps each response, and gives it again."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.kept: dict[str, LocalResponse] = {}

    async def send(self, request: TransportRequest) -> TransportResponse:
        if request.url not in self.kept:
            raw = await super().send(request)
            content = await raw.read()
            self.kept[request.url] = LocalResponse(
                raw.status, headers=raw.headers, content=content, reason=raw.reason, trailers=raw.trailers or ()
            )
        return self.kept[request.url].copy()


async def test_a_transport_may_cache_responses() -> None:
    content = gzip.compress(b"content")
    fields = b"Content-Encoding: gzip\r\nSet-Cookie: a=\xe9\r\nset-cookie: b=2\r\nTransfer-Encoding: chunked\r\n\r\n"
    head = b"HTTP/1.1 404 N\xf6\r\n" + fields
    body = b"%x\r\n%b\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(content), content)
    with Answering(default=head + body) as server:
        async with Client(transport=Caching(PoolTransport())) as client:
            first, second = [await client.get(server.url) for _ in range(2)]
            async with client.stream("GET", server.url, decode=False) as raw:
                assert await raw.read() == content
    assert len(server.asked) == 1
    for response in (first, second):
        assert (response.status, response.reason, response.content) == (404, "N\xf6", b"content")
        assert response.headers.get_all("set-cookie") == ["a=\xe9", "b=2"]
        assert response.trailers is not None
        assert response.trailers.pairs() == [("X-Sum", "1")]
    assert first.headers == second.headers


class Resending:
    """Notes of each request whether it may be resent; the first one of each method finds its connection closed."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, bool]] = []

    async def send(self, request: TransportRequest) -> TransportResponse:
        self.noted.append((request.method, request.may_resend))
        if len(self.noted) == 1:
            raise StaleConnectionError("closed")
        return LocalResponse(200)

    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize(
    ("method", "options", "retries", "expected"),
    [
        ("GET", {}, None, [True, False]),
        ("DELETE", {}, None, [True, False]),
        ("GET", {}, Retry(backoff=0), [True, False]),
        ("POST", {}, Retry(backoff=0, methods=["POST"]), [True, False]),
    ],
)
async def test_a_request_that_the_client_resends_says_so_until_it_was_resent(
    method: str, options: dict[str, Any], retries: Retry | None, expected: list[bool]
) -> None:
    transport = Resending()
    async with Client(transport=transport, retries=retries) as client:
        await client.request(method, "http://a.test/", **options)
    assert [may for _, may in transport.noted] == expected


@pytest.mark.parametrize(
    ("method", "body", "retries"),
    [("POST", None, None), ("PUT", b"body", None), ("GET", None, Retry(total=0))],
)
async def test_a_request_that_is_not_resent_or_has_a_body_does_not_say_that_it_may_be_resent(
    method: str, body: bytes | None, retries: Retry | None
) -> None:
    transport = Resending()
    async with Client(transport=transport, retries=retries) as client:
        with contextlib.suppress(StaleConnectionError):
            await client.request(method, "http://a.test/", body=body)
    assert transport.noted[0] == (method, False)
