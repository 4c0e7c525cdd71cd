"""Whether a step of the client costs more than the repository records: `make bench-check`, `make bench-record`.

    python -m benchmarks.check [--record] [--cpu]

The cost of a step is the number of its instructions, as a multiple of those of an exchange on bare streams in the same
process: that hardly depends on the machine, on its load or on the build of the interpreter. valgrind counts them. Where
valgrind is missing, or with --cpu, CPU time is compared in the same way; it varies more, so its limit is wider. The
memory of an idle connection is a number of bytes. The record, record.json, has the costs for each version of Python.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import HERE, environment, serving
from benchmarks.steps import BARE, STEPS

Costs = dict[str, dict[str, float]]
"""Costs by unit and step."""

RECORD = HERE / "record.json"
VERSION = "{}.{}".format(*sys.version_info)
INSTRUCTIONS, CPU, BYTES = "instructions", "CPU", "bytes"
IDLE = "idle connection"
LIMITS = {INSTRUCTIONS: 1.10, CPU: 1.25, BYTES: 1.10}
"""How much of the recorded cost a step may cost; CPU also differs by kernel and processor."""
ROUNDS = 10
PATIENCE = 6
"""How often CPU is measured again before a step is said to cost too much; the lowest costs count."""


class Verdict(NamedTuple):
    """The cost of a step beside its record; `recorded` is NaN without one."""

    unit: str
    step: str
    measured: float
    recorded: float

    @property
    def is_bad(self) -> bool:
        """True if the step costs too much, or its cost is not recorded."""
        return not self.measured <= LIMITS[self.unit] * self.recorded

    def __str__(self) -> str:
        if math.isnan(self.recorded):
            return f"{self.unit:<12}  {self.step:<16} {self.measured:9,.2f}  NOT RECORDED"
        shown = f"{self.unit:<12}  {self.step:<16} {self.measured:9,.2f}  recorded {self.recorded:9,.2f}"
        change = f"  {self.measured / self.recorded:5.2f} times"
        return shown + change + (f"  MORE THAN {LIMITS[self.unit]:.2f}" if self.is_bad else "")


def judge(costs: Costs, recorded: Costs) -> list[Verdict]:
    """Compare the costs with the record."""
    return [
        Verdict(unit, step, cost, recorded.get(unit, {}).get(step, math.nan))
        for unit, steps in costs.items()
        for step, cost in steps.items()
    ]


def relate(spent: dict[str, float]) -> dict[str, float]:
    """Return what the steps spent as multiples of what the bare exchange spent."""
    return {name: round(cost / spent[BARE], 3) for name, cost in spent.items() if name != BARE}


def run_steps(port: int, *options: str, prefix: tuple[str, ...] = ()) -> str:
    """Return the output of benchmarks.steps, in a process of its own."""
    command = [*prefix, sys.executable, "-m", "benchmarks.steps", str(port), *options]
    kept = {**environment(), "PYTHONHASHSEED": "0"}
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=HERE.parent, env=kept).stdout


def count_instructions(port: int) -> dict[str, float]:
    """Return the instructions of each step: the second, fourth, … section between calls of getpriority."""
    with tempfile.TemporaryDirectory() as folder:
        output = f"--callgrind-out-file={folder}/out"
        run_steps(port, prefix=("valgrind", "-q", "--tool=callgrind", output, "--dump-before=getpriority"))
        return {step: read_total(Path(folder, f"out.{2 * number}")) for number, step in enumerate(STEPS, 1)}


def read_total(path: Path) -> int:
    """Return the number of instructions in a file of callgrind."""
    found = re.search(r"^summary: (\d+)", path.read_text(), re.MULTILINE)
    assert found, f"{path} has no summary"
    return int(found[1])


def compare_cpu(port: int, recorded: Costs) -> dict[str, float]:
    """Return the relative CPU of each step; measure again while a step costs too much."""
    lowest = dict.fromkeys(STEPS, math.inf)
    for _ in range(PATIENCE):
        spent: dict[str, float] = json.loads(run_steps(port, "--rounds", str(ROUNDS)))
        lowest = {step: min(cost, spent[step]) for step, cost in lowest.items()}
        if not any(verdict.is_bad for verdict in judge({CPU: relate(lowest)}, recorded)):
            break
    return relate(lowest)


def measure(units: set[str], recorded: Costs) -> Costs:
    """Return the costs of all steps in these units, and the bytes of an idle connection.

    Where valgrind is installed but fails, CPU takes the place of instructions.
    """
    with serving() as port:
        costs: Costs = {BYTES: {IDLE: round(float(run_steps(port, "--idle")))}}  # first: it also writes the bytecode
        if INSTRUCTIONS in units:
            try:
                costs[INSTRUCTIONS] = relate(count_instructions(port))
            except subprocess.CalledProcessError as error:
                print(f"valgrind ended with {error.returncode}: CPU time is compared")
        if CPU in units or INSTRUCTIONS not in costs:
            costs[CPU] = compare_cpu(port, recorded)
    return costs


def read_record(path: Path, version: str) -> Costs:
    """Return the recorded costs for a version of Python; empty if there are none."""
    found: Costs = json.loads(path.read_text()).get(version, {})
    return found


def write_record(path: Path, version: str, costs: Costs) -> None:
    """Replace the costs for a version of Python; those in units that were not measured stay."""
    versions = json.loads(path.read_text())
    versions[version] = {**versions.get(version, {}), **costs}
    path.write_text(json.dumps(versions, indent=2, sort_keys=True) + "\n")


def main() -> None:
    """Compare the costs with the record and exit with 1 if a step costs too much; or record them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write the costs to record.json")
    parser.add_argument("--cpu", action="store_true", help="compare CPU time, also where valgrind is installed")
    options = parser.parse_args()
    has_valgrind = shutil.which("valgrind") is not None
    if options.record:
        write_record(RECORD, VERSION, measure({CPU, INSTRUCTIONS} if has_valgrind else {CPU}, {}))
        print(json.dumps(read_record(RECORD, VERSION), indent=2))
        return
    recorded = read_record(RECORD, VERSION)
    costs = measure({INSTRUCTIONS} if has_valgrind and not options.cpu else {CPU}, recorded)
    verdicts = judge(costs, recorded)
    print(*verdicts, sep="\n")
    sys.exit(any(verdict.is_bad for verdict in verdicts))


if __name__ == "__main__":
    main()
