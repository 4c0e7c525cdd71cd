"""When things happened to one exchange."""

from __future__ import annotations


class Timings:
    """Seconds, measured on the monotonic clock; None until it happened, or where it did not.

    Attributes:
        started: the clock at the start of the request, for putting exchanges side by side.
        resolve, connect, tls: how long each took; None on a connection that was open before, or without TLS.
        sent: from the start of the request until all of it was written.
        first_byte: from the start until the first head of the response had come, an interim one included.
        done: from the start until the last byte of the content had come.
    """

    __slots__ = ("connect", "done", "first_byte", "resolve", "sent", "started", "tls")

    def __init__(self, started: float) -> None:
        self.started = started
        self.resolve: float | None = None
        self.connect: float | None = None
        self.tls: float | None = None
        self.sent: float | None = None
        self.first_byte: float | None = None
        self.done: float | None = None

    def add_opening(self, other: Timings) -> None:
        """Take over what opening the connection took, if that was done before the request."""
        self.resolve, self.connect, self.tls = other.resolve, other.connect, other.tls

    @property
    def reused(self) -> bool:
        """Whether the request went out on a connection that was open before."""
        return self.connect is None

    def __repr__(self) -> str:
        known = ((name, getattr(self, name)) for name in ("resolve", "connect", "tls", "sent", "first_byte", "done"))
        return f"<Timings {' '.join(f'{name}={1000 * s:.2f}ms' for name, s in known if s is not None)}>"
