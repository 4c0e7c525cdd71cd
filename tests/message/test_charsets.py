"""Labels of charsets: the codec that each means on the web, and text by codecs that Python lacks."""

import codecs
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webencodings.labels import LABELS

from asyncclient.message.charsets import REPLACEMENT, USER_DEFINED, check_codec, decode, find_codec, open_decoder


@pytest.mark.parametrize(
    ("label", "codec", "data", "text"),
    [
        ("gb2312", "gb18030", "朱镕基".encode("gbk"), "朱镕基"),
        ("x-gbk", "gb18030", "中文".encode("gbk"), "中文"),
        ("gbk", "gb18030", "𠮷".encode("gb18030"), "𠮷"),
        ("cp936", "gb18030", "中".encode("gbk"), "中"),
        ("shift_jis", "cp932", b"\x87\x8a\x87\x40", "㈱①"),
        ("x-sjis", "cp932", "日本".encode("shift_jis"), "日本"),
        ("iso-8859-1", "cp1252", "“10 €”".encode("cp1252"), "“10 €”"),
        ("us-ascii", "cp1252", "don’t".encode("cp1252"), "don’t"),
        ("latin-1", "cp1252", b"\x81\x8d\x8f\x90\x9d\xe9", "\x81\x8d\x8f\x90\x9dé"),
        ("windows-1252", "cp1252", bytes(range(0xA0, 0x100)), bytes(range(0xA0, 0x100)).decode("latin-1")),
        ("iso-8859-9", "cp1254", "“şık”".encode("cp1254"), "“şık”"),
        ("iso-8859-11", "cp874", b"\x80\x81\xa1\xdb", "€\x81ก\ufffd"),
        ("tis-620", "cp874", b"\x85", "…"),
        ("windows-1253", "cp1253", b"\x81\xc1\xaa", "\x81Α\ufffd"),
        ("windows-1255", "cp1255", b"\x81\xca\xe0\xff", "\x81\u05baא\ufffd"),
        ("koi8-u", "koi8-u", b"\xae\xbe\xa4", "ўЎє"),
        ("x-cp1251", "cp1251", "Привет".encode("cp1251"), "Привет"),
        ("euc-kr", "cp949", "똠방각하".encode("cp949"), "똠방각하"),
        ("ks_c_5601-1987", "cp949", "펲시콜라".encode("cp949"), "펲시콜라"),
        ("windows-949", "cp949", "한글".encode("cp949"), "한글"),
        ("x-euc-jp", "euc_jis_2004", "日本".encode("euc_jp") + b"\xad\xa1\xad\xea", "日本①㈱"),
        ("iso-2022-jp", "iso2022_jp_ext", b"\x1b$BF|K\\\x1b(I1\x1b(B", "日本ｱ"),
        ("big5", "big5hkscs", "裏碁".encode("cp950") + "嘅".encode("big5hkscs"), "裏碁嘅"),
        ("macintosh", "mac-roman", b"\xdb\x80", "€Ä"),
        ("x-mac-cyrillic", "mac-cyrillic", b"\xff", "€"),
        ("iso-8859-8-i", "iso8859-8", b"\xe0", "א"),
        ("utf-16", "utf-16-le", b"a\0", "a"),
        ("utf-16be", "utf-16-be", b"\0a", "a"),
        ("x-user-defined", USER_DEFINED, b"a\x80\xff", "a\uf780\uf7ff"),
        ("hz-gb-2312", REPLACEMENT, b"<script>", "\ufffd"),
        ("iso-2022-kr", REPLACEMENT, b"\x1b$)C<", "\ufffd"),
        ("iso-2022-cn", REPLACEMENT, b"", ""),
    ],
)
def test_label_has_the_meaning_it_has_in_browsers(label: str, codec: str, data: bytes, text: str) -> None:
    assert find_codec(label) == codec
    assert decode(data, codec) == text


