"""TLS is verified before a byte of a request is sent, and a tunnel is opened by a 2xx only."""

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from asyncclient import (
    ConnectError,
    HTTPConnection,
    HTTPSConnection,
    ImproperConnectionState,
    IncompleteRead,
    InvalidURL,
    ProxyError,
    TLSError,
)
from asyncclient.testing import RawConnection, RawServer
from tests import servers
from tests.connection.conversations import MEBIBYTE, OK, connection_to, echo_target, fetch, reply, start_exchange
from tests.servers import Certificates, ConnectProxy, ProxyPy

StartProxy = Callable[..., ConnectProxy]


def secure_to(port: int, tls: Certificates, host: str = "localhost", **options: Any) -> HTTPSConnection:
    return HTTPSConnection(host, port, 10, **{"context": tls.client_context(), **options})


# TLS


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_verified_connection_can_be_used(host: str, tls: Certificates) -> None:
    with RawServer(echo_target, tls=tls.server_context()) as server:
        async with secure_to(server.port, tls, host) as connection:
            for url in ("/a", "/b"):
                assert await fetch(connection, url=url) == (200, url.encode())
        assert server.accepted == 1


async def test_ipv6_server(tls: Certificates) -> None:
    with RawServer(echo_target, tls=tls.server_context(), host="::1") as server:
        async with secure_to(server.port, tls, "::1") as connection:
            assert await fetch(connection, url="/a") == (200, b"/a")


@pytest.mark.parametrize("make", ["wrong_host_context", "expired_context", "self_signed_context"])
async def test_certificate_that_must_not_be_trusted(make: str, tls: Certificates) -> None:
    with RawServer(echo_target, tls=getattr(tls, make)()) as server:
        async with secure_to(server.port, tls) as connection:
            for _ in range(2):
                with pytest.raises(TLSError, match=f"localhost:{server.port}") as raised:
                    await fetch(connection)
                assert isinstance(raised.value.__cause__, ssl.SSLCertVerificationError)
    assert server.requests == []


async def test_default_context_verifies(tls: Certificates) -> None:
    with RawServer(echo_target, tls=tls.server_context()) as server:
        async with HTTPSConnection("localhost", server.port, 10) as connection:
            with pytest.raises(TLSError, match="certificate verify failed"):
                await fetch(connection)
    assert server.requests == []


async def test_context_without_verification_is_accepted(tls: Certificates) -> None:
    context = tls.client_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with RawServer(echo_target, tls=tls.self_signed_context()) as server:
        async with secure_to(server.port, tls, context=context) as connection:
            assert await fetch(connection, url="/a") == (200, b"/a")


@pytest.mark.parametrize(("host", "name"), [("localhost", "localhost"), ("127.0.0.1", None)])
async def test_server_name(host: str, name: str | None, tls: Certificates) -> None:
    names: list[str | None] = []
    context = tls.server_context()
    context.sni_callback = lambda sock, asked, _: names.append(asked)
    with RawServer(echo_target, tls=context) as server:
        async with secure_to(server.port, tls, host) as connection:
            await fetch(connection)
    assert names == [name]


async def test_alpn_version_and_certificate_of_the_connection(tls: Certificates) -> None:
    offered = tls.server_context()
    offered.set_alpn_protocols(["h2", "http/1.1"])
    with RawServer(echo_target, tls=offered) as server:
        async with secure_to(server.port, tls) as connection:
            response = await start_exchange(connection)
            assert response.tls is not None
            assert (response.tls.alpn, response.tls.version) == ("http/1.1", "TLSv1.3")
            assert response.tls.certificate is not None
            assert ("DNS", "localhost") in response.tls.certificate["subjectAltName"]
            assert response.timings.tls is not None
            await response.read()


async def test_server_without_tls() -> None:
    def handler(peer: RawConnection) -> None:
        peer.read(1)
        peer.send(b"HTTP/1.1 400 Bad\r\n\r\n")

    with RawServer(handler) as server:
        async with HTTPSConnection("localhost", server.port, 10) as connection:
            with pytest.raises(TLSError):
                await fetch(connection)


