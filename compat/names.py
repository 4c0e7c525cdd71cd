"""The names that http.client's own code looks up in its module at each call, so that programs put others there.

Examples: `http.client.print = log.debug`, `http.client.parse_headers = …`, `http.client._is_legal_header_name = …`.
What a program has put into `http.client` or into `compat.client` counts. Both modules get a class that tells of each
assignment to them: to compare the names at each request takes a tenth of all its time. What is put into their
dictionaries past that (`vars(http.client)["print"] = …`) is found with the next assignment.
"""

from __future__ import annotations

import http.client as std
import re
import sys
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

from asyncclient.limits import Limits
from asyncclient.message import lenient

_HTTP_CLIENT: Final[dict[str, Any]] = std.__dict__
_modules: Final[list[dict[str, Any]]] = []

_missing: Final = object()

_Check = Callable[[bytes], object]

_PATTERNS: Final = {
    "_is_legal_header_name": rb"[^:\s][^:\r\n]*",
    "_is_illegal_header_value": rb"\n(?![ \t])|\r(?![ \t\n])",
    "_contains_disallowed_url_pchar_re": "[\x00-\x20\x7f]",
    "_contains_disallowed_method_pchar_re": "[\x00-\x1f]",
}
"""The patterns of http.client, to know them from what a program has put there before compat was imported."""

_MOST: Final = sys.maxsize - 1
"""The largest bound: one byte more is asked for, to see whether a line is longer."""

_VALUES: Final = {"_MAXLINE": 65536, "_MAXHEADERS": 100}

_own: Final[dict[str, list[Any]]] = {}
"""The objects that http.client and compat themselves have under a name."""


def note_own(name: str, value: Any) -> None:
    """Take a value for http.client's or compat's own: it is not a program's replacement."""
    _own.setdefault(name, []).append(value)


class WatchedModule(ModuleType):
    """The class of http.client and compat.client: it tells of what is put there."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        replaced.look_again()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        replaced.look_again()


def watch(module: ModuleType) -> None:
    """Have what a program puts into a module count; what is there already is looked at now."""
    module.__class__ = WatchedModule
    _modules.append(module.__dict__)
    replaced.look_again()


def is_own(name: str, value: Any) -> bool:
    """Return whether a value is http.client's or compat's own, not what a program has put there."""
    if name in _VALUES:
        return bool(value == _VALUES[name])
    return any(value is own for own in _own.get(name, ()))


def _is_of_http_client(name: str, value: Any) -> bool:
    if name in _PATTERNS:
        pattern = value if isinstance(value, re.Pattern) else getattr(value, "__self__", None)
        return getattr(pattern, "pattern", None) == _PATTERNS[name]
    return getattr(value, "__globals__", _HTTP_CLIENT) is _HTTP_CLIENT or getattr(value, "__module__", "") in _FOREIGN


_FOREIGN: Final = ("urllib.parse", "ssl", "socket")
"""Modules of the functions that http.client imports by name."""


def find(name: str, default: Any) -> Any:
    """Return what a program has put in the place of a name, in either module; the default if it has not."""
    for names in _modules:
        value = names.get(name, _missing)
        if value is not _missing and not is_own(name, value):
            return value
    return default


@lru_cache(maxsize=8)
def build_limits(line: int, headers: int) -> Limits:
    """Return bounds for a line's bytes and a section's lines, the empty one included."""
    return Limits(line=line, head=line * headers, fields=max(headers - 1, 1), chunk_line=line)


def _find_limits() -> Limits:
    """Return the limits that the modules have; the usual ones if a value is not a number: no assignment may fail."""
    line, headers = (find(name, usual) for name, usual in _VALUES.items())
    try:
        return build_limits(min(line, _MOST), min(headers, _MOST))
    except (TypeError, ValueError):
        return build_limits(*_VALUES.values())


class Replaced:
    """The replacements of the names that an ordinary exchange uses.

    Attributes:
        field_checks: return a true value for a legal name, and for an illegal value, of a header line.
        has_own_checks: whether no check of a request's head was replaced.
        limits: `_MAXLINE` bytes in a line and `_MAXHEADERS` lines in a section, as the engine's bounds.
        parse_headers: what parses the head of a response; None while all that parses it is http.client's own.
        methods_with_body: the methods whose requests have a Content-Length even without a body.
    """

    field_checks: tuple[_Check, _Check]
    has_own_checks: bool
    limits: Limits
    parse_headers: Callable[[Any], Any] | None
    methods_with_body: Any

    def look_again(self) -> None:
        """Look at each name; after an assignment."""
        is_legal_name = find("_is_legal_header_name", lenient.FIELD_NAME.fullmatch)
        self.field_checks = is_legal_name, find("_is_illegal_header_value", lenient.NOT_IN_VALUE.search)
        self.has_own_checks = all(find(name, None) is None for name in _PATTERNS)
        self.limits = _find_limits()
        parses = any(find(name, None) for name in OF_HEADS)
        self.parse_headers = find("parse_headers", _own["parse_headers"][-1]) if parses else None
        self.methods_with_body = find("_METHODS_EXPECTING_BODY", _HTTP_CLIENT["_METHODS_EXPECTING_BODY"])


OF_HEADS: Final = ("parse_headers", "_read_headers", "_parse_header_lines")
_OF_OTHERS: Final = (
    "_strip_ipv6_iface",
    "urlsplit",
    "_encode",
    "_create_https_context",
    "_METHODS_EXPECTING_BODY",
    "ssl",
    "socket",
)

for _name in (*_PATTERNS, *OF_HEADS, *_OF_OTHERS):
    if _name in _HTTP_CLIENT and _is_of_http_client(_name, _HTTP_CLIENT[_name]):
        note_own(_name, _HTTP_CLIENT[_name])

replaced: Final = Replaced()


def say(*words: object) -> None:
    """Print debug output, by the `print` that a program has put into the module if it has."""
    find("print", print)(*words)
