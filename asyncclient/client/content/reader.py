"""The content of a response, pulled off its connection: bounded, decoded, and not too slow."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from ...errors import ContentTooLarge, HTTPException, RateTimeout
from ...message.repairs import Repair
from ...response import HTTPResponse
from ...stream.scope import TimeLimit
from ...timeouts import Timeout
from .decoding import MAX_SIZE, STEP, Decoder, open_decoder

_P = ParamSpec("_P")
_T = TypeVar("_T")

AT_ONCE: Final = 64 * 1024
"""Bytes on the wire that are decoded in one go: the worst of them hold up the loop for 55 ms, the usual for 1."""


LOOK: Final = 0.02
"""Seconds that each read has at the least: the loop has to look once at what has come."""


class Pace:
    """How far content has come, against the rate that it has to come with at the least.

    A bucket that waiting empties and bytes fill. It holds `rate_patience` seconds, so that neither a pause nor a fast
    beginning counts for more than that; and what the reader takes for himself between two reads counts for nothing.
    """

    def __init__(self, label: str, timeout: Timeout) -> None:
        self._label = label
        self._rate = timeout.min_rate or 0.0
        self._patience = self._left = timeout.rate_patience

    async def read(self, raw: HTTPResponse, n: int) -> bytes:
        """Read as raw.read1() does; RateTimeout if the bucket runs empty."""
        started = time.monotonic()
        async with TimeLimit(max(self._left, LOOK), self._build_error):
            data = await raw.read1(n)
        waited = min(time.monotonic() - started, max(self._left, LOOK))  # no more than was let: a loop may be held up
        self._left = min(self._left - waited + len(data) / self._rate, self._patience)
        if self._left <= 0 and data:
            raw.close()
            raise self._build_error(0.0)
        return data

    def _build_error(self, _: float) -> RateTimeout:
        text = f"content from {self._label} came with less than {self._rate:g} bytes/s for {self._patience:g} s"
        return RateTimeout(text, "rate", self._patience)


class ContentReader:
    """The content of one response.

    Args:
        raw: the response it is read from.
        coding: its Content-Encoding, which is undone; None leaves it as it is.
        max_size: bytes it may have, on the wire and decoded. None is any number, but for what decoding.py allows.
        pace: how fast it must come; None is as slowly as it likes.

    Whatever a method raises, the connection is dropped.
    """

    __slots__ = ("_coding", "_decoder", "_max_size", "_pace", "_raw", "received")

    def __init__(self, raw: HTTPResponse, coding: str | None, max_size: int | None, pace: Pace | None) -> None:
        self._raw = raw
        self._coding = coding
        self._decoder: Decoder | None = None
        self._max_size = max_size
        self._pace = pace
        self.received = 0

    async def read(self) -> bytes:
        """Return all of the content that is left.

        Raises:
            IncompleteRead, ProtocolError, ReadTimeout, TotalTimeout: as HTTPResponse.read().
            DecodingError: it is not what its Content-Encoding says.
            ContentTooLarge, RateTimeout: it is larger than max_body_size, or slower than Timeout.min_rate.
        """
        if self._max_size is None and self._coding is None and self._pace is None:  # as most
            return await self._raw.read()
        self._begin()
        if self._pace is None and self._is_short():
            data = await self._raw.read()
            self.received += len(data)
            return data if self._decoder is None else self._guarded(self._decoder.decode_whole, data)
        parts = []
        while part := await self.read1():
            parts.append(part)
        return b"".join(parts)

    async def read1(self, n: int = STEP) -> bytes:
        """Return what is at hand, one byte at least and n at most; b"" at the end. Raises what read() does."""
        if not self.received:
            self._begin()
        decoder = self._decoder
        if decoder is None:
            return await self._pull(n)
        while not (data := self._guarded(decoder.take, n)):
            wire = await self._pull(AT_ONCE)
            if not wire:
                self._finish(decoder)
                break
            decoder.feed(wire)
        return data

    async def _pull(self, n: int) -> bytes:
        """Return bytes as they came."""
        data = await (self._raw.read1(n) if self._pace is None else self._pace.read(self._raw, n))
        self.received += len(data)
        if self._max_size is not None and self.received > self._max_size:
            raise self._too_large()
        return data

    def _begin(self) -> None:
        """Refuse content of which too much is announced or whose coding is unknown, before any of it is read."""
        if self._max_size is not None and (self._raw.length or 0) > self._max_size:
            raise self._too_large()
        if self._coding is not None and self._decoder is None and self._raw.length != 0:
            max_size = MAX_SIZE if self._max_size is None else self._max_size
            lenient = self._raw.is_lenient
            self._decoder = self._guarded(open_decoder, self._coding, max_size=max_size, is_lenient=lenient)
            if lenient and self._decoder is not None:
                self._raw.hold()  # a fault in the last bytes must be found before another request has the connection

    def _finish(self, decoder: Decoder) -> None:
        """Check that the content may end here. Content that is known to be cut short ends where the cut is."""
        if Repair.INCOMPLETE not in self._raw.repairs:
            self._guarded(decoder.finish)
        self._raw.release(*((Repair.EXCESS,) if decoder.has_excess else ()))

    def _too_large(self) -> ContentTooLarge:
        assert self._max_size is not None
        self._raw.close()
        return ContentTooLarge(f"content is larger than {self._max_size} bytes", self._max_size)

    def _guarded(self, decode: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Make a call of the decoder; if it fails the rest is not read either."""
        try:
            return decode(*args, **kwargs)
        except HTTPException:
            self._raw.close()
            raise

    def _is_short(self) -> bool:
        """Return whether all may be read in one: its size is known to be allowed, and no more than memory bears."""
        length = self._raw.length
        if self._decoder is not None:
            return length is not None and length <= AT_ONCE and not self._raw.is_lenient
        return length is not None or self._max_size is None
