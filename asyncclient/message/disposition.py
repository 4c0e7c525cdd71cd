"""Content-Disposition: the file name that a server suggests (RFC 6266), made safe to use in a directory.

A server chooses the name, so it is held to be hostile: only a name comes out of it, never a path, and never the name of
a file that a shell, Windows or a download treats in a way of its own. Nothing here raises, and every pattern walks over
its text once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from .media import parse_parameters

NO_NAME: Final = "download"
"""The name of content for which neither the server nor the URL has a name."""

MAX_NAME: Final = 240
"""Bytes of UTF-8 that a name may have: file systems take 255."""

MAX_ENDING: Final = 32
"""Bytes that the ending of a name (.tar.gz) may have to be kept where the name is cut."""

# Of RFC 8187 §3.2.1, but for the characters that stand for themselves: servers also leave blanks and others unencoded.
_EXTENDED = re.compile(r"(utf-8|iso-8859-1)'[A-Za-z0-9-]*+'((?:[^%]++|%[0-9A-Fa-f]{2})*+)", re.I | re.A | re.S)

# Control characters, lone surrogates, what Windows forbids, and what reverses or hides text: with U+202E, `exe.txt` can
# be the end of a program's name.
_UNSAFE = re.compile('[\0-\x1f\x7f-\x9f"*:<>?|\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]')
_SEPARATOR = re.compile(r"[/\\]")

# What commands take for an option, and devices of Windows, with any ending.
_SPECIAL = re.compile(r"-|(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\.|$)", re.IGNORECASE)
# The files that keep a download which was cut off: the next download trusts them.
_PART = re.compile(r".*\.part(?:\.note)?", re.IGNORECASE | re.DOTALL)
_ENDING = re.compile(r"(?:\.[A-Za-z0-9]{1,15})?\.[A-Za-z0-9]{1,15}\Z")


def suggest_filename(dispositions: Iterable[str], path: str) -> str:
    """Return a name for the content of a response, safe to use in any directory.

    The first Content-Disposition that has a name counts, else the last part of the URL's path, else it is NO_NAME.
    Directories are cut off, blanks and dots at both ends too, so that the file is neither hidden nor `..`; control
    characters, those that change the direction of text, and `"*:<>?|` become "_".

    Args:
        dispositions: the values of Content-Disposition.
        path: of the URL, percent-encoded.
    """
    for value in dispositions:
        if name := make_safe(parse_filename(value)):
            return name
    return make_safe(_unquote(path.rstrip("/").rpartition("/")[2]).decode("utf-8", "replace")) or NO_NAME


def parse_filename(value: str) -> str:
    """Return the file name of a Content-Disposition as the server has it; "" if it has none. It is not safe to use.

    `filename*` goes before `filename` (RFC 6266 §4.3) unless its bytes are invalid. A plain name that is UTF-8 is read
    as that, as servers and browsers do, else as Latin-1.
    """
    parameters = parse_parameters(";" + value)  # the type, which some servers omit, has no "=" and is no name
    plain = _read_as_utf8(parameters.get("filename", ""))
    extended = decode_extended(parameters.get("filename*", "")) or ""
    return plain if plain and (not extended or "\ufffd" in extended) else extended


def decode_extended(value: str) -> str | None:
    """Return the text of a parameter as RFC 8187 has it, such as `UTF-8'en'%e2%82%ac`; None if it is malformed.

    The charset may be UTF-8, whose invalid bytes become U+FFFD, or ISO-8859-1.
    """
    match = _EXTENDED.fullmatch(value)
    return None if match is None else _unquote(match[2]).decode(match[1], "replace")


def _unquote(text: str) -> bytes:
    from urllib.parse import unquote_to_bytes  # only here: it takes 3 ms to import, and few responses need it

    return unquote_to_bytes(text.encode("latin-1", "replace"))


def _read_as_utf8(text: str) -> str:
    """Return text that was read as Latin-1 as UTF-8, if it is that."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def make_safe(name: str) -> str:
    """Return a name that is safe in any directory and on any system, "" if nothing is left; see suggest_filename()."""
    name = _UNSAFE.sub("_", _SEPARATOR.split(name)[-1])
    name = _cut(name.strip(". \t\xa0"))
    if _SPECIAL.match(name):
        name = "_" + name
    return name + "_" if _PART.fullmatch(name) else name


def _cut(name: str) -> str:
    """Return a name of MAX_NAME bytes at most, that keeps its ending."""
    encoded = name.encode()
    if len(encoded) <= MAX_NAME:
        return name
    ending = _ENDING.search(name[-MAX_ENDING:])
    kept = "" if ending is None else ending[0]
    return encoded[: MAX_NAME - len(kept)].decode("utf-8", "ignore").rstrip(". ") + kept
