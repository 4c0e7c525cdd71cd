"""The public interface is the recorded one, and its modules give type checkers the names that they have at run time."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

from tests.api_surface import MODULES, RECORD, list_surface
from tests.servers import ROOT

SOURCES = [path for top in ("asyncclient", "compat") for path in (ROOT / top).rglob("*.py")]
LAZY = [path for path in SOURCES if "def __getattr__(name: str)" in path.read_text()]


def test_the_public_interface_is_the_recorded_one() -> None:
    recorded, actual = RECORD.read_text().splitlines(), list_surface()
    added, removed = sorted({*actual} - {*recorded}), sorted({*recorded} - {*actual})
    assert (added, removed) == ([], []), "intended? then record it: python -m tests.api_surface"


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_exists(name: str) -> None:
    module = import_module(name)
    assert [public for public in module.__all__ if not hasattr(module, public)] == []
    assert len({*module.__all__}) == len(module.__all__)


@pytest.mark.parametrize("path", LAZY, ids=[str(path.relative_to(ROOT)) for path in LAZY])
def test_a_type_checker_sees_no_getattr_of_a_module(path: Path) -> None:
    functions = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
    assert "__getattr__" not in functions


@pytest.mark.parametrize("name", ["asyncclient", "asyncclient.crawl"])
def test_a_type_checker_sees_the_names_that_are_imported_on_first_use(name: str) -> None:
    module = import_module(name)
    path = module.__file__
    assert path is not None
    seen = {
        alias.name: node.module
        for block in ast.parse(Path(path).read_text()).body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert {public: seen.get(public) for public in module._HOMES} == module._HOMES
