"""Requests that wait while no connection becomes free: the client warns, and names the exchanges in progress."""

import asyncio
import gc
import re
import sys
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import compat
from asyncclient import Client, PoolLimits, PoolTimeout, PoolWarning, Timeout
from asyncclient.testing import RawServer
from tests.pool.hosts import (
    Host,
    client_of,
    errors_of,
    get,
    held_targets,
    occupy,
    reply,
    start_requests,
    wait_until,
    wait_until_served,
)
from tests.pool.invariant import check, check_quiet

SOON = 0.05


@contextmanager
def recorded() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield told


async def wait_until_observed(client: Client) -> None:
    """Wait until the client observes a queue."""
    stalls = client._pool._stalls
    assert stalls is not None
    await wait_until(lambda: stalls._timer)


def find_seconds(warning: warnings.WarningMessage) -> str:
    """How long a connection has been in use, according to a warning."""
    found = re.search(r" for (\d+) s", str(warning.message))
    assert found
    return found[1]


def find_line() -> int:
    """The line that calls this."""
    return sys._getframe(1).f_lineno


async def test_a_request_inside_a_stream_that_has_the_only_connection_is_warned_of() -> None:
    async with Host() as host, client_of(connections=1, stall_warning=SOON) as client:
        with recorded() as told:
            async with client.stream("GET", host.url("/long/first?secret=1")):
                line = find_line() - 1
                inner = start_requests(client, host, "/ok/inner")
                await wait_until(lambda: told)
                check(client)
            await wait_until_served(*inner)
    (warning,) = told
    assert warning.category is PoolWarning
    at = f"127.0.0.1:{host.port}"
    seconds = find_seconds(warning)
    assert str(warning.message) == (
        f"no connection to {at} became free in 0.05 s, requests waiting: 1, connections in use: "
        f"GET /long/first at {at} for {seconds} s, opened at {__file__}:{line}"
    )


async def test_a_warning_raised_as_an_error_ends_the_oldest_waiter() -> None:
    async with Host() as host, client_of(connections=1, stall_warning=SOON) as client:
        async with client.stream("GET", host.url("/long/1")):
            oldest, other = start_requests(client, host, "/ok/1", "/ok/2")
            (error,) = await errors_of(oldest)
            assert isinstance(error, PoolWarning)
            check(client)
            assert client.stats().waiting == 1
            other.cancel()
            await errors_of(other)
        check_quiet(client)


async def test_each_stall_is_warned_of_once() -> None:
    async with Host() as host, client_of(connections=1, stall_warning=SOON) as client:
        with recorded() as told:
            tasks = start_requests(client, host, *held_targets(3))
            for number in range(2):
                await host.wait_until_held(held_targets(3)[number])
                await wait_until(lambda number=number: len(told) > number)  # type: ignore[misc]
                await asyncio.sleep(3 * SOON)
                assert len(told) == number + 1
                host.release()
            await host.wait_until_held(held_targets(3)[2])
            host.release()
            await wait_until_served(*tasks)


async def test_a_queue_that_was_empty_meanwhile_is_observed_again() -> None:
    async with Host() as host, client_of(connections=1, stall_warning=0.5) as client:
        busy = await occupy(client, host)
        (gone,) = start_requests(client, host, "/ok/gone")
        await wait_until_observed(client)
        gone.cancel()
        await errors_of(gone)
        with recorded() as told:
            late = start_requests(client, host, "/ok/late")
            await wait_until(lambda: told)
            host.release()
            await wait_until_served(*busy, *late)


async def test_a_long_queue_that_moves_is_not_a_stall() -> None:
    async with Host() as host, client_of(connections=1, stall_warning=0.2) as client:
        tasks = start_requests(client, host, *held_targets(30))
        for target in held_targets(30):
            await host.wait_until_held(target)
            await asyncio.sleep(0.02)
            host.release()
        await wait_until_served(*tasks)


