"""Transcript: connections that fail, time limits of every kind, the address that a connection comes from."""

import http.client
import os
import socket
import sys
import warnings
from collections.abc import Callable
from typing import Any

from asyncclient.testing import RawConnection
from tests.compat.transcript.report import attempt, note_port, section, tell_connection
from tests.compat.transcript.servers import (
    HOST,
    OK,
    PATIENCE,
    SHORT,
    connected,
    connection_to,
    refusing_port,
    script,
    serving,
    silent_listener,
)


@section
def refused() -> None:
    with refusing_port() as port:
        for host in (HOST, "localhost"):
            connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
            attempt("connect", connection.connect)
            attempt("request", connection.request, "GET", "/")
            tell_connection(connection)
            attempt("request again", connection.request, "GET", "/")
            connection.close()


@section
def not_resolvable() -> None:
    for host in ("nowhere.invalid", "256.1.1.1", "a" * 64 + ".invalid", "..", "", "bücher.invalid", "ü" * 70, "[::1"):
        connection = http.client.HTTPConnection(host, 80, timeout=PATIENCE)
        attempt(repr(host[:20]), connection.connect)
    attempt("port 0", http.client.HTTPConnection(HOST, 0, timeout=PATIENCE).connect)
    bad: tuple[Any, ...] = (70000, -1, "http", "x", 8.5)
    for port in bad:
        attempt(f"port {port!r}", http.client.HTTPConnection(HOST, port, timeout=PATIENCE).connect)


@section
def other_arguments_of_connecting() -> None:
    with connected(OK) as connection:
        port = connection.port
        timeouts: tuple[Any, ...] = (-1, "5", 0.0)
        with warnings.catch_warnings():  # socket.create_connection() itself drops its socket
            warnings.simplefilter("ignore", ResourceWarning)
            for timeout in timeouts:
                attempt(f"timeout {timeout!r}", http.client.HTTPConnection(HOST, port, timeout=timeout).connect)


@section
def connecting_takes_too_long() -> None:
    if sys.platform != "linux":  # elsewhere a full backlog refuses
        return
    with silent_listener(backlog=0) as port:
        filling = []
        for _ in range(3):
            filling.append(socket.socket())
            filling[-1].setblocking(False)
            filling[-1].connect_ex((HOST, port))
        connection = http.client.HTTPConnection(HOST, port, timeout=SHORT)
        attempt("connect", connection.connect)
        tell_connection(connection)
        attempt("request", lambda: connection.request("GET", "/"))
        for sock in filling:
            sock.close()


