"""Run a library's own tests with pytest, in the folder of its source, on http.client or on compat.

Arguments: LIBRARY REPORT and those of pytest.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tests.conformance.replacement import Report, use

if TYPE_CHECKING:
    import pytest


class Recorder:
    """Writes down what becomes of each test; its set-up and clean-up count as parts of it."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.place = os.getcwd()

    def note(self, test: str, outcome: str, text: str = "") -> None:
        """The name of a test may have its place in it, which is not the same in two runs."""
        self.report.note(test.replace(self.place, "."), outcome, text)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.note(nodeid, "unfinished")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            outcome = f"expectedly {report.outcome}" if hasattr(report, "wasxfail") else report.outcome
            self.note(report.nodeid, outcome, report.longreprtext if report.failed else "")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.note(report.nodeid, "failed", report.longreprtext)


def leave_project() -> None:
    """Have imports begin in the source's folder; its tests may be called `tests` too."""
    sys.path[:] = [os.getcwd(), *sys.path]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]


def main(library: str, path: str, *arguments: str) -> None:
    made = use(library)
    report = Report(path)
    leave_project()
    import pytest  # not before: it must find the library in its place, like all that follows

    pytest.main(["-q", "-p", "no:cacheprovider", "--tb=short", *arguments], plugins=[Recorder(report)])
    report.end(made)
    os._exit(0)  # some suites leave threads that never end


if __name__ == "__main__":
    main(*sys.argv[1:])
