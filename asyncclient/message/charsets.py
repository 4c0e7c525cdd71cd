"""Charsets: finding Python's codec for a charset label of the web, and decoding bytes with it.

A label is read as browsers read it (WHATWG Encoding §4.2), often as a superset of the charset that it names: gb2312 is
read as GBK, shift_jis as Windows-31J, iso-8859-1 as windows-1252. Labels that the standard lacks are looked up among
IANA's names and Python's own. For bytes that the standard defines and Python's codec does not, this module has tables.
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
"""Bytes from 0x80 on are U+F780 to U+F7FF (WHATWG Encoding §14.5). Python has no such codec."""

REPLACEMENT: Final = "replacement"
"""Any content decodes to one U+FFFD (WHATWG Encoding §14.1). Browsers refuse charsets in which an ASCII byte may be
part of another character, because a filter that looks for `<` would be deceived. Python has no such codec."""

MAX_LABEL = 64
"""Characters of a label. The longest name registered with IANA has 45."""

_NO_WORD = re.compile(r"[^0-9a-z]++|(?<![0-9])0++")

# The codec to use for names, of WHATWG and of Python, that servers use in a wider sense. Python's euc_jp and big5 lack
# characters that are common on the web (circled digits; characters of Hong Kong and Taiwan).
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

# Labels that are missing in webencodings, then names of IANA for which Python has no alias.
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

# Text codecs without an alias in Python; and codecs that do not decode to text or depend on the system.
_WITHOUT_ALIAS = ("cp720", "cp737", "cp874", "koi8_t", "koi8_u", "mac_arabic", "mac_croatian", "utf_8_sig")
_NO_CHARSETS = {"base64_codec", "bz2_codec", "hex_codec", "mbcs", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}

_CODE_PAGE = re.compile(r"\Ax?+(?:windows|codepage|ccsid|ibm|dos|ms|cp)(?=[0-9]++\Z)")


def find_codec(label: str) -> str | None:
    """Return the name of the codec for a label; None if the label is unknown.

    Case, blanks, punctuation and leading zeros of a number are ignored (UTS #22 §1.4): `ISO.8859.15`, `utf_8` and
    `'utf-8',` are found, as are code pages by number (`ibm00858`, `x-windows-950`) and IANA's aliases that begin with
    `cs`. The name is one of Python's, or `x-user-defined` or `replacement`.
    """
    if len(label) > MAX_LABEL or not (label.isascii() and label.strip().isprintable()):
        return None
    if label in ("utf-8", "UTF-8", "utf8"):  # the common labels need no import
        return "utf-8"
    known, key = _index_labels(), _fold(label)
    codec = known.get(key) or known.get(key.removeprefix("cs")) or known.get(_CODE_PAGE.sub("cp", key))
    return None if codec is None else _find_name(codec)


def _fold(label: str) -> str:
    return _NO_WORD.sub("", label.lower())


@cache
def _index_labels() -> dict[str, str]:
    """Return the codecs by folded label; WHATWG's labels take precedence over Python's names."""
    # Imported on use: most programs meet only utf-8 (decision 52).
    labels: dict[str, str] = import_module("webencodings.labels").LABELS
    names = {**aliases, **{codec: codec for codec in (*aliases.values(), *_WITHOUT_ALIAS)}, **labels, **_MORE_LABELS}
    return {_fold(label): _READ_AS.get(name, name) for label, name in names.items() if name not in _NO_CHARSETS}


def _find_name(codec: str) -> str | None:
    if codec in (USER_DEFINED, REPLACEMENT):
        return codec
    try:
        return codecs.lookup(codec).name
    except LookupError:  # Python was built without the East Asian codecs
        return None


def check_codec(name: str) -> str:
    """Return the name of the codec that a user named: one of Python's codecs, otherwise the name read as a label.

    Raises:
        ValueError: the name is not that of a text encoding.
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
    """Return bytes decoded to text.

    Args:
        data: the bytes.
        codec: a name from find_codec() or check_codec().
        errors: handling of invalid bytes, as in bytes.decode().

    Raises:
        UnicodeDecodeError: `errors` is "strict" and bytes are invalid.
    """
    if codec in _OWN_DECODERS:
        return open_decoder(codec, errors).decode(data, True)
    return data.decode(codec, errors)


def open_decoder(codec: str, errors: str = "replace") -> codecs.IncrementalDecoder:
    """Return an incremental decoder for a codec from find_codec() or check_codec()."""
    if codec == REPLACEMENT:
        return _ReplacementDecoder(errors)
    if codec in _OWN_DECODERS:
        return _TableDecoder(errors, _find_table(codec))
    return codecs.getincrementaldecoder(codec)(errors)


# Bytes that Python decodes differently from the standard, in addition to undefined ones from 0x80 to 0x9F.
_DIFFERENCES = {"cp1255": {0xCA: "\u05ba"}, "koi8-u": {0xAE: "\u045e", 0xBE: "\u040e"}}

_WINDOWS = ("cp874", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1257", "cp1258")
_OWN_DECODERS = frozenset((*_WINDOWS, "koi8-u", USER_DEFINED, REPLACEMENT))


@cache
def _find_table(codec: str) -> str:
    """Return the characters of all 256 bytes; U+FFFE marks an undefined one (see codecs.charmap_decode)."""
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
    """Decoder of a single-byte charset."""

    def __init__(self, errors: str, table: str) -> None:
        super().__init__(errors)
        self._table: Any = table  # Any, because some type checkers' stubs do not allow a str

    def decode(self, input: ReadableBuffer, final: bool = False) -> str:
        return codecs.charmap_decode(input, self.errors, self._table)[0]


class _ReplacementDecoder(codecs.IncrementalDecoder):
    """Decoder of the charset `replacement`."""

    _has_begun = False

    def decode(self, input: ReadableBuffer, final: bool = False) -> str:
        data = bytes(input)
        if self._has_begun or not data:
            return ""
        if self.errors == "strict":
            raise UnicodeDecodeError(REPLACEMENT, data, 0, len(data), "a charset that is not decoded")
        self._has_begun = True
        return "\ufffd"
