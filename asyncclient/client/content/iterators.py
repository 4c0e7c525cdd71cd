"""Content by pieces: bytes, text and lines as they come.

No generators: one that is left early would be closed by the garbage collector, in a task of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from ...message.buffer import Pieces

_T = TypeVar("_T")


class Remaining:
    """Content that has been read, as something to read from."""

    def __init__(self, content: bytes) -> None:
        self._pieces = Pieces()
        self._pieces.append(content)

    async def read1(self, n: int = -1) -> bytes:
        """Return at most n bytes; b"" at the end."""
        return self._pieces.take(n if n >= 0 else self._pieces.size) if self._pieces.size else b""


class Pulled(AsyncIterator[bytes]):
    """Pieces that a coroutine function gives, call by call, up to an empty one; with a size, pieces of that size."""

    def __init__(self, read1: Callable[..., Awaitable[bytes]], size: int | None) -> None:
        self._read1 = read1
        self._size = size

    async def __anext__(self) -> bytes:
        piece = await (self._read1() if self._size is None else self._read_exactly(self._size))
        if not piece:
            raise StopAsyncIteration
        return piece

    async def _read_exactly(self, n: int) -> bytes:
        parts = []
        while n and (part := await self._read1(n)):
            parts.append(part)
            n -= len(part)
        return b"".join(parts)


class Made(AsyncIterator[str], Generic[_T]):
    """What is made of the pieces of something else: some of each, and the last at its end.

    Args:
        pieces: what it is made of.
        feed: gives what is complete with the next piece.
        finish: gives what is left at the end.
    """

    def __init__(
        self, pieces: AsyncIterator[_T], feed: Callable[[_T], Iterable[str]], finish: Callable[[], Iterable[str]]
    ) -> None:
        self._pieces = pieces
        self._feed = feed
        self._finish = finish
        self._ready: deque[str] = deque()
        self._is_over = False

    async def __anext__(self) -> str:
        while not self._ready:
            if self._is_over:
                raise StopAsyncIteration
            try:
                self._ready.extend(self._feed(await anext(self._pieces)))
            except StopAsyncIteration:
                self._is_over = True
                self._ready.extend(self._finish())
        return self._ready.popleft()
