"""Run a program with compat in the place of http.client: `python -m asyncclient.compat script.py arguments…`."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import PathFinder

from asyncclient.program import run_program

from .install import install

_USAGE = """\
usage: python -m asyncclient.compat [-i] [-c code | -m module | script | -] [args…]
Runs a program with compat in the place of http.client. Options of the interpreter go before the first -m."""


def main() -> None:
    """Install compat, then run the program that the arguments of this process name."""
    run_program(sys.argv[1:], _USAGE, _prepare)


def _prepare() -> None:
    """Install compat. `import compat` gives a module of the program, if it has one; this is asyncclient.compat, too."""
    compat = importlib.import_module("asyncclient.compat")
    found = PathFinder.find_spec("compat", sys.path)
    if found is not None and found.origin != compat.__file__:
        for name in [*sys.modules]:
            if name == "compat" or name.startswith("compat."):
                del sys.modules[name]
    install()


if __name__ == "__main__":
    main()
