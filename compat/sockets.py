"""The sockets that compat opens: genuine ones, whose waits happen on a private loop.

The problem: `conn.sock` is public in effect. Programs poll its descriptor, change its timeout between a request and its
response, wrap it in TLS, detach it, share it with a forked child, or put another in its place.

So it is a `socket.socket` (or `ssl.SSLSocket`) with all that such a one has. Only receiving into a buffer and sending
all are done here, and over TLS whatever may wait. Nothing is read in the background, and nothing that was read is kept:
bytes stay in the kernel until a read call takes them.

While a request goes out, what the peer says meanwhile is looked at, not taken: a final response ends the sending.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asyncclient.message.head import has_final_begun

from . import runner
from .runner import BROKEN, READ, WRITE

LOOK: Final = 64 * 1024
"""Bytes looked at for an answer that comes before the request has gone out."""

AT_ONCE: Final = 256 * 1024
"""Bytes sent without looking for an answer: while a peer reads, one call may send any number."""

LIKELY: Final = 4096
"""Bytes in one call after which more are likely to be there: they are tried for before the loop is entered."""

_NO_WAIT: Final = int(getattr(socket, "MSG_DONTWAIT", 0))  # as an enum it costs 2 µs each time

_IS_POSIX: Final = os.name == "posix"

_recv, _recv_into, _send = socket.socket.recv, socket.socket.recv_into, socket.socket.send

_patched: Final = vars(socket.socket)
"""What the class has of its own: a call that C code has is in it only if a program has put another in its place."""


_MAKEFILE, _READINTO = socket.socket.makefile, socket.SocketIO.readinto
_TLS_RECV_INTO, _TLS_READ = ssl.SSLSocket.recv_into, ssl.SSLSocket.read
_TLS_SENDALL: Final = ssl.SSLSocket.sendall

_T = TypeVar("_T")


class OwnSocket(socket.socket if TYPE_CHECKING else object):  # type: ignore[misc]
    """What the sockets of compat have in common.

    Attributes:
        listens: a request is going out, and nothing else can come but its answer.
        is_answered: that came before all of the request was sent; what is sent after that goes nowhere.
        reads_ahead: what is made to read of it may receive more than it is asked for.
        due: how many responses were asked for and not begun; while there are any, what comes is one of them.
    """

    listens = False
    is_answered = False
    reads_ahead = True
    due = 0

    _waiting_in = 0
    _expects_more = False
    _holders = 0
    _is_closing = False
    _reading: runner.Poll | None = None

    # Who reads holds it open, as a file that makefile() made does

    def hold(self) -> None:
        """Keep the descriptor open until release(), even if close() comes first."""
        self._holders += 1

    def release(self) -> None:
        """Let go; if close() was called meanwhile it happens now."""
        self._holders -= 1
        if self._is_closing and not self._holders:
            super().close()

    def close(self) -> None:
        """Close the socket, or have the last one that reads of it do so. A wait in another thread ends."""
        self._is_closing = True
        if self._waiting_in == os.getpid():
            try:
                socket.socket.shutdown(self, socket.SHUT_RDWR)
            except OSError:
                pass  # the peer was first
        if not self._holders:
            super().close()

    def __del__(self) -> None:
        """Free the descriptor of a connection that was dropped; a plain socket would warn, too."""
        if self.fileno() >= 0:
            socket.close(self.detach())

    # Waiting

    def _wait(self, events: int, seconds: float | None) -> int:
        """Wait on a private loop; return what the socket is ready for, 0 when the time is over."""
        self._waiting_in = os.getpid()  # not in a child that is forked meanwhile
        if events == READ:
            poll, self._reading = self._reading or runner.watch(self.fileno(), READ), None
            found = runner.wait(poll, seconds)
            self._reading = poll  # another thread that waits meanwhile has its own
        else:
            found = runner.wait(runner.watch(self.fileno(), events), seconds)
        self._waiting_in = 0
        return found

    def _ready_for(self) -> int:
        """Return READ if there is something to read, the end included, BROKEN too if the connection is gone."""
        poll, self._reading = self._reading or runner.watch(self.fileno(), READ), None
        found = poll.poll(0)
        self._reading = poll
        return found[0][1] if found else 0

    # Receiving

    def receive(self, n: int) -> bytes:
        """Receive what is at hand, n bytes at most; b"" at the end.

        Raises:
            TimeoutError: nothing came within the socket's timeout.
        """
        raise NotImplementedError

    def receive_into(self, buffer: Any) -> int:
        """Receive what is at hand into a buffer; return how much. Raises what receive() does."""
        raise NotImplementedError

    # Looking

    def has_unasked(self) -> bool:
        """Return whether bytes have come while nothing was asked for; the end of the connection is none."""
        found = self._ready_for()
        # What broke it is told once: to the request that finds it so.
        return found > 0 and not found & BROKEN and bool(self.look())

    def hears_answer(self) -> bool:
        """Return whether a final response has come while the request is still going out."""
        if self.listens and not self.is_answered and self._ready_for():
            try:
                self.is_answered = has_final_begun(self.look())
            except OSError:
                pass  # broken: who sends will hear of it
        return self.is_answered

    def look(self) -> bytes:
        """Return the beginning of what has come, and leave it there; b"" too if nothing has."""
        raise NotImplementedError

    # Sending

    def send_some(self, view: memoryview, flags: int) -> int:
        """Send what there is room for, and return how much that was; never wait."""
        raise NotImplementedError

    def _send_rest(self, view: memoryview, flags: int, timed_out: str) -> None:
        """Send all of the view, waiting for room on a private loop; no more once a final response has come."""
        events = READ | WRITE
        while view and not self.is_answered:
            found = self._wait(events, self.gettimeout())
            if not found:
                raise TimeoutError(timed_out)
            if self.hears_answer():
                return
            if found & READ:
                events = WRITE  # an interim response, or the end: it would be found at every wait
            view = view[self.send_some(view[:AT_ONCE], flags) :]


def as_own(sock: Any) -> OwnSocket | None:
    """Return a socket of compat's; None for any other, also for a proxy that says it is of that class."""
    return sock if issubclass(type(sock), OwnSocket) else None


