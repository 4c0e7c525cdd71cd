"""Calling tracers: those of a client, and the log while it is on.

Nothing is called for an event that no tracer has a method for. An exception of a tracer does not reach the request: it
is logged once for each of its methods, and so is a call that holds up the event loop, whose time counts.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from .log import LOGGER
from .tracer import Tracer

SLOW: Final = 0.1
"""Seconds of one call from which on the log gets a warning."""

EVENTS: Final = tuple(name for name in vars(Tracer) if not name.startswith("_"))


class Audience:
    """The tracers that hear of a request or a connection.

    Args:
        tracers: objects with methods of Tracer; other methods are ignored.

    Raises:
        TypeError: a tracer has no such method, or one is a coroutine function.
    """

    def __init__(self, tracers: Iterable[object]) -> None:
        self._methods: dict[str, list[tuple[Callable[..., object], object]]] = {name: [] for name in EVENTS}
        self._reported: set[tuple[int, str]] = set()
        for tracer in tracers:
            self._add(tracer)

    def _add(self, tracer: object) -> None:
        found = {name: getattr(tracer, name) for name in EVENTS if _overrides(tracer, name)}
        if not found and not isinstance(tracer, Tracer):
            raise TypeError(f"expected a Tracer among tracers, got {type(tracer).__name__}")
        for name, method in found.items():
            if inspect.iscoroutinefunction(method):
                raise TypeError(f"expected plain functions in a tracer, got the coroutine function {name}()")
            self._methods[name].append((method, tracer))

    def tell(self, event: str, *args: Any) -> None:
        """Call the method for an event of each tracer that has one."""
        for method, tracer in self._methods[event]:
            started = time.monotonic()
            try:
                method(*args)
            except Exception as error:  # of the program, which the request must survive
                self._report(logging.ERROR, event, tracer, "raised an exception", error)
            seconds = time.monotonic() - started
            if seconds > SLOW:
                self._report(logging.WARNING, event, tracer, f"took {seconds:.2f} s and held up the event loop")

    def _report(self, level: int, event: str, tracer: object, what: str, error: Exception | None = None) -> None:
        if (id(tracer), event) not in self._reported:
            self._reported.add((id(tracer), event))
            LOGGER.log(level, "tracer %s: %s() %s", type(tracer).__name__, event, what, exc_info=error)


def _overrides(tracer: object, name: str) -> bool:
    method = getattr(tracer, name, None)
    return method is not None and getattr(method, "__func__", method) is not getattr(Tracer, name)
