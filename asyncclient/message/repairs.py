"""Repairs for a lenient client: what may be repaired in a response, and the repair of heads and trailers.

Every message is parsed strictly first; only a refused message is repaired. Each repair is made by browsers too, or
allowed by RFC 9112. In a line that names Content-Length or Transfer-Encoding only blanks before the colon and CRs at
the end are repaired, because two recipients must not see two different ends of a message.

The tolerance of http.client (lenient.py, for `compat`) is different: it ignores lines that it cannot parse, reports
nothing, gives the program the section as received, and ignores unknown transfer codings. There a changed section would
be wrong; here an ignored transfer coding would be unsafe. Both share the grammar and the framing rules.
"""

from __future__ import annotations

import enum
import re

from ..errors import BadStatusLine, HTTPException, LineTooLong, ProtocolError, UnknownTransferEncoding
from ..limits import Limits
from . import syntax
from .cycle import CloseReason
from .fields import Fields, check_section
from .framing import Framing, Kind, check_trailers, decide_framing
from .head import Head, StatusLine, parse_head, parse_status_line


class Repair(enum.StrEnum):
    """A fault of a response that was repaired (`Client(lenient=True)`); listed in `Response.repairs`."""

    EMPTY_LINE = "empty line before the status line"
    STATUS_LINE = "malformed status line"
    BLANKS = "blanks before a colon"
    STRAY_LINE = "line that is not a field"
    CONTROL = "control character in a line"
    REPEATED_CHUNKED = "transfer coding chunked named more than once"
    BARE_LF = "bare LF around a chunk"
    EXCESS = "bytes after the end of compressed content"
    INCOMPLETE = "content cut short by the end of the connection"


_Repaired = tuple[bytes, tuple[Repair, ...]]

_STATUS_LINE = re.compile(rb"(?:(?i:HTTP)/1(?:\.([0-9]))?+|ICY)[ \t]++([1-9][0-9]{2})(?![0-9])[ \t]*+([^\n]*+)")
"""RFC 9112 §4 as some servers write it: in lower case, with several blanks or tabs or none before the reason, without a
minor version, or with ICY, the name that Shoutcast uses for its version of HTTP/1.0."""

_FIELD_NAME = re.compile(syntax.TOKEN_TEXT.encode())

_NAMES_FRAMING = re.compile(rb"(?i)content[^0-9a-z]*+length|transfer[^0-9a-z]*+encoding")

_AS_BLANKS = bytes.maketrans(b"\r\0", b"  ")

_NOT_SOUND = re.compile(rb"[\r\0]")

_HEAD_ENDS = (b"\n\r\n", b"\n\n")


def parse_head_leniently(block: bytes, limits: Limits) -> tuple[Head, tuple[Repair, ...]]:
    """Return the head of a response, empty line included, and its repairs.

    Raises:
        BadStatusLine, ProtocolError: the head cannot be repaired. The error is that of parse_head(), or says that a
            head with other faults has both Content-Length and Transfer-Encoding.
        UnknownProtocol, LineTooLong: see parse_head().
    """
    repairs: tuple[Repair, ...] = ()
    try:
        head = parse_head(block, limits)
    except (BadStatusLine, ProtocolError) as error:
        head, repairs = _repair_head(block, limits, error)
    if repairs and b"transfer-encoding" in head.framing_fields and b"content-length" in head.framing_fields:
        raise ProtocolError(f"got Content-Length beside Transfer-Encoding in a head with faults: {repairs[0]}")
    return head, repairs


def frame_leniently(head: Head, method: str) -> tuple[Framing, tuple[Repair, ...]]:
    """Decide how the body of the response to `method` is delimited; return the framing and the repairs.

    Raises:
        UnknownTransferEncoding, ProtocolError: see decide_framing(). The only repair is for `chunked` named more than
            once without a Content-Length.
    """
    try:
        return decide_framing(head, method), ()
    except UnknownTransferEncoding:
        members = head.framing_fields[b"transfer-encoding"].split(b",")
        if b"content-length" in head.framing_fields or {member.strip(b" \t").lower() for member in members} != {
            b"chunked"
        }:
            raise
        return (Kind.CHUNKED, 0, CloseReason.REPAIRED), (Repair.REPEATED_CHUNKED,)


