"""Print the figures of the conformance runs below the tests."""

from collections.abc import Callable

import pytest

LINES = pytest.StashKey[list[str]]()


@pytest.fixture
def report_line(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Add a line to what is printed at the end."""
    return pytestconfig.stash.setdefault(LINES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(LINES, [])
    if lines:
        terminalreporter.section("CPython's own tests")
        terminalreporter.write_line(f"{'':22}{'on http.client':38}| with compat in its place")
    for line in lines:
        terminalreporter.write_line(line)
