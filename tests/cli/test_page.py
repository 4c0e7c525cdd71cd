"""The commands of the page about the command line are accepted, and its table of exit codes is complete."""

import importlib
import re
import shlex

import pytest

from asyncclient.cli.exits import Exit
from asyncclient.cli.items import parse_words
from asyncclient.cli.options import build_parser
from asyncclient.cli.subcommands import COMMANDS
from tests.servers import ROOT

PAGE = (ROOT / "docs" / "command_line.md").read_text()
LINES = [line.split("|")[0] for line in re.findall(r"^\$ asyncclient (.*)$", PAGE, re.MULTILINE)]


@pytest.mark.parametrize("line", [line for line in LINES if "--follow" not in line])
def test_a_command_of_the_page_is_accepted(line: str) -> None:
    name, *rest = shlex.split(line)
    if name in COMMANDS:
        assert importlib.import_module(COMMANDS[name]).build_parser().parse_args(rest)
    else:
        options = build_parser().parse_intermixed_args([name, *rest])
        assert parse_words(options.words).url.startswith("localhost:")


def test_the_page_has_all_exit_codes() -> None:
    rows = re.findall(r"^\| (?:\d+ \| .* \| )*.*$", PAGE[PAGE.index("| exit code |") :], re.MULTILINE)
    found = {int(cell) for row in rows for cell in row.split("|") if cell.strip().isdigit()}
    assert found == set(map(int, Exit))


def test_the_page_has_all_subcommands_and_letters() -> None:
    assert all(f"| `asyncclient {name} " in PAGE for name in COMMANDS)
    table = PAGE[PAGE.index("## Options") : PAGE.index("## Files")]
    letters = {option for action in build_parser()._actions for option in action.option_strings if len(option) == 2}
    assert {letter for letter in letters - {"-h", "-E"} if f"`{letter}" not in table} == set()
