"""The metadata is for users, and SECURITY.md states the limits and defaults of the code."""

import inspect
import re
import tomllib
from dataclasses import asdict
from typing import Any

import pytest

from asyncclient import Client, CookieJar, Limits, PoolLimits, Timeout
from asyncclient.client.content import decoding
from tests.servers import ROOT

METADATA: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS: dict[str, list[str]] = METADATA["project"]["optional-dependencies"]
GROUPS: dict[str, list[Any]] = METADATA["dependency-groups"]
ROW = re.compile(r"^\| `(\w+)\.(\w+)` \| (\S+) \|", re.MULTILINE)
LIMITS = {(owner, name): value for owner, name, value in ROW.findall((ROOT / "SECURITY.md").read_text())}


def _list_defaults(owner: Any) -> dict[str, Any]:
    return {name: parameter.default for name, parameter in inspect.signature(owner).parameters.items()}


DEFAULTS = {
    "Limits": asdict(Limits()),
    "PoolLimits": asdict(PoolLimits()),
    "Timeout": asdict(Timeout()),
    "Client": _list_defaults(Client),
    "CookieJar": _list_defaults(CookieJar),
    "decoding": vars(decoding),
}


@pytest.mark.parametrize(("owner", "name"), LIMITS)
def test_the_table_of_limits_has_the_defaults(owner: str, name: str) -> None:
    assert LIMITS[owner, name] == str(DEFAULTS[owner][name])


@pytest.mark.parametrize("owner", ["Limits", "PoolLimits", "Timeout"])
def test_the_table_of_limits_is_complete(owner: str) -> None:
    assert {name for found, name in LIMITS if found == owner} == DEFAULTS[owner].keys()


def test_the_extra_all_has_every_other() -> None:
    (requirement,) = EXTRAS["all"]
    named = requirement.removeprefix("asyncclient-http[").removesuffix("]").split(",")
    assert named == sorted(EXTRAS.keys() - {"all"})


def test_the_page_of_installation_names_every_extra() -> None:
    rows = re.findall(r"^\| (`[^|]*`) \|", (ROOT / "docs" / "install.md").read_text(), re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(EXTRAS)


def test_the_needs_of_developers_are_not_published() -> None:
    assert {"test", "lint", "docs", "bench", "niquests", "libraries", "check", "dist", "audit"} <= GROUPS.keys()
    assert not {"test", "lint", "docs", "bench", "niquests", "libraries", "check"} & EXTRAS.keys()


def test_the_makefile_installs_groups_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = {*re.findall(r"\$\(HAS\)(\w+)", makefile), *re.findall(r"/\.installed-(\w+)", makefile)}
    assert named
    assert named <= GROUPS.keys()


def test_the_workflow_runs_the_checks_of_a_change() -> None:
    workflow = (ROOT / ".github" / "workflows" / "check.yml").read_text()
    assert {"ubuntu-latest", "macos-latest", "windows-latest"} <= {*re.findall(r"\w+-latest", workflow)}
    assert "run: .ci/run\n" in workflow
    assert set(re.findall(r"--group (\w+)", workflow)) <= GROUPS.keys()


def test_the_files_of_the_sdist_exist() -> None:
    paths = METADATA["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert [path for path in paths if not (ROOT / path.lstrip("/")).exists()] == []
