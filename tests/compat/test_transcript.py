"""The transcript is the same on http.client and on compat, except for the listed deviations (transcript/README.md)."""

import difflib
import functools
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.compat.transcript.expected_deviations import DIFFERENCES
from tests.compat.transcript.report import ALONE, BROKE_OFF, DIFFERING, SECTIONS
from tests.compat.transcript.scenes import HEADING

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0  # seconds for one process, which takes 10 to 20 where nothing else runs

pytestmark = pytest.mark.timeout(3 * PATIENCE)

STANDARD: tuple[str, ...] = ()
COMPAT = ("-m", "compat")
STRICT = ("-W", "error", "-X", "dev")


class Run(NamedTuple):
    """The sections that a process printed, its stderr, and its exit code."""

    told: dict[str, str]
    stderr: str
    code: int


def run(options: tuple[str, ...], *names: str) -> Run:
    """Have a process tell sections, without the proxies and the settings of the environment."""
    command = [sys.executable, *options, "-m", "tests.compat.transcript", *names]
    own = {
        name: value for name, value in os.environ.items() if not name.upper().startswith(("PYTHON", "HTTP", "NO_PROXY"))
    }
    environment = {**own, "PYTHONIOENCODING": "utf-8:backslashreplace"}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True, encoding="utf-8"
    ) as process:
        try:
            output, stderr = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            output, stderr = process.communicate()
    return Run(split_sections(output), stderr, process.returncode)


def run_both(*names: str) -> tuple[Run, Run]:
    """The same on http.client and on compat, at the same time."""
    with ThreadPoolExecutor(2) as executor:
        standard, compat = executor.map(lambda options: run(options, *names), (STANDARD, COMPAT))
    return standard, compat


def split_sections(output: str) -> dict[str, str]:
    sections = (part.partition("\n") for part in ("\n" + output.rstrip("\n")).split("\n" + HEADING)[1:])
    return {name: told for name, _, told in sections}


@functools.cache
def runs() -> tuple[Run, Run]:
    """Both transcripts of all sections that one process can tell; made once."""
    return run_both(*SECTIONS, *DIFFERING)


def compare(standard: str | None, compat: str | None) -> None:
    if standard != compat:
        before, after = [(told or "nothing was told").splitlines() for told in (standard, compat)]
        diff = difflib.unified_diff(before, after, "expected", "compat", lineterm="", n=2)
        pytest.fail("\n".join(diff), pytrace=False)


@pytest.mark.parametrize("options", [STANDARD, COMPAT], ids=["standard", "compat"])
def test_the_transcript_is_complete(options: tuple[str, ...]) -> None:
    found = runs()[options == COMPAT]
    assert (found.stderr, found.code) == ("", 0)
    assert list(found.told) == [*SECTIONS, *DIFFERING]


@pytest.mark.parametrize("name", SECTIONS)
def test_compat_has_the_transcript_of_http_client(name: str) -> None:
    standard, compat = runs()
    compare(standard.told.get(name), compat.told.get(name))
    assert BROKE_OFF not in standard.told[name]


@pytest.mark.parametrize("name", DIFFERING)
def test_compat_differs_on_purpose(name: str) -> None:
    standard, compat = runs()
    difference = DIFFERENCES[name]
    compare(difference.told.strip("\n"), re.sub(r" +$", "", compat.told[name], flags=re.MULTILINE).strip("\n"))
    if sys.version_info.minor in difference.same_on:
        compare(standard.told[name], compat.told[name])


def test_each_process_ran_on_its_own_library() -> None:
    standard, compat = runs()
    assert sum(standard.told[name] != compat.told[name] for name in DIFFERING) > len(DIFFERING) / 2


def test_each_difference_is_in_the_transcript() -> None:
    assert DIFFERENCES.keys() == DIFFERING.keys()
    assert all(difference.reason for difference in DIFFERENCES.values())


@pytest.mark.parametrize("name", ALONE)
def test_compat_ends_as_http_client_ends(name: str) -> None:
    standard, compat = run_both(name)
    compare(standard.told.get(name), compat.told.get(name))
    assert standard.told[name]
    assert (standard.stderr, standard.code) == (compat.stderr, compat.code)
    assert not compat.stderr


@pytest.mark.full
def test_compat_prints_nothing_on_stderr_where_warnings_are_errors() -> None:
    """Also where connections are dropped without being closed, of which http.client's sockets warn."""
    strict = run((*STRICT, *COMPAT))
    assert (strict.stderr, strict.code) == ("", 0)
    _, compat = runs()
    for name in SECTIONS:
        compare(compat.told.get(name), strict.told.get(name))


@pytest.mark.full
@pytest.mark.parametrize("name", ALONE)
def test_compat_ends_silently_where_warnings_are_errors(name: str) -> None:
    assert not run((*STRICT, *COMPAT), name).stderr
