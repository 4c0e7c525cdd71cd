"""The lines of a request as http.client has them: its checks and its texts, over the engine's lenient grammar."""

from __future__ import annotations

import http.client as std
import re
from functools import lru_cache
from typing import Any

from asyncclient.message import lenient
from asyncclient.message.syntax import TOKEN
from asyncclient.message.target import find_authority

_ZONE = re.compile(rb"%[^\]]*")


def check_method(method: str) -> None:
    """Let a method pass; raises ValueError."""
    found = lenient.NOT_IN_METHOD.search(method)
    if found:
        raise ValueError(f"method can't contain control characters. {method!r} (found at least {found[0]!r})")
    if method and method.isascii() and TOKEN.fullmatch(method) is None:
        raise ValueError(f"method must be a token. {method!r}")


def check_url(text: str) -> None:
    """Let a target or a host pass; raises InvalidURL."""
    found = lenient.NOT_IN_TARGET.search(text)
    if found:
        raise std.InvalidURL(f"URL can't contain control characters. {text!r} (found at least {found[0]!r})")


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


def build_host(url: str, host: str, port: int | None, default_port: int) -> str | bytes:
    """Return the value of Host for a target: the authority it has, else that of the connection."""
    authority = None if url[:1] == "/" else find_authority(url)
    if authority is not None:
        return _ZONE.sub(b"", encode_host(authority))
    return _build_own_host(host, port, default_port)


def build_host_line(url: str, host: str, port: int | None, default_port: int) -> bytes:
    """Return the Host line for a target."""
    if url[:1] == "/":
        return _build_own_host_line(host, port, default_port)
    return build_line("Host", (build_host(url, host, port, default_port),))


@lru_cache(maxsize=256, typed=True)
def _build_own_host_line(host: str, port: int | None, default_port: int) -> bytes:
    return build_line("Host", (_build_own_host(host, port, default_port),))


def _build_own_host(host: str, port: int | None, default_port: int) -> str | bytes:
    encoded = wrap_ipv6(encode_host(host))
    if encoded[:1] == b"[":
        encoded = _ZONE.sub(b"", encoded)
    return encoded if port == default_port else f"{encoded.decode('ascii')}:{port}"


def encode_host(host: str) -> bytes:
    """Return a host for the wire, a name in other letters by the rules that Python's own codec has (IDNA 2003)."""
    return host.encode("ascii") if host.isascii() else host.encode("idna")


def wrap_ipv6(host: bytes) -> bytes:
    """Return a host with brackets around it if it is an IPv6 address."""
    return b"[%b]" % host if b":" in host and host[:1] != b"[" else host


def encode_body(body: str) -> bytes:
    """Return text as it goes out; the error for what ISO-8859-1 has not says what to do."""
    try:
        return body.encode("iso-8859-1")
    except UnicodeEncodeError as exc:
        found = repr(body[exc.start : exc.end])[:20]
        reason = (
            f"Body ({found}) is not valid Latin-1. Use body.encode('utf-8') if you want to send it encoded in UTF-8."
        )
        raise UnicodeEncodeError(exc.encoding, exc.object, exc.start, exc.end, reason) from None
