"""Known issues of other HTTP clients about pools and kept connections; each test names them."""

import asyncio
import random
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

import pytest

from asyncclient import (
    Client,
    ConnectTimeout,
    PoolLimits,
    ReadTimeout,
    StaleConnectionError,
    Timeout,
    TLSTimeout,
    TooManyRedirects,
)
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import HOST, Answering, Recording, becomes_true
from tests.connection.conversations import NOTHING, OK, echo_target, reply
from tests.durations import STALL, lasts
from tests.servers import Certificates, ConnectProxy, ProxyPy

PATIENT = Timeout(total=20)
"""Longer than anything here takes: what hangs becomes an error."""


def assert_counted(client: Client) -> None:
    """Nothing is counted twice, and nothing forgotten."""
    pool = client._pool
    sizes = [group.size for group in pool._groups.values()]
    assert sum(sizes) == pool.counted <= pool.sizes.connections
    assert all(size <= pool.sizes.per_host for size in sizes)


async def becomes_clean(client: Client) -> bool:
    """Wait until no connection is in use, dialled or waited for; dials without a waiter end as idle connections."""
    return await becomes_true(lambda: client.stats()._replace(idle=0, hosts={}) == (0, 0, 0, 0, {}))


async def ask_for_itself(client: Client, url: str, target: str) -> None:
    assert (await client.get(url + target)).text == target


@asynccontextmanager
async def echoing(tls: Certificates | None = None, **options: Any) -> AsyncIterator[tuple[Client, RawServer]]:
    """A client, and a server that answers with the target of the request."""
    with RawServer(echo_target, tls=None if tls is None else tls.server_context()) as server:
        trust = None if tls is None else tls.client_context()
        async with Client(ssl=trust, timeout=PATIENT, **options) as client:
            yield client, server


# Cancelling, running out of time


async def cancel_at_random(client: Client, url: str, name: str, chance: random.Random) -> None:
    """Ask 12 times; most of it is cancelled after some turns of the loop, anywhere between queue and answer."""
    for number in range(12):
        task = asyncio.create_task(ask_for_itself(client, url, f"/{name}-{number}"))
        for _ in range(chance.randrange(60)):
            await asyncio.sleep(0)
            assert_counted(client)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or task.exception() is None


@pytest.mark.parametrize("is_secure", [False, True])
async def test_after_random_cancellation_every_request_passes(tls: Certificates, is_secure: bool) -> None:
    """encode/httpcore#1093, #986, #1099: cancelling requests while the pool is contended leaks its slots."""
    chance = random.Random(1093)
    async with echoing(tls if is_secure else None, pool=PoolLimits(connections=10)) as (client, server):
        await asyncio.gather(*(cancel_at_random(client, server.url, str(n), chance) for n in range(40)))
        assert await becomes_clean(client)
        await asyncio.gather(*(ask_for_itself(client, server.url, f"/later-{n}") for n in range(20)))
        assert await becomes_clean(client)


@pytest.mark.parametrize("is_kept", [False, True])
async def test_a_request_may_be_cancelled_in_any_turn_of_the_loop(is_kept: bool) -> None:
    """encode/httpcore#830, #785; encode/httpx#1461: a cancelled request hangs later ones."""
    async with echoing(pool=PoolLimits(connections=1)) as (client, server):
        for turns in range(30):
            if is_kept:
                await ask_for_itself(client, server.url, "/before")
            first, second = (asyncio.create_task(ask_for_itself(client, server.url, f"/{n}-{turns}")) for n in (1, 2))
            for _ in range(turns):
                await asyncio.sleep(0)
            first.cancel()
            await asyncio.wait([first])
            await second
            assert_counted(client)
            assert await becomes_clean(client)
            if not is_kept:
                drop_idle(client)


def drop_idle(client: Client) -> None:
    for lease in list(client._pool.slots.idle):
        client._pool._drop(lease)
    assert client._pool.counted == 0


