"""Decoding of Content-Encoding in bounded steps (RFC 9110 §8.4).

A few compressed bytes can stand for gigabytes, so nothing is decoded ahead. The reader pulls at most MAX_DECODE_STEP
bytes at a time through a chain of stages, each of which holds one piece of input. The output of every stage is checked
against two limits, a size and a ratio to the bytes received. Inner stages are checked as well, because gzip within gzip
can be small at both ends.
"""

from __future__ import annotations

import functools
import math

from ...errors import ContentTooLarge, DecodingError, clip, copy_error
from ...message.buffer import Pieces
from .codings import CODINGS, Stage, open_stage, supported_codings

MAX_SIZE = 1024**3
"""Decoded bytes of one content, unless the caller sets a limit."""

MAX_RATIO = 250.0
"""Ratio of decoded to received bytes. Text reaches 5 to 20, logs and numeric tables up to 100. zlib can reach 1032, br
and zstd much more; content with a ratio above 250 is almost always a decompression bomb."""

RATIO_FREE = 16 * 1024**2
"""Decoded bytes below which the ratio is not checked: they are harmless, and a short response may be mere blanks."""

INNER_FREE = 1024**2
"""The same for stages before the last. Their output is still compressed, so real content rarely gets there. But all of
it may vanish in the next stage within one step: 154 bytes of br gave 16 MiB of empty deflate blocks, 80 ms of work."""

MAX_CODINGS = 5
"""Codings applied to one content. One is usual, two are a mistake somewhere; each costs a window of up to 16 MiB."""

MAX_DECODE_STEP = 120 * 1024
"""Bytes that the last stage decodes in one step, about 0.2 ms of work. Less than 128 KiB, from which on glibc may map
new memory for each piece (decision 55)."""

MAX_INNER_STEP = 64 * 1024
"""Bytes passed at once into the first stage and between stages. They count as used, so a bomb that is received whole
still stops at RATIO_FREE. A larger step would be slow, because zlib copies its unused input at each step."""

IDENTITY = ("Accept-Encoding", "identity")
"""The field that asks for unencoded content. A request with Range sends it, because a range of encoded content (RFC
9110 §14.2) can't be decoded."""


@functools.cache
def accept_encoding() -> str:
    """Return the value of Accept-Encoding: the supported codings (RFC 9110 §12.5.3). The first call takes 1 ms."""
    return ", ".join(supported_codings())


def open_decoder(
    content_encoding: str,
    *,
    max_size: int | None = MAX_SIZE,
    max_ratio: float | None = MAX_RATIO,
    is_lenient: bool = False,
) -> Decoder | None:
    """Return a decoder for content with this Content-Encoding; None if there is nothing to decode.

    Args:
        content_encoding: the field value, several joined by commas, in the order in which the codings were applied.
        max_size: limit of decoded bytes; None for no limit.
        max_ratio: limit of decoded to received bytes, checked beyond RATIO_FREE; None for no limit.
        is_lenient: drop bytes after the end of the content, see Decoder.has_excess.

    Raises:
        DecodingError: a coding is not supported, or there are more than MAX_CODINGS.
    """
    names = parse_content_encoding(content_encoding)
    if not names:
        return None
    return Decoder([open_stage(name, is_lenient=is_lenient) for name in names], max_size=max_size, max_ratio=max_ratio)


@functools.lru_cache(maxsize=16)  # most programs meet one or two values
def parse_content_encoding(value: str) -> tuple[str, ...]:
    """Return the codings in lower case, in the order of decoding; words that are not codings are skipped.

    Raises:
        DecodingError: more than MAX_CODINGS.
    """
    members = (member.strip(" \t").lower() for member in value.split(","))
    names = [name for name in members if name in CODINGS]
    if len(names) > MAX_CODINGS:
        raise DecodingError(f"expected at most {MAX_CODINGS} content codings, got {len(names)}: {clip(value)}")
    return tuple(reversed(names))