@pytest.mark.parametrize("label", LABELS)
def test_each_label_of_the_standard_has_a_decoder(label: str) -> None:
    codec = find_codec(label)
    assert codec is not None
    assert find_codec(f" {label.upper()}\t") == codec
    assert decode(b"a", codec) in ("a", "\ufffd")
    assert decode(b"", codec) == open_decoder(codec).decode(b"", True) == ""


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("UTF-8", "utf-8"),
        ("Utf_8", "utf-8"),
        ("utf-8,", "utf-8"),
        ("'utf-8'", "utf-8"),
        ("unicode20utf8", "utf-8"),
        ("ISO.8859.15", "iso8859-15"),
        ("iso8859.1", "cp1252"),
        ("ISO_8859-2:1987", "iso8859-2"),
        ("iso-8859-02", "iso8859-2"),
        ("Windows_1251", "cp1251"),
        ("win\tdows 1251", None),
        ("csISO885914", "iso8859-14"),
        ("csUTF16LE", "utf-16-le"),
        ("cswindows1257", "cp1257"),
        ("windows-936", "gb18030"),
        ("x-windows-950", "cp950"),
        ("ibm00858", "cp858"),
        ("CCSID01140", "cp1140"),
        ("PC-Multilingual-850+euro", "cp858"),
        ("IBM037", "cp037"),
        ("ebcdic-cp-us", "cp037"),
        ("KZ-1048", "kz1048"),
        ("hp-roman8", "hp-roman8"),
        ("koi8-t", "koi8-t"),
        ("Extended_UNIX_Code_Packed_Format_for_Japanese", "euc_jis_2004"),
        ("ISO-10646-UCS-4", "utf-32"),
        ("UNICODE-1-1-UTF-7", "utf-7"),
        *((label, None) for label in ("", "-", "0", "x", "cs", "windows", "windows-9999", "nonsense", "\xfctf-8")),
        *((label, None) for label in ("hex", "base64", "rot13", "zlib", "mbcs", "idna", "punycode", "undefined")),
        *((label, None) for label in ("utf-8\0", "os.path", "utf\N{FULLWIDTH DIGIT EIGHT}", "utf-8" + " " * 100)),
    ],
)
def test_labels_are_found_however_they_are_spelled(label: str, codec: str | None) -> None:
    assert find_codec(label) == codec


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("latin-1", "iso8859-1"),
        ("shift_jis", "shift_jis"),
        ("iso2022_kr", "iso2022_kr"),
        ("UTF8", "utf-8"),
        ("x-sjis", "cp932"),
        (USER_DEFINED, USER_DEFINED),
    ],
)
def test_name_given_by_a_user_is_a_codec_before_it_is_a_label(name: str, codec: str) -> None:
    assert check_codec(name) == codec


@pytest.mark.parametrize("codec", ["cp1252", "cp1255", "cp874", "koi8-u", USER_DEFINED, REPLACEMENT])
@given(data=st.binary(max_size=30), cuts=st.lists(st.integers(0, 30)).map(sorted))
def test_pieces_give_the_same_text_by_own_decoders(codec: str, data: bytes, cuts: list[int]) -> None:
    decoder = open_decoder(codec)
    pieces = [data[start:stop] for start, stop in pairwise([0, *cuts, len(data)])]
    assert "".join(map(decoder.decode, pieces)) + decoder.decode(b"", True) == decode(data, codec)


@pytest.mark.parametrize(("codec", "data"), [("cp874", b"a\xdb"), (REPLACEMENT, b"a"), ("utf-8", b"\xff")])
def test_undecodable_bytes_are_an_error_if_strict(codec: str, data: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        decode(data, codec, "strict")
    assert decode(b"", codec, "strict") == ""


def test_codec_that_this_python_lacks_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none(_: str) -> codecs.CodecInfo:
        raise LookupError

    monkeypatch.setattr(codecs, "lookup", find_none)
    assert find_codec("gbk") is None
