"""Connecting: the errors are those of http.client, addresses race, and replaced functions of socket are called."""

import errno
import http.client as std
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest

from asyncclient.testing import RawServer
from compat import client
from compat.dial import dial
from compat.sockets import LoopSocket
from tests.compat.connections import connection_to, fetch, run_python
from tests.connection.conversations import OK, echo_target

HOST = "127.0.0.1"
ANYWHERE = "0.0.0.0"  # connects to this machine, and is not among the addresses known for it


def unused_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port where connecting takes for ever."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((HOST, 0), backlog=0))
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def failure(module: Any, host: str, port: int, **options: Any) -> tuple[Any, ...]:
    with pytest.raises((OSError, UnicodeError, std.InvalidURL)) as caught:
        module.HTTPConnection(host, port, **options).connect()
    error = caught.value
    return type(error), error.args, getattr(error, "errno", None), str(error)


@pytest.mark.parametrize("host", [HOST, "localhost", "127.0.0.2", ANYWHERE])
@pytest.mark.parametrize("timeout", [None, 5])
def test_refused_connection_is_the_error_of_http_client(host: str, timeout: float | None) -> None:
    port = unused_port()
    found = failure(client, host, port, timeout=timeout)
    assert found == failure(std, host, port, timeout=timeout)
    assert found[::2] == (ConnectionRefusedError, errno.ECONNREFUSED)


@pytest.mark.parametrize("host", ["255.255.255.255", "no name", "x" * 300, "a..b", "256.1.1.1.example.invalid."])
def test_unknown_host_is_the_error_of_http_client(host: str) -> None:
    assert failure(client, host, 80, timeout=5) == failure(std, host, 80, timeout=5)


@pytest.mark.parametrize("source", [("192.0.2.1", 0), ("::1", 0)])
def test_foreign_source_address_is_the_error_of_http_client(source: tuple[str, int]) -> None:
    with RawServer(echo_target) as server:
        options = {"source_address": source, "timeout": 5}
        found = failure(client, HOST, server.port, **options)
        assert found[0] is failure(std, HOST, server.port, **options)[0]
        assert found[1] == failure(std, HOST, server.port, **options)[1]


def test_connecting_that_takes_too_long_is_a_timeout() -> None:
    with full_backlog() as port:
        found = failure(client, HOST, port, timeout=0.05)
        assert found == failure(std, HOST, port, timeout=0.05)
        assert found[::3] == (TimeoutError, "timed out")


def test_default_timeout_of_sockets_counts() -> None:
    socket.setdefaulttimeout(0.05)
    try:
        with full_backlog() as port:
            assert failure(client, HOST, port)[::3] == (TimeoutError, "timed out")
    finally:
        socket.setdefaulttimeout(None)


def test_timeout_of_nought_does_not_wait() -> None:
    with RawServer(echo_target) as server:
        found = failure(client, HOST, server.port, timeout=0)
        assert found == failure(std, HOST, server.port, timeout=0)
        assert found[0] is BlockingIOError


def test_request_is_sent_from_the_source_address() -> None:
    port = unused_port()
    with RawServer(echo_target) as server, closing(connection_to(server, source_address=(HOST, port))) as connection:
        assert fetch(connection, url="/mine") == (200, b"/mine")
        assert connection.sock.getsockname() == (HOST, port)


