"""Attributes of other clients' responses, which name ours."""

import copy
import pickle

import pytest

import compat
from asyncclient import Client, Response
from asyncclient.client.other_names import _INSTEAD
from asyncclient.testing import RawServer
from tests.connection.conversations import OK


async def get() -> Response:
    with RawServer.replying(OK) as server:
        async with Client() as client:
            return await client.get(server.url)


def get_blocking() -> compat.Response:
    with RawServer.replying(OK) as server, compat.Client() as client:
        return client.get(server.url)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("status_code", "use status"),
        ("reason_phrase", "use reason"),
        ("is_success", "use ok"),
        ("iter_content", r"use iter_chunks\(size\)"),
        ("aread", r"use read\(\)"),
        ("getheader", r"use headers\.get\(name\)"),
        ("elapsed", r"use timings\.done, in seconds"),
        ("data", "use content"),
    ],
)
async def test_a_name_of_another_client_is_answered_with_ours(name: str, advice: str) -> None:
    for response in (await get(), get_blocking()):
        with pytest.raises(AttributeError, match=f"^'Response' object has no attribute '{name}': {advice}$") as raised:
            getattr(response, name)
        assert (raised.value.name, raised.value.obj) == (name, response)


async def test_each_advice_names_an_attribute() -> None:
    for response in (await get(), get_blocking()):
        for advice in _INSTEAD.values():
            first = advice.replace("(", " ").replace(",", " ").replace(".", " ").split()[0]
            assert hasattr(response, first) or first == "len", advice


async def test_responses_do_not_have_the_names_of_others() -> None:
    for response in (await get(), get_blocking()):
        assert not set(_INSTEAD) & set(dir(response))
        assert {"status", "headers", "json", "close"} <= set(dir(response))
        for name in _INSTEAD:
            assert not hasattr(response, name)
            assert not hasattr(type(response), name)
        for again in (copy.copy(response), pickle.loads(pickle.dumps(response))):
            assert (again.status, again.content) == (200, b"ok")