async def test_server_that_closes_in_the_handshake(tls: Certificates) -> None:
    with RawServer(lambda peer: peer.read(1)) as server:
        async with secure_to(server.port, tls) as connection:
            with pytest.raises((TLSError, ConnectError)):
                await fetch(connection)


class CancelsWhenDone(ssl.SSLObject):
    """Cancels a task as soon as the handshake is done, before its waiter is woken."""

    task: asyncio.Task[None] | None = None

    def do_handshake(self) -> None:
        super().do_handshake()
        if CancelsWhenDone.task is not None:
            CancelsWhenDone.task.cancel()


async def test_cancellation_as_the_handshake_completes(tls: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    context = tls.client_context()
    context.sslobject_class = CancelsWhenDone
    with RawServer(echo_target, tls=tls.server_context()) as server:
        async with secure_to(server.port, tls, context=context) as connection:
            for _ in range(5):
                task = asyncio.create_task(connection.request("GET", "/wrong"))
                monkeypatch.setattr(CancelsWhenDone, "task", task)
                with pytest.raises(asyncio.CancelledError):
                    await task
                monkeypatch.setattr(CancelsWhenDone, "task", None)
                assert await fetch(connection, url="/next") == (200, b"/next")
                await connection.aclose()
    assert {head.split()[1] for head in server.requests} == {b"/next"}


UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nhello"


@pytest.mark.parametrize("read", ["read", "read1", "readline"])
async def test_truncation_is_an_error(read: str, tls: Certificates) -> None:
    server = RawServer.replying(UNTIL_CLOSE, then=RawConnection.close_without_notify, tls=tls.server_context())
    with server:
        async with secure_to(server.port, tls) as connection:
            response = await start_exchange(connection)
            with pytest.raises(IncompleteRead):
                while await getattr(response, read)():
                    pass


async def test_close_notify_is_an_end(tls: Certificates) -> None:
    with RawServer.replying(UNTIL_CLOSE, then=RawConnection.unwrap, tls=tls.server_context()) as server:
        async with secure_to(server.port, tls) as connection:
            for _ in range(2):
                assert await fetch(connection) == (200, b"hello")
        assert server.accepted == 2


@pytest.mark.parametrize("then", [RawConnection.close_without_notify, RawConnection.unwrap])
async def test_content_with_a_length_needs_no_close_notify(then: Any, tls: Certificates) -> None:
    with RawServer.replying(OK, then=then, tls=tls.server_context()) as server:
        async with secure_to(server.port, tls) as connection:
            assert await fetch(connection) == (200, b"ok")


async def test_big_content_over_tls(tls: Certificates) -> None:
    content = bytes(range(256)) * 40_000
    with RawServer.replying(reply(content), OK, tls=tls.server_context()) as server:
        async with secure_to(server.port, tls) as connection:
            assert await fetch(connection) == (200, content)
            assert await fetch(connection) == (200, b"ok")


# Tunnels


@pytest.mark.parametrize("proxy_tls", [False, True])
@pytest.mark.parametrize("secure", [False, True])
async def test_tunnel(proxy_tls: bool, secure: bool, tls: Certificates, connect_proxy: StartProxy) -> None:
    context = tls.server_context()
    proxy = connect_proxy(tls=context if proxy_tls else None)
    with RawServer(echo_target, tls=context if secure else None) as server:
        async with secure_to(proxy.port, tls) if secure else HTTPConnection("localhost", proxy.port, 10) as connection:
            connection.set_tunnel("localhost", server.port, proxy_ssl=tls.client_context() if proxy_tls else False)
            for url in ("/a", "/b"):
                assert await fetch(connection, url=url) == (200, url.encode())
        asked = f"CONNECT localhost:{server.port} HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n"
        assert [head.decode() for head in proxy.requests] == [asked]
        assert f"\r\nHost: localhost:{server.port}\r\n".encode() in server.requests[0]
        assert (proxy.accepted, server.accepted) == (1, 1)


@pytest.mark.parametrize("secure", [False, True])
async def test_big_content_through_tls_in_tls(secure: bool, tls: Certificates, connect_proxy: StartProxy) -> None:
    content = bytes(range(256)) * 40_000
    proxy = connect_proxy(tls=tls.server_context())
    with RawServer.replying(reply(content), OK, tls=tls.server_context() if secure else None) as server:
        async with secure_to(proxy.port, tls) if secure else HTTPConnection("localhost", proxy.port, 10) as connection:
            connection.set_tunnel("localhost", server.port, proxy_ssl=tls.client_context())
            assert await fetch(connection, "POST", "/", body=bytes(MEBIBYTE)) == (200, content)
            assert await fetch(connection) == (200, b"ok")


@pytest.mark.parametrize("refused", ["proxy", "origin"])
async def test_both_certificates_are_verified(refused: str, tls: Certificates, connect_proxy: StartProxy) -> None:
    good, bad = tls.server_context(), tls.wrong_host_context()
    proxy = connect_proxy(tls=bad if refused == "proxy" else good)
    with RawServer(echo_target, tls=bad if refused == "origin" else good) as server:
        async with secure_to(proxy.port, tls) as connection:
            connection.set_tunnel("localhost", server.port, {"A": "b"}, proxy_ssl=tls.client_context())
            with pytest.raises(TLSError):
                await fetch(connection, headers={"Authorization": "secret"})
        assert (len(proxy.requests), server.requests) == (refused == "origin", [])


async def test_credentials_are_sent_to_the_proxy_or_to_the_origin(tls: Certificates, connect_proxy: StartProxy) -> None:
    token = "Basic " + base64.b64encode(b"me:secret").decode()
    proxy = connect_proxy(credentials=("me", "secret"))
    with RawServer(echo_target, tls=tls.server_context()) as server:
        async with secure_to(proxy.port, tls) as connection:
            connection.set_tunnel("localhost", server.port, {"Proxy-Authorization": token})
            await fetch(connection, url="/a", headers={"Authorization": "Bearer origin"})
        assert token.encode() in proxy.requests[0]
        assert b"origin" not in proxy.requests[0]
        assert b"Bearer origin" in server.requests[0]
        assert b"Proxy-Authorization" not in server.requests[0]


async def test_refused_credentials(connect_proxy: StartProxy) -> None:
    proxy = connect_proxy(credentials=("me", "secret"))
    async with HTTPConnection(proxy.host, proxy.port, 10) as connection:
        connection.set_tunnel("a.example", 443, {"Proxy-Authorization": "Basic d3Jvbmc="})
        for _ in range(2):
            with pytest.raises(ProxyError, match="407") as raised:
                await fetch(connection)
            error = raised.value
            assert (error.status, error.reason, error.body) == (
                407,
                "Proxy Authentication Required",
                b"who are you?\r\n",
            )
            assert ("Proxy-Authenticate", "Basic realm=proxy") in error.headers
            assert "d3Jvbmc=" not in str(error)


ANSWERS: list[tuple[bytes, int | None, bytes]] = [
    (reply(b"<html>", status=b"403 Forbidden"), 403, b"<html>"),
    (reply(b"", b"Location: /", status=b"302 Found"), 302, b""),
    (b"HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", 502, b"no"),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 101, b""),
    (b"SSH-2.0-OpenSSH\r\n", None, b""),
    (b"HTTP/2.0 200 OK\r\n\r\n", None, b""),
    (servers.GRANTED_WITH_HUGE_HEAD, None, b""),
    (servers.GRANTED_WITH_EARLY_BYTES, 200, b""),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "status", "body"), ANSWERS)
