"""Run the interpreter's own tests of streams on asyncio's StreamReader or on the engine's: LIBRARY REPORT NAME…

open_connection() and start_server() make their readers of the same class, so their tests run on it as well.
"""

import asyncio
import asyncio.streams
import sys
from collections import Counter

from asyncclient.stream.aio import AioStream
from asyncclient.timeouts import Timeout
from tests.conformance.cpython_run import run_tests
from tests.conformance.replacement import count

ASYNCIO = "asyncio"
ENGINE = "asyncclient"
READER = "StreamReader"


class Reader(AioStream):
    """The engine's stream with the constructor of a StreamReader, and the private attributes that its tests read."""

    def __init__(self, limit: int = AioStream.limit, loop: asyncio.AbstractEventLoop | None = None) -> None:
        if limit <= 0:
            raise ValueError("Limit cannot be <= 0")
        super().__init__(asyncio.get_event_loop() if loop is None else loop, "peer:0", Timeout.each(None))
        self.limit = limit

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return self.loop

    @property
    def _waiter(self) -> asyncio.Future[None] | None:
        return self._wake_up

    @property
    def _buffer(self) -> bytes:
        pieces, parts = self._pieces, []
        while pieces.size:
            parts.append(pieces.take(pieces.size))
        for part in parts:
            pieces.append(part)
        return b"".join(parts)


def use(library: str) -> Counter[str]:
    """Let StreamReader be that library's from now on; the counter says how many of them are made."""
    made: Counter[str] = Counter()
    if library == ENGINE:
        asyncio.StreamReader = asyncio.streams.StreamReader = Reader  # type: ignore[misc]
    count(asyncio.StreamReader, f"{library}.{READER}", made)
    return made


def main(library: str, path: str, *names: str) -> None:
    run_tests(use(library), path, names)


if __name__ == "__main__":
    main(*sys.argv[1:])
