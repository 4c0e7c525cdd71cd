"""Receiving straight into a caller's buffer: what asyncio's streams can't, and downloads gain a third by.

While a caller waits in readinto(), the transport has this protocol, and the kernel fills the caller's buffer itself.
What comes between two calls goes the usual way, by a copy. On uvloop that would be much, for libuv goes on receiving
in the same callback: reading is paused there until the next call. asyncio runs the caller first, and pausing would cost
it two system calls, half of all throughput. Whatever else is to be read, and the end of the content, give the transport
its usual protocol back.
"""

from __future__ import annotations

import asyncio

SCRATCH = 16 * 1024


class DirectFeed(asyncio.BufferedProtocol):
    """The callbacks of a transport that fills the buffer of a caller; the others go on to the usual protocol."""

    def __init__(self, usual: asyncio.Protocol, transport: asyncio.Transport) -> None:
        self.usual = usual
        self._transport = transport
        self._target: memoryview | None = None
        self._scratch: bytearray | None = None
        self.filled = 0
        self.pauses = not isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        transport.set_protocol(self)

    def aim(self, target: memoryview) -> None:
        """Have the next bytes go into that buffer."""
        self._target = target
        self.filled = 0

    def disarm(self) -> int:
        """Take the buffer back; return how many bytes have gone into it."""
        self._target = None
        return self.filled

    def restore(self) -> None:
        """Give the transport its usual protocol back; reading is to be resumed."""
        self._transport.set_protocol(self.usual)

    def get_buffer(self, sizehint: int) -> memoryview | bytearray:
        self._scratch = None
        if self._target is not None:
            return self._target
        self._scratch = bytearray(SCRATCH)
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        if self._scratch is not None:
            data, self._scratch = bytes(self._scratch[:nbytes]), None
            self.usual.data_received(data)
            return
        self.filled, self._target = nbytes, None
        if self.pauses:
            self._transport.pause_reading()
        self.usual.data_received(b"")  # wakes the caller

    def eof_received(self) -> bool | None:
        return self.usual.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.usual.connection_lost(exc)

    def pause_writing(self) -> None:
        self.usual.pause_writing()

    def resume_writing(self) -> None:
        self.usual.resume_writing()
