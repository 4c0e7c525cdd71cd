"""Content as text: its encoding, its pieces, its lines."""

import codecs
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncclient.client.text import LineSplitter, TextDecoder, decode_json, decode_text, find_encoding

HTML = "text/html"
JSON = "application/json"


@pytest.mark.parametrize(
    ("data", "content_type", "encoding", "text"),
    [
        (b"", None, None, ""),
        (b"", JSON, None, ""),
        ("grün".encode(), None, None, "grün"),
        ("grün".encode(), HTML, None, "grün"),
        ("grün".encode("latin-1"), HTML, None, "gr\ufffdn"),
        ("grün".encode("latin-1"), "text/html; charset=iso-8859-1", None, "grün"),
        ("grün".encode("latin-1"), "text/html; charset=utf-8", "latin-1", "grün"),
        ("grün".encode("latin-1"), "text/html; charset=nonsense", None, "gr\ufffdn"),
        ("日本".encode("shift_jis"), "text/html; charset=Shift_JIS", None, "日本"),
        (codecs.BOM_UTF8 + b"x", HTML, None, "x"),
        (codecs.BOM_UTF8 + b"x", "text/html; charset=latin-1", None, "x"),
        (codecs.BOM_UTF8 + b"x", HTML, "utf-8", "\ufeffx"),
        (codecs.BOM_UTF16_LE + "ü".encode("utf-16-le"), HTML, None, "ü"),
        (codecs.BOM_UTF16_BE + "ü".encode("utf-16-be"), HTML, None, "ü"),
        (codecs.BOM_UTF32_LE + "ü".encode("utf-32-le"), HTML, None, "ü"),
        (codecs.BOM_UTF32_BE + "ü".encode("utf-32-be"), HTML, None, "ü"),
        ('{"a": 1}'.encode("utf-16-le"), JSON, None, '{"a": 1}'),
        ('{"a": 1}'.encode("utf-16-be"), "application/problem+json", None, '{"a": 1}'),
        ('{"a": 1}'.encode("utf-32-be"), JSON, None, '{"a": 1}'),
        ("1".encode("utf-16-be"), JSON, None, "1"),
        ('"ü"'.encode("latin-1"), "application/json; charset=latin-1", None, '"ü"'),
        (b"a\0b\0", HTML, None, "a\0b\0"),
        (b"a\0b\0", "text/html; charset=utf-16", None, "ab"),
        (b"a\0b\0", HTML, "UTF-16", "ab"),
        (codecs.BOM_UTF16_BE + b"\0a", HTML, "UTF-16", "a"),
        (b"a\0\0\0", "text/html; charset=utf-32", None, "a"),
        (b"\xe2\x82", HTML, None, "\ufffd"),
    ],
)
def test_text(data: bytes, content_type: str | None, encoding: str | None, text: str) -> None:
    assert decode_text(data, content_type, encoding) == text


@pytest.mark.parametrize("encoding", ["nonsense", "hex", "undefined", "utf-8\0", ""])
def test_encoding_that_is_none_is_refused(encoding: str) -> None:
    with pytest.raises(ValueError, match="expected a text encoding, got "):
        decode_text(b"", None, encoding)
    with pytest.raises(ValueError, match="expected a text encoding, got "):
        TextDecoder(None, encoding)


CHARSETS = ["utf-8", "utf-16", "utf-16le", "utf-32", "cp1252", "shift_jis", "gb18030"]
CONTENT_TYPES = st.sampled_from([None, HTML, JSON, *(f"{HTML}; charset={charset}" for charset in CHARSETS)])
DATA = st.binary() | st.tuples(
    st.sampled_from([b"", codecs.BOM_UTF8, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE]),
    st.binary() | st.text().map(str.encode),
).map(b"".join)


@given(DATA, CONTENT_TYPES, st.none() | st.sampled_from(["utf-8", "UTF-16", "utf32"]), st.lists(st.integers(0, 12)))
@example(codecs.BOM_UTF8, HTML, None, [1, 2])
@example(codecs.BOM_UTF16_LE, JSON, None, [1])
def test_pieces_give_the_same_text(
    data: bytes, content_type: str | None, encoding: str | None, cuts: list[int]
) -> None:
    decoder = TextDecoder(content_type, encoding)
    start, texts = 0, []
    for size in cuts:
        texts.append(decoder.feed(data[start : start + size]))
        start += size
    texts += [decoder.feed(data[start:]), decoder.finish()]
    assert "".join(texts) == decode_text(data, content_type, encoding)


