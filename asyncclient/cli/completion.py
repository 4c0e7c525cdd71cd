"""Completion for shells, printed by `asyncclient --print-completion SHELL`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from .exits import Exit
from .options import build_parser
from .subcommands import COMMANDS, SUMMARIES

SHELLS: Final = ("bash", "zsh", "fish")

_HOSTS: Final = {"zsh": "_hosts", "fish": "(__fish_print_hostnames)"}

_ZSH_CASES_END: Final = "\n      esac\n"
_ZSH_REQUEST: Final = """
        *) _arguments -C -s "${(@)_shtab_asyncclient_options[1,-3]}" '*: :_files' ;;"""
"""A first word that is not a subcommand begins a request: its options follow, without the last two entries, which are
those of the subcommands."""


def print_completion(arguments: Sequence[str]) -> int:
    """Print the completion for the shell that the arguments name; return the exit code."""
    shell = arguments[0].partition("=")[2] or (arguments[1] if len(arguments) > 1 else "")
    if shell not in SHELLS:
        print(f"asyncclient: expected --print-completion with {', '.join(SHELLS)}, got {shell!r}", file=sys.stderr)
        return Exit.USAGE
    try:
        import shtab  # imported on use: it is an extra
    except ImportError:
        print("asyncclient: completion needs shtab: install asyncclient-http[cli]", file=sys.stderr)
        return Exit.MISSING_EXTRA
    whole = build_whole_parser()
    paths = {"FILE": shtab.FILE, "FILE[:PASSWORD]": shtab.FILE, "PATH": shtab.FILE, "DIR": shtab.DIRECTORY}
    complete_values(whole, {**paths, "URL": _HOSTS})
    script = shtab.complete(whole, shell)
    print(script.replace(_ZSH_CASES_END, _ZSH_REQUEST + _ZSH_CASES_END) if shell == "zsh" else script)
    return Exit.DONE


def build_whole_parser() -> argparse.ArgumentParser:
    """Return a parser with the options of a request and all subcommands, for completion alone."""
    whole = build_parser()
    words = next(action for action in whole._actions if action.dest == "words")
    whole._remove_action(words)
    whole._positionals._group_actions.clear()
    choices = whole.add_subparsers(dest="command", parser_class=argparse.ArgumentParser)
    for name, module in COMMANDS.items():
        parser = importlib.import_module(module).build_parser()
        choices.add_parser(name, parents=[parser], add_help=False, help=SUMMARIES[name])
    return whole


def complete_values(parser: argparse.ArgumentParser, kinds: Mapping[str, object]) -> None:
    """Have the values of options be completed by the names of their metavars, in subcommands, too.

    A colon in a metavar is escaped: after a plain one, zsh expects the name of a function.
    """
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                complete_values(each, kinds)
        elif isinstance(action.metavar, str):
            if action.metavar in kinds:
                vars(action)["complete"] = kinds[action.metavar]
            action.metavar = action.metavar.replace(":", r"\:")
