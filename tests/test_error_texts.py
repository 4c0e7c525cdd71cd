"""Texts of errors are bounded, whatever a peer sends."""

import socket
from typing import Any

import pytest

from asyncclient import BadStatusLine, Client, ConnectError, StaticResolver, StatusError, UnknownProtocol
from asyncclient.errors import MAX_TEXT, ProtocolError, join_errors
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
