"""Proxies: what a URL of one says, and which one a request goes through.

A proxy given to the client is the only source: the environment is not read then. Without one the client reads
`http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` from the environment, once, when it is made, unless
trust_env=False: that is how to have no proxy at all. Proxy settings of Windows and macOS are not read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ...errors import InvalidURL, clip
from ...message.credentials import basic_value
from ...message.fields import list_pairs
from ...message.head import build_field
from ...message.target import build_authority, encode_host, parse_host_port, show
from ...message.url import DEFAULT_PORTS, parse_url, strip_url, unquote_userinfo
from ..auth.schemes import Auth, AuthLike, open_auth
from ..connection_fields import CONTROLLED
from .no_proxy import NoProxy

_DEFAULT_PORTS = {**DEFAULT_PORTS, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


_FOR_ONE_HOP = frozenset(("content-length", "expect", *CONTROLLED))
"""Fields that say where a request goes and how it is framed: the client's affair, with a proxy too."""


class _Parts(NamedTuple):
    scheme: str
    host: str
    port: int
    username: str | None
    password: str | None
    headers: tuple[tuple[str, str], ...]
    auth: Auth | None


class Proxy(_Parts):
    """A proxy; hashable, and its repr and str never show credentials, nor the values of its fields.

    It is made of a URL, `Proxy("http://user:password@host:port", headers=…)`, or of its parts. Two that differ in
    anything share no connection.

    Attributes:
        scheme: how the proxy is spoken to: "http", "https" (TLS to the proxy itself), "socks4", "socks4a", "socks5" or
            "socks5h". With socks4 and socks5 host names are resolved here, with the other two by the proxy.
        host: a name in lower case and ASCII, or an address without brackets.
        port: from 0 to 65535.
        username, password: percent-decoded, None where there is none.
        headers: pairs, for the proxy alone: they go with CONNECT, and with each request that the proxy is asked for by
            its whole URL, where a field of the request with the same name counts more.
        auth: logs in to the proxy, as Digest does; None where username does, or nothing.

    Args:
        scheme: that, or the URL with everything up to the port, see parse_proxy(); the next four are not given then.
        headers: a mapping or pairs.
        auth: (user, password) for Basic, an Auth, or a function as Custom takes it. An Auth is asked with an
            AuthRequest whose `is_proxy` is True, and its Authorization becomes Proxy-Authorization.

    Raises:
        InvalidURL: the URL is not one of a proxy.
        TypeError, ValueError: something that can't be sent to that proxy.
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
    ) -> Proxy:
        """Make a proxy of its URL or its parts."""
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
        made = super().__new__(
            cls,
            scheme,
            _fold_host(host),
            port,
            username,
            password,
            _check_fields(headers),
            open_auth(auth),
        )
        made._check()
        return made

    def _check(self) -> None:
        if self.is_socks and (self.headers or self.auth is not None):
            raise ValueError("expected headers and auth for an HTTP proxy alone: SOCKS has a user and password")
        if self.auth is not None and self.username is not None:
            raise ValueError("expected a user or an auth for a proxy, got both")
        if not self.is_socks and self.username is not None:
            basic_value(self.username, self.password or "")

    @property
    def is_socks(self) -> bool:
        """Whether it speaks a version of SOCKS, not HTTP."""
        return self.scheme.startswith("socks")

    @property
    def authorization(self) -> str | None:
        """The value of Proxy-Authorization: Basic, in UTF-8 (RFC 7617); None without a user."""
        return None if self.username is None else basic_value(self.username, self.password or "")

    def list_fields(self) -> list[tuple[str, str]]:
        """Return the fields that go with each request to the proxy; a Proxy-Authorization given counts more."""
        fields = [*self.headers]
        authorization = self.authorization
        if authorization is not None and not any(name.lower() == "proxy-authorization" for name, _ in fields):
            fields.append(("Proxy-Authorization", authorization))
        return fields

    def __str__(self) -> str:
        """Return its URL without credentials."""
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def __repr__(self) -> str:
        """Show its URL, of credentials and fields only that there are some."""
        has_credentials = self.username is not None or self.auth is not None
        return f"<Proxy {self}{' with credentials' if has_credentials else ''}{' and fields' if self.headers else ''}>"


def _check_fields(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    fields: list[tuple[str, str]] = []
    for name, value in list_pairs(headers):
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        build_field(name, text)
        if name.lower() in _FOR_ONE_HOP:
            raise ValueError(f"expected no {name} among the fields for a proxy: the client sets it")
        fields.append((name, text))
    return tuple(fields)


ProxyValue = str | Proxy | None
ProxySetting = ProxyValue | Mapping[str, ProxyValue] | Callable[[str], ProxyValue]
"""What a client takes as `proxy`."""


def parse_proxy(url: str) -> Proxy:
    """Parse `scheme://user:password@host:port`; scheme, user and port may be missing.

    Without a scheme it is http. The default ports are 80, 443 for https and 1080 for SOCKS. `socks://`, as desktops
    write it, is socks5h: what they mean, and no name is looked up here. User and password are percent-encoded UTF-8;
    what stands before the last "@" is theirs, so a "/" or "@" that somebody forgot to encode does no harm. A path says
    nothing about a proxy and is left out.

    Raises:
        InvalidURL: it is none of that, has a scheme that is unknown, or a user that can't be sent. The text has no
            credentials.
    """
    return Proxy(url)


def _split_proxy(url: str) -> tuple[str, str, int, str | None, str | None]:
    """Return scheme, host, port, user and password of a proxy's URL; see parse_proxy()."""
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
        _fold_host(host)
        username, password = _parse_userinfo(userinfo)
        if username is not None and not scheme.startswith("socks"):
            basic_value(username, password or "")
    except ValueError as exc:  # InvalidURL, too
        raise InvalidURL(f"expected a proxy as {scheme}://host:port, got {show(url)}: {exc}") from None
    return scheme, host, port, username, password