def may_read_straight(sock: OwnSocket) -> bool:
    """Return whether a program can't notice that a socket is read without the file that http.client would make.

    Programs replace makefile(), recv_into() or SocketIO.readinto(), of one socket or of all, to look on or to fail.
    """
    plain, own = socket.socket, sock.__dict__
    if plain.makefile is not _MAKEFILE or socket.SocketIO.readinto is not _READINTO or "makefile" in own:
        return False
    if type(sock) is LoopSocket:
        return "recv_into" not in _patched and "recv_into" not in own
    is_secure = type(sock) is LoopTLSSocket and "recv_into" not in own and "read" not in own
    return is_secure and ssl.SSLSocket.recv_into is _TLS_RECV_INTO and ssl.SSLSocket.read is _TLS_READ


class LoopSocket(OwnSocket, socket.socket):
    """A TCP socket that waits on a private loop."""

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive as socket.socket does."""
        if nbytes or flags or "recv_into" in _patched:
            return super().recv_into(buffer, nbytes, flags)
        return self.receive_into(buffer)

    # Given a timeout, a socket's own calls ask poll() each time; the descriptor does not block then and can be read.

    def receive(self, n: int) -> bytes:
        """See OwnSocket."""
        timeout = self.gettimeout()
        if timeout == 0:
            return _recv(self, n)
        while True:
            if not self._expects_more and not self._wait(READ, timeout):
                raise TimeoutError("timed out")
            try:
                data = _recv(self, n, _NO_WAIT) if timeout is None or not _IS_POSIX else os.read(self.fileno(), n)
                self._expects_more = len(data) >= LIKELY
                return data
            except BlockingIOError:
                self._expects_more = False

    def receive_into(self, buffer: Any) -> int:
        """See OwnSocket."""
        timeout = self.gettimeout()
        if timeout == 0:
            return _recv_into(self, buffer)
        while True:
            if not self._expects_more and not self._wait(READ, timeout):
                raise TimeoutError("timed out")
            try:
                is_blocking = timeout is None or not _IS_POSIX
                count = _recv_into(self, buffer, 0, _NO_WAIT) if is_blocking else os.readv(self.fileno(), (buffer,))
                self._expects_more = count >= LIKELY
                return count
            except BlockingIOError:
                self._expects_more = False

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send as socket.socket does, but nothing more to a peer that has answered already."""
        if self.is_answered:
            return
        timeout = self.gettimeout()
        if timeout == 0 or "sendall" in _patched:
            super().sendall(data, flags)
            return
        try:
            is_short = type(data) is bytes and len(data) <= AT_ONCE
            sent = self._send_now(data, flags, timeout) if is_short else 0
            if not is_short or sent < len(data):
                self._send_rest(_view(data)[sent:], flags, "timed out")
        except ConnectionError:
            # It has closed. Its answer is in the kernel still, even behind a reset.
            if not self.hears_answer():
                raise

    def _send_now(self, data: Any, flags: int, timeout: float | None) -> int:
        """Send what there is room for: mostly all."""
        try:
            if timeout is not None and _IS_POSIX and not flags:
                return os.write(self.fileno(), data)  # as in receive()
            return _send(self, data, flags | _NO_WAIT)
        except BlockingIOError:
            return 0

    def send_some(self, view: memoryview, flags: int) -> int:
        """See OwnSocket."""
        return self._send_now(view, flags, self.gettimeout())

    def look(self) -> bytes:
        """See OwnSocket."""
        if self.gettimeout() is not None and not self._ready_for():
            return b""  # with a timeout the call would wait that long
        try:
            return _recv(self, LOOK, socket.MSG_PEEK | _NO_WAIT)
        except BlockingIOError:
            return b""


