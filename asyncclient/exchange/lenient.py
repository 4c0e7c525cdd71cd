"""An exchange whose response is repaired where that is safe; repairs are listed for the caller: Client(lenient=True).

The response is received by the readers of content.py; this module repairs what they refuse. After any repair the
connection is closed, so that no misread byte can become a part of another response.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Awaitable
from typing import Final

from ..errors import IncompleteRead, LineTooLong, ProtocolError, clip
from ..limits import Limits
from ..message.cycle import CloseReason
from ..message.fields import Fields
from ..message.framing import Kind
from ..message.head import Head
from ..message.repairs import Repair, frame_leniently, parse_head_leniently, parse_trailers_leniently
from ..message.request import RequestHead
from .content import A_SIZE, NO_TRAILERS, ChunkedContent, Content, check_chunk_end, open_content
from .exchange import Exchange
from .receive import ResponseHeads
from .stream import ByteReader

_STARTS: Final = (b"HTTP/", b"http/", b"\r\nHTTP/", b"\nHTTP/", b"ICY ")

_PARTIAL_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{0,16}+[ \t]*+(?:;[^\x00\r\n]*+)?+\r?+")
"""The beginning of a chunk-size line that the connection has cut (RFC 9112 §7.1)."""


class LenientHeads(ResponseHeads):
    """Response heads that are repaired where the strict parser refuses them.

    Attributes:
        repairs: what was repaired in the response so far, in the order of the message.
    """

    __slots__ = ("repairs",)

    starts = _STARTS

    def __init__(self) -> None:
        super().__init__()
        self.repairs: dict[Repair, None] = {}

    def parse(self, data: bytes, limits: Limits) -> Head:
        """Parse a head, repairing it where the strict parser refuses it."""
        head, repairs = parse_head_leniently(data, limits)
        self.repairs.update(dict.fromkeys(repairs))
        return head


class LenientExchange(Exchange):
    """An exchange whose response may be repaired.

    Attributes:
        is_held: whether the connection is kept after the last byte of the content, because the decoder may still find a
            fault.
    """

    __slots__ = ("_repairs", "is_held")

    is_lenient = True
    heads_class = LenientHeads

    def __init__(self, head: RequestHead, started: float) -> None:
        super().__init__(head, started)
        self.is_held = False
        assert isinstance(self.heads, LenientHeads)
        self._repairs = self.heads.repairs  # shared by the heads and the content

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """The repairs made to the response so far, each kind once, in the order of the message."""
        return tuple(self._repairs)

    def note(self, *repairs: Repair) -> None:
        """Note repairs; the connection is not used again after one."""
        if repairs:
            self._repairs.update(dict.fromkeys(repairs))
            self.close_reason = CloseReason.REPAIRED

    def open_content(
        self, stream: ByteReader, final: Head, method: str, limits: Limits
    ) -> tuple[Content, CloseReason | None]:
        """Return the content of the response with this head, and why the connection ends after it, if it does."""
        framing, repairs = frame_leniently(final, method)
        self.note(*repairs)
        reason = CloseReason.REPAIRED if self._repairs else framing[2]
        if framing[0] is not Kind.CHUNKED:
            return LenientContent(open_content(stream, framing, limits), self), reason
        if b"content-length" in final.framing_fields:
            return open_content(stream, framing, limits), reason  # with two framings, neither is repaired
        return LenientContent(LenientChunks(stream, limits, self), self), reason

    def hold(self) -> None:
        """Keep the connection after the last byte of the content, until release()."""
        self.is_held = True

    def release(self) -> None:
        """Let the exchange end with the last byte of the content."""
        self.is_held = False


class LenientContent:
    """Content that ends where the connection has cut it short; Repair.INCOMPLETE is noted then.

    A reset connection is a failure of the network, not a fault of the server, and remains an error.
    """

    __slots__ = ("_exchange", "_inner", "_is_cut")

    def __init__(self, inner: Content, exchange: LenientExchange) -> None:
        self._inner = inner
        self._exchange = exchange
        self._is_cut = False

    @property
    def is_done(self) -> bool:
        return not self._exchange.is_held and (self._is_cut or self._inner.is_done)

    @property
    def left(self) -> int | None:
        return 0 if self._is_cut else self._inner.left

    @property
    def trailers(self) -> Fields | None:
        return NO_TRAILERS if self._is_cut else self._inner.trailers

    async def read(self, n: int) -> bytes:
        return b"" if self._is_cut else await self._repair(self._inner.read(n))

    def takeall(self) -> bytes | None:
        return b"" if self._is_cut else self._inner.takeall()

    async def readall(self) -> bytes:
        return b"" if self._is_cut else await self._repair(self._inner.readall())

    async def readinto(self, buffer: memoryview) -> int:
        if self._is_cut:
            return 0
        try:
            return await self._inner.readinto(buffer)
        except IncompleteRead as exc:
            return len(self._cut(exc))  # these bytes are in the buffer

    async def _repair(self, reading: Awaitable[bytes]) -> bytes:
        """Return the result of a read, or the bytes before the cut."""
        try:
            return await reading
        except IncompleteRead as exc:
            return self._cut(exc)

    def _cut(self, error: IncompleteRead) -> bytes:
        """Return the bytes before a cut, now the end of the content; raise an error that is more than a cut."""
        cause = error.__cause__
        is_attack = isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError)
        if is_attack or isinstance(cause, ConnectionError):
            raise error
        self._is_cut = True
        self._exchange.note(Repair.INCOMPLETE)
        return error.partial


class LenientChunks(ChunkedContent):
    """Chunked content whose lines may end with a bare LF, and whose trailers may be repaired.

    A chunk size with extensions must end with CRLF: a bare LF within extensions is a means of request smuggling.
    """

    __slots__ = ("_exchange",)

    def __init__(self, stream: ByteReader, limits: Limits, exchange: LenientExchange) -> None:
        super().__init__(stream, limits)
        self._exchange = exchange

    async def _end_chunk(self) -> None:
        if self.in_chunk:
            return
        end = await self.stream.readexactly(1)
        if end == b"\n":  # reading two bytes could wait for the next chunk
            self._exchange.note(Repair.BARE_LF)
        else:
            check_chunk_end(end + await self.stream.readexactly(1))

    async def _readline(self, limit: int, what: str) -> bytes:
        try:
            line = await self.stream.readline(limit)
        except LineTooLong:
            raise LineTooLong(what, limit) from None
        if line[-2:] == b"\r\n":
            return line
        is_size = what == A_SIZE
        if line[-1:] != b"\n":
            if is_size and _PARTIAL_SIZE.fullmatch(line) is None:
                raise ProtocolError(f"invalid chunk size: {clip(line)}")
            raise IncompleteRead(b"") from self.stream.loss()
        if is_size and b";" in line:
            raise ProtocolError("expected CRLF at the end of a chunk size with extensions, got a bare LF")
        self._exchange.note(Repair.BARE_LF)
        return line[:-1] + b"\r\n"

    def _parse_trailers(self, section: bytes) -> Fields:
        trailers, repairs = parse_trailers_leniently(section, self._limits)
        self._exchange.note(*repairs)
        return trailers
