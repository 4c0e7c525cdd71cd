"""Names, arguments and defaults are http.client's, and a request is sent with the same default fields."""

import asyncio
import email.message
import http
import http.client
import inspect
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest

import asyncclient
from asyncclient import HTTPConnection, HTTPResponse, HTTPSConnection, InvalidURL
from asyncclient.testing import RawConnection, RawServer
from tests.connection.conversations import (
    NOT_FOUND,
    NOTHING,
    OK,
    chunked,
    connection_to,
    connection_with_replies,
    fetch,
    reply,
    start_exchange,
    unread_response,
)


@pytest.mark.parametrize(
    ("arguments", "host", "port"),
    [
        (("www.python.org",), "www.python.org", 80),
        (("www.python.org:80",), "www.python.org", 80),
        (("www.python.org", 8080), "www.python.org", 8080),
        (("www.python.org:8080",), "www.python.org", 8080),
        (("[::1]",), "::1", 80),
        (("[::1]:8080",), "::1", 8080),
        (("::1",), "::1", 80),
        (("::1", 8080), "::1", 8080),
        (("127.0.0.1:8080",), "127.0.0.1", 8080),
    ],
)
def test_host_and_port(arguments: tuple[Any, ...], host: str, port: int) -> None:
    connection = HTTPConnection(*arguments)
    assert (connection.host, connection.port) == (host, port)
    secure = HTTPSConnection(*arguments)
    assert (secure.host, secure.port) == (host, 443 if port == 80 and arguments[0][-3:] != ":80" else port)


@pytest.mark.parametrize("cls", [HTTPConnection, HTTPSConnection])
@pytest.mark.parametrize("host", ["h:", "h:abc", "h:8a", "[::1]:", "[::1]:x", "h:-1", "h:99999", "h:\u0661", "h: 80"])
def test_invalid_port_is_refused(cls: type[HTTPConnection], host: str) -> None:
    with pytest.raises(InvalidURL):
        cls(host)


@pytest.mark.parametrize("host", ["a b", "a\r\nX: y", "a\0b", "a/b", "", "a\x7fb"])
def test_invalid_host_is_refused(host: str) -> None:
    with pytest.raises(InvalidURL):
        HTTPConnection(host)


@pytest.mark.parametrize("cls", [HTTPConnection, HTTPSConnection])
def test_arguments_of_the_constructor(cls: type[HTTPConnection]) -> None:
    ours, theirs = (list(inspect.signature(c).parameters) for c in (HTTPConnection, http.client.HTTPConnection))
    assert ours[: len(theirs)] == theirs
    assert inspect.signature(cls).parameters["max_response_headers"].default is None
    assert "context" not in ours
    assert "context" in inspect.signature(HTTPSConnection).parameters


@pytest.mark.parametrize(
    "name",
    ["request", "getresponse", "set_debuglevel", "set_tunnel", "connect", "close", "putrequest", "endheaders", "send"],
)
def test_arguments_of_a_connections_methods(name: str) -> None:
    ours, theirs = (
        list(inspect.signature(getattr(cls, name)).parameters.values())
        for cls in (HTTPConnection, http.client.HTTPConnection)
    )
    assert [(p.name, p.kind, p.default) for p in ours][: len(theirs)] == [(p.name, p.kind, p.default) for p in theirs]
    waits = {"request", "getresponse", "connect", "endheaders", "send"}
    assert inspect.iscoroutinefunction(getattr(HTTPConnection, name)) == (name in waits)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("read", "(self, amt=None)"),
        ("read1", "(self, n=-1)"),
        ("readline", "(self, limit=-1)"),
        ("peek", "(self, n=0)"),
    ],
)
def test_arguments_of_a_responses_methods(name: str, arguments: str) -> None:
    method = getattr(HTTPResponse, name)
    found = list(inspect.signature(method).parameters.values())
    assert str(inspect.Signature([p.replace(annotation=p.empty) for p in found])) == arguments
    assert inspect.iscoroutinefunction(method)


def test_constants_are_those_of_http_client() -> None:
    assert (asyncclient.HTTP_PORT, asyncclient.HTTPS_PORT) == (80, 443)
    assert asyncclient.responses[asyncclient.NOT_FOUND] == "Not Found"
    assert asyncclient.responses == http.client.responses
    assert [getattr(asyncclient, name) for name in http.HTTPStatus.__members__] == [
        *http.HTTPStatus.__members__.values()
    ]


