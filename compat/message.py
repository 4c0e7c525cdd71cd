"""Field sections: read off a blocking file, and as the email.message.Message that http.client gives."""

from __future__ import annotations

import http.client as std
import io
import sys
from email.message import Message
from functools import lru_cache
from typing import Any, Final, TypeVar

from asyncclient.limits import Limits
from asyncclient.message import syntax

_M = TypeVar("_M", bound=Message)

_BLANK: Final = (b"\r\n", b"\n", b"")


class HTTPMessage(std.HTTPMessage):
    """The fields of a head. http.client has it parsed by the email package; this is made from the lines, and sooner."""

    __module__ = "http.client"


def _bound(name: str) -> int:
    """Return a bound that programs change by assigning to http.client's own name for it, here or there."""
    here, default = getattr(sys.modules.get("compat.client"), name, 0), _BOUNDS[name]
    return here if here not in (0, default) else getattr(std, name, default)


_BOUNDS: Final = {"_MAXLINE": 65536, "_MAXHEADERS": 100}


def max_line() -> int:
    """Return how many bytes a line may have, its ending included."""
    return _bound("_MAXLINE")


def max_headers() -> int:
    """Return how many lines a field section may have, the empty one included."""
    return _bound("_MAXHEADERS")


@lru_cache(maxsize=8)
def limits_of(line: int, headers: int) -> Limits:
    """Return http.client's bounds as the engine's."""
    return Limits(line=line, head=line * headers, fields=headers, chunk_line=line)


def read_lines(fp: Any, headers: int | None = None) -> list[bytes]:
    """Read the lines of a field section through the empty one, or to the end of the file.

    Raises:
        LineTooLong, HTTPException: a line is too long, or there are too many.
    """
    line_limit, count_limit = max_line(), max_headers() if headers is None else headers
    lines: list[bytes] = []
    while True:
        line = fp.readline(line_limit + 1)
        if len(line) > line_limit:
            raise std.LineTooLong("header line")
        lines.append(line)
        if len(lines) > count_limit:
            raise std.HTTPException(f"got more than {count_limit} headers")
        if line in _BLANK:
            return lines


def read_section(fp: Any, headers: int | None = None, *, may_end: bool = False) -> bytes:
    """Read a field section with its empty line, or to the end of the file if it may end there.

    Raises what read_lines() does, and IncompleteRead at an end where none may be (RFC 9112 §8).
    """
    section = _take_section(fp) if type(fp) is io.BufferedReader else b""
    if section and len(section) <= max_line() and section.count(b"\n") <= (headers or max_headers()):
        return section
    lines = read_lines(io.BytesIO(section), headers) if section else read_lines(fp, headers)
    section = b"".join(lines)
    if not lines[-1] and not may_end:
        raise std.IncompleteRead(section)
    return section


def _take_section(fp: io.BufferedReader) -> bytes:
    """Return a field section that has come in one piece, as most do; b"" if not, and nothing is taken then."""
    data = fp.peek()
    end = data.find(b"\n\r\n") + 3
    if end < 3 or data[:1] in b"\r\n" or data.find(b"\n\n", 0, end) >= 0:
        return b""
    return fp.read(end)


def build_message(section: bytes, kind: type[_M]) -> _M:
    """Return the fields of a section as a Message, made from the lines where they are plain.

    What has folds, or lines that are no fields, is the email package's affair, as in http.client.
    """
    text = section.decode("iso-8859-1")
    if syntax.FIELD_LINES.fullmatch(section) is None:
        from email.parser import Parser  # only here: most heads are plain

        return Parser(_class=kind).parsestr(text)
    message = kind()
    for name, value in syntax.FIELD.findall(text):
        message.set_raw(name, value)
    message.set_payload("")
    return message


def parse_headers(fp: Any, _class: type[Message] = HTTPMessage) -> Message:
    """Read a field section from a file and return it as a Message."""
    return build_message(b"".join(read_lines(fp)), _class)


parse_headers.__module__ = "http.client"
