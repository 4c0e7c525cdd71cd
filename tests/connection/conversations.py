"""Helpers for tests of connections: responses to send, servers' sides of a conversation, a client's steps."""

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from asyncclient import HTTPConnection, HTTPResponse
from asyncclient.testing import RawConnection, RawServer
from asyncclient.testing.raw import TIMEOUT

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large"
NOTHING = b"HTTP/1.1 204 No Content\r\n\r\n"
MEBIBYTE = 1024 * 1024

Script = Callable[[RawConnection], object]


def reply(content: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    """A response whose Content-Length is right."""
    lines = (b"HTTP/1.1 " + status, *fields, b"Content-Length: %d" % len(content))
    return b"\r\n".join((*lines, b"", content))


def chunked(*chunks: bytes, trailers: bytes = b"") -> bytes:
    """A response in chunks."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n%b\r\n" % (body, trailers)


def echo_target(connection: RawConnection) -> None:
    """Answer each request with its own target: an answer given to the wrong request shows."""
    while head := connection.read_request()[0]:
        connection.send(reply(head.split()[1]))


def connection_to(server: RawServer, **options: Any) -> HTTPConnection:
    return HTTPConnection(server.host, server.port, **{"timeout": TIMEOUT, **options})


@asynccontextmanager
async def connection_with_replies(
    *responses: bytes, then: Script = RawConnection.wait_closed
) -> AsyncIterator[HTTPConnection]:
    """A connection to a server that gives these answers, one by one."""
    with RawServer.replying(*responses, then=then) as server:
        async with connection_to(server) as connection:
            yield connection


@asynccontextmanager
async def unread_response(*responses: bytes, then: Script = RawConnection.wait_closed) -> AsyncIterator[HTTPResponse]:
    """The response to a GET, not read yet."""
    async with connection_with_replies(*responses, then=then) as connection:
        yield await start_exchange(connection)


async def start_exchange(
    connection: HTTPConnection, method: str = "GET", url: str = "/", **options: Any
) -> HTTPResponse:
    await connection.request(method, url, **options)
    return await connection.getresponse()


async def fetch(connection: HTTPConnection, method: str = "GET", url: str = "/", **options: Any) -> tuple[int, bytes]:
    response = await start_exchange(connection, method, url, **options)
    return response.status, await response.read()


async def wait_for_event(event: threading.Event) -> None:
    """Wait for a message of a server's thread without blocking the loop."""
    assert await asyncio.to_thread(event.wait, TIMEOUT)


UPLOAD = 40 * MEBIBYTE


def zeros() -> Iterator[bytes]:
    for _ in range(UPLOAD // 65_536):
        yield bytes(65_536)


class EarlyAnswer:
    """Answers 413 after the head, then reads on, closes or resets, and counts what it got."""

    def __init__(self, then: str) -> None:
        self.then = then
        self.received: list[int] = []

    def __call__(self, peer: RawConnection) -> None:
        if b"POST" not in peer.read_head():
            peer.send(OK)
            return
        peer.send(TOO_LARGE)
        self.received.append(0)
        if self.then == "reads":
            while data := peer.read():
                self.received[-1] += len(data)
        elif self.then == "resets":
            peer.read(1)  # what is unread then makes the close a reset anyway; this one is sure
            peer.reset()


def make_long_idle(connection: HTTPConnection) -> None:
    """Let the last response have ended long ago: the kernel is not asked right after it."""
    assert connection._wire is not None
    connection._wire.ended_at = -math.inf
