"""Sending a request, and noticing a response while the content is being sent.

A server may respond before it has received the whole request: 413 to an upload, 417 to an expectation, or interim
responses. So before each chunk the stream is asked whether a response has begun. A final response ends the upload, and
the connection is not used again: the server still expects the rest of the content.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import aclosing

from ..errors import clip
from ..limits import Limits
from ..message.fields import HasItems, list_pairs
from ..message.framing import LAST_CHUNK, build_chunk, may_be_trailer
from ..message.head import build_field
from ..message.request import RequestHead
from .body import RegularFile, Source
from .receive import ResponseHeads
from .stream import Buffer, ByteStream

Frame = Callable[[Buffer], Buffer]
"""Returns the bytes to send for a chunk of content; raises ValueError to refuse the chunk."""

TrailerFields = HasItems | Iterable[tuple[str, str]]
Trailers = TrailerFields | Callable[[], TrailerFields]
"""Fields to send after the content: a mapping or pairs, or a function that returns them after the content was sent."""

WRITE_BEFORE_PEEK = 256 * 1024
"""Bytes written before the stream is asked again whether a response has begun."""

MAX_SINGLE_WRITE = 64 * 1024
"""Content of at most this many bytes is sent with the head in one write: copying it is cheaper than a second write."""


def may_be_rejected_unread(length: int | None) -> bool:
    """Return whether content is sent after its head, so that a server may reject it unread.

    Args:
        length: bytes of content; None if unknown.
    """
    return length is None or length > MAX_SINGLE_WRITE


def fits_single_write(head: RequestHead, content: Buffer, trailers: Trailers | None = None) -> bool:
    """Return whether head and content may be sent in one write. The head declares the framing of the content."""
    is_long = may_be_rejected_unread(len(content))
    return not (is_long or head.is_chunked or head.expects_continue or trailers is not None)


async def send_request(
    stream: ByteStream,
    head: bytes,
    source: Source | None,
    heads: ResponseHeads,
    limits: Limits,
    *,
    chunked: bool = False,
    expect: float | None = None,
    check: Frame | None = None,
    trailers: Trailers | None = None,
) -> None:
    """Send a head and the content of a source, which is closed afterwards. A final response ends the sending.

    Not needed for content that fits_single_write().

    Args:
        heads: response heads received in the meantime are added to it; heads.final is the final one.
        chunked: send the content in chunks (RFC 9112 §7.1). Otherwise it is sent unchanged.
        expect: if the head asks for 100 Continue, seconds to wait for it; the content is sent after them anyway.
        check: is called for each chunk of content that the caller has framed.
        trailers: fields to send after the last chunk (RFC 9110 §6.5). A function is called after the content was sent,
            unless a response ended the sending.

    Raises:
        ValueError: the content is shorter or longer than its length; a trailer is invalid, or the content is not sent
            in chunks. Invalid trailers are refused before anything is sent, except those of a function.
        HTTPException, OSError: the server or the connection failed.
        Exception: any error of the body. After any of these errors the stream cannot be used.
    """
    last_chunk = LAST_CHUNK if trailers is None else _prepare_last_chunk(trailers, source is not None and chunked)
    stream.write(head)
    if source is None or (source.is_empty and not chunked):
        return
    if expect is not None and not await _may_continue(stream, heads, limits, expect):
        return
    if chunked or check is not None:
        frame = build_chunk if chunked else check
        if await send_content(stream, source, heads, limits, frame) and chunked:
            await _send_last_chunk(stream, heads, limits, last_chunk)
    elif source.file is None or not await _send_file(stream, source.length or 0, source.file, heads, limits):
        await send_content(stream, source, heads, limits)


async def send_content(
    stream: ByteStream,
    source: Source,
    heads: ResponseHeads,
    limits: Limits,
    frame: Frame | None = None,
    *,
    step: int = WRITE_BEFORE_PEEK,
) -> bool:
    """Send the content of a source, and close the source; False if a final response ended the sending.

    A chunk longer than `step` bytes is written in parts; between two parts the stream is asked whether a response has
    begun. Framed content may differ from the length of the source. Raises the errors of send_request().
    """
    if frame is not None:
        source.length = None
    async with aclosing(source):
        while chunk := await source.read():
            data = chunk if frame is None else frame(chunk)
            for start in range(0, len(data), step):
                if await stream.drain() and await _has_final(stream, heads, limits):
                    return False
                stream.write(data if len(data) <= step else memoryview(data)[start:][:step])
    return True


async def _may_continue(stream: ByteStream, heads: ResponseHeads, limits: Limits, seconds: float) -> bool:
    """Wait for 100 Continue; return False if a final response was received instead (RFC 9110 §10.1.1)."""
    until = time.monotonic() + seconds
    while await stream.wait_readable(max(until - time.monotonic(), 0.0)):
        head = await heads.receive_one(stream, limits)
        if head is heads.final:
            return False
        if head.status == 100:
            break
    return True


async def _has_final(stream: ByteStream, heads: ResponseHeads, limits: Limits) -> bool:
    """Receive the response that has begun, and further ones until data can be written again; True after a final one."""
    while await heads.receive_one(stream, limits) is not heads.final:
        if not await stream.drain():
            return False
    return True


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
            raise ValueError(f"field can't be sent as a trailer, only before the content: {clip(name)}")
        lines.append(line)
    return b"\r\n".join((*lines, b"", b""))


async def _send_last_chunk(
    stream: ByteStream, heads: ResponseHeads, limits: Limits, last_chunk: bytes | Callable[[], TrailerFields]
) -> None:
    if not (await stream.drain() and await _has_final(stream, heads, limits)):
        stream.write(last_chunk if isinstance(last_chunk, bytes) else _build_last_chunk(last_chunk()))


async def _send_file(stream: ByteStream, length: int, file: RegularFile, heads: ResponseHeads, limits: Limits) -> bool:
    """Send a file by the kernel; return False if the stream has no such way, and then nothing was sent."""
    sent = 0
    while sent < length:
        step = await stream.sendfile(file.descriptor, file.offset + sent, length - sent)
        if step is None:
            return False
        sent += step
        if sent == length:
            break  # everything is sent: a response from here on is not early
        received = len(heads.interim)
        if await stream.drain() and await _has_final(stream, heads, limits):
            break
        if step == 0 and len(heads.interim) == received:
            raise ValueError(f"body ended after {sent} bytes, before its length of {length}")
    await file.advance(file.offset + sent)
    return True
