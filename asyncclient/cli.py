"""python -m asyncclient: fetch URLs and show what happened; without URLs, from a server of its own, blocking too."""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

from .connection import HTTPConnection
from .errors import HTTPException, InvalidURL
from .https import HTTPSConnection
from .message.url import URL, parse_url
from .runner import find_loop_factory, run
from .testing import DemoServer, demo_certificates
from .timeouts import Timeout
from .version import __version__

TIMEOUT = Timeout(connect=10, tls=10, write=60, read=60)


class Row(NamedTuple):
    """What became of one URL; times in seconds, None where it did not get so far."""

    url: str
    status: str
    size: int
    first_byte: float | None
    done: float | None
    way: str
    extra: str


async def fetch(connection: HTTPConnection, url: str, target: str) -> Row:
    """Fetch one target over a connection and say what happened, errors included."""
    size = 0
    try:
        await connection.request("GET", target, headers={"User-Agent": f"asyncclient/{__version__}"})
        async with await connection.getresponse() as response:
            async for chunk in response.iter_chunks():
                size += len(chunk)
            timings = response.timings
            extras = [f"{interim.status} first" for interim in response.informational]
            extras += [f"{name} after" for name in response.trailers or ()]
            tls = response.tls
    except (HTTPException, OSError) as exc:
        return Row(url, type(exc).__name__, size, None, None, "failed", str(exc))
    way = ("reused" if timings.reused else "new") + (f" {tls.version}" if tls else "")
    return Row(url, f"{response.status}", size, timings.first_byte, timings.done, way, ", ".join(extras))


async def fetch_all(urls: Iterable[str], context: ssl.SSLContext | None, connections: int) -> list[Row]:
    """Fetch all URLs at once, over a number of connections to each origin; rows in the order of the URLs."""
    by_origin: defaultdict[tuple[str, str, int], list[tuple[int, str, URL]]] = defaultdict(list)
    for number, text in enumerate(urls):
        url = parse_url(text)
        by_origin[url[:3]].append((number, text, url))
    rows: dict[int, Row] = {}
    async with asyncio.TaskGroup() as group:
        for origin, jobs in by_origin.items():
            jobs.reverse()
            for _ in range(min(connections, len(jobs))):
                group.create_task(_work(origin, jobs, rows, context))
    return [rows[number] for number in sorted(rows)]


async def _work(
    origin: tuple[str, str, int],
    jobs: list[tuple[int, str, URL]],
    rows: dict[int, Row],
    context: ssl.SSLContext | None,
) -> None:
    """Fetch what is left to do at one origin, over one connection."""
    scheme, host, port = origin
    async with _make_connection(scheme, host, port, context) as connection:
        while jobs:
            number, text, url = jobs.pop()
            rows[number] = await fetch(connection, text, url.target)


def _make_connection(scheme: str, host: str, port: int, context: ssl.SSLContext | None) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(host, port, TIMEOUT, context=context)
    return HTTPConnection(host, port, TIMEOUT)


def print_table(rows: Sequence[Row]) -> None:
    """Print rows under their headings."""
    width = min(56, max(len(row.url) for row in rows))
    print(f"{'URL':<{width}}  {'status':<8} {'bytes':>11} {'first byte':>11} {'done':>11}  connection")
    for row in rows:
        url = row.url if len(row.url) <= width else row.url[: width - 1] + "…"
        times = f"{_milliseconds(row.first_byte):>11} {_milliseconds(row.done):>11}"
        extra = f"  ({row.extra})" if row.extra else ""
        print(f"{url:<{width}}  {row.status:<8} {row.size:>11,} {times}  {row.way}{extra}")


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.2f} ms"


async def show(urls: Sequence[str], context: ssl.SSLContext | None, connections: int) -> bool:
    """Fetch URLs, print the table, and return whether all went well."""
    rows = await fetch_all(urls, context, connections)
    print_table(rows)
    return all(row.status.isdigit() for row in rows)


