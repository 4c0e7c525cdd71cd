"""Completion in the shells of this machine: Tab is pressed on a pseudo-terminal."""

import fcntl
import os
import shutil
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from asyncclient.cli.completion import SHELLS
from tests.cli.running import Command
from tests.cli.terminal import read_until, terminal
from tests.servers import TIMEOUT

PLACES = {
    "bash": "completion.bash",
    "zsh": ".zsh/completions/_asyncclient",
    "fish": ".config/fish/completions/asyncclient.fish",
}
SETTINGS = {
    "bash": (".bashrc", "PS1='ready> '\nsource ~/completion.bash\n"),
    "zsh": (".zshrc", "PS1='ready> '\nfpath=(~/.zsh/completions $fpath)\nautoload -Uz compinit\ncompinit -u\n"),
    "fish": (".config/fish/config.fish", "function fish_prompt; echo -n 'ready> '; end\n"),
}
PROGRAM = """#!/bin/sh
printf '\\nreceived%s\\n' "$(printf ' <%s>' "$@")"
"""
RECEIVED = r"\nreceived (.*?)\r\n"
COMPLETED = {
    "downl": "<download>",
    "--max-t": "<--max-time>",
    "--print-completion zs": "<--print-completion> <zsh>",
    "--output a.t": "<--output> <a.txt>",
    "download --checks": "<download> <--checksum>",
    "download a.test --checksum x --skip": "<download> <a.test> <--checksum> <x> <--skip-existing>",
    "crawl a.test --max-pages-": "<crawl> <a.test> <--max-pages-per-host>",
    "a.test --tim": "<a.test> <--timings>",
    "PUT localhost:8000 -L --urlen": "<PUT> <localhost:8000> <-L> <--urlencoded>",
    "--user a:b a.test --tim": "<--user> <a:b> <a.test> <--timings>",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a file, and with a program that prints its arguments in place of the command."""
    program = tmp_path / "bin" / "asyncclient"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (tmp_path / "a.txt").touch()
    return tmp_path


def set_up(shell: str, home: Path, script: bytes) -> None:
    """Put the script where the documentation says, and have the shell read it."""
    name, lines = SETTINGS[shell]
    for place, content in ((PLACES[shell], script), (name, lines.encode())):
        path = home / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def take_terminal() -> None:
    """Make the standard input the terminal that controls this process."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def open_shell(shell: str, home: Path) -> Iterator[int]:
    """Yield the terminal of a shell that is ready."""
    variables = {"HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}", "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    options: dict[str, Any] = {"cwd": home, "env": variables, "start_new_session": True, "preexec_fn": take_terminal}
    with terminal(100) as (outer, inner):
        process = subprocess.Popen([shell, "-i"], stdin=inner, stdout=inner, stderr=inner, **options)
        try:
            read_until(outer, "ready> ")
            yield outer
        finally:
            process.kill()
            process.wait(TIMEOUT)


@pytest.mark.parametrize("shell", [shell for shell in SHELLS if shutil.which(shell)])
def test_tab_completes_words(command: Command, home: Path, shell: str) -> None:
    set_up(shell, home, command("--print-completion", shell).output)
    found = {}
    with open_shell(shell, home) as outer:
        for typed in COMPLETED:
            os.write(outer, f"asyncclient {typed}\t\r".encode())
            found[typed] = read_until(outer, RECEIVED)
    assert found == COMPLETED
