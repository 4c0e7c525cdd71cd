"""The pages list every option with its default, and the site cuts off no line of their code."""

import ast
import builtins
import inspect
import re
import runpy
import symtable
import textwrap
from collections.abc import Iterator
from itertools import chain, dropwhile, takewhile
from pathlib import Path
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
PAGES = [*DOCS.glob("*.md"), *ROOT.glob("*.md")]
WITH_CODE = sorted(path for path in DOCS.iterdir() if path.suffix in (".md", ".rst"))
INCLUDE = re.compile(r"^(?:```\{literalinclude\}|\.\. literalinclude::) \.\./examples/(\w+)\.py\n((?: *:.*\n)*)", re.M)
FENCED = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
KNOWN = {*dir(builtins), "__name__", "__doc__"}
TEXTS = sorted({*PAGES, *WITH_CODE})
# Names that stand for values of the reader in a block that is not a program.
OF_THE_READER = {"client", "path", "target"}


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_of_a_page_is_not_cut_off(page: Path) -> None:
    blocks = re.findall(r"^```(.*?)\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    code = "".join(code for kind, code in blocks if not kind.startswith("{"))
    assert [line for line in code.splitlines() if len(line) > COLUMNS] == []


@pytest.mark.parametrize("page", [*DOCS.glob("*.rst")], ids=lambda page: page.name)
def test_code_of_a_page_in_rst_is_not_cut_off(page: Path) -> None:
    blocks = re.findall(r"^\.\. code-block::.*\n\n((?:   .*\n|\n)+)", page.read_text(), re.MULTILINE)
    lines = [line.removeprefix("   ") for block in blocks for line in block.splitlines()]
    assert [line for line in lines if len(line) > COLUMNS] == []


@pytest.mark.parametrize("path", [*(ROOT / "examples").glob("*.py")], ids=lambda path: path.name)
def test_code_of_an_example_is_not_cut_off(path: Path) -> None:
    assert [line for line in path.read_text().splitlines() if len(line) > COLUMNS] == []


def _cut_out(source: str, options: dict[str, str]) -> str:
    """Return the lines of an example that a page includes."""
    lines = source.splitlines(keepends=True)
    if name := options.pop("pyobject", ""):
        (node,) = [node for node in ast.parse(source).body if getattr(node, "name", "") == name]
        lines = lines[node.lineno - 1 : node.end_lineno]
    first, end = options.pop("start-at", ""), options.pop("end-before", None)
    assert options == {}
    rest = list(dropwhile(lambda line: first not in line, lines))
    return "".join(rest if end is None else takewhile(lambda line: end not in line, rest))


def _included_code(page: str) -> dict[str, str]:
    """Return what a page shows of each example, joined in the order of the page."""
    code: dict[str, str] = {}
    for example, lines in INCLUDE.findall(page):
        options = dict(re.findall(r":([\w-]+): *(.*)", lines))
        code[example] = code.get(example, "") + _cut_out((ROOT / f"examples/{example}.py").read_text(), options)
    return code


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    yield from chain.from_iterable(map(_tables, table.get_children()))


def _find_undefined(code: str) -> set[str]:
    """Return the names that some code uses, and neither defines nor imports."""
    module = symtable.symtable(code, "page", "exec")
    defined = {symbol.get_name() for symbol in module.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    used = {
        symbol.get_name()
        for table in _tables(module)
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (table is module or symbol.is_global())
    }
    return used - defined - KNOWN


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_examples_of_a_page_have_their_imports(page: Path) -> None:
    undefined = {name: _find_undefined(code) for name, code in _included_code(page.read_text()).items()}
    assert undefined == {name: set() for name in undefined}


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_code_of_a_page_has_its_imports(page: Path) -> None:
    text = page.read_text()
    code = textwrap.indent("".join(FENCED.findall(text)), "    ")
    shown = "\n".join(_included_code(text).values())
    assert _find_undefined(f"{shown}\nasync def cells():\n    ...\n{code}") - OF_THE_READER == set()


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_each_link_of_a_page_has_a_text(page: Path) -> None:
    """A code hosting site shows nothing for a link whose text Sphinx would fill in."""
    assert re.findall(r"\[\]\(.*?\)", page.read_text()) == []


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_extras_of_a_page_are_quoted(page: Path) -> None:
    """To zsh a bracket outside of quotes is a pattern, which has to match a file."""
    assert re.findall(r"pip install (?:[^\s`'\"]+ )*[^\s`'\"]*\[.*", page.read_text()) == []


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


SEARCHED = """
authentication: auth, bearer, netrc, OAuth
bodies: json, multipart, data, 100-continue
cancellation: CancelledError, TaskGroup, cancel, shield
client: AsyncClient, ClientSession, Session, base_url
cluster: dask
compat: boto3, botocore, http.client
cookies: Set-Cookie, cookies
crawling: Scrapy, sitemap
downloads: download, resume
event_streams: SSE
fastapi: FastAPI
framing: chunked, request smuggling
from_urllib3: urllib3
jupyter: Jupyter
network: DNS, Docker
observability: OpenTelemetry, logging
politeness: rate limit, robots.txt
pool: TCPConnector, connector, keepalive, max_connections, pool
proxies: SOCKS, proxies
redirects: allow_redirects
responses: raise_for_status, status_code
retries: Retry, backoff, retries
streaming: aiter_bytes, iter_content, stream
testing: VCR, cassette, mock, pytest, respx
threads: threads
timeouts: ClientTimeout, timeout
tls: SSLError, cert, mTLS, verify
uploads: upload
warc: WARC
websocket: websocket
"""


@pytest.mark.parametrize("line", SEARCHED.strip().splitlines())
def test_the_search_finds_a_page_by_the_words_of_other_clients(line: str) -> None:
    """The search looks a word up in the index first; the directives are indented or fenced."""
    name, _, words = line.partition(": ")
    (page,) = DOCS.glob(f"{name}.*")
    entries = re.search(
        r"^(?:\.\. index::|```\{index\})(.*?)(?:\n\n|\n```)", page.read_text(), re.DOTALL | re.MULTILINE
    )
    assert entries
    assert {*words.split(", ")} <= {entry.strip() for entry in re.split(r",\s", entries[1])}
