"""The private loop: what a wait returns, what runs on it, and what ends a wait from outside."""

import asyncio
import http.client as std
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from asyncclient.errors import IncompleteRead
from compat.loop import READ, WRITE, PrivateLoop, loop, ready, run
from tests.compat.connections import in_thread, signal_handled_by
from tests.durations import lasts

LONG = 10.0


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


Ends = tuple[socket.socket, socket.socket]


def wait(descriptor: int, events: int, seconds: float | None, on: PrivateLoop = loop) -> int:
    async def wait_once() -> int:
        return await ready(descriptor, events, seconds)

    return on.run(wait_once())


class AnnouncingLoop(PrivateLoop):
    """A private loop that calls a function when a wait begins."""

    def __init__(self, then: Callable[[], object]) -> None:
        self._then = then

    def select(self, descriptor: int, events: int, seconds: float | None) -> int:
        self._then()
        return super().select(descriptor, events, seconds)


@pytest.mark.parametrize("seconds", [None, LONG, 0.0])
@pytest.mark.parametrize("events", [READ, WRITE, READ | WRITE])
def test_wait_returns_the_events_that_a_descriptor_is_ready_for(ends: Ends, events: int, seconds: float | None) -> None:
    ends[1].send(b"x")
    assert wait(ends[0].fileno(), events, seconds) == events


@pytest.mark.parametrize("events", [READ, WRITE, READ | WRITE])
def test_wait_without_poll_returns_the_same_events(ends: Ends, events: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compat.loop._poll", None)
    assert wait(ends[0].fileno(), events, 0) == events & WRITE
    ends[1].send(b"x")
    assert wait(ends[0].fileno(), events, LONG) == events


def test_wait_for_both_events_returns_the_one_that_is_ready(ends: Ends) -> None:
    assert wait(ends[0].fileno(), READ | WRITE, LONG) == WRITE


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.1])
def test_wait_without_an_event_ends_after_its_time_limit(ends: Ends, seconds: float) -> None:
    with lasts(seconds):
        assert wait(ends[0].fileno(), READ, seconds) == 0


def test_end_of_a_connection_ends_a_wait(ends: Ends) -> None:
    ends[1].close()
    assert wait(ends[0].fileno(), READ, LONG) & READ


def test_wait_ends_when_data_are_received(ends: Ends) -> None:
    begun = threading.Event()

    def send() -> None:
        begun.wait(LONG)
        ends[1].send(b"x")

    with in_thread(send):
        assert wait(ends[0].fileno(), READ, None, AnnouncingLoop(begun.set)) == READ


def test_descriptor_can_be_waited_for_again(ends: Ends) -> None:
    for _ in range(3):
        assert wait(ends[0].fileno(), READ, 0) == 0
        ends[1].send(b"x")
        assert wait(ends[0].fileno(), READ, LONG) == READ
        ends[0].recv(1)


def test_closed_descriptor_is_refused() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        wait(-1, READ, LONG)


# Coroutines


def test_coroutine_runs_to_its_end_over_several_waits(ends: Ends) -> None:
    async def wait_three_times() -> list[int]:
        number = ends[0].fileno()
        return [await ready(number, WRITE, LONG), await ready(number, READ, 0), await ready(number, WRITE, None)]

    assert run(wait_three_times()) == [WRITE, 0, WRITE]


def test_wait_inside_another_run_is_served(ends: Ends) -> None:
    async def wait_inside() -> int:
        return wait(ends[0].fileno(), WRITE, LONG) + await ready(ends[1].fileno(), WRITE, LONG)

    assert run(wait_inside()) == 2 * WRITE


def test_error_of_the_engine_is_raised_as_http_clients() -> None:
    async def fail() -> None:
        raise IncompleteRead(b"part", 3) from LookupError("cause")

    with pytest.raises(std.IncompleteRead) as caught:
        run(fail())
    assert (caught.value.partial, caught.value.expected) == (b"part", 3)
    assert isinstance(caught.value.__cause__, LookupError)


