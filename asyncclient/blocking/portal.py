"""The thread that a blocking client's loop runs on, and how other threads wait for what is done there.

The problem: threads share a pool of connections, so one loop serves them all. A thread that waits for it must wait as
with any blocking call: Ctrl-C and handlers that raise end the wait, and what it waited for. None may wait for ever,
whoever closes the client, forks, or leaves the interpreter meanwhile.

The rules kept:
- A call has an inbox, and who makes it waits there and nowhere else: for its end, and for steps that are his to take,
  such as those of a generator that is sent as a body. He does them in his own thread, for he has nothing else to do.
- Only Exceptions are handed to the loop. What else a step raises ends the wait, as Ctrl-C does.
- A wait that ends early cancels its call and lets it give back what it holds; what it had got already is closed.
- The thread knows the loop and the asyncclient.Client, not the blocking one: that may be forgotten, and ends it then.
- A process that was forked has no such thread. It is refused, before it touches what it shares with its parent.
- The thread is a daemon that an atexit handler ends: nobody has to close anything for a program to end.
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

GRACE: Final = 1.0
"""Seconds that what was cancelled may take to end; only what callers of the client run there takes that long."""

EXIT_GRACE: Final = 5.0
"""Seconds that closing connections may take when the interpreter ends."""

_T = TypeVar("_T")

_making: ContextVar[Call[Any] | None] = ContextVar("the call that the running task carries out", default=None)


class Call(Generic[_T]):
    """A coroutine on the loop, and who waits for it in another thread.

    Args:
        coroutine: begun by begin(), on the loop.
        loop: that one.
    """

    __slots__ = ("_context", "_coroutine", "_error", "_inbox", "_is_given_up", "_is_over", "_loop", "_result", "_task")

    _result: _T

    def __init__(self, coroutine: Coroutine[Any, Any, _T], loop: asyncio.AbstractEventLoop) -> None:
        self._coroutine = coroutine
        self._loop = loop
        self._context = copy_context()  # what tracers and the like see there is their caller's
        self._inbox: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._is_over = self._is_given_up = False

    # On the loop

    def begin(self) -> None:
        """Carry the coroutine out."""
        self._task = self._loop.create_task(self._carry_out(), context=self._context)

    async def _carry_out(self) -> None:
        _making.set(self)
        try:
            self._result = await self._coroutine
        except BaseException as error:  # whatever it is, it is the caller's: a SystemExit would end the loop
            self._error = error
        _making.set(None)  # for the context lives as long as this call
        self._is_over = True
        self._inbox.put(None)

    def cancel(self, give_up: Callable[[], object] | None) -> None:
        """Cancel the coroutine; once it is over call give_up()."""
        if self._task is None:
            self.fail()
            return
        self._loop.call_soon(self._task.cancel)  # after its first step, before which it could not end
        if give_up is not None:
            self._task.add_done_callback(lambda _: give_up())

    def fail(self, text: str = "the client was closed meanwhile") -> None:
        """End a call that nobody will carry out any more."""
        if not self._is_over:
            self._coroutine.close()
            self._error = ClientClosed(text)
            self._inbox.put(None)

    async def ask(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return what a function gives in the thread of who waits; cancelling does not end the function."""
        answer = self._loop.create_future()
        self._inbox.put(partial(self._answer, answer, function, args))
        result, error = await answer
        try:
            if error is not None:
                raise error
            return result
        finally:
            del error

    def tell(self, function: Callable[[], object], *, may_lapse: bool = False) -> None:
        """Have a function called in the thread of who waits, before the call ends. What it raises ends the wait.

        One that may lapse is not called any more after that.
        """
        self._inbox.put((lambda: None if self._is_given_up else function()) if may_lapse else function)

    def forget(self) -> None:
        """Leave who waits where he is."""
        self._inbox = SimpleQueue()

    # In the thread of who waits

    def wait(self) -> None:
        """Wait for the end, and take the steps that are asked for meanwhile."""
        while (step := self._inbox.get()) is not None:
            step()

    def wait_out(self) -> None:
        """Wait for the end of a call that is being cancelled, but not for ever."""
        self._is_given_up = True
        deadline = time.monotonic() + GRACE
        with suppress(Empty):
            while (step := self._inbox.get(timeout=max(deadline - time.monotonic(), 0.0))) is not None:
                step()

    def take(self) -> _T:
        """Return the result, or raise what the coroutine did."""
        if self._error is None:
            result = self._result
            del self._result  # the contexts of timers and transports know this call for longer
            return result
        try:
            if isinstance(self._error, asyncio.CancelledError):
                raise ClientClosed("the client was closed meanwhile") from self._error
            raise self._error
        finally:
            self._error = None  # its traceback knows this call

    def _answer(self, answer: asyncio.Future[Any], function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if self._is_given_up:
            return
        outcome: tuple[Any, Exception | None]
        try:
            outcome = function(*args), None
        except Exception as error:
            outcome = None, error
        with suppress(RuntimeError):  # the loop is closed, and the end of the call in the inbox
            self._loop.call_soon_threadsafe(_settle, answer, outcome)


def _settle(answer: asyncio.Future[Any], outcome: tuple[Any, Exception | None]) -> None:
    if not answer.done():
        answer.set_result(outcome)


def current_call() -> Call[Any] | None:
    """Return the call that the running task carries out, None if it does not carry out any."""
    return _making.get()


class LoopThread:
    """A loop on a thread of its own, begun by the first call: until then it may be taken to another process.

    Args:
        client: whose loop it is; it is closed at the end.
        make_loop: makes it.

    Attributes:
        upgraded: connections that the client has let go of, to be closed at the end.
    """

    _loop: asyncio.AbstractEventLoop
    _thread: threading.Thread

    def __init__(self, client: Client, make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self.upgraded: set[asyncio.StreamWriter] = set()
        self._client = client
        self._make_loop = make_loop
        self._beginning = threading.Lock()
        self._process = 0  # the one that the thread is in
        self._calls: set[Call[Any]] = set()
        self._is_ending = self._is_stopped = self._is_over = False

    @property
    def is_running(self) -> bool:
        """Whether there is a thread, in this process, that nobody has ended."""
        return self._process == os.getpid() and not self._is_over

    @property
    def is_here(self) -> bool:
        """Whether this is the thread."""
        return self._process != 0 and threading.get_ident() == self._thread.ident

    # Calls

    def run(self, coroutine: Coroutine[Any, Any, _T], give_up: Callable[[], object] | None = None) -> _T:
        """Carry a coroutine out on the loop, wait for it, and return its result or raise its error.

        Args:
            coroutine: it is awaited once, or closed.
            give_up: called on the loop if the wait ends by something else, such as Ctrl-C; then the result is lost.

        Raises:
            ClientClosed: the thread has ended, or did meanwhile.
            ImproperConnectionState: this is the thread itself, or another process.
        """
        if self._process != os.getpid():
            self._begin(coroutine)
        if self.is_here:
            coroutine.close()
            raise ImproperConnectionState("expected a call from another thread, got one that the client itself runs")
        call = Call(coroutine, self._loop)
        self._calls.add(call)  # from here on who ends the loop ends the call
        try:
            if not self._post(partial(self._begin_call, call)):
                call.fail("the client is closed")
            call.wait()
        except BaseException:
            if self._post(partial(call.cancel, give_up)):
                call.wait_out()
            raise
        finally:
            self._calls.discard(call)
        return call.take()

    def _begin_call(self, call: Call[Any]) -> None:
        if self._is_over:
            call.fail()
        else:
            call.begin()

    def ask(self, function: Callable[[], _T]) -> _T:
        """Return what a function gives on the loop's thread; called here if that is not running, or is this one."""
        if self.is_running and not self.is_here:
            with suppress(ClientClosed):  # it has just ended
                return self.run(_give(function))
        return function()

    def tell(self, function: Callable[[], object]) -> None:
        """Have a function called on the loop's thread and don't wait; called here if that has ended, or is this one."""
        if self._process == os.getpid() and (self.is_here or not self._post(function)):
            function()

    def _post(self, callback: Callable[[], object]) -> bool:
        """Have the loop call something; return whether it is there."""
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            return False
        return True

    # Beginning and ending

    def _begin(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            with self._beginning:
                if self._is_over:
                    raise ClientClosed("the client is closed")
                if not self._process:
                    self._start()
                elif self._process != os.getpid():
                    raise ImproperConnectionState("the client belongs to another process: make one in each")
        except BaseException:
            coroutine.close()
            raise

    def _start(self) -> None:
        self._loop = self._make_loop()
        self._thread = threading.Thread(target=self._serve, name="compat.Client", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._loop.close()
            raise
        self._process = os.getpid()
        _threads.add(self)

    def _serve(self) -> None:
        try:
            self._loop.run_forever()
        finally:  # also after a SystemExit that a callback of the client's user raised
            self._is_stopped = True
            try:
                self._loop.run_until_complete(self._close_all())
            finally:
                self._finish()

    def _finish(self) -> None:
        self._is_over = True  # calls that are posted from here on fail; those that came in the last turns are ended
        try:
            self._loop.run_until_complete(self._end_tasks())
        finally:
            self._loop.close()
            while self._calls:
                self._calls.pop().fail()

    def _stop(self) -> None:
        if not self._is_stopped:  # what follows a stop would end by another
            self._loop.stop()

    def end(self) -> None:
        """Begin to end the thread, if it runs: calls under way fail, connections are closed. Never waits."""
        with self._beginning:
            self._is_over |= not self._process
            is_first, self._is_ending = not self._is_ending, True
        if is_first and self.is_running:
            self._post(self._stop)

    def join(self, seconds: float | None = None) -> None:
        """Wait until the thread has ended, if it runs and is not this one."""
        if self._process == os.getpid() and not self.is_here:
            self._thread.join(seconds)

    def end_silently(self) -> None:
        """End the thread with the interpreter: daemon threads that wait for it are not woken, to fail, any more."""
        while self.is_running and self._calls:
            self._calls.pop().forget()
        self.end()
        self.join(EXIT_GRACE)

    async def _close_all(self) -> None:
        for writer in list(self.upgraded):
            writer.close()
        await self._client.aclose()
        await self._end_tasks()
        await self._loop.shutdown_asyncgens()

    async def _end_tasks(self) -> None:
        """End what runs beside: calls that the client has not ended, and what its callers have begun themselves."""
        until = self._loop.time() + GRACE
        while (left := asyncio.all_tasks() - {asyncio.current_task()}) and self._loop.time() < until:
            await asyncio.wait(left, timeout=0)  # a first step for those that have just been made
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=GRACE)


async def _give(function: Callable[[], _T]) -> _T:
    return function()


_threads: WeakSet[LoopThread] = WeakSet()


@atexit.register
def _end_all() -> None:
    for thread in list(_threads):
        thread.end_silently()
