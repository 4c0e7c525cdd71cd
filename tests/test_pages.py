"""The pages list every option with its default, and no line of their code is cut off by the site."""

import inspect
import re
import runpy
from typing import Any

import pytest

from asyncclient import Client, Limits, PoolLimits, Request, Retry, Timeout, limits
from asyncclient.client import client, response, retries
from asyncclient.client.body.arguments import UNSET
from asyncclient.client.request import REQUEST_OPTIONS, Choices
from tests.servers import ROOT

DOCS = ROOT / "docs"
OPTIONS = (DOCS / "options.md").read_text()
FOR_REQUESTS, FOR_CLIENTS = OPTIONS.split("## Options of a client\n")
ROW = re.compile(r"^\| `(\w+)` \| `?([^|`]+)`? \|", re.MULTILINE)
COLUMNS = 88
NEW_EXAMPLES = ["testing_" + name for name in ("first", "pagination", "fastapi", "flask", "django", "celery")]
NARROW = ["install", "first_request", "first_test", "pagination", "options", "command_help", "request_time"]
NARROW += ["frameworks", "fastapi", "django", "flask", "celery", "jupyter", "threads"]
NARROW += [page.stem for page in DOCS.glob("from_*.md")]


def _list_parameters(owner: Any) -> dict[str, Any]:
    return {name: parameter.default for name, parameter in inspect.signature(owner).parameters.items()}


def _show(default: Any) -> str:
    return '""' if default == "" else str(True) if default is UNSET else repr(default)


def test_every_option_of_a_request_is_listed() -> None:
    rows = dict(ROW.findall(FOR_REQUESTS))
    assert [*rows] == sorted(REQUEST_OPTIONS)


def test_defaults_of_a_request_are_listed() -> None:
    rows, defaults = dict(ROW.findall(FOR_REQUESTS)), _list_parameters(Request) | _list_parameters(Choices)
    stated = {name: text for name, text in rows.items() if text not in ("the client's", "none")}
    assert stated == {name: repr(defaults[name]) for name in stated}


def test_every_option_of_a_client_is_listed_with_its_default() -> None:
    rows, defaults = dict(ROW.findall(FOR_CLIENTS)), _list_parameters(Client)
    assert [*rows] == sorted(defaults)
    values = {name: text for name, text in rows.items() if not text.endswith("s()") and name != "timeout"}
    assert values == {name: _show(defaults[name]) for name in values}


@pytest.mark.parametrize("name", NARROW)
def test_code_of_a_page_is_not_cut_off(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text()
    blocks = re.findall(r"^```(.*?)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    code = "".join(code for kind, code in blocks if not kind.startswith("{"))
    assert [line for line in code.splitlines() if len(line) > COLUMNS] == []


@pytest.mark.parametrize("name", ["first_request", *NEW_EXAMPLES])
def test_code_of_an_example_is_not_cut_off(name: str) -> None:
    _, *code = (ROOT / "examples" / f"{name}.py").read_text().splitlines()
    assert [line for line in code if len(line) > COLUMNS] == []


def test_every_page_is_in_a_section() -> None:
    listed = re.findall(r"^   (?:.*<)?(\w+)>?$", (DOCS / "index.rst").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(
        {page.stem for page in DOCS.iterdir() if page.suffix in (".md", ".rst")} - {"index"}
    )


def test_signatures_show_the_real_defaults() -> None:
    readable = runpy.run_path(str(DOCS / "conf.py"))["READABLE_DEFAULTS"]
    constants = {**vars(limits), **vars(client), **vars(response), **vars(retries)}
    names = {"Limits": Limits, "PoolLimits": PoolLimits, "Retry": Retry, "Timeout": Timeout}
    shown = {name: eval(text, names) for name, text in readable.items() if name != "UNSET"}
    assert shown == {name: constants[name] for name in shown}
