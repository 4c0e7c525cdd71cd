"""Repairs of heads and trailers, and faults that stay errors."""

import pytest

from asyncclient.errors import BadStatusLine, HTTPException, LineTooLong, ProtocolError, UnknownProtocol
from asyncclient.limits import DEFAULT, Limits
from asyncclient.message import syntax
from asyncclient.message.framing import Framing, Kind, decide_framing
from asyncclient.message.head import Head, parse_head
from asyncclient.message.repairs import (
    Repair,
    frame_leniently,
    parse_head_leniently,
    parse_trailers_leniently,
    repair_section,
)

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 5\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def parse(block: bytes, limits: Limits = DEFAULT) -> tuple[Head, tuple[Repair, ...]]:
    """Parse a head that the strict parser or the framing refuses."""
    with pytest.raises(HTTPException):
        decide_framing(parse_head(block, limits), "GET")
    return parse_head_leniently(block, limits)


def framing(fields: bytes) -> Framing:
    head, repairs = parse(OK + fields + b"\r\n")
    framing, more = frame_leniently(head, "GET")
    assert repairs + more
    return framing


@pytest.mark.parametrize("line", [OK, b"HTTP/1.0 404\n", b"HTTP/1.1 200 \r\n"])
@pytest.mark.parametrize(
    "fields", [b"", LENGTH, b"A: b\r\n c\n", b"A: \x01\x0b\xff\r\n", LENGTH + CHUNKED, b"A:\r\n" * 9]
)
def test_valid_head_is_parsed_strictly_and_nothing_is_repaired(line: bytes, fields: bytes) -> None:
    head, repairs = parse_head_leniently(line + fields + b"\r\n", DEFAULT)
    strict = parse_head(line + fields + b"\r\n")
    assert repairs == ()
    assert (head.block, head.line, head.fields.pairs()) == (strict.block, strict.line, strict.fields.pairs())


@pytest.mark.parametrize(
    ("line", "version", "status", "reason"),
    [
        (b"HTTP/1.1  200  OK\r\n", 11, 200, "OK"),
        (b"HTTP/1.1\t200\tOK\r\n", 11, 200, "OK"),
        (b"HTTP/1.1 200OK\r\n", 11, 200, "OK"),
        (b"http/1.0 200 OK\n", 10, 200, "OK"),
        (b"HTTP/1 503 Busy\r\n", 10, 503, "Busy"),
        (b"ICY 200 OK\r\n", 10, 200, "OK"),
        (b"HTTP/1.1 200 O\rK\r\n", 11, 200, "O K"),
        (b"HTTP/1.1 200 O\0K\xff\r\n", 11, 200, "O K\xff"),
        (b"HTTP/1.1 404 No\r\r\n", 11, 404, "No"),
    ],
)
def test_malformed_status_line_is_repaired(line: bytes, version: int, status: int, reason: str) -> None:
    head, repairs = parse(line + LENGTH + b"\r\n")
    assert (head.version, head.status, head.reason) == (version, status, reason)
    assert repairs == (Repair.STATUS_LINE,)
    assert decide_framing(head, "GET")[:2] == (Kind.LENGTH, 5)
    assert parse_head(head.block).reason == reason


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"HTTP/1.1 20 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 000 OK\r\n",
        b"HTTP/1.1 2x0 OK\r\n",
        b"HTTP/1.1200 OK\r\n",
        b"HTTP/1.10 200 OK\r\n",
        b"HTTP 200 OK\r\n",
        b"HTTP/1.1 200 OK\rContent-Length: 5\r\n",
        b"HTTP/1.1 200 OK\0Transfer-Encoding: chunked\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"<html>\r\n",
        b" HTTP/1.1 200 OK\r\n",
        b"junk\r\nHTTP/1.1 200 OK\r\n",
        b"\r\n\r\nHTTP/1.1 200 OK\r\n",
    ],
)
def test_line_that_is_not_a_status_line_stays_an_error(line: bytes) -> None:
    with pytest.raises(BadStatusLine):
        parse_head_leniently(line + LENGTH + b"\r\n", DEFAULT)


