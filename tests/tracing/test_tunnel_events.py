"""The events of tunnels, through real proxies."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from asyncclient import Client, ProxyError
from tests.client.answering import Answering
from tests.connection.conversations import OK
from tests.servers import Certificates, ConnectProxy
from tests.socks_server import PProxy
from tests.tracing.events import Events

StartProxy = Callable[..., ConnectProxy]

OPEN_BY_CONNECT = ("resolved", "connected", "tunnel_started", "tunnel_opened", "secured", "connection_opened")


async def tell_of_tunnels(
    proxy: str | list[str] | None, tls: Certificates, *, expect: type[Exception] | None = None
) -> tuple[Events, str]:
    """Return the events of a request by https through proxies, and the authority of the server."""
    events = Events()
    with Answering(default=OK, tls=tls.server_context()) as server:
        url = f"https://localhost:{server.port}"
        async with Client(tracers=[events], ssl=tls.client_context(), proxy=proxy, trust_env=False) as client:
            if expect is None:
                await client.get(url)
            else:
                with pytest.raises(expect):
                    await client.get(url)
    return events, f"localhost:{server.port}"


def list_tunnels(events: Events) -> list[tuple[Any, ...]]:
    """Return the kind and the target of each tunnel, after the name of the event."""
    return [(name, *args[1:3]) for name, args in events.told if name.startswith("tunnel")]


async def test_a_tunnel_by_connect_has_a_beginning_and_an_end(tls: Certificates, connect_proxy: StartProxy) -> None:
    events, server = await tell_of_tunnels(f"http://127.0.0.1:{connect_proxy().port}", tls)
    assert list_tunnels(events) == [("tunnel_started", "connect", server), ("tunnel_opened", "connect", server)]
    names = events.names
    assert [name for name in names if name in OPEN_BY_CONNECT] == [*OPEN_BY_CONNECT]
    ((connection, *_, seconds),) = events.of("tunnel_opened")
    timings = events.of("request_started")[0][0].timings
    assert 0 < seconds == connection.timings.tunnel == timings.tunnel
    assert timings.connect + timings.tunnel + timings.tls <= timings.sent


@pytest.mark.parametrize("kind", ["socks4", "socks5", "socks5h"])
async def test_a_tunnel_by_socks_has_a_beginning_and_an_end(tls: Certificates, pproxy: PProxy, kind: str) -> None:
    events, server = await tell_of_tunnels(f"{kind}://{pproxy.host}:{pproxy.port}", tls)
    assert list_tunnels(events) == [("tunnel_started", kind, server), ("tunnel_opened", kind, server)]
    ((connection, *_, seconds),) = events.of("tunnel_opened")
    assert 0 < seconds == connection.timings.tunnel


async def test_each_tunnel_of_a_chain_of_proxies_has_its_events(
    tls: Certificates, pproxy: PProxy, connect_proxy: StartProxy
) -> None:
    last = connect_proxy()
    chain = [f"socks5://{pproxy.host}:{pproxy.port}", f"http://127.0.0.1:{last.port}"]
    events, server = await tell_of_tunnels(chain, tls)
    assert list_tunnels(events) == [
        *((name, "socks5", f"127.0.0.1:{last.port}") for name in ("tunnel_started", "tunnel_opened")),
        *((name, "connect", server) for name in ("tunnel_started", "tunnel_opened")),
    ]
    (_, *_, first), (connection, *_, second) = events.of("tunnel_opened")
    assert connection.timings.tunnel == first + second


async def test_a_refused_tunnel_has_no_end(tls: Certificates, connect_proxy: StartProxy) -> None:
    proxy = connect_proxy(credentials=("user", "password"))
    events, server = await tell_of_tunnels(f"http://127.0.0.1:{proxy.port}", tls, expect=ProxyError)
    assert list_tunnels(events) == [("tunnel_started", "connect", server)]
    ((connection, error),) = events.of("connection_failed")
    assert isinstance(error, ProxyError)
    assert connection.timings.tunnel > 0


async def test_a_connection_without_a_proxy_has_no_tunnel(tls: Certificates) -> None:
    events, _ = await tell_of_tunnels(None, tls)
    assert list_tunnels(events) == []
    assert events.of("request_started")[0][0].timings.tunnel is None


async def test_the_log_has_the_tunnel(
    tls: Certificates, connect_proxy: StartProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "asyncclient")
    _, server = await tell_of_tunnels(f"http://127.0.0.1:{connect_proxy().port}", tls)
    told = [record.getMessage().partition(": ")[2] for record in caplog.records]
    (begin,) = [number for number, line in enumerate(told) if "tunnel" in line and "asks" in line]
    assert told[begin] == f"asks the proxy for a tunnel to {server} by connect"
    assert told[begin + 1].startswith(f"tunnel to {server} in 0.")
