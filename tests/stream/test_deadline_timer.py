"""The timer of deadlines: one for all streams of a loop, which checks no earlier and little later than it must."""

import asyncio
import gc
import math
import weakref
from collections.abc import Callable
from typing import Any, cast

import pytest

from asyncclient.errors import TotalTimeout
from asyncclient.stream.deadlines import GRAIN, Alarm, DeadlineTimer, TimeLimit, schedule_expiry, timer_of, wait_at_most
from asyncclient.testing import RawConnection
from asyncclient.timeouts import NEVER, Deadline, no_response
from tests.conftest import LOOPS
from tests.durations import FOREVER, lasts
from tests.stream.peers import Connect


class Clock:
    """The part of a loop that a DeadlineTimer needs: the time, and timers that fire when the test advances it."""

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
        """Advance the clock, and fire the timers that are due."""
        while due := [timer for timer in self.timers if timer[0] <= to]:
            first = min(due, key=lambda timer: timer[0])
            self.timers.remove(first)
            self.now = max(self.now, first[0])
            first[1](*first[2])
        self.now = to


class Waiter:
    def __init__(self, timer: DeadlineTimer, clock: Clock) -> None:
        self.deadline = math.inf
        self.expired: list[float] = []
        self.timer, self.clock = timer, clock
        timer.add(self)

    def wait(self, seconds: float) -> None:
        """Begin to wait as a stream does."""
        self.deadline = self.clock.now + seconds
        if self.deadline < self.timer.next_check:
            self.timer.schedule(self.deadline)

    def expire(self, now: float) -> None:
        self.expired.append(now)
        self.deadline = math.inf


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timer(clock: Clock) -> DeadlineTimer:
    return DeadlineTimer(clock.loop)


def test_no_deadline_is_checked_without_a_wait(timer: DeadlineTimer, clock: Clock) -> None:
    Waiter(timer, clock)
    assert timer.next_check == math.inf
    assert clock.timers == []


def test_a_wait_expires_at_its_deadline(timer: DeadlineTimer, clock: Clock) -> None:
    waiter = Waiter(timer, clock)
    waiter.wait(5)
    assert timer.next_check == 105
    clock.go_on(104.999)
    assert waiter.expired == []
    clock.go_on(105)
    assert waiter.expired == [105]
    assert clock.timers == []
    assert timer.next_check == math.inf


def test_many_waits_have_one_timer(timer: DeadlineTimer, clock: Clock) -> None:
    waiters = [Waiter(timer, clock) for _ in range(100)]
    for _ in range(50):
        for waiter in waiters:
            waiter.wait(30)
            clock.now += 0.0001
    assert clock.made == 1
    assert clock.next_at == [130]


def test_a_sooner_deadline_moves_the_timer(timer: DeadlineTimer, clock: Clock) -> None:
    late, soon = Waiter(timer, clock), Waiter(timer, clock)
    late.wait(30)
    soon.wait(1)
    assert clock.next_at == [101]
    clock.go_on(101)
    assert soon.expired == [101]
    assert clock.next_at == [130]
    clock.go_on(130)
    assert late.expired == [130]


def test_a_deadline_that_was_met_costs_one_check(timer: DeadlineTimer, clock: Clock) -> None:
    waiter = Waiter(timer, clock)
    waiter.wait(1)
    waiter.deadline = math.inf
    clock.go_on(110)
    assert waiter.expired == []
    assert clock.timers == []
    waiter.wait(1)
    clock.go_on(111)
    assert waiter.expired == [111]


def test_checks_are_a_grain_apart_and_no_deadline_is_missed_by_more(timer: DeadlineTimer, clock: Clock) -> None:
    waiters = [Waiter(timer, clock) for _ in range(100)]
    for number, waiter in enumerate(waiters):
        waiter.wait(1 + number * 0.001)
    clock.go_on(110)
    assert clock.made <= 2 + 0.1 / GRAIN
    for number, waiter in enumerate(waiters):
        assert len(waiter.expired) == 1
        assert 101 + number * 0.001 <= waiter.expired[0] <= 101 + number * 0.001 + GRAIN


def test_the_timer_is_freed_with_the_last_stream(timer: DeadlineTimer, clock: Clock) -> None:
    first, last = Waiter(timer, clock), Waiter(timer, clock)
    first.wait(5)
    timer.discard(first)
    assert clock.next_at == [105]
    timer.discard(last)
    timer.discard(last)
    assert clock.timers == []
    assert timer.next_check == math.inf


