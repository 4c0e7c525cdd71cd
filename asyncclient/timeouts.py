"""How long each phase may take, as one value."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Timeout:
    """Seconds that each phase of an exchange may take; None is for ever.

    Args:
        connect: resolving and connecting together; also waiting for a proxy to open a tunnel.
        tls: one TLS handshake.
        write: each wait until the peer takes more of a request.
        read: each wait for more bytes of a response.
        total: request and response together, the body included; slow drips do not extend it.
        expect: the wait for `100 Continue` before the body is sent without one.
        close: what closing politely may take before the connection is dropped.
    """

    connect: float | None = None
    tls: float | None = None
    write: float | None = None
    read: float | None = None
    total: float | None = None
    expect: float = 1.0
    close: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            seconds = getattr(self, field.name)
            if seconds is not None and not seconds >= 0:
                raise ValueError(f"expected seconds for {field.name}, got {seconds!r}")

    @classmethod
    def each(cls, seconds: float | None) -> Timeout:
        """Return a Timeout with the same seconds for each single operation, as http.client means its timeout."""
        return cls(connect=seconds, tls=seconds, write=seconds, read=seconds)
