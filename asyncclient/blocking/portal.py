"""The thread that runs the event loop of a blocking client, and how other threads wait for its results.

The problem: threads share a pool of connections, so one loop serves them all. A thread that waits for the loop must
behave as in any blocking call: Ctrl-C and signal handlers that raise end the wait, and its request. No thread may wait
forever when the client is closed, the process forks or the interpreter exits.

The rules kept:
- Each call has an inbox, the only thing its caller waits on: for the end of the call, and for steps to be executed in
  the caller's thread, such as those of a generator that is sent as a body.
- Only an Exception raised by a step is passed to the loop. Any other BaseException ends the wait, as Ctrl-C does.
- A wait that ends early cancels its call, which then releases what it holds; a result that is already there is closed.
- The portal refers to the asyncclient.Client, not to the blocking one, so that the latter can be collected, which stops
  the portal.
- A forked process does not have the thread. A call there is refused before it uses what is shared with the parent.
- The thread is a daemon that an atexit handler stops, so a program can end without closing anything.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar
from weakref import WeakSet

from ..client.client import Client
from ..errors import ClientClosed, ImproperConnectionState

CANCEL_GRACE: Final = 1.0
"""Seconds that cancelled tasks may take to end; only code of the client's user can take that long."""

EXIT_GRACE: Final = 5.0
"""Seconds that closing connections may take when the interpreter exits."""

_T = TypeVar("_T")

_current_call: ContextVar[Call[Any] | None] = ContextVar("the call that the running task executes", default=None)


