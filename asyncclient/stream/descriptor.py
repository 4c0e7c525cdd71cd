"""A duplicate of a file descriptor that outlives the transport or file with the original."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Descriptor:
    """A duplicate of a descriptor that a worker thread may be using when it is closed.

    The task that started a system call in a thread may be cancelled while the call continues. If the number were closed
    then, it could already belong to another connection. So the last user closes it.
    """

    __slots__ = ("_is_closed", "_is_used", "_lock", "number")

    def __init__(self, number: int) -> None:
        self.number = os.dup(number)
        self._lock = threading.Lock()
        self._is_used = False
        self._is_closed = False

    @contextmanager
    def used(self) -> Iterator[int]:
        """Return the number for use in a worker thread until the end of this `with`.

        Raises:
            ConnectionAbortedError: it is already closed.
        """
        with self._lock:
            if self._is_closed:
                raise ConnectionAbortedError("closed before it was used")
            self._is_used = True
        try:
            yield self.number
        finally:
            with self._lock:
                self._is_used = False
                if self._is_closed:
                    os.close(self.number)

    def close(self) -> None:
        """Close the descriptor, or leave that to the thread that is using it."""
        with self._lock:
            if not (self._is_closed or self._is_used):
                os.close(self.number)
            self._is_closed = True

    def read_rest(self, limit: int) -> bytes:
        """Return the bytes of a closed connection that are still in the kernel, at most `limit`."""
        parts: list[bytes] = []
        try:
            while limit > 0 and (part := os.read(self.number, limit)):
                parts.append(part)
                limit -= len(part)
        except OSError:
            pass  # BlockingIOError or ConnectionResetError: nothing more to read
        return b"".join(parts)

    def __del__(self) -> None:
        if hasattr(self, "_is_closed"):  # os.dup() may have failed
            self.close()


def duplicate(number: int) -> Descriptor | None:
    """Return a duplicate; None if the process has no descriptor left, which should not end an upload."""
    try:
        return Descriptor(number)
    except OSError as exc:
        if exc.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        return None
