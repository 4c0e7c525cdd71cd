"""Content as text: finding its encoding, decoding it in pieces, and splitting lines."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Final

from ...errors import clip
from ...message.charsets import check_codec, decode, find_codec, open_decoder
from ...message.declarations import PRESCAN, find_declared_codec, is_xml, may_declare
from ...message.media import find_charset, is_json, parse_content_type
from ..settings import DefaultEncoding

SAMPLE: Final = 64 * 1024
"""Bytes passed to a user's function that detects the encoding."""

# UTF-32 before UTF-16, because its little-endian mark begins with that of UTF-16. These codecs remove the mark.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_STARTS = b"\xef\xfe\xff\0"
"""The bytes that a mark may begin with."""

_MARK = 4
"""Length of the longest mark; detecting the encoding of JSON without a mark takes as many bytes."""

# Codecs that expect a byte order mark: without one their incremental decoders raise, whatever `errors` is.
_UNMARKED = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}


def find_encoding(
    start: bytes, content_type: str | None, encoding: str | None = None, default: DefaultEncoding | None = None
) -> str:
    """Return the encoding of content as the name of a codec; see charsets.find_codec().

    The first of these is used: the encoding given, a byte order mark, the charset of the content type, the encoding
    that the content declares (HTML, XML and CSS in their first bytes; JSON by its zero bytes, RFC 4627 §3), the
    default, UTF-8. The default is not used for types that are UTF-8 by their own standard (JSON, XML, event streams).

    Args:
        start: the content, or its first SAMPLE bytes.
        content_type: the value of Content-Type; None if absent.
        encoding: set by the user; it takes precedence over everything, and UTF-8 then keeps its byte order mark.
        default: set by the user, for content that does not state its encoding. A function is not called for b"", and if
            it returns an unknown label, UTF-8 is used.

    Raises:
        ValueError: the encoding given is not a text encoding.
        TypeError: the function returned something other than a str or None.
    """
    return _find(start, content_type, encoding, lambda: _guess_encoding(start, content_type, default))


def find_json_encoding(start: bytes, content_type: str | None, encoding: str | None = None) -> str:
    """Return the encoding of JSON, regardless of the media type; otherwise as find_encoding().

    Raises:
        ValueError: the encoding given is not a text encoding.
    """
    return _find(start, content_type, encoding, lambda: _detect_json(start))


def _find(start: bytes, content_type: str | None, encoding: str | None, guess: Callable[[], str]) -> str:
    marked = None
    if start[:1] in _STARTS:
        marked = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    if encoding is not None:
        found = check_codec(encoding)
    else:
        found = marked or find_charset(content_type) or guess()
    return found if found == marked else _UNMARKED.get(found, found)


def _guess_encoding(start: bytes, content_type: str | None, default: DefaultEncoding | None) -> str:
    media_type = _find_media_type(content_type)
    if is_json(media_type):
        return _detect_json(start)
    declared = find_declared_codec(start, media_type)
    if declared is not None:
        return declared
    return "utf-8" if default is None or _is_utf8_by_standard(media_type) else _find_default(default, start)


def _detect_json(start: bytes) -> str:
    """Return the encoding of JSON without a mark."""
    if 0 not in start[:_MARK]:
        return "utf-8"
    import json  # imported on use (decision 52)

    return json.detect_encoding(start)


def _find_media_type(content_type: str | None) -> str:
    return "" if content_type is None else parse_content_type(content_type)[0]


def _is_utf8_by_standard(media_type: str) -> bool:
    return is_json(media_type) or is_xml(media_type) or media_type == "text/event-stream"


def _find_default(default: DefaultEncoding, start: bytes) -> str:
    if callable(default):
        label = default(start[:SAMPLE]) if start else None
    else:
        label = default
    if not isinstance(label, str | None):
        raise TypeError(f"expected a str or None from default_encoding, got {type(label).__name__}")
    return (label and find_codec(label)) or "utf-8"


def check_default_encoding(default: DefaultEncoding) -> None:
    """Check the argument default_encoding.

    Raises:
        ValueError: the label is unknown.
        TypeError: it is neither a label nor a function.
    """
    if isinstance(default, str):
        if find_codec(default) is None:
            raise ValueError(f"expected the label of a charset as default_encoding, got {clip(default)}")
    elif not callable(default):
        raise TypeError(f"expected a str or a function as default_encoding, got {type(default).__name__}")


