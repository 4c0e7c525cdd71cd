"""The steps whose cost `make bench-check` holds, each with one connection, in this process alone.

    python -m benchmarks.steps PORT [--idle] [--rounds N]

The server is benchmarks.origin, in another process. Each step is done many times between two marks. A mark reads the
CPU time of this process and calls `getpriority`: under valgrind, benchmarks.check has the instructions counted from one
such call to the next. The lowest CPU seconds of each step are printed as JSON; with --idle, the bytes that
an idle connection holds are printed instead.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count

import uvloop

import compat.client
from asyncclient import Client, HTTPConnection, PoolLimits
from asyncclient.message.head import parse_head
from benchmarks.machine import HOST
from benchmarks.origin import FIELDS, SMALL

REPEATS = 50
WARM_UP = 20
CHUNKED = "/chunked/10000/500"
REQUEST = b"GET /small HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

Once = Callable[[], Awaitable[object]]
"""Does a step once."""

Step = Callable[[int], AbstractAsyncContextManager[Once]]
"""Prepares a step, given the port of the server."""


@asynccontextmanager
async def bare_exchange(port: int) -> AsyncIterator[Once]:
    """A small exchange on asyncio's streams, in which nothing is parsed."""
    reader, writer = await asyncio.open_connection(HOST, port)

    async def once() -> None:
        writer.write(REQUEST)
        await reader.readexactly(len(SMALL))

    yield once
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def engine_exchange(port: int) -> AsyncIterator[Once]:
    """A small exchange on an HTTPConnection."""
    async with HTTPConnection(HOST, port) as connection:

        async def once() -> None:
            await connection.request("GET", "/small")
            response = await connection.getresponse()
            await response.read()

        yield once


def client_get(path: str) -> Step:
    """Return a GET with a Client."""

    @asynccontextmanager
    async def prepare(port: int) -> AsyncIterator[Once]:
        url = f"http://{HOST}:{port}{path}"
        async with Client(trust_env=False) as client:
            yield lambda: client.get(url)

    return prepare


@asynccontextmanager
async def compat_exchange(port: int) -> AsyncIterator[Once]:
    """A small exchange on a connection of compat, which blocks the event loop."""
    connection = compat.client.HTTPConnection(HOST, port)

    async def once() -> None:
        connection.request("GET", "/small")
        connection.getresponse().read()

    yield once
    connection.close()


@asynccontextmanager
async def new_head(_: int) -> AsyncIterator[Once]:
    """Parsing a head that was not received before, and looking at one of its fields."""
    numbers = count(1000)

    async def once() -> None:
        head = parse_head(FIELDS + b"Content-Length: %d\r\n\r\n" % next(numbers))
        assert head.is_simple
        assert head.fields["ETag"]

    yield once


BARE = "bare exchange"
STEPS: dict[str, Step] = {
    BARE: bare_exchange,
    "engine exchange": engine_exchange,
    "client GET": client_get("/small"),
    "chunked body": client_get(CHUNKED),
    "new connection": client_get("/close"),
    "compat exchange": compat_exchange,
    "new head": new_head,
}


def mark() -> float:
    """Return the CPU time of this process; the call of getpriority ends a section of valgrind's count."""
    os.getpriority(os.PRIO_PROCESS, 0)
    return time.process_time()


async def repeat(once: Once, times: int) -> None:
    """Do a step a number of times."""
    for _ in range(times):
        await once()


async def spend(step: Step, port: int) -> float:
    """Return the CPU seconds of the repeats of a step, after a warm-up."""
    async with step(port) as once:
        await repeat(once, WARM_UP)
        before = mark()
        await repeat(once, REPEATS)
        return mark() - before


async def take_turns(port: int, rounds: int) -> dict[str, float]:
    """Return the lowest CPU seconds of each step by name; the steps take turns."""
    spent = [[await spend(step, port) for step in STEPS.values()] for _ in range(rounds)]
    return {name: min(values) for name, *values in zip(STEPS, *spent, strict=True)}


async def measure_idle(port: int, first: int = 10, then: int = 300) -> float:
    """Return the bytes that Python has allocated for each idle connection of a client, after one request on it."""
    pool = PoolLimits(connections=then, per_host=then, idle=then, idle_per_host=then)
    async with Client(pool=pool, trust_env=False) as client:

        async def open_connections(number: int) -> None:
            url = f"http://{HOST}:{port}/held/{number}"
            await asyncio.gather(*(client.get(url) for _ in range(number)))
            await asyncio.sleep(0)  # until then, this task has the responses
            gc.collect()

        await open_connections(first)
        tracemalloc.start()
        await open_connections(then)
        held = tracemalloc.get_traced_memory()[0] / (then - first)
        tracemalloc.stop()
        return held


def main() -> None:
    """Do what the command line says, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--idle", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    gc.disable()
    work = measure_idle(options.port) if options.idle else take_turns(options.port, options.rounds)
    print(json.dumps(uvloop.run(work)))


if __name__ == "__main__":
    main()
