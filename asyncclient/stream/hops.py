"""Tunnels through proxies, one inside the other: each proxy is asked for a tunnel to the next one, or to the server.

A proxy sees the requests for the tunnels before its own and nothing of those after it, so that the credentials of each
proxy are sent to that proxy only.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..exchange.tunnel import TunnelAuthentication, open_tunnel
from ..limits import Limits
from ..message.head import Head
from ..message.target import build_authority
from ..timeouts import Timeout
from .aio import AioStream
from .opening import Opening
from .resolve import Resolver
from .securing import wrap
from .socks import Socks, ask_on_stream


class Tunnel(NamedTuple):
    """A CONNECT request.

    Attributes:
        authority: of the target, for messages.
        head: the CONNECT request.
        authenticate: makes the authentication for one connection, if the fields of the head are not enough.
    """

    authority: str
    head: bytes
    authenticate: Callable[[], TunnelAuthentication] | None = None


class Hop(NamedTuple):
    """A tunnel that a proxy of a chain opens to the next proxy, or to the server.

    Args:
        host, port: where it leads.
        tunnel: the CONNECT request; None for a SOCKS proxy.
        socks: the SOCKS proxy; None for CONNECT.
        tls, server_name: TLS context and certificate name, if the next proxy or the server uses TLS.
    """

    host: str
    port: int
    tunnel: Tunnel | None = None
    socks: Socks | None = None
    tls: ssl.SSLContext | None = None
    server_name: str | None = None


def begin_authentication(tunnel: Tunnel | None) -> TunnelAuthentication | None:
    """Return the authentication for a tunnel, over all connections that it takes; None if there is none."""
    return None if tunnel is None or tunnel.authenticate is None else tunnel.authenticate()


async def open_tunnel_on(
    stream: AioStream,
    tunnel: Tunnel,
    authentication: TunnelAuthentication | None,
    timeout: Timeout,
    opening: Opening,
    limits: Limits,
) -> Head:
    """Ask the HTTP proxy at the end of a stream for a tunnel within the time limit of connecting; see open_tunnel()."""
    stream.timeout = Timeout.each(None)
    with opening.tunnel_by("connect", tunnel.authority), stream.limited(timeout.connect):
        head = await open_tunnel(stream, tunnel.authority, tunnel.head, limits, authentication)
    stream.timeout = timeout
    return head


async def open_hops(
    stream: AioStream,
    hops: Sequence[Hop],
    authentications: Sequence[TunnelAuthentication | None],
    timeout: Timeout,
    opening: Opening,
    limits: Limits,
    resolver: Resolver | None,
) -> tuple[AioStream, Head | None]:
    """Open one tunnel after the other, and return the stream to the end of the last; a failure aborts all of them.

    Args:
        stream: to the first proxy.
        hops: the tunnels.
        authentications: of each tunnel.
        timeout: its `connect` is the time limit of each tunnel, its `tls` that of each handshake.
        opening: the tunnels and handshakes are added to it.
        limits: of the responses.
        resolver: for a host that a SOCKS proxy does not resolve.

    Returns:
        The stream, and the last response to CONNECT.

    Raises:
        AuthenticationContinues: a proxy has to be asked again, on new connections.
        Others: see open_stream().
    """
    head: Head | None = None
    try:
        for hop, authentication in zip(hops, authentications, strict=True):
            peer = build_authority(hop.host, hop.port)
            if hop.socks is not None:
                with opening.tunnel_by(hop.socks.kind, peer):
                    await ask_on_stream(stream, hop.socks, (hop.host, hop.port), timeout, resolver)
            elif hop.tunnel is not None:
                head = await open_tunnel_on(stream, hop.tunnel, authentication, timeout, opening, limits)
            if hop.tls is not None:
                stream = await wrap(stream, peer, hop.tls, hop.server_name, timeout, opening)
            stream.remote = stream.remote._replace(name=peer)
    except BaseException:
        stream.abort()
        raise
    return stream, head
