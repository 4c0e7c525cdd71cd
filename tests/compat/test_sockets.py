"""The sockets that compat opens are genuine ones, whatever a program does with them; their waits are as a socket's."""

import array
import gc
import hashlib
import http.client as std
import os
import select
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from asyncclient.testing import RawConnection, RawServer
from compat import client
from compat.sockets import LoopSocket, LoopTLSSocket
from tests.compat.connections import (
    connection_to,
    connection_with_replies,
    fetch,
    in_thread,
    secure_connection_to,
    signal_handled_by,
    socket_pair,
    start_exchange,
)
from tests.connection.conversations import MEBIBYTE, OK, echo_target, reply
from tests.servers import Certificates

CLOSING = reply(b"last", b"Connection: close")


def test_socket_is_a_socket() -> None:
    with connection_with_replies(OK) as connection:
        connection.connect()
        assert isinstance(connection.sock, socket.socket)
        assert type(connection.sock) is LoopSocket
        assert connection.sock.getpeername() == (connection.host, connection.port)
        assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connection.sock.gettimeout() == connection.timeout
        assert not os.get_inheritable(connection.sock.fileno())


def test_secure_socket_is_one(tls: Certificates) -> None:
    with (
        RawServer.replying(OK, tls=tls.server_context()) as server,
        closing(secure_connection_to(server, tls)) as connection,
    ):
        connection.connect()
        assert isinstance(connection.sock, ssl.SSLSocket)
        assert type(connection.sock) is LoopTLSSocket
        assert connection.sock.version() == "TLSv1.3"
        assert connection.sock.selected_alpn_protocol() == "http/1.1"
        assert connection.sock.getpeercert()
        assert connection.sock.gettimeout() == connection.timeout


@pytest.mark.parametrize("timeout", [None, 5.0])
@pytest.mark.parametrize("length", [1, 10, 100])
def test_receiving_is_a_sockets_own(timeout: float | None, length: int) -> None:
    with socket_pair(timeout) as (own, other):
        other.sendall(b"0123456789" * 3)
        buffer = bytearray(length)
        assert own.recv(4, socket.MSG_PEEK) == b"0123"
        assert own.recv_into(buffer, 1) == 1
        assert own.recv(1) == b"1"
        count = own.recv_into(buffer)
        assert bytes(buffer[:count]) == (b"0123456789" * 3)[2 : 2 + length]


def test_receiving_at_the_end_gives_nothing() -> None:
    with socket_pair() as (own, other):
        other.close()
        assert own.recv_into(bytearray(1)) == 0


def test_socket_without_a_timeout_waits_until_data_is_received() -> None:
    with socket_pair(None) as (own, other), signal_handled_by(lambda: other.sendall(b"x")) as begin:
        begin()
        assert own.recv_into(bytearray(10)) == 1


def test_socket_that_must_not_block_does_not() -> None:
    with socket_pair(0) as (own, _):
        for call in (lambda n: own.recv_into(bytearray(n)), own.recv):
            with pytest.raises(BlockingIOError):
                call(1)
        with pytest.raises(BlockingIOError):
            own.sendall(bytes(50 * MEBIBYTE))


@pytest.mark.parametrize("receive", [lambda own: own.recv_into(bytearray(1))])
def test_wait_without_data_is_a_timeout(receive: Callable[[LoopSocket], object]) -> None:
    with socket_pair(0.01) as (own, _), pytest.raises(TimeoutError, match=r"^timed out$"):
        receive(own)


# Uses of conn.sock by programs


def test_timeout_may_be_changed_between_request_and_response() -> None:
    with connection_with_replies(then=RawConnection.hold) as connection:
        connection.request("GET", "/")
        connection.sock.settimeout(0.01)
        with pytest.raises(TimeoutError, match=r"^timed out$"):
            connection.getresponse()


