"""How much of each thing a peer may send before it is an error, and how many connections a pool may have."""

from __future__ import annotations

import math
from typing import NamedTuple

from .arguments import check_number

DRAIN = 64 * 1024
"""Bytes of unread content that are read away to keep a connection; beyond it, opening a new one is cheaper."""


class _Limits(NamedTuple):
    line: int
    head: int
    fields: int
    interim: int
    chunk_line: int
    connections: int
    connections_per_host: int
    idle: int
    idle_per_host: int
    keep_alive: float
    max_age: float


_MAY_BE_ZERO = frozenset(("idle", "idle_per_host", "keep_alive", "max_age"))


class Limits(_Limits):
    """Bounds on what a peer sends, in bytes where not counted, and on the connections of a pool.

    Args:
        line: one line of a head; what http.client allows.
        head: a whole head, all interim heads, or all trailers of a body, together.
        fields: fields in a head or among trailers. Real sites send more than http.client's 100.
        interim: responses 1xx before the final one (http.client's limit since 3.15).
        chunk_line: the size line of a chunk with its extensions, which nobody uses.
        connections, connections_per_host: open at once, being opened included. Who needs one more waits.
        idle, idle_per_host: kept open for later; beyond it the one used longest ago is closed.
        keep_alive: seconds that an idle connection is kept; less where the server said so (Keep-Alive: timeout=), by a
            tenth less than that.
        max_age: seconds after which a connection serves no further request, however busy it is; the exchange under way
            is finished. So a client sees the new addresses of a host. Infinite: for any time.

    Raises:
        ValueError: one of them is below its minimum: 0 for what is kept and for ages, 1 for all others.
    """

    __slots__ = ()

    def __new__(
        cls,
        line: int = 64 * 1024,
        head: int = 256 * 1024,
        fields: int = 256,
        interim: int = 100,
        chunk_line: int = 4096,
        connections: int = 100,
        connections_per_host: int = 100,
        idle: int = 100,
        idle_per_host: int = 100,
        keep_alive: float = 15.0,
        max_age: float = math.inf,
    ) -> Limits:
        """Check the bounds."""
        limits = super().__new__(
            cls,
            line,
            head,
            fields,
            interim,
            chunk_line,
            connections,
            connections_per_host,
            idle,
            idle_per_host,
            keep_alive,
            max_age,
        )
        for name, value in zip(limits._fields, limits, strict=True):
            least = 0 if name in _MAY_BE_ZERO else 1
            check_number(name, value, least)
        return limits


DEFAULT = Limits()
