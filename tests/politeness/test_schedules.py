"""Schedules made at random: whatever happens, and in whatever order, the counts are right and the rules are kept."""

import asyncio
import math
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asyncclient import ConnectError, LocalResponse, StaleConnectionError, TransportRequest, TransportResponse
from asyncclient.politeness import Polite, Rules
from asyncclient.testing import ManualClock
from tests.politeness.hosts import request_to

T = TypeVar("T")

NAMES = ["a.test", "b.test", "c.test"]
RULES = [
    Rules(connections=2, rate=1),
    Rules(connections=3, rate=2, burst=3),
    Rules(connections=1, delay=0.5),
    Rules(connections=4, delay=0.25, rate=1, burst=2),
    Rules(connections=4),
    Rules(connections=2, rate=4, burst=2, max_failures=2, recovery=3, max_wait=2.0),
    Rules(connections=5, rate=8, burst=8, target_latency=0.5, backoff=0.5),
]
EPSILON = 1e-9


def draw(data: st.DataObject, items: list[T]) -> T:
    """Return one of the items; hypothesis keeps what it draws, so it draws a number."""
    return items[data.draw(st.integers(0, len(items) - 1))]


class Sending:
    """A request that the polite transport has sent on: it waits for a connection, then for its answer."""

    def __init__(self, request: TransportRequest) -> None:
        self.host = request.destination.host
        self.on_start = request.on_start
        self.is_started = False
        loop = asyncio.get_running_loop()
        self.connection: asyncio.Future[None] = loop.create_future()
        self.answer: asyncio.Future[LocalResponse] = loop.create_future()


