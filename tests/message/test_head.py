"""Parsing response heads, and building request lines and fields: accepted and refused input."""

import pytest

from asyncclient.errors import BadStatusLine, HTTPException, InvalidURL, LineTooLong, ProtocolError, UnknownProtocol
from asyncclient.limits import Limits
from asyncclient.message.head import build_field, build_request_line, has_final_begun, parse_head, parse_status_line

OK = b"HTTP/1.1 200 OK\r\n"
UNENDABLE = ["\r", "\n", "\0", "b\r\nX: y", "b\nX: y", "b\rX: y", "b\r\n\r\nGET / HTTP/1.1", "b\r\n\tc", "b\r\n c"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n", (11, 200, "OK")),
        (b"HTTP/1.0 404 Not Found\r\n", (10, 404, "Not Found")),
        (b"HTTP/1.9 200 OK\r\n", (11, 200, "OK")),
        (b"HTTP/1.1 200 OK\n", (11, 200, "OK")),
        (b"HTTP/1.1 200 \r\n", (11, 200, "")),
        (b"HTTP/1.1 200\r\n", (11, 200, "")),
        (b"HTTP/1.1 200\n", (11, 200, "")),
        (b"HTTP/1.1 100 Continue\r\n", (11, 100, "Continue")),
        (b"HTTP/1.1 999 \t a  b: \t\r\n", (11, 999, "a  b:")),
        (b"HTTP/1.1 500 \xe9\xff\x01\r\n", (11, 500, "\xe9\xff\x01")),
        (b"HTTP/1.1 200 \x85O\x0bK\x0c\x1c\x85\xa0\r\n", (11, 200, "\x85O\x0bK\x0c\x1c\x85\xa0")),
    ],
)
def test_status_line(line: bytes, expected: tuple[int, int, str]) -> None:
    assert parse_status_line(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\r\n",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r",
        b"HTTP/1.1\r\n",
        b"HTTP/1.1 \r\n",
        b"HTTP/1.1 20 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 2x0 OK\r\n",
        b"HTTP/1.1 000 OK\r\n",
        b"HTTP/1.1 099 OK\r\n",
        b"HTTP/1.1 -20 OK\r\n",
        b"HTTP/1.1 +20 OK\r\n",
        b"HTTP/1.1 2_0 OK\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n",
        b"HTTP/1.1 \xd9\xa2\xd9\xa0\xd9\xa0 OK\r\n",
        b"HTTP/1.1 200OK\r\n",
        b"HTTP/1.1 200\tOK\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/1.1\t200 OK\r\n",
        b" HTTP/1.1 200 OK\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n",
        b"http/1.1 200 OK\r\n",
        b"HTTP/11 200 OK\r\n",
        b"HTTP/1.10 200 OK\r\n",
        b"HTTP/01.1 200 OK\r\n",
        b"HTTP/1,1 200 OK\r\n",
        b"HTTP/1. 200 OK\r\n",
        b"HTTP/.1 200 OK\r\n",
        b"HTTP/1 200 OK\r\n",
        b"HTTP/\xb9.1 200 OK\r\n",
        b"HTTP /1.1 200 OK\r\n",
        b"ICY 200 OK\r\n",
        b"SSH-2.0-X\r\n",
        b"<html>\r\n",
        b"200 OK\r\n",
        b"HTTP/1.1 200 O\0K\r\n",
        b"HTTP/1.1 200 O\rK\r\n",
        b"HTTP/1.1 200 OK\r\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_invalid_status_line_is_refused(line: bytes) -> None:
    with pytest.raises(BadStatusLine, match="invalid status line") as caught:
        parse_status_line(line)
    assert caught.value.line == line.decode("latin-1")


@pytest.mark.parametrize("version", ["HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"])
def test_other_major_version_is_an_unknown_protocol(version: str) -> None:
    with pytest.raises(UnknownProtocol, match=rf"expected HTTP/1\.x, got '{version}'") as caught:
        parse_head(version.encode() + b" 200 OK\r\n\r\n")
    assert caught.value.version == version


def test_errors_are_short_for_long_input() -> None:
    with pytest.raises(BadStatusLine) as status:
        parse_head(b"x" * 60000 + b"\r\n\r\n")
    with pytest.raises(ProtocolError) as field:
        parse_head(OK + b"x" * 60000 + b"\r\n\r\n")
    assert max(len(str(caught.value)) for caught in (status, field)) < 120


def test_head_keeps_its_block_and_its_line() -> None:
    head = parse_head(OK + b"A: b\r\n\r\n")
    assert (head.version, head.status, head.reason, head.line) == (11, 200, "OK", "HTTP/1.1 200 OK\r\n")
    assert (head.block, head.start, head.block[head.start :]) == (OK + b"A: b\r\n\r\n", 17, b"A: b\r\n\r\n")
    assert head.fields.pairs() == [("A", "b")]
    assert head.fields is head.fields


def test_long_status_line_is_taken_up_to_the_limit() -> None:
    head = parse_head(b"HTTP/1.1 200 " + b"r" * 65000 + b"\r\n\r\n")
    assert head.reason == "r" * 65000


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n", b"Transfer-Encoding: chunked\r\n", b"F: o\r\n ld\r\n"])
class TestLimitsOfBothPaths:
    """The plain head and the one with framing fields are parsed by different code; bounds hold for both."""

    def test_lines(self, more: bytes) -> None:
        limits = Limits(line=100)
        assert parse_head(OK + more + b"A: " + b"b" * 96 + b"\r\n\r\n", limits).fields["a"] == "b" * 96
        with pytest.raises(LineTooLong, match="more than 100 bytes when reading a header line"):
            parse_head(OK + more + b"A: " + b"b" * 98 + b"\r\n\r\n", limits)
        with pytest.raises(LineTooLong, match="status line") as caught:
            parse_head(OK[:-2] + b"!" * 98 + b"\r\n" + more + b"\r\n", limits)
        assert caught.value.limit == 100

    def test_count_of_fields_folds_included(self, more: bytes) -> None:
        limits = Limits(fields=10)
        fitting = 10 - more.count(b"\n")
        assert len(parse_head(OK + more + b"A: b\r\n" * fitting + b"\r\n", limits).fields.pairs()) >= 9
        for eol in (b"\r\n", b"\n"):
            with pytest.raises(ProtocolError, match="more than 10 header fields"):
                parse_head(OK + more + (b"A: b" + eol) * (fitting + 1) + eol, limits)
            with pytest.raises(ProtocolError, match="more than 10 header fields"):
                parse_head(OK + more + b"A: b" + eol + (b" c" + eol) * fitting + eol, limits)


@pytest.mark.parametrize("head", [b"", b"\n", b"\r\n\r\n", OK, OK + b"A: b", OK + b"A: b\r\n", OK + b"A: b\r\n\r"])
def test_incomplete_head_is_an_error(head: bytes) -> None:
    with pytest.raises(HTTPException):
        parse_head(head)


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/"), ("OPTIONS", "*"), ("CONNECT", "[::1]:443"), ("get", "http://h/?q=%20#"), ("!#$%&'*+-.^_`|~9", "?")],
)
def test_request_line(method: str, target: str) -> None:
    assert build_request_line(method, target) == f"{method} {target} HTTP/1.1".encode()