@pytest.mark.parametrize("name", [name for name in http.client.__all__ if isinstance(getattr(http.client, name), type)])
def test_classes_stand_in_the_documented_tree(name: str) -> None:
    ours, theirs = getattr(asyncclient, name), getattr(http.client, name)
    if issubclass(theirs, Exception):
        documented = {base.__name__ for base in theirs.__mro__ if base.__module__ == "http.client"}
        assert documented <= {base.__name__ for base in ours.__mro__}


# Requests


async def request_head(*arguments: Any, **options: Any) -> list[bytes]:
    """The lines of a request's head as they arrive, Host apart."""
    with RawServer.replying(OK) as server:
        async with connection_to(server) as connection:
            await fetch(connection, *arguments, **options)
        host = b"Host: 127.0.0.1:%d" % server.port
        return [b"Host: here" if line == host else line for line in server.requests[0].split(b"\r\n")[:-2]]


async def test_defaults_of_a_request() -> None:
    assert await request_head("GET", "/a?b") == [b"GET /a?b HTTP/1.1", b"Host: here", b"Accept-Encoding: identity"]


async def test_empty_target_is_the_root() -> None:
    assert (await request_head("GET", ""))[0] == b"GET / HTTP/1.1"


@pytest.mark.parametrize("headers", [{"X-A": "1", "x-b": b"2", "N": 3}, [("X-A", "1"), ("x-b", b"2"), ("N", 3)]])
async def test_headers_follow_in_their_order_and_case(headers: Any) -> None:
    assert (await request_head("GET", "/", headers=headers))[3:] == [b"X-A: 1", b"x-b: 2", b"N: 3"]


async def test_given_headers_replace_the_defaults() -> None:
    headers = {"hOST": "elsewhere", "accept-ENCODING": "gzip"}
    assert (await request_head("GET", "/", headers=headers))[1:] == [b"hOST: elsewhere", b"accept-ENCODING: gzip"]


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH"])
@pytest.mark.parametrize("body", [None, b"", ""])
async def test_methods_with_content_send_content_length_0_without_a_body(method: str, body: bytes | str | None) -> None:
    assert b"Content-Length: 0" in await request_head(method, "/", body=body)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "BREW"])
async def test_other_methods_send_a_length_only_with_a_body(method: str) -> None:
    assert not [line for line in await request_head(method, "/") if line.startswith(b"Content-Length")]
    assert b"Content-Length: 0" in await request_head(method, "/", body=b"")
    assert b"Content-Length: 0" in await request_head(method, "/", body="")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://a.example/b", b"a.example"),
        ("http://u:p@a.example:81/b", b"a.example:81"),
        ("http://[::1]:8/", b"[::1]:8"),
    ],
)
async def test_absolute_target_is_sent_unchanged_and_names_the_host(url: str, host: bytes) -> None:
    line, host_line, _ = await request_head("GET", url)
    assert (line, host_line) == (b"GET %b HTTP/1.1" % url.encode(), b"Host: " + host)


async def test_asterisk_target() -> None:
    assert (await request_head("OPTIONS", "*"))[0] == b"OPTIONS * HTTP/1.1"


@pytest.mark.parametrize(
    ("host", "port", "sent"),
    [
        ("www.python.org", 80, b"www.python.org"),
        ("www.python.org", 8080, b"www.python.org:8080"),
        ("www.python.org", 443, b"www.python.org:443"),
        ("::1", 80, b"[::1]"),
        ("[2001:db8::1]", 8080, b"[2001:db8::1]:8080"),
        ("fe80::1%eth0", 80, b"[fe80::1]"),
        ("b\u00fccher.example", 80, b"xn--bcher-kva.example"),
        ("B\u00dcCHER.example", 81, b"xn--bcher-kva.example:81"),
    ],
)
async def test_host_field_over_a_unix_socket(host: str, port: int, sent: bytes) -> None:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        await reader.read()
        writer.close()

    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory, "s"))
        server = await asyncio.start_unix_server(answer, path)
        async with server, HTTPConnection(host, port, 10, socket_path=path) as connection:
            assert await fetch(connection) == (200, b"ok")
    assert heads[0].split(b"\r\n")[1] == b"Host: " + sent


async def test_host_field_of_an_ipv6_server() -> None:
    with RawServer.replying(OK, host="::1") as server:
        async with connection_to(server) as connection:
            assert await fetch(connection) == (200, b"ok")
        assert b"\r\nHost: [::1]:%d\r\n" % server.port in server.requests[0]


