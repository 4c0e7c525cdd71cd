"""Which connection serves the next request: never one with unsolicited data."""

import asyncio
import io
import threading
from typing import Any

import pytest

from asyncclient import HTTPConnection, HTTPSConnection
from asyncclient.testing import RawConnection, RawServer
from tests.connection.conversations import (
    OK,
    chunked,
    connection_to,
    fetch,
    make_long_idle,
    reply,
    start_exchange,
    wait_for_event,
)
from tests.servers import Certificates

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "extra", [b"x", b"\r\n", reply(b"evil"), b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 408 Late\r\n\r\n"]
)
@pytest.mark.parametrize("first", [OK, chunked(b"ok"), reply(b"")])
async def test_bytes_after_a_response_are_never_the_next_response(first: bytes, extra: bytes) -> None:
    turns = iter([first + extra, reply(b"mine")])

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(next(turns))
        peer.wait_closed()

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            await fetch(connection)
            assert await fetch(connection) == (200, b"mine")
        assert server.accepted == 2


@pytest.mark.parametrize("event", ["bytes", "eof", "reset"])
@pytest.mark.parametrize("is_blocked", [False, True])
@pytest.mark.parametrize("secure", [False, True])
async def test_data_or_an_end_on_an_idle_connection_retires_it(
    event: str, is_blocked: bool, secure: bool, tls: Certificates
) -> None:
    happening, happened = threading.Event(), threading.Event()

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(OK if not happened.is_set() else reply(b"mine"))
        happening.wait(10)
        if not happened.is_set():
            {"bytes": lambda: peer.send(reply(b"evil")), "eof": peer.close, "reset": peer.reset}[event]()
            happened.set()
        if event == "bytes" or server.accepted > 1:
            peer.wait_closed()

    with RawServer(handler, tls=tls.server_context() if secure else None) as server:
        async with secure_to(server, tls) if secure else connection_to(server) as connection:
            assert await fetch(connection) == (200, b"ok")
            happening.set()
            if is_blocked and not secure:  # the loop has no turn until the next request: only the kernel knows
                assert happened.wait(10)
                make_long_idle(connection)
            else:
                await wait_for_event(happened)
                await turns_of_the_loop()
            assert await fetch(connection) == (200, b"mine")
        assert server.accepted == 2


def secure_to(server: RawServer, tls: Certificates) -> HTTPConnection:
    return HTTPSConnection("localhost", server.port, 10, context=tls.client_context())


async def turns_of_the_loop() -> None:
    """Let the loop see what the kernel has."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_data_before_the_first_request_retires_the_connection() -> None:
    spoken = threading.Event()

    def handler(peer: RawConnection) -> None:
        if not spoken.is_set():
            peer.send(reply(b"evil"))
            spoken.set()
        peer.read_head()
        peer.send(OK)

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            await connection.connect()
            await wait_for_event(spoken)
            await turns_of_the_loop()
            assert await fetch(connection) == (200, b"ok")
        assert server.accepted == 2


# Which connections are kept

GOES_ON = [
    reply(b"ok"),
    reply(b"ok", b"Connection: keep-alive"),
    reply(b"ok", b"Connection: x, y"),
    chunked(b"ok"),
    reply(b"", status=b"204 No"),
    b"HTTP/1.1 304 Not Modified\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.9 200 OK\r\nContent-Length: 2\r\n\r\nok",
    reply(b"ok", b"Proxy-Connection: close"),
    reply(b"ok", b"X-Connection: close"),
    reply(b"ok", b"Connection: closed"),
]
ENDS = [
    reply(b"ok", b"Connection: close"),
    reply(b"ok", b"connection:\tCLOSE "),
    reply(b"ok", b"Connection: x, Close"),
    reply(b"ok", b"Connection: x", b"Connection: close"),
    reply(b"ok", b"Connection: keep-alive, close"),
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.0 200 OK\r\nConnection: x\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.0 204 No Content\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
]


@pytest.mark.parametrize(("answer", "accepted"), [*((a, 1) for a in GOES_ON), *((a, 3) for a in ENDS)])
async def test_keep_alive_by_version_and_connection_field(answer: bytes, accepted: int) -> None:
    with RawServer.replying(answer, answer, answer) as server:
        async with connection_to(server) as connection:
            for _ in range(3):
                assert (await fetch(connection))[1] in (b"ok", b"")
        assert server.accepted == accepted


async def test_content_until_close_ends_the_connection() -> None:
    with RawServer.replying(HEAD + b"\r\nok", then=RawConnection.close) as server:
        async with connection_to(server) as connection:
            for _ in range(2):
                assert await fetch(connection) == (200, b"ok")
        assert server.accepted == 2


async def test_unread_content_ends_the_connection() -> None:
    with RawServer.replying(OK, OK) as server:
        async with connection_to(server) as connection:
            (await start_exchange(connection)).close()
            assert await fetch(connection) == (200, b"ok")
        assert server.accepted == 2


@pytest.mark.parametrize("status", [b"200 OK", b"303 See Other", b"413 Content Too Large", b"503 Service Unavailable"])
@pytest.mark.parametrize(
    ("size", "kind"), [(1000, "bytes"), (1000, "file"), (1000, "pieces"), (100_000, "bytes"), (100_000, "steps")]
)
async def test_a_rejection_of_long_content_ends_the_connection(status: bytes, size: int, kind: str) -> None:
    """A server that has not read it may parse it as the next request: Go's sometimes does."""

    def handler(peer: RawConnection) -> None:
        while head := peer.read_head():
            if head.startswith(b"PUT"):
                peer.read_body(size) if kind != "pieces" else peer.read_chunked()
            peer.send(reply(b"ok", status=status))

    async def put(connection: HTTPConnection) -> None:
        if kind != "steps":
            data = bytes(size)
            body: Any = {"bytes": data, "file": io.BytesIO(data), "pieces": [data]}[kind]
            await connection.request("PUT", "/", body)
            return
        connection.putrequest("PUT", "/")
        connection.putheader("Content-Length", size)
        await connection.endheaders()
        await connection.send(bytes(size))

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            await put(connection)
            response = await connection.getresponse()
            is_left = status > b"300" and (size > 65_536 or kind == "pieces")
            assert response.will_close is is_left
            assert await response.read() == b"ok"
            assert (await fetch(connection))[1] == b"ok"
        assert server.accepted == (2 if is_left else 1)


@pytest.mark.parametrize("sent", [b"", b"he", b"hello"])
async def test_a_response_before_the_declared_body_is_sent_ends_the_connection(sent: bytes) -> None:
    """The server would read the missing part from the next request."""

    def handler(peer: RawConnection) -> None:
        while head := peer.read_head():
            if head.startswith(b"PUT") and sent:
                peer.read_body(len(sent))
            peer.send(OK)

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            connection.putrequest("PUT", "/")
            connection.putheader("Content-Length", 5)
            await connection.endheaders()
            if sent:
                await connection.send(sent)
            response = await connection.getresponse()
            assert response.will_close is (len(sent) < 5)
            assert await response.read() == b"ok"
            assert await fetch(connection) == (200, b"ok")
        assert server.accepted == (2 if len(sent) < 5 else 1)