class Queued:
    """A transport whose requests wait for a connection before they start, as long as the machine wants."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.sendings: list[Sending] = []
        self.starts: dict[str, list[float]] = {name: [] for name in NAMES}
        self.rests_until = dict.fromkeys(NAMES, -math.inf)

    async def send(self, request: TransportRequest) -> TransportResponse:
        sending = Sending(request)
        self.sendings.append(sending)
        try:
            await sending.connection
            assert sending.on_start is not None
            sending.on_start()
            sending.is_started = True
            now = self.clock.now()
            assert now >= self.rests_until[sending.host], "a request was sent to a host that rests"
            self.starts[sending.host].append(now)
            return await sending.answer
        finally:
            self.sendings.remove(sending)

    async def aclose(self) -> None:
        pass


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock()
        self.tasks: list[asyncio.Task[TransportResponse]] = []
        self.responses: list[tuple[str, TransportResponse]] = []

    @initialize(rules=st.lists(st.sampled_from(RULES), min_size=3, max_size=3))
    def begin(self, rules: list[Rules]) -> None:
        self.rules_of = dict(zip(NAMES, rules, strict=True))
        self.transport = Queued(self.clock)
        self.polite = Polite(self.transport, self.rules_of, clock=self.clock)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    def turn(self) -> None:
        self.run(self.clock.advance(0))
        for task in [task for task in self.tasks if task.done()]:
            self.tasks.remove(task)
            if not task.cancelled() and task.exception() is None:
                response = task.result()
                if not response.closed:
                    self.responses.append((task.get_name(), response))

    @rule(name=st.sampled_from(NAMES), n=st.integers(1, 3))
    def ask(self, name: str, n: int) -> None:
        for _ in range(n):
            self.tasks.append(self.loop.create_task(self.polite.send(request_to(name)), name=name))
        self.turn()

    @rule(data=st.data())
    @precondition(lambda self: any(not sending.is_started for sending in self.transport.sendings))
    def connect(self, data: st.DataObject) -> None:
        sending = draw(data, [each for each in self.transport.sendings if not each.is_started])
        sending.connection.set_result(None)
        self.turn()

    @rule(data=st.data(), error=st.sampled_from([ConnectError("refused"), ValueError("of the caller")]))
    @precondition(lambda self: any(not sending.is_started for sending in self.transport.sendings))
    def fail_to_connect(self, data: st.DataObject, error: Exception) -> None:
        sending = draw(data, [each for each in self.transport.sendings if not each.is_started])
        sending.connection.set_exception(error)
        self.turn()

    @rule(
        data=st.data(),
        status=st.sampled_from([200, 200, 404, 429, 503, 500]),
        retry_after=st.sampled_from([None, "0", "2", "x"]),
        content=st.sampled_from(["", "abc"]),
    )
    @precondition(lambda self: any(sending.is_started for sending in self.transport.sendings))
    def answer(self, data: st.DataObject, status: int, retry_after: str | None, content: str) -> None:
        sending = draw(data, [each for each in self.transport.sendings if each.is_started])
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        sending.answer.set_result(LocalResponse(status, headers=headers, content=content))
        if status in (429, 503) and retry_after == "2":
            self.transport.rests_until[sending.host] = self.clock.now() + 2
        self.turn()

    @rule(data=st.data(), error=st.sampled_from([ConnectionResetError("reset"), StaleConnectionError()]))
    @precondition(lambda self: any(sending.is_started for sending in self.transport.sendings))
    def fail(self, data: st.DataObject, error: Exception) -> None:
        sending = draw(data, [each for each in self.transport.sendings if each.is_started])
        sending.answer.set_exception(error)
        self.turn()

    @rule(data=st.data(), ending=st.sampled_from(["read", "read1", "take", "close", "aclose", "drop"]))
    @precondition(lambda self: self.responses)
    def end(self, data: st.DataObject, ending: str) -> None:
        self.responses.remove(drawn := draw(data, self.responses))
        _, response = drawn
        del drawn
        if ending in ("take", "close"):
            getattr(response, ending)()
        elif ending != "drop":
            self.run(getattr(response, ending)())
        del response
        self.turn()

    @rule(data=st.data(), is_late=st.booleans())
    @precondition(lambda self: self.tasks)
    def cancel(self, data: st.DataObject, is_late: bool) -> None:
        task = draw(data, self.tasks)
        if is_late:  # in the turn in which it is granted, if it is
            self.loop.call_soon(task.cancel)
            self.loop.call_soon(task.cancel)
        else:
            task.cancel()
        self.turn()

    @rule(seconds=st.sampled_from([0.1, 0.25, 0.5, 1.0, 5.0]))
    def wait(self, seconds: float) -> None:
        self.run(self.clock.advance(seconds))
        self.turn()

    @rule(data=st.data(), seconds=st.sampled_from([0.25, 0.5, 1.0]))
    @precondition(lambda self: self.tasks)
    def cancel_when_it_is_granted(self, data: st.DataObject, seconds: float) -> None:
        task = draw(data, self.tasks)
        self.clock.call_at(self.clock.now() + seconds, task.cancel)
        self.wait(seconds)

    @invariant()
    def counts_are_right(self) -> None:
        schedule = self.polite._schedule
        hosts = schedule.hosts
        for name in NAMES:
            active = sum(sending.host == name for sending in self.transport.sendings)
            reading = sum(each == name for each, _ in self.responses)
            waiting = sum(task.get_name() == name for task in self.tasks) - active
            host = self.polite.host(name)
            assert (host.active, host.waiting) == (active + reading, waiting), name
            assert host.active <= self.rules_of[name].connections
        assert schedule.active == sum(host.active for host in hosts.values())
        assert schedule.waiting == sum(len(host.queue or ()) for host in hosts.values())
        unstarted = [sending.host for sending in self.transport.sendings if not sending.is_started]
        assert {name: host.unstarted for name, host in hosts.items()} == {name: unstarted.count(name) for name in hosts}

    @invariant()
    def no_request_waits_without_a_reason(self) -> None:
        for host in self.polite._schedule.hosts.values():
            assert not host.queue or host.ready_at() > self.clock.now()
            if host.queue and host.ready_at() < math.inf:
                assert self.clock.next_at is not None
                assert self.clock.next_at <= host.ready_at()

    @invariant()
    def rules_are_kept(self) -> None:
        for name, starts in self.transport.starts.items():
            rules = self.rules_of[name]
            gaps = [later - earlier for earlier, later in pairwise(starts)]
            assert all(gap >= rules.delay - EPSILON for gap in gaps)
            if rules.rate is not None:
                windows = zip(starts, starts[rules.burst :], strict=False)
                assert all(last - first >= 1 / rules.rate - EPSILON for first, last in windows)

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            for task in self.tasks:
                task.cancel()
            self.run(asyncio.wait(self.tasks)) if self.tasks else None
            self.loop.close()

    def finish(self) -> None:
        for _, response in self.responses:
            response.close()
        self.responses.clear()
        while self.tasks:
            for sending in self.transport.sendings:
                if not sending.is_started:
                    sending.connection.set_result(None)
            self.turn()
            for sending in self.transport.sendings:
                sending.answer.set_result(LocalResponse())
            self.turn()
            if self.tasks and self.clock.next_at is not None:
                self.wait(max(0.0, self.clock.next_at - self.clock.now()))
        self.wait(1000)
        schedule = self.polite._schedule
        assert (schedule.hosts, schedule.active, schedule.waiting) == ({}, 0, 0)
        assert self.clock.next_at is None
        self.run(self.polite.aclose())


TestSchedules = Machine.TestCase
