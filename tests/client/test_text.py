"""Content as text: its encoding, its pieces, its lines."""

import codecs
import json
import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncclient.client.content.text import (
    SAMPLE,
    LineSplitter,
    TextDecoder,
    decode_text,
    find_encoding,
    find_json_encoding,
)
from asyncclient.client.settings import DefaultEncoding

HTML = "text/html"
PLAIN = "text/plain"
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


CYRILLIC = "да".encode("koi8-r")


@pytest.mark.parametrize(
    ("data", "content_type", "default", "text"),
    [
        (CYRILLIC, PLAIN, "koi8-r", "да"),
        (CYRILLIC, None, "KOI8_R", "да"),
        (CYRILLIC, HTML, lambda _: "koi8-r", "да"),
        (CYRILLIC, PLAIN, lambda _: None, "\ufffd\ufffd"),
        (CYRILLIC, PLAIN, lambda _: "no-such", "\ufffd\ufffd"),
        (b"", PLAIN, lambda start: {}[start], ""),
        (CYRILLIC, PLAIN, lambda start: "koi8-r" if start == CYRILLIC else None, "да"),
        (CYRILLIC, "text/plain; charset=no-such", "koi8-r", "да"),
        (CYRILLIC, "text/plain; charset=windows-1251", "koi8-r", "ДБ"),
        (b"<meta charset=koi8-r>" + CYRILLIC, HTML, "gbk", "<meta charset=koi8-r>да"),
        (codecs.BOM_UTF8 + b"a", PLAIN, "utf-16", "a"),
        ("да".encode(), "application/json", "koi8-r", "да"),
        ("да".encode(), "application/feed+xml", "koi8-r", "да"),
        ("да".encode(), "text/event-stream", lambda _: "koi8-r", "да"),
    ],
)
def test_default_is_for_content_without_a_declared_encoding(
    data: bytes, content_type: str | None, default: DefaultEncoding, text: str
) -> None:
    assert decode_text(data, content_type, None, default) == text


def test_function_gets_no_more_than_the_beginning_of_content() -> None:
    seen: list[int] = []

    def note(start: bytes) -> str:
        seen.append(len(start))
        return "koi8-r"

    decode_text(b"x" * (SAMPLE + 5), PLAIN, None, note)
    decoder = TextDecoder(PLAIN, None, note)
    texts = [decoder.feed(b"x" * (SAMPLE - 1)), decoder.feed(b"xx"), decoder.feed(b"x"), decoder.finish()]
    assert [len(text) for text in texts] == [0, SAMPLE + 1, 1, 0]
    assert seen == [SAMPLE, SAMPLE]


def test_function_that_gives_no_label_is_an_error() -> None:
    with pytest.raises(TypeError, match="expected a str or None from default_encoding, got dict"):
        decode_text(b"x", PLAIN, None, lambda _: {"encoding": "ascii"})  # type: ignore[arg-type]


def test_first_bytes_in_many_pieces_take_linear_time() -> None:
    decoder = TextDecoder(HTML, None, lambda _: "koi8-r")
    began = time.process_time()
    assert not any(decoder.feed(b"<") for _ in range(SAMPLE - 1))
    assert decoder.feed(b"<") == "<" * SAMPLE
    assert time.process_time() - began < 2


@pytest.mark.parametrize("encoding", ["nonsense", "hex", "undefined", "utf-8\0", ""])
def test_invalid_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(ValueError, match="expected a text encoding, got "):
        decode_text(b"", None, encoding)
    with pytest.raises(ValueError, match="expected a text encoding, got "):
        TextDecoder(None, encoding)


CHARSETS = ["utf-8", "utf-16", "utf-16le", "utf-32", "cp1252", "shift_jis", "gb18030"]
CONTENT_TYPES = st.sampled_from(
    [None, HTML, PLAIN, JSON, "text/xml", "text/css", *(f"{HTML}; charset={charset}" for charset in CHARSETS)]
)
PIECES = (
    rb"""<meta charset=gbk>|<meta |charset|=|"|'|koi8-r|>|<!--|-->|<a |</b|/|<!|-| |http-equiv=content-type content="""
)
MARKUP = st.lists(
    st.sampled_from(
        [*PIECES.split(b"|"), b"<?xml ", b"encoding='gbk'", b"?>", b'@charset "gbk";', b"x" * 1000, b"\xd6"]
    )
).map(b"".join)
DATA = (
    MARKUP
    | st.binary()
    | st.tuples(
        st.sampled_from([b"", codecs.BOM_UTF8, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE]),
        st.binary() | st.text().map(str.encode),
    ).map(b"".join)
)


def guess(start: bytes) -> str | None:
    return {0: None, 1: "koi8-r", 2: "no-such"}[len(start) % 3]


DEFAULTS = st.sampled_from([None, "gbk", guess])


