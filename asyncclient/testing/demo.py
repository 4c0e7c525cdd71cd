"""A small HTTP/1.1 server on asyncio streams: what `python -m asyncclient` fetches from when it is given no URL.

It is kept apart from the client's own parser and framing on purpose: a mistake made in both would not be seen.

    /                the list of routes, as HTML        /status/CODE    an answer with this status, 200 to 599
    /json            a small JSON document              /echo           method, fields and content's length, in JSON
    /bytes/N         N bytes with Content-Length        /early-hints    103, then 200
    /chunked/N       N bytes chunked, with a trailer    /gzip           JSON in gzip
    /delay/SECONDS   an answer after up to 60 s

Each route is a plain function from a request to a Reply; the server frames and sends it. Content is counted, not kept.
There is no idle timeout: the server lives inside the program that asks it.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import re
import ssl
from asyncio import IncompleteReadError, LimitOverrunError, StreamReader, StreamWriter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from typing import Self
from urllib.parse import urlsplit

__all__ = ["DemoServer", "demo_certificates"]

HOST = "127.0.0.1"
MAX_HEAD = 64 * 1024
MAX_CONTENT = 16 * 1024 * 1024
BLOCK = 64 * 1024
CLOSING_TIME = 1.0  # seconds for a client to take what was sent and close

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([!-~]+) HTTP/([0-9])\.([0-9])")
_FIELD_LINE = re.compile(rf"({_TOKEN}):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
_CONTENT_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")


def demo_certificates() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's context for localhost and 127.0.0.1, and a client's context that trusts it and nothing else.

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
    """The demo server on a free port of 127.0.0.1, for as long as the `async with` lasts.

    Leaving it drops all connections and waits until their tasks have ended.

    Args:
        tls: a server's context, such as demo_certificates() gives.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.url = ""
        """Scheme, host and port, without a path; known from the start of the context on."""
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, 0, ssl=self._tls, limit=MAX_HEAD)
        scheme = "http" if self._tls is None else "https"
        self.url = f"{scheme}://{HOST}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_TIME):
                await self._server.wait_closed()

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(_serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its content, of which only the length is known."""

    method: str
    target: str
    version: int
    fields: list[tuple[str, str]]
    length: int = 0

    @property
    def path(self) -> str:
        """The target's path, also that of the absolute form (RFC 9112 §3.2.2)."""
        try:
            return urlsplit(self.target).path or "/"
        except ValueError:
            raise Refused(400) from None

    @property
    def is_persistent(self) -> bool:
        """Whether the client wants to use the connection again (RFC 9112 §9.3)."""
        options = [option.lower() for option in self.members("connection")]
        return "close" not in options and (self.version >= 11 or "keep-alive" in options)

    def members(self, name: str) -> list[str]:
        """Return the comma-separated members of all fields with this name, empty ones included."""
        values = (value for key, value in self.fields if key.lower() == name)
        return [member.strip(" \t") for value in values for member in value.split(",")]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a route answers; a length of None makes the content chunked, with its digest as trailer."""

    status: int
    content: Iterable[bytes] = ()
    length: int | None = 0
    fields: tuple[tuple[str, str], ...] = ()
    interim: bytes = b""
    delay: float = 0.0

    @property
    def has_content(self) -> bool:
        """Whether the status allows content (RFC 9110 §6.4.1)."""
        return self.status not in (204, 304)


class Refused(Exception):
    """A request that cannot be framed, or not be taken: it is answered with this status, and the connection closes."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status} {_PHRASES[status]}")
        self.status = status


def _text(status: int, text: str, *fields: tuple[str, str], kind: str = "text/plain") -> Reply:
    content = text.encode()
    return Reply(status, [content], len(content), (("Content-Type", kind), *fields))


def _json(value: object) -> Reply:
    return _text(200, json.dumps(value, indent=1) + "\n", kind="application/json")


