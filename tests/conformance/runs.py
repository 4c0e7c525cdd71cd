"""Run other people's tests in processes of their own, and read what these report: one line of JSON for each event.

A line is written when its event happens, so a run that hangs or crashes still says how far it came, and where.
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from tests.conformance.replacement import COMPAT, COUNTED, STANDARD

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ("_PROXY", "_CA_BUNDLE", "_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR")  # settings of the user's shell
SAID_AT_MOST = 6000  # characters of what a run printed, if it broke off


class Run(NamedTuple):
    """The outcome and the text of each test, the number of objects made, and the last output if the run broke off."""

    outcomes: dict[str, str]
    texts: dict[str, str]
    made: dict[str, int]
    last_words: str

    def passed(self) -> list[str]:
        return [test for test, outcome in self.outcomes.items() if outcome == "passed"]

    def objects(self, library: str) -> list[int]:
        """The connections and the responses of that library's own classes."""
        return [self.made.get(f"{library}.{name}", 0) for name in COUNTED]

    def describe(self, test: str) -> str:
        return f"{test}: {self.outcomes.get(test, 'not run')}\n{self.texts.get(test, '')}"

    def __str__(self) -> str:
        counts = Counter(self.outcomes.values())
        return f"{counts['passed']:5} passed {counts['failed']:3} failed {counts['skipped']:3} skipped"


def worse_tests(standard: Run, compat: Run) -> list[str]:
    """The tests that pass on http.client and not on compat."""
    return [test for test in standard.passed() if compat.outcomes.get(test) != "passed"]


def run_on_both(
    command: list[str],
    tests: list[str],
    folder: Path,
    patience: float,
    source: Path | None = None,
    libraries: tuple[str, str] = (STANDARD, COMPAT),
) -> tuple[Run, Run]:
    """Run `command LIBRARY REPORT test…` on the standard library and on ours, at the same time, for so many seconds.

    Each runs in a folder of its own, a copy of the source if there is one: tests write files where they are.
    """
    started = []
    for library in libraries:
        place = folder / library / "place"
        shutil.copytree(source, place) if source else place.mkdir(parents=True)
        report = folder / library / "report"
        started.append((start([*command, library, str(report), *tests], report, place), report))
    standard, compat = [finish(process, report, patience) for process, report in started]
    return standard, compat


def start(command: list[str], report: Path, cwd: Path) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if not name.upper().endswith(FOREIGN)}
    environment["PYTHONPATH"] = str(ROOT)
    with report.with_name("output").open("wb") as output:
        return subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )


def finish(process: "subprocess.Popen[bytes]", report: Path, patience: float) -> Run:
    """Wait for a run and read its report."""
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    lines = report.read_text("utf-8").splitlines() if report.exists() else []
    run, is_whole = read_events([json.loads(line) for line in lines])
    if is_whole:
        return run
    said = report.with_name("output").read_text("utf-8", "replace")
    return run._replace(last_words=said[-SAID_AT_MOST:] or f"ended with {process.returncode} and printed nothing")


def read_events(events: list[dict[str, Any]]) -> tuple[Run, bool]:
    """Put a report together, and say whether it has its last line; a test that failed once has failed."""
    outcomes: dict[str, str] = {}
    texts: dict[str, str] = {}
    for event in events:
        if "made" in event:
            return Run(outcomes, texts, event["made"], ""), True
        test = event["test"]
        if outcomes.get(test) != "failed":
            outcomes[test] = event["outcome"]
        texts[test] = texts.get(test, "") + event["text"]
    return Run(outcomes, texts, {}, ""), False
