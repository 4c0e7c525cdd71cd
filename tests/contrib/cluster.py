"""A dask cluster of processes, and a site on many addresses that notes when it is asked."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

from tests.servers import ROOT

PATIENCE = 30.0
ENDPOINT = ["--no-dashboard", "--host", "127.0.0.1"]


class DaskCluster:
    """A scheduler and its workers, each a process as on the command line.

    Args:
        folder: a folder for its files.

    Attributes:
        workers: how many workers it has, or will have when they have started.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "scheduler.json"
        self.workers = 0
        self._processes: list[subprocess.Popen[bytes]] = []
        self._log = (folder / "log").open("wb")
        self._start("dask_scheduler", "--port", "0")

    def _start(self, command: str, *options: str) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, "-m", f"distributed.cli.{command}", "--scheduler-file", str(self._file)]
        process = subprocess.Popen(
            [*arguments, *ENDPOINT, *options],
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=self._log,
            stderr=self._log,
        )
        self._processes.append(process)
        return process

    def add_worker(self, name: str) -> subprocess.Popen[bytes]:
        """Start a worker."""
        self.workers += 1
        return self._start("dask_worker", "--no-nanny", "--nthreads", "1", "--name", name)

    @property
    def file(self) -> str:
        """The file in which a client finds the scheduler, once it is written."""
        deadline = time.monotonic() + PATIENCE
        while not (self._file.exists() and self._file.read_bytes().endswith(b"}")):
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.01)
        return str(self._file)

    def close(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        self._log.close()


class Arrival(NamedTuple):
    """A request, and when it was received."""

    at: float
    host: str
    target: str


class Site:
    """A server on all addresses of 127.0.0.0/8, in a thread.

    Args:
        answer: returns the response to a target.

    Attributes:
        arrivals: the requests, in order.
        port: the port.
    """

    def __init__(self, answer: Callable[[str, str], bytes]) -> None:
        self._answer = answer
        self.arrivals: list[Arrival] = []
        self.transports: set[asyncio.Transport] = set()
        self._has_started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="server site")

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._is_over = asyncio.Event()
        server = await self._loop.create_server(lambda: _Connection(self), "0.0.0.0", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._has_started.set()
        await self._is_over.wait()
        server.close()
        for transport in self.transports:
            transport.abort()
        await asyncio.sleep(0)

    def url(self, host: int, target: str) -> str:
        """Return a URL of one of its hosts, which are numbered from 1."""
        return f"http://127.0.0.{host}:{self.port}{target}"

    def respond(self, head: bytes) -> bytes:
        """Note a request, and return the response."""
        lines = head.decode().split("\r\n")
        target = lines[0].split(" ")[1]
        host = next(line for line in lines if line.lower().startswith("host: "))[6:].partition(":")[0]
        self.arrivals.append(Arrival(time.monotonic(), host, target))
        return self._answer(host, target)

    def gaps(self) -> list[float]:
        """Return the seconds between two requests to the same host, of all hosts."""
        by_host: dict[str, list[float]] = {}
        for arrival in self.arrivals:
            by_host.setdefault(arrival.host, []).append(arrival.at)
        return [after - before for times in by_host.values() for before, after in pairwise(times)]

    def count(self, prefix: str = "/") -> dict[tuple[str, str], int]:
        """Return how many times each host was asked for each target."""
        counts: dict[tuple[str, str], int] = {}
        for _, host, target in self.arrivals:
            if target.startswith(prefix):
                counts[host, target] = counts.get((host, target), 0) + 1
        return counts

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._has_started.wait(PATIENCE)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join()


class _Connection(asyncio.Protocol):
    def __init__(self, site: Site) -> None:
        self._site = site

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._site.transports.add(self._transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._site.transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._site.respond(data))


def page(content: str = "", *, status: str = "200 OK", fields: str = "Content-Type: text/html\r\n") -> bytes:
    """Return a response."""
    return f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(content)}\r\n\r\n{content}".encode()


@contextlib.contextmanager
def running_cluster(folder: Path, workers: int) -> Iterator[DaskCluster]:
    """Run a cluster with some workers."""
    cluster = DaskCluster(folder)
    try:
        for number in range(workers):
            cluster.add_worker(f"worker-{number}")
        yield cluster
    finally:
        cluster.close()
