"""How much of each thing a peer may send before it is an error (REQUIREMENTS: nothing a peer sends is unbounded)."""

from __future__ import annotations

from typing import NamedTuple

DRAIN = 64 * 1024
"""Bytes of unread content that are read away to keep a connection; beyond it, opening a new one is cheaper."""


class _Limits(NamedTuple):
    line: int
    head: int
    fields: int
    interim: int
    chunk_line: int


class Limits(_Limits):
    """Bounds on what a peer sends, in bytes where not counted.

    Args:
        line: one line of a head; what http.client allows.
        head: a whole head, all interim heads, or all trailers of a body, together.
        fields: fields in a head or among trailers. Real sites send more than http.client's 100.
        interim: responses 1xx before the final one (http.client's limit since 3.15).
        chunk_line: the size line of a chunk with its extensions, which nobody uses.

    Raises:
        ValueError: one of them is less than 1.
    """

    __slots__ = ()

    def __new__(
        cls,
        line: int = 64 * 1024,
        head: int = 256 * 1024,
        fields: int = 256,
        interim: int = 100,
        chunk_line: int = 4096,
    ) -> Limits:
        """Check the bounds."""
        limits = super().__new__(cls, line, head, fields, interim, chunk_line)
        for name, value in zip(limits._fields, limits, strict=True):
            if value < 1:
                raise ValueError(f"expected {name} of at least 1, got {value!r}")
        return limits


DEFAULT = Limits()
