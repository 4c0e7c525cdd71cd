"""asyncclient bench: how many requests a server answers, and how fast.

In a closed loop each of N workers sends its next request when the last one is answered. In an open loop (`--rate`)
requests begin at fixed times, whether or not earlier ones are answered, and a latency counts from the time at which the
request should have begun: a server that stalls is then seen in all requests that had to wait.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any, Final

from ..client.client import Client
from ..client.error_context import shorten_url
from ..errors import HTTPException, InvalidURL
from ..limits import PoolLimits
from ..message.url import parse_url
from ..runner import run
from .address import complete_url, is_loopback
from .exits import CommandError, Exit, explain, find_failure
from .options import add_trust
from .sending import build_trust
from .spelling import Parser, positive, seconds

PERCENTILES: Final = (50.0, 75.0, 90.0, 99.0, 99.9, 100.0)
MOST_WAITING: Final = 100_000
"""Requests of an open loop that may wait at once; further ones are counted as not sent."""


class Tally:
    """The results of a run.

    Attributes:
        latencies: seconds of each response.
        statuses: responses by status.
        errors: failures by class.
        size: bytes of content.
        unsent: requests of an open loop that could not begin.
        seconds: duration of the run.
    """

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.errors: Counter[str] = Counter()
        self.size = 0
        self.unsent = 0
        self.seconds = 0.0

    async def send(self, client: Client, options: Any, since: float | None = None) -> None:
        """Send a request and count its result; the latency counts from `since`."""
        begun = perf_counter() if since is None else since
        try:
            response = await client.request(options.method, options.url, body=options.body)
        except (HTTPException, OSError) as error:
            self.errors[type(error).__name__] += 1
            return
        self.latencies.append(perf_counter() - begun)
        self.statuses[response.status] += 1
        self.size += len(response.content)

    def percentiles(self) -> dict[float, float]:
        """Return latencies by percentile; 100 is the largest. It is empty without a response."""
        ordered = sorted(self.latencies)
        ranks = {percent: max(math.ceil(round(percent * len(ordered), 3) / 100) - 1, 0) for percent in PERCENTILES}
        return {percent: ordered[rank] for percent, rank in ranks.items()} if ordered else {}


def build_parser(prog: str = "asyncclient bench") -> Parser:
    """Return the parser of the command line."""
    text = """Measure requests per second and latencies: with N requests at once (-c), or at a fixed rate (--rate),
    where latencies count from the time at which a request should have begun."""
    parser = Parser(prog=prog, words="URL", description=text)
    add = parser.add_argument
    add("url", metavar="URL", help="a URL on this machine; http:// may be left out")
    add("-c", "--connections", type=positive, default=10, metavar="N", help="requests at once (default: 10)")
    add("-r", "--rate", type=seconds, metavar="N", help="begin N requests per second instead (open loop)")
    add("-n", "--requests", type=positive, metavar="N", help="end after N requests")
    add("-z", "--duration", type=seconds, metavar="SECONDS", help="end after a time (default: 10, unless -n is given)")
    add("-X", "--request", dest="method", default="GET", metavar="METHOD", help="the method (default: GET)")
    add("-d", "--data", dest="body", metavar="TEXT", help="the content to send")
    add("--i-may", action="store_true", help="measure a server elsewhere, as its owner allows")
    add("--json-output", action="store_true", help="print a JSON object")
    add_trust(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 if a request failed, or the exit code of an error before."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    options.url = complete_url(options.url)
    if options.requests is None and options.duration is None:
        options.duration = 10.0
    try:
        check_place(options)
        tally = run(measure(options))
    except (InvalidURL, CommandError) as error:
        print(f"asyncclient bench: {explain(error, shorten_url(options.url))}", file=sys.stderr)
        return find_failure(error).code
    print(json.dumps(build_facts(tally, options)) if options.json_output else describe(tally, options))
    return Exit.OTHER if tally.errors or not tally.latencies else Exit.DONE


def check_place(options: Any) -> None:
    """Refuse to measure a server on another machine without permission.

    Raises:
        CommandError: the host is not this machine.
    """
    if not options.i_may and not is_loopback(parse_url(options.url).host):
        text = "expected a URL on this machine, such as http://localhost:8000/"
        raise CommandError(Exit.USAGE, "arguments", text, "--i-may measures another server")


async def measure(options: Any) -> Tally:
    """Send requests as the options say, and return the results."""
    tally = Tally()
    most = options.connections if options.rate is None else max(options.connections, 1000)
    limits = PoolLimits(connections=most, per_host=most)
    trust_env = options.i_may  # a server on this machine is never reached by a proxy
    async with Client(ssl=build_trust(options), pool=limits, trust_env=trust_env, stall_warning=None) as client:
        begun = perf_counter()
        await (_run_closed(client, tally, options) if options.rate is None else _run_open(client, tally, options))
        tally.seconds = perf_counter() - begun
    return tally


async def _run_closed(client: Client, tally: Tally, options: Any) -> None:
    turns = _count_turns(options)

    async def work() -> None:
        for _ in turns:
            await tally.send(client, options)

    await asyncio.gather(*(work() for _ in range(options.connections)))


def _count_turns(options: Any) -> Iterator[int]:
    """Yield a number for each request, until there were enough or the time is over."""
    end = math.inf if options.duration is None else perf_counter() + options.duration
    number = 0
    while (options.requests is None or number < options.requests) and perf_counter() < end:
        yield number
        number += 1


async def _run_open(client: Client, tally: Tally, options: Any) -> None:
    begun, running = perf_counter(), set[asyncio.Task[None]]()
    number, end = 0, math.inf if options.requests is None else options.requests
    if options.duration is not None:
        end = min(end, options.rate * options.duration)
    while number < end:
        due = begun + number / options.rate
        if (wait := due - perf_counter()) > 0:
            await asyncio.sleep(wait)
        number += 1
        if len(running) >= MOST_WAITING:
            tally.unsent += 1
            continue
        task = asyncio.create_task(tally.send(client, options, due))
        running.add(task)
        task.add_done_callback(running.discard)
        if number % 100 == 0:
            await asyncio.sleep(0)  # a rate that cannot be reached leaves no wait in which the tasks run
    await asyncio.gather(*running)


def build_facts(tally: Tally, options: Any) -> dict[str, Any]:
    """Return the results as values for JSON; times in seconds."""
    count = len(tally.latencies)
    return {
        "url": options.url,
        "loop": "closed" if options.rate is None else "open",
        "connections": options.connections if options.rate is None else None,
        "rate": options.rate,
        "seconds": tally.seconds,
        "responses": count,
        "per_second": count / tally.seconds,
        "bytes": tally.size,
        "statuses": {str(status): times for status, times in sorted(tally.statuses.items())},
        "errors": dict(tally.errors),
        "unsent": tally.unsent,
        "latency": {f"p{percent:g}": value for percent, value in tally.percentiles().items()},
    }


def describe(tally: Tally, options: Any) -> str:
    """Return the results as text of at most 60 columns."""
    count = len(tally.latencies)
    loop = f"{options.connections} at once" if options.rate is None else f"{options.rate:g} begun per second"
    lines = [
        f"{count:,} responses in {tally.seconds:.2f} s, {loop}",
        f"{count / tally.seconds:,.0f} requests/s, {tally.size / tally.seconds / 1e6:,.2f} MB/s",
        "status " + ", ".join(f"{status}: {times:,}" for status, times in sorted(tally.statuses.items())),
    ]
    lines += [f"failed {name}: {times:,}" for name, times in tally.errors.most_common()]
    if tally.unsent:
        lines.append(f"not sent: {tally.unsent:,}")
    for percent, value in tally.percentiles().items():
        name = "max" if percent == 100 else f"p{percent:g}"
        lines.append(f"latency {name:<6} {1000 * value:>10,.2f} ms")
    return "\n".join(lines)
