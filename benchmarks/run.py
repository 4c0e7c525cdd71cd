"""Compare engine and client with aiohttp and httpx, and compat with http.client and urllib3.

    python -m benchmarks.run [engine client stress blocking] [exchange download … hundred unique … keep-alive new …]

Without arguments everything is measured. Contenders take turns, on another core than the server, and the median of the
ratios counts: absolute times mean nothing on a shared machine. The server of `exchange` never sleeps, because waking a
sleeping peer costs the writer several microseconds, whatever the client; `--sleepy` measures with a server that sleeps.
The small exchanges of the blocking suite are measured with both.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial

import aiohttp
import httpx
import urllib3
import uvloop

import asyncclient
from benchmarks import blocking, client, engine, stress

Measure = Callable[[], None]


def suites(options: argparse.Namespace) -> dict[str, dict[str, Measure]]:
    """Return the measurements by suite and name."""
    return {
        "engine": {
            "exchange": partial(engine.measure_exchange, options.sleepy),
            "download": engine.measure_download,
            "upload": engine.measure_upload,
            "idle": engine.measure_idle,
            "growth": engine.measure_growth,
            "import": engine.measure_import,
        },
        "client": {
            **{name: partial(client.measure, job) for name, job in client.JOBS.items()},
            **{name: partial(client.measure, job, "httpx") for name, job in client.HTTPX_JOBS.items()},
            "secure": client.measure_tls,
            "regime": client.measure_regime,
            "construct": client.measure_construct,
            "import-client": client.measure_import,
            "bomb": client.measure_bomb,
            "multipart": client.measure_multipart,
            "hosts": client.measure_hosts,
        },
        "stress": {"cancelling": stress.measure_stress},
        "blocking": {
            "keep-alive": partial(blocking.measure_keep_alive, options.ours),
            "new": partial(blocking.measure_new, options.ours),
            "tls": partial(blocking.measure_tls, options.ours),
            "reads": partial(blocking.measure_reads, options.ours),
            "start": partial(blocking.measure_start, options.ours),
            "leaks": partial(blocking.measure_leaks, options.ours),
        },
    }


def main() -> None:
    """Run the measurements that the command line names, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="a suite or a measurement; all if nothing is named")
    parser.add_argument("--sleepy", action="store_true", help="let the server of `exchange` sleep between requests")
    parser.add_argument(
        "--ours",
        default="compat",
        metavar="PACKAGE",
        help="PACKAGE.client for the blocking suite; "
        "`http` measures http.client against itself: all is 1 then, as far as the machine is quiet",
    )
    options = parser.parse_args()
    found = suites(options)
    measures = {name: measure for suite in found.values() for name, measure in suite.items()}
    unknown = set(options.what) - found.keys() - measures.keys()
    if unknown:
        parser.error(f"expected some of {', '.join([*found, *measures])}, got {', '.join(sorted(unknown))}")
    modules = (asyncclient, aiohttp, httpx, urllib3, uvloop)
    names = ", ".join(f"{module.__name__} {module.__version__}" for module in modules)
    print(f"Python {sys.version.split()[0]}, {names}", flush=True)
    for what in options.what or found:
        for name in found.get(what, [what]):
            measures[name]()


if __name__ == "__main__":
    main()
