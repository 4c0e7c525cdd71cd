"""What holds for all requests of a client."""

from __future__ import annotations

import math
import time
from asyncio import get_running_loop
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from ..timeouts import Timeout
from ..tracing import Tracer
from ..transport import Origin, Transport
from .body.arguments import Unset
from .cookies.jar import CookieJar
from .pauses import Pauses
from .request import Choices, check_timeout
from .retries import Retry, RetryBudget
from .round import Rounds

DefaultEncoding = str | Callable[[bytes], str | None]
"""The label of a charset, or a function that returns one, or None, for the beginning of content."""


@dataclass(frozen=True, slots=True)  # no NamedTuple: its attributes take three times as long to read
class Settings:
    """What holds for all requests of a client; Client documents it.

    Attributes:
        pauses: whether the client is closed, and its pauses between two sendings.
        is_plain: content that is not encoded is read as it is received: no bound on its size or rate is set.
    """

    transport: Transport
    pauses: Pauses
    rounds: Rounds
    jar: CookieJar
    timeout: Timeout
    retries: Retry | None
    budget: RetryBudget | None
    follow_redirects: bool
    max_redirects: int
    max_body_size: int | None
    tracer: Tracer | None
    default_encoding: DefaultEncoding | None
    is_plain: bool

    def timeout_for(self, choices: Choices) -> Timeout:
        """Return the time limits of a request: its own if it has some."""
        return self.timeout if isinstance(choices.timeout, Unset) else find_timeout(choices.timeout, self.timeout)

    def max_size_for(self, choices: Choices) -> int | None:
        """Return the bytes that the content of a response may have; None is any number."""
        return self.max_body_size if isinstance(choices.max_body_size, Unset) else choices.max_body_size

    def may_retry(self, origin: Origin, seconds: float, until: float) -> bool:
        """Return whether a retry after that many seconds is in time, and within the budget, which it uses up."""
        if get_running_loop().time() + seconds >= until:
            return False
        return self.budget is None or self.budget.may_retry(origin, time.monotonic())


def find_timeout(value: float | Timeout | None, default: Timeout) -> Timeout:
    """Return the time limits that a caller's value means: a number is for everything together, None is for ever.

    Raises:
        TypeError: it is something else.
        ValueError: it is below 0.
    """
    if isinstance(value, Timeout):
        return value
    if value is None:
        return Timeout.each(None)
    check_timeout(value)
    return _limit_total(value, default)


@lru_cache(maxsize=256)
def _limit_total(seconds: float, default: Timeout) -> Timeout:
    return replace(default, total=seconds)


def find_deadline(timeout: Timeout) -> float:
    """Return the time of the loop at which what begins now has to be done; infinite without a total."""
    return math.inf if timeout.total is None else get_running_loop().time() + timeout.total
