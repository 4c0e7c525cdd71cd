"""Giving a connection away after an upgrade: as asyncio's own pair, with what had been read already."""

from __future__ import annotations

import asyncio

from .aio import AioStream


def hand_over(stream: AioStream) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a reader and a writer for the connection of a stream; they are the caller's to close.

    No time limit holds for them. The stream is of no use any more.
    """
    reader = asyncio.StreamReader(loop=stream.loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=stream.loop)
    transport = stream.transport
    if stream.tls is not None:
        stream.tls.linger(stream.timeout.close)  # what is written before close() has to arrive
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    rest, has_ended, loss = stream.detach()
    if rest:
        reader.feed_data(rest)
    if loss is not None:  # nobody will tell the new protocol
        protocol.connection_lost(loss)
    elif has_ended:
        reader.feed_eof()
    return reader, asyncio.StreamWriter(transport, protocol, reader, stream.loop)
