"""What holds for all requests of a client."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ..pool.pool import Pool
from ..timeouts import Timeout
from ..tracing import Tracer
from .auth import Auth
from .cookies import CookieJar
from .retries import Retry, RetryBudget
from .site import Sites


@dataclass(frozen=True, slots=True)  # no NamedTuple: its attributes take three times as long to read
class Settings:
    """What holds for all requests of a client; Client documents it.

    `is_plain`: content is read as it comes, where it is not coded.
    """

    pool: Pool
    sites: Sites
    jar: CookieJar
    auth: Auth | None
    timeout: Timeout
    retries: Retry | None
    budget: RetryBudget | None
    follow_redirects: bool
    max_redirects: int
    max_body_size: int | None
    secret_names: frozenset[str]
    tracer: Tracer | None
    is_plain: bool


@lru_cache(maxsize=256)
def find_timeout(value: float | Timeout | None, default: Timeout) -> Timeout:
    """Return the time limits that a caller's value means: a number is for everything together, None is for ever."""
    if isinstance(value, Timeout):
        return value
    if value is None:
        return Timeout.each(None)
    Timeout(total=value)  # refuses what is none
    return default._replace(total=value)
