"""The interface of a frontier: the URLs that a crawl has seen, and what became of each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from .entry import Counts, Entry, Outcome


class FrontierError(OSError):
    """The file of a frontier is of another kind or version, is in use by another process, or can't be opened."""


class Taken(NamedTuple):
    """The entries that were taken for a host.

    Attributes:
        entries: the next ones to fetch, in this order.
        is_all: True if no other entry of the host waits.
        pages: how many entries of the host were fetched before, in this crawl and in those that it goes on from.
    """

    entries: list[Entry]
    is_all: bool
    pages: int


class Frontier(Protocol):
    """The only truth of a crawl: which URLs it has seen, which of them wait, and why others failed.

    A frontier has one crawler, which calls one method at a time; each call has many entries. An entry that was taken
    counts as waiting until it is finished: if the process ends before that, it waits again. The calls are written in
    their order, each as a whole, so that after a crash a later one is never known without an earlier one.
    """

    async def open(self) -> Counts:
        """Open the frontier, and return what an earlier crawl left in it.

        Raises:
            FrontierError: its file is of another kind or version, is in use, or can't be opened.
        """
        ...

    async def add(self, entries: Sequence[Entry]) -> dict[str, int]:
        """Add the entries whose URLs were never added; return how many were new, by host.

        Hosts without new entries are left out. What was added is not lost when the call has returned.
        """
        ...

    async def take(self, wanted: Mapping[str, int]) -> dict[str, Taken]:
        """Take waiting entries: for each host at most as many as the number says.

        The order for a host: the highest priority, then the fewest attempts, then the order of adding.
        """
        ...

    async def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Write what became of taken entries. It is not lost when the call has returned.

        An outcome with State.WAITING gives its entry back, with its attempts.
        """
        ...

    async def find_hosts(self, limit: int, known: Collection[str]) -> list[str]:
        """Return at most `limit` hosts that have waiting entries, beside those taken, and are not known.

        `known` is not changed meanwhile.
        """
        ...

    def failures(self) -> AsyncIterator[tuple[Entry, str]]:
        """Yield each failed entry with its reason."""
        ...

    async def retry_failed(self) -> int:
        """Give all failed entries again, with 0 attempts; return how many there were."""
        ...

    async def aclose(self) -> None:
        """Close the frontier; may be called any number of times."""
        ...
