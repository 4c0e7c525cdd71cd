"""Hosts, ports and authorities: what a connection is opened to and what a request calls it."""

from __future__ import annotations

import re
from functools import lru_cache

from ..errors import InvalidURL, clip

_HOST = re.compile(r"[^\x00-\x20\x7f/?#@\\<>\"^`{|}\[\]]++")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]++(?:%[0-9A-Za-z._~-]++)?")
_ABSOLUTE = re.compile(r"https?://(?:[^/?#]*@)?+([^/?#@]++)", re.IGNORECASE)
_PORT = re.compile(r"[0-9]{1,5}")


@lru_cache(maxsize=1024, typed=True)  # a connection is opened to the same place again and again
def parse_host_port(host: str, port: int | str | None, default_port: int) -> tuple[str, int]:
    """Split `host`, `host:port`, `[v6]` or `[v6]:port`; a port given apart counts, as in http.client.

    An IPv6 address comes back without its brackets.

    Raises:
        TypeError: the host is no str.
        InvalidURL: the port is empty, no number or beyond 65535, or the host has characters that no host has.
    """
    if not isinstance(host, str):
        raise TypeError(f"expected str as host, got {type(host).__name__}")
    if "://" in host:
        raise InvalidURL(f"expected a host, got a URL: {show(host)}")
    if port is None:
        host, port = _split_port(host, default_port)
    port = parse_port(port)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    check_host(host)
    return host, port


def _split_port(host: str, default_port: int) -> tuple[str, int | str]:
    colon = host.rfind(":")
    is_bare_v6 = host.count(":") > 1 and not host.startswith("[")
    if colon < 0 or is_bare_v6 or colon < host.rfind("]"):
        return host, default_port
    return host[:colon], host[colon + 1 :]


def parse_port(port: int | str) -> int:
    """Return a port as a number.

    Raises:
        InvalidURL: it is empty, no number or beyond 65535.
    """
    if _PORT.fullmatch(str(port)) is None or int(port) > 65535:
        raise InvalidURL(f"expected a port of 0 to 65535, got {show(str(port))}")
    return int(port)


def check_host(host: str) -> None:
    """Let a host name or address pass.

    Raises:
        InvalidURL: it is empty or has a blank, a control character or a delimiter of URLs, a part of 0 or more than 63
            characters, or colons where it is no IPv6 address.
    """
    parts = host.removesuffix(".").split(".")
    is_name = ":" in host or all(0 < len(part) < 64 for part in parts)
    if not is_name or (_IPV6 if ":" in host else _HOST).fullmatch(host) is None:
        raise InvalidURL(f"expected a host name or address, got {show(host)}")


def show(text: str) -> str:
    """Return what may be shown of a host or URL: no user, no password."""
    _, at, rest = text.rpartition("@")
    return clip(f"***@{rest}" if at else text)


def encode_host(host: str) -> str:
    """Return a host as it goes on the wire: IDNA 2008 for non-ASCII names, IPv6 addresses in brackets, no zone.

    Raises:
        InvalidURL: the name can't be encoded.
    """
    if ":" in host:
        check_host(host)
        return f"[{host.partition('%')[0]}]"
    if host.isascii():
        return host
    import idna  # only here: its tables take 5 ms to import

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as exc:
        raise InvalidURL(f"host can't be encoded: {clip(host)}: {exc}") from exc


def build_authority(host: str, port: int, default_port: int | None = None) -> str:
    """Return `host:port` for the wire, without the port where it is the scheme's own (RFC 9110 §7.2)."""
    encoded = encode_host(host)
    return encoded if port == default_port else f"{encoded}:{port}"


def find_authority(target: str) -> str | None:
    """Return the authority of a target in absolute form, without userinfo; None for other forms (RFC 9112 §3.2)."""
    match = _ABSOLUTE.match(target)
    return None if match is None else match[1]