@pytest.mark.parametrize(
    "method",
    ["", " ", "G ET", " GET", "GET ", "GET /x", "GET\r\n", "GET\n", "G\0T", "G\tT", "GÉT", "G\u560aT", "G:T", "(G)"],
)
def test_invalid_method_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match="method can't be sent") as caught:
        build_request_line(method, "/")
    assert not isinstance(caught.value, InvalidURL)


@pytest.mark.parametrize(
    "target",
    [
        "",
        " ",
        " /",
        "/ ",
        "/a b",
        "/\t",
        "/\r\nX: y",
        "/\nX: y",
        "/\rX: y",
        "/\0",
        "/\x7f",
        "/\x85",
        "/\xa0",
        "/é",
        "/\u560a\u560dX:\u560ay",
        "/\u2028",
        "/\ud800",
        "/ HTTP/1.1\r\nHost: x",
        "/ HTTP/1.1",
    ],
)
def test_target_that_could_end_the_line_is_refused(target: str) -> None:
    with pytest.raises(InvalidURL, match="expected visible ASCII characters"):
        build_request_line("GET", target)


@pytest.mark.parametrize("method", ["GET", "PURGE"])
def test_a_target_has_the_same_characters_for_any_method(method: str) -> None:
    def is_valid(target: str) -> bool:
        try:
            return build_request_line(method, target) == f"{method} {target} HTTP/1.1".encode()
        except InvalidURL:
            return False

    assert [chr(code) for code in range(0x300) if is_valid(f"/{chr(code)}")] == [
        chr(code) for code in range(0x21, 0x7F)
    ]
    assert not is_valid("")


