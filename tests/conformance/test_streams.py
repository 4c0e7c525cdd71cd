"""The interpreter's own tests of StreamReader: each that passes on asyncio's class passes on the engine's stream."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.runs import run_on_both, worse_tests
from tests.conformance.streams_run import ASYNCIO, ENGINE, READER

PATIENCE = 150.0  # seconds for the module, which takes one or two
COMMAND = [sys.executable, "-P", str(Path(__file__).with_name("streams_run.py"))]
TESTS = "test.test_asyncio.test_streams.StreamTests"

OWN_TEXT = "compares repr(), in which the engine's stream says what it is connected to"
DIFFERENT = {
    "test___repr__": OWN_TEXT,
    "test___repr__data": OWN_TEXT,
    "test___repr__eof": OWN_TEXT,
    "test___repr__exception": OWN_TEXT,
    "test___repr__nondefault_limit": OWN_TEXT,
    "test___repr__transport": OWN_TEXT,
    "test___repr__waiter": OWN_TEXT,
}


@pytest.mark.timeout(2 * PATIENCE + 30)
def test_each_test_of_stream_reader_passes_on_the_engines_stream(
    tmp_path: Path, report_line: Callable[[str], None]
) -> None:
    if importlib.util.find_spec("test") is None or importlib.util.find_spec("test.test_asyncio") is None:
        pytest.skip("this Python comes without test.test_asyncio; some distributions put it into a package of its own")
    standard, engine = run_on_both(COMMAND, [TESTS], tmp_path, PATIENCE, libraries=(ASYNCIO, ENGINE))
    made = engine.made[f"{ENGINE}.{READER}"]
    report_line(f"{'test_streams':22}{standard}  | {engine} {made:5} streams")

    assert standard.passed(), f"nothing passed on asyncio: {standard.last_words}"
    assert not standard.last_words + engine.last_words
    worse = {test.rpartition(".")[2]: engine.describe(test) for test in worse_tests(standard, engine)}
    assert worse.keys() == DIFFERENT.keys(), "\n".join(worse[test] for test in worse.keys() - DIFFERENT.keys())
    assert made > len(worse)
