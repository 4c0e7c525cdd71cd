"""A response that a transport creates itself, without a connection."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Iterable
from http import HTTPStatus
from typing import Final

from .arguments import check_type
from .errors import NotConnected, clip
from .exchange.body import AsyncIterableSource, Source, find_buffer
from .exchange.stream import Buffer
from .limits import Limits
from .message import syntax
from .message.buffer import Pieces
from .message.fields import Fields, HasItems, check_section, list_pairs
from .message.head import Head, Interim, build_field, parse_fields, parse_status_line
from .message.repairs import Repair
from .response import HeadView
from .timings import Timings

LocalContent = Buffer | str | AsyncIterable[Buffer]
"""The content of a LocalResponse."""

_NO_CONTENT: Final = (204, 205, 304)
"""Statuses of responses without content (RFC 9110 §6.4.1, §15.3.6)."""

_UNLIMITED: Final = Limits(line=2**62, fields=2**62)
"""A response of this process needs no limits; one from a cache was held to them when it was received."""

_FieldsLike = HasItems | Iterable[tuple[str, str]]


class LocalResponse(HeadView):
    """A response for a Transport that answers without a connection: from memory, a cache, or a function.

    Args:
        status: the status code, from 200 to 599.
        headers: a mapping or pairs. They are kept as given: none is added, and content with a Content-Encoding is
            decoded by the client.
        content: bytes, or a str in UTF-8; an async iterable of bytes is read on demand.
        reason: the reason phrase; by default the usual one of the status.
        trailers: the fields after the content.

    Raises:
        ValueError: another status, content that the status does not allow, or a reason or a field that can't be sent.
        TypeError: an argument of another type.

    Attributes: see TransportResponse.
    """

    __slots__ = ("_content", "_is_given_up", "_pieces", "_source", "_trailers", "closed", "head", "status", "timings")

    interim: tuple[Interim, ...] = ()
    tls = None
    peer = None
    proxy_headers = None
    upgraded = None
    is_lenient = False
    repairs: tuple[Repair, ...] = ()

    def __init__(
        self,
        status: int = 200,
        *,
        headers: _FieldsLike = (),
        content: LocalContent = b"",
        reason: str | None = None,
        trailers: _FieldsLike = (),
    ) -> None:
        head = _build_head(status, reason, headers)
        fields = check_section(_build_section(trailers, "trailers"), _UNLIMITED, what="trailer")
        self._start(head, _check_content(status, content), Fields.from_section(fields))

    def _start(self, head: Head, content: bytes | AsyncIterable[Buffer], trailers: Fields) -> None:
        self.head = head
        self.status = head.status
        self.timings = Timings(time.monotonic())
        self._content = content
        self._trailers = trailers
        self._pieces = Pieces()  # content to be read
        self._source: Source | None = None  # the rest of the content; None if all of it is in the pieces
        self._is_given_up = False
        if isinstance(content, bytes):
            self._pieces.append(content)
        else:
            self._source = AsyncIterableSource(content)
        self.closed = False
        self._check_end()

    def copy(self, *, content: LocalContent | None = None) -> LocalResponse:
        """Return the same response with unread content, or with other content.

        Raises:
            TypeError: the content is from an async iterator, which can be read only once.
        """
        if content is None:
            content = self._content
            if isinstance(content, AsyncIterable) and aiter(content) is content:
                raise TypeError("can't copy a response with content from an async iterator")
        other = LocalResponse.__new__(LocalResponse)
        other._start(self.head, _check_content(self.status, content), self._trailers)
        return other

    @property
    def length(self) -> int | None:
        """Bytes of content that are not read yet; None with an async iterable before its end."""
        return self._pieces.size if self._source is None else None

    @property
    def trailers(self) -> Fields | None:
        """The fields after the content; None before its end was read."""
        return self._trailers if self.closed and not self._is_given_up else None

    async def read(self) -> bytes:
        """Return the rest of the content.

        Raises:
            NotConnected: the response was closed, or reading failed, before the end of the content.
            Exception: any error of the async iterable.
        """
        while self._source is not None:
            await self._pull(self._source)
        return self._take(self._pieces.size)

    async def read1(self, n: int = -1) -> bytes:
        """Return content, at least one byte and at most n unless n is below 0; b"" at the end. Raises as read()."""
        while not self._pieces.size and self._source is not None:
            await self._pull(self._source)
        size = self._pieces.size
        return self._take(size if n < 0 else min(n, size))

    def take(self) -> bytes | None:
        """Return the rest of the content; None with an async iterable before its end. Raises NotConnected as read()."""
        return self._take(self._pieces.size) if self._source is None else None

    def _take(self, n: int) -> bytes:
        if self._is_given_up:
            raise NotConnected("response was closed before its content was read")
        data = self._pieces.take_exactly(n)
        self._check_end()
        return data

    async def _pull(self, source: Source) -> None:
        """Get the next chunk of the iterable; if it fails or is cancelled, give the response up."""
        try:
            chunk = await source.read()
        except BaseException:
            await self.aclose()  # otherwise the next read would return the end of a truncated content
            raise
        if chunk:
            self._pieces.append(bytes(chunk))
        else:
            self._source = None

    def _check_end(self) -> None:
        """Note the end of the content if all of it was read."""
        if self._source is None and not self._pieces.size and not self.closed:
            self.closed = True
            self.timings.done = time.monotonic() - self.timings.started

    def hold(self) -> None:
        """Do nothing: there is no connection."""

    def release(self, *repairs: Repair) -> None:
        """Do nothing: there is no connection."""

    def close(self) -> None:
        """Discard unread content. An async generator is closed by aclose(), or by the event loop later."""
        self._is_given_up = self._is_given_up or not self.closed
        self.closed = True
        self._source = None
        self._pieces = Pieces()

    async def aclose(self) -> None:
        """Discard unread content, and close an async generator."""
        source = self._source
        self.close()
        if source is not None:
            await source.aclose()

    def __repr__(self) -> str:
        return f"<LocalResponse {self.status} {self.reason}>"


def _check_content(status: int, content: LocalContent) -> bytes | AsyncIterable[Buffer]:
    """Return the content as bytes unless it is iterated over."""
    if isinstance(content, AsyncIterable):
        return content
    data = content.encode() if isinstance(content, str) else find_buffer(content)
    if data is None:
        raise TypeError(f"expected bytes, str or an async iterable of bytes as content, got {type(content).__name__}")
    if data and status in _NO_CONTENT:
        raise ValueError(f"expected no content with status {status}, got {len(data)} bytes")
    return bytes(data)


def _build_head(status: int, reason: str | None, headers: _FieldsLike) -> Head:
    check_type("status", status, int, "a number")
    if not 200 <= status <= 599:
        raise ValueError(f"expected a status from 200 to 599, got {clip(status)}")
    if reason is None:
        reason = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else ""
    if syntax.FIELD_VALUE.fullmatch(reason) is None:
        raise ValueError(f"expected a reason without line ends, got {clip(reason)}")
    line = f"HTTP/1.1 {int(status)} {reason}\r\n".encode("latin-1")
    return parse_fields(parse_status_line(line), line + _build_section(headers, "headers"), len(line), _UNLIMITED)


def _build_section(fields: _FieldsLike, what: str) -> bytes:
    """Return the lines of a field section, its empty line included."""
    return b"".join(build_field(name, value) + b"\r\n" for name, value in list_pairs(fields, what)) + b"\r\n"
