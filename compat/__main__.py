"""Run a script with compat in the place of http.client: `python -m compat script.py args…`, `-m module`, `-c code`."""

from __future__ import annotations

import os
import runpy
import sys

from . import install

_USAGE = "usage: python -m compat [-c code | -m module | script.py] [args…]"


def main(arguments: list[str]) -> None:
    """Install compat, then run what the arguments name as the interpreter itself would."""
    if not arguments or arguments[0] in ("-h", "--help") or (arguments[0] in ("-c", "-m") and len(arguments) < 2):
        sys.exit(_USAGE)
    install()
    first, *rest = arguments
    if first == "-c":
        sys.argv = ["-c", *rest[1:]]
        _run_code(rest[0])
    elif first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = os.path.dirname(os.path.realpath(first))
        runpy.run_path(first, run_name="__main__")


def _run_code(code: str) -> None:
    module = type(sys)("__main__")
    sys.modules["__main__"] = module
    exec(compile(code, "<string>", "exec"), module.__dict__)


if __name__ == "__main__":
    main(sys.argv[1:])
