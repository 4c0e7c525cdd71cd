"""The queue of bytes under a stream: examples, then any order of calls against plain bytes."""

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from asyncclient.errors import LineTooLong
from asyncclient.message.buffer import Pieces


def pieces_of(*parts: bytes) -> Pieces:
    pieces = Pieces()
    for part in parts:
        pieces.append(part)
    return pieces


def take_rest(pieces: Pieces) -> bytes:
    size = pieces.size
    data = pieces.take_exactly(size)
    assert (len(data), pieces.size, pieces.peek()) == (size, 0, b"")
    return data


def test_whole_piece_is_not_copied() -> None:
    first, second = bytes(100), bytes(200)
    pieces = pieces_of(first, second)
    assert pieces.peek() is first
    assert pieces.take(100) is first
    assert pieces.take_exactly(200) is second
    assert pieces.take(5) == b""


def test_many_pieces_are_returned_one_by_one_or_joined() -> None:
    pieces = pieces_of(b"a", b"b", b"c", b"d", b"e\n", b"f")
    assert [pieces.take(5), pieces.take_exactly(2)] == [b"a", b"bc"]
    assert pieces.take_line(10) == b"de\n"
    assert (pieces.size, pieces.peek()) == (1, b"f")


def test_head_and_content_in_one_piece() -> None:
    pieces = pieces_of(b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert pieces.take_head(100, b"HTTP/") == b"HTTP/1.1 200 OK\r\n\r\n"
    assert (pieces.size, pieces.peek()) == (5, b"hello")
    assert pieces.take(2) + pieces.take(100) == b"hello"
    pieces.append(b"next")
    assert take_rest(pieces) == b"next"


@pytest.mark.parametrize(
    ("data", "head"),
    [
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nHTTP/", b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"),
        (b"HTTP/1.1 200 OK\nA: b\n\nx\r\n\r\n", b"HTTP/1.1 200 OK\nA: b\n\n"),
        (b"HTTP/1.1 200 OK\nA: b\n\r\nx\n\n", b"HTTP/1.1 200 OK\nA: b\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\n", b"HTTP/1.1 200 OK\r\nA: b\r\n\n"),
        (b"HTTP/1.1 200 OK\r\r\n\r", None),
        (b"HTTP/1.1 200 OK\r\n\r", None),
        (b"HTTP/1.1 200 OK\r\n\rx\r\n", None),
        (b"H", None),
        (b"HTTP/", None),
        (b"HTTQ", b"HTTQ"),
        (b"\r\n", b"\r\n"),
        (b"http/1.1 200 OK\r\n", b"http/1.1 200 OK\r\n"),
        (b"SSH-2.0\r\nx", b"SSH-2.0\r\nx"),
        (b"\x16\x03", b"\x16\x03"),
    ],
)
def test_head_is_taken_once_its_empty_line_has_arrived(data: bytes, head: bytes | None) -> None:
    pieces = pieces_of(b"!", data)
    assert pieces.take(1) == b"!"
    assert pieces.take_head(100, b"HTTP/") == head
    assert take_rest(pieces) == data[len(head or b"") :]


@pytest.mark.parametrize("split", range(1, 21))
def test_head_in_two_pieces(split: int) -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\nhello"
    pieces = pieces_of(data[:split])
    if split < 19:
        assert pieces.take_head(100, b"HTTP/") is None
    pieces.append(data[split:])
    assert pieces.take_head(100, b"HTTP/") == data[:-5]
    assert take_rest(pieces) == b"hello"


@pytest.mark.parametrize("data", [b"HTTP/" + b"x" * 16, b"HTTP/" + b"x" * 12 + b"\r\n\r\n", b"x" * 21])
def test_head_beyond_the_limit_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(LineTooLong, match="more than 20 bytes when reading a head"):
        pieces_of(data[:10], data[10:]).take_head(20, b"HTTP/")
    assert pieces_of(data[:10], data[10:]).take_head(len(data), b"HTTP/") in (data, None)


def test_line() -> None:
    pieces = pieces_of(b"one\r\ntw", b"o\nthr")
    assert pieces.take_line(5) == b"one\r\n"
    assert pieces.take_line(4) == b"two\n"
    assert pieces.take_line(3) is None
    with pytest.raises(LineTooLong, match="more than 2 bytes when reading a line"):
        pieces.take_line(2)
    pieces.append(b"ee\n")
    with pytest.raises(LineTooLong):
        pieces.take_line(5)
    assert pieces.take_line(6) == b"three\n"
    assert pieces.take_line(6) is None