# More addresses than one


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    def getaddrinfo(*args: Any, **options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("host", [HOST, ANYWHERE])
@pytest.mark.parametrize("timeout", [None, 5])
def test_next_address_is_taken_when_one_refuses(
    host: str, timeout: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        resolve_to(monkeypatch, (host, unused_port()), (host, port), (host, unused_port()))
        with dial("many.example", 80, timeout, None) as sock:
            assert type(sock) is LoopSocket
            assert sock.getpeername()[1] == port
            assert sock.gettimeout() == timeout
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_addresses_race_when_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((HOST, 0)) as listener, full_backlog() as port:
        resolve_to(monkeypatch, (ANYWHERE, port), (ANYWHERE, listener.getsockname()[1]))
        with dial("many.example", 80, 10, None) as sock:
            assert sock.getpeername() == listener.getsockname()


@pytest.mark.parametrize("host", [HOST, ANYWHERE])
def test_error_of_the_last_address_is_raised(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, (host, unused_port()), (host, unused_port()))
    with pytest.raises(ConnectionRefusedError, match=r"^\[Errno \d+\] Connection refused$") as caught:
        dial("many.example", 80, 5, None)
    assert caught.value.errno == errno.ECONNREFUSED


def test_race_without_a_winner_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    with full_backlog() as port:
        resolve_to(monkeypatch, (ANYWHERE, port), (ANYWHERE, port))
        with pytest.raises(TimeoutError, match=r"^timed out$"):
            dial("many.example", 80, 0.05, None)


class Reporting(logging.Handler):
    """Connects to send each record, as logging.handlers.HTTPHandler does."""

    def __init__(self) -> None:
        super().__init__()
        self.peers: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        with dial("log.example", 80, 5, None) as sock:
            self.peers.append(sock.getpeername())


def test_connection_of_a_log_handler_does_not_race_during_a_race(monkeypatch: pytest.MonkeyPatch) -> None:
    logger, handler = logging.getLogger("asyncio"), Reporting()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)  # asyncio logs each loop that is made for a race
    try:
        with socket.create_server((HOST, 0)) as listener:
            resolve_to(monkeypatch, *[(ANYWHERE, listener.getsockname()[1])] * 2)
            with dial("many.example", 80, 5, None) as sock:
                assert sock.getpeername() == listener.getsockname()
            assert handler.peers == [listener.getsockname()]
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_connection_waits_on_a_private_loop_where_nothing_was_replaced(host: str) -> None:
    with RawServer(echo_target) as server, closing(client.HTTPConnection(host, server.port, timeout=10)) as connection:
        connection.connect()
        assert type(connection.sock) is LoopSocket


# Calls that were replaced


def test_create_connection_that_was_replaced_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    own = socket.create_connection

    def create(*args: Any) -> socket.socket:
        calls.append(args)
        return own((HOST, server.port))

    monkeypatch.setattr(socket, "create_connection", create)
    with RawServer.replying(OK) as server:
        with closing(client.HTTPConnection("nowhere.example", 81, 7, ("", 0))) as connection:
            assert fetch(connection) == (200, b"ok")
            assert type(connection.sock) is socket.socket
            assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        monkeypatch.undo()  # the server stops by it
    assert calls == [(("nowhere.example", 81), 7, ("", 0))]


def test_create_connection_of_the_object_is_asked() -> None:
    connection = client.HTTPConnection("nowhere.example", 81, timeout=7)
    ours = socket.socket()
    calls: list[Any] = []

    def create(*args: Any) -> socket.socket:
        calls.append(args)
        return ours

    connection._create_connection = create
    with closing(connection):
        connection.connect()
        assert connection.sock is ours
    assert calls == [(("nowhere.example", 81), 7, None)]


def test_getaddrinfo_that_was_replaced_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*args: Any) -> list[Any]:
        calls.append(args[:2])
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, server.port))]

    calls: list[Any] = []
    with RawServer.replying(OK) as server:
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        with closing(client.HTTPConnection("nowhere.example", timeout=10)) as connection:
            assert fetch(connection) == (200, b"ok")
        monkeypatch.undo()
    assert calls == [("nowhere.example", 80)]


def test_class_of_sockets_that_was_replaced_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Guarded(socket.socket):
        def connect(self, address: Any) -> None:
            raise PermissionError("not in this test")

    monkeypatch.setattr(socket, "socket", Guarded)
    with pytest.raises(PermissionError, match="not in this test"):
        client.HTTPConnection(HOST, 80, timeout=5).connect()


AUDITED = """
import io, sys
from compat import client

class Tape:
    def sendall(self, data): pass
    def close(self): pass
    def setsockopt(self, *args): pass

def hook(event, args):
    if event.startswith("http.client."):
        print(event, type(args[0]).__name__, *args[1:])

sys.addaudithook(hook)
connection = client.HTTPConnection("127.0.0.1", 9, timeout=5)
connection._create_connection = lambda *args: Tape()
connection.request("POST", "/", [b"one", b"two"], {"Content-Length": "6", "Host": "h", "Accept-Encoding": "x"})
connection.send(io.BytesIO(b"file"))
"""


def test_audit_events_are_those_of_http_client() -> None:
    run = run_python("-c", AUDITED)
    assert (run.stderr, run.stdout.splitlines()) == (
        "",
        [
            "http.client.connect HTTPConnection 127.0.0.1 9",
            r"http.client.send HTTPConnection b'POST / HTTP/1.1\r\nContent-Length: 6\r\nHost: h\r\n"
            r"Accept-Encoding: x\r\n\r\n'",
            "http.client.send HTTPConnection b'one'",
            "http.client.send HTTPConnection b'two'",
            "http.client.send HTTPConnection b'file'",
        ],
    )
