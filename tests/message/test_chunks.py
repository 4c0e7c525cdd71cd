"""The lines that frame chunks, and the fields that may follow the last one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.errors import ProtocolError
from asyncclient.message.framing import LAST_CHUNK, build_chunk_size, may_be_trailer, parse_chunk_size


@pytest.mark.parametrize(
    ("line", "size", "extensions"),
    [
        (b"0\r\n", 0, 0),
        (b"000\r\n", 0, 0),
        (b"1aF\r\n", 0x1AF, 0),
        (b"FFFFFFFFFFFFFFFF\r\n", 2**64 - 1, 0),
        (b"5;\r\n", 5, 1),
        (b"5;a=b\r\n", 5, 4),
        (b'5;a="b;c" ;\t\x85\xff\r\n', 5, 13),
    ],
)
def test_chunk_size(line: bytes, size: int, extensions: int) -> None:
    assert parse_chunk_size(line) == (size, extensions)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\r\n",
        b" 5\r\n",
        b"\t5\r\n",
        b"+5\r\n",
        b"-5\r\n",
        b"0x5\r\n",
        b"5_0\r\n",
        b"5h\r\n",
        b"5 5\r\n",
        b"5 a\r\n",
        b"5,\r\n",
        b"5.0\r\n",
        b"\xb2\r\n",
        b"\xd9\xa5\r\n",
        b"\x855\r\n",
        b"5\x85\r\n",
        b"5\x0b\r\n",
        b"5",
        b"5\n",
        b"5\r",
        b"5\r\r\n",
        b"5\n\r\n",
        b"5;a\n",
        b"5;a\rb\r\n",
        b"5;a\nb\r\n",
        b"5;a\0\r\n",
        b"5\0\r\n",
        b"5\r\n\r\n",
        b";a\r\n",
        b"10000000000000000\r\n",
        b"00000000000000005\r\n",
        b"f" * 5000 + b"\r\n",
    ],
)
def test_invalid_chunk_size_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError, match="invalid chunk size") as caught:
        parse_chunk_size(line)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("blanks", [b" ", b"\t \t", b" " * 4000])
@pytest.mark.parametrize("extension", [b"", b";a=b"])
def test_blanks_after_the_size_count_as_extensions(blanks: bytes, extension: bytes) -> None:
    assert parse_chunk_size(b"5" + blanks + extension + b"\r\n") == (5, len(blanks + extension))


@given(st.integers(0, 2**64 - 1))
def test_chunk_size_that_was_built_is_parsed(size: int) -> None:
    assert parse_chunk_size(build_chunk_size(size)) == (size, 0)


def test_last_chunk_is_an_empty_one_without_trailers() -> None:
    assert build_chunk_size(0) + b"\r\n" == LAST_CHUNK


@pytest.mark.parametrize(
    "name",
    ["Content-Length", "TRANSFER-ENCODING", "connection", "Host", "Set-Cookie", "Authorization", "Content-Type", "te"],
)
def test_framing_routing_and_authentication_fields_are_refused_as_trailers(name: str) -> None:
    assert not may_be_trailer(name)
    assert may_be_trailer(f"X-{name}")


@pytest.mark.parametrize("name", ["Digest", "server-timing", "ETag", "Grpc-Status", "Content-Lengthy"])
def test_other_fields_may_be_trailers(name: str) -> None:
    assert may_be_trailer(name)
