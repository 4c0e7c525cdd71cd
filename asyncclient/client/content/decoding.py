"""Content-Encoding undone (RFC 9110 §8.4), in bounded steps.

A few bytes of wire can stand for gigabytes. So nothing is decoded ahead: who wants content pulls it, at most STEP bytes
at a time, through a chain of stages of which each holds one piece of input; and what each stage makes is counted
against two bounds, a size and a ratio to what the wire has brought. A stage in the middle is bounded like the last
one, for a gzip within a gzip is small at both ends.
"""

from __future__ import annotations

import copy
import functools
import math

from ...errors import ContentTooLarge, DecodingError, clip
from ...message.buffer import Pieces
from .codings import CODINGS, Stage, open_stage, supported_codings

MAX_SIZE = 1024**3
"""Bytes that content may have once decoded, unless the caller says otherwise."""

MAX_RATIO = 250.0
"""How many times as large as on the wire content may get. Text makes 5 to 20, logs and tables of numbers up to 100;
zlib ends at 1032, br and zstd go far beyond it. Between those nothing is common but bombs."""

RATIO_FREE = 16 * 1024**2
"""Decoded bytes below which the ratio does not matter: they hurt nobody, and a short answer may be mere blanks."""

INNER_FREE = 1024**2
"""The same for stages before the last. What they make is compressed still, so next to no content gets there; but all of
it may vanish in the next stage, within one step: 154 bytes of br, 16 MiB of empty blocks of deflate, took 80 ms."""

MAX_CODINGS = 5
"""Codings on top of each other. One is usual, two are a mistake somewhere; each costs a window of up to 16 MiB."""

STEP = 120 * 1024
"""Bytes that the last stage makes at most in one step, some 0.2 ms. Less than the 128 KiB from which on glibc may map
memory anew for each piece, which made steps of 256 KiB half as slow again where nothing else was kept."""

INNER_STEP = 64 * 1024
"""Bytes that go from the wire into the first stage, and from one stage into the next. What is in there counts as used,
so a bomb whose wire is at hand whole still stops at RATIO_FREE; and zlib copies what it has left with each step."""


IDENTITY = ("Accept-Encoding", "identity")
"""The field that asks for content as it is. A request with Range has it: a range of encoded content (RFC 9110 §14.2)
can't be decoded."""


@functools.cache
def accept_encoding() -> str:
    """Return the value of Accept-Encoding that names what can be decoded here (RFC 9110 §12.5.3).

    The first call takes 1 ms, for looking.
    """
    return ", ".join(supported_codings())


def open_decoder(
    content_encoding: str,
    *,
    max_size: int | None = MAX_SIZE,
    max_ratio: float | None = MAX_RATIO,
    is_lenient: bool = False,
) -> Decoder | None:
    """Return a decoder for content with this Content-Encoding, or None if there is nothing to decode.

    Args:
        content_encoding: the field's value, several joined by commas; the coding that was applied first comes first.
        max_size: bytes that may be decoded; None is without end.
        max_ratio: times that they may be more than came, once they are more than RATIO_FREE; None is without end.
        is_lenient: drop bytes after the end of the content, see Decoder.has_excess.

    Raises:
        DecodingError: a coding that can't be decoded here, or more than MAX_CODINGS.
    """
    names = parse_content_encoding(content_encoding)
    if not names:
        return None
    return Decoder([open_stage(name, is_lenient=is_lenient) for name in names], max_size=max_size, max_ratio=max_ratio)


@functools.lru_cache(maxsize=16)  # most programs meet one or two
def parse_content_encoding(value: str) -> tuple[str, ...]:
    """Return the codings in lower case, the one to be undone first first; without words that are not codings.

    Raises:
        DecodingError: more than MAX_CODINGS.
    """
    members = (member.strip(" \t").lower() for member in value.split(","))
    names = [name for name in members if name in CODINGS]
    if len(names) > MAX_CODINGS:
        raise DecodingError(f"expected at most {MAX_CODINGS} content codings, got {len(names)}: {clip(value)}")
    return tuple(reversed(names))


