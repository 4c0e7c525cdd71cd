"""Transcript: calls and methods replaced as programs do, classes of responses, bounds, audit events."""

import functools
import http.client
import io
import socket
import sys
from typing import Any

from tests.compat.transcript.report import attempt, note_port, section, tell_response
from tests.compat.transcript.servers import (
    CLOSE,
    HOST,
    OK,
    PATIENCE,
    Recorder,
    answer_with_the_request,
    connected,
    connection_to,
    received_bytes,
    recorded,
    script,
    serving,
)
from tests.compat.transcript.tls_and_tunnels import certificates, secured


@section
def sockets_made_by_another_call() -> None:
    calls: list[Any] = []

    def create(address: Any, timeout: Any, source_address: Any) -> Any:
        calls.append((address, timeout, source_address))
        return socket.create_connection(address, timeout)

    with connected(OK, timeout=7, source_address=(HOST, 0)) as connection:
        connection._create_connection = create
        connection.request("GET", "/")
        print(connection.getresponse().read(), calls)
    connection = recorded()[0]
    connection.sock = None
    connection._create_connection = lambda *arguments: Recorder(OK)
    attempt("connect", connection.connect)


@section
def sockets_made_by_another_call_of_the_module() -> None:
    """As httpretty and pytest-socket do it."""
    calls: list[Any] = []
    original = socket.create_connection

    def create(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return original(*arguments, **options)

    try:
        socket.create_connection = create
        with connected(OK) as connection:
            connection.request("GET", "/")
            print(connection.getresponse().read(), calls)
    finally:
        socket.create_connection = original


class Steps(http.client.HTTPConnection):
    """It notes each step that a request takes through methods which programs override."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.steps: list[Any] = []
        super().__init__(*arguments, **options)


def note_step(name: str) -> None:
    original = getattr(http.client.HTTPConnection, name)

    @functools.wraps(original)
    def step(self: Any, *arguments: Any, **options: Any) -> Any:
        self.steps.append((name, arguments, options))
        return original(self, *arguments, **options)

    setattr(Steps, name, step)


@section
def each_step_can_be_overridden() -> None:
    names = (
        "connect close putrequest putheader endheaders send request getresponse set_tunnel _send_output _send_request"
    )
    names += " _output _encode_request _validate_path _validate_host _validate_method _tunnel _get_hostport"
    for name in names.split():
        note_step(name)
    with serving(script(OK, OK, OK)) as server:
        connection: Any = Steps(server.host, server.port, timeout=PATIENCE)
        connection.request("POST", "/", b"body", {"A": "b"})
        connection.getresponse().read()
        connection.request("POST", "/", iter((b"a", b"b")))
        connection.getresponse().read()
        connection.request("GET", "http://127.0.0.1/")
        connection.getresponse().read()
        connection.close()
        for step in connection.steps:
            print(step)


class Scripted(http.client.HTTPConnection):
    """As in test_urllib: its socket is a fake that connect() makes; close() is not called."""

    def connect(self) -> None:
        self.sock: Any = Recorder(OK)

    def close(self) -> None:
        print("close")


@section
def methods_overridden_as_programs_do() -> None:
    connection: Any = Scripted("example.com")
    for _ in range(2):
        connection.request("GET", "/")
        response = connection.getresponse()
        tell_response(response)
        print(response.read(), connection.sock.sent)

    class Lenient(http.client.HTTPConnection):
        def _validate_path(self, url: str) -> None:
            pass

        def _encode_request(self, request: str) -> bytes:
            return request.encode("utf-8")

        def putheader(self, header: Any, *values: Any) -> None:
            super().putheader(header, *[value.upper() for value in values if isinstance(value, str)] or values)

        def _send_output(self, message_body: Any = None, *arguments: Any, **options: Any) -> None:
            print(self._buffer, message_body, arguments, options)  # type: ignore[attr-defined]
            self._buffer.append(b"X-Late: 1")  # type: ignore[attr-defined]
            super()._send_output(message_body, *arguments, **options)  # type: ignore[misc]

    connection = Lenient("example.com")
    connection.sock = recorder = Recorder(OK)
    connection.request("GET", "/ü b", headers={"a": "b"})
    print(recorder.sent)


class Noting(list[Any]):
    def append(self, item: Any) -> None:
        print("append", item)
        super().append(item)


@section
def the_buffer_is_a_list() -> None:
    connection, recorder = recorded()
    print(connection._buffer)
    connection._buffer = Noting()
    connection.request("GET", "/", headers={"A": "b"})
    print(connection._buffer, recorder.sent)
    connection, recorder = recorded()
    connection.putrequest("GET", "/")
    connection._buffer.extend((b"X: 1",))
    print(connection._buffer)
    del connection._buffer[:]
    connection._buffer.append(b"GET /own HTTP/1.1")
    connection.endheaders()
    print(recorder.sent)


class Own(http.client.HTTPResponse):
    """A response with a class of its own, which reads its status line itself."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        print(len(arguments), sorted(options))
        self.extra = options.pop("extra", None)
        super().__init__(*arguments, **options)

    def _read_status(self) -> Any:
        found = super()._read_status()  # type: ignore[misc]
        print("_read_status", found)
        return found if self.extra is None else ("HTTP/1.1", 299, " read otherwise ")


@section
def response_classes() -> None:
    for kind in (Own, functools.partial(Own, extra=1)):
        connection, _ = recorded(b"HTTP/1.1 100 Continue\r\n\r\n" + OK if kind is Own else OK)
        connection.response_class = kind
        connection.request("GET", "/")
        response = connection.getresponse()
        print(type(response).__name__)
        tell_response(response)
        print(response.read())
        connection, _ = recorded(OK)
        connection.set_debuglevel(1)
        connection.response_class = kind
        connection.request("HEAD", "/")
        print(connection.getresponse()._method)


class Bare(http.client.HTTPResponse):
    """As vcrpy's: made without __init__, its attributes set by hand."""

    def __init__(self) -> None:
        self.fp = None  # type: ignore[assignment]
        self.status = self.code = 200
        self.reason, self.version = "OK", 11
        self.length, self.headers = 5, http.client.HTTPMessage()
        self.msg = self.headers
        self.headers["A"] = "b"


@section
def a_response_without_init() -> None:
    response = Bare()
    print(response.status, response.getheaders(), response.getheader("a"), response.msg is response.headers)
    print(response.read(), response.isclosed(), response.getcode())
    response.close()
    print(response.closed)


@section
def bounds_that_programs_change() -> None:
    module: Any = http.client
    before = module._MAXLINE, module._MAXHEADERS
    try:
        module._MAXLINE = 40
        connection, _ = recorded(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 50 + b"\r\n\r\n")
        connection.request("GET", "/")
        attempt("line", connection.getresponse)
        module._MAXLINE, module._MAXHEADERS = 65536, 2
        connection, _ = recorded(b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n")
        connection.request("GET", "/")
        attempt("headers", connection.getresponse)
    finally:
        module._MAXLINE, module._MAXHEADERS = before


_events: list[Any] | None = None


def note_event(event: str, arguments: tuple[Any, ...]) -> None:
    if _events is not None and event.startswith("http.client"):
        _events.append((event, type(arguments[0]).__qualname__, arguments[1:]))


@section
def audit_events() -> None:
    global _events
    sys.addaudithook(note_event)
    _events = []
    try:
        with connected(OK, OK, CLOSE) as connection:
            connection.request("GET", "/")
            connection.getresponse().read()
            connection.request("POST", "/", iter((b"a", b"b")))
            connection.getresponse().read()
            connection.request("POST", "/", io.BytesIO(b"file"))
            connection.getresponse().read()
        with serving(answer_with_the_request) as server, connection_to(server) as connection:
            connection.putrequest("GET", "/")
            connection.endheaders()
            connection.send(io.BytesIO(b"file"))
            connection.send([b"a", b"b"])
            print(received_bytes(connection))
        with serving(script(OK), tls=certificates().server_context()) as server, secured(server) as connection:
            connection.request("GET", "/")
            connection.getresponse().read()
        attempt("refused", http.client.HTTPConnection("127.0.0.1", note_port(1)).connect)
        for event in _events:
            print(event)
    finally:
        _events = None
