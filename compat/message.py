"""Field sections: reading them, and making the email.message.Message that http.client gives of them."""

from __future__ import annotations

import http.client as std
from collections.abc import Iterable
from email.message import Message
from typing import Any, Final, TypeVar

from asyncclient.errors import LineTooLong
from asyncclient.limits import Limits
from asyncclient.message import syntax

from . import names
from .loop import run
from .streams import FileStream

_M = TypeVar("_M", bound=Message)

_BLANK: Final = (b"\r\n", b"\n", b"")


class HTTPMessage(std.HTTPMessage):
    """The fields of a head, made without the email package where the lines are plain."""

    __module__ = "http.client"


async def read_section(stream: Any, limits: Limits) -> list[bytes]:
    """Read the lines of a field section from a stream; see read_lines()."""
    lines: list[bytes] = []
    while not lines or lines[-1] not in _BLANK:
        try:
            lines.append(await stream.readline(limits.line))
        except LineTooLong as exc:
            raise LineTooLong("header line", exc.limit) from None
        if len(lines) > limits.fields + 1:
            raise std.HTTPException(f"got more than {limits.fields + 1} headers")
    return lines


def read_lines(fp: Any) -> list[bytes]:
    """Read the lines of a field section from a file through the empty one, or to the end of the file.

    Raises LineTooLong; HTTPException: there are too many.
    """
    return run(read_section(FileStream(fp), names.replaced.limits))


def build_message(section: bytes, kind: type[_M]) -> _M:
    """Return the fields of a section as a Message.

    The email package parses only a section with folds, or with lines that are not fields; http.client always uses it.
    """
    text = section.decode("iso-8859-1")
    if syntax.FIELD_LINES.fullmatch(section) is None:
        from email.parser import Parser  # only here: most sections are plain

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
