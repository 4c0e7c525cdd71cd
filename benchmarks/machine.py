"""The machine: the origin on a core of its own, the memory of this process, limits of the system, large files."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

HERE = Path(__file__).parent
HOST = "127.0.0.1"
CLIENT_CORE, SERVER_CORE = 0, 1


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """Keep this process, and the processes that it starts meanwhile, on one core, where there are more than one."""
    if not hasattr(os, "sched_setaffinity") or len(cores := sorted(os.sched_getaffinity(0))) < 2:
        yield
        return
    os.sched_setaffinity(0, {cores[number]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def running_origin(*options: str, core: int | None = SERVER_CORE) -> Iterator[int]:
    """Run the origin on a core, or on those of this process, and yield its port; it ends with its standard input."""
    command = [sys.executable, "-m", "benchmarks.origin", *options]
    with nullcontext() if core is None else on_core(core):
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
    with server:
        assert server.stdout is not None
        yield int(server.stdout.readline())


@contextmanager
def serving(*options: str) -> Iterator[int]:
    """Run the origin, and this process on the client's core; yield the port."""
    with running_origin(*options) as port, on_core(CLIENT_CORE):
        yield port


@contextmanager
def big_file(size: int) -> Iterator[Path]:
    """Give the path of a sparse file."""
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(size)
        yield Path(file.name)


def allow_many_files() -> int:
    """Raise the limit of open files of this process to the highest that is allowed, and return it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def environment() -> dict[str, str]:
    """Return the environment for a process that is measured: it may keep its bytecode, and follows no settings."""
    without = {"PYTHONDONTWRITEBYTECODE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    return {
        name: value for name, value in os.environ.items() if name not in without and not name.lower().endswith("_proxy")
    }


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def peak() -> int:
    """Return the largest resident memory so far in bytes (VmHWM: ru_maxrss is inherited through exec)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def describe() -> str:
    """Return the processor and the number of cores."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}"