@given(
    DATA,
    CONTENT_TYPES,
    st.none() | st.sampled_from(["utf-8", "UTF-16", "utf32"]),
    st.lists(st.integers(0, 40)),
    DEFAULTS,
)
@example(codecs.BOM_UTF8, HTML, None, [1, 2], None)
@example(codecs.BOM_UTF16_LE, JSON, None, [1], None)
@example(codecs.BOM_UTF32_LE + b"a\0\0\0", HTML, "utf32", [2, 2, 1], None)
def test_pieces_give_the_same_text(
    data: bytes, content_type: str | None, encoding: str | None, cuts: list[int], default: DefaultEncoding | None
) -> None:
    decoder = TextDecoder(content_type, encoding, default)
    start, texts = 0, []
    for size in cuts:
        texts.append(decoder.feed(data[start : start + size]))
        start += size
    texts += [decoder.feed(data[start:]), decoder.finish()]
    assert "".join(texts) == decode_text(data, content_type, encoding, default)


@pytest.mark.parametrize(
    ("content_type", "encoding", "pieces", "texts"),
    [
        (PLAIN, None, [b"a", b"b"], ["a", "b", ""]),
        (PLAIN, None, [b"\xef", b"\xbb\xbf", b"a"], ["", "", "a", ""]),
        (PLAIN, None, [b"\xef", b"a"], ["", "\ufffda", ""]),
        (PLAIN, None, [b"\xef"], ["", "\ufffd"]),
        (PLAIN, None, [b"\xff\xfe", b"a\0"], ["", "a", ""]),
        (PLAIN, None, [b"ab\xc3", b"\xbc", b"\xc3"], ["ab", "ü", "", "\ufffd"]),
        (PLAIN, "utf-8", [b"\xef\xbb\xbf", b"a"], ["\ufeff", "a", ""]),
        (PLAIN, "utf-8", [b"", b"a"], ["", "a", ""]),
        (PLAIN, "utf-16", [b"\xfe\xff", b"\0a"], ["", "a", ""]),
        (PLAIN, "utf-16", [b"a\0", b"b\0"], ["", "ab", ""]),
        (JSON, None, [b"1", b"\0", b"2\0"], ["", "", "12", ""]),
        (JSON, None, [b"12", b""], ["", "", "12"]),
        ("text/html; charset=utf-8", None, [b"a", b"b"], ["a", "b", ""]),
        (HTML, "utf-8", [b"a", b"b"], ["a", "b", ""]),
        (HTML, None, [b"a", b"b"], ["", "", "ab"]),
        (HTML, None, [b"\xef", b"\xbb\xbf", b"a"], ["", "", "a", ""]),
        (HTML, None, [b"<p>" + b"x" * 1020, b"y"], ["", "<p>" + "x" * 1020 + "y", ""]),
        (HTML, None, [b"<meta char", b"set=gbk", b"><p>\xd6", b"\xd0"], ["", "", "<meta charset=gbk><p>", "中", ""]),
        (None, None, [b"plain", b"b"], ["plain", "b", ""]),
        (None, None, [b" \n ", b"<p>", b"x" * 1020], ["", "", " \n <p>" + "x" * 1020, ""]),
        ("text/xml", None, [b"<?xm", b"<a/>", b"b"], ["", "<?xm<a/>", "b", ""]),
        ("text/xml", None, [b'<?xml version="1.0"', b"?><a/>"], ["", '<?xml version="1.0"?><a/>', ""]),
        ("text/xml", None, [b'<?xml encoding="koi8-r"', b"?>\xc1"], ['<?xml encoding="koi8-r"', "?>а", ""]),
        ("text/css", None, [b"a {", b"}"], ["a {", "}", ""]),
        ("text/css", None, [b"@cha", b'rset "gbk"', b";\xd6\xd0"], ["", "", '@charset "gbk";中', ""]),
    ],
)
def test_text_is_given_as_soon_as_its_encoding_is_known(
    content_type: str, encoding: str | None, pieces: list[bytes], texts: list[str]
) -> None:
    decoder = TextDecoder(content_type, encoding)
    assert [*map(decoder.feed, pieces), decoder.finish()] == texts


def test_broken_escape_sequence_in_pieces_is_replaced() -> None:
    decoder = TextDecoder("text/html; charset=iso-2022-jp")
    text = "".join(decoder.feed(bytes([byte])) for byte in b"ab\x1b$7\x81(\xb2}\n-6B\xff\x1b(Bcd")
    assert (text + decoder.finish()).startswith("ab\ufffd")


@pytest.mark.parametrize("content_type", [JSON, None, HTML, "text/plain; charset=no-such"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_json_is_recognised_in_each_encoding_of_unicode(encoding: str, content_type: str | None) -> None:
    data = '{"grün": "€"}'.encode(encoding)
    assert json.loads(data.decode(find_json_encoding(data, content_type))) == {"grün": "€"}


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
