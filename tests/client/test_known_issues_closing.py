"""Known issues of other HTTP clients about the end of a response, a client or a program; each test names them."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from asyncclient import Client, PoolLimits, Timeout, WriteTimeout
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Answering, becomes_true, is_clean
from tests.connection.conversations import MEBIBYTE, OK
from tests.durations import FOREVER, lasts
from tests.servers import ROOT, Caddy, Certificates

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])

PROGRAM = """
import asyncio, sys, time
import uvloop
from asyncclient import Client, PoolLimits
from tests.durations import FOREVER, lasts

loop, url, *rest = sys.argv[1:]
run = {"asyncio": asyncio, "uvloop": uvloop}[loop].run
"""


def run_program(
    directory: Path, code: str, *arguments: str, options: tuple[str, ...] = (), **variables: str
) -> tuple[str, str]:
    """Run a program that gets its loop and a URL as arguments; return its output and its errors."""
    path = directory / "program.py"
    path.write_text(PROGRAM + code)
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    command = [sys.executable, *options, str(path), *arguments]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert result.returncode == 0, result.stderr
    return result.stdout, result.stderr


CLOSES_IN_TIME = """
async def main():
    asyncio.get_running_loop().slow_callback_duration = 30  # a busy machine is not what is looked for
    times = []
    for _ in range(10):
        async with Client() as client:
            await asyncio.gather(*(client.get(f"{url}/1k.bin") for _ in range(10)))
            started = time.monotonic()
        times.append(time.monotonic() - started)
        assert asyncio.all_tasks() == {asyncio.current_task()}
    print(min(times))

run(main())
"""


@LOOPS
@pytest.mark.parametrize("is_secure", [False, True])
def test_closing_takes_no_time_and_leaves_nothing(
    caddy: Caddy, tls: Certificates, tmp_path: Path, loop: str, is_secure: bool
) -> None:
    """aio-libs/aiohttp#1925, #2039: close() does not wait for TLS, users were told to sleep 0.25 s after it."""
    authority = tmp_path / "ca.pem"
    tls.ca.cert_pem.write_to_path(str(authority))
    url = caddy.tls_url if is_secure else caddy.url
    options = ("-X", "dev", "-W", "error")
    printed, told = run_program(tmp_path, CLOSES_IN_TIME, loop, url, options=options, SSL_CERT_FILE=str(authority))
    assert told == ""
    assert float(printed) < 0.05


@pytest.mark.parametrize("has_idle", [True, False])
async def test_the_wait_for_close_notify_is_bounded_by_the_time_limit(tls: Certificates, has_idle: bool) -> None:
    """aio-libs/aiohttp#11091: TLS shutdown hangs, for a peer need not send close_notify."""
    answer = OK if has_idle else OK[:-1]

    def never_say_goodbye(connection: RawConnection) -> None:
        connection.read_request()
        connection.send(answer)
        connection.hold()

    with RawServer(never_say_goodbye, tls=tls.server_context()) as server:
        client = Client(ssl=tls.client_context(), timeout=Timeout(tls_close=FOREVER, close=0.2))
        async with client.stream("GET", server.url) as response:
            if has_idle:
                await response.read()
            with lasts(0.2 if has_idle else 0):
                await client.aclose()
        assert client.stats()[:4] == (0, 0, 0, 0)


class Endless:
    """A server that sends content as long as the client reads it, and records the end."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = threading.Event()

    def __call__(self, connection: RawConnection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                connection.send(bytes(65_536))
                self.sent += 65_536
        finally:
            self.ended.set()


@pytest.mark.parametrize("how", ["close", "leave", "cancel"])
@pytest.mark.parametrize("is_secure", [False, True])
async def test_closing_a_response_ends_its_download_at_once(tls: Certificates, is_secure: bool, how: str) -> None:
    """aio-libs/aiohttp#6762: on uvloop, closing an HTTPS response keeps on downloading for up to 30 s."""
    script = Endless()

    async def leave_off() -> None:
        async with client.stream("GET", server.url) as response:
            assert await anext(response.iter_chunks())
            begun.set()
            if how == "close":
                response.close()
            elif how == "cancel":
                await response.read()

    begun = asyncio.Event()
    with RawServer(script, tls=tls.server_context() if is_secure else None) as server:
        async with Client(ssl=tls.client_context()) as client:
            task = asyncio.create_task(leave_off())
            await begun.wait()
            if how == "cancel":
                task.cancel()
            with lasts():
                await asyncio.wait([task])
                assert await becomes_true(script.ended.is_set)
            assert client._pool.counted == 0
    assert script.sent < 64 * MEBIBYTE


