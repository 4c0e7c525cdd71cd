"""The output of http.client at a debug level above 0.

It contains all header fields, also secret ones: it is printed only where a program has set the level.
"""

from __future__ import annotations

from .exchange.receive import ResponseHeads
from .exchange.stream import Buffer
from .message.head import Head
from .stream.aio import AioStream


class PrintingStream(AioStream):
    """A stream that prints what is written to it. set_printing() makes one of an open AioStream."""

    __slots__ = ()

    def write(self, data: Buffer) -> None:
        """Print the data as http.client does, then write it."""
        print_sent(data)
        super().write(data)

    async def sendfile(self, descriptor: int, offset: int, count: int) -> None:
        """Return None: the kernel sends no file here, because all sent bytes must be printed."""


def set_printing(stream: AioStream, *, prints: bool) -> None:
    """Have a stream print what is written to it from now on, or stop that.

    The class is changed, so that writing needs no check while nothing is printed (decision 99).
    """
    stream.__class__ = PrintingStream if prints else AioStream


def print_sent(data: Buffer) -> None:
    """Print sent bytes as http.client does."""
    print("send:", repr(bytes(data)))


def print_received(heads: ResponseHeads) -> None:
    """Print the heads of a response as http.client does, those of interim responses included."""
    for head in (*heads.interim, heads.final):
        if head is not None:
            print("reply:", repr(head.line))
            print_fields(head)


def print_fields(head: Head) -> None:
    """Print the fields of a head, one per line, as http.client does."""
    for name, value in head.fields.items():
        print("header:", f"{name}:", value)
