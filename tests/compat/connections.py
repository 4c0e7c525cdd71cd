"""Helpers for tests of compat: connections to servers, ends of socket pairs, programs in a process."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from asyncclient.testing import RawConnection, RawServer
from asyncclient.testing.raw import TIMEOUT, Handler
from compat import client
from compat.sockets import LoopSocket
from tests.servers import ROOT, Certificates


def connection_to(server: RawServer, **options: Any) -> client.HTTPConnection:
    return client.HTTPConnection(server.host, server.port, **{"timeout": TIMEOUT, **options})


def secure_connection_to(server: RawServer, tls: Certificates, **options: Any) -> client.HTTPSConnection:
    chosen = {"timeout": TIMEOUT, "context": tls.client_context(), **options}
    return client.HTTPSConnection("localhost", server.port, **chosen)


@contextmanager
def connection_with_replies(
    *responses: bytes, then: Handler = RawConnection.wait_closed, **options: Any
) -> Iterator[client.HTTPConnection]:
    """A connection to a server that gives these answers, one by one."""
    with RawServer.replying(*responses, then=then) as server, closing(connection_to(server, **options)) as connection:
        yield connection


def start_exchange(connection: Any, method: str = "GET", url: str = "/", **options: Any) -> client.HTTPResponse:
    connection.request(method, url, **options)
    response: client.HTTPResponse = connection.getresponse()
    return response


def fetch(connection: Any, method: str = "GET", url: str = "/", **options: Any) -> tuple[int, bytes]:
    response = start_exchange(connection, method, url, **options)
    return response.status, response.read()


@contextmanager
def socket_pair(timeout: float | None = TIMEOUT) -> Iterator[tuple[LoopSocket, socket.socket]]:
    """A socket as compat opens it, and its peer."""
    one, other = socket.socketpair()
    own = LoopSocket(one.family, one.type, one.proto, one.detach())
    own.settimeout(timeout)
    other.settimeout(TIMEOUT)
    with own, other:
        yield own, other


class Tape:
    """A replacement for a socket: it has a response ready, and records the bytes sent."""

    def __init__(self, answer: bytes) -> None:
        self.sent = b""
        self.file = io.BytesIO(answer)

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def makefile(self, mode: str) -> io.BytesIO:
        return self.file

    def close(self) -> None:
        pass


@contextmanager
def unread_response(answer: bytes, over: str, method: str = "GET") -> Iterator[client.HTTPResponse]:
    """A response that has not begun, over a socket of compat's, a plain one or a file; the connection ends after it."""
    with ExitStack() as stack:
        sock: Any = Tape(answer)
        if over != "file":
            sock, other = stack.enter_context(socket_pair())
            sock = stack.enter_context(socket.socket(fileno=sock.detach())) if over == "plain" else sock
            other.sendall(answer)
            other.shutdown(socket.SHUT_WR)
        yield stack.enter_context(closing(client.HTTPResponse(sock, method=method)))


def run_python(*arguments: str, stdin: str | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, where this project can be imported."""
    return subprocess.run(
        [sys.executable, *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=4 * TIMEOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        check=False,
    )


@contextmanager
def in_thread(call: Callable[[], object]) -> Iterator[None]:
    """Run a call in another thread, which is over when the block is."""
    thread = threading.Thread(target=call, name="server of a test")
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def signal_handled_by(handler: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Give a call that has another thread send a signal to this one.

    It comes until the handler has run: one that is sent just before a system call begins does not end that.
    """
    begun, over, this = threading.Event(), threading.Event(), threading.get_ident()

    def handle(*args: object) -> None:
        if not over.is_set():
            over.set()
            handler()

    def send() -> None:
        begun.wait(TIMEOUT)
        while not over.wait(0.01):
            signal.pthread_kill(this, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with in_thread(send):
            yield begun.set
    finally:
        signal.signal(signal.SIGUSR1, before)
