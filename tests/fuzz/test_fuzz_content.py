"""Any bytes after a head, in any pieces: content is given as it is framed, complete or not at all."""

import re
from collections.abc import Sequence

from hypothesis import event, example, given
from hypothesis import strategies as st

from asyncclient.errors import HTTPException, IncompleteRead
from asyncclient.exchange.content import Content, collect, open_content
from asyncclient.limits import Limits
from asyncclient.message.framing import Kind
from tests.scripted import ScriptedStream, run_now

LIMITS = Limits(line=64, head=128, fields=4, chunk_line=32)

TOKENS = st.sampled_from(
    [
        b"1\r\na\r\n",
        b"3\r\nabc\r\n",
        b"2;x=y\r\n\r\n\r\n",
        b"0\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"A: b\r\n",
        b"5",
        b" ",
        b"x",
        b";",
    ]
)
BODIES = st.lists(TOKENS, max_size=8).map(b"".join) | st.binary(max_size=20)
VALID = st.lists(st.binary(min_size=1, max_size=40), max_size=5)
SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=4)


def split(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    pieces: list[bytes] = []
    while data:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def chunks(parts: Sequence[bytes], *, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    body = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts)
    return body + b"0\r\n" + trailers + b"\r\n"


async def read_in_steps(content: Content, n: int) -> bytes:
    parts = []
    while part := await content.read(n):
        assert len(part) <= n
        parts.append(part)
    return b"".join(parts)


async def read_into_buffers(content: Content, n: int) -> bytes:
    parts, buffer = [], bytearray(n)
    while count := await content.readinto(memoryview(buffer)):
        parts.append(bytes(buffer[:count]))
    return b"".join(parts)


Outcome = tuple[str, bytes, bytes] | str


def outcomes(data: bytes, kind: Kind, length: int, sizes: Sequence[int], n: int) -> list[Outcome]:
    """Return the result of each way of reading the same bytes: content and unread bytes, or the error."""
    found: list[Outcome] = []
    for read in (
        lambda content: content.readall(),
        lambda content: collect(content.read),
        lambda content: read_in_steps(content, n),
        lambda content: read_into_buffers(content, n),
    ):
        stream = ScriptedStream(split(data, sizes))
        content = open_content(stream, (kind, length, None), LIMITS)
        try:
            found.append(("whole", run_now(read(content)), stream.unread))
        except IncompleteRead:
            found.append("incomplete")
        except HTTPException as error:
            found.append(f"refused: {type(error).__name__}")
        assert content.is_done is isinstance(found[-1], tuple)
        assert (content.trailers is not None) is content.is_done
    return found


@given(BODIES, SIZES, st.integers(1, 9))
@example(b"5\r\nhello0\r\n\r\n", [50], 9)
@example(b"1\r\na\rX0\r\n\r\n", [1], 1)
def test_any_bytes_in_chunks_end_alike_however_they_are_read(data: bytes, sizes: list[int], n: int) -> None:
    first, *others = outcomes(data, Kind.CHUNKED, 0, sizes, n)
    event(first if isinstance(first, str) else first[0])
    if isinstance(first, tuple):
        assert all(other == first for other in others)
        assert_is_chunked(data[: len(data) - len(first[2])])
    else:
        # At the end of the input one way of reading may miss bytes where another finds that they are invalid.
        assert not any(isinstance(other, tuple) for other in others)


def assert_is_chunked(data: bytes) -> None:
    """The grammar of RFC 9112 §7.1, read by hand."""
    while True:
        line = re.match(rb"([0-9A-Fa-f]+)[ \t]*(;[^\r\n]*)?\r\n", data)
        assert line is not None
        data = data[line.end() :]
        size = int(line[1], 16)
        if not size:
            assert re.fullmatch(rb"([A-Za-z]+:[^\r\n]*\r\n([ \t][^\r\n]*\r\n)*)*\r\n", data)
            return
        assert data[size : size + 2] == b"\r\n"
        data = data[size + 2 :]


@given(
    VALID, SIZES, st.integers(1, 9), st.sampled_from([b"", b";a=b", b" ;a"]), st.sampled_from([b"", b"Digest: x\r\n"])
)
def test_chunks_give_their_content_and_leave_the_rest(
    parts: list[bytes], sizes: list[int], n: int, extension: bytes, trailers: bytes
) -> None:
    data = chunks(parts, extension=extension, trailers=trailers) + b"HTTP/1.1 "
    assert set(outcomes(data, Kind.CHUNKED, 0, sizes, n)) == {("whole", b"".join(parts), b"HTTP/1.1 ")}


@given(VALID, SIZES, st.integers(1, 9), st.integers(1, 300))
def test_chunks_cut_anywhere_are_incomplete(parts: list[bytes], sizes: list[int], n: int, missing: int) -> None:
    assert set(outcomes(chunks(parts)[:-missing], Kind.CHUNKED, 0, sizes, n)) == {"incomplete"}


@given(st.binary(max_size=60), st.integers(0, 70), SIZES, st.integers(1, 9))
def test_no_more_than_the_length_is_read(data: bytes, length: int, sizes: list[int], n: int) -> None:
    expected = ("whole", data[:length], data[length:]) if len(data) >= length else "incomplete"
    assert set(outcomes(data, Kind.LENGTH, length, sizes, n)) == {expected}


@given(st.binary(max_size=60), SIZES, st.integers(1, 9))
def test_content_until_close_is_everything_received(data: bytes, sizes: list[int], n: int) -> None:
    assert set(outcomes(data, Kind.UNTIL_CLOSE, 0, sizes, n)) == {("whole", data, b"")}


@given(st.integers(1, 1 << 63), SIZES)
def test_claimed_size_is_never_allocated_in_advance(size: int, sizes: list[int]) -> None:
    assert set(outcomes(b"%x\r\nabc" % (size + 3), Kind.CHUNKED, 0, sizes, 9)) == {"incomplete"}
    assert set(outcomes(b"abc", Kind.LENGTH, size + 3, sizes, 9)) == {"incomplete"}


@given(st.binary(max_size=40))
def test_trailers_never_contain_line_ends(trailers: bytes) -> None:
    stream = ScriptedStream([b"0\r\n" + trailers + b"\r\n\r\n"])
    content = open_content(stream, (Kind.CHUNKED, 0, None), LIMITS)
    try:
        run_now(content.readall())
    except HTTPException:
        return
    assert content.trailers is not None
    assert not any(set("\r\n\0") & set(name + value) for name, value in content.trailers.pairs())
