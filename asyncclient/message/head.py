"""Message heads: parsing a status line and fields, and building a request line and field lines."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

from ..errors import BadStatusLine, InvalidURL, LineTooLong, UnknownProtocol, clip
from ..limits import DEFAULT, Limits
from . import syntax
from .fields import Fields, check_section

LONGEST_KEPT: Final = 2048
"""Bytes up to which a head is remembered."""


class StatusLine(NamedTuple):
    """Version (10 for HTTP/1.0, 11 for HTTP/1.1 and later 1.x), status code and reason phrase."""

    version: int
    status: int
    reason: str


class Head:
    """The head of a response; its fields are parsed on first use.

    Attributes:
        version, status, reason: see StatusLine.
        block: the head as bytes, with folded lines unfolded.
        start: offset of the field section in `block`.
        is_plain: True if the only inspected field is one Content-Length at most, kept in `plain_length`: no other
            framing field, no content coding, no cookie.
        usual_size: bytes of content, for a plain 200 of HTTP/1.1 with a Content-Length, after which the connection
            persists; None for other heads. It does not hold for HEAD and CONNECT.
        framing: the result of decide_framing() for other methods than HEAD and CONNECT; None before its first call.
    """

    __slots__ = (
        "_fields",
        "_framing",
        "block",
        "framing",
        "is_plain",
        "plain_length",
        "reason",
        "start",
        "status",
        "usual_size",
        "version",
    )

    def __init__(
        self, line: StatusLine, block: bytes, start: int, is_plain: bool = False, plain_length: bytes | None = None
    ) -> None:
        self.version, self.status, self.reason = line
        self.block = block
        self.start = start
        self.is_plain = is_plain
        self.plain_length = plain_length
        is_usual = self.status == 200 and self.version == 11
        self.usual_size = int(plain_length) if is_usual and plain_length is not None else None
        self.framing: tuple[Any, int, Any] | None = None
        self._fields: Fields | None = None
        self._framing: dict[bytes, bytes] | None = None

    @property
    def framing_fields(self) -> dict[bytes, bytes]:
        """The fields that change how a response is handled, by lower-case name; repeated fields are joined by commas.

        They are Content-Length, Transfer-Encoding, Connection and Content-Encoding, and Set-Cookie, whose joined value
        only shows that there are cookies. They are found without parsing all fields (decision 50).
        """
        if self._framing is None:
            found = self._framing = {}
            # Start at the LF before the first field, because the pattern begins with an LF.
            # From the LF before the first field, so that each begins after one.
            for name, value in syntax.INSPECTED_FIELD.findall(self.block, self.start - 1):
                key = name.lower()
                found[key] = found[key] + b"," + value if key in found else value
        return self._framing

    @property
    def is_simple(self) -> bool:
        """True if there is no content coding and no cookie; always so for a plain head."""
        return not (b"content-encoding" in self.framing_fields or b"set-cookie" in self.framing_fields)

    @property
    def fields(self) -> Fields:
        """The fields."""
        if self._fields is None:
            self._fields = Fields.from_section(self.block[self.start :])
        return self._fields

    @property
    def line(self) -> str:
        """The status line with its line ending."""
        return self.block[: self.start].decode("latin-1")


class HeadCache:
    """The last head with status 200 of a server: an equal one is not parsed again.

    Many servers send the same head until their clock ticks (decision 12).

    Attributes:
        last: that head; None before there was one.
    """

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: Head | None = None

    def add(self, head: Head) -> None:
        """Remember a head, unless it is long or its status is another."""
        if head.status == 200 and len(head.block) <= LONGEST_KEPT:
            self.last = head


class Interim:
    """An interim response (1xx), received before the final response."""

    __slots__ = ("_head",)

    def __init__(self, head: Head) -> None:
        self._head = head

    @property
    def status(self) -> int:
        """The status code."""
        return self._head.status

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return self._head.reason

    @property
    def headers(self) -> Fields:
        """The fields, for example Link in 103 Early Hints."""
        return self._head.fields

    def __repr__(self) -> str:
        return f"<Interim {self.status} {self.reason}>"


def parse_status_line(line: bytes) -> StatusLine:
    """Parse a status line with its line ending (RFC 9112 §4); the reason may be missing.

    Raises:
        BadStatusLine: the line is not a version, a code of three digits and a reason.
        UnknownProtocol: the version is not 1.x (RFC 9112 §2.3); HTTP/0.9 is never assumed.
    """
    match = syntax.STATUS_LINE.fullmatch(line)
    if match is None:
        other = syntax.OTHER_PROTOCOL.match(line)
        raise UnknownProtocol(other[0].decode()) if other else BadStatusLine(line.decode("latin-1"))
    major, minor, status, reason = match.groups(b"")
    if major != b"1":
        raise UnknownProtocol(line.split(b" ", 1)[0].decode("latin-1"))
    return StatusLine(10 if minor == b"0" else 11, int(status), reason.decode("latin-1").strip(" \t"))


remember_status_line = lru_cache(maxsize=128)(parse_status_line)
"""parse_status_line() with a cache: servers repeat the same few lines. Long lines are not cached."""


def parse_head(block: bytes, limits: Limits = DEFAULT) -> Head:
    """Parse the head of a response, its empty line included (RFC 9112 §2.1).

    Raises:
        BadStatusLine, UnknownProtocol: see parse_status_line.
        LineTooLong, ProtocolError: see check_section.
    """
    start = block.find(b"\n") + 1 or len(block)
    if start > limits.line:
        raise LineTooLong("the status line", limits.line)
    line = remember_status_line(block[:start]) if start < 64 else parse_status_line(block[:start])
    return parse_fields(line, block, start, limits)


def parse_fields(line: StatusLine, block: bytes, start: int, limits: Limits = DEFAULT) -> Head:
    """Parse the field section of a head, empty line included, given the status line.

    Raises:
        LineTooLong, ProtocolError: see check_section.
    """
    is_short = len(block) < 3 * limits.fields  # a field line has at least three bytes: no need to count them
    if len(block) <= limits.line and (is_short or block.count(b"\n") - 2 <= limits.fields):
        match = syntax.PLAIN_FIELD_LINES.fullmatch(block, start)
        if match is not None:
            return Head(line, block, start, True, match[1])
    return Head(line, check_section(block, limits, start), start)


def has_final_begun(data: bytes) -> bool:
    """Return True if `data`, the start of a response, has reached the final response (RFC 9110 §15.2)."""
    interim = syntax.INTERIM_HEADS.match(data)
    code = data[9 + (interim.end() if interim else 0) :][:3]  # after "HTTP/1.1 "
    return len(code) == 3 and (code[:1] != b"1" or code == b"101")


_USUAL_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"))


def build_request_line(method: str, target: str) -> bytes:
    """Return a request line without its line ending (RFC 9112 §3).

    Raises:
        TypeError: the method or the target is not a str.
        ValueError: the method is not a token.
        InvalidURL: the target has a blank, a control character or a non-ASCII character; the caller must encode them.
    """
    # As the pattern below, in less time: a known method, and at least one character, all of them visible ASCII.
    is_usual = type(target) is str and type(method) is str and method in _USUAL_METHODS
    if is_usual and target and target.isascii() and target.isprintable() and " " not in target:
        return f"{method} {target} HTTP/1.1".encode("ascii")
    try:
        line = method + " " + target + " HTTP/1.1"
    except TypeError:
        kinds = f"{type(method).__name__} and {type(target).__name__}"
        raise TypeError(f"expected str as method and request target, got {kinds}") from None
    if syntax.REQUEST_LINE.fullmatch(line) is not None:
        return line.encode("ascii")
    if syntax.TOKEN.fullmatch(method) is None:
        raise ValueError(f"method can't be sent, expected a token: {clip(method)}")
    raise InvalidURL(f"request target can't be sent, expected visible ASCII characters: {clip(target)}")


def build_field(name: str | bytes, *values: str | bytes | int) -> bytes:
    """Return a field line without its line ending; several values become continuation lines, as in http.client.

    Raises:
        TypeError: the name is not str or bytes, or a value is not str, bytes or int.
        ValueError: the name is not a token, or a value contains a line ending or is not ISO-8859-1.
    """
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if not isinstance(name, str):
        raise TypeError(f"expected str or bytes as header name, got {type(name).__name__}")
    if syntax.TOKEN.fullmatch(name) is None:
        raise ValueError(f"invalid header name: {clip(name)}")
    encoded = [_field_value(name, value) for value in values]
    return name.encode("ascii") + b": " + b"\r\n\t".join(encoded)


def _field_value(name: str, value: str | bytes | int) -> bytes:
    if not isinstance(value, str | bytes | int):
        raise TypeError(f"expected str, bytes or int as value of header {name}, got {type(value).__name__}")
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if syntax.FIELD_VALUE.fullmatch(text) is None:
        # The value is left out of the error text: it may be a credential.
        raise ValueError(f"invalid value of header {name}: it has a CR, LF or NUL")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"invalid value of header {name}: not ISO-8859-1, pass it as bytes") from None