class Decoder:
    """A chain of codings being undone: feed() what came, take() until it gives b"", and so on; finish() at the end.

    After an error it gives the same error again. `received` and `produced` count bytes fed and decoded.
    """

    __slots__ = ("_error", "_made", "_max_ratio", "_max_size", "_stages", "_used", "_wire", "received")

    def __init__(self, stages: list[Stage], *, max_size: int | None, max_ratio: float | None) -> None:
        self._max_size = math.inf if max_size is None else max_size
        self._max_ratio = math.inf if max_ratio is None else max_ratio
        self._stages = stages
        self._made = [0] * len(stages)
        self._used = 0  # bytes of the wire that went into the first stage
        self._wire = Pieces()
        self._error: ContentTooLarge | DecodingError | None = None
        self.received = 0

    @property
    def produced(self) -> int:
        """Bytes decoded so far."""
        return self._made[-1]

    @property
    def has_excess(self) -> bool:
        """Whether bytes after the end of the content were dropped so far."""
        return any(stage.has_excess for stage in self._stages)

    def feed(self, data: bytes) -> None:
        """Add bytes of the content as they came; nothing is decoded yet."""
        if data:
            self._wire.append(data)
            self.received += len(data)

    def take(self, n: int) -> bytes:
        """Return at most n bytes of decoded content, no more than STEP; b"" if that needs more input, or at the end.

        Raises:
            DecodingError: the content is not what its coding says.
            ContentTooLarge: more than max_size or max_ratio allow; no byte beyond max_size has been given out.
            ValueError: n is less than 1.
        """
        if n < 1:
            raise ValueError(f"expected n of at least 1, got {n!r}")
        if self._error is not None:
            raise copy.copy(self._error)
        try:
            return self._pull(len(self._stages) - 1, min(n, STEP))
        except (ContentTooLarge, DecodingError) as error:
            self._error = copy.copy(error)  # without its traceback, which holds this decoder
            raise

    def finish(self) -> None:
        """Check that the content may end here; take() has given b"". No content at all is fine, whatever its coding.

        Raises:
            DecodingError: the content is cut short.
        """
        if self._error is not None:
            raise copy.copy(self._error)
        for stage in self._stages:
            if not stage.is_whole():
                raise DecodingError(f"{stage.name} content cut short after {self.received} bytes")

    def decode_whole(self, data: bytes) -> bytes:
        """Return the decoded content where all of it is at hand; the decoder is used up.

        Raises:
            DecodingError: it is broken or cut short.
            ContentTooLarge: as with take().
        """
        if 0 < len(data) <= INNER_STEP and not self.received:  # as most is: past the wire's queue, in one step
            self.received = self._used = len(data)
            self._stages[0].feed(data)
        else:
            self.feed(data)
        pieces: list[bytes] = []
        while piece := self.take(STEP):
            if not pieces and self._is_whole():
                return piece
            pieces.append(piece)
        self.finish()
        return b"".join(pieces)

    def _is_whole(self) -> bool:
        return not self._wire.size and all(stage.is_whole() for stage in self._stages)

    def _pull(self, index: int, n: int) -> bytes:
        """Return what the stage makes, filling it from the one before, the first from the wire."""
        stage = self._stages[index]
        while True:
            out = stage.take(n)
            if out:
                self._count(index, len(out))
                return out
            data = self._pull(index - 1, INNER_STEP) if index else self._take_wire()
            if not data:
                return b""
            stage.feed(data)

    def _take_wire(self) -> bytes:
        data = self._wire.take(INNER_STEP)
        self._used += len(data)
        return data

    def _count(self, index: int, size: int) -> None:
        self._made[index] = made = self._made[index] + size
        is_last = index == len(self._stages) - 1
        # What is compressed already gets a little longer by a further coding: that is not to be an error.
        if made > (self._max_size if is_last else 2 * self._max_size + INNER_STEP):
            limit = int(self._max_size)
            raise ContentTooLarge(f"decoded content is larger than {limit} bytes", limit)
        # Against what was used, not what was fed: a bomb that is at hand whole may not grow by the part still unused.
        free = RATIO_FREE if is_last else INNER_FREE
        if made > free and made > self._max_ratio * self._used:
            limit = max(free, int(self._max_ratio * self._used))
            raise ContentTooLarge(f"{made} bytes decoded from {self._used}, more than {self._max_ratio:g} times", limit)
