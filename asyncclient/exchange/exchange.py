"""One exchange: a request, how much of it was sent, and the response heads received."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ..limits import Limits
from ..message.cycle import CloseReason, State
from ..message.head import Head
from ..message.repairs import Repair
from ..message.request import BodyGuard, RequestHead
from ..timings import Timings, build_timings
from .content import Content, open_framed
from .receive import ResponseHeads
from .stream import ByteReader


class Exchange:
    """The state of one exchange on a connection; a new one for each request."""

    __slots__ = (
        "close_reason",
        "declared",
        "done_at",
        "head",
        "heads",
        "may_be_rejected_unread",
        "measured",
        "opening",
        "sent_at",
        "started",
        "state",
        "was_kept",
        "was_sent",
    )

    is_lenient: ClassVar[bool] = False
    heads_class: ClassVar[type[ResponseHeads]] = ResponseHeads

    def __init__(self, head: RequestHead, started: float) -> None:
        # The head of the request.
        self.head = head
        # Times by time.monotonic(): when the exchange began, when all of the request was written, and when the content
        # of the response was read to its end; None before.
        self.started = started
        self.sent_at: float | None = None
        self.done_at: float | None = None
        # The timings, once they were asked for.
        self.measured: Timings | None = None
        # The wait in the pool, and how long opening the connection took; None if there was neither.
        self.opening: Timings | None = None
        # The heads of the response.
        self.heads = self.heads_class()
        # Where the exchange is, see message.cycle; IDLE once it is over.
        self.state: str = State.HEAD
        # The rest of a body that is sent step by step; None without such a body.
        self.declared: BodyGuard | None = None
        # Why the connection ends with this exchange, known once the final head was received; None if it goes on.
        self.close_reason: CloseReason | None = None
        # Whether the content is so long, or of unknown length, that a server may reject it unread. Such a server should
        # close the connection; Go's reverse proxy sometimes does not and parses the rest as the next request
        # (Caddy 2.11, 1 in 1,000 under load). So the connection is never reused after a rejection.
        self.may_be_rejected_unread = False
        # Whether a pool had kept the connection idle before this exchange, so that the server may have closed it.
        self.was_kept = False
        # Whether any byte of the request may have been written.
        self.was_sent = False

    def leave_queue(self, opening: Timings | None, now: float) -> None:
        """Note the end of the wait in the pool: now, or when the connection of the exchange began to be opened.

        Args:
            opening: the timings of that connection; None if it was open before.
            now: by time.monotonic().
        """
        known = Timings(self.started) if opening is None else opening
        known.queued = max((now if opening is None else opening.started) - self.started, 0.0)
        self.started += known.queued
        self.opening = known

    @property
    def timings(self) -> Timings:
        """How long the phases took; for a response whose head was received. Made at the first access (decision 12)."""
        if self.measured is None:
            first_at = self.heads.first_at
            self.measured = build_timings(self.started, self.opening, self.sent_at, first_at, self.done_at)
        return self.measured

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """The repairs made to the response so far, each kind once; only a lenient exchange repairs anything."""
        return ()

    # The function itself, not a method that calls it: each response would take one more call.
    open_content: Callable[[ByteReader, Head, str, Limits], tuple[Content, CloseReason | None]] = staticmethod(
        open_framed
    )
    """Returns the content of a response, by its head and the request's method; see open_framed()."""

    def note(self, *repairs: Repair) -> None:
        """Note repairs; only a lenient exchange has any."""

    def hold(self) -> None:
        """Keep the connection after the last byte of the content; only a lenient exchange does."""

    def release(self) -> None:
        """End the effect of hold()."""
