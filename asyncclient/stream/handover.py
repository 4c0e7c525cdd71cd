"""Giving a connection away after an upgrade, as a reader and a writer of asyncio."""

from __future__ import annotations

import asyncio

from ..timeouts import NEVER, Timeout
from .aio import AioStream
from .deadlines import timer_of


def hand_over(stream: AioStream) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a reader, which is the stream itself, and a writer for its connection; the caller has to close them.

    No time limit applies any more.
    """
    transport, protocol = stream.transport, asyncio.StreamReaderProtocol(stream, loop=stream.loop)
    assert transport is not None
    if stream.tls is not None:
        stream.tls.linger(stream.timeout.close)  # data written before close() must not be lost
    stream.timeout, stream.total, stream.owner = Timeout.each(None), NEVER, None
    stream.end_exchange()
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    timer_of(stream.loop).discard(stream)  # the timer would keep the stream after the end of the connection
    if stream.is_lost:  # the transport will not report it again
        protocol.connection_lost(stream.exception())
    return stream, asyncio.StreamWriter(transport, protocol, stream, stream.loop)