def test_an_object_that_is_not_discarded_expires(timer: DeadlineTimer, clock: Clock) -> None:
    waiter = Waiter(timer, clock)
    waiter.wait(5)
    expired = waiter.expired
    del waiter
    gc.collect()
    clock.go_on(110)
    assert expired == [105]
    assert clock.timers == []


@pytest.mark.parametrize("new_loop", LOOPS.values(), ids=LOOPS)
def test_a_loop_that_was_left_in_a_wait_is_collected(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    class Waiting:
        deadline = math.inf

        def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
            self.loop = loop
            self.timer = schedule_expiry(self, loop)

        def expire(self, now: float) -> None:
            pass

    loop = new_loop()
    waiting = weakref.ref(Waiting(loop))
    loop.close()
    del loop
    gc.collect()
    assert waiting() is None


def test_an_object_that_expires_may_end_others(timer: DeadlineTimer, clock: Clock) -> None:
    class Ending(Waiter):
        def expire(self, now: float) -> None:
            super().expire(now)
            timer.discard(self)
            timer.discard(other)
            other.deadline = math.inf

    ending, other = Ending(timer, clock), Waiter(timer, clock)
    ending.wait(1)
    other.wait(2)
    clock.go_on(110)
    assert (ending.expired, other.expired) == ([101], [])
    assert clock.timers == []


def test_an_object_may_set_a_later_deadline_when_it_expires(timer: DeadlineTimer, clock: Clock) -> None:
    class Postponing(Waiter):
        def expire(self, now: float) -> None:
            super().expire(now)
            self.deadline = now + 3 if len(self.expired) == 1 else math.inf

    postponing, other = Postponing(timer, clock), Waiter(timer, clock)
    postponing.wait(1)
    other.wait(30)
    clock.go_on(110)
    assert postponing.expired == [101, 104]
    assert clock.next_at == [130]


async def test_a_loop_has_one_timer() -> None:
    loop = asyncio.get_running_loop()
    assert timer_of(loop) is timer_of(loop)


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
    # None of its own, unless the one that was set for connecting fired meanwhile.
    assert len([when for when in times if when > loop.time() + 20]) <= 1


# Waiting for a future


async def test_a_wait_for_a_future_ends_with_it_or_with_its_time() -> None:
    loop = asyncio.get_running_loop()
    never: asyncio.Future[None] = loop.create_future()
    with lasts(0.05):
        assert not await wait_at_most(never, 0.05)
    assert not never.done()
    loop.call_later(0.01, never.set_result, None)
    with lasts():
        assert await wait_at_most(never, FOREVER)
        assert await wait_at_most(never, FOREVER)


async def test_a_cancelled_wait_for_a_future_leaves_nothing_behind() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(wait_at_most(future, 0.05))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not future.done()
    future.set_result(None)


async def test_an_alarm_leaves_a_future_that_is_done_as_it_is() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with Alarm(future, 0.02):
        future.set_exception(ValueError("ended before"))
        assert not await wait_at_most(asyncio.get_running_loop().create_future(), 0.1)
    with pytest.raises(ValueError, match="ended before"):
        await future


# Deadlines


def test_a_deadline_gives_the_seconds_left_and_its_error() -> None:
    deadline = Deadline.after(2.5, 100.0)
    assert (deadline.at, deadline.total, deadline.left(101.0), deadline.left(103.0)) == (102.5, 2.5, 1.5, -0.5)
    error = deadline.error(no_response("a:80"))
    assert (str(error), error.phase, error.seconds) == ("no complete response from a:80 in 2.5 s", "total", 2.5)


def test_an_unlimited_total_never_expires() -> None:
    assert Deadline.after(None, 100.0) is NEVER
    assert NEVER.left(1e12) == math.inf


async def test_a_time_limit_until_a_deadline_raises_its_error() -> None:
    loop = asyncio.get_running_loop()
    limit = TimeLimit.until(Deadline(loop.time() + 0.01, 7.0), "work not done")
    with pytest.raises(TotalTimeout, match=r"^work not done in 7 s$"), limit:
        await loop.create_future()
    with TimeLimit.until(NEVER, "work not done"):
        await asyncio.sleep(0)
