"""The sockets that compat opens: genuine ones, whose waits happen on the private loop.

The problem: `conn.sock` is public in effect. Programs poll its descriptor, change its timeout between a request and its
response, wrap it in TLS, detach it, share it with a forked child, or replace it.

So it is a `socket.socket` (or `ssl.SSLSocket`) with everything that such an object has. Only receiving into a buffer
and sendall() are overridden, and over TLS every call that may wait. Nothing is received in the background, and no
received bytes are kept: they stay in the kernel until a read call takes them.

While a request is sent, a response is looked at and stays in the kernel; a final response ends the sending.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asyncclient.message.head import has_final_begun

from .loop import BROKEN, READ, WRITE, Poll, Waiting, run, watch

MAX_PEEK: Final = 64 * 1024
"""Bytes of a response that are looked at while the request is sent."""

MAX_SEND: Final = 256 * 1024
"""Bytes sent without looking for a response: while a peer reads, one call may send any number."""

LIKELY_MORE: Final = 4096
"""Bytes received by one call after which more are likely to be there: the next call is made without a wait."""

_NO_WAIT: Final = int(getattr(socket, "MSG_DONTWAIT", 0))  # the enum's operators are Python code

_IS_POSIX: Final = os.name == "posix"

_socket_members: Final = vars(socket.socket)
"""The class's own members: a call that C code has is among them only if a program has replaced it."""

_MAKEFILE, _READINTO = socket.socket.makefile, socket.SocketIO.readinto
_TLS_RECV_INTO, _TLS_READ = ssl.SSLSocket.recv_into, ssl.SSLSocket.read
_TLS_SENDALL: Final = ssl.SSLSocket.sendall
_recv, _send = socket.socket.recv, socket.socket.send

_T = TypeVar("_T")


class OwnSocket(socket.socket if TYPE_CHECKING else object):  # type: ignore[misc]
    """Base of the sockets of compat.

    Attributes:
        listens: a request is being sent, and no other response than its own can come.
        is_answered: a final response came before all of the request was sent; the rest is dropped.
        reads_ahead: a stream on this socket may receive more than it is asked for.
        due: how many responses were asked for and not begun; while there are any, received bytes belong to one of them.
        idle_stream: the stream that the last response was read from, for the next one.
    """

    listens = False
    is_answered = False
    reads_ahead = True
    due = 0
    idle_stream: Any = None

    _waits_in = 0  # the process that waits for this socket, 0 if none does
    _reading: Poll | None = None

    def close(self) -> None:
        """Close the socket, as soon as no file holds it. A wait in another thread ends."""
        if self._waits_in == os.getpid():
            try:
                socket.socket.shutdown(self, socket.SHUT_RDWR)
            except OSError:
                pass  # the peer has closed before
        super().close()

    def __del__(self) -> None:
        """Free the descriptor of a connection that was dropped, without the warning of a plain socket."""
        if self.fileno() >= 0:
            socket.close(self.detach())

    # Waiting

    @types.coroutine
    def _ready(self, events: int, seconds: float | None) -> Waiting:
        """Wait on the private loop; return the events that the socket is ready for, 0 after that many seconds."""
        self._waits_in = os.getpid()  # a child that is forked meanwhile must not shut the connection down
        if events == READ:
            poll = self._take_reading()
            found = yield poll, seconds
            self._reading = poll
        else:
            found = yield watch(self.fileno(), events), seconds
        self._waits_in = 0
        return found

    def _take_reading(self) -> Poll:
        """Return the poll object for reading; another thread that waits at the same time makes its own."""
        poll, self._reading = self._reading or watch(self.fileno(), READ), None
        return poll

    def _poll(self) -> int:
        """Return READ if there is something to read, the end included, BROKEN too if the connection is lost."""
        poll = self._take_reading()
        found = poll.poll(0)
        self._reading = poll
        return found[0][1] if found else 0

    # Receiving

    async def receive_into(self, buffer: Any) -> int:
        """Receive what is at hand into a buffer; return how much, 0 at the end.

        Raises:
            TimeoutError: nothing came within the socket's timeout.
        """
        raise NotImplementedError

    # Looking at received bytes

    def peek(self) -> bytes:
        """Return the beginning of the received bytes, and leave them there; b"" if there are none."""
        raise NotImplementedError

    def has_unsolicited(self) -> bool:
        """Return whether data have come while no response was due; the end of the connection is not data."""
        found = self._poll()
        # The error of a lost connection is raised once: by the next request.
        return found > 0 and not found & BROKEN and bool(self.peek())

    def hears_response(self) -> bool:
        """Return whether a final response has come while the request is still being sent."""
        if self.listens and not self.is_answered and self._poll():
            try:
                self.is_answered = has_final_begun(self.peek())
            except OSError:
                pass  # lost: the next send raises the error
        return self.is_answered

    # Sending

    def send_some(self, view: memoryview, flags: int) -> int:
        """Send as much as there is room for, and return how much that was; never waits."""
        raise NotImplementedError

    async def _send_rest(self, view: memoryview, flags: int, timed_out: str) -> None:
        """Send all of the view, waiting for room; no more once a final response has come."""
        events = READ | WRITE
        while view and not self.is_answered:
            found = await self._ready(events, self.gettimeout())
            if not found:
                raise TimeoutError(timed_out)
            if self.hears_response():
                return
            if found & READ:
                events = WRITE  # an interim response, or the end: each wait would find it
            view = view[self.send_some(view[:MAX_SEND], flags) :]


