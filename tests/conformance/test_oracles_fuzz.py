"""Random messages, read by this engine, h11 and llhttp: a message that both others refuse is refused here, too.

And what all three accept has the same status and content. The exceptions are decisions of test_oracles.py, named here.
"""

import re

from hypothesis import event, example, given
from hypothesis import strategies as st

from tests.conformance.test_oracles import (
    CHUNKED,
    LENGTH,
    OK,
    REFUSED,
    Outcome,
    Reading,
    read_h11,
    read_httptools,
    read_ours,
)

KEPT_IN_HEADS = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Control characters that a head may have, as in http.client; h11 refuses two of them, llhttp all."""

EQUAL_LENGTHS = re.compile(rb"(?i)5, ?5|content-length: *0?5[ \t]*\r\n([^\r\n]+\r\n)*content-length: *0?5[ \t]*\r")
"""In a list, or in two fields of one head."""

OTHER_FIELDS = [b"A: b", b"A:", b"A: b\tc", b"A: \xff", b"A: b\r\n c", b"Connection: close", b"Connection: keep-alive"]
LENGTHS = [
    b"5",
    b"05",
    b"0",
    b"",
    b"0x5",
    b"5_0",
    b"+5",
    b"-5",
    b"5 5",
    b"5,",
    b"5, 5",
    b"5, 6",
    b"x",
    b"\xb2",
    b" 5\t",
]
CODINGS = [b"chunked", b"CHUNKED", b"gzip", b"gzip, chunked", b"chunked, chunked", b"", b"xchunked", b"chunked;a"]
FIELDS = st.lists(
    st.one_of(
        st.sampled_from(OTHER_FIELDS),
        st.sampled_from(LENGTHS).map(lambda value: b"Content-Length: " + value),
        st.sampled_from(CODINGS).map(lambda value: b"Transfer-Encoding: " + value),
        st.sampled_from([LENGTH[:-2], CHUNKED[:-2], b"A : b", b"A", b": b", b" A: b", b"A\x0b: b", b"\xe9: b"]),
    ),
    max_size=4,
).map(lambda lines: b"".join(line + b"\r\n" for line in lines) + b"\r\n")
STATUS_LINES = st.sampled_from([OK, OK, OK, b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 204 x\r\n", b"HTTP/1.1 304 x\r\n"])
INTERIMS = st.lists(FIELDS.map(lambda fields: b"HTTP/1.1 103 x\r\n" + fields), max_size=2).map(b"".join)
TRAILERS = st.lists(
    st.sampled_from(
        [b"A: b", b"A: b\x0bc", b"A: \x0c", b"A: \x01", b"A: \x7f", b"A : b", b"A", b"Content-Length: x", b"A: b\r\n c"]
    )
    | st.binary(max_size=4).map(lambda value: b"A: " + value),
    max_size=3,
).map(lambda lines: b"".join(line + b"\r\n" for line in lines) + b"\r\n")
SIZES = st.sampled_from([b"5", b"05", b"5;a=b", b"5 ", b"0x5", b"+5", b"5_0", b"", b"5;\x0b", b"5\x0b"])
IN_CHUNKS = st.tuples(
    st.lists(SIZES.map(lambda size: size + b"\r\nhello\r\n"), max_size=2).map(b"".join), TRAILERS
).map(lambda parts: parts[0] + b"0\r\n" + parts[1])
BODIES = IN_CHUNKS | st.sampled_from([b"hello", b"hell", b"hello!", b"", b"0\r\n\r\n", b"5\nhello\n0\n\n"])
SPOILERS = st.tuples(st.integers(0, 200), st.integers(0, 2), st.sampled_from([b"", b"\r", b"\n", b"\0", b"\x0b", b" "]))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    message = draw(INTERIMS) + draw(STATUS_LINES) + draw(FIELDS) + draw(BODIES)
    for at, removed, added in draw(st.lists(SPOILERS, max_size=2)):
        message = message[:at] + added + message[at + removed :]
    return message


def is_read_by_choice(message: bytes) -> bool:
    """Whether the message has what is read here although both others may refuse it, by what test_oracles.py says."""
    has_bare_lf = re.search(rb"(?<!\r)\n", message) is not None
    has_fold = re.search(rb"\n[ \t]", message) is not None
    has_equal_lengths = EQUAL_LENGTHS.search(message) is not None
    has_padded_size = re.search(rb"(?m)^0?5 \r$", message) is not None
    has_odd_version = re.match(rb"HTTP/1\.[2-9]|(?s:.)*\nHTTP/1\.[2-9]", message) is not None
    has_controls = KEPT_IN_HEADS.search(message.partition(b"\r\n0\r\n")[0]) is not None
    has_unused_coding = re.search(rb"(?is)HTTP/1\.1 (103|204|304) .*transfer-encoding", message) is not None
    choices = (has_bare_lf, has_fold, has_equal_lengths, has_padded_size, has_odd_version, has_controls)
    return any(choices) or has_unused_coding


def content_of(outcome: Outcome) -> tuple[int, bytes] | None:
    return outcome[:2] if isinstance(outcome, Reading) else None


@given(messages(), st.sampled_from([1, 7, 1000]))
@example(b"HTTP/1.1 103 x\r\nContent-Length:\r\n\r\n" + OK + LENGTH + b"\r\nhello", 1000)
@example(OK + CHUNKED + b"\r\n5\r\nhello\r\n0\r\nA: b\x0bc\r\n\r\n", 1000)
@example(OK + CHUNKED + b"Content-Length: 0x5\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 1000)
def test_messages_that_h11_and_httptools_refuse_are_refused(message: bytes, step: int) -> None:
    ours, *others = (read(message, "GET", step) for read in (read_ours, read_h11, read_httptools))
    event("refused" if ours == REFUSED else "accepted")
    if others == [REFUSED, REFUSED] and not is_read_by_choice(message):
        assert ours == REFUSED
    if ours != REFUSED and REFUSED not in others and others[0] == others[1]:
        assert content_of(ours) == content_of(others[0])
