"""Decoders of the content codings: compressed input is fed in pieces, at most n decoded bytes are taken at a time.

The libraries are imported on use: importing all of them takes 10 ms, and most programs only meet gzip.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from ...errors import DecodingError, clip
from ...message.buffer import Pieces

MAX_EMPTY_MEMBERS = 100
"""Consecutive members that decode to nothing. Each costs up to 5 µs for 9 bytes of input, and size limits do not count
it. Real empty members are single: the end of a bgzip file, the frame that pzstd writes before each other frame."""

GZIP: Final = 31
"""The wbits of zlib's functions for members of gzip."""

WINDOW_LOG = 23
"""Maximum zstd window as a power of two: 8 MiB, which receivers must support and senders must not exceed (RFC 9659)."""


CODINGS: Final = frozenset(
    [
        "aes128gcm",
        "br",
        "compress",
        "dcb",
        "dcz",
        "deflate",
        "exi",
        "gzip",
        "pack200-gzip",
        "x-compress",
        "x-gzip",
        "zstd",
    ]
)
"""All content codings in IANA's registry except identity. Servers also put other words into Content-Encoding: a
charset, `none`, or `aws-chunked`, which object storage keeps from an upload. Those do not describe an encoding."""


class Stage(Protocol):
    """The decoder of one coding. Call feed() after take() returned b""; it holds only that one piece of input."""

    name: str
    has_excess: bool
    """True if bytes after the end of the content were dropped; only a lenient decoder drops any."""

    def feed(self, data: bytes) -> None:
        """Add input; all earlier input must have been used."""

    def take(self, n: int) -> bytes:
        """Return at most n decoded bytes; b"" if more input is needed.

        Raises:
            DecodingError: the input is not valid in this coding.
        """
        ...

    def is_whole(self) -> bool:
        """Return True if the content may end here: it is complete and all taken, or there was no input at all."""
        ...


class _Member(Protocol):
    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, n: int, /) -> bytes: ...


class _Format(NamedTuple):
    """The differences between the codings that consist of members (frames in zstd)."""

    name: str
    open: Callable[[bytes], _Member]  # called with the first input
    error: type[Exception]
    may_repeat: bool
    padding: bytes  # bytes allowed between and after members
    first: bytes  # the possible first bytes of a member


class _Members:
    """Decoder of gzip, deflate and zstd: a sequence of members, each decoded by an object of its own.

    A lenient decoder drops bytes after the last member that do not begin another member.
    """

    __slots__ = ("_empty", "_format", "_has_ended", "_input", "_is_lenient", "_member", "has_excess", "name")

    def __init__(self, form: _Format, is_lenient: bool) -> None:
        self.name = form.name
        self.has_excess = False
        self._is_lenient = is_lenient
        self._format = form
        self._member: _Member | None = None
        self._input = b""
        self._has_ended = False  # True after the first whole member
        self._empty = 0  # members opened since the last output

    def feed(self, data: bytes) -> None:
        self._input = data

    def take(self, n: int) -> bytes:
        while True:
            member = self._member or self._open_next()
            if member is None:
                return b""
            try:
                out = member.decompress(self._input, n)
            except self._format.error as exc:
                if self._is_lenient and self._has_ended and self._empty:
                    return self._drop_excess()
                raise DecodingError(f"invalid {self.name} content: {exc}") from exc
            if member.eof:
                self._input, self._member, self._has_ended = member.unused_data, None, True
            else:  # a zstd frame keeps its unused input itself
                self._input = getattr(member, "unconsumed_tail", b"")
            if out:
                self._empty = 0
                return out
            if not self._input:
                return b""

    def is_whole(self) -> bool:
        return self._member is None and not self._input

    def _drop_excess(self) -> bytes:
        self._input, self._member, self.has_excess = b"", None, True
        return b""

    def _is_excess(self) -> bool:
        """Return True if a lenient decoder should drop the input after a whole member.

        The first byte decides, because the library would wait for more input.
        """
        if not (self._is_lenient and self._has_ended):
            return False
        return self.has_excess or not self._format.may_repeat or self._input[0] not in self._format.first

    def _open_next(self) -> _Member | None:
        if self._has_ended:
            self._input = self._input.lstrip(self._format.padding)
        if self._input and self._is_excess():
            self._drop_excess()
        if not self._input:
            return None
        if self._has_ended and not self._format.may_repeat:
            raise DecodingError(f"expected the end of {self.name} content, got {clip(self._input[:80])}")
        if self._empty == MAX_EMPTY_MEMBERS:
            raise DecodingError(f"{MAX_EMPTY_MEMBERS} empty members of {self.name} content in a row")
        self._empty += 1
        self._member = self._format.open(self._input)
        return self._member


