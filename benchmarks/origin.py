"""The server of the client's benchmarks: the resources of server.py, and some for a whole client.

`/varied` is `/small` with a different head each time, `/close` is `/small` and the end of the connection, `/json`
returns JSON in gzip, `/bomb` 300 MiB of zeros in gzip, `/name/X` the name X and `/names/X` the name 20,000 times. The
body of a POST is read to its end.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from functools import cache
from itertools import count

import uvloop

from benchmarks.server import FIELDS, SMALL, Server, build_parser, serve

BOMB = 300 * 1024 * 1024

_numbers = count(0x7F8D2C3A)
_VALUES = [{"id": number, "name": f"item {number}", "tags": ["a", "b"], "price": 9.5} for number in range(10)]


def gzipped(*parts: bytes) -> bytes:
    """Return a response with this content in gzip."""
    coder = zlib.compressobj(9, wbits=31)
    content = b"".join([*map(coder.compress, parts), coder.flush()])
    return FIELDS + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(content) + content


@cache
def build_json(_: bytes) -> bytes:
    """Return 660 bytes of JSON in gzip."""
    return gzipped(json.dumps(_VALUES).encode())


@cache
def build_bomb(_: bytes) -> bytes:
    """Return zeros in gzip, a thousandth of their size."""
    return gzipped(*[bytes(1024 * 1024)] * (BOMB // 1024**2))


def build_varied(_: bytes) -> bytes:
    """Return the small response with a new request id."""
    return SMALL.replace(b"7f8d2c3a", b"%x" % next(_numbers), 1)


def build_name(name: bytes) -> bytes:
    """Return a name as content."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name)


_ANSWERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"varied": build_varied,
    b"close": lambda _: SMALL.replace(b"Connection: keep-alive", b"Connection: close", 1),
    b"json": build_json,
    b"bomb": build_bomb,
    b"name": build_name,
    b"names": lambda name: build_name(20_000 * name),
}


class Origin(Server):
    """One connection. It has one request at a time, whose head is received in one piece."""

    def data_received(self, data: bytes) -> None:
        if self._to_come or data.startswith((b"GET /small", b"GET /bytes/")):
            super().data_received(data)
        elif data.startswith(b"POST "):
            super().data_received(b"PUT" + data[4:])
        else:
            self._answer(data.split(b" ", 2)[1])

    def _answer(self, target: bytes) -> None:
        kind, _, name = target[1:].partition(b"/")
        self._transport.write(_ANSWERS[kind](name))
        if kind == b"close":
            self._transport.close()


if __name__ == "__main__":
    parser = build_parser(__doc__)
    parser.add_argument("--everywhere", action="store_true", help="listen on all addresses of 127.0.0.0/8")
    options = parser.parse_args()
    uvloop.run(serve(Origin, options, "0.0.0.0" if options.everywhere else "127.0.0.1"))
