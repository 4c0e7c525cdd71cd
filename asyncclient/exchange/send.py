"""Sending a request, and hearing the peer while it goes out.

A peer may answer before it has the whole request: 413 to an upload, 417 to an expectation, or interim responses. So
after each piece the stream is asked whether an answer has begun. A final one ends the upload; the connection is of no
use after that, for the peer still expects what was not sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import aclosing

from ..errors import clip
from ..limits import Limits
from ..message.fields import HasItems, list_pairs
from ..message.framing import LAST_CHUNK, build_chunk_size, may_be_trailer
from ..message.head import build_field
from ..message.request import RequestHead
from .body import RegularFile, Source, open_pieces
from .receive import ResponseHeads
from .stream import Buffer, ByteStream

Count = Callable[[Buffer], None]

TrailerFields = HasItems | Iterable[tuple[str, str]]
Trailers = TrailerFields | Callable[[], TrailerFields]
"""Fields to send after the content: a mapping or pairs, or a function that gives them once the content is sent."""

MAX_WRITE = 256 * 1024
"""Bytes written before the stream is asked again whether the peer has answered."""

TOGETHER = 64 * 1024
"""Content up to this many bytes goes out with the head, in one write: copying it costs less than a write."""


def is_long(length: int | None) -> bool:
    """Return whether content of that length, None if nobody knows it, does not go out with its head."""
    return length is None or length > TOGETHER


def may_go_together(head: RequestHead, content: Buffer, trailers: Trailers | None = None) -> bool:
    """Return whether content, whose framing the head declares, may go out with it in one write, without any wait."""
    return not (is_long(len(content)) or head.is_chunked or head.expects_continue or trailers is not None)


async def send_request(
    stream: ByteStream,
    head: bytes,
    source: Source | None,
    heads: ResponseHeads,
    limits: Limits,
    *,
    chunked: bool = False,
    expect: float | None = None,
    count: Count | None = None,
    trailers: Trailers | None = None,
) -> None:
    """Send a head and its content. A final response that comes first ends it, kept as heads.final.

    What may_go_together() needs none of this.

    Args:
        chunked: the content goes in chunks (RFC 9112 §7.1); else as it is, and the head says its length.
        expect: the head asks for 100 Continue; wait that many seconds for it before the content goes out anyway.
        count: sees each piece before it goes out, and raises to refuse it: for content in chunks of the caller's own.
        trailers: fields to send after the last chunk (RFC 9110 §6.5); a function is called once the content is sent,
            and not where an answer ended that early.

    Raises:
        ValueError: the content is shorter or longer than its length; a trailer that can't be one, or no chunks for it
            to follow. Nothing is sent where trailers are wrong that are no function.
        HTTPException, OSError: the peer's part.
        Exception: whatever the body raised. After any of these the stream is of no use.
    """
    last_chunk = LAST_CHUNK if trailers is None else _prepare_last_chunk(trailers, source is not None and chunked)
    if source is None:
        stream.write(head)
        return
    stream.write(head)
    if source.length == 0 and not chunked and (source.data is not None or source.may_grow):
        return
    if expect is not None and not await _may_continue(stream, heads, limits, expect):
        return
    if count is not None:
        await send_more(stream, source, heads, limits, count)
    elif chunked:
        await _send_chunks(stream, source, heads, limits, last_chunk)
    elif source.file is None or not await _send_file(stream, source, source.file, heads, limits):
        await _send_pieces(stream, source, heads, limits)


async def send_more(stream: ByteStream, source: Source, heads: ResponseHeads, limits: Limits, count: Count) -> None:
    """Send part of a body as it is; see send_request()."""
    async with aclosing(source.pieces(stream)) as pieces:
        async for piece in pieces:
            count(piece)
            if await _write(stream, piece, heads, limits):
                return


async def _may_continue(stream: ByteStream, heads: ResponseHeads, limits: Limits, seconds: float) -> bool:
    """Wait for 100 Continue; False when a final response came instead (RFC 9110 §10.1.1)."""
    until = time.monotonic() + seconds
    while await stream.wait_readable(max(until - time.monotonic(), 0.0)):
        head = await heads.receive_one(stream, limits)
        if head is heads.final:
            return False
        if head.status == 100:
            break
    return True


async def _is_answered(stream: ByteStream, heads: ResponseHeads, limits: Limits) -> bool:
    """Wait until more may be written; True once a final response has come instead."""
    while await stream.drain():
        if await heads.receive_one(stream, limits) is heads.final:
            return True
    return False


async def _write(stream: ByteStream, piece: Buffer, heads: ResponseHeads, limits: Limits) -> bool:
    """Write a piece once there is room for it; True if a final response came before all of it was written.

    A long piece goes in parts: between them the stream is asked whether the peer has answered.
    """
    for start in range(0, len(piece), MAX_WRITE):
        if await _is_answered(stream, heads, limits):
            return True
        stream.write(piece if len(piece) <= MAX_WRITE else memoryview(piece)[start : start + MAX_WRITE])
    return False


async def _send_pieces(stream: ByteStream, source: Source, heads: ResponseHeads, limits: Limits) -> None:
    async with aclosing(open_pieces(source, stream)) as pieces:
        async for piece in pieces:
            if await _write(stream, piece, heads, limits):
                return


async def _send_chunks(
    stream: ByteStream,
    source: Source,
    heads: ResponseHeads,
    limits: Limits,
    last_chunk: bytes | Callable[[], TrailerFields],
) -> None:
    async with aclosing(source.pieces(stream)) as pieces:
        async for piece in pieces:
            # An empty one would be the last chunk.
            chunk = b"".join((build_chunk_size(len(piece)), piece, b"\r\n")) if piece else b""
            if await _write(stream, chunk, heads, limits):
                return
    if not await _is_answered(stream, heads, limits):
        stream.write(last_chunk if isinstance(last_chunk, bytes) else _build_last_chunk(last_chunk()))


def _prepare_last_chunk(trailers: Trailers, has_chunks: bool) -> bytes | Callable[[], TrailerFields]:
    if not has_chunks:
        raise ValueError("trailers can only follow content in chunks")
    return trailers if callable(trailers) else _build_last_chunk(trailers)


def _build_last_chunk(trailers: TrailerFields) -> bytes:
    """Return the last chunk, the fields after it, and the empty line (RFC 9112 §7.1)."""
    lines = [b"0"]
    for name, value in list_pairs(trailers, "trailers"):
        line = build_field(name, value)
        if not may_be_trailer(line[: line.index(b":")].decode()):
            raise ValueError(f"field can't be sent as a trailer, it has to come before the content: {clip(name)}")
        lines.append(line)
    return b"\r\n".join((*lines, b"", b""))


async def _send_file(
    stream: ByteStream, source: Source, file: RegularFile, heads: ResponseHeads, limits: Limits
) -> bool:
    """Have the kernel send the file; False if it can't, and nothing was sent."""
    sent = 0
    while sent < (source.length or 0):
        step = await stream.sendfile(file.descriptor, file.offset + sent, (source.length or 0) - sent)
        if step is None:
            return False
        sent += step
        if sent == source.length:
            break  # whoever answers now does it in time
        heard = len(heads.interim)
        if await _is_answered(stream, heads, limits):
            break
        if step == 0 and len(heads.interim) == heard:
            raise ValueError(f"body ended after {sent} bytes, before its length of {source.length}")
    await file.advance(file.offset + sent)
    return True
