"""A crawl over dask's workers, beside one process of the client: fetches per second, and the CPU of each process.

    python -m benchmarks.cluster [--urls 40000] [--hosts 300] [--workers 2] [--rounds 3] [CONTENDER …]

The URLs are known from the start and spread over the hosts 127.0.0.1, 127.0.0.2 … of benchmarks.origin, a process of
its own. Each contender runs in a new process for each round, in turns:

    client         a gather over Client.get; the client has a core, and the server another one
    client, share  the same, with the server on the same core: the share of the machine that a worker has
    crawler        Crawler with rules that hold nothing up, on a core, and the server on another one
    cluster        ClusterCrawler with LocalCluster; workers, scheduler, frontier and server share all cores

So with two workers on two cores, the ratio of `cluster` to `client, share` shows the costs of the distribution. Times
mean nothing on a busy machine; the CPU time of each process does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import uvloop

from benchmarks.machine import CLIENT_CORE, HERE, allow_many_files, environment, on_core, running_origin, serving

if TYPE_CHECKING:
    from asyncclient.crawl.base import BaseCrawler

CONNECTIONS, PER_HOST = 100, 2
IDLE = 600
"""Connections that are kept in addition, so that each host has one."""
PATIENCE = 600.0
BATCH, WINDOW = 1000, 4000

Figures = dict[str, float]


async def fetch_with_client(urls: list[str], options: argparse.Namespace) -> Figures:
    """A task for each connection; they share the URLs."""
    import asyncclient

    most = CONNECTIONS + IDLE
    pool = asyncclient.PoolLimits(connections=most, per_host=PER_HOST, idle=most, idle_per_host=PER_HOST)
    rest = iter(urls)
    async with asyncclient.Client(pool=pool, timeout=PATIENCE, trust_env=False) as client:

        async def work() -> int:
            return sum([(await client.get(url)).status == 200 for url in rest])

        started, cpu = time.perf_counter(), time.process_time()
        fetched = sum(await asyncio.gather(*(work() for _ in range(CONNECTIONS))))
    return {
        "fetched": fetched,
        "seconds": time.perf_counter() - started,
        "client": time.process_time() - cpu,
    }


async def count_pages(crawler: BaseCrawler, urls: list[str]) -> int:
    """Crawl the URLs; return how many were fetched."""
    await crawler.add(urls)
    return sum([page.status == 200 async for page in crawler])


async def fetch_with_crawler(urls: list[str], options: argparse.Namespace) -> Figures:
    """The crawler of one process."""
    from asyncclient.crawl import Crawler
    from asyncclient.politeness import Rules

    rules = Rules(connections=PER_HOST)
    async with Crawler(agent="bench", rules=rules, robots=False, connections=CONNECTIONS, idle=IDLE) as crawler:
        started, cpu = time.perf_counter(), time.process_time()
        fetched = await count_pages(crawler, urls)
    return {
        "fetched": fetched,
        "seconds": time.perf_counter() - started,
        "client": time.process_time() - cpu,
    }


async def fetch_with_cluster(urls: list[str], options: argparse.Namespace) -> Figures:
    """The crawler of a cluster; its workers use uvloop."""
    import dask
    from distributed import Client, LocalCluster

    from asyncclient.contrib.dask import ClusterCrawler
    from asyncclient.politeness import Rules

    rules = Rules(connections=PER_HOST)
    dask.config.set({"distributed.admin.event-loop": "uvloop"})
    local: dict[str, object] = {"processes": True, "threads_per_worker": 1, "dashboard_address": None}
    async with (
        LocalCluster(n_workers=options.workers, asynchronous=True, **local) as cluster,
        Client(cluster, asynchronous=True) as client,
        ClusterCrawler(
            client, agent="bench", rules=rules, robots=False, connections=CONNECTIONS, batch=BATCH, window=WINDOW
        ) as crawler,
    ):
        workers = (await client.run(os.getpid)).values()
        before = sum(map(cpu_of, workers))
        started, cpu = time.perf_counter(), time.process_time()
        fetched = await count_pages(crawler, urls)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        after = sum(map(cpu_of, workers))
    return {"fetched": fetched, "seconds": seconds, "client": after - before, "frontier": cpu}


Contender = Callable[[list[str], argparse.Namespace], Awaitable[Figures]]

CONTENDERS: dict[str, Contender] = {
    "client": fetch_with_client,
    "client, share": fetch_with_client,
    "crawler": fetch_with_crawler,
    "cluster": fetch_with_cluster,
}


async def _await(figures: Awaitable[Figures]) -> Figures:
    return await figures


def cpu_of(process: int) -> float:
    """Return the seconds of CPU that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(name: str, port: int, options: argparse.Namespace) -> Figures:
    """Return the figures of a contender, run in this process."""
    urls = [
        f"http://127.0.{host // 250}.{host % 250 + 1}:{port}/small?{number}"
        for number in range(options.urls)
        for host in (number % options.hosts,)
    ]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(_await(CONTENDERS[name](urls, options)))
    assert figures["fetched"] == options.urls, f"{name} fetched {figures['fetched']} of {options.urls}"
    return figures


