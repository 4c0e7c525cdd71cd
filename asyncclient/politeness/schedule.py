"""When each request may be sent: the hosts that are in use, their queues, and one timer for all of them.

The rules kept:
- A host has an object while it has a request, or while the time of its last one still matters. Then it is dropped.
- Each request costs O(log n) with n such hosts: the heap of the times at which one of them must be looked at.
- Hosts share nothing but the timer, so that no host delays another.
- Only this class changes the counts of a host, and no method that changes them awaits.
- A waiting request is a future in the queue of its host. It has no task of its own, and no connection.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import OrderedDict
from itertools import count
from typing import NamedTuple

from ..errors import ClientClosed, ImproperConnectionState
from ..stream.deadlines import TimeLimit
from ..timeouts import NEVER, Deadline
from .clock import Alarm, Clock, LoopClock
from .host import Host, Ticket
from .place import Place
from .rules import Rules, RuleTable


class PoliteStats(NamedTuple):
    """The numbers of hosts that are known at the moment, of exchanges in progress, and of waiting requests."""

    hosts: int
    active: int
    waiting: int


class Schedule:
    """The hosts, and which requests wait for them.

    Args:
        table: the rules.
        clock: the clock; None for that of the loop.
    """

    def __init__(self, table: RuleTable, clock: Clock | None) -> None:
        self._table = table
        self._given_clock = clock
        self._clock: Clock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: Alarm | None = None
        self._is_waking = False
        self._heap: list[tuple[float, int, Host]] = []
        self._numbers = count()  # of entries of the heap, so that hosts are not compared
        self.hosts: dict[str, Host] = {}
        self.active = 0
        self.waiting = 0
        self.is_closed = False

    def now(self) -> float:
        """Return the time of the clock."""
        assert self._clock is not None
        return self._clock.now()

    def unix(self) -> float:
        """Return the Unix seconds of the clock."""
        assert self._clock is not None
        return self._clock.unix()

    def check_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of this schedule: the loop that uses it first.

        Raises:
            ImproperConnectionState: it belongs to another loop.
            ClientClosed: it is closed.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            if self._loop is not None:
                raise ImproperConnectionState("the client belongs to another event loop: make one on each")
            self._loop = loop
            self._clock = self._given_clock or LoopClock(loop)
            self._alarm = Alarm(self._clock, self._wake)
        if self.is_closed:
            raise ClientClosed("the client is closed")
        return loop

    def find_rules(self, name: str) -> Rules:
        """Return the rules for a host."""
        return self._table.find(name)

    def ready_at(self, name: str) -> float:
        """Return from when on a further request to a host would be granted a place; see Host.opens_at()."""
        host = self.hosts.get(name)
        return -math.inf if host is None else host.opens_at()

    # Requests

    async def admit(
        self, name: str, crawl_delay: float | None = None, deadline: Deadline = NEVER, *, is_first: bool = False
    ) -> Place:
        """Return a place at a host, once a request may be sent to it. Cancelling leaves everything as it was before.

        Args:
            name: the host.
            crawl_delay: the Crawl-delay of its robots.txt in seconds; None for the one that is known.
            deadline: when the request must be done.
            is_first: True to wait before all other requests.

        Raises:
            HostResting, CircuitOpen: the request may not wait, or must not be sent.
            TotalTimeout: the deadline has passed.
            ClientClosed: the schedule is closed, or was closed meanwhile.
        """
        loop = self.check_loop()
        now = self.now()
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = Host(name, self.find_rules(name))
        place = Place(self, host, is_probe=host.check(now))
        if crawl_delay is not None:
            host.crawl_delay = crawl_delay
        if not host.queue and host.ready_at() <= now:
            self._grant(host, place)
        else:
            await self._wait(place, loop.create_future(), deadline, is_first=is_first)
        return place

    async def _wait(self, place: Place, future: asyncio.Future[None], deadline: Deadline, *, is_first: bool) -> None:
        host = place.host
        if host.queue is None:
            host.queue = OrderedDict()
        host.queue[place] = future
        host.queue.move_to_end(place, last=not is_first)
        self.waiting += 1
        self._plan(host, self.now())
        try:
            with TimeLimit.until(deadline, f"request not sent to {host.name}"):
                await future
        except BaseException:
            self._leave_queue(place)
            raise
        finally:
            del future  # its error has a traceback that refers to this frame: a reference cycle

    def _leave_queue(self, place: Place) -> None:
        """Take back a request that does not wait any more; it may have been granted meanwhile."""
        host = place.host
        if host.queue is not None and host.queue.pop(place, None) is not None:
            self.waiting -= 1
        place.withdraw()
        self.serve(host, self.now())

    def _grant(self, host: Host, ticket: Ticket) -> None:
        host.grant(ticket)
        self.active += 1

    def release(self, host: Host, *, was_started: bool) -> None:
        """Take back a granted place."""
        host.end(was_started=was_started)
        self.active -= 1
        self.serve(host, self.now())

    def serve(self, host: Host, now: float) -> None:
        """Grant places to the waiting requests of a host as far as its rules allow, and plan when to do so again."""
        while host.queue and host.ready_at() <= now:
            ticket, future = host.queue.popitem(last=False)
            self.waiting -= 1
            if not future.done():  # a cancelled one leaves when its task runs
                self._grant(host, ticket)
                future.set_result(None)
        self._plan(host, now)

    def check_queue(self, host: Host, now: float) -> None:
        """Fail the waiting requests of a host whose breaker has opened, or that rests for longer than they may wait."""
        if not host.queue or host.find_refusal(now) is None:
            return
        queue, host.queue = host.queue, None
        self.waiting -= len(queue)
        for future in queue.values():
            error = host.find_refusal(now)
            if error is not None and not future.done():
                future.set_exception(error)

    # Time

    def _plan(self, host: Host, now: float) -> None:
        """See to it that a host is looked at again when a request of its queue can be sent, or it can be forgotten."""
        if host.queue:
            when = host.ready_at()
        elif host.active:
            return  # its end is an event
        else:
            host.queue = None
            when = host.forget_at
            if when <= now:
                self._forget(host)
                return
        if when < host.wakes_at:
            host.wakes_at = when
            heapq.heappush(self._heap, (when, next(self._numbers), host))
            self._compact()
            self._set_alarm()

    def _forget(self, host: Host) -> None:
        host.wakes_at = math.inf
        if self.hosts.get(host.name) is host:
            del self.hosts[host.name]
            self._compact()

    def _compact(self) -> None:
        """Drop outdated entries of the heap when they are the majority: an entry is not searched when it changes."""
        if len(self._heap) > 2 * len(self.hosts) + 16:
            self._heap = [entry for entry in self._heap if entry[0] == entry[2].wakes_at]
            heapq.heapify(self._heap)

    def _set_alarm(self) -> None:
        heap = self._heap
        while heap and heap[0][0] != heap[0][2].wakes_at:
            heapq.heappop(heap)
        if heap and not self._is_waking and self._may_set_alarm:
            assert self._alarm is not None
            self._alarm.set(heap[0][0])

    @property
    def _may_set_alarm(self) -> bool:
        """False once there is no loop that could run it, as when a response is closed after the loop."""
        return not self.is_closed and self._loop is not None and not self._loop.is_closed()

    def _wake(self) -> None:
        """Serve the hosts whose time has come."""
        self._is_waking = True  # the alarm is set once, after all of them
        now = self.now()
        while self._heap and self._heap[0][0] <= now:
            when, _, host = heapq.heappop(self._heap)
            if when == host.wakes_at:
                host.wakes_at = math.inf
                self.serve(host, now)
        self._is_waking = False
        self._set_alarm()

    def close(self) -> None:
        """Fail all waiting requests with ClientClosed, and allow no more."""
        self.is_closed = True
        if self._alarm is not None:
            self._alarm.stop()
        for host in self.hosts.values():
            queue, host.queue = host.queue, None
            for future in () if queue is None else queue.values():
                if not future.done():
                    future.set_exception(ClientClosed("the client was closed meanwhile"))
        self.waiting = 0