@pytest.mark.parametrize("secure", [False, True])
async def test_answers_that_open_no_tunnel(answer: bytes, status: int | None, body: bytes, secure: bool) -> None:
    with RawServer.replying(answer) as proxy:
        async with HTTPSConnection(proxy.host, proxy.port, 10) if secure else connection_to(proxy) as connection:
            connection.set_tunnel("a.example", 443)
            with pytest.raises(ProxyError, match=r"a\.example:443") as raised:
                await fetch(connection)
            assert (raised.value.status, raised.value.body) == (status, body)
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\n", reply(b"hello", status=b"403 No")[:-2]])
@pytest.mark.parametrize("then", [RawConnection.close, RawConnection.reset])
async def test_proxy_that_closes(sent: bytes, then: Any) -> None:
    with RawServer.replying(sent, then=then) as proxy:
        async with connection_to(proxy) as connection:
            connection.set_tunnel("a.example", 443)
            with pytest.raises(ProxyError):
                await fetch(connection)


async def test_framing_fields_of_a_response_to_connect_are_ignored(connect_proxy: StartProxy) -> None:
    proxy = connect_proxy(answer=servers.GRANTED_WITH_LENGTH)
    with RawServer(echo_target) as server:
        async with connection_to(proxy) as connection:
            assert connection.get_proxy_response_headers() is None
            connection.set_tunnel(server.host, server.port)
            assert await fetch(connection, url="/a") == (200, b"/a")
            headers = connection.get_proxy_response_headers()
            assert headers is not None
            assert headers["content-length"] == "5"


