"""The tolerance of http.client where RFC 9110 and 9112 are strict, for programs that were written for it.

Two rules stay strict: nothing sent can contain an unintended line ending, and nothing received is read ambiguously. A
connection is not reused after a malformed head.
"""

from __future__ import annotations

import re

from ..errors import ProtocolError, UnknownTransferEncoding
from ..limits import Limits
from . import syntax
from .cycle import CloseReason
from .framing import Framing, Kind, decide_framing, has_no_content, may_keep_alive, parse_content_length
from .head import Head, StatusLine, parse_fields

FIELD_NAME = re.compile(rb"[^:\s\x00][^:\r\n\x00]*+")
"""A field name to send: any bytes that cannot be taken for another line or a fold."""

NOT_IN_VALUE = re.compile(rb"\n(?![ \t])|\r(?![ \t\n])|\x00")
"""Not allowed in a field value that is sent. A fold is allowed."""

REQUEST_LINE = re.compile(syntax.TOKEN_TEXT + r" [\x21-\x7e]++ [\x21-\x7e]++")
"""A request line without faults, with any version."""

NOT_IN_TARGET = re.compile(r"[\x00-\x20\x7f]")
"""Not allowed in a request target. Non-ASCII characters fail when the target is encoded."""

NOT_IN_METHOD = re.compile(r"[\x00-\x1f]")
"""Refused in a method by http.client itself."""

_NOT_IN_SECTION = re.compile(rb"\x00|\r(?!\n)")
"""Characters that some recipients, but not all, read as the end of a line or of the text (RFC 9110 §5.5)."""

_NEGATIVE = re.compile(rb"-[0-9]++[ \t]*+")


class InvalidLength(ProtocolError):
    """Content-Length fields that give no valid length; the rest of the head can still be used."""


def frame(line: StatusLine, block: bytes, start: int, method: str, limits: Limits) -> Framing:
    """Decide how the body of a response is delimited, given its status line and, from `start`, its field section.

    As in http.client, lines that are not fields are skipped; a transfer coding other than `chunked`, a negative length,
    and a length that delimits nothing are ignored. The connection is not reused after a skipped line, nor after a body
    that is delimited in spite of an ignored field.

    Raises:
        LineTooLong: a line is too long.
        InvalidLength: lengths that are not numbers, or differ.
        ProtocolError: too many fields, a NUL or a bare CR.
    """
    is_sound = True
    try:
        head = parse_fields(line, block, start, limits)
    except ProtocolError:
        if block.count(b"\n", start) - 1 > limits.fields or _NOT_IN_SECTION.search(block, start):
            raise
        head, is_sound = Head(line, syntax.OBS_FOLD.sub(b" ", block[start - 1 :]), 1), False
    try:
        kind, length, reason = decide_framing(head, method)
        return kind, length, reason if is_sound else CloseReason.REPAIRED
    except (UnknownTransferEncoding, ProtocolError):
        return _frame_by_rest(head, method, is_sound)


def _frame_by_rest(head: Head, method: str, is_sound: bool) -> Framing:
    """Return the framing after decide_framing() has refused a length or a transfer coding."""
    found = head.framing_fields
    coding = found.get(b"transfer-encoding")
    if has_no_content(head.status, method):
        if not is_sound or coding is not None:
            return Kind.LENGTH, 0, CloseReason.REPAIRED
        goes_on = may_keep_alive(head.version, found.get(b"connection", b""))
        return Kind.LENGTH, 0, None if goes_on else CloseReason.SERVER_CLOSE
    if coding is not None and coding.strip(b" \t").lower() == b"chunked":
        return Kind.CHUNKED, 0, CloseReason.REPAIRED
    return _frame_by_length(found.get(b"content-length"))


def _frame_by_length(value: bytes | None) -> Framing:
    if value is None or _NEGATIVE.fullmatch(value):
        return Kind.UNTIL_CLOSE, 0, CloseReason.READ_UNTIL_CLOSE
    try:
        return Kind.LENGTH, parse_content_length(value), CloseReason.REPAIRED
    except ProtocolError as exc:
        raise InvalidLength(str(exc)) from None
