"""The sockets that compat opens: genuine ones, which also notice an early response and end a wait when they are closed.

The problem: `conn.sock` is public in effect. Programs poll its descriptor, change its timeout between a request and its
response, wrap it in TLS, detach it, share it with a forked child, or replace it.

So it is a `socket.socket` (or `ssl.SSLSocket`) with everything that such an object has, and waits as such an object
does. Only close(), sendall() and the read() of TLS are overridden. Nothing is received in the background, and no
received bytes are kept: they stay in the kernel until a read call takes them.

While a request is sent, a response is looked at and stays in the kernel; a final response ends the sending.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from asyncclient.exchange.body import Source
from asyncclient.exchange.send import WRITE_BEFORE_PEEK, send_content
from asyncclient.exchange.stream import Buffer
from asyncclient.limits import DEFAULT
from asyncclient.message.head import has_final_begun

from .loop import BROKEN, READ, WRITE, loop, ready, run

MAX_PEEK: Final = 64 * 1024
"""Bytes of a response that are looked at while the request is sent."""

_NO_WAIT: Final = int(getattr(socket, "MSG_DONTWAIT", 0))  # the enum's operators are Python code

_IS_POSIX: Final = os.name == "posix"

_MAKEFILE, _READINTO = socket.socket.makefile, socket.SocketIO.readinto
_TLS_RECV_INTO, _TLS_READ = ssl.SSLSocket.recv_into, ssl.SSLSocket.read
_recv, _recv_into, _send = socket.socket.recv, socket.socket.recv_into, socket.socket.send

_T = TypeVar("_T")


class OwnSocket(socket.socket if TYPE_CHECKING else object):  # type: ignore[misc]
    """Base of the sockets of compat. An isinstance() check would take a proxy object in front of one for it.

    Attributes:
        listens: a request is being sent, and only its own response can be received.
        is_answered: a final response was received before all of the request was sent; the rest is dropped.
        reads_ahead: a stream on this socket may receive more than it is asked for.
        due: responses that were requested and not begun; while there are any, received bytes belong to one of them.
        idle_stream: the stream that the last response was read from, for the next one.
        waits_in: the process that waits for this socket; 0 if none does. A child that is forked meanwhile must not shut
            the connection down.
    """

    listens = False
    is_answered = False
    reads_ahead = True
    due = 0
    idle_stream: Any = None
    waits_in = 0

    _base: ClassVar[type[socket.socket]]
    _base_sendall: ClassVar[Any]  # the call of the base, unless a program replaces it
    sending_timed_out: ClassVar[str]

    def close(self) -> None:
        """Close the socket as soon as no file holds it. A wait in another thread ends."""
        if self.waits_in and self.waits_in == os.getpid():
            try:
                socket.socket.shutdown(self, socket.SHUT_RDWR)
            except OSError:
                pass  # the peer has closed before
        super().close()

    def __del__(self) -> None:
        """Free the descriptor of a connection that was dropped, without the warning of a plain socket."""
        if self.fileno() >= 0:
            socket.close(self.detach())

    # Looking at received bytes

    def peek(self) -> bytes:
        """Return the first of the received bytes, which stay there; b"" if there are none."""
        raise NotImplementedError

    def has_unsolicited(self) -> bool:
        """Return whether data were received while no response was due; the end of the connection is not data."""
        found = loop.select(self.fileno(), READ, 0)
        # The error of a lost connection is raised once: by the next request.
        return found > 0 and not found & BROKEN and bool(self.peek())

    def hears_response(self) -> bool:
        """Return whether a final response has begun while the request is still being sent."""
        if self.listens and not self.is_answered and loop.select(self.fileno(), READ, 0):
            try:
                self.is_answered = has_final_begun(self.peek())
            except OSError:
                pass  # lost: the next send raises the error
        return self.is_answered

    # Sending

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send as the base does, but nothing more to a peer that has responded already."""
        if self.is_answered:
            return
        if not self.listens or self.gettimeout() == 0 or self._base.sendall is not type(self)._base_sendall:
            super().sendall(data, flags)
            return
        try:
            is_short = type(data) is bytes and len(data) <= WRITE_BEFORE_PEEK
            sent = self.send_some(data) if is_short else 0
            if not is_short or sent < len(data):
                run(self._send(_view(data)[sent:]))
        except (ConnectionError, ssl.SSLError):
            # The peer has closed. Its response is still in the kernel, even behind a reset.
            if not self.hears_response():
                raise

    async def _send(self, view: memoryview) -> None:
        stream: Any = _Sender(self)  # as far as sending needs one
        if await send_content(stream, _Whole(None, view), stream, DEFAULT):
            await stream.flush()  # not drain(): a response to all of the request is not early

    def send_some(self, data: Any) -> int:
        """Send as much as there is room for, and return how many bytes that was; never waits."""
        raise NotImplementedError


class _Whole(Source):
    """Content in memory that is read in one piece, without a copy."""

    async def read(self) -> Buffer:
        data, self.data = self.data, None
        return data or b""


