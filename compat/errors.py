"""The engine's errors as http.client's: its own classes, so that every `except` that was ever written catches them."""

from __future__ import annotations

import http.client as std

from asyncclient import errors


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
