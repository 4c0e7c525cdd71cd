"""The response of a client: its content decoded and limited, as bytes, text, lines or JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from ..arguments import check_number
from ..errors import HTTPException, InvalidJSON, ResponseNotRead, StatusError, clip
from ..message.fields import Fields
from ..message.head import Interim
from ..message.repairs import Repair
from ..message.target import show
from ..missing import answers
from ..stream.tls import TLSInfo
from ..timings import Timings
from ..transport import TransportResponse
from .content.iterators import BufferedContent, ChunkIterator, MappedIterator
from .content.reader import ContentReader
from .error_context import add_context, shorten_url
from .other_names import RESPONSE
from .request import Request
from .stored import StoredResponse

if TYPE_CHECKING:
    from ..message.links import Link
    from .content.events import EventParser, ServerSentEvent
    from .content.file import ContentFile
    from .content.text import TextDecoder
    from .settings import DefaultEncoding

MAX_EVENT: Final = 1024 * 1024
"""Characters of one event of an event stream, by default."""


@answers(RESPONSE)
class Response:
    """A response. `await client.get(…)` returns it with its content read; with `client.stream(…)` the caller reads it.

    It can be pickled and copied, with the content that was read, after its connection is released. Before that, and
    with an upgraded connection, both raise a TypeError.

    Attributes:
        request: the Request that was answered; after redirects the last one.
        url: the URL of that request.
        history: the redirects that led here, the first one first. Their content was not read.
        status: the status code.
    """

    __slots__ = (
        "__weakref__",
        "_codec",
        "_content",
        "_default",
        "_encoding",
        "_filename",
        "_raw",
        "_reader",
        "history",
        "request",
        "status",
        "url",
    )

    def __init__(
        self,
        request: Request,
        url: str,
        raw: TransportResponse,
        reader: ContentReader | None = None,
        history: tuple[Response, ...] = (),
        default_encoding: DefaultEncoding | None = None,
    ) -> None:
        self.request = request
        self.url = url
        self.status = raw.status
        self.history = history
        self._raw = raw  # in a copy a StoredResponse
        self._reader = reader
        self._content: bytes | None = None
        self._encoding: str | None = None
        self._default = default_encoding
        self._codec: str | None = None  # of the content, once it was read and examined
        self._filename: str | None = None  # set by a download, from an earlier response

    # The head

    @property
    def reason(self) -> str:
        """The reason phrase, "" if there is none."""
        return self._raw.reason

    @property
    def version(self) -> int:
        """10 for HTTP/1.0, 11 for HTTP/1.1."""
        return self._raw.version

    @property
    def headers(self) -> Fields:
        """The fields, by case-insensitive name and as pairs in wire order."""
        return self._raw.headers

    @property
    def length(self) -> int | None:
        """Bytes of content that are not yet read from the connection, before decoding; None if unknown."""
        return self._raw.length

    @property
    def trailers(self) -> Fields | None:
        """The fields sent after the content; None before the end of the content was read."""
        return self._raw.trailers

    @property
    def interim(self) -> tuple[Interim, ...]:
        """The interim responses (1xx) before this one."""
        return self._raw.interim

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """The repairs in the last exchange so far, each kind once; always empty unless Client(lenient=True).

        Faults of the content are found while it is read. With Repair.INCOMPLETE its end is missing.
        """
        return self._raw.repairs

    @property
    def ok(self) -> bool:
        """True if the status is below 400."""
        return self.status < 400

    def raise_for_status(self) -> Response:
        """Return the response if its status is below 400.

        Raises:
            StatusError: it is 400 or above.
        """
        if self.status < 400:
            return self
        raise build_status_error(self)

    @property
    def links(self) -> dict[str, Link]:
        """The links of the Link fields (RFC 8288), by relation; their URLs are absolute."""
        from ..message.links import index_links, parse_links  # imported on use: few responses have any

        return index_links(parse_links(self.headers.get_all("link", []), self.url))

    @property
    def filename(self) -> str:
        """A name for the content that is safe in any directory; download() uses it in a directory.

        It is the name in Content-Disposition (RFC 6266) without its path, otherwise the last segment of the URL's path,
        otherwise "download". Unsafe characters (control characters, ``"*:<>?|``, dots at the beginning) are replaced or
        removed, so it may differ from the name that the server sent.
        """
        from ..message.disposition import suggest_filename  # imported on use: few programs ask for it
        from ..message.url import parse_url

        if self._filename is not None:
            return self._filename
        path = parse_url(self.url).target.partition("?")[0]
        return suggest_filename(self.headers.get_all("content-disposition", []), path)

    # The connection

    @property
    def timings(self) -> Timings:
        """The durations of the phases of the last exchange, in seconds."""
        return self._raw.timings

    @property
    def peer(self) -> Any:
        """The address of the peer, for IPv4 (host, port); that of the proxy if there is one."""
        return self._raw.peer

    @property
    def proxy_headers(self) -> Fields | None:
        """The fields of the proxy's response to CONNECT; None without a tunnel."""
        return self._raw.proxy_headers

    @property
    def tls(self) -> TLSInfo | None:
        """The result of the TLS handshake; None without TLS."""
        return self._raw.tls

    @property
    def upgraded(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """After status 101, the connection as asyncio's (reader, writer), which the caller closes; None otherwise."""
        return self._raw.upgraded

    # Content

    async def read(self) -> bytes:
        """Return the whole decoded content; further calls return the same bytes.

        Raises:
            IncompleteRead, ProtocolError, ReadTimeout, TotalTimeout: see HTTPResponse.read().
            DecodingError: the content is not valid in its Content-Encoding.
            ContentTooLarge, RateTimeout: it is larger than max_body_size, or slower than Timeout.min_rate.
        """
        content = self._content
        if content is None:
            try:
                content = self._content = await (self._reader or self._raw).read()
            except HTTPException as error:
                add_context(error, self.request, self)
                raise
        return content

    async def _read1(self, n: int | None = None) -> bytes:
        reader = self._reader or self._raw
        try:
            return await (reader.read1() if n is None else reader.read1(n))
        except HTTPException as error:
            add_context(error, self.request, self)
            raise

    @property
    def content(self) -> bytes:
        """The whole decoded content, after it was read.

        Raises:
            ResponseNotRead: it was not read: await read() first.
        """
        if self._content is None:
            raise self._build_unread_error()
        return self._content

    def _build_unread_error(self) -> ResponseNotRead:
        """Return the error for unread content, built here so that the frame that raises it does not refer to it."""
        error = ResponseNotRead("the content has not been read: read() returns it whole, iter_chunks() in parts")
        add_context(error, self.request, self)
        return error

    @property
    def _content_type(self) -> str | None:
        values = self.headers.get_all("content-type", ())
        if len(values) == 1 and "," not in values[0]:  # the common case
            return values[0]
        from ..message.media import choose_content_type  # imported on use: many responses are not text

        return choose_content_type(values)

    @property
    def encoding(self) -> str:
        """The encoding of text: set here, otherwise declared by the content or Content-Type, or the client's default.

        It is the name of a Python codec, or "x-user-defined" or "replacement", which Python lacks. The chapter on
        responses has the order of precedence.
        """
        if self._codec is not None:
            return self._codec
        codec = _load_find_encoding()(self._content or b"", self._content_type, self._encoding, self._default)
        if self._content is not None:
            self._codec = codec
        return codec

    @encoding.setter
    def encoding(self, name: str) -> None:
        from ..message.charsets import check_codec

        self._encoding = check_codec(name)
        self._codec = None

    @property
    def text(self) -> str:
        """The content as text, with U+FFFD for invalid bytes. Raises ResponseNotRead."""
        return _load_decode()(self.content, self.encoding)

    @property
    def lines(self) -> list[str]:
        """The lines of the text, without line endings. Raises ResponseNotRead."""
        from .content.text import LineSplitter

        splitter = LineSplitter()
        return [*splitter.feed(self.text), *splitter.finish()]

    def json(self, **options: Any) -> Any:
        """Return the value of the content as JSON, with options of json.loads().

        The encoding is the one set here, otherwise that of a byte order mark or the charset, otherwise UTF-8, -16 or
        -32.

        Raises:
            ResponseNotRead: the content was not read.
            InvalidJSON: it is not JSON, or nested too deeply; the text names URL and media type. It is a ValueError,
                and for malformed JSON a json.JSONDecodeError.
        """
        parse_json = _load_parse_json()
        try:
            return parse_json(
                self.content, self._content_type, self._encoding, url=self.url, status=self.status, options=options
            )
        except InvalidJSON as error:
            error.request, error.response = self.request, self  # the text names them already
            raise

    def iter_chunks(self, size: int | None = None) -> AsyncIterator[bytes]:
        """Iterate over the decoded content as received; with a size, in chunks of that size except the last.

        Leaving the loop early leaves the rest unread. Raises the errors of read(), and ValueError.
        """
        if size is not None and size < 1:
            raise ValueError(f"expected pieces of at least 1 byte, got {size!r}")
        return ChunkIterator(self._find_read1(), size)

    def _find_read1(self) -> Callable[..., Awaitable[bytes]]:
        return self._read1 if self._content is None else BufferedContent(self._content).read1

    def iter_text(self) -> AsyncIterator[str]:
        """Iterate over the content as text, as received; invalid bytes become U+FFFD. Raises the errors of read()."""
        decoder = open_text_decoder(self)
        return MappedIterator(
            self.iter_chunks(),
            lambda chunk: filter(None, (decoder.feed(chunk),)),
            lambda: filter(None, (decoder.finish(),)),
        )

    def iter_lines(self) -> AsyncIterator[str]:
        """Iterate over the lines of the text, without line endings. Raises the errors of read()."""
        from .content.text import LineSplitter

        splitter = LineSplitter()
        return MappedIterator(self.iter_text(), splitter.feed, splitter.finish)

    def as_file(self) -> ContentFile:
        """Return the content as an asynchronous file with read(n), from where it was read up to.

        With it the content can be the body of another request. The response ends as without it.
        """
        from .content.file import ContentFile  # imported on use: few programs need it

        return ContentFile(self._find_read1())

    def iter_events(self, *, max_event_size: int = MAX_EVENT) -> AsyncIterator[ServerSentEvent]:
        """Iterate over the events of an event stream (text/event-stream), as they are received.

        Client.events() opens such a stream, and opens it again when it ends.

        Args:
            max_event_size: limit of one event in characters.

        Raises:
            DecodingError: Content-Type is not text/event-stream.
            ContentTooLarge: an event is larger than the limit; the connection was dropped.
            Others: the errors of read().
        """
        return iterate_events(self, open_event_parser(self, max_event_size))

    # Ending

    @property
    def closed(self) -> bool:
        """True if the connection is released: all content was read, or the response was closed."""
        return self._raw.closed

    def close(self) -> None:
        """Discard unread content and drop the connection at once."""
        self._raw.close()

    async def aclose(self) -> None:
        """Discard unread content. The connection is kept if at most 64 KiB are left and arrive within a second.

        Nothing is decoded.
        """
        await self._raw.aclose()

    async def __aenter__(self) -> Response:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await self.aclose()
        else:
            self.close()

    def __getstate__(self) -> Any:
        """Return the state for a pickle or a copy: everything except the connection."""
        if not self.closed:
            raise TypeError(f"can't pickle or copy {self!r} while its content is not read: read() or aclose() first")
        if self.upgraded is not None:
            raise TypeError(f"can't pickle or copy {self!r}: it holds an upgraded connection")
        state: Any = super().__getstate__()
        attributes, slots = state
        codec = None if self._content is None else self.encoding  # instead of the default, which may not be picklable
        return attributes, {
            **slots,
            "_raw": StoredResponse(self._raw),
            "_reader": None,
            "_codec": codec,
            "_default": None,
        }

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason} {show(self.url)}{'' if self.closed else ' open'}>"


# Functions that are imported on use, because many responses are not text. An import statement takes 1 µs each time.


@cache
def _load_find_encoding() -> Callable[[bytes, str | None, str | None, DefaultEncoding | None], str]:
    from .content.text import find_encoding

    return find_encoding


@cache
def _load_decode() -> Callable[[bytes, str], str]:
    from ..message.charsets import decode

    return decode


@cache
def _load_parse_json() -> Callable[..., Any]:
    from .content.json_content import parse_json

    return parse_json


def open_text_decoder(response: Response) -> TextDecoder:
    """Return a decoder for the text of a response."""
    from .content.text import TextDecoder

    return TextDecoder(response._content_type, response._encoding, response._default)


def open_event_parser(response: Response, max_size: int, last_id: str = "", retry: float | None = None) -> EventParser:
    """Return a parser for the events of a response; see EventParser.

    Raises:
        DecodingError: the response is not an event stream.
    """
    from .content.events import EventParser, check_event_stream  # imported on use: few responses are event streams

    check_number("max_event_size", max_size, 1)
    try:
        check_event_stream(response._content_type)
    except HTTPException as error:
        add_context(error, response.request, response)
        raise
    return EventParser(max_size, last_id, retry)


def iterate_events(
    response: Response, parser: EventParser, chunks: AsyncIterator[bytes] | None = None
) -> AsyncIterator[ServerSentEvent]:
    """Return an iterator over the events of a response. An incomplete event at the end is dropped.

    Args:
        response: the response.
        parser: parses its content.
        chunks: the content of the response, if it is to be read in another way than by iter_chunks().
    """
    return MappedIterator(chunks or response.iter_chunks(), partial(feed_events, response, parser), tuple)


def feed_events(response: Response, parser: EventParser, chunk: bytes) -> list[ServerSentEvent]:
    """Return the events that a chunk of a response completes; on an error, drop the connection."""
    try:
        return parser.feed(chunk)
    except HTTPException as error:
        response.close()
        add_context(error, response.request, response)
        raise


def build_status_error(response: Response, expected: str = "") -> StatusError:
    """Return the error for the status of a response; its text names what was expected, if that is given."""
    reason = clip(response.reason)[1:-1]
    text = f"{response.status} {reason} for {response.request.method} {shorten_url(response.url)!r}"
    return StatusError(f"expected {expected}, got {text}" if expected else text, response)


def take_received(response: Response) -> bool:
    """Read the content of a new response if it has arrived and needs no processing; return True if it is read."""
    if response._reader is not None:
        return False
    response._content = content = response._raw.take()
    return content is not None
