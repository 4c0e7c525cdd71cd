"""The command on a pseudo-terminal: all that it prints there, and the screen as a terminal shows it."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyte

from tests.servers import ROOT, TIMEOUT

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

OnChange = Callable[[str], object]

VARYING = {
    r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT": "DATE",
    r"(?<=127\.0\.0\.1:)\d+": "PORT",
    r"\b[\d,.]+ [kMG]?B/s\b": "RATE",
    r"\b[\d,.]+( requests)?/s\b": "RATE",
    r"\b[\d,.]+ m?s\b": "TIME",
    r"\b\d:\d\d:\d\d\b": "TIME",
    r"(?<= )[·dc=ts\-█ ]+(?= +\d{3} +TIME)": "BAR",
}
"""Patterns of what differs between two runs, in the order in which they are replaced, and the words in their place."""


def mask(text: str) -> str:
    """Return text with times, dates, rates and bars replaced, and without the blanks that align them."""
    lines = []
    for line in text.splitlines():
        masked = line.rstrip()
        for pattern, word in VARYING.items():
            masked = re.sub(pattern, word, masked)
        lines.append(re.sub(r" +", " ", masked) if masked != line.rstrip() else masked)
    return "\n".join(lines).strip("\n")


@contextmanager
def terminal(columns: int, rows: int = 24) -> Iterator[tuple[int, int]]:
    """Yield both ends of a terminal of this size."""
    outer, inner = os.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    try:
        yield outer, inner
    finally:
        os.close(outer)
        os.close(inner)


@contextmanager
def started(command: str | list[str], inner: int, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process on a terminal; it is killed at the end with the processes that it has started."""
    process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, start_new_session=True, **options)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(TIMEOUT)


def build_environment(**variables: str) -> dict[str, str]:
    """Return the variables of this process without those that decide about the terminal, and with the given ones."""
    unset = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return {**kept, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **variables}


def iter_output(process: subprocess.Popen[bytes], outer: int) -> Iterator[bytes]:
    """Yield all that a process prints until it ends."""
    while process.poll() is None or select.select([outer], [], [], 0)[0]:
        if select.select([outer], [], [], 0.05)[0]:
            yield os.read(outer, 65536)


def run_on_terminal(columns: int, *arguments: object, **environment: str) -> str:
    """Return all that the command prints on a terminal."""
    command = [sys.executable, "-m", "asyncclient", *map(str, arguments)]
    options = {"cwd": ROOT, "env": build_environment(**environment)}
    with terminal(columns) as (outer, inner), started(command, inner, **options) as process:
        shown = b"".join(iter_output(process, outer))
    return shown.decode().replace("\r\n", "\n")


class Screen:
    """A terminal on which commands of the shell run, as a user sees it.

    Args:
        columns, rows: its size.
        folder: where the commands run.
        port: the port of the server that the commands name as 8000.
        on_change: called with the text after each change.
    """

    def __init__(self, columns: int, rows: int, folder: Path, port: int, on_change: OnChange = str) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._size, self._folder, self._port, self._on_change = (columns, rows), folder, port, on_change
        self._variables = build_environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")

    @property
    def text(self) -> str:
        """The text that is shown, without blanks at the ends of lines."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def run(self, command: str, until: str = "") -> str:
        """Run a command until it ends, or until the screen matches; return the text that is shown."""
        options = {"cwd": self._folder, "env": self._variables}
        command = command.replace(":8000", f":{self._port}")
        with terminal(*self._size) as (outer, inner), started(["sh", "-c", command], inner, **options) as process:
            for data in iter_output(process, outer):
                self.feed(data)
                self._on_change(self.text)
                if until and re.search(until, self.text, re.MULTILINE):
                    break
        return self.text

    def feed(self, data: bytes) -> None:
        """Show bytes."""
        self._stream.feed(data.replace(b":%d" % self._port, b":8000"))


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


@contextmanager
def serving() -> Iterator[int]:
    """Yield the port of `asyncclient serve`: a free one, as long as the one that pages show."""
    for port in range(8000, 10_000):
        command = [sys.executable, "-m", "asyncclient", "serve", "--port", str(port)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            try:
                assert process.stdout is not None
                if process.stdout.readline() == b"http://127.0.0.1:%d\n" % port:
                    yield port
                    return
            finally:
                process.kill()
