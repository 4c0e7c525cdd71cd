"""The state machine: the calls that are allowed in each state, by which task and on which loop, and a new beginning."""

import asyncio
import gc
import threading
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asyncclient import (
    CannotSendHeader,
    CannotSendRequest,
    HTTPConnection,
    ImproperConnectionState,
    ResponseNotReady,
)
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
)

Step = Callable[[HTTPConnection], Awaitable[object]]


async def leave_idle(connection: HTTPConnection) -> None:
    """Leave the connection idle."""


async def begin_head(connection: HTTPConnection) -> None:
    connection.putrequest("GET", "/first")


async def send_request(connection: HTTPConnection) -> None:
    await connection.request("GET", "/first")


async def put_field(connection: HTTPConnection) -> None:
    connection.putheader("A", "1")


CALLS: dict[str, Step] = {
    "request": lambda connection: connection.request("GET", "/wrong"),
    "putrequest": begin_head,
    "putheader": put_field,
    "endheaders": lambda connection: connection.endheaders(),
    "send": lambda connection: connection.send(b"wrong"),
    "getresponse": lambda connection: connection.getresponse(),
}
STATES: dict[str, Step] = {"idle": leave_idle, "head": begin_head, "sent": send_request, "content": start_exchange}
REFUSED = [
    *(("idle", name, CannotSendHeader) for name in ("putheader", "endheaders")),
    ("idle", "send", CannotSendRequest),
    ("idle", "getresponse", ResponseNotReady),
    *(("head", name, CannotSendRequest) for name in ("request", "putrequest", "send")),
    ("head", "getresponse", ResponseNotReady),
    *(("sent", name, CannotSendRequest) for name in ("request", "putrequest")),
    *(("sent", name, CannotSendHeader) for name in ("putheader", "endheaders")),
    *(("content", name, CannotSendRequest) for name in ("request", "putrequest", "send")),
    *(("content", name, CannotSendHeader) for name in ("putheader", "endheaders")),
    ("content", "getresponse", ResponseNotReady),
]


@pytest.mark.parametrize(("state", "call", "error"), REFUSED)
async def test_call_in_the_wrong_state_is_refused_and_harms_nothing(
    state: str, call: str, error: type[ImproperConnectionState]
) -> None:
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            prepared = await STATES[state](connection)
            with pytest.raises(error):
                await CALLS[call](connection)
            if state == "head":
                await connection.endheaders()
            if state in ("head", "sent"):
                prepared = await connection.getresponse()
            if prepared is not None:
                assert await prepared.read() == (b"/" if state == "content" else b"/first")  # type: ignore[attr-defined]
            assert await fetch(connection, url="/next") == (200, b"/next")
        assert server.accepted == 1


async def test_next_request_waits_for_the_response_to_be_read() -> None:
    async with connection_with_replies(reply(b"abc"), OK) as connection:
        response = await start_exchange(connection)
        for amount in (1, 1):
            with pytest.raises(CannotSendRequest):
                await connection.request("GET", "/")
            await response.read(amount)
        assert await response.read() == b"c"
        assert await fetch(connection) == (200, b"ok")


async def test_response_without_content_frees_the_connection_at_once() -> None:
    async with connection_with_replies(reply(b""), OK) as connection:
        response = await start_exchange(connection)
        assert await fetch(connection) == (200, b"ok")
        assert await response.read() == b""


async def test_send_beyond_the_declared_length_is_refused() -> None:
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            connection.putrequest("POST", "/")
            connection.putheader("Content-Length", 3)
            await connection.endheaders()
            await connection.send(b"ab")
            with pytest.raises(ValueError, match="declared"):
                await connection.send(b"cd")
            assert await fetch(connection, url="/next") == (200, b"/next")


# Tasks


async def test_second_task_may_not_begin_a_request() -> None:
    with RawServer(RawConnection.hold) as server:
        async with connection_to(server) as connection:
            first = asyncio.create_task(connection.request("POST", "/", bytes(32 * MEBIBYTE)))
            for _ in range(10):
                await asyncio.sleep(0)
                with pytest.raises(CannotSendRequest):
                    await connection.request("GET", "/")
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first


