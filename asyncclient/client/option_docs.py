"""The options of a request in the docstrings of the methods that take them, for help() and for notebooks.

Names and types are those of Options, texts and defaults those of Request.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import cleandoc
from typing import Any, Final, TypeVar

from .request import Choices, DownloadOptions, Options, Request

_M = TypeVar("_M", bound=Callable[..., Any])

_ARGUMENT: Final = re.compile(r"^    (\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)

_OTHERWISE: Final = {"json": "not set", "follow_redirects": "the client's"}
"""Defaults that the signatures do not show: that of the others without a value is the client's."""


def lists_options(method: _M) -> _M:
    """Add the options to the docstring of a method of a client with the parameter `**options`, and return the method.

    The method is named after the client, since Python's errors about its arguments show this name: not "Verbs.get()".
    """
    method.__qualname__ = f"Client.{method.__name__}"
    if method.__doc__ is not None:  # python -OO
        options = _OF_DOWNLOADS if method.__name__ == "download" else _OF_REQUESTS
        method.__doc__ = f"{cleandoc(method.__doc__)}\n\n{options}"
    return method


def _describe(kind: type[Any], defaults: dict[str, Any]) -> str:
    """Return the options of a TypedDict as a section of a docstring."""
    arguments, _, _ = cleandoc(Request.__doc__ or "").partition("\nAttributes:")
    types = kind.__annotations__
    rows = [
        f"    {name} ({_show_type(types[name])} = {_show_default(name, defaults)}):\n        {text}"
        for name, text in sorted(_ARGUMENT.findall(arguments))
        if name in types
    ]
    return "\n".join(("Keyword Args:", *rows))


def _show_type(annotation: Any) -> str:
    text: str = getattr(annotation, "__forward_arg__", annotation)
    return text.replace("Unset | ", "")


def _show_default(name: str, defaults: dict[str, Any]) -> str:
    value = defaults[name]
    return _OTHERWISE.get(name) or (repr(value) if value is None or isinstance(value, bool) else "the client's")


_DEFAULTS: Final = {**(Request.__init__.__kwdefaults__ or {}), **Choices._field_defaults}
_OF_REQUESTS: Final = _describe(Options, _DEFAULTS)
_OF_DOWNLOADS: Final = _describe(DownloadOptions, {**_DEFAULTS, "decode": False})
