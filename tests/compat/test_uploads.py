"""Early answers end an upload; unsolicited data is never a response."""

import http.client as std
import io
import select
import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest

from asyncclient.testing import RawConnection, RawServer
from compat import client
from compat.sockets import LoopTLSSocket
from tests.compat.connections import connection_to, fetch, secure_connection_to, start_exchange
from tests.connection.conversations import (
    MEBIBYTE,
    OK,
    TOO_LARGE,
    UPLOAD,
    EarlyAnswer,
    chunked,
    echo_target,
    reply,
    zeros,
)
from tests.servers import Certificates

KINDS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: bytes(UPLOAD),
    "bytearray": lambda: bytearray(UPLOAD),
    "generator": zeros,
    "file": lambda: io.BytesIO(bytes(UPLOAD)),
}


@pytest.mark.parametrize("then", ["reads", "closes", "resets"])
@pytest.mark.parametrize("kind", KINDS)
def test_early_answer_is_delivered_and_ends_the_upload(kind: str, then: str) -> None:
    script = EarlyAnswer(then)
    with RawServer(script) as server, closing(connection_to(server, blocksize=65_536)) as connection:
        for _ in range(5):
            response = start_exchange(connection, "POST", "/", body=KINDS[kind]())
            assert (response.status, response.will_close, connection.sock) == (413, True, None)
            assert response.read() == b"too large"
            assert fetch(connection) == (200, b"ok")
            connection.close()
        assert server.accepted == 10
    # Once may be late: the server's thread has to get a turn before it can answer.
    assert statistics.median(script.received) < UPLOAD / 2


