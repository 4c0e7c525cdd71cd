"""The polite transport: each exchange that passes it keeps to the rules of its host."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from ..arguments import check_type, known_arguments
from ..message.url import parse_url
from ..timeouts import Deadline
from ..transport import Transport, TransportRequest, TransportResponse, check_transport
from .clock import Clock
from .host import Host
from .place import Place, Postponed
from .response import PoliteResponse
from .robots import Robots
from .robots_cache import RobotsCache
from .rules import DEFAULT, Rules, RulesLike, RuleTable
from .schedule import PoliteStats, Schedule


class HostState(NamedTuple):
    """A host at one moment.

    Attributes:
        active: exchanges in progress.
        waiting: requests that wait.
        connections: exchanges that may be in progress; with `Rules.target_latency` this changes.
        resting: seconds until the rest is over that the host asked for; 0 if it did not.
        failures: failures in a row.
        is_open: True if the circuit breaker is open.
    """

    active: int
    waiting: int
    connections: int
    resting: float = 0.0
    failures: int = 0
    is_open: bool = False


@known_arguments({})
class Polite:
    """A transport that sends each request by another one, no sooner than the rules of its host allow.

    >>> from asyncclient import Client, PoolTransport
    >>> from asyncclient.politeness import Polite, Rules
    >>> rules = {"*": Rules(rate=1, connections=1), "*.example.com": Rules(rate=10, burst=5, connections=4)}
    >>> client = Client(transport=Polite(PoolTransport(), rules))

    Every exchange counts: redirects and what they lead to, retries, answers to challenges, and free resends. A waiting
    request takes no connection. It belongs to the event loop that first uses it.

    Args:
        transport: sends the requests.
        rules: Rules for all hosts, or a mapping of them by host: a name or address, `*.example.com` for all names below
            example.com, or `*` for any other host, which without it has Rules().
        robots: ask the robots.txt of each origin first (RFC 9309), and obey it; needs asyncclient-http[crawl].
        group_by: returns the host whose rules and limits hold for a host, such as one name for all names of one server;
            both names in lower case, as they are sent. It must be fast.
        clock: the clock, for tests.

    Raises:
        ValueError, TypeError: an argument that is invalid.
        ImportError: `robots` is given, and protego is not installed.
    """

    def __init__(
        self,
        transport: Transport,
        rules: RulesLike = DEFAULT,
        *,
        robots: Robots | None = None,
        group_by: Callable[[str], str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        check_transport(transport)
        check_type("robots", robots, Robots | None, "Robots(agent)")
        self._transport = transport
        self._group_by = group_by
        self._schedule = Schedule(RuleTable(rules), clock)
        self._robots = None if robots is None else RobotsCache(robots, self._schedule, self._send_first)

    async def send(self, request: TransportRequest) -> TransportResponse:
        """Send a request when the rules of its host allow it; see Transport.send().

        Raises:
            RobotsDisallowed: robots.txt does not allow the URL.
            HostResting, CircuitOpen: the host must not be asked now.
            TotalTimeout: the deadline has passed meanwhile.
        """
        crawl_delay = 0.0 if self._robots is None else await self._robots.check(request)
        return await self._send_in_turn(request, crawl_delay)

    async def _send_first(self, request: TransportRequest, seconds: float) -> TransportResponse:
        """Send a request for a robots.txt, on which others wait; its time begins when it may be sent."""
        return await self._send_in_turn(request, None, is_first=True, seconds=seconds)

    async def _send_in_turn(
        self,
        request: TransportRequest,
        crawl_delay: float | None,
        *,
        is_first: bool = False,
        seconds: float | None = None,
    ) -> TransportResponse:
        """Send a request when it has a place, which it may lose to a pause while it waits for a connection."""
        name = self._find_group(request.destination.host)
        while True:
            place = await self._admit(request, name, crawl_delay, is_first=is_first)
            deadline = None if seconds is None else Deadline.after(seconds, asyncio.get_running_loop().time())
            try:
                return await self._exchange(place, request, deadline)
            except Postponed as postponed:
                if postponed.place is not place:  # of another polite transport, around this one
                    raise
            is_first = True

    async def _admit(self, request: TransportRequest, name: str, crawl_delay: float | None, *, is_first: bool) -> Place:
        """Return a place as soon as there is one; the trace of the request is told of the wait."""
        admission = self._schedule.admit(name, crawl_delay, request.deadline, is_first=is_first)
        if request.trace is None:
            return await admission
        request.trace.queue_joined("politeness")
        started = time.monotonic()
        try:
            return await admission
        finally:
            request.trace.queue_left("politeness", time.monotonic() - started)

    def _find_group(self, host: str) -> str:
        host = host.removesuffix(".")
        return host if self._group_by is None else self._group_by(host)

    async def _exchange(self, place: Place, request: TransportRequest, deadline: Deadline | None) -> TransportResponse:
        sent = request.replace(deadline=deadline, on_start=_join(request.on_start, place.start))
        sent.may_resend = False  # a resend has to wait for its turn, so asking the kernel first is cheaper
        try:
            raw = await self._transport.send(sent)
        except BaseException as error:
            place.fail(error)
            raise
        place.note_head(raw)
        if raw.closed or raw.upgraded is not None:
            place.end()
            return raw
        return PoliteResponse(raw, place, asyncio.get_running_loop())

    def stats(self) -> PoliteStats:
        """Return the numbers of known hosts, of exchanges in progress, and of waiting requests."""
        return PoliteStats(len(self._schedule.hosts), self._schedule.active, self._schedule.waiting)

    def find_rules(self, name: str) -> Rules:
        """Return the rules for a host, by its name in lower case; after `group_by`, if that is given."""
        return self._schedule.find_rules(name)

    def find_delay(self, name: str) -> float:
        """Return the seconds between two requests to a host at least, also by its robots.txt as far as it is known."""
        host = self._schedule.hosts.get(name)
        return self.find_rules(name).delay if host is None else host.delay

    def ready_at(self, name: str) -> float:
        """Return from when on a further request to a host would be sent at once, as a time of the clock.

        It is -inf if the host is at rest, and infinite if that depends on a request that waits or is in progress.
        """
        return self._schedule.ready_at(name)

    def find_sitemaps(self, url: str) -> list[str]:
        """Return the URLs of the sitemaps that the robots.txt of an origin names, as it writes them.

        Without `robots`, and before a request to the origin, there are none.
        """
        return [] if self._robots is None else self._robots.find_sitemaps(parse_url(url)[:3])

    def host(self, name: str) -> HostState:
        """Return the state of a host, by its name in lower case; after `group_by`, if that is given."""
        found = self._schedule.hosts.get(name) or Host(name, self._schedule.find_rules(name))
        waiting = 0 if found.queue is None else len(found.queue)
        state = HostState(found.active, waiting, found.limit)
        if found.trouble is None:
            return state
        resting = max(0.0, found.rests_until - self._schedule.now())
        return state._replace(resting=resting, failures=found.trouble.failures, is_open=found.trouble.is_open)

    async def aclose(self) -> None:
        """Fail waiting requests with ClientClosed, and close the other transport."""
        self._schedule.close()
        try:
            await self._transport.aclose()
        finally:
            if self._robots is not None:
                await self._robots.aclose()

    def __repr__(self) -> str:
        hosts, active, waiting = self.stats()
        return f"<Polite {hosts} hosts, {active} active, {waiting} waiting, {self._transport!r}>"


def _join(outer: Callable[[], object] | None, inner: Callable[[], object]) -> Callable[[], object]:
    """Return a function that calls both: a polite transport may be around another one."""
    if outer is None:
        return inner

    def start() -> None:
        outer()
        inner()

    return start
