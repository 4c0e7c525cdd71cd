"""A ByteStream on asyncio: what arrives is kept as it arrived, what is written goes to the transport.

What has arrived is looked at before anything is waited for: a response that came in one piece costs one suspension.
From when content is streamed out until its answer has been read, a duplicate of the socket's descriptor is kept. It is
what a file is sent through, beside the transport (uvloop has no sendfile, and asyncio's stops listening meanwhile); and
when the peer answers and resets the connection, so that the transport drops it with the answer or a part of it unread,
that is still there to be read.
"""

from __future__ import annotations

import asyncio
import os
import select
import ssl
import sys
from typing import cast

from .. import errors, limits
from ..exchange.stream import Buffer
from ..message.head import Head
from ..timeouts import Timeout
from .descriptor import Descriptor, duplicate
from .direct import DirectFeed
from .files import offload
from .waiting import DATA, HIGH_WATER, RESPONSE, WRITE, Waiting

LOOK_UP_EVERY = 64 * 1024
"""Bytes written in one go until the loop gets a turn: no early answer is heard without one."""

FILE_STEP = 1024 * 1024
"""Bytes of a file given to the kernel in one call: with a peer that keeps up one took 22 MiB, and no answer was heard
meanwhile. Of 1 GiB it costs nothing measurable; 256 KiB took twice the CPU."""

DIRECT_FROM = 64 * 1024
"""Bytes a buffer has at least to be filled by the kernel itself: changing the protocol is not worth it for less."""

LOOKS = 3
"""Turns of the loop in which it has read what the kernel held: uvloop reads in the turn after the next."""

CAN_DUPLICATE = sys.platform != "win32"


