"""Message framing: where the body of a response ends, decided once per response, and the lines that frame chunks."""

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


LENGTH = Kind.LENGTH  # a module global: looking up a member of an Enum is slow before Python 3.12

Framing = tuple[Kind, int, CloseReason | None]
"""How the body of one message is delimited, its length (Kind.LENGTH; 0 without a body), and why the connection ends
after it (None: another exchange may follow). A plain tuple, because each response makes one (decision 53)."""


def decide_framing(head: Head, method: str) -> Framing:
    """Decide how the body of the response to `method` is delimited: the rules of RFC 9112 §6.3, in their order.

    Content-Length is checked even where it delimits nothing (interim responses, HEAD, 204, 304, together with
    `chunked`), because another recipient may rely on it. The exception is a 2xx response to CONNECT, where it is
    ignored (RFC 9110 §9.3.6).

    Raises:
        UnknownTransferEncoding: a transfer coding other than a single `chunked`.
        ProtocolError: a Content-Length that is not a number, or several that differ.
    """
    if method == "HEAD" or method == "CONNECT":
        return _decide(head, method)
    if head.usual_size is not None:
        return LENGTH, head.usual_size, None
    framing = head.framing
    if framing is None:
        framing = head.framing = _decide(head, method)
    return framing


def _decide(head: Head, method: str) -> Framing:
    if head.is_plain and head.version == 11:
        length, coding, reason = head.plain_length, None, None
    else:
        found = head.framing_fields
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
    """Return True if a response has no content, regardless of its fields (RFC 9112 §6.3, rule 1)."""
    return method == "HEAD" or status < 200 or status in (204, 304)


def may_keep_alive(version: int, connection: bytes) -> bool:
    """Return True if version and Connection field allow the connection to persist (RFC 9112 §9.3)."""
    options = {option.strip(b" \t").lower() for option in connection.split(b",")}
    return b"close" not in options and (version == 11 or b"keep-alive" in options)


def parse_content_length(value: bytes) -> int:
    """Parse Content-Length: digits, or a list of equal numbers (RFC 9110 §8.6).

    Raises:
        ProtocolError: any other value, or more than 18 digits.
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
    """Parse the line before a chunk, CRLF included (RFC 9112 §7.1); return the chunk size and the extensions' length.

    Raises:
        ProtocolError: the line is not hexadecimal digits, extensions and CRLF.
    """
    match = syntax.CHUNK_SIZE.fullmatch(line)
    if match is None:
        raise ProtocolError(f"invalid chunk size: {clip(line)}")
    return int(match[1], 16), len(match[2])


CHUNKS_AT_ONCE = 1024
"""Chunks that split_chunks() takes in one call: the objects of very short ones take ten times their memory."""

LONGEST_PLAIN_LINE = 18
"""Bytes of the longest size line without extensions, its CRLF included."""


def split_chunks(data: bytes, at: int, in_chunk: int, room: int, parts: list[bytes]) -> tuple[int, bool]:
    """Append the content of the whole chunks in received bytes to `parts` (RFC 9112 §7.1).

    A chunk that is incomplete or malformed or that has extensions, and a last chunk with trailers, end the walk and are
    not taken: parse_chunk_size() and the other steps decide about them (decision 63).

    Args:
        data: received bytes.
        at: the position of a size line, or of the rest of a chunk.
        in_chunk: the size of that rest, without its CRLF; 0 for a size line.
        room: bytes of content that may be appended. When they are used up, the last chunk is not looked for.
        parts: gets the content.

    Returns:
        The position after the chunks that were taken, and whether the last chunk is one of them.
    """
    if in_chunk:
        stop = at + in_chunk
        if in_chunk > room or not data.startswith(b"\r\n", stop):
            return at, False
        parts.append(data[at:stop])
        at, room = stop + 2, room - in_chunk
    line, size = b"\n", 0  # no size line is equal to this one
    for _ in range(CHUNKS_AT_ONCE):
        begin = at + len(line)
        if data[at:begin] != line:  # most often the next chunk has the size of the last one
            found = syntax.PLAIN_CHUNK_SIZE.match(data, at)
            if found is None:
                break
            line, size, begin = found[0], int(found[1], 16), found.end()
            if not size:
                is_end = room > 0 and data.startswith(b"\r\n", begin)
                return (begin + 2, True) if is_end else (at, False)
        stop = begin + size
        if size > room or not data.startswith(b"\r\n", stop):
            break
        parts.append(data[begin:stop])
        at, room = stop + 2, room - size
    return at, False


def build_chunk_size(size: int) -> bytes:
    """Return the line before a chunk of `size` bytes; the chunk and a CRLF follow it."""
    return b"%X\r\n" % size


def build_chunk(data: bytes | bytearray | memoryview) -> bytes:
    """Return data as a chunk (RFC 9112 §7.1). Empty data would make the last chunk."""
    return b"".join((build_chunk_size(len(data)), data, b"\r\n"))


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
    """Return True if a field may be sent after the content: it does not frame, route or protect (RFC 9110 §6.5.1)."""
    return name.lower() not in _NOT_IN_TRAILERS


def check_trailers(trailers: Fields) -> None:
    """Check that every recipient reads the trailers in the same way.

    Control characters are allowed in the values of a head, as in http.client, but not in trailers, where no program
    relies on them.

    Raises:
        ProtocolError: a control character in a value (RFC 9110 §5.5), or a Content-Length that is not a number.
    """
    for name, value in trailers.pairs():
        if syntax.CONTROL.search(value) is not None:
            raise ProtocolError(f"expected no control characters in trailer {clip(name)}, got {clip(value)}")
        if name.lower() == "content-length":
            parse_content_length(value.encode("latin-1"))
