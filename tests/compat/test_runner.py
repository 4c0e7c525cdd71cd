"""Waiting on private loops: what a wait tells, how many loops there are, and what ends one from outside."""

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compat import runner
from compat.runner import READ, WRITE, wait, watch
from tests.compat.connections import in_thread, signalled

LONG = 10.0


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


Ends = tuple[socket.socket, socket.socket]


class Announcing:
    """What wait() takes, telling when the waiting begins."""

    def __init__(self, descriptor: int, then: Callable[[], object]) -> None:
        self._poll = watch(descriptor, READ)
        self._then = then

    def register(self, descriptor: int, events: int) -> None:
        self._poll.register(descriptor, events)

    def poll(self, milliseconds: float | None = None) -> list[tuple[int, int]]:
        self._then()
        return self._poll.poll(milliseconds)


@pytest.mark.parametrize("seconds", [None, LONG, 0.0])
@pytest.mark.parametrize("events", [READ, WRITE, READ | WRITE])
def test_wait_tells_what_a_descriptor_is_ready_for(ends: Ends, events: int, seconds: float | None) -> None:
    ends[1].send(b"x")
    assert wait(watch(ends[0].fileno(), events), seconds) == events


def test_wait_for_either_tells_the_one_that_is(ends: Ends) -> None:
    assert wait(watch(ends[0].fileno(), READ | WRITE), LONG) == WRITE


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.1])
def test_wait_in_vain_ends_when_the_time_is_over(ends: Ends, seconds: float) -> None:
    started = time.monotonic()
    assert wait(watch(ends[0].fileno(), READ), seconds) == 0
    assert seconds - 0.002 <= time.monotonic() - started < seconds + 1


def test_end_of_a_connection_ends_a_wait(ends: Ends) -> None:
    ends[1].close()
    assert wait(watch(ends[0].fileno(), READ), LONG) & READ


def test_wait_ends_when_something_comes(ends: Ends) -> None:
    begun = threading.Event()

    def send() -> None:
        begun.wait(LONG)
        ends[1].send(b"x")

    with in_thread(send):
        assert wait(Announcing(ends[0].fileno(), begun.set), None) == READ


def test_what_is_watched_may_be_waited_for_again(ends: Ends) -> None:
    watched = watch(ends[0].fileno(), READ)
    for _ in range(3):
        assert wait(watched, 0) == 0
        ends[1].send(b"x")
        assert wait(watched, LONG) == READ
        ends[0].recv(1)


# How many loops there are


def test_waits_in_turn_take_one_loop(ends: Ends) -> None:
    for _ in range(100):
        wait(watch(ends[0].fileno(), READ), 0)
        runner.finish(asyncio.sleep(0))
    assert len(runner._free) == 1