def as_own(sock: Any) -> OwnSocket | None:
    """Return a socket of compat; None for any other, also for a proxy object that claims to be of that class."""
    return sock if issubclass(type(sock), OwnSocket) else None


def may_read_directly(sock: OwnSocket) -> bool:
    """Return whether a program can't notice that a socket is read without the file that http.client would make.

    Programs replace makefile(), recv_into() or SocketIO.readinto(), of one socket or of all, to observe or to fail.
    """
    plain, own = socket.socket, sock.__dict__
    if plain.makefile is not _MAKEFILE or socket.SocketIO.readinto is not _READINTO or "makefile" in own:
        return False
    if type(sock) is LoopSocket:
        return "recv_into" not in _socket_members and "recv_into" not in own
    is_secure = type(sock) is LoopTLSSocket and "recv_into" not in own and "read" not in own
    return is_secure and ssl.SSLSocket.recv_into is _TLS_RECV_INTO and ssl.SSLSocket.read is _TLS_READ


class LoopSocket(OwnSocket, socket.socket):
    """A TCP socket that waits on the private loop."""

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive as socket.socket does."""
        if nbytes or flags or "recv_into" in _socket_members:
            return super().recv_into(buffer, nbytes, flags)
        return run(self.receive_into(buffer))

    async def receive_into(self, buffer: Any) -> int:
        """See OwnSocket. A timeout makes the descriptor non-blocking: reading that saves the poll of recv_into()."""
        timeout = self.gettimeout()
        if timeout == 0:
            return super().recv_into(buffer)
        while True:
            if not self._expects_more and not await self._ready(READ, timeout):
                raise TimeoutError("timed out")
            try:
                is_blocking = timeout is None or not _IS_POSIX
                count = super().recv_into(buffer, 0, _NO_WAIT) if is_blocking else os.readv(self.fileno(), (buffer,))
                self._expects_more = count >= LIKELY_MORE
                return count
            except BlockingIOError:
                self._expects_more = False

    _expects_more = False

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send as socket.socket does, but nothing more to a peer that has responded already."""
        if self.is_answered:
            return
        if self.gettimeout() == 0 or "sendall" in _socket_members:
            super().sendall(data, flags)
            return
        try:
            # A bytes object needs no view, as long as all of it may go in one call.
            is_short = type(data) is bytes and len(data) <= MAX_SEND
            sent = self.send_some(data, flags) if is_short else 0
            if not is_short or sent < len(data):
                run(self._send_rest(_view(data)[sent:], flags, "timed out"))
        except ConnectionError:
            # The peer has closed. Its response is still in the kernel, even behind a reset.
            if not self.hears_response():
                raise

    def send_some(self, view: memoryview | bytes, flags: int) -> int:
        """See OwnSocket."""
        try:
            if _IS_POSIX and not flags and self.gettimeout() is not None:
                return os.write(self.fileno(), view)  # as in receive_into()
            return _send(self, view, flags | _NO_WAIT)
        except BlockingIOError:
            return 0

    def peek(self) -> bytes:
        """See OwnSocket."""
        if self.gettimeout() is not None and not self._poll():
            return b""  # with a timeout the call would wait that long
        try:
            return _recv(self, MAX_PEEK, socket.MSG_PEEK | _NO_WAIT)
        except BlockingIOError:
            return b""


def _view(data: Any) -> memoryview:
    """Return a buffer as bytes; refuse any other object with the text of socket.send()."""
    try:
        return memoryview(data).cast("B")
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not {type(data).__name__!r}") from None


