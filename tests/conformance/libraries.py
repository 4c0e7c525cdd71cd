"""The test suites of libraries that use http.client, run on it and on compat, in a separate venv.

The sources, with the tests in them, come from the package index in the version that is installed. A test that passes on
http.client alone is run again on both: what then passes on compat, or fails on http.client too, depends on the hour and
is only told. Whatever is worse every time is a difference, and the exit code is 1.
"""

import importlib.metadata
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import time
from pathlib import Path
from typing import NamedTuple

from tests.conformance.replacement import COMPAT, STANDARD
from tests.conformance.runs import Run, run_on_both, worse_tests

SOURCES = Path(sys.prefix) / "sources"
COMMAND = [sys.executable, "-P", str(Path(__file__).with_name("library_run.py"))]
PATIENCE = 900.0  # seconds for one suite
TEST_PATIENCE = "--timeout=120"
ATTEMPTS = 3
LINES_SHOWN = 8  # of what a test says
PLAIN = ("-o", "addopts=")  # without coverage and other wishes of the library's own checks


class Suite(NamedTuple):
    """Which tests of a library to run, and how; `is_own` if they are in this folder, not in the library's source."""

    tests: tuple[str, ...]
    options: tuple[str, ...] = ()
    is_own: bool = False


# Of botocore only the tests about connections; the others are about the services.
BOTOCORE = (
    "tests/unit/test_awsrequest.py",
    "tests/unit/test_endpoint.py",
    "tests/unit/test_http_client_exception_mapping.py",
    "tests/unit/test_http_session.py",
    "tests/functional/test_httpchecksum.py",
    "tests/functional/test_retry.py",
    "tests/functional/test_s3.py",
    "tests/functional/test_six_threading.py",
)
WITHOUT_SETTINGS = ("--noconftest", "-c", "/dev/null", "--rootdir=.", "--import-mode=importlib")

SUITES = {
    "urllib3": Suite(("test",), ("-m", "not requires_network")),
    "requests": Suite(("tests",), PLAIN),
    "httplib2": Suite(("tests",), ("--noconftest", "--ignore=tests/_TODO_legacy", *PLAIN)),
    "botocore": Suite(BOTOCORE, PLAIN),
    "moto": Suite(("aws_operations.py",), WITHOUT_SETTINGS, is_own=True),
    "vcrpy": Suite(("tests",), ("-m", "not online", "--ignore=tests/integration/test_aiohttp.py", *PLAIN)),
    "httpretty": Suite(("tests/unit", "tests/functional"), PLAIN),
}


def find_source(name: str) -> Path:
    """The unpacked source archive of the version that is installed; the first call downloads it."""
    if SUITES[name].is_own:
        return Path(__file__).parent
    version = importlib.metadata.version(name)
    folder = SOURCES / f"{name}-{version}"
    if not folder.is_dir():
        pip = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, "--dest", str(SOURCES), f"{name}=={version}"], check=True)
        with tarfile.open(SOURCES / f"{folder.name}.tar.gz") as archive:
            archive.extractall(SOURCES, filter="data")
    return folder


def find_differences(suite: Suite, source: Path, folder: Path) -> tuple[Run, Run, list[str], list[str]]:
    """Both runs, the tests that are worse on compat each time, and those that were so at first."""
    options = [TEST_PATIENCE, *suite.options]
    standard, compat = run_on_both(COMMAND, [*options, *suite.tests], folder / "0", PATIENCE, source)
    first = worse = worse_tests(standard, compat)
    for attempt in range(1, ATTEMPTS):
        if not worse or compat.last_words:
            break
        again = run_on_both(COMMAND, [*options, *worse], folder / str(attempt), PATIENCE, source)
        worse = worse_tests(*again)
    return standard, compat, worse, [test for test in first if test not in worse]


def check(name: str) -> bool:
    """Run one suite, print its line and its differences, and return whether all is well."""
    suite, source, began = SUITES[name], find_source(name), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        standard, compat, worse, unsteady = find_differences(suite, source, Path(folder))
    connections, responses = compat.objects(COMPAT)
    took = time.monotonic() - began
    title = name if suite.is_own else source.name
    made = f"{connections:5} connections {responses:4} responses"
    print(f"{title:18}{standard}  | {compat} {made} {took:4.0f} s")
    tell("not every time", unsteady, compat)
    tell("on http.client only", worse, compat)
    faults = find_faults(standard, compat)
    for fault in faults:
        print(f"    {fault}")
    return not worse and not faults


def tell(verdict: str, tests: list[str], run: Run) -> None:
    """Print the tests, those that end with the same words together."""
    groups: dict[str, list[str]] = {}
    for test in tests:
        lines = run.texts.get(test, "").splitlines() or [run.outcomes.get(test, "not run")]
        groups.setdefault("\n".join(lines[-LINES_SHOWN:]), []).append(test)
    for words, group in groups.items():
        for test in group:
            print(f"    {verdict}: {test}")
        print(textwrap.indent(words, " " * 8))


def find_faults(standard: Run, compat: Run) -> list[str]:
    """Return the reasons that make the comparison invalid."""
    faults = [f"a run broke off: {run.last_words}" for run in (standard, compat) if run.last_words]
    if not standard.passed():
        faults.append("nothing passed on http.client")
    if any(compat.objects(STANDARD)) or not all(compat.objects(COMPAT)):
        faults.append(f"http.client was not replaced: {compat.made}")
    return faults


def main(*names: str) -> int:
    SOURCES.mkdir(exist_ok=True)
    print(f"{'':18}{'on http.client':38}| with compat in its place")
    results = [check(name) for name in names or SUITES]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.exit(main(*sys.argv[1:]))
