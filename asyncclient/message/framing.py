"""Where a body ends, decided once for each response and handed on as a value; and the lines that frame chunks."""

from __future__ import annotations

import enum

from ..errors import ProtocolError, UnknownTransferEncoding, clip
from . import syntax
from .cycle import CloseReason
from .fields import Fields
from .head import Head


class Kind(enum.Enum):
    """How a body is delimited (RFC 9112 §6.3)."""

    LENGTH = "length"
    CHUNKED = "chunked"
    UNTIL_CLOSE = "until close"


LENGTH = Kind.LENGTH  # members of an Enum take long to find before Python 3.12

Framing = tuple[Kind, int, CloseReason | None]
"""How the body of one message is delimited, its length (Kind.LENGTH; 0 without a body), and why the connection ends
after it (None: another exchange may follow). A plain tuple, made for each response."""


def decide_framing(head: Head, method: str) -> Framing:
    """Decide how the body of the response to `method` is delimited (RFC 9112 §6.3), by its rules in their order.

    A Content-Length is checked also where it delimits nothing (interim responses, HEAD, 204, 304, beside `chunked`):
    another recipient may go by it. Only a 2xx to CONNECT has none that counts (RFC 9110 §9.3.6).

    Raises:
        UnknownTransferEncoding: a transfer coding other than one `chunked`.
        ProtocolError: a Content-Length that is not a number, or several that differ.
    """
    if head.is_plain and head.version == 11:
        length, coding, reason = head.plain_length, None, None
        if length is not None and head.status == 200 and method == "GET":  # as most are
            return LENGTH, int(length), None
    else:
        found = head.notable
        length, coding = found.get(b"content-length"), found.get(b"transfer-encoding")
        reason = None if may_keep_alive(head.version, found.get(b"connection", b"")) else CloseReason.SERVER_CLOSE
        # Both fields, or a transfer coding in HTTP/1.0: another recipient may see another end (RFC 9112 §6.1).
        if coding is not None and (length is not None or head.version != 11):
            reason = CloseReason.DOUBTFUL_FRAMING
    if method == "CONNECT" and 200 <= head.status < 300:
        return LENGTH, 0, reason
    size = None if length is None else parse_content_length(length)
    if has_no_content(head.status, method):
        return LENGTH, 0, reason
    if coding is not None:
        if coding.strip(b" \t").lower() != b"chunked":
            raise UnknownTransferEncoding(f"expected transfer coding 'chunked', got {clip(coding)}")
        return Kind.CHUNKED, 0, reason
    return (Kind.UNTIL_CLOSE, 0, CloseReason.READ_UNTIL_CLOSE) if size is None else (LENGTH, size, reason)


def has_no_content(status: int, method: str) -> bool:
    """Return whether a response has no content whatever its fields say (RFC 9112 §6.3, rule 1)."""
    return method == "HEAD" or status < 200 or status in (204, 304)


def may_keep_alive(version: int, connection: bytes) -> bool:
    """Return whether the connection persists by its version and Connection fields (RFC 9112 §9.3)."""
    options = {option.strip(b" \t").lower() for option in connection.split(b",")}
    return b"close" not in options and (version == 11 or b"keep-alive" in options)


def parse_content_length(value: bytes) -> int:
    """Parse Content-Length: digits, or a list of equal ones (RFC 9110 §8.6).

    Raises:
        ProtocolError: anything else, also more than 18 digits.
    """
    if value.isdigit() and len(value) < 19:
        return int(value)
    value = value.rstrip(b" \t")
    if syntax.CONTENT_LENGTH.fullmatch(value) is None:
        raise ProtocolError(f"invalid content length: {clip(value)}")
    members = {int(member) for member in value.split(b",")}
    if len(members) != 1:
        raise ProtocolError(f"content lengths that differ: {clip(value)}")
    return members.pop()


def parse_chunk_size(line: bytes) -> tuple[int, int]:
    """Parse the line before a chunk, its CRLF included (RFC 9112 §7.1): its size, and how long its extensions are.

    Raises:
        ProtocolError: it is not hexadecimal digits, extensions and CRLF.
    """
    match = syntax.CHUNK_SIZE.fullmatch(line)
    if match is None:
        raise ProtocolError(f"invalid chunk size: {clip(line)}")
    return int(match[1], 16), len(match[2])


def build_chunk_size(size: int) -> bytes:
    """Return the line before a chunk of that many bytes; the chunk and a CRLF follow."""
    return b"%X\r\n" % size


LAST_CHUNK = b"0\r\n\r\n"
"""The last chunk and an empty trailer section (RFC 9112 §7.1)."""

_NOT_IN_TRAILERS = frozenset(
    [
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "max-forwards",
        "proxy-authenticate",
        "proxy-authorization",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "www-authenticate",
    ]
)


def may_be_trailer(name: str) -> bool:
    """Return whether a field may come after the content: not those that frame, route or guard (RFC 9110 §6.5.1)."""
    return name.lower() not in _NOT_IN_TRAILERS


def check_trailers(trailers: Fields) -> None:
    """Let trailers pass that all recipients read alike.

    Values of a head may have control characters, as http.client allows; those of trailers have no such past.

    Raises:
        ProtocolError: a control character in a value (RFC 9110 §5.5), or a Content-Length that is not a number.
    """
    for name, value in trailers.pairs():
        if syntax.CONTROL.search(value) is not None:
            raise ProtocolError(f"expected no control characters in trailer {clip(name)}, got {clip(value)}")
        if name.lower() == "content-length":
            parse_content_length(value.encode("latin-1"))
