"""Hosts, ports and authorities, for connecting and for the request target and Host field."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from ..errors import InvalidURL, clip

_HOST = re.compile(r"[^\x00-\x20\x7f/?#@\\<>\"^`{|}\[\]]++")
_ZONE = re.compile(r"[0-9A-Za-z._~-]++")
_HEXTET = re.compile(r"[0-9A-Fa-f]{1,4}")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!\Z)|\Z)){4}")
_ABSOLUTE = re.compile(r"https?://(?:[^/?#]*@)?+([^/?#@]++)", re.IGNORECASE)
_QUERY = re.compile("[?#]")
_PORT = re.compile(r"[0-9]{1,5}")

PORTS: Final = "a port of 1 to 65535"
"""The ports to connect to, in error texts. RFC 3986 §3.2.3 allows any number, but no server has port 0."""


@lru_cache(maxsize=1024, typed=True)  # most connections go to the same few hosts
def parse_host_port(host: str, port: int | str | None, default_port: int) -> tuple[str, int]:
    """Split `host`, `host:port`, `[v6]` or `[v6]:port`; a separate `port` takes precedence, as in http.client.

    An IPv6 address is returned without brackets.

    Raises:
        TypeError: the host is not a str.
        InvalidURL: the port is empty, not a number from 1 to 65535, or the host is not a valid name or address.
    """
    if not isinstance(host, str):
        raise TypeError(f"expected str as host, got {type(host).__name__}")
    if "://" in host:
        raise InvalidURL(f"expected a host, got a URL: {show(host)}")
    if port is None:
        host, port = _split_port(host)
    port = default_port if port is None else parse_port(port)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    check_host(host)
    return host, port


def _split_port(host: str) -> tuple[str, str | None]:
    colon = host.rfind(":")
    is_bare_v6 = host.count(":") > 1 and not host.startswith("[")
    if colon < 0 or is_bare_v6 or colon < host.rfind("]"):
        return host, None
    return host[:colon], host[colon + 1 :]


def parse_port(port: int | str) -> int:
    """Return a port as a number.

    Raises:
        InvalidURL: it is empty, or not a number from 1 to 65535.
    """
    if _PORT.fullmatch(str(port)) is None or not 0 < int(port) <= 65535:
        raise InvalidURL(f"expected {PORTS}, got {show(str(port))}")
    return int(port)


def check_host(host: str) -> None:
    """Check a host name or address.

    Raises:
        InvalidURL: it is empty; has a blank, a control character or a URL delimiter; has a label of 0 or more than 63
            characters; or has colons but is not an IPv6 address.
    """
    if ":" in host:
        address, percent, zone = host.partition("%")
        is_valid = is_ipv6(address) and (not percent or _ZONE.fullmatch(zone) is not None)
    else:
        parts = host.removesuffix(".").split(".")
        is_valid = all(0 < len(part) < 64 for part in parts) and _HOST.fullmatch(host) is not None
    if not is_valid:
        raise InvalidURL(f"expected a host name or address, got {show(host)}")


def is_ipv6(text: str) -> bool:
    """Return True if a text is an IPv6 address by the grammar of RFC 3986 §3.2.2, without brackets and zone."""
    if len(text) > 45:  # 0000:0000:0000:0000:0000:ffff:255.255.255.255
        return False
    start, gap, end = text.partition("::")
    groups = (start.split(":") if start or not gap else []) + (end.split(":") if end else [])
    count = len(groups)
    if groups and "." in groups[-1] and not text.endswith("::"):  # the last 32 bits may be an IPv4 address
        if _IPV4.fullmatch(groups.pop()) is None:
            return False
        count += 1
    has_all = count < 8 if gap else count == 8
    return has_all and all(map(_HEXTET.fullmatch, groups))


def show(text: str) -> str:
    """Return a host or URL for display, without user and password."""
    _, at, rest = text.rpartition("@")
    return clip(f"***@{rest}" if at else text)


def show_url(url: str) -> str:
    """Return a URL, valid or not, for display: without user, password, query and fragment."""
    _, at, rest = url.rpartition("@")
    start = _QUERY.split(rest, maxsplit=1)[0]
    return clip(f"{'***@' if at else ''}{start}{'?…' if start != rest else ''}")


def encode_host(host: str) -> str:
    """Return a host as sent on the wire: non-ASCII labels encoded, IPv6 addresses without zone and without brackets.

    Names are encoded by UTS 46 as browsers do, see encode_domain(); an ASCII name is returned unchanged.

    Raises:
        InvalidURL: the name can't be encoded.
    """
    if ":" in host:
        check_host(host)
        return host.partition("%")[0]
    if host.isascii():
        return host
    from .domain import encode_domain  # imported on use: the IDNA tables are slow to load (decision 52)

    try:
        encoded = encode_domain(host)
        if ":" in encoded or "%" in encoded:
            raise ValueError("a delimiter among its letters")
        check_host(encoded)  # after encoding, which maps some letters to delimiters
    except ValueError as exc:  # the base of InvalidURL, UnicodeError and idna's errors
        raise InvalidURL(f"host can't be encoded: {clip(host)}: {clip(str(exc))[1:-1]}") from exc
    return encoded


def fold_host(host: str) -> str:
    """Return a host as parse_url() does: a name in lower-case ASCII, so that equal ones compare equal; IPv6 as it is.

    Raises:
        InvalidURL: the name can't be encoded.
    """
    return host if ":" in host else encode_host(host).lower()


def build_host(host: str) -> str:
    """Return encode_host() with brackets around an IPv6 address, as in a URL and a Host field (RFC 3986 §3.2.2)."""
    encoded = encode_host(host)
    return f"[{encoded}]" if ":" in encoded else encoded


def build_server_name(host: str) -> str:
    """Return the name that the certificate must match: a host without its final dot (RFC 6066 §3).

    Raises:
        InvalidURL: the name can't be encoded.
    """
    return encode_host(host).removesuffix(".")


def build_authority(
    host: str, port: int, default_port: int | None = None, encode: Callable[[str], str] = build_host
) -> str:
    """Return `host:port` as sent on the wire, without the scheme's default port (RFC 9110 §7.2)."""
    encoded = encode(host)
    return encoded if port == default_port else f"{encoded}:{port}"


def find_authority(target: str) -> str | None:
    """Return the authority of a target in absolute form, without userinfo; None for other forms (RFC 9112 §3.2)."""
    match = _ABSOLUTE.match(target)
    return None if match is None else match[1]
