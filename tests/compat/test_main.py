"""python -m compat: a script, a module or code runs as the interpreter would run it, with compat in place."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from asyncclient.testing import RawServer
from tests.compat.connections import run_python
from tests.connection.conversations import echo_target

TELL = """\
import http.client, os, sys
print(sys.argv, __name__, type(sys.modules["__main__"]).__name__, globals() is vars(sys.modules["__main__"]))
print(http.client.HTTPConnection.request.__module__.endswith("compat.connection"))
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "script.py"
        path.write_text(text)
        return path

    return write


def list_invocations(path: Path, text: str) -> list[list[str]]:
    return [[str(path)], ["-m", "script"], ["-c", text]]


@pytest.mark.parametrize("way", range(3), ids=["script", "-m", "-c"])
def test_program_has_the_arguments_and_globals_of_a_plain_run(way: int, script: Callable[[str], Path]) -> None:
    path = script(TELL)
    how = list_invocations(path, TELL)[way]
    with_us = run_python("-m", "compat", *how, "one", "-two", "--", PYTHONPATH=import_paths(path))
    alone = run_python(*how, "one", "-two", "--", PYTHONPATH=import_paths(path), IMPORTED="1")
    assert with_us.stderr == ""
    assert with_us.stdout.splitlines()[0] == alone.stdout.splitlines()[0]
    assert with_us.stdout.splitlines()[1] == "True"


def import_paths(path: Path) -> str:
    from tests.servers import ROOT

    return f"{ROOT}:{path.parent}"


@pytest.mark.parametrize("way", range(2), ids=["script", "-m"])
def test_file_and_path_are_the_scripts(way: int, script: Callable[[str], Path]) -> None:
    text = "import sys\nprint(__file__, sys.path[0])"
    path = script(text)
    how = list_invocations(path, text)[way]
    told = run_python("-m", "compat", *how, PYTHONPATH=import_paths(path)).stdout
    assert told == run_python(*how, PYTHONPATH=import_paths(path)).stdout


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
    run = run_python("-m", "compat", *list_invocations(path, text)[way], PYTHONPATH=import_paths(path))
    assert run.returncode == code
    if text.endswith("('text')"):
        assert run.stderr == "text\n"


def test_traceback_names_the_scripts_line(script: Callable[[str], Path]) -> None:
    path = script("def fail():\n    1 / 0\n\nfail()\n")
    stderr = run_python("-m", "compat", str(path)).stderr
    assert f'File "{path}", line 4, in <module>' in stderr
    assert f'File "{path}", line 2, in fail' in stderr
    assert stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(
    ("arguments", "code"), [(["-h"], 0), (["--help"], 0), (["-?"], 0), (["-c"], 2), (["-m"], 2), (["-z"], 2)]
)
def test_usage_is_printed(arguments: list[str], code: int) -> None:
    run = run_python("-m", "asyncclient.compat", *arguments)
    assert "usage: python -m asyncclient.compat [-i] [-c code | -m module | script | -]" in run.stdout + run.stderr
    assert (run.returncode, bool(run.stdout)) == (code, not code)


DOORS = ("compat", "asyncclient.compat")

FAILING = "def fail():\n    1 / 0\n\nfail()\n"

