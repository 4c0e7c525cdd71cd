"""Retries: whether a request that failed goes out once more, and when. One pure function decides; a client applies it.

Two things are kept apart. A kept connection that the server closed meanwhile is no failure of the request: it is
repeated once, at once, without anybody's word, if that can do no harm (RFC 9110 §9.2.2, RFC 9112 §9.3.1). All else is
retried only by a policy that the user gave. And never, by either, is a body sent that can't be sent whole again.
"""

from __future__ import annotations

import enum
import errno
import math
import re
import socket
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple

from ..arguments import list_collection
from ..bounded import BoundedDict
from ..errors import ConnectError, IncompleteRead, PoolTimeout, ProxyError, TLSError, TotalTimeout, clip
from .request import spell_method

IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
"""Methods whose request may arrive twice with the effect of one (RFC 9110 §9.2.2)."""

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


class Retry(_Retry):
    """A policy: which requests are retried, how often, and after what pause.

    The pause before the n-th retry is `backoff * 2 ** (n - 1)` seconds, at most `max_backoff`, and less by chance.

    Args:
        total: retries of one request; the free repeat after a stale connection is not among them. With 0 there is no
            such repeat either: nothing that was sent is sent twice.
        statuses: of responses that are retried.
        methods: that are retried once a request may have arrived. Where no connection could be opened none has, and
            any method is retried. Content that breaks off while the client itself reads it (not in stream()) is asked
            for again, too.
        backoff: seconds before the first retry, doubled for each after it.
        max_backoff: seconds that such a pause has at most.
        jitter: what share of the pause is left to chance, from 0 to 1: with 1 it is anything down to nothing, so that
            clients which failed together do not come back together.
        respect_retry_after: wait at least as long as the response asks for (RFC 9110 §10.2.3).
        max_retry_after: seconds; who is asked to wait longer gets the response instead.
        budget: retries to one origin as a share of the requests to it (see RetryBudget); None lets all pass.

    Raises:
        TypeError: a number is none, or statuses or methods are no collection of such.
        ValueError: a number is below 0 or infinite, jitter above 1, or a status has not three digits.
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


class Outcome(NamedTuple):
    """How one attempt ended, as far as the decision needs it: with an error, or with the head of a response.

    Attributes:
        method: of the request.
        attempts: how often the request was sent, this attempt and a repeat after a stale connection included.
        error: what was raised; None if there is a response.
        status: of the response; None if there is none.
        retry_after: value of its field Retry-After.
        is_reused: whether the connection had served a request before.
        was_sent: whether anything of the request may have been written.
        bytes_received: of an answer, interim responses included.
        is_replayable: whether the body can be sent whole again: nothing of it was taken yet, or it can be rewound or
            made anew. A request without a body is replayable.
        has_repeated: whether the free repeat after a stale connection has been used.
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

    REPEAT = "repeat at once, on a new connection"
    WAIT = "wait, then retry if the budget lets it"
    STALE = "raise StaleConnectionError"
    GIVE_UP = "raise the error or hand over the response"


class Decision(NamedTuple):
    """What to do after an attempt; `seconds` is how long to wait, for Action.WAIT."""

    action: Action
    seconds: float = 0.0


_REPEAT, _STALE, _GIVE_UP = Decision(Action.REPEAT), Decision(Action.STALE), Decision(Action.GIVE_UP)


