"""A time limit outside a stream: it ends a block that takes too long, and does not swallow other cancellations."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from asyncclient.errors import PhaseTimeout, TotalTimeout
from asyncclient.stream.deadlines import TimeLimit


def build_error(seconds: float) -> PhaseTimeout:
    return TotalTimeout(f"took {seconds:g} s", "total", seconds)


def build_other(seconds: float) -> PhaseTimeout:
    return TotalTimeout(f"took {seconds:g} s, the other", "total", seconds)


def cancelling() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


def cancel() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def wait() -> None:
    await asyncio.get_running_loop().create_future()


async def test_a_block_that_takes_too_long_ends_with_the_error() -> None:
    with pytest.raises(TotalTimeout, match=r"^took 0\.01 s$"), TimeLimit(0.01, build_error):
        await wait()
    assert cancelling() == 0
    await asyncio.sleep(0)  # nor is there a later cancellation


@pytest.mark.parametrize("seconds", [0, -1])
async def test_no_time_left_ends_the_first_wait(seconds: float) -> None:
    with pytest.raises(TotalTimeout), TimeLimit(seconds, build_error):
        await wait()


@pytest.mark.parametrize("seconds", [None, 60.0])
async def test_a_block_that_ends_in_time_is_not_cancelled(seconds: float | None) -> None:
    limit = TimeLimit(seconds, build_error)
    with limit:
        await asyncio.sleep(0)
    limit.expire(0.0)  # too late
    await asyncio.sleep(0)
    assert cancelling() == 0


async def test_another_error_is_not_replaced() -> None:
    with pytest.raises(KeyError), TimeLimit(60.0, build_error):
        raise KeyError
    with pytest.raises(KeyError), TimeLimit(0.01, build_error):
        try:
            await wait()
        except asyncio.CancelledError:
            raise KeyError from None
    assert cancelling() == 0


async def test_a_cancellation_by_the_caller_stays_a_cancellation() -> None:
    async def work() -> None:
        with TimeLimit(60.0, build_error):
            await wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_in_the_same_turn_takes_precedence() -> None:
    async def work() -> None:
        limit = TimeLimit(60.0, build_error)
        with limit:
            limit.expire(0.0)
            cancel()
            await wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work())


async def test_a_cancellation_under_way_is_not_the_limits() -> None:
    """As in a `finally` that waits for something, while the task that runs it is being cancelled."""
    found = 0

    async def work() -> None:
        nonlocal found
        try:
            await wait()
        finally:
            with pytest.raises(TotalTimeout), TimeLimit(0, build_error):
                await wait()
            found = cancelling()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert found == 1


@pytest.mark.parametrize(("outer", "inner", "text"), [(0.01, 60, "s$"), (60, 0.01, "other"), (0.01, 0.01, "s$")])
async def test_the_expired_limit_of_two_raises(outer: float, inner: float, text: str) -> None:
    one, other = TimeLimit(60, build_error), TimeLimit(60, build_other)
    with pytest.raises(TotalTimeout, match=text), one, other:
        for limit, seconds in ((one, outer), (other, inner)):
            if seconds < 1:
                limit.expire(0.0)
        await wait()
    assert cancelling() == 0


async def test_a_time_limit_needs_a_task() -> None:
    def drive(work: Coroutine[Any, Any, None]) -> None:
        try:
            work.send(None)
        except RuntimeError as exc:
            found.set_result(str(exc))

    async def work() -> None:
        with TimeLimit(1, build_error):
            raise AssertionError("not refused")

    found = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(drive, work())
    assert "expected to run in a task" in await found