async def demonstrate(connections: int) -> bool:
    """Start servers, one of them with TLS where a certificate can be made, and fetch from them in several ways."""
    async with AsyncExitStack() as stack:
        bases = [(await stack.enter_async_context(DemoServer())).url]
        context = None
        try:
            server_context, context = demo_certificates()
        except ImportError as exc:
            print(f"plain HTTP only: {exc}")
        else:
            bases.append((await stack.enter_async_context(DemoServer(server_context))).url)
        well = True
        for base in bases:
            base = base.rstrip("/")
            print(f"\nOne connection, one request after the other: {base}")
            paths = ("/", "/json", "/bytes/1000000", "/chunked/100000", "/early-hints", "/delay/0.05", "/status/404")
            well &= await show([base + path for path in paths], context, 1)
        well &= await _demonstrate_many(bases, context, connections)
        return well & await asyncio.to_thread(_demonstrate_blocking, bases[-1].rstrip("/"), context)


async def _demonstrate_many(bases: Sequence[str], context: ssl.SSLContext | None, connections: int) -> bool:
    urls = [f"{base.rstrip('/')}/bytes/{200 + number}" for number in range(1000) for base in bases]
    print(f"\n{len(urls):,} URLs at once, {connections} connections to each server")
    started = time.perf_counter()
    rows = await fetch_all(urls, context, connections)
    seconds = time.perf_counter() - started
    print_table(rows[:2] + rows[-2:])
    failed = sum(not row.status.isdigit() for row in rows)
    reused = sum(row.way.startswith("reused") for row in rows)
    size = sum(row.size for row in rows)
    print(
        f"{len(rows):,} responses, {failed} failed, {size:,} bytes in {seconds:.2f} s: "
        f"{len(rows) / seconds:,.0f} a second, server in the same process; {reused:,} on a reused connection"
    )
    return not failed


def _demonstrate_blocking(base: str, context: ssl.SSLContext | None) -> bool:
    """Run a script that was written for urllib.request and http.client, with compat in the place of http.client."""
    import http.client  # only here: who names URLs needs none of it

    from compat import install

    print(f"\nA blocking script for urllib.request and http.client, run by compat: {base}")
    with install():
        try:
            _run_blocking_script(base, context)
        except (http.client.HTTPException, OSError) as exc:
            print(f"failed: {type(exc).__name__}: {exc}")
            return False
    return True


def _run_blocking_script(base: str, context: ssl.SSLContext | None) -> None:
    import http.client
    import urllib.request

    secure = [urllib.request.HTTPSHandler(context=context)] if context else []
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *secure)
    for path in ("/json", "/early-hints", "/chunked/100000"):
        with opener.open(base + path, timeout=10) as response:
            print(f"urlopen {path:<16} {response.status} {response.reason} {len(response.read()):>9,} bytes")

    scheme, host, port = parse_url(base)[:3]
    if scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=10)
    size, started = 0, time.perf_counter()
    for number in range(500):
        connection.request("GET", f"/bytes/{200 + number}")
        size += len(connection.getresponse().read())
    seconds = time.perf_counter() - started
    connection.close()
    print(
        f"500 requests on one {type(connection).__name__}: {size:,} bytes in {seconds:.2f} s: "
        f"{500 / seconds:,.0f} a second, server in the same process"
    )


def _url(text: str) -> str:
    try:
        parse_url(text)
    except InvalidURL as exc:
        raise argparse.ArgumentTypeError(str(exc)) from None
    return text


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, got {text!r}")
    return int(text)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m asyncclient", description=__doc__)
    parser.add_argument(
        "urls", nargs="*", type=_url, metavar="URL", help="what to fetch; a server is started if there is none"
    )
    parser.add_argument(
        "-c", "--connections", type=_positive, default=8, metavar="N", help="to each origin (default: 8)"
    )
    parser.add_argument("--cafile", metavar="FILE", help="trust these authorities instead of the system's")
    parser.add_argument("--version", action="version", version=f"asyncclient {__version__}")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if every URL was answered, else 1."""
    options = build_parser().parse_args(arguments)
    loop = find_loop_factory().__module__.partition(".")[0]
    print(f"asyncclient {__version__} on {loop}, Python {sys.version.split()[0]}")
    if not options.urls:
        return 0 if run(demonstrate(options.connections)) else 1
    context = ssl.create_default_context(cafile=options.cafile) if options.cafile else None
    return 0 if run(show(options.urls, context, options.connections)) else 1
