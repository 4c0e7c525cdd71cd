"""Requests through proxies, end to end: their form, kept connections, and which side gets which secret."""

import asyncio
import base64
import ssl
from collections.abc import Callable, Sequence

import pytest

from asyncclient import (
    Client,
    ConnectError,
    ConnectTimeout,
    HTTPException,
    ProxyError,
    ReadTimeout,
    Retry,
    Timeout,
    TLSError,
)
from asyncclient.stream.resolve import Address
from asyncclient.testing import RawConnection, RawServer, parse_fields
from tests.client.answering import HOST, Answering, Recording, becomes_true, is_clean
from tests.client.test_known_issues_pool import becomes_clean, silent
from tests.connection.conversations import MEBIBYTE, OK, echo_target, reply
from tests.durations import FOREVER, lasts
from tests.servers import REFUSED, UNREACHABLE, App, Caddy, Certificates, ConnectProxy, ProxyPy
from tests.socks_server import PProxy

StartProxy = Callable[..., ConnectProxy]

USER, PASSWORD = "ali", "open:sésame"
USERINFO = "ali:open%3As%C3%A9same"
TOKEN = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Refusing:
    """A resolver that must not be asked: the proxy looks up names."""

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        raise AssertionError(f"asked for {host}:{port}")


def with_user(proxy: RawServer | PProxy | ProxyPy, scheme: str = "http", userinfo: str = USERINFO) -> str:
    return f"{scheme}://{userinfo}@{proxy.host}:{proxy.port}"


# http URLs


async def test_http_urls_are_requested_from_a_proxy_by_absolute_targets() -> None:
    with Answering(default=lambda asked: reply(asked.target.encode())) as proxy:
        async with Client(proxy=with_user(proxy), resolver=Refusing()) as client:
            for url in ("http://one.test/a?b", "http://two.test:81/", "http://[::1]:82", "http://three.test?c"):
                response = await client.get(url)
                assert (response.url, response.peer) == (url, (proxy.host, proxy.port))
            assert client.stats()[:2] == (0, 4)
            assert f"one.test:80 via http://{proxy.host}:{proxy.port}" in client.stats().hosts
    assert proxy.accepted == 4  # some proxies send all requests of a connection to the origin of the first
    assert proxy.targets == ["http://one.test/a?b", "http://two.test:81/", "http://[::1]:82/", "http://three.test/?c"]
    assert [asked["host"] for asked in proxy.asked] == ["one.test", "two.test:81", "[::1]:82", "three.test"]
    assert [asked["proxy-authorization"] for asked in proxy.asked] == [TOKEN] * 4


async def test_proxy_py_serves_several_origins(caddy: Caddy, app: App, proxy_py: ProxyPy) -> None:
    async with Client(proxy=proxy_py.url) as client:
        for _ in range(3):
            assert len((await client.get(f"{caddy.url}/1k.bin")).content) == 1024
            assert (await client.get(f"{app.url}/empty")).status == 204


async def test_http_urls_through_an_https_proxy(tls: Certificates) -> None:
    with Answering(default=OK, tls=tls.server_context()) as proxy:
        async with Client(proxy=f"https://localhost:{proxy.port}", ssl=tls.client_context()) as client:
            for number in range(3):
                assert (await client.get(f"http://one.test/{number}")).content == b"ok"
    assert (proxy.accepted, proxy.targets) == (1, [f"http://one.test/{number}" for number in range(3)])


async def test_bodies_and_options_go_through_a_proxy_as_they_are() -> None:
    with Answering(default=OK) as proxy:
        async with Client(proxy=proxy.url, auth=("user", "origin's")) as client:
            await client.post("http://one.test/", json={"a": 1}, cookies={"c": "1"}, headers={"X-Own": "1"})
            await client.options("http://one.test/*")
    posted = proxy.asked[0]
    assert (posted.content, posted["x-own"], posted["cookie"]) == (b'{"a":1}', "1", "c=1")
    assert posted["authorization"] == "Basic " + base64.b64encode(b"user:origin's").decode()
    assert posted["proxy-authorization"] is None


