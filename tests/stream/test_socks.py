"""SOCKS proxies: a real one, and scripted ones for exact bytes, refusals, silence and cancelling."""

import asyncio
import errno
import re
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from asyncclient.errors import ConnectError, ConnectTimeout, InvalidURL, ProxyError, TLSError, TLSTimeout
from asyncclient.stream.dial import Route, open_socket
from asyncclient.stream.opening import Opening
from asyncclient.stream.resolve import Address, StaticResolver
from asyncclient.stream.socks import KINDS, Socks, open_socks
from asyncclient.testing import RawConnection, RawServer
from asyncclient.timeouts import Timeout
from tests.durations import lasts
from tests.servers import Certificates
from tests.socks_server import SECRET, PProxy
from tests.stream.peers import PATIENCE, cancel_at_each_turn, cancel_in_each_wait, dial


class Refusing:
    """A resolver that must not be asked."""

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        raise AssertionError(f"asked for {host}:{port}")


def route_through(
    proxy: PProxy | RawServer, kind: str, host: str = "127.0.0.1", port: int = 80, **options: Any
) -> Route:
    credentials = options.pop("credentials", ())
    return Route(proxy.host, proxy.port, socks=Socks(kind, *credentials), target=(host, port), **options)


def send_back_reversed(connection: RawConnection) -> None:
    connection.send(connection.read(5)[::-1])


async def assert_leads_to_reverse(route: Route) -> None:
    stream = await dial(route, PATIENCE)
    assert stream.peer == "{}:{}".format(*route.target or ())
    stream.write(b"hello")
    assert await stream.readexactly(5) == b"olleh"
    stream.close()
    await stream.wait_closed()


# A real proxy

WAYS = [("socks4", "target.test"), ("socks4", "127.0.0.1"), ("socks5", "target.test"), ("socks5h", "localhost")]


@pytest.mark.parametrize("has_tls", [False, True])
@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize(("kind", "host"), WAYS)
async def test_a_real_proxy_leads_to_the_target(
    pproxy: PProxy, strict_pproxy: PProxy, tls: Certificates, kind: str, host: str, asks: bool, has_tls: bool
) -> None:
    credentials = (f"ali:{SECRET}", None) if kind == "socks4" else ("ali", SECRET)
    secure = tls.server_context("target.test", "127.0.0.1", "localhost") if has_tls else None
    with RawServer(send_back_reversed, tls=secure) as target:
        route = route_through(
            strict_pproxy if asks else pproxy,
            kind,
            host,
            target.port,
            credentials=credentials if asks else (),
            tls=tls.client_context() if has_tls else None,
            server_name=host,
            resolver=Refusing() if kind == "socks5h" else StaticResolver({"target.test": "127.0.0.1"}),
        )
        await assert_leads_to_reverse(route)
    assert target.accepted == 1


@pytest.mark.parametrize(
    ("kind", "credentials"),
    [("socks5", ("ali", "baba")), ("socks5", ()), ("socks4", ("ali:baba",)), ("socks4", ())],
)
async def test_a_real_proxy_refuses_clients_without_credentials(
    strict_pproxy: PProxy, kind: str, credentials: tuple[str, ...]
) -> None:
    where = re.escape(f"no tunnel to 127.0.0.1:80 through 127.0.0.1:{strict_pproxy.port}: ")
    with pytest.raises(ProxyError, match=where) as raised:
        await dial(route_through(strict_pproxy, kind, credentials=credentials), PATIENCE)
    assert "baba" not in "".join(traceback.format_exception(raised.value))


async def test_a_bad_certificate_behind_a_proxy_names_the_target(pproxy: PProxy, tls: Certificates) -> None:
    with RawServer(send_back_reversed, tls=tls.wrong_host_context()) as target:
        route = route_through(
            pproxy, "socks5h", "localhost", target.port, tls=tls.client_context(), server_name="localhost"
        )
        with pytest.raises(TLSError, match=rf"TLS handshake with localhost:{target.port} failed"):
            await dial(route, PATIENCE)


