"""Transcript: signals that come while a call waits."""

import http.client
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from asyncclient.testing import RawConnection
from tests.compat.transcript.report import attempt, section, tell_connection
from tests.compat.transcript.servers import (
    HOST,
    OK,
    PATIENCE,
    SHORT,
    connected,
    connection_to,
    script,
    serving,
    silent_listener,
)
from tests.compat.transcript.threads_and_processes import exchange


class Alarm(Exception):
    """Raised by a signal's handler."""


def on_alarm(*args: object) -> None:
    raise Alarm


def with_alarm(handler: Any, call: Callable[[], None]) -> None:
    before = signal.signal(signal.SIGALRM, handler)
    try:
        call()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@section
def a_signal_handler_raises() -> None:
    def wait_for(connection: Any, step: Callable[[], Any]) -> None:
        signal.setitimer(signal.ITIMER_REAL, SHORT)
        attempt("waiting", step)
        tell_connection(connection)

    def waiting_for_the_head() -> None:
        for timeout in (None, PATIENCE):
            with connected(b"", then=RawConnection.hold, timeout=timeout) as connection:
                connection.request("GET", "/")
                wait_for(connection, connection.getresponse)
                connection.close()

    def waiting_for_content() -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"
        with connected(answer, then=RawConnection.hold) as connection:
            connection.request("GET", "/")
            wait_for(connection, connection.getresponse().read)

    def waiting_to_send() -> None:
        content = b"x" * 40_000_000
        with serving(RawConnection.hold) as server, connection_to(server) as connection:
            connection.putrequest("POST", "/")
            connection.endheaders()
            wait_for(connection, lambda: connection.send(content))

    def waiting_for_the_handshake() -> None:
        with silent_listener() as port:
            connection = http.client.HTTPSConnection(HOST, port, timeout=PATIENCE)
            signal.setitimer(signal.ITIMER_REAL, SHORT)
            attempt("waiting", connection.connect)
            connection.close()

    with_alarm(on_alarm, waiting_for_the_handshake)
    with_alarm(on_alarm, waiting_for_the_head)
    with_alarm(on_alarm, waiting_for_content)
    with_alarm(on_alarm, waiting_to_send)


@section
def waiting_again_after_a_signal_handler_raised() -> None:
    raised = threading.Event()

    def answer_late(connection: RawConnection) -> None:
        connection.read_head()
        raised.wait(PATIENCE)
        connection.send(OK)
        script(OK)(connection)

    def wait_twice() -> None:
        with serving(answer_late) as server, connection_to(server) as connection:
            connection.request("GET", "/")
            signal.setitimer(signal.ITIMER_REAL, SHORT)
            attempt("waiting", connection.getresponse)
            raised.set()
            print(connection.getresponse().read(), exchange(connection))

    with_alarm(on_alarm, wait_twice)


@section
def the_process_is_interrupted() -> None:
    asked = threading.Event()

    def interrupt(connection: RawConnection) -> None:
        connection.read_head()
        asked.wait(PATIENCE)
        os.kill(os.getpid(), signal.SIGINT)
        connection.hold()

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background
    with serving(interrupt) as server, connection_to(server) as connection:
        connection.request("GET", "/")

        def wait() -> None:
            asked.set()
            connection.getresponse()

        attempt("waiting", wait)
        tell_connection(connection)


@section
def a_signal_handler_only_notes() -> None:
    """The wait goes on: the server answers when the handler has run."""
    noted, asked = threading.Event(), threading.Event()

    def answer_late(connection: RawConnection) -> None:
        connection.read_head()
        asked.wait(PATIENCE)
        os.kill(os.getpid(), signal.SIGALRM)
        noted.wait(PATIENCE)
        connection.send(OK)
        connection.wait_closed()

    def wait() -> None:
        with serving(answer_late) as server, connection_to(server) as connection:
            connection.request("GET", "/")
            asked.set()
            print(connection.getresponse().read(), noted.is_set())

    with_alarm(lambda *args: noted.set(), wait)


@section
def a_signal_handler_makes_a_request() -> None:
    def answer(*args: object) -> None:
        print(exchange(connection, "/handler"))
        handled.set()

    def answer_late(connection: RawConnection) -> None:
        connection.read_head()
        asked.wait(PATIENCE)
        os.kill(os.getpid(), signal.SIGALRM)
        handled.wait(PATIENCE)
        connection.send(OK)
        connection.wait_closed()

    def wait() -> None:
        with serving(answer_late) as server, connection_to(server) as slow:
            slow.request("GET", "/")
            asked.set()
            print(slow.getresponse().read(), handled.is_set())

    handled, asked = threading.Event(), threading.Event()
    with connected(OK) as connection:
        with_alarm(answer, wait)
