"""What http.client lets pass where RFC 9110 and 9112 do not: the grammar for programs that were written for it.

Two things stay as strict as everywhere: nothing that goes out can end its line, and nothing that comes in is read in two
ways. Where a head is not sound, its connection ends with it.
"""

from __future__ import annotations

import re

from ..errors import ProtocolError, UnknownTransferEncoding
from ..limits import Limits
from . import syntax
from .framing import Framing, Kind, decide_framing, find_framing_fields, parse_content_length
from .head import Head, StatusLine, parse_fields

FIELD_NAME = re.compile(rb"[^:\s\x00][^:\r\n\x00]*+")
"""A name that goes out: any bytes that can't be taken for another line or a fold."""

NOT_IN_VALUE = re.compile(rb"\n(?![ \t])|\r(?![ \t\n])|\x00")
"""What no value that goes out may have; a fold is let through."""

NOT_IN_TARGET = re.compile(r"[\x00-\x20\x7f]")
"""What no request target may have; others than ASCII fail when it is encoded."""

NOT_IN_METHOD = re.compile(r"[\x00-\x1f]")
"""What http.client itself refuses in a method."""

_NOT_IN_SECTION = re.compile(rb"\x00|\r(?!\n)")
"""What is read as the end of a line, or of a text, by some recipients and not by others (RFC 9110 §5.5)."""

_NEGATIVE = re.compile(rb"-[0-9]++[ \t]*+")


def frame(line: StatusLine, section: bytes, method: str, limits: Limits) -> Framing:
    """Decide how the content of a response is delimited, from its status line and its field section.

    Lines that are no fields are passed over. A transfer coding other than `chunked` counts as none, and a negative
    length as none, as in http.client; after either, and after such lines, the connection is not used again.

    Raises:
        LineTooLong: a line is too long.
        ProtocolError: too many fields, a NUL or a bare CR, or lengths that are no numbers or differ.
    """
    block = b"\n" + section
    is_sound = True
    try:
        head = parse_fields(line, block, 1, limits)
    except ProtocolError:
        if block.count(b"\n") - 2 > limits.fields or _NOT_IN_SECTION.search(block):
            raise
        head, is_sound = Head(line, syntax.OBS_FOLD.sub(b" ", block), 1), False
    try:
        kind, length, keep_alive = decide_framing(head, method)
        return kind, length, keep_alive and is_sound
    except UnknownTransferEncoding:
        return _frame_by_length(find_framing_fields(head)[0])
    except ProtocolError:
        value = find_framing_fields(head)[0]
        if value is None or _NEGATIVE.fullmatch(value) is None:
            raise
        return _frame_by_length(None)


def _frame_by_length(value: bytes | None) -> Framing:
    if value is None:
        return Kind.UNTIL_CLOSE, 0, False
    return Kind.LENGTH, parse_content_length(value), False
