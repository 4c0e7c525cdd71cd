"""Shared by all measurements: a server on another core, contenders in turns, a printed line, memory of a process."""

from __future__ import annotations

import os
import resource as limits
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).parent
HOST = "127.0.0.1"
ROUNDS = 7

_T = TypeVar("_T")


@contextmanager
def serving(*options: str) -> Iterator[int]:
    """Run the origin in its own process on another core; yield its port. It ends with its input."""
    command = [sys.executable, "-m", "benchmarks.origin", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as server:
        assert server.stdout is not None
        with apart_from(server.pid):
            yield int(server.stdout.readline())


@contextmanager
def apart_from(server: int) -> Iterator[None]:
    """Keep this process on one core, and the process of a server on another, where the system allows it."""
    if not hasattr(os, "sched_setaffinity") or len(cores := sorted(os.sched_getaffinity(0))) < 2:
        yield
        return
    os.sched_setaffinity(server, {cores[1]})
    os.sched_setaffinity(0, {cores[0]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def take_turns(ours: Callable[[], _T], theirs: Callable[[], _T], rounds: int = ROUNDS) -> list[tuple[_T, _T]]:
    """Run both in turns; return their results of each round.

    The first contender changes with each round: while a machine slows down, the second one would always lose.
    """
    pairs = []
    for number in range(rounds):
        if number % 2:
            other = theirs()
            pairs.append((ours(), other))
        else:
            pairs.append((ours(), theirs()))
    return pairs


def report(title: str, pairs: list[tuple[float, float]], limit: str, unit: str = "") -> None:
    """Print the median of the ratios and the extremes; with a unit, the medians of both contenders too."""
    ratios = [mine / other for mine, other in pairs]
    line = f"{title:<66} {statistics.median(ratios):5.2f}  ({min(ratios):.2f} to {max(ratios):.2f})  wanted: {limit}"
    if unit:
        mine, other = (statistics.median(values) for values in zip(*pairs, strict=True))
        line += f"  [{mine:,.0f} / {other:,.0f} {unit}]"
    print(line, flush=True)


def allow_many_files() -> int:
    """Raise the limit of open files of this process to the highest that is allowed, and return it."""
    hard = limits.getrlimit(limits.RLIMIT_NOFILE)[1]
    limits.setrlimit(limits.RLIMIT_NOFILE, (hard, hard))
    return hard


def environment() -> dict[str, str]:
    """Return the environment for a process whose start is measured: it may keep its bytecode."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def peak() -> int:
    """Return the largest resident memory so far in bytes (VmHWM: ru_maxrss is inherited through exec)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
