"""Opening a connection through proxies and TLS: errors of each step, time limits, and cancelling at any point."""

import itertools
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from asyncclient.errors import ConnectTimeout, ProxyError, TLSError, TLSTimeout
from asyncclient.exchange.tunnel import build_connect
from asyncclient.limits import DEFAULT
from asyncclient.stream.dial import Route, open_stream
from asyncclient.stream.hops import Tunnel, open_tunnel_on
from asyncclient.stream.opening import Opening
from asyncclient.testing import RawConnection, RawServer
from asyncclient.timeouts import Timeout
from tests.durations import lasts
from tests.servers import GRANTED, REFUSED, Certificates, ConnectProxy
from tests.stream.peers import PATIENCE, cancel_at_each_turn, cancel_in_each_wait, dial, route_to

# Tunnels


def tunnel_to(target: RawServer, proxy: RawServer, **options: Any) -> Route:
    authority = f"{target.host}:{target.port}"
    return Route(proxy.host, proxy.port, tunnel=Tunnel(authority, build_connect(authority, [])), **options)


@pytest.mark.parametrize("proxy_has_tls", [False, True])
@pytest.mark.parametrize("target_has_tls", [False, True])
async def test_a_tunnel_leads_to_the_target(
    connect_proxy: Callable[..., ConnectProxy], tls: Certificates, proxy_has_tls: bool, target_has_tls: bool
) -> None:
    proxy = connect_proxy(tls=tls.server_context() if proxy_has_tls else None)
    context = tls.client_context()
    with RawServer(lambda c: c.send(c.read(5)[::-1]), tls=tls.server_context() if target_has_tls else None) as target:
        route = tunnel_to(
            target,
            proxy,
            proxy_tls=context if proxy_has_tls else None,
            tls=context if target_has_tls else None,
            server_name="127.0.0.1",
        )
        timings = Opening(0.0)
        stream, head = await open_stream(route, PATIENCE, timings)
        assert head is not None
        assert head.status == 200
        assert (timings.tls is None) is not (proxy_has_tls or target_has_tls)
        stream.write(b"hello")
        assert await stream.readexactly(5) == b"olleh"
        assert await stream.read(1) == b""
        stream.close()
        await stream.wait_closed()
    assert target.requests == []


