"""Run tests of the interpreter's own `test` package on http.client or on compat: LIBRARY REPORT NAME…

A process of its own, because the library has to be in its place before a test module is imported.
"""

# ruff: noqa: N802 - unittest's names

import faulthandler
import importlib
import sys
import unittest
from collections import Counter
from typing import Any

from tests.conformance.replacement import Report, use

PATIENCE = 45.0  # seconds for one test, a multiple of what the slowest needs

# Resources that these tests may use; left out are the network, huge files and a screen.
RESOURCES = ("cpu", "subprocess", "walltime")


class Recorder(unittest.TestResult):
    """Writes down what becomes of each test; a test with a failed part has failed."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report

    def fail(self, test: unittest.TestCase, err: Any) -> None:
        self.report.note(test.id(), "failed", self._exc_info_to_string(err, test))  # type: ignore[attr-defined]

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        self.report.note(test.id(), "unfinished")

    def stopTest(self, test: unittest.TestCase) -> None:
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.report.note(test.id(), "passed")

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        self.fail(test, err)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        self.fail(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        if err is not None:
            self.fail(test, err)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.report.note(test.id(), "skipped")

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        self.report.note(test.id(), "failed as expected")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self.report.note(test.id(), "passed unexpectedly")


def run_tests(made: Counter[str], path: str, names: tuple[str, ...]) -> None:
    """Run tests by name and write their results, and what was made meanwhile, to a file."""
    support: Any = importlib.import_module("test.support")
    support.use_resources = RESOURCES
    report = Report(path)
    unittest.defaultTestLoader.loadTestsFromNames(names).run(Recorder(report))
    report.end(made)


def main(library: str, path: str, *names: str) -> None:
    run_tests(use(library), path, names)


if __name__ == "__main__":
    main(*sys.argv[1:])
