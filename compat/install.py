"""Putting compat in the place of http.client, for a whole program, and taking it back.

Modules that were imported before hold the module `http.client` itself: so it is changed in place. What they took out of
it by name they keep; a warning says which they are.
"""

from __future__ import annotations

import http.client as std
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Final

from . import client
from .names import is_own

_NAMES: Final = (
    "HTTPConnection",
    "HTTPSConnection",
    "HTTPResponse",
    "HTTPMessage",
    "parse_headers",
    "_read_headers",
    "_parse_header_lines",
    "_create_https_context",
)

_FOLDER: Final = os.path.dirname(__file__)

_missing: Final = object()

ORIGINAL: Final[dict[str, Any]] = {name: vars(std).get(name, _missing) for name in _NAMES}
"""The objects that http.client had under each name before."""

_CLASSES: Final = ("HTTPConnection", "HTTPSConnection", "HTTPResponse")
_FUNCTIONS: Final = tuple(name for name in _NAMES if not isinstance(getattr(client, name), type))


class Installation:
    """The result of install(): as a context manager it uninstalls at its end."""

    def __enter__(self) -> Installation:
        return self

    def __exit__(self, *exc_info: object) -> None:
        uninstall()

    def __repr__(self) -> str:
        return f"<compat {'installed' if is_installed() else 'not installed'}>"


def is_installed() -> bool:
    """Return whether http.client's classes are compat's."""
    return vars(std)["HTTPConnection"] is client.HTTPConnection


def install() -> Installation:
    """Have every program part that uses http.client run on the asyncclient engine.

    What was imported by name before (`from http.client import HTTPConnection`), or made a base class, stays what it is:
    a RuntimeWarning names the modules. A function that a program has put into http.client stays there, and counts.
    Calling it again changes nothing.
    """
    if not is_installed():
        holders = sorted(set(_find_holders()))
        if holders:  # first: as an error it leaves everything as it was
            text = (
                f"imported before compat.install(), so they go on with http.client's own classes: {', '.join(holders)}"
            )
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        for name in _NAMES:
            if name not in _FUNCTIONS or name not in vars(std) or is_own(name, vars(std)[name]):
                setattr(std, name, getattr(client, name))
    return Installation()


def uninstall() -> None:
    """Give http.client its own classes back; connections, and functions that a program has put there, stay."""
    for name, value in ORIGINAL.items():
        if name in _FUNCTIONS and vars(std).get(name) is not getattr(client, name):
            continue
        if value is not _missing:
            setattr(std, name, value)
        elif hasattr(std, name):
            delattr(std, name)


def _find_holders() -> Iterator[str]:
    """Give the names of modules that hold one of the old classes, or one made of it."""
    old = {ORIGINAL[name] for name in _CLASSES}
    for name, module in list(sys.modules.items()):
        if module is std or _is_ours(module):
            continue
        if any(
            isinstance(value, type) and not old.isdisjoint(_bases(value))
            for value in [*getattr(module, "__dict__", {}).values()]
        ):
            yield name


def _is_ours(module: object) -> bool:
    """Return whether a module is one of compat's, under whichever name; a program may have a `compat` of its own."""
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None)
    return isinstance(origin, str) and os.path.dirname(origin) == _FOLDER


def _bases(kind: type) -> Iterable[type]:
    """Return a class and all its bases; issubclass() would ask foreign code, and some classes are never finished."""
    found: Any = getattr(kind, "__mro__", None)
    return found or ()