def test_last_chunk_is_not_sent_after_an_early_answer() -> None:
    ends = []

    def answer(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(TOO_LARGE)
        data = b""
        while more := peer.read():
            data = (data + more)[-5:]
        ends.append(data)

    with RawServer(answer) as server, closing(connection_to(server)) as connection:
        assert fetch(connection, "POST", "/", body=zeros()) == (413, b"too large")
    assert ends[0] != b"0\r\n\r\n"


def test_generator_is_not_asked_for_more_after_an_early_answer() -> None:
    asked: list[int] = []

    def pieces() -> Iterator[bytes]:
        yield b"first"
        select.select([connection.sock], [], [], 10)
        for number in range(1000):
            asked.append(number)
            yield b"more"

    with RawServer(EarlyAnswer("reads")) as server, closing(connection_to(server)) as connection:
        assert fetch(connection, "POST", "/", body=pieces()) == (413, b"too large")
    assert asked in ([], [0])


@pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints\r\nLink: </x>"])
@pytest.mark.parametrize("kind", ["bytes", "generator"])
def test_interim_response_does_not_end_an_upload(kind: str, interim: bytes) -> None:
    lengths = []

    def answer(peer: RawConnection) -> None:
        head = peer.read_head()
        peer.send(b"HTTP/1.1 %b\r\n\r\n" % interim)
        body = peer.read_chunked() if b"chunked" in head else peer.read_body(UPLOAD)
        lengths.append(len(body))
        peer.send(b"HTTP/1.1 %b\r\n\r\n" % interim + OK)
        assert peer.read_head()
        peer.send(reply(b"second"))

    with RawServer(answer) as server, closing(connection_to(server)) as connection:
        assert fetch(connection, "POST", "/", body=KINDS[kind]()) == (200, b"ok")
        assert fetch(connection) == (200, b"second")
        assert server.accepted == 1
    assert lengths == [UPLOAD]


@pytest.mark.parametrize("then", ["reads", "closes", "resets"])
@pytest.mark.parametrize("kind", KINDS)
def test_early_answer_over_tls_is_delivered_and_ends_the_upload(kind: str, then: str, tls: Certificates) -> None:
    script = EarlyAnswer(then)
    with (
        RawServer(script, tls=tls.server_context()) as server,
        closing(secure_connection_to(server, tls, blocksize=65_536)) as connection,
    ):
        for _ in range(5):
            response = start_exchange(connection, "POST", "/", body=KINDS[kind]())
            assert (response.status, response.will_close) == (413, True)
            assert response.read() == b"too large"
            assert fetch(connection) == (200, b"ok")
            connection.close()
    assert statistics.median(script.received) < UPLOAD / 2


def test_peeked_tls_data_is_read_once(tls: Certificates) -> None:
    """By each way that a socket can be read, and in small parts."""

    def answer(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(b"0123456789")
        peer.hold()

    with (
        RawServer(answer, tls=tls.server_context()) as server,
        closing(secure_connection_to(server, tls)) as connection,
    ):
        connection.request("GET", "/")
        sock = connection.sock
        assert isinstance(sock, LoopTLSSocket)
        while not sock.peek():  # session tickets come first
            assert select.select([sock], [], [], 10)[0]
        assert sock.peek() == b"0123456789"
        assert (sock.pending(), sock.has_unsolicited()) == (10, True)
        buffer = bytearray(5)
        assert (sock.recv(1), sock.recv_into(buffer, 3), bytes(buffer[:3])) == (b"0", 3, b"123")
        assert (sock.read(2), sock.recv(100), sock.pending()) == (b"45", b"6789", 0)


def test_connection_closes_when_a_body_fails_and_sends_no_last_chunk() -> None:
    received = []

    def pieces() -> Iterator[bytes]:
        yield b"piece"
        raise LookupError("mine")

    def note(peer: RawConnection) -> None:
        if b"POST" in peer.read_head():
            received.append(b"".join(iter(peer.read, b"")))
        else:
            peer.send(OK)

    with RawServer(note) as server, closing(connection_to(server)) as connection:
        with pytest.raises(LookupError, match="mine"):
            connection.request("POST", "/", pieces())
        assert connection.sock is None
        assert fetch(connection) == (200, b"ok")
    assert received == [b"5\r\npiece\r\n"]


@pytest.mark.parametrize("make", [std.HTTPConnection, client.HTTPConnection])
def test_bytes_that_are_not_contiguous_are_a_buffer_error(make: Any) -> None:
    with RawServer.replying(OK) as server, closing(make("127.0.0.1", server.port, timeout=10)) as connection:
        with pytest.raises(BufferError, match=r"^memoryview: underlying buffer is not C-contiguous$"):
            connection.request("POST", "/", memoryview(bytes(6))[::2])
        connection.close()
        assert fetch(connection) == (200, b"ok")


# Data between a response and the next request


@contextmanager
def server_and_connection(
    handler: Callable[[RawConnection], object], tls: Certificates | None
) -> Iterator[tuple[RawServer, Any]]:
    with ExitStack() as stack:
        server = stack.enter_context(RawServer(handler, tls=tls.server_context() if tls else None))
        yield server, stack.enter_context(closing(secure_connection_to(server, tls) if tls else connection_to(server)))


EXTRAS = [b"x", b"\r\n", reply(b"evil"), b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 408 Late\r\n\r\n"]


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("first", [OK, chunked(b"ok"), reply(b"")])
def test_bytes_right_behind_an_answer_never_answer(first: bytes, extra: bytes, secure: bool, tls: Certificates) -> None:
    turns = iter([first + extra, reply(b"mine")])

    def answer(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(next(turns))
        peer.wait_closed()

    with server_and_connection(answer, tls if secure else None) as (server, connection):
        fetch(connection)
        assert fetch(connection) == (200, b"mine")
        assert server.accepted == 2


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("extra", EXTRAS)
def test_bytes_on_an_idle_connection_never_answer(extra: bytes, secure: bool, tls: Certificates) -> None:
    answered = threading.Event()

    def answer(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(reply(b"mine") if answered.is_set() else OK)
        answered.wait(10)
        if server.accepted == 1:
            peer.send(extra)
        peer.wait_closed()

    with server_and_connection(answer, tls if secure else None) as (server, connection):
        assert fetch(connection) == (200, b"ok")
        answered.set()
        assert select.select([connection.sock], [], [], 10)[0]
        assert fetch(connection) == (200, b"mine")
        assert server.accepted == 2


def answer_once(then: Callable[[RawConnection], object]) -> Callable[[RawConnection], None]:
    def answer(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(OK)
        then(peer)

    return answer


@pytest.mark.parametrize("secure", [False, True])
def test_end_of_an_idle_connection_is_an_error_and_the_next_request_reconnects(secure: bool, tls: Certificates) -> None:
    with server_and_connection(answer_once(RawConnection.close), tls if secure else None) as (server, connection):
        assert fetch(connection) == (200, b"ok")
        assert select.select([connection.sock], [], [], 10)[0]
        with pytest.raises(ConnectionError):
            fetch(connection)
        connection.close()
        assert fetch(connection) == (200, b"ok")
        assert server.accepted == 2


@pytest.mark.parametrize("secure", [False, True])
def test_reset_of_an_idle_connection_is_the_error_of_http_client(secure: bool, tls: Certificates) -> None:
    errors = []
    with server_and_connection(answer_once(RawConnection.reset), tls if secure else None) as (_, ours):
        kind: Any = std.HTTPSConnection if secure else std.HTTPConnection
        with closing(kind(ours.host, ours.port, **({"context": ours._context} if secure else {}))) as theirs:
            for connection in (ours, theirs):
                assert fetch(connection) == (200, b"ok")
                assert select.select([connection.sock], [], [], 10)[0]
                with pytest.raises(OSError) as caught:  # noqa: PT011  (whichever: they are compared)
                    fetch(connection)
                errors.append((type(caught.value), caught.value.args))
    assert errors[0] == errors[1]


def test_session_tickets_are_not_unsolicited_data(tls: Certificates) -> None:
    with server_and_connection(echo_target, tls) as (server, connection):
        connection.connect()
        assert isinstance(connection.sock, LoopTLSSocket)
        assert select.select([connection.sock], [], [], 10)[0]  # the tickets
        assert not connection.sock.has_unsolicited()
        for url in ("/1", "/2", "/3"):
            assert fetch(connection, url=url) == (200, url.encode())
        assert server.accepted == 1


def test_bytes_before_the_first_request_never_answer() -> None:
    def answer(peer: RawConnection) -> None:
        if server.accepted == 1:
            peer.send(reply(b"early"))
        elif peer.read_head():
            peer.send(reply(b"mine"))
        peer.wait_closed()

    with RawServer(answer) as server, closing(connection_to(server)) as connection:
        connection.connect()
        assert select.select([connection.sock], [], [], 10)[0]
        assert fetch(connection) == (200, b"mine")


@pytest.mark.parametrize("first", [reply(bytes(10)), chunked(bytes(10)), reply(bytes(MEBIBYTE))])
@pytest.mark.parametrize("n", [0, 3])
def test_response_closed_unread_is_not_followed_by_its_leftovers(first: bytes, n: int) -> None:
    turns = iter([first, reply(b"mine")])

    def answer(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(next(turns))
        peer.wait_closed()

    with RawServer(answer) as server, closing(connection_to(server)) as connection:
        with start_exchange(connection) as response:
            assert response.read(n) == bytes(n)
        assert fetch(connection) == (200, b"mine")
        assert server.accepted == 2


def test_request_is_refused_while_a_response_is_unread() -> None:
    with RawServer(echo_target) as server, closing(connection_to(server)) as connection:
        response = start_exchange(connection, url="/first")
        connection.request("GET", "/second")
        with pytest.raises(client.ResponseNotReady, match="Request-sent"):
            connection.getresponse()
        assert response.read() == b"/first"
        assert connection.getresponse().read() == b"/second"


# An empty piece at the end: the server has the whole request, and its answer is not early


def pieces_then_nothing(connection: client.HTTPConnection) -> Iterator[bytes]:
    yield b"hello"
    select.select([connection.sock], [], [], 10)
    yield b""


@pytest.mark.parametrize("is_secure", [False, True])
def test_connection_is_kept_after_an_empty_last_piece(is_secure: bool, tls: Certificates) -> None:
    context = tls.server_context() if is_secure else None
    with RawServer(echo_target, tls=context) as server:
        with closing(secure_connection_to(server, tls) if is_secure else connection_to(server)) as connection:
            for _ in range(3):
                body = pieces_then_nothing(connection)
                response = start_exchange(connection, "POST", "/", body=body, headers={"Content-Length": "5"})
                assert (response.will_close, response.read()) == (False, b"/")
                connection.request("POST", "/", b"")
                assert connection.getresponse().read() == b"/"
                connection.putrequest("POST", "/")
                connection.putheader("Content-Length", "0")
                connection.endheaders()
                select.select([connection.sock], [], [], 10)
                connection.send(b"")
                assert connection.getresponse().read() == b"/"
        assert server.accepted == 1


def test_generator_is_asked_for_no_more_after_an_early_answer_and_an_empty_piece() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"first"
        select.select([connection.sock], [], [], 10)
        yield b""
        for _ in range(1000):
            yield b"more"

    with RawServer(EarlyAnswer("reads")) as server, closing(connection_to(server)) as connection:
        assert fetch(connection, "POST", "/", body=pieces()) == (413, b"too large")
