"""Sockets that a program brings, and content that it reads off the file by itself, as urllib3 does."""

import http.client as std
import io
import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from types import ModuleType
from typing import Any

import pytest

from asyncclient.testing import RawServer
from compat import client
from compat.sockets import LoopSocket
from tests.compat.connections import Tape, connection_to, secure_connection_to, unread_response
from tests.connection.conversations import OK, echo_target
from tests.servers import Certificates

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


def test_unread_content_closes_the_connection(
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


# Sockets of ours that a program looks into, or stands in front of


class Looking:
    """A proxy that passes all on and notes each call, and says that it is of the class of what is behind it."""

    def __init__(self, behind: Any, calls: list[str]) -> None:
        self._behind, self._calls = behind, calls

    @property
    def __class__(self) -> type:
        return type(self._behind)

    @__class__.setter
    def __class__(self, kind: type) -> None:
        raise TypeError(kind)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._behind, name)
        if not callable(value):
            return value

        def call(*arguments: Any) -> Any:
            self._calls.append(f"{name}{arguments if name == 'makefile' else ''}")
            found = value(*arguments)
            return Looking(found, self._calls) if name == "makefile" else found

        return call


@pytest.mark.parametrize("answer", [OK, CHUNKED])
def test_wrapped_socket_gets_the_calls_that_http_client_makes(answer: bytes) -> None:
    seen: dict[ModuleType, list[str]] = {}
    for library in (std, client):
        calls = seen.setdefault(library, [])
        with RawServer.replying(answer, answer) as server:
            connection: Any = library.HTTPConnection(server.host, server.port, timeout=10)
            connection.connect()
            connection.sock = Looking(connection.sock, calls)
            for _ in range(2):
                connection.request("GET", "/")
                assert connection.getresponse().read() in (b"ok", b"hello")
            connection.close()
    kinds = {name.partition("(")[0] for name in seen[std]}
    assert {name.partition("(")[0] for name in seen[client]} >= kinds - {"flush"}
    assert [name for name in seen[client] if name.startswith("makefile")] == ["makefile('rb',)"] * 2


def fetch_through(connection: Any) -> bytes:
    connection.request("GET", "/")
    content: bytes = connection.getresponse().read()
    return content


def test_file_of_a_socket_that_is_replaced_is_read_from() -> None:
    with RawServer.replying(OK) as server, closing(connection_to(server)) as connection:
        connection.connect()
        connection.sock.makefile = lambda mode: io.BytesIO(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
        assert fetch_through(connection) == b"mine"


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (socket.SocketIO, "readinto"),
        (socket.socket, "recv_into"),
        (socket.socket, "makefile"),
        (socket.socket, "sendall"),
    ],
)
def test_call_beneath_that_is_replaced_may_raise(place: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise RuntimeError("not now")

    with RawServer.replying(OK, OK) as server, closing(connection_to(server)) as connection:
        assert fetch_through(connection) == b"ok"
        with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="not now"):
            patch.setattr(place, name, fail)
            fetch_through(connection)


def test_a_socket_is_of_compat_after_methods_were_replaced_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer.replying(OK, OK) as server:
        with closing(connection_to(server)) as connection, monkeypatch.context() as patch:
            patch.setattr(socket.socket, "recv", lambda *arguments: b"")
            connection.connect()
            assert type(connection.sock) is socket.socket
        monkeypatch.setattr(socket.socket, "recv", socket.socket.recv)  # as blockbuster leaves the class
        with closing(connection_to(server)) as connection:
            connection.connect()
            assert type(connection.sock) is LoopSocket


def test_call_beneath_tls_that_is_replaced_may_raise(tls: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise RuntimeError("not now")

    for name in ("recv_into", "sendall"):
        with (
            RawServer.replying(OK, OK, tls=tls.server_context()) as server,
            closing(secure_connection_to(server, tls)) as connection,
        ):
            assert fetch_through(connection) == b"ok"
            with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="not now"):
                patch.setattr(ssl.SSLSocket, name, fail)
                fetch_through(connection)


# Requests before the response to the one before them


def read_pipelined(connection: Any) -> bytes:
    response = connection.response_class(connection.sock, method="GET")
    response.fp = connection.sock.makefile("rb", 0)
    response.begin()
    content: bytes = response.read()
    return content


@pytest.mark.parametrize("way", ["output", "state"])
def test_pipelined_requests_have_their_responses_on_one_connection(way: str) -> None:
    with RawServer(echo_target) as server, closing(connection_to(server)) as connection:
        connection.request("GET", "/0")
        for number in (1, 2):
            select.select([connection.sock], [], [], 10)  # the response before has come: that was asked for
            if way == "output":
                connection._output(b"GET /%d HTTP/1.1" % number)
                connection._output(b"Host: h")
                connection._send_output()
            else:
                connection._HTTPConnection__state = "Idle"  # type: ignore[attr-defined]
                connection.request("GET", f"/{number}")
        assert [read_pipelined(connection) for _ in range(3)] == [b"/0", b"/1", b"/2"]
        assert server.accepted == 1


