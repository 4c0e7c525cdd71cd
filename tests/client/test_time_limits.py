"""Time limits: the phases that each covers, the text of its error, and that nothing is left."""

import asyncio
import itertools
import math
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from asyncclient import (
    Client,
    ConnectTimeout,
    Digest,
    LocalResponse,
    PhaseTimeout,
    PoolLimits,
    PoolTimeout,
    RateTimeout,
    ReadTimeout,
    Retry,
    Timeout,
    TLSTimeout,
    TotalTimeout,
    WriteTimeout,
)
from asyncclient.client.content import reader
from asyncclient.client.content.reader import Pace
from asyncclient.testing import MockTransport, RawConnection, RawServer
from asyncclient.timeouts import NEVER
from asyncclient.transport import TransportRequest, TransportResponse
from tests.client.answering import Answering, Asked, Gate, becomes_true, gather_chunks, is_clean
from tests.connection.conversations import MEBIBYTE, OK, reply
from tests.durations import FOREVER, STALL, lasts

SHORT = 0.05

Ask = Callable[[Client, str], Awaitable[object]]


@contextmanager
def raises_timeout(kind: type[PhaseTimeout], phase: str, where: str, seconds: float = SHORT) -> Iterator[None]:
    """Fail unless the block ends in this error, in time, and the error says what, where and how long."""
    with lasts(seconds), pytest.raises(kind) as raised:
        yield
    error = raised.value
    assert isinstance(error, TimeoutError)
    assert (type(error), error.phase, error.seconds) == (kind, phase, seconds)
    assert where in str(error)
    assert f"{seconds:g} s" in str(error)


def accept_and_hold(connection: RawConnection) -> None:
    connection.hold()


