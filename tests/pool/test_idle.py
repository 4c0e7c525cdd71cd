"""Use of idle connections: data received before a request is never its response."""

import asyncio
import select
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import pytest

from asyncclient import Client, IncompleteRead, Timeout
from asyncclient.testing import RawConnection, RawServer
from tests.durations import STALL
from tests.pool.hosts import (
    ANSWERS,
    LONG,
    Host,
    assert_answers,
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
from tests.pool.invariant import check, check_quiet
from tests.servers import Certificates, raw_response

POISON = reply(b"poison")

# In the server's hands, at once


def end_sending(own: socket.socket) -> None:
    own.shutdown(socket.SHUT_WR)


def send_unsolicited_bytes(own: socket.socket) -> None:
    own.sendall(POISON)


def reset_connection(own: socket.socket) -> None:
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    own.shutdown(socket.SHUT_RDWR)


RETIRING = [end_sending, send_unsolicited_bytes]


@pytest.mark.parametrize("retire", RETIRING)
async def test_data_or_an_end_retires_an_idle_connection_at_once(retire: Callable[[socket.socket], None]) -> None:
    async with Host() as host, client_of() as client:
        await open_idle_connections(client, host, 2)
        with host.peers[1].socket() as own:
            retire(own)
        await wait_until(lambda: client.stats().idle == 1)
        check_quiet(client)
        await host.peers[1].ended.wait()
        await get(client, host, "/ok/next")
        assert (host.accepted, host.peers[0].targets[-1]) == (2, "/ok/next")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("retire", RETIRING)
async def test_unread_data_in_the_kernel_is_found_before_a_request_is_sent(
    retire: Callable[[socket.socket], None], method: str
) -> None:
    async with Host() as host, client_of() as client:
        await get(client, host, "/ok/first")
        (connection,) = idle_of(client)
        await asyncio.sleep(0)
        with host.peers[0].socket() as own:
            retire(own)
        wait_readable(connection)
        assert_answers(await client.request(method, host.url("/ok/second")), "/ok/second")
        check_quiet(client)
        assert [peer.targets for peer in host.peers] == [["/ok/first"], ["/ok/second"]]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("retire", RETIRING)
async def test_data_that_arrives_while_a_connection_is_handed_on_retires_it(
    retire: Callable[[socket.socket], None], method: str
) -> None:
    async with Host() as host, client_of(connections=1) as client:
        async with client.stream("GET", host.url("/ok/first")) as response:
            await wait_until(lambda: raw_response(response).length == len("/ok/first"))
            (connection,) = group_of(client, host).leased
            waiting = asyncio.create_task(client.request(method, host.url("/ok/second")))
            await wait_until(lambda: client.stats().waiting)
            await wait_until(lambda: connection.wire.stream._pieces.size)
            await response.read()  # all was received: no turn of the loop, and the next request has the connection now
            check(client)
            with host.peers[0].socket() as own:
                retire(own)
            wait_readable(connection)
        assert_answers(await waiting, "/ok/second")
        check_quiet(client)
        assert [peer.targets for peer in host.peers] == [["/ok/first"], ["/ok/second"]]


async def test_a_request_with_a_retired_connection_is_served_next() -> None:
    async with Host() as host, client_of(connections=1) as client:
        async with client.stream("GET", host.url("/ok/first")) as response:
            (connection,) = group_of(client, host).leased
            tasks = start_requests(client, host, *(f"/ok/{number}" for number in range(4)))
            await wait_until(lambda: client.stats().waiting == 4)
            await wait_until(lambda: connection.wire.stream._pieces.size)
            await response.read()
            with host.peers[0].socket() as own:
                end_sending(own)
            wait_readable(connection)
        await wait_until_served(*tasks)
        assert host.targets[1:] == [f"/ok/{number}" for number in range(4)]
        assert host.accepted == 2


async def test_bytes_after_a_response_retire_the_connection() -> None:
    ANSWERS[b"and-more"] = lambda target: reply(target) + POISON
    async with Host() as host, client_of(connections=1) as client:
        await get(client, host, "/and-more/0")
        assert client.stats().idle == 0
        await wait_until_served(*start_requests(client, host, "/and-more/1", "/ok/2", "/and-more/3", "/ok/4"))
        check_quiet(client)
        assert host.accepted == 4


# Over TLS, in a thread


class Second:
    """A server that answers, and sends or closes when the test says so."""

    def __init__(self, act: Callable[[RawConnection], object]) -> None:
        self.act = act
        self.go = threading.Event()
        self.heads: list[int] = []

    def __call__(self, peer: RawConnection) -> None:
        number = len(self.heads)
        self.heads.append(0)
        while head := peer.read_request()[0]:
            self.heads[number] += 1
            peer.send(reply(head.split()[1]))
            if number == 0 and self.heads[0] == 1:
                assert self.go.wait(10)
                self.act(peer)
                if self.act is not send_unsolicited:
                    return


def send_unsolicited(peer: RawConnection) -> None:
    peer.send(POISON)


ACTS = [send_unsolicited, RawConnection.close_without_notify, RawConnection.reset, RawConnection.unwrap]


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("is_in_the_kernel", [False, True], ids=["told", "in the kernel"])
async def test_no_request_is_sent_on_a_retired_connection(
    tls: Certificates, act: Callable[[RawConnection], None], is_secure: bool, is_in_the_kernel: bool
) -> None:
    script = Second(act)
    with RawServer(script, tls=tls.server_context() if is_secure else None) as server:
        async with Client(ssl=tls.client_context(), trust_env=False, timeout=Timeout(close=0.05)) as client:
            assert_answers(await client.get(f"{server.url}/first"), "/first")
            (connection,) = idle_of(client)
            await let_loop_turn(3)  # TLS's session tickets, which are not a reason
            script.go.set()
            wait_readable(connection)
            if not is_in_the_kernel:
                await wait_until(lambda: client.stats().idle == 0)
            assert_answers(await client.post(f"{server.url}/second", body=b"once"), "/second")
            check_quiet(client)
            assert script.heads == [1, 1]


async def test_tls_session_tickets_retire_nothing(tls: Certificates) -> None:
    """A server sends session tickets at any time: until the loop has read them they look like unsolicited data."""
    go = threading.Event()

    def hold_back(peer: RawConnection) -> None:
        """Pass on the handshake, and what the server says after it only when told to."""
        with socket.create_connection((origin.host, origin.port)) as upstream:
            upstream.sendall(peer.read())
            while upstream in select.select([upstream, peer._sock], [], [])[0]:
                peer.send(upstream.recv(65536))
            upstream.sendall(peer.read())
            tickets = upstream.recv(65536)
            assert go.wait(10)
            peer.send(tickets)
            peer.relay(upstream)

    with RawServer.replying(reply(b"/first"), tls=tls.server_context()) as origin, RawServer(hold_back) as way:
        async with Client(ssl=tls.client_context(), trust_env=False) as client:
            url = f"https://{way.host}:{way.port}"
            await client.preconnect(url)
            (connection,) = idle_of(client)
            go.set()
            wait_readable(connection)
            assert_answers(await client.get(f"{url}/first"), "/first")
            check_quiet(client)
            assert (idle_of(client), way.accepted) == ([connection], 1)


# Unread content


async def read_nothing(client: Client, url: str) -> None:
    async with client.stream("GET", url):
        pass


async def read_some(client: Client, url: str) -> None:
    async with client.stream("GET", url) as response:
        async for _ in response.iter_chunks(3):
            break


async def fail_inside(client: Client, url: str) -> None:
    with pytest.raises(KeyError):
        async with client.stream("GET", url):
            raise KeyError


async def read_all(client: Client, url: str) -> None:
    await client.get(url)


async def fail_by_total_timeout(client: Client, url: str) -> None:
    with pytest.raises(TimeoutError):
        await client.get(url, timeout=0.02)


async def fail_by_read_timeout(client: Client, url: str) -> None:
    with pytest.raises(TimeoutError):
        await client.get(url, timeout=Timeout(read=0.02))


async def fail_by_connection(client: Client, url: str) -> None:
    with pytest.raises((OSError, IncompleteRead)):
        await client.get(url)


async def cancel_request(client: Client, url: str) -> None:
    task = asyncio.create_task(client.get(url))
    await wait_until(lambda: client.stats().active)
    await let_loop_turn(4)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("kind", "use"),
    [
        ("long", read_nothing),
        ("long", read_some),
        ("long", fail_inside),
        ("ok", fail_inside),
        ("half", read_some),
        ("half", fail_by_total_timeout),
        ("half", fail_by_read_timeout),
        ("half", cancel_request),
        ("last", read_all),
        ("last", read_nothing),
        ("cut", fail_by_connection),
        ("gone", fail_by_connection),
        ("ok/held", cancel_request),
        ("ok/held", fail_by_total_timeout),
        ("ok/held", fail_by_read_timeout),
    ],
)
async def test_a_connection_that_is_not_clean_is_closed_at_once(kind: str, use: Callable[..., Any]) -> None:
    async with Host() as host, client_of(timeout=Timeout(close=0.02)) as client:
        await client.preconnect(host.url())
        await use(client, host.url(f"/{kind}/1"))
        check_quiet(client)
        assert client.stats().idle == 0
        await host.peers[0].ended.wait()
        await get(client, host, "/ok/next")
        assert host.accepted == (3 if kind == "gone" else 2)  # a GET is repeated once after an idle connection was gone