def test_unsolicited_data_is_found_after_pipelined_requests() -> None:
    with RawServer.replying(OK, OK + OK, OK) as server, closing(connection_to(server)) as connection:
        connection.request("GET", "/0")
        connection._output(b"GET /1 HTTP/1.1")
        connection._output(b"Host: h")
        connection._send_output()
        assert [read_pipelined(connection) for _ in range(2)] == [b"ok", b"ok"]
        select.select([connection.sock], [], [], 10)
        connection._HTTPConnection__state = "Idle"  # type: ignore[attr-defined]
        connection.request("GET", "/2")
        assert connection.getresponse().read() == b"ok"
        assert server.accepted == 2


@pytest.mark.parametrize("state", ["Idle", "Request-sent", "made up"])
def test_state_that_a_program_sets_counts(state: str) -> None:
    connection: Any = client.HTTPConnection("example.com")
    connection._HTTPConnection__state = state
    with pytest.raises(client.CannotSendHeader):
        connection.putheader("A", "b")
    if state != "Idle":
        with pytest.raises(client.CannotSendRequest, match=state):
            connection.putrequest("GET", "/")
    if state != "Request-sent":
        with pytest.raises(client.ResponseNotReady, match=state):
            connection.getresponse()


# Steps that a program calls with a stand-in


class StandIn:
    """Only the attributes of a response that http.client's single steps use."""

    def __init__(self, data: bytes) -> None:
        self.fp: Any = io.BufferedReader(io.BytesIO(data))
        self.debuglevel, self.version = 0, 11
        self.headers = {"connection": "Close"}

    def _close_conn(self) -> None:
        client.HTTPResponse._close_conn(self)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("step", "data", "found"),
    [
        ("_read_status", b"HTTP/1.0 200 OK\r\n", ("HTTP/1.0", 200, "OK\r\n")),
        ("_check_close", b"", True),
        ("_read_next_chunk_size", b"1f;a=b\r\n", 31),
        ("_read_and_discard_trailer", b"A: b\r\n\r\n", None),
        ("_close_conn", b"", None),
    ],
)
def test_step_takes_a_stand_in(step: str, data: bytes, found: object) -> None:
    for library in (std, client):
        assert getattr(library.HTTPResponse, step)(StandIn(data)) == found


def test_invalid_status_line_of_a_stand_in_closes_it() -> None:
    stand_in: Any = StandIn(b"ICY 200 OK\r\n")
    with pytest.raises(client.BadStatusLine, match="ICY"):
        client.HTTPResponse._read_status(stand_in)
    assert stand_in.fp is None


def test_chunks_may_be_read_step_by_step_and_otherwise_in_turn() -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n1\r\n!\r\n0\r\n\r\n"
    for over in ("own", "plain", "file"):
        with unread_response(data, over) as response:
            response.begin()
            assert response._get_chunk_left() == 5
            assert response._safe_read(5) == b"hello"
            response.chunk_left = 0  # as http.client notes the end of a chunk, before its CRLF
            assert response.read(3) == b"you"
            assert response._get_chunk_left() == 1
            assert response.read() == b"!"
            assert response.isclosed()


def test_parser_of_a_program_decides_where_content_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(fp: Any, _class: type = client.HTTPMessage) -> Any:
        message = std.HTTPMessage()
        while (line := fp.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            message["Content-Length" if name == "X-Length" else name] = value.strip()
        return message

    monkeypatch.setattr(std, "parse_headers", parse)
    with RawServer.replying(b"HTTP/1.1 200 OK\r\nX-Length: 2\r\nX-Name: \xc5\xbe\r\n\r\nok", OK) as server:
        connection = connection_to(server)
        connection.request("GET", "/")
        response = connection.getresponse()
        assert (response.getheader("X-Name"), response.length, response.read()) == ("ž", 2, b"ok")
        assert fetch_through(connection) == b"ok"
        assert server.accepted == 1
        connection.close()


def test_parser_of_a_program_leaves_no_two_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(fp: Any) -> Any:
        message = client.parse_headers(fp)
        message["Content-Length"] = "9"
        return message

    monkeypatch.setattr(std, "parse_headers", parse)
    with RawServer.replying(OK) as server, closing(connection_to(server)) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        with pytest.raises(client.HTTPException, match="content lengths that differ"):
            response.read()


class NotingFile(io.BytesIO):
    """A file that notes how it is read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads: list[Any] = []

    def read(self, n: int | None = -1) -> bytes:
        self.reads.append(n)
        return super().read(n)


def test_file_of_a_program_is_read_in_the_pieces_of_http_client() -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n"
    reads = []
    for library in (std, client):
        tape = Tape(data)
        tape.file = file = NotingFile(data)
        response: Any = library.HTTPResponse(tape)
        response.begin()
        assert response.read() == b"helloyou"
        reads.append(file.reads)
    assert reads == [[5, 2, 3, 2]] * 2


class Fileless:
    """A socket of some tests of urllib3, whose file is None."""

    def makefile(self, mode: str) -> None:
        return None


@pytest.mark.parametrize("module", [client, std], ids=["compat", "http.client"])
def test_a_response_without_a_file_has_ended_and_can_be_closed(module: Any) -> None:
    response = module.HTTPResponse(Fileless(), method="HEAD")
    assert (response.fp, response.isclosed()) == (None, True)
    response.close()
    assert response.closed