@pytest.mark.parametrize("line", [b"HTTP/2.0 200 OK\r\n", b"HTTP/0.9 200 OK\r\n", b"HTTP/2 200 OK\r\n"])
def test_other_protocol_stays_an_error(line: bytes) -> None:
    with pytest.raises(UnknownProtocol):
        parse_head_leniently(line + b"A : b\r\n\r\n", DEFAULT)


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_one_empty_line_before_the_status_line_is_skipped(eol: bytes) -> None:
    head, repairs = parse(eol + OK + LENGTH + b"\r\n")
    assert head.block == OK + LENGTH + b"\r\n"
    assert repairs == (Repair.EMPTY_LINE,)


@pytest.mark.parametrize(
    ("line", "repaired", "repairs"),
    [
        (b"A : b\r\n", b"A: b\r\n", (Repair.BLANKS,)),
        (b"A \t:b\n", b"A:b\r\n", (Repair.BLANKS,)),
        (b"A : b\r\n c\r\n", b"A: b c\r\n", (Repair.BLANKS,)),
        (b"PHP Warning:  foo() in /x.php on line 3\r\n", b"", (Repair.STRAY_LINE,)),
        (b"no colon\r\n", b"", (Repair.STRAY_LINE,)),
        (b"no colon\r\n and a fold\r\n", b"", (Repair.STRAY_LINE,)),
        (b": no name\r\n", b"", (Repair.STRAY_LINE,)),
        (b"\xc3\xa9: b\r\n", b"", (Repair.STRAY_LINE,)),
        (b"A(b): c\r\n", b"", (Repair.STRAY_LINE,)),
        (b"A: b\rc\r\n", b"A: b c\r\n", (Repair.CONTROL,)),
        (b"A: b\0c\r\n", b"A: b c\r\n", (Repair.CONTROL,)),
        (b"A: b\r\r\n", b"A: b \r\n", (Repair.CONTROL,)),
        (b"A\r: b\r\n", b"A: b\r\n", (Repair.BLANKS, Repair.CONTROL)),
        (b"A\rB: c\r\n", b"", (Repair.STRAY_LINE,)),
    ],
)
def test_line_that_is_not_a_field_is_repaired_or_dropped(
    line: bytes, repaired: bytes, repairs: tuple[Repair, ...]
) -> None:
    for before, after in ((b"", LENGTH), (LENGTH, b""), (b"X: y\r\n", LENGTH)):
        head, found = parse(OK + before + line + after + b"\r\n")
        assert head.block == OK + before + repaired + after + b"\r\n"
        assert found == repairs
        assert decide_framing(head, "GET")[:2] == (Kind.LENGTH, 5)
        assert syntax.FIELD_LINES.fullmatch(head.block, head.start)


def test_blanks_before_the_first_field_drop_its_line() -> None:
    head, repairs = parse(OK + b" A: b\r\n c\r\n" + LENGTH + b"\r\n")
    assert head.block == OK + LENGTH + b"\r\n"
    assert repairs == (Repair.STRAY_LINE,)


def test_each_kind_of_repair_is_reported_once_in_the_order_of_the_head() -> None:
    _, repairs = parse(b"\r\nhttp/1.1 200 OK\r\n" + b"no colon\r\n" * 9 + b"A : b\r\n" * 9 + b"B: \0\r\n\r\n")
    assert repairs == (Repair.EMPTY_LINE, Repair.STATUS_LINE, Repair.STRAY_LINE, Repair.BLANKS, Repair.CONTROL)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"Content-Length : 5\r\n", (Kind.LENGTH, 5)),
        (b"Content-Length\t: 5\r\r\n", (Kind.LENGTH, 5)),
        (b"Transfer-Encoding : chunked\r\n", (Kind.CHUNKED, 0)),
        (CHUNKED + CHUNKED, (Kind.CHUNKED, 0)),
        (b"Transfer-Encoding: chunked, Chunked\r\n", (Kind.CHUNKED, 0)),
        (CHUNKED + b"Transfer-Encoding : chunked\r\n", (Kind.CHUNKED, 0)),
    ],
)
def test_framing_fields_are_repaired_where_they_are_not_in_doubt(fields: bytes, expected: tuple[Kind, int]) -> None:
    assert framing(fields)[:2] == expected


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 103)])
def test_coding_of_a_response_without_content_is_not_repaired(method: str, status: int) -> None:
    head, repairs = parse_head_leniently(b"HTTP/1.1 %d x\r\n%b\r\n" % (status, CHUNKED + CHUNKED), DEFAULT)
    assert repairs == ()
    assert frame_leniently(head, method) == ((Kind.LENGTH, 0, None), ())