def test_timeout_may_be_changed_while_content_is_read() -> None:
    with connection_with_replies(OK[:-1], then=RawConnection.hold) as connection:
        response = start_exchange(connection)
        connection.sock.settimeout(0.01)
        with pytest.raises(TimeoutError, match=r"^timed out$"):
            response.read()
        response.close()


def test_response_is_not_read_before_getresponse() -> None:
    with connection_with_replies(OK) as connection:
        connection.request("GET", "/")
        assert select.select([connection.sock], [], [], 10)[0]
        assert connection.sock.recv(len(OK)) == OK


def test_file_of_the_socket_reads_the_bytes_of_the_response() -> None:
    with connection_with_replies(b"HTTP/1.1 100 Continue\r\n\r\n" + OK) as connection:
        connection.request("GET", "/")
        with connection.sock.makefile("rb", 0) as file:
            assert (file.readline(), file.readline()) == (b"HTTP/1.1 100 Continue\r\n", b"\r\n")
        assert connection.getresponse().read() == b"ok"


def test_detached_socket_goes_on_elsewhere() -> None:
    with connection_with_replies(OK) as connection:
        connection.connect()
        with socket.socket(fileno=connection.sock.detach()) as other:
            assert connection.sock.fileno() == -1
            other.settimeout(10)
            connection.sock = other
            assert fetch(connection) == (200, b"ok")


def test_socket_may_be_wrapped_in_tls_by_a_program(tls: Certificates) -> None:
    with RawServer(echo_target, tls=tls.server_context()) as server, closing(connection_to(server)) as connection:
        connection.connect()
        connection.sock = tls.client_context().wrap_socket(connection.sock, server_hostname="localhost")
        assert type(connection.sock) is ssl.SSLSocket
        assert [fetch(connection, url=url)[1] for url in ("/1", "/2")] == [b"/1", b"/2"]


def test_context_of_another_class_wraps_the_socket_itself(tls: Certificates) -> None:
    class Context(ssl.SSLContext):
        def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
            calls.append(options)
            return super().wrap_socket(*args, **options)

    calls: list[Any] = []
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=tls.ca.cert_pem.bytes().decode())
    with (
        RawServer.replying(OK, tls=tls.server_context()) as server,
        closing(secure_connection_to(server, tls, context=context)) as connection,
    ):
        assert fetch(connection) == (200, b"ok")
        assert calls == [{"server_hostname": "localhost"}]
        assert type(connection.sock) is ssl.SSLSocket


def test_shutdown_by_another_thread_ends_a_read() -> None:
    asked = threading.Event()

    def note(peer: RawConnection) -> None:
        peer.read_head()
        asked.set()
        peer.wait_closed()

    def shut() -> None:
        asked.wait(10)
        connection.sock.shutdown(socket.SHUT_RDWR)

    with RawServer(note) as server, closing(connection_to(server, timeout=None)) as connection, in_thread(shut):
        connection.request("GET", "/")
        with pytest.raises(std.RemoteDisconnected):
            connection.getresponse()


# How long its descriptor lives


@pytest.mark.parametrize("secure", [False, True])
def test_descriptor_lives_until_the_response_is_read(secure: bool, tls: Certificates) -> None:
    with RawServer.replying(CLOSING, tls=tls.server_context() if secure else None) as server:
        connection = secure_connection_to(server, tls) if secure else connection_to(server)
        connection.request("GET", "/")
        sock = connection.sock
        response = connection.getresponse()
        assert connection.sock is None
        assert response.fileno() == sock.fileno() >= 0
        assert response.read() == b"last"
        assert sock.fileno() == -1


def test_descriptor_lives_as_long_as_any_reader() -> None:
    with socket_pair() as (own, other):
        other.sendall(OK)
        response, file = client.HTTPResponse(own), own.makefile("rb", 0)
        own.close()
        response.begin()
        assert response.read() == b"ok"
        assert own.fileno() >= 0
        file.close()
        assert own.fileno() == -1


