"""A response as a blocking client gives it: asyncclient's own, whose content is waited for."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from copy import copy
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ..client import response as awaitable
from ..client.content.text import LineSplitter
from ..client.request import Request
from ..errors import ResponseNotRead, StatusError
from ..message.fields import Fields
from ..message.head import Interim
from ..message.repairs import Repair
from ..stream.tls import TLSInfo
from ..timings import Timings
from .portal import LoopThread

if TYPE_CHECKING:
    from ..message.links import Link


_T = TypeVar("_T")


class Response:
    """A response. `client.get(…)` gives it with its content read; `client.stream(…)` lets the caller read it.

    One thread at a time may read its content; all the rest is for any number of them. It can be pickled and copied as
    asyncclient's.

    Attributes:
        request: the Request that it answers; after redirects the last one.
        url: where it came from.
        status: the code.
    """

    def __init__(self, response: awaitable.Response, thread: LoopThread | NoThread) -> None:
        self.request: Request = response.request
        self.url: str = response.url
        self.status: int = response.status
        self._response = response
        self._thread = thread
        self._upgraded: Upgraded | None = None
        if self.status == 101 and response.upgraded is not None and isinstance(thread, LoopThread):
            self._upgraded = Upgraded(*response.upgraded, thread)

    # The head

    @property
    def history(self) -> tuple[Response, ...]:
        """The responses (redirects) that led here, the first one first. Their content was not read."""
        return tuple(Response(response, self._thread) for response in self._response.history)

    @property
    def reason(self) -> str:
        """The reason phrase, "" if there is none."""
        return self._response.reason

    @property
    def version(self) -> int:
        """10 for HTTP/1.0, 11 for HTTP/1.1."""
        return self._response.version

    @property
    def headers(self) -> Fields:
        """The fields, by name in any case and as pairs in wire order."""
        return self._response.headers

    @property
    def length(self) -> int | None:
        """Bytes of content that are left to be read off the connection, before decoding; None if not known."""
        return self._response.length

    @property
    def trailers(self) -> Fields | None:
        """The fields that came after the content; None until that has been read to its end."""
        return self._response.trailers

    @property
    def interim(self) -> tuple[Interim, ...]:
        """The interim responses (1xx) that came first."""
        return self._response.interim

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was repaired in the last exchange so far, each kind once; always empty unless Client(lenient=True)."""
        return self._response.repairs

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self._response.ok

    def raise_for_status(self) -> Self:
        """Return the response if its status is below 400.

        Raises:
            StatusError: it is not.
        """
        try:
            self._response.raise_for_status()
        except StatusError as error:
            error.response = self
            raise
        return self

    @property
    def links(self) -> dict[str, Link]:
        """The links of the Link fields (RFC 8288), by relation; their URLs are absolute."""
        return self._response.links

    @property
    def filename(self) -> str:
        """A name for the content, safe to use in any directory: Content-Disposition's, else the URL's."""
        return self._response.filename

    # The connection it came on

    @property
    def timings(self) -> Timings:
        """When what happened, in seconds, for the last exchange."""
        return self._response.timings

    @property
    def peer(self) -> Any:
        """The address of the other end, for IPv4 (host, port); of the proxy if there is one."""
        return self._response.peer

    @property
    def proxy_headers(self) -> Fields | None:
        """The fields of the proxy's answer to the CONNECT that opened the tunnel; None without a tunnel."""
        return self._response.proxy_headers

    @property
    def tls(self) -> TLSInfo | None:
        """What TLS negotiated; None without TLS."""
        return self._thread.ask(lambda: self._response.tls)  # where nobody reads meanwhile: that may replace a session

    @property
    def upgraded(self) -> Upgraded | None:
        """After 101 the connection, the caller's to close; None otherwise. The end of the client closes it, too."""
        return self._upgraded

    # Content

    def read(self) -> bytes:
        """Return the whole content, decoded; a second call gives the same again.

        Raises:
            IncompleteRead, ProtocolError, ReadTimeout, TotalTimeout: it did not come whole, or not in time.
            DecodingError: it is not what its Content-Encoding says.
            ContentTooLarge, RateTimeout: it is larger than max_body_size, or slower than Timeout.min_rate.
            ClientClosed: the client is closed.
        """
        content = self._find_content()
        if content is None:
            content = self._thread.run(self._response.read(), self._response.close)
        return content

    def _find_content(self) -> bytes | None:
        try:
            return self._response.content
        except ResponseNotRead:
            return None

    @property
    def content(self) -> bytes:
        """The whole content, decoded, once it has been read.

        Raises:
            ResponseNotRead: it has not: read() does that.
        """
        return self._response.content

    @property
    def encoding(self) -> str:
        """The encoding of text: what was set here, else what the content says, else the client's default."""
        return self._response.encoding

    @encoding.setter
    def encoding(self, name: str) -> None:
        self._response.encoding = name

    @property
    def text(self) -> str:
        """The content as text; bytes that are none become U+FFFD. Raises ResponseNotRead."""
        return self._response.text

    @property
    def lines(self) -> list[str]:
        """The text in lines, without their endings. Raises ResponseNotRead."""
        return self._response.lines

    def json(self, **options: Any) -> Any:
        """Return the value of the content as JSON, with options of json.loads().

        Raises:
            ResponseNotRead: it has not been read.
            InvalidJSON: it is not JSON, or nested too deeply; the text names URL and media type. It is a ValueError,
                and for malformed JSON a json.JSONDecodeError.
        """
        return self._response.json(**options)

    def iter_chunks(self, size: int | None = None) -> Iterator[bytes]:
        """Iterate over the content as it comes, decoded; given a size, in pieces of that, but the last.

        Leaving the loop early leaves the rest to be read. Raises: as read(), and ValueError.
        """
        pieces = self._response.iter_chunks(size)
        content = self._find_content()
        return self._pull(pieces) if content is None else _cut(content, size or len(content) or 1)

    def _pull(self, pieces: AsyncIterator[bytes]) -> Iterator[bytes]:
        while True:
            try:
                piece = self._thread.run(_next(pieces), self._response.close)
            except StopAsyncIteration:
                return
            yield piece

    def iter_text(self) -> Iterator[str]:
        """Iterate over the content as text, as it comes; bytes that are none become U+FFFD. Raises: as read()."""
        decoder = awaitable.open_text_decoder(self._response)
        for chunk in self.iter_chunks():
            if text := decoder.feed(chunk):
                yield text
        if text := decoder.finish():
            yield text

    def iter_lines(self) -> Iterator[str]:
        """Iterate over the lines of the text, without their endings. Raises: as read()."""
        splitter = LineSplitter()
        for text in self.iter_text():
            yield from splitter.feed(text)
        yield from splitter.finish()

    # Ending

    @property
    def closed(self) -> bool:
        """Whether the connection is not needed any more: all was read, or the response was closed."""
        return self._response.closed

    def close(self) -> None:
        """Give up what was not read: its connection is dropped at once. The end of `with` may keep it."""
        self._thread.tell(self._response.close)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy the response without its thread, once its connection is not needed any more."""
        return _restore, (self._thread.ask(lambda: copy(self._response)),)

    def __repr__(self) -> str:
        return repr(self._response)


class NoThread:
    """Stands for the thread of a client where a response was pickled or copied: nothing of it has to be waited for."""

    def ask(self, function: Callable[[], _T]) -> _T:
        """Return what the function gives."""
        return function()

    def tell(self, function: Callable[[], object]) -> None:
        """Call the function."""
        function()

    def run(self, coroutine: Coroutine[Any, Any, _T], give_up: Callable[[], object] | None = None) -> _T:
        """Raise ResponseNotRead: only content that was read is in a pickle or a copy."""
        coroutine.close()
        raise ResponseNotRead("the content was not read before the response was pickled or copied")


def _restore(response: awaitable.Response) -> Response:
    return Response(response, NoThread())


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    return await anext(pieces)


def _cut(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


class Upgraded:
    """A connection that speaks another protocol now. No time limit holds for it; a wait that is interrupted closes it.

    Args:
        reader, writer: the two sides of it.
        thread: where they live.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, thread: LoopThread) -> None:
        self._reader = reader
        self._writer = writer
        self._thread = thread
        thread.upgraded.add(writer)

    def read(self, n: int = -1) -> bytes:
        """Return what is at hand, at most n bytes and one at least, b"" at the end; below 0, all up to the end."""
        return self._thread.run(self._reader.read(n), self._writer.close)

    def readexactly(self, n: int) -> bytes:
        """Return n bytes; asyncio.IncompleteReadError if the peer ends before."""
        return self._thread.run(self._reader.readexactly(n), self._writer.close)

    def readline(self) -> bytes:
        """Return a line with its LF, without it at the end."""
        return self._thread.run(self._reader.readline(), self._writer.close)

    def write(self, data: bytes) -> None:
        """Send data; wait while the peer takes too little of it."""
        self._thread.run(self._write(data), self._writer.close)

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        """Close the connection."""
        self._thread.upgraded.discard(self._writer)
        self._thread.tell(self._writer.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._thread.is_running and self._writer in self._thread.upgraded and not self._writer.is_closing():
            self.close()
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
