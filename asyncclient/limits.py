"""Limits on what a server may send, and on the connections of a pool."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from .arguments import check_number, keyword_only

DRAIN = 64 * 1024
"""Bytes of unread content that are read and discarded to keep a connection; beyond it, opening a new one is cheaper."""

_POOL: Final = {
    "connections": "PoolLimits(connections=...), given as Client(pool=...)",
    "connections_per_host": "PoolLimits(per_host=...), given as Client(pool=...)",
    "max_connections": "PoolLimits(connections=...), given as Client(pool=...)",
    "max_keepalive_connections": "PoolLimits(idle=...), given as Client(pool=...)",
    "keepalive_expiry": "PoolLimits(keep_alive=...), given as Client(pool=...)",
    **{
        name: f"PoolLimits({name}=...), given as Client(pool=...)"
        for name in ("per_host", "idle", "idle_per_host", "keep_alive", "max_age")
    },
}
"""Where limits on connections are set, by their names here and in httpx."""
_MESSAGE: Final = {
    "connections_per_host": "per_host=",
    "max_connections": "connections=",
    "max_keepalive_connections": "idle=",
    "keepalive_expiry": "keep_alive=",
    **{
        name: f"Limits({name}=...), given as Client(limits=...)"
        for name in ("line", "head", "fields", "interim", "chunk_line")
    },
}
"""The same for what a server may send, and the names that PoolLimits itself replaced."""


@keyword_only(_POOL, "Limits(line=..., fields=...); connections are limited by PoolLimits(connections=...)")
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on what a server may send, in bytes unless stated otherwise.

    Args:
        line: one line of a head, as in http.client.
        head: a whole head; all interim responses of an exchange together; all trailers of a body together.
        fields: number of fields in a head or among trailers. Some sites send more than http.client's 100.
        interim: number of interim responses (1xx) before the final one. http.client has the same limit since 3.15.
        chunk_line: the size line of a chunk with its extensions, which are rarely used.

    Raises:
        TypeError: a limit is not a number, or an argument is positional.
        ValueError: a limit is below 1.
    """

    line: int = 64 * 1024
    head: int = 256 * 1024
    fields: int = 256
    interim: int = 100
    chunk_line: int = 4096

    def __post_init__(self) -> None:
        """Check the limits."""
        for name in self.__slots__:
            check_number(name, getattr(self, name), 1)


@keyword_only(_MESSAGE, "PoolLimits(connections=..., per_host=...)")
@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """Limits on the connections of a client.

    Args:
        connections: number of connections that may be open, those being opened included. Further requests wait.
        per_host: the same for one host: the connections to an origin through the same proxy.
        idle: number of idle connections that are kept; beyond it the least recently used one is closed.
        idle_per_host: the same for one host.
        keep_alive: seconds that an idle connection is kept. If the server sends a shorter time
            (`Keep-Alive: timeout=`), nine tenths of that time.
        max_age: seconds after which a connection serves no further request; the exchange in progress is finished. With
            it, a client sees changed addresses of a host. Infinite: a connection does not age.

    Raises:
        TypeError: a limit is not a number, or an argument is positional.
        ValueError: a limit is below its minimum: 1 for `connections` and `per_host`, 0 for the others.
    """

    connections: int = 100
    per_host: int = 100
    idle: int = 100
    idle_per_host: int = 100
    keep_alive: float = 15.0
    max_age: float = math.inf

    def __post_init__(self) -> None:
        """Check the limits."""
        for name in self.__slots__:
            check_number(name, getattr(self, name), 1 if name in _AT_LEAST_ONE else 0)


_AT_LEAST_ONE: Final = frozenset(("connections", "per_host"))

DEFAULT = Limits()
DEFAULT_POOL = PoolLimits()
