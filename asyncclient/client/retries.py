"""Retries: one pure function decides whether a failed request is sent again, and when; the client applies it.

There are two kinds. If a server closed an idle connection before it answered, the request is resent once, at once and
without a policy, provided that this is safe (RFC 9110 §9.2.2, RFC 9112 §9.3.1). Everything else is retried only by the
user's policy. In both cases a body is sent again only if it can be sent whole.
"""

from __future__ import annotations

import enum
import errno
import math
import re
import socket
from collections.abc import Callable, Hashable, Iterable
from typing import Final, NamedTuple

from ..arguments import known_arguments, list_collection
from ..bounded import BoundedDict
from ..errors import ConnectError, IncompleteRead, PoolTimeout, ProxyError, TLSError, TotalTimeout, clip
from .request import spell_method

IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
"""Methods whose request may arrive twice with the same effect as once (RFC 9110 §9.2.2)."""

_SECONDS = re.compile(r"[0-9]++(?:\.[0-9]++)?+")
_DATE = re.compile(r"[A-Z][a-z]{2}[ -~]{1,40}")


class _Retry(NamedTuple):
    total: int
    statuses: frozenset[int]
    methods: frozenset[str]
    backoff: float
    max_backoff: float
    jitter: float
    respect_retry_after: bool
    max_retry_after: float
    budget: float | None


_INSTEAD: Final = {
    "allowed_methods": "methods=",
    "attempts": "total=, which does not count the first sending",
    "backoff_factor": "backoff=",
    "backoff_jitter": "jitter=",
    "backoff_max": "max_backoff=",
    "codes": "statuses=",
    "connect": "total=, for all kinds of failures",
    "factor": "backoff=",
    "max_attempts": "total=, which does not count the first sending",
    "max_retries": "total=",
    "max_tries": "total=, which does not count the first sending",
    "method_whitelist": "methods=",
    "other": "total=, for all kinds of failures",
    "read": "total=, for all kinds of failures",
    "redirect": "Client(max_redirects=...)",
    "respect_retry_after_header": "respect_retry_after=",
    "retries": "total=",
    "status": "statuses=, or total= for their number",
    "status_forcelist": "statuses=",
    "timeout": "Client(timeout=Timeout(total=...)), which includes the retries",
    "wait": "backoff=",
}
"""What to write for the words of other libraries."""


@known_arguments(_INSTEAD)
class Retry(_Retry):
    """A policy: which requests are retried, how often, and after what pause.

    The pause before the n-th retry is `backoff * 2 ** (n - 1)` seconds, at most `max_backoff`, minus a random part.

    Args:
        total: retries of one request, not counting the free resend on a new connection. With 0 that resend is disabled
            too: nothing that was sent is sent twice.
        statuses: statuses of responses that are retried.
        methods: methods that are retried although the request may have arrived. If no connection could be opened, it
            cannot have, and any method is retried. If content that the client itself reads (not in stream()) breaks
            off, the request is retried too.
        backoff: seconds before the first retry, doubled for each further one.
        max_backoff: upper limit of the pause in seconds.
        jitter: random share of the pause, from 0 to 1: with 1 the pause is anything down to 0, so that clients which
            failed together do not return together.
        respect_retry_after: wait at least as long as the response's Retry-After asks for (RFC 9110 §10.2.3).
        max_retry_after: seconds; if the response asks for a longer wait, it is returned instead.
        budget: retries to one origin as a share of its requests (see RetryBudget); None for no limit.

    Raises:
        TypeError: a value is not a number, or statuses or methods are not a collection of the right type.
        ValueError: a number is below 0 or infinite, jitter above 1, or a status does not have three digits.
    """

    __slots__ = ()

    def __new__(
        cls,
        total: int = 3,
        statuses: Iterable[int] = frozenset((429, 502, 503, 504)),
        methods: Iterable[str] = IDEMPOTENT,
        backoff: float = 0.5,
        max_backoff: float = 30.0,
        jitter: float = 1.0,
        respect_retry_after: bool = True,
        max_retry_after: float = 60.0,
        budget: float | None = 0.2,
    ) -> Retry:
        """Check the policy."""
        statuses = frozenset(list_collection("statuses", statuses, int, "a collection of statuses"))
        methods = frozenset(map(spell_method, list_collection("methods", methods, str, "a collection of methods")))
        if not all(100 <= status <= 999 for status in statuses):
            raise ValueError(f"expected statuses of three digits, got {clip(sorted(statuses))}")
        if not isinstance(total, int):
            raise TypeError(f"expected a number of retries as total, got {type(total).__name__}")
        retry = super().__new__(
            cls, total, statuses, methods, backoff, max_backoff, jitter, respect_retry_after, max_retry_after, budget
        )
        for name in ("total", "backoff", "max_backoff", "jitter", "max_retry_after", "budget"):
            _check_number(name, getattr(retry, name), may_be_none=name == "budget")
        if jitter > 1:
            raise ValueError(f"expected jitter of 0 to 1, got {jitter!r}")
        return retry