@contextmanager
def placed(name: str) -> Iterator[int]:
    """Run the server on the cores that a contender leaves to it, and place this process; yield the port."""
    with ExitStack() as stack:
        if name == "client, share":
            stack.enter_context(on_core(CLIENT_CORE))
        if name in ("cluster", "client, share"):
            yield stack.enter_context(running_origin("--everywhere", core=None))
        else:
            yield stack.enter_context(serving("--everywhere"))


def run_once(name: str, options: argparse.Namespace) -> Figures:
    """Return the figures of a contender, run in a process of its own, with the CPU of the server."""
    with placed(name) as port:
        (server,) = map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
        command = [sys.executable, "-m", "benchmarks.cluster", "--port", str(port), "--urls", str(options.urls)]
        command += ["--hosts", str(options.hosts), "--workers", str(options.workers), name]
        before = cpu_of(server)
        ran = subprocess.run(command, stdout=subprocess.PIPE, cwd=HERE.parent, env=environment(), check=True)
        cpu = cpu_of(server) - before
    return {**json.loads(ran.stdout.splitlines()[-1]), "server": cpu}


def describe(name: str, rounds: list[Figures], options: argparse.Namespace) -> str:
    """Return a line: fetches per second, and microseconds of CPU for each fetch."""
    rate = median(options.urls / figures["seconds"] for figures in rounds)
    best = max(options.urls / figures["seconds"] for figures in rounds)
    costs = [
        f"{part} {median(figures.get(part, 0.0) for figures in rounds) / options.urls * 1e6:5.1f}"
        for part in ("client", "frontier", "server")
    ]
    busy = median(
        (figures["client"] + figures.get("frontier", 0.0) + figures["server"]) / figures["seconds"]
        for figures in rounds
    )
    return f"{name:<14} {rate:>7,.0f} fetches/s (best {best:>7,.0f})   µs of CPU: {', '.join(costs)}   {busy:.2f} cores"


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contenders", nargs="*", metavar="CONTENDER", help=", ".join(CONTENDERS))
    parser.add_argument("--urls", type=int, default=40_000)
    parser.add_argument("--hosts", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, help="of a server that runs: measure one contender, and print its figures")
    options = parser.parse_args()
    allow_many_files()
    if options.port:
        print(json.dumps(measure(options.contenders[0], options.port, options)))
        return
    names = options.contenders or list(CONTENDERS)
    turns: dict[str, list[Figures]] = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            turns[name].append(run_once(name, options))
    for name in names:
        print(describe(name, turns[name], options))
    for base in ("client", "client, share"):
        if base in turns and "cluster" in turns:
            ratios = [
                one["seconds"] / other["seconds"] for one, other in zip(turns[base], turns["cluster"], strict=True)
            ]
            print(f"cluster : {base} = {median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
