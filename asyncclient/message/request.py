"""The head of a request while it is being built, and the framing it declares for the body."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ..errors import ProtocolError, clip
from . import syntax
from .fields import Fields
from .framing import parse_chunk_size
from .head import build_field, build_request_line

_Buffer = bytes | bytearray | memoryview

_LINE_END = re.compile(rb"\r\n(?![ \t])")
"""The end of a field line that is not continued."""

_DIGITS = re.compile(r"[0-9]{1,18}")

MAX_CHUNK_LINE = 64 * 1024
"""Bytes of a chunk-size or trailer line in a body that the caller has chunked."""

EXPECTS_LENGTH = frozenset(("PATCH", "POST", "PUT"))
"""Methods that usually carry content: without a body they send Content-Length: 0 (RFC 9110 §8.6)."""


class RequestHead:
    """A request head: field lines, each checked when it is added, and the framing they declare.

    Content-Length and Transfer-Encoding exclude each other, and each may occur once. The body must match the declared
    framing; otherwise its end could be taken for the start of the next request (RFC 9112 §6.2).

    Attributes:
        method: as given.
        length: the declared Content-Length; None if it is not declared.
        is_chunked: True if `Transfer-Encoding: chunked` is declared.
        expects_continue: True if 100 Continue is requested (RFC 9110 §10.1.1).
        asks_upgrade: True if there is an Upgrade field (RFC 9110 §7.8).
        asks_close: True if the connection must close after this exchange (RFC 9112 §9.6).
    """

    __slots__ = ("_lines", "asks_close", "asks_upgrade", "expects_continue", "is_chunked", "length", "method")

    def __init__(self, method: str, target: str, *built: bytes) -> None:
        """Start with the request line and the field lines in `built`, which are not inspected."""
        # Not a list, which the garbage collector would inspect as long as the request is in progress (decision 23).
        self._lines: tuple[bytes, ...] = (build_request_line(method, target), *built)
        self.method = method
        self.length: int | None = None
        self.is_chunked = False
        self.expects_continue = False
        self.asks_upgrade = False
        self.asks_close = False

    @property
    def target(self) -> str:
        """The request target as sent."""
        return self._lines[0].split(b" ")[1].decode("latin-1")

    @property
    def fields(self) -> Fields:
        """The fields so far; continuation lines are joined."""
        section = b"".join(line + b"\r\n" for line in self._list_lines())
        return Fields.from_section(syntax.OBS_FOLD.sub(b" ", section))

    def _list_lines(self) -> list[bytes]:
        """Return the field lines, each with its continuation lines."""
        return _LINE_END.split(b"\r\n".join(self._lines))[1:]

    def replace_fields(self, pairs: Iterable[tuple[str, str | bytes | int | None]]) -> RequestHead:
        """Return a head with these fields instead of those with the same names; None removes a field.

        Raises: see add().
        """
        added = [(build_field(name, "").partition(b":")[0].lower(), name, value) for name, value in pairs]
        names = {lower for lower, _, _ in added}
        head = RequestHead(self.method, self.target)
        for line in self._list_lines():
            if line.partition(b":")[0].lower() not in names:
                head.add_line(line)
        for _, name, value in added:
            if value is not None:
                head.add(name, value)
        return head

    def add(self, name: str | bytes, *values: str | bytes | int) -> None:
        """Add a field; several values become continuation lines.

        Raises:
            ValueError: the name is not a token, a value contains a line ending, or it contradicts another field.
        """
        self.add_line(build_field(name, *values))

    def add_line(self, line: bytes) -> None:
        """Add a field line built by build_field(); raises the errors of add()."""
        inspect = _INSPECTORS.get(line[: line.index(b":")].lower())
        if inspect is not None:
            inspect(self, line[line.index(b":") + 2 :].decode("latin-1"))
        self._lines += (line,)

    def _inspect_length(self, value: str) -> None:
        if _DIGITS.fullmatch(value) is None:
            raise ValueError(f"expected digits as content length, got {clip(value)}")
        self._refuse_second_framing()
        self.length = int(value)

    def _inspect_coding(self, value: str) -> None:
        # Accept only what every recipient reads in the same way: one line, chunked once and last (RFC 9112 §6.1).
        codings = [coding.strip(" \t").lower() for coding in value.split(",")]
        if codings[-1] != "chunked" or codings.count("chunked") > 1 or "\n" in value:
            raise ValueError(f"expected chunked as last transfer coding, got {clip(value)}")
        self._refuse_second_framing()
        self.is_chunked = True

    def _refuse_second_framing(self) -> None:
        if self.length is not None or self.is_chunked:
            raise ValueError("a request has one Content-Length or Transfer-Encoding at most")

    def _inspect_expectation(self, value: str) -> None:
        self.expects_continue = value.lower() == "100-continue"

    def _inspect_connection(self, value: str) -> None:
        if "close" in {option.strip(" \t").lower() for option in value.split(",")}:
            self.asks_close = True

    def _inspect_upgrade(self, value: str) -> None:
        self.asks_upgrade = True

    def frame(self, length: int | None, *, encode_chunked: bool) -> bool:
        """Declare the framing of a body unless it is declared already; return True if the sender must chunk the body.

        Args:
            length: bytes of the body; None if unknown.
            encode_chunked: chunk the body. If False, a body with a declared Transfer-Encoding is chunked already.

        Raises:
            ValueError: the length of the body differs from the declared Content-Length.
        """
        has_length = self.length is not None
        if not (has_length or self.is_chunked or encode_chunked or length is None):
            # As choose_framing() does: one call less for most bodies (decision 12).
            self.length = length
            self._lines += (b"Content-Length: %d" % length,)
            return False
        field, is_chunked = choose_framing(
            length, has_length=has_length, has_coding=self.is_chunked, encode_chunked=encode_chunked
        )
        if field is not None:
            self.is_chunked, self.length = is_chunked, None if is_chunked else length
            self._lines += (f"{field[0]}: {field[1]}".encode("ascii"),)
        elif has_length and length is not None and length != self.length:
            raise ValueError(f"body has {length} bytes, its Content-Length says {self.length}")
        return is_chunked

    def build_without_body(self) -> bytes:
        """Return the head of a request that has no body, or whose body is sent separately.

        PATCH, POST and PUT without declared framing get Content-Length: 0.
        """
        if self.method in EXPECTS_LENGTH and self.length is None and not self.is_chunked:
            self.add("Content-Length", 0)
        return b"\r\n".join(self._lines) + b"\r\n\r\n"

    def build(self) -> bytes:
        """Return the head as bytes, empty line included."""
        return b"\r\n".join(self._lines) + b"\r\n\r\n"


_INSPECTORS = {
    b"content-length": RequestHead._inspect_length,
    b"transfer-encoding": RequestHead._inspect_coding,
    b"expect": RequestHead._inspect_expectation,
    b"connection": RequestHead._inspect_connection,
    b"upgrade": RequestHead._inspect_upgrade,
}


INSPECTED_FIELDS = frozenset(name.decode() for name in _INSPECTORS)
"""Lower-case names of the fields that change how a request is sent."""


def choose_framing(
    length: int | None, *, has_length: bool, has_coding: bool, encode_chunked: bool
) -> tuple[tuple[str, str] | None, bool]:
    """Return the field that frames a body, and whether the sender must chunk the body (RFC 9112 §6).

    Args:
        length: bytes of the body; None if unknown.
        has_length: the head has a Content-Length already, and no other field frames the body then.
        has_coding: the head has a Transfer-Encoding already.
        encode_chunked: chunk the body.
    """
    if has_length:
        return None, False
    if has_coding:
        return None, encode_chunked
    if encode_chunked or length is None:
        return ("Transfer-Encoding", "chunked"), True
    return ("Content-Length", str(length)), False


class BodyGuard:
    """Holds a body that is sent step by step to the framing that its head has declared.

    Without this check, bytes beyond the declared end would be taken for the next request (RFC 9112 §6.2).
    """

    __slots__ = ("_chunks", "_left")

    def __init__(self, head: RequestHead) -> None:
        self._left = head.length or 0
        self._chunks = ChunkValidator() if head.is_chunked else None

    @property
    def is_complete(self) -> bool:
        """True if the whole declared body was counted, so that the connection may serve another request."""
        return not self._left if self._chunks is None else self._chunks.is_complete

    def check(self, data: _Buffer) -> _Buffer:
        """Count data that is about to be sent, and return it.

        Raises:
            ValueError: the data exceeds the Content-Length, or is not valid chunked coding.
        """
        if self._chunks is not None:
            self._chunks.feed(bytes(data))
        elif len(data) > self._left:
            raise ValueError(f"{len(data)} bytes to send, where the head declared {self._left} more")
        else:
            self._left -= len(data)
        return data


class ChunkValidator:
    """Validates, piece by piece, a body that the caller has chunked (RFC 9112 §7.1)."""

    __slots__ = ("_in_chunk", "_line", "_next", "is_complete")

    def __init__(self) -> None:
        self._in_chunk = 0
        self._line = b""
        self._next: Callable[[ChunkValidator, bytes], None] = ChunkValidator._begin_chunk
        self.is_complete = False

    def feed(self, data: bytes) -> None:
        """Validate the next piece of the body.

        Raises:
            ValueError: the body is not valid chunked coding, or continues after the last chunk.
        """
        at = 0
        while at < len(data):
            if self.is_complete:
                raise ValueError(f"body goes on after its last chunk: {clip(data[at : at + 80])}")
            if self._in_chunk:
                skipped = min(self._in_chunk, len(data) - at)
                self._in_chunk -= skipped
                at += skipped
                continue
            end = data.find(b"\n", at) + 1
            self._line += data[at : end or len(data)]
            at = end or len(data)
            if len(self._line) > MAX_CHUNK_LINE:
                raise ValueError(f"body is not in chunks: a line of more than {MAX_CHUNK_LINE} bytes")
            if end:
                line, self._line = self._line, b""
                self._next(self, line)

    def _begin_chunk(self, line: bytes) -> None:
        try:
            self._in_chunk, _ = parse_chunk_size(line)
        except ProtocolError as exc:
            raise ValueError(f"body is not in chunks: {exc}") from None
        self._next = ChunkValidator._end_chunk if self._in_chunk else ChunkValidator._end_trailer

    def _end_chunk(self, line: bytes) -> None:
        if line != b"\r\n":
            raise ValueError(f"body is not in chunks: expected CRLF after a chunk, got {clip(line)}")
        self._next = ChunkValidator._begin_chunk

    def _end_trailer(self, line: bytes) -> None:
        if not line.endswith(b"\r\n") or (line != b"\r\n" and syntax.FIELD_LINE.fullmatch(line) is None):
            raise ValueError(f"invalid trailer line: {clip(line)}")
        self.is_complete = line == b"\r\n"
