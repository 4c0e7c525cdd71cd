"""Receiving the heads of a response: interim responses, which are kept for the caller, and the final one.

Interim responses are limited in number and bytes. A 101 counts as final.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NoReturn

from ..errors import ProtocolError, RemoteDisconnected
from ..limits import Limits
from ..message.framing import decide_framing
from ..message.head import Head, HeadCache, Interim, parse_head
from .stream import ByteStream

if TYPE_CHECKING:
    from ..tracing.trace import Trace


class ResponseHeads:
    """The response heads of one request: interim responses, then the final response.

    The final head may be received while the request is still being sent; the rest of it is not sent then.

    Attributes:
        interim: the heads of the interim responses.
        final: the head of the final response; None before it was received. A 101 is final.
        first_at: when the first head was received, by time.monotonic().
        cache: the last head of the same server, which is not parsed again.
        trace: is told of interim responses and of sent bytes; None without tracers.
    """

    __slots__ = ("_interim_bytes", "cache", "final", "first_at", "interim", "trace")

    starts: ClassVar[tuple[bytes, ...]] = (b"HTTP/",)
    """The first bytes of a head. If other bytes are received, their end is not waited for."""

    def __init__(self) -> None:
        self.interim: Sequence[Head] = ()  # a list once there is one
        self.final: Head | None = None
        self.first_at: float | None = None
        self.cache: HeadCache | None = None
        self.trace: Trace | None = None
        self._interim_bytes = 0

    async def receive_one(self, stream: ByteStream, limits: Limits) -> Head:
        """Receive the next head, interim or final, and add it.

        Raises:
            RemoteDisconnected: the peer closed before its first byte.
            IncompleteRead: the peer closed within it (RFC 9112 §8).
            BadStatusLine, UnknownProtocol, LineTooLong, ProtocolError: the head is invalid.
        """
        return self.add(await stream.readhead(limits.head, self.starts) or refuse_end(stream), limits)

    async def receive(self, stream: ByteStream, limits: Limits) -> Head:
        """Receive heads up to the final one, and return that. Raises the errors of receive_one()."""
        while self.final is None:
            await self.receive_one(stream, limits)
        return self.final

    def add(self, data: bytes, limits: Limits) -> Head:
        """Parse and add a head that was read, its empty line included. Raises the errors of receive_one()."""
        if self.first_at is None:
            self.first_at = time.monotonic()
        cache = self.cache
        head = None if cache is None else cache.last
        if head is None or head.block != data:
            head = self.parse(data, limits)
            if cache is not None:
                cache.add(head)
        if head.status >= 200 or head.status == 101:
            self.final = head
        else:
            self._add_interim(head, len(data), limits)
        return head

    def parse(self, data: bytes, limits: Limits) -> Head:
        """Parse a head; the heads of a lenient exchange are repaired."""
        return parse_head(data, limits)

    def _add_interim(self, head: Head, size: int, limits: Limits) -> None:
        if not head.is_plain:
            decide_framing(head, "GET")  # refuses a Content-Length that another recipient may read differently
        self._interim_bytes += size
        if len(self.interim) == limits.interim or self._interim_bytes > limits.head:
            raise ProtocolError(f"got more than {limits.interim} interim responses, or {limits.head} bytes of them")
        if isinstance(self.interim, list):
            self.interim.append(head)
        else:
            self.interim = [head]
        if self.trace is not None:
            self.trace.interim_received(Interim(head))


def refuse_end(stream: ByteStream) -> NoReturn:
    """Raise the error of a connection that ended before a head."""
    raise RemoteDisconnected(f"{stream.peer} closed the connection without a response")
