"""Many open connections from one process: memory of each, and CPU per request beside that at 100 at once.

    python -m benchmarks.scale [-n 19000] [--hosts 10] [--loop uvloop|asyncio] [--tls] [--client asyncclient|aiohttp]

The server is benchmarks.origin on 127.0.0.1, 127.0.0.2 … First 100 requests at once are measured. Then N requests are
made, which the server answers when all N wait: so N connections are open. At last, waves of N requests are measured on
these connections. Memory is that of the process, so it includes what uvloop, OpenSSL and malloc take.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path

import trustme
import uvloop

from benchmarks.machine import HERE, allow_many_files, environment, resident, serving

MOST = 19_000
SPARE = 500
"""Descriptors that are left for something else than connections."""

AT_ONCE, REPEATS, WAVES = 100, 200, 2
ROUNDS = 3
PATIENCE = 240.0
KEEP_ALIVE = 600.0

Get = Callable[[str], Awaitable[object]]
Opener = Callable[[int, ssl.SSLContext | None], AbstractAsyncContextManager[Get]]
"""Opens a client with a limit of connections; it closes the client at the end."""


@asynccontextmanager
async def open_ours(most: int, context: ssl.SSLContext | None) -> AsyncIterator[Get]:
    """Give the method `get` of asyncclient's client."""
    import asyncclient

    pool = asyncclient.PoolLimits(connections=most, per_host=most, idle=most, idle_per_host=most, keep_alive=KEEP_ALIVE)
    timeout = asyncclient.Timeout(connect=PATIENCE, tls=PATIENCE, read=PATIENCE)
    async with asyncclient.Client(pool=pool, ssl=context, timeout=timeout, trust_env=False) as client:
        yield client.get


@asynccontextmanager
async def open_aiohttp(most: int, context: ssl.SSLContext | None) -> AsyncIterator[Get]:
    """Give a function that makes a GET with aiohttp and reads the content."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=most, ssl=context or True, keepalive_timeout=KEEP_ALIVE)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as session:

        async def get(url: str) -> bytes:
            async with session.get(url) as response:
                content: bytes = await response.read()
                return content

        yield get


CLIENTS: dict[str, Opener] = {"asyncclient": open_ours, "aiohttp": open_aiohttp}


class Crowd:
    """Requests to several hosts at once."""

    def __init__(self, get: Get, urls: list[str]) -> None:
        self._get = get
        self._urls = urls

    async def spend(self, at_once: int, each: int) -> float:
        """Return microseconds of CPU for each of the requests of `at_once` tasks; the lowest of some rounds."""
        return min([await self._spend_once(at_once, each) for _ in range(ROUNDS)])

    async def _spend_once(self, at_once: int, each: int) -> float:
        started = time.process_time()
        await asyncio.gather(*(self._repeat(f"{self._url(task)}/small", each) for task in range(at_once)))
        return (time.process_time() - started) / at_once / each * 1e6

    async def _repeat(self, url: str, each: int) -> None:
        for _ in range(each):
            await self._get(url)

    def _url(self, task: int) -> str:
        return self._urls[task % len(self._urls)]

    async def open_all(self, number: int) -> int:
        """Make requests that are answered together; return the highest resident memory before the last answer."""
        tasks = [asyncio.create_task(self._repeat(f"{self._url(task)}/held/{number}", 1)) for task in range(number)]
        answered = asyncio.gather(*tasks)
        highest = 0
        while not answered.done():
            await asyncio.wait((answered,), timeout=0.1)
            highest = max(highest, resident())
        await answered
        return highest


async def measure(name: str, number: int, urls: list[str], context: ssl.SSLContext | None) -> dict[str, float]:
    """Return the figures of a client."""
    async with CLIENTS[name](number, context) as get:
        crowd = Crowd(get, urls)
        few = await crowd.spend(AT_ONCE, REPEATS)
        gc.collect()
        before, started = resident(), time.perf_counter()
        in_flight = await crowd.open_all(number)
        opening = time.perf_counter() - started
        gc.collect()
        idle = resident()
        many = await crowd.spend(number, WAVES)
        started = time.perf_counter()
    return {
        "connections": number,
        "in flight": (in_flight - before) / number / 1000,
        "idle": (idle - before) / number / 1000,
        "cpu": few,
        "factor": many / few,
        "opening": opening,
        "closing": time.perf_counter() - started,
    }


def measure_all(is_quick: bool) -> dict[str, dict[str, float]]:
    """Return the figures of the clients, each in a process of its own."""
    most = min(MOST, allow_many_files() - SPARE)
    plain, tls = (min(most, 2000), 500) if is_quick else (most, min(most, 2000))
    jobs: dict[str, list[str]] = {
        f"asyncclient, {plain:,} connections": ["-n", str(plain)],
        f"aiohttp, {plain:,} connections": ["-n", str(plain), "--client", "aiohttp"],
        f"asyncclient, {tls:,} TLS connections": ["-n", str(tls), "--tls"],
        f"asyncclient, {tls:,} TLS connections, asyncio's loop": ["-n", str(tls), "--tls", "--loop", "asyncio"],
        f"aiohttp, {tls:,} TLS connections": ["-n", str(tls), "--tls", "--client", "aiohttp"],
    }
    found = {}
    for title, options in jobs.items():
        command = [sys.executable, "-m", "benchmarks.scale", *options]
        ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=HERE.parent, env=environment())
        found[title] = json.loads(ran.stdout)
        print(f"{title}: {ran.stdout.decode().strip()}", flush=True)
    return found


def main() -> None:
    """Measure what the command line says, and print the figures as JSON: KB, microseconds and seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=MOST)
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--loop", default="uvloop", choices=("uvloop", "asyncio"))
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--client", default="asyncclient", choices=[*CLIENTS])
    options = parser.parse_args()
    allow_many_files()
    hosts = [f"127.0.0.{number + 1}" for number in range(options.hosts)]
    with ExitStack() as stack:
        context, more = None, []
        if options.tls:
            authority, folder = trustme.CA(), stack.enter_context(tempfile.TemporaryDirectory())
            certificate = Path(folder, "server.pem")
            authority.issue_cert(*hosts).private_key_and_cert_chain_pem.write_to_path(certificate)
            context, more = ssl.create_default_context(), ["--certificate", str(certificate)]
            authority.configure_trust(context)
        port = stack.enter_context(serving("--everywhere", *more))
        urls = [f"{'https' if options.tls else 'http'}://{host}:{port}" for host in hosts]
        loops = uvloop.new_event_loop if options.loop == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=loops) as runner:
            found = runner.run(measure(options.client, options.n, urls, context))
    print(json.dumps({name: round(value, 2) for name, value in found.items()}))


if __name__ == "__main__":
    main()
