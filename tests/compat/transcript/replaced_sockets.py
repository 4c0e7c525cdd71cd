"""Transcript: sockets and files looked at from outside, and replaced."""

import http.client
import io
import select
import socket
import ssl
from typing import Any

from asyncclient.testing import RawConnection
from tests.compat.transcript.report import attempt, section, tell_connection, tell_response
from tests.compat.transcript.servers import (
    CLOSE,
    HOST,
    OK,
    PATIENCE,
    SHORT,
    Recorder,
    connected,
    connection_to,
    recorded,
    script,
    serving,
)
from tests.compat.transcript.tls_and_tunnels import certificates

LINES = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\none\ntwo\nthree\nf"


@section
def the_socket_of_a_connection() -> None:
    with connected(OK) as connection:
        connection.connect()
        sock = connection.sock
        print(isinstance(sock, socket.socket), sock.fileno() >= 0, sock.family.name, sock.type.name, sock.proto)
        print(
            sock.getsockname()[0], sock.getpeername() == (HOST, connection.port), sock.gettimeout(), sock.getblocking()
        )
        print(
            sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        )
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        print(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), sock.get_inheritable())
        print(select.select([sock], [sock], [], 0)[0], select.select([], [sock], [], 0)[1] == [sock])
        connection.request("GET", "/")
        print(select.select([sock], [], [], PATIENCE)[0] == [sock])
        response = connection.getresponse()
        print(connection.sock is sock, response.fileno() == sock.fileno(), response.fp.fileno() == sock.fileno())
        print(type(response.fp).__qualname__, response.fp.readable(), response.fp.closed, response.fp.mode)
        print(response.read())
        connection.close()
        print(sock.fileno())
        attempt("recv", lambda: sock.recv(1))
        attempt("sendall", lambda: sock.sendall(b"x"))
        attempt("getpeername", sock.getpeername)


@section
def raw_use_of_the_socket() -> None:
    with connected(OK, OK, OK) as connection:
        connection.connect()
        head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sock.sendall(head)
        print(connection.sock.recv(len(OK) - 5), connection.sock.recv(5))
        print(connection.sock.send(head) == len(head))
        buffer = bytearray(100)
        count = connection.sock.recv_into(buffer)
        print(buffer[:count])
        connection.request("GET", "/")
        with connection.sock.makefile("rb", 0) as raw:
            print(type(raw).__name__, raw.readline(), raw.readline())
            rest = raw.readline() + raw.read(5)
        print(rest)
        connection.sock.settimeout(SHORT)
        attempt("recv", lambda: connection.sock.recv(1))
        attempt("makefile", lambda: connection.sock.makefile("rb").read(1))
        attempt("makefile r", lambda: connection.sock.makefile("r").readline())
        with connection.sock.makefile("wb") as writing:
            writing.write(b"GET ")
        connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()


