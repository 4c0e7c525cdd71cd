"""Hosts that ask for a pause or fail: rests after 429 and 503, and the circuit breaker, as pure state."""

from __future__ import annotations

import math

from .rules import Rules


class Trouble:
    """The rests and failures of one host. It exists only for a host that had some.

    A host *rests* after status 429 or 503: no request is sent until the rest is over. The breaker is *open* after too
    many failures in a row: requests fail at once. After `Rules.recovery` seconds one request, the *probe*, is sent; its
    success closes the breaker, its failure begins another recovery.

    Attributes:
        rests_until: the end of the rest.
        opens_until: the time of the next probe; -inf while the breaker is closed.
        failures: failures in a row.
        is_probing: True while there is a probe.
        forget_at: when all of this may be forgotten if the host is not asked again.
    """

    __slots__ = (
        "_last_refusal",
        "_refusals",
        "_rules",
        "failures",
        "forget_at",
        "is_probing",
        "opens_until",
        "rests_until",
    )

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._refusals = 0  # answers of 429 or 503 in a row, those to requests sent before the last one left out
        self._last_refusal = -math.inf
        self.rests_until = -math.inf
        self.opens_until = -math.inf
        self.failures = 0
        self.is_probing = False
        self.forget_at = -math.inf

    @property
    def is_open(self) -> bool:
        """True if the breaker is open: a request fails unless it is the probe."""
        return self.opens_until > -math.inf

    def refuse(self, retry_after: float | None, started: float, now: float) -> None:
        """Note status 429 or 503: the host rests for as long as it asks, or longer each time if it does not say.

        Args:
            retry_after: seconds; None or 0 if the response does not say.
            started: when its request was sent. Answers to requests that were in progress together count once.
            now: the time.
        """
        rules = self._rules
        if started > self._last_refusal:
            self._refusals += 1
        self._last_refusal = now
        if retry_after:
            seconds = min(retry_after, rules.max_retry_after)
        else:
            seconds = min(rules.max_backoff, rules.backoff * 2.0 ** min(self._refusals - 1, 64))
        self.rests_until = max(self.rests_until, now + seconds)
        self._remember(self.rests_until + rules.max_backoff)

    def fail(self, now: float) -> bool:
        """Note a failure; return True if the breaker is open from now on, so that waiting requests must fail."""
        rules = self._rules
        self.failures += 1
        self._remember(now + rules.recovery)
        if rules.max_failures is None or self.failures < rules.max_failures:
            return False
        self.opens_until = now + rules.recovery
        self._remember(self.opens_until + rules.recovery)
        return True

    def succeed(self, started: float) -> None:
        """Note a success; `started` is when its request was sent."""
        self.failures = 0
        self.opens_until = -math.inf
        if started > self._last_refusal:
            self._refusals = 0

    def _remember(self, until: float) -> None:
        self.forget_at = max(self.forget_at, until)
