"""A time limit for what is waited for outside a stream: resolving, connecting, a handshake, the caller's own body."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from ..errors import PhaseTimeout


class TimeLimit:
    """An `async with` that raises the error once it has lasted that long; None is for ever.

    A timeout is ours only if our own scope expired: another one, or a cancellation from outside, stays what it is.
    (A class, where a generator made a context manager takes three times as long to enter and leave.)

    Args:
        seconds: how long it may last.
        build_error: makes the error, of those seconds.
    """

    __slots__ = ("_build_error", "_scope", "_seconds")

    def __init__(self, seconds: float | None, build_error: Callable[[float], PhaseTimeout]) -> None:
        self._seconds = seconds
        self._build_error = build_error
        self._scope: asyncio.Timeout | None = None

    async def __aenter__(self) -> None:
        if self._seconds is not None:
            self._scope = asyncio.timeout(self._seconds)
            await self._scope.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        scope, self._scope = self._scope, None
        if scope is None:
            return
        try:
            await scope.__aexit__(kind, error, traceback)
            return
        except TimeoutError:
            del scope  # it knows the task, which may end with our error: neither could be freed
        raise self._build_error(self._seconds or 0.0)
