"""The deadline watch: one timer for all streams of a loop, which looks no earlier and little later than it must."""

import asyncio
import gc
import math
from collections.abc import Callable
from typing import Any, cast

import pytest

from asyncclient.stream.watch import GRAIN, Watch, watch_of
from asyncclient.testing import RawConnection
from tests.stream.peers import Connect


class Clock:
    """The part of a loop that a watch uses: the time, and timers that fire when the test advances it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []
        self.made = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., None], *args: Any) -> Any:
        entry = (when, callback, args)
        self.timers.append(entry)
        self.made += 1
        clock = self

        class Handle:
            def cancel(self) -> None:
                if entry in clock.timers:
                    clock.timers.remove(entry)

        return Handle()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return cast(asyncio.AbstractEventLoop, self)

    @property
    def next_at(self) -> list[float]:
        return [when for when, _, _ in self.timers]

    def go_on(self, to: float) -> None:
        """Turn the clock on, timers going off on the way."""
        while due := [timer for timer in self.timers if timer[0] <= to]:
            first = min(due, key=lambda timer: timer[0])
            self.timers.remove(first)
            self.now = max(self.now, first[0])
            first[1](*first[2])
        self.now = to


class Waiter:
    def __init__(self, watch: Watch, clock: Clock) -> None:
        self.deadline = math.inf
        self.expired: list[float] = []
        self.watch, self.clock = watch, clock
        watch.add(self)

    def wait(self, seconds: float) -> None:
        """Begin to wait as a stream does."""
        self.deadline = self.clock.now + seconds
        if self.deadline < self.watch.next_look:
            self.watch.look_at(self.deadline, self.clock.loop)

    def expire(self, now: float) -> None:
        self.expired.append(now)
        self.deadline = math.inf


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_nothing_is_looked_at_without_a_wait(watch: Watch, clock: Clock) -> None:
    Waiter(watch, clock)
    assert watch.next_look == math.inf
    assert clock.timers == []


def test_a_wait_expires_at_its_deadline(watch: Watch, clock: Clock) -> None:
    waiter = Waiter(watch, clock)
    waiter.wait(5)
    assert watch.next_look == 105
    clock.go_on(104.999)
    assert waiter.expired == []
    clock.go_on(105)
    assert waiter.expired == [105]
    assert clock.timers == []
    assert watch.next_look == math.inf


def test_many_waits_have_one_timer(watch: Watch, clock: Clock) -> None:
    waiters = [Waiter(watch, clock) for _ in range(100)]
    for _ in range(50):
        for waiter in waiters:
            waiter.wait(30)
            clock.now += 0.0001
    assert clock.made == 1
    assert clock.next_at == [130]


def test_a_sooner_deadline_moves_the_timer(watch: Watch, clock: Clock) -> None:
    late, soon = Waiter(watch, clock), Waiter(watch, clock)
    late.wait(30)
    soon.wait(1)
    assert clock.next_at == [101]
    clock.go_on(101)
    assert soon.expired == [101]
    assert clock.next_at == [130]
    clock.go_on(130)
    assert late.expired == [130]


def test_a_deadline_that_was_met_costs_one_look(watch: Watch, clock: Clock) -> None:
    waiter = Waiter(watch, clock)
    waiter.wait(1)
    waiter.deadline = math.inf
    clock.go_on(110)
    assert waiter.expired == []
    assert clock.timers == []
    waiter.wait(1)
    clock.go_on(111)
    assert waiter.expired == [111]


def test_looks_are_a_grain_apart_and_no_deadline_is_missed_by_more(watch: Watch, clock: Clock) -> None:
    waiters = [Waiter(watch, clock) for _ in range(100)]
    for number, waiter in enumerate(waiters):
        waiter.wait(1 + number * 0.001)
    clock.go_on(110)
    assert clock.made <= 2 + 0.1 / GRAIN
    for number, waiter in enumerate(waiters):
        assert len(waiter.expired) == 1
        assert 101 + number * 0.001 <= waiter.expired[0] <= 101 + number * 0.001 + GRAIN


def test_the_timer_goes_with_the_last_stream(watch: Watch, clock: Clock) -> None:
    first, last = Waiter(watch, clock), Waiter(watch, clock)
    first.wait(5)
    watch.discard(first)
    assert clock.next_at == [105]
    watch.discard(last)
    watch.discard(last)
    assert clock.timers == []
    assert watch.next_look == math.inf


def test_an_abandoned_stream_does_not_live_on(watch: Watch, clock: Clock) -> None:
    waiter = Waiter(watch, clock)
    waiter.wait(5)
    expired = waiter.expired
    del waiter
    gc.collect()
    clock.go_on(110)
    assert expired == []
    assert clock.timers == []


def test_an_expiry_may_remove_and_change_other_deadlines(watch: Watch, clock: Clock) -> None:
    class Ending(Waiter):
        def expire(self, now: float) -> None:
            super().expire(now)
            watch.discard(self)
            watch.discard(other)
            other.deadline = math.inf

    ending, other = Ending(watch, clock), Waiter(watch, clock)
    ending.wait(1)
    other.wait(2)
    clock.go_on(110)
    assert (ending.expired, other.expired) == ([101], [])
    assert clock.timers == []


async def test_a_loop_has_one_watch() -> None:
    loop = asyncio.get_running_loop()
    assert watch_of(loop) is watch_of(loop)


async def test_a_conversation_sets_one_timer_at_most(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, times = asyncio.get_running_loop(), list[float]()
    call_at = loop.call_at

    def counted(when: float, *args: Any, **kwargs: Any) -> Any:
        times.append(when)
        return call_at(when, *args, **kwargs)

    def echo(connection: RawConnection) -> None:
        while data := connection.read():
            connection.send(data)

    async with connect(echo, read=30.0) as stream:
        monkeypatch.setattr(loop, "call_at", counted)
        for _ in range(100):
            stream.write(b"x")
            assert await stream.read(10) == b"x"
        monkeypatch.undo()
    # None of its own, unless the one that was set for connecting went off meanwhile.
    assert len([when for when in times if when > loop.time() + 20]) <= 1
