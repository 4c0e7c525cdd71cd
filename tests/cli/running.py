"""Running the command in the process of a test, and as a process."""

import subprocess
import sys
from typing import NamedTuple

import pytest

from asyncclient.cli import main
from tests.servers import ROOT, TIMEOUT


class Result(NamedTuple):
    code: int
    output: bytes
    errors: str


class Command:
    """The command with captured output; a call returns exit code, output and errors."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture

    def __call__(self, *arguments: object) -> Result:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit:
            code = exit.code if isinstance(exit.code, int) else 1
        output, errors = self._capture.readouterr()
        return Result(int(code), output, errors.decode())


def run_process(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process."""
    command = [sys.executable, "-m", "asyncclient", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=TIMEOUT, check=False, **options)  # type: ignore[call-overload, no-any-return]  # any options


def reply(content: bytes = b"", *fields: str, status: str = "200 OK") -> bytes:
    """Return a response with Content-Length."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *fields, "", ""]
    return "\r\n".join(head).encode() + content
