"""Connected sockets as streams, and TLS: of a new connection, or inside of an open one.

The rules of dial.py hold: each step releases its socket or transport if it fails.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

from ..errors import TLSError, TLSTimeout
from ..timeouts import Timeout
from .aio import AioStream
from .deadlines import TimeLimit
from .opening import Opening
from .tls_transport import TLSTransport, choose_class

_UNTRUSTED: Final = (18, 19, 20, 21)
"""Codes of OpenSSL for a chain without an authority that is trusted."""


async def adopt(
    sock: socket.socket,
    stream: AioStream,
    context: ssl.SSLContext | None,
    server_name: str | None,
    opening: Opening,
) -> AioStream:
    """Give a connected socket to the loop, do the TLS handshake if there is a context, and return the open stream."""
    if context is not None:
        return await _adopt_with_tls(sock, stream, context, server_name, opening)
    try:
        await stream.loop.create_connection(lambda: stream, sock=sock)
    except BaseException:
        # If cancelled in the turn in which the transport was created, the transport owns the socket.
        if stream.transport is not None:
            stream.abort()
        else:
            sock.close()
        raise
    return stream


async def _adopt_with_tls(
    sock: socket.socket, stream: AioStream, context: ssl.SSLContext, server_name: str | None, opening: Opening
) -> AioStream:
    transport = None
    try:
        with _handshake(stream, opening):
            transport = make_transport(stream, context, server_name)
            await stream.loop.create_connection(lambda: transport, sock=sock)
            await transport.shake_hands()
    except BaseException:
        if transport is not None and transport.is_connected:
            transport.abort()
        else:
            sock.close()
        raise
    return stream


async def shake_hands(transport: TLSTransport, stream: AioStream, opening: Opening) -> None:
    """Wait for a handshake that began when the transport was connected."""
    try:
        with _handshake(stream, opening):
            await transport.shake_hands()
    except BaseException:
        transport.abort()
        raise


def make_transport(stream: AioStream, context: ssl.SSLContext, server_name: str | None) -> TLSTransport:
    """Return a TLS transport above which the stream is."""
    return choose_class(stream.loop)(stream.loop, stream, context, server_name, stream.timeout.tls_close)


async def wrap(
    outer: AioStream, peer: str, context: ssl.SSLContext, server_name: str | None, timeout: Timeout, opening: Opening
) -> AioStream:
    """Do a TLS handshake inside an open stream, which may use TLS itself; after a failure the caller aborts it."""
    stream = AioStream(outer.loop, peer, timeout)
    with _handshake(stream, opening):
        transport = make_transport(stream, context, server_name)
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


@contextmanager
def _handshake(stream: AioStream, opening: Opening) -> Iterator[None]:
    """Apply the time limit to a TLS handshake, measure it, and translate its errors."""
    started, peer = time.monotonic(), stream.peer

    def build_error(seconds: float) -> TLSTimeout:
        return TLSTimeout(f"no complete TLS handshake with {peer} in {seconds:g} s", "tls", seconds)

    try:
        with TimeLimit(stream.timeout.tls, build_error):
            yield
    except TLSTimeout:
        raise
    except OSError as exc:  # includes ssl.SSLError
        error = TLSError(f"TLS handshake with {peer} failed: {str(exc) or type(exc).__name__}")
        if isinstance(exc, ssl.SSLCertVerificationError) and exc.verify_code in _UNTRUSTED:
            error.add_note("Client(ssl=asyncclient.create_tls_context(cafile=...)) trusts the authorities of a file")
        raise error from exc
    opening.note_secured(started, stream.ssl_object)
