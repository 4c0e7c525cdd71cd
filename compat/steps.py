"""What the small steps of a response have in common: they are methods that programs call and replace one by one.

A program may call such a method of HTTPResponse with an object of its own that has no more than the attributes which
http.client reads there, so the steps ask for no others.
"""

from __future__ import annotations

import http.client as std
from typing import Any

from asyncclient.errors import HTTPException, UnknownProtocol
from asyncclient.message.head import parse_status_line, remember_status_line

from .errors import as_http_client
from .names import replaced

Status = tuple[str, int, str]

_missing = object()


def file_of(response: Any) -> Any:
    """Return the file of a response, without having it shown to the program; of another object its `fp`."""
    file = getattr(response, "_file", _missing)
    return response.fp if file is _missing else file


def read_line(response: Any, what: str) -> bytes:
    """Read a line of a response. Raises LineTooLong."""
    limit = (getattr(response, "_limits", None) or replaced.limits).line
    line: bytes = file_of(response).readline(limit + 1)
    if len(line) > limit:
        raise std.LineTooLong(what)
    return line


def parse_status(line: bytes) -> Status:
    """Return version, code and reason as a status line has them. Raises BadStatusLine."""
    try:
        parsed = remember_status_line(line) if len(line) < 64 else parse_status_line(line)
        return str(line[:8], "iso-8859-1"), parsed.status, str(line[13:], "iso-8859-1")
    except UnknownProtocol as exc:
        return _parse_other(line, exc.version)
    except HTTPException as exc:
        raise as_http_client(exc) from None


def _parse_other(line: bytes, version: str) -> Status:
    """Return the status in a line of another protocol: begin() refuses all but HTTP/0.9, which is 1.0 then."""
    try:
        parsed = parse_status_line(b"HTTP/1.0" + line[len(version) :])
    except HTTPException:
        raise std.BadStatusLine(str(line, "iso-8859-1")) from None
    return version, parsed.status, parsed.reason


def select_framing(headers: Any) -> bytes:
    """Return the fields that frame content as the section of a head, from what a program's own parser has made."""
    lines = []
    for name in ("Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive"):
        values = headers.get_all(name) if hasattr(headers, "get_all") else [headers.get(name)]
        lines += [f"{name}: {' '.join(str(value).split())}\r\n" for value in values or () if value is not None]
    return "".join((*lines, "\r\n")).encode("utf-8", "surrogateescape")
