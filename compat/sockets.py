"""The sockets that compat opens: genuine ones, whose waits happen on a private loop.

The problem: `conn.sock` is public in effect. Programs poll its descriptor, change its timeout between a request and its
response, wrap it in TLS, detach it, share it with a forked child, or put another in its place.

So it is a `socket.socket` (or `ssl.SSLSocket`) with all that such a one has. Only three calls are done here: receiving
into a buffer, which the files made of it use, sending all, and the TLS handshake. Nothing is read in the background,
and nothing that was read is kept: bytes stay in the kernel until a read call takes them.

While a request goes out, what the peer says meanwhile is looked at, not taken: a final response ends the sending.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asyncclient.errors import ConnectError, ConnectTimeout
from asyncclient.message.head import has_final_begun
from asyncclient.stream.dial import Route, open_socket
from asyncclient.timeouts import Timeout
from asyncclient.timings import Timings

from . import runner
from .runner import READ, WRITE

AHEAD: Final = 64 * 1024
"""Bytes that a file of such a socket receives at once; with the usual 8 KiB it takes eight times the system calls."""

_NO_DELAY: Final = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)

_NO_WAIT: Final = getattr(socket, "MSG_DONTWAIT", 0)

_T = TypeVar("_T")


class _Own(socket.socket if TYPE_CHECKING else object):  # type: ignore[misc]
    """What the sockets of compat have in common.

    Attributes:
        is_answered: a final response came before all of the request was sent; what is sent after that goes nowhere.
        is_mute: receiving finds nothing, and does not look: shows what a file has read ahead already.
        reads_ahead: files made of it receive more at once than they are asked for.
        expects_more: the last call filled its buffer, so there may be more at hand: it is tried before the loop is.
    """

    is_answered: bool
    is_mute: bool
    reads_ahead: bool
    expects_more: bool

    def _set_up(self) -> None:
        self.is_answered = self.is_mute = self.expects_more = False
        self.reads_ahead = True

    def makefile(self, mode: str = "r", buffering: int | None = None, **options: Any) -> Any:
        """Return a file on this socket, as socket.socket does; it reads ahead a little more."""
        if buffering is None:
            buffering = AHEAD if self.reads_ahead else 1
        return super().makefile(mode, buffering, **options)

    def has_unasked(self) -> bool:
        """Return whether bytes have come while nothing was asked for; the end of the connection is none."""
        return _is_ready(self.fileno()) and bool(self.look())

    def hears_answer(self) -> bool:
        """Return whether a final response has come while the request is still going out."""
        if not self.is_answered and _is_ready(self.fileno()):
            self.is_answered = has_final_begun(self.look())
        return self.is_answered

    def look(self) -> bytes:
        """Return the beginning of what has come, and leave it there; b"" too if nothing has."""
        raise NotImplementedError

    def send_some(self, view: memoryview, flags: int) -> int:
        """Send what there is room for, and return how much that was; never wait."""
        raise NotImplementedError

    def _send_rest(self, view: memoryview, flags: int, timed_out: str) -> None:
        """Send all of the view, waiting for room on a private loop; no more once a final response has come."""
        events = READ | WRITE
        while view and not self.is_answered:
            found = runner.wait(self.fileno(), events, self.gettimeout())
            if not found:
                raise TimeoutError(timed_out)
            if self.hears_answer():
                return
            if found & READ:
                events = WRITE  # an interim response, or the end: it would be found at every wait
            view = view[self.send_some(view, flags) :]

    def __del__(self) -> None:
        """Free the descriptor of a connection that was dropped; a plain socket would warn, too."""
        descriptor = self.detach()
        if descriptor >= 0:
            socket.close(descriptor)


class LoopSocket(_Own, socket.socket):
    """A TCP socket that waits on a private loop."""

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive as socket.socket does."""
        if self.is_mute:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        timeout = self.gettimeout()
        is_sure = timeout == 0 or (self.expects_more and _is_ready(self.fileno()))
        if not is_sure and not runner.wait(self.fileno(), READ, timeout):
            raise TimeoutError("timed out")
        received = super().recv_into(buffer, nbytes, flags)
        self.expects_more = received == len(buffer)
        return received

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send as socket.socket does, but nothing more to a peer that has answered already."""
        if self.is_answered:
            return
        if self.gettimeout() == 0:
            super().sendall(data, flags)
            return
        try:
            sent = super().send(data, flags | _NO_WAIT)
            with memoryview(data) as view:
                if sent < view.nbytes:
                    self._send_rest(view.cast("B")[sent:], flags, "timed out")
        except ConnectionError:
            # It has closed. Its answer is in the kernel still, even behind a reset.
            if not has_final_begun(self.look()):
                raise
            self.is_answered = True

    def send_some(self, view: memoryview, flags: int) -> int:
        """See _Own."""
        return super().send(view, flags | _NO_WAIT)

    def look(self) -> bytes:
        """See _Own."""
        return _without_waiting(self, lambda: super(LoopSocket, self).recv(AHEAD, socket.MSG_PEEK)) or b""


class LoopTLSSocket(_Own, ssl.SSLSocket):
    """A TLS socket that waits on a private loop; made of an SSLSocket, whose class it takes the place of."""

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive as ssl.SSLSocket does."""
        if self.is_mute:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        if self.gettimeout() == 0 or self.pending():
            return super().recv_into(buffer, nbytes, flags)
        receive = super().recv_into
        return _until_done(self, lambda: receive(buffer, nbytes, flags), "The read operation timed out")

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send as ssl.SSLSocket does, but nothing more to a peer that has answered already."""
        if self.is_answered:
            return
        with memoryview(data) as view:
            if view.nbytes <= _RECORD or self.gettimeout() == 0:
                super().sendall(data, flags)
            else:
                self._send_rest(view.cast("B"), flags, "The write operation timed out")

    def send_some(self, view: memoryview, flags: int) -> int:
        """See _Own."""
        return _without_waiting(self, lambda: super(LoopTLSSocket, self).send(view, flags)) or 0

    def look(self) -> bytes:
        """Return b"": what has come can't be seen without taking it."""
        return b""

    def has_unasked(self) -> bool:
        """See _Own. Session tickets are taken in by this, and are nothing."""
        if not self.pending() and not _is_ready(self.fileno()):
            return False
        return bool(_without_waiting(self, lambda: super(LoopTLSSocket, self).recv(1)))


