"""Content codings decoded: content of the usual libraries, and hostile content."""

from __future__ import annotations

import functools
import gc
import gzip
import importlib
import json
import random
import re
import subprocess
import sys
import types
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.client.content import codings, decoding
from asyncclient.client.content.decoding import (
    INNER_FREE,
    MAX_DECODE_STEP,
    MAX_INNER_STEP,
    MAX_RATIO,
    RATIO_FREE,
    Decoder,
    accept_encoding,
    open_decoder,
)
from asyncclient.errors import ContentTooLarge, DecodingError

ROOT = Path(__file__).resolve().parent.parent.parent
MIB = 1024**2

brotli: Any = importlib.import_module("brotli")
zstd: Any = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

Compress = Callable[[bytes], bytes]


def deflate(content: bytes, level: int = 6, wbits: int = 15) -> bytes:
    compressor = zlib.compressobj(level, wbits=wbits)
    return compressor.compress(content) + compressor.flush()


# By a name for the test: the value of Content-Encoding, and what compresses so.
CODINGS: dict[str, tuple[str, Compress]] = {
    "gzip": ("gzip", functools.partial(gzip.compress, mtime=0)),
    "zlib": ("deflate", deflate),
    "raw deflate": ("deflate", functools.partial(deflate, wbits=-15)),
    "br": ("br", functools.partial(brotli.compress, quality=5)),
    "zstd": ("zstd", zstd.compress),
}
CHAINS = [["gzip", "gzip"], ["br", "gzip"], ["zstd", "br", "zlib"], ["raw deflate", "zstd", "gzip", "br", "zlib"]]
ALL = [*([name] for name in CODINGS), *CHAINS]

LONG = json.dumps([{"number": n, "square": n * n, "name": f"row {n % 97}"} for n in range(20_000)]).encode()
CONTENTS = {
    "nothing": b"",
    "one byte": b"x",
    "text": b"it was the best of times, it was the worst of times",
    "long": LONG,
    "random": random.Random(1).randbytes(300_000),
}


def encode(chain: list[str], content: bytes) -> tuple[str, bytes]:
    """The value of Content-Encoding, and the content compressed by each of the chain in its turn."""
    for name in chain:
        content = CODINGS[name][1](content)
    return ", ".join(CODINGS[name][0] for name in chain), content


def decoder_for(content_encoding: str, **bounds: Any) -> Decoder:
    decoder = open_decoder(content_encoding, **bounds)
    assert decoder is not None
    return decoder


def decode(content_encoding: str, *pieces: bytes, n: int = MAX_DECODE_STEP, **bounds: Any) -> bytes:
    """Decode piece by piece, at most n bytes at a time."""
    decoder = decoder_for(content_encoding, **bounds)
    decoded = b"".join(part for piece in pieces for part in fed(decoder, piece, n))
    decoder.finish()
    assert (decoder.received, decoder.produced) == (sum(map(len, pieces)), len(decoded))
    return decoded


def fed(decoder: Decoder, piece: bytes, n: int = MAX_DECODE_STEP) -> Iterator[bytes]:
    decoder.feed(piece)
    while part := decoder.take(n):
        assert len(part) <= n
        yield part


