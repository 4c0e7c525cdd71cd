"""Encodings that documents declare in their first bytes: <meta> in HTML, the XML declaration, @charset in CSS.

HTML is scanned as browsers do (HTML §13.2.3.2, "prescan a byte stream to determine its encoding"): only markup counts,
so a comment, an attribute or a script cannot declare an encoding.
"""

from __future__ import annotations

import re
from typing import Final

from .charsets import REPLACEMENT, USER_DEFINED, decode, find_codec

PRESCAN: Final = 1024
"""Bytes at the start of a document that are scanned."""

_ATTRIBUTE = re.compile(
    rb"""[\t\n\f\r /]*+([^\t\n\f\r />][^\t\n\f\r />=]*+)"""
    rb"""(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"([^"]*+)"|'([^']*+)'|([^\t\n\f\r "'>][^\t\n\f\r >]*+)?+))?+"""
)
# Any number of attributes; an unclosed quoted value extends to the end.
_ATTRIBUTES = (
    rb"""(?:[\t\n\f\r /]*+[^\t\n\f\r />][^\t\n\f\r />=]*+"""
    rb"""(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r "'>][^\t\n\f\r >]*+)?+)?+)*+"""
)

# A comment; a tag with its attributes, those of <meta> in a group; other markup. Unclosed markup extends to the end.
_MARKUP = re.compile(
    rb"<!(?=--)(?:--(?:>|->|.*?-->)|.*+)"
    rb"|<(?:meta(?=[\t\n\f\r /])(" + _ATTRIBUTES + rb")[\t\n\f\r /]*+>|/?[a-z][^\t\n\f\r >]*+" + _ATTRIBUTES + rb")"
    rb"|<[!/?][^>]*+",
    re.DOTALL | re.IGNORECASE,
)
_CHARSET = re.compile(
    rb"""charset[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"([^"]*+)"|'([^']*+)'|([^\t\n\f\r ;"'][^\t\n\f\r ;]*+))""", re.IGNORECASE
)

_XML = re.compile(rb"""<\?xml[^>]*?encoding[\0- ]*+=[\0- ]*+(?:"([^\0- ">]*+)"|'([^\0- '>]*+)')""")
_XML_IN_UTF_16 = ((b"<\0?\0x\0", "utf-16-le"), (b"\0<\0?\0x", "utf-16-be"))
_XML_BEGINNINGS = (b"<?xml", *(beginning for beginning, _ in _XML_IN_UTF_16))
_CSS = re.compile(rb'@charset "([^"]*+)";')


def find_declared_codec(start: bytes, media_type: str) -> str | None:
    """Return the codec that a document declares; None if it declares none, or an unknown one.

    More bytes do not change a codec that was found, so a document can be scanned while it arrives.

    Args:
        start: the first PRESCAN bytes, or all bytes of a shorter document.
        media_type: in lower case; "" is unknown: content that begins with "<" is then read as HTML.
    """
    start = start[:PRESCAN]
    if media_type == "text/css":
        return _find_known(_CSS.match(start))
    is_html = media_type == "text/html" or (media_type == "" and start.lstrip(b"\t\n\f\r ").startswith(b"<"))
    codec = _find_in_xml(start) if is_html or is_xml(media_type) else None
    return _find_in_html(start) if codec is None and is_html else codec


def may_declare(start: bytes, media_type: str) -> bool:
    """Return True if find_declared_codec() has found no codec yet and may find one with more bytes."""
    if len(start) >= PRESCAN:
        return False
    if media_type == "text/css":
        return _begins_alike(start, b'@charset "')
    if is_xml(media_type):
        return b">" not in start and any(_begins_alike(start, beginning) for beginning in _XML_BEGINNINGS)
    return media_type == "text/html" or (media_type == "" and start.lstrip(b"\t\n\f\r ")[:1] in (b"", b"<"))


def _begins_alike(start: bytes, beginning: bytes) -> bool:
    size = min(len(start), len(beginning))
    return start[:size] == beginning[:size]


def is_xml(media_type: str) -> bool:
    """Return True if a media type, in lower case, is XML (RFC 7303 §3)."""
    return media_type in ("text/xml", "application/xml") or media_type.endswith("+xml")


def _find_in_xml(start: bytes) -> str | None:
    for beginning, codec in _XML_IN_UTF_16:
        if start.startswith(beginning):
            return codec
    return _find_known(_XML.match(start))


def _find_in_html(start: bytes) -> str | None:
    for attributes in _MARKUP.findall(start):
        codec = _find_in_meta(attributes) if attributes else None
        if codec is not None:
            return "cp1252" if codec == USER_DEFINED else codec
    return None


def _find_in_meta(attributes: bytes) -> str | None:
    """Return the codec of <meta charset=…> or of <meta http-equiv=content-type content="…; charset=…">."""
    values: dict[bytes, bytes] = {}
    for name, *value in _ATTRIBUTE.findall(attributes):
        values.setdefault(name.lower(), b"".join(value))
    if b"charset" in values:
        return _read_label(values[b"charset"])
    if values.get(b"http-equiv", b"").lower() != b"content-type":
        return None
    return _find_known(_CHARSET.search(values.get(b"content", b"")))


def _find_known(match: re.Match[bytes] | None) -> str | None:
    return None if match is None else _read_label(b"".join(filter(None, match.groups())))


def _read_label(label: bytes) -> str | None:
    """Return the codec for a label; None if the document, whose label was read as ASCII, cannot be in it.

    UTF-16 is read as UTF-8, as in browsers.
    """
    codec = find_codec(label.decode("latin-1"))
    if codec is None or codec == REPLACEMENT or decode(b"<", codec) == "<":
        return codec
    return "utf-8" if codec.startswith("utf-16") else None
