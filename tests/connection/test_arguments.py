"""Invalid arguments are refused with clear errors; those that http.client accepts are accepted."""

import asyncio
import copy
import email.message
import http.client
import math
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import asyncclient
from asyncclient import (
    Client,
    ConnectError,
    ConnectTimeout,
    HTTPConnection,
    HTTPException,
    HTTPSConnection,
    IncompleteRead,
    InvalidURL,
    Limits,
    LineTooLong,
    NotConnected,
    PhaseTimeout,
    ProxyError,
    ReadTimeout,
    Timeout,
    UnknownProtocol,
)
from asyncclient.testing import RawConnection, RawServer
from tests.connection.conversations import (
    OK,
    connection_to,
    connection_with_replies,
    echo_target,
    fetch,
    reply,
    unread_response,
)

PLAIN: dict[str, Any] = {"method": "GET", "url": "/"}


async def sent_head(**request: Any) -> list[bytes]:
    """The lines of a request's head after those that every request has."""
    async with RawServerConnection() as (server, connection):
        await fetch(connection, **{**PLAIN, **request})
    return server.requests[0].split(b"\r\n")[3:-2]


class RawServerConnection:
    """A server that answers, and a connection to it."""

    async def __aenter__(self) -> tuple[RawServer, HTTPConnection]:
        self.server = RawServer(echo_target).__enter__()
        self.connection = connection_to(self.server)
        return self.server, self.connection

    async def __aexit__(self, *exc_info: Any) -> None:
        await self.connection.aclose()
        self.server.__exit__(*exc_info)


# Wrong types

BAD_TYPES: list[tuple[dict[str, Any], str]] = [
    ({"headers": {"A": None}}, "expected str, bytes or int as value of header A, got NoneType"),
    ({"headers": {"A": 1.5}}, "expected str, bytes or int as value of header A, got float"),
    ({"headers": [("A", ["b"])]}, "expected str, bytes or int as value of header A, got list"),
    ({"headers": {1: "a"}}, "expected str or bytes as header name, got int"),
    ({"headers": {None: "a"}}, "expected str or bytes as header name, got NoneType"),
    ({"headers": "A: b"}, "expected a mapping or pairs .* as headers"),
    ({"headers": ["ab"]}, "expected a mapping or pairs .* as headers"),
    ({"headers": [("a",)]}, "expected a mapping or pairs .* as headers"),
    ({"headers": [("a", "b", "c")]}, "expected a mapping or pairs .* as headers"),
    ({"method": None}, "expected str as method"),
    ({"method": b"GET"}, "expected str as method"),
    ({"method": 5}, "expected str as method"),
]


@pytest.mark.parametrize(("request_", "text"), BAD_TYPES)
async def test_request_of_wrong_types(request_: dict[str, Any], text: str) -> None:
    async with RawServerConnection() as (server, connection):
        for _ in range(2):
            with pytest.raises(TypeError, match=text):
                await connection.request(**{**PLAIN, **request_})
            assert await fetch(connection, url="/next") == (200, b"/next")
        assert len(server.requests) == 2


@pytest.mark.parametrize("values", [(None,), (1.5,), ("a", None)])
def test_putheader_of_wrong_types(values: tuple[Any, ...]) -> None:
    connection = HTTPConnection("a.example")
    connection.putrequest("GET", "/")
    with pytest.raises(TypeError, match="value of header A, got"):
        connection.putheader("A", *values)


@pytest.mark.parametrize("host", [None, b"h", 5])
@pytest.mark.parametrize("give", [HTTPConnection, HTTPSConnection, HTTPConnection("proxy.example").set_tunnel])
def test_host_of_wrong_type(give: Callable[[Any], object], host: object) -> None:
    with pytest.raises(TypeError, match=f"expected str as host, got {type(host).__name__}"):
        give(host)


@pytest.mark.parametrize("host", [".a..b", "a..b", ".a", ".", "x" * 64, f"{'x' * 64}.example", "a" * 300])
@pytest.mark.parametrize("give", [HTTPConnection, HTTPSConnection, HTTPConnection("proxy.example").set_tunnel])
def test_host_with_an_invalid_part(give: Callable[[str], object], host: str) -> None:
    with pytest.raises(InvalidURL, match="expected a host"):
        give(host)


@pytest.mark.parametrize("host", ["x" * 63, f"{'x' * 63}.example.", "a_b.example", "localhost."])
def test_host_with_parts_of_the_maximum_length(host: str) -> None:
    assert HTTPConnection(host).host == host


@pytest.mark.parametrize("host", ["https://h/", "http://user:secret@h", "user:secret@h", "user:secret@h:99999"])
def test_url_as_host(host: str) -> None:
    with pytest.raises(InvalidURL) as raised:
        HTTPConnection(host)
    assert "secret" not in str(raised.value)
    assert ("URL" in str(raised.value)) == ("://" in host)


BAD_TIMEOUTS = [("x", TypeError), (b"1", TypeError), ((1, 2), TypeError), (-1, ValueError), (math.nan, ValueError)]


