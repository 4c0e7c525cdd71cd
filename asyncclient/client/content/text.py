"""Content as text: which encoding it is in, the text of it as it comes, and its lines."""

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
"""Bytes from which a function of the user tells the encoding."""

# UTF-32's before UTF-16's: the little-endian one begins with it. The codecs named take the mark away.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARK = 4
"""Bytes that the longest mark has; JSON without one needs as many to be told."""

# Codecs that want a byte order mark: without one those for pieces raise, whatever they are to do with errors.
_UNMARKED = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}


def find_encoding(
    start: bytes, content_type: str | None, encoding: str | None = None, default: DefaultEncoding | None = None
) -> str:
    """Return the encoding of content as the name of a codec; see charsets.find_codec().

    The first of these counts: the encoding given, a byte order mark, the charset of the content type, what the content
    declares (HTML, XML and CSS at their beginning; JSON by its zero bytes, RFC 4627 §3), the default, UTF-8. Types that
    are in UTF-8 by their own standard (JSON, XML, event streams) have no use for the default.

    Args:
        start: the content, or its first SAMPLE bytes.
        content_type: the value of Content-Type, None if there is none.
        encoding: set by the user; then nothing else counts, and UTF-8 keeps its byte order mark.
        default: set by the user, for content that says nothing of its encoding. A function is not called for b"", and a
            label of a function that is not known means UTF-8.

    Raises:
        ValueError: the encoding given is not a text encoding.
        TypeError: the function returned something other than a str or None.
    """
    return _find(start, content_type, encoding, lambda: _guess_encoding(start, content_type, default))


def find_json_encoding(start: bytes, content_type: str | None, encoding: str | None = None) -> str:
    """Return the encoding of JSON, as find_encoding() has it for a media type of JSON, whatever the media type is.

    Raises:
        ValueError: the encoding given is not a text encoding.
    """
    return _find(start, content_type, encoding, lambda: _detect_json(start))


def _find(start: bytes, content_type: str | None, encoding: str | None, guess: Callable[[], str]) -> str:
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
    import json  # only here: it takes 2 ms to import

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
    """Check what a user gives as default.

    Raises:
        ValueError: a label that is not known.
        TypeError: neither a label nor a function.
    """
    if isinstance(default, str):
        if find_codec(default) is None:
            raise ValueError(f"expected the label of a charset as default_encoding, got {clip(default)}")
    elif not callable(default):
        raise TypeError(f"expected a str or a function as default_encoding, got {type(default).__name__}")


def decode_text(
    data: bytes, content_type: str | None, encoding: str | None = None, default: DefaultEncoding | None = None
) -> str:
    """Return whole content as text, what can't be decoded as U+FFFD; for which encoding see find_encoding().

    Raises:
        ValueError, TypeError: as find_encoding().
    """
    return decode(data, find_encoding(data, content_type, encoding, default))


class TextDecoder:
    """decode_text() for content that comes in pieces: the same text, however the pieces are cut.

    The first bytes are held back as long as the encoding can't be told from them: at most three of them; up to 1,023 of
    HTML, and of XML and CSS that begin with a declaration; and SAMPLE - 1 for a default that is a function. Only where
    an escape sequence of ISO 2022 is broken the text around it may differ.

    Raises:
        ValueError, TypeError: as find_encoding().
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
        """Return the text that is complete with the next piece, "" if there is none."""
        if self._decoder is not None:
            return _decode(self._decoder, data)
        self._start += data
        return "" if self._is_undecided() else _decode(self._begin(), bytes(self._start))

    def finish(self) -> str:
        """Return what is left at the end of the content: U+FFFD for a character that was cut short."""
        if self._decoder is not None:
            return self._decoder.decode(b"", True)
        return self._begin().decode(bytes(self._start), True)

    def _count_needed(self) -> int:
        """Return how many bytes tell the encoding if the content has no byte order mark and declares nothing."""
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
        if self._may_declare:  # as long as nothing is found in the first bytes
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
        # ISO 2022's can't hold back an escape sequence of more than 8 bytes; a broken one is given up, and its shift.
        decoder.reset()
        return "\ufffd" + decoder.decode(data, True)


class LineSplitter:
    """Lines of text that comes in pieces, without their endings: LF, CRLF or CR, and nothing else.

    str.splitlines() would split at U+2028, form feeds and more, which are content. A CR ends its line at once, though
    its LF may be in the next piece. Each piece is looked at once, however long a line becomes; what bounds that is the
    bound on the content.
    """

    __slots__ = ("_begun", "_is_after_cr")

    def __init__(self) -> None:
        self._begun: list[str] = []
        self._is_after_cr = False

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
            lines[0] = "".join([*self._begun, lines[0]])
            self._begun.clear()
        if rest:
            self._begun.append(rest)
        return lines

    def finish(self) -> list[str]:
        """Return the last line, if the text did not end with an ending."""
        lines = ["".join(self._begun)] if self._begun else []
        self._begun.clear()
        return lines
