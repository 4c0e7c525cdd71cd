"""Stores of a cache: the interface, and a store in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Protocol

from ..arguments import check_number, known_arguments
from .entry import Entry


class Store(Protocol):
    """Stored responses. Only find() and read() may wait; the others take effect before a later find().

    A store has a limit on its size, and removes the entries that were not used for the longest time. A failure of the
    store is not an error of a request: it is logged, and nothing is found.
    """

    async def find(self, url: str) -> Sequence[Entry]:
        """Return the entries for a URL."""
        ...

    async def read(self, entry: Entry) -> bytes | None:
        """Return the content of an entry, which counts as a use; None if the entry was removed."""
        ...

    def put(self, entry: Entry, content: bytes) -> None:
        """Store a response, in place of the entries for the same requests."""
        ...

    def update(self, entry: Entry) -> None:
        """Replace an entry with the same id by this one, if there still is one; the content stays."""
        ...

    def remove(self, entry: Entry) -> None:
        """Remove an entry, if there still is one."""
        ...

    async def aclose(self) -> None:
        """Release everything; may be called any number of times."""
        ...


@known_arguments({})
class MemoryStore:
    """A store in memory, for one process.

    Args:
        max_size: limit of all entries in bytes.
    """

    def __init__(self, max_size: int = 64 * 1024 * 1024) -> None:
        check_number("max_size", max_size, 0)
        self.max_size = max_size
        self.size = 0
        self._entries: OrderedDict[int, tuple[Entry, bytes]] = OrderedDict()  # the last used one last
        self._by_url: dict[str, list[int]] = {}
        self._ids = count(1)

    async def find(self, url: str) -> list[Entry]:
        """See Store; so are the other methods."""
        return [self._entries[number][0] for number in self._by_url.get(url, ())]

    async def read(self, entry: Entry) -> bytes | None:
        """Return the content."""
        found = self._entries.get(entry.id)
        if found is None:
            return None
        self._entries.move_to_end(entry.id)
        return found[1]

    def put(self, entry: Entry, content: bytes) -> None:
        """Store a response."""
        for number in list(self._by_url.get(entry.url, ())):
            old = self._entries[number][0]
            if (old.method, old.vary) == (entry.method, entry.vary):
                self.remove(old)
        if entry.size > self.max_size:
            return
        number = next(self._ids)
        self._entries[number] = replace(entry, id=number), content
        self._by_url.setdefault(entry.url, []).append(number)
        self.size += entry.size
        while self.size > self.max_size:
            self.remove(next(iter(self._entries.values()))[0])

    def update(self, entry: Entry) -> None:
        """Replace an entry."""
        found = self._entries.get(entry.id)
        if found is not None:
            self.size += entry.size - found[0].size
            self._entries[entry.id] = entry, found[1]

    def remove(self, entry: Entry) -> None:
        """Remove an entry."""
        found = self._entries.pop(entry.id, None)
        if found is None:
            return
        self.size -= found[0].size
        numbers = self._by_url[entry.url]
        numbers.remove(entry.id)
        if not numbers:
            del self._by_url[entry.url]

    async def aclose(self) -> None:
        """Remove all entries."""
        self._entries.clear()
        self._by_url.clear()
        self.size = 0

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._entries)} entries, {self.size} bytes>"
