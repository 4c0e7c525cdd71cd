"""The private loop of compat: it runs a coroutine to its end in the thread of the caller.

The problem: a blocking call has to wait as http.client's does. Ctrl-C and signal handlers that raise end the wait. The
call may be made inside a running asyncio loop, in a forked child, in any thread, and while the interpreter shuts down.
Nothing may be left over: no thread, no descriptor, no pending task.

The rules kept:
- A coroutine waits for one descriptor at a time: it yields the descriptor, the events and a time limit, the loop's
  `select` waits, and the result resumes it. The loop has no state: threads, nested calls and forked children share it.
- It waits with poll(): a forked child shares nothing with its parent, as it would with an epoll object.
- Only a race of several addresses needs tasks. `run_tasks` runs it on an asyncio loop that is made for that call; a
  loop that runs in this thread already is set aside meanwhile, and waits as for any blocking call.
"""

from __future__ import annotations

import errno
import os
import select
import types
from collections.abc import Coroutine, Generator
from typing import Any, Final, TypeVar

from asyncclient.errors import HTTPException

from .errors import as_http_client

READ: Final = getattr(select, "POLLIN", 1)
WRITE: Final = getattr(select, "POLLOUT", 4)
BROKEN: Final = getattr(select, "POLLERR", 8)

_poll: Final[Any] = getattr(select, "poll", None)  # Windows has none

_T = TypeVar("_T")


@types.coroutine
def ready(descriptor: int, events: int, seconds: float | None) -> Generator[tuple[int, int, float | None], int, int]:
    """Wait on the private loop; see PrivateLoop.select()."""
    return (yield descriptor, events, seconds)


class PrivateLoop:
    """Runs one coroutine at a time, in the thread that calls; see the module."""

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine to its end and return its result; it may wait by ready() only.

        An exception that ends a wait, such as KeyboardInterrupt, closes the coroutine. The engine's own errors are
        raised as http.client's.
        """
        send = coroutine.send
        try:
            waits = send(None)
            while True:
                waits = send(self.select(*waits))
        except StopIteration as done:
            result: _T = done.value
            return result
        except HTTPException as exc:
            raise as_http_client(exc) from exc.__cause__
        except BaseException:
            coroutine.close()
            raise

    def select(self, descriptor: int, events: int, seconds: float | None) -> int:
        """Wait for READ, WRITE or both on a descriptor; return what it is ready for, 0 after that many seconds."""
        if descriptor < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if _poll is None:
            return _select(descriptor, events, seconds)
        poll = _poll()
        poll.register(descriptor, events)
        found = poll.poll(seconds and min(seconds * 1000, 2**31 - 1))  # the longest wait of poll(): 24 days
        return found[0][1] if found else 0

    def run_tasks(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on an asyncio loop of its own; its tasks clean up if an exception ends the call."""
        import asyncio  # only here: it is half of the time that importing compat would take
        import selectors

        selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            with asyncio.Runner(debug=False, loop_factory=lambda: asyncio.SelectorEventLoop(selector())) as runner:
                return runner.run(coroutine)
        finally:
            asyncio._set_running_loop(outer)


def _select(descriptor: int, events: int, seconds: float | None) -> int:
    """Do the same by select()."""
    fds = (descriptor,)
    readers, writers = fds if events & READ else (), fds if events & WRITE else ()
    readable, writable, broken = select.select(readers, writers, fds, seconds)
    return (READ if readable else 0) | (WRITE if writable else 0) | (events if broken else 0)


loop: Final = PrivateLoop()
run: Final = loop.run
