"""Compare the engine with aiohttp: CPU per small exchange, download, upload, memory, import; all on uvloop."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import uvloop

from asyncclient import HTTPConnection
from benchmarks.machine import HOST, environment, peak, report, resident, serving, take_turns

Work = Callable[[int], Coroutine[None, None, float]]


def compare(title: str, ours: Work, theirs: Work, port: int, limit: str) -> None:
    """Run both in turns, each on its own loop; print the median ratio of their results, and the extremes."""

    def run(work: Work) -> float:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work(port))

    report(title, take_turns(lambda: run(ours), lambda: run(theirs)), limit)


async def cpu_per_request(count: int, jobs: list[Coroutine[None, None, None]]) -> float:
    """Run the jobs at once; return CPU microseconds for each of `count` requests."""
    started = time.process_time()
    await asyncio.gather(*jobs)
    return (time.process_time() - started) / count * 1e6


def small_ours(connections: int, count: int) -> Work:
    """Return work: `count` small exchanges over that many open connections."""

    async def work(port: int) -> float:
        opened = [HTTPConnection(HOST, port, timeout=30) for _ in range(connections)]
        for connection in opened:
            await connection.connect()

        async def one(connection: HTTPConnection) -> None:
            for _ in range(count // connections):
                await connection.request("GET", "/small")
                response = await connection.getresponse()
                assert len(await response.read()) == 200

        spent = await cpu_per_request(count, [one(connection) for connection in opened])
        for connection in opened:
            connection.close()
        return spent

    return work


def small_aiohttp(connections: int, count: int) -> Work:
    """Return the same work for aiohttp."""

    async def work(port: int) -> float:
        url = f"http://{HOST}:{port}/small"
        async with aiohttp.ClientSession() as session:

            async def one(times: int) -> None:
                for _ in range(times):
                    async with session.get(url) as response:
                        assert len(await response.read()) == 200

            await asyncio.gather(*(one(1) for _ in range(connections)))
            return await cpu_per_request(count, [one(count // connections) for _ in range(connections)])

    return work


async def megabytes_per_second(size: int, download: Awaitable[int]) -> float:
    """Return the rate of a download of that size."""
    started = time.perf_counter()
    assert await download == size
    return size / 1e6 / (time.perf_counter() - started)


def download_ours(size: int, how: str) -> Work:
    """Return work: one download, in pieces or into a buffer of 256 KiB."""

    async def download(port: int) -> int:
        received = 0
        async with HTTPConnection(HOST, port, timeout=30) as connection:
            await connection.request("GET", f"/bytes/{size}")
            response = await connection.getresponse()
            if how == "readinto":
                buffer = memoryview(bytearray(256 * 1024))
                while count := await response.readinto(buffer):
                    received += count
            else:
                async for chunk in response.iter_chunks():
                    received += len(chunk)
        return received

    return lambda port: megabytes_per_second(size, download(port))


def download_aiohttp(size: int) -> Work:
    """Return the same download for aiohttp, in pieces as received."""

    async def download(port: int) -> int:
        received = 0
        async with aiohttp.ClientSession() as session, session.get(f"http://{HOST}:{port}/bytes/{size}") as response:
            async for chunk in response.content.iter_any():
                received += len(chunk)
        return received

    return lambda port: megabytes_per_second(size, download(port))


@contextmanager
def big_file(size: int) -> Iterator[Path]:
    """Give the path of a sparse file."""
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(size)
        yield Path(file.name)


def upload_ours(path: Path) -> Work:
    """Return work: one upload of a file; CPU seconds."""

    async def work(port: int) -> float:
        started = time.process_time()
        async with HTTPConnection(HOST, port, timeout=30) as connection:
            with path.open("rb") as file:
                await connection.request("PUT", "/sink", file)
            assert (await connection.getresponse()).status == 200
        return time.process_time() - started

    return work


def upload_aiohttp(path: Path) -> Work:
    """Return the same upload for aiohttp."""

    async def work(port: int) -> float:
        started = time.process_time()
        async with aiohttp.ClientSession() as session:
            with path.open("rb") as file:
                async with session.put(f"http://{HOST}:{port}/sink", data=file) as response:
                    assert response.status == 200
        return time.process_time() - started

    return work


def measure_exchange(sleepy: bool) -> None:
    """CPU per request of one small exchange on open connections."""
    with serving(*() if sleepy else ("--awake",)) as port:
        for connections in (1, 100):
            title = f"CPU per small exchange, {connections} at once, / aiohttp"
            compare(title, small_ours(connections, 6000), small_aiohttp(connections, 3000), port, "at most .30")


def measure_download(size: int = 100_000_000) -> None:
    """MB/s of a large download."""
    with serving() as port:
        for how, limit in (("pieces", "1.5"), ("readinto", "1.8")):
            title = f"MB/s of a 100 MB download, {how}, / aiohttp"
            compare(title, download_ours(size, how), download_aiohttp(size), port, f"at least {limit}")


def measure_upload(size: int = 200_000_000) -> None:
    """CPU of a large upload from a file."""
    with serving() as port, big_file(size) as path:
        compare("CPU of a 200 MB upload from a file, / aiohttp", upload_ours(path), upload_aiohttp(path), port, "less")


def measure_idle(connections: int = 1000) -> None:
    """Memory of an open connection that has served a request."""

    async def work(port: int) -> float:
        opened = [HTTPConnection(HOST, port, timeout=30) for _ in range(connections + 50)]

        async def use(connection: HTTPConnection) -> None:
            await connection.request("GET", "/small")
            await (await connection.getresponse()).read()

        for connection in opened[:50]:
            await use(connection)
        before = resident()
        for connection in opened[50:]:
            await use(connection)
        grown = (resident() - before) / connections
        for connection in opened:
            connection.close()
        return grown

    with serving() as port, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        grown = runner.run(work(port))
        print(f"{'bytes of an idle open connection':<66} {grown:5.0f}  wanted: at most 7168", flush=True)


def measure_growth(size: int = 1 << 30) -> None:
    """Growth of the process by a 1 GiB upload from a file and a 1 GiB download."""
    small = 16 * 1024 * 1024
    with serving() as port, big_file(size) as path, big_file(small) as warm:
        for title, first, work in (
            ("upload from a file", upload_ours(warm), upload_ours(path)),
            ("download in pieces", download_ours(small, "pieces"), download_ours(size, "pieces")),
        ):
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(first(port))
                before = peak()
                runner.run(work(port))
            grown = (peak() - before) / 2**20
            print(f"{'MiB grown by a 1 GiB ' + title:<66} {grown:5.1f}  wanted: less than 4", flush=True)


def measure_import() -> None:
    """Time of `import asyncclient` beyond that of asyncio and ssl, in processes of their own."""
    extra = []
    for _ in range(15):
        times = []
        for names in ("asyncio, ssl", "asyncio, ssl, asyncclient"):
            code = f"import time; t = time.process_time(); import {names}; print(time.process_time() - t)"
            ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment())
            times.append(float(ran.stdout))
        extra.append(1000 * (times[1] - times[0]))
    print(f"{'ms of import asyncclient beyond asyncio, ssl':<66} {statistics.median(extra):5.1f}  wanted: at most 15")
