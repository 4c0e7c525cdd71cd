"""Where compat waits: private asyncio loops, run in the caller's thread for as long as a wait lasts.

The problem: a blocking call must wait as http.client's does. Ctrl-C and handlers that raise end it; it may be made
within a running loop, in a forked child, by any thread, while the interpreter shuts down; and nothing may stay behind,
no thread, no descriptor, no pending task.

The rules kept:
- A loop belongs to nobody: a wait takes one from the free list and puts it back, so there are as many as threads that
  ever waited at once. It has no memory of what it waited for. One that an exception went through is closed instead,
  for what was scheduled on it is still there.
- The selector is poll(): a loop watches one socket at a time, registering costs no system call, and a forked child
  shares nothing with its parent's (an epoll object it would).
- A loop that runs in this thread already is set aside for the duration: it stands still, as with any blocking call.
- No thread: names are resolved in the caller's, as http.client does.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from asyncclient.errors import HTTPException

from .errors import as_http_client

READ: Final = 1
WRITE: Final = 2

_T = TypeVar("_T")


class PrivateLoop(asyncio.SelectorEventLoop):
    """An asyncio loop that runs only while one blocking call waits."""

    def __init__(self) -> None:
        super().__init__(getattr(selectors, "PollSelector", selectors.SelectSelector)())
        self.set_debug(False)  # -X dev would have it log how slow its callers are
        self._found = 0

    async def getaddrinfo(  # type: ignore[override]
        self,
        host: str | None,
        port: int | None,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Resolve here and now: there is nothing else that could run meanwhile."""
        return socket.getaddrinfo(host, port, family, type, proto, flags)

    def wait(self, descriptor: int, events: int, seconds: float | None) -> int:
        """Wait for events on a descriptor; return those that came, 0 when the time is over."""
        self._found = 0
        timer = None if seconds is None else self.call_later(seconds, self.stop)
        if events & READ:
            self.add_reader(descriptor, self._note, READ)
        if events & WRITE:
            self.add_writer(descriptor, self._note, WRITE)
        self.run_forever()
        if events & READ:
            self.remove_reader(descriptor)
        if events & WRITE:
            self.remove_writer(descriptor)
        if timer is not None:
            timer.cancel()
        return self._found

    def _note(self, event: int) -> None:
        self._found |= event
        self.stop()

    def finish(self, coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run a coroutine to its end; what ends it from outside lets it give back what it holds first."""
        task = self.create_task(coroutine)
        ended = asyncio.wait((task,))
        try:
            self.run_until_complete(ended)
        except BaseException:
            if not task.done():
                task.cancel()
                self.run_until_complete(asyncio.wait((task,)))
            raise
        return task

    def __del__(self) -> None:  # asyncio's own warns
        if not self.is_closed() and not self.is_running():
            self.close()


_free: deque[PrivateLoop] = deque()


class borrowed:  # noqa: N801  (a context manager that reads as a word; as a generator it costs 1 µs more)
    """A private loop for one wait, with the loop that may run in this thread set aside."""

    __slots__ = ("_aside", "_loop")

    def __enter__(self) -> PrivateLoop:
        self._aside = asyncio._get_running_loop()
        if self._aside is not None:
            asyncio._set_running_loop(None)
        try:
            self._loop = _free.pop()
        except IndexError:
            self._loop = PrivateLoop()
        return self._loop

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._aside is not None:
            asyncio._set_running_loop(self._aside)
        if kind is None:
            _free.append(self._loop)
        else:
            self._loop.close()


def wait(descriptor: int, events: int, seconds: float | None) -> int:
    """Wait until a descriptor is ready; return for what (READ, WRITE), or 0 when that many seconds are over."""
    with borrowed() as loop:
        return loop.wait(descriptor, events, seconds)


def finish(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that waits for more than one descriptor, on a private loop."""
    with borrowed() as loop:
        task = loop.finish(coroutine)
    return task.result()


def run_now(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine over a blocking file: it has nothing to suspend for, so it needs no loop.

    What the engine raises comes out as http.client has it.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: _T = done.value
        return result
    except HTTPException as exc:
        raise as_http_client(exc) from exc.__cause__
    raise RuntimeError(f"{coroutine!r} suspended over a blocking file")