@pytest.mark.parametrize("answer", [REFUSED, GRANTED + b"early", b"garbage", b""])
async def test_a_tunnel_that_is_not_opened_is_a_proxy_error(tls: Certificates, answer: bytes) -> None:
    def converse(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(answer)

    with RawServer(converse) as proxy:
        with pytest.raises(ProxyError) as raised:
            await dial(tunnel_to(proxy, proxy, tls=tls.client_context(), server_name="x"), PATIENCE)
        assert raised.value.status == {REFUSED: 407, GRANTED + b"early": 200}.get(answer)


async def test_a_proxy_that_is_silent_is_a_timeout() -> None:
    with RawServer(RawConnection.hold) as proxy:
        route = tunnel_to(proxy, proxy)
        assert route.tunnel is not None
        stream = await dial(Route(proxy.host, proxy.port), PATIENCE)
        with pytest.raises(ConnectTimeout) as raised:
            await open_tunnel_on(stream, route.tunnel, None, Timeout(connect=0.1), Opening(0.0), DEFAULT)
        assert (raised.value.phase, raised.value.seconds) == ("proxy", 0.1)
        await stream.wait_closed()


@pytest.mark.parametrize("start", [GRANTED[:-2], b"HTTP/1.1 403 No\r\nContent-Length: 1000\r\n\r\n"])
async def test_a_proxy_that_drips_is_a_timeout_too(start: bytes) -> None:
    def drip(connection: RawConnection) -> None:
        connection.send(start)
        connection.send_slowly(itertools.repeat(b"x"), pause=0.03)

    with RawServer(drip) as proxy, lasts(), pytest.raises((ConnectTimeout, ProxyError)):
        await dial(tunnel_to(proxy, proxy), Timeout(connect=0.2))


# TLS


async def test_a_handshake_is_timed_and_verified(tls: Certificates) -> None:
    with RawServer(RawConnection.hold, tls=tls.server_context()) as server:
        timings = Opening(0.0)
        stream, _ = await open_stream(route_to(server, tls), PATIENCE, timings)
        assert timings.tls is not None
        assert stream.ssl_object is not None
        assert stream.ssl_object.getpeercert()
        stream.abort()
        await stream.wait_closed()


@pytest.mark.parametrize(
    ("context", "text"),
    [
        (Certificates.expired_context, "certificate has expired"),
        (Certificates.wrong_host_context, "IP address mismatch"),
        (Certificates.self_signed_context, "self-signed certificate|self signed certificate"),
    ],
)
async def test_a_bad_certificate_is_a_tls_error(
    tls: Certificates, context: Callable[[Certificates], ssl.SSLContext], text: str
) -> None:
    received: list[bytes] = []
    with RawServer(lambda connection: received.append(connection.read()), tls=context(tls)) as server:
        with pytest.raises(
            TLSError, match=rf"TLS handshake with 127\.0\.0\.1:{server.port} failed: .*({text})"
        ) as raised:
            await dial(route_to(server, tls), PATIENCE)
        assert isinstance(raised.value.__cause__, ssl.SSLCertVerificationError)
    assert b"".join(received) == b""


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28"])
async def test_a_peer_without_tls_is_a_tls_error(tls: Certificates, reply: bytes) -> None:
    def answer(connection: RawConnection) -> None:
        connection.read()
        connection.send(reply)
        connection.wait_closed(5)

    with RawServer(answer) as server:
        with pytest.raises(TLSError) as raised:
            await dial(route_to(server, tls), PATIENCE)
        assert isinstance(raised.value.__cause__, ssl.SSLError)


@pytest.mark.parametrize("end", [RawConnection.close, RawConnection.reset])
async def test_a_peer_that_ends_in_the_handshake_is_a_tls_error(
    tls: Certificates, end: Callable[[RawConnection], None]
) -> None:
    def handler(connection: RawConnection) -> None:
        connection.read()
        end(connection)

    with RawServer(handler) as server, pytest.raises(TLSError):
        await dial(route_to(server, tls), PATIENCE)


async def test_a_silent_peer_is_a_timeout_of_the_handshake(tls: Certificates) -> None:
    with RawServer(RawConnection.hold) as server:
        where = r"no complete TLS handshake with 127\.0\.0\.1:[0-9]+ in 0\.1 s"
        with lasts(0.1), pytest.raises(TLSTimeout, match=where) as raised:
            await dial(route_to(server, tls), Timeout(tls=0.1))
        assert (raised.value.phase, raised.value.seconds) == ("tls", 0.1)


async def test_a_silent_target_behind_a_proxy_is_a_timeout_of_the_handshake(
    tls: Certificates, connect_proxy: Callable[..., ConnectProxy]
) -> None:
    with RawServer(RawConnection.hold) as target:
        with pytest.raises(TLSTimeout) as raised:
            await dial(tunnel_to(target, connect_proxy(), tls=tls.client_context(), server_name="x"), Timeout(tls=0.1))
        assert f"{target.host}:{target.port}" in str(raised.value)


async def test_a_bad_certificate_behind_a_proxy_is_a_tls_error(
    tls: Certificates, connect_proxy: Callable[..., ConnectProxy]
) -> None:
    with RawServer(RawConnection.hold, tls=tls.wrong_host_context()) as target:
        route = tunnel_to(target, connect_proxy(), tls=tls.client_context(), server_name="127.0.0.1")
        with pytest.raises(TLSError) as raised:
            await dial(route, PATIENCE)
        assert isinstance(raised.value.__cause__, ssl.SSLCertVerificationError)


# Cancelling


@pytest.mark.parametrize("way", ["tcp", "tls", "tunnel", "tls in tunnel", "tls in tls"])
async def test_cancelling_at_any_point_leaves_nothing_open(tls: Certificates, way: str) -> None:
    """In each of its waits, and after each number of turns; sockets and tasks are counted for every test."""
    context = tls.client_context()
    secure = tls.server_context()
    with (
        RawServer(RawConnection.wait_closed, tls=secure if "tls" in way else None) as target,
        ConnectProxy(tls=secure if way == "tls in tls" else None) as proxy,
    ):
        route = route_to(target, tls if way == "tls" else None)
        if way not in ("tcp", "tls"):
            route = tunnel_to(
                target,
                proxy,
                proxy_tls=context if way == "tls in tls" else None,
                tls=context if "tls" in way else None,
                server_name="127.0.0.1",
            )
        await cancel_in_each_wait(route, PATIENCE)
        await cancel_at_each_turn(route, PATIENCE, 0 if way == "tcp" else 0.0005)
        stream = await dial(route, PATIENCE)
        stream.abort()
        await stream.wait_closed()
