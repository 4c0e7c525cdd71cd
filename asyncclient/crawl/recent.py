"""The URLs that a crawl has met lately, so that links which are on every page are not looked up again and again."""

from __future__ import annotations

from typing import Final

MOST: Final = 50_000
"""URLs of each of the two generations; each takes some 60 bytes."""


class RecentUrls:
    """Remembers the last 50,000 to 100,000 URLs, by their hashes.

    Another URL with the same hash would be taken for one of them: with a hash of 64 bits, once in 10**14 URLs.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._young: set[int] = set()
        self._old: set[int] = set()

    def is_new(self, url: str) -> bool:
        """Return True if a URL is not remembered, and remember it."""
        key = hash(url)
        if key in self._young or key in self._old:
            return False
        self._young.add(key)
        if len(self._young) >= self._most:
            self._old, self._young = self._young, set()
        return True
