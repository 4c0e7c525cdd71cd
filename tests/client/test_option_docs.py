"""help() of the methods of both clients lists every option, with the type and the default that it has."""

import inspect
import re
from typing import Any

import pytest

import asyncclient
import compat
from asyncclient import Request
from asyncclient.client.request import REQUEST_OPTIONS, Choices, Options

METHODS = {"get", "head", "options", "post", "put", "patch", "delete"}
METHODS |= {"request", "stream", "events", "websocket", "download", "build_request"}
ROW = re.compile(r"^    (\w+) \((.+) = (.+)\):\n        \S", re.MULTILINE)
CLIENTS = (asyncclient.Client, compat.Client)


def _list_rows(method: Any) -> dict[str, tuple[str, str]]:
    return {name: (kind, default) for name, kind, default in ROW.findall(inspect.getdoc(method) or "")}


@pytest.mark.parametrize("client", CLIENTS)
def test_every_method_with_options_is_tested_here(client: type) -> None:
    functions = dict(inspect.getmembers(client, inspect.isfunction))
    taking = {name for name, found in functions.items() if "options" in inspect.signature(found).parameters}
    assert taking == METHODS


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", sorted(METHODS))
def test_help_lists_every_option(client: type, name: str) -> None:
    own = {"progress"} if name == "download" else set()
    assert [*_list_rows(getattr(client, name))] == sorted(REQUEST_OPTIONS - own)


def test_help_shows_the_types() -> None:
    shown = {name: kind for name, (kind, _) in _list_rows(asyncclient.Client.get).items()}
    real = {name: found.__forward_arg__ for name, found in Options.__annotations__.items()}
    assert shown == {name: text.replace("Unset | ", "") for name, text in real.items()}


def test_help_shows_the_defaults() -> None:
    shown = {name: default for name, (_, default) in _list_rows(compat.Client.post).items()}
    of_client = {name for name, default in shown.items() if default == "the client's"}
    assert of_client == {"auth", "timeout", "max_body_size", "follow_redirects"}
    assert shown.pop("json") == "not set"
    real = {**(Request.__init__.__kwdefaults__ or {}), **Choices._field_defaults}
    assert {name: default for name, default in shown.items() if name not in of_client} == {
        name: repr(real[name]) for name in shown if name not in of_client
    }


@pytest.mark.parametrize("client", CLIENTS)
def test_a_download_is_not_decoded_by_default(client: Any) -> None:
    assert _list_rows(client.download)["decode"][1] == "False"


@pytest.mark.parametrize("client", CLIENTS)
def test_the_text_of_a_method_is_before_the_list(client: Any) -> None:
    text = inspect.getdoc(client.get) or ""
    assert text.startswith("GET a URL, and return the Response with its content read.\n\n")
    assert "is called.\n\nKeyword Args:\n" in text
