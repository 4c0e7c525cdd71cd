"""HTTP/1.1 on asyncio streams: the interface that http.client documents, awaitable.

>>> import asyncclient
>>> async def main(host: str) -> bytes:
...     async with asyncclient.HTTPConnection(host) as connection:
...         await connection.request("GET", "/")
...         response = await connection.getresponse()
...         return await response.read()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from .errors import (
    BadStatusLine,
    CannotSendHeader,
    CannotSendRequest,
    ConnectError,
    ConnectTimeout,
    HTTPException,
    ImproperConnectionState,
    IncompleteRead,
    InvalidURL,
    LineTooLong,
    NotConnected,
    PhaseTimeout,
    ProtocolError,
    ProxyError,
    ReadTimeout,
    RemoteDisconnected,
    ResponseNotReady,
    TLSError,
    TLSTimeout,
    TotalTimeout,
    UnimplementedFileMode,
    UnknownProtocol,
    UnknownTransferEncoding,
    WriteTimeout,
)
from .limits import Limits
from .message.fields import Fields
from .timeouts import Timeout
from .timings import Timings
from .version import __version__

if TYPE_CHECKING:
    from .connection import HTTPConnection
    from .https import HTTPS_PORT, HTTPSConnection
    from .message.mail import HTTPMessage
    from .opening import HTTP_PORT
    from .response import HTTPResponse, Interim
    from .runner import run
    from .status import *  # noqa: F403  (OK, NOT_FOUND, ...: every name of http.HTTPStatus)
    from .status import responses
    from .stream.tls import TLSInfo

error = HTTPException
"""http.client's other name for HTTPException."""

__all__ = [
    "HTTPS_PORT",
    "HTTP_PORT",
    "BadStatusLine",
    "CannotSendHeader",
    "CannotSendRequest",
    "ConnectError",
    "ConnectTimeout",
    "Fields",
    "HTTPConnection",
    "HTTPException",
    "HTTPMessage",
    "HTTPResponse",
    "HTTPSConnection",
    "ImproperConnectionState",
    "IncompleteRead",
    "Interim",
    "InvalidURL",
    "Limits",
    "LineTooLong",
    "NotConnected",
    "PhaseTimeout",
    "ProtocolError",
    "ProxyError",
    "ReadTimeout",
    "RemoteDisconnected",
    "ResponseNotReady",
    "TLSError",
    "TLSInfo",
    "TLSTimeout",
    "Timeout",
    "Timings",
    "TotalTimeout",
    "UnimplementedFileMode",
    "UnknownProtocol",
    "UnknownTransferEncoding",
    "WriteTimeout",
    "__version__",
    "error",
    "responses",
    "run",
]


_HOMES: Final = {
    "HTTPConnection": "connection",
    "HTTPMessage": "message.mail",
    "HTTPResponse": "response",
    "HTTPSConnection": "https",
    "HTTPS_PORT": "https",
    "HTTP_PORT": "opening",
    "Interim": "response",
    "TLSInfo": "stream.tls",
    "run": "runner",
}
"""Where a name comes from that takes long to import, or that compat does without: it comes when it is asked for."""


def __getattr__(name: str) -> object:
    """Give what is imported when it is asked for; the names of status codes and `responses`, too."""
    home = _HOMES.get(name) or ("status" if name.isupper() or name == "responses" else None)
    if home is not None:
        found: object = getattr(import_module(f".{home}", __name__), name, None)
        if found is not None:
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