@pytest.mark.parametrize(
    ("kind", "use"),
    [("ok", read_nothing), ("ok", read_some), ("chunked", read_nothing), ("error", read_all), ("long", read_all)],
)
async def test_a_connection_that_is_clean_is_kept(kind: str, use: Callable[..., Any]) -> None:
    async with Host() as host, client_of() as client:
        await use(client, host.url(f"/{kind}/1"))
        check_quiet(client)
        await get(client, host, "/ok/next")
        assert host.accepted == 1


def test_long_content_is_longer_than_the_drain_limit() -> None:
    from asyncclient.limits import DRAIN

    assert LONG > 2 * DRAIN


# A new one instead


async def test_a_request_for_a_new_connection_gets_the_slot_of_an_idle_one() -> None:
    """Only a request that needs a new connection, after a stale one, waits while another is idle."""
    async with Host() as host, client_of(per_host=2, keep_alive=15) as client:
        tasks = await occupy(client, host, 2)
        host.release(held_targets(2)[0])
        await wait_until_served(tasks[0])
        connection = await asyncio.wait_for(client._pool.acquire(group_of(client, host), Timeout(), is_new=True), STALL)
        assert host.accepted == 3
        connection.release()
        host.release()
        await wait_until_served(tasks[1])
        check_quiet(client)


async def test_a_resent_request_does_not_use_another_idle_connection() -> None:
    """After one has gone stale unseen the others may have, too: two repeats would be one too many."""
    async with Host() as host, client_of() as client:
        await open_idle_connections(client, host, 3)
        for connection in idle_of(client):
            connection.keep_alive = float("inf")
        for peer in host.peers:
            with peer.socket() as own:
                end_sending(own)
        for connection in idle_of(client):
            wait_readable(connection)
            connection.wire.ended_at = float("inf")  # the kernel is not asked: the data was received a moment too late
        await get(client, host, "/ok/next")
        assert (host.accepted, host.peers[3].targets) == (4, ["/ok/next"])
        check(client)


async def test_a_late_response_to_a_cancelled_request_is_discarded() -> None:
    async with Host() as host, client_of(connections=1) as client:
        (task,) = await occupy(client, host)
        others = start_requests(client, host, "/ok/1", "/ok/2")
        task.cancel()
        await let_loop_turn()
        host.release()
        assert isinstance((await errors_of(task))[0], asyncio.CancelledError)
        await wait_until_served(*others)
        assert [len(peer.targets) for peer in host.peers] == [1, 2]