_RECORD = 16 * 1024
"""Bytes of one TLS record. So much finds room after a response was read, so it is sent without asking."""


def _is_ready(descriptor: int) -> bool:
    """Return whether there is something to read, the end included."""
    if not hasattr(select, "poll"):
        return bool(select.select((descriptor,), (), (), 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _without_waiting(sock: socket.socket, call: Callable[[], _T]) -> _T | None:
    """Return what a call gives, None if it would have to wait or finds the connection broken."""
    timeout = sock.gettimeout()
    sock.settimeout(0)
    try:
        return call()
    except OSError:
        return None
    finally:
        sock.settimeout(timeout)


def _until_done(sock: ssl.SSLSocket, call: Callable[[], _T], timed_out: str) -> _T:
    """Repeat a TLS call until it need not wait any more; the socket's timeout is for all of it."""
    timeout = sock.gettimeout()
    until = None if timeout is None else time.monotonic() + timeout
    sock.settimeout(0)
    try:
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                event = READ
            except ssl.SSLWantWriteError:
                event = WRITE
            if not runner.wait(sock.fileno(), event, until and max(until - time.monotonic(), 0.0)):
                raise TimeoutError(timed_out)
    finally:
        sock.settimeout(timeout)


def dial(host: str, port: int, timeout: float | None, source_address: tuple[str, int] | None) -> LoopSocket:
    """Resolve and connect on a private loop; the addresses race (RFC 8305). Raises what the socket calls do."""
    route = Route(host, port, source_address=source_address, socket_options=_NO_DELAY)
    try:
        found = runner.finish(open_socket(route, Timeout(connect=timeout), Timings(0.0)))
    except ConnectTimeout:
        raise TimeoutError("timed out") from None
    except ConnectError as exc:
        raise _as_of_socket_call(exc) from None
    sock = LoopSocket(found.family, found.type, found.proto, found.detach())
    sock._set_up()
    sock.settimeout(timeout)
    return sock


def _as_of_socket_call(error: ConnectError) -> Exception:
    """Return the error of the last address as the socket call itself raises it, without the loop's words."""
    last = error.attempts[-1] if error.attempts else error.__cause__
    if isinstance(last, OSError) and last.errno is not None and not isinstance(last, socket.gaierror):
        return OSError(last.errno, os.strerror(last.errno))
    return last if isinstance(last, Exception) else error


def start_tls(sock: LoopSocket, context: ssl.SSLContext, server_name: str) -> ssl.SSLSocket:
    """Go through the TLS handshake; the socket that comes back has the connection. Raises what wrap_socket() does."""
    secured = context.wrap_socket(sock, server_hostname=server_name, do_handshake_on_connect=False)
    if type(secured) is ssl.SSLSocket:
        secured.__class__ = LoopTLSSocket
    try:
        if isinstance(secured, LoopTLSSocket):
            secured._set_up()
            _until_done(secured, secured.do_handshake, "The handshake operation timed out")
        else:
            secured.do_handshake()
    except BaseException:
        secured.close()
        raise
    return secured
