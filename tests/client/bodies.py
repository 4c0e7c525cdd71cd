"""Payloads sent over a scripted stream, as a client would send them."""

import os
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

from asyncclient.client.body.arguments import Payload, build_payload
from asyncclient.exchange.receive import ResponseHeads
from asyncclient.exchange.send import send_request
from asyncclient.limits import DEFAULT
from tests.exchange.sending import read_source
from tests.scripted import ScriptedStream


def build(**arguments: Any) -> Payload:
    payload = build_payload(**arguments)
    assert payload is not None
    return payload


async def send(payload: Payload, stream: ScriptedStream | None = None) -> bytes:
    """Send a payload as a client would, after an empty head; return the bytes written."""
    stream = stream or ScriptedStream()
    source = await payload.open(4)
    try:
        await send_request(stream, b"", source, ResponseHeads(), DEFAULT, chunked=source.length is None)
    finally:
        await payload.aclose()
    return bytes(stream.written)


async def send_all(payload: Payload) -> tuple[int | None, bytes]:
    """Open, read and close a payload; return its declared length and its content."""
    source = await payload.open(4)
    try:
        return source.length, await read_source(source)
    finally:
        await payload.aclose()


def is_open(path: Path) -> bool:
    """Whether this process has a file open."""
    found = path.stat()
    for number in range(256):
        try:
            if os.path.samestat(os.fstat(number), found):
                return True
        except OSError:
            pass
    return False


def generate(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces


async def agenerate(*pieces: bytes) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece
