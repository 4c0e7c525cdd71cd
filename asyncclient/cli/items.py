"""Request items: the arguments after the URL, such as `name:value`, as values. Nothing is read or sent here."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple

_ITEM: Final = re.compile(r"((?:\\.|[^\\:=@])+)(:=@|=@|:=|==|=|:|@)(.*)", re.DOTALL)
_HOST: Final = re.compile(r"localhost|[\w-]+(?:\.[\w-]+)+")
_URL: Final = re.compile(r":\d|:?/|.*\.")
_PORT: Final = re.compile(r"\d{1,5}(?:[/?#]|$)")
_ESCAPED: Final = re.compile(r"\\([\\:=@])")
STANDARD: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")
_METHOD: Final = re.compile(r"[A-Z]+(?:-[A-Z]+)*")


class Kind(Enum):
    """The part of a request that an item sets; the value separates name and value in the argument."""

    HEADER = ":"
    PARAM = "=="
    FIELD = "="
    FIELD_OF_FILE = "=@"
    JSON = ":="
    JSON_OF_FILE = ":=@"
    FILE = "@"


class Item(NamedTuple):
    """One item."""

    kind: Kind
    name: str
    value: str


class Words(NamedTuple):
    """The arguments that are not options: the method ("" if it is not given), the URL and the items."""

    method: str
    url: str
    items: tuple[Item, ...]


def parse_words(words: list[str]) -> Words:
    r"""Return the method, the URL and the items.

    The first word is a method if it is a standard one, or in upper case, and another word follows that is not an item.

    >>> parse_words(["PUT", "example.com", "a:=1", r"x\\:y=2"])
    Words(method='PUT', url='example.com', items=(Item(kind=<Kind.JSON: ':='>, name='a', value='1'), \
Item(kind=<Kind.FIELD: '='>, name='x:y', value='2')))

    Raises:
        ValueError: there is no URL, or a word is not an item.
    """
    if not words:
        raise ValueError("expected a URL, got none")
    method = ""
    if len(words) > 1 and _is_method(words[0]):
        method, words = words[0], words[1:]
    if method and method.upper() in STANDARD:
        method = method.upper()
    return Words(method, words[0], tuple(map(parse_item, words[1:])))


def _is_method(word: str) -> bool:
    return word.upper() in STANDARD or _METHOD.fullmatch(word) is not None


def parse_item(word: str) -> Item:
    """Return one item; a backslash before `:`, `=` or `@` makes it a part of the name.

    Raises:
        ValueError: it has no separator, or looks like a second URL.
    """
    match = _ITEM.fullmatch(word)
    if match is None or (match[2] == ":" and _is_url(match)):
        hint = "; a command has one URL: asyncclient download URL URL" if match or _URL.match(word) else ""
        raise ValueError(f"expected name:value, name=value, name:=json, name==value or name@file, got {word!r}{hint}")
    return Item(Kind(match[2]), _ESCAPED.sub(r"\1", match[1]), match[3])


def _is_url(match: re.Match[str]) -> bool:
    """Return True if the parts of an item are those of a URL: a scheme and a host, or a host and a port."""
    is_authority = _HOST.fullmatch(match[1]) is not None and _PORT.match(match[3]) is not None
    return is_authority or match[3].startswith("//")
