"""The circumstances of a contender."""

from __future__ import annotations

import ssl
from typing import NamedTuple

PIECE = 64 * 1024
"""Bytes of a read."""


class Setup(NamedTuple):
    """The server, and what a contender needs to know of the row.

    Args:
        base: scheme, host and port.
        cafile: the certificate of the server's authority; None without TLS.
        file: the path of a file of 100 MB.
    """

    base: str
    at_once: int
    cafile: str | None
    file: str

    @property
    def context(self) -> ssl.SSLContext | None:
        """A new TLS context; None without TLS."""
        return ssl.create_default_context(cafile=self.cafile) if self.cafile else None
