"""Reading the content of a response: limited in size, decoded, and at a minimum rate."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from ...errors import ContentTooLarge, HTTPException, RateTimeout
from ...message.repairs import Repair
from ...stream.deadlines import TimeLimit
from ...timeouts import Timeout
from ...transport import TransportResponse
from .codings import decode_gzip
from .decoding import MAX_DECODE_STEP, MAX_SIZE, Decoder, open_decoder

_P = ParamSpec("_P")
_T = TypeVar("_T")

MAX_SINGLE_DECODE: Final = 64 * 1024
"""Received bytes that are decoded without yielding to the loop: at worst 55 ms of work, usually 1 ms."""


SHORT: Final = 8 * 1024
"""Received bytes that decode_gzip() is called for: they seldom decode to more than one step."""

MIN_READ_TIME: Final = 0.02
"""Seconds allowed for each read, so that the loop can look for received bytes at least once."""


class Pace:
    """Checks that content arrives at the minimum rate.

    A token bucket measured in seconds: waiting drains it, received bytes refill it, capped at `rate_patience`. Time the
    caller spends between reads is not counted.
    """

    def __init__(self, label: str, timeout: Timeout) -> None:
        self._label = label
        self._rate = timeout.min_rate or 0.0
        self._patience = self._left = timeout.rate_patience

    async def read(self, raw: TransportResponse, n: int) -> bytes:
        """Read as raw.read1() does; raises RateTimeout if the bucket is empty."""
        started = time.monotonic()
        with TimeLimit(max(self._left, MIN_READ_TIME), self._build_error):
            data = await raw.read1(n)
        # At most the time allowed: the loop may have been blocked.
        waited = min(time.monotonic() - started, max(self._left, MIN_READ_TIME))
        self._left = min(self._left - waited + len(data) / self._rate, self._patience)
        if self._left <= 0 and data:
            raw.close()
            raise self._build_error(0.0)
        return data

    def _build_error(self, _: float) -> RateTimeout:
        text = f"content from {self._label} was slower than {self._rate:g} bytes/s for {self._patience:g} s"
        return RateTimeout(text, "rate", self._patience)


class ContentReader:
    """The content of one response.

    Args:
        raw: the response to read from.
        coding: the Content-Encoding to decode; None to leave the content encoded.
        max_size: limit of received and of decoded bytes; None for no limit but that of decoding.py.
        pace: the minimum rate; None for none.

    If a method raises an error, the connection is dropped.
    """

    __slots__ = ("_coding", "_decoder", "_max_size", "_pace", "_raw", "received")

    def __init__(self, raw: TransportResponse, coding: str | None, max_size: int | None, pace: Pace | None) -> None:
        self._raw = raw
        self._coding = coding
        self._decoder: Decoder | None = None
        self._max_size = max_size
        self._pace = pace
        self.received = 0

    async def read(self) -> bytes:
        """Return the rest of the content.

        Raises:
            IncompleteRead, ProtocolError, ReadTimeout, TotalTimeout: see HTTPResponse.read().
            DecodingError: the content is not valid in its Content-Encoding.
            ContentTooLarge, RateTimeout: it is larger than max_body_size, or slower than Timeout.min_rate.
        """
        if self._max_size is None and self._coding is None and self._pace is None:  # the common case
            return await self._raw.read()
        if self._coding == "gzip" and self._may_take():
            data = self._raw.take()
            if data is None and self._is_short():
                data = await self._raw.read()
            if data is not None:
                return self._decode_gzip(data)
        self._begin()
        if self._pace is None and self._is_short():
            return self._decode_whole(await self._raw.read())
        parts = []
        while part := await self.read1():
            parts.append(part)
        return b"".join(parts)

    async def read1(self, n: int = MAX_DECODE_STEP) -> bytes:
        """Return available bytes, at least one and at most n; b"" at the end. Raises the errors of read()."""
        if not self.received:
            self._begin()
        decoder = self._decoder
        if decoder is None:
            return await self._pull(n)
        while not (data := self._guarded(decoder.take, n)):
            wire = await self._pull(MAX_SINGLE_DECODE)
            if not wire:
                self._finish(decoder)
                break
            decoder.feed(wire)
        return data

    async def _pull(self, n: int) -> bytes:
        """Return received bytes, not decoded."""
        if self._max_size is not None:
            n = min(n, self._max_size - self.received + 1)  # one more byte shows that it is too large
        data = await (self._raw.read1(n) if self._pace is None else self._pace.read(self._raw, n))
        self.received += len(data)
        if self._max_size is not None and self.received > self._max_size:
            raise self._too_large()
        return data

    def _decode_gzip(self, data: bytes) -> bytes:
        """Return the content, given all bytes of it in gzip (decision 64)."""
        if len(data) <= SHORT:
            content = decode_gzip(data, MAX_DECODE_STEP)
            if content is not None and (self._max_size is None or len(content) <= self._max_size):
                self.received = len(data)
                return content
        self._open_decoder("gzip")
        return self._decode_whole(data)

    def _decode_whole(self, data: bytes) -> bytes:
        """Return the rest of the content, given all received bytes that were not read before."""
        self.received += len(data)
        return data if self._decoder is None else self._guarded(self._decoder.decode_whole, data)

    def _begin(self) -> None:
        """Refuse content whose announced length is too large or whose coding is unknown, before reading any of it."""
        if self._max_size is not None and (self._raw.length or 0) > self._max_size:
            raise self._too_large()
        if self._coding is not None and self._decoder is None and self._raw.length != 0:
            self._open_decoder(self._coding)
            if self._raw.is_lenient and self._decoder is not None:
                self._raw.hold()  # keep the connection until the last bytes are decoded: a fault there must end it

    def _open_decoder(self, coding: str) -> None:
        max_size = MAX_SIZE if self._max_size is None else self._max_size
        self._decoder = self._guarded(open_decoder, coding, max_size=max_size, is_lenient=self._raw.is_lenient)

    def _finish(self, decoder: Decoder) -> None:
        """Check that the content may end here. Content known to be cut short may end anywhere."""
        if Repair.INCOMPLETE not in self._raw.repairs:
            self._guarded(decoder.finish)
        self._raw.release(*((Repair.EXCESS,) if decoder.has_excess else ()))

    def _too_large(self) -> ContentTooLarge:
        assert self._max_size is not None
        self._raw.close()
        return ContentTooLarge(f"content is larger than {self._max_size} bytes", self._max_size)

    def _guarded(self, decode: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a method of the decoder; on an error close the response."""
        try:
            return decode(*args, **kwargs)
        except HTTPException:
            self._raw.close()
            raise

    def _may_take(self) -> bool:
        """Return True if the content may be taken in case that all of it was received: its size is allowed."""
        if self._pace is not None or self.received or self._raw.is_lenient:
            return False
        return self._max_size is None or (self._raw.length or self._max_size + 1) <= self._max_size

    def _is_short(self) -> bool:
        """Return True if all content may be waited for: its size is allowed and small enough to decode."""
        length = self._raw.length
        if self._coding is not None:
            return length is not None and length <= MAX_SINGLE_DECODE and not self._raw.is_lenient
        return length is not None or self._max_size is None
