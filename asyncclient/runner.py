"""Running a coroutine on the fastest event loop available."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def find_loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return the factory of the fastest loop: uvloop's (winloop's on Windows) if installed, otherwise asyncio's."""
    for name in ("uvloop", "winloop"):
        try:
            return __import__(name).new_event_loop  # type: ignore[no-any-return]
        except ImportError:
            continue
    return asyncio.new_event_loop


def run(coroutine: Coroutine[Any, Any, _T], *, debug: bool | None = None) -> _T:
    """Run a coroutine as asyncio.run() does, on uvloop if it is installed (decision 56); return its result.

    Raises:
        RuntimeError: an event loop is running in this thread, for example in a notebook: await the coroutine there.
        TypeError: the argument is not a coroutine.
    """
    if not isinstance(coroutine, Coroutine):
        raise TypeError(f"expected a coroutine, such as main(), got {type(coroutine).__name__}")
    if _is_loop_running():
        coroutine.close()  # otherwise Python warns that it was never awaited
        raise RuntimeError(
            "asyncclient.run() can't be called where an event loop is running: await the coroutine there"
        )
    with asyncio.Runner(debug=debug, loop_factory=find_loop_factory()) as runner:
        return runner.run(coroutine)


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
