"""A small HTTP/1.1 server on asyncio streams, used by `asyncclient demo` and `asyncclient serve`.

It does not use the client's parser and framing on purpose: a mistake in shared code would not be noticed. Replies are
defined in routes.py; this module receives requests, and frames and sends replies. Content is counted, not stored. There
is no idle timeout, because the server runs in the same program as its client.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import ssl
from asyncio import IncompleteReadError, LimitOverrunError, StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from email.utils import formatdate
from typing import Self

from ..arguments import check_port
from .routes import CONTENT_BLOCK, PHRASES, Refused, Reply, Request, answer, refuse

__all__ = ["DemoServer", "demo_certificates"]

HOST = "127.0.0.1"
MAX_HEAD = 64 * 1024
MAX_CONTENT = 16 * 1024 * 1024
Answer = Callable[[Request], Reply]
CLOSE_TIMEOUT = 1.0  # seconds for a client to read the rest and close

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([!-~]+) HTTP/([0-9])\.([0-9])")
_FIELD_LINE = re.compile(rf"({_TOKEN}):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
_CONTENT_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")


def demo_certificates() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server context for localhost and 127.0.0.1, and a client context that trusts only that server.

    Raises:
        ImportError: trustme is not installed.
    """
    try:
        import trustme
    except ModuleNotFoundError as exc:
        raise ImportError("demo certificates need trustme: install asyncclient-http[demo]", name="trustme") from exc
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.set_alpn_protocols(["http/1.1"])
    authority.issue_cert("localhost", HOST).configure_cert(server)
    authority.configure_trust(client)
    return server, client


