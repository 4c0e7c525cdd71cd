"""The names that http.client's own code looks up in its module at each call, and which programs replace there.

Examples: `http.client.print = log.debug`, `http.client.parse_headers = …`, `http.client._is_legal_header_name = …`.
A replacement in `http.client` or in `compat.client` is used. Both modules get a class that notices each assignment,
because comparing the names for each request would take a tenth of its time. A change of a module's dictionary
(`vars(http.client)["print"] = …`) is noticed with the next assignment.
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

_Check = Callable[[bytes], object]
Parse = Callable[[Any], Any]
"""A parser of field sections that a program has put into http.client."""

_PATTERNS: Final = {
    "_is_legal_header_name": rb"[^:\s][^:\r\n]*",
    "_is_illegal_header_value": rb"\n(?![ \t])|\r(?![ \t\n])",
    "_contains_disallowed_url_pchar_re": "[\x00-\x20\x7f]",
    "_contains_disallowed_method_pchar_re": "[\x00-\x1f]",
}
"""http.client's own patterns: any other was put there by a program before compat was imported."""

_MOST: Final = sys.maxsize - 1
"""The largest limit: one byte more is read, to see whether a line is longer."""

_VALUES: Final = {"_MAXLINE": 65536, "_MAXHEADERS": 100}

_own: Final[dict[str, list[Any]]] = {}
"""The objects that http.client and compat themselves have under a name."""


def note_own(name: str, value: Any) -> None:
    """Register a value as http.client's or compat's own, and not a replacement by a program."""
    _own.setdefault(name, []).append(value)


class WatchedModule(ModuleType):
    """The class of the modules http.client and compat.client, which notices assignments."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        replaced.look_again()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        replaced.look_again()


def watch(module: ModuleType) -> None:
    """Use what a program puts into a module, or has put there already."""
    module.__class__ = WatchedModule
    _modules.append(module.__dict__)
    replaced.look_again()


def is_own(name: str, value: Any) -> bool:
    """Return whether a value under a name is http.client's or compat's own, and not a replacement by a program."""
    if name in _VALUES:
        return bool(value == _VALUES[name])
    return any(value is own for own in _own.get(name, ()))


def _is_of_http_client(name: str, value: Any) -> bool:
    if name in _PATTERNS:
        pattern = value if isinstance(value, re.Pattern) else getattr(value, "__self__", None)
        return getattr(pattern, "pattern", None) == _PATTERNS[name]
    return getattr(value, "__globals__", _HTTP_CLIENT) is _HTTP_CLIENT


def find(name: str, default: Any) -> Any:
    """Return the replacement of a name by a program, in either module; the default if there is none."""
    for names in _modules:
        if name in names and not is_own(name, names[name]):
            return names[name]
    return default


@lru_cache(maxsize=8)
def build_limits(line: int, headers: int) -> Limits:
    """Return limits of a line's bytes and of a section's lines, the empty line included."""
    return Limits(line=line, head=line * headers, fields=max(headers - 1, 1), chunk_line=line)


def _find_limits() -> Limits:
    """Return the limits in the modules; the usual ones if a value is not a number, because no assignment may fail."""
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

    def look_again(self) -> None:
        """Find the replacements again, after an assignment."""
        is_legal_name = find("_is_legal_header_name", lenient.FIELD_NAME.fullmatch)
        is_illegal_value = find("_is_illegal_header_value", lenient.NOT_IN_VALUE.search)
        self.field_checks: tuple[_Check, _Check] = is_legal_name, is_illegal_value
        self.has_own_checks = all(find(name, None) is None for name in _PATTERNS)
        self.limits = _find_limits()
        parses = any(find(name, None) for name in OF_HEADS)
        self.parse_headers: Parse | None = find("parse_headers", _own["parse_headers"][-1]) if parses else None
        self.methods_with_body = find("_METHODS_EXPECTING_BODY", _HTTP_CLIENT["_METHODS_EXPECTING_BODY"])


OF_HEADS: Final = ("parse_headers", "_read_headers", "_parse_header_lines")
_OF_OTHERS: Final = (
    *("_strip_ipv6_iface", "urlsplit", "_encode", "_create_https_context", "_METHODS_EXPECTING_BODY", "ssl", "socket"),
)

for _name in (*_PATTERNS, *OF_HEADS, *_OF_OTHERS):
    if _name in _HTTP_CLIENT and _is_of_http_client(_name, _HTTP_CLIENT[_name]):
        note_own(_name, _HTTP_CLIENT[_name])

replaced: Final = Replaced()


def say(*words: object) -> None:
    """Print debug output, by the `print` of the module if a program has put one there."""
    find("print", print)(*words)
