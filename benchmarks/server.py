"""The server of the benchmarks: as little work as possible, in its own process.

`/small` returns 200 bytes with 11 fields, `/bytes/N` returns N bytes, `/chunked/N` returns N bytes in chunks of 16 KiB,
`/sink` reads a body with Content-Length. Requests are not parsed further. With `--awake` the server never sleeps, with
`--certificate FILE` (key and certificates) it uses TLS.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
from collections.abc import Callable, Iterator

import uvloop

FIELDS = (
    b"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b'Last-Modified: Sun, 22 Nov 2026 11:00:00 GMT\r\nConnection: keep-alive\r\nETag: "5f3c-1a2b3c4d"\r\n'
    b"Cache-Control: max-age=60\r\nVary: Accept-Encoding\r\nX-Request-Id: 7f8d2c3a\r\nAccept-Ranges: bytes\r\n"
)
SMALL = FIELDS + b"Content-Length: 200\r\n\r\n" + b"x" * 200
_BLOCK = b"x" * (1024 * 1024)
_CHUNK = 16 * 1024
_CHUNKED_BLOCK = (b"%x\r\n" % _CHUNK + b"x" * _CHUNK + b"\r\n") * (len(_BLOCK) // _CHUNK)


def by_length(size: int) -> Iterator[bytes]:
    """Yield the pieces of a response of that size, with Content-Length."""
    yield FIELDS + b"Content-Length: %d\r\n\r\n" % size
    for left in range(size, 0, -len(_BLOCK)):
        yield _BLOCK[:left]


def chunked(size: int) -> Iterator[bytes]:
    """Yield the pieces of a response of that size in chunks; the last one may be shorter."""
    yield FIELDS + b"Transfer-Encoding: chunked\r\n\r\n"
    for _ in range(size // len(_BLOCK)):
        yield _CHUNKED_BLOCK
    if rest := size % len(_BLOCK):
        yield b"%x\r\n" % rest + _BLOCK[:rest] + b"\r\n"
    yield b"0\r\n\r\n"


_CONTENTS = {b"bytes": by_length, b"chunked": chunked}


class Server(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._pieces: Iterator[bytes] = iter(())
        self._to_come = 0
        self._is_paused = False

    def data_received(self, data: bytes) -> None:
        if self._to_come:
            self._take(len(data))
        elif data.startswith(b"PUT "):
            head, _, rest = data.partition(b"\r\n\r\n")
            self._to_come = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            self._take(len(rest))
        elif data.startswith(b"GET /small"):
            self._transport.write(SMALL)
        else:
            _, framing, size = data.split(b" ", 2)[1].split(b"/")
            self._pieces = _CONTENTS[framing](int(size))
            self._send()

    def _take(self, count: int) -> None:
        self._to_come -= count
        if not self._to_come:
            self._transport.write(SMALL)

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._send()

    def _send(self) -> None:
        while not self._is_paused and (piece := next(self._pieces, b"")):
            self._transport.write(piece)


def tls(path: str) -> ssl.SSLContext:
    """Return a context with the key and the certificates of a file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def build_parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a server's options."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--awake", action="store_true")
    parser.add_argument("--certificate", type=tls)
    return parser


async def serve(protocol: Callable[[], asyncio.Protocol], options: argparse.Namespace, host: str = "127.0.0.1") -> None:
    """Serve until standard input ends; print the port first."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, host, 0, ssl=options.certificate, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)

    def spin() -> None:
        loop.call_soon(spin)

    if options.awake:
        spin()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(serve(Server, build_parser(__doc__).parse_args()))
