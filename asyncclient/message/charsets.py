"""Charsets: the codec of Python that a label on the web means, and bytes decoded by that codec.

A label means what browsers take it for (WHATWG Encoding §4.2), which is often more than its name says: pages that
declare gb2312 are in GBK, shift_jis is Windows-31J, iso-8859-1 is windows-1252. Labels that this standard lacks are
looked up among IANA's names and Python's own. Where a codec of Python leaves bytes undefined that the standard defines,
a table of this module decodes them.
"""

from __future__ import annotations

import codecs
import re
from encodings.aliases import aliases
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ..errors import clip

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

USER_DEFINED: Final = "x-user-defined"
"""Bytes from 0x80 on are U+F780 to U+F7FF (WHATWG Encoding §14.5). Python has no codec of it."""

REPLACEMENT: Final = "replacement"
"""Any content is one U+FFFD (WHATWG Encoding §14.1): browsers refuse charsets in which a byte of ASCII may be a part of
another character at any place, for filters that look for `<` see other characters in them. Python has no such codec."""

LONGEST_LABEL = 64
"""Characters of a label. The longest name that IANA has registered has 45."""

_NO_WORD = re.compile(r"[^0-9a-z]++|(?<![0-9])0++")

# The codec for names of WHATWG and of Python that servers use for more than the name says. Python's euc_jp and big5
# lack characters that are common on the web (circled digits; characters of Hong Kong and Taiwan).
_READ_AS = {
    "ascii": "cp1252",
    "iso8859_1": "cp1252",
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso8859-8",
    "x-mac-cyrillic": "mac-cyrillic",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc-jp": "euc_jis_2004",
    "euc_jp": "euc_jis_2004",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso2022_jp": "iso2022_jp_ext",
    "euc-kr": "cp949",
    "euc_kr": "cp949",
    "hz-gb-2312": REPLACEMENT,
    "hz": REPLACEMENT,
    "iso-2022-kr": REPLACEMENT,
    "iso2022_kr": REPLACEMENT,
}

# Labels that are newer than webencodings, then names of IANA for which Python has no alias.
_MORE_LABELS = {
    "unicode11utf8": "utf-8",
    "unicode20utf8": "utf-8",
    "x-unicode20utf8": "utf-8",
    "csunicode": "utf-16le",
    "iso-10646-ucs-2": "utf-16le",
    "ucs-2": "utf-16le",
    "unicode": "utf-16le",
    "unicodefeff": "utf-16le",
    "unicodefffe": "utf-16be",
    "koi8-ru": "koi8-u",
    "ms932": "shift_jis",
    "iso-2022-cn": REPLACEMENT,
    "iso-2022-cn-ext": REPLACEMENT,
    "replacement": REPLACEMENT,
    "Extended_UNIX_Code_Packed_Format_for_Japanese": "euc-jp",
    "ISO-10646-UCS-4": "utf-32",
    "ucs-4": "utf-32",
    "PC-Multilingual-850+euro": "cp858",
    "ebcdic-us-37+euro": "cp1140",
}

# Codecs of text that no alias of Python names; and aliases of codecs that do not make text, or depend on the system.
_WITHOUT_ALIAS = ("cp720", "cp737", "cp874", "koi8_t", "koi8_u", "mac_arabic", "mac_croatian", "utf_8_sig")
_NO_CHARSETS = {"base64_codec", "bz2_codec", "hex_codec", "mbcs", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}

_CODE_PAGE = re.compile(r"\Ax?+(?:windows|codepage|ccsid|ibm|dos|ms|cp)(?=[0-9]++\Z)")


def find_codec(label: str) -> str | None:
    """Return the name of the codec that a label means, None if the label is not known.

    Case, blanks, punctuation and zeros before a number make no difference (UTS #22 §1.4): `ISO.8859.15`, `utf_8` and
    `'utf-8',` are found. So are code pages by number (`ibm00858`, `x-windows-950`) and IANA's aliases that begin with
    `cs`. The name is Python's, or one of `x-user-defined` and `replacement`.
    """
    if len(label) > LONGEST_LABEL or not (label.isascii() and label.strip().isprintable()):
        return None
    if label in ("utf-8", "UTF-8", "utf8"):  # as most: nothing is to be imported for it
        return "utf-8"
    known, key = _index_labels(), _fold(label)
    codec = known.get(key) or known.get(key.removeprefix("cs")) or known.get(_CODE_PAGE.sub("cp", key))
    return None if codec is None else _find_name(codec)


