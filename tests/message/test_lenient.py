"""Messages that http.client accepts; line ends in values and ambiguous lines are refused here, too."""

import pytest

from asyncclient.errors import HTTPException, LineTooLong, ProtocolError
from asyncclient.limits import Limits
from asyncclient.message import lenient
from asyncclient.message.cycle import CloseReason
from asyncclient.message.framing import Framing, Kind
from asyncclient.message.head import StatusLine
from asyncclient.message.lenient import InvalidLength, frame

LIMITS = Limits()
END = (Kind.UNTIL_CLOSE, 0, CloseReason.READ_UNTIL_CLOSE)


def framing(
    section: bytes, *, method: str = "GET", status: int = 200, version: int = 11, limits: Limits = LIMITS
) -> Framing:
    return frame(StatusLine(version, status, "OK"), b"\n" + section + b"\r\n", 1, method, limits)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (b"Content-Length: 5\r\n", (Kind.LENGTH, 5, None)),
        (b"Content-Length: 5, 5\r\n", (Kind.LENGTH, 5, None)),
        (b"Transfer-Encoding: chunked\r\n", (Kind.CHUNKED, 0, None)),
        (b"Transfer-Encoding: Chunked\r\nContent-Length: 5\r\n", (Kind.CHUNKED, 0, CloseReason.DOUBTFUL_FRAMING)),
        (b"", END),
        (b"Transfer-Encoding: gzip\r\n", END),
        (b"Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", (Kind.LENGTH, 5, CloseReason.REPAIRED)),
        (b"Transfer-Encoding: chunked, chunked\r\nContent-Length: 5\r\n", (Kind.LENGTH, 5, CloseReason.REPAIRED)),
        (b"Content-Length: -5\r\n", END),
        (b"Content-Length: -5 \t\r\n", END),
        (b"Content-Length: 5\r\nConnection: close\r\n", (Kind.LENGTH, 5, CloseReason.SERVER_CLOSE)),
    ],
)
def test_content_is_framed_as_by_http_client(section: bytes, expected: Framing) -> None:
    assert framing(section) == expected


@pytest.mark.parametrize(
    "line",
    [b"no colon\r\n", b": no name\r\n", b"A : b\r\n", b"A B: c\r\n", b"A\xff: b\r\n", b"\tfold\r\n"],
)
@pytest.mark.parametrize("is_first", [False, True])
def test_invalid_field_line_is_skipped_and_ends_the_connection(line: bytes, is_first: bool) -> None:
    fields = [line, b"Content-Length: 5\r\n"] if is_first else [b"Content-Length: 5\r\n", b"X: y\r\n", line]
    kind, length, reason = framing(b"".join(fields))
    assert (kind, length) == (Kind.LENGTH, 5)
    assert (reason is None) is (line == b"\tfold\r\n" and not is_first)


@pytest.mark.parametrize("value", [b"", b"x", b"+5", b"5 5", b"0x5", b"5_0", b"5, 6", b"-", b"--5", b"9" * 30])
@pytest.mark.parametrize("before", [b"", b"no colon\r\n", b"Transfer-Encoding: gzip\r\n"])
def test_invalid_length_has_an_error_class_of_its_own(before: bytes, value: bytes) -> None:
    with pytest.raises(InvalidLength):
        framing(before + b"Content-Length: %b\r\n" % value)
    assert issubclass(InvalidLength, ProtocolError)


@pytest.mark.parametrize("line", [b"A: b\0c\r\n", b"A: b\rc\r\n", b"\0: b\r\n", b"no\rcolon\r\n", b"\r\r\n"])
def test_ambiguous_lines_are_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        framing(b"Content-Length: 5\r\n" + line)


@pytest.mark.parametrize("line", [b"A: b\r\n", b"no colon\r\n"])
def test_fields_are_bounded_whether_they_are_sound_or_not(line: bytes) -> None:
    limits = Limits(fields=10)
    assert framing(line * 9, limits=limits)[0] is Kind.UNTIL_CLOSE
    with pytest.raises(HTTPException):
        framing(line * 12, limits=limits)


def test_line_is_bounded() -> None:
    with pytest.raises(LineTooLong):
        framing(b"A: %b\r\n" % (b"x" * 200), limits=Limits(line=100))


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 101)])
def test_responses_without_content_ignore_their_length(method: str, status: int) -> None:
    kind, length, _ = framing(b"Content-Length: 5\r\n", method=method, status=status)
    assert (kind is Kind.LENGTH and length == 0) or kind not in (Kind.LENGTH, Kind.CHUNKED, Kind.UNTIL_CLOSE)


@pytest.mark.parametrize("value", [b"", b"x", b"-5", b"5, 6"])
def test_invalid_length_that_delimits_nothing_is_ignored(value: bytes) -> None:
    line = b"Content-Length: %b\r\n" % value
    for method, status in (("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 101)):
        assert framing(line, method=method, status=status) == (Kind.LENGTH, 0, None)
        ends = line + b"Connection: close\r\n"
        assert framing(ends, method=method, status=status) == (Kind.LENGTH, 0, CloseReason.SERVER_CLOSE)
        assert framing(line + b"no colon\r\n", method=method, status=status) == (Kind.LENGTH, 0, CloseReason.REPAIRED)
    assert framing(line + b"Transfer-Encoding: chunked\r\n") == (Kind.CHUNKED, 0, CloseReason.REPAIRED)


# Requests


@pytest.mark.parametrize("name", [b"X", b"X(y", b"X y", b"X\xff", b"@", b"X\x01"])
def test_name_need_not_be_a_token(name: bytes) -> None:
    assert lenient.FIELD_NAME.fullmatch(name)


@pytest.mark.parametrize("name", [b"", b":", b"X:", b" X", b"\tX", b"X\n", b"X\r", b"X\0", b"X\ny", b"\x00"])
def test_name_that_could_be_something_else_is_refused(name: bytes) -> None:
    assert lenient.FIELD_NAME.fullmatch(name) is None


@pytest.mark.parametrize("value", [b"", b"a", b"a\r\n b", b"a\n\tb", b"a\r\tb", b"\xff", b"a\x0bb", b"a\x7f"])
def test_value_may_be_folded(value: bytes) -> None:
    assert lenient.NOT_IN_VALUE.search(value) is None


@pytest.mark.parametrize("value", [b"a\nb", b"a\rb", b"a\r\nb", b"a\n", b"a\r", b"a\r\n", b"\0", b"a\n b\nc"])
def test_value_that_ends_its_line_is_refused(value: bytes) -> None:
    assert lenient.NOT_IN_VALUE.search(value)


@pytest.mark.parametrize("target", ["/a b", "/\n", "/\r", "/\0", "/\x7f", "/\x1f", "\t"])
def test_target_with_blanks_or_controls_is_refused(target: str) -> None:
    assert lenient.NOT_IN_TARGET.search(target)


@pytest.mark.parametrize("target", ["/", "*", "/%20", "/\xe9", "http://x/", '/<>"{}|\\^`#'])
def test_target_of_anything_else_passes(target: str) -> None:
    assert lenient.NOT_IN_TARGET.search(target) is None


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "X-Y /%20?a#b HTTP/9.9", "!#$ * nonsense"])
def test_valid_request_line_is_recognised(line: str) -> None:
    assert lenient.REQUEST_LINE.fullmatch(line)


@pytest.mark.parametrize("line", [" / H", "G T / H", "GET  H", "GET /\u560a H", "GET / H\n", "G(T / H", "GET /a b H"])
def test_request_line_with_a_fault_is_not_recognised(line: str) -> None:
    assert lenient.REQUEST_LINE.fullmatch(line) is None
