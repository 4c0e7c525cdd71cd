"""Consistent hashing: each key has a member, and a change of the members moves as few keys as possible."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

POINTS: Final = 256
"""Points of each member on the ring; with 256 the shares of the members differ by 6 % of a share (one sigma)."""


class Ring:
    """Assigns keys to members.

    Each member has many points on a ring of 64-bit numbers, and a key belongs to the member of the next point. So a new
    member takes its share of keys from all others, the keys of a removed member go to all others, and no other key
    moves. Keys are assigned alike in all processes, in whatever order the members were added.

    Args:
        members: the first members.
        points: points of each member.
    """

    def __init__(self, members: Iterable[str] = (), *, points: int = POINTS) -> None:
        self._points = points
        self._members: set[str] = set()
        self._pairs: list[tuple[int, str]] = []
        self._places: list[int] = []
        for member in members:
            self.add(member)

    def add(self, member: str) -> None:
        """Add a member, if it is not there yet."""
        if member not in self._members:
            self._members.add(member)
            self._set([*self._pairs, *((_hash(f"{number} {member}"), member) for number in range(self._points))])

    def remove(self, member: str) -> None:
        """Remove a member, if it is there."""
        self._members.discard(member)
        self._set([pair for pair in self._pairs if pair[1] != member])

    def _set(self, pairs: list[tuple[int, str]]) -> None:
        self._pairs = sorted(pairs)
        self._places = [place for place, _ in self._pairs]

    def find(self, key: str) -> str | None:
        """Return the member of a key; None without members."""
        if not self._pairs:
            return None
        return self._pairs[bisect(self._places, _hash(key)) % len(self._pairs)][1]

    def __contains__(self, member: object) -> bool:
        return member in self._members

    def __len__(self) -> int:
        return len(self._members)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
