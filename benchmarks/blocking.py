"""Compare compat.client with http.client, and its start with that of urllib3; each contender in its own process.

A blocking client with one connection never works at the same time as its server. So requests per second include the
time of the server and of the kernel, which is the same for both contenders. CPU is the figure that tells them apart.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import trustme

from benchmarks.machine import HERE, HOST, environment, report, serving, take_turns

THEIRS = "http"
PEER = "http.client"
_GET = (
    "from {package} import client; c = client.HTTPConnection('{host}', {port}); c.request('GET', '/small'); "
    "assert len(c.getresponse().read()) == 200; c.close()"
)
_GET_URLLIB3 = (
    "import urllib3; assert len(urllib3.PoolManager().request('GET', 'http://{host}:{port}/small').data) == 200"
)


class Spent(NamedTuple):
    """Time and CPU of a turn."""

    seconds: float
    cpu: float


class Contender:
    """A blocking client in its own process, which works only during its turns."""

    def __init__(
        self, package: str, port: int, *cafile: str, options: tuple[str, ...] = (), stderr: IO[str] | None = None
    ) -> None:
        command = [sys.executable, *options, "-m", "benchmarks.contender", package, str(port), *cafile]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=HERE.parent,
            env=environment(),
        )

    def ask(self, work: str, *numbers: int | str) -> Any:
        """Return the result of the work."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([work, *numbers]), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{work} failed: what the contender says is above")
        return json.loads(line)

    def spend(self, work: str, *numbers: int | str) -> Spent:
        """Return time and CPU of the work."""
        return Spent(*self.ask(work, *numbers))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.__exit__(None, None, None)


@contextmanager
def certificates() -> Iterator[tuple[str, str]]:
    """Give the paths of a server's key and certificate, and of the authority's."""
    with tempfile.TemporaryDirectory() as folder:
        authority = trustme.CA()
        server, trusted = Path(folder, "server.pem"), Path(folder, "authority.pem")
        authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(server)
        authority.cert_pem.write_to_path(trusted)
        yield str(server), str(trusted)


def compare(title: str, package: str, port: int, work: tuple[str, int], limits: tuple[str, str], *cafile: str) -> None:
    """Print the ratios of requests per second and of CPU for each of many small exchanges."""
    name, count = work
    with Contender(package, port, *cafile) as ours, Contender(THEIRS, port, *cafile) as theirs:
        for contender in (ours, theirs):
            contender.ask(name, count // 10)
        pairs = take_turns(lambda: ours.spend(name, count), lambda: theirs.spend(name, count))
    rates = [(count / mine.seconds, count / other.seconds) for mine, other in pairs]
    times = [(mine.cpu / count * 1e6, other.cpu / count * 1e6) for mine, other in pairs]
    report(f"requests/s, {title}, / {PEER}", rates, limits[0], "requests/s")
    report(f"CPU, {title}, / {PEER}", times, limits[1], "µs")


def compare_awake_and_asleep(title: str, package: str, work: tuple[str, int], limits: tuple[str, str]) -> None:
    """Compare with a server that never sleeps and with one that does."""
    for how, options in (("server awake", ["--awake"]), ("asleep", [])):
        with serving(*options) as port:
            compare(f"{title}, {how}", package, port, work, limits)


def measure_keep_alive(package: str) -> None:
    """Small exchanges on one open connection."""
    compare_awake_and_asleep("keep-alive", package, ("keep-alive", 5000), ("at least 2", "at most .50"))


def measure_new(package: str) -> None:
    """Small exchanges, each on a new connection."""
    compare_awake_and_asleep("new connections", package, ("new", 1000), ("at least 1.5", "less"))


def measure_tls(package: str) -> None:
    """Small exchanges over TLS, on one open connection and on new ones."""
    with certificates() as (certificate, cafile):
        for how, options in (("server awake", ["--awake"]), ("asleep", [])):
            with serving(*options, "--certificate", certificate) as port:
                title = f"keep-alive over TLS, {how}"
                compare(title, package, port, ("keep-alive", 4000), ("at least 1.5", "less"), cafile)
        with serving("--awake", "--certificate", certificate) as port:
            title = "new connections over TLS, server awake"
            compare(title, package, port, ("new", 150), ("no less", "no more"), cafile)


def measure_reads(package: str, size: int = 100_000_000) -> None:
    """Downloads in reads of 8 KiB, of 64 KiB and of everything."""
    with serving() as port, Contender(package, port) as ours, Contender(THEIRS, port) as theirs:
        for framing, piece in ((framing, piece) for framing in ("bytes", "chunked") for piece in (8192, 65536, 0)):
            work = ("read", framing, size, piece)
            pairs = take_turns(lambda: ours.spend(*work), lambda: theirs.spend(*work))  # noqa: B023 - called at once
            speeds = [(size / 1e6 / mine.seconds, size / 1e6 / other.seconds) for mine, other in pairs]
            times = [(1000 * mine.cpu, 1000 * other.cpu) for mine, other in pairs]
            title = f"100 MB {'chunked' if framing == 'chunked' else 'by length'}, " + (
                f"{piece // 1024} KiB reads" if piece else "one read"
            )
            report(f"MB/s, {title}, / {PEER}", speeds, "at least 1", "MB/s")
            report(f"CPU, {title}, / {PEER}", times, "at most 1", "ms")


def start(code: str) -> Spent:
    """Run a program in its own interpreter; return time and CPU of the process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=HERE.parent, env=environment())
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def measure_start(package: str) -> None:
    """Start a process, import, make one request, end."""
    with serving("--awake") as port:
        ours = _GET.format(package=package, host=HOST, port=port)
        peers = {
            PEER: (_GET.format(package=THEIRS, host=HOST, port=port), "at most 2.2"),
            "urllib3": (_GET_URLLIB3.format(host=HOST, port=port), "at most 1"),
        }
        for peer, (theirs, limit) in peers.items():
            start(ours), start(theirs)  # the first may write bytecode
            pairs = take_turns(lambda: start(ours), lambda: start(theirs), rounds=21)  # noqa: B023 - called at once
            for title, field in (("cold start", "seconds"), ("CPU of a cold start", "cpu")):
                times = [(1000 * getattr(mine, field), 1000 * getattr(other, field)) for mine, other in pairs]
                report(f"{title}, / {peer}", times, limit, "ms")


def measure_leaks(package: str) -> None:
    """Leaks after 10,000 requests, 300 connections dropped at once, and 2,000 opened and closed."""
    columns = ("imported", "used", "together", "after", "collected")
    for name in (package, THEIRS):
        stages, _ = leaks(name, ())
        for what in stages["imported"]:
            values = "".join(f"{stages[column][what]:>10,} {column}" for column in columns)
            print(f"{what + ' held by ' + name + '.client':<30}{values}", flush=True)
        _, warnings = leaks(name, ("-X", "dev", "-W", "error"))
        print(f"{warnings} warnings of {name}.client with -X dev -W error", flush=True)


def leaks(package: str, options: tuple[str, ...]) -> tuple[dict[str, dict[str, int]], int]:
    """Return the resources of one process at each stage, and the number of its warnings."""
    with tempfile.TemporaryFile("w+") as complaints, serving() as port:
        with Contender(package, port, options=options, stderr=complaints) as contender:
            stages = contender.ask("leaks", 10_000, 300, 2_000)
        complaints.seek(0)
        return stages, sum("Warning:" in line for line in complaints)