AS_THE_INTERPRETER: dict[str, tuple[list[str], str | None]] = {
    "no argument": ([], "import sys\nprint(sys.argv, sys.path[0], __name__)\n"),
    "no argument and no input": ([], ""),
    "a dash": (["-", "one"], "import sys\nprint(sys.argv, sys.path[0], __name__)\n"),
    "an error in the input": (["-"], FAILING),
    "a syntax error in the input": (["-"], "x = = 1\n"),
    "a missing file": (["nothing.py"], None),
    "a missing module": (["-m", "no_such_module"], None),
    "a folder without a main": (["."], None),
    "a folder": (["folder", "one"], None),
    "a script in a folder": (["folder/__main__.py"], None),
    "an error": (["failing.py"], None),
    "an error in a module": (["-m", "failing"], None),
    "an error in code": (["-c", FAILING], None),
    "a syntax error": (["broken.py"], None),
    "an own hook": (["hooking.py"], None),
    "a version": (["--version"], None),
    "a short version": (["-V"], None),
    "annotations": (["-c", "def f(a: int): pass\nprint(f.__annotations__)"], None),
    "by hand after code": (["-i", "-c", "x = 5"], "x\n1 + 1\n"),
    "by hand after an error": (["-i", "failing.py"], "fail.__name__\n"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "failing.py").write_text(FAILING)
    (tmp_path / "broken.py").write_text("x = 1\ny = = 2\n")
    hook = "import sys\nsys.excepthook = lambda kind, error, tb: print(kind, error, tb.tb_lineno, tb.tb_next)\n1 / 0\n"
    (tmp_path / "hooking.py").write_text(hook)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text("import sys\nprint(sys.argv, sys.path[0], __name__, __file__)\n")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "compat.py").write_text("print('mine')\n")
    script = (
        "import compat, http.client\nprint(compat.__file__)\nprint(http.client.HTTPConnection.request.__module__)\n"
    )
    (tmp_path / "own" / "script.py").write_text(script)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("what", AS_THE_INTERPRETER)
def test_output_and_exit_code_are_those_of_a_plain_run(what: str, door: str) -> None:
    arguments, stdin = AS_THE_INTERPRETER[what]
    ours = run_python("-m", door, *arguments, stdin=stdin)
    alone = run_python(*arguments, stdin=stdin)
    assert (ours.stdout, ours.returncode) == (alone.stdout, alone.returncode)
    assert ours.stderr.rstrip() == alone.stderr.rstrip()


# A module `compat` of the program's own


@pytest.mark.parametrize("place", ["beside", "in front"])
def test_own_module_of_that_name_is_the_programs(place: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "own" if place == "in front" else folder)
    script = "script.py" if place == "in front" else "own/script.py"
    run = run_python("-m", "asyncclient.compat", script)
    assert (run.stdout.splitlines(), run.stderr) == (
        ["mine", str(folder / "own" / "compat.py"), "asyncclient.compat.connection"],
        "",
    )


def test_own_module_is_the_programs_by_the_old_name_too(folder: Path) -> None:
    run = run_python("-m", "compat", "own/script.py")
    assert run.stdout.splitlines()[:2] == ["mine", str(folder / "own" / "compat.py")]


BOTH_NAMES = """\
import {0}
import {1}
import compat, asyncclient.compat
print(compat.client is asyncclient.compat.client, compat.Client is asyncclient.compat.Client)
print(compat.install is asyncclient.compat.install, compat.client.HTTPConnection.__module__)
with compat.install():
    print(asyncclient.compat.is_installed())
"""


@pytest.mark.parametrize("names", [DOORS, DOORS[::-1]])
def test_both_names_are_one_package(names: tuple[str, str]) -> None:
    run = run_python("-W", "error", "-c", BOTH_NAMES.format(*names))
    assert (run.stdout, run.stderr) == ("True True\nTrue http.client\nTrue\n", "")


def test_both_names_are_one_package_within_a_program_too() -> None:
    code = "import compat, asyncclient.compat as other; print(compat.is_installed(), compat.client is other.client)"
    assert run_python("-m", "asyncclient.compat", "-c", code).stdout == "True True\n"


def test_installed_program_runs_a_script(script: Callable[[str], Path]) -> None:
    code = "from importlib.metadata import entry_points\n(found,) = entry_points(name='asyncclient-compat')\n"
    code += "import sys\nsys.argv = ['x', *sys.argv[1:]]\nfound.load()()"
    run = run_python("-c", code, str(script(TELL)), "one")
    assert run.stdout.splitlines()[0].startswith(f"['{script(TELL)}', 'one'] __main__")


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
