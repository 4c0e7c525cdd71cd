"""The lines that http.client prints while its debug level is above 0."""

from __future__ import annotations

from typing import Any

from .exchange.receive import ResponseHeads
from .exchange.stream import Buffer
from .message.head import Head
from .stream.aio import AioStream


def print_sent(data: Buffer) -> None:
    """Print what http.client prints of what goes out. Headers are among it, secrets too: it is for who asked for it."""
    print("send:", repr(bytes(data)))


class Printing:
    """A stream that prints what is written to it."""

    def __init__(self, stream: AioStream) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, data: Buffer) -> None:
        """Print, then write."""
        print_sent(data)
        self._stream.write(data)

    async def sendfile(self, descriptor: int, offset: int, count: int) -> None:
        """Send no file past Python: what goes out is to be seen."""


def print_received(heads: ResponseHeads) -> None:
    """Print what http.client prints of a response."""
    for head in (*heads.interim, heads.final):
        if head is not None:
            print("reply:", repr(head.line))
            print_fields(head)


def print_fields(head: Head) -> None:
    """Print the fields of a head, one in a line."""
    for name, value in head.fields.items():
        print("header:", f"{name}:", value)
