"""Where compat waits: private asyncio loops, run in the caller's thread for as long as a wait lasts.

The problem: a blocking call must wait as http.client's does. Ctrl-C and handlers that raise end it; it may be made
within a running loop, in a forked child, by any thread, while the interpreter shuts down; and nothing may stay behind,
no thread, no descriptor, no pending task.

The rules kept:
- A loop belongs to nobody: a wait takes one from the free list and puts it back, so there are as many as threads that
  ever waited at once. It has no memory of what it waited for. One that an exception went through is closed instead,
  for what was scheduled on it is still there.
- Most waits are for one descriptor: then the loop's selector waits for that alone, and the loop makes one turn. With
  add_reader(), call_later() and their handles a wait takes 20 µs more.
- The selector is poll(): a forked child shares nothing with its parent, as it would an epoll object.
- A loop that runs in this thread already is set aside for the duration: it stands still, as with any blocking call.
- No thread: names are resolved in the caller's, as http.client does.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import select
import selectors
import socket
import sys
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final, Protocol, TypeVar

from asyncclient.errors import HTTPException

from .errors import as_http_client

READ: Final = getattr(select, "POLLIN", 1)
WRITE: Final = getattr(select, "POLLOUT", 4)
BROKEN: Final = getattr(select, "POLLERR", 8)

_T = TypeVar("_T")


class Poll(Protocol):
    """A select.poll object, or what stands for it where there is none."""

    def register(self, descriptor: int, events: int, /) -> None:
        """Watch a descriptor for READ, WRITE or both."""
        ...

    def poll(self, milliseconds: float | None = None, /) -> list[tuple[int, int]]:
        """Wait; return the descriptors that are ready, and what for."""
        ...


class _SelectPoll:
    """select.poll() by select(), for Windows; one descriptor."""

    def register(self, descriptor: int, events: int) -> None:
        """See Poll."""
        self._descriptor, self._events = descriptor, events

    def poll(self, milliseconds: float | None = None) -> list[tuple[int, int]]:
        """See Poll."""
        fds = (self._descriptor,)
        wanted = (fds if self._events & READ else (), fds if self._events & WRITE else ())
        found = select.select(*wanted, fds, None if milliseconds is None else milliseconds / 1000)
        events = (READ if found[0] else 0) | (WRITE if found[1] else 0) | (self._events if found[2] else 0)
        return [(self._descriptor, events)] if events else []


_Poll: Any = getattr(select, "poll", _SelectPoll)


def watch(descriptor: int, events: int) -> Poll:
    """Return what wait() takes to wait for one descriptor; it may be kept for as long as that is open."""
    if descriptor < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    poll: Poll = _Poll()
    poll.register(descriptor, events)
    return poll


class OneSelector(getattr(selectors, "PollSelector", selectors.SelectSelector)):  # type: ignore[misc]
    """A selector that waits for one descriptor beside those that the loop knows of: for it alone, and once."""

    watched: Poll | None = None
    milliseconds: float | None = None
    found: list[tuple[int, int]]

    def select(self, timeout: float | None = None) -> list[Any]:
        """Wait; what the one descriptor is ready for is left in `found`."""
        poll, self.watched = self.watched, None
        if poll is None:
            return super().select(timeout)  # type: ignore[no-any-return]
        self.found = poll.poll(self.milliseconds)
        return []


# asyncio notes each new loop; with logging's HTTPHandler that would be one more request, on one more loop, and so on.
logging.getLogger("asyncio").addFilter(lambda record: record.args != (OneSelector.__name__,))


class PrivateLoop(asyncio.SelectorEventLoop):
    """An asyncio loop that runs only while one blocking call waits."""

    def __init__(self) -> None:
        self.one = OneSelector()
        super().__init__(self.one)
        self.set_debug(False)  # -X dev would have it log how slow its callers are

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

    def finish(self, coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run a coroutine to its end; what ends it from outside lets it give back what it holds first."""
        task = self.create_task(coroutine)
        try:
            self.run_until_complete(asyncio.wait((task,)))
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


def wait(poll: Poll, seconds: float | None) -> int:
    """Wait for what watch() gave; return for what it is ready, 0 when that many seconds are over."""
    aside, hooks, loop = asyncio._get_running_loop(), sys.get_asyncgen_hooks(), None
    try:
        asyncio._set_running_loop(None)
        loop = _borrow()
        one = loop.one
        one.watched, one.milliseconds = poll, None if seconds is None else seconds * 1000
        loop.stop()  # after one turn, in which the selector waits
        loop.run_forever()
        found = one.found
    except BaseException:
        _give_up(loop, hooks)
        raise
    finally:
        asyncio._set_running_loop(aside)
    _free.append(loop)
    return found[0][1] if found else 0


def finish(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that waits for more than one descriptor, on a private loop."""
    aside, hooks, loop = asyncio._get_running_loop(), sys.get_asyncgen_hooks(), None
    try:
        asyncio._set_running_loop(None)
        loop = _borrow()
        task = loop.finish(coroutine)
    except BaseException:
        _give_up(loop, hooks)
        raise
    finally:
        asyncio._set_running_loop(aside)
    _free.append(loop)
    return task.result()


def _borrow() -> PrivateLoop:
    try:
        return _free.pop()
    except IndexError:
        return PrivateLoop()


def _give_up(loop: PrivateLoop | None, hooks: Any) -> None:
    """Close a loop that an exception went through: a handler may have raised it anywhere, in asyncio's own code too."""
    sys.set_asyncgen_hooks(*hooks)
    if loop is not None:
        loop._thread_id = None  # type: ignore[attr-defined]  # what run_forever() does last
        loop.close()


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
    finally:
        coroutine.close()
    raise RuntimeError(f"{coroutine!r} suspended over a blocking file")
