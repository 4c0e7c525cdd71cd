"""The servers of the transcript, in threads of its own process, and fake sockets."""

import io
import os
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import client
from typing import Any

from asyncclient.testing import RawConnection, RawServer
from tests.compat.transcript.report import note_port

HOST = "127.0.0.1"
PATIENCE = 10.0
SHORT = 0.2

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CLOSE = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nlost"

Handler = Callable[[RawConnection], object]


@contextmanager
def serving(handler: Handler, *, tls: ssl.SSLContext | None = None, host: str = HOST) -> Iterator[RawServer]:
    with RawServer(handler, tls=tls, host=host) as server:
        note_port(server.port)
        yield server


def script(*responses: bytes, then: Handler = RawConnection.wait_closed) -> Handler:
    """Answer the requests of a connection with these responses, one by one."""

    def reply(connection: RawConnection) -> None:
        for response in responses:
            if not connection.read_request()[0]:
                return
            connection.send(response)
        then(connection)

    return reply


def scripts(*handlers: Handler) -> Handler:
    """Give each connection its own script, in the order they come."""
    left = iter(handlers)
    return lambda connection: next(left)(connection)


def answer_with_the_request(connection: RawConnection) -> None:
    """Read to the end, and send all of it back as content."""
    data = b"".join(iter(connection.read, b""))
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data))


@contextmanager
def connected(*responses: bytes, then: Handler = RawConnection.wait_closed, **options: Any) -> Iterator[Any]:
    """Give a connection to a server that has these responses."""
    with serving(script(*responses, then=then)) as server, connection_to(server, **options) as connection:
        yield connection


@contextmanager
def connection_to(server: RawServer, **options: Any) -> Iterator[Any]:
    connection = client.HTTPConnection(server.host, server.port, **{"timeout": PATIENCE, **options})
    try:
        yield connection
    finally:
        connection.close()


def received_bytes(connection: Any) -> bytes:
    """End the sending, and return what the server got (from answer_with_the_request)."""
    connection.sock.shutdown(socket.SHUT_WR)
    content: bytes = connection.getresponse().read()
    return content


class Recorder:
    """A replacement for a socket: it records the bytes sent, and has a response ready."""

    def __init__(self, answer: bytes = OK) -> None:
        self.sent: list[bytes] = []
        self.calls: list[str] = []
        self._answer = answer

    def sendall(self, data: Any) -> None:
        self.sent.append(bytes(data))

    def makefile(self, mode: str, *args: Any) -> io.BytesIO:
        self.calls.append(f"makefile({mode!r})")
        return io.BytesIO(self._answer)

    def close(self) -> None:
        self.calls.append("close()")


def recorded(answer: bytes = OK, host: str = "example.com", port: int | None = None) -> tuple[Any, Recorder]:
    """Return a connection and the recorder it sends to."""
    connection: Any = client.HTTPConnection(host, port)
    connection.sock = recorder = Recorder(answer)
    return connection, recorder


@contextmanager
def silent_listener(backlog: int = 8) -> Iterator[int]:
    """A port that accepts connections into its backlog and never answers."""
    with socket.create_server((HOST, 0), backlog=backlog) as listener:
        yield note_port(listener.getsockname()[1])


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that is bound, so that no other process gets it, and has no listener."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        yield note_port(bound.getsockname()[1])


@contextmanager
def serving_in_child(connections: int, *, answers: int = 10) -> Iterator[int]:
    """Serve so many connections, each in a process of its own: no threads, so that this one may fork as it likes."""
    listener = socket.create_server((HOST, 0))
    port = note_port(listener.getsockname()[1])
    children = [_fork_server(listener, answers) for _ in range(connections)]
    listener.close()
    yield port
    for child in children:
        os.waitpid(child, 0)


def _fork_server(listener: socket.socket, answers: int) -> int:
    child = os.fork()
    if not child:
        signal.alarm(int(2 * PATIENCE))
        try:
            _serve(listener.accept()[0], answers)
        finally:
            os._exit(0)
    return child


def _serve(sock: socket.socket, answers: int) -> None:
    """Answer requests without content with their number on this connection."""
    with sock, sock.makefile("rb") as file:
        for answer in range(answers):
            lines = _read_lines(file)
            if not lines:
                return
            content = b"request %d: %b" % (answer, lines[0])
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))


def _read_lines(file: io.BufferedReader) -> list[bytes]:
    lines = []
    while (line := file.readline()).strip():
        lines.append(line)
    return lines
