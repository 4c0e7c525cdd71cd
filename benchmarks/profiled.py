"""Where the time of a step goes: the functions of a step of benchmarks.steps, by cProfile.

    python -m benchmarks.profiled [STEP …]

The time is CPU time within a function without those it calls, as a share of the step; calls are those of one step, and
a coroutine that waited is called again. cProfile makes each call dearer, so functions that are called often look dearer
than they are; functions of C that Python code calls are listed, too.
"""

from __future__ import annotations

import argparse
import cProfile
import time
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import uvloop

from benchmarks.machine import HERE, serving
from benchmarks.steps import REPEATS, STEPS, WARM_UP, Step, repeat

SHOWN = 15


class Line(NamedTuple):
    """A function: its share of the time, and its calls for each step."""

    share: float
    calls: float
    name: str


async def profile(step: Step, port: int) -> cProfile.Profile:
    """Return the profile of the repeats of a step, after a warm-up, in CPU time: waiting takes none."""
    profiler = cProfile.Profile(time.process_time)
    async with step(port) as once:
        await repeat(once, WARM_UP)
        profiler.enable()
        await repeat(once, REPEATS)
        profiler.disable()
    return profiler


def read_lines(profiler: cProfile.Profile) -> list[Line]:
    """Return the functions of a profile, the dearest first."""
    entries = profiler.getstats()
    total = sum(entry.inlinetime for entry in entries) or 1.0
    lines = [
        Line(entry.inlinetime / total, (entry.callcount + entry.reccallcount) / REPEATS, name_of(entry.code))
        for entry in entries
    ]
    return sorted(lines, reverse=True)


def name_of(code: CodeType | str) -> str:
    """Return the name of a function with its module; functions of C have a name alone."""
    if isinstance(code, str):
        return code.strip("<>")
    path = Path(code.co_filename)
    module = path.relative_to(HERE.parent) if path.is_relative_to(HERE.parent) else path.name
    return f"{module}: {code.co_qualname}"


def main() -> None:
    """Print the profiles of the steps that the command line names, or of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"some of: {', '.join(STEPS)}")
    options = parser.parse_args()
    if unknown := set(options.steps) - {*STEPS}:
        parser.error(f"expected some of {', '.join(STEPS)}, got {', '.join(sorted(unknown))}")
    with serving() as port:
        for name in options.steps or STEPS:
            print(f"\n{name}")
            for line in read_lines(uvloop.run(profile(STEPS[name], port)))[:SHOWN]:
                print(f"  {100 * line.share:5.1f} %  {line.calls:6.1f} calls  {line.name}")


if __name__ == "__main__":
    main()
