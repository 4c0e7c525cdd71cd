"""Putting compat in the place of http.client for a whole program, and reverting that.

Modules that were imported before refer to the module `http.client` itself, so that module is changed. They keep what
they imported from it by name; a warning names them.
"""

from __future__ import annotations

import http.client as std
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any, Final

from . import client
from .names import is_own

_CLASSES: Final = ("HTTPConnection", "HTTPSConnection", "HTTPResponse")
_FUNCTIONS: Final = ("parse_headers", "_read_headers", "_parse_header_lines", "_create_https_context")
_NAMES: Final = (*_CLASSES, "HTTPMessage", *_FUNCTIONS)

ORIGINAL: Final[dict[str, Any]] = {name: vars(std)[name] for name in _NAMES if name in vars(std)}
"""The objects that http.client had under each name when compat was imported."""


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
    """Put compat's classes and functions into the module http.client, for all code of the program.

    Classes that were imported by name before (`from http.client import HTTPConnection`), or are base classes already,
    stay what they are: a RuntimeWarning names the modules. A function that a program has put into http.client stays
    there and is used. A second call changes nothing.
    """
    if not is_installed():
        holders = sorted(set(_find_holders()))
        if holders:  # before any change: if warnings are errors, nothing is installed
            text = (
                f"imported before compat.install(), so they go on with http.client's own classes: {', '.join(holders)};"
                " import them after compat.install()"
            )
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        for name in _NAMES:
            if name not in _FUNCTIONS or name not in vars(std) or is_own(name, vars(std)[name]):
                setattr(std, name, getattr(client, name))
    return Installation()


def uninstall() -> None:
    """Revert install(). Existing connections, and functions that a program has put into http.client, stay."""
    for name in _NAMES:
        if name in _FUNCTIONS and vars(std).get(name) is not getattr(client, name):
            continue
        if name in ORIGINAL:
            setattr(std, name, ORIGINAL[name])
        elif hasattr(std, name):
            delattr(std, name)


def _find_holders() -> Iterator[str]:
    """Yield the names of modules that refer to one of the old classes, or to a subclass."""
    old = {ORIGINAL[name] for name in _CLASSES}
    for name, module in list(sys.modules.items()):
        if module is std or _is_ours(module):
            continue
        if any(
            # By type(), because isinstance() makes lazy objects load, which may fail; issubclass() with the value would
            # call methods of its metaclass. A class that is being made may have no bases yet.
            issubclass(type(value), type) and not old.isdisjoint(getattr(value, "__mro__", None) or ())
            for value in [*getattr(module, "__dict__", {}).values()]
        ):
            yield name


def _is_ours(module: object) -> bool:
    """Return whether a module is one of compat's, by its file: a program may have a module `compat` of its own."""
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None)
    return isinstance(origin, str) and os.path.dirname(origin) == os.path.dirname(__file__)
