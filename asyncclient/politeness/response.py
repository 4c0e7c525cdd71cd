"""A response whose end is noted: until then its connection counts as one of the host's."""

from __future__ import annotations

import asyncio
from typing import Any

from ..message.fields import Fields
from ..message.head import Head, Interim
from ..message.repairs import Repair
from ..response import HeadView
from ..stream.tls import TLSInfo
from ..timings import Timings
from ..transport import TransportResponse
from .place import Place


class PoliteResponse(HeadView):
    """A response that passes everything on to another one, and ends the place of its request when that has ended.

    If it is dropped without being closed, its place is withdrawn when it is collected.

    Args:
        raw: the response; its content is not read yet.
        place: the place of its request.
        loop: the loop of the transport.

    Attributes: see TransportResponse.
    """

    __slots__ = ("_loop", "_place", "_raw", "head", "status")

    upgraded = None  # an upgraded connection belongs to its user, and its response has ended

    def __init__(self, raw: TransportResponse, place: Place, loop: asyncio.AbstractEventLoop) -> None:
        self._raw = raw
        self._place = place
        self._loop = loop
        self.head: Head = raw.head
        self.status = raw.status

    @property
    def interim(self) -> tuple[Interim, ...]:
        """See TransportResponse; so are the other properties and methods."""
        return self._raw.interim

    @property
    def trailers(self) -> Fields | None:
        """The fields after the content."""
        return self._raw.trailers

    @property
    def length(self) -> int | None:
        """Bytes of content that are not read yet."""
        return self._raw.length

    @property
    def timings(self) -> Timings:
        """The durations of the phases."""
        return self._raw.timings

    @property
    def tls(self) -> TLSInfo | None:
        """The result of the TLS handshake."""
        return self._raw.tls

    @property
    def peer(self) -> Any:
        """The address of the peer."""
        return self._raw.peer

    @property
    def proxy_headers(self) -> Fields | None:
        """The fields of the proxy's response to CONNECT."""
        return self._raw.proxy_headers

    @property
    def is_lenient(self) -> bool:
        """True if faults are repaired."""
        return self._raw.is_lenient

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """The repairs so far."""
        return self._raw.repairs

    @property
    def closed(self) -> bool:
        """True if nothing is left to read."""
        return self._raw.closed

    async def read(self) -> bytes:
        """Return the rest of the content."""
        try:
            return await self._raw.read()
        except BaseException as error:
            self._note_error(error)
            raise
        finally:
            self._note_end()

    async def read1(self, n: int = -1) -> bytes:
        """Return received bytes; b"" at the end."""
        try:
            return await self._raw.read1(n)
        except BaseException as error:
            self._note_error(error)
            raise
        finally:
            self._note_end()

    def take(self) -> bytes | None:
        """Return the rest of the content if all of it was received."""
        data = self._raw.take()
        self._note_end()
        return data

    def hold(self) -> None:
        """Keep the connection after the last byte."""
        self._raw.hold()

    def release(self, *repairs: Repair) -> None:
        """End the effect of hold()."""
        self._raw.release(*repairs)
        self._note_end()

    def close(self) -> None:
        """Discard unread content at once."""
        self._raw.close()
        self._note_end()

    async def aclose(self) -> None:
        """Discard unread content."""
        try:
            await self._raw.aclose()
        finally:
            self._note_end()

    def _note_error(self, error: BaseException) -> None:
        if self._raw.closed:  # otherwise another task is reading, and goes on
            self._place.fail(error)

    def _note_end(self) -> None:
        if self._raw.closed:
            self._place.end()

    def __del__(self) -> None:
        # The collector may run in any thread, and inside a method of the schedule.
        if not self._place.has_ended:
            try:
                self._loop.call_soon_threadsafe(self._place.withdraw)
            except RuntimeError:  # the loop is closed
                pass

    def __repr__(self) -> str:
        return f"<PoliteResponse {self._raw!r}>"
