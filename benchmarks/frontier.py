"""The frontiers of a crawl with a million URLs: how fast they are added and taken, and the memory of the process.

    python -m benchmarks.frontier [-n 1000000] [--hosts 300] [--kind sqlite|memory] [--batch 10000]

URLs are normalised and added in batches. Then all are taken, up to 16 of each of up to 1000 hosts in a call, and
finished, one in 20 as failed. The rates are in URLs per second of time, and `cpu` in microseconds for each URL in
all threads. The memory is the largest of the whole process in MiB. `opening` and `closing` are the seconds that it
takes to open the file again while all URLs wait, and to close it after the last one.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from itertools import islice
from pathlib import Path

import uvloop

from asyncclient.crawl.entry import Entry, Outcome, State
from asyncclient.crawl.frontier import Frontier
from asyncclient.crawl.memory import MemoryFrontier
from asyncclient.crawl.sqlite import SQLiteFrontier
from asyncclient.crawl.urls import normalize_url
from benchmarks.machine import HERE, environment, peak

URLS, QUICK_URLS = 1_000_000, 100_000
HOSTS_AT_ONCE, URLS_AT_ONCE = 1000, 16
GOALS = {"adding": "at least 50,000", "taking": "at least 20,000", "memory": "below 150"}


def make_urls(number: int, hosts: int) -> Iterator[str]:
    """Yield URLs whose hosts are chosen at random."""
    chosen = random.Random(1)
    for count in range(number):
        yield f"https://www.host-{chosen.randrange(hosts)}.example/articles/2026/section/page-{count}.html"


async def add_all(frontier: Frontier, urls: list[str]) -> None:
    """Normalise and add the URLs."""
    await frontier.add([Entry(normalize_url(url), depth=1) for url in urls])


async def take_all(frontier: Frontier) -> int:
    """Take and finish all entries, and return their number."""
    number = 0
    while hosts := await frontier.find_hosts(HOSTS_AT_ONCE, ()):
        taken = await frontier.take(dict.fromkeys(hosts, URLS_AT_ONCE))
        entries = [entry for each in taken.values() for entry in each.entries]
        failed = len(entries) // 20
        outcomes = [Outcome(entry, State.FAILED, "connection reset") for entry in entries[:failed]]
        await frontier.finish(outcomes + [Outcome(entry, State.DONE) for entry in entries[failed:]])
        number += len(entries)
    return number


class Stopwatch:
    """Adds up the seconds of several works, and their CPU seconds."""

    def __init__(self) -> None:
        self.seconds = self.cpu = 0.0

    async def measure(self, work: Awaitable[object]) -> None:
        """Do a work."""
        started, cpu = time.perf_counter(), time.process_time()
        await work
        self.seconds += time.perf_counter() - started
        self.cpu += time.process_time() - cpu


async def measure(frontier: Frontier, number: int, hosts: int, batch: int) -> dict[str, float]:
    """Return the figures of a frontier."""
    adding, taking, opening, closing = (Stopwatch() for _ in range(4))
    await frontier.open()
    urls = make_urls(number, hosts)
    while found := [*islice(urls, batch)]:
        await adding.measure(add_all(frontier, found))
    await frontier.aclose()
    await opening.measure(frontier.open())
    await taking.measure(take_all(frontier))
    await closing.measure(frontier.aclose())
    counts = await frontier.open()
    assert (counts.waiting, counts.done + counts.failed) == (0, number), counts
    await frontier.aclose()
    return {
        "adding": number / adding.seconds,
        "taking": number / taking.seconds,
        "cpu adding": adding.cpu / number * 1e6,
        "cpu taking": taking.cpu / number * 1e6,
        "memory": peak() / 1024**2,
        "opening": opening.seconds,
        "closing": closing.seconds,
    }


def measure_all(*, is_quick: bool) -> None:
    """Print the figures of both frontiers with few and with many hosts, each in a process of its own."""
    print("wanted of sqlite:", ", ".join(f"{name} {goal}" for name, goal in GOALS.items()))
    number = QUICK_URLS if is_quick else URLS
    for kind, hosts in ((kind, hosts) for kind in ("sqlite", "memory") for hosts in (300, number // 10)):
        options = ["--kind", kind, "--hosts", str(hosts), "-n", str(number)]
        command = [sys.executable, "-m", "benchmarks.frontier", *options]
        ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=HERE.parent, env=environment())
        print(f"{kind}, {number:,} URLs, {hosts:,} hosts: {ran.stdout.decode().strip()}", flush=True)


def main() -> None:
    """Measure what the command line says, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=URLS)
    parser.add_argument("--hosts", type=int, default=300)
    parser.add_argument("--batch", type=int, default=10_000, help="URLs that are added in a call")
    parser.add_argument("--kind", default="sqlite", choices=("sqlite", "memory"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        frontier = MemoryFrontier() if options.kind == "memory" else SQLiteFrontier(Path(folder, "crawl.db"))
        found = uvloop.run(measure(frontier, options.n, options.hosts, options.batch))
    print(json.dumps({name: round(value, 2) for name, value in found.items()}))


if __name__ == "__main__":
    main()