@pytest.mark.parametrize(("timeout", "error"), BAD_TIMEOUTS)
def test_invalid_timeout(timeout: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="expected seconds"):
        HTTPConnection("a.example", timeout=timeout)
    with pytest.raises(error, match="expected seconds for total"):
        Timeout(total=timeout)


@pytest.mark.parametrize("blocksize", [0, -1])
def test_invalid_blocksize(blocksize: int) -> None:
    with pytest.raises(ValueError, match="blocksize"):
        HTTPConnection("a.example", blocksize=blocksize)


def test_number_of_headers_leaves_the_other_limits() -> None:
    connection = HTTPConnection("a.example", limits=Limits(line=10), max_response_headers=5)
    assert (connection.limits.line, connection.limits.fields) == (10, 5)


# Headers of all kinds


class Items:
    """A mapping only as far as http.client needs it."""

    def items(self) -> Iterable[tuple[str, str]]:
        return iter([("A", "1"), ("B", "2")])


def message(*pairs: tuple[str, str]) -> email.message.Message:
    made = email.message.Message()
    for name, value in pairs:
        made[name] = value
    return made


PAIRS = (("A", "1"), ("B", "2"))
HEADERS: dict[str, Callable[[], Any]] = {
    "message": lambda: message(*PAIRS),
    "items": Items,
    "dict": lambda: dict(PAIRS),
    "pairs": lambda: PAIRS,
    "lists": lambda: [["A", "1"], ["B", "2"]],
    "generator": lambda: (pair for pair in PAIRS),
    "view": lambda: dict(PAIRS).items(),
}


@pytest.mark.parametrize("kind", HEADERS)
async def test_headers_of_all_kinds(kind: str) -> None:
    assert await sent_head(headers=HEADERS[kind]()) == [b"A: 1", b"B: 2"]


@pytest.mark.parametrize("kind", HEADERS)
async def test_headers_of_all_kinds_for_a_tunnel(kind: str) -> None:
    refusal = b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"
    with RawServer.replying(refusal) as server:
        async with connection_to(server) as connection:
            connection.set_tunnel("a.example", 81, HEADERS[kind]())
            with pytest.raises(ProxyError):
                await fetch(connection)
    assert server.requests[0].split(b"\r\n")[2:-2] == [b"A: 1", b"B: 2"]


async def test_headers_of_a_response_can_be_sent_in_a_request() -> None:
    async with unread_response(reply(b"", b"A: 1", b"a: 2")) as response:
        for headers in (response.msg, response.headers, response.getheaders()):
            assert await sent_head(method="POST", headers=headers) == [b"A: 1", b"a: 2", b"Content-Length: 0"]


# Bodies


async def test_file_open_for_writing_only(tmp_path: Path) -> None:
    async with RawServerConnection() as (server, connection):
        with (tmp_path / "file").open("wb") as file, pytest.raises(ValueError, match="open for reading"):
            await connection.request("PUT", "/", file)
        assert await fetch(connection, url="/next") == (200, b"/next")
        assert len(server.requests) == 1


@pytest.mark.parametrize("headers", [{"Transfer-Encoding": "chunked"}, {"Content-Length": 3}])
async def test_declared_body_that_is_missing(headers: dict[str, Any]) -> None:
    async with RawServerConnection() as (server, connection):
        with pytest.raises(ValueError, match="expected a body"):
            await connection.request("PUT", "/", headers=headers)
        assert await fetch(connection, url="/next") == (200, b"/next")
        assert len(server.requests) == 1


# Where to connect


@pytest.mark.parametrize("host", ["", "127.0.0.1"])
async def test_source_address_of_any_port(host: str) -> None:
    async with connection_with_replies(OK) as connection:
        connection.source_address = (host, 0)
        assert await fetch(connection) == (200, b"ok")


async def test_source_address_of_another_machine_is_refused() -> None:
    async with connection_with_replies(OK) as connection:
        connection.source_address = ("192.0.2.1", 0)
        with pytest.raises(ConnectError):
            await fetch(connection)


@pytest.mark.parametrize(("port", "error"), [(65536, ValueError), (-1, ValueError), ("80", TypeError)])
def test_a_source_address_with_an_invalid_port_is_refused(port: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="expected a port of 0 to 65535 in source_address, got"):
        HTTPConnection("a.test", source_address=("127.0.0.1", port))
    with pytest.raises(error, match="expected a port of 0 to 65535 in local_address, got"):
        Client(local_address=("127.0.0.1", port))