class _Brotli:
    """Decoder of br (RFC 7932): one stream with a window of at most 16 MiB.

    The library returns blocks of at least 32 KiB; bytes beyond n are kept here.
    """

    __slots__ = ("_decoded", "_error", "_has_begun", "_input", "_stream", "name")

    has_excess = False  # the library fails on bytes after the end without telling their position

    def __init__(self, module: Any) -> None:
        self.name = "br"
        self._stream = module.Decompressor()
        self._error: type[Exception] = module.error
        self._has_begun = False
        self._input = b""
        self._decoded = Pieces()

    def feed(self, data: bytes) -> None:
        self._input = data
        self._has_begun = True

    def take(self, n: int) -> bytes:
        if not self._decoded.size:
            try:  # a limit of 1 makes the library stop after its first block
                out = self._stream.process(self._input, output_buffer_limit=1)
            except self._error as exc:
                raise DecodingError(f"invalid br content: {exc}") from exc
            self._input = b""
            if len(out) <= n:
                return bytes(out)
            self._decoded.append(out)
        return self._decoded.take(n)

    def is_whole(self) -> bool:
        return not self._has_begun or (self._stream.is_finished() and not self._decoded.size and not self._input)


def supported_codings() -> list[str]:
    """Return the supported codings by their names in RFC 9110 §8.4.1; x-gzip is supported but not listed."""
    optional = {"br": bounded_brotli, "zstd": find_zstd}
    return ["gzip", "deflate", *(name for name, find in optional.items() if find() is not None)]


def open_stage(name: str, *, is_lenient: bool = False) -> Stage:
    """Return a decoder for a coding, by its lower-case name; a lenient one drops bytes after the end.

    Raises:
        DecodingError: the coding is not supported; the text names the extra to install, if there is one.
    """
    if name in ("gzip", "x-gzip"):
        return _Members(_gzip(), is_lenient)
    if name == "deflate":
        return _Members(_deflate(), is_lenient)
    if name == "br" and (brotli := bounded_brotli()):
        return _Brotli(brotli)
    if name == "zstd" and find_zstd():
        return _Members(_zstd(), is_lenient)
    if name in ("br", "zstd"):
        raise DecodingError(f"content is in {name}, which needs an extra: pip install asyncclient-http[compress]")
    expected = ", ".join(supported_codings())
    raise DecodingError(f"expected content codings among {expected}, got {name!r}")


def decode_gzip(data: bytes, n: int) -> bytes | None:
    """Return the content of gzip that is one member and decodes to at most n bytes; None for anything else.

    The content is decoded by one call, without a stage (decision 64). Where it returns None, a stage finds the reason.
    """
    zlib = load_zlib()
    member = zlib.decompressobj(GZIP)
    try:
        content: bytes = member.decompress(data, n)
    except zlib.error:
        return None
    return content if member.eof and not member.unused_data else None


@functools.cache
def load_zlib() -> Any:
    """Return zlib-ng if it is installed, otherwise zlib (decision 55)."""
    try:
        return importlib.import_module("zlib_ng.zlib_ng")
    except ImportError:
        return importlib.import_module("zlib")


@functools.cache
def bounded_brotli() -> Any | None:
    """Return the module brotli; None if it is missing, or older than 1.2 and cannot limit its output.

    It is imported to find out (1 ms): version 1.1 is widely installed and decodes 14 bytes to 1 MiB in one step.
    """
    try:
        module = importlib.import_module("brotli")
    except ImportError:
        return None
    return module if hasattr(module.Decompressor, "can_accept_more_data") else None


@functools.cache
def find_zstd() -> str | None:
    """Return the name of the zstd module, without importing it (10 ms); None if there is none."""
    # _zstd: a Python built without the library still has compression.zstd.
    names = ("_zstd", "compression.zstd") if sys.version_info >= (3, 14) else ("backports", "backports.zstd")
    return names[-1] if all(map(importlib.util.find_spec, names)) else None


@functools.cache
def _gzip() -> _Format:
    """Return the gzip format: a header, deflate, and a trailer with CRC and length that zlib checks (RFC 1952).

    Zeros after a member are allowed, as in gzip and Python's gzip: some writers pad their last block. Other bytes must
    be another member. Browsers drop them silently, but then content could be lost silently too.
    """
    zlib = load_zlib()
    return _Format("gzip", lambda _data: zlib.decompressobj(GZIP), zlib.error, True, b"\0", b"\x1f")


@functools.cache
def _deflate() -> _Format:
    """Return the deflate format: zlib's, as RFC 9110 §8.4.1.2 requires, or raw deflate, as many servers send.

    The low four bits of the first byte tell them apart: 8 in zlib (RFC 1950 §2.2); in raw deflate that would be a
    stored block with a padding bit set, which no compressor writes (RFC 1951 §3.2.4).
    """
    zlib = load_zlib()

    def open_member(data: bytes) -> _Member:
        member: _Member = zlib.decompressobj(15 if data[0] & 15 == 8 else -15)
        return member

    return _Format("deflate", open_member, zlib.error, False, b"", b"")


_ZSTD_FIRST = bytes((0x28, *range(0x50, 0x60)))
"""RFC 8878 §3.1: first bytes of a frame and of skippable frames."""


@functools.cache
def _zstd() -> _Format:
    module = importlib.import_module(find_zstd() or "")
    options = {module.DecompressionParameter.window_log_max: WINDOW_LOG}

    def open_frame(_data: bytes) -> _Member:
        frame: _Member = module.ZstdDecompressor(options=options)
        return frame

    return _Format("zstd", open_frame, module.ZstdError, True, b"", _ZSTD_FIRST)