async def test_a_silent_target_behind_a_proxy_is_a_timeout_of_the_handshake(pproxy: PProxy, tls: Certificates) -> None:
    with RawServer(RawConnection.hold) as target:
        route = route_through(pproxy, "socks5", port=target.port, tls=tls.client_context(), server_name="127.0.0.1")
        with pytest.raises(TLSTimeout, match=rf"no complete TLS handshake with 127\.0\.0\.1:{target.port} in 0\.1 s"):
            await dial(route, Timeout(tls=0.1))


# Exact bytes

GREETING, CHOSEN = b"\x05\x01\x00", b"\x05\x00"
GREETING_WITH_PASSWORD, CHOSEN_PASSWORD = b"\x05\x02\x00\x02", b"\x05\x02"
GRANTED = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"
GRANTED_V6 = b"\x05\x00\x00\x04" + bytes(18)
GRANTED_NAME = b"\x05\x00\x00\x03\x04test\x00\x50"
GRANTED_LONG_NAME = b"\x05\x00\x00\x03\xff" + 255 * b"x" + b"\x00\x50"
GRANTED_4 = b"\x00\x5a" + bytes(6)
PASSWORD = b"\x01\x03ali" + bytes([len(SECRET)]) + SECRET.encode()
V6 = b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01"

Script = list[tuple[bytes, bytes]]
KNOWN = StaticResolver(
    {
        "both.test": ["2001:db8::1", "192.0.2.7"],
        "v6.test": "2001:db8::1",
        "moved.test": ("192.0.2.7", 8080),
        "xn--bcher-kva.test": "192.0.2.9",
    }
)


def scripted(script: Script, rest: bytes = b"") -> Callable[[RawConnection], None]:
    """Check each piece, and answer it; the last answer and the rest are sent as one."""

    def converse(connection: RawConnection) -> None:
        for number, (expected, answer) in enumerate(script, 1):
            assert connection.read_body(len(expected)) == expected
            connection.send(answer + rest if number == len(script) else answer)
        connection.wait_closed()

    return converse


@pytest.mark.parametrize(
    ("kind", "credentials", "host", "script"),
    [
        ("socks4", ("ali",), "192.0.2.1", [(b"\x04\x01\x00\x50\xc0\x00\x02\x01ali\x00", GRANTED_4)]),
        ("socks4", (), "both.test", [(b"\x04\x01\x00\x50\xc0\x00\x02\x07\x00", GRANTED_4)]),
        ("socks4", (), "moved.test", [(b"\x04\x01\x1f\x90\xc0\x00\x02\x07\x00", GRANTED_4)]),
        ("socks4a", (), "192.0.2.1", [(b"\x04\x01\x00\x50\xc0\x00\x02\x01\x00", GRANTED_4)]),
        ("socks4a", (), "both.test", [(b"\x04\x01\x00\x50\x00\x00\x00\x01\x00both.test\x00", GRANTED_4)]),
        ("socks4a", ("ali",), "b.test", [(b"\x04\x01\x00\x50\x00\x00\x00\x01ali\x00b.test\x00", GRANTED_4)]),
        ("socks5", (), "both.test", [(GREETING, CHOSEN), (b"\x05\x01\x00\x01\xc0\x00\x02\x07\x00\x50", GRANTED)]),
        ("socks5", (), "v6.test", [(GREETING, CHOSEN), (b"\x05\x01\x00\x04" + V6 + b"\x00\x50", GRANTED_V6)]),
        ("socks5", (), "bücher.test", [(GREETING, CHOSEN), (b"\x05\x01\x00\x01\xc0\x00\x02\x09\x00\x50", GRANTED)]),
        ("socks5h", (), "both.test", [(GREETING, CHOSEN), (b"\x05\x01\x00\x03\x09both.test\x00\x50", GRANTED_NAME)]),
        ("socks5h", (), "2001:db8::1", [(GREETING, CHOSEN), (b"\x05\x01\x00\x04" + V6 + b"\x00\x50", GRANTED)]),
        (
            "socks5h",
            ("ali", SECRET),
            "bücher.test",
            [
                (GREETING_WITH_PASSWORD, CHOSEN_PASSWORD),
                (PASSWORD, b"\x01\x00"),
                (b"\x05\x01\x00\x03\x12xn--bcher-kva.test\x00\x50", GRANTED),
            ],
        ),
        (
            "socks5h",
            ("ali", SECRET),
            "b.test",
            [(GREETING_WITH_PASSWORD, CHOSEN), (b"\x05\x01\x00\x03\x06b.test\x00\x50", GRANTED)],
        ),
    ],
)
async def test_the_request_to_the_proxy_and_the_bytes_after_its_answer(
    kind: str, credentials: tuple[str, ...], host: str, script: Script
) -> None:
    with RawServer(scripted(script, rest=b"hello")) as proxy:
        stream = await dial(route_through(proxy, kind, host, credentials=credentials, resolver=KNOWN), PATIENCE)
        assert await stream.readexactly(5) == b"hello"
        stream.abort()
        await stream.wait_closed()