class Call(Generic[_T]):
    """A coroutine on the loop, and its caller that waits in another thread.

    Args:
        coroutine: started by start(), on the loop.
        loop: the loop.
    """

    __slots__ = ("_context", "_coroutine", "_error", "_inbox", "_is_abandoned", "_is_over", "_loop", "_result", "_task")

    _result: _T

    def __init__(self, coroutine: Coroutine[Any, Any, _T], loop: asyncio.AbstractEventLoop) -> None:
        self._coroutine = coroutine
        self._loop = loop
        self._context = copy_context()  # so that tracers and others see the context of the caller
        self._inbox: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._is_over = self._is_abandoned = False

    # Called on the loop's thread

    def start(self) -> None:
        """Start the coroutine."""
        self._task = self._loop.create_task(self._run(), context=self._context)

    async def _run(self) -> None:
        _current_call.set(self)
        try:
            self._result = await self._coroutine
        except BaseException as error:  # of any kind, for the caller: a SystemExit would end the loop
            self._error = error
        _current_call.set(None)  # the context, which this call owns, must not refer back to it
        self._is_over = True
        self._inbox.put(None)

    def cancel(self, discard: Callable[[], object] | None) -> None:
        """Cancel the coroutine; call discard() once it has ended."""
        if self._task is None:
            self.fail()
            return
        self._loop.call_soon(self._task.cancel)  # after its first step: before it, the coroutine could not clean up
        if discard is not None:
            self._task.add_done_callback(lambda _: discard())

    def fail(self, text: str = "the client was closed meanwhile") -> None:
        """End a call that the loop will not execute any more."""
        if not self._is_over:
            self._coroutine.close()
            self._error = ClientClosed(text)
            self._inbox.put(None)

    async def run_in_caller(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return the result of a function called in the caller's thread; cancelling does not end the function."""
        outcome = self._loop.create_future()
        self._inbox.put(partial(self._execute, outcome, function, args))
        result, error = await outcome
        try:
            if error is not None:
                raise error
            return result
        finally:
            del error

    def post_to_caller(self, function: Callable[[], object], *, is_optional: bool = False) -> None:
        """Have a function called in the caller's thread before the call ends. An exception it raises ends the wait.

        An optional function is not called any more after that.
        """
        self._inbox.put((lambda: None if self._is_abandoned else function()) if is_optional else function)

    def abandon(self) -> None:
        """Leave the caller waiting, without a result."""
        self._inbox = SimpleQueue()

    # Called in the caller's thread

    def wait(self) -> None:
        """Wait for the end of the call, executing the steps in the inbox."""
        while (step := self._inbox.get()) is not None:
            step()

    def wait_for_cancellation(self) -> None:
        """Wait for the end of a cancelled call, for a limited time."""
        self._is_abandoned = True
        deadline = time.monotonic() + CANCEL_GRACE
        with suppress(Empty):
            while (step := self._inbox.get(timeout=max(deadline - time.monotonic(), 0.0))) is not None:
                step()

    def take(self) -> _T:
        """Return the result of the coroutine, or raise its error."""
        if self._error is None:
            result = self._result
            del self._result  # the contexts of timers and transports refer to this call for longer
            return result
        try:
            if isinstance(self._error, asyncio.CancelledError):
                raise ClientClosed("the client was closed meanwhile") from self._error
            raise self._error
        finally:
            self._error = None  # its traceback refers to this call

    def _execute(self, outcome: asyncio.Future[Any], function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if self._is_abandoned:
            return
        found: tuple[Any, Exception | None]
        try:
            found = function(*args), None
        except Exception as error:
            found = None, error
        with suppress(RuntimeError):  # the loop is closed, and the end of the call is in the inbox
            self._loop.call_soon_threadsafe(_set_result, outcome, found)


def _set_result(outcome: asyncio.Future[Any], found: tuple[Any, Exception | None]) -> None:
    if not outcome.done():
        outcome.set_result(found)


def current_call() -> Call[Any] | None:
    """Return the call that the running task executes; None if it executes none."""
    return _current_call.get()


class Portal:
    """An event loop in a thread of its own, started by the first call: until then it may be passed to another process.

    Args:
        client: the client that uses the loop; it is closed at the end.
        make_loop: creates the loop.

    Attributes:
        upgraded: connections handed over to the client's user, to be closed at the end.
    """

    _loop: asyncio.AbstractEventLoop
    _thread: threading.Thread

    def __init__(self, client: Client, make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self.upgraded: set[asyncio.StreamWriter] = set()
        self._client = client
        self._make_loop = make_loop
        self._starting = threading.Lock()
        self._process = 0  # the process that has the thread
        self._calls: set[Call[Any]] = set()
        self._is_stopping = self._is_stopped = self._is_over = False

    @property
    def is_running(self) -> bool:
        """True if this process has the thread and it has not ended."""
        return self._process == os.getpid() and not self._is_over

    @property
    def is_current_thread(self) -> bool:
        """True in the portal's own thread."""
        return self._process != 0 and threading.get_ident() == self._thread.ident

    # Calls

    def run(self, coroutine: Coroutine[Any, Any, _T], discard: Callable[[], object] | None = None) -> _T:
        """Run a coroutine on the loop, wait for it, and return its result or raise its error.

        Args:
            coroutine: it is awaited once, or closed.
            discard: called on the loop if the wait is interrupted, for example by Ctrl-C, so that the result is lost.

        Raises:
            ClientClosed: the portal is closed, or was closed meanwhile.
            ImproperConnectionState: called in the portal's thread, or in another process.
        """
        if self._process != os.getpid():
            self._start(coroutine)
        if self.is_current_thread:
            coroutine.close()
            raise ImproperConnectionState("expected a call from another thread, got one that the client itself runs")
        call = Call(coroutine, self._loop)
        self._calls.add(call)  # from here on, the end of the loop ends the call
        try:
            if not self._post(partial(self._start_call, call)):
                call.fail("the client is closed")
            call.wait()
        except BaseException:
            if self._post(partial(call.cancel, discard)):
                call.wait_for_cancellation()
            raise
        finally:
            self._calls.discard(call)
        return call.take()

    def _start_call(self, call: Call[Any]) -> None:
        if self._is_over:
            call.fail()
        else:
            call.start()

    def call(self, function: Callable[[], _T]) -> _T:
        """Call a function in the portal's thread, or here if it is not running or is this one; return the result."""
        if self.is_running and not self.is_current_thread:
            with suppress(ClientClosed):  # it has just ended
                return self.run(_call(function))
        return function()

    def call_soon(self, function: Callable[[], object]) -> None:
        """Call a function in the portal's thread without waiting, or here if that has ended or is this one."""
        if self._process == os.getpid() and (self.is_current_thread or not self._post(function)):
            function()

    def _post(self, callback: Callable[[], object]) -> bool:
        """Schedule a callback on the loop; return False if the loop is closed."""
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            return False
        return True

    # Starting and stopping

    def _start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            with self._starting:
                if self._is_over:
                    raise ClientClosed("the client is closed")
                if not self._process:
                    self._start_thread()
                elif self._process != os.getpid():
                    raise ImproperConnectionState("the client belongs to another process: make one in each")
        except BaseException:
            coroutine.close()
            raise

    def _start_thread(self) -> None:
        self._loop = self._make_loop()
        self._thread = threading.Thread(target=self._serve, name="compat.Client", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._loop.close()
            raise
        self._process = os.getpid()
        _portals.add(self)

    def _serve(self) -> None:
        try:
            self._loop.run_forever()
        finally:  # also after a SystemExit raised by a callback of the client's user
            self._is_stopped = True
            try:
                self._loop.run_until_complete(self._close_all())
            finally:
                self._finish()

    def _finish(self) -> None:
        self._is_over = True  # later calls fail; the calls of the last turns are ended here
        try:
            self._loop.run_until_complete(self._end_tasks())
        finally:
            self._loop.close()
            while self._calls:
                self._calls.pop().fail()

    def _stop_loop(self) -> None:
        if not self._is_stopped:  # a second stop would end one of the run_until_complete() calls
            self._loop.stop()

    def stop(self) -> None:
        """Begin to stop a running thread: calls in progress fail, connections are closed. Never waits."""
        with self._starting:
            self._is_over |= not self._process
            is_first, self._is_stopping = not self._is_stopping, True
        if is_first and self.is_running:
            self._post(self._stop_loop)

    def join(self, seconds: float | None = None) -> None:
        """Wait until the thread has ended, if it runs and is not the current one."""
        if self._process == os.getpid() and not self.is_current_thread:
            self._thread.join(seconds)

    def stop_at_exit(self) -> None:
        """Stop the thread when the interpreter exits, without waking waiting daemon threads, which would fail."""
        while self.is_running and self._calls:
            self._calls.pop().abandon()
        self.stop()
        self.join(EXIT_GRACE)

    async def _close_all(self) -> None:
        for writer in list(self.upgraded):
            writer.close()
        await self._client.aclose()
        await self._end_tasks()
        await self._loop.shutdown_asyncgens()

    async def _end_tasks(self) -> None:
        """Cancel the remaining tasks: calls that the client has not ended, and tasks started by its user's code."""
        until = self._loop.time() + CANCEL_GRACE
        while (left := asyncio.all_tasks() - {asyncio.current_task()}) and self._loop.time() < until:
            await asyncio.wait(left, timeout=0)  # let new tasks take their first step
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=CANCEL_GRACE)


async def _call(function: Callable[[], _T]) -> _T:
    return function()


_portals: WeakSet[Portal] = WeakSet()


@atexit.register
def _stop_all() -> None:
    for portal in list(_portals):
        portal.stop_at_exit()
