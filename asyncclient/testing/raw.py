"""A server for tests that sends exactly the given bytes, over real sockets.

A conforming server cannot send what a client must withstand. Here a test writes the server's side of a conversation as
a plain function of a connection. It runs in a thread of its own with blocking sockets, so it serves clients on any
event loop and blocking clients.

    def handler(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhel")
        connection.reset()

    async with RawServer(handler) as server:
        ...  # connect to server.host, server.port; `with` for blocking clients

No operation waits longer than TIMEOUT. Leaving the context ends all sockets and threads; before that, each handler
takes everything that its client has sent, so a list that a handler fills is complete after the context. Errors that the
client causes in a handler (it closes early, resets, is late, refuses the certificate) are ignored; any other error in a
handler, such as a failed assertion, fails the test.
"""

from __future__ import annotations

import asyncio
import errno
import re
import selectors
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from ..local_response import LocalResponse
from ..message.fields import Fields
from .answers import build_bytes
from .sent import SentRequest

__all__ = ["TIMEOUT", "RawConnection", "RawServer", "parse_fields"]

TIMEOUT = 10.0
"""Seconds that any single operation may take, so that no test hangs."""

_READ_BLOCK = 64 * 1024
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_PEER_FAULTS = (ConnectionError, TimeoutError, ssl.SSLError)
_CONNECT_TIMEOUT = 1.0
_LAST_INPUT = 5.0  # seconds for handlers to take what their clients have sent, when the server stops
_PAUSE = 0.001

Handler: TypeAlias = "Callable[[RawConnection], object]"


def parse_fields(head: bytes) -> list[tuple[str, str]]:
    """Return the fields of a request head as (name in lower case, value), in the order sent."""
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    parted = (line.partition(":") for line in lines)
    return [(name.lower(), value.strip(" \t")) for name, _, value in parted]


