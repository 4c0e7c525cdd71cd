"""The head of a response, as http.client reads it: line by line, by methods that programs call and replace.

A program may call such a method of HTTPResponse with an object of its own, which has only the attributes that
http.client uses there, so these functions ask for no others.
"""

from __future__ import annotations

import http.client as std
from typing import Any, Final

from asyncclient.errors import HTTPException, UnknownProtocol
from asyncclient.limits import Limits
from asyncclient.message.head import parse_status_line, remember_status_line

from .errors import as_http_client
from .loop import run
from .names import replaced
from .streams import FileStream

Status = tuple[str, int, str]

missing: Final = object()


def stream_of(response: Any) -> Any:
    """Return the stream of a response; for another object, one on its `fp`."""
    stream = getattr(response, "_stream", missing)
    return FileStream(response.fp) if stream is missing else stream


def limits_of(response: Any) -> Limits:
    """Return the limits of a response."""
    return getattr(response, "_limits", None) or replaced.limits


def read_line(response: Any, what: str) -> bytes:
    """Read a line of a response. Raises LineTooLong."""
    try:
        line: bytes = run(stream_of(response).readline(limits_of(response).line))
    except std.LineTooLong:
        raise std.LineTooLong(what) from None
    return line


def parse_status(line: bytes) -> Status:
    """Return version, code and reason as a status line has them. Raises BadStatusLine."""
    try:
        parsed = remember_status_line(line) if len(line) < 64 else parse_status_line(line)
        return str(line[:8], "iso-8859-1"), parsed.status, str(line[13:], "iso-8859-1")
    except UnknownProtocol as exc:
        return _parse_other_protocol(line, exc.version)
    except HTTPException as exc:
        raise as_http_client(exc) from None


def _parse_other_protocol(line: bytes, version: str) -> Status:
    """Return the status in a line of another protocol; of these, begin() takes HTTP/0.9 only, as 1.0."""
    try:
        parsed = parse_status_line(b"HTTP/1.0" + line[len(version) :])
    except HTTPException:
        raise std.BadStatusLine(str(line, "iso-8859-1")) from None
    return version, parsed.status, parsed.reason


def select_framing(headers: Any) -> bytes:
    """Return the fields that decide framing as a field section, given the result of a program's own parser."""
    lines = []
    for name in ("Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive"):
        values = headers.get_all(name) if hasattr(headers, "get_all") else [headers.get(name)]
        lines += [f"{name}: {' '.join(str(value).split())}\r\n" for value in values or () if value is not None]
    return "".join((*lines, "\r\n")).encode("utf-8", "surrogateescape")
