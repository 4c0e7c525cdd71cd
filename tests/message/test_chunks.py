"""The lines that frame chunks, and the fields that may follow the last one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.errors import ProtocolError
from asyncclient.message.framing import (
    CHUNKS_AT_ONCE,
    LAST_CHUNK,
    build_chunk,
    build_chunk_size,
    may_be_trailer,
    parse_chunk_size,
    split_chunks,
)


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


def walk(data: bytes, in_chunk: int = 0, room: int = 2**63) -> tuple[list[bytes], bytes, bool]:
    """Return the parts that a walk takes, the bytes that it leaves, and whether it took the last chunk."""
    parts: list[bytes] = []
    end, is_last = split_chunks(b"head" + data, 4, in_chunk, room, parts)
    return parts, data[end - 4 :], is_last


@pytest.mark.parametrize(
    ("data", "parts", "rest", "is_last"),
    [
        (b"", [], b"", False),
        (b"3\r\nabc\r\n", [b"abc"], b"", False),
        (b"3\r\nabc\r\n3\r\ndef\r\n2\r\ngh\r\n0\r\n\r\nHTTP", [b"abc", b"def", b"gh"], b"HTTP", True),
        (b"00000000000000A\r\n0123456789\r\na\r\n0123456789\r\n", [b"0123456789"] * 2, b"", False),
        (b"3\r\n3\r\n\r\n3\r\n\r\n0\r\n", [b"3\r\n", b"\r\n0"], b"", False),
        (b"000\r\n\r\n", [], b"", True),
        (b"3\r\nabc\r\n3", [b"abc"], b"3", False),
    ],
)
def test_a_walk_takes_the_whole_chunks(data: bytes, parts: list[bytes], rest: bytes, is_last: bool) -> None:
    assert walk(data) == (parts, rest, is_last)


@pytest.mark.parametrize(
    "rest",
    [
        b"3\r\nab",
        b"3\r\nabc",
        b"3\r\nabc\r",
        b"3\r\nabc\n\n",
        b"3\r\nabc\rX",
        b"3\r\nabcX\r\n",
        b"3\nabc\r\n",
        b"3;a=b\r\nabc\r\n",
        b"3 \r\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b"+3\r\nabc\r\n",
        b"00000000000000003\r\nabc\r\n",
        b"FFFFFFFFFFFFFFFF\r\nabc\r\n",
        b"7FFFFFFFFFFFFFFF\r\nabc\r\n",
        b"0\r\nA: b\r\n\r\n",
        b"0\r\n",
        b"0\r\n\r",
        b"0;a=b\r\n\r\n",
        b"\r\n",
    ],
)
def test_a_walk_leaves_every_other_chunk_to_the_steps(rest: bytes) -> None:
    assert walk(rest) == ([], rest, False)
    assert walk(b"3\r\nabc\r\n" + rest) == ([b"abc"], rest, False)
    assert walk(b"abc\r\n" + rest, in_chunk=3) == ([b"abc"], rest, False)


@pytest.mark.parametrize("data", [b"ab", b"abc", b"abc\r", b"abcd\r\n", b"abc\n"])
def test_a_walk_leaves_the_rest_of_a_chunk_that_is_not_whole(data: bytes) -> None:
    assert walk(data, in_chunk=3) == ([], data, False)


@pytest.mark.parametrize(
    ("room", "parts", "is_last"),
    [(1, [], False), (2, [b"ab"], False), (4, [b"ab"], False), (5, [b"ab", b"cde"], False)],
)
def test_a_walk_keeps_to_its_room(room: int, parts: list[bytes], is_last: bool) -> None:
    data = b"ab\r\n3\r\ncde\r\n0\r\n\r\n"
    assert walk(data, 2, room)[::2] == (parts, is_last)
    assert walk(b"2\r\n" + data, 0, room)[::2] == (parts, is_last)
    assert walk(data, 2, 6) == ([b"ab", b"cde"], b"", True)


def test_a_walk_takes_a_bounded_number_of_chunks() -> None:
    parts, rest, is_last = walk(b"1\r\nx\r\n" * 5000 + LAST_CHUNK)
    assert (len(parts), len(rest), is_last) == (CHUNKS_AT_ONCE, 6 * (5000 - CHUNKS_AT_ONCE) + 5, False)


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=9), st.integers(0, 200), st.integers(0, 90))
def test_a_walk_takes_the_same_as_single_steps(parts: list[bytes], cut: int, room: int) -> None:
    data = (b"".join(map(build_chunk, parts)) + LAST_CHUNK + b"HTTP")[:cut]
    taken, rest, is_last = walk(data, 0, room)
    assert taken == parts[: len(taken)]
    assert sum(map(len, taken)) <= room
    assert data == b"".join(map(build_chunk, taken)) + LAST_CHUNK * is_last + rest
    follows = parts[len(taken) : len(taken) + 1]
    if follows and len(follows[0]) <= room - sum(map(len, taken)):
        assert not rest.startswith(build_chunk(follows[0]))


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