# Refusals

REFUSALS: dict[str, tuple[str, list[bytes], str]] = {
    "target refused": ("socks5h", [CHOSEN, b"\x05\x05\x00\x01" + bytes(6)], "Connection refused by destination host"),
    "unknown code": ("socks5h", [CHOSEN, b"\x05\x77\x00\x01" + bytes(6)], "Invalid reply code"),
    "method not offered": ("socks5h", [b"\x05\x01"], "authentication method"),
    "password refused": ("socks5h", [CHOSEN_PASSWORD, b"\x01\x01"], "authentication failure"),
    "not socks": ("socks5h", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "version"),
    "garbled name": ("socks5h", [CHOSEN, b"\x05\x00\x00\x03\x02\xff\xfe\x00\x50"], "can't decode"),
    "closed in the middle": ("socks5h", [CHOSEN, GRANTED[:5]], "closed"),
    "socks4 refused": ("socks4a", [b"\x00\x5b" + bytes(6)], "Request rejected or failed"),
    "socks4 closed in the middle": ("socks4a", [GRANTED_4[:7]], "closed"),
}


def answering(answers: list[bytes], then: Callable[[RawConnection], object]) -> Callable[[RawConnection], None]:
    def converse(connection: RawConnection) -> None:
        connection.read()
        for answer in answers:
            connection.send(answer)
            if answer in (CHOSEN, CHOSEN_PASSWORD):
                connection.read()
        then(connection)

    return converse


@pytest.mark.parametrize(("kind", "answers", "reason"), REFUSALS.values(), ids=list(REFUSALS))
async def test_a_proxy_that_opens_no_tunnel(kind: str, answers: list[bytes], reason: str) -> None:
    with RawServer(answering(answers, RawConnection.close)) as proxy:
        where = re.escape(f"no tunnel to target.test:443 through 127.0.0.1:{proxy.port}: ")
        with pytest.raises(ProxyError, match=f"{where}.*{reason}") as raised:
            await dial(route_through(proxy, kind, "target.test", 443, credentials=("ali", SECRET)), PATIENCE)
    assert isinstance(raised.value, ConnectError)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


async def test_a_proxy_that_resets() -> None:
    refused = pytest.raises(ProxyError, match=r"no tunnel to 127\.0\.0\.1:80 .*reset")
    with RawServer(answering([], RawConnection.reset)) as proxy, refused as raised:
        await dial(route_through(proxy, "socks5"), PATIENCE)
    assert isinstance(raised.value.__cause__, ConnectionResetError)


