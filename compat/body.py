"""The body of a request: http.client's pieces of it, each sent by a step that programs override."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asyncclient.message.framing import LAST_CHUNK, build_chunk

from .names import say
from .sockets import OwnSocket


def send_body(connection: Any, body: Any, *, is_chunked: bool) -> None:
    """Send a body by the connection's send(), until a final response has begun.

    A body that fails closes the connection: the server would take the next request for the rest of the content.
    """
    pieces = _iterate(connection, body)
    try:
        for piece in _skip_empty(connection, pieces):
            data = _build_chunk(piece) if is_chunked else piece
            if issubclass(type(connection.sock), OwnSocket) and connection.sock.hears_response():
                return
            connection.send(data)
    except TypeError:
        connection.close()
        raise
    if is_chunked:
        connection.send(LAST_CHUNK)


def _build_chunk(piece: Any) -> bytes:
    """Return a chunk; its size counts bytes, also of an array of wider items."""
    view = memoryview(piece)
    return build_chunk(view.cast("B") if view.contiguous else view)


def _skip_empty(connection: Any, pieces: Iterator[Any]) -> Iterator[Any]:
    """Yield the pieces that are not empty; a body that raises closes the connection."""
    try:
        for piece in pieces:
            if piece:
                yield piece
            elif connection.debuglevel > 0:
                say("Zero length chunk ignored")
    except GeneratorExit:
        raise  # a response has ended the sending
    except BaseException:
        connection.close()
        raise


def _iterate(connection: Any, body: Any) -> Iterator[Any]:
    if hasattr(body, "read"):
        blocks: Iterator[Any] = connection._read_readable(body)
        return blocks
    try:
        memoryview(body)
    except TypeError:
        pass
    else:
        return iter((body,))
    try:
        return iter(body)
    except TypeError:
        raise TypeError(f"message_body should be a bytes-like object or an iterable, got {type(body)!r}") from None
