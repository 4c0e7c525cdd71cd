"""Transcript: where compat differs on purpose, and what http.client has in newer Pythons only."""

import array
import http.client
import io
import ssl
import threading
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asyncclient.testing import RawConnection
from tests.compat.transcript.bodies import failing_pieces
from tests.compat.transcript.report import attempt_kind, briefly, differing
from tests.compat.transcript.responses import BUFFERED_READERS, CUT, HEAD, READERS, UNSOUND_HEADS, WITHOUT_SIZE
from tests.compat.transcript.servers import (
    CLOSE,
    HOST,
    OK,
    PATIENCE,
    connected,
    connection_to,
    recorded,
    script,
    scripts,
    serving,
)
from tests.compat.transcript.tls_and_tunnels import certificates, proxy
from tests.servers import GRANTED

REFUSING = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno\n"


def answered(answer: bytes, **options: Any) -> Any:
    connection, _ = recorded(answer)
    connection.request("GET", "/", **options)
    return connection.getresponse()


# Responses


@differing
def interim_responses_other_than_continue() -> None:
    for interim in (b"102 Processing", b"103 Early Hints\r\nLink: </x>", b"199 Unknown"):
        response = answered(b"HTTP/1.1 %b\r\n\r\n" % interim + OK)
        print(response.status, response.read())
    briefly("endless", lambda: answered(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000 + OK).status)