def answer_and_hold(data: bytes) -> Callable[[RawConnection], None]:
    def answer(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(data)
        connection.wait_closed()

    return answer


def drip(connection: RawConnection) -> None:
    """Announce a lot, and send a byte every 20 ms, so that no single wait is long."""
    connection.read_head()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    connection.send_slowly(itertools.repeat(b"x"), pause=0.02)


def drip_head(connection: RawConnection) -> None:
    connection.read_head()
    connection.send(b"HTTP/1.1 200 OK\r\n")
    connection.send_slowly((b"X: %d\r\n" % number for number in range(200)), pause=0.02)
    connection.wait_closed()


def drip_interim(connection: RawConnection) -> None:
    connection.read_head()
    connection.send_slowly((b"HTTP/1.1 102 Processing\r\n\r\n" for _ in range(90)), pause=0.02)
    connection.wait_closed()


async def get(client: Client, url: str) -> None:
    await client.get(url)


async def stream(client: Client, url: str) -> None:
    async with client.stream("GET", url) as response:
        async for _ in response.iter_chunks():
            pass


async def stream_lines(client: Client, url: str) -> None:
    async with client.stream("GET", url) as response:
        async for _ in response.iter_lines():
            pass


# Phases


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port that accepts no more connections, so that opening one never ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        taken = []
        for _ in range(8):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
            taken.append(sock)
        try:
            yield listener.getsockname()[1]
        finally:
            for sock in taken:
                sock.close()


async def test_connect() -> None:
    with full_backlog() as port:
        async with Client(timeout=Timeout(connect=SHORT)) as client:
            with raises_timeout(ConnectTimeout, "connect", f"127.0.0.1:{port}"):
                await client.get(f"http://127.0.0.1:{port}/")
            assert await is_clean(client)


async def test_resolving_is_part_of_connecting() -> None:
    class Slow:
        async def resolve(self, host: str, port: int) -> list[str]:
            await asyncio.get_running_loop().create_future()
            return []

    async with Client(timeout=Timeout(connect=SHORT), resolver=Slow()) as client:
        with raises_timeout(ConnectTimeout, "connect", "slow.example:80"):
            await client.get("http://slow.example/")
        assert await is_clean(client)


async def test_tls() -> None:
    with RawServer(accept_and_hold) as server:
        async with Client(timeout=Timeout(tls=SHORT)) as client:
            with raises_timeout(TLSTimeout, "tls", f"{server.host}:{server.port}"):
                await client.get(f"https://{server.host}:{server.port}/")
            assert await is_clean(client)


async def end_in_time(ask: Ask, start: bytes) -> None:
    with RawServer(answer_and_hold(start)) as server:
        async with Client(timeout=Timeout(read=SHORT)) as client:
            with raises_timeout(ReadTimeout, "read", f"{server.host}:{server.port}"):
                await ask(client, server.url)
            assert await is_clean(client)
            assert client.stats().idle == 0


@pytest.mark.parametrize("start", [b"", b"H", b"HTTP/1.1 200 OK\r\nX", b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize("ask", [get, stream])
async def test_read_of_the_head(start: bytes, ask: Ask) -> None:
    await end_in_time(ask, start)


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b",
        b"HTTP/1.0 200 OK\r\n\r\nhalf",
    ],
)
@pytest.mark.parametrize("ask", [get, stream, stream_lines])
async def test_read_of_the_content(start: bytes, ask: Ask) -> None:
    await end_in_time(ask, start)


@pytest.mark.parametrize("body", [bytes(32 * MEBIBYTE), lambda: iter([bytes(MEBIBYTE)] * 32)])
async def test_write(body: Any) -> None:
    with RawServer(accept_and_hold) as server:
        async with Client(timeout=Timeout(write=SHORT)) as client:
            with raises_timeout(WriteTimeout, "write", f"{server.host}:{server.port}"):
                await client.post(server.url, body=body)
            assert await is_clean(client)


async def test_pool() -> None:
    with Answering(default=reply(bytes(500_000))) as server:
        async with Client(timeout=Timeout(pool=SHORT), pool=PoolLimits(connections=1)) as client:
            async with client.stream("GET", server.url):
                with raises_timeout(PoolTimeout, "pool", f"{server.host}:{server.port}"):
                    await client.get(server.url)
                assert client.stats().waiting == 0
            await client.get(server.url)


async def test_waiting_for_a_slot_has_no_limit_of_its_own() -> None:
    with Answering(default=reply(bytes(500_000))) as server:
        limit = Timeout(connect=SHORT, read=SHORT, write=SHORT)
        async with Client(timeout=limit, pool=PoolLimits(connections=1)) as client:
            async with client.stream("GET", server.url) as response:
                task = asyncio.create_task(client.get(server.url))
                await asyncio.wait([task], timeout=3 * SHORT)
                assert not task.done()
                await response.read()
            assert len((await task).content) == 500_000


# Total


@pytest.mark.parametrize("script", [drip, drip_head, drip_interim])
@pytest.mark.parametrize("ask", [get, stream])
@pytest.mark.parametrize("limit", [0.15, Timeout(total=0.15), Timeout(total=0.15, read=FOREVER)])
async def test_no_drip_extends_the_total(script: Any, ask: Ask, limit: float | Timeout) -> None:
    with RawServer(script) as server:
        async with Client(timeout=limit) as client:
            with raises_timeout(TotalTimeout, "total", f"{server.host}:{server.port}", 0.15):
                await ask(client, server.url)
            assert await is_clean(client)
            assert client.stats().idle == 0


@pytest.mark.parametrize(
    ("limit", "kind"),
    [(Timeout(total=0.05, read=FOREVER), TotalTimeout), (Timeout(total=FOREVER, read=0.05), ReadTimeout)],
)
async def test_the_first_limit_to_pass_ends_the_request(limit: Timeout, kind: type[PhaseTimeout]) -> None:
    with RawServer(answer_and_hold(b"HTTP/1.1 2")) as server:
        async with Client(timeout=limit) as client:
            with raises_timeout(
                kind, "total" if kind is TotalTimeout else "read", f"{server.host}:{server.port}", 0.05
            ):
                await client.get(server.url)


async def test_total_covers_opening() -> None:
    with full_backlog() as port:
        async with Client(timeout=SHORT) as client:
            with raises_timeout(TotalTimeout, "total", f"127.0.0.1:{port}"):
                await client.get(f"http://127.0.0.1:{port}/")
            assert await is_clean(client)
    with RawServer(accept_and_hold) as server:
        async with Client(timeout=SHORT) as client:
            with raises_timeout(TotalTimeout, "total", f"{server.host}:{server.port}"):
                await client.get(f"https://{server.host}:{server.port}/")
            assert await is_clean(client)


async def test_total_covers_waiting_for_a_slot() -> None:
    with Answering(default=reply(bytes(500_000))) as server:
        async with Client(pool=PoolLimits(connections=1)) as client, client.stream("GET", server.url):
            with raises_timeout(TotalTimeout, "total", f"{server.host}:{server.port}"):
                await client.get(server.url, timeout=SHORT)


async def test_total_covers_sending() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0.01)

    def swallow(connection: RawConnection) -> None:
        connection.wait_closed()

    for script, body in ((accept_and_hold, bytes(32 * MEBIBYTE)), (swallow, pieces)):
        with RawServer(script) as server:
            async with Client(timeout=SHORT) as client:
                with raises_timeout(TotalTimeout, "total", f"{server.host}:{server.port}"):
                    await client.post(server.url, body=body)
                assert await is_clean(client)


