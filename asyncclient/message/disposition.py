"""Content-Disposition: the file name that a server suggests (RFC 6266), made safe for use in a directory.

The server chooses the name, so it is treated as hostile: the result is a name without a path, and never the name of a
file that a shell, Windows or a download treats specially. Nothing here raises, and every pattern scans its text once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from .media import parse_parameters

NO_NAME: Final = "download"
"""The name of content if neither the server nor the URL gives a name."""

MAX_NAME: Final = 240
"""Bytes of a name in UTF-8; file systems allow 255."""

MAX_ENDING: Final = 32
"""Bytes of a name's ending (.tar.gz) that is kept when the name is cut."""

# RFC 8187 §3.2.1, but also with blanks and other characters that servers leave unencoded.
_EXTENDED = re.compile(r"(utf-8|iso-8859-1)'[A-Za-z0-9-]*+'((?:[^%]++|%[0-9A-Fa-f]{2})*+)", re.I | re.A | re.S)

# Control characters, lone surrogates, characters that Windows forbids, and characters that reverse or hide text: after
# U+202E, a program's name can seem to end in `.txt`.
_UNSAFE = re.compile('[\0-\x1f\x7f-\x9f"*:<>?|\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]')
_SEPARATOR = re.compile(r"[/\\]")

# Names that a command would read as an option, and Windows device names with any ending.
_SPECIAL = re.compile(r"-|(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\.|$)", re.IGNORECASE)
# Files that keep an interrupted download: the next download would trust them.
_PART = re.compile(r".*\.part(?:\.note)?", re.IGNORECASE | re.DOTALL)
_ENDING = re.compile(r"(?:\.[A-Za-z0-9]{1,15})?\.[A-Za-z0-9]{1,15}\Z")


def suggest_filename(dispositions: Iterable[str], path: str) -> str:
    """Return a name for the content of a response that is safe in any directory.

    The name is from the first Content-Disposition that has one, otherwise the last segment of the URL's path, otherwise
    NO_NAME. Directories are removed, as are blanks and dots at both ends, so that the file is neither hidden nor `..`;
    control characters, characters that change the direction of text, and `"*:<>?|` become "_".

    Args:
        dispositions: the values of Content-Disposition.
        path: the path of the URL, percent-encoded.
    """
    for value in dispositions:
        if name := make_safe(parse_filename(value)):
            return name
    return make_safe(_unquote(path.rstrip("/").rpartition("/")[2]).decode("utf-8", "replace")) or NO_NAME


def parse_filename(value: str) -> str:
    """Return the file name in a Content-Disposition as sent, not safe to use; "" if there is none.

    `filename*` takes precedence over `filename` (RFC 6266 §4.3) unless its bytes are invalid. A plain name is read as
    UTF-8 if it is valid UTF-8, as browsers do, otherwise as Latin-1.
    """
    parameters = parse_parameters(";" + value)  # some servers omit the type; the type itself has no "=", so is harmless
    plain = _read_as_utf8(parameters.get("filename", ""))
    extended = decode_extended(parameters.get("filename*", "")) or ""
    return plain if plain and (not extended or "\ufffd" in extended) else extended


def decode_extended(value: str) -> str | None:
    """Return the text of an extended parameter (RFC 8187), such as `UTF-8'en'%e2%82%ac`; None if it is malformed.

    The charset is UTF-8, whose invalid bytes become U+FFFD, or ISO-8859-1.
    """
    match = _EXTENDED.fullmatch(value)
    return None if match is None else _unquote(match[2]).decode(match[1], "replace")


def _unquote(text: str) -> bytes:
    from urllib.parse import unquote_to_bytes  # imported on use: slow to import and rarely needed (decision 52)

    return unquote_to_bytes(text.encode("latin-1", "replace"))


def _read_as_utf8(text: str) -> str:
    """Return Latin-1 text decoded as UTF-8 if its bytes are valid UTF-8, otherwise unchanged."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def make_safe(name: str) -> str:
    """Return a name that is safe in any directory on any system, "" if nothing is left; see suggest_filename()."""
    name = _UNSAFE.sub("_", _SEPARATOR.split(name)[-1])
    name = _cut(name.strip(". \t\xa0"))
    if _SPECIAL.match(name):
        name = "_" + name
    return name + "_" if _PART.fullmatch(name) else name


def _cut(name: str) -> str:
    """Return a name cut to MAX_NAME bytes, with its ending."""
    encoded = name.encode()
    if len(encoded) <= MAX_NAME:
        return name
    ending = _ENDING.search(name[-MAX_ENDING:])
    kept = "" if ending is None else ending[0]
    return encoded[: MAX_NAME - len(kept)].decode("utf-8", "ignore").rstrip(". ") + kept