def _check_number(name: str, value: object, *, may_be_none: bool) -> None:
    if value is None and may_be_none:
        return
    if not isinstance(value, int | float):
        raise TypeError(f"expected a number for {name}, got {type(value).__name__}")
    if not 0 <= value < math.inf:
        raise ValueError(f"expected {name} of at least 0 and finite, got {value!r}")


DEFAULT_RECONNECT: Final = Retry(total=8, backoff=1.0)
"""The policy for opening an event stream again."""


class Outcome(NamedTuple):
    """The end of one attempt: an error, or the head of a response.

    Attributes:
        method: of the request.
        attempts: how often the request was sent so far, this attempt and a free resend included.
        error: the error raised; None for a response.
        status: of the response; None for an error.
        retry_after: value of the response's Retry-After.
        is_reused: True if the connection had served a request before.
        was_sent: True if any part of the request may have been written.
        bytes_received: bytes of the response, interim responses included.
        is_replayable: True if the body can be sent whole again: nothing of it was read yet, or it can be rewound or
            created again. A request without a body is replayable.
        has_repeated: True if the free resend was used.
    """

    method: str
    attempts: int = 1
    error: BaseException | None = None
    status: int | None = None
    retry_after: str | None = None
    is_reused: bool = False
    was_sent: bool = True
    bytes_received: int = 0
    is_replayable: bool = True
    has_repeated: bool = False


class Action(enum.Enum):
    """What to do after an attempt."""

    REPEAT = "resend at once, on a new connection"
    WAIT = "wait, then retry if the budget allows it"
    STALE = "raise StaleConnectionError"
    GIVE_UP = "raise the error or return the response"


class Decision(NamedTuple):
    """What to do after an attempt; `seconds` is how long to wait, for Action.WAIT."""

    action: Action
    seconds: float = 0.0


_REPEAT, _STALE, _GIVE_UP = Decision(Action.REPEAT), Decision(Action.STALE), Decision(Action.GIVE_UP)


def decide_retry(outcome: Outcome, policy: Retry | None, random: Callable[[], float], now: float) -> Decision:
    """Decide whether a request is sent again.

    Args:
        outcome: the end of the last attempt.
        policy: the user's; None allows only the free resend.
        random: returns a number from 0 to 1, as random.random does.
        now: Unix seconds, to read a date in Retry-After.
    """
    is_stale = _is_stale(outcome)
    if is_stale and _may_repeat(outcome, policy):
        return _REPEAT
    retries = outcome.attempts - 1 - outcome.has_repeated
    if policy is not None and retries < policy.total and outcome.is_replayable and _may_retry(outcome, policy):
        seconds = _find_pause(outcome.retry_after, retries, policy, random, now)
        if seconds is not None:
            return Decision(Action.WAIT, seconds)
    return _STALE if is_stale else _GIVE_UP


def _is_stale(outcome: Outcome) -> bool:
    """Return True if an idle connection was closed before a byte of the response: the server had most likely left."""
    is_closed = isinstance(outcome.error, ConnectionError) and not isinstance(outcome.error, ConnectError)
    return is_closed and outcome.is_reused and not outcome.bytes_received


def _may_repeat(outcome: Outcome, policy: Retry | None) -> bool:
    """Return True if the free resend is allowed; a policy with 0 retries forbids sending anything twice."""
    if outcome.has_repeated or not outcome.is_replayable:
        return False
    return not outcome.was_sent or outcome.method in list_resent(policy)


def list_resent(policy: Retry | None) -> frozenset[str]:
    """Return the methods of requests that have the free resend even if they may have arrived."""
    if policy is None:
        return IDEMPOTENT
    return IDEMPOTENT | policy.methods if policy.total else frozenset()


