"""What proves that a response goes on with a part of a download, or that it brings the whole content. Pure functions.

A part goes on only where all evidence agrees that the response brings the bytes after it, of the same representation:
the status, Content-Range, the length, ETag, Last-Modified and Content-Encoding. Where anything disagrees the content is
asked for anew, without a Range. There, a response that is not whole by what it says itself is an error. So a server
that gets ranges wrong costs time, and never makes a file of two different ones, or of a slice.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ...errors import ProtocolError, clip
from ...message.fields import Fields
from ...message.ranges import parse_content_range
from ..content.decoding import parse_content_encoding
from ..cookies.fields import parse_date

_STRONG_ETAG = re.compile(r'"[^"\x00-\x20]*+"')


class Note(NamedTuple):
    """What a part was taken from.

    Attributes:
        resource: the URL that was asked for, as a hash: URLs may hold secrets.
        etag: as the server wrote it, quotes or not; "" if it sent none.
        modified: Last-Modified, if that tells the representation from any other; "" if it does not.
        coding: Content-Encoding of the part, which is stored as it came; "" for none.
        total: bytes that the part will have when it is whole; None if the server did not say.
        name: the name that the server gave to the file.
    """

    resource: str
    etag: str = ""
    modified: str = ""
    coding: str = ""
    total: int | None = None
    name: str = ""

    @property
    def validator(self) -> str:
        """The value of If-Range: a strong ETag, else Last-Modified; "" if neither is there."""
        return self.etag if self.has_strong_etag else self.modified

    @property
    def has_strong_etag(self) -> bool:
        """Whether the ETag tells the representation from any other, byte for byte (RFC 9110 §8.8.3)."""
        return _STRONG_ETAG.fullmatch(self.etag) is not None


class Span(NamedTuple):
    """The bytes that a response brings: from start up to stop, of total; None is unknown."""

    start: int
    stop: int | None
    total: int | None


def make_note(resource: str, fields: Fields, total: int | None, name: str) -> Note | None:
    """Return what a part is to be known by; None if nothing in the response tells it from another (RFC 9110 §8.8.1).

    A weak or malformed ETag does not, but Last-Modified beside it may. For encoded content it takes a strong ETag: what
    encodes it may make other bytes of the same file each time.
    """
    note = Note(
        resource,
        fields.get_single("etag") or "",
        _find_strong_date(fields),
        read_coding(fields),
        total,
        name,
    )
    return note if note.has_strong_etag or (note.modified and not note.coding) else None


def read_coding(fields: Fields) -> str:
    """Return the codings of Content-Encoding, in lower case and without identity; "" for none."""
    return ", ".join(parse_content_encoding(fields.get("content-encoding", "")))


def _find_strong_date(fields: Fields) -> str:
    """Return Last-Modified if the response was sent a second later at least, else "" (RFC 9110 §8.8.2.2).

    Within one second the representation may have changed once more.
    """
    modified = fields.get_single("last-modified") or ""
    changed, sent = parse_date(modified), parse_date(fields.get_single("date") or "")
    return modified if changed is not None and sent is not None and sent - changed >= 1 else ""


def find_span(known: Note | None, start: int, status: int, fields: Fields, length: int | None) -> Span | None:
    """Return which bytes a response brings; None if they have to be asked for anew, without a Range.

    Args:
        known: what the last part was taken from, thrown away by now or not; None if there was no part.
        start: the first byte that was asked for; 0 if all were, without a Range.
        status: of the response, 2xx.
        fields: of the response.
        length: bytes of its content on the wire; None if only the end will tell.

    Raises:
        ProtocolError: the response to a request without a Range says that it is not whole.
    """
    if known is None or not start:
        return _find_whole(known, status, fields, length)
    if status == 206:
        return _find_rest(known, start, fields, length)
    return _find_whole(known, status, fields, length) if _may_be_whole(known, fields, length) else None


def _find_whole(known: Note | None, status: int, fields: Fields, length: int | None) -> Span:
    """Return the span of all bytes.

    Some servers send a slice with 200, and there Content-Range says so; and some caches store content that was cut
    off as if it were whole, and there the length is not that of the same strong ETag before.
    """
    if status == 206:
        raise ProtocolError("got 206 for a request without Range")
    value = fields.get_single("content-range") or ""
    found = parse_content_range(value)
    if found is not None:
        if found.start or found.total not in (None, found.stop) or length not in (None, found.stop):
            raise ProtocolError(f"got {clip(value)} as Content-Range for a request without Range")
        length = found.stop
    if known is not None and known.has_strong_etag and known.total is not None and _is_same(known, fields):
        if length not in (None, known.total):
            raise ProtocolError(f"got {length} bytes of content, which had {known.total} with the same ETag before")
        length = known.total
    return Span(0, length, length)


def _may_be_whole(known: Note, fields: Fields, length: int | None) -> bool:
    """Return whether a response without 206 to a request with a Range can be believed to bring all bytes.

    It can if the representation has changed (RFC 9110 §13.1.5), or has the length that it had before.
    """
    found = parse_content_range(fields.get_single("content-range") or "")
    if "content-range" in fields and not (found and found.is_whole):
        return False
    return _has_changed(known, fields) or (known.total is not None and length == known.total)


def _has_changed(note: Note, fields: Fields) -> bool:
    etag, modified = fields.get_single("etag") or note.etag, fields.get_single("last-modified") or note.modified
    return (note.etag != "" and etag != note.etag) or (note.modified != "" and modified != note.modified)


def _find_rest(note: Note, start: int, fields: Fields, length: int | None) -> Span | None:
    found = parse_content_range(fields.get_single("content-range") or "")
    if found is None or found.start != start or not _is_same(note, fields):
        return None
    total = note.total if found.total is None else found.total
    if total is None or note.total not in (None, total) or found.stop > total:
        return None
    return Span(start, found.stop, total) if length in (None, found.stop - start) else None


def _is_same(note: Note, fields: Fields) -> bool:
    """Return whether a 206 is of the representation that the part was taken from (RFC 9110 §15.3.7).

    An ETag has to be there again. The other fields need not be, but where they are they agree with the note.
    """
    if fields.get_single("etag") != (note.etag or None):
        return False
    has_date = "last-modified" not in fields or note.modified in ("", fields.get_single("last-modified"))
    return has_date and ("content-encoding" not in fields or read_coding(fields) == note.coding)