def _repair_head(block: bytes, limits: Limits, error: HTTPException) -> tuple[Head, tuple[Repair, ...]]:
    if not block.endswith(_HEAD_ENDS):
        raise error
    sound = block[2:] if block.startswith(b"\r\n") else block[1:] if block.startswith(b"\n") else block
    start = sound.find(b"\n") + 1
    if start > limits.line:
        raise LineTooLong("the status line", limits.line)
    line, repairs = _repair_status_line(sound[:start], error)
    section, more = repair_section(sound[start:], limits)
    first = b"HTTP/1.%d %d %b\r\n" % (line.version - 10, line.status, line.reason.encode("latin-1"))
    if sound is not block:
        repairs = (Repair.EMPTY_LINE, *repairs)
    return Head(line, first + section, len(first)), repairs + more


def _repair_status_line(line: bytes, error: HTTPException) -> tuple[StatusLine, tuple[Repair, ...]]:
    try:
        return parse_status_line(line), ()
    except BadStatusLine:
        pass
    match = _STATUS_LINE.fullmatch(_strip_eol(line).translate(_AS_BLANKS))
    if match is None or _NAMES_FRAMING.search(line) is not None:
        raise error
    version = 10 if match[1] in (None, b"0") else 11
    return StatusLine(version, int(match[2]), match[3].decode("latin-1").strip(" \t")), (Repair.STATUS_LINE,)


def repair_section(section: bytes, limits: Limits, what: str = "header") -> _Repaired:
    """Return a field section, empty line included, in the form that check_section() accepts, and its repairs.

    Raises:
        LineTooLong: a line is longer than limits.line.
        ProtocolError: too many lines, or an invalid line that names Content-Length or Transfer-Encoding; the error is
            that of check_section().
    """
    try:
        return check_section(section, limits, what=what), ()
    except ProtocolError as error:
        lines = syntax.OBS_FOLD.sub(b" ", section).split(b"\n")[:-2]
        if section.count(b"\n") - 1 > limits.fields or not all(line.strip(b"\r\0") for line in lines):
            raise  # some recipients take a line of CRs for the empty line
        repaired = [_repair_line(_strip_cr(line), error) for line in lines]
    noted = dict.fromkeys(repair for _, repairs in repaired for repair in repairs)
    return b"".join((*(line for line, _ in repaired), b"\r\n")), tuple(noted)


def _repair_line(line: bytes, error: ProtocolError) -> _Repaired:
    """Return a field line with its line ending, or b"" if the line is not a field; and the repairs."""
    whole = line + b"\r\n"
    if syntax.FIELD_LINE.fullmatch(whole) is not None:
        return whole, ()
    text = line.translate(_AS_BLANKS)
    name, colon, value = text.partition(b":")
    sound_name = name.rstrip(b" \t")
    is_field = bool(colon) and _FIELD_NAME.fullmatch(sound_name) is not None
    is_altered = not is_field or _NOT_SOUND.search(line.rstrip(b"\r \t")) is not None
    if is_altered and _NAMES_FRAMING.search(line) is not None:
        raise error
    if not is_field:
        return b"", (Repair.STRAY_LINE,)
    blanks = (Repair.BLANKS,) if sound_name != name else ()
    return sound_name + b":" + value + b"\r\n", blanks if text == line else (*blanks, Repair.CONTROL)


def parse_trailers_leniently(section: bytes, limits: Limits) -> tuple[Fields, tuple[Repair, ...]]:
    """Return the fields of a trailer section, empty line included, and the repairs.

    Raises:
        LineTooLong, ProtocolError: see repair_section(); also for a Content-Length that is not a number.
    """
    section, repairs = repair_section(section, limits, "trailer")
    pairs = Fields.from_section(section).pairs()
    sound = [(name, syntax.CONTROL.sub(" ", value).strip(" \t")) for name, value in pairs]
    if sound != pairs:
        repairs = (*repairs, Repair.CONTROL)
    trailers = Fields(sound)
    check_trailers(trailers)
    return trailers, tuple(dict.fromkeys(repairs))


def _strip_eol(line: bytes) -> bytes:
    return _strip_cr(line.removesuffix(b"\n"))


def _strip_cr(line: bytes) -> bytes:
    return line.removesuffix(b"\r")
