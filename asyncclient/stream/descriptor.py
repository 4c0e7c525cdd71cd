"""A duplicate of a descriptor, for what must outlive the transport or the file that has the original."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Descriptor:
    """A duplicate of a descriptor, which a worker thread may be using when it is closed.

    The task that began a system call in a thread may be cancelled; the call goes on. A number closed meanwhile could
    belong to another connection by then, so the last to need it closes it.
    """

    __slots__ = ("_is_closed", "_is_used", "_lock", "number")

    def __init__(self, number: int) -> None:
        self.number = os.dup(number)
        self._lock = threading.Lock()
        self._is_used = False
        self._is_closed = False

    @contextmanager
    def used(self) -> Iterator[int]:
        """Give the number to a worker thread, for as long as it is in this scope.

        Raises:
            ConnectionAbortedError: it was closed before.
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
        """Close it, or have the thread do so that is using it."""
        with self._lock:
            if not (self._is_closed or self._is_used):
                os.close(self.number)
            self._is_closed = True

    def read_rest(self, limit: int) -> bytes:
        """Return what a socket whose connection is over still has in the kernel, limit bytes at most."""
        parts: list[bytes] = []
        try:
            while limit > 0 and (part := os.read(self.number, limit)):
                parts.append(part)
                limit -= len(part)
        except OSError:
            pass  # BlockingIOError or ConnectionResetError: that was all
        return b"".join(parts)

    def __del__(self) -> None:
        if hasattr(self, "_is_closed"):  # os.dup() may have failed
            self.close()


def duplicate(number: int) -> Descriptor | None:
    """Return a duplicate; None where the process may have no more descriptors, which is no reason to end an upload."""
    try:
        return Descriptor(number)
    except OSError as exc:
        if exc.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        return None
