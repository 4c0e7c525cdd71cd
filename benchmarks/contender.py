"""One blocking client in its own process, which executes commands.

    python -m benchmarks.contender PACKAGE PORT [CAFILE]

PACKAGE.client is http.client or a module like it. Each line of standard input is a JSON list, the name of a job and its
numbers. The result is printed as JSON: seconds and CPU seconds, or the resources in use after `leaks`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.machine import HOST, resident

CLIENT: Any = import_module(f"{sys.argv[1]}.client")
PORT = int(sys.argv[2])
CONTEXT = ssl.create_default_context(cafile=sys.argv[3]) if sys.argv[3:] else None


def connection() -> Any:
    """Return a new connection, not yet open."""
    if CONTEXT is None:
        return CLIENT.HTTPConnection(HOST, PORT, timeout=30)
    return CLIENT.HTTPSConnection(HOST, PORT, timeout=30, context=CONTEXT)


def get(opened: Any) -> None:
    """Make one small exchange."""
    opened.request("GET", "/small")
    assert len(opened.getresponse().read()) == 200


def spent(work: Callable[[], None]) -> list[float]:
    """Do the work; return seconds and CPU seconds."""
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return [time.perf_counter() - started, time.process_time() - cpu]


def keep_alive(count: int) -> list[float]:
    """Make small exchanges on one connection."""
    opened = connection()

    def work() -> None:
        for _ in range(count):
            get(opened)

    get(opened)
    try:
        return spent(work)
    finally:
        opened.close()


def new(count: int) -> list[float]:
    """Make small exchanges on a connection each."""

    def work() -> None:
        for _ in range(count):
            opened = connection()
            get(opened)
            opened.close()

    return spent(work)


def read(framing: str, size: int, piece: int) -> list[float]:
    """Download `size` bytes in pieces, or in one piece if their size is 0."""
    opened = connection()
    get(opened)

    def work() -> None:
        opened.request("GET", f"/{framing}/{size}")
        response = opened.getresponse()
        received = 0
        while block := response.read(piece or None):
            received += len(block)
        assert received == size

    try:
        return spent(work)
    finally:
        opened.close()


def held() -> dict[str, int]:
    """Return the resources of the process: descriptors, threads, open event loops, KiB of memory."""
    loops = [each for each in gc.get_objects() if isinstance(each, asyncio.AbstractEventLoop) and not each.is_closed()]
    return {
        "descriptors": len(os.listdir("/proc/self/fd")) - 1,  # without the descriptor of the listing
        "threads": threading.active_count(),
        "loops": len(loops),
        "KiB": resident() // 1024,
    }


def drop(count: int) -> dict[str, int]:
    """Open many connections, leave each at another point, and drop them all; return the resources that they used."""
    opened = [connection() for _ in range(count)]
    responses = []
    for number, each in enumerate(opened):
        each.request("GET", "/small")
        if number % 3:
            response = each.getresponse()
            if number % 3 == 1:
                response.read()
            responses.append(response)
    return held()


def leaks(requests: int, dropped: int, closed: int) -> dict[str, dict[str, int]]:
    """Return the resources before the work, after a tenth of it, before the connections are dropped, and at the end.

    No garbage collection runs after the drop: a descriptor must be closed as soon as it cannot be used any more.
    """
    stages = {"imported": held()}
    for part, name in ((10, "used"), (1, "after")):
        keep_alive(requests // part)
        new(closed // part)
        stages["together"] = drop(dropped // part)
        stages[name] = held()
    gc.collect()
    stages["collected"] = held()
    return stages


WORKS: dict[str, Callable[..., Any]] = {"keep-alive": keep_alive, "new": new, "read": read, "leaks": leaks}


def main() -> None:
    """Execute the commands of standard input, until it ends."""
    for line in sys.stdin:
        name, *numbers = json.loads(line)
        print(json.dumps(WORKS[name](*numbers)), flush=True)


if __name__ == "__main__":
    main()
