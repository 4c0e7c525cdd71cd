"""Opening the sockets of compat: resolve, connect, TLS. What fails raises what the socket calls themselves raise."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import Final

from asyncclient.errors import ConnectError, ConnectTimeout
from asyncclient.stream.address import AddrInfo, parse_literal

from . import runner
from .sockets import LoopSocket, LoopTLSSocket

_NO_DELAY: Final = ((int(socket.IPPROTO_TCP), socket.TCP_NODELAY, 1),)

_UNDER_WAY: Final = (errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK)


def dial(host: str, port: int, timeout: float | None, source_address: tuple[str, int] | None) -> LoopSocket:
    """Resolve and connect, waiting on a private loop; several addresses race (RFC 8305).

    Raises:
        OSError: no address answered; the error of the last one, with its errno and text.
        gaierror: the name has none.
        TimeoutError: it took longer than that many seconds.
    """
    literal = parse_literal(host, port)
    infos = [literal] if literal else socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    while len(infos) > 1 and _is_near(infos[0]):
        try:
            return _connect(infos[0], timeout, source_address)
        except OSError:
            del infos[0]
    if len(infos) == 1:
        return _connect(infos[0], timeout, source_address)
    return _race(host, port, infos, timeout, source_address)


def _is_near(info: AddrInfo) -> bool:
    """Return whether an address is this machine's: it takes or refuses a connection at once, so nothing need race."""
    return str(info[4][0]).startswith(("127.", "::1"))


def _connect(info: AddrInfo, timeout: float | None, source_address: tuple[str, int] | None) -> LoopSocket:
    """Connect to one address; in place, for the engine's way takes a task, and 100 µs more."""
    sock = LoopSocket(info[0], socket.SOCK_STREAM, info[2])
    try:
        sock.settimeout(0)
        for option in _NO_DELAY:
            sock.setsockopt(*option)
        if source_address:
            sock.bind(source_address)
        error = sock.connect_ex(info[4])
        if error in _UNDER_WAY:
            error = sock.connect_ex(info[4])  # near by it is done already, and there is nothing to wait for
        if error in _UNDER_WAY:
            if not runner.wait(runner.watch(sock.fileno(), runner.WRITE), timeout):
                raise TimeoutError("timed out")
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error and error != errno.EISCONN:
            raise OSError(error, os.strerror(error))
        sock.settimeout(timeout)
    except BaseException:
        sock.close()
        raise
    return sock


def _race(
    host: str, port: int, infos: list[AddrInfo], timeout: float | None, source_address: tuple[str, int] | None
) -> LoopSocket:
    """Connect to the address that answers first: here the engine dials, on the private loop."""
    # Only here: a program that connects to addresses starts 5 ms sooner without.
    from asyncclient.stream.dial import Route, open_socket
    from asyncclient.timeouts import Timeout
    from asyncclient.timings import Timings

    route = Route(host, port, None, source_address, _NO_DELAY, addresses=infos)
    try:
        found = runner.finish(open_socket(route, Timeout(connect=timeout), Timings(0.0)))
    except ConnectTimeout:
        raise TimeoutError("timed out") from None
    except ConnectError as exc:
        raise _as_of_socket_call(exc) from None
    sock = LoopSocket(found.family, found.type, found.proto, found.detach())
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
            secured.take_over()
        secured.do_handshake()
    except BaseException:
        secured.close()
        raise
    return secured
