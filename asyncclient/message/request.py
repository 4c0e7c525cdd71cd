"""The head of a request while it is put together, and what it says about the body that follows."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import ProtocolError, clip
from . import syntax
from .framing import parse_chunk_size
from .head import build_field, build_request_line

_DIGITS = re.compile(r"[0-9]{1,18}")

_LINE = 64 * 1024

EXPECTS_LENGTH = frozenset(("PATCH", "POST", "PUT"))
"""Methods whose meaning is their content: without any they say so, Content-Length: 0 (RFC 9110 §8.6)."""


class RequestHead:
    """A request head: lines as they go out, checked one by one, and the framing they declare.

    Content-Length and Transfer-Encoding exclude each other, each comes once, and the body that is sent is held to
    them: nothing else keeps its end from being taken for the next request (RFC 9112 §6.2).

    Attributes:
        method: as given.
        length: the Content-Length declared, None if there is none.
        is_chunked: whether Transfer-Encoding: chunked was declared.
        expects_continue: whether 100 Continue was asked for (RFC 9110 §10.1.1).
        asks_upgrade: whether there is an Upgrade field (RFC 9110 §7.8).
        asks_close: whether the connection is to end with this exchange (RFC 9112 §9.6).
    """

    __slots__ = ("_lines", "asks_close", "asks_upgrade", "expects_continue", "is_chunked", "length", "method")

    def __init__(self, method: str, target: str, *built: bytes) -> None:
        """Begin with the request line and with lines that were built before."""
        self._lines = [build_request_line(method, target), *built]
        self.method = method
        self.length: int | None = None
        self.is_chunked = False
        self.expects_continue = False
        self.asks_upgrade = False
        self.asks_close = False

    @property
    def target(self) -> str:
        """The request target, as it goes out."""
        return self._lines[0].split(b" ")[1].decode("latin-1")

    def add(self, name: str | bytes, *values: str | bytes | int) -> None:
        """Add a field; several values make lines that go on after a tab.

        Raises:
            ValueError: the name is no token, a value would end its line, or the field contradicts one before it.
        """
        self.add_line(build_field(name, *values))

    def add_line(self, line: bytes) -> None:
        """Add a field line that was built before; raises what add() does."""
        note = _NOTES.get(line[: line.index(b":")].lower())
        if note is not None:
            note(self, line[line.index(b":") + 2 :].decode("latin-1"))
        self._lines.append(line)

    def _note_length(self, value: str) -> None:
        if _DIGITS.fullmatch(value) is None:
            raise ValueError(f"expected digits as content length, got {clip(value)}")
        self._refuse_second_framing()
        self.length = int(value)

    def _note_coding(self, value: str) -> None:
        # Only what every recipient reads the same way: one line, chunked once and last (RFC 9112 §6.1).
        codings = [coding.strip(" \t").lower() for coding in value.split(",")]
        if codings[-1] != "chunked" or codings.count("chunked") > 1 or "\n" in value:
            raise ValueError(f"expected chunked as last transfer coding, got {clip(value)}")
        self._refuse_second_framing()
        self.is_chunked = True

    def _refuse_second_framing(self) -> None:
        if self.length is not None or self.is_chunked:
            raise ValueError("a request has one Content-Length or Transfer-Encoding at most")

    def _note_expectation(self, value: str) -> None:
        self.expects_continue = value.lower() == "100-continue"

    def _note_connection(self, value: str) -> None:
        if "close" in {option.strip(" \t").lower() for option in value.split(",")}:
            self.asks_close = True

    def _note_upgrade(self, value: str) -> None:
        self.asks_upgrade = True

    def frame(self, length: int | None, *, encode_chunked: bool) -> bool:
        """Declare the framing of a body unless it is declared already; return whether we are to put it in chunks.

        Args:
            length: bytes of the body, None if that is not known.
            encode_chunked: put it in chunks; without this a body with a declared Transfer-Encoding is in chunks.

        Raises:
            ValueError: the body has another length than was declared.
        """
        if self.is_chunked:
            return encode_chunked
        if self.length is None:
            if encode_chunked or length is None:
                self.add("Transfer-Encoding", "chunked")
                return True
            self.length = length
            self._lines.append(b"Content-Length: %d" % length)
        elif length is not None and length != self.length:
            raise ValueError(f"body has {length} bytes, its Content-Length says {self.length}")
        return False

    def build_without_body(self) -> bytes:
        """Return the head of a request that has no body, or one that follows later as far as it was declared.

        Where the method lets a body be expected the head says that there is none.
        """
        if self.method in EXPECTS_LENGTH and self.length is None and not self.is_chunked:
            self.add("Content-Length", 0)
        return b"\r\n".join(self._lines) + b"\r\n\r\n"

    def build(self) -> bytes:
        """Return the head as it goes out, its empty line included."""
        return b"\r\n".join(self._lines) + b"\r\n\r\n"


_NOTES = {
    b"content-length": RequestHead._note_length,
    b"transfer-encoding": RequestHead._note_coding,
    b"expect": RequestHead._note_expectation,
    b"connection": RequestHead._note_connection,
    b"upgrade": RequestHead._note_upgrade,
}


OF_CONSEQUENCE = frozenset(name.decode() for name in _NOTES)
"""Names of fields, in lower case, that a head has to look at."""


class DeclaredBody:
    """What a head has declared of its body, and how much of that was given: for who sends a body step by step.

    Nothing else keeps bytes beyond it from being taken for the next request (RFC 9112 §6.2).
    """

    __slots__ = ("_chunks", "_left")

    def __init__(self, head: RequestHead) -> None:
        self._left = head.length or 0
        self._chunks = ChunkCheck() if head.is_chunked else None

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing: the connection may serve another request."""
        return not self._left if self._chunks is None else self._chunks.is_complete

    def count(self, data: bytes | bytearray | memoryview) -> None:
        """Let data pass that belong to the body.

        Raises:
            ValueError: they go beyond the Content-Length, or are not chunks.
        """
        if self._chunks is not None:
            self._chunks.feed(bytes(data))
        elif len(data) > self._left:
            raise ValueError(f"{len(data)} bytes to send, where the head declared {self._left} more")
        else:
            self._left -= len(data)


