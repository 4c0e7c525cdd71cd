"""Sending a request, and hearing the peer while it goes out.

A peer may answer before it has the whole request: 413 to an upload, 417 to an expectation, or interim responses. So
after each piece the stream is asked whether an answer has begun. A final one ends the upload; the connection is of no
use after that, for the peer still expects what was not sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import aclosing

from ..limits import Limits
from ..message.framing import LAST_CHUNK, build_chunk_size
from ..stream.base import Buffer, ByteStream
from .content import RegularFile, Source
from .receive import Answer

Count = Callable[[Buffer], None]

TOGETHER = 64 * 1024
"""Content up to this many bytes goes out with the head, in one write: copying it costs less than a write."""


async def send_request(
    stream: ByteStream,
    head: bytes,
    source: Source | None,
    answer: Answer,
    limits: Limits,
    *,
    chunked: bool = False,
    expect: float | None = None,
    count: Count | None = None,
    together: int = TOGETHER,
) -> None:
    """Send a head and its content. A final response that comes first ends it, kept as answer.final.

    Args:
        chunked: the content goes in chunks (RFC 9112 §7.1); else as it is, and the head says its length.
        expect: the head asks for 100 Continue; wait that many seconds for it before the content goes out anyway.
        count: sees each piece before it goes out, and raises to refuse it: for content in chunks of the caller's own.
        together: content up to this many bytes goes out with the head, in one write.

    Raises:
        ValueError: the content is shorter or longer than its length.
        HTTPException, OSError: the peer's part.
        Exception: whatever the body raised. After any of these the stream is of no use.
    """
    if source is None:
        stream.write(head)
        return
    if not (chunked or count) and expect is None and source.data is not None and len(source.data) <= together:
        stream.write(b"".join((head, source.data)))
        return
    stream.write(head)
    if source.length == 0 and not chunked and (source.data is not None or source.may_grow):
        return
    if expect is not None and not await _may_continue(stream, answer, limits, expect):
        return
    if count is not None:
        await send_more(stream, source, answer, limits, count)
    elif chunked:
        await _send_chunks(stream, source, answer, limits)
    elif source.file is None or not await _send_file(stream, source, source.file, answer, limits):
        await _send_pieces(stream, source, answer, limits)


async def send_more(stream: ByteStream, source: Source, answer: Answer, limits: Limits, count: Count) -> None:
    """Send part of a body as it is; see send_request()."""
    async with aclosing(source.pieces(stream)) as pieces:
        async for piece in pieces:
            count(piece)
            if await _write(stream, piece, answer, limits):
                return


async def _may_continue(stream: ByteStream, answer: Answer, limits: Limits, seconds: float) -> bool:
    """Wait for 100 Continue; False when a final response came instead (RFC 9110 §10.1.1)."""
    until = time.monotonic() + seconds
    while await stream.wait_readable(max(until - time.monotonic(), 0.0)):
        head = await answer.receive_one(stream, limits)
        if head is answer.final:
            answer.is_early = True
            return False
        if head.status == 100:
            break
    return True


async def _is_answered(stream: ByteStream, answer: Answer, limits: Limits) -> bool:
    """Wait until more may be written; True once a final response has come instead."""
    while await stream.drain():
        if await answer.receive_one(stream, limits) is answer.final:
            answer.is_early = True
            return True
    return False


async def _write(stream: ByteStream, piece: Buffer, answer: Answer, limits: Limits) -> bool:
    """Write a piece once there is room for it; True if a final response came before all of it was written.

    In parts, with a look between: while a long one is encrypted and sent, the peer may answer and reset.
    """
    size = stream.at_once
    for start in range(0, len(piece), size):
        if await _is_answered(stream, answer, limits):
            return True
        stream.write(piece if len(piece) <= size else memoryview(piece)[start : start + size])
    return False


async def _send_pieces(stream: ByteStream, source: Source, answer: Answer, limits: Limits) -> None:
    left = source.length
    async with aclosing(source.pieces(stream)) as pieces:
        async for piece in pieces:
            if left is not None:
                piece = _fit(piece, left, source)
                left -= len(piece)
            if await _write(stream, piece, answer, limits):
                return
            if left == 0 and source.may_grow:
                return
    if left:
        raise ValueError(f"body ended {left} bytes before its length of {source.length}")


def _fit(piece: Buffer, left: int, source: Source) -> Buffer:
    """Return what of a piece still belongs to the content: a file may have grown since it was measured."""
    if len(piece) > left and not source.may_grow:
        raise ValueError(f"body is longer than its length of {source.length} bytes")
    return piece[:left]


async def _send_chunks(stream: ByteStream, source: Source, answer: Answer, limits: Limits) -> None:
    async with aclosing(source.pieces(stream)) as pieces:
        async for piece in pieces:
            # An empty one would be the last chunk.
            chunk = b"".join((build_chunk_size(len(piece)), piece, b"\r\n")) if piece else b""
            if await _write(stream, chunk, answer, limits):
                return
    if not await _is_answered(stream, answer, limits):
        stream.write(LAST_CHUNK)


async def _send_file(stream: ByteStream, source: Source, file: RegularFile, answer: Answer, limits: Limits) -> bool:
    """Have the kernel send the file; False if it can't, and nothing was sent."""
    sent = 0
    while sent < (source.length or 0):
        step = await stream.sendfile(file.descriptor, file.offset + sent, (source.length or 0) - sent)
        if step is None:
            return False
        sent += step
        heard = len(answer.informational)
        if await _is_answered(stream, answer, limits):
            break
        if step == 0 and len(answer.informational) == heard:
            raise ValueError(f"body ended after {sent} bytes, before its length of {source.length}")
    await file.advance(file.offset + sent)
    return True
