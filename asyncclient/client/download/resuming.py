"""Deciding whether a response continues a part of a download or brings the whole content. Pure functions.

A part is continued only if everything shows that the response brings the following bytes of the same representation:
the status, Content-Range, the length, ETag, Last-Modified and Content-Encoding. If anything disagrees, the whole
content is requested again, without Range; then a response that is not whole by its own fields is an error. So a server
that handles ranges wrongly costs time, but never mixes two files or leaves a fragment.
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
    """The identity of the representation that a part was downloaded from.

    Attributes:
        resource: hash of the requested URL, because URLs may hold secrets.
        etag: as sent by the server, quoted or not; "" if absent.
        modified: Last-Modified, if it identifies the representation; otherwise "".
        coding: Content-Encoding of the part, which is stored encoded; "" for none.
        total: size of the complete part in bytes; None if unknown.
        name: the file name suggested by the server.
    """

    resource: str
    etag: str = ""
    modified: str = ""
    coding: str = ""
    total: int | None = None
    name: str = ""

    @property
    def validator(self) -> str:
        """The value of If-Range: a strong ETag, otherwise Last-Modified; "" if neither exists."""
        return self.etag if self.has_strong_etag else self.modified

    @property
    def has_strong_etag(self) -> bool:
        """True if the ETag identifies the representation byte for byte (RFC 9110 §8.8.3)."""
        return _STRONG_ETAG.fullmatch(self.etag) is not None


class Span(NamedTuple):
    """The bytes that a response brings: from `start` to before `stop`, of `total`; None is unknown."""

    start: int
    stop: int | None
    total: int | None


def make_note(resource: str, fields: Fields, total: int | None, name: str) -> Note | None:
    """Return the identity of a response's representation; None if no field identifies it (RFC 9110 §8.8.1).

    A weak or malformed ETag does not identify it, but Last-Modified may. Encoded content needs a strong ETag, because
    the same file may be encoded to different bytes each time.
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
    """Return the codings of Content-Encoding in lower case, without identity; "" for none."""
    return ", ".join(parse_content_encoding(fields.get("content-encoding", "")))


def _find_strong_date(fields: Fields) -> str:
    """Return Last-Modified if the response was sent at least a second later, otherwise "" (RFC 9110 §8.8.2.2).

    Within the same second the representation may have changed again.
    """
    modified = fields.get_single("last-modified") or ""
    changed, sent = parse_date(modified), parse_date(fields.get_single("date") or "")
    return modified if changed is not None and sent is not None and sent - changed >= 1 else ""


def find_span(known: Note | None, start: int, status: int, fields: Fields, length: int | None) -> Span | None:
    """Return the bytes that a response brings; None if all must be requested again, without Range.

    Args:
        known: the note of the last part, even if that part was discarded; None if there was none.
        start: the first requested byte; 0 for a request without Range.
        status: of the response, 2xx.
        fields: of the response.
        length: received bytes of its content; None if unknown before the end.

    Raises:
        ProtocolError: a response to a request without Range says that it is not whole.
    """
    if known is None or not start:
        return _find_whole(known, status, fields, length)
    if status == 206:
        return _find_rest(known, start, fields, length)
    return _find_whole(known, status, fields, length) if _may_be_whole(known, fields, length) else None


def _find_whole(known: Note | None, status: int, fields: Fields, length: int | None) -> Span:
    """Return the span of the whole content.

    Some servers send a fragment with status 200, which Content-Range shows; and some caches store truncated content as
    if it were whole, which shows in a length that differs from the earlier one for the same strong ETag.
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
    """Return True if a response other than 206 to a request with Range plausibly brings the whole content.

    It does if the representation has changed (RFC 9110 §13.1.5), or if the length is the same as before.
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
    """Return True if a 206 is of the representation that the part was downloaded from (RFC 9110 §15.3.7).

    The ETag must be present again. The other fields may be absent, but must agree with the note if present.
    """
    if fields.get_single("etag") != (note.etag or None):
        return False
    has_date = "last-modified" not in fields or note.modified in ("", fields.get_single("last-modified"))
    return has_date and ("content-encoding" not in fields or read_coding(fields) == note.coding)
