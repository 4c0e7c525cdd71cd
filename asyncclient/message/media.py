"""Content-Type: media types, their parameters, and the charset among them (RFC 9110 §8.3).

Malformed values raise nothing, and every pattern scans its text once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from .syntax import TOKEN_TEXT

QUOTED_TEXT = r'"((?:[^"\\]++|\\.)*+)"?+'
"""RFC 9110 §5.6.4, for patterns with DOTALL; an unclosed quoted string extends to the end of the text."""

_PARAMETER = re.compile(
    rf';[ \t]*+([^;="\s]*+)[ \t]*+(?:=[ \t]*+(?:{QUOTED_TEXT}|([^;"]*+)))?+(?:[^;"]++|{QUOTED_TEXT})*+', re.DOTALL
)
LONGEST_REMEMBERED: Final = 64
"""Characters of the longest Content-Type whose charset is remembered."""

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

_MEMBER = re.compile(r'(?:[^",]++|"(?:[^"\\]++|\\.)*+"?+)++', re.DOTALL)
_MEDIA_TYPE = re.compile(rf"[ \t]*+{TOKEN_TEXT}/{TOKEN_TEXT}[ \t]*+(?:;|\Z)")


def choose_content_type(values: Sequence[str]) -> str | None:
    """Return the effective content type of several Content-Type fields: the last valid member; None without a field.

    A server or proxy may have repeated the field, on separate lines or joined by commas (RFC 9110 §8.3). The rule is
    that of browsers (Fetch §2.2.2, "extract a MIME type"): `*/*` is ignored, and a repeated media type without charset
    keeps the earlier charset. If no member is valid, the first value is returned.
    """
    if len(values) == 1 and "," not in values[0]:
        return values[0]
    chosen, essence, has_charset = None, "", False
    for member in (member for value in values for member in _MEMBER.findall(value)):
        media_type, parameters = parse_content_type(member)
        is_valid = media_type != "*/*" and _MEDIA_TYPE.match(member) is not None
        if is_valid and not (has_charset and media_type == essence and "charset" not in parameters):
            chosen, essence, has_charset = member.strip(" \t"), media_type, "charset" in parameters
    return chosen or next(iter(values), None)


def parse_content_type(value: str) -> tuple[str, dict[str, str]]:
    """Return the media type in lower case, "" if there is none, and its parameters by parse_parameters()."""
    media_type, semicolon, parameters = value.partition(";")
    return media_type.strip(" \t").lower(), parse_parameters(semicolon + parameters) if semicolon else {}


def parse_parameters(text: str) -> dict[str, str]:
    """Return the parameters of `;name=value;name="value"` by lower-case name (RFC 9110 §5.6.6).

    The first of repeated parameters is kept; a parameter without value has "". Values are unquoted, and a semicolon in
    a quoted value is part of it. Text before the first semicolon is skipped.
    """
    parameters: dict[str, str] = {}
    for name, quoted, plain, _ in _PARAMETER.findall(text):
        if name:
            value = _ESCAPE.sub(r"\1", quoted) if "\\" in quoted else quoted or plain.strip(" \t")
            parameters.setdefault(name.lower(), value)
    return parameters


def is_json(media_type: str) -> bool:
    """Return True if a media type, in lower case, is JSON (RFC 8259 §11, RFC 6839 §3.1)."""
    return media_type in ("application/json", "text/json") or media_type.endswith("+json")


def find_charset(value: str | None) -> str | None:
    """Return the codec for the charset of a Content-Type, see find_codec(); None if it is missing or unknown."""
    if value is None or ";" not in value:
        return None
    return _find_charset(value) if len(value) > LONGEST_REMEMBERED else _remember_charset(value)


def _find_charset(value: str) -> str | None:
    from .charsets import find_codec  # imported on use: many responses are never decoded to text

    charset = parse_content_type(value)[1].get("charset")
    return None if charset is None else find_codec(charset)


_remember_charset = lru_cache(maxsize=64)(_find_charset)  # servers repeat the same few values
