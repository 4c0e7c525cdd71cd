"""The response of http.client, awaitable."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .errors import HTTPException, ImproperConnectionState, IncompleteRead, NotConnected
from .exchange.exchange import Exchange
from .exchange.receive import BLOCK, Content
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


Ended = Callable[[AioStream, Exchange, float | None], None]
"""Called once, with the time when the content had been read to its end; None if the stream is of no use any more."""


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
    """A response: its head is there, its content is read off the connection as it is asked for.

    The connection serves the next request once the content has been read to its end, or after aclose(). Reading that
    fails or is cancelled drops the connection: nothing of it may be taken for the next response.

    Attributes:
        status: the code.
        head: the head as it came, and what has been found in it.
        upgraded: after 101 or a tunnel, the connection as asyncio's (reader, writer) with all that came after the head;
            it is the caller's then. None otherwise.
        debuglevel: above 0, http.client's debug lines are printed.
    """

    __slots__ = (
        "_content",
        "_ended",
        "_exchange",
        "_is_given_up",
        "_is_open",
        "_message",
        "_pending",
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
        self._pending: Pieces | None = None  # read ahead by peek() and readline()
        self._is_open = True
        self._is_given_up = False
        self._message: HTTPMessage | None = None
        self.upgraded: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.debuglevel = 0
        if content.left == 0:
            self._finish()

    # Reading

    async def read(self, amt: int | None = None) -> bytes:
        """Return the rest of the content, or the next `amt` bytes of it, fewer only at its end; b"" after it.

        Raises:
            IncompleteRead: the connection ended first; `partial` has what this call had read.
            ProtocolError, LineTooLong: the framing of the content is broken.
            ReadTimeout, TotalTimeout: nothing came in time.
            NotConnected: the connection was closed before the content was read.
        """
        if amt is not None and amt >= 0:
            return await self._read_exactly(amt)
        data = self.take()
        if data is not None:
            return data
        try:
            data = await self._content.readall()
        except ImproperConnectionState:
            raise  # of another task, which goes on reading
        except IncompleteRead as exc:
            ahead = self._take_pending()
            self._abandon()
            raise IncompleteRead(ahead + exc.partial, exc.expected) from exc.__cause__
        except BaseException:
            self._abandon()
            raise
        self._finish()
        return self._take_pending() + data if self._pending is not None else data

    def take(self) -> bytes | None:
        """Return the rest of the content if all of it has come, else None: read() waits for it.

        Raises:
            NotConnected: the response was closed before.
        """
        if not self._is_open:
            return self._take_pending()
        data = self._content.takeall()
        if data is None:
            return None
        self._finish()
        return self._take_pending() + data if self._pending is not None else data

    async def _read_exactly(self, amt: int) -> bytes:
        data = await self.read1(amt)
        if len(data) == amt or not data:
            return data
        parts = [data]
        amt -= len(data)
        try:
            while amt and (data := await self.read1(amt)):
                parts.append(data)
                amt -= len(data)
        except IncompleteRead as exc:
            raise IncompleteRead(b"".join((*parts, exc.partial)), exc.expected) from exc.__cause__
        return b"".join(parts)

    async def read1(self, n: int = -1) -> bytes:
        """Return what is at hand, one byte at least and n at most (n below 0: as it comes); b"" at the end.

        Raises: as read().
        """
        if self._pending is not None and self._pending.size:
            return self._pending.take(n if n >= 0 else self._pending.size)
        if n == 0:
            return b""
        return await self._pull(n if n > 0 else BLOCK)

    async def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill the buffer with what is at hand, one byte at least; return how many, 0 at the end.

        Nothing is copied but once into the buffer. Raises: as read().
        """
        view = memoryview(buffer).cast("B")
        if view.readonly:
            raise TypeError("expected a buffer that can be written to")
        if not view.nbytes:
            return 0
        if self._pending is not None and self._pending.size:
            return self._pending.take_into(view)
        if not self._is_open:
            return len(self._take_pending())
        try:
            count = await self._content.readinto(view)
        except ImproperConnectionState:
            raise  # of another task, which goes on reading
        except BaseException:
            self._abandon()
            raise
        if self._content.is_done:
            self._finish()
        return count

    async def peek(self, n: int = 0) -> bytes:
        """Return bytes at hand without using them up, one at least unless the content is at its end.

        n is taken as a wish, as in http.client: there may be more or fewer. Raises: as read().
        """
        return (await self._read_ahead()).peek()

    async def _read_ahead(self) -> Pieces:
        """Return what has been read ahead, with something in it unless the content is at its end."""
        if self._pending is None:
            self._pending = Pieces()
        if not self._pending.size and (data := await self._pull(BLOCK)):
            self._pending.append(data)
        return self._pending

    async def readline(self, limit: int = -1) -> bytes:
        """Return one line with its LF, at most `limit` bytes of it; at the end what is left, then b"".

        Raises: as read().
        """
        parts: list[bytes] = []
        left = limit if limit >= 0 else sys.maxsize
        try:
            while left and (part := (await self._read_ahead()).take_part_of_line(left)):
                parts.append(part)
                left -= len(part)
                if part[-1] == 10:
                    break
        except IncompleteRead as exc:
            raise IncompleteRead(b"".join((*parts, exc.partial)), exc.expected) from exc.__cause__
        return b"".join(parts)

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the lines, as http.client does."""
        return self

    async def __anext__(self) -> bytes:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def iter_chunks(self, size: int | None = None) -> AsyncIterator[bytes]:
        """Iterate over the content in pieces as they come, uncopied; given a size, in pieces of that, but the last.

        Leaving the loop early leaves the rest to be read, or to aclose(). Raises: as read(), and ValueError.
        """
        if size is not None and size < 1:
            raise ValueError(f"expected pieces of at least 1 byte, got {size!r}")
        while data := await (self.read1() if size is None else self.read(size)):
            yield data

    async def _pull(self, n: int) -> bytes:
        if not self._is_open:
            return self._take_pending()
        try:
            data = await self._content.read(n)
        except ImproperConnectionState:
            raise  # of another task, which goes on reading
        except BaseException:
            self._abandon()
            raise
        if self._content.is_done:
            self._finish()
        return data

    def _take_pending(self) -> bytes:
        """Return what peek() had read ahead; after the end of the content there is nothing else."""
        if self._is_given_up:
            raise NotConnected("response was closed before its content was read")
        return b"" if self._pending is None else self._pending.take_exactly(self._pending.size)

    def _finish(self) -> None:
        self._is_open = False
        exchange, now = self._exchange, time.monotonic()
        exchange.timings.done = now - exchange.timings.started
        self._ended(self._stream, exchange, now)

    def _abandon(self) -> None:
        self._is_open = False
        self._is_given_up = True
        self._ended(self._stream, self._exchange, None)

    # Fields

    @property
    def length(self) -> int | None:
        """Bytes of content that are left to be read off the connection; None if only its end will tell."""
        return self._content.left

    @property
    def will_close(self) -> bool:
        """Whether the connection ends with this response."""
        return self._exchange.close_reason is not None

    @property
    def timings(self) -> Timings:
        """When what happened, in seconds."""
        return self._exchange.timings

    @property
    def is_lenient(self) -> bool:
        """Whether faults of the response are repaired: Client(lenient=True)."""
        return self._exchange.is_lenient

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was repaired in the response so far; always empty unless `is_lenient`."""
        return self._exchange.repairs

    @property
    def interim(self) -> tuple[Interim, ...]:
        """The interim responses (1xx) that came first."""
        return tuple(map(Interim, self._exchange.heads.interim))

    @overload
    def getheader(self, name: str) -> str | None: ...
    @overload
    def getheader(self, name: str, default: _T) -> str | _T: ...

    def getheader(self, name: str, default: object = None) -> object:
        """Return the value of a field, of several all values joined by ", "; the default if there is none.

        A default that is iterable but no str is joined as well, as in http.client.
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
        """The fields as an email.message.Message, made when it is first asked for."""
        if self._message is None:
            from .message.mail import build_message  # only here: the email package takes 10 ms to import

            self._message = build_message(self.headers.items())
        return self._message

    @property
    def trailers(self) -> Fields | None:
        """The fields that came after the content; None until that has been read to its end."""
        return self._content.trailers

    # The connection

    def hold(self) -> None:
        """Keep the connection of a lenient exchange after the last byte of the content, until release()."""
        self._exchange.hold()

    def release(self, *repairs: Repair) -> None:
        """Let go of the connection once all content has been read, and note repairs that were found in the content."""
        self._exchange.note(*repairs)
        self._exchange.release()
        if self._is_open and self._content.is_done:
            self._finish()

    @property
    def closed(self) -> bool:
        """Whether there is nothing more to read, because all of it was or because the response was closed."""
        return not self._is_open and (self._pending is None or not self._pending.size)

    def isclosed(self) -> bool:
        """Return `closed`."""
        return self.closed

    def fileno(self) -> int:
        """Return the descriptor of the connection's socket; -1 if that is closed."""
        socket = self._stream.get_extra_info("socket")
        return -1 if socket is None else int(socket.fileno())

    @property
    def peer(self) -> Any:
        """The address of the other end as the socket gave it, for IPv4 (host, port); None if it is not known."""
        return self._stream.peername

    @property
    def proxy_headers(self) -> Fields | None:
        """The fields of the proxy's answer to the CONNECT that opened the tunnel; None without a tunnel."""
        head = self._stream.proxy_head
        return None if head is None else head.fields

    @property
    def tls(self) -> TLSInfo | None:
        """What TLS negotiated; None without TLS."""
        found = self._stream.ssl_object
        return None if found is None else describe(found)

    def close(self) -> None:
        """Give up what was not read: the connection is dropped unless the content was read to its end."""
        self._pending = None
        if self._is_open:
            self._abandon()

    async def aclose(self) -> None:
        """Give up what was not read, keeping the connection if that is 64 KiB at most and comes within a second."""
        self._pending = None
        if not self._is_open:
            return
        self._exchange.release()
        stream, until = self._stream, self._stream.total_until
        stream.hurry(stream.timeout.close)
        try:
            left = 0 if self.will_close else DRAIN
            while left > 0 and (self._content.left or 0) <= left and not self.closed:
                left -= len(await self._pull(left))
        except (HTTPException, OSError):
            pass  # the connection is dropped already, and nobody asked for the content
        finally:
            stream.total_until = until
        self.close()
        self._is_given_up = True

    async def __aenter__(self) -> HTTPResponse:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<HTTPResponse {self.status} {self.reason}{' closed' if self.closed else ''}>"
