"""Addresses of sockets, as getaddrinfo() gives them."""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import Any

AddrInfo = tuple[Any, Any, int, str, Any]
"""What getaddrinfo() gives for an address."""


@lru_cache(maxsize=1024)
def parse_literal(host: str, port: int) -> AddrInfo | None:
    """Return the address that a host is, None if it is a name: an address needs no resolver, and no thread for it."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
    return None
