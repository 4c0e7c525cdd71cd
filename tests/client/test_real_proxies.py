"""Requests through the proxies proxy.py and pproxy, to servers of other projects; and through SOCKS."""

import asyncio
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from asyncclient import Client, ProxyError, TLSError
from asyncclient.testing import RawServer
from tests.client.answering import Answering, by_name, is_clean
from tests.client.test_known_issues_pool import becomes_clean
from tests.client.test_proxy_requests import Refusing
from tests.connection.conversations import MEBIBYTE, OK, echo_target
from tests.servers import App, Caddy, Certificates, ProxyPy
from tests.socks_server import SECRET, PProxy, Socks4a


@pytest.fixture(scope="module")
def pproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PProxy]:
    """HTTP, SOCKS4 and SOCKS5 on one port."""
    with PProxy.started(tmp_path_factory.mktemp("pproxy"), protocols="http+socks4+socks5") as proxy:
        yield proxy


@pytest.fixture(scope="module")
def strict_pproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PProxy]:
    """It demands credentials."""
    with PProxy.started(tmp_path_factory.mktemp("strict"), f"ali:{SECRET}", "http+socks4+socks5") as proxy:
        yield proxy


PROXIES = ["proxy.py", "http", "socks4", "socks5", "socks5h"]


@pytest.fixture(params=PROXIES)
def proxy(request: pytest.FixtureRequest, proxy_py: ProxyPy, pproxy: PProxy) -> str:
    """The URL of each proxy, one after the other."""
    return proxy_py.url if request.param == "proxy.py" else f"{request.param}://{pproxy.host}:{pproxy.port}"


# Servers behind proxies


@pytest.mark.parametrize("is_secure", [False, True])
async def test_files_of_caddy_through_a_proxy(caddy: Caddy, tls: Certificates, proxy: str, is_secure: bool) -> None:
    url = caddy.tls_url if is_secure else caddy.url
    async with Client(proxy=proxy, ssl=tls.client_context()) as client:
        for name in ("1k.bin", "1m.bin", "text.txt", "1k.bin"):
            response = await client.get(f"{url}/{name}")
            assert response.content == (caddy.files / name).read_bytes()
            assert (response.headers["server"], response.tls is not None) == ("Caddy", is_secure)
        part = await client.get(f"{url}/1m.bin", headers={"Range": "bytes=1000-1999"})
        assert (part.status, len(part.content)) == (206, 1000)
        assert (await client.head(f"{url}/1m.bin")).headers["content-length"] == str(MEBIBYTE)
        assert await is_clean(client)
        assert client.stats().idle == 1