def decide_retry(outcome: Outcome, policy: Retry | None, random: Callable[[], float], now: float) -> Decision:
    """Decide whether a request goes out once more.

    Args:
        outcome: how the last attempt ended.
        policy: the user's; None retries nothing, yet a stale connection is repeated.
        random: a number from 0 to 1, as random.random gives it.
        now: seconds since 1970, as time.time() has them, to read a date in Retry-After.
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
    """Return whether a kept connection was closed before a byte of an answer: the server had most likely left."""
    is_closed = isinstance(outcome.error, ConnectionError) and not isinstance(outcome.error, ConnectError)
    return is_closed and outcome.is_reused and not outcome.bytes_received


def _may_repeat(outcome: Outcome, policy: Retry | None) -> bool:
    """Return whether the free repeat is granted; with a policy of 0 retries nothing that was sent is sent twice."""
    if outcome.has_repeated or not outcome.is_replayable:
        return False
    if not outcome.was_sent:
        return True
    if policy is None:
        return outcome.method in IDEMPOTENT
    return policy.total > 0 and (outcome.method in IDEMPOTENT or outcome.method in policy.methods)


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
    # Errors of files are OSError too: what a body's source raises is no reason to try again.
    is_network = isinstance(error, _NETWORK) or (isinstance(error, OSError) and error.errno in _NETWORK_ERRNOS)
    return is_network and outcome.method in policy.methods


def _may_reconnect(error: ConnectError, policy: Retry) -> bool:
    """Return whether opening a connection may do better later; nothing was sent, so the method does not matter."""
    if isinstance(error, ProxyError):
        return error.status is None or error.status in policy.statuses
    return not any(isinstance(one, socket.gaierror) and one.errno == socket.EAI_NONAME for one in error.attempts)


def _find_pause(
    retry_after: str | None, retries: int, policy: Retry, random: Callable[[], float], now: float
) -> float | None:
    """Return seconds to wait; None where the server asks for more than the policy grants."""
    longest = min(policy.max_backoff, policy.backoff * 2.0 ** min(retries, 64))
    pause = longest * (1 - policy.jitter * random())
    asked = parse_retry_after(retry_after, now) if policy.respect_retry_after and retry_after else None
    if asked is None:
        return pause
    return max(asked, pause) if asked <= policy.max_retry_after else None


def parse_retry_after(value: str, now: float) -> float | None:
    """Return how many seconds from now Retry-After asks to wait (RFC 9110 §10.2.3), 0 for what is past, None for junk.

    Args:
        value: of the field: seconds, with a fraction as some servers have it, or a date in any of HTTP's three forms.
        now: seconds since 1970.
    """
    value = value.strip(" \t")
    if _SECONDS.fullmatch(value):
        return float(value)
    if _DATE.fullmatch(value) is None:
        return None
    from datetime import UTC, datetime  # only here: both take 10 ms to import
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
    """Bounds retries to a share of the requests, origin by origin: a server in trouble is not sent several times more.

    Each origin has a bucket of tokens. A request puts in `share` of one, each second a tenth of `SPARE`, and a retry
    takes one out. What was saved up is bounded, and so is how many origins are known: the one that was longest unused
    is forgotten, and begins anew.
    """

    SPARE = 10.0
    """Tokens that an origin begins with, and that ten seconds bring: who asks seldom may retry all the same."""

    MOST = 100.0
    """Tokens that a bucket holds at most."""

    ORIGINS = 1024
    """Buckets at most."""

    __slots__ = ("_buckets", "_share")

    def __init__(self, share: float) -> None:
        self._share = share
        self._buckets: BoundedDict[Hashable, tuple[float, float]] = BoundedDict(self.ORIGINS)

    def note_request(self, origin: Hashable, now: float) -> None:
        """Count a request, not a retry, to the origin; `now` is seconds on a clock that never goes back."""
        self._store(origin, self._find_tokens(origin, now) + self._share, now)

    def may_retry(self, origin: Hashable, now: float) -> bool:
        """Return whether a retry may go to the origin now, and count it if so."""
        tokens = self._find_tokens(origin, now)
        is_granted = tokens >= 1
        self._store(origin, tokens - is_granted, now)
        return is_granted

    def _find_tokens(self, origin: Hashable, now: float) -> float:
        tokens, since = self._buckets.pop(origin, (self.SPARE, now))
        return min(self.MOST, tokens + (now - since) * self.SPARE / 10)

    def _store(self, origin: Hashable, tokens: float, now: float) -> None:
        self._buckets[origin] = tokens, now