def _blocks(n: int) -> Iterator[bytes]:
    block = bytes(range(256)) * (BLOCK // 256)
    yield from (block[: n - start] for start in range(0, n, BLOCK))


def _index(request: Request) -> Reply:
    items = "".join(f"<li>{route.pattern}\n" for route, _, _ in _ROUTES)
    return _text(200, f"<!doctype html><title>asyncclient</title>\n<ul>\n{items}</ul>\n", kind="text/html")


def _bytes(request: Request, n: str) -> Reply:
    return Reply(200, _blocks(int(n)), int(n), (("Content-Type", "application/octet-stream"),))


def _chunked(request: Request, n: str) -> Reply:
    fields = (("Content-Type", "application/octet-stream"), ("Trailer", "Content-Digest"))
    return Reply(200, _blocks(int(n)), None, fields)


def _delay(request: Request, seconds: str) -> Reply:
    return replace(_text(200, f"{seconds} s\n"), delay=min(float(seconds), 60.0))


def _status(request: Request, code: str) -> Reply:
    return _text(int(code), f"status {code}\n", *_STATUS_FIELDS.get(int(code), ()))


def _echo(request: Request) -> Reply:
    return _json({"method": request.method, "fields": request.fields, "length": request.length})


def _early_hints(request: Request) -> Reply:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n"
    return replace(_text(200, "hinted\n"), interim=hints)


def _gzip(request: Request) -> Reply:
    content = gzip.compress(json.dumps({"gzipped": True, "padding": "-" * 1000}).encode(), mtime=0)
    fields = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"))
    return Reply(200, [content], len(content), fields)


_READ = ("GET", "HEAD")
_ROUTES: list[tuple[re.Pattern[str], tuple[str, ...], Callable[..., Reply]]] = [
    (re.compile(r"/"), _READ, _index),
    (re.compile(r"/json"), _READ, lambda request: _json({"server": "asyncclient demo"})),
    (re.compile(r"/bytes/([0-9]{1,12})"), _READ, _bytes),
    (re.compile(r"/chunked/([0-9]{1,12})"), _READ, _chunked),
    (re.compile(r"/delay/([0-9]{1,2}(?:\.[0-9]{1,3})?)"), _READ, _delay),
    (re.compile(r"/status/([2-5][0-9]{2})"), _READ, _status),
    (re.compile(r"/echo"), (*_READ, "POST", "PUT", "PATCH", "DELETE"), _echo),
    (re.compile(r"/early-hints"), _READ, _early_hints),
    (re.compile(r"/gzip"), _READ, _gzip),
]
_STATUS_FIELDS = {  # without which these statuses would be no good HTTP
    **dict.fromkeys((301, 302, 303, 307, 308), (("Location", "/"),)),
    401: (("WWW-Authenticate", 'Basic realm="demo"'),),
    405: (("Allow", ", ".join(_READ)),),
    407: (("Proxy-Authenticate", 'Basic realm="demo"'),),
}


def _answer(request: Request) -> Reply:
    """Return the reply of the route that fits, else 404 or 405."""
    for pattern, methods, route in _ROUTES:
        if match := pattern.fullmatch(request.path):
            if request.method in methods:
                return route(request, *match.groups())
            return _text(405, "method not allowed\n", ("Allow", ", ".join(methods)))
    return _text(404, "not found\n")


async def _serve(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        await _converse(reader, writer)
        writer.close()
        async with asyncio.timeout(CLOSING_TIME):
            await writer.wait_closed()
    except (OSError, IncompleteReadError):
        pass  # the client has left, or does not close
    finally:
        writer.transport.abort()


async def _converse(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        while (request := await _receive_request(reader, writer)) is not None:
            if not await _send(writer, request, _answer(request)):
                return
    except Refused as refusal:
        request = Request("GET", "/", 11, [("connection", "close")])
        await _send(writer, request, _text(refusal.status, f"{refusal}\n"))
        await _linger(reader)


async def _linger(reader: StreamReader) -> None:
    """Discard what still comes for a moment: closing at once would reset the connection and lose the reply."""
    async with asyncio.timeout(CLOSING_TIME):
        while await reader.read(BLOCK):
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
    """Return the content's length, None if it is chunked (RFC 9112 §6.3)."""
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
    """Read a chunked body through its trailers (RFC 9112 §7.1) and return its content's length."""
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
        data = await reader.read(min(left, BLOCK))
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
    """Send the reply, its head together with the first piece; return whether the connection may be used again."""
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
    return f"HTTP/1.1 {reply.status} {_PHRASES.get(reply.status, '')}\r\n{lines}\r\n".encode("latin-1")


def _build_body(reply: Reply, *, chunked: bool) -> Iterator[bytes]:
    if not chunked:
        yield from reply.content
        return
    digest = hashlib.sha256()
    for piece in reply.content:
        digest.update(piece)
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\nContent-Digest: sha-256=:%b:\r\n\r\n" % base64.b64encode(digest.digest())