_NEVER = (TotalTimeout, PoolTimeout, TLSError)
_NETWORK = (ConnectionError, TimeoutError, IncompleteRead)
_NETWORK_ERRNOS = frozenset((errno.ENETDOWN, errno.ENETUNREACH, errno.ENETRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH))


def _may_retry(outcome: Outcome, policy: Retry) -> bool:
    error = outcome.error
    if error is None:
        return outcome.status in policy.statuses and outcome.method in policy.methods
    if isinstance(error, _NEVER):
        return False
    if isinstance(error, ConnectError):
        return _may_reconnect(error, policy)
    # Errors of files are OSError too: an error of the body's source is not a reason to retry.
    is_network = isinstance(error, _NETWORK) or (isinstance(error, OSError) and error.errno in _NETWORK_ERRNOS)
    return is_network and outcome.method in policy.methods


def _may_reconnect(error: ConnectError, policy: Retry) -> bool:
    """Return True if connecting may succeed later. Nothing was sent, so the method does not matter."""
    if isinstance(error, ProxyError):
        return error.status is None or error.status in policy.statuses
    failures = (attempt for attempt in error.attempts if isinstance(attempt, socket.gaierror))
    return not any(failure.errno == socket.EAI_NONAME for failure in failures)


def _find_pause(
    retry_after: str | None, retries: int, policy: Retry, random: Callable[[], float], now: float
) -> float | None:
    """Return the seconds to wait; None if the server asks for more than the policy allows."""
    longest = min(policy.max_backoff, policy.backoff * 2.0 ** min(retries, 64))
    pause = longest * (1 - policy.jitter * random())
    asked = parse_retry_after(retry_after, now) if policy.respect_retry_after and retry_after else None
    if asked is None:
        return pause
    return max(asked, pause) if asked <= policy.max_retry_after else None


def parse_retry_after(value: str, now: float) -> float | None:
    """Return the seconds that Retry-After asks to wait (RFC 9110 §10.2.3): 0 for a past date, None if malformed.

    Args:
        value: seconds, also with a fraction as some servers send it, or a date in one of HTTP's three formats.
        now: Unix seconds.
    """
    value = value.strip(" \t")
    if _SECONDS.fullmatch(value):
        return float(value)
    if _DATE.fullmatch(value) is None:
        return None
    from datetime import UTC, datetime  # imported on use: both take 10 ms
    from email.utils import parsedate_tz

    parsed = parsedate_tz(value)
    if parsed is None:
        return None
    try:
        moment = datetime(*parsed[:6], tzinfo=UTC)
    except (ValueError, OverflowError):  # the 40th of a month, a year of eleven digits
        return None
    return max(0.0, moment.timestamp() - (parsed[9] or 0) - now)


class RetryBudget:
    """Limits retries to a share of the requests to each origin, so that a failing server is not overloaded further.

    Each origin has a token bucket. A request adds `share` of a token, each second a tenth of INITIAL_TOKENS, and a
    retry takes one token. Tokens and origins are limited; the origin unused for the longest time is dropped.
    """

    INITIAL_TOKENS = 10.0
    """Tokens of a new origin, and tokens added in ten seconds: they allow retries for infrequent requests."""

    MAX_TOKENS = 100.0
    """Tokens of one bucket at most."""

    MAX_ORIGINS = 1024
    """Buckets at most."""

    __slots__ = ("_buckets", "_share")

    def __init__(self, share: float) -> None:
        self._share = share
        self._buckets: BoundedDict[Hashable, tuple[float, float]] = BoundedDict(self.MAX_ORIGINS)

    def add_request(self, origin: Hashable, now: float) -> None:
        """Count a request, not a retry, to the origin; `now` is in monotonic seconds."""
        self._store(origin, self._find_tokens(origin, now) + self._share, now)

    def may_retry(self, origin: Hashable, now: float) -> bool:
        """Return True if a retry to the origin is allowed now, and count it."""
        tokens = self._find_tokens(origin, now)
        is_allowed = tokens >= 1
        self._store(origin, tokens - is_allowed, now)
        return is_allowed

    def _find_tokens(self, origin: Hashable, now: float) -> float:
        tokens, since = self._buckets.pop(origin, (self.INITIAL_TOKENS, now))
        return min(self.MAX_TOKENS, tokens + (now - since) * self.INITIAL_TOKENS / 10)

    def _store(self, origin: Hashable, tokens: float, now: float) -> None:
        self._buckets[origin] = tokens, now
