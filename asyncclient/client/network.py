"""Routes: how connections to an origin are opened, directly or through a proxy."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, cast

from ..exchange.tunnel import build_connect
from ..message.target import build_authority, build_server_name
from ..stream.dial import Route, Tunnel
from ..stream.options import SocketOption, list_keep_alive
from ..stream.resolve import Resolver
from ..stream.socks import Socks
from ..stream.tls import Trust, context_of
from ..transport import Destination, Origin
from .proxy.authentication import ProxyAuthentication
from .proxy.proxies import Proxy


class Network(NamedTuple):
    """How connections are opened.

    Args:
        trust: which certificates are accepted.
        resolver: finds addresses; None is the system's.
        local_address: (host, port) to connect from.
        socket_options: (level, name, value) to set on each socket before it connects.
        socket_path: a Unix socket to connect to, whatever the URL.
    """

    trust: Trust
    resolver: Resolver | None = None
    local_address: tuple[str, int] | None = None
    socket_options: tuple[SocketOption, ...] = ()
    socket_path: str | None = None

    async def build_route(self, destination: Destination) -> Route:
        """Return how to open a connection to a destination."""
        proxy = cast(Proxy | None, destination.proxy)
        if proxy is None:
            return await self._build_direct(destination.origin, self.trust)
        if is_asked(proxy, destination.scheme):
            return await self._build_direct((proxy.scheme, proxy.host, proxy.port), _trust_of_proxy(self.trust))
        return await self._build_tunnelled(destination.origin, proxy)

    async def _build_direct(self, origin: Origin, trust: Trust) -> Route:
        scheme, host, port = origin
        return Route(
            host,
            port,
            socket_path=self.socket_path,
            source_address=self.local_address,
            socket_options=self.socket_options,
            late_options=list_keep_alive(self.socket_options) if self.socket_path is None else (),
            resolver=self.resolver,
            tls=await context_of(trust) if scheme == "https" else None,
            fingerprints=trust.fingerprints if scheme == "https" else (),
            server_name=build_server_name(host),
        )

    async def _build_tunnelled(self, origin: Origin, proxy: Proxy) -> Route:
        """Return the route through a tunnel, which a proxy opens by CONNECT or SOCKS."""
        direct = await self._build_direct(origin, self.trust)
        if proxy.is_socks:
            return direct._replace(
                host=proxy.host,
                port=proxy.port,
                socks=Socks(proxy.scheme, proxy.username, proxy.password),
                target=origin[1:],
            )
        authority = build_authority(*origin[1:])
        open_auth = (
            None if proxy.auth is None else partial(ProxyAuthentication, proxy, proxy.auth, "CONNECT", authority)
        )
        is_secure = proxy.scheme == "https"
        return direct._replace(
            host=proxy.host,
            port=proxy.port,
            proxy_tls=await context_of(_trust_of_proxy(self.trust)) if is_secure else None,
            tunnel=Tunnel(authority, build_connect(authority, proxy.list_fields()), open_auth),
        )


def label_of(destination: Destination) -> str:
    """Return a destination for messages and statistics, without secrets."""
    authority = build_authority(destination.host, destination.port)
    return authority if destination.proxy is None else f"{authority} via {destination.proxy}"


def is_asked(proxy: Proxy, scheme: str) -> bool:
    """Return True if whole URLs of that scheme are sent to the proxy, instead of opening a tunnel to their origin."""
    return scheme == "http" and not proxy.is_socks and not proxy.tunnels_all


def _trust_of_proxy(trust: Trust) -> Trust:
    """Return which certificates of a proxy are accepted: fingerprints are of servers."""
    return Trust(None, ()) if trust.fingerprints else trust
