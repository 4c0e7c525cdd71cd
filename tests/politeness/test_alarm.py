"""Alarm: one timer for the earliest of many times."""

from asyncclient.politeness.clock import Alarm
from asyncclient.testing import ManualClock


async def test_it_rings_once_at_the_earliest_of_its_times() -> None:
    clock = ManualClock()
    rung: list[float] = []
    alarm = Alarm(clock, lambda: rung.append(clock.now()))
    for when in (5.0, 3.0, 4.0):
        alarm.set(when)
    await clock.advance(10)
    assert rung == [3.0]


async def test_it_can_be_set_by_its_own_function() -> None:
    clock = ManualClock()
    rung: list[float] = []

    def ring() -> None:
        rung.append(clock.now())
        alarm.set(clock.now() + 2)

    alarm = Alarm(clock, ring)
    alarm.set(1.0)
    await clock.advance(6)
    assert rung == [1.0, 3.0, 5.0]


async def test_stopped_it_does_not_ring_until_it_is_set_again() -> None:
    clock = ManualClock()
    rung: list[float] = []
    alarm = Alarm(clock, lambda: rung.append(clock.now()))
    alarm.set(1.0)
    alarm.stop()
    await clock.advance(2)
    assert not rung
    alarm.set(4.0)
    await clock.advance(3)
    assert rung == [4.0]