def test_descriptor_lives_no_longer_if_the_file_was_inspected() -> None:
    with connection_with_replies(CLOSING) as connection:
        connection.request("GET", "/")
        sock = connection.sock
        response = connection.getresponse()
        assert response.fp.readable()
        assert response.read() == b"last"
        assert sock.fileno() == -1


def test_socket_that_is_dropped_frees_its_descriptor() -> None:
    with socket_pair() as (own, other):
        twin = LoopSocket(own.family, own.type, own.proto, own.detach())
        descriptor = twin.fileno()
        del twin
        gc.collect()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
        assert other.recv(1) == b""


# Sending


def hash_slowly(digests: list[str]) -> Callable[[RawConnection], None]:
    def receive(peer: RawConnection) -> None:
        length, digest = 20 * MEBIBYTE, hashlib.sha256()
        while length:
            data = peer.read(min(length, 8000))
            digest.update(data)
            length -= len(data)
        digests.append(digest.hexdigest())
        peer.send(OK)

    return receive


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: array.array("Q", data)])
@pytest.mark.parametrize("secure", [False, True])
def test_much_data_arrives_whole_at_a_slow_reader(secure: bool, kind: Callable[..., Any], tls: Certificates) -> None:
    data = os.urandom(MEBIBYTE) * 20
    digests: list[str] = []
    with (
        RawServer(hash_slowly(digests), tls=tls.server_context() if secure else None) as server,
        closing(secure_connection_to(server, tls) if secure else connection_to(server)) as connection,
    ):
        connection.connect()
        connection.sock.sendall(kind(data))
        assert connection.sock.recv(len(OK)) == OK
    assert digests == [hashlib.sha256(data).hexdigest()]


class PromptlyAnswered(LoopSocket):
    """A socket whose peer responds at the last byte of a request."""

    left = MEBIBYTE
    peer: socket.socket

    def send_some(self, data: Any) -> int:
        count = super().send_some(data)
        self.left -= count
        if not self.left:
            self.peer.sendall(OK)
        return count


def test_response_at_the_last_byte_of_a_request_is_not_early() -> None:
    one, other = socket.socketpair()
    with other, PromptlyAnswered(one.family, one.type, one.proto, one.detach()) as own:
        own.peer, own.listens = other, True

        def receive() -> None:
            left = MEBIBYTE
            while left:
                left -= len(other.recv(left))

        with in_thread(receive):
            own.sendall(bytes(MEBIBYTE))
        assert own.recv(len(OK)) == OK
        assert not own.is_answered


@pytest.mark.parametrize(("secure", "text"), [(False, "timed out"), (True, "The write operation timed out")])
def test_peer_that_does_not_read_is_a_timeout(secure: bool, text: str, tls: Certificates) -> None:
    with RawServer(RawConnection.hold, tls=tls.server_context() if secure else None) as server:
        connection = secure_connection_to(server, tls) if secure else connection_to(server)
        with closing(connection):
            connection.connect()
            connection.sock.settimeout(0.1)
            with pytest.raises(TimeoutError, match=f"^{text}$"):
                connection.request("POST", "/", bytes(40 * MEBIBYTE))


@pytest.mark.parametrize("how", [RawConnection.close, RawConnection.reset])
def test_peer_that_closes_without_an_answer_is_an_error_of_sending(how: Callable[[RawConnection], None]) -> None:
    def hang_up(peer: RawConnection) -> None:
        peer.read_head()
        how(peer)

    with RawServer(hang_up) as server, closing(connection_to(server)) as connection, pytest.raises(ConnectionError):
        start_exchange(connection, "POST", "/", body=bytes(40 * MEBIBYTE))


def test_handshake_that_is_not_answered_is_a_timeout(tls: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = client.HTTPSConnection(
            "localhost", listener.getsockname()[1], timeout=0.05, context=tls.client_context()
        )
        with pytest.raises(TimeoutError, match="handshake operation timed out"):
            connection.connect()
