"""A check that nothing is left open: the connections, descriptors and tasks that there are more of than before."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from typing import Final

PATIENCE: Final = 2.0
"""Seconds for a peer in another thread to see that a connection was closed."""

_DESCRIPTORS: Final = "/proc/self/fd"
PAUSE: Final = 0.01
"""Seconds between two checks."""

Left = Callable[[], set[str]]
"""Returns what is left, as texts."""


class Leaks:
    """The open sockets and files of the process at one moment, and which there are more of afterwards.

    Where there is no /proc nothing is found.
    """

    def __init__(self) -> None:
        self._before = _list_descriptors()

    def find(self) -> set[str]:
        """Return what is open and was not, by kind, if there is more of the kind: uvloop replaces its own sockets."""
        now = _list_descriptors()
        return {
            _describe(kind, number, now[kind, number])
            for kind, number in now.keys() - self._before.keys()
            if sum(each == kind for each, _ in now) > sum(each == kind for each, _ in self._before)
        }

    def wait(self) -> set[str]:
        """Return what is left after PATIENCE; peers in other threads and the collector have that long."""
        for _ in _attempts(self.find):
            time.sleep(PAUSE)
        return self.find()


class LoopLeaks(Leaks):
    """The same from inside an event loop, also with its tasks."""

    def __init__(self) -> None:
        super().__init__()
        self._tasks = asyncio.all_tasks()

    def find_tasks(self) -> set[str]:
        """Return the new tasks, but for the one that asks."""
        return {str(task) for task in asyncio.all_tasks() - self._tasks if task is not asyncio.current_task()}

    async def wait_on_loop(self) -> set[str]:
        """Return what is left after PATIENCE."""
        for _ in range(3):  # the loop closes a transport one turn after close()
            await asyncio.sleep(0)
        for find in (self.find_tasks, self.find):
            for _ in _attempts(find):
                await asyncio.sleep(PAUSE)
        return self.find_tasks() | self.find()


def _attempts(find: Left) -> Iterator[None]:
    """Yield while something is left, for PATIENCE; garbage is collected first, and only if something is left.

    The pauses are counted, as a busy machine may stop this process for longer than PATIENCE.
    """
    if not find():
        return
    gc.collect()
    for _ in range(round(PATIENCE / PAUSE)):
        if not find():
            return
        yield


def _list_descriptors() -> dict[tuple[str, int], int]:
    """Return the descriptors of sockets and regular files by kind and inode number; loops have pipes of their own."""
    found = {}
    for name in os.listdir(_DESCRIPTORS) if os.path.isdir(_DESCRIPTORS) else ():
        try:
            status = os.fstat(int(name))
        except OSError:  # the descriptor of listdir itself, which is closed by now
            continue
        kind = _find_kind(status.st_mode)
        if kind:
            found[kind, status.st_ino] = int(name)
    return found


def _find_kind(mode: int) -> str:
    if stat.S_ISSOCK(mode):
        return "socket"
    return "file" if stat.S_ISREG(mode) else ""


def _describe(kind: str, number: int, descriptor: int) -> str:
    """Return a text about a descriptor: the peer of a connection, or the path of a file."""
    try:
        if kind == "file":
            return f"file {os.readlink(f'{_DESCRIPTORS}/{descriptor}')}"
        if kind == "socket":
            with socket.socket(fileno=os.dup(descriptor)) as sock:
                return f"connection to {sock.getpeername()} [{number}]"
    except OSError:  # not connected, or closed meanwhile
        pass
    return f"{kind} [{number}]"
