"""Blocking calls inside a running asyncio loop: it stands still meanwhile, and goes on unchanged afterwards."""

import asyncio
import threading
from contextlib import closing

import pytest

from asyncclient.testing import RawConnection, RawServer
from compat.loop import loop as private_loop
from tests.compat.connections import (
    connection_to,
    connection_with_replies,
    fetch,
    secure_connection_to,
    signal_handled_by,
    socket_pair,
)
from tests.connection.conversations import OK, echo_target
from tests.servers import Certificates


async def test_wait_leaves_the_outer_loop_and_its_task_unchanged() -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    with socket_pair() as (own, other):
        other.send(b"x")
        assert own.recv_into(bytearray(1)) == 1
    assert asyncio.get_running_loop() is loop
    assert asyncio.current_task() is task


async def test_coroutine_with_tasks_sees_its_own_loop_and_task() -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    async def look() -> tuple[object, object]:
        await asyncio.sleep(0)
        return asyncio.get_running_loop(), asyncio.current_task()

    seen = private_loop.run_tasks(look())
    assert seen[0] not in (None, loop)
    assert seen[1] not in (None, task)
    assert (asyncio.get_running_loop(), asyncio.current_task()) == (loop, task)


async def test_outer_loop_stands_still_during_a_call_and_goes_on_afterwards() -> None:
    turns: list[str] = []

    async def turn() -> None:
        while len(turns) < 5:
            turns.append("turn")
            await asyncio.sleep(0)

    task = asyncio.create_task(turn())
    with RawServer(echo_target) as server, closing(connection_to(server)) as connection:
        for number in range(3):
            assert fetch(connection, url=f"/{number}") == (200, b"/%d" % number)
    assert not turns
    await task
    assert len(turns) == 5


async def test_callback_of_another_thread_runs_after_the_call() -> None:
    loop, happened = asyncio.get_running_loop(), asyncio.Event()

    def answer(peer: RawConnection) -> None:
        peer.read_head()
        loop.call_soon_threadsafe(happened.set)
        peer.send(OK)

    with RawServer(answer) as server, closing(connection_to(server)) as connection:
        assert fetch(connection) == (200, b"ok")
        assert not happened.is_set()
    await asyncio.wait_for(happened.wait(), 10)


async def test_connection_may_go_on_inside_a_loop_and_outside() -> None:
    with connection_with_replies(OK, OK, OK) as connection:
        assert fetch(connection) == (200, b"ok")
        assert await asyncio.to_thread(fetch, connection) == (200, b"ok")
        assert fetch(connection) == (200, b"ok")


async def test_handshake_inside_a_loop(tls: Certificates) -> None:
    with (
        RawServer.replying(OK, tls=tls.server_context()) as server,
        closing(secure_connection_to(server, tls)) as connection,
    ):
        assert fetch(connection) == (200, b"ok")


async def test_error_inside_a_loop_leaves_that_unchanged() -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    with connection_with_replies(then=RawConnection.hold, timeout=0.02) as connection:
        connection.request("GET", "/")
        with pytest.raises(TimeoutError, match="timed out"):
            connection.getresponse()
    assert (asyncio.get_running_loop(), asyncio.current_task()) == (loop, task)


class Alarm(Exception):
    pass


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_signal_handler_that_raises_inside_a_loop_leaves_that_unchanged() -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def raise_alarm() -> None:
        raise Alarm

    def interrupt(peer: RawConnection) -> None:
        peer.read_head()
        begin()
        peer.wait_closed()

    with (
        signal_handled_by(raise_alarm) as begin,
        RawServer(interrupt) as server,
        closing(connection_to(server)) as connection,
    ):
        with pytest.raises(Alarm):
            fetch(connection)
        assert (asyncio.get_running_loop(), asyncio.current_task()) == (loop, task)
    await asyncio.sleep(0)


def test_loops_in_several_threads_are_kept_apart() -> None:
    seen = []

    async def call() -> None:
        with RawServer.replying(OK) as server, closing(connection_to(server)) as connection:
            loop = asyncio.get_running_loop()
            seen.append((fetch(connection), asyncio.get_running_loop() is loop))

    threads = [threading.Thread(target=lambda: asyncio.run(call())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [((200, b"ok"), True)] * 4
