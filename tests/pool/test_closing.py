"""The end of a client: pending requests end with an error, everything is freed, and there is no warning."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from asyncclient import (
    Client,
    ClientClosed,
    ImproperConnectionState,
    NotConnected,
    Retry,
    Timeout,
)
from asyncclient.stream.aio import AioStream
from asyncclient.testing import RawConnection, RawServer
from tests.conftest import LOOPS
from tests.durations import FOREVER, lasts
from tests.pool.hosts import (
    ANSWERS,
    Doors,
    Host,
    client_of,
    errors_of,
    get,
    group_of,
    held_targets,
    idle_of,
    let_loop_turn,
    occupy,
    open_idle_connections,
    reply,
    start_requests,
    wait_readable,
    wait_until,
    wait_until_served,
)
from tests.pool.invariant import check_quiet
from tests.servers import Certificates, raw_response

OK = reply(b"ok")


async def error_at_once(task: "asyncio.Task[Any]") -> BaseException | None:
    """Return the exception of a task, at once."""
    return (await errors_of(task))[0]


def is_empty(client: Client) -> bool:
    check_quiet(client)
    pool = client._pool
    return not (pool.counted or pool.slots.idle or pool._dialer.dials or client._settings.pauses)


# Pending requests


async def read_slowly(client: Client, host: Host) -> None:
    async with client.stream("GET", host.url("/half/1")) as response:
        async for _ in response.iter_chunks():
            pass


async def upload(client: Client, host: Host) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    await client.post(host.url("/ok/1"), body=source())


async def upload_much(client: Client, host: Host) -> None:
    host_full = bytes(64 * 1024 * 1024)
    for peer in host.peers:
        peer.transport.pause_reading()
    await client.post(host.url("/ok/1"), body=host_full)


async def wait_for_an_answer(client: Client, host: Host) -> None:
    await client.get(host.url("/ok/held/1"))


async def wait_for_a_retry(client: Client, host: Host) -> None:
    await client.get(host.url("/busy/1"))


def reply_busy(target: bytes) -> bytes:
    return reply(target, b"Retry-After: 30", status=b"503 Busy")


UNDER_WAY = [read_slowly, upload, upload_much, wait_for_an_answer, wait_for_a_retry]


@pytest.mark.parametrize("use", UNDER_WAY)
@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
async def test_closing_ends_a_request_under_way(use: Any, is_secure: bool, tls: Certificates) -> None:
    ANSWERS[b"busy"] = reply_busy
    async with Host(tls=tls.server_context() if is_secure else None) as host:
        client = client_of(
            ssl=tls.client_context(), retries=Retry(total=1, statuses=(503,)), timeout=Timeout(close=FOREVER)
        )
        await client.preconnect(host.url())
        await wait_until(lambda: host.accepted)
        task = asyncio.create_task(use(client, host))
        await wait_until(lambda: client.stats().active or client._settings.pauses)
        await let_loop_turn(20)
        with lasts():
            await client.aclose()
        error = await error_at_once(task)
        assert isinstance(error, NotConnected | ClientClosed)
        assert "closed" in str(error)
        assert is_empty(client)
        await asyncio.gather(*(peer.ended.wait() for peer in host.peers if use is not upload_much))


async def test_closing_ends_waiters_and_dials_at_once() -> None:
    doors = Doors()
    async with Host("a.test") as host:
        client = client_of(resolver=doors, connections=3)
        tasks = start_requests(client, host, *held_targets(8))
        await doors.wait_until_held(3)
        doors.let_in(0)
        await host.wait_until_held(held_targets(1)[0])
        await client.aclose()
        errors = await errors_of(*tasks)
        assert {type(error) for error in errors} == {ClientClosed}
        assert all(str(error).startswith("the client was closed meanwhile (GET http") for error in errors)
        assert is_empty(client)
        assert [door.cancelled() for door in doors.waiting] == [False, True, True]
        await host.peers[0].ended.wait()


async def test_idle_connections_are_closed(tls: Certificates) -> None:
    async with Host() as a, Host(tls=tls.server_context()) as b:
        async with client_of(ssl=tls.client_context()) as client:
            await open_idle_connections(client, a, 3)
            await open_idle_connections(client, b, 3)
        assert is_empty(client)
        await asyncio.gather(*(peer.ended.wait() for peer in (*a.peers, *b.peers)))


async def test_a_dial_that_ends_while_the_client_is_closed_leaves_nothing() -> None:
    async with Host() as host:
        client = client_of(timeout=Timeout(close=FOREVER))
        (task,) = start_requests(client, host, "/ok/1")
        await wait_until(lambda: any(dial.done() for dial in client._pool._dialer.dials))
        with lasts():
            await client.aclose()
        assert isinstance(await error_at_once(task), ClientClosed)
        assert is_empty(client)
        await wait_until(lambda: host.peers and not host.meter.now)


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
async def test_closing_in_any_turn_of_opening_leaves_nothing(turns: int, is_secure: bool, tls: Certificates) -> None:
    async with Host(tls=tls.server_context() if is_secure else None) as host:
        client = client_of(ssl=tls.client_context(), connections=2)
        await client.preconnect(host.url())
        tasks = start_requests(client, host, "/ok/1", "/chunked/2", "/ok/3", "/last/4")
        await let_loop_turn(turns)
        await client.aclose()
        for error in await errors_of(*tasks):
            assert error is None or isinstance(error, ClientClosed)
        assert is_empty(client)
        await wait_until(lambda: not host.meter.now)


async def test_closing_ends_a_request_that_was_just_given_a_connection() -> None:
    async with Host() as host:
        client = client_of(connections=1)
        async with client.stream("GET", host.url("/ok/first")) as response:
            (task,) = start_requests(client, host, "/ok/second")
            await wait_until(lambda: client.stats().waiting)
            await wait_until(lambda: raw_response(response)._stream._pieces.size)
            await response.read()
            assert client.stats()[:4] == (1, 0, 0, 0)
            await client.aclose()
        assert isinstance(await error_at_once(task), ClientClosed)
        assert is_empty(client)
        assert (host.accepted, host.targets) == (1, ["/ok/first"])


async def test_closing_ends_a_request_that_checks_a_connection_again(tls: Certificates) -> None:
    go = threading.Event()

    def speak_later(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(OK)
        assert go.wait(10)
        peer.send(OK)
        peer.wait_closed()

    with RawServer(speak_later, tls=tls.server_context()) as server:
        client = client_of(ssl=tls.client_context(), timeout=Timeout(close=0.05))
        await client.get(server.url)
        await let_loop_turn(3)
        (connection,) = idle_of(client)
        go.set()
        wait_readable(connection)
        task = asyncio.create_task(client.get(server.url))
        await let_loop_turn()
        await client.aclose()
        assert isinstance(await error_at_once(task), ClientClosed)
        assert is_empty(client)
        assert server.accepted == 1


# In which time


def answer_once_then_hang(peer: RawConnection) -> None:
    peer.read_head()
    peer.send(OK)
    peer.read_head()
    peer.hold()


@pytest.mark.parametrize("n", [0, 3])
async def test_the_wait_for_close_notify_is_spent_once_for_all_peers(n: int, tls: Certificates) -> None:
    """Over TLS the idle ones are waited for, all at once; what is under way is dropped."""
    many = 40  # 12 s, one after the other
    with RawServer(answer_once_then_hang, tls=tls.server_context()) as server:
        client = client_of(ssl=tls.client_context(), timeout=Timeout(tls_close=0.3, close=FOREVER))
        await client.preconnect(server.url, many)
        await asyncio.gather(*(client.get(server.url) for _ in range(many)))
        assert client.stats().idle == many
        tasks = [asyncio.create_task(client.get(server.url)) for _ in range(n)]
        await let_loop_turn(3)
        with lasts(0.3):
            await client.aclose()
        for task in tasks:
            assert isinstance(await error_at_once(task), ClientClosed)
        assert is_empty(client)


async def test_closing_twice_or_at_once_or_unused_does_nothing_more() -> None:
    await client_of().aclose()
    async with Host() as host:
        client = client_of()
        tasks = await occupy(client, host, 2)
        await asyncio.gather(client.aclose(), client.aclose())
        await client.aclose()
        assert [type(error) for error in await errors_of(*tasks)] == [ClientClosed] * 2
        assert is_empty(client)


async def test_closing_that_is_cancelled_has_closed_nevertheless(tls: Certificates) -> None:
    with RawServer(answer_once_then_hang, tls=tls.server_context()) as server:
        client = client_of(ssl=tls.client_context(), timeout=Timeout(close=0.3))
        await client.get(server.url)
        closing = asyncio.create_task(client.aclose())
        await let_loop_turn(2)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert is_empty(client)
        await client.aclose()


# Afterwards, and elsewhere


async def test_a_closed_client_is_refused() -> None:
    async with Host() as host:
        async with client_of() as client:
            await get(client, host, "/ok/1")
        for call in (client.get, client.preconnect):
            with pytest.raises(ClientClosed, match="the client is closed"):
                await call(host.url("/ok/2"))
        with pytest.raises(ClientClosed):
            async with client.stream("GET", host.url("/ok/2")):
                pass
        assert host.targets == ["/ok/1"]


async def test_a_client_is_refused_on_another_loop() -> None:
    def elsewhere(made: Coroutine[Any, Any, object]) -> object:
        return asyncio.run(made)

    async with Host() as host, client_of() as client:
        await get(client, host, "/ok/1")
        for call in (client.get, client.preconnect):
            with pytest.raises(ImproperConnectionState, match="belongs to another event loop"):
                await asyncio.to_thread(elsewhere, call(host.url("/ok/2")))
        await get(client, host, "/ok/3")
        assert (host.accepted, host.targets) == (1, ["/ok/1", "/ok/3"])


async def leave_idle(client: Client, url: str) -> None:
    await client.get(url)


async def leave_unread(client: Client, url: str) -> None:
    await client.stream("GET", url).__aenter__()


async def leave_dialling(client: Client, url: str) -> None:
    client.task = asyncio.create_task(client.get(url))  # type: ignore[attr-defined]
    await let_loop_turn(2)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("leave", [leave_idle, leave_unread, leave_dialling])
@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_a_client_of_a_closed_loop_is_refused_and_can_be_closed(
    leave: Any, is_secure: bool, make_loop: Any, tls: Certificates
) -> None:
    with RawServer.replying(OK, tls=tls.server_context() if is_secure else None) as server:
        client = client_of(ssl=tls.client_context())
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(leave(client, server.url))
        with asyncio.Runner(loop_factory=make_loop) as runner:
            with pytest.raises(ImproperConnectionState, match="belongs to another event loop"):
                runner.run(client.get(server.url))
            runner.run(client.aclose())
        assert is_empty(client)
        del client
        gc.collect()  # what the loop has left behind


async def test_a_dropped_client_is_warned_of_once_and_frees_its_sockets() -> None:
    async with Host() as host:
        client = client_of()
        await open_idle_connections(client, host, 2)
        dropped = weakref.ref(client._pool)
        del client
        with pytest.warns(ResourceWarning, match="unclosed client with 2 open connections:") as caught:
            gc.collect()
        assert len(caught) == 1
        assert dropped() is None
        await asyncio.gather(*(peer.ended.wait() for peer in host.peers))


async def test_a_client_that_was_never_used_or_is_empty_may_be_dropped() -> None:
    async with Host() as host:
        unused, empty = client_of(), client_of(idle=0)
        await get(empty, host, "/ok/1")
        dropped = weakref.ref(empty._pool)
        del unused, empty
        gc.collect()  # warnings are errors
        assert dropped() is None


async def test_a_closed_client_needs_no_garbage_collector() -> None:
    async with Host() as host:
        gc.collect()
        gc.disable()
        try:
            client = client_of()
            await wait_until_served(*start_requests(client, host, "/ok/1", "/last/2", "/chunked/3"))
            await client.aclose()
            left: list[weakref.ref[Any]] = [weakref.ref(client._pool), weakref.ref(group_of(client, host))]
            del client
            await let_loop_turn(3)
            assert [one() for one in left] == [None, None]
        finally:
            gc.enable()


async def test_a_closed_tls_connection_frees_its_slot_at_once(
    tls: Certificates,
) -> None:
    """Each takes 300 KiB on asyncio's loop: with a second for each, a crawler held gigabytes of them."""
    closing = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(closing)
        peer.wait_closed()

    with RawServer(handler, tls=tls.server_context()) as server:
        async with client_of(ssl=tls.client_context(), timeout=Timeout(close=60)) as client:
            for _ in range(10):
                assert (await client.get(server.url)).content == b"ok"
            await wait_until(lambda: not client._pool._closing)
            gc.collect()
            assert sum(isinstance(thing, AioStream) for thing in gc.get_objects()) == 0
