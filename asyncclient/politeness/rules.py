"""The rules of politeness: how often a host may be asked, and which rules are for which host."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..arguments import check_number, check_type, keyword_only
from ..errors import clip
from ..routes import parse_host_pattern

_INSTEAD: Final = {
    "requests_per_second": "rate=",
    "interval": "delay=",
    "max_connections": "connections=",
    "pause": "delay=",
    "per_host": "connections=",
    "concurrency": "connections=",
    "download_delay": "delay=",
    "autothrottle": "target_latency=",
}


@keyword_only(_INSTEAD, "Rules(rate=..., connections=...)")
@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a client treats one host. A host is a name or an address, whatever the scheme and the port.

    Args:
        connections: exchanges that may be in progress at once, each until the end of its response.
        rate: requests per second in the long run; None for no limit.
        burst: requests that may be sent at once after a pause, within `rate`.
        delay: seconds between two requests at least, from when one is sent until the next is.
        max_crawl_delay: longest Crawl-delay of a robots.txt in seconds that is obeyed in place of a shorter `delay`; a
            longer one counts as this. With 0 Crawl-delay is ignored.
        backoff: seconds for which nothing is sent to the host after status 429 or 503 without a Retry-After; doubled
            each time that the host answers so again.
        max_backoff: upper limit of that pause in seconds.
        max_retry_after: upper limit of the pause in seconds that Retry-After asks for (RFC 9110 §10.2.3).
        max_wait: seconds for which a request waits while its host rests after 429 or 503. If the rest is longer, the
            request fails at once with HostResting. None: it waits.
        target_latency: seconds from a request to the head of its response. If it is set, the number of connections
            adapts: from 1 it grows by 1 whenever all of them were answered in this time, and halves after an error or a
            slower response, within 1 and `connections`.
        max_failures: failures in a row after which requests to the host fail at once with CircuitOpen. Network errors,
            timeouts, truncated content and statuses from 500 are failures. None: never.
        recovery: seconds after which one request is tried then. If it succeeds, requests are sent again.

    Raises:
        TypeError: a value is not a number, or an argument is positional.
        ValueError: a number is out of its range.
    """

    connections: int = 2
    rate: float | None = None
    burst: int = 1
    delay: float = 0.0
    max_crawl_delay: float = 60.0
    backoff: float = 1.0
    max_backoff: float = 60.0
    max_retry_after: float = 3600.0
    max_wait: float | None = None
    target_latency: float | None = None
    max_failures: int | None = None
    recovery: float = 30.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, least in (("connections", 1), ("burst", 1), ("max_failures", 1)):
            value = getattr(self, name)
            if value is not None or name != "max_failures":
                check_type(name, value, int, "a whole number")
                check_number(name, value, least)
        for name in ("delay", "max_crawl_delay", "backoff", "max_backoff", "max_retry_after", "recovery"):
            check_seconds(name, getattr(self, name))
        if self.max_wait is not None:
            check_seconds("max_wait", self.max_wait)
        for name in ("rate", "target_latency"):
            value = getattr(self, name)
            if value is not None:
                check_seconds(name, value)
                if not value:
                    raise ValueError(f"expected {name} above 0, or None")


def check_seconds(name: str, value: float) -> None:
    """Check that an argument is a number of seconds: at least 0, and finite.

    Raises:
        TypeError, ValueError: it is not.
    """
    check_number(name, value, 0)
    if value == math.inf:
        raise ValueError(f"expected {name} to be finite, got {value!r}")


DEFAULT: Final = Rules()

RulesLike = Rules | Mapping[str, Rules]
"""Rules for all hosts, or rules by pattern."""


class RuleTable:
    """The rules for each host, by pattern.

    A pattern is a host, `*.example.com` for all names below example.com, or `*` for any host. A whole host comes before
    the longest end of a name that matches. Without `*`, other hosts have the default rules.

    Args:
        rules: rules for all hosts, or by pattern.

    Raises:
        ValueError: a pattern is invalid, or means the same as another one.
        TypeError: a value is not a Rules.
    """

    def __init__(self, rules: RulesLike) -> None:
        check_type("rules", rules, Rules | Mapping, "Rules, or a mapping of them by host,")
        given = {"*": rules} if isinstance(rules, Rules) else rules
        self._known: dict[str, Rules] = {}
        for text, each in given.items():
            check_type(f"rules for {clip(text)}", each, Rules, "Rules")
            pattern = parse_host_pattern(text)
            if pattern in self._known:
                raise ValueError(f"expected each pattern once, got {clip(text)} twice")
            self._known[pattern] = each
        self._default = self._known.get("*", DEFAULT)
        self._has_wildcards = any(pattern.startswith("*.") for pattern in self._known)

    def find(self, host: str) -> Rules:
        """Return the rules for a host, given in lower case as it is sent; takes one look-up per label of the name."""
        found = self._known.get(host)
        if found is not None:
            return found
        end = host if self._has_wildcards else ""
        while end:
            end = end.partition(".")[2]
            found = self._known.get(f"*.{end}")
            if found is not None:
                return found
        return self._default
