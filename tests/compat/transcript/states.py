"""Transcript: one connection through many requests: used again, closed in every state, without auto_open."""

import http.client
from typing import Any

from asyncclient.testing import RawConnection
from tests.compat.transcript.report import attempt, section, tell_connection, tell_response
from tests.compat.transcript.servers import (
    CLOSE,
    NOT_FOUND,
    OK,
    connected,
    connection_to,
    recorded,
    script,
    scripts,
    serving,
)


@section
def used_again() -> None:
    with serving(script(*[OK] * 4)) as server, connection_to(server) as connection:
        for path in ("/1", "/2", "/3", "/4"):
            connection.request("GET", path)
            sock = connection.sock
            print(connection.getresponse().read(), connection.sock is sock)
        print(server.accepted, server.requests)


@section
def opened_again_after_the_server_closed() -> None:
    for first in (CLOSE, b"HTTP/1.0 200 OK\r\n\r\nhello", b"HTTP/1.1 200 OK\r\n\r\nhello"):
        handlers = script(first, then=RawConnection.close), script(OK)
        with serving(scripts(*handlers)) as server, connection_to(server) as connection:
            connection.request("GET", "/1")
            response = connection.getresponse()
            tell_connection(connection)
            connection.request("GET", "/2")  # the first one has not been read
            print(response.read())
            print(connection.getresponse().read(), server.accepted)


@section
def not_opened_again() -> None:
    with connected(CLOSE) as connection:
        connection.auto_open = 0
        attempt("request", lambda: connection.request("GET", "/"))
        attempt("send", lambda: connection.send(b"x"))
        tell_connection(connection)
    with connected(CLOSE) as connection:
        connection.auto_open = False
        connection.connect()
        connection.request("GET", "/")
        print(connection.getresponse().read())
        attempt("request", lambda: connection.request("GET", "/"))
        tell_connection(connection)


@section
def second_request_before_the_first_is_read() -> None:
    with connected(OK, NOT_FOUND) as connection:
        connection.request("GET", "/1")
        first = connection.getresponse()
        connection.request("GET", "/2")
        tell_connection(connection)
        attempt("getresponse", connection.getresponse)
        print(first.read())
        second = connection.getresponse()
        print(second.status, second.read(), first.isclosed())


@section
def empty_responses_are_read_as_well() -> None:
    empty = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with connected(b"HTTP/1.1 204 No Content\r\n\r\n", empty, OK) as connection:
        for _ in range(3):
            connection.request("GET", "/")
            response = connection.getresponse()
            tell_response(response)
            tell_connection(connection)
            print(response.read())


@section
def closed_in_every_state() -> None:
    def putrequest(connection: Any) -> None:
        connection.putrequest("GET", "/")

    def request(connection: Any) -> None:
        connection.request("GET", "/")

    def response(connection: Any) -> None:
        request(connection)
        responses.append(connection.getresponse())

    def reading(connection: Any) -> None:
        response(connection)
        print(responses[-1].read(2))

    for step in (
        lambda connection: None,
        lambda connection: connection.connect(),
        putrequest,
        request,
        response,
        reading,
    ):
        responses: list[Any] = []
        with serving(scripts(script(OK), script(OK))) as server, connection_to(server) as connection:
            step(connection)
            attempt("close", connection.close)
            tell_connection(connection)
            attempt("close again", connection.close)
            attempt("getresponse", connection.getresponse)
            for left in responses:
                tell_response(left)
                attempt("read", left.read)
            connection.request("GET", "/again")
            print(connection.getresponse().read())


@section
def connecting_again_without_closing() -> None:
    with serving(script(OK)) as server, connection_to(server) as connection:
        connection.connect()
        first = connection.sock
        connection.close()
        connection.connect()
        print(first is connection.sock, first.fileno(), connection.sock.fileno() >= 0)
        connection.request("GET", "/")
        print(connection.getresponse().read())


@section
def the_response_outlives_the_connection() -> None:
    with connected(CLOSE) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        connection.close()
        tell_response(response)
        print(response.read())
    with connected(OK) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        connection.close()
        tell_response(response)
        print(response.read())


@section
def after_an_error() -> None:
    """The state of a connection whose response could not be read."""
    for answer in (
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
    ):
        handlers = script(answer, then=RawConnection.close), script(OK)
        with serving(scripts(*handlers)) as server, connection_to(server) as connection:
            connection.request("GET", "/1")
            attempt("exchange", lambda: connection.getresponse().read())
            tell_connection(connection)
            connection.close()
            connection.request("GET", "/2")
            print(connection.getresponse().read())


@section
def the_server_closed_an_idle_connection() -> None:
    """The next request goes into the void, and the one after that opens a new connection."""

    def answer_and_close(connection: RawConnection) -> None:
        script(OK, then=lambda connection: connection.read_head())(connection)

    with serving(scripts(answer_and_close, script(OK))) as server, connection_to(server) as connection:
        connection.request("GET", "/1")
        print(connection.getresponse().read())
        connection.request("GET", "/2")
        attempt("getresponse", connection.getresponse)
        tell_connection(connection)
        connection.request("GET", "/3")
        print(connection.getresponse().read(), server.requests)


@section
def levels_of_debugging_are_handed_on() -> None:
    connection, _ = recorded(OK)
    connection.set_debuglevel(0)
    connection.request("GET", "/")
    print(connection.getresponse().debuglevel)
    for level in (True, 3, -1):
        connection, _ = recorded(OK)
        connection.set_debuglevel(level)
        connection.request("GET", "/")
        print(connection.getresponse().debuglevel)
    print(http.client.HTTPConnection.debuglevel)
