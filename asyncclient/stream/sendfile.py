"""Sending a regular file through a duplicate of the socket, next to the transport.

uvloop has no sendfile(), and asyncio's stops receiving meanwhile, so that an early response would be missed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Final, Protocol

from .descriptor import Descriptor, duplicate
from .files import offload

FILE_STEP: Final = 1024 * 1024
"""Bytes of a file given to the kernel in one call: with a fast peer, one call for everything would take long, and an
early response would be noticed only after it (decision 79)."""

CAN_DUPLICATE: Final = sys.platform != "win32"
CAN_SENDFILE: Final = hasattr(os, "sendfile")


class Waits(Protocol):
    """The waits of a stream that sending a file needs."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that the stream belongs to."""
        ...

    @property
    def has_news(self) -> bool:
        """Whether there are received bytes, or the stream has ended."""
        ...

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport."""
        ...

    async def drain(self) -> bool:
        """Wait until more may be written; True if the peer has begun to respond."""
        ...

    async def wait_written(self) -> None:
        """Wait for wake(), within the time limit of writing."""
        ...

    def wake(self) -> None:
        """End the wait."""
        ...


async def send_file(stream: Waits, socket: Descriptor, descriptor: int, offset: int, count: int) -> int | None:
    """Send bytes of a file; see ByteStream.sendfile()."""
    if await _flush(stream):
        return 0
    file = duplicate(descriptor)
    if file is None:
        return None
    try:
        return await _send_all(stream, socket, file, offset, count)
    finally:
        file.close()


async def _flush(stream: Waits) -> bool:
    """Wait until the kernel has everything written before; True if the peer began to respond meanwhile."""
    transport = stream.transport
    if transport is None or transport.is_closing():
        return await stream.drain()
    transport.set_write_buffer_limits(0)
    try:
        return await stream.drain()
    finally:
        if not transport.is_closing():
            transport.set_write_buffer_limits()


async def _send_all(stream: Waits, socket: Descriptor, file: Descriptor, offset: int, count: int) -> int:
    sent = 0
    while sent < count and not stream.has_news:
        step = await _send_some(stream, socket, file, offset + sent, count - sent)
        if step == 0:
            break
        sent += step or 0
    return sent


async def _send_some(stream: Waits, socket: Descriptor, file: Descriptor, offset: int, count: int) -> int | None:
    """Send once as much as the socket takes; None when the wait for room came first."""
    try:
        return await offload(_sendfile, socket, file, offset, count)
    except BlockingIOError:
        await _wait_for_room(stream, socket)
    except ConnectionError:
        # The loop will notice the failure, too, and may find a response before the end.
        if not stream.has_news:
            await stream.wait_written()
    return None


async def _wait_for_room(stream: Waits, socket: Descriptor) -> None:
    if stream.has_news:
        return
    with socket.used() as number:  # it must not be closed while the loop watches it
        stream.loop.add_writer(number, stream.wake)
        try:
            await stream.wait_written()
        finally:
            stream.loop.remove_writer(number)


def _sendfile(socket: Descriptor, file: Descriptor, offset: int, count: int) -> int:
    with socket.used() as to, file.used() as source:
        return os.sendfile(to, source, offset, min(count, FILE_STEP))