class ChunkCheck:
    """Follows a body that its sender has put in chunks himself (RFC 9112 §7.1)."""

    __slots__ = ("_in_chunk", "_line", "_next", "is_complete")

    def __init__(self) -> None:
        self._in_chunk = 0
        self._line = b""
        self._next: Callable[[ChunkCheck, bytes], None] = ChunkCheck._begin_chunk
        self.is_complete = False

    def feed(self, data: bytes) -> None:
        """Let more of the body pass.

        Raises:
            ValueError: it is not chunks, or goes on after the last.
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
            if len(self._line) > _LINE:
                raise ValueError(f"body is not in chunks: a line of more than {_LINE} bytes")
            if end:
                line, self._line = self._line, b""
                self._next(self, line)

    def _begin_chunk(self, line: bytes) -> None:
        try:
            self._in_chunk, _ = parse_chunk_size(line)
        except ProtocolError as exc:
            raise ValueError(f"body is not in chunks: {exc}") from None
        self._next = ChunkCheck._end_chunk if self._in_chunk else ChunkCheck._end_trailer

    def _end_chunk(self, line: bytes) -> None:
        if line != b"\r\n":
            raise ValueError(f"body is not in chunks: expected CRLF after a chunk, got {clip(line)}")
        self._next = ChunkCheck._begin_chunk

    def _end_trailer(self, line: bytes) -> None:
        if not line.endswith(b"\r\n") or (line != b"\r\n" and syntax.FIELD_LINE.fullmatch(line) is None):
            raise ValueError(f"invalid trailer line: {clip(line)}")
        self.is_complete = line == b"\r\n"
