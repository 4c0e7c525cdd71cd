"""The content codings, one at a time: compressed bytes go in by pieces, at most n decoded bytes come out at a time.

The libraries are found when first needed: importing all of them takes 10 ms, and most programs meet gzip alone.
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
"""Members in a row that decode to nothing. Each costs up to 5 µs for 9 bytes of wire, and no limit on size sees them;
real ones come alone: the end of a bgzip file, the frame that pzstd puts before each other."""

WINDOW_LOG = 23
"""Window of zstd, as a power of two: 8 MiB, which a receiver has to support and a sender may not exceed (RFC 9659)."""


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
"""All content codings, by IANA's registry, but identity. Servers write other words into Content-Encoding, too: a
charset, `none`, or `aws-chunked`, which storage keeps from an upload. Those say nothing of how content is encoded."""


class Stage(Protocol):
    """The decoder of one coding. It takes input after take() gave b"", and holds no more than that piece of it."""

    name: str
    has_excess: bool
    """Whether bytes after the end of the content were dropped; only a lenient decoder drops any."""

    def feed(self, data: bytes) -> None:
        """Take more input; all before it must have been used up."""

    def take(self, n: int) -> bytes:
        """Return at most n decoded bytes, b"" if that needs more input.

        Raises:
            DecodingError: the input is not of this coding.
        """
        ...

    def is_whole(self) -> bool:
        """Return whether the content may end here: it was complete and all of it given out, or nothing ever came."""
        ...


class _Member(Protocol):
    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, n: int, /) -> bytes: ...


class _Format(NamedTuple):
    """What differs between the codings that are made of members (called frames in zstd)."""

    name: str
    open: Callable[[bytes], _Member]  # given the first bytes
    error: type[Exception]
    may_repeat: bool
    padding: bytes  # what may stand between and after members
    first: bytes  # each byte with which a member may begin


class _Members:
    """gzip, deflate and zstd: members one after another, each decoded by an object of its own.

    A lenient one drops what follows the last member and does not begin a further one.
    """

    __slots__ = ("_empty", "_format", "_has_ended", "_input", "_is_lenient", "_member", "has_excess", "name")

    def __init__(self, form: _Format, is_lenient: bool) -> None:
        self.name = form.name
        self.has_excess = False
        self._is_lenient = is_lenient
        self._format = form
        self._member: _Member | None = None
        self._input = b""
        self._has_ended = False  # one member at least
        self._empty = 0  # members begun since the last that made something

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
            else:  # a frame of zstd keeps what it did not use
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
        """Return whether the input after a whole member is not the beginning of a further one, for a lenient decoder.

        The library would wait for more where the first byte alone tells.
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
    """br (RFC 7932): one stream, with a window of at most 16 MiB.

    The library gives blocks of its own size, at least 32 KiB: what is beyond n waits here.
    """

    __slots__ = ("_error", "_has_begun", "_input", "_made", "_stream", "name")

    has_excess = False  # the library fails on bytes after the end, and does not tell where that is

    def __init__(self, module: Any) -> None:
        self.name = "br"
        self._stream = module.Decompressor()
        self._error: type[Exception] = module.error
        self._has_begun = False
        self._input = b""
        self._made = Pieces()

    def feed(self, data: bytes) -> None:
        self._input = data
        self._has_begun = True

    def take(self, n: int) -> bytes:
        if not self._made.size:
            try:  # a limit of 1 makes it stop after its first block
                out = self._stream.process(self._input, output_buffer_limit=1)
            except self._error as exc:
                raise DecodingError(f"invalid br content: {exc}") from exc
            self._input = b""
            if len(out) <= n:
                return bytes(out)
            self._made.append(out)
        return self._made.take(n)

    def is_whole(self) -> bool:
        return not self._has_begun or (self._stream.is_finished() and not self._made.size and not self._input)


def supported_codings() -> list[str]:
    """Return the codings that can be decoded here, by the names of RFC 9110 §8.4.1; x-gzip is not said but known."""
    optional = {"br": bounded_brotli, "zstd": find_zstd}
    return ["gzip", "deflate", *(name for name, find in optional.items() if find() is not None)]


def open_stage(name: str, *, is_lenient: bool = False) -> Stage:
    """Return a decoder of the coding with this name, in lower case; a lenient one drops bytes after the end.

    Raises:
        DecodingError: the coding can't be decoded here; the text names the extra to install, if there is one.
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


@functools.cache
def load_zlib() -> Any:
    """Return zlib-ng where it is installed, else zlib.

    400 kB of JSON out of 110 kB of gzip, 3.11 and 3.13 alike: 745 µs with zlib-ng, 1300 with zlib; 4 kB: 12 and 13.
    """
    try:
        return importlib.import_module("zlib_ng.zlib_ng")
    except ImportError:
        return importlib.import_module("zlib")


@functools.cache
def bounded_brotli() -> Any | None:
    """Return the module brotli, or None if there is none or it is older than 1.2 and knows no bound on its output.

    The one that is imported to be known (1 ms): 1.1 is on many machines, and decodes 14 bytes to 1 MiB in one step.
    """
    try:
        module = importlib.import_module("brotli")
    except ImportError:
        return None
    return module if hasattr(module.Decompressor, "can_accept_more_data") else None


@functools.cache
def find_zstd() -> str | None:
    """Return the name of the module for zstd, None if there is none; it is not imported (10 ms)."""
    # _zstd: compression.zstd is there also in a Python built without the library.
    names = ("_zstd", "compression.zstd") if sys.version_info >= (3, 14) else ("backports", "backports.zstd")
    return names[-1] if all(map(importlib.util.find_spec, names)) else None


@functools.cache
def _gzip() -> _Format:
    """What gzip is: a header, deflate, a trailer with CRC and length, both checked by zlib (RFC 1952).

    Zeros after a member are let pass, as gzip and Python's own gzip do: some writers fill up their last block. Any
    other bytes there have to be a member: browsers drop them unseen, but then content could be lost unseen too.
    """
    zlib = load_zlib()
    return _Format("gzip", lambda _data: zlib.decompressobj(31), zlib.error, True, b"\0", b"\x1f")


@functools.cache
def _deflate() -> _Format:
    """What deflate is: zlib's format, as RFC 9110 §8.4.1.2 wants it, or raw deflate, as many servers have sent it.

    The low four bits of the first byte tell: 8 in zlib (RFC 1950 §2.2); in raw deflate that would be a stored block
    with a bit set in its padding, which no compressor writes (RFC 1951 §3.2.4).
    """
    zlib = load_zlib()

    def open_member(data: bytes) -> _Member:
        member: _Member = zlib.decompressobj(15 if data[0] & 15 == 8 else -15)
        return member

    return _Format("deflate", open_member, zlib.error, False, b"", b"")


_ZSTD_FIRST = bytes((0x28, *range(0x50, 0x60)))
"""RFC 8878 §3.1: of a frame, and of the skippable ones."""


@functools.cache
def _zstd() -> _Format:
    module = importlib.import_module(find_zstd() or "")
    options = {module.DecompressionParameter.window_log_max: WINDOW_LOG}

    def open_frame(_data: bytes) -> _Member:
        frame: _Member = module.ZstdDecompressor(options=options)
        return frame

    return _Format("zstd", open_frame, module.ZstdError, True, b"", _ZSTD_FIRST)
