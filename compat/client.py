"""The module `http.client`, on the asyncclient engine: `from compat import client`."""

# ruff: noqa: F401, I001, RUF022  (all names of http.client, in its order)

from __future__ import annotations

import http.client as _std
import sys as _sys
from http.client import (
    HTTP_PORT as HTTP_PORT,
    HTTPS_PORT as HTTPS_PORT,
    BadStatusLine,
    CannotSendHeader,
    CannotSendRequest,
    HTTPException,
    ImproperConnectionState,
    IncompleteRead,
    InvalidURL,
    LineTooLong,
    NotConnected,
    RemoteDisconnected,
    ResponseNotReady,
    UnimplementedFileMode,
    UnknownProtocol,
    UnknownTransferEncoding,
    error,
    responses,
)

from .connection import HTTPConnection
from .https import HTTPSConnection
from .https import create_https_context as _create_https_context
from .message import HTTPMessage as HTTPMessage
from .message import parse_header_lines as _parse_header_lines
from .message import parse_headers as parse_headers
from .message import read_lines as _read_headers
from .names import watch as _watch
from .response import UNKNOWN as _UNKNOWN
from .response import HTTPResponse

__all__ = [
    "HTTPResponse",
    "HTTPConnection",
    "HTTPException",
    "NotConnected",
    "UnknownProtocol",
    "UnknownTransferEncoding",
    "UnimplementedFileMode",
    "IncompleteRead",
    "InvalidURL",
    "ImproperConnectionState",
    "CannotSendRequest",
    "CannotSendHeader",
    "ResponseNotReady",
    "BadStatusLine",
    "LineTooLong",
    "RemoteDisconnected",
    "error",
    "responses",
    "HTTPSConnection",
]

_CS_IDLE = "Idle"
_CS_REQ_STARTED = "Request-started"
_CS_REQ_SENT = "Request-sent"

_MAXLINE = 65536
_MAXHEADERS = 100

# All else, down to the modules that it imports, is http.client's own: constants, patterns, helpers.
globals().update({name: value for name, value in vars(_std).items() if name not in globals()})

_watch(_std)
_watch(_sys.modules[__name__])
