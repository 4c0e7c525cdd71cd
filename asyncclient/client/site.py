"""What all requests of a client to one origin have in common, made once: the destination, and the fields sent along."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ..bounded import BoundedDict
from ..message.head import build_field
from ..message.request import INSPECTED_FIELDS
from ..message.target import build_authority
from ..message.url import DEFAULT_PORTS, URL, build_url
from ..transport import Destination, Origin
from ..version import __version__
from .connection_fields import check_client_fields, check_tunnelled
from .content.decoding import IDENTITY, accept_encoding
from .cookies.fields import is_loopback
from .network import is_asked, label_of
from .proxy.proxies import Proxy, ProxySelector
from .redirects import reveals_secure_page
from .request import as_text

MOST: Final = 1024
"""Origins that are remembered; beyond them the oldest one is forgotten, and made anew when it is needed."""


class Field(NamedTuple):
    """A field that is sent with each request: its name in lower case, and its line."""

    name: str
    line: bytes

    def reveals_secure_page(self) -> bool:
        """Return whether the field is the Referer of an https page."""
        value = self.line.partition(b":")[2]
        return reveals_secure_page(self.name, value, is_relative_secure=True)


class Site:
    """One origin as a client sees it.

    Attributes:
        destination: the origin and the proxy, for the transport.
        origin: scheme, host, port.
        fields: the fields that are sent with each request.
        names: their names, in lower case.
        block: their lines, joined; None where a head has to look at one of them, as at Connection.
        prefix: what precedes the target: the origin, where a proxy is asked for it (RFC 9112 §3.2.2), else "".
        is_secure: Secure cookies may be sent: over TLS, or on this machine without a proxy.
        chooses_codings: the user of the client has set Accept-Encoding for all requests.
        is_tunnelled: whether a proxy opens a tunnel to the origin, and does not see the requests.
        proxy: the proxy that is asked for each request, if it has an Auth that authenticates there; else None.
    """

    __slots__ = (
        "block",
        "chooses_codings",
        "destination",
        "fields",
        "is_secure",
        "is_tunnelled",
        "names",
        "origin",
        "prefix",
        "proxy",
    )

    def __init__(
        self,
        destination: Destination,
        fields: list[Field],
        prefix: str,
        *,
        is_secure: bool,
        chooses_codings: bool = False,
        is_tunnelled: bool = False,
        proxy: Proxy | None = None,
    ) -> None:
        self.destination = destination
        self.origin = destination.origin
        self.fields = fields
        self.names = frozenset(field.name for field in fields)
        is_plain = self.names.isdisjoint(INSPECTED_FIELDS)
        self.block = b"\r\n".join(field.line for field in fields) if is_plain else None
        self.prefix = prefix
        self.is_secure = is_secure
        self.chooses_codings = chooses_codings
        self.is_tunnelled = is_tunnelled
        self.proxy = proxy

    @property
    def label(self) -> str:
        """The destination for messages, without secrets."""
        return label_of(self.destination)

    def find_value(self, name: str) -> str | None:
        """Return the value of a field that is sent with each request, by its name in lower case; None without one."""
        lines = (field.line for field in self.fields if field.name == name)
        line = next(lines, None)
        return None if line is None else line.partition(b": ")[2].decode("latin-1")


class Sites:
    """The origins that a client has sent requests to lately.

    Args:
        selector: which proxy is used for what.
        fields: pairs that are sent with each request, in addition to those of _build_fields().
        secret_names: lower-case names of fields that must not leave the requested origin. The client's own values of
            them are sent to that origin only, or, with a base_url, to its origin only.
        home: the origin of the client's base_url.

    Attributes:
        known: sites that were found before and need no further look, by origin; none of them is foreign.
    """

    def __init__(
        self,
        selector: ProxySelector,
        fields: list[tuple[str, Any]],
        secret_names: frozenset[str],
        home: Origin | None,
    ) -> None:
        self._selector = selector
        self._given = check_client_fields([(as_text(name), value) for name, value in fields])
        self._chooses_codings = any(name.lower() == "accept-encoding" for name, _ in self._given)
        self._fields: list[Field] | None = None
        self._bound = secret_names | {"host"}
        self._home = home
        self.known: BoundedDict[object, Site] = BoundedDict(MOST)
        self._foreign: BoundedDict[object, Site] = BoundedDict(MOST)

    @property
    def depend_on_url(self) -> bool:
        """Whether a site depends on the whole URL, because a function of it chooses the proxy."""
        return self._selector.needs_url

    def is_home(self, origin: Origin) -> bool:
        """Return whether the client's secrets may be sent to that origin if a caller requested it."""
        return self._home is None or origin == self._home

    def find(self, url: URL, is_foreign: bool) -> Site:
        """Return the site of a URL; a foreign site is reached by a redirect from another origin.

        Raises:
            InvalidURL, ValueError: the proxy for the URL is invalid; and what a function as `proxy` raises.
        """
        known = self._foreign if is_foreign else self.known
        selector = self._selector
        if selector.needs_url:
            proxy = selector.select_for_url(build_url(url))
            key: object = (*url[:3], proxy)
        else:
            proxy, key = None, url[:3]
        site = known.get(key)
        if site is None:
            if not (selector.needs_url or selector.is_empty):
                proxy = selector.select(*url[:3])
            site = known[key] = self._build(url, proxy, is_foreign)
        return site

    def _build(self, url: URL, proxy: Proxy | None, is_foreign: bool) -> Site:
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
        if proxy is not None and is_asked(proxy, scheme):
            prefix = f"http://{authority}"
            added = [Field(name.lower(), build_field(name, value)) for name, value in proxy.list_fields()]
            names = {field.name for field in added}
            fields = [*(field for field in fields if field.name not in names), *added]
        is_tunnelled = proxy is not None and not prefix
        if is_tunnelled:
            check_tunnelled([field.name for field in fields])
        return Site(
            Destination(*origin, proxy),
            fields,
            prefix,
            is_secure=scheme == "https" or (proxy is None and is_loopback(host)),
            chooses_codings=self._chooses_codings,
            is_tunnelled=is_tunnelled,
            proxy=proxy if proxy is not None and prefix and proxy.auth is not None else None,
        )


def _build_fields(given: list[tuple[str, Any]]) -> list[Field]:
    """Return the fields that are sent with each request: the client's own unless given otherwise, and those given.

    They are made at the first request: finding out which codings can be decoded takes time.
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
