"""Whether a pool survives cancellation: for some seconds, tasks make requests and are cancelled at random moments.

    python -m benchmarks.stress

Some clients fail here: after six seconds httpx serves none of twenty requests, and aiosonic returns nearly all
responses to the wrong request. Each response names its request; half of them are 20,000 times as long, so that they are
received in pieces.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import trustme
import uvloop

from asyncclient import Client, PoolLimits
from asyncclient.pool.group import PoolStats
from benchmarks.machine import HOST, serving

TASKS = 40
CONNECTIONS = 10
PATIENCE = 0.01  # seconds until a request is cancelled, on average
AFTERWARDS = 20


class Outcome(NamedTuple):
    """The results of a stress test."""

    answers: int  # before the request was cancelled
    cancelled: int
    wrong: int
    passed: int
    stats: PoolStats
    descriptors: tuple[int, int]  # before and after


class Stress:
    """Requests of a client, with counts of their results."""

    def __init__(self, client: Client, base: str) -> None:
        self._client = client
        self._base = base
        self._asked = 0
        self.answers = self.cancelled = self.wrong = 0

    async def ask(self) -> None:
        """Make a request, and check that the response is its own."""
        self._asked += 1
        kind, times = random.choice((("name", 1), ("names", 20_000)))
        name = str(self._asked)
        response = await self._client.get(f"{self._base}/{kind}/{name}")
        self.answers += 1
        self.wrong += response.text != times * name

    async def go_on(self, until: float) -> None:
        """Make requests one after another, and cancel each after a random time."""
        while time.monotonic() < until:
            asking = asyncio.create_task(self.ask())
            done, _ = await asyncio.wait((asking,), timeout=random.expovariate(1 / PATIENCE))
            if not done:
                self.cancelled += asking.cancel()
            await asyncio.wait((asking,))
            if not asking.cancelled():
                asking.result()


async def stress(base: str, context: ssl.SSLContext, seconds: float) -> Outcome:
    """Run the tasks for some seconds, then make requests without cancelling them."""
    async with Client(ssl=context) as client:
        await client.get(f"{base}/name/first")  # uvloop opens a descriptor for itself with the first connection
    before = await count_descriptors()
    pool = PoolLimits(connections=CONNECTIONS, per_host=CONNECTIONS)
    async with Client(pool=pool, ssl=context, timeout=10) as client:
        asking = Stress(client, base)
        until = time.monotonic() + seconds
        await asyncio.gather(*(asking.go_on(until) for _ in range(TASKS)))
        answers = asking.answers
        await asyncio.gather(*(asking.ask() for _ in range(AFTERWARDS)), return_exceptions=True)
        passed, stats = asking.answers - answers, client.stats()
    return Outcome(answers, asking.cancelled, asking.wrong, passed, stats, (before, await count_descriptors()))


async def count_descriptors() -> int:
    """Return the number of open descriptors, after the loop has closed those that it was told to close."""
    await asyncio.sleep(0.1)
    return len(os.listdir("/proc/self/fd"))


def main(seconds: float = 6.0) -> None:
    """Stress over HTTP and over TLS, on each loop."""
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with tempfile.TemporaryDirectory() as folder:
        certificate = Path(folder, "server.pem")
        authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(certificate)
        for scheme, options in (("http", ()), ("https", ("--certificate", str(certificate)))):
            with serving(*options) as port:
                for loops in (asyncio.new_event_loop, uvloop.new_event_loop):
                    with asyncio.Runner(loop_factory=loops) as runner:
                        runner.run(asyncio.sleep(0))
                        outcome = runner.run(stress(f"{scheme}://{HOST}:{port}", context, seconds))
                    print_outcome(f"{scheme}, {'uvloop' if loops is uvloop.new_event_loop else 'asyncio'}", outcome)


def print_outcome(title: str, outcome: Outcome) -> None:
    """Print a line with the results."""
    before, after = outcome.descriptors
    print(
        f"{title:<15} {outcome.passed} of {AFTERWARDS} pass afterwards, {outcome.wrong} of {outcome.answers:,} wrong, "
        f"{outcome.stats.active} active; {outcome.cancelled:,} cancelled; {before} descriptors before, {after} after",
        flush=True,
    )


if __name__ == "__main__":
    main()