@pytest.mark.parametrize(
    ("content_type", "encoding", "pieces", "texts"),
    [
        (HTML, None, [b"a", b"b"], ["a", "b", ""]),
        (HTML, None, [b"\xef", b"\xbb\xbf", b"a"], ["", "", "a", ""]),
        (HTML, None, [b"\xef", b"a"], ["", "\ufffda", ""]),
        (HTML, None, [b"\xef"], ["", "\ufffd"]),
        (HTML, None, [b"\xff\xfe", b"a\0"], ["", "a", ""]),
        (HTML, None, [b"ab\xc3", b"\xbc", b"\xc3"], ["ab", "ü", "", "\ufffd"]),
        (HTML, "utf-8", [b"\xef\xbb\xbf", b"a"], ["\ufeff", "a", ""]),
        (HTML, "utf-8", [b"", b"a"], ["", "a", ""]),
        (HTML, "utf-16", [b"\xfe\xff", b"\0a"], ["", "a", ""]),
        (HTML, "utf-16", [b"a\0", b"b\0"], ["", "ab", ""]),
        (JSON, None, [b"1", b"\0", b"2\0"], ["", "", "12", ""]),
        (JSON, None, [b"12", b""], ["", "", "12"]),
    ],
)
def test_text_comes_as_soon_as_its_encoding_is_known(
    content_type: str, encoding: str | None, pieces: list[bytes], texts: list[str]
) -> None:
    decoder = TextDecoder(content_type, encoding)
    assert [*map(decoder.feed, pieces), decoder.finish()] == texts


def test_broken_escape_sequence_in_pieces_is_no_error() -> None:
    decoder = TextDecoder("text/html; charset=iso-2022-jp")
    text = "".join(decoder.feed(bytes([byte])) for byte in b"ab\x1b$7\x81(\xb2}\n-6B\xff\x1b(Bcd")
    assert (text + decoder.finish()).startswith("ab\ufffd")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_json_is_read_in_each_encoding_of_unicode(encoding: str) -> None:
    data = '{"grün": "€"}'.encode(encoding)
    assert json.loads(decode_json(data)) == {"grün": "€"}
    assert decode_json(data) == decode_text(data, JSON)


def test_json_that_is_no_unicode_is_an_error() -> None:
    with pytest.raises(ValueError, match="can't decode"):
        decode_json(b'"\xff"')


def test_charset_of_json_counts() -> None:
    assert find_encoding(b"\0a\0b", "application/json; charset=utf-8") == "utf-8"


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([], [[]]),
        ([""], [[], []]),
        (["a"], [[], ["a"]]),
        (["a\n"], [["a"], []]),
        (["a\nb"], [["a"], ["b"]]),
        (["a\r\nb\rc\n"], [["a", "b", "c"], []]),
        (["\n\n"], [["", ""], []]),
        (["\r\r\n\n"], [["", "", ""], []]),
        (["a\r", "\nb"], [["a"], [], ["b"]]),
        (["a\r", "\n", "\nb"], [["a"], [], [""], ["b"]]),
        (["a\r", "", "\nb"], [["a"], [], [], ["b"]]),
        (["a\r", "\r\nb"], [["a"], [""], ["b"]]),
        (["a\r", "b\n"], [["a"], ["b"], []]),
        (["a", "b", "\nc"], [[], [], ["ab"], ["c"]]),
        (["a\x0bb\x0cc\x1cd\x1de\x1ef\x85g\u2028h\u2029i"], [[], ["a\x0bb\x0cc\x1cd\x1de\x1ef\x85g\u2028h\u2029i"]]),
    ],
)
def test_lines(pieces: list[str], lines: list[list[str]]) -> None:
    splitter = LineSplitter()
    assert [*map(splitter.feed, pieces), splitter.finish()] == lines


@given(st.lists(st.text(st.sampled_from("ab\r\n\u2028"))))
def test_lines_are_those_of_the_whole_text(pieces: list[str]) -> None:
    splitter = LineSplitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)] + splitter.finish()
    expected = re.split("\r\n|\r|\n", "".join(pieces))
    assert lines == (expected if expected[-1] else expected[:-1])


def test_line_in_many_pieces_is_joined_once() -> None:
    splitter = LineSplitter()
    assert not any(splitter.feed("x") for _ in range(200_000))
    assert splitter.feed("\n") == ["x" * 200_000]
    assert splitter.finish() == []
