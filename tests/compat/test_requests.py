"""Requests that are refused leave nothing behind, a body that fails ends the connection, all is framed (R31 to R33)."""

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from asyncclient.testing import RawConnection, RawServer, parse_fields
from compat import client, tunnel
from tests.compat.connections import connection_to, connection_with_replies, fetch, start_exchange
from tests.connection.conversations import OK

Step = Callable[[Any], object]

LINE_ENDS = ["a\nb", "a\rb", "a\r\nb", "a\0b"]

BAD_METHODS = [*LINE_ENDS, "GET /", "G\x7f", "\x1f"]
BAD_TARGETS = [*LINE_ENDS, "/a b", "/\x7f", "/\t"]
BAD_NAMES = [*LINE_ENDS, "", " a", "a:b"]

REJECTED: list[tuple[Step, type[Exception]]] = [
    *((lambda one, bad=bad: one.request(bad, "/"), ValueError) for bad in BAD_METHODS),
    *((lambda one, bad=bad: one.request("GET", bad), client.InvalidURL) for bad in BAD_TARGETS),
    *((lambda one, bad=bad: one.request("GET", "/", headers={"X": bad}), ValueError) for bad in LINE_ENDS),
    *((lambda one, bad=bad: one.request("GET", "/", headers={bad: "x"}), ValueError) for bad in BAD_NAMES),
    (lambda one: one.request("GET", "/\u560a"), UnicodeEncodeError),
    (lambda one: one.request("GE\u560aT", "/"), UnicodeEncodeError),
    (lambda one: one.request("GET", "/", headers={"X": "\u560a"}), UnicodeEncodeError),
    (lambda one: one.request("GET", "/", headers={"X\u560a": "x"}), UnicodeEncodeError),
    (lambda one: one.request("GET", "/", headers={"X": object()}), TypeError),
    (lambda one: one.request("POST", "/", "\u20ac"), UnicodeEncodeError),
    (lambda one: one.request(b"GET", "/"), TypeError),
]


class Stepwise(client.HTTPConnection):
    """A connection that goes through its steps, for one was replaced."""

    def putheader(self, header: Any, *values: Any) -> None:
        super().putheader(header, *values)


@pytest.mark.parametrize("kind", [client.HTTPConnection, Stepwise])
@pytest.mark.parametrize(("step", "error"), REJECTED)
def test_rejected_request_leaves_the_connection_usable(
    step: Step, error: type[Exception], kind: type[client.HTTPConnection]
) -> None:
    with RawServer.replying(OK, OK) as server, closing(kind(server.host, server.port, timeout=10)) as connection:
        assert fetch(connection, url="/first") == (200, b"ok")
        with pytest.raises(error):
            step(connection)
        assert connection._buffer == []
        assert fetch(connection, url="/second") == (200, b"ok")
        assert server.accepted == 1
    host = f"{server.host}:{server.port}".encode()
    expected = b"GET /%b HTTP/1.1\r\nHost: %b\r\nAccept-Encoding: identity\r\n\r\n"
    assert server.requests == [expected % (url, host) for url in (b"first", b"second")]


@pytest.mark.parametrize("bad", [*LINE_ENDS, "a b"])
def test_host_with_a_line_end_is_refused(bad: str) -> None:
    with pytest.raises(client.InvalidURL, match="can't contain control characters"):
        client.HTTPConnection(bad, 80)
    tunnelling = client.HTTPConnection("proxy.example")
    with pytest.raises(ValueError, match="control characters"):
        tunnelling.set_tunnel(bad, 80)
        tunnel.build_head(tunnelling)


@pytest.mark.parametrize("bad", LINE_ENDS)
@pytest.mark.parametrize("at", ["name", "value"])
def test_tunnel_header_with_a_line_end_is_refused(at: str, bad: str) -> None:
    connection = client.HTTPConnection("proxy.example")
    connection.set_tunnel("x.example", 443, {bad: "x"} if at == "name" else {"x": bad})
    with pytest.raises(ValueError, match="Invalid header"):
        tunnel.build_head(connection)


@pytest.mark.parametrize("name", ["X(y", "X/y", "X@", "X Y", "\x7f", "X\x01"])
def test_header_name_need_not_be_a_token(name: str) -> None:
    """As in http.client, on purpose: some programs send such."""
    with connection_with_replies(OK) as connection:
        assert fetch(connection, headers={name: "value"}) == (200, b"ok")


def test_value_may_be_folded() -> None:
    with RawServer.replying(OK) as server, closing(connection_to(server)) as connection:
        fetch(connection, headers={"X": "one\r\n two"})
    assert b"X: one\r\n two\r\n" in server.requests[0]


# The body and its framing


class Received:
    """Notes head and body of each request, whatever frames it."""

    def __init__(self) -> None:
        self.fields: list[dict[str, str]] = []
        self.bodies: list[bytes] = []

    def __call__(self, peer: RawConnection) -> None:
        while head := peer.read_head():
            fields = dict(parse_fields(head))
            self.fields.append(fields)
            if "transfer-encoding" in fields:
                peer.read_chunked()
            else:
                peer.read_body(int(fields.get("content-length", 0)))
            self.bodies.append(peer.raw_body)
            peer.send(OK)


