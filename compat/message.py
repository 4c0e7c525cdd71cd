"""Field sections: read off a blocking file, and as the email.message.Message that http.client gives."""

from __future__ import annotations

import http.client as std
import io
from collections.abc import Iterable
from email.message import Message
from typing import Any, Final, TypeVar

from asyncclient.limits import Limits
from asyncclient.message import syntax

from . import names
from .files import SocketFile

_M = TypeVar("_M", bound=Message)

_BLANK: Final = (b"\r\n", b"\n", b"")


class HTTPMessage(std.HTTPMessage):
    """The fields of a head. http.client has it parsed by the email package; this is made from the lines, and sooner."""

    __module__ = "http.client"


def read_lines(fp: Any, limits: Limits | None = None) -> list[bytes]:
    """Read the lines of a field section through the empty one, or to the end of the file.

    Raises:
        LineTooLong, HTTPException: a line is too long, or there are too many.
    """
    limits = limits or names.replaced.limits
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


def parse_header_lines(header_lines: Iterable[bytes], _class: type[Message] = HTTPMessage) -> Message:
    """Return the lines of a field section as a Message."""
    return build_message(b"".join(header_lines), _class)


def parse_headers(fp: Any, _class: type[Message] = HTTPMessage) -> Message:
    """Read a field section from a file and return it as a Message."""
    lines = names.find("_read_headers", read_lines)(fp)
    message: Message = names.find("_parse_header_lines", parse_header_lines)(lines, _class)
    return message


parse_header_lines.__module__ = parse_headers.__module__ = "http.client"
names.note_own("_read_headers", read_lines)
names.note_own("_parse_header_lines", parse_header_lines)
names.note_own("parse_headers", parse_headers)