OUTLIVES_ITS_LOOP = """
async def main():
    client = Client(ssl=False)
    await client.get(f"{url}/1k.bin")
    unread = await client.stream("GET", f"{url}/1m.bin").__aenter__()
    await client.get(f"{url}/1k.bin")
    assert client.stats()[:2] == (1, 1)
    return client, unread

left = run(main())
del left
print("end")
"""


@LOOPS
@pytest.mark.parametrize("is_secure", [False, True])
def test_a_client_that_outlives_its_loop_warns_once(caddy: Caddy, tmp_path: Path, loop: str, is_secure: bool) -> None:
    """encode/httpx#914, aio-libs/aiohttp#4324: `RuntimeError: Event loop is closed` at exit."""
    url = caddy.tls_url if is_secure else caddy.url
    printed, told = run_program(tmp_path, OUTLIVES_ITS_LOOP, loop, url, options=("-W", "always"))
    assert printed == "end\n"
    assert "Event loop is closed" not in told
    assert "Traceback" not in told
    assert told.count("unclosed client") == 1  # the loops warn of their transports, too
    assert "<Pool 0 active, 0 idle" not in told


FORGETS_TO_CLOSE = """
import gc, logging, tracemalloc
logging.basicConfig(level=logging.WARNING, format="LOG %(message)s")
tracemalloc.start(10)

async def main():
    forgotten = Client(pool=PoolLimits(idle=5))
    await forgotten.get(f"{url}/1k.bin")
    del forgotten
    gc.collect()

run(main())
"""


@LOOPS
def test_the_warning_names_the_line_that_made_the_unclosed_client(caddy: Caddy, tmp_path: Path, loop: str) -> None:
    """aio-libs/aiohttp#1175, #2643: "Unclosed client session" does not say which session."""
    _, told = run_program(tmp_path, FORGETS_TO_CLOSE, loop, caddy.url, options=("-W", "default::ResourceWarning"))
    warning, _, origin = told.partition("Object allocated at")
    assert "ResourceWarning: unclosed client with 1 open connection: use `async with`" in warning
    assert "forgotten = Client(" in origin
    assert "LOG" not in told


@pytest.mark.parametrize("is_secure", [False, True])
async def test_writing_and_closing_have_time_limits_if_the_peer_does_not_read(
    tls: Certificates, is_secure: bool
) -> None:
    """python/cpython#83939, #101317, #102792: wait_closed() can hang, drain() could lock up over TLS."""
    with RawServer(RawConnection.hold, tls=tls.server_context() if is_secure else None) as server:
        async with Client(ssl=tls.client_context(), timeout=Timeout(write=0.1, close=0.1)) as client:
            with lasts(0.1), pytest.raises(WriteTimeout, match=f"{server.port}"):
                await client.post(server.url, body=bytes(40 * MEBIBYTE))
            assert await is_clean(client)
            posting = asyncio.create_task(
                client.post(server.url, body=bytes(40 * MEBIBYTE), timeout=Timeout(write=FOREVER, close=0.1))
            )
            assert await becomes_true(lambda: client.stats().active == 1)
            with lasts():
                await client.aclose()
            with pytest.raises(Exception, match="closed"):
                await posting


async def test_many_clients_one_after_the_other_leave_nothing(tls: Certificates) -> None:
    """aio-libs/aiohttp#2039: what a client held is free when its block is left; the fixtures of all tests look."""
    with Answering(default=OK, tls=tls.server_context()) as server:
        for number in range(10):
            async with Client(ssl=tls.client_context(), pool=PoolLimits(idle=number)) as client:
                await asyncio.gather(*(client.get(server.url) for _ in range(3)))
            assert (client._pool.counted, asyncio.all_tasks()) == (0, {asyncio.current_task()})