def each_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The installed libraries, to be changed: the result of the search is forgotten before and after."""
    caches: list[Any] = [value for value in vars(codings).values() if hasattr(value, "cache_clear")]
    caches.append(accept_encoding)
    for cache in caches:
        cache.cache_clear()
    yield monkeypatch
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("chain", ALL, ids=", ".join)
def test_encoded_content_is_decoded(chain: list[str], content: bytes) -> None:
    coding, data = encode(chain, content)
    assert decode(coding, data) == content
    assert decoder_for(coding).decode_whole(data) == content


@pytest.mark.parametrize("chain", ALL, ids=", ".join)
def test_content_may_be_received_byte_by_byte(chain: list[str]) -> None:
    coding, data = encode(chain, CONTENTS["text"])
    assert decode(coding, *each_byte(data), n=1) == CONTENTS["text"]


@given(
    chain=st.sampled_from(ALL),
    content=st.one_of(st.binary(max_size=500), st.builds(lambda at: LONG[at : at + 200_000], st.integers(0, 10**6))),
    cuts=st.lists(st.integers(0, 10**5), max_size=20),
    n=st.sampled_from([100, 4096, 65536, 10**9]),
)
def test_content_in_pieces_of_any_size_is_decoded_alike(
    chain: list[str], content: bytes, cuts: list[int], n: int
) -> None:
    coding, data = encode(chain, content)
    ends = [*sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert decode(coding, *pieces, n=n) == content


@given(content=st.binary(max_size=300), level=st.integers(0, 9), wbits=st.sampled_from([-15, -9, 9, 15]))
def test_the_first_byte_distinguishes_zlib_from_raw_deflate(content: bytes, level: int, wbits: int) -> None:
    assert decode("deflate", deflate(content, level, wbits)) == content


def test_a_step_is_bounded_for_any_size_asked_for() -> None:
    for coding, data in (encode([name], bytes(MIB)) for name in CODINGS):
        decoder = decoder_for(coding)
        assert max(map(len, fed(decoder, data, n=10**9))) <= MAX_DECODE_STEP


def test_nothing_is_decoded_before_it_is_taken() -> None:
    decoder = decoder_for("gzip")
    decoder.feed(gzip.compress(LONG))
    assert decoder.produced == 0
    assert decoder.take(10) == LONG[:10]
    assert decoder.produced == 10


@pytest.mark.parametrize("n", [0, -1])
def test_taking_less_than_a_byte_is_an_error(n: int) -> None:
    with pytest.raises(ValueError, match=f"expected n of at least 1, got {n}"):
        decoder_for("gzip").take(n)


# Values of Content-Encoding


NO_CODINGS = ["none", "utf-8", "aws-chunked", "UTF-8, aws-chunked", "gzip;q=1", "x-deflate", "g zip", "chunked", "*"]


@pytest.mark.parametrize(
    "value", ["", "identity", "Identity, identity", " , ", "\t", "x" * 10_000, "x," * 10_000, *NO_CODINGS]
)
def test_without_a_coding_there_is_nothing_to_decode(value: str) -> None:
    assert open_decoder(value) is None


@pytest.mark.parametrize(
    "value",
    [
        *("GZip", "x-gzip", "X-GZIP", " gzip\t", ",gzip,,", "identity, gzip", "gzip , Identity"),
        *("aws-chunked, gzip", "gzip,aws-chunked", "utf-8, none, gzip"),
    ],
)
def test_names_of_codings_are_read_generously(value: str) -> None:
    assert decode(value, gzip.compress(b"content")) == b"content"


@pytest.mark.parametrize("value", ["compress", "X-Compress", "gzip, aes128gcm", "dcb", "none, dcz", "exi"])
def test_coding_that_is_known_but_not_supported_is_refused_before_anything_is_decoded(value: str) -> None:
    with pytest.raises(
        DecodingError, match=r"^expected content codings among gzip, deflate, br, zstd, got '[a-z0-9-]+'$"
    ):
        open_decoder(value)


def test_five_codings_are_enough() -> None:
    coding, data = encode(["gzip"] * 5, b"content")
    assert decode(coding + ", identity", data) == b"content"
    with pytest.raises(DecodingError, match="expected at most 5 content codings, got 6: 'gzip, gzip"):
        open_decoder(coding + ", gzip")


# Content that is broken


@pytest.mark.parametrize("chain", ALL, ids=", ".join)
def test_content_cut_short_anywhere_is_an_error(chain: list[str]) -> None:
    coding, data = encode(chain, CONTENTS["text"])
    for end in range(1, len(data)):
        with pytest.raises(DecodingError, match=rf"content cut short after {end} bytes$"):
            decode(coding, data[:end])
        with pytest.raises(DecodingError, match=rf"content cut short after {end} bytes$"):
            decoder_for(coding).decode_whole(data[:end])


@pytest.mark.parametrize("chain", ALL, ids=", ".join)
def test_empty_content_is_accepted(chain: list[str]) -> None:
    coding, _ = encode(chain, b"")
    assert decode(coding) == b""
    assert decode(coding, b"", b"") == b""
    assert decoder_for(coding).decode_whole(b"") == b""


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "br, gzip"])
@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff not compressed at all", b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"])
def test_content_of_another_kind_is_an_error(coding: str, data: bytes) -> None:
    with pytest.raises(DecodingError):
        decode(coding, data)


@pytest.mark.parametrize("name", CODINGS)
def test_codings_are_not_guessed(name: str) -> None:
    coding, data = encode([name], CONTENTS["text"])
    for other in {"gzip", "deflate", "br", "zstd"} - {coding}:
        with pytest.raises(DecodingError):
            decode(other, data)


@pytest.mark.parametrize("name", ["gzip", "zlib"])
def test_a_wrong_check_sum_or_length_is_an_error(name: str) -> None:
    coding, data = encode([name], CONTENTS["text"])
    for at in range(-8 if name == "gzip" else -4, 0):
        broken = bytearray(data)
        broken[at] ^= 1
        with pytest.raises(DecodingError, match=r"incorrect (data|length) check"):
            decode(coding, bytes(broken))


def test_a_wrong_check_sum_of_zstd_is_an_error() -> None:
    data = zstd.compress(CONTENTS["text"], options={zstd.CompressionParameter.checksum_flag: 1})
    assert decode("zstd", data) == CONTENTS["text"]
    with pytest.raises(DecodingError, match=r"invalid zstd content: .*checksum"):
        decode("zstd", data[:-1] + bytes([data[-1] ^ 1]))


def test_a_preset_dictionary_is_not_known() -> None:
    compressor = zlib.compressobj(zdict=b"it was the best of times")
    with pytest.raises(DecodingError, match="invalid deflate content"):
        decode("deflate", compressor.compress(b"it was the worst of times") + compressor.flush())


@pytest.mark.parametrize("chain", [*([name] for name in CODINGS), ["br", "gzip"]], ids=", ".join)
@pytest.mark.parametrize("garbage", [b"x", b"\x1e\x8b", b"\xff" * 100, b"\0x"])
def test_bytes_after_the_end_are_an_error(chain: list[str], garbage: bytes) -> None:
    coding, data = encode(chain, CONTENTS["text"])
    for pieces in [[data + garbage], [data, garbage], each_byte(data + garbage)]:
        with pytest.raises(DecodingError):
            decode(coding, *pieces)
    with pytest.raises(DecodingError):
        decoder_for(coding).decode_whole(data + garbage)


def test_a_decoder_raises_the_same_error_again() -> None:
    decoder = decoder_for("zstd")
    decoder.feed(b"not zstd")
    for _ in range(2):
        with pytest.raises(DecodingError, match="invalid zstd content"):
            decoder.take(1)
    decoder.feed(zstd.compress(b"content"))
    with pytest.raises(DecodingError, match="invalid zstd content"):
        decoder.take(1)
    with pytest.raises(DecodingError, match="invalid zstd content"):
        decoder.finish()


def test_an_error_does_not_keep_the_decoder_alive() -> None:
    decoder = decoder_for("gzip")
    decoder.feed(b"not gzip")
    gc.collect()
    for _ in range(2):
        try:
            decoder.take(1)
        except DecodingError:
            pass
    del decoder
    assert gc.collect() == 0


# Members


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_several_members_are_one_content(name: str) -> None:
    coding, compress = CODINGS[name]
    data = compress(b"one, ") + compress(b"") + compress(LONG) + compress(b", three")
    expected = b"one, " + LONG + b", three"
    assert decode(coding, data) == decoder_for(coding).decode_whole(data) == expected
    assert decode(coding, compress(b"one, "), compress(b"two")) == b"one, two"
    assert decode(coding, *each_byte(compress(b"one, ") + compress(b"two"))) == b"one, two"
    with pytest.raises(DecodingError, match="cut short"):
        decode(coding, data[:-1])


def test_a_member_may_end_where_a_step_does() -> None:
    content = CONTENTS["random"][: MAX_INNER_STEP - len(gzip.compress(b"x" * 1000, 0)) + 1000]
    member = gzip.compress(content, 0)
    assert len(member) == MAX_INNER_STEP
    assert decoder_for("gzip").decode_whole(member * 3) == content * 3
    with pytest.raises(DecodingError, match="cut short"):
        decoder_for("gzip").decode_whole(member + b"\x1f")


def test_zeros_after_gzip_are_accepted() -> None:
    one, two = gzip.compress(b"one"), gzip.compress(b"two")
    assert decode("gzip", one + bytes(500)) == gzip.decompress(one + bytes(500)) == b"one"
    assert decode("gzip", one, bytes(100_000), bytes(3)) == b"one"
    assert decoder_for("gzip").decode_whole(one + bytes(3)) == b"one"
    assert decode("gzip", one + bytes(5), bytes(3) + two) == b"onetwo"


@pytest.mark.parametrize("name", ["zlib", "br"])
def test_other_codings_have_one_member_and_no_filling(name: str) -> None:
    coding, data = encode([name], b"one")
    for more in (data, b"\0"):
        with pytest.raises(DecodingError):
            decode(coding, data, more)


def test_frames_of_zstd_may_be_skippable() -> None:
    skipped = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"
    data = skipped + zstd.compress(b"one") + skipped + zstd.compress(b"two") + skipped
    assert decode("zstd", data) == decode("zstd", *each_byte(data)) == b"onetwo"
    with pytest.raises(DecodingError, match="cut short"):
        decode("zstd", data[:-1])


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_empty_members_in_a_row_are_limited(name: str) -> None:
    coding, compress = CODINGS[name]
    some = compress(b"") * (codings.MAX_EMPTY_MEMBERS - 1)
    assert decode(coding, some, compress(b"x"), some, compress(b""), n=1) == b"x"
    for content in (b"", b"x"):
        with pytest.raises(DecodingError, match=f"100 empty members of {name} content in a row"):
            decode(coding, some, compress(b""), compress(content))


@pytest.mark.parametrize(("log", "is_allowed"), [(23, True), (24, False)])
def test_zstd_has_a_window_of_8_mib_at_most(log: int, is_allowed: bool) -> None:
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
    data = compressor.compress(b"one, ") + compressor.compress(b"two") + compressor.flush()
    if is_allowed:
        assert decode("zstd", data) == b"one, two"
        return
    with pytest.raises(DecodingError, match=r"invalid zstd content: .*too much memory"):
        decode("zstd", data)


# Content that is too large


@pytest.mark.parametrize("chain", ALL, ids=", ".join)
def test_max_size_bounds_the_decoded_bytes(chain: list[str]) -> None:
    for content in (CONTENTS["text"], CONTENTS["random"], LONG):
        coding, data = encode(chain, content)
        assert decode(coding, data, max_size=len(content)) == content
        decoder, given_out = decoder_for(coding, max_size=len(content) - 1), 0
        with pytest.raises(ContentTooLarge, match=f"decoded content is larger than {len(content) - 1} bytes") as caught:
            for part in fed(decoder, data, 4096):
                given_out += len(part)
        assert given_out < len(content)
        assert caught.value.limit == len(content) - 1
        with pytest.raises(ContentTooLarge):
            decoder.take(1)
        with pytest.raises(ContentTooLarge):
            decoder_for(coding, max_size=len(content) - 1).decode_whole(data)


def test_max_size_bounds_the_bytes_between_stages_as_well() -> None:
    coding, data = "deflate, gzip", gzip.compress(b"\0\0\0\xff\xff" * MIB)
    with pytest.raises(ContentTooLarge, match="decoded content is larger than 1000 bytes"):
        decode(coding, data, max_size=1000, max_ratio=None)


@pytest.mark.parametrize("chain", [*([name] for name in CODINGS), ["gzip", "br"]], ids=", ".join)
def test_the_ratio_counts_from_16_mib_on(chain: list[str]) -> None:
    coding, data = encode(chain, bytes(RATIO_FREE))
    assert decoder_for(coding).decode_whole(data) == bytes(RATIO_FREE)
    coding, data = encode(chain, bytes(RATIO_FREE + MIB))
    with pytest.raises(ContentTooLarge, match=r"^16\d{6} bytes decoded from \d+, more than 250 times$") as caught:
        decode(coding, data)
    assert caught.value.limit == RATIO_FREE
    assert decoder_for(coding, max_ratio=None).decode_whole(data) == bytes(RATIO_FREE + MIB)


def test_the_ratio_is_to_the_received_bytes() -> None:
    head = random.Random(2).randbytes(2 * MIB // 100)
    content = head + bytes(RATIO_FREE)
    data = gzip.compress(content)
    ratio = len(content) / len(data)
    assert decode("gzip", data, max_ratio=ratio) == content
    with pytest.raises(ContentTooLarge, match="more than 100 times") as caught:
        decode("gzip", data, max_ratio=100)
    assert ratio > 100
    assert caught.value.limit == RATIO_FREE


def test_repetitive_text_is_decoded() -> None:
    content = b"".join(b"2024-01-01T00:00:%02d GET /index.html %d\n" % (n % 60, 200 + n % 5) for n in range(480_000))
    assert len(content) > RATIO_FREE
    data = gzip.compress(content)
    assert len(content) > 100 * len(data) > 100 * len(content) / MAX_RATIO
    assert decoder_for("gzip").decode_whole(data) == content


@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
def test_bytes_that_the_next_stage_discards_are_bounded_as_well(name: str) -> None:
    coding, compress = CODINGS[name]
    decoder = decoder_for(f"deflate, {coding}")
    decoder.feed(compress(b"\0\0\0\xff\xff" * (4 * MIB)))
    with pytest.raises(ContentTooLarge, match=r"^\d+ bytes decoded from \d+, more than 250 times$") as caught:
        decoder.take(1)
    made, used = map(int, re.findall(r"\d+", str(caught.value))[:2])
    assert caught.value.limit == max(INNER_FREE, 250 * used)
    assert caught.value.limit < made <= caught.value.limit + MAX_INNER_STEP
    assert decoder.produced == 0


BOMB_SIZE = 300 * MIB

DECODE_A_BOMB = """
import sys
from pathlib import Path
from asyncclient.client.content.decoding import open_decoder
from asyncclient.errors import ContentTooLarge