@contextmanager
def black_hole(host: str = "127.0.0.3") -> Iterator[int]:
    """The port of an address that answers to nothing: its backlog is full."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((host, 0), family=family, backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket(family))
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextmanager
def silent(host: str = HOST) -> Iterator[int]:
    """A port that accepts connections into its backlog and never answers."""
    with socket.create_server((host, 0), backlog=64) as listener:
        yield listener.getsockname()[1]


OVERLOAD: list[tuple[Any, str, str, Timeout, type[Exception]]] = [
    (silent, HOST, "http", Timeout(read=0.05), ReadTimeout),
    (silent, HOST, "https", Timeout(tls=0.05), TLSTimeout),
    (black_hole, "127.0.0.3", "http", Timeout(connect=0.05), ConnectTimeout),
]


@pytest.mark.parametrize(("kind", "host", "scheme", "timeout", "error"), OVERLOAD)
async def test_a_server_that_hangs_leaves_the_pool_usable(
    kind: Any, host: str, scheme: str, timeout: Timeout, error: type[Exception]
) -> None:
    """encode/httpcore#550: connect and read timeouts under overload poison the pool until the process restarts."""
    async with echoing(pool=PoolLimits(connections=4)) as (client, server):
        with kind(host) as port, lasts(0.05):
            asking = (client.get(f"{scheme}://{host}:{port}/", timeout=timeout) for _ in range(20))
            failures = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(failure) for failure in failures} == {error}
        assert await becomes_clean(client)
        assert (client._pool.counted, client.stats().idle) == (0, 0)
        await asyncio.gather(*(ask_for_itself(client, server.url, f"/{n}") for n in range(20)))


# Waiting for a place


async def test_more_requests_than_slots_are_served_in_their_order() -> None:
    """encode/httpx#1171, #1315: a gather of more requests than max_connections gives PoolTimeout."""
    assert Timeout().pool is None
    with Answering(default=OK) as server:
        async with Client(pool=PoolLimits(connections=1)) as client:
            asking = [asyncio.create_task(client.get(f"{server.url}/{n}")) for n in range(50)]
            await asyncio.sleep(0)
            assert client.stats().waiting == 50
            assert {response.status for response in await asyncio.gather(*asking)} == {200}
    assert (server.targets, server.accepted) == ([f"/{n}" for n in range(50)], 1)


async def test_content_read_to_its_end_frees_the_slot_at_once() -> None:
    """encode/httpx#720: a connection goes back before its response is closed."""
    async with echoing(pool=PoolLimits(connections=1)) as (client, server):
        async with client.stream("GET", f"{server.url}/a") as outer:
            assert await outer.read() == b"/a"
            async with client.stream("GET", f"{server.url}/b") as inner:
                assert client.stats().active == 1
                assert b"".join([chunk async for chunk in inner.iter_chunks()]) == b"/b"
                await ask_for_itself(client, server.url, "/c")
        assert server.accepted == 1


async def test_connections_through_proxies_are_kept(
    tls: Certificates, proxy_py: ProxyPy, connect_proxy: Callable[..., ConnectProxy]
) -> None:
    """encode/httpx#3453: with a proxy no connection ever becomes idle."""
    with Answering(default=OK) as origin:
        async with Client(proxy=proxy_py.url) as client:
            ports = {(await client.get(f"{origin.url}/{n}")).status for n in range(5)}
            assert ports == {200}
            assert client.stats()[:2] == (0, 1)
    tunnels = connect_proxy()
    with RawServer(echo_target, tls=tls.server_context()) as server:
        async with Client(proxy=tunnels.url, ssl=tls.client_context()) as client:
            for number in range(5):
                await ask_for_itself(client, server.url, f"/{number}")
            assert client.stats()[:2] == (0, 1)
    assert (tunnels.accepted, server.accepted) == (1, 1)


async def test_the_limit_per_host_holds_and_never_deadlocks() -> None:
    """aio-libs/aiohttp#9670, #4936, #1623: the limit deadlocks after a timeout, or is exceeded in a race."""
    release = threading.Event()

    def hesitate(connection: RawConnection) -> None:
        while head := connection.read_request()[0]:
            if b"/hangs" in head and not release.wait(STALL):
                return
            connection.send(reply(head.split()[1]))

    async def ask(number: int) -> str:
        target = f"/{'hangs' if number % 3 == 0 else 'answers'}-{number}"
        timeout = Timeout(total=0.02) if number % 3 == 0 else PATIENT
        try:
            return (await client.get(server.url + target, timeout=timeout)).text
        except TimeoutError:
            return "timeout"
        finally:
            sizes.append(max(group.size for group in client._pool._groups.values()))
            assert_counted(client)

    sizes: list[int] = []
    with RawServer(hesitate) as server:
        async with Client(pool=PoolLimits(connections=50, per_host=3)) as client:
            found = await asyncio.gather(*(ask(number) for number in range(90)))
            release.set()
            assert found.count("timeout") == 30
            assert [f"/answers-{n}" for n in range(90) if n % 3] == [one for one in found if one != "timeout"]
            assert max(sizes) == 3
            assert await becomes_clean(client)
            assert set(await asyncio.gather(*(ask(3 * n + 1) for n in range(9)))) == {
                f"/answers-{3 * n + 1}" for n in range(9)
            }