def test_part_of_a_line_is_taken_from_one_piece() -> None:
    pieces = pieces_of(b"ab\ncd", b"e\n")
    assert [pieces.take_part_of_line(2) for _ in range(6)] == [b"ab", b"\n", b"cd", b"e\n", b"", b""]


def test_into_a_buffer() -> None:
    pieces, buffer = pieces_of(b"hello", b"you"), bytearray(8)
    assert pieces.take_into(memoryview(buffer)[:2]) == 2
    assert pieces.take_into(memoryview(buffer)[2:]) == 3
    assert pieces.take_into(memoryview(buffer)[5:]) == 3
    assert (bytes(buffer), pieces.size) == (b"helloyou", 0)
    assert pieces.take_into(memoryview(buffer)) == 0


SMALL = st.binary(min_size=1, max_size=6) | st.text(st.sampled_from("\r\nHa"), min_size=1, max_size=6).map(str.encode)
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["append", "append", "take", "exactly", "into", "line", "head", "part", "peek"]),
        SMALL,
        st.integers(0, 9),
    ),
    max_size=30,
)


@given(CALLS)
def test_any_order_of_calls_gives_the_received_bytes(calls: list[tuple[str, bytes, int]]) -> None:
    pieces, model = Pieces(), b""
    for call, data, n in calls:
        before = pieces.size
        if call == "append":
            pieces.append(data)
            model += data
            continue
        taken = call_one(pieces, call, n)
        if taken is None or call == "peek":
            assert model.startswith(taken or b"")
            assert pieces.size == before
        else:
            event(call)
            assert taken == model[: len(taken)]
            model = model[len(taken) :]
        assert pieces.size == len(model)
        assert bool(pieces.peek()) == bool(model)
    assert take_rest(pieces) == model


def call_one(pieces: Pieces, call: str, n: int) -> bytes | None:
    """Make one of the calls; a refused call takes nothing."""
    if call == "take":
        return pieces.take(n)
    if call == "exactly":
        return pieces.take_exactly(min(n, pieces.size))
    if call == "into":
        buffer = bytearray(n)
        return bytes(buffer[: pieces.take_into(memoryview(buffer))])
    if call == "part":
        return pieces.take_part_of_line(n)
    if call == "peek":
        return pieces.peek()
    try:
        return pieces.take_line(n) if call == "line" else pieces.take_head(n, b"H")
    except LineTooLong:
        return None


@pytest.mark.parametrize(
    ("separators", "found"),
    [
        ([b"d"], (3, 4)),
        ([b"cd", b"e"], (2, 4)),
        ([b"d", b"bcd"], (3, 4)),
        ([b"bcd", b"d"], (3, 4)),
        ([b"bcde", b"f"], (1, 5)),
        ([b"x"], None),
        ([b"ab"], None),
    ],
)
def test_the_separator_that_ends_first_is_found_across_pieces(
    separators: list[bytes], found: tuple[int, int] | None
) -> None:
    pieces = Pieces()
    for data in (b"-ab", b"c", b"def"):
        pieces.append(data)
    pieces.take(1)
    assert pieces.find(separators, 1) == found
    assert pieces.take_exactly(6) == b"abcdef"


def test_bytes_of_the_first_piece_are_seen_and_skipped() -> None:
    pieces = pieces_of(b"abc", b"def")
    assert pieces.first() == (b"abc", 0)
    pieces.skip(2)
    assert (pieces.first(), pieces.size) == ((b"abc", 2), 4)
    pieces.skip(1)
    assert pieces.first() == (b"def", 0)
    pieces.skip(3)
    assert (pieces.first(), pieces.size) == ((b"", 0), 0)


def test_bytes_that_were_put_back_are_first() -> None:
    pieces = pieces_of(b"abc", b"def")
    assert pieces.take_exactly(4) == b"abcd"
    pieces.put_back(b"abcd")
    pieces.put_back(b"")
    assert (pieces.size, take_rest(pieces)) == (6, b"abcdef")
    pieces.put_back(b"x")
    assert take_rest(pieces) == b"x"
