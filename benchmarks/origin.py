"""The project's own server for benchmarks: an asyncio protocol on uvloop that does as little work as possible.

It reads the request's target and nothing else:

    /small               200 bytes, and a head of 12 fields
    /varied              the same with a different head for each response
    /close               the same, and the end of the connection
    /bytes/SIZE          SIZE bytes with Content-Length
    /chunked/SIZE/CHUNK  SIZE bytes in chunks of CHUNK bytes
    /json, /bomb         JSON in gzip; 300 MiB of zeros in gzip
    /sink                the small response, after the body of a PUT or POST was read
    /held/N              the small response, when N requests wait for it (and half a second more)
    /name/X, /names/X    the name X, once and 20,000 times

With `--awake` the server never sleeps, with `--certificate FILE` (key and certificates) it uses TLS, with
`--everywhere` it listens on all addresses of 127.0.0.0/8. It prints its port, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count, repeat

import uvloop

from benchmarks.machine import HOST, allow_many_files

FIELDS = (
    b"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b'Last-Modified: Sun, 22 Nov 2026 11:00:00 GMT\r\nConnection: keep-alive\r\nETag: "5f3c-1a2b3c4d"\r\n'
    b"Cache-Control: max-age=60\r\nVary: Accept-Encoding\r\nX-Request-Id: 7f8d2c3a\r\nAccept-Ranges: bytes\r\n"
)
SMALL = FIELDS + b"Content-Length: 200\r\n\r\n" + b"x" * 200
_LAST = SMALL.replace(b"Connection: keep-alive", b"Connection: close", 1)
BOMB = 300 * 1024 * 1024
HOLD = 0.5
"""Seconds between the last request for /held and the responses: in that time the client's memory is measured."""

_BLOCK = b"x" * (1024 * 1024)
_SHORT = 64 * 1024
_VALUES = [{"id": number, "name": f"item {number}", "tags": ["a", "b"], "price": 9.5} for number in range(10)]
_numbers = count(0x7F8D2C3A)


def vary() -> bytes:
    """Return the small response with a new request id."""
    return SMALL.replace(b"7f8d2c3a", b"%x" % next(_numbers), 1)


def by_length(size: int) -> Iterator[bytes]:
    """Yield the parts of a response of that size, with Content-Length."""
    yield FIELDS + b"Content-Length: %d\r\n\r\n" % size
    for left in range(size, 0, -len(_BLOCK)):
        yield _BLOCK[:left]


def chunked(size: int, chunk: int = 16 * 1024) -> Iterator[bytes]:
    """Yield the parts of a response of that size in chunks; the last chunk may be shorter."""
    whole = b"%x\r\n" % chunk + b"x" * chunk + b"\r\n"
    together = max(1, len(_BLOCK) // chunk)
    head = FIELDS + b"Transfer-Encoding: chunked\r\n\r\n"
    rest = b"%x\r\n" % (size % chunk) + b"x" * (size % chunk) + b"\r\n" if size % chunk else b""
    end = whole * (size // chunk % together) + rest + b"0\r\n\r\n"
    blocks = size // chunk // together
    if not blocks:
        yield head + end
        return
    yield head
    yield from repeat(whole * together, blocks)
    yield end


def gzipped(*parts: bytes) -> bytes:
    """Return a response with this content in gzip."""
    coder = zlib.compressobj(9, wbits=31)
    content = b"".join([*map(coder.compress, parts), coder.flush()])
    return FIELDS + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(content) + content


def build_name(name: bytes) -> bytes:
    """Return a response with a name as content."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name)


@cache
def build_json(_: bytes) -> bytes:
    """Return 660 bytes of JSON in gzip."""
    return gzipped(json.dumps(_VALUES).encode())


@cache
def build_bomb(_: bytes) -> bytes:
    """Return zeros in gzip, a thousandth of their size."""
    return gzipped(*[bytes(1024 * 1024)] * (BOMB // 1024**2))


_ANSWERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"small": lambda _: SMALL,
    b"varied": lambda _: vary(),
    b"close": lambda _: _LAST,
    b"json": build_json,
    b"bomb": build_bomb,
    b"name": build_name,
    b"names": lambda name: build_name(20_000 * name),
}
_PARTS: dict[bytes, Callable[..., Iterator[bytes]]] = {b"bytes": by_length, b"chunked": chunked}


def parts_of(kind: bytes, sizes: bytes) -> Iterator[bytes]:
    """Return the parts of a response by length or in chunks; a short one is made once."""
    size, *chunk = map(int, sizes.split(b"/"))
    return iter((build_short(kind, size, *chunk),)) if size < _SHORT else _PARTS[kind](size, *chunk)


@cache
def build_short(kind: bytes, *sizes: int) -> bytes:
    """Return a response by length or in chunks as a whole."""
    return b"".join(_PARTS[kind](*sizes))


class Origin(asyncio.Protocol):
    """One connection. It has one request at a time, whose head is received in one piece."""

    held: list[asyncio.Transport] = []  # noqa: RUF012 - shared by all connections
    """The connections whose requests for /held wait."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._parts: Iterator[bytes] = iter(())
        self._to_come = 0
        self._is_paused = False

    def data_received(self, data: bytes) -> None:
        if self._to_come:
            self._take(len(data))
        elif data.startswith(b"GET "):
            self._answer(data.split(b" ", 2)[1])
        else:
            head, _, rest = data.partition(b"\r\n\r\n")
            self._to_come = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            self._take(len(rest))

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._send()

    def _take(self, received: int) -> None:
        self._to_come -= received
        if not self._to_come:
            self._transport.write(SMALL)

    def _answer(self, target: bytes) -> None:
        kind, _, name = target[1:].partition(b"?")[0].partition(b"/")
        if kind in _PARTS:
            self._parts = parts_of(kind, name)
            self._send()
        elif kind == b"held":
            self._hold(int(name))
        else:
            self._transport.write(_ANSWERS[kind](name))
            if kind == b"close":
                self._transport.close()

    def _hold(self, wanted: int) -> None:
        self.held.append(self._transport)
        if len(self.held) == wanted:
            asyncio.get_running_loop().call_later(HOLD, self._release)

    def _release(self) -> None:
        waiting, self.held[:] = self.held[:], []
        for transport in waiting:
            transport.write(SMALL)

    def _send(self) -> None:
        while not self._is_paused and (part := next(self._parts, b"")):
            self._transport.write(part)


def tls(path: str) -> ssl.SSLContext:
    """Return a context with the key and the certificates of a file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def serve(options: argparse.Namespace) -> None:
    """Serve until standard input ends; print the port first."""
    loop = asyncio.get_running_loop()
    host = "0.0.0.0" if options.everywhere else HOST
    server = await loop.create_server(Origin, host, 0, ssl=options.certificate, backlog=8192)
    print(server.sockets[0].getsockname()[1], flush=True)

    def spin() -> None:
        loop.call_soon(spin)

    if options.awake:
        spin()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--awake", action="store_true")
    parser.add_argument("--certificate", type=tls, metavar="FILE")
    parser.add_argument("--everywhere", action="store_true")
    options = parser.parse_args()
    allow_many_files()
    uvloop.run(serve(options))


if __name__ == "__main__":
    main()
