"""How long each phase may take, as one value."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


class _Timeout(NamedTuple):
    connect: float | None
    tls: float | None
    pool: float | None
    write: float | None
    read: float | None
    total: float | None
    min_rate: float | None
    rate_patience: float
    expect: float
    close: float
    tls_close: float


class Timeout(_Timeout):
    """Seconds that each phase of an exchange may take; None is for ever.

    Args:
        connect: resolving and connecting together; then again, waiting for a proxy to open a tunnel.
        tls: one TLS handshake.
        pool: waiting until a connection may be opened or becomes free; for who uses a pool.
        write: each wait until the peer takes more of a request.
        read: each wait for more bytes of a response.
        total: request and response together, opening the connection and the body included; drips do not extend it.
            For a client also redirects, retries and the pauses between them.
        min_rate: no number of seconds but of bytes per second that content must come with, once it has fallen behind
            by `rate_patience` seconds; for a client.
        rate_patience: see min_rate.
        expect: the wait for `100 Continue` before the body is sent without one.
        close: what closing politely may take before the connection is dropped.
        tls_close: the wait for the peer's close_notify after our own was sent; 0 does not wait for it.

    Raises:
        TypeError: one of them is no number.
        ValueError: one of them is below 0.
    """

    __slots__ = ()

    def __new__(
        cls,
        connect: float | None = 10.0,
        tls: float | None = 10.0,
        pool: float | None = None,
        write: float | None = 60.0,
        read: float | None = 60.0,
        total: float | None = None,
        min_rate: float | None = None,
        rate_patience: float = 10.0,
        expect: float = 1.0,
        close: float = 1.0,
        tls_close: float = 0.0,
    ) -> Timeout:
        """Check the seconds."""
        timeout = super().__new__(
            cls, connect, tls, pool, write, read, total, min_rate, rate_patience, expect, close, tls_close
        )
        for name, seconds in zip(timeout._fields, timeout, strict=True):
            unit = "bytes per second" if name == "min_rate" else "seconds"
            if seconds is not None and not isinstance(seconds, int | float):
                raise TypeError(f"expected {unit} for {name}, got {type(seconds).__name__}")
            if seconds is not None and not seconds >= 0:
                raise ValueError(f"expected {unit} for {name}, got {seconds!r}")
        if min_rate == 0:
            raise ValueError("expected a min_rate above 0, or None")
        return timeout

    @staticmethod
    @lru_cache(maxsize=64)  # checking takes 3 µs, twice for each new connection
    def each(seconds: float | None) -> Timeout:
        """Return a Timeout with the same seconds for each single operation, as http.client means its timeout."""
        return Timeout(connect=seconds, tls=seconds, write=seconds, read=seconds)
