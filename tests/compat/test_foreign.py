"""Sockets that a program brings, and content that it reads off the file by itself, as urllib3 does."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from compat import client

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@pytest.fixture
def opened() -> Iterator[tuple[client.HTTPConnection, socket.socket]]:
    """A connection on a plain socket, and its peer."""
    ours, theirs = socket.socketpair()
    with theirs, closing(client.HTTPConnection("example.com", timeout=10)) as connection:
        connection.sock = ours
        yield connection, theirs


def read_chunk_lines(response: client.HTTPResponse) -> bytes:
    """Read content in chunks as urllib3 does: lines from the file, data by _safe_read()."""
    parts = []
    while size := int(response.fp.readline(), 16):
        parts.append(response._safe_read(size))
        response._safe_read(2)
    while response.fp.readline() != b"\r\n":
        pass
    response.close()
    return b"".join(parts)


def test_content_that_a_program_reads_itself_leaves_the_connection(
    opened: tuple[client.HTTPConnection, socket.socket],
) -> None:
    connection, peer = opened
    mine = connection.sock
    for _ in range(3):
        connection.request("GET", "/")
        peer.sendall(CHUNKED)
        assert read_chunk_lines(connection.getresponse()) == b"hello"
        assert connection.sock is mine


def test_content_that_nobody_has_read_takes_the_connection_along(
    opened: tuple[client.HTTPConnection, socket.socket],
) -> None:
    connection, peer = opened
    connection.auto_open = 0
    connection.request("GET", "/")
    peer.sendall(CHUNKED)
    connection.getresponse().close()
    with pytest.raises(client.NotConnected):
        connection.request("GET", "/")


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("HEAD", CHUNKED[: CHUNKED.index(b"5\r\n")]),
    ],
)
def test_response_without_content_leaves_the_connection_unread_as_it_is(
    method: str, answer: bytes, opened: tuple[client.HTTPConnection, socket.socket]
) -> None:
    connection, peer = opened
    mine = connection.sock
    for _ in range(2):
        connection.request(method, "/")
        peer.sendall(answer)
        connection.getresponse().close()
        assert connection.sock is mine
