"""Forms: the payload that fields and files make (WHATWG HTML §4.10.21, WHATWG URL §5, RFC 7578)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from ...exchange.body import BLOCKSIZE, Source, encode_text
from ...exchange.send import MAX_SINGLE_WRITE
from ...exchange.stream import Buffer
from ...message.fields import HasItems, list_pairs
from ...message.multipart import (
    OCTETS,
    PART_END,
    BoundaryCheck,
    build_boundary,
    build_content_type,
    build_end,
    build_part_head,
    guess_content_type,
)
from ...message.url import list_named, list_values, percent_encode
from .content_fields import URLENCODED, ContentFields
from .payload import CHARSET, BytesPayload, Payload, make_payload

Scalar = str | bytes | int | float | bool | None
FormData = Mapping[str, Scalar | Sequence[Scalar]] | Iterable[tuple[str, Scalar | Sequence[Scalar]]]
"""Fields of a form, a mapping or pairs, with the rules of a URL's parameters: a list or tuple makes one field for each
item, True and False become `true` and `false`, and None omits the field."""


class Part(NamedTuple):
    """A part of a multipart form. A plain tuple of its first two, three or four items is accepted as well.

    Attributes:
        filename: None for a field that is not a file.
        content: a body of any type.
        content_type: "" for no Content-Type. None derives it from the extension of the file name, with
            application/octet-stream as default; without a file name there is none.
        headers: further fields of the part; a Content-Type among them replaces `content_type`.
        length: bytes of the content; more or fewer are an error. With it the form has a Content-Length even if the
            length cannot be derived from the content.
    """

    filename: str | None
    content: Any
    content_type: str | None = None
    headers: HasItems | Iterable[tuple[str, str]] = ()
    length: int | None = None


def build_form(data: FormData | str | bytes, fields: ContentFields | None = None) -> Payload:
    """Return the payload of a form without files; str and bytes are an encoded form.

    A space becomes "+". All characters except letters, digits and `*-._` are percent-encoded as UTF-8.

    Args:
        data: the form.
        fields: the content fields of the request, if it has any.

    Raises:
        TypeError, ValueError: see list_fields, and ContentFields.check_form().
    """
    if isinstance(data, bytes):
        return BytesPayload(data, URLENCODED)
    if isinstance(data, str):
        encoded = encode_text(data, CHARSET)
        if fields is not None:
            fields.check_text(is_ascii=data.isascii())
        return BytesPayload(encoded, URLENCODED)
    if hasattr(data, "read"):
        raise TypeError(
            f"expected a mapping or pairs (name, value) as data, got {type(data).__name__}; for a file: body="
        )
    if fields is not None:
        fields.check_form()
    pairs = (b"%b=%b" % (_quote(encode_text(name, CHARSET)), _quote(value)) for name, value in list_fields(data))
    encoded = b"&".join(pairs)
    if fields is not None:
        fields.check_text(is_ascii=_BEYOND_ASCII.search(encoded) is None)
    return BytesPayload(encoded, URLENCODED)


_BEYOND_ASCII = re.compile(rb"%[89A-F][0-9A-F]")
_RESERVED = re.compile(rb"[^A-Za-z0-9*._ -]+")


def _quote(data: bytes) -> bytes:
    return _RESERVED.sub(_escape, data).replace(b" ", b"+")


def _escape(match: re.Match[bytes]) -> bytes:
    return percent_encode(match[0]).encode()


def list_fields(data: FormData) -> Iterator[tuple[str, bytes]]:
    """Yield the fields of a form, each with one value as bytes.

    Raises:
        TypeError: data that are not a mapping or pairs, a name that is not a str, or a value of a type that FormData
            does not allow.
        ValueError: a str that UTF-8 can't encode.
    """
    for name, value in list_values(data, "data"):
        yield name, encode_text(value, CHARSET) if isinstance(value, str) else value


def build_multipart(
    data: FormData | None,
    files: Mapping[str, Any] | Iterable[tuple[str, Any]],
    own_boundary: str | None = None,
) -> Payload:
    """Return the payload of a form with files: its fields, then the files, each in the order given.

    Args:
        data: the fields; None if there are none.
        files: a mapping or pairs, name to Part or to content. The file name of content alone is that of its file, else
            the name of the field.
        own_boundary: a boundary that the caller chose; content that contains it is refused.

    Raises:
        TypeError, ValueError: see list_fields, make_payload and build_part_head.
    """
    boundary = own_boundary or build_boundary()
    parts = [_Part(build_part_head(boundary, name), BytesPayload(value)) for name, value in list_fields(data or ())]
    parts += [_build_part(boundary, name, _to_part(name, file)) for name, file in list_named(files, "files")]
    content_type, end = build_content_type(boundary), build_end(boundary)
    if own_boundary is not None:
        _check_in_memory(parts, own_boundary)
    joined = _join_small(parts, end)
    if joined is not None:
        return BytesPayload(joined, content_type)
    return MultipartPayload(content_type, parts, end, own_boundary)


def _check_in_memory(parts: Sequence[_Part], boundary: str) -> None:
    for part in parts:
        if part.payload.data is not None:
            BoundaryCheck(boundary).feed(part.payload.data)


class _Part(NamedTuple):
    """A part with its head built: the head, the payload of the content, and the length that the caller declared."""

    head: bytes
    payload: Payload
    length: int | None = None

    async def open(self, blocksize: int) -> Source:
        """Return the source of the content, held to the declared length."""
        source = await self.payload.open(blocksize, lazy=True)
        if self.length is not None:
            source.length = self.length
        return source


def _to_part(name: str, file: Any) -> Part:
    if not isinstance(file, tuple):
        return Part(_find_filename(file) or name, file)
    if not 2 <= len(file) <= len(Part._fields):
        raise TypeError(f"expected a file of a form as (filename, content) and perhaps more, got {len(file)} values")
    return Part(*file)


def _find_filename(content: Any) -> str | None:
    """Return the base name of a path or a file; None or "" if it has no name, as <stdin>."""
    path = content if isinstance(content, os.PathLike) else getattr(content, "name", None)
    if not isinstance(path, str | bytes | os.PathLike):
        return None  # the name of a file may be its descriptor
    name = os.path.basename(os.fsdecode(path))
    return None if name.startswith("<") else name


def _build_part(boundary: str, name: str, part: Part) -> _Part:
    payload = make_payload(part.content, file=name)
    content_type = part.content_type
    if content_type is None and part.filename is not None:
        content_type = guess_content_type(part.filename) or payload.content_type or OCTETS
    head = build_part_head(boundary, name, part.filename, content_type, list_pairs(part.headers))
    return _Part(head, payload, part.length)


def _join_small(parts: Sequence[_Part], end: bytes) -> bytes | None:
    """Return the whole body if it is in memory and small enough to be sent with the request head; else None."""
    pieces: list[Buffer] = []
    for head, payload, length in parts:
        if payload.data is None or length is not None:
            return None
        pieces += (head, payload.data, PART_END)
    return b"".join((*pieces, end)) if sum(map(len, pieces)) <= MAX_SINGLE_WRITE else None


class MultipartPayload(Payload):
    """A form with files, whose parts are read while they are sent.

    Args:
        content_type: of the whole body.
        parts: in the order of sending.
        end: the bytes after the last part.
        own_boundary: a boundary that the caller chose, which the content of no part may contain.
    """

    def __init__(self, content_type: str, parts: Sequence[_Part], end: bytes, own_boundary: str | None = None) -> None:
        self.content_type = content_type
        self._parts = parts
        self._end = end
        self._own_boundary = own_boundary

    @property
    def is_replayable(self) -> bool:
        """See Payload."""
        return all(part.payload.is_replayable for part in self._parts)

    async def open(self, blocksize: int = BLOCKSIZE, *, lazy: bool = False) -> Source:
        """See Payload. The length is known if that of each part is. The file of a path is open while it is read."""
        sources = []
        try:
            for part in self._parts:
                sources.append((part.head, await part.open(blocksize)))
        except BaseException:
            await self.aclose()
            raise
        return _MultipartSource(sources, self._end, self._own_boundary)

    async def aclose(self) -> None:
        """See Payload."""
        async with AsyncExitStack() as closing:
            for part in self._parts:
                closing.push_async_callback(part.payload.aclose)


class _MultipartSource(Source):
    """The content of a form with files.

    Args:
        parts: the head of each part, and the source of its content.
        end: the bytes after the last part.
        own_boundary: see MultipartPayload.
    """

    __slots__ = ("_check", "_end_of_form", "_own_boundary", "_part", "_parts")

    def __init__(self, parts: Sequence[tuple[bytes, Source]], end: bytes, own_boundary: str | None) -> None:
        super().__init__(_measure(parts, end))
        self._parts = iter(parts)
        self._end_of_form = end
        self._own_boundary = own_boundary
        self._check: BoundaryCheck | None = None
        self._part: Source | None = None  # the part that is being read

    async def read(self) -> Buffer:
        """See Source. Small parts in memory are joined; content of a file or an iterable is returned at once."""
        waiting: list[Buffer] = [] if self.has_begun else [self._begin_part()]
        size = sum(map(len, waiting))
        while self._part is not None:
            chunk = await self._part.read()
            if self._check is not None:
                self._check.feed(chunk)
            is_read = bool(chunk) and self._part.data is None
            waiting.append(chunk or PART_END + self._begin_part())
            size += len(waiting[-1])
            if is_read or size >= MAX_SINGLE_WRITE:
                break
        return self._count(waiting[0] if len(waiting) == 1 else b"".join(waiting)) if waiting else self._end()

    def _begin_part(self) -> bytes:
        """Begin the next part, and return its head; after the last part return the end of the form."""
        self.has_begun = True
        head, self._part = next(self._parts, (self._end_of_form, None))
        self._check = None if self._own_boundary is None else BoundaryCheck(self._own_boundary)
        return head

    async def aclose(self) -> None:
        """See Payload."""
        if self._part is not None:
            await self._part.aclose()


def _measure(parts: Sequence[tuple[bytes, Source]], end: bytes) -> int | None:
    total = len(end)
    for head, source in parts:
        if source.length is None:
            return None
        total += len(head) + source.length + len(PART_END)
    return total
