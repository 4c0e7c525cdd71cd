"""Socket addresses in the form of getaddrinfo()."""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import Any

AddrInfo = tuple[Any, Any, int, str, Any]
"""An item of the result of getaddrinfo()."""


@lru_cache(maxsize=1024)
def parse_literal(host: str, port: int) -> AddrInfo | None:
    """Return the address info of a host that is an IP address, without a resolver or thread; None for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
    return None
