"""Forty tasks on ten connections, cancelled at random: afterwards all is as before."""

import asyncio
import os
import random
from typing import Any

import pytest

from asyncclient import HTTPException, Timeout
from tests.pool.hosts import PATIENCE, Host, client_of, wait_until, wait_until_served
from tests.pool.invariant import check, check_quiet
from tests.pool.test_cancellation import USES, check_usable, preconnect
from tests.servers import Certificates

SECONDS = 1.5
TASKS = 40
KINDS = ["ok", "chunked", "last", "error", "long", "half", "gone", "cut"]
FAILING = ("half", "gone", "cut")


def count_descriptors() -> int:
    return len(os.listdir("/dev/fd"))


class Crowd:
    """Tasks that ask and are cancelled until the time is over."""

    def __init__(self, client: Any, host: Host) -> None:
        self.client = client
        self.host = host
        self.random = random.Random(1093)
        self.loop = asyncio.get_running_loop()
        self.end = self.loop.time() + SECONDS
        self.cancelled = self.passed = self.failed = 0

    async def ask_on(self, name: int) -> None:
        number = 0
        while self.loop.time() < self.end:
            number += 1
            await self.ask(f"{name}-{number}")

    async def ask(self, name: str) -> None:
        kind = self.random.choice(KINDS)
        target = f"/{kind}/{name}"
        made: Any = self.random.choice([use for use in USES if use is not preconnect])(
            self.client, self.host.url(target), target
        )
        task: asyncio.Task[None] = asyncio.create_task(made)
        is_patient = kind != "half" and self.random.random() < 0.4
        patience = PATIENCE if is_patient else self.random.uniform(0, 0.005)
        timer = self.loop.call_later(patience, task.cancel)
        try:
            await task
            self.passed += 1
        except asyncio.CancelledError:
            self.cancelled += 1
        except (HTTPException, OSError):
            assert kind in FAILING
            self.failed += 1
        finally:
            timer.cancel()
        check(self.client)


@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
async def test_after_many_cancellations_the_pool_is_unchanged(is_secure: bool, tls: Certificates) -> None:
    async with Host(tls=tls.server_context() if is_secure else None) as host:
        await asyncio.get_running_loop().getaddrinfo(host.name, host.port)
        before = count_descriptors()
        client = client_of(connections=10, ssl=tls.client_context(), timeout=Timeout(close=0.1))
        crowd = Crowd(client, host)
        await wait_until_served(*(asyncio.create_task(crowd.ask_on(number)) for number in range(TASKS)))
        assert crowd.cancelled
        assert crowd.passed
        await wait_until(lambda: not client.stats().connecting)
        check_quiet(client)
        await check_usable(client, [host, host])
        await client.aclose()
        await wait_until(lambda: not host.meter.now)
        await wait_until(lambda: count_descriptors() <= before)
        assert client._pool.counted == 0
