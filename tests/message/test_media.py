"""Content-Type: media type, parameters and charset, as RFC 9110 has them and as servers write them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.message.media import choose_content_type, find_charset, is_json, parse_content_type, parse_parameters


@pytest.mark.parametrize(
    ("value", "media_type", "parameters"),
    [
        ("", "", {}),
        ("text/html", "text/html", {}),
        (" Text/HTML ", "text/html", {}),
        ("text/html;", "text/html", {}),
        ("text/html; charset=utf-8", "text/html", {"charset": "utf-8"}),
        ("text/html;charset=utf-8;x=1", "text/html", {"charset": "utf-8", "x": "1"}),
        ("text/html ; Charset = UTF-8 ", "text/html", {"charset": "UTF-8"}),
        ('text/html; charset="utf-8"', "text/html", {"charset": "utf-8"}),
        ('text/html; charset=""; x=1', "text/html", {"charset": "", "x": "1"}),
        (r'a/b; c="d\"e\\f;g=h"; i=j', "a/b", {"c": 'd"e\\f;g=h', "i": "j"}),
        ('a/b; c="open; d=e', "a/b", {"c": "open; d=e"}),
        ('a/b; c="open\\', "a/b", {"c": "open"}),
        ('a/b; c="d" junk "; e=f"; g=h', "a/b", {"c": "d", "g": "h"}),
        ("a/b; c=d; C=e", "a/b", {"c": "d"}),
        ("a/b; c; d=e", "a/b", {"c": "", "d": "e"}),
        ("a/b;; ;=x; c=d", "a/b", {"c": "d"}),
        ("a/b; c=d e ; f=g", "a/b", {"c": "d e", "f": "g"}),
        ("; charset=utf-8", "", {"charset": "utf-8"}),
    ],
)
def test_media_type_and_parameters(value: str, media_type: str, parameters: dict[str, str]) -> None:
    assert parse_content_type(value) == (media_type, parameters)


def test_parameters_begin_at_the_first_semicolon() -> None:
    assert parse_parameters("x=1; y=2") == {"y": "2"}


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ([], None),
        (["text/html"], "text/html"),
        (["text/html; charset=utf-8", "text/html; charset=utf-8"], "text/html; charset=utf-8"),
        (["text/html; charset=utf-8, text/html; charset=utf-8"], "text/html; charset=utf-8"),
        (["text/html; charset=utf-8,charset=utf-8"], "text/html; charset=utf-8"),
        (["text/plain; charset=gbk", "text/html"], "text/html"),
        (["text/html", "text/plain; charset=gbk"], "text/plain; charset=gbk"),
        (["text/html; charset=gbk", "text/html"], "text/html; charset=gbk"),
        (["Text/HTML; charset=gbk", "text/html; x=1"], "Text/HTML; charset=gbk"),
        (["text/html; charset=gbk", "text/html; charset=utf-8"], "text/html; charset=utf-8"),
        (["text/html; charset=gbk, text/plain, text/html"], "text/html"),
        (["text/html", "*/*"], "text/html"),
        (["text/html", ""], "text/html"),
        (["text/html", "junk"], "text/html"),
        (["text/html, / , a b/c, text/"], "text/html"),
        (['text/html; x="a, b/c"; charset=gbk'], 'text/html; x="a, b/c"; charset=gbk'),
        (['text/html; x="a', "text/plain"], "text/plain"),
        (["; charset=utf-8"], "; charset=utf-8"),
        (["junk, junk"], "junk, junk"),
        (["", ""], ""),
    ],
)
def test_last_valid_content_type_counts(values: list[str], chosen: str | None) -> None:
    assert choose_content_type(values) == chosen


@pytest.mark.parametrize("piece", [",", "a/b,", "a/b;charset=c,", 'a/b;"', "a/b; c=d,", '",', "\\,"])
def test_hostile_content_types_take_linear_time(piece: str) -> None:
    text = "text/html;" + "x=1;" * 10_000 + "charset=a," + piece * (300_000 // len(piece))
    began = time.process_time()
    choose_content_type([text])
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("value", "charset"),
    [
        (None, None),
        ("text/html", None),
        ("text/html; x=1", None),
        ("text/html; charset=", None),
        ("text/html; charset=utf8", "utf-8"),
        ("text/html; charset=UTF-8", "utf-8"),
        ('text/html; charset="utf-8"', "utf-8"),
        ("text/html; charset='utf-8'", "utf-8"),
        ("text/html; charset=ISO-8859-1", "cp1252"),
        ("text/html; charset=latin1", "cp1252"),
        ("text/html; charset=windows-1252", "cp1252"),
        ("text/html; charset=Shift_JIS", "cp932"),
        ("text/html; charset=GB2312", "gb18030"),
        ("text/html; charset=koi8-u", "koi8-u"),
        ("text/html; charset=utf-16le", "utf-16-le"),
        ("text/html; charset=iso-8859-1; charset=utf-8", "cp1252"),
        ("text/html; charset=nonsense", None),
        ("text/html; charset=" + "x" * 100_000, None),
        ("text/html; charset=\xfctf", None),
        ("text/html; charset=utf-8,", "utf-8"),
        ("text/html; charset=os.path", None),
        # no charsets of content: of bytes, quadratic, Python's own, always failing
        ("text/html; charset=hex", None),
        ("text/html; charset=base64", None),
        ("text/html; charset=zlib", None),
        ("text/html; charset=rot13", None),
        ("text/html; charset=idna", None),
        ("text/html; charset=punycode", None),
        ("text/html; charset=unicode_escape", None),
        ("text/html; charset=undefined", None),
    ],
)
def test_charset(value: str | None, charset: str | None) -> None:
    assert find_charset(value) == charset


@given(st.text(st.sampled_from('utf-816_lain;= "\\.') | st.characters()))
def test_any_charset_found_decodes(text: str) -> None:
    charset = find_charset(f"text/plain; charset={text}")
    assert charset is None or isinstance(b"any bytes \xff".decode(charset, "replace"), str)


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("application/json", True),
        ("text/json", True),
        ("application/problem+json", True),
        ("application/jsonp", False),
        ("application/json-seq", False),
        ("text/html", False),
        ("", False),
    ],
)
def test_media_types_of_json(media_type: str, expected: bool) -> None:
    assert is_json(media_type) is expected


@given(st.text(st.sampled_from('; \t="\\,a')))
def test_any_text_gives_parameters_of_its_own_characters(text: str) -> None:
    parameters = parse_parameters(text)
    assert sum(map(len, [*parameters, *parameters.values()])) <= len(text)


@pytest.mark.parametrize("piece", [";", "; ", ";a=", ';a="', '"', "\\", ';"', " ", 'a="\\', ";a ", "=", ";a=b"])
def test_hostile_parameters_take_linear_time(piece: str) -> None:
    text = ";" + piece * (500_000 // len(piece))
    began = time.process_time()
    parse_parameters(text)
    assert time.process_time() - began < 2