@section
def reading_takes_too_long() -> None:
    beginnings = (b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 100 Continue\r\n\r\n")
    for beginning in beginnings:
        with connected(beginning, then=RawConnection.hold, timeout=SHORT) as connection:
            connection.request("GET", "/")
            attempt("getresponse", connection.getresponse)
            tell_connection(connection)
            attempt("getresponse again", connection.getresponse) if beginning else None
            attempt("request", lambda: connection.request("GET", "/"))


CONTENTS = {
    "length": b"Content-Length: 9\r\n\r\nab\n",
    "chunk": b"Transfer-Encoding: chunked\r\n\r\n3\r\nab\n\r\n9\r\nab",
    "chunk size": b"Transfer-Encoding: chunked\r\n\r\n3\r\nab\n\r\n",
    "until close": b"\r\nab\n",
}
READS: dict[str, Callable[[Any], Any]] = {
    "read()": lambda response: response.read(),
    "read(20)": lambda response: response.read(20),
    "readlines": lambda response: response.readlines(),
}


@section
def reading_content_takes_too_long() -> None:
    for kind, content in CONTENTS.items():
        for name, read in READS.items():
            answer = b"HTTP/1.1 200 OK\r\n" + content
            with connected(answer, then=RawConnection.hold) as connection:
                connection.request("GET", "/")
                sock, response = connection.sock, connection.getresponse()
                sock.settimeout(SHORT)
                attempt(f"{kind} {name}", read, response)
                attempt("again", response.read, 1)
                print(response.closed, response.status)


@section
def time_limits_changed_in_between() -> None:
    with connected(b"", then=RawConnection.hold, timeout=None) as connection:
        print(connection.timeout, connection.sock)
        connection.request("GET", "/")
        print(connection.sock.gettimeout())
        connection.sock.settimeout(SHORT)
        attempt("getresponse", connection.getresponse)
    with connected(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", then=RawConnection.hold) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        connection.sock.settimeout(SHORT)
        print(response.read(3))
        attempt("read", response.read)
    with connected(OK, timeout=SHORT) as connection:
        connection.timeout = 7
        connection.connect()
        print(connection.sock.gettimeout())
        connection.sock.settimeout(None)
        print(connection.sock.gettimeout(), connection.sock.getblocking())
        connection.request("GET", "/")
        print(connection.getresponse().read())


@section
def default_time_limit() -> None:
    before = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(SHORT)
        with connected(b"", then=RawConnection.hold) as server:
            connection = http.client.HTTPConnection(HOST, server.port)
            socket.setdefaulttimeout(SHORT / 2)
            connection.request("GET", "/")
            print(connection.sock.gettimeout() == SHORT / 2)
            attempt("getresponse", connection.getresponse)
            connection.close()
            endless = http.client.HTTPConnection(HOST, server.port, timeout=None)
            endless.connect()
            print(endless.sock.gettimeout())
            endless.close()
    finally:
        socket.setdefaulttimeout(before)


@section
def writing_takes_too_long() -> None:
    for body in (b"x" * 40_000_000, iter([b"x" * 1_000_000] * 40)):
        with serving(RawConnection.hold) as server, connection_to(server, timeout=SHORT) as connection:
            attempt("request", connection.request, "POST", "/", body)
            tell_connection(connection)


@section
def the_server_resets_while_content_is_sent() -> None:
    def reset(connection: RawConnection) -> None:
        connection.read_head()
        connection.reset()

    with serving(reset) as server, connection_to(server) as connection:
        try:
            connection.request("POST", "/", b"x" * 40_000_000)
        except (ConnectionResetError, BrokenPipeError) as error:  # which of the two is a race
            print(type(error).__mro__[1:], error.args[0] in (32, 104))
        tell_connection(connection)


@section
def source_addresses() -> None:
    seen = []
    with socket.create_server((HOST, 0)) as listener:
        port = note_port(listener.getsockname()[1])
        for address in ((HOST, 0), ("", 0), ("127.0.0.2", 0)):
            connection: Any = http.client.HTTPConnection(HOST, port, timeout=PATIENCE, source_address=address)
            attempt("connect", connection.connect)
            if connection.sock is not None:
                accepted, peer = listener.accept()
                seen.append((address, peer[0], peer == connection.sock.getsockname()))
                accepted.close()
            connection.close()
        bad: tuple[Any, ...] = ((HOST, port), ("256.0.0.1", 0), ("::1", 0), ("192.0.2.1", 0), (HOST, -1), (HOST,), "x")
        for address in bad:
            connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE, source_address=address)
            attempt(f"from {address!r}", connection.connect)
            connection.close()
    print(seen)


@section
def a_connection_from_a_chosen_port() -> None:
    chosen = note_port(20_000 + os.getpid() % 10_000)  # below those that the system gives away
    with serving(script(OK)) as server, connection_to(server, source_address=(HOST, chosen)) as connection:
        connection.request("GET", "/")
        print(connection.sock.getsockname() == (HOST, chosen), connection.getresponse().read())


@section
def version_6() -> None:
    if not socket.has_ipv6:
        return
    with serving(script(OK, OK), host="::1") as server:
        for host in ("::1", f"[::1]:{server.port}"):
            port = None if "[" in host else server.port
            connection: Any = http.client.HTTPConnection(host, port, timeout=PATIENCE)
            connection.request("GET", "/")
            print(connection.getresponse().read(), connection.sock.getpeername()[:2], connection.sock.family.name)
            connection.close()
        print(server.requests)
