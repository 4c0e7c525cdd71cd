"""One host: its exchanges in progress, its queue, and when the next request may be sent. Pure state, without a loop."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from .errors import CircuitOpen, HostResting
from .rules import Rules
from .trouble import Trouble
from .window import Window

if TYPE_CHECKING:
    import asyncio


class Ticket(Protocol):
    """A waiting request; see Place."""

    is_granted: bool


Queue = OrderedDict[Ticket, "asyncio.Future[None]"]
"""The waiting requests of a host, the next one first."""


class Host:
    """The state of one host while it is in use or must not be asked yet; otherwise there is no object for it.

    A request that may be sent is *granted* a place, is *started* when its first byte is sent, and has *ended* after its
    response. Times are those of the clock.

    Attributes:
        name: the name.
        active: granted places that have not ended.
        unstarted: granted places whose requests are not sent yet.
        crawl_delay: the Crawl-delay of its robots.txt in seconds.
        queue: the waiting requests; None without any.
        trouble: rests and failures; None without any.
        wakes_at: when the schedule looks at it again; infinite if only an event can change something.
    """

    __slots__ = (
        "_free_at",
        "_next_at",
        "_window",
        "active",
        "crawl_delay",
        "name",
        "queue",
        "rules",
        "trouble",
        "unstarted",
        "wakes_at",
    )

    def __init__(self, name: str, rules: Rules) -> None:
        self.name = name
        self.rules = rules
        self.active = 0
        self.unstarted = 0
        self.crawl_delay = 0.0
        self.queue: Queue | None = None
        self.trouble: Trouble | None = None
        self.wakes_at = math.inf
        self._free_at = -math.inf  # when the bucket is full again: the requests that it has passed are worked off then
        self._next_at = -math.inf  # the end of the delay since the last start
        self._window = None if rules.target_latency is None else Window(rules)

    @property
    def limit(self) -> int:
        """The number of connections that may be in use."""
        return self.rules.connections if self._window is None else int(self._window.limit)

    @property
    def delay(self) -> float:
        """Seconds between two starts at least."""
        return max(self.rules.delay, min(self.crawl_delay, self.rules.max_crawl_delay))

    @property
    def rests_until(self) -> float:
        """The end of the rest that the host asked for; -inf if it did not."""
        return -math.inf if self.trouble is None else self.trouble.rests_until

    @property
    def forget_at(self) -> float:
        """When the host, if it is not in use, is as one that was never asked."""
        trouble, window = self.trouble, self._window
        return max(
            self._free_at,
            self._next_at,
            -math.inf if trouble is None else trouble.forget_at,
            -math.inf if window is None else window.forget_at,
        )

    def ready_at(self) -> float:
        """Return from when on one more request may be granted a place; infinite if something must end or start first.

        The rate is a token bucket in the form of one number, the time at which it is full again (the generic cell rate
        algorithm). Delay and rate count from the starts: a connection may be opened for a granted request first. So
        unstarted requests hold their tokens, and where one token is left, the next request waits for the start.
        """
        rules, unstarted = self.rules, self.unstarted
        if self.active >= self.limit or (unstarted and self.delay):
            return math.inf
        at = max(self._next_at, self.rests_until)
        if rules.rate is None:
            return at
        if unstarted >= rules.burst:
            return math.inf
        return max(at, self._free_at - (rules.burst - 1 - unstarted) / rules.rate)

    def opens_at(self) -> float:
        """Return from when on a further request may be sent; infinite if that depends on another request."""
        trouble = self.trouble
        if self.queue or (trouble is not None and trouble.is_probing):
            return math.inf
        at = self.ready_at()
        return max(at, trouble.opens_until) if trouble is not None else at

    # Places

    def grant(self, ticket: Ticket) -> None:
        """Let a request be sent, and count it."""
        ticket.is_granted = True
        self.active += 1
        self.unstarted += 1

    def start(self, now: float) -> None:
        """Count the start of a granted request."""
        self.unstarted -= 1
        self._next_at = max(self._next_at, now + self.delay)
        if self.rules.rate is not None:
            self._free_at = max(self._free_at, now) + 1 / self.rules.rate

    def end(self, *, was_started: bool) -> None:
        """Count the end of a granted request."""
        self.active -= 1
        if not was_started:
            self.unstarted -= 1

    # Results

    def check(self, now: float) -> bool:
        """Return True if the next request is the probe of an open breaker, and note that there is one.

        Raises:
            HostResting, CircuitOpen: the request must not be sent, see find_refusal().
        """
        error = self.find_refusal(now)
        if error is not None:
            raise error
        trouble = self.trouble
        if trouble is None or not trouble.is_open:
            return False
        trouble.is_probing = True
        return True

    def find_refusal(self, now: float) -> HostResting | None:
        """Return a new error for a request that must not be sent or may not wait; None if it may.

        Returns:
            CircuitOpen if the breaker is open, HostResting if the rest is longer than `max_wait`.
        """
        trouble, longest = self.trouble, self.rules.max_wait
        if trouble is None:
            return None
        if trouble.is_open and (now < trouble.opens_until or trouble.is_probing):
            seconds = max(0.0, trouble.opens_until - now)
            text = f"the last {trouble.failures} requests to {self.name} failed, the next is tried in {seconds:.3g} s"
            return CircuitOpen(text, self.name, seconds)
        seconds = trouble.rests_until - now
        if longest is None or seconds <= longest:
            return None
        text = f"{self.name} asked for a pause of {seconds:.3g} s more, and max_wait is {longest:g}"
        return HostResting(text, self.name, seconds)

    def note_head(self, status: int, retry_after: float | None, started: float, now: float) -> bool:
        """Note the head of a response; return True if waiting requests must be checked again."""
        is_refusal = status in (429, 503)
        if self._window is not None:
            self._window.note(self.active, started, now, is_error=is_refusal or status >= 500)
        if is_refusal:
            self._open_trouble().refuse(retry_after, started, now)
        if status >= 500:
            return self._open_trouble().fail(now) or is_refusal
        if self.trouble is not None and self.trouble.is_open:
            self.trouble.succeed(started)
        return is_refusal

    def note_error(self, started: float, now: float) -> bool:
        """Note a failed exchange; return True if waiting requests must be checked again."""
        if self._window is not None:
            self._window.note(self.active, started, now, is_error=True)
        return self._open_trouble().fail(now)

    def note_success(self, started: float) -> None:
        """Note that a response was received whole, and was neither a refusal nor a failure."""
        if self.trouble is not None:
            self.trouble.succeed(started)

    def _open_trouble(self) -> Trouble:
        if self.trouble is None:
            self.trouble = Trouble(self.rules)
        return self.trouble

    def __repr__(self) -> str:
        waiting = 0 if self.queue is None else len(self.queue)
        return f"<Host {self.name} {self.active} active, {waiting} waiting>"