async def test_second_task_may_not_take_the_response() -> None:
    answer = threading.Event()

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        answer.wait(10)
        peer.send(OK)

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            await connection.request("GET", "/")
            first = asyncio.create_task(connection.getresponse())
            await asyncio.sleep(0)
            with pytest.raises(ResponseNotReady):
                await connection.getresponse()
            with pytest.raises(CannotSendRequest):
                await connection.request("GET", "/")
            answer.set()
            assert await (await first).read() == b"ok"


@pytest.mark.parametrize("name", ["read", "read1", "readline", "peek"])
async def test_second_task_may_not_read_and_the_first_goes_on(name: str) -> None:
    rest = threading.Event()

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(OK[:-2])
        rest.wait(10)
        peer.send(OK[-2:])
        peer.wait_closed()

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection)
            first = asyncio.create_task(response.read())
            await asyncio.sleep(0)
            with pytest.raises(ImproperConnectionState):
                await getattr(response, name)()
            rest.set()
            assert await first == b"ok"


async def test_connecting_twice_at_once_is_refused() -> None:
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            first = asyncio.create_task(connection.connect())
            await asyncio.sleep(0)
            with pytest.raises(ImproperConnectionState):
                await connection.connect()
            await first
            assert await fetch(connection, url="/a") == (200, b"/a")
        assert server.accepted == 1


async def test_other_loop_is_refused_in_one_clear_error() -> None:
    async with connection_with_replies(OK, OK) as connection:
        await fetch(connection)
        with pytest.raises(ImproperConnectionState, match="another event loop"):
            await asyncio.to_thread(lambda: asyncio.run(connection.request("GET", "/")))
        assert await fetch(connection) == (200, b"ok")


async def test_other_loop_may_not_take_the_response() -> None:
    with RawServer(RawConnection.hold) as server:
        async with connection_to(server) as connection:
            await connection.request("GET", "/")
            with pytest.raises(ImproperConnectionState, match="another event loop"):
                await asyncio.to_thread(lambda: asyncio.run(connection.getresponse()))


def test_connection_of_a_closed_loop() -> None:
    with RawServer(echo_target) as server:
        connection = connection_to(server)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # asyncio's own, for the transport left behind
            assert asyncio.run(fetch(connection, url="/a")) == (200, b"/a")
            with pytest.raises(ImproperConnectionState, match="another event loop"):
                asyncio.run(fetch(connection, url="/b"))
            connection.close()
            gc.collect()
        assert asyncio.run(closing_fetch(connection, "/c")) == (200, b"/c")


async def closing_fetch(connection: HTTPConnection, url: str) -> tuple[int, bytes]:
    async with connection:
        return await fetch(connection, url=url)


# Arguments

BAD_ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("GE T", "/"), {}),
    (("GET", "/a b"), {}),
    (("GET", "/\r\nX: y"), {}),
    (("GET", "/\u010d"), {}),
    (("GET", "/", None, {"A b": "c"}), {}),
    (("GET", "/", None, {"A": "b\r\nc: d"}), {}),
    (("GET", "/", None, {"A": "\u560a"}), {}),
    (("POST", "/", "\u560a"), {}),
    (("POST", "/", 5), {}),
    (("POST", "/", {"a": b"b"}), {}),
    (("POST", "/", b"abc", {"Content-Length": "2"}), {}),
    (("POST", "/", b"abc", {"Content-Length": "3", "Transfer-Encoding": "chunked"}), {}),
    (("POST", "/", None, {"Content-Length": "3"}), {}),
    (("POST", "/", b"abc", [("Content-Length", "3"), ("content-length", "3")]), {}),
    (("POST", "/", b"abc", {"Transfer-Encoding": "gzip"}), {}),
]


@pytest.mark.parametrize(("arguments", "options"), BAD_ARGUMENTS)
async def test_refused_request_sends_nothing(arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            for _ in range(2):
                with pytest.raises((ValueError, TypeError)):
                    await connection.request(*arguments, **options)
                assert await fetch(connection, url="/next") == (200, b"/next")
        assert (server.accepted, len(server.requests)) == (1, 2)
