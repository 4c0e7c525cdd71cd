"""Batches of items, which are written by worker threads, one batch after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Generic, TypeVar

_T = TypeVar("_T")

BUFFER: Final = 1024 * 1024
"""Bytes of the items of a batch, unless the sink needs other ones."""


class Batches(Generic[_T]):
    """Collects items up to a size, and writes them by a function that may block, in a worker thread.

    Its methods may be called by several tasks at once. If a call is cancelled, the batch is written nevertheless; if
    writing fails, the items are kept for the next call.

    Args:
        write: writes a batch: all of it, or none if it fails.
        close: closes what `write` has opened.
        size: of the items that are collected; one item may be larger.
    """

    def __init__(self, write: Callable[[list[_T]], None], close: Callable[[], None], *, size: int = BUFFER) -> None:
        self._write = write
        self._close = close
        self._limit = size
        self._items: list[_T] = []
        self._size = 0
        self._batch = (0, 0)  # the number of items that are being written, and their size
        self._writing: asyncio.Future[None] | None = None
        self._lock = asyncio.Lock()
        self._thread: ThreadPoolExecutor | None = None  # of its own, so that calls are made in order
        self._is_closed = False

    async def open(self, function: Callable[[], None]) -> None:
        """Call a function that opens what `write` needs, in the thread that writes.

        Raises: its errors.
        """
        await self._call(function)

    async def add(self, item: _T, size: int) -> None:
        """Add an item of this size; if there is no room, write the others first.

        Raises:
            ValueError: aclose() was called.
            OSError: see flush(); the item is not added then.
        """
        if self._is_closed:
            raise ValueError("expected an open sink, got one that was closed")
        if self._size >= self._limit:
            await self.flush()
        self._items.append(item)
        self._size += size

    async def flush(self) -> None:
        """Write all items that were added.

        Raises:
            OSError: they can't be written.
        """
        async with self._lock:
            if self._writing is not None:  # the call that began it was cancelled
                await self._finish()
            if self._items:
                self._batch = len(self._items), self._size
                self._writing = self._call(self._write, [*self._items])
                await self._finish()

    async def _finish(self) -> None:
        assert self._writing is not None
        await asyncio.wait([self._writing])
        writing, self._writing = self._writing, None
        writing.result()
        count, size = self._batch
        del self._items[:count]
        self._size -= size

    def _call(self, function: Callable[..., None], *args: Any) -> asyncio.Future[None]:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="asyncclient-sink")
        return asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    async def aclose(self) -> None:
        """Write all items, and close; may be called any number of times. It is closed also if writing fails."""
        self._is_closed = True
        try:
            await self.flush()
        finally:
            self._items.clear()
            if self._thread is not None:
                closing = self._call(self._close)
                self._thread.shutdown(wait=False)
                self._thread = None
                await asyncio.shield(closing)