@pytest.mark.parametrize(
    "fields",
    [
        # two framings
        b"Content-Length : 5\r\nContent-Length: 6\r\n",
        b"Content-Length : 5\r\n" + CHUNKED,
        b"Transfer-Encoding : chunked\r\n" + LENGTH,
        LENGTH + CHUNKED + b"no colon\r\n",
        LENGTH + CHUNKED + CHUNKED,
        LENGTH + CHUNKED + b"A: \0\r\n",
        # framing that another recipient may see
        b"Content-Length 5\r\n" + LENGTH,
        b"Content Length: 5\r\n" + LENGTH,
        b" Content-Length: 6\r\n" + LENGTH,
        b"\tTransfer-Encoding: chunked\r\n" + LENGTH,
        b"(Transfer-Encoding: chunked\r\n" + LENGTH,
        b"Transfer-Encoding\0: chunked\r\n" + LENGTH,
        b"Content-Length\r: 5\r\n",
        b"Content-Length: 5\0\r\n",
        b"A: b\rContent-Length: 5\r\n",
        b"A: b\0transfer-encoding: chunked\r\n",
        b"A: b\r\rcontent--length: 5\r\n" + LENGTH,
        # a line of CRs is the empty line for some
        b"A: b\r\n\r\r\n" + LENGTH,
        # unknown
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked, gzip\r\n",
        b"Transfer-Encoding: chunked,\r\n",
        b"Transfer-Encoding: chunked, chunked, x\r\n",
        b"Transfer-Encoding : gzip\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Content-Length : x\r\n",
        b"Content-Length:\r\nno colon\r\n",
    ],
)
def test_framing_that_is_in_doubt_stays_an_error(fields: bytes) -> None:
    with pytest.raises(HTTPException):
        framing(fields)


@pytest.mark.parametrize("line", [b"no colon\r\n", b"A : b\r\n", b"\0: b\r\n", b"A: \r\r\n"])
def test_repaired_heads_keep_to_the_limits(line: bytes) -> None:
    limits = Limits(fields=10, line=100)
    parse_head_leniently(OK + line * 9 + b"\r\n", limits)
    with pytest.raises(ProtocolError, match="more than 10"):
        parse_head_leniently(OK + line * 11 + b"\r\n", limits)
    for block in (
        OK + b"A : %b\r\n\r\n" % (b"x" * 100),
        b"HTTP/1.1  200 %b\r\n\r\n" % (b"x" * 100),
        b"\r\nHTTP/1.1 200 %b\r\n\r\n" % (b"x" * 100),
        b"HTTP/1.1  200 OK\r\nA: %b\r\n\r\n" % (b"x" * 100),
    ):
        with pytest.raises(LineTooLong):
            parse_head_leniently(block, limits)


@pytest.mark.parametrize("block", [b"", b"\r\n", b"\n\n", b"hTTP/1.1 200 OK", b"hTTP/1.1 200 OK\r\nA : b\r\n"])
def test_head_without_its_end_stays_an_error(block: bytes) -> None:
    with pytest.raises(BadStatusLine):
        parse_head_leniently(block, DEFAULT)


def test_section_with_an_empty_line_within_stays_an_error() -> None:
    with pytest.raises(ProtocolError):
        repair_section(b"A : b\r\n\r\nC: d\r\n\r\n", DEFAULT)


@pytest.mark.parametrize(
    ("section", "pairs", "repairs"),
    [
        (b"A: b\r\n", [("A", "b")], ()),
        (b"A : b\r\nno colon\r\n", [("A", "b")], (Repair.BLANKS, Repair.STRAY_LINE)),
        (b"A: b\x0bc\x1c\r\n", [("A", "b c")], (Repair.CONTROL,)),
        (b"A: b\rc\r\nB: \x01\r\n", [("A", "b c"), ("B", "")], (Repair.CONTROL,)),
    ],
)
def test_trailers_are_repaired_as_heads_are(
    section: bytes, pairs: list[tuple[str, str]], repairs: tuple[Repair, ...]
) -> None:
    trailers, found = parse_trailers_leniently(section + b"\r\n", DEFAULT)
    assert trailers.pairs() == pairs
    assert found == repairs


@pytest.mark.parametrize("section", [b"Content-Length: x\r\n", b"Content-Length 5\r\n", b"A: b\rContent-Length: 5\r\n"])
def test_trailers_that_name_a_framing_stay_an_error(section: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_trailers_leniently(section + b"\r\n", DEFAULT)
