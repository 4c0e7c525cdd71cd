"""Compare the clients with others, and show the result: `make bench`.

    python -m benchmarks.run [--rounds N] [--quick] [--write] [ROW …]

Without rows everything is measured, and the tables of README.md and docs/performance.md and the picture are written
again; with rows only these, and the pages are left alone unless --write is given. Each contender runs in a new process
for each row and round, in turns, on another core than the server. Ratios are those of the same round: absolute times
mean nothing on a shared machine.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import trustme

from benchmarks import crawl, frontier, picture, scale, table
from benchmarks.figures import Run, Turn, order_of
from benchmarks.machine import CLIENT_CORE, HERE, HOST, allow_many_files, big_file, describe, environment, on_core
from benchmarks.rows import MEGABYTES_100, ROWS, SUITES, suite_of
from benchmarks.servers import Servers, find_server, started

RESULTS = HERE / "results.json"
DOCS = HERE.parent / "docs"
ROUNDS, QUICK_ROUNDS = 5, 2
SCALE = "scale"
"""The row of many connections, which has a program of its own."""

PRINTED: dict[str, Callable[..., None]] = {"frontier": frontier.measure_all, "crawl": crawl.measure_all}
"""The rows of crawls, which are printed only; each is measured if it is named."""


class Bench:
    """Runs contenders, and keeps their figures.

    Args:
        pythons: the interpreters by environment; contenders without one are left out.
        file: for uploads.
        cafile: the certificate of the servers' authority.
    """

    def __init__(self, servers: Servers, pythons: dict[str, str], file: Path, cafile: Path) -> None:
        self._servers = servers
        self._pythons = pythons
        self._file = file
        self._cafile = cafile
        self.versions: dict[str, str] = {}

    def run_row(self, row: str, rounds: int) -> dict[str, list[Turn]]:
        """Return the turns of all contenders in a row, and print them."""
        suite = suite_of(row)
        names = [name for name in suite.contenders_of(row) if suite.contenders[name].environment in self._pythons]
        turns: dict[str, list[Turn]] = {name: [] for name in names}
        print(f"\n{ROWS[row].title}", flush=True)
        for number in range(rounds):
            for name in order_of(number, names):
                turns[name].append(self._take_turn(row, name))
        for line in describe_row(row, turns):
            print(line, flush=True)
        return turns

    def _take_turn(self, row: str, name: str) -> Turn:
        found = ROWS[row]
        server = (self._servers.tls if found.is_tls else self._servers.plain) if found.is_real else self._servers.origin
        python = self._pythons[suite_of(row).contenders[name].environment]
        command = [python, "-m", "benchmarks.worker", name, row, server, str(self._file)]
        command += [str(self._cafile)] * found.is_tls
        ran = subprocess.run(command, stdout=subprocess.PIPE, cwd=HERE.parent, env=environment())
        if ran.returncode:
            raise SystemExit(f"{name} failed in {row}: {' '.join(command)}")
        figures: dict[str, Any] = json.loads(ran.stdout)
        self.versions |= figures.pop("versions")
        return Turn(**figures)


def describe_row(row: str, turns: dict[str, list[Turn]]) -> Iterable[str]:
    """Yield a line for each contender: ratios to the base, and the values."""
    run = Run({}, {}, {row: turns}, {})
    for name in turns:
        cpu, rate = (table.ratio_cell(run.ratios(row, name, field)) for field in ("cpu", "rate"))
        values = [table.number_cell(run.values(row, name, field)) for field in ("cpu", "rate", "memory")]
        yield (
            f"  {name:<22} CPU {cpu:<20} rate {rate:<20} {values[0]:>9} µs {values[1]:>9} requests/s {values[2]:>5} MiB"
        )


def measure(rows: list[str], rounds: int, options: argparse.Namespace) -> Run:
    """Measure the rows; return the run."""
    pythons = {"bench": sys.executable} | ({"niquests": options.niquests} if options.niquests else {})
    with tempfile.TemporaryDirectory() as name, big_file(MEGABYTES_100) as file:
        folder = Path(name)
        authority = trustme.CA()
        certificate, cafile = folder / "server.pem", folder / "authority.pem"
        authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(certificate)
        authority.cert_pem.write_to_path(cafile)
        with started(options.server, folder, certificate) as servers, on_core(CLIENT_CORE):
            bench = Bench(servers, pythons, file, cafile)
            about = build_about(servers.name, rounds, options)
            print(*about.values(), sep="\n", flush=True)
            turns = {row: bench.run_row(row, rounds) for row in rows if row in ROWS}
    many = scale.measure_all(is_quick=options.quick) if SCALE in rows else {}
    for name in PRINTED.keys() & rows:
        PRINTED[name](is_quick=options.quick)
    return Run(about, bench.versions, turns, many)


def build_about(server: str, rounds: int, options: argparse.Namespace) -> dict[str, str]:
    """Return the circumstances of a run."""
    command = " ".join(["make bench", *([f"ROUNDS={rounds}"] if rounds != ROUNDS else [])])
    return {
        "date": datetime.date.today().isoformat(),
        "command": os.environ.get("BENCH_COMMAND", command),
        "rounds": str(rounds),
        "machine": describe(),
        "server": server,
    }


def write(run: Run) -> None:
    """Write the figures, the tables and the picture."""
    Run.load(RESULTS).updated(run).save(RESULTS)
    run = Run.load(RESULTS)  # with rounded values: the pages can be written again from the file
    table.insert(DOCS / "performance.md", table.build_page(run))
    table.insert(HERE.parent / "README.md", table.build_summary(run))
    (DOCS / "performance.svg").write_text(picture.draw(run))


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join([*ROWS, SCALE, *PRINTED])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"some of {names}; those of crawls only if named")
    parser.add_argument("--rounds", type=int, help=f"turns of each contender ({ROUNDS}; {QUICK_ROUNDS} with --quick)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few rounds, and fewer connections, fewer URLs in crawls",
    )
    parser.add_argument("--write", action="store_true", help="write the pages, too, if rows are named")
    parser.add_argument("--server", default=find_server(), choices=("nginx", "caddy", "origin"))
    parser.add_argument("--niquests", metavar="PYTHON", help="the interpreter of niquests' environment")
    options = parser.parse_args()
    if unknown := set(options.rows) - {*ROWS, SCALE, *PRINTED}:
        parser.error(f"expected some of {names}, got {', '.join(sorted(unknown))}")
    allow_many_files()
    rows = options.rows or [*(row for suite in SUITES for row in suite.rows), SCALE]
    run = measure(rows, options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS), options)
    if options.write or not (options.rows or options.quick):
        write(run)


if __name__ == "__main__":
    main()
