"""A response whose end is noted: until then its connection counts as one of the host's."""

from __future__ import annotations

import asyncio

from ..transport import TransportResponse
from ..wrapped_response import WrappedResponse
from .place import Place


class PoliteResponse(WrappedResponse):
    """A response that passes everything on to another one, and ends the place of its request when that has ended.

    If it is dropped without being closed, its place is withdrawn when it is collected.

    Args:
        raw: the response; its content is not read yet, and its connection is not upgraded.
        place: the place of its request.
        loop: the loop of the transport.

    Attributes: see TransportResponse.
    """

    __slots__ = ("_loop", "_place")

    def __init__(self, raw: TransportResponse, place: Place, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(raw)
        self._place = place
        self._loop = loop

    def note_error(self, error: BaseException) -> None:
        """Count the failure of the host."""
        self._place.fail(error)

    def note_end(self) -> None:
        """End the place."""
        self._place.end()

    def __del__(self) -> None:
        # The collector may run in any thread, and inside a method of the schedule.
        if not self._place.has_ended:
            try:
                self._loop.call_soon_threadsafe(self._place.withdraw)
            except RuntimeError:  # the loop is closed
                pass
