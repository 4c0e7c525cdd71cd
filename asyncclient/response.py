"""The response of http.client, awaitable."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .errors import HTTPException, ImproperConnectionState, IncompleteRead, NotConnected
from .exchange.content import READ_SIZE, Content, collect
from .exchange.exchange import Exchange
from .limits import DRAIN
from .message.buffer import Pieces
from .message.fields import Fields
from .message.head import Head, Interim
from .message.repairs import Repair
from .stream.aio import AioStream
from .stream.tls import TLSInfo, describe
from .timings import Timings

if TYPE_CHECKING:
    from .message.mail import HTTPMessage

_T = TypeVar("_T")


Ended = Callable[[Exchange, float | None], None]
"""Called once at the end of an exchange: with the monotonic time at which the content was read to its end, or with None
if the connection can't be used again."""


class HeadView:
    """The parts of a response head, as attributes."""

    __slots__ = ()

    head: Head

    @property
    def version(self) -> int:
        """10 for HTTP/1.0, 11 for HTTP/1.1."""
        return self.head.version

    @property
    def reason(self) -> str:
        """The reason phrase, "" if the head has none."""
        return self.head.reason

    @property
    def headers(self) -> Fields:
        """The fields, by name in any case and as pairs in wire order."""
        return self.head.fields


