"""Field sections: valid and invalid ones, and the mapping of their fields."""

import pytest

from asyncclient.errors import LineTooLong, ProtocolError
from asyncclient.limits import DEFAULT, Limits
from asyncclient.message.fields import Fields, check_section
from asyncclient.message.head import parse_head

Pairs = list[tuple[str, str]]

SET_COOKIES = Fields([("Set-Cookie", "a=1"), ("Via", "x"), ("set-cookie", "b=2"), ("VIA", "y")])


def parse(section: bytes) -> Pairs:
    return Fields.from_section(check_section(section + b"\r\n", DEFAULT)).pairs()


@pytest.mark.parametrize(
    ("section", "pairs"),
    [
        (b"", []),
        (b"A: b\r\n", [("A", "b")]),
        (b"A:b\n", [("A", "b")]),
        (b"A: b\nC: d\r\n", [("A", "b"), ("C", "d")]),
        (b"A:\t b \t\r\n", [("A", "b")]),
        (b"A:\r\nB: \r\nC:\t\r\n", [("A", ""), ("B", ""), ("C", "")]),
        (b"a: b: c:\r\n", [("a", "b: c:")]),
        (b"!#$%&'*+-.^_`|~9Z: x\r\n", [("!#$%&'*+-.^_`|~9Z", "x")]),
        (b"A: b\r\na: c\r\nA: b\r\n", [("A", "b"), ("a", "c"), ("A", "b")]),
        (b'A: (b),\t"c\\"d"\r\n', [("A", '(b),\t"c\\"d"')]),
    ],
)
def test_section_gives_its_pairs_in_wire_order(section: bytes, pairs: Pairs) -> None:
    assert parse(section) == pairs
    assert parse_head(b"HTTP/1.1 200 OK\r\n" + section + b"\r\n").fields.pairs() == pairs


@pytest.mark.parametrize(
    "byte",
    [
        b"\x0b",
        b"\x0c",
        b"\x1c",
        b"\x1d",
        b"\x1e",
        b"\x1f",
        b"\x85",
        b"\xa0",
        b"\xe2\x80\xa8",
        b"\xff",
        b"\x01",
        b"\x7f",
    ],
)
def test_bytes_that_text_takes_for_line_ends_or_blanks_stay_in_the_value(byte: bytes) -> None:
    text = byte.decode("latin-1")
    assert parse(b"A: " + byte + b"Evil: b" + byte + b"\r\nC: " + byte + b"\r\n") == [
        ("A", f"{text}Evil: b{text}"),
        ("C", text),
    ]
    with pytest.raises(ProtocolError):
        parse(b"A" + byte + b": b\r\n")


@pytest.mark.parametrize(
    ("section", "value"),
    [
        (b"A: b\r\n c\r\n", "b c"),
        (b"A: b\n c\n", "b c"),
        (b"A:\r\n b\r\n", "b"),
        (b"A: b\r\n \r\n", "b"),
        (b"A: b\r\n c\r\n\td\r\n", "b c d"),
        (b"A: b\r\n c: d\r\n", "b c: d"),
        (b"A: b\r\n \x85c\r\n", "b \x85c"),
    ],
)
def test_folded_line_becomes_one_with_a_space(section: bytes, value: str) -> None:
    assert parse(section) == [("A", value)]
    assert parse(b"X: y\r\n" + section + b"Z: z\r\n") == [("X", "y"), ("A", value), ("Z", "z")]


@pytest.mark.parametrize("section", [b"A: b\r\n \r\n\t\r\n c\r\n", b"A: b \t\r\n\t  c\r\n"])
def test_blanks_around_a_fold_stay_blanks_at_most(section: bytes) -> None:
    ((_, value),) = parse(section)
    assert value.replace(" ", "").replace("\t", "") == "bc"


@pytest.mark.parametrize(
    "section",
    [
        b" A: b\r\n",
        b"\tA: b\r\n",
        b" \r\nA: b\r\n",
        b" A: b\r\nC: d\r\n",
        b"A : b\r\n",
        b"A\t: b\r\n",
        b": b\r\n",
        b":\r\n",
        b"A\r\n",
        b"A b\r\n",
        b"A b: c\r\n",
        b"A\0: b\r\n",
        b"A: \0\r\n",
        b"A: b\0\r\n c\r\n",
        b"A: b\rc\r\n",
        b"A: b\r\r\n",
        b"A: \rB: c\r\n",
        b"A\r: b\r\n",
        b"\rA: b\r\n",
        b"A\r\n : b\r\n",
        b"A\r\n b: c\r\n",
        b"A: b\r c\r\n",
        b"\xc4: b\r\n",
        b"A\x85: b\r\n",
        b"\x0bA: b\r\n",
        b"\xef\xbb\xbfA: b\r\n",
        b"(A): b\r\n",
        b"A;: b\r\n",
        b'"A": b\r\n',
        b"Content-Length : 5\r\n",
        b"Transfer-Encoding\t: chunked\r\n",
        b"HTTP/1.1 200 OK\r\n",
    ],
)
@pytest.mark.parametrize("before", [b"", b"X: y\r\n", b"Connection: close\r\nX: y\r\n z\r\n"])
def test_invalid_field_line_is_refused(before: bytes, section: bytes) -> None:
    if section[:1] in b" \t":
        before = b""  # after a field it is a fold
    with pytest.raises(ProtocolError, match="invalid header line"):
        parse(before + section)
    with pytest.raises(ProtocolError, match="invalid header line"):
        parse_head(b"HTTP/1.1 200 OK\r\n" + before + section + b"A: b\r\n\r\n")


