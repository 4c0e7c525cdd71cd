"""The pages about the command line show real runs, and its tables are complete."""

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncclient.cli.exits import Exit
from asyncclient.cli.items import parse_words
from asyncclient.cli.options import build_parser
from asyncclient.cli.subcommands import COMMANDS
from docs.pictures import PICTURES, read_text, take
from tests.cli.terminal import Screen, mask, serving
from tests.servers import ROOT

COLUMNS = 88
DOCS = ROOT / "docs"
PAGE = (DOCS / "command_line.md").read_text()
HELP = (DOCS / "command_help.md").read_text()
BLOCKS = "\n".join(re.findall(r"^```\n(\$ .*?\n)```$", f"{PAGE}\n{HELP}", re.DOTALL | re.MULTILINE))
SHOWN = [(command, output) for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", BLOCKS, re.MULTILINE)]
SHOWN = [(command, output) for command, output in SHOWN if output.strip()]
SCREENS = {path.stem: path.read_text() for path in sorted((DOCS / "screens").iterdir())}
WITHOUT_MOMENT = [name for name, picture in PICTURES.items() if not picture.moment]
README = (ROOT / "README.md").read_text()
LINES = [line.split("|")[0] for line in re.findall(r"^\$ asyncclient (.*)$", PAGE + README, re.MULTILINE)]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.mark.full
@pytest.mark.parametrize(("command", "output"), SHOWN, ids=[command for command, _ in SHOWN])
def test_an_output_of_the_page_is_that_of_a_run(command: str, output: str, port: int, tmp_path: Path) -> None:
    until = "^http://127" if " serve " in command else ""
    assert mask(Screen(COLUMNS, 150, tmp_path, port).run(command, until)) == mask(output)


@pytest.mark.full
@pytest.mark.parametrize("name", WITHOUT_MOMENT)
def test_a_picture_is_that_of_a_run(name: str, port: int, tmp_path: Path) -> None:
    assert mask(take(PICTURES[name], tmp_path, port).text) == mask(read_text(SCREENS[name]))


@pytest.mark.parametrize("name", sorted(PICTURES.keys() - WITHOUT_MOMENT))
def test_a_picture_of_a_moment_shows_its_command(name: str) -> None:
    shown = read_text(SCREENS[name])
    assert PICTURES[name].commands[-1] in shown.replace("\n", "")[: COLUMNS * 3]
    assert re.search(PICTURES[name].moment, shown, re.MULTILINE)


@pytest.mark.parametrize("name", SCREENS)
def test_a_picture_needs_nothing_of_another_server(name: str) -> None:
    assert re.findall(r"@font-face|@import|href|url\((?!#)|<script", SCREENS[name]) == []
    assert all(found.startswith(f"screen-{name}") for found in re.findall(r'\bid="([^"]*)"', SCREENS[name]))


def test_each_picture_is_shown_with_a_text() -> None:
    pages = PAGE + HELP + (DOCS / "request_time.md").read_text()
    assert sorted(re.findall(r"^!\[.{20,}\]\(screens/(\w+)\.svg\)$", pages, re.MULTILINE)) == sorted(SCREENS)
    assert SCREENS.keys() == {*PICTURES, "waterfall"}


def test_the_help_of_every_subcommand_is_shown() -> None:
    found = re.findall(r"^\$ asyncclient ?(\w*) --help$", HELP, re.MULTILINE)
    assert sorted(found) == sorted(["", *COMMANDS])


@pytest.mark.parametrize(
    ("first", "second", "is_equal"),
    [
        ("a 1.5 ms\nb  2", "a 20.0 ms\nb  2", True),
        ("Date: Sun, 29 Nov 2026 14:20:31 GMT", "Date: Mon, 30 Nov 2026 14:20:32 GMT", True),
        ("GET /a ddcs--█  200   1.0 ms", "GET /a c-███████  200  31.0 ms", True),
        ("GET /a ddcs--█  200   1.0 ms", "GET /a ddcs--█  404   1.0 ms", False),
        ("5 bytes", "6 bytes", False),
        ("status 200: 50", "status 200: 51", False),
    ],
)
def test_runs_are_compared_without_times(first: str, second: str, is_equal: bool) -> None:
    assert (mask(first) == mask(second)) == is_equal


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