class HTTPResponse(HeadView):
    """A response: its head was received, its content is read from the connection on demand.

    The connection serves the next request once the content has been read to its end, or after aclose(). A read that
    fails or is cancelled drops the connection, so that no part of the content can be taken for the next response.

    Attributes:
        status: the status code.
        head: the head as it was received, parsed.
        upgraded: after 101 or a tunnel, the connection as asyncio's (reader, writer), with all data received after the
            head; it belongs to the caller. None for other responses.
        debuglevel: above 0, http.client's debug lines are printed.
    """

    __slots__ = (
        "_ahead",
        "_content",
        "_ended",
        "_exchange",
        "_is_abandoned",
        "_is_open",
        "_message",
        "_stream",
        "debuglevel",
        "head",
        "status",
        "upgraded",
    )

    def __init__(self, ended: Ended, stream: AioStream, exchange: Exchange, head: Head, content: Content) -> None:
        self.status = head.status
        self.head = head
        self._exchange = exchange
        self._ended = ended
        self._stream = stream
        self._content = content
        # Content that peek() and readline() have read ahead; None before their first call.
        self._ahead: Pieces | None = None
        # Whether the connection is still in use for the content.
        self._is_open = True
        # Whether the response was closed before the end of its content.
        self._is_abandoned = False
        self._message: HTTPMessage | None = None
        self.upgraded: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.debuglevel = 0
        if content.left == 0:
            self._finish()

    # Reading

    async def read(self, amt: int | None = None) -> bytes:
        """Return the rest of the content, or its next `amt` bytes, fewer only at its end; b"" after that.

        Raises:
            IncompleteRead: the connection ended before the content; `partial` has the bytes read by this call.
            ProtocolError, LineTooLong: the framing of the content is invalid.
            ReadTimeout, TotalTimeout: no data in time.
            NotConnected: the response was closed before the content was read.
        """
        if amt is not None and amt >= 0:
            return await collect(self.read1, amt)
        data = self.take()
        if data is not None:
            return data
        ahead = self._ahead
        try:
            data = await self._guard(self._content.readall())
        except IncompleteRead as exc:
            raise IncompleteRead(_take_all(ahead) + exc.partial, exc.expected) from exc.__cause__
        self._finish()
        return _take_all(ahead) + data if ahead is not None else data

    def take(self) -> bytes | None:
        """Return the rest of the content if all of it was received, else None: read() waits for it.

        Raises:
            NotConnected: the response was closed before.
        """
        if not self._is_open:
            return self._take_rest()
        data = self._content.takeall()
        if data is None:
            return None
        self._finish()
        return _take_all(self._ahead) + data if self._ahead is not None else data

    async def read1(self, n: int = -1) -> bytes:
        """Return received content, at least one byte and at most n (n below 0: any number); b"" at the end.

        Raises: see read().
        """
        if self._ahead is not None and self._ahead.size:
            return self._ahead.take(n if n >= 0 else self._ahead.size)
        if n == 0:
            return b""
        return await self._pull(n if n > 0 else READ_SIZE)

    async def readinto(self, buffer: bytearray | memoryview) -> int:
        """Copy received content into the buffer, at least one byte; return how many, 0 at the end.

        The content is copied once, from the stream or the kernel into the buffer. Raises: see read().
        """
        view = memoryview(buffer).cast("B")
        if view.readonly:
            raise TypeError("expected a buffer that can be written to")
        if not view.nbytes:
            return 0
        if self._ahead is not None and self._ahead.size:
            return self._ahead.take_into(view)
        if not self._is_open:
            return len(self._take_rest())
        count = await self._guard(self._content.readinto(view))
        if self._content.is_done:
            self._finish()
        return count

    async def peek(self, n: int = 0) -> bytes:
        """Return received content without consuming it, at least one byte; b"" at the end.

        As in http.client, n is ignored: there may be more bytes or fewer. Raises: see read().
        """
        return (await self._read_ahead()).peek()

    async def _read_ahead(self) -> Pieces:
        """Return the content that was read ahead, which is empty only at the end of the content."""
        if self._ahead is None:
            self._ahead = Pieces()
        if not self._ahead.size and (data := await self._pull(READ_SIZE)):
            self._ahead.append(data)
        return self._ahead

    async def readline(self, limit: int = -1) -> bytes:
        """Return one line with its LF, at most `limit` bytes of it; at the end the rest without LF, then b"".

        Raises: see read().
        """
        left = limit if limit >= 0 else sys.maxsize
        parts = []
        # A buffered line takes no further coroutine (decision 62).
        if self._ahead is not None and self._ahead.size and left:
            parts.append(part := self._ahead.take_part_of_line(left))
            if part[-1] == 10:  # an LF
                return part
            left -= len(part)
        return await collect(self._read_part_of_line, left, parts, end=b"\n")

    async def _read_part_of_line(self, n: int) -> bytes:
        return (await self._read_ahead()).take_part_of_line(n)

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the lines, as http.client does."""
        return self

    async def __anext__(self) -> bytes:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def iter_chunks(self, size: int | None = None) -> AsyncIterator[bytes]:
        """Iterate over the content as it is received, uncopied; with a size, in chunks of that size except the last.

        After leaving the loop early, the rest can be read, or discarded by aclose(). Raises: see read(); ValueError.
        """
        if size is not None and size < 1:
            raise ValueError(f"expected pieces of at least 1 byte, got {size!r}")
        while data := await (self.read1() if size is None else self.read(size)):
            yield data

    async def _pull(self, n: int) -> bytes:
        """Return content from the connection, at least one byte and at most n; b"" at the end."""
        if not self._is_open:
            return self._take_rest()
        data = await self._guard(self._content.read(n))
        if self._content.is_done:
            self._finish()
        return data

    async def _guard(self, reading: Awaitable[_T]) -> _T:
        """Await a read of the content; if it fails or is cancelled, drop the connection."""
        try:
            return await reading
        except ImproperConnectionState:
            raise  # another task is reading, and continues
        except BaseException:
            self._abandon()
            raise

    def _take_rest(self) -> bytes:
        """Return the content that was read ahead, after the end of the content was received."""
        if self._is_abandoned:
            raise NotConnected("response was closed before its content was read")
        return _take_all(self._ahead)

    def _finish(self) -> None:
        self._is_open = False
        exchange = self._exchange
        exchange.done_at = now = time.monotonic()
        if exchange.measured is not None:
            exchange.measured.done = now - exchange.started
        self._ended(exchange, now)

    def _abandon(self) -> None:
        self._is_open = False
        self._is_abandoned = True
        self._ended(self._exchange, None)

    # Fields

    @property
    def length(self) -> int | None:
        """Bytes of content that are not read from the connection yet; None if unknown."""
        return self._content.left

    @property
    def will_close(self) -> bool:
        """Whether the connection ends with this response."""
        return self._exchange.close_reason is not None

    @property
    def timings(self) -> Timings:
        """The durations of the phases, in seconds."""
        return self._exchange.timings

    @property
    def is_lenient(self) -> bool:
        """Whether faults of the response are repaired: Client(lenient=True)."""
        return self._exchange.is_lenient

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """The repairs made to the response so far; always empty unless `is_lenient`."""
        return self._exchange.repairs

    @property
    def interim(self) -> tuple[Interim, ...]:
        """The interim responses (1xx) before this one."""
        return tuple(map(Interim, self._exchange.heads.interim))

    @overload
    def getheader(self, name: str) -> str | None: ...
    @overload
    def getheader(self, name: str, default: _T) -> str | _T: ...

    def getheader(self, name: str, default: object = None) -> object:
        """Return the value of a field, or the values of several joined by ", "; the default if the field is missing.

        As in http.client, a default that is iterable but not a str is joined as well.
        """
        values: object = self.headers.get_all(name) or default
        if isinstance(values, str) or not isinstance(values, Iterable):
            return values
        return ", ".join(values)

    def getheaders(self) -> list[tuple[str, str]]:
        """Return all fields as pairs (name, value), in wire order."""
        return list(self.headers.items())

    @property
    def msg(self) -> HTTPMessage:
        """The fields as an email.message.Message, created at the first access."""
        if self._message is None:
            from .message.mail import build_message  # the email package is slow to import

            self._message = build_message(self.headers.items())
        return self._message

    @property
    def trailers(self) -> Fields | None:
        """The fields after the content; None before the end of the content was read."""
        return self._content.trailers

    # The connection

    def hold(self) -> None:
        """Keep the connection of a lenient exchange after the last byte of the content, until release()."""
        self._exchange.hold()

    def release(self, *repairs: Repair) -> None:
        """End the effect of hold(), and add repairs that were made in the content."""
        self._exchange.note(*repairs)
        self._exchange.release()
        if self._is_open and self._content.is_done:
            self._finish()

    @property
    def closed(self) -> bool:
        """Whether there is no more content to read: it was read to its end, or the response was closed."""
        return not self._is_open and (self._ahead is None or not self._ahead.size)

    def isclosed(self) -> bool:
        """Return `closed`."""
        return self.closed

    def fileno(self) -> int:
        """Return the descriptor of the connection's socket; -1 if that is closed."""
        socket = self._stream.get_extra_info("socket")
        return -1 if socket is None else int(socket.fileno())

    @property
    def peer(self) -> Any:
        """The remote address as the socket returned it, for IPv4 (host, port); None if unknown."""
        return self._stream.remote.address

    @property
    def proxy_headers(self) -> Fields | None:
        """The fields of the proxy's response to CONNECT; None without a tunnel."""
        head = self._stream.remote.proxy_head
        return None if head is None else head.fields

    @property
    def tls(self) -> TLSInfo | None:
        """The result of the TLS handshake; None without TLS."""
        found = self._stream.ssl_object
        return None if found is None else describe(found)

    def close(self) -> None:
        """Discard unread content at once: the connection is dropped unless the content was read to its end."""
        self._ahead = None
        if self._is_open:
            self._abandon()

    async def aclose(self) -> None:
        """Discard unread content; keep the connection if at most 64 KiB are left and are received within a second."""
        self._ahead = None
        if not self._is_open:
            return
        self._exchange.release()
        left = 0 if self.will_close else DRAIN
        try:
            with self._stream.limited(self._stream.timeout.close):
                while left > 0 and (self._content.left or 0) <= left and not self.closed:
                    left -= len(await self._pull(left))
        except (HTTPException, OSError):
            pass  # the connection is dropped already, and the caller does not want the content
        self.close()
        self._is_abandoned = True

    async def __aenter__(self) -> HTTPResponse:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<HTTPResponse {self.status} {self.reason}{' closed' if self.closed else ''}>"


def _take_all(pieces: Pieces | None) -> bytes:
    return b"" if pieces is None else pieces.take_exactly(pieces.size)
