"""Proxies: parsing a proxy's URL, and choosing the proxy for a request.

A proxy given to the client is the only source: the environment is not read then. Otherwise the client reads
`http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` from the environment once, when it is created. trust_env=False
without a proxy means no proxy at all. Proxy settings of Windows and macOS are not read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from ...arguments import known_arguments
from ...errors import InvalidURL, clip
from ...message.credentials import basic_value
from ...message.fields import list_pairs
from ...message.head import build_field
from ...message.target import build_authority, fold_host, parse_host_port, show
from ...message.url import DEFAULT_PORTS, parse_url, strip_url, unquote_userinfo
from ..auth.schemes import Auth, AuthLike, open_auth
from ..connection_fields import CONTROLLED
from .no_proxy import NoProxy

_DEFAULT_PORTS = {**DEFAULT_PORTS, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


_CLIENT_FIELDS = frozenset(("content-length", "expect", *CONTROLLED))
"""Fields that route and frame a request: the client sets them, also for a proxy."""


class _Parts(NamedTuple):
    scheme: str
    host: str
    port: int
    username: str | None
    password: str | None
    headers: tuple[tuple[str, str], ...]
    auth: Auth | None
    tunnels_all: bool = False
    via: tuple[Proxy, ...] = ()


_INSTEAD: Final = {
    "login": "username= and password=, or auth=",
    "proxy": "the URL as first argument",
    "proxy_auth": "auth=",
    "proxy_headers": "headers=",
    "ssl_context": "Client(ssl=...)",
    "url": "the URL as first argument",
    "user": "username=",
}
"""What to write for the words of other libraries."""


@known_arguments(_INSTEAD)
class Proxy(_Parts):
    """A proxy; hashable. Its repr and str never show credentials or field values.

    It is created from a URL, `Proxy("http://user:password@host:port", headers=…)`, or from its parts. Connections are
    shared only between equal proxies.

    Attributes:
        scheme: protocol to the proxy: "http", "https" (TLS to the proxy itself), "socks4", "socks4a", "socks5" or
            "socks5h". With socks4 and socks5 host names are resolved here, with socks4a and socks5h by the proxy.
        host: a name in lower-case ASCII, or an address without brackets.
        port: from 1 to 65535.
        username, password: percent-decoded; None if absent.
        headers: pairs for the proxy only: sent with CONNECT, and with each request whose whole URL is sent to the
            proxy. A field of the request with the same name takes precedence there.
        auth: authenticates to the proxy, for example by Digest; None if `username` does, or nothing.
        tunnels_all: True if a tunnel is opened for http URLs, too, as the client does for a WebSocket.
        via: the proxies of a chain before this one, in order; the client sets it.

    Args:
        scheme: the scheme, or a URL, see parse_proxy(); with a URL the next four arguments are not given.
        headers: a mapping or pairs.
        auth: (user, password) for Basic, an Auth, or a function as for Custom. An Auth is asked with an AuthRequest
            whose `is_proxy` is True, and its Authorization becomes Proxy-Authorization.

    Raises:
        InvalidURL: the URL is not that of a proxy.
        TypeError, ValueError: a value that can't be sent to that proxy.
    """

    __slots__ = ()

    def __new__(
        cls,
        scheme: str,
        host: str | None = None,
        port: int | None = None,
        username: str | None = None,
        password: str | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        auth: AuthLike | None = None,
        tunnels_all: bool = False,
    ) -> Proxy:
        """Create a proxy from its URL or its parts."""
        if host is None:
            if (port, username, password) != (None, None, None):
                raise TypeError("expected a URL, or scheme, host and port of a proxy")
            scheme, host, port, username, password = _split_proxy(scheme)
        elif scheme not in _DEFAULT_PORTS:
            raise InvalidURL(f"expected a proxy of scheme {', '.join(_DEFAULT_PORTS)}, got {clip(scheme)}")
        else:
            host, port = parse_host_port(host, port, _DEFAULT_PORTS[scheme])
        if isinstance(auth, tuple):
            if username is not None or len(auth) != 2:
                raise ValueError("expected one user and password for a proxy")
            (username, password), auth = auth, None
        proxy = super().__new__(
            cls,
            scheme,
            fold_host(host),
            port,
            username,
            password,
            _check_fields(headers),
            open_auth(auth),
            tunnels_all,
        )
        proxy._check()
        return proxy

    def _check(self) -> None:
        if self.is_socks and (self.headers or self.auth is not None):
            raise ValueError("expected headers and auth for an HTTP proxy alone: SOCKS has a user and password")
        if self.auth is not None and self.username is not None:
            raise ValueError("expected a user or an auth for a proxy, got both")
        if not self.is_socks and self.username is not None:
            basic_value(self.username, self.password or "")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy all parts, also those that the constructor does not take."""
        return Proxy._make, (tuple(self),)

    def tunnelling(self) -> Proxy:
        """Return the same proxy with `tunnels_all`."""
        return self._replace(tunnels_all=True)

    @property
    def is_socks(self) -> bool:
        """True if the proxy uses a version of SOCKS instead of HTTP."""
        return self.scheme.startswith("socks")

    @property
    def authorization(self) -> str | None:
        """The value of Proxy-Authorization by Basic, in UTF-8 (RFC 7617); None without a user."""
        return None if self.username is None else basic_value(self.username, self.password or "")

    def list_fields(self) -> list[tuple[str, str]]:
        """Return the fields for each request to the proxy; a Proxy-Authorization in `headers` takes precedence."""
        fields = [*self.headers]
        authorization = self.authorization
        if authorization is not None and not any(name.lower() == "proxy-authorization" for name, _ in fields):
            fields.append(("Proxy-Authorization", authorization))
        return fields

    def __str__(self) -> str:
        """Return the URL without credentials."""
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def __repr__(self) -> str:
        """Show the URL, and of credentials and fields only their presence."""
        has_credentials = self.username is not None or self.auth is not None
        shown = f"{self}{' with credentials' if has_credentials else ''}{' and fields' if self.headers else ''}"
        return f"<Proxy {' via '.join(map(str, (shown, *reversed(self.via))))}>"


