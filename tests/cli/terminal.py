"""The command on a pseudo-terminal: all that it prints there."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers import ROOT, TIMEOUT

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@contextmanager
def terminal(columns: int) -> Iterator[tuple[int, int]]:
    """Yield both ends of a terminal of this width."""
    outer, inner = os.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        yield outer, inner
    finally:
        os.close(outer)
        os.close(inner)


def run_on_terminal(columns: int, *arguments: object, **environment: str) -> str:
    """Return all that the command prints on a terminal."""
    unset = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
    variables = {name: value for name, value in os.environ.items() if name not in unset}
    variables |= {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **environment}
    command = [sys.executable, "-m", "asyncclient", *map(str, arguments)]
    shown = b""
    with terminal(columns) as (outer, inner):
        process = subprocess.Popen(command, cwd=ROOT, stdin=inner, stdout=inner, stderr=inner, env=variables)
        while process.poll() is None or select.select([outer], [], [], 0)[0]:
            if select.select([outer], [], [], 0.05)[0]:
                shown += os.read(outer, 65536)
        process.wait(TIMEOUT)
    return shown.decode().replace("\r\n", "\n")


def read_until(terminal: int, pattern: str) -> str:
    """Return the first group of the pattern when it is shown, or all of the match; escape sequences are left out."""
    shown, deadline = b"", time.monotonic() + TIMEOUT
    while True:
        text = ESCAPE.sub("", shown.decode(errors="replace"))
        if match := re.search(pattern, text):
            return match[match.re.groups and 1]
        ready = select.select([terminal], [], [], max(deadline - time.monotonic(), 0))[0]
        assert ready, f"expected {pattern!r}, got {text!r}"
        shown += os.read(terminal, 65536)
