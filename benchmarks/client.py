"""Compare the client with those of aiohttp and httpx, with their defaults: cookies, redirects, decoding, time limits.

Small requests are measured on uvloop, and by `regime` on asyncio's loop, too: there the client once took twice the
time (glibc maps and unmaps memory for each read of 256 KiB, unless the process has freed a larger piece before).
`varied` has responses with different heads; all others have equal heads, as servers send them until their clock ticks,
and the client does not parse an equal head again.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import httpx
import uvloop

from asyncclient import Client, HTTPConnection, PoolLimits
from asyncclient.errors import ContentTooLarge
from benchmarks.blocking import certificates
from benchmarks.engine import big_file
from benchmarks.machine import HERE, HOST, environment, peak, report, resident, serving, take_turns
from benchmarks.origin import BOMB

MIB = 1024 * 1024
TICK = 0.001

Loops = Callable[[], asyncio.AbstractEventLoop]


class Job(NamedTuple):
    """Requests to be made, `at_once` at any time.

    Args:
        requests: made in a turn.
        limits: what is wanted of CPU per request and of requests/s, as multiples of aiohttp's.
        is_unique: each has a URL of its own.
        body: sent as JSON, by POST.
    """

    title: str
    path: str
    at_once: int
    requests: int
    limits: tuple[str, str]
    is_unique: bool = False
    body: Any = None

    def urls(self, base: str, task: int) -> list[str]:
        """Return the URLs of one of the tasks."""
        numbers = range(self.requests // self.at_once)
        return [f"{base}{self.path}?{task}-{number}" if self.is_unique else base + self.path for number in numbers]


class Spent(NamedTuple):
    """CPU and rate of a turn."""

    cpu: float  # microseconds for each request
    rate: float  # requests per second


Fetch = Callable[[list[str]], Coroutine[None, None, None]]
"""Makes requests one after another. It calls the client itself: a coroutine between would be counted for the client."""

Work = Callable[[Job, str, ssl.SSLContext | None], Coroutine[None, None, Spent]]


async def spend(job: Job, base: str, fetch: Fetch) -> Spent:
    """Make a request with each task, to open connections, and then all others; return CPU and rate of these."""
    await asyncio.gather(*(fetch([base + job.path]) for _ in range(job.at_once)))
    tasks = [fetch(job.urls(base, task)) for task in range(job.at_once)]
    cpu, clock = time.process_time(), time.perf_counter()
    await asyncio.gather(*tasks)
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    return Spent(cpu / job.requests * 1e6, job.requests / clock)


async def spend_ours(job: Job, base: str, context: ssl.SSLContext | None) -> Spent:
    """Return CPU and rate of the requests with the client."""
    most = max(job.at_once, 100)
    pool = PoolLimits(connections=most, per_host=most, idle=most, idle_per_host=most)
    async with Client(pool=pool, ssl=context) as client:

        async def get(urls: list[str]) -> None:
            for url in urls:
                response = await client.get(url)
                assert response.content

        async def post(urls: list[str]) -> None:
            for url in urls:
                response = await client.post(url, json=job.body)
                assert response.content

        return await spend(job, base, get if job.body is None else post)


async def spend_aiohttp(job: Job, base: str, context: ssl.SSLContext | None) -> Spent:
    """Return CPU and rate of the same requests with aiohttp."""
    connector = aiohttp.TCPConnector(limit=max(job.at_once, 100), ssl=context or True)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def get(urls: list[str]) -> None:
            for url in urls:
                async with session.get(url) as response:
                    assert await response.read()

        async def post(urls: list[str]) -> None:
            for url in urls:
                async with session.post(url, json=job.body) as response:
                    assert await response.read()

        return await spend(job, base, get if job.body is None else post)


async def spend_httpx(job: Job, base: str, context: ssl.SSLContext | None) -> Spent:
    """Return CPU and rate of the same GET requests with httpx."""
    most = max(job.at_once, 100)
    limits = httpx.Limits(max_connections=most, max_keepalive_connections=most)
    async with httpx.AsyncClient(limits=limits, verify=context or True, timeout=30) as client:

        async def get(urls: list[str]) -> None:
            for url in urls:
                response = await client.get(url)
                assert response.content

        return await spend(job, base, get)


async def spend_engine(job: Job, base: str, _: ssl.SSLContext | None) -> Spent:
    """Return CPU and rate of the same requests with the engine alone, each task on its own connection."""
    async with AsyncExitStack() as stack:
        authority = base.removeprefix("http://")
        opened = [await stack.enter_async_context(HTTPConnection(authority, timeout=30)) for _ in range(job.at_once)]

        async def get(urls: list[str]) -> None:
            connection = opened.pop()
            for _ in urls:
                await connection.request("GET", job.path)
                response = await connection.getresponse()
                assert await response.read()
            opened.append(connection)

        return await spend(job, base, get)


def run(work: Work, job: Job, base: str, context: ssl.SSLContext | None = None, loops: Loops | None = None) -> Spent:
    """Do the work on a loop of its own."""
    with asyncio.Runner(loop_factory=loops or uvloop.new_event_loop) as runner:
        return runner.run(work(job, base, context))


def compare(job: Job, port: int, context: ssl.SSLContext | None = None, other: str = "aiohttp") -> None:
    """Print the ratios to another client of CPU per request and of requests/s."""
    base = f"{'http' if context is None else 'https'}://{HOST}:{port}"
    work = {"aiohttp": spend_aiohttp, "httpx": spend_httpx}[other]
    pairs = take_turns(lambda: run(spend_ours, job, base, context), lambda: run(work, job, base, context))
    report(f"CPU, {job.title}, / {other}", [(mine.cpu, theirs.cpu) for mine, theirs in pairs], job.limits[0], "µs")
    rates = [(mine.rate, theirs.rate) for mine, theirs in pairs]
    report(f"requests/s, {job.title}, / {other}", rates, job.limits[1], "requests/s")


HUNDRED = Job("100 at once", "/small", 100, 6000, ("at most .33", "at least 3"))
TLS = Job("100 at once over TLS", "/small", 100, 4000, ("at most .40", "at least 2.5"))
JOBS = {
    "single": Job("one at a time", "/small", 1, 3000, ("at most .36", "at least 2.5")),
    "hundred": HUNDRED,
    "thousand": Job("1000 at once", "/small", 1000, 10_000, ("at most .33", "at least 3.5")),
    "unique": Job("unique URLs", "/small", 100, 6000, ("at most .42", "at least 2.4"), is_unique=True),
    "varied": Job("heads that differ", "/varied", 100, 6000, ("at most .42", "at least 2.4")),
    "opening": Job("new connections, 50 at once", "/close", 50, 1500, ("at most .37", "at least 2.7")),
    "gzip": Job("100 at once, JSON in gzip", "/json", 100, 4000, ("at most .42", "at least 2.4")),
    "post": Job("100 at once, POST of JSON", "/sink", 100, 4000, ("at most .42", "at least 2.4"), body={"a": ["b", 1]}),
}


HTTPX_JOBS = {
    "httpx-single": Job("one at a time", "/small", 1, 1000, ("at most .2", "at least 5")),
    "httpx-hundred": Job("100 at once", "/small", 100, 1000, ("at most .2", "at least 5")),
}
"""The same compared with httpx, with fewer requests."""


def measure(job: Job, other: str = "aiohttp") -> None:
    """Requests to a server that never sleeps."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))  # the server inherits it
    with serving("--awake") as port:
        compare(job, port, other=other)


