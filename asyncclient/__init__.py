"""HTTP/1.1 on asyncio streams: the interface that http.client documents, awaitable.

>>> import asyncclient
>>> async def main(host: str) -> bytes:
...     async with asyncclient.HTTPConnection(host) as connection:
...         await connection.request("GET", "/")
...         response = await connection.getresponse()
...         return await response.read()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .connection import HTTPConnection
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
from .https import HTTPS_PORT, HTTPSConnection
from .limits import Limits
from .message.fields import Fields
from .opening import HTTP_PORT
from .response import HTTPResponse, Interim
from .runner import run
from .stream.tls import TLSInfo
from .timeouts import Timeout
from .timings import Timings
from .version import __version__

if TYPE_CHECKING:
    from .message.mail import HTTPMessage
    from .status import *  # noqa: F403  (OK, NOT_FOUND, ...: every name of http.HTTPStatus)
    from .status import responses

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


def __getattr__(name: str) -> object:
    """Give what takes long to import when it is asked for: HTTPMessage, the names of status codes and `responses`."""
    if name == "HTTPMessage":
        from .message import mail

        return mail.HTTPMessage
    if name.isupper() or name == "responses":
        from . import status

        if hasattr(status, name):
            return getattr(status, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
