"""Entries of a cache: stored responses without their content, and which requests they answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from ..message.fields import Fields

Pairs = tuple[tuple[str, str], ...]

COST: Final = 512
"""Bytes that an entry counts in addition to its fields and its content."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored response, without its content.

    Attributes:
        method, url: of the request.
        vary: digests of the request's fields that Vary names, by lower-case name. A digest, because such a field may be
            a credential.
        status, reason: of the response.
        fields, trailers: pairs, as they were received, without the fields about the connection.
        received_at: when the response, or the last confirmation of it, was received, in Unix seconds.
        size: bytes of the content, of the fields and for the entry itself.
        id: the number that a store gives; 0 before.
    """

    method: str
    url: str
    vary: Pairs
    status: int
    reason: str
    fields: Pairs
    trailers: Pairs
    received_at: float
    size: int
    id: int = field(default=0, compare=False)

    def is_for(self, method: str, headers: Fields) -> bool:
        """Return True if it answers a request of that method with those fields (RFC 9111 §4.1)."""
        return method == self.method and self.vary == tuple((name, digest(headers, name)) for name, _ in self.vary)


def list_varying(response: Fields, request: Fields) -> Pairs | None:
    """Return the digests of the request's fields that Vary names; None if the response varies by anything."""
    names = sorted({name.strip().lower() for name in response.get("vary", "").split(",")} - {""})
    return None if "*" in names else tuple((name, digest(request, name)) for name in names)


def digest(headers: Fields, name: str) -> str:
    """Return a digest of the values of a field; "" if there is no such field."""
    values = headers.get_all(name)
    return "" if values is None else hashlib.sha256(", ".join(values).encode("latin-1")).hexdigest()


def measure(content: int, fields: Pairs, trailers: Pairs) -> int:
    """Return the size of an entry with content of that many bytes."""
    return content + COST + sum(len(name) + len(value) for name, value in (*fields, *trailers))
