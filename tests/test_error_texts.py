"""Texts of errors are bounded, whatever a peer sends, and tracebacks name public classes."""

import copy
import json
import pickle
import pkgutil
import socket
import traceback
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

import asyncclient
from asyncclient import BadStatusLine, Client, ConnectError, StaticResolver, StatusError, UnknownProtocol
from asyncclient.errors import MAX_TEXT, ProtocolError, join_errors, show_count
from asyncclient.testing import RawServer
from tests.connection.conversations import reply

LONG = "x" * 100_000


async def test_the_error_for_2000_failed_addresses_is_short() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # nothing listens there
        port = unused.getsockname()[1]
        addresses = [f"127.{n // 250}.{n % 250}.1" for n in range(2000)]
        async with Client(resolver=StaticResolver({"many.example": addresses})) as client:
            with pytest.raises(ConnectError, match=r"; and 1997 more \(GET ") as raised:
                await client.get(f"http://many.example:{port}/")
    assert len(raised.value.attempts) == 2000
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize(
    "error",
    [ProtocolError(LONG), BadStatusLine(LONG), UnknownProtocol(LONG), ConnectError(join_errors([OSError(LONG)] * 9))],
)
def test_no_text_is_longer_than_its_bound(error: Any) -> None:
    assert len(str(error)) <= MAX_TEXT


async def test_a_long_reason_is_cut() -> None:
    answer = reply(b"", status=b"500 " + b"x" * 60_000)
    with RawServer.replying(answer) as server:
        async with Client() as client:
            response = await client.get(server.url)
    assert len(response.reason) == 60_000
    with pytest.raises(StatusError) as raised:
        response.raise_for_status()
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("errors", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b", "c"], "a; b; c"),
        (["a", "b", "c", "d", "e"], "a; b; c; and 2 more"),
        (["y" * 200], "y" * 157 + "..."),
    ],
)
def test_errors_are_joined_into_one_text(errors: list[object], text: str) -> None:
    assert join_errors(errors) == text


def test_a_number_has_its_noun() -> None:
    assert [show_count(number, "redirect") for number in (0, 1, 2)] == ["0 redirects", "1 redirect", "2 redirects"]


PUBLIC = ("", ".crawl", ".cache", ".politeness", ".testing", ".contrib.dask")
"""Modules whose names are the interface."""

CAUGHT = {
    "asyncclient.crawl.warc.archive.ArchiveFull",  # the archive begins a new file
    "asyncclient.exchange.tunnel.AuthenticationContinues",  # the dial connects again
    "asyncclient.politeness.place.Postponed",  # the request goes back to the queue
    "asyncclient.testing.routes.Refused",  # the demo server answers with its status
    "asyncclient.cli.exits.CommandError",  # printed as a line
    "asyncclient.contrib.dask.crew._Lost",  # handled by the crew
    "asyncclient.message.lenient.InvalidLength",  # compat raises http.client's
}
"""Exceptions that no user sees."""


def list_exceptions() -> Iterator[type[BaseException]]:
    """Yield the exception classes that the modules of the package define."""
    for module in pkgutil.walk_packages(asyncclient.__path__, "asyncclient."):
        if not module.name.endswith("__main__"):
            yield from filter(is_exception_of_ours, vars(import_module(module.name)).values())


def is_exception_of_ours(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException) and value.__module__.startswith("asyncclient")


def test_each_exception_has_the_name_of_a_public_one() -> None:
    modules = [import_module(f"asyncclient{name}") for name in PUBLIC]
    public = {getattr(module, name) for module in modules for name in dir(module) if name[0].isupper()}
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in public if isinstance(kind, type)}
    found = {f"{kind.__module__}.{kind.__qualname__}" for kind in list_exceptions()}
    assert len(found) > 40
    assert found - names == CAUGHT


@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
async def test_malformed_json_is_shown_by_its_public_name(again: Any) -> None:
    with RawServer.replying(reply(b"{", b"Content-Type: application/json")) as server:
        async with Client() as client:
            response = await client.get(server.url)
    with pytest.raises(asyncclient.InvalidJSON) as raised:
        response.json()
    for error in (raised.value, again(raised.value)):
        assert traceback.format_exception_only(error)[-1].startswith("asyncclient.errors.InvalidJSON: invalid JSON")
        assert repr(error).startswith("InvalidJSON(")
        assert isinstance(error, json.JSONDecodeError)
        assert (str(error), error.pos, error.doc) == (str(raised.value), 1, "{")
