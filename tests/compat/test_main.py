"""python -m compat: a script, a module or code runs as the interpreter would run it, with compat in place."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from asyncclient.testing import RawServer
from tests.compat.blocking import run_python
from tests.connection.scripts import echo_target

TELL = """\
import http.client, os, sys
print(sys.argv, __name__, type(sys.modules["__main__"]).__name__, globals() is vars(sys.modules["__main__"]))
print(http.client.HTTPConnection is sys.modules["compat.client"].HTTPConnection)
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "script.py"
        path.write_text(text)
        return path

    return write


def ways(path: Path, text: str) -> list[list[str]]:
    return [[str(path)], ["-m", "script"], ["-c", text]]


@pytest.mark.parametrize("way", range(3), ids=["script", "-m", "-c"])
def test_program_sees_what_it_would_see(way: int, script: Callable[[str], Path]) -> None:
    path = script(TELL)
    how = ways(path, TELL)[way]
    with_us = run_python("-m", "compat", *how, "one", "-two", "--", PYTHONPATH=paths(path))
    alone = run_python(*how, "one", "-two", "--", PYTHONPATH=paths(path), IMPORTED="1")
    assert with_us.stderr == ""
    assert with_us.stdout.splitlines()[0] == alone.stdout.splitlines()[0]
    assert with_us.stdout.splitlines()[1] == "True"


def paths(path: Path) -> str:
    from tests.servers import ROOT

    return f"{ROOT}:{path.parent}"


@pytest.mark.parametrize("way", range(2), ids=["script", "-m"])
def test_file_and_path_are_the_scripts(way: int, script: Callable[[str], Path]) -> None:
    text = "import sys\nprint(__file__, sys.path[0])"
    path = script(text)
    how = ways(path, text)[way]
    told = run_python("-m", "compat", *how, PYTHONPATH=paths(path)).stdout
    assert told == run_python(*how, PYTHONPATH=paths(path)).stdout


def test_code_can_be_run_again_by_name_and_pickled() -> None:
    code = "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))) is A)"
    assert run_python("-m", "compat", "-c", code).stdout == "True\n"


@pytest.mark.parametrize("way", range(3), ids=["script", "-m", "-c"])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("import sys; sys.exit()", 0),
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('text')", 1),
        ("1 / 0", 1),
        ("raise KeyboardInterrupt", -2),
    ],
)
def test_exit_code_is_the_programs(text: str, code: int, way: int, script: Callable[[str], Path]) -> None:
    path = script(text)
    run = run_python("-m", "compat", *ways(path, text)[way], PYTHONPATH=paths(path))
    assert run.returncode == code
    if text.endswith("('text')"):
        assert run.stderr == "text\n"


def test_traceback_names_the_scripts_line(script: Callable[[str], Path]) -> None:
    path = script("def fail():\n    1 / 0\n\nfail()\n")
    stderr = run_python("-m", "compat", str(path)).stderr
    assert f'File "{path}", line 4, in <module>' in stderr
    assert f'File "{path}", line 2, in fail' in stderr
    assert stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"], ["-c"], ["-m"]])
def test_usage_is_told_where_nothing_is_named(arguments: list[str]) -> None:
    run = run_python("-m", "compat", *arguments)
    assert "usage: python -m compat [-c code | -m module | script.py]" in run.stdout + run.stderr


def test_script_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    run = run_python("-m", "compat", str(tmp_path / "nothing.py"))
    assert run.returncode
    assert "nothing.py" in run.stderr


def test_program_may_read_its_input() -> None:
    run = run_python("-m", "compat", "-c", "import sys; print(sys.stdin.read().upper())", stdin="text")
    assert (run.stdout, run.stderr) == ("TEXT\n", "")


FETCH = """\
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
connection.request("GET", "/mine")
sys.stderr.write(connection.getresponse().read().decode())
"""


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-"])
def test_program_runs_without_standard_files(closed: str, script: Callable[[str], Path]) -> None:
    command = f'exec "$0" -W error -X dev -m compat "$@" {closed}'
    with RawServer(echo_target) as server:
        run = run_python("-c", SHELL, command, str(script(FETCH)), str(server.port))
    assert (run.returncode, run.stderr) == (0, "/mine")


SHELL = """\
import subprocess, sys
sys.exit(subprocess.call(["/bin/sh", "-c", sys.argv[1], sys.executable, *sys.argv[2:]]))
"""
