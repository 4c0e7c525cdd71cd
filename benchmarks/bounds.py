"""Figures that have a bound instead of a rival: growth in memory, delays of the loop, starts, leaks.

    python -m benchmarks.bounds [NAME …]

Each is measured in processes of their own, because a process keeps what it has grown by.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import ssl
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import uvloop

from asyncclient import Client
from asyncclient.errors import ContentTooLarge
from benchmarks.machine import HERE, HOST, big_file, environment, peak, resident, serving
from benchmarks.origin import BOMB

MIB = 1024 * 1024
GIB = 1024 * MIB
TICK = 0.001
ROUNDS = 7
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def show(title: str, value: float, limit: str) -> None:
    """Print a figure and its bound."""
    print(f"{title:<66} {value:7.2f}  wanted: {limit}", flush=True)


def run_part(name: str, *arguments: object) -> Any:
    """Return the result of a part of this module in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bounds", "--part", name, *map(str, arguments)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=HERE.parent, env=environment())
    return json.loads(ran.stdout)


class Ticker:
    """The longest delay of the loop, seen by a coroutine that sleeps for a millisecond at a time."""

    def __init__(self) -> None:
        self.longest = 0.0  # seconds

    async def tick(self) -> None:
        """Go on until cancelled."""
        while True:
            wanted = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            self.longest = max(self.longest, time.perf_counter() - wanted)

    async def during(self, work: Awaitable[object]) -> None:
        """Do the work in the meantime."""
        ticking = asyncio.create_task(self.tick())
        try:
            await work
        finally:
            await asyncio.sleep(2 * TICK)  # a delay at the end is noticed only now
            ticking.cancel()


# Growth


async def read_pieces(client: Client, url: str) -> None:
    """Read a response piece by piece, keeping none."""
    async with client.stream("GET", url) as response:
        async for _ in response.iter_chunks():
            pass


def read_bomb(way: str, port: str) -> tuple[float, float]:
    """Return the bytes by which a bomb makes the process grow, and the longest delay of the loop."""
    ticker = Ticker()
    url = f"http://{HOST}:{port}/bomb"

    async def fetch() -> int:
        async with Client() as client:
            await client.get(f"http://{HOST}:{port}/json")
            before = peak()
            try:
                await ticker.during(client.get(url) if way == "get" else read_pieces(client, url))
            except ContentTooLarge:
                return peak() - before
        raise AssertionError("the bomb was not refused")

    return uvloop.run(fetch()), ticker.longest


def measure_bomb() -> None:
    """Growth by a bomb of 300 MiB, read whole and piece by piece."""
    with serving() as port:
        for way in ("get", "stream"):
            grown, late = run_part("bomb", way, port)
            show(f"MiB of growth by a gzip bomb of {BOMB // MIB} MiB, {way}", grown / MIB, "less than 48")
            show(f"longest delay of the loop in that time, ms, {way}", 1000 * late, "at most 55")


def send_file(path: str, way: str, kind: str, port: str) -> tuple[float, float]:
    """Return the bytes by which an upload makes the process grow, and the longest delay of the loop."""
    ticker = Ticker()

    async def send() -> int:
        async with Client() as client:

            async def put(file: Path) -> None:
                url = f"http://{HOST}:{port}/sink"
                sent = client.post(url, files={"file": file}) if way == "multipart" else client.put(url, body=file)
                assert (await sent).ok

            with big_file(16 * MIB) as first:
                await put(first)
            before = peak()
            await ticker.during(put(Path(path)))
            return peak() - before

    with asyncio.Runner(loop_factory=LOOPS[kind]) as runner:
        return runner.run(send()), ticker.longest


def measure_uploads() -> None:
    """Growth by an upload of 1 GiB from a file, as it is and as multipart, on both loops."""
    with serving() as port, big_file(GIB) as path:
        for way, kind in ((way, kind) for way in ("file", "multipart") for kind in LOOPS):
            grown, late = run_part("upload", path, way, kind, port)
            show(f"MiB of growth by an upload of 1 GiB, {way}, {kind}", grown / MIB, "less than 4")
            show(f"longest delay of the loop in that time, ms, {way}, {kind}", 1000 * late, "at most 20")


def receive_file(port: str) -> int:
    """Return the bytes by which a download of 1 GiB in pieces makes the process grow."""

    async def receive() -> int:
        async with Client() as client:
            await read_pieces(client, f"http://{HOST}:{port}/bytes/{16 * MIB}")
            before = peak()
            await read_pieces(client, f"http://{HOST}:{port}/bytes/{GIB}")
            return peak() - before

    return uvloop.run(receive())


def measure_download() -> None:
    """Growth by a download of 1 GiB in pieces."""
    with serving() as port:
        show("MiB of growth by a download of 1 GiB", run_part("download", port) / MIB, "less than 4")


