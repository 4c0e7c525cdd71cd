"""A response of stream() that is dropped frees the slot of its connection when it is garbage-collected."""

import asyncio
import gc
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import compat
from asyncclient import Client, PoolLimits, Response, Retry
from asyncclient.client.download.part_file import PartFile
from asyncclient.testing import RawServer
from tests.pool.hosts import Host, client_of, get, let_loop_turn, reply, start_requests, wait_until, wait_until_served
from tests.pool.invariant import check, check_quiet
from tests.servers import Certificates


@contextmanager
def collected_warnings(count: int = 1) -> Iterator[list[str]]:
    """Collect ResourceWarnings, and check their number."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield texts
        gc.collect()
    texts.extend(f"{one.filename}:{one.lineno}: {one.message}" for one in told if one.category is ResourceWarning)
    assert len(texts) == count, texts


async def open_response(client: Client, url: str) -> Response:
    return await client.stream("GET", url).__aenter__()


async def test_a_dropped_response_frees_its_slot() -> None:
    async with Host() as host, client_of(connections=1) as client:
        with collected_warnings() as texts:
            await open_response(client, host.url("/long/1?secret=1"))
            await wait_until(lambda: client.stats().active == 0)
        check_quiet(client)
        await host.peers[0].ended.wait()
        await get(client, host, "/ok/2")
    place = f"{__file__}:{open_response.__code__.co_firstlineno + 1}"
    assert texts == [
        f"{place}: unclosed response to GET /long/1 at 127.0.0.1:{host.port}, opened at {place}: "
        "leave its `async with` block, read it, or close it"
    ]


async def test_the_slot_of_a_dropped_response_goes_to_a_waiter() -> None:
    async with Host() as host, client_of(connections=1) as client:
        with collected_warnings():
            response = await open_response(client, host.url("/long/1"))
            tasks = start_requests(client, host, "/ok/2", "/ok/3")
            await wait_until(lambda: client.stats().waiting == 2)
            del response
            await wait_until_served(*tasks)
        check_quiet(client)


ITERATORS: list[Callable[[Response], AsyncIterator[Any]]] = [
    Response.iter_chunks,
    Response.iter_text,
    Response.iter_lines,
    lambda response: response.iter_chunks(10),
]


@pytest.mark.parametrize("iterate", ITERATORS)
async def test_an_iterator_keeps_the_response_open_until_it_is_dropped(iterate: Any) -> None:
    async with Host() as host, client_of(connections=1) as client:
        with collected_warnings():
            response = await open_response(client, host.url("/long/1"))
            iterator = iterate(response)
            del response
            gc.collect()
            await let_loop_turn(3)
            assert client.stats().active == 1
            del iterator
            gc.collect()
            await wait_until(lambda: client.stats().active == 0)
        check_quiet(client)


async def test_a_response_in_a_cycle_is_found_by_the_collector() -> None:
    async with Host() as host, client_of(connections=1) as client:
        with collected_warnings():
            cycle: list[Any] = [await open_response(client, host.url("/long/1"))]
            cycle.append(cycle)
            del cycle
            gc.collect()
            await wait_until(lambda: client.stats().active == 0)
        check_quiet(client)


async def test_the_collector_may_run_in_another_thread() -> None:
    async with Host() as host, client_of(connections=1) as client:
        with collected_warnings():
            kept = [await open_response(client, host.url("/long/1"))]
            thread = threading.Thread(target=kept.clear)
            thread.start()
            thread.join()
            check(client)
            assert client.stats().active == 1
            await wait_until(lambda: client.stats().active == 0)
        check_quiet(client)


async def test_a_dropped_response_over_tls_frees_its_slot(tls: Certificates) -> None:
    with RawServer.replying(reply(b"x" * 300_000), tls=tls.server_context()) as server:
        url = f"https://localhost:{server.port}"
        async with Client(ssl=tls.client_context(), trust_env=False, pool=PoolLimits(connections=1)) as client:
            with collected_warnings():
                await open_response(client, url)
                await wait_until(lambda: client.stats().active == 0)
            check_quiet(client)


async def read_whole(response: Response) -> None:
    await response.read()


async def close(response: Response) -> None:
    response.close()


async def aclose(response: Response) -> None:
    await response.aclose()


@pytest.mark.parametrize("end", [read_whole, close, aclose])
@pytest.mark.parametrize("target", ["/ok/1", "/chunked/1", "/long/1", "/last/1"])
async def test_a_dropped_response_that_was_ended_gives_no_warning(end: Any, target: str) -> None:
    async with Host() as host, client_of(connections=1) as client:
        with collected_warnings(0):
            await end(await open_response(client, host.url(target)))
        check_quiet(client)


async def test_a_dropped_response_without_content_gives_no_warning() -> None:
    with RawServer.replying(reply(b""), reply(b"")) as server:
        async with Client(trust_env=False, pool=PoolLimits(connections=1)) as client:
            with collected_warnings(0):
                await open_response(client, server.url)
            check_quiet(client)
            assert (await client.get(server.url)).status == 200


async def test_a_dropped_response_of_a_closed_client_gives_no_warning() -> None:
    async with Host() as host:
        client = client_of(connections=1)
        with collected_warnings(0):
            response = await open_response(client, host.url("/long/1"))
            await client.aclose()
            del response


async def test_a_dropped_response_that_failed_gives_no_warning() -> None:
    async with Host() as host, client_of(connections=1) as client:
        with collected_warnings(0):
            response = await open_response(client, host.url("/cut/1"))
            with pytest.raises(Exception, match="bytes read"):
                await response.read()
            del response
        check_quiet(client)


def test_a_dropped_response_of_a_closed_loop_gives_no_error() -> None:
    kept: list[Any] = []

    async def main() -> None:
        async with Host() as host:
            client = client_of(connections=1)
            kept.append(await open_response(client, host.url("/long/1")))
            await client.aclose()

    asyncio.run(main())
    with collected_warnings(0):
        kept.clear()


async def test_a_generator_that_is_left_closes_its_response() -> None:
    async def lines(client: Client, url: str) -> AsyncIterator[bytes]:
        async with client.stream("GET", url) as response:
            async for chunk in response.iter_chunks():
                yield chunk

    async with Host() as host, client_of(connections=1) as client:
        with collected_warnings(0):
            async for _ in lines(client, host.url("/long/1")):
                break
            gc.collect()
            await wait_until(lambda: client.stats().active == 0)
        check_quiet(client)


async def test_many_responses_are_dropped_while_others_are_served() -> None:
    async with Host() as host, client_of(connections=4) as client:
        with collected_warnings(20):
            tasks = []
            for number in range(20):
                await open_response(client, host.url(f"/long/{number}"))
                tasks += start_requests(client, host, f"/ok/{number}")
                check(client)
            await wait_until_served(*tasks)
            await wait_until(lambda: client.stats().active == 0)
        check_quiet(client)


def test_a_dropped_blocking_response_frees_its_slot() -> None:
    client = compat.Client(trust_env=False, pool=PoolLimits(connections=1))
    with RawServer.replying(reply(b"x" * 300_000)) as server, client:
        for _ in range(3):
            with collected_warnings() as texts:
                client.stream("GET", server.url).__enter__()
            assert texts[0].startswith(f"{__file__}:{sys._getframe().f_lineno - 1}: unclosed response to GET / at ")


def test_a_dropped_blocking_iterator_frees_its_slot() -> None:
    client = compat.Client(trust_env=False, pool=PoolLimits(connections=1))
    with RawServer.replying(reply(b"x" * 300_000)) as server, client:
        for _ in range(3):
            with collected_warnings():
                chunks = client.stream("GET", server.url).__enter__().iter_chunks()
                assert next(chunks)
                del chunks


def test_a_caller_is_found_by_file_and_line() -> None:
    from asyncclient.caller import Caller, find_caller

    def here() -> Caller:
        return find_caller()

    place, line = here(), sys._getframe().f_lineno
    assert str(place) == f"{__file__}:{line}"


# Coroutines that are dropped


Start = Callable[[Client, Host, Path], Coroutine[Any, Any, Any]]

STARTS: dict[str, Start] = {
    "get": lambda client, host, _: client.get(host.url("/ok/held/1")),
    "content": lambda client, host, _: client.get(host.url("/half/1")),
    "upload": lambda client, host, _: client.post(host.url("/ok/held/1"), body=b"x" * 10_000_000),
    "file": lambda client, host, path: client.post(host.url("/ok/held/1"), body=path / "file"),
    "pause": lambda client, host, _: client.get(host.url("/cut/1")),
    "download": lambda client, host, path: client.download(host.url("/half/1"), path / "downloaded"),
    "preconnect": lambda client, host, _: client.preconnect(host.url(), 3),
}


async def step_coroutine(coroutine: Coroutine[Any, Any, Any], steps: int) -> bool:
    """Take a step of a coroutine outside a task; return False if it has ended."""
    for _ in range(steps):
        try:
            waits_for = coroutine.send(None)
        except StopIteration:
            return False
        end = asyncio.get_running_loop().time() + 0.05
        while waits_for is not None and not waits_for.done():
            if asyncio.get_running_loop().time() > end:
                return True
            await asyncio.sleep(0)
        await asyncio.sleep(0)
    return True


@pytest.mark.parametrize("steps", range(1, 7))
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
async def test_a_dropped_coroutine_frees_its_slot(start: Start, steps: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1_000_000)
    async with Host() as host, client_of(connections=3, retries=Retry(backoff=60, jitter=0)) as client:
        coroutine = start(client, host, tmp_path)
        await step_coroutine(coroutine, steps)
        coroutine.close()
        del coroutine
        await wait_until(lambda: client.stats().active == client.stats().connecting == client.stats().waiting == 0)
        check_quiet(client)
        assert not client._settings.pauses


def test_a_part_that_was_abandoned_before_a_worker_opened_it_stays_closed(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "file")
    part.abandon(keep=False)
    assert part.open("0" * 64) is None
    assert list(tmp_path.iterdir()) == []