BODIES: list[tuple[Any, str | None, bytes]] = [
    (b"abc", "3", b"abc"),
    ("abc\xe9", "4", b"abc\xe9"),
    (bytearray(b"abc"), "3", b"abc"),
    (memoryview(b"abc"), "3", b"abc"),
    (b"", "0", b""),
    (None, "0", b""),
    (io.BytesIO(b"abc"), None, b"3\r\nabc\r\n0\r\n\r\n"),
    (io.StringIO("abc\xe9"), None, b"4\r\nabc\xe9\r\n0\r\n\r\n"),
    ([b"a", b"", b"bc"], None, b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"),
    ([], None, b"0\r\n\r\n"),
    (iter([b"", b"x", b""]), None, b"1\r\nx\r\n0\r\n\r\n"),
]


@pytest.mark.parametrize(("body", "length", "sent"), BODIES)
def test_body_is_framed_by_its_length_or_in_chunks(body: Any, length: str | None, sent: bytes) -> None:
    received = Received()
    with RawServer(received) as server, closing(connection_to(server)) as connection:
        assert fetch(connection, "POST", "/", body=body) == (200, b"ok")
    assert received.bodies == [sent]
    assert received.fields[0].get("content-length") == length
    assert received.fields[0].get("transfer-encoding") == (None if length else "chunked")


def test_length_and_body_may_disagree() -> None:
    """As in http.client, on purpose: the caller's field goes out as it is."""

    def answer(peer: RawConnection) -> None:
        assert dict(parse_fields(peer.read_head()))["content-length"] == "5"
        assert peer.read_body(3) == b"abc"
        peer.send(OK)

    with RawServer(answer) as server, closing(connection_to(server)) as connection:
        assert fetch(connection, "POST", "/", body=b"abc", headers={"Content-Length": "5"}) == (200, b"ok")


def failing_body() -> Iterator[bytes]:
    yield b"piece"
    raise LookupError("mine")


class Shrinking(io.BytesIO):
    def read(self, n: int | None = -1) -> bytes:
        if self.tell():
            raise OSError("gone")
        return super().read(5)


FAILING: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (failing_body, LookupError, "mine"),
    (lambda: Shrinking(b"piece and more"), OSError, "gone"),
    (lambda: iter([b"piece", 3]), TypeError, ""),
    (lambda: iter([b"piece", "text"]), TypeError, ""),
]


@pytest.mark.parametrize(("body", "error", "text"), FAILING)
@pytest.mark.parametrize("headers", [{}, {"Content-Length": "100"}])
def test_failing_body_closes_the_connection_without_the_last_chunk(
    headers: dict[str, str], body: Callable[[], Any], error: type[Exception], text: str
) -> None:
    received = []

    def note(peer: RawConnection) -> None:
        if b"POST" in peer.read_head():
            received.append(b"".join(iter(peer.read, b"")))
        else:
            peer.send(OK)

    with RawServer(note) as server, closing(connection_to(server)) as connection:
        with pytest.raises(error, match=text or None):
            connection.request("POST", "/", body(), headers)
        assert connection.sock is None
        assert fetch(connection) == (200, b"ok")
        assert server.accepted == 2
    assert received == [b"piece" if headers else b"5\r\npiece\r\n"]


# The steps


def test_steps_in_the_wrong_order_are_refused() -> None:
    with connection_with_replies(OK) as connection:
        with pytest.raises(client.CannotSendHeader):
            connection.putheader("X", "y")
        with pytest.raises(client.CannotSendHeader):
            connection.endheaders()
        with pytest.raises(client.ResponseNotReady, match="Idle"):
            connection.getresponse()
        connection.putrequest("GET", "/")
        with pytest.raises(client.CannotSendRequest, match="Request-started"):
            connection.putrequest("GET", "/")
        connection.endheaders()
        with pytest.raises(client.CannotSendRequest, match="Request-sent"):
            connection.request("GET", "/")
        assert connection.getresponse().read() == b"ok"


def test_a_connection_without_auto_open_is_an_error() -> None:
    connection = client.HTTPConnection("example.com")
    connection.auto_open = 0
    with pytest.raises(client.NotConnected):
        connection.request("GET", "/")


def test_close_forgets_a_request_that_was_begun() -> None:
    with connection_with_replies(OK) as connection:
        connection.putrequest("GET", "/never")
        connection.close()
        assert connection._buffer == []
        assert fetch(connection) == (200, b"ok")


@pytest.mark.parametrize("n", [1, 50])
def test_next_request_may_be_made_when_the_content_was_read_to_its_end(n: int) -> None:
    with RawServer.replying(*[OK] * n) as server, closing(connection_to(server)) as connection:
        for _ in range(n):
            response = start_exchange(connection)
            assert (response.read(1), response.read(1), response.isclosed()) == (b"o", b"k", True)
        assert server.accepted == 1
