"""The settings of a client that apply to all of its requests."""

from __future__ import annotations

import time
from asyncio import get_running_loop
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ..timeouts import Deadline, Timeout
from ..transport import Origin, Transport
from .body.arguments import Unset
from .cookies.jar import CookieJar
from .pauses import Pauses
from .request import Choices, check_timeout
from .retries import Retry, RetryBudget, list_resent
from .round import Rounds

if TYPE_CHECKING:
    from ..tracing.trace import Trace

DefaultEncoding = str | Callable[[bytes], str | None]
"""The label of a charset, or a function that returns a label or None for the first bytes of content."""


@dataclass(frozen=True, slots=True)  # not a NamedTuple, whose attributes take three times as long to read
class Settings:
    """The settings for all requests of a client; Client documents them.

    Attributes:
        trace: the trace of a request, in the settings of that request alone.
        pauses: the pauses between attempts, and whether the client is closed.
        is_plain: True if neither size nor rate of content is limited, so that unencoded content needs no checks.
        resent: methods of requests that are resent once, without a policy, after an idle connection was closed.
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
    default_encoding: DefaultEncoding | None
    trace: Trace | None = None
    is_plain: bool = field(init=False)
    resent: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Derive the values that each request would compute again."""
        object.__setattr__(self, "is_plain", self.max_body_size is None and self.timeout.min_rate is None)
        object.__setattr__(self, "resent", list_resent(self.retries))

    def timeout_for(self, choices: Choices) -> Timeout:
        """Return the timeouts of a request: its own if it has any."""
        return self.timeout if isinstance(choices.timeout, Unset) else find_timeout(choices.timeout, self.timeout)

    def max_size_for(self, choices: Choices) -> int | None:
        """Return the limit of a response's content in bytes; None for no limit."""
        return self.max_body_size if isinstance(choices.max_body_size, Unset) else choices.max_body_size

    def may_retry(self, origin: Origin, seconds: float, deadline: Deadline) -> bool:
        """Return True if a retry after `seconds` is before the deadline and allowed by the budget, which it uses."""
        if deadline.left(get_running_loop().time()) <= seconds:
            return False
        return self.budget is None or self.budget.may_retry(origin, time.monotonic())


def find_timeout(value: float | Timeout | None, default: Timeout) -> Timeout:
    """Return the Timeout for a caller's value: a number is the total, None means no limits.

    Raises:
        TypeError: it has another type.
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


def find_deadline(timeout: Timeout) -> Deadline:
    """Return when an operation that starts now must be done; the timeout has a total."""
    return Deadline.after(timeout.total, get_running_loop().time())
