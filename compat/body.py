"""The body of a request: http.client's pieces of it, sent by the engine's sender."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from asyncclient.exchange.send import send_content
from asyncclient.limits import DEFAULT
from asyncclient.message.framing import LAST_CHUNK, build_chunk

from .loop import run
from .names import say
from .sockets import Pieces, UnreadHeads, as_own


def send_body(connection: Any, body: Any, *, is_chunked: bool) -> None:
    """Send a body by the connection's send(), until a final response has begun.

    A body that fails closes the connection: the server would take the next request for the rest of the content.
    """
    source = _BodyPieces(connection, body)
    stream: Any = _Sender(connection)  # as far as sending needs one
    frame = _build_chunk if is_chunked else None
    try:
        # A piece is sent whole: programs override send(), and the socket listens while it sends.
        is_complete = run(send_content(stream, source, UnreadHeads(), DEFAULT, frame, step=sys.maxsize))
    except TypeError:
        connection.close()
        raise
    if is_chunked and is_complete:
        connection.send(LAST_CHUNK)


def _build_chunk(piece: Any) -> bytes:
    """Return a chunk; its size counts bytes, also of an array of wider items."""
    view = memoryview(piece)
    return build_chunk(view.cast("B") if view.contiguous else view)


class _BodyPieces(Pieces):
    """The pieces of a body; a body that raises closes the connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Any, body: Any) -> None:
        super().__init__(_iterate(connection, body))
        self._connection = connection

    async def read(self) -> Any:
        """Return the next piece that is not empty; b"" at the end."""
        try:
            for piece in self._pieces:
                if piece:
                    return piece
                if self._connection.debuglevel > 0:
                    say("Zero length chunk ignored")
        except BaseException:
            self._connection.close()
            raise
        return b""


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


class _Sender:
    """The connection as the engine's sender sees it (see exchange.stream.ByteStream)."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def write(self, data: Any) -> None:
        self._connection.send(data)

    async def drain(self) -> bool:
        own = as_own(self._connection.sock)
        return own is not None and own.hears_response()
