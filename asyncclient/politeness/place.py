"""The place of one request at its host, from the permission to send it until the end of its response."""

from __future__ import annotations

import math
from typing import Final, Protocol

from ..client.retries import parse_retry_after
from ..errors import (
    BodyNotReplayable,
    HTTPException,
    ImproperConnectionState,
    PoolTimeout,
    StaleConnectionError,
    TotalTimeout,
)
from ..transport import TransportResponse
from .errors import HostResting
from .host import Host

_INNOCENT: Final = (
    BodyNotReplayable,
    HostResting,
    ImproperConnectionState,
    PoolTimeout,
    StaleConnectionError,
    ValueError,
)
"""Errors for which the host is not to blame. A stale connection was closed while it was idle, as servers do."""


class Counting(Protocol):
    """The part of a schedule that a place uses; see Schedule."""

    def now(self) -> float:
        """Return the time."""
        ...

    def unix(self) -> float:
        """Return the Unix seconds."""
        ...

    def serve(self, host: Host, now: float) -> None:
        """Grant places to waiting requests."""
        ...

    def check_queue(self, host: Host, now: float) -> None:
        """Fail waiting requests that must not be sent."""
        ...

    def release(self, host: Host, *, was_started: bool) -> None:
        """Take back a granted place."""
        ...


class Postponed(Exception):
    """A request was not sent because its host has asked for a pause meanwhile: it must wait for a place again.

    Attributes:
        place: the place that it had.
    """

    def __init__(self, place: Place) -> None:
        super().__init__("the host has asked for a pause")
        self.place = place


class Place:
    """A permission to send one request to a host, which counts as a connection until end(), fail() or withdraw().

    Args:
        schedule: gave the permission, and is told of each change.
        host: the host.
        is_probe: True if the request is the probe of an open breaker.

    Attributes:
        is_granted: True if the request may be sent; False while it waits.
        has_ended: True after end(), fail() or withdraw().
    """

    __slots__ = ("_is_good", "_schedule", "_started", "has_ended", "host", "is_granted", "is_probe")

    def __init__(self, schedule: Counting, host: Host, *, is_probe: bool) -> None:
        self._schedule = schedule
        self._started = math.nan  # the time at which the request was sent
        self._is_good = False  # True if a response is received that is neither a failure nor a refusal
        self.has_ended = False
        self.host = host
        self.is_probe = is_probe
        self.is_granted = False

    @property
    def has_started(self) -> bool:
        """True if the request was sent, or may have been."""
        return not math.isnan(self._started)

    def start(self) -> None:
        """Note that the request is about to be sent; after the first call this does nothing.

        Raises:
            Postponed: the host has asked for a pause while the request waited for a connection.
            HostResting, CircuitOpen: the same, and the request may not wait, or must not be sent.
        """
        if self.has_started or self.has_ended:
            return
        now, host = self._schedule.now(), self.host
        if not self.is_probe and (error := host.find_refusal(now)) is not None:
            raise error
        if host.rests_until > now:
            raise Postponed(self)
        self._count_start(now)

    def _count_start(self, now: float) -> None:
        if not self.has_started:
            self._started = now
            self.host.start(now)
            self._schedule.serve(self.host, now)

    def note_head(self, response: TransportResponse) -> None:
        """Note the head of the response: the host may ask for a pause, or fail."""
        now, status = self._schedule.now(), response.status
        self._count_start(now)  # for a transport that has not said when it did
        retry_after = None
        if status in (429, 503) and (value := response.headers.get_single("retry-after")):
            retry_after = parse_retry_after(value, self._schedule.unix())
        self._is_good = status < 500 and status != 429
        if self.host.note_head(status, retry_after, self._started, now):
            self._schedule.check_queue(self.host, now)
        self._free_probe()
        self._schedule.serve(self.host, now)  # an adaptive limit may have grown

    def end(self) -> None:
        """Note the end of the response: all of it was read, or it was closed."""
        if self._is_good and not self.has_ended:
            self.host.note_success(self._started)
        self.withdraw()

    def fail(self, error: BaseException) -> None:
        """Note the error that ended the exchange, which may be a cancellation."""
        if not self.has_ended and _is_failure(error, has_started=self.has_started):
            now = self._schedule.now()
            self._count_start(now)  # a connection that can't be opened counts as a request, too
            if self.host.note_error(self._started, now):
                self._schedule.check_queue(self.host, now)
        self.withdraw()

    def withdraw(self) -> None:
        """End without a result: the request was cancelled, or its response was abandoned. May be called repeatedly."""
        if self.has_ended:
            return
        self.has_ended = True
        self._free_probe()
        if self.is_granted:
            self._schedule.release(self.host, was_started=self.has_started)

    def _free_probe(self) -> None:
        """Let another request be the probe, if the breaker is still open."""
        if self.is_probe and self.host.trouble is not None:
            self.is_probe = False
            self.host.trouble.is_probing = False


def _is_failure(error: BaseException, *, has_started: bool) -> bool:
    """Return True if the host is to blame: a fault of the network or the server, not one of the caller or the pool."""
    if isinstance(error, _INNOCENT) or (isinstance(error, TotalTimeout) and not has_started):
        return False
    return isinstance(error, HTTPException | ConnectionError | TimeoutError)