def test_invalid_line_is_named() -> None:
    with pytest.raises(ProtocolError, match=r"invalid trailer line: b'C d\\r\\n'"):
        check_section(b"A: b\r\nC d\r\nE f\r\n\r\n", DEFAULT, what="trailer")


@pytest.mark.parametrize("section", [b"", b"A: b", b"A: b\r\n", b"A: b\r\n c", b"\r", b"A: b\r\n\r"])
def test_section_without_its_empty_line_is_refused(section: bytes) -> None:
    with pytest.raises(ProtocolError):
        check_section(section, DEFAULT)


def test_section_begins_at_the_given_position() -> None:
    assert check_section(b"no field\nA: b\r\n c\r\n\r\n", DEFAULT, 9) == b"no field\nA: b c\r\n\r\n"
    whole = b"no field\nA: b\r\n\r\n"
    assert check_section(whole, DEFAULT, 9) is whole


def test_limits_of_a_section() -> None:
    with pytest.raises(LineTooLong, match="more than 20 bytes when reading a trailer line"):
        check_section(b"A: b\r\nC: " + b"d" * 20 + b"\r\n\r\n", Limits(line=20), what="trailer")
    assert check_section(b"A: b\r\n" * 9 + b"\r\n", Limits(line=20, fields=9))
    with pytest.raises(ProtocolError, match="more than 9 trailer fields"):
        check_section(b"A: b\r\n" * 10 + b"\r\n", Limits(line=20, fields=9), what="trailer")


def test_mapping_joins_fields_of_one_name() -> None:
    assert SET_COOKIES["SET-COOKIE"] == "a=1, b=2"
    assert SET_COOKIES.get("via") == "x, y"
    assert SET_COOKIES.get("nothing") is None
    assert dict(SET_COOKIES) == {"Set-Cookie": "a=1, b=2", "Via": "x, y"}
    with pytest.raises(KeyError):
        SET_COOKIES["nothing"]


def test_mapping_has_each_name_once_as_it_was_spelled_first() -> None:
    assert list(SET_COOKIES) == list(SET_COOKIES.keys()) == ["Set-Cookie", "Via"]
    assert len(SET_COOKIES) == 2
    assert "sEt-cookie" in SET_COOKIES
    assert "Cookie" not in SET_COOKIES
    assert not SET_COOKIES.__contains__(5)
    assert list(SET_COOKIES.values()) == ["a=1, b=2", "x, y"]


def test_fields_are_equal_by_all_their_pairs() -> None:
    assert Fields([("A", "1"), ("B", "2")]) == Fields([("A", "1"), ("B", "2")])
    assert Fields([("A", "1"), ("B", "2")]) == Fields.from_section(b"a: 1\r\nb: 2\r\n\r\n")
    assert Fields([("A", "1"), ("A", "2")]) != Fields([("A", "2")])
    assert Fields([("A", "1"), ("B", "2")]) != Fields([("B", "2"), ("A", "1")])
    assert Fields([("A", "1")]) != {"A": "1"}


def test_items_are_all_pairs() -> None:
    items = SET_COOKIES.items()
    assert list(items) == [("Set-Cookie", "a=1"), ("Via", "x"), ("set-cookie", "b=2"), ("VIA", "y")]
    assert len(items) == 4
    assert ("VIA", "y") in items
    assert ("Via", "x, y") not in items


def test_get_all_returns_separate_values_in_a_new_list() -> None:
    values = SET_COOKIES.get_all("set-Cookie", [])
    assert values == ["a=1", "b=2"]
    values.clear()
    assert SET_COOKIES.get_all("set-cookie") == ["a=1", "b=2"]
    assert SET_COOKIES.get_all("nothing") is None
    assert SET_COOKIES.get_all("nothing", 5) == 5


def test_repr_is_short() -> None:
    assert repr(Fields([("A", "b")])) == "<Fields [('A', 'b')]>"
    assert len(repr(Fields([("A", "b" * 1000)]))) < 100
    assert (len(Fields()), list(Fields()), Fields().pairs()) == (0, [], [])


def test_print_shows_all_fields() -> None:
    assert str(SET_COOKIES) == "Set-Cookie: a=1\nVia: x\nset-cookie: b=2\nVIA: y"
    assert str(Fields([("A", "b" * 1000)])) == "A: " + "b" * 1000
    assert str(Fields()) == ""


@pytest.mark.parametrize(
    ("values", "single"),
    [
        ([], None),
        (["x"], "x"),
        ([""], ""),
        (["x", "x"], "x"),
        (["x", "x", "x"], "x"),
        (["x", "y"], None),
        (["x", "y", "x"], None),
        (["x", "X"], None),
        (["Sun, 06 Nov 1994 08:49:37 GMT"], "Sun, 06 Nov 1994 08:49:37 GMT"),
    ],
)
def test_singleton_field_has_a_value_if_all_its_lines_agree(values: list[str], single: str | None) -> None:
    fields = Fields([("Other", "z"), *(("ETag", value) for value in values)])
    assert fields.get_single("eTag") == single
