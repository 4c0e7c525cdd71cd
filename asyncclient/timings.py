"""How long the phases of one exchange took."""

from __future__ import annotations

from typing import Final

from .missing import answers

PHASES: Final = ("queued", "resolve", "connect", "tunnel", "tls", "sent", "first_byte", "done")
"""The durations, in the order of the phases."""


_ATTRIBUTES: Final = {
    **dict.fromkeys(("elapsed", "total"), "done, in seconds"),
    **dict.fromkeys(("ssl", "handshake"), "tls"),
    "dns": "resolve",
    "pool": "queued",
    "receive": "done - first_byte",
    "send": "sent",
    "ttfb": "first_byte",
    "wait": "first_byte - sent",
}
"""Names of phases elsewhere, also in waterfalls, and what to write for them."""


@answers(_ATTRIBUTES)
class Timings:
    """Durations of the phases of one exchange, in seconds of the monotonic clock; None for a phase that did not happen.

    Attributes:
        started: reading of the clock at the start of the request, to compare exchanges.
        queued: wait in the pool, until a connection was free or began to be opened; None if one was free at once. It is
            not a part of any other phase.
        resolve, connect, tls: duration of each; None on a reused connection, and `tls` also without TLS.
        tunnel: duration of asking for tunnels, of all proxies together; None without a tunnel.
        sent: from the end of the wait in the pool until all of the request was written.
        first_byte: the same until the first head of the response was received, interim heads included.
        done: the same until the last byte of the content was received.
    """

    __slots__ = ("connect", "done", "first_byte", "queued", "resolve", "sent", "started", "tls", "tunnel")

    def __init__(self, started: float) -> None:
        self.started = started
        self.queued: float | None = None
        self.resolve: float | None = None
        self.connect: float | None = None
        self.tunnel: float | None = None
        self.tls: float | None = None
        self.sent: float | None = None
        self.first_byte: float | None = None
        self.done: float | None = None

    @property
    def reused(self) -> bool:
        """True if the request was sent on a connection that was open before."""
        return self.connect is None

    def __repr__(self) -> str:
        return f"<Timings {' '.join(f'{name}={1000 * s:.2f}ms' for name, s in list_measured(self).items())}>"


def list_measured(timings: Timings) -> dict[str, float]:
    """Return the seconds of the phases that were measured, by name."""
    known = ((name, getattr(timings, name)) for name in PHASES)
    return {name: seconds for name, seconds in known if seconds is not None}


def build_timings(
    started: float, opening: Timings | None, sent_at: float | None, first_at: float | None, done_at: float | None
) -> Timings:
    """Return the durations of an exchange.

    Args:
        started: when it began, or its wait in the pool ended, in seconds of the monotonic clock, as the other times.
        opening: the wait in the pool, and the durations of opening its connection; None if there was neither.
        sent_at: when the request was written.
        first_at: when the first head of the response was received.
        done_at: when the content was received.
    """
    timings = Timings(started)
    if opening is not None:
        timings.resolve, timings.connect, timings.tls = opening.resolve, opening.connect, opening.tls
        timings.tunnel, timings.queued = opening.tunnel, opening.queued
        timings.started -= opening.queued or 0.0
    timings.sent, timings.first_byte, timings.done = (
        None if at is None else at - started for at in (sent_at, first_at, done_at)
    )
    return timings
