"""When a host may be asked by another worker than before, so that the rules of the host hold. Pure state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from ...politeness import Rules

PRUNE_FROM: Final = 4096
"""Hosts from which on those are forgotten whose time is over."""


class _Asked(NamedTuple):
    """The last known request to a host: when its result was received, by which worker, and the host's own delay."""

    at: float
    worker: str
    delay: float


class Holds:
    """The hosts that another worker must not ask yet.

    A worker keeps to the rules by what it has sent itself. A host that moves to another worker is unknown there, and
    would be asked at once. So it waits until it is as one that was never asked: until its delay has passed and its
    bucket of tokens is full. If a worker is lost, its last request may have been sent at the moment of the loss.

    Args:
        find_rules: returns the rules of a host.
    """

    def __init__(self, find_rules: Callable[[str], Rules]) -> None:
        self._find_rules = find_rules
        self._asked: dict[str, _Asked] = {}
        self._rests: dict[str, float] = {}
        self._prune_from = PRUNE_FROM

    def note_asked(self, worker: str, hosts: Iterable[str], delays: Mapping[str, float], now: float) -> None:
        """Note that a worker may have sent requests to hosts until now.

        Args:
            worker: its address.
            hosts: the hosts.
            delays: the Crawl-delay in seconds of hosts that have one.
            now: the time.
        """
        for host in hosts:
            last = self._asked.get(host)
            delay = delays.get(host, 0.0 if last is None else last.delay)
            if delay or find_recovery(self._find_rules(host)):
                self._asked[host] = _Asked(now, worker, delay)
        if len(self._asked) + len(self._rests) > self._prune_from:
            self._prune(now)

    def note_rest(self, host: str, until: float) -> None:
        """Note that a host must not be asked until a time, by any worker."""
        self._rests[host] = max(until, self._rests.get(host, -math.inf))

    def ready_at(self, host: str, worker: str) -> float:
        """Return from when on a worker may be given requests to a host; -inf if it may always."""
        at = self._rests.get(host, -math.inf) if self._rests else -math.inf
        last = self._asked.get(host)
        if last is None or last.worker == worker:
            return at
        return max(at, self._end(host, last))

    def _end(self, host: str, last: _Asked) -> float:
        return last.at + max(last.delay, find_recovery(self._find_rules(host)))

    def _prune(self, now: float) -> None:
        self._asked = {host: last for host, last in self._asked.items() if self._end(host, last) > now}
        self._rests = {host: until for host, until in self._rests.items() if until > now}
        self._prune_from = max(PRUNE_FROM, 2 * (len(self._asked) + len(self._rests)))

    def __len__(self) -> int:
        return len(self._asked) + len(self._rests)


def find_recovery(rules: Rules) -> float:
    """Return the seconds after its last request from which on a host is as one that was never asked."""
    return max(rules.delay, 0.0 if rules.rate is None else rules.burst / rules.rate)
