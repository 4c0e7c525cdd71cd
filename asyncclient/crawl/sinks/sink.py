"""The interface of a sink."""

from __future__ import annotations

from typing import Protocol

from ..page import Page


class Sink(Protocol):
    """Writes pages. The crawler waits for each call, so a slow sink slows the crawl down and takes no more memory.

    Methods must not block the event loop. A page is finished in the frontier only after flush() has returned: a crash
    before that repeats the page, and a crash after it loses nothing.

    A sink may also have a coroutine method `open()`, without arguments. The crawler awaits it before the first request,
    so that a folder which must not be written to is known by then.
    """

    async def write(self, page: Page) -> None:
        """Write a page; it may be kept in a buffer of limited size until flush()."""
        ...

    async def flush(self) -> None:
        """Pass everything that was written on to the system, so that it is not lost if the process is killed."""
        ...

    async def aclose(self) -> None:
        """Flush and close; may be called any number of times."""
        ...