def _check_fields(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    fields: list[tuple[str, str]] = []
    for name, value in list_pairs(headers):
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        build_field(name, text)
        if name.lower() in _CLIENT_FIELDS:
            raise ValueError(f"expected no {name} among the fields for a proxy: the client sets it")
        fields.append((name, text))
    return tuple(fields)


ProxyValue = str | Proxy | Sequence[str | Proxy] | None
ProxySetting = ProxyValue | Mapping[str, ProxyValue] | Callable[[str], ProxyValue]
"""The argument `proxy` of a client."""


def parse_proxy(url: str) -> Proxy:
    """Parse `scheme://user:password@host:port`; scheme, user and port may be missing.

    The default scheme is http. The default ports are 80, 443 for https and 1080 for SOCKS. `socks://`, as some desktops
    write it, is read as socks5h, which those desktops mean and which resolves no name here. User and password are
    percent-encoded UTF-8. All text before the last "@" belongs to them, so an unencoded "/" or "@" in them does no
    harm. A path is ignored.

    Raises:
        InvalidURL: the URL is malformed, its scheme is unknown, or its user can't be sent. The text has no credentials.
    """
    return Proxy(url)


def _split_proxy(url: str) -> tuple[str, str, int, str | None, str | None]:
    """Return scheme, host, port, user and password from a proxy's URL; see parse_proxy()."""
    start, separator, rest = strip_url(url).partition("://")
    scheme, rest = (start.lower(), rest) if separator else ("http", strip_url(url))
    if scheme == "socks":
        scheme = "socks5h"
    default_port = _DEFAULT_PORTS.get(scheme)
    if default_port is None:
        raise InvalidURL(f"expected a proxy of scheme {', '.join(_DEFAULT_PORTS)}, got {show(url)}")
    userinfo, _, authority = rest.rpartition("@")
    try:
        if "://" in userinfo:
            raise InvalidURL("it has two schemes")
        host, port = parse_host_port(authority.partition("/")[0], None, default_port)
        fold_host(host)
        username, password = _parse_userinfo(userinfo)
        if username is not None and not scheme.startswith("socks"):
            basic_value(username, password or "")
    except ValueError as exc:  # includes InvalidURL
        raise InvalidURL(f"expected a proxy as {scheme}://host:port, got {show(url)}: {exc}") from None
    return scheme, host, port, username, password


def _parse_userinfo(userinfo: str) -> tuple[str | None, str | None]:
    if not userinfo:
        return None, None
    username, colon, password = userinfo.partition(":")
    return unquote_userinfo(username, "a proxy"), unquote_userinfo(password, "a proxy") if colon else None


_parse_cached = lru_cache(maxsize=256)(parse_proxy)  # for callables, which return the same few URLs repeatedly


# The key of a rule: the scheme or "all"; the host or "" for any; the port or None for any.
_Target = tuple[str, str, int | None]


class ProxySelector:
    """Chooses the proxy for each request, by rules that are prepared once per client.

    Args:
        proxy: one of
            - a URL or a Proxy, for all requests; or a list of them, a chain: each opens a tunnel to the next one;
            - a mapping from "http", "https", "all", or one of them with a host, "https://example.com" or
              "all://example.com:8080", to a URL, a Proxy, a chain, or None for no proxy. Host takes precedence over
              port, port over scheme: `https://h:1`, `all://h:1`, `https://h`, `all://h`, `https`, `all`;
            - a callable that takes the URL of a request and returns a URL, a Proxy, a chain or None;
            - None: the environment.
        trust_env: read the environment if proxy is None.

    Attributes:
        is_empty: True if no request has a proxy, so that it need not be asked.
        needs_url: True if the proxy depends on the whole URL: call select_for_url().

    Raises:
        InvalidURL: a URL is not that of a proxy. A URL from the environment raises at its first use instead.
        ValueError: a key of the mapping is invalid.
        TypeError: proxy, or a value of the mapping, has another type.
    """

    __slots__ = ("_choose", "_has_hosts", "_no_proxy", "_rules", "is_empty", "needs_url")

    def __init__(self, proxy: ProxySetting = None, *, trust_env: bool = True) -> None:
        self._choose: Callable[[str], ProxyValue] | None = None
        self._no_proxy: NoProxy | None = None
        self._rules: Mapping[_Target, Proxy | InvalidURL | None] = {}
        if proxy is None:
            if trust_env:
                self._rules, self._no_proxy = _read_environment(os.environ)
        elif isinstance(proxy, str | list | tuple):  # a Proxy is a tuple
            self._rules = {("all", "", None): _to_proxy(proxy)}
        elif isinstance(proxy, Mapping):
            self._rules = {_parse_key(key): _to_proxy(value) for key, value in proxy.items()}
        elif callable(proxy):
            self._choose = proxy
        else:
            raise _build_type_error(proxy)
        self._has_hosts = any(host for _, host, _ in self._rules)
        self.needs_url = self._choose is not None
        self.is_empty = not self.needs_url and not any(self._rules.values())

    def select(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy for requests to an origin; None for no proxy.

        A callable gets the URL of the origin's root, for connections that are not opened for a single request.

        Args:
            scheme: "http" or "https".
            host: a name in lower-case ASCII, or an address without brackets, as from parse_url().
            port: the port; the scheme's default if the URL has none.

        Raises:
            InvalidURL: the proxy's URL, from the environment or a callable, is invalid; the text names the variable.
            TypeError: the callable returned another type.
        """
        if self._choose is not None:
            return self.select_for_url(f"{scheme}://{build_authority(host, port, DEFAULT_PORTS[scheme])}/")
        found = self._find(scheme, host, port)
        if found is None or (self._no_proxy is not None and self._no_proxy.matches(host, port)):
            return None
        if isinstance(found, InvalidURL):
            raise InvalidURL(*found.args)  # a copy: an error that is raised repeatedly accumulates tracebacks
        return found

    def _find(self, scheme: str, host: str, port: int) -> Proxy | InvalidURL | None:
        rules = self._rules
        if self._has_hosts:
            host = host.removesuffix(".")
            for target in ((scheme, host, port), ("all", host, port), (scheme, host, None), ("all", host, None)):
                if target in rules:
                    return rules[target]
        target = (scheme, "", None)
        return rules[target] if target in rules else rules.get(("all", "", None))

    def select_for_url(self, url: str) -> Proxy | None:
        """Return the proxy for a request to a URL; None for no proxy.

        Raises:
            InvalidURL, TypeError: see select(); also if the URL is not an http or https URL.
        """
        if self._choose is not None:
            chosen = self._choose(url)
            return _parse_cached(chosen) if isinstance(chosen, str) else _to_proxy(chosen)
        scheme, host, port, *_ = parse_url(url)
        return self.select(scheme, host, port)


def _to_proxy(value: ProxyValue) -> Proxy | None:
    if value is None or isinstance(value, Proxy):
        return value
    if isinstance(value, str):
        return parse_proxy(value)
    if isinstance(value, list | tuple):
        return _build_chain(value)
    raise _build_type_error(value)


def _build_chain(values: Sequence[str | Proxy]) -> Proxy:
    """Return the last proxy of a chain, with the others in `via`."""
    chain = [proxy for value in values if (proxy := _to_proxy(value)) is not None]
    if not chain or len(chain) < len(values):
        raise ValueError("expected at least one proxy, and no None, in a chain of proxies")
    return chain[-1]._replace(via=tuple(chain[:-1]))


def _build_type_error(value: Any) -> TypeError:
    return TypeError(f"expected a URL, Proxy, list, mapping, callable or None as proxy, got {type(value).__name__}")


def _parse_key(key: str) -> _Target:
    scheme, separator, authority = key.lower().partition("://")
    if scheme not in ("http", "https", "all"):
        raise ValueError(f"expected http, https or all, with ://host or without it, as key of proxies, got {clip(key)}")
    if not separator:
        return scheme, "", None
    if not authority:
        raise ValueError(f"expected {scheme!r} as key of proxies for all hosts, got {clip(key)}")
    host, port = parse_host_port(authority.removesuffix("/"), None, 0)  # an origin cannot have port 0
    return scheme, fold_host(host).removesuffix("."), port or None


def _read_environment(environ: Mapping[str, str]) -> tuple[Mapping[_Target, Proxy | InvalidURL | None], NoProxy | None]:
    """Return the rules and exceptions from the environment.

    Lower-case names take precedence over upper-case ones, even if empty, which means no proxy. In a CGI program
    HTTP_PROXY is the value of the request's field Proxy (httpoxy, CVE-2016-5385), so it is ignored there.
    """
    is_cgi = "REQUEST_METHOD" in environ
    if is_cgi:
        environ = dict(environ)  # on Windows, os.environ would return HTTP_PROXY for http_proxy too
    rules: dict[_Target, Proxy | InvalidURL | None] = {}
    for scheme in ("http", "https", "all"):
        name = f"{scheme}_proxy"
        if name not in environ and not (is_cgi and scheme == "http"):
            name = name.upper()
        if text := environ.get(name, "").strip():
            rules[scheme, "", None] = _parse_variable(name, text)
    if not rules:
        return {}, None
    exceptions = environ.get("no_proxy", environ.get("NO_PROXY", ""))
    return rules, NoProxy.parse(exceptions) if exceptions else None


def _parse_variable(name: str, text: str) -> Proxy | InvalidURL:
    """Return the proxy, or the error instead of raising it: a client that never uses the variable must work."""
    try:
        return parse_proxy(text)
    except InvalidURL as exc:
        return InvalidURL(f"environment variable {name}: {exc}")