async def test_step_by_step() -> None:
    bodies = []

    def handler(peer: RawConnection) -> None:
        bodies.append(peer.read_request())
        peer.send(OK)

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            connection.putrequest("PUT", "/x", skip_host=True, skip_accept_encoding=True)
            connection.putheader("Content-Length", "10")
            connection.putheader("X-Many", "a", b"b", 3)
            await connection.endheaders(None)
            await connection.send(b"hello")
            await connection.send("world")
            response = await connection.getresponse()
            assert await response.read() == b"ok"
    head = b"PUT /x HTTP/1.1\r\nContent-Length: 10\r\nX-Many: a\r\n\tb\r\n\t3\r\n\r\n"
    assert bodies == [(head, b"helloworld")]


@pytest.mark.parametrize("body", [b"abc", "abc", bytearray(b"abc"), [b"a", b"bc"]])
async def test_endheaders_takes_a_body(body: Any) -> None:
    with RawServer(lambda peer: peer.send(reply(peer.read_request()[1]))) as server:
        async with connection_to(server) as connection:
            connection.putrequest("POST", "/")
            await connection.endheaders(body)
            assert await (await connection.getresponse()).read() == b"abc"


# Responses

HEAD = b"HTTP/1.0 299 Very  Fine\r\nA: 1\r\nSet-Cookie: x\r\na:2\t\r\nset-cookie:  y, z\r\nContent-Length: 0\r\n\r\n"


async def test_head_of_a_response() -> None:
    async with unread_response(HEAD) as response:
        assert (response.version, response.status, response.reason) == (10, 299, "Very  Fine")
        assert response.getheaders() == [
            ("A", "1"),
            ("Set-Cookie", "x"),
            ("a", "2"),
            ("set-cookie", "y, z"),
            ("Content-Length", "0"),
        ]
        assert response.headers.get_all("SET-COOKIE") == ["x", "y, z"]
        assert ("a" in response.headers, response.headers["A"], response.headers.get("b", "c")) == (True, "1, 2", "c")
        assert list(response.headers.items()) == response.getheaders()


async def test_getheader() -> None:
    async with unread_response(HEAD) as response:
        assert (response.getheader("set-cookie"), response.getheader("A", "no")) == ("x, y, z", "1, 2")
        assert (response.getheader("b"), response.getheader("b", "no"), response.getheader("b", 5)) == (None, "no", 5)
        assert response.getheader("b", ["x", "y"]) == response.getheader("b", iter("xy")) == "x, y"


async def test_msg_is_a_message() -> None:
    async with unread_response(HEAD) as response:
        message = response.msg
        assert isinstance(message, asyncclient.HTTPMessage)
        assert isinstance(message, email.message.Message)
        assert (message["content-length"], message.get_all("set-cookie")) == ("0", ["x", "y, z"])
        assert (message.items(), message.get_payload()) == (response.getheaders(), "")


async def test_attributes_of_a_response_before_and_after_its_end() -> None:
    async with unread_response(OK) as response:
        duplicate = socket.socket(fileno=os.dup(response.fileno()))
        with duplicate:
            assert duplicate.getpeername() == response.peer
        assert (response.closed, response.will_close, response.tls, response.debuglevel) == (False, False, None, 0)
        assert (await response.read(), response.closed, await response.read()) == (b"ok", True, b"")


