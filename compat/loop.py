"""The private loop of compat: it runs a coroutine to its end in the thread of the caller.

The problem: a blocking call has to wait as http.client's does. Ctrl-C and signal handlers that raise end the wait. The
call may be made inside a running asyncio loop, in a forked child, in any thread, and while the interpreter shuts down.
Nothing may be left over: no thread, no descriptor, no pending task.

The rules kept:
- A coroutine waits for one descriptor at a time: it yields a poll object and a time limit, the loop's `select` waits,
  and the result resumes it. The loop has no state, so threads, nested calls and forked children can share it.
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
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asyncclient.errors import HTTPException

from .errors import as_http_client

if TYPE_CHECKING:
    import asyncio

READ: Final = getattr(select, "POLLIN", 1)
WRITE: Final = getattr(select, "POLLOUT", 4)
BROKEN: Final = getattr(select, "POLLERR", 8)

_T = TypeVar("_T")


class _SelectPoll:
    """select.poll() made of select(), for Windows; one descriptor."""

    def register(self, descriptor: int, events: int) -> None:
        """Wait for READ, WRITE or both on a descriptor."""
        self._descriptor, self._events = descriptor, events

    def poll(self, milliseconds: float | None = None) -> list[tuple[int, int]]:
        """Wait; return the descriptors that are ready, each with the events that it is ready for."""
        fds = (self._descriptor,)
        wanted = (fds if self._events & READ else (), fds if self._events & WRITE else ())
        found = select.select(*wanted, fds, None if milliseconds is None else milliseconds / 1000)
        events = (READ if found[0] else 0) | (WRITE if found[1] else 0) | (self._events if found[2] else 0)
        return [(self._descriptor, events)] if events else []


_Poll: Any = getattr(select, "poll", _SelectPoll)


def watch(descriptor: int, events: int) -> Any:
    """Return a poll object for READ, WRITE or both on one descriptor; it is valid for as long as that is open."""
    if descriptor < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    poll = _Poll()
    poll.register(descriptor, events)
    return poll


@types.coroutine
def ready(poll: Any, seconds: float | None) -> Generator[tuple[Any, float | None], int, int]:
    """Wait on the private loop; return the events that the descriptor is ready for, 0 after that many seconds."""
    return (yield poll, seconds)


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

    def select(self, poll: Any, seconds: float | None) -> int:
        """Wait for one descriptor; return the events that it is ready for, 0 after that many seconds."""
        found = poll.poll(None if seconds is None else seconds * 1000)
        return found[0][1] if found else 0

    def run_tasks(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on an asyncio loop of its own; its tasks clean up if an exception ends the call."""
        import asyncio  # only here: it is half of the time that importing compat would take

        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            with asyncio.Runner(debug=False, loop_factory=_make_asyncio_loop) as runner:
                return runner.run(coroutine)
        finally:
            asyncio._set_running_loop(outer)


def _make_asyncio_loop() -> asyncio.AbstractEventLoop:
    import asyncio
    import selectors

    return asyncio.SelectorEventLoop(getattr(selectors, "PollSelector", selectors.SelectSelector)())


loop: Final = PrivateLoop()
run: Final = loop.run
