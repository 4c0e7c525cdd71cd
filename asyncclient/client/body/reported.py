"""The body of a request whose progress is reported."""

from __future__ import annotations

from collections.abc import Callable

from ...exchange.body import BLOCKSIZE, Source
from ...exchange.stream import Buffer
from .payload import Payload, WrappedPayload


class ReportedPayload(WrappedPayload):
    """A body that is read in blocks, also if it is in memory, and calls a function after each of them was written.

    Args:
        payload: the body.
        progress: called with the bytes of the body that were written so far, from 0 again for each sending, and the
            length of the body (None: unknown).
    """

    def __init__(self, payload: Payload, progress: Callable[[int, int | None], object]) -> None:
        super().__init__(payload)
        self._progress = progress

    async def open(self, blocksize: int = BLOCKSIZE, *, lazy: bool = False) -> Source:
        """See Payload."""
        return _ReportedSource(await self._payload.open(blocksize, lazy=lazy), self._progress)

    def store(self) -> Payload:
        """See Payload; a function is not stored."""
        return self._payload.store()


class _ReportedSource(Source):
    """A source whose read() reports the chunks before: they are written when the next one is asked for."""

    __slots__ = ("_progress", "_source")

    def __init__(self, source: Source, progress: Callable[[int, int | None], object]) -> None:
        super().__init__(source.length)
        self._source = source
        self._progress = progress

    @property
    def is_empty(self) -> bool:
        return self._source.is_empty

    async def read(self) -> Buffer:
        if not self.has_begun:
            self.has_begun = True
            self._source.length = self.length
        else:
            self._progress(self.bytes_read, self.length)
        chunk = await self._source.read()
        self.bytes_read += len(chunk)
        return chunk

    async def aclose(self) -> None:
        await self._source.aclose()
