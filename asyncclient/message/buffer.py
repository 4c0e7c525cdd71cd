"""A queue of received bytes that keeps the pieces as they were received."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ..errors import LineTooLong


class Pieces:
    """A queue of bytes. A whole piece is given out without copying; heads and lines are slices of the pieces.

    A small response is one piece: its head and its content are two slices of it, and nothing is moved.

    Attributes:
        size: bytes in the queue.
    """

    __slots__ = ("_at", "_first", "_more", "size")

    def __init__(self) -> None:
        self.size = 0
        self._first = b""
        self._at = 0
        self._more: deque[bytes] | None = None

    def append(self, data: bytes) -> None:
        """Add received bytes."""
        if self.size == 0:
            self._first = data
            self._at = 0
        elif self._more is None:
            self._more = deque((data,))
        else:
            self._more.append(data)
        self.size += len(data)

    def put_back(self, data: bytes) -> None:
        """Put bytes that were taken in front of the others again."""
        self._first = data + self.take_exactly(self.size)
        self._at = 0
        self.size = len(self._first)

    def take(self, n: int) -> bytes:
        """Return at most n bytes of the first piece; b"" if the queue is empty. A whole piece is not copied."""
        at = self._at
        rest = len(self._first) - at
        if n < rest:
            self._at = at + n
            self.size -= n
            return self._first[at : at + n]
        data = self._first[at:] if at else self._first
        self.size -= rest
        self._next_piece()
        return data

    def take_exactly(self, n: int) -> bytes:
        """Return n bytes, which must not be more than `size`."""
        first, at = self._first, self._at
        end = at + n
        if end < len(first):
            self._at = end
            self.size -= n
            return first[at:end]
        if self._more is None:  # n is all of the queue
            self._first = b""
            self._at = self.size = 0
            return first[at:] if at else first
        parts = []
        while n:
            parts.append(self.take(n))
            n -= len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def peek(self) -> bytes:
        """Return the rest of the first piece without taking it."""
        return self._first[self._at :] if self._at else self._first

    def first(self) -> tuple[bytes, int]:
        """Return the first piece, and the position of its first byte that was not taken."""
        return self._first, self._at

    def take_into(self, buffer: memoryview) -> int:
        """Move bytes of the first piece into the buffer; return how many."""
        count = min(len(buffer), len(self._first) - self._at)
        # Through a view: slicing the bytes would copy them twice.
        buffer[:count] = memoryview(self._first)[self._at : self._at + count]
        self.skip(count)
        return count

    def skip(self, n: int) -> None:
        """Take n bytes of the first piece without returning them."""
        self._at += n
        self.size -= n
        if self._at == len(self._first):
            self._next_piece()

    def take_head(self, limit: int, start: bytes | tuple[bytes, ...], known: bytes | None = None) -> bytes | None:
        """Return the bytes through the first empty line, or all bytes if they can't begin with any `start`.

        Returns None while neither is the case. If the bytes begin with `known`, a head within the limit, `known` itself
        is returned. Two calls of find() are much faster than a pattern (decision 58).

        Raises:
            LineTooLong: there is no empty line within `limit` bytes.
        """
        if self._more is not None:
            self._join()
        data, at = self._first, self._at
        if known is not None and data.startswith(known, at):
            end = at + len(known)
            if end < len(data):
                self._at = end
                self.size -= end - at
            else:
                self._first = b""
                self._at = self.size = 0
            return known
        crlf = data.find(b"\n\r\n", at) + 1
        bare = data.find(b"\n\n", at, crlf or len(data)) + 1
        end = bare + 1 if bare else crlf + 2 if crlf else 0
        if (end - at if end else self.size) > limit:
            raise LineTooLong("a head", limit)
        if end:
            return self.take_exactly(end - at)
        return None if self._may_begin(start) else self.take(self.size)

    def _may_begin(self, start: bytes | tuple[bytes, ...]) -> bool:
        """Return True if the bytes may begin with one of these; all bytes are in the first piece."""
        starts = start if isinstance(start, tuple) else (start,)
        return any(self._first[self._at : self._at + len(start)] == start[: self.size] for start in starts)

    def take_line(self, limit: int) -> bytes | None:
        """Return a line with its line ending; None while it is incomplete.

        Raises:
            LineTooLong: there is no LF within `limit` bytes.
        """
        end = self._first.find(b"\n", self._at) + 1
        if not end and self._more is not None:
            self._join()
            end = self._first.find(b"\n", self._at) + 1
        if (end - self._at if end else self.size) > limit:
            raise LineTooLong("a line", limit)
        return self.take(end - self._at) if end else None

    def find(self, separators: Sequence[bytes], start: int) -> tuple[int, int] | None:
        """Return begin and end of the separator that ends first, searching from `start`; None if there is none.

        If several end at the same position, the shortest is returned.
        """
        if self._more is not None:
            self._join()
        data, at = self._first, self._at
        places = ((data.find(separator, at + start), len(separator)) for separator in separators)
        end, size = min(((place + size, size) for place, size in places if place >= 0), default=(0, 0))
        return (end - size - at, end - at) if size else None

    def take_part_of_line(self, n: int) -> bytes:
        """Return at most n bytes of the first piece, at most through its first LF; b"" if the queue is empty."""
        end = self._first.find(b"\n", self._at, self._at + n) + 1
        return self.take(end - self._at if end else n)

    def _next_piece(self) -> None:
        self._at = 0
        if self._more is None:
            self._first = b""
            return
        self._first = self._more.popleft()
        if not self._more:
            self._more = None

    def _join(self) -> None:
        """Join all pieces into one, because a head or a line continues in the next piece."""
        self._first = b"".join((self._first[self._at :], *(self._more or ())))
        self._at = 0
        self._more = None