class DemoServer:
    """The demo server on 127.0.0.1, running inside the `async with` block.

    At the end of the block all connections are dropped and their tasks awaited.

    Args:
        tls: a server context, for example from demo_certificates().
        port: the port; 0 is a free one.
        answer: returns the reply to a request; by default that of the routes.

    Raises:
        ValueError, TypeError: the port is not a number from 0 to 65535.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, port: int = 0, answer: Answer = answer) -> None:
        self.url = ""
        """Scheme, host and port, without a path; set when the context is entered."""
        check_port("as port", port)
        self._tls, self._port, self._answer = tls, port, answer
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, self._port, ssl=self._tls, limit=MAX_HEAD)
        scheme = "http" if self._tls is None else "https"
        self.url = f"{scheme}://{HOST}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._server.wait_closed()

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(_serve(reader, writer, self._answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _serve(reader: StreamReader, writer: StreamWriter, answer: Answer) -> None:
    try:
        await _serve_requests(reader, writer, answer)
        writer.close()
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await writer.wait_closed()
    except (OSError, IncompleteReadError):
        pass  # the client has closed, or does not close
    finally:
        writer.transport.abort()


async def _serve_requests(reader: StreamReader, writer: StreamWriter, answer: Answer) -> None:
    try:
        while (request := await _receive_request(reader, writer)) is not None:
            if not await _send(writer, request, answer(request)):
                return
    except Refused as refusal:
        request = Request("GET", "/", 11, [("connection", "close")])
        await _send(writer, request, refuse(refusal))
        await _discard_rest(reader)


async def _discard_rest(reader: StreamReader) -> None:
    """Discard received data for a moment: closing at once would reset the connection and lose the reply."""
    async with asyncio.timeout(CLOSE_TIMEOUT):
        while await reader.read(CONTENT_BLOCK):
            pass


async def _receive_request(reader: StreamReader, writer: StreamWriter) -> Request | None:
    """Read a request and its content; None if the client closed instead."""
    try:
        head = await _read_until(reader, b"\r\n\r\n")
    except IncompleteReadError as exc:
        if exc.partial:
            raise
        return None
    request = _parse_head(head)
    length = _content_length(request)
    if length != 0 and "100-continue" in (member.lower() for member in request.members("expect")):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    received = await _skip_chunks(reader) if length is None else await _skip(reader, length)
    return replace(request, length=received)


def _parse_head(head: bytes) -> Request:
    """Parse a request head (RFC 9112 §3, §5), strictly."""
    first, *lines = head.decode("latin-1").removeprefix("\r\n").removesuffix("\r\n\r\n").split("\r\n")
    match = _REQUEST_LINE.fullmatch(first)
    fields = [field.groups() for field in map(_FIELD_LINE.fullmatch, lines) if field]
    if match is None or len(fields) != len(lines):
        raise Refused(400)
    method, target, major, minor = match.groups()
    if major != "1":
        raise Refused(505)
    request = Request(method, target, 10 if minor == "0" else 11, [(name, value) for name, value in fields])
    if request.version >= 11 and len(request.members("host")) != 1:
        raise Refused(400)
    return request


def _content_length(request: Request) -> int | None:
    """Return the content length; None if the content is chunked (RFC 9112 §6.3)."""
    codings, lengths = request.members("transfer-encoding"), set(request.members("content-length"))
    if codings:
        if lengths or request.version < 11:
            raise Refused(400)
        if [coding.lower() for coding in codings] != ["chunked"]:
            raise Refused(501)
        return None
    length = lengths.pop() if lengths else "0"
    if lengths or not _CONTENT_LENGTH.fullmatch(length):
        raise Refused(400)
    return _allowed(int(length))


def _allowed(length: int) -> int:
    if length > MAX_CONTENT:
        raise Refused(413)
    return length


async def _skip_chunks(reader: StreamReader) -> int:
    """Read a chunked body through its trailers (RFC 9112 §7.1); return the length of its content."""
    length = 0
    while size := _parse_chunk_line(await _read_until(reader, b"\r\n")):
        length = _allowed(length + size)
        await _skip(reader, size)
        if await reader.readexactly(2) != b"\r\n":
            raise Refused(400)
    trailers = 0
    while (line := await _read_until(reader, b"\r\n")) != b"\r\n":
        trailers += len(line)
        if trailers > MAX_HEAD:
            raise Refused(431)
    return length


def _parse_chunk_line(line: bytes) -> int:
    if match := _CHUNK_LINE.fullmatch(line):
        return int(match[1], 16)
    raise Refused(400)


async def _skip(reader: StreamReader, n: int) -> int:
    left = n
    while left:
        data = await reader.read(min(left, CONTENT_BLOCK))
        if not data:
            raise IncompleteReadError(b"", left)
        left -= len(data)
    return n


async def _read_until(reader: StreamReader, end: bytes) -> bytes:
    try:
        return await reader.readuntil(end)
    except LimitOverrunError:
        raise Refused(431) from None


async def _send(writer: StreamWriter, request: Request, reply: Reply) -> bool:
    """Send the reply, its head together with the first piece; return True if the connection may be reused."""
    is_chunked = reply.length is None and request.version >= 11
    persistent = request.is_persistent and (reply.length is not None or is_chunked)
    body = _build_body(reply, chunked=is_chunked)
    if request.method == "HEAD" or not reply.has_content:
        body = iter(())
    if reply.interim and request.version >= 11:
        writer.write(reply.interim)
    if reply.delay:
        await asyncio.sleep(reply.delay)
    writer.write(_build_head(reply, chunked=is_chunked, persistent=persistent) + next(body, b""))
    for piece in body:
        await writer.drain()
        writer.write(piece)
    await writer.drain()
    return persistent


def _build_head(reply: Reply, *, chunked: bool, persistent: bool) -> bytes:
    fields = [("Date", formatdate(usegmt=True)), *reply.fields]
    if chunked:
        fields.append(("Transfer-Encoding", "chunked"))
    elif reply.length is not None and reply.has_content:
        fields.append(("Content-Length", str(reply.length)))
    fields.append(("Connection", "keep-alive" if persistent else "close"))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {reply.status} {PHRASES.get(reply.status, '')}\r\n{lines}\r\n".encode("latin-1")


def _build_body(reply: Reply, *, chunked: bool) -> Iterator[bytes]:
    if not chunked:
        yield from reply.content
        return
    digest = hashlib.sha256()
    for piece in reply.content:
        digest.update(piece)
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\nContent-Digest: sha-256=:%b:\r\n\r\n" % base64.b64encode(digest.digest())
