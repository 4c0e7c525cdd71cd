"""A frontier in a SQLite file, which a later process can go on with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from os import PathLike
from typing import ParamSpec, TypeVar

from .entry import Counts, Entry, Outcome
from .frontier import Taken
from .store import Store

_P = ParamSpec("_P")
_T = TypeVar("_T")


class SQLiteFrontier:
    """A frontier in a file, for crawls that go on after an interruption, and for more URLs than the memory can hold.

    The changes of a call that has returned are kept if the process ends at any moment, also by `kill -9`. After a power
    failure or a crash of the system the file is intact, but the changes since the last checkpoint may be missing, which
    SQLite makes after some 16 MB of changes. Entries that were taken and not finished wait again.

    SQLite runs in a thread of its own, which executes the calls in their order, so the event loop is never blocked. A
    call of one entry costs nearly as much as a call of a hundred. URLs that were seen are known by hashes of 64 bits:
    the probability that two of ten million URLs have the same hash, so that one is not fetched, is 1 to 350,000.

    Args:
        path: the file; it and its folder are created if they do not exist. While it is open, the file with `-wal` after
            its name belongs to it, and no other process can open it.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._store = Store(path)
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> Counts:
        """Open the file, and return what an earlier crawl left in it.

        Raises:
            FrontierError: the file is of another kind or version, is in use, or can't be opened.
        """
        if self._thread is not None:
            raise RuntimeError("expected a closed frontier, got one that is open")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="SQLiteFrontier")
        try:
            return await self._call(self._store.open)
        except BaseException:
            await self.aclose()  # the file may be open, also after a cancellation
            raise

    async def add(self, entries: Sequence[Entry]) -> dict[str, int]:
        """Add the entries whose URLs were never added; return how many were new, by host.

        Raises:
            TypeError: JSON can't hold the meta of an entry. None of the entries was added.
        """
        return await self._call(self._store.add, entries)

    async def take(self, wanted: Mapping[str, int]) -> dict[str, Taken]:
        """Take waiting entries: for each host at most as many as the number says."""
        taken = self._submit(self._store.take, wanted)
        try:
            return await asyncio.wrap_future(taken)
        except asyncio.CancelledError:
            self._submit(self._give_back, taken)  # executed after the call, which may be in progress
            raise

    def _give_back(self, taken: Future[dict[str, Taken]]) -> None:
        if not taken.cancelled() and taken.exception() is None:
            self._store.give_back(taken.result())

    async def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Write what became of taken entries."""
        await self._call(self._store.finish, outcomes)

    async def find_hosts(self, limit: int, known: Collection[str]) -> list[str]:
        """Return at most `limit` hosts that have entries to take and are not known.

        The search goes on behind the hosts that were found before, so that all get their turn.
        """
        return await self._call(self._store.find_hosts, limit, known)

    async def failures(self) -> AsyncIterator[tuple[Entry, str]]:
        """Yield each failed entry with its reason."""
        last = 0
        while failures := await self._call(self._store.find_failures, last):
            for failure in failures:
                yield failure
            last = failures[-1][0].id

    async def retry_failed(self) -> int:
        """Give all failed entries again, with 0 attempts; return how many there were."""
        return await self._call(self._store.retry_failed)

    async def aclose(self) -> None:
        """Close the file; may be called any number of times."""
        if self._thread is None:
            return
        closing, thread = self._submit(self._store.close), self._thread
        self._thread = None
        thread.shutdown(wait=False)  # it ends after its last call
        await asyncio.shield(asyncio.wrap_future(closing))

    async def _call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await asyncio.wrap_future(self._submit(function, *args, **kwargs))

    def _submit(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        if self._thread is None:
            raise RuntimeError("expected an open frontier: await open() first")
        return self._thread.submit(function, *args, **kwargs)
