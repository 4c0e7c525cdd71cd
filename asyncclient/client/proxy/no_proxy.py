"""NO_PROXY: the hosts that are reached without the proxy from the environment.

No standard defines the variable. The rules here are curl's; where curl has none (ports, `*.`, IPv4-mapped addresses),
they are Go's. `localhost` and loopback addresses use the proxy unless they are listed, as in curl.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

from ...errors import InvalidURL
from ...message.target import encode_host, parse_port

_SEPARATORS = re.compile(r"[,\s]+")
_MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96: IPv4 addresses in IPv6 notation (RFC 4291 §2.5.5.2)


class NoProxy:
    """A parsed list of hosts. Matching a name takes one set lookup per label and dot.

    Create it with parse(). Each entry, in any case, is one of:

    - `*`: every host;
    - `example.com` or `.example.com`: that host and all hosts below it;
    - `*.example.com`: all hosts below it, not the host itself;
    - `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]`: an address in any notation; zones are ignored;
    - `192.0.2.0/24` or `2001:db8::/32`: a network;
    - a name or an address with `:port`: that port only; an IPv6 address then needs brackets.
    """

    __slots__ = ("_everything", "_names", "_networks", "_prefixes")

    def __init__(self) -> None:
        self._everything = False
        # "example.com" matches the host and all below; ".example.com" only those below. With the port, or None.
        self._names: set[tuple[str, int | None]] = set()
        # (bits of the address, bits of the prefix, prefix, port), and the set of prefix lengths to try.
        self._networks: set[tuple[int, int, int, int | None]] = set()
        self._prefixes: set[tuple[int, int]] = set()

    @classmethod
    def parse(cls, text: str) -> NoProxy:
        """Return the list in a text; entries are separated by commas or blanks, and invalid entries are skipped."""
        hosts = cls()
        for entry in _SEPARATORS.split(text):
            try:
                hosts._add(entry)
            except ValueError:  # includes InvalidURL: one bad entry must neither disable the others nor raise
                continue
        return hosts

    def _add(self, entry: str) -> None:
        if entry == "*":
            self._everything = True
        elif "/" in entry:
            address, _, length = entry.partition("/")
            self._add_network(address, length)
        else:
            host, port = _split_port(entry)
            packed = _pack(host)
            if packed is None:
                self._names.add((_parse_name(host), port))
            else:
                self._add_prefix(packed, 8 * len(packed), port)

    def _add_network(self, address: str, length: str) -> None:
        packed = _pack(_strip_brackets(address))
        if packed is None or not (length.isascii() and length.isdigit()):
            raise InvalidURL("expected an address and the length of a prefix")
        # The prefix length refers to the notation used, IPv4-mapped or not.
        bits = int(length) - (96 if ":" in address and len(packed) == 4 else 0)
        if not 0 <= bits <= 8 * len(packed):
            raise InvalidURL("expected a prefix that is no longer than the address")
        self._add_prefix(packed, bits, None)

    def _add_prefix(self, packed: bytes, bits: int, port: int | None) -> None:
        size = 8 * len(packed)
        self._prefixes.add((size, bits))
        self._networks.add((size, bits, int.from_bytes(packed, "big") >> (size - bits), port))

    def matches(self, host: str, port: int) -> bool:
        """Return True if a host is reached without a proxy.

        Args:
            host: a name in ASCII, or an address without brackets; IPv6 may have a zone.
            port: the port to connect to; the scheme's default if the URL has none.
        """
        if self._everything:
            return True
        packed = _pack(host)
        if packed is not None:
            return self._has_address(packed, port)
        names = self._names
        return bool(names) and any(
            (name, None) in names or (name, port) in names for name in _suffixes(host.lower().removesuffix("."))
        )

    def _has_address(self, packed: bytes, port: int) -> bool:
        size, address = 8 * len(packed), int.from_bytes(packed, "big")
        for bits in [bits for known_size, bits in self._prefixes if known_size == size]:
            network = (size, bits, address >> (size - bits))
            if (*network, None) in self._networks or (*network, port) in self._networks:
                return True
        return False


def _split_port(entry: str) -> tuple[str, int | None]:
    """Split `host`, `host:port`, `[v6]`, `[v6]:port` or an IPv6 address without brackets, which has no port."""
    host, colon, port = entry.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        return _strip_brackets(entry), None
    return _strip_brackets(host), parse_port(port)


def _strip_brackets(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _parse_name(entry: str) -> str:
    """Return a name for lookups: in lower-case ASCII, with a leading dot if only hosts below it match.

    Invalid names are not rejected; they never match.
    """
    below_only = entry.startswith("*.")
    name = encode_host(entry[2:] if below_only else entry.removeprefix(".")).lower().removesuffix(".")
    if not name:
        raise InvalidURL("expected a host name")
    return f".{name}" if below_only else name


def _suffixes(name: str) -> Iterator[str]:
    """Yield the name, and for each of its dots the rest of the name with and without the dot."""
    yield name
    dot = name.find(".")
    while dot >= 0:
        yield name[dot:]
        yield name[dot + 1 :]
        dot = name.find(".", dot + 1)


def _pack(host: str) -> bytes | None:
    """Return the 4 or 16 bytes of an address (4 for an IPv4-mapped one); None for a name."""
    if ":" not in host:
        return _to_bytes(socket.AF_INET, host.removesuffix(".")) if host[-1:] in "0123456789." else None
    packed = _to_bytes(socket.AF_INET6, host.partition("%")[0])
    return packed[12:] if packed is not None and packed.startswith(_MAPPED) else packed


def _to_bytes(family: int, host: str) -> bytes | None:
    try:
        return socket.inet_pton(family, host)
    except OSError:
        return None
