"""The lines that http.client prints while its debug level is above 0."""

from __future__ import annotations

from .exchange.content import Source
from .exchange.receive import Answer


def print_sent(head: bytes, source: Source | None) -> None:
    """Print what http.client prints of a request. Headers are among it, secrets too: it is for who asked for it."""
    print("send:", repr(head))
    if source is not None:
        print(*("sending a readable",) if source.data is None else ("send:", repr(bytes(source.data))))


def print_received(answer: Answer) -> None:
    """Print what http.client prints of a response."""
    for head in (*answer.informational, answer.final):
        if head is not None:
            print("reply:", repr(head.line))
            for name, value in head.fields.items():
                print("header:", f"{name}:", value)
