"""The body of a request: http.client's pieces of it, each sent by a step that programs override."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asyncclient.exchange.body import find_buffer
from asyncclient.message.framing import LAST_CHUNK, build_chunk

from .names import say
from .sockets import OwnSocket


def send_body(connection: Any, body: Any, *, is_chunked: bool) -> None:
    """Send a body by the connection's send(), until a final response has begun.

    A body that fails closes the connection: the server would take the next request for the rest of the content.
    """
    pieces = _iterate(connection, body)
    while (data := _take_data(connection, pieces, is_chunked=is_chunked)) is not None:
        if issubclass(type(connection.sock), OwnSocket) and connection.sock.hears_response():
            return
        try:
            connection.send(data)
        except (TypeError, BufferError):
            connection.close()
            raise
    if is_chunked:
        connection.send(LAST_CHUNK)


def _take_data(connection: Any, pieces: Iterator[Any], *, is_chunked: bool) -> Any:
    """Return the data of the next piece that is not empty; None after the last. An error closes the connection."""
    try:
        for piece in pieces:
            if piece:
                return _build_chunk(piece) if is_chunked else piece
            if connection.debuglevel > 0:
                say("Zero length chunk ignored")
    except BaseException:
        connection.close()
        raise
    return None


def _build_chunk(piece: Any) -> bytes:
    """Return a chunk; its size counts bytes, also of an array of wider items."""
    view = memoryview(piece)
    return build_chunk(view.cast("B") if view.contiguous else view)


def _iterate(connection: Any, body: Any) -> Iterator[Any]:
    if hasattr(body, "read"):
        blocks: Iterator[Any] = connection._read_readable(body)
        return blocks
    if type(body) is bytes or find_buffer(body) is not None:
        return iter((body,))
    try:
        return iter(body)
    except TypeError:
        raise TypeError(f"message_body should be a bytes-like object or an iterable, got {type(body)!r}") from None
