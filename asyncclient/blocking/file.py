"""The content of a response as a blocking file."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

BUFFER: Final = 64 * 1024
"""Bytes that are read at once for small reads: each read from the loop's thread takes some 50 µs."""


class RawContent(io.RawIOBase):
    """A file over a function that returns at most n bytes, b"" at the end. Closing the file closes nothing else."""

    def __init__(self, read1: Callable[[int], bytes]) -> None:
        self._read1 = read1

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # io passes a memoryview
        """Read into a buffer, as soon as there is content; return the number of bytes, 0 at the end."""
        data = self._read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def open_content(read1: Callable[[int], bytes]) -> io.BufferedReader:
    """Return a buffered file over a function; see RawContent."""
    return io.BufferedReader(RawContent(read1), BUFFER)