class LoopTLSSocket(OwnSocket, ssl.SSLSocket):
    """A TLS socket that waits on the private loop; an SSLSocket becomes one by a change of its class.

    The socket below never blocks, and the timeout is kept here: one thread may read while another writes.
    """

    _timeout: float | None = None
    _ahead = b""  # decrypted by peek(), and not read yet

    def take_over(self) -> None:
        """Begin to wait on the private loop."""
        self._timeout = super().gettimeout()
        super().settimeout(0)

    def settimeout(self, value: float | None, /) -> None:
        """See socket.settimeout()."""
        super().settimeout(value)  # refuses an invalid value
        self.take_over()

    def gettimeout(self) -> float | None:
        """See socket.gettimeout()."""
        return self._timeout

    @property
    def timeout(self) -> float | None:
        """See gettimeout()."""
        return self._timeout

    def setblocking(self, flag: bool, /) -> None:
        """See socket.setblocking()."""
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        """See socket.getblocking()."""
        return self._timeout != 0

    def detach(self) -> int:
        """See socket.detach()."""
        if self.fileno() >= 0:
            super().settimeout(self._timeout)
        return super().detach()

    # The calls that all receiving and sending of an SSLSocket comes down to

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        """See ssl.SSLSocket.read()."""
        return run(self._read(len, buffer))

    async def _read(self, n: int, buffer: Any = None) -> Any:
        if self._ahead:
            return self._take_ahead(n, buffer)
        read = super().read
        first = 0 if self.pending() else READ
        return await self._until_done(lambda: read(n, buffer), "The read operation timed out", first)

    def _take_ahead(self, n: int, buffer: Any) -> Any:
        data, self._ahead = self._ahead[:n], self._ahead[n:]
        if buffer is None:
            return data
        memoryview(buffer).cast("B")[: len(data)] = data
        return len(data)

    def pending(self) -> int:
        """See ssl.SSLSocket.pending()."""
        return len(self._ahead) + super().pending()

    def write(self, data: Any) -> int:
        """See ssl.SSLSocket.write()."""
        write = super().write
        return run(self._until_done(lambda: write(data), "The write operation timed out"))

    def send(self, data: Any, flags: int = 0) -> int:
        """See ssl.SSLSocket.send()."""
        send = super().send
        return run(self._until_done(lambda: send(data, flags) or _want_write(), "The write operation timed out"))

    def do_handshake(self, block: bool = False) -> None:
        """See ssl.SSLSocket.do_handshake()."""
        run(self._until_done(super().do_handshake, "The handshake operation timed out"))

    def unwrap(self) -> socket.socket:
        """See ssl.SSLSocket.unwrap()."""
        return run(self._until_done(super().unwrap, "The read operation timed out"))

    async def _until_done(self, call: Callable[[], _T], timed_out: str, first: int = 0) -> _T:
        """Repeat a TLS call until it no longer has to wait; the socket's timeout is for all of its waits together.

        An event given as `first` is waited for before the first call.
        """
        timeout = self._timeout
        if timeout == 0:
            return call()
        until = None if timeout is None else time.monotonic() + timeout
        event = first
        while True:
            if event and not await self._ready(event, None if until is None else max(until - time.monotonic(), 0.0)):
                raise TimeoutError(timed_out)
            try:
                return call()
            except ssl.SSLWantReadError:
                event = READ
            except ssl.SSLWantWriteError:
                event = WRITE

    async def receive_into(self, buffer: Any) -> int:
        """See OwnSocket."""
        count: int = await self._read(len(buffer), buffer)
        return count

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send as ssl.SSLSocket does, but nothing more to a peer that has responded already."""
        if self.is_answered:
            return
        if self._timeout == 0 or ssl.SSLSocket.sendall is not _TLS_SENDALL:
            super().sendall(data, flags)
            return
        view = memoryview(data).cast("B")
        try:
            sent = self.send_some(view[:MAX_SEND], flags)  # a repeated call must not have fewer bytes
            if sent < len(view):
                run(self._send_rest(view[sent:], flags, "The write operation timed out"))
        except (ConnectionError, ssl.SSLError):
            # The peer has closed. Its response is still in the kernel, even behind a reset.
            if not self.hears_response():
                raise

    def send_some(self, view: memoryview, flags: int) -> int:
        """See OwnSocket."""
        try:
            return super().send(view, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    def peek(self) -> bytes:
        """See OwnSocket. Decrypted bytes are kept for read(); session tickets leave nothing behind."""
        try:
            while len(self._ahead) < MAX_PEEK and (data := super().read(MAX_PEEK)):
                self._ahead += data
        except OSError:
            pass  # no more for now, or the end: the next call raises the error
        return self._ahead

    def has_unsolicited(self) -> bool:
        """See OwnSocket."""
        found = self._poll()
        return (self.pending() > 0 or (found > 0 and not found & BROKEN)) and bool(self.peek())


def _want_write() -> int:
    raise ssl.SSLWantWriteError