def test_coroutine_that_awaits_asyncio_is_an_error_and_is_closed() -> None:
    steps = []

    async def sleep() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            steps.append("closed")

    with pytest.raises(TypeError):
        run(sleep())
    assert steps == ["closed"]


# Tasks of asyncio, for races


async def double(value: int) -> int:
    await asyncio.sleep(0)
    return 2 * value


def test_coroutine_with_tasks_runs_to_its_end() -> None:
    assert [loop.run_tasks(double(value)) for value in (1, 2)] == [2, 4]
    assert asyncio._get_running_loop() is None


def test_error_of_a_coroutine_with_tasks_is_raised() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        loop.run_tasks(fail())


# Signals


class Alarm(Exception):
    pass


def raise_alarm() -> None:
    raise Alarm


def press_ctrl_c() -> None:
    signal.default_int_handler(signal.SIGINT, None)


@pytest.mark.parametrize(("handler", "error"), [(press_ctrl_c, KeyboardInterrupt), (raise_alarm, Alarm)])
def test_signal_that_raises_ends_a_wait_and_the_next_wait_works(
    ends: Ends, handler: Callable[[], None], error: type[BaseException]
) -> None:
    with signal_handled_by(handler) as begin, pytest.raises(error):
        wait(ends[0].fileno(), READ, LONG, AnnouncingLoop(begin))
    assert asyncio._get_running_loop() is None
    ends[1].send(b"x")
    assert wait(ends[0].fileno(), READ, LONG) == READ


def test_signal_that_raises_lets_a_coroutine_with_tasks_clean_up() -> None:
    steps = []

    async def hold(begin: Callable[[], None]) -> None:
        try:
            begin()
            await asyncio.sleep(LONG)
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    with signal_handled_by(raise_alarm) as begin, pytest.raises(Alarm):
        loop.run_tasks(hold(begin))
    assert steps == ["cleaned up"]
    assert loop.run_tasks(double(1)) == 2


def test_wait_goes_on_after_a_handler_that_only_notes(ends: Ends) -> None:
    with signal_handled_by(lambda: ends[1].send(b"x")) as begin:
        assert wait(ends[0].fileno(), READ, LONG, AnnouncingLoop(begin)) == READ


def test_handler_may_wait_itself(ends: Ends) -> None:
    found = []

    def handler() -> None:
        found.append(wait(ends[1].fileno(), WRITE, LONG))
        found.append(loop.run_tasks(double(1)))
        ends[1].send(b"x")

    with signal_handled_by(handler) as begin:
        assert wait(ends[0].fileno(), READ, LONG, AnnouncingLoop(begin)) == READ
    assert found == [WRITE, 2]


# Processes


def test_forked_child_waits_and_runs_tasks(ends: Ends) -> None:
    wait(ends[0].fileno(), READ, 0)
    child = os.fork()
    if not child:
        status = 1
        try:
            ends[1].send(b"x")
            is_ready = wait(ends[0].fileno(), READ, LONG) == READ
            status = 0 if is_ready and loop.run_tasks(double(1)) == 2 else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert wait(ends[0].fileno(), READ, LONG) == READ


def test_child_that_was_forked_during_a_wait_can_wait(ends: Ends) -> None:
    children: list[int] = []

    def fork() -> None:
        if not children:
            children.append(os.fork())

    found = wait(ends[0].fileno(), READ, 0, AnnouncingLoop(fork))
    if not children[0]:
        os._exit(found or wait(ends[0].fileno(), READ, 0.001))
    assert os.waitpid(children[0], 0)[1] == 0
    assert found == 0


def test_a_wait_may_be_longer_than_that_of_poll(ends: Ends) -> None:
    ends[1].send(b"x")
    assert wait(ends[0].fileno(), READ, 3e6) == READ
