"""Receiving one block straight into a caller's buffer, which asyncio's streams cannot do (decision 21).

The transport has this protocol only while one `readinto()` waits. Data that arrives between two calls goes to the
stream's buffer as usual.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final

DIRECT_FROM: Final = 64 * 1024
"""The smallest buffer, in bytes, that is filled by the kernel itself; for less, the change of protocol costs more than
the copy that it saves."""


class DirectRead(asyncio.BufferedProtocol):
    """A `with` in which a transport fills the buffer once; other callbacks go to the stream's own protocol.

    The stream's protocol is put back as soon as the buffer has been filled, so that later bytes can't overwrite it.

    Args:
        transport: the open transport.
        usual: the protocol that it has otherwise.
        buffer: the place for the received bytes.
        wake: called when the buffer has been filled.

    Attributes:
        count: bytes put into the buffer; 0 while there are none.
    """

    def __init__(
        self, transport: asyncio.Transport, usual: asyncio.Protocol, buffer: memoryview, wake: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._usual = usual
        self._buffer = buffer
        self._wake = wake
        self._is_uv = not isinstance(transport, asyncio.Transport)
        self._scratch = bytearray()
        self.count = 0

    def __enter__(self) -> DirectRead:
        self._switch_to(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Reading that has stopped although nothing was received has found the peer's end: it must not start again.
        if self._is_uv and (self.count or self._transport.is_reading()) and not self._transport.is_closing():
            self._switch_to(self._usual)
        else:
            self._transport.set_protocol(self._usual)

    def _switch_to(self, protocol: asyncio.BaseProtocol) -> None:
        """Change the protocol. libuv chooses the kind of callback when reading starts, so it is stopped and started."""
        if self._is_uv:
            self._transport.pause_reading()
        self._transport.set_protocol(protocol)
        if self._is_uv:
            self._transport.resume_reading()

    def get_buffer(self, sizehint: int) -> memoryview | bytearray:
        """Return the caller's buffer; once it has been filled, another one: asyncio on Windows asks again at once."""
        if not self.count:
            return self._buffer
        self._scratch = bytearray(sizehint if sizehint > 0 else DIRECT_FROM)
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        """Stop receiving into the buffer, and wake the reader."""
        if self.count:
            self._usual.data_received(bytes(self._scratch[:nbytes]))
            return
        self.count = nbytes
        if self._is_uv:
            # libuv would receive more in this callback; reading goes on when the reader leaves the `with`.
            self._transport.pause_reading()
        else:
            self._transport.set_protocol(self._usual)
        self._wake()

    def eof_received(self) -> bool | None:
        """See TransportProtocol."""
        return self._usual.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """See TransportProtocol."""
        self._usual.connection_lost(exc)

    def pause_writing(self) -> None:
        """See TransportProtocol."""
        self._usual.pause_writing()

    def resume_writing(self) -> None:
        """See TransportProtocol."""
        self._usual.resume_writing()