class AioStream(Waiting):
    """The ByteStream of an asyncio connection.

    Attributes:
        proxy_head: the proxy's answer to CONNECT; None without a tunnel.
    """

    __slots__ = ("_direct", "must_settle")

    proxy_head: Head | None = None  # of the class until it is set, as few connections have one

    def __init__(self, loop: asyncio.AbstractEventLoop, peer: str, timeout: Timeout) -> None:
        super().__init__(loop, peer, timeout)
        self._direct: DirectFeed | None = None
        self.must_settle = False  # once the exchange is over

    # Reading

    def expect_head(self, head: bytes) -> None:
        """Have readhead() give this very object for a head that is equal to it."""
        self._pieces.last_head = head

    async def readhead(self, limit: int, start: bytes | tuple[bytes, ...] = b"") -> bytes:
        """See ByteStream."""
        if self._wake_up is not None:
            raise self._second()
        pieces = self._pieces
        while not pieces.size or (head := pieces.take_head(limit, start)) is None:
            if self._has_ended:
                return self._end_of_head()
            await self._wait(self.timeout.read, RESPONSE)
        return head

    def _end_of_head(self) -> bytes:
        if self.failure is not None:
            raise self._take_failure()
        if self._pieces.size:
            raise errors.IncompleteRead(self._pieces.take_exactly(self._pieces.size)) from self._loss
        if self._loss is not None:
            raise self.build_loss("reset the connection before a response")
        return b""

    def build_loss(self, what: str) -> errors.TLSError | errors.RemoteDisconnected:
        """Return the error of a connection on which there is no response: an alert of TLS, or what the peer did."""
        error: errors.TLSError | errors.RemoteDisconnected
        if isinstance(self._loss, ssl.SSLError):
            error = errors.TLSError(f"TLS with {self.peer} failed before a response: {self._loss}")
        else:
            error = errors.RemoteDisconnected(f"{self.peer} {what}")
        error.__cause__ = self._loss
        return error

    async def readline(self, limit: int = limits.DEFAULT.line) -> bytes:
        """See ByteStream."""
        if self._wake_up is not None:
            raise self._second()
        while (line := self._pieces.take_line(limit)) is None:
            if not await self._has_more():
                return self._pieces.take_exactly(self._pieces.size)
        return line

    async def read(self, n: int = HIGH_WATER) -> bytes:
        """See ByteStream."""
        if self._wake_up is not None:
            raise self._second()
        while not self._pieces.size:
            if not await self._has_more():
                return b""
        return self._pieces.take(n)

    async def readexactly(self, n: int) -> bytes:
        """See ByteStream."""
        if self._wake_up is not None:
            raise self._second()
        if self._pieces.size >= n:
            return self._pieces.take_exactly(n)
        parts: list[bytes] = []
        while n:
            if self._pieces.size:
                parts.append(self._pieces.take(n))
                n -= len(parts[-1])
            elif not await self._has_more():
                raise errors.IncompleteRead(b"".join(parts), n) from self._loss
        return b"".join(parts)

    def take_exactly(self, n: int) -> bytes | None:
        """See ByteStream."""
        pieces = self._pieces
        return pieces.take_exactly(n) if pieces.size >= n and self._wake_up is None else None

    async def readinto(self, buffer: memoryview) -> int:
        """See ByteStream."""
        if self._wake_up is not None:
            raise self._second()
        if not self._pieces.size and len(buffer) >= DIRECT_FROM and not self._has_ended and self.tls is None:
            return await self._read_directly(buffer)
        while not self._pieces.size:
            if not await self._has_more():
                return 0
        return self._pieces.take_into(buffer)

    async def _read_directly(self, buffer: memoryview) -> int:
        direct = self._direct
        if direct is None:
            usual = cast(asyncio.Protocol, self.transport.get_protocol())
            direct = self._direct = DirectFeed(usual, self.transport)
            self._is_reading, self.must_settle = False, True
        direct.aim(buffer)
        try:
            while not (direct.filled or self._pieces.size or self._has_ended):
                await self._wait(self.timeout.read, DATA)
        finally:
            filled = direct.disarm()
        if filled:
            self._is_reading = not direct.pauses
            return filled
        return self._pieces.take_into(buffer) if self._pieces.size else 0

    async def _has_more(self) -> bool:
        """Wait for something to happen; False when nothing more will come."""
        if self._has_ended:
            if self.failure is not None:
                raise self._take_failure()
            return False
        self._listen_as_usual()
        await self._wait(self.timeout.read, DATA)
        return True

    def settle(self) -> None:
        """End what was kept for an exchange that is over; called where `must_settle` says so."""
        self._listen_as_usual()
        self._release_duplicate()
        self.must_settle = False

    def _listen_as_usual(self) -> None:
        """Have the transport feed the stream again: no more is received directly."""
        if self._direct is not None:
            self._direct.restore()
            self._direct = None
            if not self._has_ended:
                self.transport.resume_reading()
            self._is_reading = True

    async def wait_readable(self, seconds: float) -> bool:
        """See ByteStream."""
        is_over = False

        def stop() -> None:
            nonlocal is_over
            is_over = True
            self.wake()

        timer = self.loop.call_later(seconds, stop)
        try:
            # What wakes may be something else: room to write again.
            while not (is_over or self._pieces.size or self._has_ended):
                await self._wait(None, RESPONSE)
        finally:
            timer.cancel()
        return self._pieces.size > 0 or self._has_ended

    def loss(self) -> Exception | None:
        """See ByteStream."""
        if self._loss is None and not self._is_clean:
            return ssl.SSLEOFError("TLS connection ended without close_notify")
        return self._loss

    def is_fresh(self, *, ask_kernel: bool) -> bool:
        """Return whether a request may go out now: the peer has not closed, and sent nothing that nobody asked for.

        The kernel may be asked as well: what came since the loop last looked would be taken for the response.
        """
        if self._pieces.size or self._has_ended or self.failure is not None:
            return False
        return not ask_kernel or not self._is_readable()

    async def may_settle(self) -> bool:
        """Let the loop decrypt what the kernel has of TLS, and return whether the stream is fresh then.

        A session ticket leaves nothing behind, unsolicited data do. Ciphertext that the kernel still has after that is
        neither: tickets arrive in pieces. Without TLS all that has arrived is unsolicited data.
        """
        if self.tls is None:
            return False
        for _ in range(LOOKS):
            if self._pieces.size or self._has_ended or not self._is_readable():
                break
            await asyncio.sleep(0)
        return self.is_fresh(ask_kernel=False)

    def _is_readable(self) -> bool:
        """Ask the kernel whether the socket has bytes or an end to give; select() knows descriptors to 1023 only."""
        socket = self.transport.get_extra_info("socket")
        if socket is None or (number := socket.fileno()) < 0:
            return True  # its end, which the loop is about to tell
        if not hasattr(select, "poll"):
            return bool(select.select((number,), (), (), 0)[0])
        poll = select.poll()
        poll.register(number, select.POLLIN)
        return bool(poll.poll(0))

    # Writing

    def write(self, data: Buffer) -> None:
        """See ByteStream."""
        if self.failure is not None:
            raise self._take_failure()
        if not self._is_lost:
            self._unseen += len(data)
            self.transport.write(data)

    async def drain(self) -> bool:
        """See ByteStream."""
        self._keep_duplicate()
        while not self._pieces.size and not self._has_ended:
            if not self.may_write:
                await self._wait(self.timeout.write, WRITE)
            elif self._unseen >= LOOK_UP_EVERY or self.transport.is_closing():
                self._unseen = 0
                await asyncio.sleep(0)  # what arrived is told in the next turn; so is the end of a closing transport
            else:
                return False
        return True

    def _keep_duplicate(self) -> Descriptor | None:
        if self._duplicate is None and not self._is_lost and CAN_DUPLICATE:
            self._duplicate = duplicate(self.transport.get_extra_info("socket").fileno())
            self.must_settle = True
        return self._duplicate

    async def sendfile(self, descriptor: int, offset: int, count: int) -> int | None:
        """See ByteStream. A worker thread makes the calls: reading the file may block on a disk."""
        socket = self._keep_duplicate() if self.tls is None and hasattr(os, "sendfile") else None
        if socket is None:
            return None
        if await self._flush():
            return 0
        file = duplicate(descriptor)
        if file is None:
            return None
        try:
            sent = 0
            while sent < count and not (self._pieces.size or self._has_ended):
                step = await self._send_some(socket, file, offset + sent, count - sent)
                if step == 0:
                    break
                sent += step or 0
            return sent
        finally:
            file.close()

    async def _flush(self) -> bool:
        """Wait until the kernel has all that was written before; True if the peer began to answer meanwhile."""
        if self.transport.is_closing():
            return await self.drain()
        self.transport.set_write_buffer_limits(0)
        try:
            return await self.drain()
        finally:
            if not self.transport.is_closing():
                self.transport.set_write_buffer_limits()

    async def _send_some(self, socket: Descriptor, file: Descriptor, offset: int, count: int) -> int | None:
        """Send once what the socket takes; None when it had to be waited for."""
        try:
            return await offload(_sendfile, socket, file, offset, count)
        except BlockingIOError:
            await self._wait_for_room(socket)
        except ConnectionError:
            # The loop will notice it, too, and may find an answer before the end.
            if not (self._pieces.size or self._has_ended):
                await self._wait(self.timeout.write, WRITE)
        return None

    async def _wait_for_room(self, socket: Descriptor) -> None:
        if self._pieces.size or self._has_ended:
            return
        with socket.used() as number:  # it must not be closed before the loop has let go of it
            self.loop.add_writer(number, self.wake)
            try:
                await self._wait(self.timeout.write, WRITE)
            finally:
                self.loop.remove_writer(number)


def _sendfile(socket: Descriptor, file: Descriptor, offset: int, count: int) -> int:
    with socket.used() as to, file.used() as source:
        return os.sendfile(to, source, offset, min(count, FILE_STEP))
