"""The objects and tasks that connections take, which do not depend on the machine."""

import asyncio
import gc
from collections import Counter
from types import CoroutineType
from typing import Any

from tests.pool.hosts import HOST, Host, client_of, get, idle_of, let_loop_turn, wait_until

SEVERAL = 10


def count_objects() -> Counter[str]:
    """Count the objects of this package that the garbage collector inspects, by the names of their classes."""
    gc.collect()
    kinds = (type(found) for found in gc.get_objects())
    return Counter(kind.__name__ for kind in kinds if str(kind.__module__).startswith("asyncclient."))


async def test_an_idle_connection_holds_few_objects() -> None:
    async with Host() as host, client_of() as client:
        await get(client, host, "/ok")
        before = count_objects()
        await client.preconnect(host.url(), SEVERAL + 1)
        await asyncio.gather(*(get(client, host, "/ok") for _ in range(SEVERAL + 1)))
        assert client.stats().idle == SEVERAL + 1
        added = count_objects() - before
    assert added == dict.fromkeys(("AioStream", "Lease", "Pieces", "Wire"), SEVERAL)


def count_coroutines() -> Counter[str]:
    """Count the coroutines of this package that are suspended, by their names."""
    frames = (found.cr_frame for found in gc.get_objects() if isinstance(found, CoroutineType))
    own = (frame for frame in frames if frame and frame.f_globals["__name__"].startswith("asyncclient."))
    return Counter(frame.f_code.co_qualname for frame in own)


async def test_a_request_in_flight_holds_few_objects() -> None:
    async with Host() as host, client_of() as client:
        targets = [f"/ok/held/{number}" for number in range(SEVERAL)]
        for _ in range(2):  # in the second round there are the connections, and the parsed URLs
            before = count_objects()
            tasks = [asyncio.create_task(client.get(host.url(target))) for target in targets]
            await host.wait_until_held(*targets)
            added, coroutines = count_objects() - before, count_coroutines()
            host.release()
            await asyncio.gather(*tasks)
            tasks.clear()
            await let_loop_turn()  # until then this task has the responses
    assert added == dict.fromkeys(("Exchange", "Request", "RequestHead", "ResponseHeads", "Transfer"), SEVERAL)
    assert coroutines == dict.fromkeys(("Client.request", "Transfer.run", "PoolTransport.send"), SEVERAL)


async def test_connections_to_one_address_share_its_value() -> None:
    async with Host() as host, client_of() as client:
        await client.preconnect(host.url(), 2)
        first, second = (lease.wire.stream.remote for lease in idle_of(client))
        assert first.address == (HOST, host.port)
        assert first is second


async def test_closing_makes_no_task_for_each_connection() -> None:
    made: list[object] = []

    def make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    async with Host() as host, client_of() as client:
        await client.preconnect(host.url(), SEVERAL)
        asyncio.get_running_loop().set_task_factory(make_task)
        await client.aclose()
        asyncio.get_running_loop().set_task_factory(None)
        await wait_until(lambda: not host.open)
    assert len(made) == 1