async def test_total_covers_a_body_that_is_not_received() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.get_running_loop().create_future()

    with RawServer(RawConnection.wait_closed) as server:
        async with Client(timeout=SHORT) as client:
            with raises_timeout(TotalTimeout, "total", f"{server.host}:{server.port}"):
                await client.post(server.url, body=pieces)
            assert await is_clean(client)


async def wait_forever(*_: object) -> Any:
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("options", [{"body": wait_forever}, {"auth": wait_forever}, {"files": {"a": wait_forever}}])
async def test_total_covers_bodies_and_auth_of_the_caller(options: dict[str, Any]) -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            async with asyncio.timeout(FOREVER):
                with raises_timeout(TotalTimeout, "total", f"{server.host}:{server.port}"):
                    await client.post(server.url, timeout=SHORT, **options)
            assert await is_clean(client)
            assert (await client.get(server.url)).content == b"ok"


@pytest.mark.parametrize("limit", [math.inf, 1e12, Timeout(total=1e12, read=math.inf, write=1e12, connect=math.inf)])
async def test_very_long_limits_are_accepted(limit: float | Timeout) -> None:
    with Answering(default=OK) as server:
        async with Client(timeout=limit) as client:
            for body in (None, b"x", lambda: iter([b"x"])):
                assert (await client.put(server.url, body=body)).content == b"ok"


def answer_after(seconds: float, data: bytes) -> Callable[[Asked], bytes]:
    gate = Gate()

    def answer(_: Asked) -> bytes:
        gate.reached.wait(seconds)
        return data

    return answer


@pytest.mark.parametrize(
    "first",
    [
        LocalResponse(302, headers={"Location": "/"}),
        LocalResponse(503),
        LocalResponse(401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}),
    ],
    ids=["redirect", "retry", "challenge"],
)
async def test_all_sendings_share_one_total(first: LocalResponse) -> None:
    deadlines = []

    class Noting(MockTransport):
        async def send(self, request: TransportRequest) -> TransportResponse:
            deadlines.append(request.deadline)
            return await super().send(request)

    transport = Noting({"GET http://a.test/": [first, 200]})
    auth = Digest("user", "password")
    async with Client(transport=transport, timeout=FOREVER, retries=Retry(backoff=0), auth=auth) as client:
        assert (await client.get("http://a.test/")).status == 200
    assert (len(deadlines), deadlines[0].total) == (2, FOREVER)
    assert deadlines[0] is deadlines[1]


async def test_retries_after_timeouts_share_one_total() -> None:
    limit, policy = Timeout(read=0.08, total=0.3), Retry(total=100, backoff=0, budget=None)
    with RawServer(accept_and_hold) as server:
        async with Client(timeout=limit, retries=policy) as client:
            with lasts(0.2), pytest.raises(PhaseTimeout):
                await client.get(server.url)
        assert server.accepted <= 5


async def test_total_goes_on_while_a_stream_is_read() -> None:
    with RawServer(drip) as server:
        async with Client() as client:
            with lasts(0.3), pytest.raises(TotalTimeout):
                async with client.stream("GET", server.url, timeout=0.3) as response:
                    await gather_chunks(response)


