"""Opening a connection: resolve, race the addresses, a tunnel through a proxy, TLS.

The problem: each step waits for somebody else, may be cancelled or run out of time, and holds something (a socket, a
transport) that nobody owns yet.

The rules kept:
- Whoever holds something drops it himself when his step fails: `except BaseException` with a synchronous abort or
  close in it, then raise.
- Resolving and connecting share one time limit, each TLS handshake and the tunnel have their own. A timeout is ours
  only if our own scope expired; a cancellation from outside stays one.
- What a proxy sends beyond its answer is refused before TLS is begun over it (tunnel.py), or not read (socks.py).
- A pinned certificate is looked at before the first byte of a request, and it is always the server's, not a proxy's.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import NamedTuple, cast

from ..errors import ConnectError, ConnectTimeout, ProxyError, TLSError, TLSTimeout, join_errors
from ..exchange.tunnel import AuthenticationContinues, TunnelAuthentication, open_tunnel
from ..limits import DEFAULT, Limits
from ..message.head import Head
from ..message.target import build_authority, build_server_name
from ..timeouts import Timeout
from ..timings import Timings
from .address import AddrInfo
from .aio import AioStream
from .options import SocketOption, set_options
from .racing import Attempts, may_open, race
from .resolve import Resolver, as_os_error, forget, resolve
from .scope import TimeLimit
from .socks import Socks, open_socks
from .tls import check_fingerprint
from .tls_transport import choose_class

_FAILURES = (OSError, RuntimeError, OverflowError, UnicodeError)  # of the loops and of socket calls


class Tunnel(NamedTuple):
    """A CONNECT request.

    Attributes:
        authority: the target's, for messages.
        head: what asks for it.
        authenticate: makes the authentication for one connection, if the fields of the head are not enough.
    """

    authority: str
    head: bytes
    authenticate: Callable[[], TunnelAuthentication] | None = None


class Route(NamedTuple):
    """How to get to a server.

    Args:
        host, port: where to connect; with a tunnel or SOCKS, the proxy.
        socket_path: a Unix socket to connect to instead.
        source_address: (host, port) to connect from.
        socket_options: (level, name, value) set on the socket before it is connected.
        late_options: the same, set once the connection is open, as far as the system lets.
        proxy_tls: a context, where the proxy itself speaks TLS.
        tunnel: what to ask the proxy for.
        tls, server_name: a context, and the name its certificate must have, where the server speaks TLS.
        addresses: what the host was resolved to, by who has done that already.
        socks, target: how to ask a SOCKS proxy, and for which host and port; instead of a tunnel.
        resolver: finds the addresses of the host, and of a target that the SOCKS proxy does not resolve; None is the
            system's.
        fingerprints: SHA-256 of the server's certificate must be one of these, where it speaks TLS and they are given.
    """

    host: str
    port: int
    socket_path: str | None = None
    source_address: tuple[str, int] | None = None
    socket_options: Sequence[SocketOption] = ()
    late_options: Sequence[SocketOption] = ()
    proxy_tls: ssl.SSLContext | None = None
    tunnel: Tunnel | None = None
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    addresses: Sequence[AddrInfo] = ()
    socks: Socks | None = None
    target: tuple[str, int] | None = None
    resolver: Resolver | None = None
    fingerprints: tuple[bytes, ...] = ()

    @property
    def peer(self) -> str:
        """What is connected to, for messages."""
        return self.socket_path or build_authority(self.host, self.port)

    @property
    def way(self) -> str:
        """The same, with what a proxy is to lead to."""
        return self.peer if self.server == self.peer else f"{self.peer} on the way to {self.server}"

    @property
    def is_plain(self) -> bool:
        """Whether nothing is between, nothing is encrypted, and nothing is asked of the socket."""
        ways = (self.socket_path, self.source_address, self.tunnel, self.socks, self.tls)
        return not self.socket_options and ways == (None, None, None, None, None)

    @property
    def server(self) -> str:
        """What the connection leads to in the end, for messages."""
        if self.tunnel is not None:
            return self.tunnel.authority
        return self.peer if self.target is None else build_authority(*self.target)


Opened = tuple[AioStream, Head | None]
"""An open connection, and how the proxy answered that led there."""


async def open_stream(route: Route, timeout: Timeout, timings: Timings, limits: Limits = DEFAULT) -> Opened:
    """Open a connection; the caller owns it. Cancelling leaves nothing open.

    Raises:
        ConnectError: no address answered; .attempts has one error for each.
        ConnectTimeout, TLSTimeout: a step took too long.
        TLSError: a handshake failed, the certificate's check included.
        ProxyError: the proxy did not open the tunnel.
    """
    if route.is_plain:
        stream = await _open_plain(route, timeout, timings)
        _keep_alive(stream, route.late_options)
        return stream, None
    head = None
    if route.tunnel is not None:
        stream, head = await _open_tunnel(route, route.tunnel, timeout, timings, limits)
    else:
        connected = await open_socket(route, timeout, timings)
        if route.socks is not None:
            assert route.target is not None
            connected = await open_socks(connected, route.socks, route.peer, route.target, timeout, route.resolver)
        stream = AioStream(asyncio.get_running_loop(), route.server, timeout)
        await _adopt(connected, stream, route.tls, route.server_name, timings)
    if route.fingerprints and route.tls is not None:
        try:
            check_fingerprint(stream.ssl_object, route.fingerprints, route.server)
        except BaseException:
            stream.abort()
            raise
    _keep_alive(stream, route.late_options)
    return stream, head


async def _open_tunnel(
    route: Route, tunnel: Tunnel, timeout: Timeout, timings: Timings, limits: Limits
) -> tuple[AioStream, Head]:
    """Open a tunnel, on as many connections as the authentication takes: a proxy may close after each challenge."""
    authentication = None if tunnel.authenticate is None else tunnel.authenticate()
    while True:
        connected = await open_socket(route, timeout, timings)
        try:
            stream, head = await _open_tunnelled(connected, route, tunnel, authentication, timeout, timings, limits)
        except AuthenticationContinues:
            continue
        stream.proxy_head = head
        return stream, head


async def _open_tunnelled(
    connected: socket.socket,
    route: Route,
    tunnel: Tunnel,
    authentication: TunnelAuthentication | None,
    timeout: Timeout,
    timings: Timings,
    limits: Limits,
) -> tuple[AioStream, Head]:
    stream = AioStream(asyncio.get_running_loop(), route.peer, timeout)
    await _adopt(connected, stream, route.proxy_tls, build_server_name(route.host), timings)
    try:
        stream.timeout = replace(Timeout.each(None), total=timeout.connect)
        if timeout.connect is not None:
            stream.limit_total(timeout.connect)
        head = await open_tunnel(stream, tunnel.authority, tunnel.head, limits, authentication)
        stream.timeout, stream.total_until = timeout, math.inf
        if route.tls is not None:
            stream = await _wrap(stream, tunnel.authority, route.tls, route.server_name, timeout, timings)
    except BaseException:
        stream.abort()
        raise
    return stream, head


async def _open_plain(route: Route, timeout: Timeout, timings: Timings) -> AioStream:
    """Resolve and connect. Where there is one address the loop does that: its own transport takes half the CPU."""
    stream = AioStream(asyncio.get_running_loop(), route.peer, timeout)
    attempts = Attempts(stream.loop)
    connected = None
    try:
        async with TimeLimit(timeout.connect, partial(_build_timeout, route, attempts)):
            infos = await _find_addresses(route, timings)
            started = time.monotonic()
            if may_open(infos):
                await attempts.open(lambda: stream.protocol, infos[0][4])
            else:
                connected = await race(attempts, infos, None, ())
            timings.connect = time.monotonic() - started
    except BaseException as exc:
        stream.abort()
        if isinstance(exc, _FAILURES) and not isinstance(exc, ConnectError):
            raise _build_error(route, attempts, exc) from exc
        raise
    return stream if connected is None else await _adopt(connected, stream, None, None, timings)


async def open_socket(route: Route, timeout: Timeout, timings: Timings) -> socket.socket:
    """Resolve and connect; the socket, which does not block, is the caller's to close. Cancelling leaves nothing open.

    Raises:
        ConnectError: no address answered; .attempts has one error for each.
        ConnectTimeout: it took too long.
    """
    loop = asyncio.get_running_loop()
    attempts = Attempts(loop)
    try:
        async with TimeLimit(timeout.connect, partial(_build_timeout, route, attempts)):
            if route.socket_path is not None:
                return await _connect_unix(loop, route.socket_path, route.socket_options, timings)
            infos = await _find_addresses(route, timings)
            started = time.monotonic()
            source = await _resolve_source(loop, route.source_address) if route.source_address else None
            connected = await race(attempts, infos, source, route.socket_options)
            timings.connect = time.monotonic() - started
            return connected
    except ConnectError:
        raise
    except _FAILURES as exc:
        raise _build_error(route, attempts, exc) from exc


def _keep_alive(stream: AioStream, options: Sequence[SocketOption]) -> None:
    """Set options on an open connection: that takes less time than a socket of our own for the loop does.

    uvloop's stand-in for a socket makes a new socket object for each call, so one is made here for all of them: of the
    type beneath socket.socket, whose constructor takes less. All this takes 2.2 % of a new connection's instructions.
    """
    if options:
        try:
            number = stream.get_extra_info("socket").fileno()
            sock = socket.SocketType(socket.AF_INET, socket.SOCK_STREAM, 0, number)
        except (AttributeError, OSError, ValueError):
            return  # the connection is lost already
        try:
            set_options(sock, options)
        except (OSError, RuntimeError):
            pass  # the system does not know an option
        finally:
            sock.detach()


def forget_addresses(route: Route, error: ConnectError) -> None:
    """Tell the resolver of a route that the addresses which it found are of no use, after a dial that failed so.

    A proxy that answers is where it was looked up; if it was told an address to lead to, that is the one of no use.
    """
    if not isinstance(error, ProxyError):
        forget(route.resolver, route.host, route.port)
    elif route.target is not None:
        forget(route.resolver, *route.target)


def _build_timeout(route: Route, attempts: Attempts, seconds: float) -> ConnectTimeout:
    return ConnectTimeout(f"no connection to {route.way} in {seconds:g} s", "connect", seconds, attempts.errors)


def _build_error(route: Route, attempts: Attempts, error: Exception) -> ConnectError:
    errors = attempts.errors or [as_os_error(error)]
    return ConnectError(f"no connection to {route.way}: {join_errors(errors)}", errors)


async def _find_addresses(route: Route, timings: Timings) -> list[AddrInfo]:
    started = time.monotonic()
    infos = [*route.addresses] or await resolve(route.host, route.port, route.resolver)
    timings.resolve = time.monotonic() - started
    return infos


async def _connect_unix(
    loop: asyncio.AbstractEventLoop, path: str, options: Sequence[SocketOption], timings: Timings
) -> socket.socket:
    started = time.monotonic()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        set_options(sock, options)
        await loop.sock_connect(sock, path)
    except BaseException:
        sock.close()
        raise
    timings.connect = time.monotonic() - started
    return sock


async def _resolve_source(loop: asyncio.AbstractEventLoop, source: tuple[str, int]) -> list[AddrInfo]:
    """Return the addresses to connect from; an empty host is any of them, as for socket.bind()."""
    if not 0 <= source[1] <= 65535:  # getaddrinfo would take the port modulo 65536
        raise ConnectError(f"no source address {source[0]}:{source[1]}: expected a port of 0 to 65535")
    try:
        return [*await loop.getaddrinfo(source[0] or None, source[1], type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)]
    except OSError as exc:
        raise ConnectError(f"no source address {source[0]}:{source[1]}: {exc}", [exc]) from exc


async def _adopt(
    sock: socket.socket,
    stream: AioStream,
    context: ssl.SSLContext | None,
    server_name: str | None,
    timings: Timings,
) -> AioStream:
    """Give a connected socket to the loop, and go through the TLS handshake; return the stream, which is open then."""
    if context is not None:
        return await _adopt_with_tls(sock, stream, context, server_name, timings)
    try:
        await stream.loop.create_connection(lambda: stream.protocol, sock=sock)
    except BaseException:
        # Cancelled in the turn in which the transport was made, the transport has the socket already.
        if stream.transport is not None:
            stream.abort()
        else:
            sock.close()
        raise
    return stream


async def _adopt_with_tls(
    sock: socket.socket, stream: AioStream, context: ssl.SSLContext, server_name: str | None, timings: Timings
) -> AioStream:
    timeout, transport = stream.timeout, None
    try:
        async with _handshake(stream.peer, timeout, timings):
            transport = choose_class(stream.loop)(stream.loop, stream.protocol, context, server_name, timeout.tls_close)
            await stream.loop.create_connection(lambda: transport, sock=sock)
            await transport.shake_hands()
    except BaseException:
        if transport is not None and transport.is_connected:
            transport.abort()
        else:
            sock.close()
        raise
    return stream


async def _wrap(
    outer: AioStream, peer: str, context: ssl.SSLContext, server_name: str | None, timeout: Timeout, timings: Timings
) -> AioStream:
    """Begin TLS within an open stream, which may have TLS itself; a failure leaves that to the caller to drop."""
    stream = AioStream(outer.loop, peer, timeout)
    async with _handshake(peer, timeout, timings):
        transport = choose_class(outer.loop)(outer.loop, stream.protocol, context, server_name, timeout.tls_close)
        below = cast(asyncio.Transport, outer.transport)
        below.set_protocol(transport)
        ending = outer.detach()
        if ending is not None:
            raise ending.error or ConnectionResetError("the connection was closed")
        try:
            transport.connection_made(below)
            await transport.shake_hands()
        except BaseException:
            transport.abort()
            raise
    return stream


@asynccontextmanager
async def _handshake(peer: str, timeout: Timeout, timings: Timings) -> AsyncIterator[None]:
    """Give one TLS handshake its time limit, its timing, and the errors that its failures become."""
    started = time.monotonic()

    def build_error(seconds: float) -> TLSTimeout:
        return TLSTimeout(f"TLS handshake with {peer} not done in {seconds:g} s", "tls", seconds)

    try:
        async with TimeLimit(timeout.tls, build_error):
            yield
    except TLSTimeout:
        raise
    except OSError as exc:  # ssl.SSLError is one
        raise TLSError(f"TLS handshake with {peer} failed: {str(exc) or type(exc).__name__}") from exc
    timings.tls = (timings.tls or 0.0) + time.monotonic() - started
