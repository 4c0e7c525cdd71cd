"""The way of the pages to the program: a queue of limited size, and which pages the program is done with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from .page import Page


class Delivery:
    """Hands pages to the loops of the program. A full queue lets those wait that fetch pages.

    Args:
        size: pages that may wait.
        write: called with each page before a loop gets it.
        finish: called with each page when its loop asks for the next one.
        leave: called with a page whose loop has ended before that, and which may never be finished.
        wait_for_room: awaited after `finish`; it returns when finished pages are not too many to be written.
    """

    def __init__(
        self,
        size: int,
        write: Callable[[Page], Awaitable[None]],
        finish: Callable[[Page], None],
        leave: Callable[[Page], None],
        wait_for_room: Callable[[], Awaitable[None]],
    ) -> None:
        self._queue: asyncio.Queue[Page | BaseException | None] = asyncio.Queue(size)
        self._write = write
        self._finish = finish
        self._leave = leave
        self._wait_for_room = wait_for_room
        self._in_hand = 0
        self._left: list[Page] = []
        self._error: BaseException | None = None
        self.has_ended = False

    @property
    def ready(self) -> int:
        """The number of pages that wait."""
        return 0 if self.has_ended else self._queue.qsize()

    @property
    def is_empty(self) -> bool:
        """True if no page waits, and none is in the hands of a loop."""
        return not self._in_hand and self._queue.empty()

    async def put(self, page: Page) -> None:
        """Add a page; wait while the queue is full."""
        if self._queue.full():
            await self._queue.put(page)
        else:
            self._queue.put_nowait(page)

    async def iterate(self) -> AsyncIterator[Page]:
        """Yield pages until the end. Several loops may share the pages."""
        while (page := await self._get()) is not None:
            self._in_hand += 1
            is_done = False
            try:
                await self._write(page)
                yield page
                is_done = True
            except GeneratorExit:
                self._left.append(page)
                raise
            finally:
                self._in_hand -= 1
                if not is_done:
                    self._leave(page)
            self._finish(page)
            await self._wait_for_room()

    async def _get(self) -> Page | None:
        queue = self._queue
        item = queue.get_nowait() if queue.qsize() else await queue.get()
        if isinstance(item, Page):
            return item
        queue.put_nowait(item)  # for the other loops
        if item is not None:
            raise item
        return None

    def end(self, error: BaseException | None = None) -> None:
        """End all loops, once they have got the pages that wait, or at once with an error."""
        if self.has_ended:
            return
        if error is not None:
            self._drain()
        self.has_ended, self._error = True, error
        self._queue.put_nowait(error)

    def close(self) -> None:
        """End all loops at once; pages that wait are dropped."""
        if not self.has_ended:
            self._drain()
            self.end()

    def _drain(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()

    def reopen(self) -> None:
        """Let loops go on after an end without error."""
        if self.has_ended and self._error is None:
            self._queue.get_nowait()
            self.has_ended = False

    def finish_left(self) -> None:
        """Finish the pages whose loops were left, as by `break`."""
        left, self._left = self._left, []
        for page in left:
            self._finish(page)