def _fold_host(host: str) -> str:
    """Return a host as parse_url() gives it: names in lower case and ASCII, so that equal ones are equal."""
    return host if ":" in host else encode_host(host).lower()


def _parse_userinfo(userinfo: str) -> tuple[str | None, str | None]:
    if not userinfo:
        return None, None
    username, colon, password = userinfo.partition(":")
    return unquote_userinfo(username, "a proxy"), unquote_userinfo(password, "a proxy") if colon else None


_parse_again = lru_cache(maxsize=256)(parse_proxy)  # for callables, which give the same few over and over


# What a rule is for: the scheme or "all", the host or "" for every one, the port or None for every one.
_Target = tuple[str, str, int | None]


class ProxySelector:
    """Which proxy a request goes through: rules made once for a client, asked for each request.

    Args:
        proxy: one of
            - a URL or a Proxy, for all requests;
            - a mapping from "http", "https", "all", or one of them with a host, "https://example.com" or
              "all://example.com:8080", to a URL, a Proxy, or None for no proxy. The host counts more than the port,
              the port more than the scheme: `https://h:1`, `all://h:1`, `https://h`, `all://h`, `https`, `all`;
            - a callable that gets the URL of a request and returns one of these;
            - None: the environment.
        trust_env: whether the environment is read where proxy is None.

    Attributes:
        is_empty: there is no proxy, whatever is asked: it need not be asked.
        needs_url: the proxy depends on the whole URL: ask select_for_url().

    Raises:
        InvalidURL: a URL is none of a proxy. One from the environment raises at its first use instead.
        ValueError: a key of the mapping is none of the above.
        TypeError: proxy is, or the mapping holds, something else.
    """

    __slots__ = ("_choose", "_has_hosts", "_no_proxy", "_rules", "is_empty", "needs_url")

    def __init__(self, proxy: ProxySetting = None, *, trust_env: bool = True) -> None:
        self._choose: Callable[[str], ProxyValue] | None = None
        self._no_proxy: NoProxy | None = None
        self._rules: Mapping[_Target, Proxy | InvalidURL | None] = {}
        if proxy is None:
            if trust_env:
                self._rules, self._no_proxy = _read_environment(os.environ)
        elif isinstance(proxy, str | Proxy):
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
        """Return the proxy for requests to an origin, None for no proxy.

        A callable is given the URL of the origin's root: right for what serves no single request.

        Args:
            scheme: "http" or "https".
            host: a name in lower case and ASCII, or an address without brackets, as parse_url() gives it.
            port: the port, the scheme's own where the URL has none.

        Raises:
            InvalidURL: the URL of the proxy, from the environment or a callable, is none; the text names the variable.
            TypeError: the callable returned something else.
        """
        if self._choose is not None:
            return self.select_for_url(f"{scheme}://{build_authority(host, port, DEFAULT_PORTS[scheme])}/")
        found = self._find(scheme, host, port)
        if found is None or (self._no_proxy is not None and self._no_proxy.matches(host, port)):
            return None
        if isinstance(found, InvalidURL):
            raise InvalidURL(*found.args)  # a new one: raised twice, one error would pile up tracebacks
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
        """Return the proxy for a request to a URL, None for no proxy.

        Raises:
            InvalidURL, TypeError: as for select(); or the URL is no http or https URL.
        """
        if self._choose is not None:
            chosen = self._choose(url)
            return _parse_again(chosen) if isinstance(chosen, str) else _to_proxy(chosen)
        scheme, host, port, *_ = parse_url(url)
        return self.select(scheme, host, port)


def _to_proxy(value: ProxyValue) -> Proxy | None:
    if value is None or isinstance(value, Proxy):
        return value
    if isinstance(value, str):
        return parse_proxy(value)
    raise _build_type_error(value)


def _build_type_error(value: Any) -> TypeError:
    return TypeError(f"expected a URL, Proxy, mapping, callable or None as proxy, got {type(value).__name__}")


def _parse_key(key: str) -> _Target:
    scheme, separator, authority = key.lower().partition("://")
    if scheme not in ("http", "https", "all"):
        raise ValueError(f"expected http, https or all, with ://host or without it, as key of proxies, got {clip(key)}")
    if not separator:
        return scheme, "", None
    host, port = parse_host_port(authority.removesuffix("/"), None, 0)  # 0 is no port of an origin
    return scheme, _fold_host(host).removesuffix("."), port or None


def _read_environment(environ: Mapping[str, str]) -> tuple[Mapping[_Target, Proxy | InvalidURL | None], NoProxy | None]:
    """Return rules and exceptions that the environment gives.

    Names in lower case count before those in upper case, even when they are empty, which means none. In a CGI program
    HTTP_PROXY is what the client sent as field Proxy (httpoxy, CVE-2016-5385), so there it is left alone.
    """
    is_cgi = "REQUEST_METHOD" in environ
    if is_cgi:
        environ = dict(environ)  # on Windows, os.environ would give HTTP_PROXY for http_proxy, too
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
    """Return an error, not raise it: a client that never uses the variable works."""
    try:
        return parse_proxy(text)
    except InvalidURL as exc:
        return InvalidURL(f"environment variable {name}: {exc}")
