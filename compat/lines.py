"""The lines of a request as http.client has them: its checks and its texts, over the engine's lenient grammar."""

from __future__ import annotations

import http.client as std
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from asyncclient.message import lenient
from asyncclient.message.syntax import TOKEN
from asyncclient.message.target import find_authority

from . import names
from .names import replaced

_ZONE = re.compile(rb"%[^\]]*")


def check_method(method: str) -> None:
    """Let a method pass; raises ValueError. A pattern that a program has put into the module is all that counts."""
    own = lenient.NOT_IN_METHOD
    pattern = own if replaced.has_own_checks else names.find("_contains_disallowed_method_pchar_re", own)
    found = pattern.search(method)
    if found:
        raise ValueError(f"method can't contain control characters. {method!r} (found at least {found.group()!r})")
    if pattern is own and method and method.isascii() and TOKEN.fullmatch(method) is None:
        raise ValueError(f"method must be a token. {method!r}")


def check_url(text: str) -> None:
    """Let a target or a host pass; raises InvalidURL."""
    pattern = lenient.NOT_IN_TARGET
    if not replaced.has_own_checks:
        pattern = names.find("_contains_disallowed_url_pchar_re", pattern)
    found = pattern.search(text)
    if found:
        raise std.InvalidURL(f"URL can't contain control characters. {text!r} (found at least {found.group()!r})")


def build_line_checked_by(checks: names.FieldChecks, header: Any, values: tuple[Any, ...]) -> bytes:
    """Return a header line, checked by what a program has put in the place of http.client's checks."""
    name: bytes = header.encode("ascii") if hasattr(header, "encode") else header
    if not (checks.is_legal_name or lenient.FIELD_NAME.fullmatch)(name):
        raise ValueError(f"Invalid header name {name!r}")
    encoded = [_encode_value(value) for value in values]
    for value in encoded:
        if (checks.is_illegal_value or lenient.NOT_IN_VALUE.search)(value):
            raise ValueError(f"Invalid header value {value!r}")
    return name + b": " + b"\r\n\t".join(encoded)


def build_line(header: Any, values: tuple[Any, ...]) -> bytes:
    """Return a header line; several values go on in lines of their own, after a tab. Raises ValueError."""
    name: bytes = header.encode("ascii") if hasattr(header, "encode") else header
    if lenient.FIELD_NAME.fullmatch(name) is None:
        raise ValueError(f"Invalid header name {name!r}")
    encoded = [_encode_value(value) for value in values]
    for value in encoded:
        if lenient.NOT_IN_VALUE.search(value):
            raise ValueError(f"Invalid header value {value!r}")
    return name + b": " + (encoded[0] if len(encoded) == 1 else b"\r\n\t".join(encoded))


def _encode_value(value: Any) -> Any:
    if hasattr(value, "encode"):
        return value.encode("latin-1")
    return str(value).encode("ascii") if isinstance(value, int) else value


def build_host(
    url: str, host: str, port: int | None, default_port: int, wrap: Callable[[bytes], bytes] | None = None
) -> str | bytes:
    """Return the value of Host for a target: the authority it has, else that of the connection.

    Args:
        wrap: what puts brackets around an IPv6 address.
    """
    authority = None if url[:1] == "/" else _find_authority(url)
    if authority is not None:
        value: str | bytes = names.find("_strip_ipv6_iface", _strip_zone)(encode_host(authority))
        return value
    return _build_own_host(host, port, default_port, wrap or wrap_ipv6)


def _find_authority(url: str) -> str | None:
    """Return the authority of a target, found by the `urlsplit` that a program has put into the module, if it has."""
    split = names.find("urlsplit", None)
    if split is None or not url.startswith("http"):
        return find_authority(url)
    authority: str | None = split(url)[1] or None
    return authority


def _strip_zone(host: bytes) -> bytes:
    return _ZONE.sub(b"", host)


def build_host_line(url: str, host: str, port: int | None, default_port: int) -> bytes:
    """Return the Host line for a target."""
    if url[:1] == "/" and ":" not in host:
        return _build_own_host_line(host, port, default_port)
    return build_line("Host", (build_host(url, host, port, default_port),))


@lru_cache(maxsize=256, typed=True)
def _build_own_host_line(host: str, port: int | None, default_port: int) -> bytes:
    return build_line("Host", (_build_own_host(host, port, default_port, wrap_ipv6),))


def _build_own_host(host: str, port: int | None, default_port: int, wrap: Callable[[bytes], bytes]) -> str | bytes:
    encoded = wrap(encode_host(host))
    if encoded[:1] == b"[":
        encoded = names.find("_strip_ipv6_iface", _strip_zone)(encoded)
    return encoded if port == default_port else f"{encoded.decode('ascii')}:{port}"


def encode_host(host: str) -> bytes:
    """Return a host for the wire, a name in other letters by the rules that Python's own codec has (IDNA 2003)."""
    return host.encode("ascii") if host.isascii() else host.encode("idna")


def wrap_ipv6(host: bytes) -> bytes:
    """Return a host with brackets around it if it is an IPv6 address."""
    return b"[%b]" % host if b":" in host and host[:1] != b"[" else host


def encode_body(body: str) -> bytes:
    """Return text as it goes out; the error for what ISO-8859-1 has not says what to do."""
    encode = names.find("_encode", None)
    if encode is not None:
        encoded: bytes = encode(body, "body")
        return encoded
    try:
        return body.encode("iso-8859-1")
    except UnicodeEncodeError as exc:
        found = repr(body[exc.start : exc.end])[:20]
        reason = (
            f"Body ({found}) is not valid Latin-1. Use body.encode('utf-8') if you want to send it encoded in UTF-8."
        )
        raise UnicodeEncodeError(exc.encoding, exc.object, exc.start, exc.end, reason) from None
