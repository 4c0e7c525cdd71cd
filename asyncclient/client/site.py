"""The data that all requests of a client to one origin share, prepared once: destination and fields."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

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

MAX_SITES: Final = 1024
"""Origins whose sites are kept; beyond it the oldest site is dropped, and built again when it is needed."""


class Field(NamedTuple):
    """A field that is sent with each request: its name in lower case, and its line."""

    name: str
    line: bytes

    def reveals_secure_page(self) -> bool:
        """Return True if the field is the Referer of an https page."""
        value = self.line.partition(b":")[2]
        return reveals_secure_page(self.name, value, is_relative_secure=True)


class Site:
    """One origin, as used by a client.

    Attributes:
        destination: the origin and the proxy, for the transport.
        origin: scheme, host, port.
        fields: the fields sent with each request.
        names: their lower-case names.
        block: their lines, joined; None if a head must inspect one of them, such as Connection.
        prefix: prefix of the target: the origin, if the whole URL is sent to a proxy (RFC 9112 §3.2.2), otherwise "".
        is_home: True if the client's secrets may be sent there: the caller named it, and no base_url names another one.
        is_secure: True if Secure cookies may be sent: over TLS, or to this machine without a proxy.
        chooses_codings: True if the user of the client has set Accept-Encoding for all requests.
        is_tunnelled: True if a proxy opens a tunnel to the origin, so that it does not see the requests.
        proxy: the proxy to which whole URLs are sent, if it has an Auth; otherwise None.
    """

    __slots__ = (
        "block",
        "chooses_codings",
        "destination",
        "fields",
        "is_home",
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
        is_home: bool,
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
        self.is_home = is_home
        self.is_secure = is_secure
        self.chooses_codings = chooses_codings
        self.is_tunnelled = is_tunnelled
        self.proxy = proxy

    @property
    def label(self) -> str:
        """The destination for messages, without secrets."""
        return label_of(self.destination)

    def find_value(self, name: str) -> str | None:
        """Return the value of a field sent with each request, by its lower-case name; None if there is none."""
        lines = (field.line for field in self.fields if field.name == name)
        line = next(lines, None)
        return None if line is None else line.partition(b": ")[2].decode("latin-1")


class Sites:
    """The sites of a client: the origins that it has recently sent requests to.

    Args:
        selector: chooses the proxies.
        fields: pairs sent with each request, in addition to those of _build_fields().
        secret_names: lower-case names of fields that must not leave the requested origin. The client's own values of
            them are sent to that origin only, or, with a base_url, to its origin only.
        home: the origin of the client's base_url.

    Attributes:
        known: sites by origin that can be used without a further check; none of them is foreign.
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
        self.known: BoundedDict[object, Site] = BoundedDict(MAX_SITES)
        self._foreign: BoundedDict[object, Site] = BoundedDict(MAX_SITES)

    @property
    def depend_on_url(self) -> bool:
        """True if a site depends on the whole URL, because a function of it chooses the proxy."""
        return self._selector.needs_url

    def is_home(self, origin: Origin) -> bool:
        """Return True if the client's secrets may be sent to that origin when a caller requests it."""
        return self._home is None or origin == self._home

    def find(self, url: URL, is_foreign: bool) -> Site:
        """Return the site of a URL; a foreign site is reached by a redirect from another origin.

        Raises:
            InvalidURL, ValueError: the proxy for the URL is invalid; also the errors of a function as `proxy`.
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

    def find_tunnelled(self, url: URL, found: Site, is_foreign: bool) -> Site:
        """Return a site for requests that need a tunnel through a proxy, also to an http origin."""
        proxy = cast(Proxy | None, found.destination.proxy)
        if proxy is None or not is_asked(proxy, url.scheme):
            return found
        known = self._foreign if is_foreign else self.known
        key = (*url[:3], proxy.tunnelling())
        site = known.get(key)
        if site is None:
            site = known[key] = self._build(url, key[3], is_foreign)
        return site

    def _build(self, url: URL, proxy: Proxy | None, is_foreign: bool) -> Site:
        origin = scheme, host, port = url[:3]
        authority = build_authority(host, port, DEFAULT_PORTS[scheme])
        is_home = not is_foreign and self.is_home(origin)
        if self._fields is None:
            self._fields = _build_fields(self._given)
        fields = [field for field in self._fields if is_home or field.name not in self._bound]
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
            is_home=is_home,
            is_secure=scheme == "https" or (proxy is None and is_loopback(host)),
            chooses_codings=self._chooses_codings,
            is_tunnelled=is_tunnelled,
            proxy=proxy if proxy is not None and prefix and proxy.auth is not None else None,
        )


def _build_fields(given: list[tuple[str, Any]]) -> list[Field]:
    """Return the fields sent with each request: the client's defaults, unless they are given, and the given fields.

    They are built at the first request, because finding out which codings are supported takes time.
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
