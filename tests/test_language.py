"""Docstrings, comments, pages and names are in plain technical English, as far as patterns can tell (CONTRIBUTING.md).

CLEAN lists the folders and files that are held to it: add a folder here when it has been rewritten.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ROOT

CLEAN = ["asyncclient", "benchmarks", "compat", "CHANGELOG.md", "docs", "examples", "README.md", "tests"]

PROSE = {
    "a person as the subject of a sentence": r"who|whoever|whomever|nobody|somebody|anybody|everybody",
    "a person's pronoun for a task": r"he|him|himself|his",
    "a clause without a noun": r"what(?:ever)? (?:came|comes|has come|is asked|was asked|was sent|is sent|waits)",
    "'is none' for 'is not set' or 'is invalid'": r"(?<!there )(?:is|are|was|were) none",
    "'is no X' for 'is not an X'": r"(?<![Tt]here )(?:is|are) no (?!longer\b|more\b)\w+",
    "a word that the glossary replaces": r"unasked|heed(?:s|ed)?|uncoded|logs? in|logg(?:ed|ing) in|parted by|besides",
    "a literary word": r"anew|in vain|thereof|hence|whence|counts more|of no use",
}
IN_PROSE = re.compile("|".join(rf"(?P<_{number}>\b(?:{words})\b)" for number, words in enumerate(PROSE.values())))
HEADLESS = re.compile(r"\W*Wh(?:at|o) (?!if\b|to\b)")
IN_NAMES = re.compile(
    r"(?:^|_)(?:who|whoever|whose|what|whatever|nobody|somebody|anybody|he|him|his|is_none|are_none|unasked)(?:_|$)"
    r"|(?<!there)_(?:is|are)_no_|^test_(?:r\d+|\d\d)_"
    r"|(?:^|_)(?:anew|came|comes?|told|said|parted|welcome|heeds?|goes_out|go_out|given_up|gives_up|counts?_more|looked_at"
    r"|in_vain|for_ever|in_spite_of|all_the_same|strangers?)(?:_|$)"
)
NAME = re.compile(r"^\s*(?:async )?(?:def|class) (\w+)", re.MULTILINE)


def files_of(name: str) -> list[Path]:
    path = ROOT / name
    return (
        [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in (".py", ".md", ".rst"))
    )


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line numbers and texts of the docstrings and comments of a module, or the lines of a page."""
    source = path.read_text()
    if path.suffix != ".py":
        yield from enumerate(source.splitlines(), 1)
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, " ".join(node.value.value.split())
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def faults_of(path: Path) -> Iterator[str]:
    source = path.read_text()
    for name in NAME.findall(source):
        if IN_NAMES.search(name):
            yield f"{path.relative_to(ROOT)}: the name {name}"
    if not IN_PROSE.search(source) and "What " not in source:  # much faster than parsing
        return
    for line, text in texts_of(path):
        if found := IN_PROSE.search(text):
            reason = list(PROSE)[int((found.lastgroup or "_0")[1:])]
            yield f"{path.relative_to(ROOT)}:{line}: {found.group()!r}: {reason}"
        elif path.suffix == ".py" and HEADLESS.match(text):
            yield f"{path.relative_to(ROOT)}:{line}: begins with a clause instead of a noun"


@pytest.mark.parametrize("name", CLEAN)
def test_text_is_plain(name: str) -> None:
    assert [fault for path in files_of(name) for fault in faults_of(path)] == []


@pytest.mark.parametrize(
    "text",
    [
        "Return who waits.",
        "The place goes to nobody.",
        "The task is cancelled; he passes it on.",
        "Keep what came.",
        "None if there is none, or the value is none.",
        "An error for what is no URL.",
        "Drop unasked bytes.",
        "The file is opened anew each time.",
    ],
)
def test_old_phrases_are_found(text: str) -> None:
    assert IN_PROSE.search(text)


@pytest.mark.parametrize(
    "name", ["test_the_body_goes_out", "test_bytes_that_came", "_is_none", "test_r7_x", "tell_him"]
)
def test_old_names_are_found(name: str) -> None:
    assert IN_NAMES.search(name)


@pytest.mark.parametrize(
    "text", ["There is no proxy.", "is no longer open", "a client whose loop is closed", "the other"]
)
def test_plain_phrases_are_accepted(text: str) -> None:
    assert not IN_PROSE.search(text)