@pytest.mark.parametrize(
    ("name", "values", "line"),
    [
        ("A", ["b"], b"A: b"),
        (b"A", [b"b"], b"A: b"),
        ("A", [5], b"A: 5"),
        ("A", [], b"A: "),
        ("A", [""], b"A: "),
        ("A", [" b\t"], b"A:  b\t"),
        ("A", ["é\x85\xff"], b"A: \xe9\x85\xff"),
        ("A", ["\u20ac".encode(), b"\xff"], b"A: \xe2\x82\xac\r\n\t\xff"),
        ("A", ["b", 1, b"c"], b"A: b\r\n\t1\r\n\tc"),
    ],
)
def test_field(name: str | bytes, values: list[str | bytes | int], line: bytes) -> None:
    assert build_field(name, *values) == line


@pytest.mark.parametrize(
    "name", ["", "A ", " A", "A:", "A b", "A\r\nB", "A\n", "\nA", "A\0", "Ä", "A\u560a", "A\x85", "[A]"]
)
def test_invalid_field_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="invalid header name"):
        build_field(name, "b")
    with pytest.raises(ValueError, match="invalid header name"):
        build_field(name.encode(), b"b")


@pytest.mark.parametrize("value", UNENDABLE)
@pytest.mark.parametrize("before", [[], ["first"]])
def test_field_value_that_could_end_the_line_is_refused(value: str, before: list[str]) -> None:
    for given in (value, value.encode()):
        with pytest.raises(ValueError, match="invalid value of header A: it has a CR, LF or NUL"):
            build_field("A", *before, given)


@pytest.mark.parametrize("value", ["\u560d\u560aX: y", "\u010a", "\u2028", "\u20ac", "\ud800", "😀"])
def test_field_value_is_never_narrowed(value: str) -> None:
    with pytest.raises(ValueError, match="not ISO-8859-1, pass it as bytes") as caught:
        build_field("A", value)
    assert caught.value.__cause__ is None


def test_refused_value_is_not_in_the_text() -> None:
    with pytest.raises(ValueError, match="Authorization") as caught:
        build_field("Authorization", "Bearer secret\n")
    assert "secret" not in str(caught.value)


INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "has_begun"),
    [
        (b"", False),
        (b"HTTP/1.1 4", False),
        (b"HTTP/1.1 413 Too Large\r\n", True),
        (b"HTTP/1.1 413", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n", False),
        (INTERIM, False),
        (INTERIM[:-2], False),
        (INTERIM + b"HTTP/1.1 10", False),
        (INTERIM + INTERIM + b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 101 Switching Protocols\r\n", True),
        (b"SSH-2.0-OpenSSH", True),
    ],
)
def test_final_response_has_begun_beyond_interim_ones(data: bytes, has_begun: bool) -> None:
    assert has_final_begun(data) is has_begun