def _view(data: Any) -> memoryview:
    """Return a buffer as bytes; refuse what is none in the words of socket.send()."""
    try:
        return memoryview(data).cast("B")
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not {type(data).__name__!r}") from None


class LoopTLSSocket(OwnSocket, ssl.SSLSocket):
    """A TLS socket that waits on a private loop; made of an SSLSocket, whose class it takes the place of.

    Beneath, the socket never blocks, and the timeout is kept here: one thread may read while another writes.
    """

    _timeout: float | None = None
    _ahead = b""  # decrypted by look(), and not read yet

    def take_over(self) -> None:
        """Begin to wait on private loops."""
        self._timeout = super().gettimeout()
        super().settimeout(0)

    def settimeout(self, value: float | None, /) -> None:
        """See socket.settimeout()."""
        super().settimeout(value)  # refuses what is none
        self._timeout = super().gettimeout()
        super().settimeout(0)

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

    # What all receiving and sending of an SSLSocket comes down to

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        """See ssl.SSLSocket.read()."""
        if self._ahead:
            return self._take_ahead(len, buffer)
        read = super().read
        timed_out = "The read operation timed out"
        return self._until_done(lambda: read(len, buffer), timed_out, 0 if self.pending() else READ)

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
        return self._until_done(lambda: write(data), "The write operation timed out")

    def send(self, data: Any, flags: int = 0) -> int:
        """See ssl.SSLSocket.send()."""
        send = super().send
        return self._until_done(lambda: send(data, flags) or _want_write(), "The write operation timed out")

    def do_handshake(self, block: bool = False) -> None:
        """See ssl.SSLSocket.do_handshake()."""
        shake_hands = super().do_handshake
        self._until_done(shake_hands, "The handshake operation timed out")

    def unwrap(self) -> socket.socket:
        """See ssl.SSLSocket.unwrap()."""
        return self._until_done(super().unwrap, "The read operation timed out")

    def _until_done(self, call: Callable[[], _T], timed_out: str, event: int = 0) -> _T:
        """Repeat a TLS call until it need not wait any more; the socket's timeout is for all of it.

        An event given is waited for first: a call that finds nothing costs 10 µs.
        """
        timeout = self._timeout
        if timeout == 0:
            return call()
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            if event and not self._wait(event, None if until is None else max(until - time.monotonic(), 0.0)):
                raise TimeoutError(timed_out)
            try:
                return call()
            except ssl.SSLWantReadError:
                event = READ
            except ssl.SSLWantWriteError:
                event = WRITE

    def receive(self, n: int) -> bytes:
        """See OwnSocket."""
        data: bytes = self.read(n)
        return data

    def receive_into(self, buffer: Any) -> int:
        """See OwnSocket."""
        count: int = self.read(len(buffer), buffer)
        return count

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send as ssl.SSLSocket does, but nothing more to a peer that has answered already."""
        if self.is_answered:
            return
        if self._timeout == 0 or ssl.SSLSocket.sendall is not _TLS_SENDALL:
            super().sendall(data, flags)
            return
        view = memoryview(data).cast("B")
        try:
            sent = self.send_some(view[:AT_ONCE], flags)  # what is tried again must not be shorter
            if sent < len(view):
                self._send_rest(view[sent:], flags, "The write operation timed out")
        except (ConnectionError, ssl.SSLError):
            # The peer has closed. Its answer is in the kernel still, even behind a reset.
            if not self.hears_answer():
                raise

    def send_some(self, view: memoryview, flags: int) -> int:
        """See OwnSocket."""
        try:
            return super().send(view, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    def look(self) -> bytes:
        """See OwnSocket. What has been decrypted is kept for read(); session tickets leave nothing behind."""
        try:
            while len(self._ahead) < LOOK and (data := super().read(LOOK)):
                self._ahead += data
        except OSError:
            pass  # no more for now, or the end: the next call will tell
        return self._ahead

    def has_unasked(self) -> bool:
        """See OwnSocket."""
        found = self._ready_for()
        return (self.pending() > 0 or (found > 0 and not found & BROKEN)) and bool(self.look())


def _want_write() -> int:
    raise ssl.SSLWantWriteError