@differing
def invalid_or_contradicting_lengths() -> None:
    for value in (b"x", b"+5", b"5 5", b"5.0", b"0x5", b"5, 6", b"5\r\nContent-Length: 6", b"5, 5", b"-5", b""):
        briefly(repr(value), lambda: answered(b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\nhello" % value).read())  # noqa: B023


@differing
def length_used_up() -> None:
    for name in ("read1()", "readline()", "list()"):
        response = answered(OK)
        print(name, BUFFERED_READERS[name](response), response.isclosed(), response.length)


@differing
def read_of_a_negative_number() -> None:
    for answer in (
        OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
    ):
        response = answered(answer)
        briefly("read(-1)", lambda: (response.read(-1), response.isclosed()))  # noqa: B023


@differing
def status_lines_with_blanks() -> None:
    for line in (b"HTTP/1.1  200  very   OK  \r\n", b" HTTP/1.1 200 OK\r\n"):
        briefly(repr(line), lambda: answered(line + b"Content-Length: 0\r\n\r\n").reason)  # noqa: B023


@differing
def heads_that_are_not_sound() -> None:
    for name, lines in UNSOUND_HEADS.items():
        response = answered(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\nhi")
        print(name, response.length, response.will_close)
    response = answered(b"HTTP/1.0 200 OK\r\nProxy-Connection: keep-alive\r\nContent-Length: 2\r\n\r\nhi")
    print("Proxy-Connection", response.length, response.will_close)


@differing
def a_head_that_ends_with_the_connection() -> None:
    for head in (HEAD, HEAD + b"A: 1\r\n", HEAD + b"Content-Length: 5\r\n", b"HTTP/1.1 100 Continue\r\n"):
        with connected(head, then=RawConnection.close) as connection:
            connection.request("GET", "/")
            briefly("getresponse", lambda: connection.getresponse().status)


@differing
def missing_sizes_that_peek_hides() -> None:
    for kind, answer in WITHOUT_SIZE.items():
        for name in ("peek() and read(2)", "readline()", "list()"):
            read = {**READERS, **BUFFERED_READERS}[name]
            with connected(answer, then=RawConnection.close) as connection:
                connection.request("GET", "/")
                response = connection.getresponse()
                briefly(f"{kind}, {name}", lambda: [read(response) for _ in range(3)])  # noqa: B023


@differing
def content_that_was_cut() -> None:
    for kind, answer in {"after a chunk": CUT["after a chunk"], **WITHOUT_SIZE}.items():
        with connected(answer, then=RawConnection.close) as connection:
            connection.request("GET", "/")
            response = connection.getresponse()
            for _ in range(3):
                briefly(kind, response.read1)


# Connections


@differing
def unsolicited_data() -> None:
    read, sent = threading.Event(), threading.Event()

    def answer_twice(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(OK)
        read.wait(PATIENCE)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        sent.set()
        connection.wait_closed()

    with serving(scripts(answer_twice, script(OK))) as server, connection_to(server) as connection:
        connection.request("GET", "/1")
        print(connection.getresponse().read())
        read.set()
        sent.wait(PATIENCE)
        connection.request("GET", "/2")
        print(connection.getresponse().read(), server.accepted)


@differing
def a_response_that_was_closed_unread() -> None:
    with serving(scripts(script(OK, OK), script(OK))) as server, connection_to(server) as connection:
        connection.request("GET", "/1")
        connection.getresponse().close()
        connection.request("GET", "/2")
        briefly("second", lambda: connection.getresponse().read())
        print(server.accepted)


@differing
def an_answer_while_content_is_sent() -> None:
    def refuse(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(REFUSING)
        connection.reset()

    with serving(refuse) as server, connection_to(server) as connection:
        connection.request("POST", "/", iter([b"x" * 100_000] * 400))
        response = connection.getresponse()
        print(response.status, response.read(), response.will_close, connection.sock)


@differing
def a_socket_that_never_waits() -> None:
    release = threading.Event()

    def late(connection: RawConnection) -> None:
        connection.read_head()
        release.wait(PATIENCE)
        connection.send(OK)
        connection.wait_closed()

    with serving(late) as server, connection_to(server) as connection:
        connection.request("GET", "/")
        connection.sock.settimeout(0)
        briefly("getresponse", connection.getresponse)
        print(connection.sock is None)
        if connection.sock is not None:
            connection.sock.settimeout(PATIENCE)
            release.set()
            print(connection.getresponse().read())
        release.set()


@differing
def a_body_that_fails() -> None:
    connection, recorder = recorded()
    briefly("request", lambda: connection.request("POST", "/", failing_pieces(1)))
    print(recorder.calls)
    connection, recorder = recorded()
    briefly("request", lambda: connection.request("POST", "/", io.StringIO("a€")))
    print(recorder.calls)


# Requests


@differing
def rejected_requests_leave_nothing() -> None:
    bad: list[dict[str, Any]] = [
        {"method": "GET", "url": "/a b"},
        {"method": "GET", "url": "/ü"},
        {"method": "GET", "url": "/", "headers": {"a b\r\n": "c"}},
        {"method": "GET", "url": "/", "headers": {"a": "b\r\nc: d"}},
        {"method": "POST", "url": "/", "body": "€"},
    ]
    for arguments in bad:
        connection, recorder = recorded()
        try:
            connection.request(**arguments)
        except ValueError as error:  # InvalidURL is not a ValueError
            print(type(error).__name__)
        except http.client.InvalidURL as error:
            print(type(error).__name__)
        briefly("next", connection.request, "GET", "/next", headers={"Host": "x"})
        print(recorder.sent)


@differing
def a_chunk_of_wider_items() -> None:
    for body in ([array.array("H", [1, 2, 3])], array.array("I", [1, 2])):
        connection, recorder = recorded()
        connection.request("POST", "/", body, {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        print(recorder.sent[1:])


@differing
def invalid_methods() -> None:
    for method in ("G T", "\x7f", "G:T", "(GET)"):
        connection, recorder = recorded()
        briefly(repr(method), connection.request, method, "/")
        print(recorder.sent)


@differing
def nul_in_a_header() -> None:
    for name, value in (("a\0", "b"), ("a", "b\0")):
        connection, recorder = recorded()
        briefly(repr((name, value)), connection.request, "GET", "/", headers={name: value})
        print(recorder.sent)


@differing
def host_of_a_scoped_target() -> None:
    connection, recorder = recorded()
    connection.request("GET", "http://[fe80::1%25a]:8/x")
    print(recorder.sent)


# Tunnels


@differing
def requests_to_a_proxy() -> None:
    with serving(script(OK)) as origin, proxy() as server:
        connection = http.client.HTTPConnection(HOST, server.port, timeout=PATIENCE)
        connection.set_tunnel(HOST, origin.port)
        connection.request("GET", "/")
        print(connection.getresponse().read(), server.requests)
        connection.close()


@differing
def responses_of_a_proxy() -> None:
    with serving(script(OK)) as origin, proxy(answer=GRANTED[:-2] + b"Via: me\r\n\r\n") as server:
        connection: Any = http.client.HTTPConnection(HOST, server.port, timeout=PATIENCE)
        connection.set_tunnel(HOST, origin.port, {"Host": "given"})
        briefly("before", lambda: connection.get_proxy_response_headers())
        connection.set_debuglevel(1)
        connection.request("GET", "/")
        print(connection.getresponse().read())
        briefly("after", lambda: connection.get_proxy_response_headers().items())
        connection.close()


@differing
def tunnel_to_version_6() -> None:
    connection, recorder = recorded(GRANTED)
    connection.sock = None
    connection._create_connection = lambda *arguments: _Sink(recorder)
    connection.set_tunnel("[fe80::1]", 81)
    briefly("connect", connection.connect)
    print(recorder.sent)


class _Sink:
    """A recorder that takes options, too."""

    def __init__(self, recorder: Any) -> None:
        self.sendall, self.makefile, self.close = recorder.sendall, recorder.makefile, recorder.close

    def setsockopt(self, *arguments: Any) -> None:
        pass


@differing
def tunnel_to_a_bad_host() -> None:
    for host in ("a b", "a\r\nX: 1"):
        connection, recorder = recorded(GRANTED)
        connection.sock = None
        connection._create_connection = lambda *arguments: _Sink(recorder)  # noqa: B023
        briefly(repr(host), connection.set_tunnel, host)
        briefly("connect", connection.connect)
        print(recorder.sent)


# A handshake that fails


@differing
def the_socket_of_a_handshake_that_failed() -> None:
    with serving(script(b""), tls=certificates().wrong_host_context()) as server:
        connection = http.client.HTTPSConnection("localhost", server.port, context=certificates().client_context())
        attempt_kind("connect", connection.connect)
        print(connection.sock is None)
        connection.close()


# Arguments of other Pythons


@differing
def arguments_of_older_pythons() -> None:
    with TemporaryDirectory() as directory, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        chain, key = certificates().write(Path(directory))
        kind: Any = http.client.HTTPSConnection
        briefly("files", lambda: kind("localhost", None, str(key), str(chain)).host)
        context = ssl._create_unverified_context()
        briefly("check_hostname", lambda: kind("localhost", context=context, check_hostname=True))
        context = certificates().client_context()
        briefly("no check", lambda: kind("localhost", context=context, check_hostname=False)._context.check_hostname)
    for warning in caught:
        print(warning.category.__name__, warning.message)


@differing
def arguments_of_newer_pythons() -> None:
    kind: Any = http.client.HTTPConnection
    with serving(script(b"HTTP/1.1 200 OK\r\n" + b"A: 1\r\n" * 150 + b"\r\n", CLOSE)) as server:
        connection = attempt_quietly(lambda: kind(server.host, server.port, max_response_headers=200))
        if connection is not None:
            connection.request("GET", "/")
            print(len(connection.getresponse().getheaders()))
            connection.close()


def attempt_quietly(call: Any) -> Any:
    try:
        return call()
    except TypeError as error:
        print(type(error).__name__)
        return None
