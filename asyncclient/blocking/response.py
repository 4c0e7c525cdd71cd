"""The response of the blocking client: asyncclient's Response, with blocking methods for the content."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from copy import copy
from functools import partial
from io import BytesIO
from operator import attrgetter
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar

from ..client import response as awaitable
from ..client.content.text import LineSplitter
from ..client.other_names import RESPONSE
from ..client.request import Request
from ..errors import ResponseError, ResponseNotRead, StatusError
from ..message.fields import Fields
from ..message.head import Interim
from ..message.repairs import Repair
from ..missing import answers
from ..stream.tls import TLSInfo
from ..timings import Timings
from .portal import Portal

if TYPE_CHECKING:
    from ..client.content.events import ServerSentEvent
    from ..message.links import Link


_T = TypeVar("_T")


def _forwarded(name: str) -> Any:
    """Return a property that forwards to the same property of asyncclient's Response, with its docstring."""
    return property(attrgetter(f"_response.{name}"), doc=getattr(awaitable.Response, name).__doc__)


@answers(RESPONSE)
class Response:
    """A response. `client.get(…)` returns it with its content read; with `client.stream(…)` the caller reads it.

    Its content may be read by one thread at a time; everything else may be used by any number of threads. It can be
    pickled and copied, as asyncclient's.

    Attributes:
        request: the Request that was answered; after redirects the last one.
        url: the URL of that request.
        status: the status code.
    """

    reason: str = _forwarded("reason")
    version: int = _forwarded("version")
    headers: Fields = _forwarded("headers")
    length: int | None = _forwarded("length")
    trailers: Fields | None = _forwarded("trailers")
    interim: tuple[Interim, ...] = _forwarded("interim")
    repairs: tuple[Repair, ...] = _forwarded("repairs")
    ok: bool = _forwarded("ok")
    links: dict[str, Link] = _forwarded("links")
    filename: str = _forwarded("filename")
    timings: Timings = _forwarded("timings")
    peer: Any = _forwarded("peer")
    proxy_headers: Fields | None = _forwarded("proxy_headers")
    content: bytes = _forwarded("content")
    text: str = _forwarded("text")
    lines: list[str] = _forwarded("lines")
    closed: bool = _forwarded("closed")

    def __init__(self, response: awaitable.Response, portal: Portal | NoPortal) -> None:
        self.request: Request = response.request
        self.url: str = response.url
        self.status: int = response.status
        self._response = response
        self._portal = portal
        self._upgraded: Upgraded | None = None
        if self.status == 101 and response.upgraded is not None and isinstance(portal, Portal):
            self._upgraded = Upgraded(*response.upgraded, portal)

    # The head

    @property
    def history(self) -> tuple[Response, ...]:
        """The redirects that led here, the first one first. Their content was not read."""
        return tuple(Response(response, self._portal) for response in self._response.history)

    def raise_for_status(self) -> Self:
        """Return the response if its status is below 400.

        Raises:
            StatusError: it is 400 or above.
        """
        try:
            self._response.raise_for_status()
        except StatusError as error:
            error.response = self
            raise
        return self

    # The connection

    @property
    def tls(self) -> TLSInfo | None:
        """The result of the TLS handshake; None without TLS."""
        return self._portal.call(lambda: self._response.tls)  # not during a read, which may replace the TLS session

    @property
    def upgraded(self) -> Upgraded | None:
        """The connection after status 101, to be closed by the caller; None otherwise. Closing the client closes it."""
        return self._upgraded

    # Content

    def read(self) -> bytes:
        """Return the whole decoded content; further calls return the same bytes.

        Raises:
            IncompleteRead, ProtocolError, ReadTimeout, TotalTimeout: the content was cut short or late.
            DecodingError: it is not valid in its Content-Encoding.
            ContentTooLarge, RateTimeout: it is larger than max_body_size, or slower than Timeout.min_rate.
            ClientClosed: the client is closed.
        """
        content = self._find_content()
        if content is None:
            content = self._portal.run(self._response.read(), self._response.close)
        return content

    def _find_content(self) -> bytes | None:
        try:
            return self._response.content
        except ResponseNotRead:
            return None

    @property
    def encoding(self) -> str:
        """The encoding of text: set here, otherwise declared by the content, otherwise the client's default."""
        return self._response.encoding

    @encoding.setter
    def encoding(self, name: str) -> None:
        self._response.encoding = name

    def json(self, **options: Any) -> Any:
        """Return the value of the content as JSON, with options of json.loads().

        Raises:
            ResponseNotRead: the content has not been read.
            InvalidJSON: it is not JSON, or nested too deeply; the text names URL and media type. It is a ValueError,
                and for malformed JSON a json.JSONDecodeError.
        """
        return self._response.json(**options)

    def iter_chunks(self, size: int | None = None) -> Iterator[bytes]:
        """Iterate over the decoded content as received; with a size, in chunks of that size except the last.

        Leaving the loop early leaves the rest unread. Raises the errors of read(), and ValueError.
        """
        pieces = self._response.iter_chunks(size)
        content = self._find_content()
        return self._pull(pieces) if content is None else _cut(content, size or len(content) or 1)

    def _pull(self, pieces: AsyncIterator[bytes]) -> Iterator[bytes]:
        while True:
            try:
                piece = self._portal.run(_next(pieces), self._response.close)
            except StopAsyncIteration:
                return
            yield piece

    def iter_text(self) -> Iterator[str]:
        """Iterate over the content as text, as received; invalid bytes become U+FFFD. Raises the errors of read()."""
        decoder = awaitable.open_text_decoder(self._response)
        for chunk in self.iter_chunks():
            if text := decoder.feed(chunk):
                yield text
        if text := decoder.finish():
            yield text

    def iter_lines(self) -> Iterator[str]:
        """Iterate over the lines of the text, without line endings. Raises the errors of read()."""
        splitter = LineSplitter()
        for text in self.iter_text():
            yield from splitter.feed(text)
        yield from splitter.finish()

    def as_file(self) -> BinaryIO:
        """Return the content as a file, from where it was read up to, for tarfile, gzip, csv and the like.

        It can be read once and has no position to go back to. Closing it does not close the response, which ends as
        without it. Reading it raises the errors of read().
        """
        from .file import open_content  # imported on use: few programs need it

        content = self._find_content()
        if content is not None:
            return BytesIO(content)
        file = self._response.as_file()
        return open_content(lambda n: self._portal.run(file.read1(n), self._response.close))

    def iter_events(self, *, max_event_size: int = awaitable.MAX_EVENT) -> Iterator[ServerSentEvent]:
        """Iterate over the events of an event stream (text/event-stream), as they are received.

        Client.events() opens such a stream, and opens it again when it ends.

        Args:
            max_event_size: limit of one event in characters.

        Raises:
            DecodingError: Content-Type is not text/event-stream.
            ContentTooLarge: an event is larger than the limit; the connection was dropped.
            Others: the errors of read().
        """
        parser = awaitable.open_event_parser(self._response, max_event_size)
        feed = partial(awaitable.feed_events, self._response, parser)
        return (event for chunk in self.iter_chunks() for event in feed(chunk))

    # Ending

    def close(self) -> None:
        """Discard unread content and drop the connection at once. The end of a `with` block may keep it."""
        self._portal.call_soon(self._response.close)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle or copy the response without its portal, after its connection is released."""
        return _restore, (self._portal.call(lambda: copy(self._response)),)

    def __repr__(self) -> str:
        return repr(self._response)


class NoPortal:
    """Replaces the portal in a pickled or copied response, which has nothing to wait for."""

    def call(self, function: Callable[[], _T]) -> _T:
        """Return the result of the function."""
        return function()

    def call_soon(self, function: Callable[[], object]) -> None:
        """Call the function."""
        function()

    def run(self, coroutine: Coroutine[Any, Any, _T], discard: Callable[[], object] | None = None) -> _T:
        """Raise ResponseNotRead: a pickle or a copy only has content that was read before."""
        coroutine.close()
        raise ResponseNotRead("the content was not read before the response was pickled or copied")


def _restore(response: awaitable.Response) -> Response:
    return Response(response, NoPortal())


def replace_response(error: ResponseError, portal: Portal) -> None:
    """Replace the response in an error by a blocking one."""
    if isinstance(error.response, awaitable.Response):
        error.response = Response(error.response, portal)


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    return await anext(pieces)


def _cut(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


class Upgraded:
    """A connection that uses another protocol after status 101. It has no timeouts; an interrupted wait closes it.

    Args:
        reader, writer: its two sides.
        portal: the portal whose loop they belong to.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, portal: Portal) -> None:
        self._reader = reader
        self._writer = writer
        self._portal = portal
        portal.upgraded.add(writer)

    def read(self, n: int = -1) -> bytes:
        """Return available bytes, at least one and at most n; b"" at the end. Below 0, return all up to the end."""
        return self._portal.run(self._reader.read(n), self._writer.close)

    def readexactly(self, n: int) -> bytes:
        """Return exactly n bytes; raises asyncio.IncompleteReadError if the peer closes before."""
        return self._portal.run(self._reader.readexactly(n), self._writer.close)

    def readline(self) -> bytes:
        """Return a line with its LF; at the end the rest without it."""
        return self._portal.run(self._reader.readline(), self._writer.close)

    def write(self, data: bytes) -> None:
        """Send data; wait while the peer does not accept it."""
        self._portal.run(self._write(data), self._writer.close)

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        """Close the connection."""
        self._portal.upgraded.discard(self._writer)
        self._portal.call_soon(self._writer.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._portal.is_running and self._writer in self._portal.upgraded and not self._writer.is_closing():
            self.close()
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
