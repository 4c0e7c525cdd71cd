"""Content in chunks, read by the engine's reader with http.client's errors. Functions of HTTPResponse."""

from __future__ import annotations

import http.client as std
import sys
from typing import Any

from asyncclient.errors import HTTPException, ProtocolError
from asyncclient.exchange.content import ChunkedContent
from asyncclient.message.framing import parse_chunk_size

from .head import limits_of, read_line
from .loop import run
from .streams import READ, READ1, READ_AHEAD


def read(response: Any, n: int, mode: str = READ) -> bytes:
    """Read n bytes, of as many chunks as they take; in the mode READ1 what is at hand of one chunk."""
    content: ChunkedContent = response._open(mode)
    if n == sys.maxsize and (data := content.takeall()) is not None:
        response._note(content)
        return data
    parts: list[bytes] = []
    try:
        run(_pull(content, n, parts, is_one_enough=mode is READ1))
    except std.HTTPException as exc:
        raise _fail(response, content, exc, parts) from exc
    response._note(content)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _pull(chunks: ChunkedContent, n: int, parts: list[bytes], *, is_one_enough: bool = False) -> None:
    """Read n bytes into the parts, of as many chunks as they take, or of one.

    Where the content is cut short or malformed, whole chunks stay in the parts and a broken one does not.
    """
    while n and not chunks.is_done and not (parts and is_one_enough):
        begun = chunks.in_chunk
        try:
            part = await chunks.read(n)
        except HTTPException as exc:
            part = getattr(exc, "partial", b"")
            if not part:
                if begun:
                    del parts[-1:]
                raise
            chunks.in_chunk = 0  # the chunk is whole, but for the CRLF after it: the next step will fail
        parts.append(part)
        n -= len(part)


def peek(response: Any) -> bytes:
    """Return what is at hand of one chunk; b"" where there is none, whatever the reason is."""
    content = response._open(READ)
    try:
        has_one = content.in_chunk > 0 or run(content.begin_chunk())
    except std.LineTooLong:
        raise
    except std.HTTPException as exc:
        _fail(response, content, exc, [])
        return b""
    data: bytes = content.stream.file.peek(min(content.in_chunk, READ_AHEAD)) if has_one else b""
    data = data[: content.in_chunk]
    response._note(content)
    return data


def _fail(response: Any, content: ChunkedContent, error: std.HTTPException, parts: list[bytes]) -> std.HTTPException:
    """Return http.client's error for chunks that are cut short or malformed; it has the whole chunks only."""
    if not content.in_chunk:
        response._close_conn()  # in the line of a chunk: the next chunk can't be found
    if isinstance(error, std.LineTooLong):
        return error
    response._failure = std.IncompleteRead(b"")  # from now on fp seems to be at its end
    return std.IncompleteRead(b"".join(parts))


# Steps that a program may call or replace


def read_size(response: Any) -> int:
    """Read the line before a chunk. Raises LineTooLong; ValueError: it has no size, and the file is closed."""
    line = read_line(response, "chunk size")
    try:
        return parse_chunk_size(line)[0]
    except ProtocolError as exc:
        response._close_conn()
        raise ValueError(str(exc)) from None


def discard_trailer(response: Any) -> None:
    """Read the trailers through the empty line. Raises HTTPException: there are too many."""
    limits = limits_of(response)
    for _ in range(limits.fields + 1):
        if read_line(response, "trailer line") in (b"\r\n", b"\n", b""):
            return
    raise std.HTTPException(f"got more than {limits.fields} trailer fields")
