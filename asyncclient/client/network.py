"""Routes: how connections to an origin are opened, directly or through a proxy."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from ssl import SSLContext
from typing import NamedTuple, cast

from ..exchange.tunnel import build_connect
from ..message.target import build_authority, build_server_name
from ..stream.dial import Route
from ..stream.hops import Hop, Tunnel
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
        if proxy.via:
            return await self._build_chain(destination, proxy)
        if is_asked(proxy, destination.scheme):
            return await self._build_direct(_origin_of(proxy), _trust_of_proxy(self.trust))
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
        return direct._replace(
            host=proxy.host,
            port=proxy.port,
            proxy_tls=await self._find_context(_origin_of(proxy)),
            tunnel=_build_tunnel(proxy, origin),
        )

    async def _build_chain(self, destination: Destination, last: Proxy) -> Route:
        """Return the route through several proxies: each is asked for a tunnel to the next, the last for the URL."""
        asked = is_asked(last, destination.scheme)
        end = _origin_of(last) if asked else destination.origin
        direct = await self._build_direct(end, _trust_of_proxy(self.trust) if asked else self.trust)
        chain = last.via if asked else (*last.via, last)
        hops = []
        for proxy, following in pairwise(chain):
            hops.append(_build_hop(proxy, _origin_of(following), await self._find_context(_origin_of(following))))
        return direct._replace(
            host=chain[0].host,
            port=chain[0].port,
            proxy_tls=await self._find_context(_origin_of(chain[0])),
            hops=(*hops, _build_hop(chain[-1], end, direct.tls)),
            target=end[1:],
        )

    async def _find_context(self, proxy: Origin) -> SSLContext | None:
        """Return the TLS context for a proxy; None if it does not use TLS."""
        return await context_of(_trust_of_proxy(self.trust)) if proxy[0] == "https" else None


def _origin_of(proxy: Proxy) -> Origin:
    return proxy.scheme, proxy.host, proxy.port


def _build_hop(proxy: Proxy, end: Origin, tls: SSLContext | None) -> Hop:
    """Return the tunnel that a proxy opens, with TLS inside of it if the end uses TLS."""
    _, host, port = end
    name = build_server_name(host)
    if proxy.is_socks:
        return Hop(host, port, None, Socks(proxy.scheme, proxy.username, proxy.password), tls, name)
    return Hop(host, port, _build_tunnel(proxy, end), None, tls, name)


def _build_tunnel(proxy: Proxy, end: Origin) -> Tunnel:
    authority = build_authority(*end[1:])
    open_auth = None if proxy.auth is None else partial(ProxyAuthentication, proxy, proxy.auth, "CONNECT", authority)
    return Tunnel(authority, build_connect(authority, proxy.list_fields()), open_auth)


def label_of(destination: Destination) -> str:
    """Return a destination for messages and statistics, without secrets."""
    authority = build_authority(destination.host, destination.port)
    proxy = cast(Proxy | None, destination.proxy)
    return authority if proxy is None else f"{authority} via {', '.join(map(str, (*proxy.via, proxy)))}"


def is_asked(proxy: Proxy, scheme: str) -> bool:
    """Return True if whole URLs of that scheme are sent to the proxy, instead of opening a tunnel to their origin."""
    return scheme == "http" and not proxy.is_socks and not proxy.tunnels_all


def _trust_of_proxy(trust: Trust) -> Trust:
    """Return which certificates of a proxy are accepted: fingerprints are of servers."""
    return Trust(None, ()) if trust.fingerprints else trust