async def test_total_does_not_outlive_its_request() -> None:
    """The connection is used again by a request that may take longer."""
    with Answering(default=OK) as server:
        async with Client() as client:
            for timeout, is_limited in ((FOREVER, True), (Timeout(), False), (FOREVER, True), (None, False)):
                await client.get(server.url, timeout=timeout)
                (lease,) = client._pool.slots.idle
                assert (lease.wire.stream.total is not NEVER) is is_limited
        assert server.accepted == 1


async def test_a_timeout_belongs_to_its_request() -> None:
    with Answering({"/": OK, "/slow": answer_after(3 * SHORT, OK)}) as server:
        async with Client(timeout=Timeout(read=SHORT)) as client:
            await client.get(server.url, timeout=Timeout())
            assert (await client.get(f"{server.url}/slow", timeout=Timeout(read=STALL))).content == b"ok"
            with pytest.raises(ReadTimeout):
                await client.get(f"{server.url}/slow")
            assert await is_clean(client)


# Values of timeout


@pytest.mark.parametrize(
    ("client", "options", "ends_in"),
    [
        ({"timeout": SHORT}, {}, TotalTimeout),
        ({"timeout": SHORT}, {"timeout": None}, None),
        ({"timeout": None}, {}, None),
        ({"timeout": None}, {"timeout": SHORT}, TotalTimeout),
        ({"timeout": Timeout(read=SHORT)}, {}, ReadTimeout),
        ({"timeout": Timeout(read=SHORT)}, {"timeout": None}, None),
        ({"timeout": Timeout(read=SHORT)}, {"timeout": FOREVER}, ReadTimeout),
        ({"timeout": Timeout(read=SHORT)}, {"timeout": Timeout()}, None),
        ({}, {"timeout": FOREVER}, None),
        ({}, {"timeout": SHORT}, TotalTimeout),
        ({}, {}, None),
    ],
)
async def test_values_of_timeout(
    client: dict[str, Any], options: dict[str, Any], ends_in: type[Exception] | None
) -> None:
    """A number is the total and leaves the client's other limits as they are; None is not the same as nothing given."""
    with Answering({"/": answer_after(3 * SHORT, OK)}) as server:
        async with Client(**client) as asking:
            if ends_in is None:
                assert (await asking.get(server.url, **options)).content == b"ok"
            else:
                with pytest.raises(ends_in):
                    await asking.get(server.url, **options)
            assert await is_clean(asking)


def test_defaults() -> None:
    assert Timeout() == Timeout(connect=10, tls=10, pool=None, write=60, read=60, total=None, min_rate=None)


@pytest.mark.parametrize(
    ("value", "error"),
    [("5", TypeError), (-1, ValueError), (math.nan, ValueError), ([5], TypeError), ((1, 2), TypeError)],
)
async def test_invalid_timeouts_are_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Client(timeout=value)
    async with Client() as client:
        with pytest.raises(error):
            await client.get("http://127.0.0.1:1/", timeout=value)
        assert client.stats().connecting == 0


async def test_a_timeout_of_0_ends_the_request_at_once() -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            await client.get(server.url)
            with lasts(), pytest.raises(TotalTimeout):
                await client.get(server.url, timeout=0)
            assert await is_clean(client)
            assert (await client.get(server.url)).content == b"ok"


# Rate


@pytest.mark.parametrize("ask", [get, stream, stream_lines])
async def test_content_that_is_received_too_slowly(ask: Ask) -> None:
    with RawServer(drip) as server:
        async with Client(timeout=Timeout(min_rate=1000, rate_patience=0.2)) as client:
            with raises_timeout(RateTimeout, "rate", f"{server.host}:{server.port}", 0.2):
                await ask(client, server.url)
            assert await is_clean(client)
            assert client.stats().idle == 0


