"""Completion for shells, printed by `asyncclient --print-completion SHELL`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence

from .exits import Exit
from .options import build_parser
from .subcommands import COMMANDS

SHELLS = ("bash", "zsh", "fish")


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
    complete_paths(whole, {"FILE": shtab.FILE, "PATH": shtab.FILE, "DIR": shtab.DIRECTORY})
    print(shtab.complete(whole, shell))
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
        choices.add_parser(name, parents=[parser], add_help=False, help=parser.description)
    return whole


def complete_paths(parser: argparse.ArgumentParser, kinds: Mapping[str, object]) -> None:
    """Have the values of options be completed by what their metavar names, in subcommands, too."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                complete_paths(each, kinds)
        elif action.metavar in kinds:
            vars(action)["complete"] = kinds[str(action.metavar)]
