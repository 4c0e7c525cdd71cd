"""How long each phase may take, as one value."""

from __future__ import annotations

from typing import NamedTuple


class _Timeout(NamedTuple):
    connect: float | None
    tls: float | None
    write: float | None
    read: float | None
    total: float | None
    expect: float
    close: float


class Timeout(_Timeout):
    """Seconds that each phase of an exchange may take; None is for ever.

    Args:
        connect: resolving and connecting together; then again, waiting for a proxy to open a tunnel.
        tls: one TLS handshake.
        write: each wait until the peer takes more of a request.
        read: each wait for more bytes of a response.
        total: request and response together, opening the connection and the body included; drips do not extend it.
        expect: the wait for `100 Continue` before the body is sent without one.
        close: what closing politely may take before the connection is dropped.

    Raises:
        TypeError: one of them is no number.
        ValueError: one of them is below 0.
    """

    __slots__ = ()

    def __new__(
        cls,
        connect: float | None = None,
        tls: float | None = None,
        write: float | None = None,
        read: float | None = None,
        total: float | None = None,
        expect: float = 1.0,
        close: float = 1.0,
    ) -> Timeout:
        """Check the seconds."""
        timeout = super().__new__(cls, connect, tls, write, read, total, expect, close)
        for name, seconds in zip(timeout._fields, timeout, strict=True):
            if seconds is not None and not isinstance(seconds, int | float):
                raise TypeError(f"expected seconds for {name}, got {type(seconds).__name__}")
            if seconds is not None and not seconds >= 0:
                raise ValueError(f"expected seconds for {name}, got {seconds!r}")
        return timeout

    @classmethod
    def each(cls, seconds: float | None) -> Timeout:
        """Return a Timeout with the same seconds for each single operation, as http.client means its timeout."""
        return cls(connect=seconds, tls=seconds, write=seconds, read=seconds)
