"""Asynchronous iterators over content: bytes, text, lines and events.

They are classes, not generators: a generator that is not finished is closed by the garbage collector, in another task.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from ...exchange.content import collect
from ...message.buffer import Pieces

_T = TypeVar("_T")
_Item = TypeVar("_Item")


class BufferedContent:
    """Content in memory, readable in pieces."""

    def __init__(self, content: bytes) -> None:
        self._pieces = Pieces()
        self._pieces.append(content)

    async def read1(self, n: int = -1) -> bytes:
        """Return at most n bytes; b"" at the end."""
        return self._pieces.take(n if n >= 0 else self._pieces.size) if self._pieces.size else b""


class ChunkIterator(AsyncIterator[bytes]):
    """Iterator over the results of read1() until the empty one; with a size, over chunks of that size."""

    def __init__(self, read1: Callable[..., Awaitable[bytes]], size: int | None) -> None:
        self._read1 = read1
        self._size = size

    async def __anext__(self) -> bytes:
        piece = await (self._read1() if self._size is None else collect(self._read1, self._size))
        if not piece:
            raise StopAsyncIteration
        return piece


class MappedIterator(AsyncIterator[_Item], Generic[_T, _Item]):
    """Iterator over the items that `feed()` makes of each chunk, and `finish()` at the end.

    Args:
        chunks: the source.
        feed: returns the items that are complete with the next chunk.
        finish: returns the remaining items at the end.
    """

    def __init__(
        self, chunks: AsyncIterator[_T], feed: Callable[[_T], Iterable[_Item]], finish: Callable[[], Iterable[_Item]]
    ) -> None:
        self._chunks = chunks
        self._feed = feed
        self._finish = finish
        self._ready: deque[_Item] = deque()
        self._is_over = False

    async def __anext__(self) -> _Item:
        while not self._ready:
            if self._is_over:
                raise StopAsyncIteration
            try:
                self._ready.extend(self._feed(await anext(self._chunks)))
            except StopAsyncIteration:
                self._is_over = True
                self._ready.extend(self._finish())
        return self._ready.popleft()
