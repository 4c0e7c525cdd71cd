"""Content as text: which encoding it is in, the text of it as it comes, and its lines."""

from __future__ import annotations

import codecs

from ..message.charsets import check_codec, decode, open_decoder
from ..message.media import find_charset, is_json, parse_content_type

# UTF-32's before UTF-16's: the little-endian one begins with it. The codecs named take the mark away.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_START = 4
"""Bytes from which the encoding can be told."""

# Codecs that want a byte order mark: without one those for pieces raise, whatever they are to do with errors.
_UNMARKED = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}


def find_encoding(start: bytes, content_type: str | None, encoding: str | None = None) -> str:
    """Return the encoding of content: the one given, that of its byte order mark, its charset, or UTF-8.

    JSON without a charset is looked at for UTF-16 and UTF-32 (RFC 8259 §8.1, RFC 4627 §3). Latin-1 is never guessed.

    Args:
        start: the first 4 bytes of the content, or all if there are fewer.
        content_type: the value of Content-Type, None if there is none.
        encoding: what the user wants; then nothing else counts, and UTF-8 keeps its byte order mark.

    Raises:
        ValueError: the encoding given is no text encoding.
    """
    marked = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    if encoding is not None:
        found = check_codec(encoding)
    else:
        found = marked or find_charset(content_type) or _guess_encoding(start, content_type)
    return found if found == marked else _UNMARKED.get(found, found)


def _guess_encoding(start: bytes, content_type: str | None) -> str:
    return _find_json_encoding(start) if _is_json(content_type) else "utf-8"


def _is_json(content_type: str | None) -> bool:
    return content_type is not None and is_json(parse_content_type(content_type)[0])


def _find_json_encoding(start: bytes) -> str:
    import json  # only here: it takes 2 ms to import

    return json.detect_encoding(start)


def decode_text(data: bytes, content_type: str | None, encoding: str | None = None) -> str:
    """Return whole content as text, what can't be decoded as U+FFFD; for which encoding see find_encoding().

    Raises:
        ValueError: the encoding given is no text encoding.
    """
    return decode(data, find_encoding(data[:_START], content_type, encoding))


def decode_json(data: bytes) -> str:
    """Return JSON as text, for decoders that take no bytes: UTF-8, -16 or -32, the byte order mark dropped.

    Raises:
        UnicodeDecodeError: it is none of these; a ValueError, as for JSON that is broken otherwise.
    """
    return data.decode(_find_json_encoding(data[:_START]))


class TextDecoder:
    """decode_text() for content that comes in pieces: the same text, however the pieces are cut.

    The first bytes are held back as long as the encoding can't be told from them, at most three of them. Only where an
    escape sequence of ISO 2022 is broken the text around it may differ.

    Raises:
        ValueError: the encoding given is no text encoding.
    """

    __slots__ = ("_content_type", "_decoder", "_encoding", "_start")

    def __init__(self, content_type: str | None, encoding: str | None = None) -> None:
        self._content_type = content_type
        self._encoding = None if encoding is None else check_codec(encoding)
        self._decoder: codecs.IncrementalDecoder | None = None
        self._start = b""

    def feed(self, data: bytes) -> str:
        """Return the text that is complete with the next piece, "" if there is none."""
        if self._decoder is not None:
            return _decode(self._decoder, data)
        self._start += data
        return "" if self._is_undecided() else _decode(self._begin(), self._start)

    def finish(self) -> str:
        """Return what is left at the end of the content: U+FFFD for a character that was cut short."""
        if self._decoder is not None:
            return self._decoder.decode(b"", True)
        return self._begin().decode(self._start, True)

    def _is_undecided(self) -> bool:
        start = self._start
        if len(start) >= _START:
            return False
        if self._encoding is not None:
            return self._encoding in _UNMARKED
        return _is_json(self._content_type) or any(mark.startswith(start) for mark, _ in _MARKS)

    def _begin(self) -> codecs.IncrementalDecoder:
        encoding = find_encoding(self._start[:_START], self._content_type, self._encoding)
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