async def test_source_address_and_socket_options() -> None:
    option = (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with RawServer.replying(OK) as server:
        async with connection_to(server, source_address=("127.0.0.1", 0), socket_options=[option]) as connection:
            response = await start_exchange(connection)
            with socket.socket(fileno=os.dup(response.fileno())) as duplicate:
                assert duplicate.getsockopt(*option[:2])
                assert duplicate.getsockname()[0] == "127.0.0.1"
            await response.read()


async def test_timings_are_always_there() -> None:
    async with connection_with_replies(OK, OK) as connection:
        first = (await start_exchange(connection)).timings
        assert (first.reused, first.done) == (False, None)
        await connection.aclose()
        response = await start_exchange(connection)
        timings = response.timings
        await response.read()
        assert timings.done is not None
        assert timings.first_byte is not None
        assert timings.sent is not None
        assert timings.connect is not None
        assert 0 < timings.connect <= timings.sent <= timings.first_byte <= timings.done


async def test_timings_of_a_reused_connection() -> None:
    async with connection_with_replies(OK, OK) as connection:
        await fetch(connection)
        timings = (await start_exchange(connection)).timings
        assert (timings.reused, timings.resolve, timings.connect, timings.tls) == (True, None, None, None)
        assert timings.first_byte is not None


async def test_interim_responses_are_kept() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with unread_response(early + OK) as response:
        assert [(r.status, r.reason, r.headers.get("link")) for r in response.interim] == [
            (100, "Continue", None),
            (103, "Early Hints", "</a>"),
        ]
        assert await response.read() == b"ok"


async def test_trailers() -> None:
    async with unread_response(chunked(b"a", trailers=b"X-Sum: 1\r\nx-sum: 2\r\n")) as response:
        assert response.trailers is None
        assert await response.read() == b"a"
        assert response.trailers is not None
        assert list(response.trailers.items()) == [("X-Sum", "1"), ("x-sum", "2")]
        assert "X-Sum" not in response.headers


@pytest.mark.parametrize(("field", "closes"), [(b"Connection: close", True), (b"Connection: x", False)])
async def test_will_close(field: bytes, closes: bool) -> None:
    async with unread_response(reply(b"", field)) as response:
        assert response.will_close is closes


@pytest.mark.parametrize("early", [b"", b"hello "])
@pytest.mark.parametrize("method", ["GET", "CONNECT"])
async def test_upgrade_hands_over_the_connection(method: str, early: bytes) -> None:
    status = b"200 OK" if method == "CONNECT" else b"101 Switching Protocols"

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 " + status + b"\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\n" + early)
        peer.send(peer.read_body(5))

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(
                connection, method, "a:1", headers={"Connection": "Upgrade", "Upgrade": "x"}
            )
            assert response.upgraded is not None
            reader, writer = response.upgraded
            writer.write(b"world")
            assert await reader.read() == early + b"world"
            writer.close()
            await writer.wait_closed()


async def test_response_without_upgrade_hands_nothing_over() -> None:
    async with unread_response(NOTHING) as response:
        assert response.upgraded is None


# The debug level


def lines(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith(("send:", "reply:", "header:"))]


@pytest.mark.parametrize("answer", [reply(b"x", b"A: 1", b"Set-Cookie: a", b"Set-Cookie: b"), NOT_FOUND, chunked(b"x")])
@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", b"abc"), ("POST", "abc"), ("PUT", [b"a", b"bc"])])
async def test_debug_lines_are_those_of_http_client(
    answer: bytes, method: str, body: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def theirs() -> None:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
        connection.set_debuglevel(1)
        connection.request(method, "/", body)
        connection.getresponse().read()
        connection.close()

    with RawServer.replying(answer) as server:
        await asyncio.to_thread(theirs)
        expected = capsys.readouterr().out
        async with connection_to(server) as connection:
            connection.set_debuglevel(1)
            response = await start_exchange(connection, method, "/", body=body)
            assert response.debuglevel == 1
            await response.read()
    assert lines(capsys.readouterr().out) == lines(expected)


async def test_the_debug_level_of_an_open_connection_can_be_changed(capsys: pytest.CaptureFixture[str]) -> None:
    with RawServer.replying(reply(b"x"), reply(b"x"), reply(b"x")) as server:
        async with connection_to(server) as connection:
            assert await fetch(connection, url="/0") == (200, b"x")
            connection.set_debuglevel(1)
            assert await fetch(connection, url="/1") == (200, b"x")
            connection.set_debuglevel(0)
            assert await fetch(connection, url="/2") == (200, b"x")
    sent = [line for line in lines(capsys.readouterr().out) if line.startswith("send:")]
    assert [line.split()[2] for line in sent] == ["/1"]


async def test_all_bytes_of_a_file_are_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content" * 20_000)
    with RawServer.replying(OK) as server:
        async with connection_to(server) as connection:
            connection.set_debuglevel(1)
            await start_exchange(connection, "PUT", "/", body=path)
    assert capsys.readouterr().out.count("content" * 20_000) == 1


async def test_steps_of_a_body_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with RawServer.replying(OK) as server:
        async with connection_to(server) as connection:
            connection.set_debuglevel(1)
            connection.putrequest("PUT", "/")
            connection.putheader("Content-Length", "6")
            await connection.endheaders()
            await connection.send(b"abc")
            await connection.send(b"def")
            await (await connection.getresponse()).read()
    assert [line for line in lines(capsys.readouterr().out) if "PUT" not in line][:2] == [
        "send: b'abc'",
        "send: b'def'",
    ]


async def test_the_head_of_a_refused_response_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with RawServer.replying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n") as server:
        async with connection_to(server) as connection:
            connection.set_debuglevel(1)
            with pytest.raises(asyncclient.ProtocolError, match="not requested"):
                await start_exchange(connection, "GET", "/")
    assert lines(capsys.readouterr().out)[1:] == [
        "reply: 'HTTP/1.1 101 Switching Protocols\\r\\n'",
        "header: Upgrade: x",
    ]
