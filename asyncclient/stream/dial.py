"""Opening a connection: resolving, racing addresses, tunnels through proxies, TLS.

The problem: each step waits for a peer, may be cancelled or time out, and holds a resource (a socket, a transport) that
has no owner yet.

The rules kept:
- Each step releases what it holds if it fails: `except BaseException` with a synchronous abort or close, then raise.
- Resolving and connecting share one time limit; each TLS handshake and the tunnel have their own. A timeout is raised
  only if our own limit expired; a cancellation from outside stays a cancellation.
- Bytes that a proxy sends after its response are refused before TLS begins (tunnel.py), or not read (socks.py).
- A pinned certificate is checked before the first byte of a request. It is always the server's, not a proxy's.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Coroutine, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

from ..errors import ConnectError, ConnectTimeout, ProxyError, join_errors
from ..exchange.tunnel import AuthenticationContinues, TunnelAuthentication
from ..limits import DEFAULT, Limits
from ..message.head import Head
from ..message.target import build_authority, build_server_name
from ..timeouts import Timeout
from .address import AddrInfo, parse_literal
from .aio import AioStream
from .deadlines import TimeLimit
from .hops import Hop, Tunnel, begin_authentication, open_hops, open_tunnel_on
from .opening import Opening
from .options import SocketOption, set_options
from .racing import Attempts, may_open, race
from .resolve import Resolver, as_os_error, forget, resolve
from .securing import adopt, make_transport, shake_hands, wrap
from .socks import Socks, open_socks
from .tls import check_fingerprint

_build_peer = lru_cache(maxsize=1024)(build_authority)  # for each connection to a server

_FAILURES = (OSError, RuntimeError, OverflowError, UnicodeError)  # raised by loops and socket calls


class Route(NamedTuple):
    """How to reach a server.

    Args:
        host, port: where to connect; with a tunnel or SOCKS, the proxy.
        socket_path: path of a Unix socket to connect to instead.
        source_address: (host, port) to connect from.
        socket_options: (level, name, value), set on the socket before it is connected.
        late_options: the same, which the pool sets once the connection has been open for a while.
        proxy_tls: TLS context for a proxy that uses TLS itself.
        tunnel: the tunnel to open through the proxy.
        tls, server_name: TLS context and certificate name for a server that uses TLS.
        addresses: addresses of the host, if they are resolved already.
        socks, target: the SOCKS proxy, and the host and port to reach through it; instead of a tunnel.
        resolver: for the host, and for a target that the SOCKS proxy does not resolve; None is the system's.
        fingerprints: if any, the SHA-256 of the server's certificate must be one of these.
        hops: the tunnels of a chain of proxies, in place of `tunnel` and `socks`; `target` is then where the last one
            leads.
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
    hops: tuple[Hop, ...] = ()

    @property
    def peer(self) -> str:
        """The connected address, for messages."""
        return self.socket_path or _build_peer(self.host, self.port)

    @property
    def description(self) -> str:
        """The connected address and, behind a proxy, the server, for messages."""
        return self.peer if self.server == self.peer else f"{self.peer} on the way to {self.server}"

    @property
    def is_direct(self) -> bool:
        """True if there is no proxy, no Unix socket, no source address and no socket option."""
        return (
            self.tunnel is None
            and self.socks is None
            and self.socket_path is None
            and self.source_address is None
            and not self.socket_options
            and not self.hops
        )

    @property
    def server(self) -> str:
        """The server at the end of the connection, for messages."""
        if self.tunnel is not None:
            return self.tunnel.authority
        return self.peer if self.target is None else build_authority(*self.target)


Opened = tuple[AioStream, Head | None]
"""An open connection, and the proxy's response to CONNECT."""


def open_stream(
    route: Route, timeout: Timeout, opening: Opening, limits: Limits = DEFAULT
) -> Coroutine[Any, Any, Opened]:
    """Open a connection, once the result is awaited; the caller owns it. Cancelling leaves nothing open.

    Raises:
        ConnectError: no address answered; .attempts has one error per address.
        ConnectTimeout, TLSTimeout: a step took too long.
        TLSError: a handshake failed, or the certificate was refused.
        ProxyError: the proxy did not open the tunnel.
    """
    if route.is_direct:
        return _open_directly(route, timeout, opening)
    return _open_detour(route, timeout, opening, limits)