async def test_tunnel_to_an_unreachable_origin_is_a_proxy_error(connect_proxy: StartProxy) -> None:
    proxy = connect_proxy()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with connection_to(proxy) as connection:
        connection.set_tunnel("127.0.0.1", port)
        with pytest.raises(ProxyError, match="502") as raised:
            await fetch(connection)
        assert raised.value.body == b"unreachable\n"


BAD_TARGETS: list[tuple[tuple[Any, ...], type[Exception]]] = [
    (("a\r\nX: y",), InvalidURL),
    (("a b",), InvalidURL),
    (("a\0",), InvalidURL),
    (("a:b",), InvalidURL),
    (("a:",), InvalidURL),
    (("a", 80, {"A": "b\r\nc: d"}), ValueError),
    (("a", 80, {"A b": "c"}), ValueError),
]


@pytest.mark.parametrize(("arguments", "error"), BAD_TARGETS)
def test_tunnel_that_cannot_be_asked_for(arguments: tuple[Any, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        HTTPConnection("proxy.example").set_tunnel(*arguments)


@pytest.mark.parametrize(
    ("arguments", "authority"),
    [
        (("a.example",), "a.example:80"),
        (("a.example:8080",), "a.example:8080"),
        (("a.example", 81), "a.example:81"),
        (("::1", 81), "[::1]:81"),
        (("[::1]:81",), "[::1]:81"),
        (("b\u00fccher.example",), "xn--bcher-kva.example:80"),
    ],
)
async def test_authority_of_a_tunnel(arguments: tuple[Any, ...], authority: str, connect_proxy: StartProxy) -> None:
    proxy = connect_proxy(answer=servers.UNREACHABLE)
    async with connection_to(proxy) as connection:
        connection.set_tunnel(*arguments)
        with pytest.raises(ProxyError):
            await fetch(connection)
    assert proxy.requests[0].startswith(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n".encode())


async def test_tunnel_on_an_open_connection_is_refused() -> None:
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            await connection.connect()
            with pytest.raises(ImproperConnectionState):
                connection.set_tunnel("a.example")
            assert await fetch(connection, url="/a") == (200, b"/a")


@pytest.mark.parametrize("secure", [False, True])
async def test_real_proxy(secure: bool, tls: Certificates, proxy_py: ProxyPy) -> None:
    with RawServer(echo_target, tls=tls.server_context() if secure else None) as server:
        plain = HTTPConnection(proxy_py.host, proxy_py.port, 10)
        async with secure_to(proxy_py.port, tls, proxy_py.host) if secure else plain as connection:
            connection.set_tunnel("localhost" if secure else server.host, server.port)
            for url in ("/a", "/b"):
                assert await fetch(connection, url=url) == (200, url.encode())
        assert server.accepted == 1


async def test_real_proxy_by_absolute_targets(proxy_py: ProxyPy) -> None:
    with RawServer(echo_target) as server:
        async with HTTPConnection(proxy_py.host, proxy_py.port, 10) as connection:
            assert await fetch(connection, url=f"{server.url}/a") == (200, b"/a")
    assert f"\r\nHost: {server.host}:{server.port}\r\n".lower().encode() in server.requests[0].lower()
