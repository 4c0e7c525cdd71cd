"""The server of the benchmarks: as little work as possible, in a process of its own.

`/small` gives 200 bytes under 11 fields, `/bytes/N` gives N, `/sink` takes a body with Content-Length. It does not
parse requests beyond that. With `--awake` it never sleeps.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

_FIELDS = (
    b"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b'Last-Modified: Sun, 22 Nov 2026 11:00:00 GMT\r\nConnection: keep-alive\r\nETag: "5f3c-1a2b3c4d"\r\n'
    b"Cache-Control: max-age=60\r\nVary: Accept-Encoding\r\nX-Request-Id: 7f8d2c3a\r\nAccept-Ranges: bytes\r\n"
)
_SMALL = _FIELDS + b"Content-Length: 200\r\n\r\n" + b"x" * 200
_BLOCK = b"x" * (1024 * 1024)


class Server(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._left = 0
        self._to_come = 0
        self._is_paused = False

    def data_received(self, data: bytes) -> None:
        if self._to_come:
            self._take(len(data))
        elif data.startswith(b"PUT "):
            head, _, rest = data.partition(b"\r\n\r\n")
            self._to_come = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            self._take(len(rest))
        elif data.startswith(b"GET /bytes/"):
            self._left = int(data[11 : data.index(b" ", 11)])
            self._transport.write(_FIELDS + b"Content-Length: %d\r\n\r\n" % self._left)
            self._send()
        else:
            self._transport.write(_SMALL)

    def _take(self, count: int) -> None:
        self._to_come -= count
        if not self._to_come:
            self._transport.write(_SMALL)

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._send()

    def _send(self) -> None:
        while self._left and not self._is_paused:
            block = _BLOCK[: self._left]
            self._left -= len(block)
            self._transport.write(block)


async def main() -> None:
    """Serve until standard input ends; print the port first."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)

    def spin() -> None:
        loop.call_soon(spin)

    if "--awake" in sys.argv:
        spin()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(main())
