"""Print the figures of the conformance runs below the tests."""

from collections.abc import Callable

import pytest

FIGURES = "figures of a run"


@pytest.fixture
def report_line(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Add a line to the text printed at the end; it is part of the test's report, which pytest-xdist passes on."""
    return lambda line: record_property(FIGURES, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    properties = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    lines = {str(line) for name, line in properties if name == FIGURES}
    if lines:
        terminalreporter.section("CPython's own tests")
        terminalreporter.write_line(f"{'':22}{'on http.client':38}| with compat in its place")
    for line in sorted(lines):
        terminalreporter.write_line(line)
