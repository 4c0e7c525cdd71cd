"""The tracers of a client together with its log, which may be turned on and off at any time."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from ..timings import Timings
from .audience import Audience
from .log import is_logged
from .logs import LineTracer, LogTracer
from .trace import ConnectionTrace
from .tracer import Tracer

_LEVELS: Final = ((logging.DEBUG, LogTracer), (logging.INFO, LineTracer))


class Tracers:
    """The tracers of a client, and its log unless one of them writes it.

    Args:
        given: the tracers.

    Raises:
        TypeError: one of them is not a Tracer.

    Attributes:
        given: the same.
    """

    def __init__(self, given: Iterable[Tracer] = ()) -> None:
        self.given = tuple(given)
        self._alone = Audience(self.given) if self.given else None
        self._writes_log = not any(isinstance(tracer, LineTracer) for tracer in self.given)
        self._logging: dict[int, Audience] = {}

    def find_audience(self) -> Audience | None:
        """Return the audience of a request that begins now; None without tracers and while the log is off."""
        if self._writes_log:
            for level, kind in _LEVELS:
                if is_logged(level):
                    return self._with_log(level, kind)
        return self._alone

    def open_connection(self, label: str, timings: Timings) -> ConnectionTrace:
        """Return the trace of a connection that is opened in advance."""
        return ConnectionTrace((self.find_audience() or Audience(())).tell, label, timings, None)

    def _with_log(self, level: int, kind: type[LineTracer]) -> Audience:
        found = self._logging.get(level)
        if found is None:
            found = self._logging[level] = Audience((*self.given, kind()))
        return found


LOG_ONLY: Final = Tracers()
"""For clients without tracers, while the log is on."""
