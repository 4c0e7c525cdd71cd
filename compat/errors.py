"""The engine's errors as http.client's: its own classes, so that every `except` that was ever written catches them."""

from __future__ import annotations

import http.client as std
from collections.abc import Callable
from typing import Any, TypeVar

from asyncclient import errors

_T = TypeVar("_T")


def translated(call: Callable[..., _T], *args: Any) -> _T:
    """Return what a call of the engine gives; what it raises comes out as http.client has it."""
    try:
        return call(*args)
    except errors.HTTPException as exc:
        raise as_http_client(exc) from exc.__cause__


def as_http_client(error: errors.HTTPException) -> std.HTTPException:
    """Return what http.client would raise for an error of the engine."""
    match error:
        case errors.IncompleteRead():
            return std.IncompleteRead(error.partial, error.expected)
        case errors.LineTooLong():
            return std.LineTooLong(error.what.removeprefix("a ").removeprefix("the "))
        case errors.BadStatusLine():
            return std.BadStatusLine(error.line)
        case errors.UnknownProtocol():
            return std.UnknownProtocol(error.version)
    return std.HTTPException(str(error))
