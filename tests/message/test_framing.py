"""Which framing a response has: tables by rule of RFC 9112 §6.3, and one answer from the quick and the slow way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.errors import HTTPException, ProtocolError, UnknownTransferEncoding
from asyncclient.limits import DEFAULT
from asyncclient.message.cycle import CloseReason
from asyncclient.message.fields import Fields, check_section
from asyncclient.message.framing import (
    Framing,
    Kind,
    decide_framing,
    parse_content_length,
)
from asyncclient.message.head import Head, StatusLine, parse_head

SERVER_CLOSE, DOUBTFUL = CloseReason.SERVER_CLOSE, CloseReason.DOUBTFUL_FRAMING
CHUNKED = (Kind.CHUNKED, 0, None)
DOUBTFUL_CHUNKS = (Kind.CHUNKED, 0, DOUBTFUL)
UNTIL_CLOSE = (Kind.UNTIL_CLOSE, 0, CloseReason.READ_UNTIL_CLOSE)
NOTHING = (Kind.LENGTH, 0, None)
TE = b"Transfer-Encoding: chunked\r\n"
CL = b"Content-Length: 5\r\n"


def length(count: int, reason: CloseReason | None = None) -> Framing:
    return Kind.LENGTH, count, reason


def decide(fields: bytes, line: bytes = b"HTTP/1.1 200 OK", method: str = "GET") -> Framing:
    return decide_framing(parse_head(line + b"\r\n" + fields + b"\r\n"), method)


@pytest.mark.parametrize(
    ("fields", "framing"),
    [
        (b"", UNTIL_CLOSE),
        (b"A: b\r\nConnection: keep-alive\r\n", UNTIL_CLOSE),
        (CL, length(5)),
        (b"content-length:5\n", length(5)),
        (b"CONTENT-LENGTH: \t 5 \t\r\n", length(5)),
        (b"Content-Length: 0\r\n", length(0)),
        (b"Content-Length: 0005\r\n", length(5)),
        (b"Content-Length: 999999999999999999\r\n", length(10**18 - 1)),
        (b"Content-Length: 5, 5\r\n", length(5)),
        (b"Content-Length: 5\t,5 ,\t5\r\n", length(5)),
        (CL + b"A: b\r\n" + CL.lower(), length(5)),
        (CL + b"Connection: keep-alive\r\n", length(5)),
        (TE, CHUNKED),
        (b"TRANSFER-ENCODING:\tcHuNkEd \t\r\n", CHUNKED),
        (b"Transfer-Encoding:\r\n chunked\r\n", CHUNKED),
        (TE + CL, DOUBTFUL_CHUNKS),
        (CL + b"A: b\r\n" + TE, DOUBTFUL_CHUNKS),
        (TE + b"Connection: close\r\n", (Kind.CHUNKED, 0, SERVER_CLOSE)),
    ],
)
def test_framing(fields: bytes, framing: Framing) -> None:
    assert decide(fields) == framing


@pytest.mark.parametrize(
    "fields",
    [
        b"X-Content-Length: 9\r\n",
        b"Content-Length-X: 9\r\n",
        b"Content_Length: 9\r\n",
        b"A: b\r\n Content-Length: 9\r\n",
        b"A: b\r\n\tTransfer-Encoding: chunked\r\n",
        b"A: Connection: close\r\n",
        b"A:\x0bConnection: close\x85Transfer-Encoding: chunked\x0c\r\n",
        b"Connections: close\r\n",
        b"Proxy-Connection: close\r\n",
        b"TE: chunked\r\nTrailer: Content-Length\r\n",
        b"Connection: closed, not-close, close-not, Content-Length\r\n",
    ],
)
def test_fields_that_resemble_framing_fields_are_ignored(fields: bytes) -> None:
    assert decide(fields + CL) == decide(CL + fields) == length(5)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"+5",
        b"-5",
        b"-0",
        b"0x5",
        b"5a",
        b"5_0",
        b"5 0",
        b"5;",
        b"5.0",
        b"5e1",
        b"0b1",
        b'"5"',
        b"\xb2",
        b"\xd9\xa5",
        b"\xef\xbc\x95",
        b"\x855",
        b"5\x85",
        b"\x0b5",
        b"5\x0c",
        b"5\xa0",
        b"1234567890123456789",
        b"0000000000000000005",
        b"9" * 5000,
        b"5,",
        b",5",
        b"5,,5",
        b",",
        b"5 5",
        b"5, 6",
        b"6,5",
        b"5, 5, 6",
        b"5, -5",
        b"5, x",
        b"5\r\n 0",
        b"5\r\n ,6",
    ],
)
def test_invalid_content_length_is_an_error(value: bytes) -> None:
    with pytest.raises(ProtocolError, match="content length"):
        decide(b"Content-Length: " + value + b"\r\n")
    with pytest.raises(ProtocolError, match="content length"):
        decide(CL + b"Content-Length: " + value + b"\r\n")
    with pytest.raises(ProtocolError, match="content length"):
        parse_content_length(value.replace(b"\r\n", b""))


def test_content_lengths_that_differ_are_an_error() -> None:
    for fields in (CL + b"Content-Length: 6\r\n", b"Content-Length: 0\r\nA: b\r\ncontent-length:5\n"):
        with pytest.raises(ProtocolError, match="content lengths that differ"):
            decide(fields)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"identity",
        b"gzip",
        b"chunked, gzip",
        b"gzip, chunked",
        b"chunked, chunked",
        b"chunked,",
        b",chunked",
        b"chunked;q=1",
        b'"chunked"',
        b"chunked chunked",
        b"xchunked",
        b"chunkedx",
        b"chunke",
        b"\x0bchunked",
        b"chunked\x0c",
        b"\x85chunked",
        b"chunked\xa0",
        b"\xe2\x80\xa8chunked",
        b"chun\xe2\x84\xaaed",
        b"chunked\r\n gzip",
    ],
)
@pytest.mark.parametrize("before", [b"", CL])
def test_other_transfer_coding_than_one_chunked_is_unknown(before: bytes, value: bytes) -> None:
    with pytest.raises(UnknownTransferEncoding, match="expected transfer coding 'chunked'"):
        decide(before + b"Transfer-Encoding: " + value + b"\r\n")


@pytest.mark.parametrize("second", [b"chunked", b"gzip", b"identity", b""])
def test_second_transfer_encoding_line_counts(second: bytes) -> None:
    for fields in (TE + b"transfer-encoding: " + second + b"\r\n", b"Transfer-Encoding:" + second + b"\r\n" + TE):
        with pytest.raises(UnknownTransferEncoding):
            decide(fields)


@pytest.mark.parametrize(
    ("connection", "by_10", "by_11"),
    [
        (b"", False, True),
        (b"Connection:\r\n", False, True),
        (b"Connection: keep-alive\r\n", True, True),
        (b"CONNECTION:Keep-ALIVE\t\r\n", True, True),
        (b"Connection: upgrade,\tkeep-alive ,x\r\n", True, True),
        (b"Connection: x\r\nA: b\r\nconnection: keep-alive\r\n", True, True),
        (b"Connection: close\r\n", False, False),
        (b"connection:\tCLOSE \r\n", False, False),
        (b"Connection: x, Close\r\n", False, False),
        (b"Connection: ,close,\r\n", False, False),
        (b"Connection: keep-alive, close\r\n", False, False),
        (b"Connection: keep-alive\r\nConnection: close\r\n", False, False),
        (b"Connection: close\r\nConnection: keep-alive\r\n", False, False),
        (b"Connection: x,\r\n close\r\n", False, False),
        (b"Connection: keep-alived\r\n", False, True),
        (b"Keep-Alive: timeout=5\r\n", False, True),
        (b"Proxy-Connection: keep-alive\r\n", False, True),
    ],
)
def test_connection_goes_on_by_version_and_connection_fields(connection: bytes, by_10: bool, by_11: bool) -> None:
    in_10, in_11 = (None if goes_on else SERVER_CLOSE for goes_on in (by_10, by_11))
    for fields in (connection + CL, CL + connection):
        assert decide(fields, b"HTTP/1.0 200 OK") == length(5, in_10)
        assert decide(fields, b"HTTP/1.1 200 OK") == decide(fields, b"HTTP/1.2 200 OK") == length(5, in_11)
    assert decide(connection, b"HTTP/1.0 200 OK") == UNTIL_CLOSE
    assert decide(connection + TE, b"HTTP/1.0 200 OK") == DOUBTFUL_CHUNKS
    assert decide(connection + TE) == (Kind.CHUNKED, 0, in_11)


@pytest.mark.parametrize("fields", [b"", CL, TE, TE + CL, b"Transfer-Encoding: gzip\r\n"])
@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("GET", 100),
        ("GET", 101),
        ("GET", 103),
        ("GET", 199),
        ("POST", 204),
        ("GET", 304),
        ("HEAD", 200),
        ("HEAD", 404),
        ("CONNECT", 200),
        ("CONNECT", 299),
    ],
)
def test_responses_without_content_ignore_the_framing_fields(method: str, status: int, fields: bytes) -> None:
    line = b"HTTP/1.1 %d x" % status
    assert decide(fields, line, method) == length(0, DOUBTFUL if fields == TE + CL else None)
    reason = DOUBTFUL if fields == TE + CL else SERVER_CLOSE
    assert decide(fields + b"Connection: close\r\n", line, method) == length(0, reason)


@pytest.mark.parametrize("value", [b"", b"x", b"0x5", b"-1", b"5, 6", b"9" * 19])
@pytest.mark.parametrize(
    ("method", "status", "more"),
    [
        ("GET", 200, TE),
        ("GET", 103, b""),
        ("GET", 101, b""),
        ("POST", 204, b""),
        ("GET", 304, b""),
        ("HEAD", 200, b""),
        ("CONNECT", 407, TE),
    ],
)
def test_invalid_length_is_refused_where_it_delimits_nothing(
    method: str, status: int, more: bytes, value: bytes
) -> None:
    for fields in (more + b"Content-Length: %b\r\n" % value, b"Content-Length: %b\r\n" % value + more):
        with pytest.raises(ProtocolError, match="content length"):
            decide(fields, b"HTTP/1.1 %d x" % status, method)


@pytest.mark.parametrize("value", [b"", b"x", b"5, 6"])
def test_length_in_a_2xx_to_connect_is_ignored(value: bytes) -> None:
    assert decide(b"Content-Length: %b\r\n" % value, method="CONNECT") == length(0)


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 200), ("GET", 205), ("GET", 303), ("head", 200), ("CONNECT", 300), ("CONNECT", 407)]
)
def test_other_responses_have_content(method: str, status: int) -> None:
    assert decide(CL, b"HTTP/1.1 %d x" % status, method) == length(5)
    assert decide(TE, b"HTTP/1.1 %d x" % status, method) == CHUNKED


def test_framing_that_was_decided_before_holds_for_methods_with_content_only() -> None:
    head = parse_head(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + CL + b"\r\n")
    for _ in range(2):
        assert decide_framing(head, "GET") == length(5, SERVER_CLOSE)
        assert decide_framing(head, "POST") == length(5, SERVER_CLOSE)
        assert decide_framing(head, "HEAD") == length(0, SERVER_CLOSE)
        assert decide_framing(head, "CONNECT") == length(0, SERVER_CLOSE)


@pytest.mark.parametrize(
    ("fields", "is_plain"),
    [
        (b"", True),
        (CL, True),
        (b"cONTENT-lENGTH:\t5\n", True),
        (b"A: b\r\n" + CL + b"Connection: Keep-Alive\r\nContent: x\r\nContent-Lengths: 3\r\n", True),
        (b"Connection: keep-alive\r\n" * 2, True),
        (TE, False),
        (CL + CL, False),
        (b"Content-Length: 5 \r\n", False),
        (b"Content-Length: 5, 5\r\n", False),
        (b"Connection: close\r\n", False),
        (b"Connection: keep-alive, x\r\n", False),
        (b"A: b\r\n c\r\n", False),
    ],
)
def test_plain_head_is_known_as_one(fields: bytes, is_plain: bool) -> None:
    assert parse_head(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n").is_plain is is_plain


def any_case(name: str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.sampled_from((c.lower(), c.upper())) for c in name)).map("".join)


LENGTHS = ["5", "5", "0", "05", " 5\t", "5, 5", "5,6", "+5", "", "5 5", "x", "9" * 18, "9" * 19, "\xb2", "\x855"]
CODINGS = ["chunked", "chunked", "\tCHUNKED ", "gzip", "gzip, chunked", "", "\x0bchunked", "chunked\r\n x"]
OPTIONS = [
    "keep-alive",
    "keep-alive",
    "Keep-Alive",
    "close",
    "CLOSE",
    "x,\tclose",
    "keep-alive,x",
    "",
    "\x85close",
    "x\r\n close",
]
OTHERS = st.tuples(
    st.sampled_from(["A", "Content", "Con", "content-lengthy", "Connectio", "Transfer-Encodings", "T"]),
    st.text(st.sampled_from("a:, \t\x85\xff\x0b"), max_size=4)
    | st.sampled_from(["b\r\n Connection: close", "Content-Length: 1"]),
)
FRAMING_FIELDS = st.one_of(
    st.tuples(any_case("Content-Length"), st.sampled_from(LENGTHS)),
    st.tuples(any_case("Transfer-Encoding"), st.sampled_from(CODINGS)),
    st.tuples(any_case("Connection"), st.sampled_from(OPTIONS)),
)
FIELDS = st.lists(
    st.tuples(OTHERS | FRAMING_FIELDS, st.sampled_from([":", ": ", ":\t"]), st.sampled_from(["\r\n", "\r\n", "\n"])),
    max_size=5,
)
LINES = st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 204 x\r\n"])


def by_the_rfc(line: StatusLine, pairs: list[tuple[str, str]]) -> Framing | type[HTTPException]:
    """RFC 9112 §6.3 and §9.3 over pairs, in the simplest form."""
    lengths, codings, connections = (
        [value for name, value in pairs if name.lower() == wanted]
        for wanted in ("content-length", "transfer-encoding", "connection")
    )
    options = {option.strip(" \t").lower() for option in ",".join(connections).split(",")}
    goes_on = "close" not in options and (line.version == 11 or "keep-alive" in options)
    reason = None if goes_on else SERVER_CLOSE
    if codings and (lengths or line.version == 10):
        reason = DOUBTFUL
    members = [member.strip(" \t") for member in ",".join(lengths).split(",")] if lengths else ["0"]
    if not all(member.isascii() and member.isdigit() and len(member) < 19 for member in members):
        return ProtocolError
    if len({*map(int, members)}) > 1:
        return ProtocolError
    if line.status == 204:
        return Kind.LENGTH, 0, reason
    if codings:
        if [coding.lower() for coding in codings] != ["chunked"]:
            return UnknownTransferEncoding
        return Kind.CHUNKED, 0, reason
    return (Kind.LENGTH, int(members[0]), reason) if lengths else UNTIL_CLOSE


def outcome(head: Head) -> Framing | type[HTTPException]:
    try:
        return decide_framing(head, "GET")
    except HTTPException as error:
        return type(error)


@given(LINES, FIELDS)
def test_quick_and_slow_way_decide_as_the_rfc_does(line: bytes, fields: list[tuple[tuple[str, str], str, str]]) -> None:
    section = "".join(name + colon + value + eol for (name, value), colon, eol in fields).encode("latin-1") + b"\r\n"
    head = parse_head(line + section)
    status = StatusLine(head.version, head.status, head.reason)
    slow = Head(status, check_section(line + section, DEFAULT, len(line)), len(line))
    pairs = Fields.from_section(check_section(section, DEFAULT)).pairs()
    assert head.fields.pairs() == slow.fields.pairs() == pairs
    assert outcome(head) == outcome(slow) == by_the_rfc(status, pairs)


@given(FIELDS)
def test_plain_heads_are_decided_the_same_without_their_mark(fields: list[tuple[tuple[str, str], str, str]]) -> None:
    """As above with one Content-Length at most among harmless fields, so that most of the heads are plain."""
    seen: set[str] = set()
    section = "A: b\r\n"
    for (name, _), colon, eol in fields:
        if name.lower() not in seen:
            section += name + colon + ("5" if name.lower() == "content-length" else "keep-alive") + eol
        seen.add(name.lower())
    block = b"HTTP/1.1 200 OK\r\n" + section.encode() + b"\r\n"
    head = parse_head(block)
    slow = Head(StatusLine(11, 200, "OK"), block, head.start)
    assert outcome(head) == outcome(slow)