class RawConnection:
    """One accepted connection, given to the handler.

    Faults of the peer raise ConnectionError, TimeoutError or ssl.SSLError, which the server ignores; bytes that are not
    HTTP raise ValueError, which it reports.
    """

    def __init__(self, sock: socket.socket, requests: list[bytes], stopping: threading.Event) -> None:
        self.raw_body = b""
        """The last body read, as it was sent: with chunk lines and trailers."""
        self._sock = sock
        self._waits_for = 0  # selectors.EVENT_READ or EVENT_WRITE while the thread is in a blocking call on the socket
        self._requests = requests
        self._stopping = stopping
        self._buffer = bytearray()
        sock.settimeout(TIMEOUT)
        with suppress(OSError):  # macOS refuses it when the peer has gone
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # Reading

    def read(self, n: int = _READ_BLOCK) -> bytes:
        """Return the bytes received, at most n; wait for the first; b"" when the peer has closed."""
        return self._take(n) if self._buffer else self._receive(n)

    def read_head(self) -> bytes:
        """Return a request head through its empty line; b"" if the peer closed instead of sending one."""
        head = self._read_until(b"\r\n\r\n")
        if head:
            self._requests.append(head)
        return head

    def receive(self) -> SentRequest | None:
        """Return a request with its content, framed by its fields; None if the peer closed instead."""
        head, content = self.read_request()
        if not head:
            return None
        method, target, _ = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
        fields = Fields(parse_fields(head))
        scheme = "https" if isinstance(self._sock, ssl.SSLSocket) else "http"
        url = f"{scheme}://{fields.get('host', '')}{target}" if target.startswith("/") else target
        return SentRequest(method, url, fields, content)

    def read_body(self, n: int) -> bytes:
        """Return exactly n bytes."""
        self.raw_body = self._read_exactly(n)
        return self.raw_body

    def read_chunked(self) -> bytes:
        """Return the content of a chunked body (RFC 9112 §7.1); raw_body has it as sent."""
        raw, content = bytearray(), bytearray()
        while size := self._read_chunk_size(raw):
            chunk = self._read_exactly(size + 2)
            if not chunk.endswith(b"\r\n"):
                raise ValueError(f"chunk of {size} bytes not followed by CRLF: {chunk[-2:]!r}")
            content += chunk[:-2]
            raw += chunk
        while (line := self._read_line()) != b"\r\n":
            raw += line
        self.raw_body = bytes(raw + line)
        return bytes(content)

    def read_request(self) -> tuple[bytes, bytes]:
        """Return head and content of a request, framed by its fields; (b"", b"") if the peer closed instead."""
        head = self.read_head()
        fields = dict(parse_fields(head))
        length, coding = fields.get("content-length"), fields.get("transfer-encoding")
        if coding is None:
            return head, self.read_body(int(length or 0))
        if coding.lower() != "chunked" or length is not None:
            raise ValueError(f"ambiguous framing: content-length {length!r}, transfer-encoding {coding!r}")
        return head, self.read_chunked()

    def wait_closed(self, timeout: float = TIMEOUT) -> Literal["eof", "reset"]:
        """Discard received bytes until the peer has closed, and return how it did.

        Raises:
            TimeoutError: the peer has not closed within timeout seconds.
        """
        deadline = time.monotonic() + timeout
        try:
            while True:
                self._sock.settimeout(max(deadline - time.monotonic(), 0.001))
                if not self._receive(_READ_BLOCK):
                    return "eof"
        except ConnectionError:
            return "reset"
        finally:
            self._sock.settimeout(TIMEOUT)

    def hold(self) -> None:
        """Neither read nor write until the server stops, at most TIMEOUT: a server that hangs."""
        self._stopping.wait(TIMEOUT)

    # Writing

    def send(self, data: bytes) -> None:
        """Send all of the data."""
        with self._waiting_for(selectors.EVENT_WRITE):
            self._sock.sendall(data)

    def respond(self, response: LocalResponse, *, has_content: bool = True) -> None:
        """Send a response, such as that of build_response(), with its framing.

        Args:
            response: the response, with content in memory.
            has_content: False to answer HEAD.
        """
        self.send(build_bytes(response, has_content=has_content))

    def send_slowly(self, pieces: Iterable[bytes], *, pause: float = 0.001) -> None:
        """Send each piece in a write and a packet of its own, pause seconds apart.

        TCP does not preserve the boundaries of writes: the pause makes it likely that the peer reads piece by piece. To
        make it certain, pass a generator that waits for the peer before it yields the next piece.

        Raises:
            ConnectionAbortedError: the server stops, and there are pieces left.
        """
        is_stopping = False
        for piece in pieces:
            if is_stopping:
                raise ConnectionAbortedError("server stopped before the last piece")
            self.send(piece)
            is_stopping = self._stopping.wait(pause)

    # Closing

    def close(self) -> None:
        """Close cleanly: over TLS with close_notify, but without waiting for the peer's. May be called twice."""
        with suppress(OSError, ValueError):
            if isinstance(self._sock, ssl.SSLSocket):
                self._sock.settimeout(0)
                self._sock.unwrap()
        self._sock.close()

    def unwrap(self) -> None:
        """Close TLS cleanly, waiting for the peer's close_notify (at most TIMEOUT), then TCP."""
        with suppress(OSError):
            if isinstance(self._sock, ssl.SSLSocket):
                with self._waiting_for(selectors.EVENT_READ):
                    self._sock.unwrap()
        self._sock.close()

    def close_without_notify(self) -> None:
        """End the TCP connection with a FIN and without TLS's close_notify: a truncation (RFC 9112 §9.8)."""
        self.shut(socket.SHUT_RDWR)
        self._sock.close()

    def half_close(self) -> None:
        """End the sending side of the TCP connection, over TLS without close_notify; reading still works."""
        self.shut(socket.SHUT_WR)

    def reset(self) -> None:
        """End the connection at once with a RST; before anything was read, the client's connect() may fail with it."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def shut(self, how: int) -> None:
        """Shut the TCP socket down; unlike close(), it wakes a thread that reads or writes."""
        # SSLSocket.shutdown would remove the TLS object while another thread is using it.
        with suppress(OSError):
            socket.socket.shutdown(self._sock, how)

    # Proxies

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Make the TLS handshake as a server; from here on, send() and the read methods use TLS."""
        if self._buffer:
            raise ValueError(f"{len(self._buffer)} bytes arrived before the handshake")
        self._sock = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
        if self._stopping.is_set():  # the server may have shut down the socket that has just been replaced
            raise ConnectionAbortedError("server stopped before the handshake")
        with self._waiting_for(selectors.EVENT_READ):
            self._sock.do_handshake()

    def relay(self, other: socket.socket) -> None:
        """Pass bytes both ways between the peer and another socket until either closes, or both are silent for TIMEOUT.

        One thread serves both directions, because two threads must not use an SSL object at the same time.
        """
        other.sendall(self._take(len(self._buffer)))
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ, (self._sock, other))
            selector.register(other, selectors.EVENT_READ, (other, self._sock))
            with self._waiting_for(selectors.EVENT_READ):
                while ready := selector.select(TIMEOUT):
                    if not all(_pass_on(*key.data) for key, _ in ready):
                        return

    def is_blocked(self) -> bool:
        """Return whether the handler waits for the peer: for bytes that have not arrived, or for room to send."""
        if not (events := self._waits_for):
            return False
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._sock, events)
                return not selector.select(0)
        except (OSError, ValueError, KeyError):  # closed by the handler meanwhile
            return False

    # Parts

    def _receive(self, n: int) -> bytes:
        with self._waiting_for(selectors.EVENT_READ):
            return self._sock.recv(n)

    @contextmanager
    def _waiting_for(self, events: int) -> Iterator[None]:
        """Note that the thread is in a call that ends with one of these events."""
        self._waits_for = events
        try:
            yield
        finally:
            self._waits_for = 0

    def _take(self, n: int) -> bytes:
        data = bytes(self._buffer[:n])
        del self._buffer[:n]
        return data

    def _read_until(self, end: bytes) -> bytes:
        """Return the bytes through the end mark; b"" if the peer closed before the first."""
        start = 0
        while (found := self._buffer.find(end, start)) < 0:
            start = max(0, len(self._buffer) - len(end) + 1)
            self._buffer += (data := self._receive(_READ_BLOCK))
            if not data:
                if self._buffer:
                    raise ConnectionAbortedError(f"peer closed before {end!r}, after {bytes(self._buffer[:80])!r}")
                return b""
        return self._take(found + len(end))

    def _read_exactly(self, n: int) -> bytes:
        while len(self._buffer) < n:
            self._buffer += (data := self._receive(_READ_BLOCK))
            if not data:
                raise ConnectionAbortedError(f"peer closed after {len(self._buffer)} of {n} bytes")
        return self._take(n)

    def _read_line(self) -> bytes:
        line = self._read_until(b"\r\n")
        if not line:
            raise ConnectionAbortedError("peer closed in a chunked body")
        return line

    def _read_chunk_size(self, raw: bytearray) -> int:
        line = self._read_line()
        raw += line
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise ValueError(f"invalid chunk size: {line[:80]!r}")
        return int(match[1], 16)