# Connections that are kept


def answer_once(connection: RawConnection) -> None:
    """Answer one request, and close when the next is received."""
    connection.read_request()
    connection.send(OK)
    connection.read_request()


async def test_a_get_is_resent_on_a_stale_connection() -> None:
    """aio-libs/aiohttp#850, #2867, #3609, #4923, #9138: ServerDisconnected on connections that were kept."""
    tracer = Recording()
    with RawServer(answer_once) as server:
        async with Client(tracers=[tracer]) as client:
            for _ in range(3):
                assert (await client.get(server.url)).content == b"ok"
            assert await becomes_clean(client)
    assert (tracer.reasons, server.accepted) == (["stale", "stale"], 3)


async def test_each_request_of_a_chain_of_redirects_is_resent_on_a_stale_connection() -> None:
    def redirect_once(connection: RawConnection) -> None:
        head, _ = connection.read_request()
        number = int(head.split(b" ")[1][1:])
        connection.send(b"HTTP/1.1 302 Found\r\nLocation: /%d\r\nContent-Length: 0\r\n\r\n" % (number + 1))
        connection.read_request()

    tracer = Recording()
    with RawServer(redirect_once) as server:
        async with Client(tracers=[tracer], max_redirects=3) as client:
            with pytest.raises(TooManyRedirects) as raised:
                await client.get(f"{server.url}/0")
    assert raised.value.request is not None
    assert raised.value.request.url.endswith("/3")
    assert tracer.reasons == ["redirect", "stale"] * 3


async def test_a_post_is_not_resent_on_a_stale_connection() -> None:
    """zytedata/python-zyte-api#39: only the caller knows if it may be resent; the error has the facts."""
    with RawServer(answer_once) as server:
        async with Client() as client:
            await client.get(server.url)
            with pytest.raises(StaleConnectionError, match=rf"{server.port} was closed or reset .*POST") as raised:
                await client.post(server.url, body=b"once")
            assert raised.value.bytes_received == 0
            assert await becomes_clean(client)
            assert (await client.post(server.url, body=b"again")).content == b"ok"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("told", "accepted"),
    [(b"timeout=0", 3), (b"timeout=60", 1), (b"max=5, timeout=0", 3), (b'timeout="60"', 1), (b"junk", 1)],
)
async def test_a_connection_is_kept_no_longer_than_the_server_says(told: bytes, accepted: int) -> None:
    """aio-libs/aiohttp#2867: Keep-Alive: timeout says when the server closes."""
    with Answering(default=reply(b"ok", b"Keep-Alive: " + told)) as server:
        async with Client() as client:
            for _ in range(3):
                await client.get(server.url)
    assert server.accepted == accepted


LAST_WORDS: list[Callable[[RawConnection], object]] = [
    RawConnection.half_close,
    RawConnection.reset,
    lambda connection: connection.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"),
]


@pytest.mark.parametrize("answer", [NOTHING, OK])
@pytest.mark.parametrize("speak", LAST_WORDS, ids=["ends", "resets", "speaks"])
async def test_an_idle_connection_with_unsolicited_data_or_an_end_is_dropped_at_once(
    answer: bytes, speak: Callable[[RawConnection], object]
) -> None:
    """aio-libs/aiohttp#3507: a 204 with keep-alive, then the server closes; the connection is used again and fails."""
    may_end = threading.Event()

    def leave(connection: RawConnection) -> None:
        connection.read_request()
        connection.send(answer)
        assert may_end.wait(10)
        speak(connection)
        connection.hold()

    tracer = Recording()
    with RawServer(leave) as server:
        async with Client(tracers=[tracer]) as client:
            await client.get(server.url)
            assert client.stats().idle == 1
            may_end.set()
            assert await becomes_true(lambda: client.stats().idle == 0)
            assert client._pool.counted == 0
            assert (await client.get(server.url)).status in (200, 204)
    assert (tracer.reasons, server.accepted) == ([], 2)