def measure_tls() -> None:
    """The same over TLS."""
    with certificates() as (certificate, cafile), serving("--awake", "--certificate", certificate) as port:
        compare(TLS, port, ssl.create_default_context(cafile=cafile))


def measure_regime() -> None:
    """Whether the client falls behind the engine on asyncio's loop: each loop with each, in processes of their own."""
    with serving("--awake") as port:
        for kind in ("asyncio", "uvloop"):
            pairs = take_turns(lambda: ask("client", kind, port), lambda: ask("engine", kind, port))  # noqa: B023
            report(f"CPU, 100 at once on {kind}, / engine", pairs, "the same on both loops", "µs")


def ask(name: str, kind: str, port: int) -> float:
    """Return the CPU per request of a client in a process of its own: which regime that is in is settled once."""
    command = [sys.executable, "-m", "benchmarks.client", name, kind, str(port)]
    ran = subprocess.run(command, capture_output=True, check=True, cwd=HERE.parent, env=environment())
    return float(ran.stdout)


def answer(name: str, kind: str, port: str) -> None:
    """Print what ask() returns."""
    work = {"client": spend_ours, "engine": spend_engine}[name]
    loops = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}[kind]
    print(run(work, HUNDRED, f"http://{HOST}:{port}", loops=loops).cpu)