class _Sender:
    """A socket as the engine's sender sees it: a ByteStream, and the ResponseHeads, which getresponse() will read."""

    final = None

    def __init__(self, sock: OwnSocket) -> None:
        self._sock = sock
        self._rest = memoryview(b"")

    def write(self, data: Any) -> None:
        self._rest = memoryview(data)[self._sock.send_some(data) :]

    async def drain(self) -> bool:
        await self.flush()
        return self._sock.hears_response()

    async def flush(self) -> None:
        """Wait until everything is sent, or a final response has begun. Raises TimeoutError."""
        sock, events = self._sock, READ | WRITE
        while self._rest and not sock.is_answered:
            sock.waits_in = os.getpid()
            try:
                found = await ready(sock.fileno(), events, sock.gettimeout())
            finally:
                sock.waits_in = 0
            if not found:
                raise TimeoutError(sock.sending_timed_out)
            if found & READ:
                events = WRITE  # an interim response, or the end: each wait would find it
            if not sock.hears_response():
                self.write(self._rest)

    async def receive_one(self, *_: object) -> None:
        """Leave the head where it is: the socket has seen that a final one has begun."""
        return self.final


def may_read_directly(sock: OwnSocket) -> bool:
    """Return whether a program can't notice that a socket is read without the file that http.client would make.

    Programs replace makefile(), recv_into() or SocketIO.readinto(), of one socket or of all, to observe or to fail.
    """
    own = sock.__dict__
    is_file_own = socket.socket.makefile is _MAKEFILE and socket.SocketIO.readinto is _READINTO
    if not is_file_own or "makefile" in own or "recv_into" in own:
        return False
    if type(sock) is LoopSocket:
        return socket.socket.recv_into is _recv_into
    is_secure = type(sock) is LoopTLSSocket and "read" not in own
    return is_secure and ssl.SSLSocket.recv_into is _TLS_RECV_INTO and ssl.SSLSocket.read is _TLS_READ


class LoopSocket(OwnSocket, socket.socket):
    """A TCP socket."""

    _base = socket.socket
    _base_sendall = socket.socket.sendall
    sending_timed_out = "timed out"

    def send_some(self, data: Any) -> int:
        """See OwnSocket."""
        try:
            if _IS_POSIX and self.gettimeout() is not None:
                return os.write(self.fileno(), data)  # send() would wait for room
            return _send(self, data, _NO_WAIT)
        except BlockingIOError:
            return 0

    def peek(self) -> bytes:
        """See OwnSocket."""
        if self.gettimeout() is not None and not loop.select(self.fileno(), READ, 0):
            return b""  # with a timeout the call would wait that long
        try:
            return _recv(self, MAX_PEEK, socket.MSG_PEEK | _NO_WAIT)
        except BlockingIOError:
            return b""


def _view(data: Any) -> memoryview:
    """Return a buffer as bytes; refuse any other object with the text of socket.send()."""
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not {type(data).__name__!r}") from None
    if not view.c_contiguous:
        raise BufferError("memoryview: underlying buffer is not C-contiguous")
    return view.cast("B")


class LoopTLSSocket(OwnSocket, ssl.SSLSocket):
    """A TLS socket; an SSLSocket becomes one by a change of its class. Its calls wait as those of an SSLSocket do."""

    _base = ssl.SSLSocket
    _base_sendall = ssl.SSLSocket.sendall
    sending_timed_out = "The write operation timed out"

    _ahead = b""  # decrypted by peek(), and not read yet
    _tries = False  # a call is made that must not wait

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        """See ssl.SSLSocket.read(); all receiving comes down to it."""
        if self._ahead:
            return self._take_ahead(len, buffer)
        while True:
            try:
                return super().read(len, buffer)
            except ssl.SSLWantReadError:  # the socket does not block, or another thread is in _try()
                if self.gettimeout() == 0 and not self._tries:
                    raise

    def _take_ahead(self, n: int, buffer: Any) -> Any:
        data, self._ahead = self._ahead[:n], self._ahead[n:]
        if buffer is None:
            return data
        memoryview(buffer).cast("B")[: len(data)] = data
        return len(data)

    def pending(self) -> int:
        """See ssl.SSLSocket.pending()."""
        return len(self._ahead) + super().pending()

    def _try(self, call: Callable[[Any], _T], argument: Any) -> _T:
        """Make a call that must not wait. Raises SSLWantReadError or SSLWantWriteError where it would."""
        timeout, self._tries = self.gettimeout(), True
        try:
            self.settimeout(0)
            return call(argument)
        finally:
            self.settimeout(timeout)
            self._tries = False

    def send_some(self, data: Any) -> int:
        """See OwnSocket. After a wait the same bytes or more have to be given."""
        try:
            return self._try(super().send, data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    def peek(self) -> bytes:
        """See OwnSocket. Decrypted bytes are kept for read(); session tickets leave nothing behind."""
        try:
            while len(self._ahead) < MAX_PEEK and (data := self._try(super().read, MAX_PEEK)):
                self._ahead += data
        except OSError:
            pass  # no more for now, or the end: the next call raises the error
        return self._ahead

    def has_unsolicited(self) -> bool:
        """See OwnSocket."""
        return (self.pending() > 0 and bool(self.peek())) or super().has_unsolicited()
