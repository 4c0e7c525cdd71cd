"""A request sent over a scripted stream, as a connection would send it."""

import contextlib

from asyncclient.exchange.body import Body, Source, open_source
from asyncclient.exchange.receive import ResponseHeads
from asyncclient.exchange.send import send_request
from asyncclient.limits import DEFAULT, Limits
from tests.scripted import ScriptedStream, run_now

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"
FAILED = b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"
UNAUTHORIZED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def send(
    stream: ScriptedStream,
    body: Body | Source | None,
    *,
    blocksize: int = 4,
    chunked: bool | None = None,
    expect: float | None = None,
    limits: Limits = DEFAULT,
) -> ResponseHeads:
    """Send a request as a connection would: in chunks where the length is not known."""
    answer = ResponseHeads()

    async def run() -> None:
        source = body if body is None or isinstance(body, Source) else await open_source(body, blocksize)
        in_chunks = source is not None and source.length is None if chunked is None else chunked
        await send_request(stream, HEAD, source, answer, limits, chunked=in_chunks, expect=expect)

    run_now(run())
    return answer


def join_in_chunks(*pieces: bytes) -> bytes:
    return b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + LAST_CHUNK


def sent_content(stream: ScriptedStream) -> bytes:
    """Return the bytes sent after the head."""
    assert stream.written.startswith(HEAD)
    return bytes(stream.written[len(HEAD) :])


def open_with_length(body: Body, length: int) -> Source:
    source = run_now(open_source(body, 4))
    source.length = length
    return source


async def read_source(source: Source) -> bytes:
    """Return the content of a source; each chunk is bytes, or a view of the caller's bytes, which can't change."""
    chunks = []
    async with contextlib.aclosing(source):
        while chunk := await source.read():
            assert isinstance(chunk, bytes) or (isinstance(chunk, memoryview) and chunk.readonly)
            chunks.append(bytes(chunk))
    return b"".join(chunks)


def content_of(body: Body, blocksize: int = 4) -> tuple[int | None, bytes]:
    async def run() -> tuple[int | None, bytes]:
        source = await open_source(body, blocksize)
        return source.length, await read_source(source)

    return run_now(run())