async def test_the_warning_lists_the_connections_of_a_host_at_its_limit() -> None:
    limits = {"connections": 4, "per_host": 1}
    async with Host() as a, Host() as b, client_of(stall_warning=SOON, **limits) as client:
        with recorded() as told:
            busy = [*await occupy(client, a), *await occupy(client, b)]
            late = start_requests(client, b, "/ok/late")
            await wait_until(lambda: told)
            a.release()
            b.release()
            await wait_until_served(*busy, *late)
    in_use = f"GET {held_targets(1)[0]} at 127.0.0.1:{b.port} for {find_seconds(told[0])} s"
    assert str(told[0].message).endswith(f"connections in use: {in_use}")


async def test_the_warning_lists_the_three_connections_longest_in_use() -> None:
    async with Host() as host, client_of(connections=5, stall_warning=SOON) as client:
        with recorded() as told:
            busy = []
            for target in held_targets(5):
                busy += start_requests(client, host, target)
                await host.wait_until_held(target)
            late = start_requests(client, host, "/ok/late")
            await wait_until(lambda: told)
            host.release()
            await wait_until_served(*busy, *late)
    users = str(told[0].message).partition("in use: ")[2].split("; ")
    assert [user.split(" ")[1] if " " in user else user for user in users] == [*held_targets(5)[:3], "others"]


@pytest.mark.parametrize("warning", [None, 60])
async def test_there_is_no_warning_where_it_is_off_or_not_due(warning: float | None) -> None:
    async with Host() as host, client_of(connections=1, stall_warning=warning) as client:
        busy = await occupy(client, host)
        late = start_requests(client, host, "/ok/late")
        await asyncio.sleep(2 * SOON)
        host.release()
        await wait_until_served(*busy, *late)


async def test_a_warning_is_on_by_default() -> None:
    async with Client() as client:
        assert client._pool._stalls is not None
        assert client._pool._stalls._seconds == 30


async def test_a_pool_timeout_names_the_line_that_opened_the_stream() -> None:
    async with Host() as host, client_of(connections=1) as client, client.stream("GET", host.url("/long/1")):
        with pytest.raises(PoolTimeout, match=rf"; connections in use: GET /long/1 .*{__file__}:\d+ \(GET .*\)$"):
            await get(client, host, "/ok/2", timeout=Timeout(pool=0.01))
        check(client)


async def test_observation_ends_with_the_queue_and_with_the_client() -> None:
    async with Host() as host, client_of(connections=1, stall_warning=SOON) as client:
        busy = await occupy(client, host)
        late = start_requests(client, host, "/ok/late")
        stalls = client._pool._stalls
        assert stalls is not None
        await wait_until(lambda: stalls._timer)
        host.release()
        await wait_until_served(*busy, *late)
        await wait_until(lambda: not stalls._timer)
        assert not stalls._heads
        busy = await occupy(client, host)
        late = start_requests(client, host, "/ok/late")
        await wait_until(lambda: stalls._timer)
        timer = stalls._timer
        await client.aclose()
        assert timer is not None
        assert timer.cancelled()
        await errors_of(*busy, *late)


async def test_stall_detection_does_not_keep_a_client_alive() -> None:
    async with Host() as host:
        client = client_of(connections=1, stall_warning=60)
        busy = await occupy(client, host)
        (late,) = start_requests(client, host, "/ok/late")
        await wait_until_observed(client)
        for task in (*busy, late):
            task.cancel()
        await errors_of(*busy, late)
        pool = weakref.ref(client._pool)
        busy.clear()
        del client, late, task
        gc.collect()
        assert pool() is None


def test_a_blocking_client_is_warned_as_well() -> None:
    with RawServer.replying(reply(b"x" * 200_000)) as server:
        client = compat.Client(pool=PoolLimits(connections=1), stall_warning=SOON, trust_env=False)
        with recorded() as told, client, client.stream("GET", server.url), pytest.raises(PoolTimeout):
            client.get(server.url, timeout=Timeout(pool=3 * SOON))
    assert f", opened at {__file__}:" in str(told[0].message)


@pytest.mark.parametrize(("value", "error"), [("30", TypeError), (0, ValueError), (-1, ValueError)])
def test_an_invalid_stall_warning_is_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="stall_warning"):
        Client(stall_warning=value)