async def test_path_object_as_socket_path(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(answer, tmp_path / "s")
    async with server, HTTPConnection("a.example", 80, 10, socket_path=tmp_path / "s") as connection:
        assert await fetch(connection) == (200, b"ok")


async def test_own_connect_names_its_target() -> None:
    with RawServer.replying(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n") as server:
        async with connection_to(server) as connection:
            assert await fetch(connection, "CONNECT", "a.example:443") == (403, b"")
    assert server.requests[0].startswith(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n")


async def test_timeout_changed_between_two_requests() -> None:
    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(OK)
        peer.read_head()
        peer.hold()

    with RawServer(handler) as server:
        async with connection_to(server, timeout=Timeout(read=60)) as connection:
            assert await fetch(connection) == (200, b"ok")
            connection.timeout = Timeout(read=0.05)
            with pytest.raises(ReadTimeout, match=r"0\.05 s"):
                await fetch(connection)
        assert server.accepted == 1


# Responses


async def test_newer_protocol_without_a_minor_version() -> None:
    async with connection_with_replies(b"HTTP/2 200 OK\r\n\r\n") as connection:
        with pytest.raises(UnknownProtocol, match="HTTP/2"):
            await fetch(connection)


async def test_msg_is_the_same_object_each_time() -> None:
    async with unread_response(reply(b"", b"A: 1")) as response:
        del response.msg["A"]
        assert response.msg["A"] is None
        assert response.msg is response.msg


@pytest.mark.parametrize("size", [0, -1])
async def test_chunks_of_size_0_or_less_are_refused(size: int) -> None:
    async with unread_response(OK) as response:
        with pytest.raises(ValueError, match="at least 1 byte"):
            await anext(response.iter_chunks(size))
        assert await response.read() == b"ok"


@pytest.mark.parametrize("content", [b"small", bytes(200_000)])
@pytest.mark.parametrize("read", ["read", "read1", "readline", "peek"])
async def test_discarded_content_is_not_empty_content(read: str, content: bytes) -> None:
    async with unread_response(reply(content)) as response:
        await response.aclose()
        assert response.closed
        with pytest.raises(NotConnected):
            await getattr(response, read)()
        with pytest.raises(NotConnected):
            await response.readinto(bytearray(10))


async def test_content_read_to_its_end_stays_at_its_end_after_aclose() -> None:
    async with unread_response(OK) as response:
        assert await response.read() == b"ok"
        await response.aclose()
        assert await response.read() == b""


# Errors as values


def test_line_too_long_as_http_client_makes_it() -> None:
    assert str(LineTooLong("header line")) == str(http.client.LineTooLong("header line"))


SPECIAL: dict[str, tuple[Any, ...]] = {
    "IncompleteRead": (b"ab", 3),
    "LineTooLong": ("a line", 10),
    "ChecksumError": ("checksum", "sha256", "00", "01"),
    "ConnectError": ("text", [OSError(111, "refused")]),
    "TLSError": ("text", [OSError(111, "refused")]),
    "ConnectTimeout": ("text", "connect", 1.5, [OSError(111, "refused")]),
    "TLSTimeout": ("text", "tls", 1.5),
    "ContentTooLarge": ("text", 10),
}
CLASSES = [
    found
    for name in asyncclient.__all__
    if isinstance(found := getattr(asyncclient, name), type) and issubclass(found, HTTPException)
]


def make(kind: type[HTTPException]) -> HTTPException:
    if kind is ProxyError:
        return ProxyError("text", status=407, reason="No", headers=[("A", "1")], body=b"x")
    usual = ("text", "read", 1.5) if issubclass(kind, PhaseTimeout) else ("text",)
    return kind(*SPECIAL.get(kind.__name__, usual))


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("kind", CLASSES)
def test_errors_can_be_copied_and_pickled(kind: type[HTTPException], again: Callable[[Any], Any]) -> None:
    error = make(kind)
    other = again(error)
    assert type(other) is kind
    assert (str(other), repr(other), repr(other.args)) == (str(error), repr(error), repr(error.args))
    assert repr(vars(other)) == repr(vars(error))


def test_attributes_of_errors() -> None:
    again: Any = pickle.loads(pickle.dumps(make(ConnectTimeout)))
    assert (again.phase, again.seconds, again.attempts[0].errno) == ("connect", 1.5, 111)
    again = pickle.loads(pickle.dumps(IncompleteRead(b"ab", 3)))
    assert (again.partial, again.expected) == (b"ab", 3)


# The debug lines of a tunnel


@pytest.mark.parametrize("headers", [{}, {"Proxy-Authorization": "Basic eDp5"}])
async def test_debug_lines_of_a_tunnel_are_those_of_http_client(
    headers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    def theirs() -> None:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
        prepare(connection)
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.close()

    def prepare(connection: Any) -> None:
        connection.set_debuglevel(1)
        connection.set_tunnel("a.example", 81, dict(headers))

    def lines() -> list[str]:
        # http.client's CONNECT has its Host last, in Python 3.11 none and HTTP/1.0; it prints a head's end as a field.
        found = [line for line in capsys.readouterr().out.splitlines() if line.strip() not in ("", "header:")]
        return [found[0].replace("HTTP/1.0", "HTTP/1.1").replace("\\r\\nHost: a.example:81", ""), *found[1:]]

    with RawServer.replying(b"HTTP/1.1 200 Fine\r\nVia: x\r\n\r\n", reply(b"ok", b"A: 1")) as server:
        await asyncio.to_thread(theirs)
        expected = lines()
        async with connection_to(server) as connection:
            prepare(connection)
            assert await fetch(connection) == (200, b"ok")
    assert lines() == expected
    assert len(expected) == 6
