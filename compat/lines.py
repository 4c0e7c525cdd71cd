"""The lines of a request: http.client's checks and texts, over the engine's lenient grammar."""

from __future__ import annotations

import http.client as std
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from asyncclient.message import lenient
from asyncclient.message.syntax import TOKEN
from asyncclient.message.target import build_authority, find_authority

from . import names
from .names import replaced

_ZONE = re.compile(rb"%[^\]]*")


def check_method(method: str) -> None:
    """Check a method. Raises ValueError. If a program has replaced http.client's pattern, only that counts."""
    own = lenient.NOT_IN_METHOD
    pattern = own if replaced.has_own_checks else names.find("_contains_disallowed_method_pchar_re", own)
    found = pattern.search(method)
    if found:
        raise ValueError(f"method can't contain control characters. {method!r} (found at least {found.group()!r})")
    if pattern is own and method and method.isascii() and TOKEN.fullmatch(method) is None:
        raise ValueError(f"method must be a token. {method!r}")


def check_url(text: str) -> None:
    """Check a target or a host. Raises InvalidURL."""
    own = lenient.NOT_IN_TARGET
    pattern = own if replaced.has_own_checks else names.find("_contains_disallowed_url_pchar_re", own)
    found = pattern.search(text)
    if found:
        raise std.InvalidURL(f"URL can't contain control characters. {text!r} (found at least {found.group()!r})")


def build_line(header: Any, values: tuple[Any, ...]) -> bytes:
    """Return a header line; several values make lines that continue after a tab. Raises ValueError."""
    is_legal_name, is_illegal_value = replaced.field_checks
    name: bytes = header.encode("ascii") if hasattr(header, "encode") else header
    if not is_legal_name(name):
        raise ValueError(f"Invalid header name {name!r}")
    encoded = [_encode_value(value) for value in values]
    for value in encoded:
        if is_illegal_value(value):
            raise ValueError(f"Invalid header value {value!r}")
    return name + b": " + (encoded[0] if len(encoded) == 1 else b"\r\n\t".join(encoded))


def _encode_value(value: Any) -> Any:
    if hasattr(value, "encode"):
        return value.encode("latin-1")
    return str(value).encode("ascii") if isinstance(value, int) else value


def wrap_ipv6(host: bytes) -> bytes:
    """Return a host with brackets around it if it is an IPv6 address."""
    return b"[%b]" % host if b":" in host and host[:1] != b"[" else host


def build_host(
    url: str, host: str, port: Any, default_port: int, wrap: Callable[[bytes], bytes] = wrap_ipv6
) -> str | bytes:
    """Return the value of Host: the authority of the target if it has one, else that of the connection.

    As in http.client it is a str only with the port of the connection. `wrap` puts brackets around an IPv6 address.
    """
    strip_zone = names.find("_strip_ipv6_iface", _strip_zone)
    authority = None if url[:1] == "/" else _find_authority(url)
    if authority is not None:
        value: bytes = strip_zone(_encode_host(authority))
        return value

    def encode(host: str) -> str:
        encoded = wrap(_encode_host(host))
        return str(strip_zone(encoded) if encoded[:1] == b"[" else encoded, "ascii")

    own = build_authority(host, port, default_port, encode)
    return own.encode("ascii") if port == default_port else own


def _find_authority(url: str) -> str | None:
    """Return the authority of a target, found by the `urlsplit` of a program if it has replaced http.client's."""
    split = names.find("urlsplit", None)
    if split is None or not url.startswith("http"):
        return find_authority(url)
    authority: str | None = split(url)[1] or None
    return authority


def _strip_zone(host: bytes) -> bytes:
    return _ZONE.sub(b"", host)


def _encode_host(host: str) -> bytes:
    """Return a host for the wire; a name that is not ASCII is encoded by Python's own codec (IDNA 2003)."""
    return host.encode("ascii") if host.isascii() else host.encode("idna")


def build_host_line(url: str, host: str, port: int | None, default_port: int) -> bytes:
    """Return the Host line for a target."""
    if url[:1] == "/" and ":" not in host:
        return _remember_host_line(host, port, default_port)
    return build_line("Host", (build_host(url, host, port, default_port),))


@lru_cache(maxsize=256, typed=True)
def _remember_host_line(host: str, port: int | None, default_port: int) -> bytes:
    return build_line("Host", (build_host("/", host, port, default_port),))
