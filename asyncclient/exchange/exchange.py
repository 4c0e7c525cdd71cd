"""One exchange: a request, how much of it was sent, and the response heads received."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ..limits import Limits
from ..message.cycle import CloseReason, State
from ..message.head import Head
from ..message.repairs import Repair
from ..message.request import BodyGuard, RequestHead
from ..timings import Timings
from .content import Content, open_framed
from .receive import ResponseHeads
from .stream import ByteReader


class Exchange:
    """The state of one exchange on a connection; a new one for each request."""

    __slots__ = (
        "close_reason",
        "declared",
        "head",
        "heads",
        "may_be_rejected_unread",
        "state",
        "timings",
        "was_kept",
        "was_sent",
    )

    is_lenient: ClassVar[bool] = False
    heads_class: ClassVar[type[ResponseHeads]] = ResponseHeads

    def __init__(self, head: RequestHead, timings: Timings) -> None:
        # The head of the request.
        self.head = head
        # When the steps of the exchange happened.
        self.timings = timings
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
