"""A duplicate of a descriptor, for what must outlive the transport that has the original."""

from __future__ import annotations

import os


class Descriptor:
    """A duplicate of a descriptor, closed with the last reference to it.

    Not by a call: a worker thread may still be in a system call on it when the task that began the call has been
    cancelled, and a number that was closed meanwhile may belong to another connection by then.
    """

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = os.dup(number)

    def __del__(self) -> None:
        os.close(self.number)

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
