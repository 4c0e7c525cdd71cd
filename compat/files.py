"""A ByteStream over a blocking file: what `makefile("rb")` of any socket gives, or whatever a program puts in its place.

Nothing is read ahead of what is asked for, ever: the position of the file after a message is where the next begins, and
programs read from it themselves. Its coroutines never suspend, for the file blocks; see runner.run_now().
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from asyncclient.errors import HTTPException, IncompleteRead, LineTooLong
from asyncclient.limits import Limits

AT_FIRST: Final = 1024 * 1024
"""Bytes asked for at once however many a peer announces; then twice what has come."""

_T = TypeVar("_T")


class BinaryFile(Protocol):
    """The calls of a binary file that are used; which of them depends on what is read."""

    def read(self, n: int, /) -> bytes: ...
    def read1(self, n: int, /) -> bytes: ...
    def readinto(self, buffer: Any, /) -> int: ...
    def readline(self, limit: int, /) -> bytes: ...
    def peek(self, n: int = ..., /) -> bytes: ...
    def close(self) -> None: ...


class FileStream:
    """What the engine's readers ask of a ByteStream, over a blocking file.

    Args:
        file: the file.
        read: that call of it which read(n) stands for: `read` waits for all n, `read1` for what is at hand.
    """

    def __init__(self, file: Any, read: Callable[[int], bytes] | None = None) -> None:
        self._file = file
        self._read = read

    async def readline(self, limit: int) -> bytes:
        """See ByteStream."""
        line: bytes = self._file.readline(limit + 1)
        if len(line) > limit:
            raise LineTooLong("a line", limit)
        return line

    async def read(self, n: int) -> bytes:
        """See ByteStream."""
        return self._file.read(n) if self._read is None else self._read(n)

    async def readexactly(self, n: int) -> bytes:
        """See ByteStream."""
        if n <= AT_FIRST:
            data: bytes = self._file.read(n)
        else:
            data = self._read_growing(n)
        if len(data) < n:
            raise IncompleteRead(data, n - len(data))
        return data

    def _read_growing(self, n: int) -> bytes:
        """Read n bytes that a peer has announced, never holding room for more than twice what has come."""
        parts: list[bytes] = []
        count = 0
        while count < n and (part := self._file.read(min(n - count, max(count, AT_FIRST)))):
            parts.append(part)
            count += len(part)
        return b"".join(parts)

    def take_exactly(self, n: int) -> None:
        """Return None: nothing is at hand."""

    async def readinto(self, buffer: memoryview) -> int:
        """See ByteStream; fills all of the buffer but at the end."""
        count: int = self._file.readinto(buffer)
        return count

    def loss(self) -> Exception | None:
        """Return None: the file has told all there is to tell, or raised it."""
        return None
