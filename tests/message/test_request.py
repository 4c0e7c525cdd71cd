"""The head of a request and its declared framing; bodies that the caller has chunked."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.errors import InvalidURL
from asyncclient.message.request import BodyGuard, ChunkValidator, RequestHead

Given = Sequence[tuple[str, str | int]]

CHUNKED = [("Transfer-Encoding", "chunked")]
BODY = b"5\r\nhello\r\nA;x=y\r\n0\r\n\r\n34567\r\n0\r\nA: b\r\n\r\n"


def head_with(*fields: tuple[str, str | int], method: str = "POST") -> RequestHead:
    head = RequestHead(method, "/")
    for name, value in fields:
        head.add(name, value)
    return head


def test_head_is_its_lines_in_order() -> None:
    head = RequestHead("PUT", "/a?b", b"Host: h", b"Accept: x")
    head.add("A", "b")
    head.add(b"a", "c", b"d", 5)
    assert head.build() == b"PUT /a?b HTTP/1.1\r\nHost: h\r\nAccept: x\r\nA: b\r\na: c\r\n\td\r\n\t5\r\n\r\n"
    assert head.method == "PUT"
    assert (head.length, head.is_chunked, head.expects_continue, head.asks_upgrade) == (None, False, False, False)


def test_the_fields_of_a_head_include_prepared_and_continued_lines() -> None:
    head = RequestHead("PUT", "/a?b", b"Host: h\r\nAccept: x")
    assert head.fields.pairs() == [("Host", "h"), ("Accept", "x")]
    head.add("A", "b", "c")
    head.frame(3, encode_chunked=False)
    assert head.fields.pairs() == [("Host", "h"), ("Accept", "x"), ("A", "b c"), ("Content-Length", "3")]
    assert RequestHead("GET", "/").fields.pairs() == []


def test_replaced_fields_replace_those_of_the_same_name() -> None:
    head = RequestHead("PUT", "/a?b", b"Host: h\r\nAccept: x")
    head.add("A", "b", "c")
    head.add("X", 1)
    other = head.replace_fields([("x", "2"), ("X", b"3"), ("accept", None), ("New", 4)])
    assert other.build() == b"PUT /a?b HTTP/1.1\r\nHost: h\r\nA: b\r\n\tc\r\nx: 2\r\nX: 3\r\nNew: 4\r\n\r\n"
    assert head.fields["x"] == "1"
    with pytest.raises(ValueError, match="invalid value of header X"):
        head.replace_fields([("X", "1\r\nY: 2")])
    with pytest.raises(ValueError, match="invalid header name"):
        head.replace_fields([("X Y", None)])


def test_replaced_fields_keep_and_change_the_declared_framing() -> None:
    head = head_with(("Content-Length", 3), ("Connection", "close"), ("Expect", "100-continue"))
    kept = head.replace_fields([("A", "b")])
    assert (kept.length, kept.is_chunked, kept.asks_close, kept.expects_continue) == (3, False, True, True)
    changed = head.replace_fields([("Content-Length", None), ("Transfer-Encoding", "chunked"), ("Connection", None)])
    assert (changed.length, changed.is_chunked, changed.asks_close) == (None, True, False)
    with pytest.raises(ValueError, match="one Content-Length or Transfer-Encoding at most"):
        head.replace_fields([("Transfer-Encoding", "chunked")])


def test_request_line_that_cannot_be_sent_makes_no_head() -> None:
    with pytest.raises(ValueError, match="method can't be sent"):
        RequestHead("GET\r\nX: y", "/")
    with pytest.raises(InvalidURL):
        RequestHead("GET", "/ HTTP/1.1\r\nX: y")


@pytest.mark.parametrize(
    ("name", "value"),
    [("A\r\nB", "c"), ("A", "b\r\nC: d"), ("Content-Length", "5\r\nX: y"), ("Content-Length", "x"), ("A", "\u560a")],
)
def test_refused_field_leaves_nothing_behind(name: str, value: str) -> None:
    head = head_with(("A", "b"))
    before = head.build()
    with pytest.raises(ValueError):  # noqa: PT011
        head.add(name, value)
    assert (head.build(), head.length, head.is_chunked) == (before, None, False)


@pytest.mark.parametrize(
    ("name", "value", "noted"),
    [
        ("Content-Length", 5, {"length": 5}),
        ("CONTENT-length", "0", {"length": 0}),
        ("Content-Length", "9" * 18, {"length": 10**18 - 1}),
        ("Transfer-Encoding", "chunked", {"is_chunked": True}),
        ("transfer-ENCODING", "gzip,\tCHUNKED ", {"is_chunked": True}),
        ("Expect", "100-Continue", {"expects_continue": True}),
        ("expect", "x", {}),
        ("UPGRADE", "websocket", {"asks_upgrade": True}),
        ("X-Content-Length", "x", {}),
        ("TE", "chunked", {}),
    ],
)
def test_declarations_of_fields_are_recorded(name: str, value: str | int, noted: dict[str, object]) -> None:
    head = head_with((name, value))
    bare = RequestHead("GET", "/")
    names = ("asks_upgrade", "expects_continue", "is_chunked", "length")
    assert {key: getattr(head, key) for key in names if getattr(head, key) != getattr(bare, key)} == noted


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        " 5",
        "5 ",
        "+5",
        "-5",
        "-0",
        "0x5",
        "5_0",
        "5.0",
        "5, 5",
        "five",
        "\xb2",
        "9" * 19,
        -1,
        True,
        "5\t",
        "5\x85",
        "٥".encode(),
    ],
)
def test_invalid_content_length_is_refused(value: str | int) -> None:
    with pytest.raises(ValueError, match="expected digits as content length"):
        head_with(("Content-Length", value))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "identity",
        "gzip",
        "chunked, gzip",
        "chunked,",
        "xchunked",
        "chunked;q=1",
        "\x0bchunked",
        "\x0cchunked",
        "chunked\x1c",
        "\x85chunked",
        "gzip,\xa0chunked",
        "chunked, chunked",
        "Chunked,gzip,chunked",
        '"chunked"',
    ],
)
def test_transfer_coding_that_does_not_end_in_one_chunked_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="chunked"):
        head_with(("Transfer-Encoding", value))


@pytest.mark.parametrize(
    "values",
    [
        ("Transfer-Encoding", "", "chunked"),
        ("Transfer-Encoding", "gzip,", "chunked"),
        ("Transfer-Encoding", "gzip", "x, chunked"),
        ("Content-Length", "5", "5"),
    ],
)
def test_framing_field_goes_over_one_line_only(values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        RequestHead("POST", "/").add(*values)


@pytest.mark.parametrize("first", [("Content-Length", 5), ("Content-Length", 0), *CHUNKED])
@pytest.mark.parametrize("second", [("content-length", 5), ("CONTENT-LENGTH", 6), ("transfer-encoding", "chunked")])
def test_second_framing_field_is_refused(first: tuple[str, str | int], second: tuple[str, str | int]) -> None:
    with pytest.raises(ValueError, match="one Content-Length or Transfer-Encoding at most"):
        head_with(first, second)


@pytest.mark.parametrize(
    ("fields", "length", "encode_chunked", "in_chunks", "added"),
    [
        ([], 5, False, False, b"Content-Length: 5"),
        ([], 0, False, False, b"Content-Length: 0"),
        ([], None, False, True, b"Transfer-Encoding: chunked"),
        ([], None, True, True, b"Transfer-Encoding: chunked"),
        ([], 5, True, True, b"Transfer-Encoding: chunked"),
        ([("Content-Length", 5)], 5, False, False, None),
        ([("Content-Length", "05")], 5, False, False, None),
        ([("Content-Length", 5)], None, False, False, None),
        ([("Content-Length", 5)], 5, True, False, None),
        (CHUNKED, 5, True, True, None),
        (CHUNKED, None, True, True, None),
        (CHUNKED, 5, False, False, None),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_body_is_framed_once(
    method: str, fields: Given, length: int | None, encode_chunked: bool, in_chunks: bool, added: bytes | None
) -> None:
    head = head_with(*fields, method=method)
    before = head.build()
    assert head.frame(length, encode_chunked=encode_chunked) is in_chunks
    assert head.build() == (before if added is None else before[:-2] + added + b"\r\n\r\n")


@pytest.mark.parametrize("length", [0, 4, 6, 10**30])
@pytest.mark.parametrize("encode_chunked", [False, True])
def test_body_of_another_length_than_declared_is_refused(length: int, encode_chunked: bool) -> None:
    with pytest.raises(ValueError, match=f"body has {length} bytes, its Content-Length says 5"):
        head_with(("Content-Length", 5)).frame(length, encode_chunked=encode_chunked)


@pytest.mark.parametrize(
    ("method", "fields", "says"),
    [
        ("POST", [], True),
        ("PUT", [], True),
        ("PATCH", [], True),
        ("GET", [], False),
        ("DELETE", [], False),
        ("OPTIONS", [], False),
        ("POST", CHUNKED, False),
        ("PUT", [("Content-Length", 5)], False),
    ],
)
def test_missing_body_is_declared_where_one_is_expected(method: str, fields: Given, says: bool) -> None:
    head = head_with(*fields, method=method)
    before = head.build()
    head.build_without_body()
    assert head.build() == (before[:-2] + b"Content-Length: 0\r\n\r\n" if says else before)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_declared_length_is_counted_down(kind: type[bytes] | type[bytearray] | type[memoryview]) -> None:
    body = BodyGuard(head_with(("Content-Length", 5)))
    for part in (b"hel", b"", b"lo"):
        assert not body.is_complete
        body.check(kind(part))
    assert body.is_complete
    body.check(kind(b""))
    with pytest.raises(ValueError, match="1 bytes to send, where the head declared 0 more"):
        body.check(kind(b"!"))


def test_bytes_beyond_the_declared_length_are_refused_as_a_whole() -> None:
    body = BodyGuard(head_with(("Content-Length", 5)))
    with pytest.raises(ValueError, match="6 bytes to send, where the head declared 5 more"):
        body.check(b"hello!")
    body.check(b"hello")
    assert body.is_complete


def test_without_declared_content_no_bytes_may_follow() -> None:
    body = BodyGuard(head_with())
    assert body.is_complete
    with pytest.raises(ValueError, match="declared 0 more"):
        body.check(b"GET / HTTP/1.1\r\n")


def test_declared_chunks_are_followed() -> None:
    body = BodyGuard(head_with(*CHUNKED))
    for part in (BODY[:7], BODY[7:20], BODY[20:]):
        assert not body.is_complete
        body.check(memoryview(part))
    assert body.is_complete
    with pytest.raises(ValueError, match="goes on after its last chunk"):
        body.check(b"\r\n")


def state_after(parts: Sequence[bytes]) -> bool | str:
    """Whether the body is complete after these parts, or "refused"."""
    check = ChunkValidator()
    try:
        for part in parts:
            check.feed(part)
    except ValueError:
        return "refused"
    return check.is_complete


@pytest.mark.parametrize("end", range(len(BODY)))
def test_body_in_chunks_is_complete_at_its_very_end(end: int) -> None:
    assert state_after([BODY[:end]]) is False
    assert state_after([BODY[:end], BODY[end:]]) is True
    assert state_after([BODY[:end], BODY[end:] + b"x"]) == "refused"


@pytest.mark.parametrize(
    "body", [b"0\r\n\r\n", b"000;a=b\r\n\r\n", b"0\r\nA: b\r\nC:\r\n\r\n", b"2\r\n\r\n\r\n0\r\n\r\n"]
)
def test_body_in_chunks(body: bytes) -> None:
    assert state_after([body]) is state_after([bytes([byte]) for byte in body]) is True


@pytest.mark.parametrize(
    "body",
    [
        b"hello\r\n",
        b"\r\n",
        b"\n",
        b"-1\r\n",
        b"0x1\r\n",
        b"1_0\r\n",
        b"5\nhello\r\n",
        b"5\r\nhello!\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\r\n\r\n",
        b"5;a\rb\r\nhello\r\n",
        b"0\r\n\n",
        b"0\r\nA b\r\n",
        b"0\r\n A: b\r\n",
        b"0\r\nA: b\rC: d\r\n",
        b"0\r\nA: \0\r\n",
        b"0\r\n\r\n0\r\n\r\n",
        b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"10000000000000000\r\n",
        b"0\r\nA: b\nC: d\r\n",
    ],
)
def test_body_that_is_not_in_chunks_is_refused(body: bytes) -> None:
    assert state_after([body]) == state_after([bytes([byte]) for byte in body]) == "refused"


def test_errors_name_the_fault() -> None:
    for body, text in [
        (b"x\r\n", r"body is not in chunks: invalid chunk size: b'x\\r\\n'"),
        (b"1\r\nab\r\n", r"expected CRLF after a chunk, got b'b\\r\\n'"),
        (b"0\r\nx\r\n", r"invalid trailer line: b'x\\r\\n'"),
        (b"0\r\n\r\nx", r"body goes on after its last chunk: b'x'"),
    ]:
        with pytest.raises(ValueError, match=text):
            ChunkValidator().feed(body)


def test_line_that_does_not_end_is_refused() -> None:
    check = ChunkValidator()
    with pytest.raises(ValueError, match="a line of more than 65536 bytes"):
        for _ in range(100):
            check.feed(b"0" * 1000)


CHUNKS = st.lists(
    st.sampled_from(
        [b"1\r\na\r\n", b"2;x\r\n\r\n\r\n", b"b\r\n0\r\n\r\n345678\r\n", b"A: b\r\n", b"0\r\n", b"\r\n", b"x", b"3\n"]
    ),
    max_size=6,
)


@given(CHUNKS.map(b"".join), st.lists(st.integers(1, 5), min_size=1))
def test_any_split_of_a_body_gives_the_same(body: bytes, steps: list[int]) -> None:
    parts: list[bytes] = []
    at = 0
    while at < len(body):
        step = steps[len(parts) % len(steps)]
        parts.append(body[at : at + step])
        at += step
    assert state_after(parts) == state_after([body]) == state_after([bytes([byte]) for byte in body])