def _pass_on(source: socket.socket, target: socket.socket) -> bool:
    """Send on what the source has, what TLS holds decrypted included; return whether it is still open."""
    data = source.recv(_READ_BLOCK)
    if isinstance(source, ssl.SSLSocket) and (pending := source.pending()):
        data += source.recv(pending)
    target.sendall(data)
    return bool(data)


class RawServer:
    """A server on a free port of the loopback interface that runs handler(connection) in a thread per connection.

    When the handler returns, its connection is closed cleanly. At the end of the context the handlers take what their
    clients have sent, then all sockets are shut down and all threads joined. After that the error of a handler is
    raised, several as a group (as notes, if the context failed).

    Args:
        tls: a server's context; the handshake precedes the handler, which is not called if it fails.
        host: the address to listen at.

    Raises:
        TypeError: the handler is not a function; responses are given to replying().
    """

    def __init__(self, handler: Handler, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        if not callable(handler):
            found = type(handler).__name__
            raise TypeError(f"expected a function as handler, got {found}; RawServer.replying() takes responses")
        self.host = host
        self.port = 0
        """Known from the start of the context on."""
        self.accepted = 0
        """Number of connections accepted, failed handshakes included."""
        self.requests: list[bytes] = []
        """All request heads received, as sent."""
        self.errors: list[BaseException] = []
        """Exceptions of the handlers, except those that their peers caused."""
        self._handler = handler
        self._tls = tls
        self._stopping = threading.Event()
        self._running: list[tuple[threading.Thread, RawConnection]] = []

    @classmethod
    def replying(
        cls,
        *responses: bytes | LocalResponse,
        then: Handler = RawConnection.wait_closed,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> Self:
        """Return a server that answers the requests of each connection with these responses, one by one.

        Args:
            responses: bytes, or responses such as those of build_response().
            then: what follows the last response: by default the connection stays open until the client closes it;
                RawConnection.reset, .half_close or .unwrap end it.
        """

        def reply(connection: RawConnection) -> None:
            for response in responses:
                head, _ = connection.read_request()
                if not head:
                    return
                if isinstance(response, LocalResponse):
                    connection.respond(response, has_content=not head.startswith(b"HEAD "))
                else:
                    connection.send(response)
            then(connection)

        return cls(reply, tls=tls, host=host)

    @property
    def url(self) -> str:
        """Scheme, host and port, without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self._tls is None else 'https'}://{host}:{self.port}"

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, 0), family=family)
        self._listener.settimeout(None)
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name=f"raw server :{self.port}", daemon=True)
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()
        if error is not None:
            for own in self.errors:
                error.add_note(f"raw server on port {self.port}: {own!r}")
        elif len(self.errors) == 1:
            raise self.errors[0]
        elif self.errors:
            raise BaseExceptionGroup("handlers of the raw server failed", self.errors)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *exc_info: Any) -> None:
        await asyncio.to_thread(self.__exit__, *exc_info)  # the handlers end while the loop goes on

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError as error:
                if error.errno != errno.EMFILE:  # a test may leave the process without descriptors for a while
                    raise
                time.sleep(_PAUSE)
                continue
            if self._stopping.is_set():
                sock.close()
                return
            self.accepted += 1
            connection = RawConnection(sock, self.requests, self._stopping)
            name = f"raw connection {self.accepted} :{self.port}"
            thread = threading.Thread(target=self._serve, args=(connection,), name=name, daemon=True)
            self._running.append((thread, connection))
            thread.start()

    def _serve(self, connection: RawConnection) -> None:
        try:
            if self._has_handshake(connection):
                self._handler(connection)
        except _PEER_FAULTS:
            pass
        except BaseException as error:  # pytest's outcomes are not derived from Exception
            self.errors.append(error)
        finally:
            connection.close()

    def _has_handshake(self, connection: RawConnection) -> bool:
        """Return whether the connection is ready for the handler; every error here is caused by the peer."""
        try:
            if self._tls is not None:
                connection.start_tls(self._tls)
        except OSError:
            return False
        return True

    def _stop(self) -> None:
        """End all threads and sockets; a handler that waits for anything else is reported after TIMEOUT."""
        self._stopping.set()
        # Closing a listener does not wake the thread in accept(); a connection does, on every system.
        socket.create_connection((self.host, self.port), _CONNECT_TIMEOUT).close()
        self._acceptor.join(TIMEOUT)
        self._listener.close()
        self._let_handlers_read()
        for _, connection in self._running:
            connection.shut(socket.SHUT_RDWR)
        deadline = time.monotonic() + TIMEOUT
        for thread, _ in self._running:
            thread.join(max(deadline - time.monotonic(), 0))
            if thread.is_alive():
                self.errors.append(TimeoutError(f"{thread.name}: handler still running after {TIMEOUT} s"))

    def _let_handlers_read(self) -> None:
        """Wait until each handler has ended or is blocked; a shutdown would reset bytes that are on their way.

        A handler must be blocked twice in a row, because the kernel delivers the next bytes after those just read.
        """
        deadline, blocked = time.monotonic() + _LAST_INPUT, 0
        while blocked < 2 and time.monotonic() < deadline:
            alive = [connection for thread, connection in self._running if thread.is_alive()]
            if not alive:
                return
            time.sleep(_PAUSE)
            blocked = blocked + 1 if all(connection.is_blocked() for connection in alive) else 0
