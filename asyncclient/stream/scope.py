"""A time limit for what is waited for outside a stream: resolving, connecting, a handshake, the caller's own body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ..errors import PhaseTimeout


@asynccontextmanager
async def time_limit(seconds: float | None, build_error: Callable[[float], PhaseTimeout]) -> AsyncIterator[None]:
    """Raise the error once this scope has lasted that long; None is for ever.

    A timeout is ours only if our own scope expired: another one, or a cancellation from outside, stays what it is.
    """
    loop = asyncio.get_running_loop()
    scope = asyncio.timeout_at(None if seconds is None else loop.time() + seconds)
    try:
        async with scope:
            yield
    except TimeoutError as exc:
        if not scope.expired() or isinstance(exc, PhaseTimeout):
            raise
        raise build_error(seconds or 0.0) from exc
