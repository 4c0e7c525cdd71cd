"""A frontier in memory, which ends with the process."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from heapq import heappop, heappush
from itertools import islice
from struct import Struct
from typing import Any

from .entry import Counts, Entry, Outcome, State
from .frontier import Taken

_HASH_BITS = (1 << 60) - 1  # a larger int takes 16 bytes more
_HIGHEST_PRIORITY = (1 << 63) - 1
_HEAD = Struct(">QIII")
"""The distance from the highest priority, the attempts, the id, the depth: these bytes sort in the order of taking."""


class MemoryFrontier:
    """A frontier for crawls that need not go on after the end of the process.

    A waiting entry is one bytes object, which takes half of the memory of an Entry with its URL, and which the garbage
    collector does not visit. The URLs that were seen are kept as hashes of 60 bits: two of a million URLs are taken for
    one with a probability of one to two million.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._waiting: dict[str, list[bytes]] = {}  # heaps by host; without empty ones
        self._metas: dict[int, Any] = {}  # by id, of the entries that have one
        self._taken: dict[int, Entry] = {}
        self._failed: dict[int, tuple[Entry, str]] = {}
        self._pages: Counter[str] = Counter()
        self._last_id = 0

    async def open(self) -> Counts:
        """Return what an earlier crawl left; entries that it took and did not finish wait again."""
        for entry in self._taken.values():
            self._push(entry, entry.id)
        self._taken.clear()
        waiting, failed = sum(map(len, self._waiting.values())), len(self._failed)
        return Counts(waiting, self._last_id - waiting - failed, failed, self._pages.total())

    async def add(self, entries: Sequence[Entry]) -> dict[str, int]:
        """Add the entries whose URLs were never added; return how many were new, by host."""
        seen, new = self._seen, Counter[str]()
        for entry in entries:
            key = hash(entry.url) & _HASH_BITS
            if key not in seen:
                self._push(entry, self._last_id + 1)
                seen.add(key)
                self._last_id += 1
                new[entry.host] += 1
        return new

    def _push(self, entry: Entry, number: int) -> None:
        head = _HEAD.pack(_HIGHEST_PRIORITY - entry.priority, entry.attempts, number, entry.depth)
        if entry.meta is not None:
            self._metas[number] = entry.meta
        item = head + entry.url.encode()
        heap = self._waiting.get(entry.host)
        if heap is None:
            self._waiting[entry.host] = [item]
        else:
            heappush(heap, item)

    async def take(self, wanted: Mapping[str, int]) -> dict[str, Taken]:
        """Take waiting entries: for each host at most as many as the number says."""
        return {host: self._take(host, number) for host, number in wanted.items()}

    def _take(self, host: str, number: int) -> Taken:
        heap = self._waiting.get(host, [])
        entries = [self._pop(host, heap) for _ in range(min(number, len(heap)))]
        if not heap:
            self._waiting.pop(host, None)
        return Taken(entries, not heap, self._pages[host])

    def _pop(self, host: str, heap: list[bytes]) -> Entry:
        item = heappop(heap)
        distance, attempts, number, depth = _HEAD.unpack_from(item)
        entry = self._taken[number] = Entry(
            item[_HEAD.size :].decode(),
            host=host,
            depth=depth,
            priority=_HIGHEST_PRIORITY - distance,
            attempts=attempts,
            meta=self._metas.pop(number, None) if self._metas else None,
            id=number,
        )
        return entry

    async def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Note what became of taken entries."""
        for entry, state, reason, counts in outcomes:
            del self._taken[entry.id]
            if counts:
                self._pages[entry.host] += 1
            if state is State.WAITING:
                self._push(entry, entry.id)
            elif state is State.FAILED:
                self._failed[entry.id] = entry, reason

    async def find_hosts(self, limit: int, known: Collection[str]) -> list[str]:
        """Return at most `limit` hosts that have entries to take and are not known."""
        return list(islice((host for host in self._waiting if host not in known), limit))

    async def failures(self) -> AsyncIterator[tuple[Entry, str]]:
        """Yield each failed entry with its reason."""
        for failure in list(self._failed.values()):
            yield failure

    async def retry_failed(self) -> int:
        """Give all failed entries again, with 0 attempts; return how many there were."""
        failed, self._failed = self._failed, {}
        for entry, _ in failed.values():
            entry.attempts = 0
            self._push(entry, entry.id)
        return len(failed)

    async def aclose(self) -> None:
        """Do nothing: the frontier can be opened again."""