def decode_text(
    data: bytes, content_type: str | None, encoding: str | None = None, default: DefaultEncoding | None = None
) -> str:
    """Return complete content as text, with U+FFFD for invalid bytes; see find_encoding() for the encoding.

    Raises:
        ValueError, TypeError: see find_encoding().
    """
    return decode(data, find_encoding(data, content_type, encoding, default))


class TextDecoder:
    """decode_text() for content in pieces: the text is the same however the content is cut.

    The first bytes are held back until the encoding is known: at most three bytes; up to 1,023 of HTML, and of XML and
    CSS that begin with a declaration; SAMPLE - 1 for a default that is a function. The text may differ only around a
    broken escape sequence of ISO 2022.

    Raises:
        ValueError, TypeError: see find_encoding().
    """

    __slots__ = ("_content_type", "_decoder", "_default", "_encoding", "_may_declare", "_needed", "_start", "_type")

    def __init__(
        self, content_type: str | None, encoding: str | None = None, default: DefaultEncoding | None = None
    ) -> None:
        self._content_type = content_type
        self._encoding = None if encoding is None else check_codec(encoding)
        self._default = default
        self._decoder: codecs.IncrementalDecoder | None = None
        self._start = bytearray()
        self._type = _find_media_type(content_type)
        self._may_declare = self._encoding is None and find_charset(content_type) is None
        self._needed = self._count_needed()

    def feed(self, data: bytes) -> str:
        """Return the text that the next piece completes; "" if there is none."""
        if self._decoder is not None:
            return _decode(self._decoder, data)
        self._start += data
        return "" if self._is_undecided() else _decode(self._begin(), bytes(self._start))

    def finish(self) -> str:
        """Return the rest of the text at the end of the content, with U+FFFD for an incomplete character."""
        if self._decoder is not None:
            return self._decoder.decode(b"", True)
        return self._begin().decode(bytes(self._start), True)

    def _count_needed(self) -> int:
        """Return how many bytes decide the encoding if there is no byte order mark and no declaration."""
        if self._encoding is not None:
            return _MARK if self._encoding in _UNMARKED else 0
        if not self._may_declare:
            return 0
        if is_json(self._type):
            return _MARK
        return SAMPLE if callable(self._default) and not _is_utf8_by_standard(self._type) else 0

    def _is_undecided(self) -> bool:
        if self._encoding is not None:
            return len(self._start) < self._needed
        start = bytes(self._start[:PRESCAN])
        if len(start) < _MARK and any(mark.startswith(start) for mark, _ in _MARKS):
            return True
        if any(start.startswith(mark) for mark, _ in _MARKS):
            return False
        if self._may_declare:  # no declaration found so far
            if find_declared_codec(start, self._type) is not None:
                return False
            self._may_declare = may_declare(start, self._type)
        return self._may_declare or len(self._start) < self._needed

    def _begin(self) -> codecs.IncrementalDecoder:
        encoding = find_encoding(bytes(self._start), self._content_type, self._encoding, self._default)
        self._decoder = open_decoder(encoding)
        return self._decoder


def _decode(decoder: codecs.IncrementalDecoder, data: bytes) -> str:
    try:
        return decoder.decode(data)
    except UnicodeError:
        # The codecs of ISO 2022 buffer only 8 bytes of an escape sequence: drop a broken one, and the shift state.
        decoder.reset()
        return "\ufffd" + decoder.decode(data, True)


class LineSplitter:
    """Splits text in pieces into lines without their line endings: LF, CRLF or CR.

    str.splitlines() would also split at U+2028, form feeds and others, which are content. A CR ends its line at once,
    even though its LF may be in the next piece. Each piece is scanned once, however long a line becomes; the limit on
    content also limits the length of a line.

    Attributes:
        unfinished_size: characters of the line that has not ended.
    """

    __slots__ = ("_is_after_cr", "_unfinished", "unfinished_size")

    def __init__(self) -> None:
        self._unfinished: list[str] = []
        self._is_after_cr = False
        self.unfinished_size = 0

    def feed(self, text: str) -> list[str]:
        """Return the lines that end in the next piece."""
        if not text:
            return []
        start = 1 if self._is_after_cr and text[0] == "\n" else 0
        self._is_after_cr = text[-1] == "\r"
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        *lines, rest = text[start:].split("\n")
        if lines:
            lines[0] = "".join([*self._unfinished, lines[0]])
            self._unfinished.clear()
            self.unfinished_size = 0
        if rest:
            self._unfinished.append(rest)
            self.unfinished_size += len(rest)
        return lines

    def finish(self) -> list[str]:
        """Return the last line, if it has no line ending."""
        lines = ["".join(self._unfinished)] if self._unfinished else []
        self._unfinished.clear()
        return lines
