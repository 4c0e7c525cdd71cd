"""How much a process grows with large content, and for how long the client's work on it blocks the loop.

Each is measured in a process of its own, which has nothing else to grow by. The bounds are wide, for a busy machine,
and still far below what holding the content would take. Time is the processor's, not the clock's, for the same reason.
"""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncclient.testing import RawConnection, RawServer, parse_fields
from tests.connection.conversations import MEBIBYTE, OK, reply

from ..servers import ROOT

BOMB_SIZE = 300 * MEBIBYTE
UPLOAD_SIZE = 256 * MEBIBYTE
HOSTS = 1000
IDLE = 10
LOOPS = ("asyncio", "uvloop")

PROGRAM = """
import asyncio, gc, sys, time
from pathlib import Path
import uvloop
from asyncclient import Client, ContentTooLarge, PoolLimits
from asyncclient.wire import Wire

scenario, loop, url, path = sys.argv[1:]

def read_status(name):
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith(name)).split()[1])

async def tick(longest):
    # The processor time between two turns of the loop: what keeps it from its other tasks.
    while True:
        before = time.thread_time()
        await asyncio.sleep(0)
        longest[0] = max(longest[0], time.thread_time() - before)

async def watch(work):
    # How a piece of work ended, the most memory it took, and the longest turn of the loop, in seconds.
    longest, before, outcome = [0.0], read_status("VmHWM"), "done"
    ticking = asyncio.create_task(tick(longest))
    await asyncio.sleep(0)
    try:
        await work
    except ContentTooLarge as error:
        outcome = f"too large, {error.limit}"
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    ticking.cancel()
    print(outcome, read_status("VmHWM") - before, longest[0], sep="; ")

async def read_in_pieces(client):
    async with client.stream("GET", url) as response:
        async for _ in response.iter_chunks():
            pass

async def upload(client, size):
    with open(path, "wb") as file:
        file.truncate(size)
    assert (await client.post(url, data={"title": "large"}, files={"file": Path(path)})).ok

async def main():
    async with Client(pool=PoolLimits(idle=IDLE)) as client:
        if scenario == "get":
            await watch(client.get(url))
        elif scenario == "stream":
            await watch(read_in_pieces(client))
        elif scenario == "upload":
            await upload(client, 16 * 1024 * 1024)  # what is made once is no growth
            await watch(upload(client, SIZE))
        else:
            sizes = []
            for number in range(SIZE):
                host = f"127.0.{1 + number // 250}.{1 + number % 250}"
                assert (await client.get(url.replace("0.0.0.0", host))).ok
                if 2 * number % SIZE == SIZE - 2:
                    gc.collect()
                    sizes.append(read_status("VmRSS"))
            await asyncio.sleep(0)  # the transport that was closed last refers to its stream until its end is reported
            await asyncio.sleep(0)
            kept = sum(isinstance(found, Wire | asyncio.StreamReader) for found in gc.get_objects())
            print(kept, sizes[1] - sizes[0], 0.0, sep="; ")

with asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop) as runner:
    runner.run(main())
"""


def run(scenario: str, loop: str, url: str, path: Path, size: int = 0) -> tuple[str, int, float]:
    """How a scenario ended, the bytes that the process grew by, and the seconds of the longest turn of its loop."""
    program = PROGRAM.replace("SIZE", str(size)).replace("IDLE", str(IDLE))
    command = [sys.executable, "-c", program, scenario, loop, url, str(path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    outcome, growth, longest = result.stdout.split("; ")
    return outcome, int(growth), float(longest)


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A response whose decoded content is a thousand times as long."""
    coder, zeros = zlib.compressobj(wbits=31), bytes(MEBIBYTE)
    content = b"".join([*(coder.compress(zeros) for _ in range(BOMB_SIZE // MEBIBYTE)), coder.flush()])
    assert len(content) < BOMB_SIZE // 1000
    return reply(content, b"Content-Encoding: gzip")


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("way", "bound"), [("get", 48), ("stream", 8)])
def test_a_bomb_is_stopped_before_it_takes_much_memory(
    tmp_path: Path, bomb: bytes, way: str, bound: int, loop: str
) -> None:
    with RawServer.replying(bomb) as server:
        outcome, growth, longest = run(way, loop, server.url, tmp_path)
    assert outcome == f"too large, {16 * MEBIBYTE}"
    assert growth < bound * MEBIBYTE
    assert longest < 0.5


@pytest.fixture
def sink() -> Iterator[RawServer]:
    """A server that reads bodies of a known length to their end, and keeps nothing."""

    def take(connection: RawConnection) -> None:
        while head := connection.read_head():
            left = int(dict(parse_fields(head))["content-length"])
            while left and (data := connection.read()):
                left -= len(data)
            connection.send(OK)

    with RawServer(take) as server:
        yield server


@pytest.mark.parametrize("loop", LOOPS)
def test_an_upload_from_a_file_takes_little_memory_and_does_not_block_the_loop(
    tmp_path: Path, sink: RawServer, loop: str
) -> None:
    outcome, growth, longest = run("upload", loop, sink.url, tmp_path / "large", UPLOAD_SIZE)
    assert outcome == "done"
    assert growth < 8 * MEBIBYTE
    assert longest < 0.1


def answer_all(connection: RawConnection) -> None:
    while connection.read_head():
        connection.send(OK)


def test_a_host_that_was_visited_leaves_little_behind(tmp_path: Path) -> None:
    with RawServer(answer_all, host="0.0.0.0") as server:
        kept, growth, _ = run("hosts", "uvloop", server.url, tmp_path, HOSTS)
    assert int(kept) == 2 * IDLE  # wires, and their streams
    assert growth < HOSTS // 2 * 5 * 1024  # a host has 2.3 KB, a connection with its stream and its transport 6
