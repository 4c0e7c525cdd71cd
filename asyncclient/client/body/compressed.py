"""The body of a request that is compressed while it is sent."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Final, Protocol

from ...errors import clip
from ...exchange.body import BLOCKSIZE, Source
from ...exchange.stream import Buffer
from ...message.fields import Pairs
from ...stream.files import offload
from ..content.codings import GZIP, bounded_brotli, find_zstd, load_zlib
from .payload import BytesPayload, Payload, WrappedPayload

IN_PLACE: Final = 16 * 1024
"""Bytes that are compressed without a worker thread: in less than a millisecond."""

_BROTLI_QUALITY: Final = 5
"""Of 11, which takes a second for a megabyte; 5 compresses better than gzip, and as fast."""

_FRAMING: Final = frozenset(("content-encoding", "content-length"))


class Compressor(Protocol):
    """A compressor of one body."""

    def compress(self, data: Buffer, /) -> bytes:
        """Return compressed bytes as far as there are any; the others are kept for the next call."""
        ...

    def flush(self) -> bytes:
        """Return the last compressed bytes."""
        ...


def check_coding(coding: str) -> None:
    """Check the coding of a body that is to be compressed.

    Raises:
        ValueError: it is not gzip, deflate, zstd or br.
        ImportError: its library is not installed.
    """
    if coding not in _OPENERS:
        raise ValueError(f"expected gzip, deflate, zstd or br as compress, got {clip(coding)}")
    if (coding == "br" and bounded_brotli() is None) or (coding == "zstd" and find_zstd() is None):
        raise ImportError(f"compress={coding!r} needs the extra asyncclient-http[compress]")


def compress_payload(payload: Payload, coding: str) -> Payload:
    """Return a body compressed: at once if it is in memory and small, otherwise while it is sent."""
    if payload.data is None or len(payload.data) > BLOCKSIZE:
        return CompressedPayload(payload, coding)
    compressor = _OPENERS[coding]()
    data = compressor.compress(payload.data) + compressor.flush()
    return BytesPayload(data, payload.content_type)


def declare_coding(pairs: Pairs, coding: str) -> Pairs:
    """Return the fields of a request with Content-Encoding.

    Raises:
        ValueError: the fields declare a coding or a length, which are unknown to the caller.
    """
    for name, value in pairs:
        if name.lower() in _FRAMING and value is not None:
            raise ValueError(f"expected no {name} with compress={coding!r}: the client sets it")
    return [*pairs, ("Content-Encoding", coding)]


class CompressedPayload(WrappedPayload):
    """A body that is compressed again for each sending. Its length is unknown, so it is sent in chunks."""

    def __init__(self, payload: Payload, coding: str) -> None:
        super().__init__(payload)
        self._coding = coding

    async def open(self, blocksize: int = BLOCKSIZE, *, lazy: bool = False) -> Source:
        """See Payload."""
        return _CompressedSource(await self._payload.open(blocksize, lazy=lazy), _OPENERS[self._coding]())

    def store(self) -> Payload:
        """See Payload."""
        return CompressedPayload(self._payload.store(), self._coding)


class _CompressedSource(Source):
    __slots__ = ("_compressor", "_is_over", "_source")

    def __init__(self, source: Source, compressor: Compressor) -> None:
        super().__init__(None)
        self._source = source
        self._compressor = compressor
        self._is_over = False

    async def read(self) -> Buffer:
        self.has_begun = True
        while not self._is_over:
            if data := await self._read_next():
                return self._count(data)
        return b""

    async def _read_next(self) -> bytes:
        """Return the compressed bytes of the next chunk; b"" if the compressor keeps them."""
        chunk = await self._source.read()
        if not chunk:
            self._is_over = True
            return self._compressor.flush()
        if len(chunk) <= IN_PLACE:
            return self._compressor.compress(chunk)
        compressed: bytes = await offload(self._compressor.compress, chunk)
        return compressed

    async def aclose(self) -> None:
        await self._source.aclose()


class _Brotli:
    """The compressor of brotli, with the methods of the others."""

    def __init__(self) -> None:
        module: Any = bounded_brotli()
        self._compressor = module.Compressor(quality=_BROTLI_QUALITY)

    def compress(self, data: Buffer, /) -> bytes:
        compressed: bytes = self._compressor.process(bytes(data))
        return compressed

    def flush(self) -> bytes:
        compressed: bytes = self._compressor.finish()
        return compressed


def _open_gzip() -> Compressor:
    compressor: Compressor = load_zlib().compressobj(wbits=GZIP)
    return compressor


def _open_deflate() -> Compressor:
    """Return a compressor of zlib's format, which HTTP calls deflate (RFC 9110 §8.4.1.2)."""
    compressor: Compressor = load_zlib().compressobj(wbits=15)
    return compressor


def _open_zstd() -> Compressor:
    """Return a compressor with the default level, whose window is within the limit of RFC 9659."""
    compressor: Compressor = importlib.import_module(find_zstd() or "").ZstdCompressor()
    return compressor


_OPENERS: Final[dict[str, Callable[[], Compressor]]] = {
    "gzip": _open_gzip,
    "deflate": _open_deflate,
    "zstd": _open_zstd,
    "br": _Brotli,
}
