"""Content in chunks, as http.client reads it: by the engine's reader, or by its own steps where one was replaced."""

from __future__ import annotations

import http.client as std
from operator import attrgetter
from typing import Any, Final

from asyncclient.errors import HTTPException
from asyncclient.exchange.content import ChunkedContent

from .streams import READ_AHEAD

STEPS: Final = frozenset(
    ("_get_chunk_left", "_read_next_chunk_size", "_read_and_discard_trailer", "_safe_read", "_safe_readinto")
)
"""Methods of a response that programs replace."""

take_steps: Final = attrgetter(*STEPS)


async def pull(chunks: ChunkedContent, n: int, parts: list[bytes], *, is_one_enough: bool = False) -> None:
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


def read_by_steps(response: Any, n: int | None) -> bytes:
    """Read n bytes, or all."""
    parts: list[bytes] = []
    try:
        while n != 0 and (left := response._get_chunk_left()) is not None:
            size = left if n is None else min(n, left)
            parts.append(response._safe_read(size))
            response.chunk_left = left - size
            n = None if n is None else n - size
    except std.IncompleteRead as exc:
        raise std.IncompleteRead(b"".join(parts)) from exc
    return b"".join(parts)


def readinto_by_steps(response: Any, view: memoryview) -> int:
    """Fill a buffer unless the content ends; return how much there was."""
    done = 0
    try:
        while done < len(view) and (left := response._get_chunk_left()) is not None:
            count = response._safe_readinto(view[done : done + left])
            response.chunk_left = left - count
            done += count
    except std.IncompleteRead:
        raise std.IncompleteRead(bytes(view[:done])) from None
    return done


def read1_by_steps(response: Any, n: int) -> bytes:
    """Read what is at hand of one chunk, n bytes at most."""
    left = response._get_chunk_left()
    if left is None or n == 0:
        return b""
    data: bytes = response.fp.read1(min(n, left) if n >= 0 else left)
    if not data:
        raise std.IncompleteRead(b"")
    response.chunk_left -= len(data)
    return data


def peek_by_steps(response: Any) -> bytes:
    """Return what is at hand of one chunk, and leave it there."""
    try:
        left = response._get_chunk_left()
    except std.IncompleteRead:
        return b""
    return b"" if left is None else response.fp.peek(min(left, READ_AHEAD))[:left]