_CONSTRUCT = """
import asyncio, gc, ssl, statistics, sys, time
from asyncclient import Client
def construct():
    started = time.perf_counter()
    Client()
    return 1000 * (time.perf_counter() - started)
first = construct()
later = statistics.median(construct() for _ in range(100))
async def get():
    async with Client() as client:
        await client.get(sys.argv[1])
asyncio.run(get())
print(first, later, sum(isinstance(found, ssl.SSLContext) for found in gc.get_objects()))
"""

_IMPORT = """
import time
started = time.process_time()
import asyncio, ssl
between = time.process_time()
{}
print(time.process_time() - between)
"""


def measure_construct() -> None:
    """Time of `Client()`, the first one and later, and the TLS contexts that a request by http:// makes."""
    with serving() as port:
        command = [sys.executable, "-c", _CONSTRUCT, f"http://{HOST}:{port}/small"]
        runs = [subprocess.run(command, capture_output=True, check=True, cwd=HERE.parent) for _ in range(7)]
    first, later, contexts = map(statistics.median, zip(*(map(float, ran.stdout.split()) for ran in runs), strict=True))
    print(f"{'ms of the first Client() in a process':<66} {first:5.2f}  wanted: below 1")
    print(f"{'ms of a later Client()':<66} {later:5.2f}  wanted: below 1")
    print(f"{'TLS contexts made by a request for http://':<66} {contexts:5.0f}  wanted: 0", flush=True)


def measure_import() -> None:
    """Time of the import beyond that of asyncio and ssl, in processes of their own."""

    def spend_on(line: str) -> float:
        command = [sys.executable, "-c", _IMPORT.format(line)]
        ran = subprocess.run(command, capture_output=True, check=True, cwd=HERE.parent, env=environment())
        return 1000 * float(ran.stdout)

    mine, theirs = "import asyncclient; asyncclient.Client", "import aiohttp; aiohttp.ClientSession"
    pairs = take_turns(lambda: spend_on(mine), lambda: spend_on(theirs), rounds=15)
    report("import of the client beyond asyncio and ssl, / aiohttp", pairs, "at most .25", "ms")


class Ticker:
    """How late the loop is: a coroutine that wants to go on after each millisecond, and remembers the longest delay."""

    def __init__(self) -> None:
        self.latest = 0.0  # seconds

    async def tick(self) -> None:
        """Go on until cancelled."""
        while True:
            wanted = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            self.latest = max(self.latest, time.perf_counter() - wanted)

    async def during(self, work: Awaitable[object]) -> None:
        """Do the work in the meantime."""
        ticking = asyncio.create_task(self.tick())
        try:
            await work
        finally:
            await asyncio.sleep(2 * TICK)  # a delay at the end is noticed only now
            ticking.cancel()


def print_bound(title: str, value: float, limit: str) -> None:
    """Print a figure without a comparison."""
    print(f"{title:<66} {value:5.1f}  wanted: {limit}", flush=True)