async def _open_detour(route: Route, timeout: Timeout, opening: Opening, limits: Limits) -> Opened:
    """Open a connection through a proxy, or of another kind that a Route describes."""
    head = None
    if route.tunnel is not None:
        stream, head = await _open_tunnel(route, route.tunnel, timeout, opening, limits)
    elif route.hops:
        stream, head = await _open_chain(route, timeout, opening, limits)
    else:
        connected = await open_socket(route, timeout, opening)
        if route.socks is not None:
            assert route.target is not None
            connected = await _open_socks(connected, route, route.socks, route.target, timeout, opening)
        stream = AioStream(asyncio.get_running_loop(), route.server, timeout)
        await adopt(connected, stream, route.tls, route.server_name, opening)
    _check_pin(stream, route)
    return stream, head


async def _open_socks(
    connected: socket.socket,
    route: Route,
    socks: Socks,
    target: tuple[str, int],
    timeout: Timeout,
    opening: Opening,
) -> socket.socket:
    with opening.tunnel_by(socks.kind, target):
        return await open_socks(connected, socks, route.peer, target, timeout, route.resolver)


def _check_pin(stream: AioStream, route: Route) -> None:
    """Check the certificate of an open connection if it is pinned."""
    if route.fingerprints and route.tls is not None:
        try:
            check_fingerprint(stream.ssl_object, route.fingerprints, route.server)
        except BaseException:
            stream.abort()
            raise


async def _open_tunnel(
    route: Route, tunnel: Tunnel, timeout: Timeout, opening: Opening, limits: Limits
) -> tuple[AioStream, Head]:
    """Open a tunnel, on as many connections as authentication needs: a proxy may close after each challenge."""
    authentication = begin_authentication(tunnel)
    while True:
        connected = await open_socket(route, timeout, opening)
        try:
            stream, head = await _open_tunnelled(connected, route, tunnel, authentication, timeout, opening, limits)
        except AuthenticationContinues:
            continue
        stream.remote = stream.remote._replace(proxy_head=head)
        return stream, head


async def _open_tunnelled(
    connected: socket.socket,
    route: Route,
    tunnel: Tunnel,
    authentication: TunnelAuthentication | None,
    timeout: Timeout,
    opening: Opening,
    limits: Limits,
) -> tuple[AioStream, Head]:
    stream = AioStream(asyncio.get_running_loop(), route.peer, timeout)
    await adopt(connected, stream, route.proxy_tls, build_server_name(route.host), opening)
    try:
        head = await open_tunnel_on(stream, tunnel, authentication, timeout, opening, limits)
        if route.tls is not None:
            stream = await wrap(stream, tunnel.authority, route.tls, route.server_name, timeout, opening)
    except BaseException:
        stream.abort()
        raise
    return stream, head


async def _open_chain(
    route: Route, timeout: Timeout, opening: Opening, limits: Limits
) -> tuple[AioStream, Head | None]:
    """Open the tunnels of a chain, on as many connections as authentication needs."""
    authentications = [begin_authentication(hop.tunnel) for hop in route.hops]
    while True:
        connected = await open_socket(route, timeout, opening)
        stream = AioStream(asyncio.get_running_loop(), route.peer, timeout)
        await adopt(connected, stream, route.proxy_tls, build_server_name(route.host), opening)
        try:
            stream, head = await open_hops(
                stream, route.hops, authentications, timeout, opening, limits, route.resolver
            )
        except AuthenticationContinues:
            continue
        stream.remote = stream.remote._replace(proxy_head=head)
        return stream, head


async def _open_directly(route: Route, timeout: Timeout, opening: Opening) -> Opened:
    """Resolve and connect; with TLS, shake hands. A single address is connected by the loop itself (decision 80)."""
    loop = asyncio.get_running_loop()
    stream = AioStream(loop, route.peer, timeout)
    attempts, connected, tls = Attempts(loop), None, None
    try:
        with TimeLimit(timeout.connect, partial(_build_timeout, route, attempts)):
            literal = None if route.addresses else parse_literal(route.host, route.port)
            infos = await _find_addresses(route, opening) if literal is None else [literal]
            started = time.monotonic()
            if literal is not None:
                opening.note_resolved(0.0, infos)
            if literal is not None or may_open(infos):
                host, port = infos[0][4][:2]
                if route.tls is not None:
                    tls = make_transport(stream, route.tls, route.server_name)
                try:
                    await loop.create_connection(lambda: tls or stream, host, port)
                except (OSError, asyncio.CancelledError) as exc:
                    attempts.record(exc, (host, port))
                    raise
            else:
                connected = await race(attempts, infos, None, (), socket.socket)
            opening.note_connected(started, connected or infos[0][4])
    except BaseException as exc:
        (tls or stream).abort()
        if isinstance(exc, _FAILURES) and not isinstance(exc, ConnectError):
            raise _build_error(route, attempts, exc) from exc
        raise
    if connected is not None:
        await adopt(connected, stream, route.tls, route.server_name, opening)
    elif tls is not None:
        await shake_hands(tls, stream, opening)
    _check_pin(stream, route)
    return stream, None