async def test_content_that_is_not_received_at_all_is_too_slow() -> None:
    with RawServer(answer_and_hold(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")) as server:
        async with Client() as client:
            with raises_timeout(RateTimeout, "rate", f"{server.host}:{server.port}", 0.2):
                await client.get(server.url, timeout=Timeout(min_rate=1, rate_patience=0.2))


class Dripping(LocalResponse):
    """Content of which 1000 bytes arrive each so many seconds, by a clock of its own."""

    def __init__(self, seconds: float) -> None:
        super().__init__(200)
        self.seconds = seconds
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    async def read1(self, n: int = -1) -> bytes:
        self.now += self.seconds
        return bytes(1000)


@pytest.mark.parametrize(("seconds", "between", "left"), [(0.9, 0.0, 3.0), (0.9, 60.0, 3.0), (1.01, 0.0, 2.0)])
async def test_patience_is_spent_by_waits_for_slow_content(
    seconds: float, between: float, left: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time that the reader takes between two reads does not count."""
    dripping = Dripping(seconds)
    monkeypatch.setattr(reader, "time", dripping)
    pace = Pace("a.test", Timeout(min_rate=1000, rate_patience=3.0))
    for _ in range(100):
        assert len(await pace.read(dripping, 1000)) == 1000
        dripping.now += between
    assert pace._left == pytest.approx(left)


async def test_a_blocked_loop_does_not_count_against_the_rate() -> None:
    """Received bytes count although the loop has not read them yet."""
    gate, sent = Gate(), Gate()

    def send(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + bytes(1000))
        gate.wait()
        connection.send(bytes(1000))
        sent.reached.set()
        connection.wait_closed()

    with RawServer(send) as server:
        limit = Timeout(min_rate=1000, rate_patience=0.1)
        async with Client() as client, client.stream("GET", server.url, timeout=limit) as response:
            chunks = response.iter_chunks()
            size = len(await anext(chunks))
            gate.open()
            assert sent.reached.wait(STALL)  # in this thread, on purpose
            time.sleep(0.15)
            size += sum([len(chunk) async for chunk in chunks])
    assert size == 2000


async def pause(seconds: float) -> None:
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)


async def test_patience_is_for_content_alone() -> None:
    """The wait for the head has limits of its own."""
    with Answering({"/": answer_after(0.3, reply(bytes(100)))}) as server:
        async with Client(timeout=Timeout(min_rate=1000, rate_patience=0.2)) as client:
            assert len((await client.get(server.url)).content) == 100


async def test_the_minimum_rate_does_not_hold_for_small_or_empty_content() -> None:
    with Answering({"/": OK, "/none": b"HTTP/1.1 204 No Content\r\n\r\n"}) as server:
        async with Client(timeout=Timeout(min_rate=10**9, rate_patience=0.2)) as client:
            assert (await client.get(server.url)).content == b"ok"
            assert (await client.get(f"{server.url}/none")).content == b""


# The pool afterwards


async def test_many_timeouts_leave_the_pool_as_it_was() -> None:
    with RawServer(lambda connection: connection.wait_closed()) as server:
        async with Client(timeout=Timeout(read=SHORT), pool=PoolLimits(connections=5)) as client:
            with lasts(4 * SHORT):
                results = await asyncio.gather(*(client.get(server.url) for _ in range(20)), return_exceptions=True)
            assert {type(result) for result in results} == {ReadTimeout}
            assert await is_clean(client)
        assert await becomes_true(lambda: server.accepted == 20)


async def test_after_a_timeout_the_next_request_gets_its_own_response() -> None:
    gate = Gate()

    def late(asked: Asked) -> bytes:
        gate.wait()
        return reply(b"late")

    with Answering({"/late": late, "/": OK}) as server:
        async with Client() as client:
            with pytest.raises(TotalTimeout):
                await client.get(f"{server.url}/late", timeout=SHORT)
            gate.open()
            assert (await client.get(server.url)).content == b"ok"
        assert await becomes_true(lambda: server.accepted == 2)


async def test_a_request_within_a_time_limit_of_the_caller() -> None:
    with RawServer(accept_and_hold) as server:
        async with Client() as client:
            with pytest.raises(TimeoutError) as raised:
                async with asyncio.timeout(SHORT):
                    await client.get(server.url)
            assert not isinstance(raised.value, PhaseTimeout)
            assert await is_clean(client)
