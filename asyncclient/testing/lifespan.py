"""The lifespan of an ASGI application: its startup and its shutdown, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application of version 3, a coroutine function of scope, receive and send, in any annotation."""

VERSION: Final = {"version": "3.0", "spec_version": "2.3"}
"""The version of ASGI: before 2.4 frameworks wait for the disconnect, and do not expect an error when they send."""


async def end_tasks(tasks: Collection[asyncio.Task[None]], seconds: float) -> None:
    """Wait until tasks have ended; those that have not after that many seconds are cancelled."""
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


class Lifespan:
    """Runs the startup of an application in a task of its own, which also runs the shutdown.

    An application that does not know the lifespan protocol raises an exception before it has answered: it is then
    taken as started, as servers do.

    Args:
        app: the application.

    Attributes:
        state: the state that the startup has set, for the scope of each request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._task: asyncio.Task[None] | None = None
        self._has_asked = False  # for the first message
        self._has_answered = asyncio.Event()  # that it has started, or failed to
        self._is_stopping = asyncio.Event()
        self._failures: dict[str, str] = {}  # reported by the application, by step
        self._error: Exception | None = None  # raised after the startup

    async def start(self) -> None:
        """Wait until the application has started; the first call starts it. Cancelling does not stop the startup.

        Raises:
            RuntimeError: the application reports that its startup has failed.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        await self._has_answered.wait()
        self._check("startup")

    async def stop(self, seconds: float) -> None:
        """Run the shutdown if the application has started; after that many seconds it is cancelled.

        Raises:
            RuntimeError: the application reports that its shutdown has failed.
            Exception: an exception of the shutdown.
        """
        task, self._task = self._task, None
        if task is None:
            return
        self._is_stopping.set()
        await end_tasks([task], seconds)
        self._check("shutdown")
        if self._error is not None:
            raise self._error

    def _check(self, step: str) -> None:
        if step in self._failures:
            raise RuntimeError(f"{step} of the application failed: {self._failures[step]}")

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": VERSION, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:
            if self._has_answered.is_set() and not self._failures:
                self._error = error
        finally:
            self._has_answered.set()

    async def _receive(self) -> Message:
        if not self._has_asked:
            self._has_asked = True
            return {"type": "lifespan.startup"}
        await self._is_stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        _, step, result = message["type"].split(".")
        if result == "failed":
            self._failures[step] = str(message.get("message") or "without a message")
        self._has_answered.set()
