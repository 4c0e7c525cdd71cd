"""The command: the first word chooses a subcommand, otherwise the arguments describe a request."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final, cast

from ..version import __version__
from .exits import Exit
from .subcommands import COMMANDS

REQUEST: Final = "asyncclient.cli.request"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    _open_closed_streams()
    given = sys.argv[1:] if arguments is None else [*arguments]
    try:
        status = _run(given)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has ended: not worth a message
        _discard_output()
        return Exit.WRITE
    return status


def _run(given: list[str]) -> int:
    if given[:1] == ["--version"]:
        print(f"asyncclient {__version__}")
        return 0
    if given and given[0].startswith("--print-completion"):
        from .completion import print_completion  # imported on use: it needs the extra

        return print_completion(given)
    if given[:1] == ["help"]:
        given = [*given[1:], "--help"]
    name = given[0] if given else ""
    if name in COMMANDS:
        return _load(COMMANDS[name])(given[1:])
    return _load(REQUEST)(given)


def _load(module: str) -> Callable[[Sequence[str]], int]:
    return cast(Callable[[Sequence[str]], int], importlib.import_module(module).main)


def _open_closed_streams() -> None:
    """Replace closed standard streams by the null device, so that no socket gets their descriptors."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  (open until the process ends)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Let the interpreter flush its buffers into nothing when it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(null, stream.fileno())
        except (OSError, ValueError):  # it has no descriptor
            continue
    os.close(null)
