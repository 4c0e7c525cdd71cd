"""The output of http.client at a debug level above 0."""

from __future__ import annotations

from typing import Any

from .exchange.receive import ResponseHeads
from .exchange.stream import Buffer
from .message.head import Head
from .stream.aio import AioStream


def print_sent(data: Buffer) -> None:
    """Print sent bytes as http.client does. Header fields are included, secrets too: the debug level is opt-in."""
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
        """Never send a file by the kernel: all sent bytes must be printed."""


def print_received(heads: ResponseHeads) -> None:
    """Print a response's heads as http.client does."""
    for head in (*heads.interim, heads.final):
        if head is not None:
            print("reply:", repr(head.line))
            print_fields(head)


def print_fields(head: Head) -> None:
    """Print the fields of a head, one per line."""
    for name, value in head.fields.items():
        print("header:", f"{name}:", value)