@pytest.mark.parametrize("is_secure", [False, True])
async def test_uploads_to_an_application_through_a_proxy(
    app: App, caddy: Caddy, tls: Certificates, proxy: str, is_secure: bool
) -> None:
    url = f"{caddy.tls_url}/app/echo" if is_secure else f"{app.url}/echo"
    content = bytes(range(32, 127)) * 11_000  # pproxy reads content of a later request as if it were a head
    async with Client(proxy=proxy, ssl=tls.client_context()) as client:
        for body in (content, [content[:500_000], content[500_000:]]):
            found = (await client.post(url, body=body)).json()
            assert (found["length"], found["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
            assert not [name for name, _ in found["fields"] if name.startswith("proxy-auth")]
        assert await is_clean(client)


async def test_many_requests_at_once_through_a_proxy(caddy: Caddy, tls: Certificates, proxy: str) -> None:
    content = (caddy.files / "1m.bin").read_bytes()

    async def get_part(number: int) -> None:
        part = {"Range": f"bytes={number * 100}-{number * 100 + 99}"}
        response = await client.get(f"{caddy.tls_url}/1m.bin", headers=part)
        assert (response.status, response.content) == (206, content[number * 100 : number * 100 + 100])

    async with Client(proxy=proxy, ssl=tls.client_context()) as client:
        await asyncio.gather(*(get_part(number) for number in range(60)))
        assert await becomes_clean(client)


async def test_an_origin_that_cannot_be_reached_through_a_real_proxy(proxy_py: ProxyPy) -> None:
    with Answering() as gone:
        pass
    async with Client(proxy=proxy_py.url) as client:
        with pytest.raises(ProxyError, match=rf"no tunnel to 127\.0\.0\.1:{gone.port}") as raised:
            await client.get(f"https://127.0.0.1:{gone.port}/")
        assert raised.value.status in (502, None)
        assert await is_clean(client)


# Credentials


@pytest.mark.parametrize("is_secure", [False, True])
@pytest.mark.parametrize("kind", ["http", "socks4", "socks5", "socks5h"])
async def test_a_real_proxy_authenticates_the_client(
    caddy: Caddy, tls: Certificates, strict_pproxy: PProxy, kind: str, is_secure: bool
) -> None:
    where = f"{strict_pproxy.host}:{strict_pproxy.port}"
    url = caddy.tls_url if is_secure else caddy.url
    user = f"ali%3A{SECRET}" if kind == "socks4" else f"ali:{SECRET}"
    async with Client(proxy=f"{kind}://{user}@{where}", ssl=tls.client_context()) as client:
        for _ in range(2):
            assert (await client.get(f"{url}/1k.bin")).status == 200
        assert client.stats().idle == 1
    for stranger in ("", "ali:baba@"):
        async with Client(proxy=f"{kind}://{stranger}{where}", ssl=tls.client_context()) as client:
            if kind == "http" and not is_secure:
                assert (await client.get(f"{url}/1k.bin")).status == 407
            else:
                with pytest.raises(ProxyError) as raised:
                    await client.get(f"{url}/1k.bin")
                assert "baba" not in str(raised.value)
                assert raised.value.status == (407 if kind == "http" else None)
            assert await is_clean(client)


# SOCKS


@pytest.mark.parametrize(
    ("kind", "host", "resolves"),
    [("socks4", "target.test", True), ("socks5", "target.test", True), ("socks5h", "localhost", False)],
)
async def test_the_proxy_or_the_client_resolves_the_name(
    tls: Certificates, pproxy: PProxy, kind: str, host: str, resolves: bool
) -> None:
    resolver: Any = by_name("target.test") if resolves else Refusing()
    with RawServer(echo_target, tls=tls.server_context(host)) as server:
        url = f"https://{host}:{server.port}"
        proxy = f"{kind}://{pproxy.host}:{pproxy.port}"
        async with Client(proxy=proxy, ssl=tls.client_context(), resolver=resolver) as client:
            for target in ("/a", "/b"):
                assert (await client.get(url + target)).text == target
            assert list(client.stats().hosts) == [f"{host}:{server.port} via {proxy}"]
    assert server.accepted == 1


@pytest.mark.parametrize("is_secure", [False, True])
async def test_socks4a_gives_the_name_to_the_proxy(tls: Certificates, is_secure: bool) -> None:
    context = tls.server_context("far.test") if is_secure else None
    with Socks4a() as proxy, Answering(default=OK, tls=context) as server:
        given = f"socks4a://ali%20b@{proxy.host}:{proxy.port}"
        async with Client(proxy=given, ssl=tls.client_context(), resolver=Refusing()) as client:
            for target in ("/a", "/b"):
                assert (await client.get(server.url_as("far.test") + target)).content == b"ok"
    assert proxy.asked[0] == ("ali b", "far.test", server.port)
    assert [asked["host"] for asked in server.asked] == [f"far.test:{server.port}"] * 2
    assert server.targets == ["/a", "/b"]


async def test_a_request_through_socks_is_the_same_as_without_a_proxy(pproxy: PProxy) -> None:
    with Answering(default=OK) as server:
        async with Client(proxy=f"socks5h://{pproxy.host}:{pproxy.port}") as client:
            response = await client.get(f"{server.url}/a?b")
            assert (response.content, response.peer) == (b"ok", (pproxy.host, pproxy.port))
    (asked,) = server.asked
    assert (asked.target, asked["host"], asked["proxy-authorization"]) == ("/a?b", f"127.0.0.1:{server.port}", None)


async def test_a_target_that_cannot_be_reached_through_socks(pproxy: PProxy) -> None:
    with Answering() as gone:
        pass
    for kind in ("socks4", "socks5"):
        async with Client(proxy=f"{kind}://{pproxy.host}:{pproxy.port}") as client:
            with pytest.raises(ConnectionError, match=f"127.0.0.1:{gone.port}"):  # pproxy grants it, and closes
                await client.get(gone.url)
            assert await is_clean(client)
            assert client._pool.counted == 0


async def test_a_bad_certificate_behind_socks_is_the_targets(pproxy: PProxy, tls: Certificates) -> None:
    with RawServer(echo_target, tls=tls.wrong_host_context()) as server:
        async with Client(proxy=f"socks5h://{pproxy.host}:{pproxy.port}", ssl=tls.client_context()) as client:
            with pytest.raises(TLSError, match=f"localhost:{server.port}"):
                await client.get(f"https://localhost:{server.port}/")
            assert await is_clean(client)
    assert server.requests == []