def visit_hosts(number: str, port: str) -> list[int]:
    """Return the resident bytes after half of the hosts were asked once, and after all of them."""

    async def fetch() -> list[int]:
        sizes = []
        async with Client() as client:
            for host in range(int(number)):
                response = await client.get(f"http://127.0.{1 + host // 250}.{1 + host % 250}:{port}/small")
                assert response.ok
                if host + 1 in (int(number) // 2, int(number)):
                    gc.collect()
                    sizes.append(resident())
        return sizes

    return uvloop.run(fetch())


def measure_hosts(number: int = 2000) -> None:
    """Growth by hosts that are asked once, after as many others: what is remembered of them ends."""
    with serving("--everywhere") as port:
        middle, end = run_part("hosts", number, port)
        show(f"MiB of growth by {number // 2:,} more hosts, after {number // 2:,}", (end - middle) / MIB, "less than 1")


# Starts


def construct_clients(port: str) -> tuple[float, float, int]:
    """Return milliseconds of the first `Client()` and of later ones, and the TLS contexts after a request."""

    def construct() -> float:
        started = time.perf_counter()
        Client()
        return 1000 * (time.perf_counter() - started)

    async def fetch() -> None:
        async with Client() as client:
            await client.get(f"http://{HOST}:{port}/small")

    first, later = construct(), statistics.median(construct() for _ in range(100))
    uvloop.run(fetch())
    return first, later, sum(isinstance(found, ssl.SSLContext) for found in gc.get_objects())


def measure_construct() -> None:
    """Time of `Client()`, the first one and later ones, and the TLS contexts that a request by http:// makes."""
    with serving() as port:
        runs = [run_part("construct", port) for _ in range(ROUNDS)]
    first, later, contexts = map(statistics.median, zip(*runs, strict=True))
    show("ms of the first Client() in a process", first, "below 1")
    show("ms of a later Client()", later, "below 1")
    show("TLS contexts made by a request for http://", contexts, "0")


def start(code: str) -> float:
    """Run a program in its own interpreter; return the CPU seconds of the process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=HERE.parent, env=environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure_import() -> None:
    """CPU of the import beyond that of asyncio and ssl."""
    without, ours = "import asyncio, ssl", "import asyncio, ssl, asyncclient"
    start(ours)  # writes bytecode
    differences = [start(ours) - start(without) for _ in range(2 * ROUNDS)]
    show("ms of import asyncclient beyond asyncio, ssl", 1000 * statistics.median(differences), "at most 15")


def measure_cold_start() -> None:
    """CPU of a process that makes one request with compat, as a multiple of http.client's."""
    code = (
        "from {} import client; c = client.HTTPConnection('{}', {}); c.request('GET', '/small'); "
        "assert len(c.getresponse().read()) == 200; c.close()"
    )
    with serving() as port:
        ours, theirs = (code.format(package, HOST, port) for package in ("compat", "http"))
        start(ours)  # writes bytecode
        ratios = [start(ours) / start(theirs) for _ in range(2 * ROUNDS)]
    show("CPU of a cold start of compat / http.client", statistics.median(ratios), "at most 2.2")


# Leaks


def held() -> dict[str, int]:
    """Return the resources of the process: descriptors, threads, open event loops, KiB of memory."""
    loops = [each for each in gc.get_objects() if isinstance(each, asyncio.AbstractEventLoop) and not each.is_closed()]
    return {
        "descriptors": len(os.listdir("/proc/self/fd")) - 1,  # without the descriptor of the listing
        "threads": threading.active_count(),
        "loops": len(loops),
        "KiB": resident() // 1024,
    }


def use_and_drop(package: str, port: str) -> dict[str, dict[str, int]]:
    """Return the resources before the work, after a tenth of it, while connections are open, and at the end.

    The work is 10,000 requests on one connection, 2,000 on new ones, and 300 connections that are dropped in different
    states. No garbage collection runs after the drop: a descriptor must be closed when it cannot be used any more.
    """
    module = import_module(f"{package}.client")

    def get(connection: Any) -> Any:
        connection.request("GET", "/small")
        return connection.getresponse()

    def work(share: int) -> dict[str, int]:
        kept = module.HTTPConnection(HOST, port, timeout=30)
        for _ in range(10_000 // share):
            get(kept).read()
        kept.close()
        for _ in range(2_000 // share):
            opened = module.HTTPConnection(HOST, port, timeout=30)
            get(opened).read()
            opened.close()
        return drop(300 // share)

    def drop(number: int) -> dict[str, int]:
        opened = [module.HTTPConnection(HOST, port, timeout=30) for _ in range(number)]
        opened[0].request("GET", "/small")
        responses = [get(each) for each in opened[1:]]
        for response in responses[::2]:
            response.read()
        return held()

    stages = {"imported": held()}
    work(10)
    stages["used"] = held()
    stages["together"] = work(1)
    stages["after"] = held()
    return stages


def measure_leaks() -> None:
    """Resources of compat and of http.client after much work."""
    with serving() as port:
        for package in ("compat", "http"):
            for stage, found in run_part("leaks", package, port).items():
                print(f"{package}.client, {stage:<10}", ", ".join(f"{found[name]:,} {name}" for name in found))


MEASURES: dict[str, Callable[[], None]] = {
    "bomb": measure_bomb,
    "uploads": measure_uploads,
    "download": measure_download,
    "hosts": measure_hosts,
    "construct": measure_construct,
    "import": measure_import,
    "cold-start": measure_cold_start,
    "leaks": measure_leaks,
}
PARTS: dict[str, Callable[..., object]] = {
    "bomb": read_bomb,
    "upload": send_file,
    "download": receive_file,
    "hosts": visit_hosts,
    "construct": construct_clients,
    "leaks": use_and_drop,
}


def main() -> None:
    """Measure what the command line names, or everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(MEASURES)}")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(PARTS[options.part](*options.names)))
        return
    if unknown := set(options.names) - {*MEASURES}:
        parser.error(f"expected some of {', '.join(MEASURES)}, got {', '.join(sorted(unknown))}")
    for name in options.names or MEASURES:
        MEASURES[name]()


if __name__ == "__main__":
    main()
