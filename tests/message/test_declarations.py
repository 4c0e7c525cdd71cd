"""Encodings declared in documents: HTML as browsers read it, XML, CSS."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.message.declarations import PRESCAN, find_declared_codec, may_declare


@pytest.mark.parametrize(
    ("start", "codec"),
    [
        (b"<meta charset=gbk>", "gb18030"),
        (b'<!DOCTYPE html><html><head><META CharSet="Shift_JIS" />', "cp932"),
        (b"<meta charset='koi8-r'>", "koi8-r"),
        (b"<meta/charset = koi8-r >", "koi8-r"),
        (b"<meta name=x charset=koi8-r content=y>", "koi8-r"),
        (b"<meta charset=koi8-r charset=gbk>", "koi8-r"),
        (b'<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">', "cp1251"),
        (b"<meta content=\"text/html;charset = 'koi8-r'\" http-equiv=content-type>", "koi8-r"),
        (b"<meta http-equiv=content-type content=charset=koi8-r;x>", "koi8-r"),
        (b"<meta charset=koi8-r http-equiv=content-type content=charset=gbk>", "koi8-r"),
        (b"<meta charset=utf-16>", "utf-8"),
        (b"<meta charset=utf-16be>", "utf-8"),
        (b"<meta charset=x-user-defined>", "cp1252"),
        (b"<meta charset=iso-2022-kr>", "replacement"),
        (b"<meta charset=cp037><meta charset=utf-32><meta charset=koi8-r>", "koi8-r"),
        (b"<meta charset=nonsense><meta charset=koi8-r>", "koi8-r"),
        (b"<meta charset><meta charset=><meta charset=koi8-r>", "koi8-r"),
        (b"<!-- <meta charset=gbk> --><meta charset=koi8-r>", "koi8-r"),
        (b"<!--><meta charset=koi8-r>", "koi8-r"),
        (b"<!---><meta charset=koi8-r>", "koi8-r"),
        (b'<a title="<meta charset=gbk>"><meta charset=koi8-r>', "koi8-r"),
        (b"<a title='>' x><meta charset=koi8-r>", "koi8-r"),
        (b"</a x='<meta charset=gbk>'><? <meta charset=gbk> <meta charset=koi8-r>", "koi8-r"),
        (b"<3 < <meta charset=koi8-r>", "koi8-r"),
        (b'<?xml version="1.0" encoding="koi8-r"?><html>', "koi8-r"),
        (b'<?xml version="1.0"?><meta charset=koi8-r>', "koi8-r"),
        (b"x" * (PRESCAN - 21) + b"<meta charset=koi8-r>", "koi8-r"),
        (b"x" * (PRESCAN - 20) + b"<meta charset=koi8-r>", None),
        (b"", None),
        (b"<meta charset=koi8-r", None),
        (b"<meta charset='koi8-r>", None),
        (b"<metadata charset=koi8-r>", None),
        (b"<a charset=koi8-r>", None),
        (b"<!-- <meta charset=koi8-r>", None),
        (b"<a title='<meta charset=koi8-r>", None),
        (b"<meta content='text/html; charset=koi8-r'>", None),
        (b"<meta http-equiv=refresh content='charset=koi8-r'>", None),
        (b"<meta http-equiv=content-type content='charset koi8-r'>", None),
        (b"<meta http-equiv=content-type content='charset=\"koi8-r'>", None),
        (b"<meta name=charset content=koi8-r>", None),
        (b"<meta charset=\xff>", None),
    ],
)
def test_html_is_searched_as_browsers_do(start: bytes, codec: str | None) -> None:
    assert find_declared_codec(start, "text/html") == codec


@pytest.mark.parametrize(
    ("start", "codec"),
    [
        (b'<?xml version="1.0" encoding="koi8-r"?><a/>', "koi8-r"),
        (b"<?xml version='1.0' encoding = 'Shift_JIS' standalone='yes'?>", "cp932"),
        (b'<?xml encoding="utf-16"?>', "utf-8"),
        ("<?xml version='1.0'?>".encode("utf-16-le"), "utf-16-le"),
        ("<?xml version='1.0'?>".encode("utf-16-be"), "utf-16-be"),
        (b'<?xml version="1.0"?><a encoding="koi8-r"/>', None),
        (b' <?xml version="1.0" encoding="koi8-r"?>', None),
        (b'<?xml encoding="koi8-r', None),
        (b"<meta charset=koi8-r>", None),
        (b"", None),
    ],
)
@pytest.mark.parametrize("media_type", ["text/xml", "application/xml", "application/rss+xml", "application/xhtml+xml"])
def test_xml_declares_its_encoding_at_its_beginning_alone(media_type: str, start: bytes, codec: str | None) -> None:
    assert find_declared_codec(start, media_type) == codec


@pytest.mark.parametrize(
    ("media_type", "start", "codec"),
    [
        ("text/css", b'@charset "koi8-r"; a {}', "koi8-r"),
        ("text/css", b"@charset 'koi8-r'; a {}", None),
        ("text/css", b' @charset "koi8-r";', None),
        ("text/css", b"<meta charset=koi8-r>", None),
        ("", b"\n <!DOCTYPE html><meta charset=koi8-r>", "koi8-r"),
        ("", b"see <meta charset=koi8-r>", None),
        ("text/plain", b"<meta charset=koi8-r>", None),
        ("text/plain", b'<?xml encoding="koi8-r"?>', None),
    ],
)
def test_other_types(media_type: str, start: bytes, codec: str | None) -> None:
    assert find_declared_codec(start, media_type) == codec


PIECES = (
    rb"""<meta charset=gbk>|<meta |charset|=|"|'|koi8-r|>|<!--|-->|<a |</b|/|<!|-| |http-equiv=content-type content="""
)
MARKUP = st.lists(
    st.sampled_from([*PIECES.split(b"|"), b"<?xml ", b"encoding='gbk'", b"?>", b'@charset "gbk";', b"\0"])
).map(b"".join)
TYPES = st.sampled_from(["text/html", "text/xml", "text/css", "", "text/plain"])


@given(MARKUP, TYPES, st.integers(0, 200))
def test_more_bytes_change_nothing_that_was_found(start: bytes, media_type: str, size: int) -> None:
    codec, sooner = find_declared_codec(start, media_type), find_declared_codec(start[:size], media_type)
    assert codec == sooner or (sooner is None and may_declare(start[:size], media_type))


@pytest.mark.parametrize(
    "piece", [b"<", b"<a ", b"<!--", b"<meta ", b"<meta a=", b"'", b"a='", b"<meta charset=x>", b"=", b"/"]
)
def test_hostile_beginnings_take_no_time(piece: bytes) -> None:
    began = time.process_time()
    for _ in range(100):
        find_declared_codec(b"<" + piece * 1024, "text/html")
    assert time.process_time() - began < 1