class Decoder:
    """A chain of stages: feed() input, take() until it returns b"", and so on; then finish().

    After an error every call raises the same error again. `received` and `produced` count bytes fed and decoded.
    """

    __slots__ = ("_counts", "_error", "_max_ratio", "_max_size", "_stages", "_used", "_wire", "received")

    def __init__(self, stages: list[Stage], *, max_size: int | None, max_ratio: float | None) -> None:
        self._max_size = math.inf if max_size is None else max_size
        self._max_ratio = math.inf if max_ratio is None else max_ratio
        self._stages = stages
        self._counts = [0] * len(stages)  # bytes that each stage has produced
        self._used = 0  # received bytes that went into the first stage
        self._wire = Pieces()
        self._error: ContentTooLarge | DecodingError | None = None
        self.received = 0

    @property
    def produced(self) -> int:
        """Bytes decoded so far."""
        return self._counts[-1]

    @property
    def has_excess(self) -> bool:
        """True if bytes after the end of the content were dropped."""
        return any(stage.has_excess for stage in self._stages)

    def feed(self, data: bytes) -> None:
        """Add received bytes; nothing is decoded yet."""
        if data:
            self._wire.append(data)
            self.received += len(data)

    def take(self, n: int) -> bytes:
        """Return at most n decoded bytes and at most MAX_DECODE_STEP; b"" if more input is needed, or at the end.

        Raises:
            DecodingError: the content is not valid in its coding.
            ContentTooLarge: more than max_size or max_ratio allow; no byte beyond max_size has been returned.
            ValueError: n is less than 1.
        """
        if n < 1:
            raise ValueError(f"expected n of at least 1, got {n!r}")
        if self._error is not None:
            raise copy_error(self._error)
        try:
            return self._pull(len(self._stages) - 1, min(n, MAX_DECODE_STEP))
        except (ContentTooLarge, DecodingError) as error:
            self._error = copy_error(error)  # a copy, because the traceback refers to this decoder
            raise

    def finish(self) -> None:
        """Check that the content may end here, after take() returned b"". Empty content is valid in any coding.

        Raises:
            DecodingError: the content is cut short.
        """
        if self._error is not None:
            raise copy_error(self._error)
        for stage in self._stages:
            if not stage.is_whole():
                raise DecodingError(f"{stage.name} content cut short after {self.received} bytes")

    def decode_whole(self, data: bytes) -> bytes:
        """Return the decoded content of complete input; the decoder cannot be used again.

        Raises:
            DecodingError: the content is invalid or cut short.
            ContentTooLarge: see take().
        """
        pieces: list[bytes] = []
        if 0 < len(data) <= MAX_INNER_STEP and not self.received and len(self._stages) == 1:
            # One step of one stage most often decodes everything, without the queue.
            stage = self._stages[0]
            self.received = self._used = len(data)
            stage.feed(data)
            piece = stage.take(MAX_DECODE_STEP)
            self._count(0, len(piece))
            if stage.is_whole():
                return piece
            pieces.append(piece)
        else:
            self.feed(data)
        while piece := self.take(MAX_DECODE_STEP):
            pieces.append(piece)
        self.finish()
        return b"".join(pieces)

    def _pull(self, index: int, n: int) -> bytes:
        """Return output of a stage, feeding it from the stage before, or the first one from the received bytes."""
        stage = self._stages[index]
        while True:
            out = stage.take(n)
            if out:
                self._count(index, len(out))
                return out
            data = self._pull(index - 1, MAX_INNER_STEP) if index else self._take_wire()
            if not data:
                return b""
            stage.feed(data)

    def _take_wire(self) -> bytes:
        data = self._wire.take(MAX_INNER_STEP)
        self._used += len(data)
        return data

    def _count(self, index: int, size: int) -> None:
        self._counts[index] = count = self._counts[index] + size
        is_last = index == len(self._stages) - 1
        # Compressing compressed data makes it slightly longer, which is not an error: allow that for inner stages.
        if count > (self._max_size if is_last else 2 * self._max_size + MAX_INNER_STEP):
            limit = int(self._max_size)
            raise ContentTooLarge(f"decoded content is larger than {limit} bytes", limit)
        # Compared with the bytes used, not those fed: the unused rest of a bomb must not raise its limit.
        free = RATIO_FREE if is_last else INNER_FREE
        if count > free and count > self._max_ratio * self._used:
            limit = max(free, int(self._max_ratio * self._used))
            raise ContentTooLarge(
                f"{count} bytes decoded from {self._used}, more than {self._max_ratio:g} times", limit
            )
