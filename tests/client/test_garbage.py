"""Errors form no reference cycles: an error in its own traceback's frames keeps a connection and more in memory."""

import gc
from types import TracebackType
from typing import Any

import pytest

from asyncclient import (
    BadStatusLine,
    Client,
    ConnectError,
    DecodingError,
    IncompleteRead,
    ReadTimeout,
    RemoteDisconnected,
    Timeout,
    TooManyRedirects,
    TotalTimeout,
)
from asyncclient.testing import RawConnection, RawServer

ANSWERS = {
    b"/bad": b"HTTX 200\r\n\r\n",
    b"/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
    b"/gzip": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Encoding: gzip\r\n\r\nabc",
    b"/loop": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /loop\r\n\r\n",
}


def serve(peer: RawConnection) -> None:
    while head := peer.read_head():
        target = head.split()[1]
        if target == b"/silent":
            peer.hold()
        if target not in ANSWERS:
            return
        peer.send(ANSWERS[target])
        if target == b"/cut":
            return


def count_tracebacks() -> int:
    """The number of tracebacks that only the garbage collector can free."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return sum(isinstance(thing, TracebackType) for thing in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


async def fail(client: Client, url: str, error: type[Exception], options: dict[str, Any]) -> None:
    with pytest.raises(error):
        await client.get(url, **options)


@pytest.mark.parametrize(
    ("path", "error", "options"),
    [
        ("/end", RemoteDisconnected, {}),
        ("/bad", BadStatusLine, {}),
        ("/cut", IncompleteRead, {}),
        ("/gzip", DecodingError, {}),
        ("/loop", TooManyRedirects, {"follow_redirects": True}),
        ("/silent", TotalTimeout, {"timeout": 0.05}),
        ("/silent", ReadTimeout, {"timeout": Timeout(read=0.05)}),
        ("refused", ConnectError, {}),
        ("no name", ConnectError, {}),
    ],
)
async def test_an_error_leaves_no_cycle(path: str, error: type[Exception], options: dict[str, Any]) -> None:
    with RawServer(serve) as server:
        base = {"refused": "http://127.0.0.1:1", "no name": "http://no.invalid"}.get(path, server.url + path)
        async with Client(trust_env=False, max_redirects=2) as client:
            await fail(client, base, error, options)
            gc.collect()
            gc.disable()
            try:
                for _ in range(3):
                    await fail(client, base, error, options)
                assert count_tracebacks() == 0
            finally:
                gc.enable()
