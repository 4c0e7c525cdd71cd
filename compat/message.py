"""Field sections: read off a blocking file, and as the email.message.Message that http.client gives."""

from __future__ import annotations

import http.client as std
import io
from email.message import Message
from functools import lru_cache
from typing import Any, Final, TypeVar

from asyncclient.limits import Limits
from asyncclient.message import syntax

from .files import SocketFile

_M = TypeVar("_M", bound=Message)

_BLANK: Final = (b"\r\n", b"\n", b"")


class HTTPMessage(std.HTTPMessage):
    """The fields of a head. http.client has it parsed by the email package; this is made from the lines, and sooner."""

    __module__ = "http.client"


def bounds() -> Limits:
    """Return http.client's bounds as the engine's: `_MAXLINE` bytes in a line, `_MAXHEADERS` lines in a section.

    Programs change them by assigning to these names, in http.client or in compat.client.
    """
    for names in MODULES:
        line, headers = names["_MAXLINE"], names["_MAXHEADERS"]
        if line != _MAXLINE or headers != _MAXHEADERS:
            return limits_of(line, headers)
    return _USUAL


MODULES: Final[list[Any]] = [vars(std)]
"""The names of http.client; compat.client adds its own."""

_MAXLINE: Final = 65536
_MAXHEADERS: Final = 100


@lru_cache(maxsize=8)
def limits_of(line: int, headers: int) -> Limits:
    """Return bounds for a line's bytes and a section's lines, the empty one included."""
    return Limits(line=line, head=line * headers, fields=max(headers - 1, 1), chunk_line=line)


_USUAL: Final = limits_of(_MAXLINE, _MAXHEADERS)


def read_lines(fp: Any, limits: Limits | None = None) -> list[bytes]:
    """Read the lines of a field section through the empty one, or to the end of the file.

    Raises:
        LineTooLong, HTTPException: a line is too long, or there are too many.
    """
    limits = limits or bounds()
    lines: list[bytes] = []
    while True:
        line = fp.readline(limits.line + 1)
        if len(line) > limits.line:
            raise std.LineTooLong("header line")
        lines.append(line)
        if len(lines) > limits.fields + 1:
            raise std.HTTPException(f"got more than {limits.fields + 1} headers")
        if line in _BLANK:
            return lines


def read_section(fp: Any, limits: Limits, *, may_end: bool) -> bytes:
    """Read a field section with its empty line, or to the end of the file if it may end there.

    Raises what read_lines() does, and IncompleteRead at an end where none may be (RFC 9112 §8).
    """
    if type(fp) in (SocketFile, io.BufferedReader) and (size := _find_section(fp.peek(), limits)):
        section: bytes = fp.read(size)
        return section
    lines = read_lines(fp, limits)
    section = b"".join(lines)
    if not lines[-1] and not may_end:
        raise std.IncompleteRead(section)
    return section


def _find_section(data: bytes, limits: Limits) -> int:
    """Return the size of a section that has come in one piece, as most do; 0 if it has not, or is not a plain one."""
    end = data.find(b"\n\r\n") + 3
    is_plain = end > 2 and data[:1] not in b"\r\n" and data.find(b"\n\n", 0, end) < 0
    return end if is_plain and end <= limits.line and data.count(b"\n", 0, end) <= limits.fields + 1 else 0


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
