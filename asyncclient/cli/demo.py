"""asyncclient demo: a demonstration on a local server, or a table of the responses to URLs."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Final, NamedTuple

from ..client.client import Client
from ..client.response import Response
from ..errors import HTTPException, InvalidURL
from ..limits import DEFAULT_POOL, PoolLimits
from ..message.url import parse_url
from ..runner import find_loop_factory, run
from ..testing import DemoServer, demo_certificates
from ..version import __version__
from .address import complete_url
from .spelling import Parser, existing_file, positive
from .visible import make_visible

OTHER_COLUMNS: Final = 60
"""Columns of a table without those of the URL."""

NOT_A_TERMINAL: Final = 200
"""Columns of an output that has no width."""


class Row(NamedTuple):
    """The result of fetching one URL; times in seconds, None after an error."""

    url: str
    status: str
    size: int
    first_byte: float | None
    done: float | None
    connection: str
    extra: str


async def fetch(client: Client, url: str) -> Row:
    """Fetch a URL and return a row, also for an error; the times include waiting for a connection."""
    size = 0
    try:
        async with client.stream("GET", url) as response:
            async for chunk in response.iter_chunks():
                size += len(chunk)
            timings = response.timings
            connection = ("reused" if timings.reused else "new") + (f" {response.tls.version}" if response.tls else "")
    except (HTTPException, OSError) as exc:
        return Row(url, type(exc).__name__, size, None, None, "failed", str(exc))
    extras = ", ".join(list_extras(response))
    return Row(url, f"{response.status}", size, timings.first_byte, timings.done, connection, extras)


def list_extras(response: Response) -> list[str]:
    """Return notes on a response: redirects, interim responses, content codings and trailers."""
    extras = [f"redirect {earlier.status}" for earlier in response.history]
    extras += [f"interim {interim.status}" for interim in response.interim]
    extras += [f"coding {value}" for value in response.headers.get_all("content-encoding", [])]
    return extras + [f"trailer {name}" for name in response.trailers or ()]


async def fetch_all(client: Client, urls: Iterable[str]) -> list[Row]:
    """Fetch all URLs concurrently; the rows are in the order of the URLs."""
    return await asyncio.gather(*(fetch(client, url) for url in urls))


def print_table(rows: Sequence[Row]) -> None:
    """Print rows under column headings; on a narrow terminal each row takes two lines."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else NOT_A_TERMINAL
    width = min(56, max(len(row.url) for row in rows))
    is_narrow = columns < width + OTHER_COLUMNS
    if not is_narrow:
        print(f"{'URL':<{width}}  {'status':<8} {'bytes':>11} {'first byte':>11} {'done':>11}  connection")
    for row in rows:
        extra = f"  ({make_visible(row.extra)})" if row.extra else ""
        if is_narrow:
            times = f"{_milliseconds(row.first_byte)}, {_milliseconds(row.done)}"
            print(f"{_clip(row.url, columns)}\n  {row.status}  {row.size:,} bytes  {times}  {row.connection}{extra}")
        else:
            times = f"{_milliseconds(row.first_byte):>11} {_milliseconds(row.done):>11}"
            print(f"{_clip(row.url, width):<{width}}  {row.status:<8} {row.size:>11,} {times}  {row.connection}{extra}")


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.2f} ms"


async def show(urls: Sequence[str], context: ssl.SSLContext | None, connections: int) -> bool:
    """Fetch URLs concurrently, print the table, and return True if every URL was answered."""
    async with Client(ssl=context, pool=_allow(connections)) as client:
        rows = await fetch_all(client, urls)
    print_table(rows)
    return _all_answered(rows)


def _allow(connections: int) -> PoolLimits:
    return PoolLimits(connections=max(connections, DEFAULT_POOL.connections), per_host=connections)


def _all_answered(rows: Sequence[Row]) -> bool:
    return all(row.status.isdigit() for row in rows)


async def demonstrate(connections: int) -> bool:
    """Start servers, one with TLS if a certificate can be created, and fetch from them in several ways."""
    async with AsyncExitStack() as stack:
        bases = [(await stack.enter_async_context(DemoServer())).url]
        context = None
        try:
            server_context, context = demo_certificates()
        except ImportError as exc:
            print(f"plain HTTP only: {exc}")
        else:
            bases.append((await stack.enter_async_context(DemoServer(server_context))).url)
        # Local servers are never reached by a proxy.
        opened = Client(ssl=context, pool=_allow(connections), trust_env=False)
        client = await stack.enter_async_context(opened)
        ok = True
        for base in bases:
            ok &= await _demonstrate_one(client, base)
        ok &= await _demonstrate_many(client, bases, connections)
        return ok & await asyncio.to_thread(_demonstrate_blocking, bases[-1], context)


async def _demonstrate_one(client: Client, base: str) -> bool:
    print(f"\nOne request after the other: {base}")
    paths = ("/", "/json", "/bytes/1000000", "/chunked/100000", "/early-hints", "/gzip", "/redirect/302/json")
    rows = [await fetch(client, base + path) for path in (*paths, "/delay/0.05", "/status/404")]
    print_table(rows)
    return _all_answered(rows)


async def _demonstrate_many(client: Client, bases: Sequence[str], connections: int) -> bool:
    urls = [f"{base}/bytes/{200 + number}" for number in range(1000) for base in bases]
    print(f"\n{len(urls):,} URLs at once, {connections} connections to each server")
    started = time.perf_counter()
    rows = await fetch_all(client, urls)
    seconds = time.perf_counter() - started
    print_table(rows[:2] + rows[-2:])
    failed = sum(not row.status.isdigit() for row in rows)
    reused = sum(row.connection.startswith("reused") for row in rows)
    size = sum(row.size for row in rows)
    print(
        f"{len(rows):,} responses, {failed} failed, {size:,} bytes in {seconds:.2f} s: "
        f"{len(rows) / seconds:,.0f} a second, server in the same process; {reused:,} on a reused connection"
    )
    print(client)
    return not failed


def _demonstrate_blocking(base: str, context: ssl.SSLContext | None) -> bool:
    """Run a script written for urllib.request and http.client on compat instead of http.client."""
    import http.client  # imported on use: fetching URLs does not need it

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


def build_parser(prog: str = "asyncclient demo") -> Parser:
    """Return the parser of the command line."""
    text = "Fetch from a server on this machine in several ways, or from URLs; print tables with the times."
    parser = Parser(prog=prog, words="[URL ...]", description=text)
    parser.add_argument("urls", nargs="*", metavar="URL", help="a URL to fetch; without URLs, a demo server is started")
    parser.add_argument(
        "-c", "--connections", type=positive, default=8, metavar="N", help="connections to each host (default: 8)"
    )
    parser.add_argument(
        "--cacert",
        "--cafile",
        type=existing_file,
        metavar="FILE",
        help="trust these authorities instead of the system's",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if every URL was answered, else 1."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    urls = [complete_url(url) for url in options.urls]
    try:
        for url in urls:
            parse_url(url)
    except InvalidURL as error:
        parser.error(str(error))
    loop = find_loop_factory().__module__.partition(".")[0]
    print(f"asyncclient {__version__} on {loop}, Python {sys.version.split()[0]}")
    if not urls:
        return 0 if run(demonstrate(options.connections)) else 1
    context = ssl.create_default_context(cafile=options.cacert) if options.cacert else None
    return 0 if run(show(urls, context, options.connections)) else 1
