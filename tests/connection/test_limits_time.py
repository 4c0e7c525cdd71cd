"""Time limits of each phase, cancellation at every await, and that nothing is left."""

import asyncio
import itertools
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from asyncclient import (
    ConnectTimeout,
    HTTPConnection,
    HTTPSConnection,
    PhaseTimeout,
    ReadTimeout,
    Timeout,
    TLSTimeout,
    TotalTimeout,
    WriteTimeout,
)
from asyncclient.testing import RawConnection, RawServer
from tests.connection.conversations import MEBIBYTE, OK, chunked, connection_to, fetch, reply, start_exchange
from tests.durations import FOREVER, STALL, lasts
from tests.servers import HOST, Certificates, ConnectProxy

SHORT = 0.05


@contextmanager
def full_listener() -> Iterator[int]:
    """A port whose backlog is full: a connection to it is neither accepted nor refused."""
    with socket.create_server((HOST, 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = []
        try:
            for _ in range(4):
                sock = socket.socket()
                sock.setblocking(False)
                sock.connect_ex(address)
                waiting.append(sock)
            yield address[1]
        finally:
            for sock in waiting:
                sock.close()


async def times_out(connection: HTTPConnection, error: type[PhaseTimeout], phase: str, body: object = None) -> None:
    doing = "no complete response from " if error is TotalTimeout else ""
    with lasts(SHORT), pytest.raises(error, match=f"{doing}{connection.host}") as raised:
        await (await start_exchange(connection, "GET" if body is None else "POST", "/", body=body)).read()
    assert (type(raised.value), raised.value.phase, raised.value.seconds) == (error, phase, SHORT)
    assert isinstance(raised.value, TimeoutError)


@pytest.mark.parametrize("timeout", [SHORT, Timeout(connect=SHORT)])
async def test_connecting(timeout: float | Timeout) -> None:
    with full_listener() as port:
        async with HTTPConnection(HOST, port, timeout) as connection:
            await times_out(connection, ConnectTimeout, "connect")


@pytest.mark.parametrize("timeout", [SHORT, Timeout(tls=SHORT, connect=FOREVER)])
async def test_handshake(timeout: float | Timeout, tls: Certificates) -> None:
    with RawServer(RawConnection.hold) as server:
        async with HTTPSConnection(HOST, server.port, timeout, context=tls.client_context()) as connection:
            await times_out(connection, TLSTimeout, "tls")


async def test_proxy_that_does_not_answer() -> None:
    with RawServer(RawConnection.hold) as server:
        async with connection_to(server, timeout=Timeout(connect=SHORT)) as connection:
            connection.set_tunnel("a.example")
            await times_out(connection, ConnectTimeout, "proxy")


@pytest.mark.parametrize("timeout", [SHORT, Timeout(write=SHORT, read=FOREVER)])
async def test_writing(timeout: float | Timeout) -> None:
    with RawServer(RawConnection.hold) as server:
        async with connection_to(server, timeout=timeout) as connection:
            await times_out(connection, WriteTimeout, "write", itertools.repeat(bytes(MEBIBYTE)))


def hold_after(data: bytes) -> Callable[[RawConnection], None]:
    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(data)
        peer.hold()

    return handler


SILENCES = [
    b"",
    b"HTTP/1.1 20",
    b"HTTP/1.1 200 OK\r\nA: 1",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP",
    reply(b"hello")[:-1],
    chunked(b"hello")[:-1],
    chunked(b"hello")[:-6],
    chunked(b"hello")[:-8],
    b"HTTP/1.1 200 OK\r\n\r\nhello",
]


@pytest.mark.parametrize("sent", SILENCES)
async def test_reading(sent: bytes) -> None:
    with RawServer(hold_after(sent)) as server:
        async with connection_to(server, timeout=Timeout(read=SHORT)) as connection:
            await times_out(connection, ReadTimeout, "read")


async def test_global_default_timeout() -> None:
    with RawServer(RawConnection.hold) as server:
        async with HTTPConnection(server.host, server.port) as connection:
            socket.setdefaulttimeout(SHORT)
            try:
                await times_out(connection, ReadTimeout, "read")
            finally:
                socket.setdefaulttimeout(None)


def drip_endlessly(first: bytes) -> Callable[[RawConnection], None]:
    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send_slowly(itertools.chain((first,), itertools.repeat(b"x")), pause=0.01)

    return handler


@pytest.mark.parametrize(
    "first",
    [b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"],
)
async def test_total_time_is_not_extended_by_drips(first: bytes) -> None:
    with RawServer(drip_endlessly(first)) as server:
        async with connection_to(server, timeout=Timeout(total=SHORT, read=FOREVER)) as connection:
            await times_out(connection, TotalTimeout, "total")


async def test_total_time_holds_while_a_body_without_end_is_sent() -> None:
    with RawServer(RawConnection.wait_closed) as server:
        async with connection_to(server, timeout=Timeout(total=SHORT, write=FOREVER)) as connection:
            await times_out(connection, TotalTimeout, "total", itertools.repeat(bytes(MEBIBYTE)))


async def test_total_time_holds_while_the_body_waits() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"piece"
        await asyncio.wait_for(asyncio.Event().wait(), FOREVER)

    with RawServer(RawConnection.wait_closed) as server:
        async with connection_to(server, timeout=Timeout(total=SHORT, write=FOREVER)) as connection:
            await times_out(connection, TotalTimeout, "total", body())


async def test_total_time_holds_for_the_opening_too() -> None:
    with full_listener() as port:
        async with HTTPConnection(HOST, port, Timeout(total=SHORT)) as connection:
            with lasts(SHORT), pytest.raises(PhaseTimeout, match=f"^no connection to {HOST}:{port} in"):
                async with asyncio.timeout(FOREVER):
                    await connection.request("GET", "/")


async def test_total_time_begins_with_each_request() -> None:
    def handler(peer: RawConnection) -> None:
        while peer.read_head():
            peer.send_slowly((OK[:-1], OK[-1:]), pause=0.02)

    ends = []
    with RawServer(handler) as server:
        async with connection_to(server, timeout=Timeout(total=FOREVER)) as connection:
            for _ in range(3):
                assert await fetch(connection) == (200, b"ok")
                assert connection._wire is not None
                ends.append(connection._wire.stream.total.at)
        assert server.accepted == 1
    assert all(later - end > 0.01 for end, later in itertools.pairwise(ends))


async def test_request_after_a_timeout_opens_a_connection() -> None:
    with RawServer(late_once()) as server:
        async with connection_to(server, timeout=SHORT) as connection:
            with pytest.raises(ReadTimeout):
                await fetch(connection)
            connection.timeout = STALL
            assert await fetch(connection) == (200, b"ok")
        assert server.accepted == 2


def late_once() -> Callable[[RawConnection], None]:
    turns = itertools.count()

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        if next(turns) == 0:
            peer.hold()
        peer.send(OK)

    return handler


async def test_a_timeout_around_an_exchange_is_not_a_phase_timeout() -> None:
    with RawServer(RawConnection.hold) as server:
        async with connection_to(server, timeout=FOREVER) as connection:
            with lasts(SHORT), pytest.raises(TimeoutError) as raised:
                async with asyncio.timeout(SHORT):
                    await fetch(connection)
            assert not isinstance(raised.value, PhaseTimeout)


# Cancellation


async def cancelled_after(steps: int, work: Awaitable[object]) -> bool:
    """Let the work run for so many turns of the loop, then cancel it; return whether it ended by itself before."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    if task.done():
        await task
        return True
    task.cancel()
    try:
        async with asyncio.timeout(STALL):
            await task
    except asyncio.CancelledError:
        return False
    return True


def answer_with_numbers(peer: RawConnection) -> None:
    """Answer with the target of the request, in pieces, so that the client waits often."""
    while head := peer.read_request()[0]:
        number = head.split()[1][1:]
        if int(number) % 2:
            peer.send_slowly((b"HTTP/1.1 103 Early Hints\r\n\r\nHTT", b"P/1.1 200 OK\r\nTransfer-Enc"), pause=0)
            peer.send_slowly((b"oding: chunked\r\n\r\n%x\r\n" % len(number), number, b"\r\n0\r\n\r\n"), pause=0)
        else:
            peer.send(reply(number))


Exchange = Callable[[HTTPConnection, int], Awaitable[bytes]]


async def get(connection: HTTPConnection, number: int) -> bytes:
    return (await fetch(connection, url=f"/{number}"))[1]


async def post_pieces(connection: HTTPConnection, number: int) -> bytes:
    return (await fetch(connection, "POST", f"/{number}", body=itertools.repeat(bytes(100_000), 20)))[1]


async def post_slowly(connection: HTTPConnection, number: int) -> bytes:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(5):
            await asyncio.sleep(0)
            yield b"piece"

    return (await fetch(connection, "POST", f"/{number}", body=body()))[1]


async def post_file(connection: HTTPConnection, number: int) -> bytes:
    with open(__file__, "rb") as file:
        return (await fetch(connection, "POST", f"/{number}", body=file))[1]


async def get_in_steps(connection: HTTPConnection, number: int) -> bytes:
    connection.putrequest("GET", f"/{number}")
    await connection.endheaders()
    async with await connection.getresponse() as response:
        return b"".join([chunk async for chunk in response.iter_chunks(1)])


async def run_with_cancellations(connection: HTTPConnection, exchange: Exchange, most: int, *, anew: bool) -> int:
    """Cancel after 0, 1, 2, … turns until the exchange ends; after each, another one must succeed."""
    numbers = itertools.count(1)
    for steps in range(most):
        if anew:
            await connection.aclose()
        ended = await cancelled_after(steps, exchange(connection, next(numbers)))
        number = next(numbers)
        assert await get(connection, number) == b"%d" % number
        if ended:
            return steps
    return most


@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("exchange", [get, post_pieces, post_slowly, post_file, get_in_steps])
async def test_cancellation_after_any_number_of_turns(exchange: Exchange, anew: bool) -> None:
    with RawServer(answer_with_numbers) as server:
        async with connection_to(server) as connection:
            assert await run_with_cancellations(connection, exchange, 60, anew=anew) > 0


async def test_cancellation_in_any_turn_of_a_handshake(tls: Certificates) -> None:
    with RawServer(answer_with_numbers, tls=tls.server_context()) as server:
        async with HTTPSConnection("localhost", server.port, FOREVER, context=tls.client_context()) as connection:
            await run_with_cancellations(connection, get, 30, anew=True)


async def test_cancellation_in_any_turn_of_a_tunnel(
    tls: Certificates, connect_proxy: Callable[..., ConnectProxy]
) -> None:
    proxy = connect_proxy(tls=tls.server_context())
    with RawServer(answer_with_numbers, tls=tls.server_context()) as server:
        async with HTTPSConnection("localhost", proxy.port, FOREVER, context=tls.client_context()) as connection:
            connection.set_tunnel("localhost", server.port, proxy_ssl=tls.client_context())
            await run_with_cancellations(connection, get, 30, anew=True)


WAITS: list[tuple[Callable[[RawConnection], object], bool]] = [
    (RawConnection.hold, True),
    (RawConnection.hold, False),
    (hold_after(b"HTTP/1.1 200 OK\r\n"), False),
    (hold_after(reply(b"hello")[:-1]), False),
    (hold_after(chunked(b"hello")[:-1]), False),
]


@pytest.mark.parametrize(("script", "uploads"), WAITS)
async def test_cancellation_while_the_server_is_silent(
    script: Callable[[RawConnection], object], uploads: bool
) -> None:
    turns = itertools.count()

    def handler(peer: RawConnection) -> None:
        if next(turns) == 0:
            script(peer)
        peer.read_head()
        peer.send(OK)

    with RawServer(handler) as server:
        async with connection_to(server, timeout=FOREVER) as connection:
            body = itertools.repeat(bytes(MEBIBYTE)) if uploads else None
            task = asyncio.create_task(fetch(connection, "POST", "/", body=body))
            await asyncio.wait((task,), timeout=0.05)
            task.cancel()
            with lasts(), pytest.raises(asyncio.CancelledError):
                await task
            assert await fetch(connection) == (200, b"ok")
        assert server.accepted == 2


@pytest.mark.parametrize("secure", [False, True])
async def test_aclose_frees_the_socket_of_a_peer_that_does_not_read(secure: bool, tls: Certificates) -> None:
    gone = threading.Event()

    def handler(peer: RawConnection) -> None:
        peer.read(1)
        gone.wait(FOREVER)

    with RawServer(handler, tls=tls.server_context() if secure else None) as server:
        context = tls.client_context()
        connection = (
            HTTPSConnection("localhost", server.port, FOREVER, context=context) if secure else connection_to(server)
        )
        task = asyncio.create_task(connection.request("POST", "/", bytes(30 * MEBIBYTE)))
        await asyncio.wait((task,), timeout=0.1)
        with lasts():
            await connection.aclose()
            await asyncio.wait((task,))
        gone.set()
        assert task.exception() is not None or not secure