async def test_a_refused_connection_to_a_proxy_is_a_connect_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(
        ConnectError, match=rf"no connection to 127\.0\.0\.1:{port} on the way to target\.test:80: "
    ) as raised:
        await dial(Route("127.0.0.1", port, socks=Socks("socks5"), target=("target.test", 80)), PATIENCE)
    assert [attempt.errno for attempt in raised.value.attempts] == [errno.ECONNREFUSED]


@pytest.mark.parametrize(("kind", "host"), [("socks4", "v6.test"), ("socks4", "::1"), ("socks4a", "::1")])
async def test_socks4_gets_no_ipv6_address(kind: str, host: str) -> None:
    refused = pytest.raises(ProxyError, match=r"no tunnel to .* through 127\.0\.0\.1:[0-9]+: SOCKS4 knows IPv4")
    with RawServer(RawConnection.wait_closed) as proxy, refused:
        await dial(route_through(proxy, kind, host, resolver=KNOWN), PATIENCE)


async def test_a_target_without_an_address_is_a_connect_error() -> None:
    refused = pytest.raises(ConnectError, match=r"no connection to target\.test:80: .*asked for target\.test:80")
    with RawServer(RawConnection.wait_closed) as proxy, refused as raised:
        await dial(route_through(proxy, "socks5", "target.test", resolver=Refusing()), PATIENCE)
    assert not isinstance(raised.value, ProxyError)


@pytest.mark.parametrize("kind", ["socks4a", "socks5h"])
async def test_a_name_with_a_nul_is_not_looked_up(kind: str) -> None:
    """It would end the name, and what follows be taken for something else."""
    received: list[bytes] = []
    with RawServer(lambda connection: received.append(connection.read())) as proxy, pytest.raises(InvalidURL):
        await dial(route_through(proxy, kind, "a\0b.test"), PATIENCE)
    assert b"".join(received) == b""


async def test_a_name_that_is_too_long_is_not_looked_up() -> None:
    with RawServer(answering([CHOSEN], RawConnection.wait_closed)) as proxy, pytest.raises(ProxyError):
        await dial(route_through(proxy, "socks5h", f"{'a.' * 150}test"), PATIENCE)


# Time limits, and cancelling


@pytest.mark.parametrize("answers", [[], [CHOSEN], [CHOSEN, GRANTED[:-1]]])
async def test_a_proxy_that_is_silent_is_a_timeout(answers: list[bytes]) -> None:
    with RawServer(answering(answers, RawConnection.hold)) as proxy:
        route = route_through(proxy, "socks5h", "target.test")
        assert route.socks is not None
        connected = await open_socket(route, PATIENCE, Opening(0.0))
        where = re.escape(f"no tunnel to target.test:80 through 127.0.0.1:{proxy.port} in 0.1 s")
        with lasts(0.1), pytest.raises(ConnectTimeout, match=where) as raised:
            await open_socks(connected, route.socks, route.peer, ("target.test", 80), Timeout(connect=0.1))
    assert (raised.value.phase, raised.value.seconds) == ("proxy", 0.1)


async def test_a_proxy_that_drips_is_a_timeout_too() -> None:
    def drip(connection: RawConnection) -> None:
        connection.send_slowly([bytes([byte]) for byte in GRANTED_LONG_NAME], pause=0.03)

    with RawServer(answering([CHOSEN], drip)) as proxy, lasts(0.2), pytest.raises(ConnectTimeout):
        await dial(route_through(proxy, "socks5"), Timeout(connect=0.2))


async def test_resolving_the_target_is_limited() -> None:
    class Silent:
        async def resolve(self, host: str, port: int) -> Sequence[Address]:
            await asyncio.Event().wait()
            return []

    late = pytest.raises(ConnectTimeout, match=r"no tunnel to target\.test:80 through ")
    with RawServer(RawConnection.wait_closed) as proxy, late:
        await dial(route_through(proxy, "socks5", "target.test", resolver=Silent()), Timeout(connect=0.1))


