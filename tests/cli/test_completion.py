"""Completion for shells, and help."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from asyncclient.cli.exits import Exit
from asyncclient.cli.subcommands import COMMANDS
from tests.cli.running import Command
from tests.servers import TIMEOUT


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_completes_options_and_subcommands(command: Command, shell: str) -> None:
    code, output, errors = command("--print-completion", shell)
    assert (code, errors) == (0, "")
    assert all(word.encode() in output for word in ("max-time", "checksum", "i-may", "frontier", *COMMANDS))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("asyncclient --max-t", "--max-time"),
        ("asyncclient downl", "download"),
        ("asyncclient download --check", "--checksum"),
        ("asyncclient --output a.t", "a.txt"),
    ],
)
def test_bash_completes_words(command: Command, tmp_path: Path, words: str, found: str) -> None:
    script = tmp_path / "completion.bash"
    script.write_bytes(command("--print-completion=bash").output)
    (tmp_path / "a.txt").touch()
    lines = f"""source completion.bash
        COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _shtab_asyncclient; echo "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", lines], cwd=tmp_path, capture_output=True, timeout=TIMEOUT, check=True)
    assert done.stdout.decode().split() == [found]


def test_other_shells_are_refused(command: Command) -> None:
    assert command("--print-completion", "cmd").code == Exit.USAGE
    assert command("--print-completion").code == Exit.USAGE


def test_a_missing_extra_is_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    code, _, errors = command("--print-completion", "bash")
    assert code == Exit.MISSING_EXTRA
    assert "install asyncclient-http[cli]" in errors


@pytest.mark.parametrize("columns", [60, 88, 200])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_the_terminal(command: Command, monkeypatch: pytest.MonkeyPatch, name: str, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    words = ["asyncclient", *filter(None, [name])]
    code, output, errors = command(*words[1:], "--help")
    assert (code, errors) == (0, "")
    assert output.decode().startswith(f"usage: {' '.join(words)} [OPTION ...] ")
    assert max(map(len, output.decode().splitlines())) <= columns
    assert re.findall(r"^  -\w [A-Z].*", output.decode(), re.MULTILINE) == []  # a value is named once, at the end