def high_water():
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])

way, coding, path = sys.argv[1:]
before, outcome = high_water(), "whole"
decoder = open_decoder(coding, **({"max_ratio": None} if way == "unbounded" else {}))
kept = []
try:
    if way == "at once":
        kept.append(decoder.decode_whole(Path(path).read_bytes()))
    else:
        with open(path, "rb") as file:
            while data := file.read(256 * 1024):
                decoder.feed(data)
                while piece := decoder.take(256 * 1024):
                    if way == "kept":
                        kept.append(piece)
except ContentTooLarge as error:
    outcome = f"too large, {error.limit}"
print(high_water() - before, decoder.produced, outcome, sep="; ")
"""


def zeros_through(*compressors: Any) -> bytes:
    """BOMB_SIZE zeros through compressors, made in steps."""
    steps, zeros, out = BOMB_SIZE // MIB, bytes(MIB), []
    for _ in range(steps):
        out.append(functools.reduce(lambda data, compressor: compressor.compress(data), compressors, zeros))
    return b"".join([*out, *(compressor.flush() for compressor in compressors)])


class _BrotliCompressor:
    def __init__(self) -> None:
        compressor = brotli.Compressor(quality=1)
        self.compress, self.flush = compressor.process, compressor.finish


@functools.cache
def build_bomb(coding: str) -> bytes:
    make: dict[str, Callable[[], Any]] = {
        "gzip": lambda: zlib.compressobj(wbits=31),
        "deflate": zlib.compressobj,
        "br": _BrotliCompressor,
        "zstd": zstd.ZstdCompressor,
    }
    if coding == "gzip, gzip":
        return gzip.compress(build_bomb("gzip"))
    return zeros_through(make[coding]())


def decode_bomb(tmp_path: Path, way: str, coding: str) -> tuple[int, int, str]:
    """Decode the bomb in another process: how it grew, how much it made, and how it ended."""
    path = tmp_path / "bomb"
    path.write_bytes(build_bomb(coding))
    command = [sys.executable, "-c", DECODE_A_BOMB, way, coding, str(path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    growth, produced, outcome = result.stdout.strip().split("; ")
    return int(growth), int(produced), outcome


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
@pytest.mark.parametrize("way", ["kept", "at once"])
def test_a_bomb_is_stopped_while_it_is_small(tmp_path: Path, way: str, coding: str) -> None:
    growth, produced, outcome = decode_bomb(tmp_path, way, coding)
    assert outcome == f"too large, {RATIO_FREE}"
    assert RATIO_FREE < produced < RATIO_FREE + MIB
    assert growth < 48 * MIB


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_steps_are_small_where_no_ratio_ends_them(tmp_path: Path, coding: str) -> None:
    growth, produced, outcome = decode_bomb(tmp_path, "unbounded", coding)
    assert (produced, outcome) == (BOMB_SIZE, "whole")
    assert growth < 24 * MIB  # the largest window has 16


# Installed libraries


def test_all_installed_codings_are_accepted() -> None:
    assert accept_encoding() == "gzip, deflate, br, zstd"


@pytest.mark.parametrize(
    ("missing", "accepted", "refused"),
    [("brotli", "gzip, deflate, zstd", "br"), (zstd.__name__, "gzip, deflate, br", "zstd")],
)
def test_codings_without_their_library_are_neither_accepted_nor_decoded(
    libraries: pytest.MonkeyPatch, missing: str, accepted: str, refused: str
) -> None:
    libraries.setitem(sys.modules, missing, None)
    assert accept_encoding() == accepted
    text = rf"^content is in {refused}, which needs an extra: pip install asyncclient-http\[compress\]$"
    with pytest.raises(DecodingError, match=text):
        open_decoder(f"gzip, {refused}")
    with pytest.raises(DecodingError, match=f"expected content codings among {accepted}, got 'compress'"):
        open_decoder("compress")


def test_a_brotli_without_bounds_is_not_used(libraries: pytest.MonkeyPatch) -> None:
    old = types.ModuleType("brotli")
    old.__dict__["Decompressor"] = type("Decompressor", (), {"process": None, "is_finished": None})
    libraries.setitem(sys.modules, "brotli", old)
    assert accept_encoding() == "gzip, deflate, zstd"
    with pytest.raises(DecodingError, match="content is in br, which needs an extra"):
        open_decoder("br")


@pytest.mark.parametrize("name", ["gzip", "zlib", "raw deflate"])
@pytest.mark.parametrize("module", ["zlib", "zlib_ng.zlib_ng"])
def test_both_zlibs_decode_alike(libraries: pytest.MonkeyPatch, module: str, name: str) -> None:
    if module == "zlib":
        libraries.setitem(sys.modules, "zlib_ng.zlib_ng", None)
    assert codings.load_zlib().__name__ == module
    for content in CONTENTS.values():
        coding, data = encode([name], content)
        assert decode(coding, data, n=1000) == decoder_for(coding).decode_whole(data) == content
        with pytest.raises(DecodingError, match="cut short"):
            decode(coding, data[:-1])
        with pytest.raises(DecodingError, match=r"invalid|expected the end"):
            decode(coding, data, b"garbage")


def test_libraries_are_not_loaded_before_they_are_needed() -> None:
    code = (
        "import sys; from asyncclient.client.content.decoding import open_decoder; print(*sys.modules);"
        "open_decoder('gzip'); print(*sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    before, after = (set(line.split()) for line in result.stdout.splitlines())
    optional = {"brotli", zstd.__name__, "zlib_ng.zlib_ng"}
    assert not optional & before
    assert optional & after == {"zlib_ng.zlib_ng"}
    assert decoding.open_decoder("gzip") is not None


@pytest.mark.parametrize("content", [b"", b"text", bytes(MAX_DECODE_STEP)])
def test_short_gzip_is_decoded_by_one_call(content: bytes) -> None:
    assert codings.decode_gzip(gzip.compress(content), MAX_DECODE_STEP) == content


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        gzip.compress(b"text", mtime=0)[:-1],
        gzip.compress(b"text", mtime=0)[:-4] + b"\1\0\0\0",
        gzip.compress(b"text", mtime=0) + b"\0",
        gzip.compress(b"te", mtime=0) + gzip.compress(b"xt", mtime=0),
        gzip.compress(bytes(MAX_DECODE_STEP + 1), mtime=0),
        zlib.compress(b"text"),
    ],
)
def test_other_gzip_is_left_to_a_decoder(data: bytes) -> None:
    assert codings.decode_gzip(data, MAX_DECODE_STEP) is None