def test_threads_that_wait_at_once_take_a_loop_each_and_no_more(ends: Ends) -> None:
    meeting = threading.Barrier(5)

    def wait_together() -> None:
        wait(Announcing(ends[0].fileno(), lambda: meeting.wait(LONG)), 0)

    for _ in range(3):
        threads = [threading.Thread(target=wait_together) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(runner._free) == 5


def test_loop_goes_from_thread_to_thread(ends: Ends) -> None:
    wait(watch(ends[0].fileno(), READ), 0)
    loop = runner._free[0]
    with in_thread(lambda: wait(watch(ends[0].fileno(), READ), 0)):
        pass
    assert list(runner._free) == [loop]


def test_new_loop_is_not_logged(ends: Ends, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        wait(watch(ends[0].fileno(), READ), 0)
        logging.getLogger("asyncio").debug("something else")
    assert [record.message for record in caplog.records] == ["something else"]


def test_loop_that_is_dropped_closes_without_a_warning() -> None:
    loop = runner.PrivateLoop()
    del loop


# What runs on one to its end


async def double(value: int) -> int:
    await asyncio.sleep(0)
    return 2 * value


def test_coroutine_runs_to_its_end() -> None:
    assert [runner.finish(double(value)) for value in (1, 2)] == [2, 4]
    assert asyncio._get_running_loop() is None


def test_error_of_a_coroutine_comes_out_and_the_loop_is_free() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        runner.finish(fail())
    assert len(runner._free) == 1


def test_names_are_resolved_in_the_thread_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    found: list[Any] = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]

    def resolve(*args: Any) -> list[Any]:
        threads.append(threading.current_thread())
        return found

    async def ask() -> list[Any]:
        return await asyncio.get_running_loop().getaddrinfo("somewhere.example", 80)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert runner.finish(ask()) == found
    assert threads == [threading.current_thread()]


def test_coroutine_that_would_suspend_over_a_file_is_a_fault() -> None:
    coroutine = double(1)
    with pytest.raises(RuntimeError, match="suspended over a blocking file"):
        runner.run_now(coroutine)
    coroutine.close()


# Signals


class Alarm(Exception):
    pass


def raise_alarm() -> None:
    raise Alarm


def press_ctrl_c() -> None:
    signal.default_int_handler(signal.SIGINT, None)


@pytest.mark.parametrize(("handler", "error"), [(press_ctrl_c, KeyboardInterrupt), (raise_alarm, Alarm)])
def test_signal_that_raises_ends_a_wait_and_leaves_nothing(
    ends: Ends, handler: Callable[[], None], error: type[BaseException]
) -> None:
    with signalled(handler) as begin, pytest.raises(error):
        wait(Announcing(ends[0].fileno(), begin), LONG)
    assert not runner._free
    assert asyncio._get_running_loop() is None
    ends[1].send(b"x")
    assert wait(watch(ends[0].fileno(), READ), LONG) == READ


def test_signal_that_raises_lets_a_coroutine_give_back_what_it_holds() -> None:
    steps = []

    async def hold(begin: Callable[[], None]) -> None:
        try:
            begin()
            await asyncio.sleep(LONG)
        finally:
            await asyncio.sleep(0)
            steps.append("given back")

    with signalled(raise_alarm) as begin, pytest.raises(Alarm):
        runner.finish(hold(begin))
    assert steps == ["given back"]
    assert not runner._free
    assert runner.finish(double(1)) == 2


def test_wait_goes_on_after_a_handler_that_only_notes(ends: Ends) -> None:
    with signalled(lambda: ends[1].send(b"x")) as begin:
        assert wait(Announcing(ends[0].fileno(), begin), LONG) == READ


def test_handler_may_wait_itself(ends: Ends) -> None:
    found = []

    def handler() -> None:
        found.append(wait(watch(ends[1].fileno(), WRITE), LONG))
        found.append(runner.finish(double(1)))
        ends[1].send(b"x")

    with signalled(handler) as begin:
        assert wait(Announcing(ends[0].fileno(), begin), LONG) == READ
    assert found == [WRITE, 2]
    assert len(runner._free) == 2


# Processes


def test_forked_child_waits_with_the_loops_it_was_given(ends: Ends) -> None:
    wait(watch(ends[0].fileno(), READ), 0)
    child = os.fork()
    if not child:
        status = 1
        try:
            ends[1].send(b"x")
            is_ready = wait(watch(ends[0].fileno(), READ), LONG) == READ
            status = 0 if is_ready and runner.finish(double(1)) == 2 else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert wait(watch(ends[0].fileno(), READ), LONG) == READ


def test_child_that_was_forked_in_a_wait_waits_too(ends: Ends) -> None:
    children: list[int] = []

    def fork() -> None:
        if not children:
            children.append(os.fork())

    found = wait(Announcing(ends[0].fileno(), fork), 0)
    if not children[0]:
        os._exit(found or wait(watch(ends[0].fileno(), READ), 0.001))
    assert os.waitpid(children[0], 0)[1] == 0
    assert found == 0
