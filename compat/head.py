"""The head of a response, as http.client reads it: line by line, by methods that programs call and replace.

A program may call such a method of HTTPResponse with an object of its own, which has only the attributes that
http.client uses there, so these functions ask for no others.
"""

from __future__ import annotations

import http.client as std
from typing import Any

from asyncclient.errors import HTTPException, UnknownProtocol
from asyncclient.limits import Limits
from asyncclient.message.head import parse_status_line, remember_status_line

from .errors import as_http_client
from .loop import run
from .message import read_lines, read_section
from .names import Parse, find, replaced, say
from .streams import FileStream

Status = tuple[str, int, str]
"""Version, code and reason as a status line has them."""


def stream_of(response: Any) -> Any:
    """Return the stream of a response; for another object, one on its `fp`."""
    return response._stream if hasattr(response, "_stream") else FileStream(response.fp)


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


def read_head(response: Any, limits: Limits, parse: Parse | None) -> tuple[Status, Any]:
    """Read the head of a final response: its status, and its fields as bytes or as a program's own parser gives them.

    Interim responses are skipped. One that is not a 100 and that the connection ends after is the response, as in
    http.client.
    """
    status: Status = response._read_status()
    number = size = 0
    while 100 <= status[1] < 200 and status[1] != 101:
        if number == limits.interim or size > limits.head:
            raise std.HTTPException(f"got more than {limits.interim} interim responses")
        lines = _read_lines(response, limits) if parse is None else find("_read_headers", read_lines)(response.fp)
        if response.debuglevel > 0:
            say("headers:", lines)
        number += 1
        size += sum(map(len, lines))
        try:
            status = response._read_status()
        except std.RemoteDisconnected:
            if status[1] == 100:
                raise
            return status, b"".join(lines)
    return status, b"".join(_read_lines(response, limits)) if parse is None else parse(response.fp)


def _read_lines(response: Any, limits: Limits) -> list[bytes]:
    """Return the lines of a field section. Raises IncompleteRead: it has no empty line (RFC 9112 §8)."""
    lines = run(read_section(response._stream, limits))
    if not lines[-1] and response._is_own:  # a program's own file may end within it, as in http.client
        raise std.IncompleteRead(b"".join(lines))
    return lines


def read_status(response: Any) -> Status:
    """Read a status line; the response may be a program's own object with only `fp`, `debuglevel` and `_close_conn`."""
    line = read_line(response, "status line")
    if response.debuglevel > 0:
        say("reply:", repr(str(line, "iso-8859-1")))
    if not line:
        raise std.RemoteDisconnected("Remote end closed connection without response")
    if line[:5] != b"HTTP/":
        response._close_conn()
        raise std.BadStatusLine(str(line, "iso-8859-1"))
    if line[-1:] != b"\n" and not getattr(response, "_is_own", False):
        line += b"\n"
    return _parse_status(line)


def _parse_status(line: bytes) -> Status:
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
