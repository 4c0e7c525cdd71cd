"""A response whose content is stored when all of it was read."""

from __future__ import annotations

from collections.abc import Callable

from ..transport import TransportResponse
from ..wrapped_response import WrappedResponse

Complete = Callable[[bytes, tuple[tuple[str, str], ...]], object]


class StoringResponse(WrappedResponse):
    """A response that passes everything on to another one, and its content to the cache once it is complete.

    Content that breaks off, is not read to its end, is repaired or too large is not passed to the cache.

    Args:
        raw: the response; its content is not read yet.
        max_size: limit of the content in bytes.
        complete: called with the content and the trailers.
    """

    __slots__ = ("_complete", "_max_size", "_parts", "_size")

    def __init__(self, raw: TransportResponse, max_size: int, complete: Complete) -> None:
        super().__init__(raw)
        self._complete: Complete | None = complete
        self._max_size = max_size
        self._parts: list[bytes] = []
        self._size = 0
        self.note_content(b"")

    def note_content(self, data: bytes) -> None:
        """Keep content, and pass it on at its end: then the trailers are known."""
        complete = self._complete
        if complete is None:
            return
        self._size += len(data)
        if self._size > self._max_size or self._raw.repairs:
            self._drop()
            return
        if data:
            self._parts.append(data)
        trailers = self._raw.trailers
        if trailers is not None:
            content = b"".join(self._parts)
            self._drop()
            complete(content, tuple(trailers.pairs()))

    def _drop(self) -> None:
        self._complete = None
        self._parts = []

    def note_end(self) -> None:
        """Drop the content of a response that was closed before its end."""
        self._drop()