def _fold(label: str) -> str:
    return _NO_WORD.sub("", label.lower())


@cache
def _index_labels() -> dict[str, str]:
    """Return the codecs by folded labels; those of WHATWG count before the names that Python has."""
    # Only here: it takes 1 ms, and most programs meet no label but utf-8.
    labels: dict[str, str] = import_module("webencodings.labels").LABELS
    names = {**aliases, **{codec: codec for codec in (*aliases.values(), *_WITHOUT_ALIAS)}, **labels, **_MORE_LABELS}
    return {_fold(label): _READ_AS.get(name, name) for label, name in names.items() if name not in _NO_CHARSETS}


def _find_name(codec: str) -> str | None:
    if codec in (USER_DEFINED, REPLACEMENT):
        return codec
    try:
        return codecs.lookup(codec).name
    except LookupError:  # of a Python that was built without the codecs of East Asia
        return None


def check_codec(name: str) -> str:
    """Return the name of the codec that a user names: one of Python's, else what the name means as a label.

    Raises:
        ValueError: it is not the name of a text encoding.
    """
    try:
        b"x".decode(name, "ignore")
    except (LookupError, ValueError):
        found = find_codec(name)
        if found is None:
            raise ValueError(f"expected a text encoding, got {clip(name)}") from None
        return found
    return codecs.lookup(name).name


def decode(data: bytes, codec: str, errors: str = "replace") -> str:
    """Return bytes as text.

    Args:
        data: the bytes.
        codec: a name as find_codec() and check_codec() return it.
        errors: what is done with invalid bytes, as bytes.decode() has it.

    Raises:
        UnicodeDecodeError: with errors "strict", for invalid bytes.
    """
    if codec in _OWN_DECODERS:
        return open_decoder(codec, errors).decode(data, True)
    return data.decode(codec, errors)


def open_decoder(codec: str, errors: str = "replace") -> codecs.IncrementalDecoder:
    """Return a decoder of bytes that come in pieces."""
    if codec == REPLACEMENT:
        return _ReplacementDecoder(errors)
    if codec in _OWN_DECODERS:
        return _TableDecoder(errors, _find_table(codec))
    return codecs.getincrementaldecoder(codec)(errors)


# Bytes that Python decodes otherwise than the standard, in addition to the undefined ones from 0x80 to 0x9F.
_DIFFERENCES = {"cp1255": {0xCA: "\u05ba"}, "koi8-u": {0xAE: "\u045e", 0xBE: "\u040e"}}

_WINDOWS = ("cp874", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1257", "cp1258")
_OWN_DECODERS = frozenset((*_WINDOWS, "koi8-u", USER_DEFINED, REPLACEMENT))


@cache
def _find_table(codec: str) -> str:
    """Return the characters of all bytes, U+FFFE for those without one (see codecs.charmap_decode)."""
    if codec == USER_DEFINED:
        return bytes(range(0x80)).decode("ascii") + "".join(map(chr, range(0xF780, 0xF800)))
    characters = list(bytes(range(0x100)).decode(codec, "replace").replace("\ufffd", "\ufffe"))
    for byte in range(0x80, 0xA0):
        if characters[byte] == "\ufffe":
            characters[byte] = chr(byte)
    for byte, character in _DIFFERENCES.get(codec, {}).items():
        characters[byte] = character
    return "".join(characters)


class _TableDecoder(codecs.IncrementalDecoder):
    """A decoder for one byte a character."""

    def __init__(self, errors: str, table: str) -> None:
        super().__init__(errors)
        self._table: Any = table  # not every checker's stubs have a str there

    def decode(self, input: ReadableBuffer, final: bool = False) -> str:
        return codecs.charmap_decode(input, self.errors, self._table)[0]


class _ReplacementDecoder(codecs.IncrementalDecoder):
    """The decoder of `replacement`."""

    _has_begun = False

    def decode(self, input: ReadableBuffer, final: bool = False) -> str:
        data = bytes(input)
        if self._has_begun or not data:
            return ""
        if self.errors == "strict":
            raise UnicodeDecodeError(REPLACEMENT, data, 0, len(data), "a charset that is not decoded")
        self._has_begun = True
        return "\ufffd"