@pytest.mark.parametrize("has_tls", [False, True])
async def test_cancelling_at_any_point_leaves_nothing_open(tls: Certificates, has_tls: bool) -> None:
    """In each of its waits, and after each number of moments; sockets and tasks are counted for every test."""

    def converse(connection: RawConnection) -> None:
        for answer in (CHOSEN, GRANTED):
            connection.read()
            connection.send(answer)
        with socket.create_connection((target.host, target.port)) as origin:
            connection.relay(origin)

    secure = tls.server_context() if has_tls else None
    with RawServer(RawConnection.wait_closed, tls=secure) as target, RawServer(converse) as proxy:
        context = tls.client_context() if has_tls else None
        route = route_through(proxy, "socks5", tls=context, server_name="127.0.0.1")
        await cancel_in_each_wait(route, PATIENCE)
        await cancel_at_each_turn(route, PATIENCE, 0.0005)
        stream = await dial(route, PATIENCE)
        stream.abort()
        await stream.wait_closed()


@pytest.mark.parametrize("answers", [[], [CHOSEN], [CHOSEN, GRANTED[:-1]]])
async def test_cancelling_while_the_proxy_is_silent_ends_the_connection(answers: list[bytes]) -> None:
    is_silent, is_over = threading.Event(), threading.Event()

    def converse(connection: RawConnection) -> None:
        connection.read()
        for answer in answers:
            connection.send(answer)
            if answer == CHOSEN:
                connection.read()
        is_silent.set()
        connection.wait_closed()
        is_over.set()

    with RawServer(converse) as proxy:
        opening = asyncio.create_task(dial(route_through(proxy, "socks5"), PATIENCE))
        assert await asyncio.to_thread(is_silent.wait, 5)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert await asyncio.to_thread(is_over.wait, 5)


# The connection to the proxy


async def test_the_proxy_is_resolved_and_connected_to_like_any_server() -> None:
    script = [(GREETING, CHOSEN), (b"\x05\x01\x00\x03\x06b.test\x00\x50", GRANTED)]
    with RawServer(scripted(script)) as proxy:
        route = Route(
            "proxy.test",
            80,
            source_address=("127.0.0.5", 0),
            socket_options=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)],
            resolver=StaticResolver({"proxy.test": ("127.0.0.1", proxy.port)}),
            socks=Socks("socks5h"),
            target=("b.test", 80),
        )
        stream = await dial(route, PATIENCE)
        assert stream.get_extra_info("sockname")[0] == "127.0.0.5"
        assert stream.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        stream.abort()
        await stream.wait_closed()


# Arguments


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_package_is_an_error_at_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_socks", None)
    with pytest.raises(ImportError, match=re.escape("SOCKS needs the extra asyncclient-http[socks]")):
        Socks(kind)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("http",), "expected socks4, socks4a, socks5, socks5h as kind of SOCKS proxy, got 'http'"),
        (("socks5", "ali"), "expected both user and password"),
        (("socks5", "ali", ""), "expected both user and password"),
        (("socks5h", None, SECRET), "expected both user and password"),
        (("socks5", "älf", SECRET), "expected ASCII, 255 characters at most"),
        (("socks5", "ali", f"{SECRET}ä"), "expected ASCII, 255 characters at most"),
        (("socks5", "ali", SECRET * 24), "expected ASCII, 255 characters at most"),
        (("socks4", "ali\0evil"), "expected ASCII, 255 characters at most"),
    ],
)
def test_invalid_socks_arguments_are_refused(arguments: tuple[str, ...], text: str) -> None:
    with pytest.raises(ValueError, match=text) as raised:
        Socks(*arguments)
    assert SECRET not in str(raised.value)


def test_credentials_are_not_shown() -> None:
    route = Route("127.0.0.1", 1080, socks=Socks("socks5", "ali", SECRET), target=("b.test", 80))
    assert "<Socks socks5 with credentials>" in repr(route)
    assert SECRET not in repr(route)
    assert "ali" not in repr(route)
