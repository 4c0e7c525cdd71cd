"""The number of connections that a host can bear, found by trying: additive increase, multiplicative decrease."""

from __future__ import annotations

import math
from typing import Final

from .rules import Rules

MEMORY: Final = 60.0
"""Seconds for which the number is kept after the last response, if the host is not asked meanwhile."""


class Window:
    """The adaptive limit of the connections to one host, for `Rules.target_latency`.

    Attributes:
        limit: connections, as a number with a fraction, from 1 to `Rules.connections`.
        forget_at: when it may be forgotten.
    """

    __slots__ = ("_last_cut", "_rules", "forget_at", "limit")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._last_cut = -math.inf
        self.limit = 1.0
        self.forget_at = -math.inf

    def note(self, active: int, started: float, now: float, *, is_error: bool) -> None:
        """Adapt the limit to the head of a response, or to an error.

        It grows only if all connections are in use, for only then the response says something about that number, and
        shrinks once for all requests that were in progress together.

        Args:
            active: exchanges in progress, this one included.
            started: when the request was sent.
            now: the time.
            is_error: True after an error, or a status of 429 or from 500.
        """
        self.forget_at = now + MEMORY
        if is_error or now - started > (self._rules.target_latency or math.inf):
            if started > self._last_cut:
                self.limit = max(1.0, self.limit / 2)
                self._last_cut = now
        elif active >= int(self.limit):
            self.limit = min(float(self._rules.connections), self.limit + 1 / self.limit)
