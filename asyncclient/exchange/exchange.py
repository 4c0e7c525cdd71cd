"""One exchange: a request, what was sent of it, and what has been answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ..limits import Limits
from ..message.head import Head
from ..message.repairs import Repair
from ..message.request import DeclaredBody, RequestHead
from ..timings import Timings
from .receive import Answer, Content, open_framed
from .stream import ByteReader


class Exchange(Answer):
    """What a connection knows of the exchange under way; a new one for each request.

    Attributes:
        head: the request's.
        timings: when what happened.
        declared: what may still be sent of a body that goes out step by step; None where there is no such body.
        must_close: whether the connection ends with this exchange; known once the response's head has come.
        is_long: whether the content is so long, or of no known length, that a server may refuse it without reading it.
            It has to close the connection then, but Go's, as a reverse proxy, sometimes keeps it and takes the rest for
            the next request (Caddy 2.11 with a 413, 1 time in some 1,000 on a busy machine). So who refuses is left.
        was_sent: whether anything of the request may have been written.
        was_kept: whether the connection had been kept open for this, and may have been closed meanwhile; a pool knows.
    """

    __slots__ = ("declared", "head", "is_long", "must_close", "timings", "was_kept", "was_sent")

    is_lenient: ClassVar[bool] = False

    def __init__(self, head: RequestHead, timings: Timings) -> None:
        Answer.__init__(self)  # in this form it takes half the time of super()
        self.head = head
        self.timings = timings
        self.declared: DeclaredBody | None = None
        self.is_long = False
        self.must_close = False
        self.was_kept = False
        self.was_sent = False

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was repaired in the response so far, each kind once; only a lenient exchange repairs anything."""
        return ()

    # The function itself, and not a method around it: each plain response would pay for one call more.
    open_content: Callable[[ByteReader, Head, str, Limits], tuple[Content, bool]] = staticmethod(open_framed)
    """Returns the content of a response, by its head and the request's method; see open_framed()."""

    def note(self, *repairs: Repair) -> None:
        """Note repairs; only a lenient exchange has any."""

    def hold(self) -> None:
        """Go on after the last byte of the content; only a lenient exchange does."""

    def release(self) -> None:
        """End with the content."""
