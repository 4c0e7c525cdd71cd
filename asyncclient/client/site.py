"""What all requests of a client to one origin have in common, made once: the way there, and fields that go along."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, NamedTuple

from ..bounded import BoundedDict
from ..exchange.tunnel import build_connect
from ..message.head import build_field
from ..message.request import INSPECTED_FIELDS
from ..message.target import build_authority, build_server_name
from ..message.url import DEFAULT_PORTS, URL, build_url
from ..pool.group import Group
from ..pool.pool import Pool
from ..stream.dial import Route, Tunnel
from ..stream.options import SocketOption, list_keep_alive
from ..stream.resolve import Resolver
from ..stream.socks import Socks
from ..stream.tls import Trust, context_of
from ..version import __version__
from .connection_fields import check_client_fields, check_tunnelled
from .content.decoding import IDENTITY, accept_encoding
from .cookies.fields import is_loopback
from .proxy.authentication import ProxyAuthentication
from .proxy.proxies import Proxy, ProxySelector
from .redirects import reveals_secure_page
from .request import as_text

MOST: Final = 1024
"""Origins remembered; beyond them the one made longest ago is forgotten, and made anew when it is needed, in 20 µs."""

Origin = tuple[str, str, int]
"""Scheme, host and port (RFC 9110 §4.3.1)."""


class Field(NamedTuple):
    """A field that goes with each request: its name in lower case, and its line."""

    name: str
    line: bytes

    def reveals_secure_page(self) -> bool:
        """Return whether the field is the Referer of an https page."""
        value = self.line.partition(b":")[2]
        return reveals_secure_page(self.name, value, is_relative_secure=True)


class Site:
    """One origin as a client sees it.

    Attributes:
        group: the connections that lead there.
        origin: scheme, host, port.
        fields: what goes with each request.
        names: of these, in lower case.
        block: their lines, joined; None where a head has to look at one of them, as at Connection.
        prefix: what stands before the target: the origin, where a proxy is asked for it (RFC 9112 §3.2.2), else "".
        is_secure: Secure cookies may go there: over TLS, or on this machine without a proxy between.
        chooses_codings: the user of the client has set Accept-Encoding for all requests.
        is_tunnelled: whether a proxy opens a tunnel to the origin, and does not see the requests.
        proxy: the one that is asked for each request, where it has an Auth to log in with; else None.
    """

    __slots__ = (
        "block",
        "chooses_codings",
        "fields",
        "group",
        "is_secure",
        "is_tunnelled",
        "names",
        "origin",
        "prefix",
        "proxy",
    )

    def __init__(
        self,
        group: Group,
        origin: Origin,
        fields: list[Field],
        prefix: str,
        *,
        is_secure: bool,
        chooses_codings: bool = False,
        is_tunnelled: bool = False,
        proxy: Proxy | None = None,
    ) -> None:
        self.group = group
        self.origin = origin
        self.fields = fields
        self.names = frozenset(field.name for field in fields)
        is_plain = self.names.isdisjoint(INSPECTED_FIELDS)
        self.block = b"\r\n".join(field.line for field in fields) if is_plain else None
        self.prefix = prefix
        self.is_secure = is_secure
        self.chooses_codings = chooses_codings
        self.is_tunnelled = is_tunnelled
        self.proxy = proxy

    def find_value(self, name: str) -> str | None:
        """Return the value of a field that goes with each request, by its name in lower case; None without one."""
        lines = (field.line for field in self.fields if field.name == name)
        line = next(lines, None)
        return None if line is None else line.partition(b": ")[2].decode("latin-1")


class Network(NamedTuple):
    """How a client gets anywhere.

    Args:
        trust: which certificates are good.
        selector: which proxy is asked for what.
        resolver: finds addresses; None is the system's.
        local_address: (host, port) to connect from.
        socket_options: (level, name, value) to set on each socket before it connects.
        socket_path: a Unix socket to connect to, whatever the URL.
    """

    trust: Trust
    selector: ProxySelector
    resolver: Resolver | None = None
    local_address: tuple[str, int] | None = None
    socket_options: tuple[SocketOption, ...] = ()
    socket_path: str | None = None


class Sites:
    """All origins that a client has been to lately.

    Args:
        pool: where connections come from.
        network: how to get there.
        fields: pairs that go with each request, besides what _build_fields() adds.
        secret_names: lower-case names of fields that only the origin a caller named may see; of these the client's own
            go to no other (`is_foreign`), and with a home only there.
        home: the origin of the client's base_url.

    Attributes:
        known: sites that were found before and need no other look, by origin; none of them is foreign.
    """

    def __init__(
        self,
        pool: Pool,
        network: Network,
        fields: list[tuple[str, Any]],
        secret_names: frozenset[str],
        home: Origin | None,
    ) -> None:
        self._pool = pool
        self._network = network
        self._given = check_client_fields([(as_text(name), value) for name, value in fields])
        self._chooses_codings = any(name.lower() == "accept-encoding" for name, _ in self._given)
        self._fields: list[Field] | None = None
        self._bound = secret_names | {"host"}
        self._home = home
        self.known: BoundedDict[object, Site] = BoundedDict(MOST)
        self._foreign: BoundedDict[object, Site] = BoundedDict(MOST)

    def is_home(self, origin: Origin) -> bool:
        """Return whether what the client was given in secret may go to that origin if its caller named that."""
        return self._home is None or origin == self._home

    async def find(self, url: URL, is_foreign: bool) -> Site:
        """Return the site of a URL; a foreign one is reached by a redirect from another origin."""
        known = self._foreign if is_foreign else self.known
        selector = self._network.selector
        if selector.needs_url:
            proxy = selector.select_for_url(build_url(url))
            key: object = (*url[:3], proxy)
        else:
            proxy, key = None, url[:3]
        site = known.get(key)
        if site is None:
            if not (selector.needs_url or selector.is_empty):
                proxy = selector.select(*url[:3])
            site = known[key] = await self._build(url, proxy, is_foreign)
        return site

    async def _build(self, url: URL, proxy: Proxy | None, is_foreign: bool) -> Site:
        origin = scheme, host, port = url[:3]
        authority = build_authority(host, port, DEFAULT_PORTS[scheme])
        may_know = not is_foreign and self.is_home(origin)
        if self._fields is None:
            self._fields = _build_fields(self._given)
        fields = [field for field in self._fields if may_know or field.name not in self._bound]
        if is_foreign and scheme == "http":  # the client's own Referer is relative to the URLs of its callers
            fields = [field for field in fields if not field.reveals_secure_page()]
        if not any(field.name == "host" for field in fields):
            fields.insert(0, Field("host", build_field("Host", authority)))
        prefix = ""
        if proxy is not None and _is_asked(proxy, scheme):
            prefix = f"http://{authority}"
            added = [Field(name.lower(), build_field(name, value)) for name, value in proxy.list_fields()]
            names = {field.name for field in added}
            fields = [*(field for field in fields if field.name not in names), *added]
        is_tunnelled = proxy is not None and not prefix
        if is_tunnelled:
            check_tunnelled([field.name for field in fields])
        group = await self._find_group(origin, proxy)
        return Site(
            group,
            origin,
            fields,
            prefix,
            is_secure=scheme == "https" or (proxy is None and is_loopback(host)),
            chooses_codings=self._chooses_codings,
            is_tunnelled=is_tunnelled,
            proxy=proxy if proxy is not None and prefix and proxy.auth is not None else None,
        )

    async def _find_group(self, origin: Origin, proxy: Proxy | None) -> Group:
        """Return the connections to an origin.

        Through a proxy that is asked for http URLs they are apart, too: HTTP lets one connection serve any origin, but
        there are proxies (proxy.py, pproxy) that send whatever comes on it to where the first request went.
        """
        scheme, host, port = origin
        label = build_authority(host, port)
        if proxy is None:
            return self._pool.group(origin, label, await self._build_route(origin))
        if _is_asked(proxy, scheme):
            route = await self._build_route((proxy.scheme, proxy.host, proxy.port), is_proxy=True)
        else:
            route = await self._build_route_via(origin, proxy)
        return self._pool.group((origin, proxy), f"{label} via {proxy}", route)

    async def _build_route(self, origin: Origin, *, is_proxy: bool = False) -> Route:
        scheme, host, port = origin
        network = self._network
        trust = _trust_of_proxy(network.trust) if is_proxy else network.trust
        return Route(
            host,
            port,
            socket_path=network.socket_path,
            source_address=network.local_address,
            socket_options=network.socket_options,
            late_options=list_keep_alive(network.socket_options) if network.socket_path is None else (),
            resolver=network.resolver,
            tls=await context_of(trust) if scheme == "https" else None,
            fingerprints=trust.fingerprints if scheme == "https" else (),
            server_name=build_server_name(host),
        )

    async def _build_route_via(self, origin: Origin, proxy: Proxy) -> Route:
        """Return the way through a tunnel, which a proxy opens by CONNECT or SOCKS."""
        direct = await self._build_route(origin)
        if proxy.is_socks:
            return direct._replace(
                host=proxy.host,
                port=proxy.port,
                socks=Socks(proxy.scheme, proxy.username, proxy.password),
                target=origin[1:],
            )
        authority = build_authority(*origin[1:])
        login = None if proxy.auth is None else partial(ProxyAuthentication, proxy, proxy.auth, "CONNECT", authority)
        is_secure = proxy.scheme == "https"
        return direct._replace(
            host=proxy.host,
            port=proxy.port,
            proxy_tls=await context_of(_trust_of_proxy(self._network.trust)) if is_secure else None,
            tunnel=Tunnel(authority, build_connect(authority, proxy.list_fields()), login),
        )


def _build_fields(given: list[tuple[str, Any]]) -> list[Field]:
    """Return the fields that go with each request: the client's own unless given otherwise, and those given.

    Made at the first request: looking which codings there are takes 1 ms.
    """
    names = {name.lower() for name, _ in given}
    own = (
        ("User-Agent", f"asyncclient/{__version__}"),
        ("Accept", "*/*"),
        IDENTITY if "range" in names else ("Accept-Encoding", accept_encoding()),
    )
    pairs = [pair for pair in own if pair[0].lower() not in names]
    pairs += [pair for pair in given if pair[1] is not None]
    return [Field(name.lower(), build_field(name, value)) for name, value in pairs]


def _is_asked(proxy: Proxy, scheme: str) -> bool:
    """Return whether a proxy is asked for URLs of that scheme, and not for a tunnel to where they lead."""
    return scheme == "http" and not proxy.is_socks


def _trust_of_proxy(trust: Trust) -> Trust:
    """Return which certificates of a proxy are good: pins are of servers."""
    return Trust(None, ()) if trust.fingerprints else trust
