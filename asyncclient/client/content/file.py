"""The content of a response as an asynchronous file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ...exchange.content import collect


class ContentFile:
    """A file of decoded content, whose methods are coroutines; it can be read once.

    Reading raises the errors of Response.read(). There is nothing to close: the response ends the exchange.
    """

    __slots__ = ("_read1",)

    def __init__(self, read1: Callable[..., Awaitable[bytes]]) -> None:
        self._read1 = read1

    def readable(self) -> bool:
        """Return True."""
        return True

    async def read(self, n: int | None = -1) -> bytes:
        """Return the next n bytes, fewer only at the end; all that are left without n. At the end it is b""."""
        return await collect(self._read1, None if n is None or n < 0 else n)

    async def read1(self, n: int = -1) -> bytes:
        """Return the next bytes as soon as there are any, at most n; b"" at the end."""
        if n == 0:
            return b""
        return await (self._read1() if n < 0 else self._read1(n))