def measure_bomb() -> None:
    """Growth of the process by a bomb of 300 MiB, fetched at once and piece by piece, and how late the loop was."""
    with serving() as port:
        for way in ("get", "stream"):
            grown, late = json.loads(in_process("bomb", way, str(port)))
            print_bound(f"MiB grown by a bomb of {BOMB // MIB} MiB, {way}", grown / MIB, "less than 48")
            print_bound(f"ms the loop was late by it, {way}", 1000 * late, "at most 55")


def measure_multipart(size: int = 1 << 30) -> None:
    """Growth of the process by an upload of 1 GiB as multipart, and how late the loop was."""
    with serving() as port, big_file(size) as path:
        for kind in ("uvloop", "asyncio"):
            grown, late = json.loads(in_process("multipart", str(path), kind, str(port)))
            print_bound(f"MiB grown by a multipart upload of {size // MIB} MiB, {kind}", grown / MIB, "less than 4")
            print_bound(f"ms the loop was late by it, {kind}", 1000 * late, "at most 20")


def measure_hosts(count: int = 2000) -> None:
    """Growth of the process by hosts that are visited once, after as many again: what is remembered of them ends."""
    with serving("--everywhere") as port:
        middle, end = json.loads(in_process("hosts", str(count), str(port)))
        title = f"MiB grown by {count // 2:,} hosts more, after {count // 2:,}"
        print_bound(title, (end - middle) / MIB, "less than 1")


def in_process(*arguments: str) -> bytes:
    """Return what this module prints when it is run with these arguments: what a process has grown by stays with it."""
    command = [sys.executable, "-m", "benchmarks.client", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=HERE.parent, env=environment()).stdout


def explode(way: str, port: str) -> None:
    """Print how much a bomb makes the process grow, and how late the loop was."""
    ticker = Ticker()

    async def fetch() -> int:
        async with Client() as client:
            await client.get(f"http://{HOST}:{port}/json")
            before = peak()
            try:
                if way == "get":
                    await ticker.during(client.get(f"http://{HOST}:{port}/bomb"))
                else:
                    await ticker.during(read_pieces(client, f"http://{HOST}:{port}/bomb"))
            except ContentTooLarge:
                return peak() - before
        raise AssertionError("the bomb went through")

    print(json.dumps((uvloop.run(fetch()), ticker.latest)))


async def read_pieces(client: Client, url: str) -> None:
    """Read a response piece by piece, keeping none."""
    async with client.stream("GET", url) as response:
        async for _ in response.iter_chunks():
            pass


def upload(path: str, kind: str, port: str) -> None:
    """Print how much an upload makes the process grow, and how late the loop was."""
    ticker = Ticker()

    async def send() -> int:
        async with Client() as client:

            async def post(file: Path) -> None:
                assert (await client.post(f"http://{HOST}:{port}/sink", files={"file": file})).ok

            with big_file(16 * MIB) as warm:
                await post(warm)
            before = peak()
            await ticker.during(post(Path(path)))
            return peak() - before

    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop if kind == "uvloop" else asyncio.new_event_loop)
    with runner:
        print(json.dumps((runner.run(send()), ticker.latest)))


def visit(count: str, port: str) -> None:
    """Print the resident bytes after half of the hosts, and after all of them."""

    async def fetch() -> list[int]:
        sizes = []
        async with Client() as client:
            for number in range(int(count)):
                response = await client.get(f"http://127.0.{1 + number // 250}.{1 + number % 250}:{port}/small")
                assert response.ok
                if number + 1 in (int(count) // 2, int(count)):
                    gc.collect()
                    sizes.append(resident())
        return sizes

    print(json.dumps(uvloop.run(fetch())))


if __name__ == "__main__":
    program, *rest = sys.argv[1:]
    programs: dict[str, Callable[..., None]] = {"bomb": explode, "multipart": upload, "hosts": visit}
    if program in programs:
        programs[program](*rest)
    else:
        answer(program, *rest)