@section
def an_interim_response_read_by_hand() -> None:
    """As botocore does it: the head goes out, the file of the socket is asked, then the body goes out."""

    def answer(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        print(connection.read_body(4))
        connection.send(OK)
        connection.wait_closed()

    with serving(answer) as server, connection_to(server) as connection:
        connection.putrequest("PUT", "/")
        connection.putheader("Expect", "100-continue")
        connection.putheader("Content-Length", "4")
        connection.endheaders()
        with connection.sock.makefile("rb", 0) as file:
            print(file.readline(), file.readline())
        connection.send(b"body")
        print(connection.getresponse().read())


@section
def the_socket_is_closed_before_the_content_is_read() -> None:
    """As urllib.request does it."""
    for answer in (OK, CLOSE, LINES):
        with connected(answer) as connection:
            connection.request("GET", "/")
            sock = connection.sock
            response = connection.getresponse()
            if connection.sock:
                connection.sock.close()
                connection.sock = None
            tell_response(response)
            print(response.fileno() >= 0, response.read(2), response.read(), sock.fileno())
            tell_connection(connection)


@section
def the_socket_is_detached() -> None:
    with connected(OK, OK) as connection:
        connection.connect()
        with socket.socket(fileno=connection.sock.detach()) as own:
            print(connection.sock.fileno(), own.getpeername() == (HOST, connection.port))
            own.settimeout(PATIENCE)
            connection.sock = own
            connection.request("GET", "/")
            print(connection.getresponse().read())
            tell_connection(connection)


@section
def the_socket_is_duplicated() -> None:
    with connected(OK) as connection:
        connection.request("GET", "/")
        with connection.sock.dup() as twin:
            connection.close()
            print(twin.getpeername() == (HOST, connection.port), twin.recv(len(OK)))


@section
def reading_from_the_file_of_a_response() -> None:
    with connected(LINES) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        print(response.fp.readline(), response.fp.peek(1)[:3], response.fp.read(3), response.length)
        print(response.fp.read1(1), response.fp.readinto(bytearray(2)))
        response.length = 4
        print(response.read(), response.isclosed())
    with connected(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n") as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        print(response.fp.readline(20), response._safe_read(5), response._safe_read(2), response.chunk_left)
        print(response.fp.readline(), response.fp.readline())
        response._close_conn()
        tell_response(response)
    response, _ = recorded(LINES)
    response.request("GET", "/")
    response = response.getresponse()
    attempt("_safe_read", lambda: response._safe_read(100))


def made(kind: Any, *arguments: Any, **options: Any) -> Any:
    """Make an object whose types are not looked at."""
    return kind(*arguments, **options)


@section
def the_file_of_a_response_is_replaced() -> None:
    connection, _ = recorded(LINES)
    connection.request("GET", "/")
    response = connection.getresponse()
    response.fp = io.BufferedReader(response.fp)
    print(response.peek(3)[:3], response.readline(), response.read1(2), response.read())
    for chunk_left in (None, 3):
        response = made(http.client.HTTPResponse, Recorder(b"HTTP/1.1 200 OK\r\n\r\n"))
        response.begin()
        response.fp = io.BytesIO(b"abc\r\n2\r\nde\r\n0\r\n\r\n" if chunk_left else b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        response.chunked, response.chunk_left, response.length = True, chunk_left, None
        print(response.read(2), response.chunk_left, response.read())
    response.fp = None
    print(response.read(), response.isclosed())


@section
def a_response_made_by_hand() -> None:
    for options in (
        {},
        {"method": "HEAD"},
        {"debuglevel": 1},
        {"url": "http://x/"},
        {"method": "GET", "debuglevel": 0},
    ):
        recorder = Recorder(LINES)
        response = made(http.client.HTTPResponse, recorder, **options)
        print(recorder.calls, response.status, response.version, response.length)
        response.begin()
        response.begin()
        tell_response(response)
        print(response._method, getattr(response, "url", None), response.read())
    response = made(http.client.HTTPResponse, Recorder(LINES))
    print(response._read_status(), response.fp.readline())


@section
def a_socket_of_ones_own() -> None:
    with (
        serving(script(OK, OK)) as server,
        connection_to(server) as connection,
        socket.create_connection((server.host, server.port), PATIENCE) as own,
    ):
        connection.sock = own
        for _ in range(2):
            connection.request("POST", "/", [b"piece"])
            print(connection.getresponse().read(), connection.sock is own)
        own.settimeout(SHORT)
        connection.request("GET", "/")
        attempt("getresponse", connection.getresponse)
        connection.close()
        print(own.fileno())


@section
def one_end_of_a_pair() -> None:
    connection, _ = recorded()
    end, connection.sock = socket.socketpair()
    with end:
        connection.sock.settimeout(SHORT)
        for answer in (OK, LINES):
            connection.request("POST", "/", b"content")
            print(end.recv(1000))
            end.sendall(answer)
            response = connection.getresponse()
            print(response.readline(), response.read())
        connection.request("GET", "/")
        attempt("getresponse", connection.getresponse)
        connection.close()
        print(end.recv(1000), end.recv(1000))


@section
def a_secure_socket_of_ones_own() -> None:
    context = certificates().client_context()
    with (
        serving(script(OK, OK), tls=certificates().server_context()) as server,
        connection_to(server) as connection,
        socket.create_connection((server.host, server.port), PATIENCE) as plain,
    ):
        connection.sock = context.wrap_socket(plain, server_hostname="localhost")
        connection.request("GET", "/")
        print(connection.getresponse().read(), type(connection.sock).__name__)
        connection.request("GET", "/")
        print(connection.getresponse().read())
        connection.sock.settimeout(SHORT)
        connection.request("GET", "/")
        attempt("getresponse", connection.getresponse)


class Wrapping(http.client.HTTPConnection):
    """As in test_ssl: a plain connection that is secured when it is open."""

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        context = certificates().client_context()
        self.sock = context.wrap_socket(self.sock, server_hostname="localhost")


@section
def the_socket_is_secured_after_connecting() -> None:
    with serving(script(OK, OK), tls=certificates().server_context()) as server:
        connection: Any = Wrapping(server.host, server.port, timeout=PATIENCE)
        for _ in range(2):
            connection.request("GET", "/")
            print(
                connection.getresponse().read(), isinstance(connection.sock, ssl.SSLSocket), connection.sock.version()
            )
        connection.close()


@section
def a_replaced_socket_is_looked_up_each_time() -> None:
    connection, first = recorded(OK)
    connection.request("GET", "/1")
    response = connection.getresponse()
    connection.sock = second = Recorder(OK)
    print(response.read(), first.calls)
    connection.request("GET", "/2")
    print(connection.getresponse().read(), len(first.sent), len(second.sent))
    connection.putrequest("GET", "/3")
    connection.sock = third = Recorder(OK)
    connection.endheaders()
    print(connection.getresponse().read(), len(second.sent), len(third.sent))
    connection.close()
    print(first.calls, second.calls, third.calls)
