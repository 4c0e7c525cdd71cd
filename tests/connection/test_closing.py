"""How a connection is opened, closed and opened again: by close(), by an error, by the garbage collector."""

import asyncio
import gc
import itertools
import threading
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asyncclient import ConnectError, HTTPConnection, HTTPException, HTTPSConnection, NotConnected
from asyncclient.testing import RawConnection, RawServer
from tests.connection.conversations import (
    MEBIBYTE,
    OK,
    connection_to,
    connection_with_replies,
    echo_target,
    fetch,
    reply,
    start_exchange,
    wait_for_event,
)
from tests.durations import STALL
from tests.servers import Certificates

Step = Callable[[HTTPConnection], Awaitable[object]]


async def begin_head(connection: HTTPConnection) -> None:
    connection.putrequest("GET", "/first")


async def send_request(connection: HTTPConnection) -> None:
    await connection.request("GET", "/first")


async def leave_idle(connection: HTTPConnection) -> None:
    """Leave the connection idle."""


async def test_auto_open_off() -> None:
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            connection.auto_open = False
            with pytest.raises(NotConnected):
                await connection.request("GET", "/")
            await connection.connect()
            assert await fetch(connection, url="/a") == (200, b"/a")
        assert server.accepted == 1


async def test_explicit_connect_opens_once() -> None:
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            await connection.connect()
            assert await fetch(connection, url="/a") == await fetch(connection, url="/a") == (200, b"/a")
        assert server.accepted == 1


@pytest.mark.parametrize("name", ["close", "aclose"])
@pytest.mark.parametrize("state", [leave_idle, begin_head, send_request, start_exchange])
async def test_request_after_closing_opens_a_connection(name: str, state: Step) -> None:
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            await fetch(connection)
            await state(connection)
            closing = getattr(connection, name)()
            if closing is not None:
                await closing
            assert await fetch(connection, url="/next") == (200, b"/next")
        assert server.accepted == 2


async def test_closing_twice_and_before_opening() -> None:
    async with connection_with_replies(OK) as connection:
        connection.close()
        await connection.aclose()
        assert await fetch(connection) == (200, b"ok")
        await connection.aclose()
        await connection.aclose()
        connection.close()


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/2.0 200 OK\r\n\r\n", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nbad line\r\n\r\n", b"HTTP/1.1 200"],
)
async def test_request_after_a_failed_response_opens_a_connection(answer: bytes) -> None:
    turns = iter([answer, OK])

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(next(turns))

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            with pytest.raises(HTTPException):
                await fetch(connection)
            assert await fetch(connection) == (200, b"ok")
        assert server.accepted == 2


async def test_refused_connection_is_an_error_with_its_attempts() -> None:
    with RawServer(echo_target) as server:
        pass
    connection = connection_to(server)
    for _ in range(2):
        with pytest.raises(ConnectError, match=str(server.port)) as raised:
            await connection.request("GET", "/")
        assert [type(error) for error in raised.value.attempts] == [ConnectionRefusedError]


# close() while another task waits


def hold_after_head(peer: RawConnection) -> None:
    peer.read_head()
    peer.hold()


def send_half(peer: RawConnection) -> None:
    peer.read_head()
    peer.send(reply(b"half")[:-2])
    peer.hold()


async def upload(connection: HTTPConnection) -> None:
    await connection.request("POST", "/", itertools.repeat(bytes(MEBIBYTE)))


async def read_all(connection: HTTPConnection) -> None:
    await (await start_exchange(connection)).read()


@pytest.mark.parametrize("name", ["close", "aclose"])
@pytest.mark.parametrize(
    ("script", "step"), [(RawConnection.hold, upload), (hold_after_head, start_exchange), (send_half, read_all)]
)
async def test_close_ends_the_wait_of_another_task(script: Any, step: Step, name: str) -> None:
    with RawServer(script) as server:
        async with connection_to(server) as connection:
            task = asyncio.ensure_future(step(connection))
            await asyncio.wait((task,), timeout=0.1)  # it must not end by itself
            await asyncio.wait_for(closed_by(connection, name), STALL)
            with pytest.raises(NotConnected):
                await asyncio.wait_for(task, STALL)


async def closed_by(connection: HTTPConnection, name: str) -> None:
    closing = getattr(connection, name)()
    if closing is not None:
        await closing


@pytest.mark.parametrize("kind", ["handshake", "tunnel"])
@pytest.mark.parametrize("name", ["close", "aclose"])
async def test_close_ends_an_opening_that_hangs(tls: Certificates, name: str, kind: str) -> None:
    reached = threading.Event()

    def handler(peer: RawConnection) -> None:
        peer.read(1)
        reached.set()
        peer.hold()

    with RawServer(handler) as server:
        context = tls.client_context()
        connection = (
            connection_to(server)
            if kind == "tunnel"
            else HTTPSConnection(server.host, server.port, 10, context=context)
        )
        if kind == "tunnel":
            connection.set_tunnel("a.example")
        task = asyncio.create_task(connection.request("GET", "/"))
        await wait_for_event(reached)
        await closed_by(connection, name)
        with pytest.raises(NotConnected):
            await asyncio.wait_for(task, STALL)


# Dropping without close


@pytest.mark.parametrize("step", [fetch, start_exchange, send_request])
async def test_connection_that_is_dropped_warns_once_and_frees_its_socket(step: Step) -> None:
    ended = threading.Event()

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(OK)
        peer.wait_closed()
        ended.set()

    with RawServer(handler) as server:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            connection = connection_to(server)
            await step(connection)
            del connection
            gc.collect()
            await wait_for_event(ended)
            gc.collect()
        assert [warning.category for warning in caught] == [ResourceWarning]
        assert "unclosed <HTTPConnection" in str(caught[0].message)


async def test_connection_that_was_closed_does_not_warn() -> None:
    async with connection_with_replies(OK) as connection:
        await fetch(connection)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del connection
        gc.collect()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([b"Connection: close"], "the response has Connection: close, or is HTTP/1.0 without keep-alive"),
        ([b"Transfer-Encoding: chunked"], "another recipient may find another end of the content"),
    ],
)
async def test_repr_says_why_the_connection_ends(fields: list[bytes], reason: str) -> None:
    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(reply(b"0\r\n\r\n", *fields))
        peer.wait_closed()

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection)
            assert repr(connection).endswith(f" open, response not read yet ({reason})>")
            assert repr(connection._wire).endswith(f" response not read yet ({reason})>")
            await response.read()
            assert repr(connection).endswith(f" closed, idle ({reason})>")
            await connection.connect()
            assert repr(connection).endswith(" open, idle>")
