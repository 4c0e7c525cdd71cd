"""Crawling: pages per second and per second of CPU, beside a bare gather, aiohttp with a queue, and Scrapy.

    python -m benchmarks.crawl [--urls 20000] [--hosts 300] [--rounds 3] [CONTENDER …]

The URLs are known from the start and spread over the hosts 127.0.0.1, 127.0.0.2 … of benchmarks.origin, which has a
core of its own. No contender has manners: 100 connections, 8 for each host. Each runs in a new process for each round,
in turns. `make bench ROWS=crawl` runs it where Scrapy is installed; otherwise name contenders, or an interpreter that
has Scrapy: --scrapy PYTHON.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import uvloop

from benchmarks.machine import HERE, allow_many_files, environment, peak, serving

CONNECTIONS, PER_HOST = 100, 8
PATIENCE = 600.0
URLS, HOSTS, ROUNDS = 20_000, 300, 3


async def crawl_with_gather(urls: list[str], folder: Path) -> int:
    """A task for each URL."""
    import asyncclient

    pool = asyncclient.PoolLimits(connections=CONNECTIONS, per_host=PER_HOST, idle=CONNECTIONS)
    async with asyncclient.Client(pool=pool, timeout=PATIENCE, trust_env=False) as client:
        responses = await asyncio.gather(*map(client.get, urls))
    return sum(response.status == 200 for response in responses)


async def crawl_in_memory(urls: list[str], folder: Path, frontier: Path | None = None) -> int:
    """The crawler, without rules."""
    from asyncclient.crawl import Crawler

    fetched = 0
    crawler = Crawler(
        agent="bench",
        frontier=frontier,
        rules=None,
        robots=False,
        connections=CONNECTIONS,
        per_host=PER_HOST,
        idle=0,
    )
    async with crawler:
        await crawler.add(urls)
        async for page in crawler:
            fetched += page.status == 200
    return fetched


async def crawl_with_sqlite(urls: list[str], folder: Path) -> int:
    """The crawler with its URLs in a file."""
    return await crawl_in_memory(urls, folder, folder / "crawl.db")


async def crawl_politely(urls: list[str], folder: Path) -> int:
    """The crawler, with rules that hold nothing up."""
    from asyncclient.crawl import Crawler
    from asyncclient.politeness import Rules

    fetched = 0
    rules = Rules(connections=PER_HOST)
    async with Crawler(agent="bench", rules=rules, robots=False, connections=CONNECTIONS, idle=0) as crawler:
        await crawler.add(urls)
        async for page in crawler:
            fetched += page.status == 200
    return fetched


async def crawl_with_aiohttp(urls: list[str], folder: Path) -> int:
    """A queue, and a task for each connection."""
    import aiohttp

    queue: asyncio.Queue[str] = asyncio.Queue()
    for url in urls:
        queue.put_nowait(url)
    fetched = 0

    async def work(session: aiohttp.ClientSession) -> None:
        nonlocal fetched
        while not queue.empty():
            async with session.get(queue.get_nowait()) as response:
                await response.read()
                fetched += response.status == 200

    connector = aiohttp.TCPConnector(limit=CONNECTIONS, limit_per_host=PER_HOST)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(work(session) for _ in range(CONNECTIONS)))
    return fetched


Contender = Callable[[list[str], Path], Awaitable[int]]

CONTENDERS: dict[str, Contender] = {
    "gather": crawl_with_gather,
    "crawler": crawl_in_memory,
    "crawler, SQLite": crawl_with_sqlite,
    "crawler, rules": crawl_politely,
    "aiohttp": crawl_with_aiohttp,
}
SCRAPY = "Scrapy"


def run_scrapy(urls: list[str]) -> int:
    """Scrapy, with the same limits and as little else as its settings allow."""
    import scrapy
    from scrapy.crawler import CrawlerProcess

    class Spider(scrapy.Spider):  # type: ignore[misc]
        name = "bench"
        start_urls = urls
        fetched = 0

        async def parse(self, response: object) -> None:
            Spider.fetched += 1

    process = CrawlerProcess(
        {
            "CONCURRENT_REQUESTS": CONNECTIONS,
            "CONCURRENT_REQUESTS_PER_DOMAIN": PER_HOST,
            "DOWNLOAD_DELAY": 0,
            "LOG_ENABLED": False,
            "TELNETCONSOLE_ENABLED": False,
            "ROBOTSTXT_OBEY": False,
            "COOKIES_ENABLED": False,
        }
    )
    process.crawl(Spider)
    process.start()
    return Spider.fetched


def measure(name: str, port: int, number: int, hosts: int) -> dict[str, float]:
    """Return the figures of a contender, run in this process."""
    urls = [
        f"http://127.0.{host // 250}.{host % 250 + 1}:{port}/small?{n}" for n in range(number) for host in (n % hosts,)
    ]
    with tempfile.TemporaryDirectory() as folder:
        started, cpu = time.perf_counter(), time.process_time()
        if name == SCRAPY:
            fetched = run_scrapy(urls)
        else:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                fetched = runner.run(_await(CONTENDERS[name](urls, Path(folder))))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    assert fetched == number, f"{name} fetched {fetched} of {number}"
    return {"pages/s": number / seconds, "pages/CPU s": number / cpu, "MB": peak() / 1e6}


async def _await(awaitable: Awaitable[int]) -> int:
    return await awaitable


def compare(
    names: list[str], *, number: int = URLS, hosts: int = HOSTS, rounds: int = ROUNDS, scrapy: str = sys.executable
) -> None:
    """Run the contenders in turns, and print their medians beside those of the first one."""
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with serving("--everywhere") as port:
        for _ in range(rounds):
            for name in names:
                python = scrapy if name == SCRAPY else sys.executable
                arguments = ["--urls", str(number), "--hosts", str(hosts), "--port", str(port), name]
                command = [python, "-m", "benchmarks.crawl", *arguments]
                ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=HERE.parent, env=environment())
                turns[name].append(json.loads(ran.stdout.splitlines()[-1]))
    first = names[0]
    for name in names:
        figures = {key: median(turn[key] for turn in turns[name]) for key in turns[name][0]}
        ratios = [median(a[key] / b[key] for a, b in zip(turns[name], turns[first], strict=True)) for key in figures]
        shown = "  ".join(
            f"{key} {value:9,.0f} ({ratio:.2f})" for (key, value), ratio in zip(figures.items(), ratios, strict=True)
        )
        print(f"{name:16} {shown}")


def measure_all(*, is_quick: bool) -> None:
    """Compare all contenders; Scrapy if it is installed."""
    names = [*CONTENDERS, *([SCRAPY] if importlib.util.find_spec("scrapy") else [])]
    if is_quick:
        compare(names, number=2000, hosts=300, rounds=1)
    else:
        compare(names)


def main() -> None:
    """Compare the contenders, or measure one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--urls", type=int, default=URLS)
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--scrapy", default=sys.executable, metavar="PYTHON", help="an interpreter that has Scrapy")
    parser.add_argument("contenders", nargs="*", metavar="CONTENDER", help=", ".join([*CONTENDERS, SCRAPY]))
    options = parser.parse_args()
    allow_many_files()
    if options.port:
        print(json.dumps(measure(options.contenders[0], options.port, options.urls, options.hosts)))
    else:
        names = options.contenders or [*CONTENDERS, SCRAPY]
        compare(names, number=options.urls, hosts=options.hosts, rounds=options.rounds, scrapy=options.scrapy)


if __name__ == "__main__":
    main()
