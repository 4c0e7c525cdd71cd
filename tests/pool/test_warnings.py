"""Warnings of a program that closes its clients, and of a program that does not."""

import textwrap
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from asyncclient.testing import RawConnection, RawServer
from tests.compat.connections import run_python
from tests.pool.hosts import reply
from tests.servers import Certificates

OK = reply(b"ok")

PROGRAM = """
import asyncio, functools, gc, sys
import asyncclient
from asyncclient import PoolLimits, Timeout
Client = functools.partial(asyncclient.Client, ssl=False, timeout=Timeout(close=0.1))
run = asyncio.run
if sys.argv[1] == "uvloop":
    import uvloop
    run = uvloop.run
urls, kept = sys.argv[2:], []

async def get(client):
    response = await client.get(url)
    assert response.content == b"ok", response
"""

CLOSED = {
    "closed": """
        async with Client() as client:
            await get(client)
        """,
    "with much to do": """
        async with Client(pool=PoolLimits(connections=2)) as client:
            tasks = [asyncio.create_task(get(client)) for _ in range(6)]
            await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        """,
    "evicted": """
        async with Client(pool=PoolLimits(idle=0)) as client:
            await get(client)
        """,
    "expired": """
        async with Client(pool=PoolLimits(keep_alive=0)) as client:
            await get(client)
            await get(client)
        """,
    "cancelled": """
        async with Client() as client:
            task = asyncio.create_task(get(client))
            await client.preconnect(url)
            task.cancel()
        """,
    "left in the middle": """
        async with Client() as client:
            async with client.stream("GET", url):
                pass
        """,
    "with requests left to themselves": """
        client = Client(pool=PoolLimits(connections=1))
        kept.append([asyncio.create_task(get(client)) for _ in range(3)])
        await asyncio.sleep(0)
        await client.aclose()
        await asyncio.gather(*kept.pop(), return_exceptions=True)
        """,
}

UNCLOSED = {
    "dropped": """
        client = Client()
        await get(client)
        """,
    "kept": """
        kept.append(Client())
        await get(kept[-1])
        """,
    "reading": """
        kept.append(Client())
        kept.append(kept[-1].stream("GET", url))
        await kept[-1].__aenter__()
        """,
    "at work": """
        kept.append(Client(pool=PoolLimits(connections=1)))
        kept.append([asyncio.create_task(get(kept[-1])) for _ in range(3)])
        await asyncio.sleep(0)
        """,
}


def run_bodies(loop: str, urls: list[str], bodies: dict[str, str], *options: str) -> list[str]:
    """Run each of these in a loop of its own, with each URL; return the warnings and log records."""
    program = [PROGRAM, "for url in urls:"]
    for number, (name, body) in enumerate(bodies.items()):
        indented = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        note = f"print('-- {name}', file=sys.stderr)"
        part = f"async def main{number}():\n{indented}\n\n{note}\nrun(main{number}())\ngc.collect()\n"
        program.append(textwrap.indent(part, "    "))
    result = run_python("-X", "dev", *options, "-c", "\n".join(program), loop, *urls)
    said = [line for line in result.stderr.splitlines() if not line.startswith("Executing <")]  # how long it took
    assert result.returncode == 0, "\n".join(said)
    return said


ENDS: list[Callable[[RawConnection], object]] = [RawConnection.wait_closed, RawConnection.hold, RawConnection.unwrap]
FIELDS = [b"Connection: keep-alive", b"Connection: close"]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_closed_client_gives_no_warning_over_tls(loop: str, tls: Certificates) -> None:
    with ExitStack() as stack:
        servers = [
            stack.enter_context(RawServer.replying(reply(b"ok", field), then=then, tls=tls.server_context()))
            for then in ENDS
            for field in FIELDS
        ]
        said = run_bodies(loop, [server.url for server in servers], CLOSED, "-W", "error")
    assert said == [f"-- {name}" for _ in servers for name in CLOSED]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_closed_client_gives_no_warning(loop: str) -> None:
    with RawServer.replying(OK, OK, OK) as server:
        said = run_bodies(loop, [server.url], CLOSED, "-W", "error")
    assert said == [f"-- {name}" for name in CLOSED]


NOISE = ("Event loop is closed", "Traceback", "Exception ignored", "never retrieved", "was destroyed", "Error")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
def test_an_unclosed_client_gives_one_warning_and_no_other_message(
    is_secure: bool, loop: str, tls: Certificates
) -> None:
    with RawServer.replying(OK, tls=tls.server_context() if is_secure else None) as server:
        said = "\n".join(run_bodies(loop, [server.url], UNCLOSED, "-W", "always"))
    assert said.count("unclosed client with 1 open connection:") == 3, said  # what is at work has been cancelled
    assert not [noise for noise in NOISE if noise in said], said