@pytest.mark.parametrize("status", [b"407 Proxy Authentication Required", b"403 Forbidden", b"502 Bad Gateway"])
async def test_the_answer_of_a_proxy_to_an_http_url_is_the_response(status: bytes) -> None:
    with Answering(default=reply(b"no", b"Proxy-Authenticate: Basic realm=p", status=status)) as proxy:
        async with Client(proxy=proxy.url, auth=("user", "origin's")) as client:
            response = await client.get("http://one.test/")
            assert (response.status, response.content) == (int(status[:3]), b"no")
            assert response.headers["proxy-authenticate"] == "Basic realm=p"
    assert len(proxy.asked) == 1


# https URLs


@pytest.mark.parametrize("host", ["localhost", HOST, "::1"])
async def test_a_tunnel_is_kept_and_each_secret_is_sent_to_its_own_side(
    tls: Certificates, connect_proxy: StartProxy, host: str
) -> None:
    proxy = connect_proxy(credentials=(USER, PASSWORD))
    origin = HOST if host == "localhost" else host
    with Answering(default=OK, tls=tls.server_context(), host=origin) as server:
        authority = f"[{host}]:{server.port}" if ":" in host else f"{host}:{server.port}"
        # The proxy looks the name up, in the test as elsewhere.
        async with Client(proxy=with_user(proxy), ssl=tls.client_context(), resolver=Refusing()) as client:
            for target in ("/a", "/b"):
                response = await client.get(
                    f"https://{authority}{target}", auth=("user", "origin's"), headers={"X-Own": "1"}
                )
                assert (response.status, response.tls is not None) == (200, True)
            assert list(client.stats().hosts) == [f"{authority} via http://{proxy.host}:{proxy.port}"]
            assert USERINFO not in repr(client) + str(client.stats())
    (asked,) = proxy.requests
    assert asked.startswith(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n".encode())
    assert dict(parse_fields(asked))["proxy-authorization"] == TOKEN
    assert not {"authorization", "x-own", "cookie"} & set(dict(parse_fields(asked)))
    assert server.targets == ["/a", "/b"]
    assert [asked["proxy-authorization"] for asked in server.asked] == [None, None]
    assert (proxy.accepted, server.accepted) == (1, 1)


async def test_tunnels_to_different_origins_are_different_connections(
    tls: Certificates, connect_proxy: StartProxy
) -> None:
    proxy = connect_proxy()
    context = tls.server_context()
    with RawServer(echo_target, tls=context) as one, RawServer(echo_target, tls=context) as two:
        async with Client(proxy=proxy.url, ssl=tls.client_context()) as client:
            for url in (one.url, two.url) * 3:
                assert (await client.get(f"{url}/a")).text == "/a"
            assert client.stats().idle == 2
    assert (proxy.accepted, one.accepted, two.accepted) == (2, 1, 1)


async def test_many_requests_at_once_through_tunnels(tls: Certificates, connect_proxy: StartProxy) -> None:
    proxy = connect_proxy()
    with RawServer(echo_target, tls=tls.server_context()) as server:
        async with Client(proxy=proxy.url, ssl=tls.client_context()) as client:
            responses = await asyncio.gather(*(client.get(f"{server.url}/{n}") for n in range(40)))
            assert [response.text for response in responses] == [f"/{n}" for n in range(40)]
            assert await becomes_clean(client)
    assert proxy.accepted == server.accepted <= 40


def mutual(certificates: Certificates, *names: str) -> ssl.SSLContext:
    """A server's context that asks clients for a certificate of the same authority."""
    context = certificates.server_context(*names)
    certificates.ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.parametrize("has_certificate", [True, False])
async def test_tls_within_tls_with_a_certificate_of_the_client(
    tls: Certificates, connect_proxy: StartProxy, has_certificate: bool
) -> None:
    context = tls.client_context()
    if has_certificate:
        tls.ca.issue_cert("client.test").configure_cert(context)
    proxy = connect_proxy(tls=mutual(tls), credentials=(USER, PASSWORD))
    with RawServer(echo_target, tls=mutual(tls)) as server:
        url = f"https://localhost:{server.port}"
        async with Client(proxy=with_user(proxy, "https"), ssl=context) as client:
            if not has_certificate:  # TLS 1.3: the refusal is received after the handshake
                with pytest.raises((ProxyError, TLSError)):
                    await client.get(f"{url}/a")
            else:
                for target in ("/a", "/b"):
                    assert (await client.get(url + target)).text == target
                upload = await client.post(url, body=bytes(MEBIBYTE))
                assert upload.status == 200
            assert await is_clean(client)
    assert server.accepted == has_certificate


@pytest.mark.parametrize("bad", ["proxy", "server"])
async def test_both_certificates_are_verified(tls: Certificates, connect_proxy: StartProxy, bad: str) -> None:
    contexts = {"proxy": tls.server_context(), "server": tls.server_context()} | {bad: tls.wrong_host_context()}
    proxy = connect_proxy(tls=contexts["proxy"])
    with RawServer(echo_target, tls=contexts["server"]) as server:
        async with Client(proxy=f"https://localhost:{proxy.port}", ssl=tls.client_context()) as client:
            with pytest.raises(TLSError, match=f"localhost:{(proxy if bad == 'proxy' else server).port}"):
                await client.get(f"https://localhost:{server.port}/")
            assert await is_clean(client)
    assert (len(proxy.requests), server.requests) == (bad == "server", [])


# Tunnels that are not opened

REFUSALS = [
    (REFUSED, 407, "Proxy Authentication Required", b"who are you?\r\n"),
    (reply(b"<p>not there</p>", b"X-Why: policy", status=b"403 Forbidden"), 403, "Forbidden", b"<p>not there</p>"),
    (UNREACHABLE, 502, "Bad Gateway", b"unreachable\n"),
    (reply(b"", b"Location: http://login.test/", status=b"302 Found"), 302, "Found", b""),
]


@pytest.mark.parametrize(("answer", "status", "reason", "body"), REFUSALS)
async def test_the_error_of_a_refused_tunnel_has_the_proxys_response(
    connect_proxy: StartProxy, answer: bytes, status: int, reason: str, body: bytes
) -> None:
    proxy = connect_proxy(answer=answer)
    async with Client(proxy=with_user(proxy), auth=("user", "origin's")) as client:
        for _ in range(2):
            with pytest.raises(
                ProxyError, match=rf"^no tunnel to one\.test:443: .* {status} {reason} \(GET "
            ) as raised:
                await client.get("https://one.test/")
            error = raised.value
            assert (error.status, error.reason, error.body) == (status, reason, body)
            assert ("Content-Length", str(len(body))) in error.headers
            assert isinstance(error, ConnectError)
            assert await is_clean(client)
            assert client.stats().idle == 0
    assert len(proxy.requests) == 2
    assert b"origin's" not in b"".join(proxy.requests)


def close_at_once(connection: RawConnection) -> None:
    pass


def close_when_asked(connection: RawConnection) -> None:
    connection.read_head()


def reset_when_asked(connection: RawConnection) -> None:
    connection.read_head()
    connection.reset()


def speak_something_else(connection: RawConnection) -> None:
    connection.read_head()
    connection.send(b"SSH-2.0-OpenSSH_9.9\r\n" * 10)


def speak_without_end(connection: RawConnection) -> None:
    connection.read_head()
    while True:
        connection.send(b"x" * 65_536)


BROKEN = [close_at_once, close_when_asked, reset_when_asked, speak_something_else, speak_without_end]


@pytest.mark.parametrize("script", BROKEN)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_closes_or_uses_another_protocol(
    scheme: str, script: Callable[[RawConnection], None]
) -> None:
    with RawServer(script) as proxy:
        async with Client(proxy=with_user(proxy), timeout=Timeout(total=FOREVER)) as client:
            with lasts(), pytest.raises(ProxyError if scheme == "https" else HTTPException) as raised:
                await client.get(f"{scheme}://one.test/")
            if scheme == "https":
                assert "no tunnel to one.test:443" in str(raised.value)
            assert PASSWORD not in str(raised.value)
            assert await is_clean(client)
            assert client._pool.counted == 0


@pytest.mark.parametrize(
    ("scheme", "timeout", "error", "phase"),
    [
        ("https", Timeout(connect=0.5), ConnectTimeout, "proxy"),
        ("http", Timeout(read=0.5), ReadTimeout, "read"),
    ],
)
async def test_a_silent_proxy_is_a_timeout(
    scheme: str, timeout: Timeout, error: type[ConnectTimeout], phase: str
) -> None:
    with RawServer(RawConnection.hold) as proxy:
        async with Client(proxy=proxy.url, timeout=timeout) as client:
            with lasts(0.5), pytest.raises(error) as raised:
                await client.get(f"{scheme}://one.test/")
            assert (raised.value.phase, raised.value.seconds) == (phase, 0.5)
            assert await is_clean(client)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there(scheme: str) -> None:
    with silent() as port:
        pass
    async with Client(proxy=f"http://{USERINFO}@{HOST}:{port}") as client:
        with pytest.raises(ConnectError, match=rf"no connection to {HOST}:{port}") as raised:
            await client.get(f"{scheme}://one.test/")
        assert USER not in str(raised.value)
        assert await is_clean(client)


@pytest.mark.parametrize("kind", ["http", "https", "socks4a", "socks5h"])
async def test_a_request_cancelled_while_its_tunnel_is_opened_leaves_nothing(tls: Certificates, kind: str) -> None:
    with RawServer(RawConnection.hold, tls=tls.server_context() if kind == "https" else None) as proxy:
        async with Client(proxy=f"{kind}://localhost:{proxy.port}", ssl=tls.client_context()) as client:
            tasks = [asyncio.create_task(client.get("https://one.test/")) for _ in range(5)]
            assert await becomes_true(lambda: proxy.accepted == 5)
            assert client.stats().connecting == 5
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert all(task.cancelled() for task in tasks)
            assert await becomes_true(lambda: client._pool.counted == 0)
            assert await becomes_clean(client)


async def test_a_tunnel_for_a_cancelled_request_serves_the_next_request(
    tls: Certificates, connect_proxy: StartProxy
) -> None:
    proxy = connect_proxy()
    with RawServer(echo_target, tls=tls.server_context()) as server:
        async with Client(proxy=proxy.url, ssl=tls.client_context()) as client:
            for turns in range(25):
                task = asyncio.create_task(client.get(f"{server.url}/left"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                assert (await client.get(f"{server.url}/{turns}")).text == f"/{turns}"
                assert await becomes_clean(client)


# Retries


@pytest.mark.parametrize(
    ("answer", "retries", "asked"),
    [
        (reply(b"", status=b"503 Busy"), None, 1),
        (reply(b"", status=b"503 Busy"), 2, 3),
        (UNREACHABLE, 2, 3),
        (REFUSED, 2, 1),
        (reply(b"", status=b"403 Forbidden"), 2, 1),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])  # nothing of the request was sent: any method is retried
async def test_a_refused_tunnel_is_retried_if_that_may_help(
    connect_proxy: StartProxy, answer: bytes, retries: int | None, asked: int, method: str
) -> None:
    proxy = connect_proxy(answer=answer)
    policy = None if retries is None else Retry(total=retries, backoff=0.0)
    async with Client(proxy=proxy.url, retries=policy) as client:
        with pytest.raises(ProxyError):
            await client.request(method, "https://one.test/", body=b"x" if method == "POST" else None)
    assert len(proxy.requests) == asked


@pytest.mark.parametrize("script", [close_at_once, close_when_asked, speak_something_else])
async def test_a_broken_tunnel_is_retried(script: Callable[[RawConnection], None]) -> None:
    with RawServer(script) as proxy:
        async with Client(proxy=proxy.url, retries=Retry(total=2, backoff=0.0)) as client:
            with pytest.raises(ProxyError):
                await client.get("https://one.test/")
    assert proxy.accepted == 3


async def test_a_stale_tunnel_is_replaced_and_a_stale_connection_to_a_proxy_as_well(
    tls: Certificates, connect_proxy: StartProxy
) -> None:
    def answer_once(connection: RawConnection) -> None:
        connection.read_request()
        connection.send(OK)
        connection.read_request()

    tunnels = connect_proxy()
    tracer = Recording()
    with RawServer(answer_once) as forward, RawServer(answer_once, tls=tls.server_context()) as server:
        proxies = {"http": forward.url, "https": tunnels.url}
        async with Client(proxy=proxies, ssl=tls.client_context(), tracers=[tracer]) as client:
            for url in ("http://one.test/", server.url) * 2:
                assert (await client.get(url)).content == b"ok"
    assert tracer.reasons == ["stale", "stale"]
    assert (forward.accepted, tunnels.accepted) == (2, 2)
