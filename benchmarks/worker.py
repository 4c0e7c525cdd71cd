"""One contender and one row, in a process of its own, in the contender's environment.

    python -m benchmarks.worker CONTENDER ROW BASE FILE [CAFILE]

Connections are opened and some requests are made first. Then CPU time (of all threads) and time of the others are
measured. They are printed as JSON, with the highest resident memory of the process and the versions in use.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.metadata
import json
import sys
import time

import uvloop

from benchmarks import awaitable, blocking
from benchmarks.machine import peak
from benchmarks.rows import Row, suite_of
from benchmarks.setup import Setup

WARM_UP = 0.1
"""Part of the requests that are made before those that are measured."""


class Turn:
    """One turn of a contender in a row."""

    def __init__(self, row: Row, share: float, base: str) -> None:
        self._row = row
        self._base = base
        self._each = max(1, round(row.requests * share / row.at_once))
        self._warm_up = max(1, int(self._each * WARM_UP))

    async def spend(self, client: awaitable.Client) -> dict[str, float]:
        """Return the figures of an asynchronous client."""
        work = getattr(client, self._row.work)

        async def together(each: int) -> None:
            tasks = range(self._row.at_once)
            await asyncio.gather(*(work(self._row.urls(self._base, task, each)) for task in tasks))

        await together(self._warm_up)
        gc.collect()
        before = read_clocks()
        await together(self._each)
        return self._figures(before, read_clocks())

    def spend_blocking(self, client: blocking.Client) -> dict[str, float]:
        """Return the figures of a blocking client."""
        work = getattr(client, self._row.work)
        work(self._row.urls(self._base, 0, self._warm_up))
        urls = self._row.urls(self._base, 1, self._each)
        gc.collect()
        before = read_clocks()
        work(urls)
        return self._figures(before, read_clocks())

    def _figures(self, before: tuple[float, float], after: tuple[float, float]) -> dict[str, float]:
        requests = self._each * self._row.at_once
        cpu, seconds = after[0] - before[0], after[1] - before[1]
        return {"cpu": cpu / requests * 1e6, "rate": requests / seconds, "memory": peak() / 2**20}


def read_clocks() -> tuple[float, float]:
    """Return the CPU time of this process and the time, in seconds."""
    return time.process_time(), time.perf_counter()


def find_versions(contender: str) -> dict[str, str]:
    """Return the versions of Python, uvloop and the contender."""
    found = {"Python": sys.version.split()[0], "uvloop": importlib.metadata.version("uvloop")}
    for distribution in importlib.metadata.packages_distributions().get(contender, [])[:1]:
        found[contender] = importlib.metadata.version(distribution)
    return found


def main(name: str, row: str, base: str, file: str, cafile: str | None = None) -> None:
    """Print the figures of a turn."""
    suite = suite_of(row)
    setup = Setup(base, suite.rows[row].at_once, cafile, file)
    turn = Turn(suite.rows[row], suite.contenders[name].share, base)
    if name in blocking.CLIENTS:
        with blocking.CLIENTS[name](setup) as client:
            figures = turn.spend_blocking(client)
    else:
        figures = uvloop.run(run(turn, name, setup))
    print(json.dumps({**figures, "versions": find_versions(name)}))


async def run(turn: Turn, name: str, setup: Setup) -> dict[str, float]:
    """Return the figures of an asynchronous contender."""
    async with awaitable.CLIENTS[name](setup) as client:
        return await turn.spend(client)


if __name__ == "__main__":
    main(*sys.argv[1:])
