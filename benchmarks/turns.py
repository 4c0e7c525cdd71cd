"""Shared by all measurements: a server on another core, contenders in turns, a printed line, memory of a process."""

from __future__ import annotations

import os
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
def serving(*options: str, program: str = "server") -> Iterator[int]:
    """Run a server, a module of this folder, in its own process on another core; yield its port."""
    command = [sys.executable, "-m", f"benchmarks.{program}", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as server:
        assert server.stdout is not None
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(server.pid, {cores[1]})
            os.sched_setaffinity(0, {cores[0]})
        try:
            yield int(server.stdout.readline())
        finally:
            os.sched_setaffinity(0, cores)
            assert server.stdin is not None
            server.stdin.close()


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
