"""The module `http.client`, on the asyncclient engine: `from compat import client`."""

# ruff: noqa: F401, I001  (all names of http.client, each on one line)

from __future__ import annotations

import http.client as _std
import sys as _sys
from http.client import (
    HTTP_PORT as HTTP_PORT,
    HTTPS_PORT as HTTPS_PORT,
    BadStatusLine as BadStatusLine,
    CannotSendHeader as CannotSendHeader,
    CannotSendRequest as CannotSendRequest,
    HTTPException as HTTPException,
    ImproperConnectionState as ImproperConnectionState,
    IncompleteRead as IncompleteRead,
    InvalidURL as InvalidURL,
    LineTooLong as LineTooLong,
    NotConnected as NotConnected,
    RemoteDisconnected as RemoteDisconnected,
    ResponseNotReady as ResponseNotReady,
    UnimplementedFileMode as UnimplementedFileMode,
    UnknownProtocol as UnknownProtocol,
    UnknownTransferEncoding as UnknownTransferEncoding,
    error as error,
    responses as responses,
)

from .connection import HTTPConnection as HTTPConnection
from .https import HTTPSConnection as HTTPSConnection
from .https import create_https_context as _create_https_context
from .message import HTTPMessage as HTTPMessage
from .message import parse_header_lines as _parse_header_lines
from .message import parse_headers as parse_headers
from .message import read_lines as _read_headers
from .names import watch as _watch
from .response import HTTPResponse as HTTPResponse

_MAXLINE = 65536
_MAXHEADERS = 100

# All other names, `__all__` and imported modules included, are http.client's own.
globals().update({name: value for name, value in vars(_std).items() if name not in globals()})

_watch(_std)
_watch(_sys.modules[__name__])