async def open_socket(route: Route, timeout: Timeout, opening: Opening) -> socket.socket:
    """Resolve and connect; return a non-blocking socket that the caller must close. Cancelling leaves nothing open.

    Raises:
        ConnectError: no address answered; .attempts has one error per address.
        ConnectTimeout: it took too long.
    """
    loop = asyncio.get_running_loop()
    attempts = Attempts(loop)
    try:
        with TimeLimit(timeout.connect, partial(_build_timeout, route, attempts)):
            if route.socket_path is not None:
                return await _connect_unix(loop, route.socket_path, route.socket_options, opening)
            infos = await _find_addresses(route, opening)
            started = time.monotonic()
            source = await _resolve_source(loop, route.source_address) if route.source_address else None
            connected = await race(attempts, infos, source, route.socket_options, socket.socket)
            opening.note_connected(started, connected)
            return connected
    except ConnectError:
        raise
    except _FAILURES as exc:
        raise _build_error(route, attempts, exc) from exc


def set_late_options(stream: AioStream, options: Sequence[SocketOption]) -> None:
    """Set options on an open connection, except those that the system does not know.

    uvloop's socket object makes a new socket for each call, so one is made here for all options, of the type below
    socket.socket, which is faster to create (decision 57).
    """
    # The socket object of a transport that is closing may have the number of another socket.
    if options and stream.transport is not None and not stream.transport.is_closing():
        try:
            number = stream.get_extra_info("socket").fileno()
            sock = socket.SocketType(socket.AF_INET, socket.SOCK_STREAM, 0, number)
        except (AttributeError, OSError, ValueError):
            return  # the connection is already lost
        try:
            set_options(sock, options)
        except (OSError, RuntimeError):
            pass  # the system does not know an option
        finally:
            sock.detach()


def forget_addresses(route: Route, error: ConnectError) -> None:
    """Call the forget() of a route's resolver, after connecting to all of its addresses failed.

    If a proxy answered, the proxy's addresses are right; if it was given an address of the target, that is the wrong
    one.
    """
    if not isinstance(error, ProxyError):
        forget(route.resolver, route.host, route.port)
    elif route.target is not None:
        forget(route.resolver, *route.target)


def _build_timeout(route: Route, attempts: Attempts, seconds: float) -> ConnectTimeout:
    return ConnectTimeout(f"no connection to {route.description} in {seconds:g} s", "connect", seconds, attempts.errors)


def _build_error(route: Route, attempts: Attempts, error: Exception) -> ConnectError:
    errors = attempts.errors or [as_os_error(error)]
    text = join_errors(errors).removesuffix(f": {route.description}")  # the address, if the URL has it
    return ConnectError(f"no connection to {route.description}: {text}", errors)


async def _find_addresses(route: Route, opening: Opening) -> list[AddrInfo]:
    started = time.monotonic()
    infos = [*route.addresses] or await resolve(route.host, route.port, route.resolver)
    opening.note_resolved(time.monotonic() - started, infos)
    return infos


async def _connect_unix(
    loop: asyncio.AbstractEventLoop, path: str, options: Sequence[SocketOption], opening: Opening
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
    opening.note_connected(started, path)
    return sock


async def _resolve_source(loop: asyncio.AbstractEventLoop, source: tuple[str, int]) -> list[AddrInfo]:
    """Return the addresses to connect from; an empty host means any, as in socket.bind()."""
    if not 0 <= source[1] <= 65535:  # getaddrinfo would reduce it modulo 65536
        raise ConnectError(f"no source address {source[0]}:{source[1]}: expected a port of 0 to 65535")
    try:
        return [*await loop.getaddrinfo(source[0] or None, source[1], type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)]
    except OSError as exc:
        raise ConnectError(f"no source address {source[0]}:{source[1]}: {exc}", [exc]) from exc
