"""A response that passes everything on to another one, for transports that stand in front of another transport."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from .message.fields import Fields
from .message.head import Interim
from .message.repairs import Repair
from .response import HeadView
from .stream.tls import TLSInfo
from .timings import Timings
from .transport import TransportResponse


class WrappedResponse(HeadView):
    """A response around another one. A subclass overrides what it changes, or only observes the end.

    After each step that may end the response, `note_end()` is called if nothing is left to read; it may be called more
    than once. Before that, `note_content()` is called with the bytes that were read, or `note_error()` if a read has
    failed and has ended the response.

    Args:
        raw: the response; its content is not read yet.

    Attributes: see TransportResponse.
    """

    __slots__ = ("_raw", "head", "status")

    def __init__(self, raw: TransportResponse) -> None:
        self._raw = raw
        self.head = raw.head
        self.status = raw.status

    def note_content(self, data: bytes) -> None:
        """Observe content that was read; b"" at the end."""

    def note_end(self) -> None:
        """Observe that nothing is left to read."""

    def note_error(self, error: BaseException) -> None:
        """Observe that a read has failed, so that the rest of the content is lost."""

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
    def upgraded(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The connection after status 101."""
        return self._raw.upgraded

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
        return await self._observe(self._raw.read())

    async def read1(self, n: int = -1) -> bytes:
        """Return received bytes; b"" at the end."""
        return await self._observe(self._raw.read1(n))

    async def _observe(self, reading: Awaitable[bytes]) -> bytes:
        try:
            data = await reading
        except BaseException as error:
            if self._raw.closed:  # otherwise another task is reading, and goes on
                self.note_error(error)
            self._note_if_ended()
            raise
        self.note_content(data)
        self._note_if_ended()
        return data

    def take(self) -> bytes | None:
        """Return the rest of the content if all of it was received."""
        data = self._raw.take()
        if data is not None:
            self.note_content(data)
        self._note_if_ended()
        return data

    def hold(self) -> None:
        """Keep the connection after the last byte."""
        self._raw.hold()

    def release(self, *repairs: Repair) -> None:
        """End the effect of hold()."""
        self._raw.release(*repairs)
        self._note_if_ended()

    def close(self) -> None:
        """Discard unread content at once."""
        self._raw.close()
        self._note_if_ended()

    async def aclose(self) -> None:
        """Discard unread content."""
        try:
            await self._raw.aclose()
        finally:
            self._note_if_ended()

    def _note_if_ended(self) -> None:
        if self._raw.closed:
            self.note_end()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._raw!r}>"
