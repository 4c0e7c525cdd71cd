"""An HTTP/1.1 client for asyncio: `Client` has a connection pool and the rules of HTTP.

>>> import asyncclient
>>> async def main(url: str) -> str:
...     async with asyncclient.Client() as client:
...         response = await client.get(url)
...         response.raise_for_status()
...         return response.text

`asyncclient.run(main("https://example.com/"))` runs it. `HTTPConnection` is one connection with the interface that
http.client documents, awaitable. The package `compat` has both without `await`.

PYTEST_DONT_REWRITE: where this package is imported before pytest, that would warn of it, because it has a plugin.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from .errors import (
    BadStatusLine,
    BodyNotReplayable,
    CannotSendHeader,
    CannotSendRequest,
    ChecksumError,
    ClientClosed,
    ConnectError,
    ConnectTimeout,
    ContentTooLarge,
    DecodingError,
    HTTPException,
    ImproperConnectionState,
    IncompleteRead,
    InvalidJSON,
    InvalidURL,
    LineTooLong,
    NotConnected,
    PhaseTimeout,
    PoolTimeout,
    PoolWarning,
    ProtocolError,
    ProxyError,
    RateTimeout,
    ReadTimeout,
    RedirectError,
    RemoteDisconnected,
    ResponseError,
    ResponseNotRead,
    ResponseNotReady,
    StaleConnectionError,
    StatusError,
    TLSError,
    TLSTimeout,
    TooManyRedirects,
    TotalTimeout,
    UnimplementedFileMode,
    UnknownProtocol,
    UnknownTransferEncoding,
    WebSocketClosed,
    WriteTimeout,
)
from .limits import Limits, PoolLimits
from .message.fields import Fields
from .timeouts import Timeout
from .timings import Timings
from .version import __version__

if TYPE_CHECKING:
    from .client.auth.digest import Digest
    from .client.auth.netrc import Netrc
    from .client.auth.schemes import Auth, AuthLike, AuthRequest, Basic, Bearer
    from .client.body.arguments import Part
    from .client.client import Client
    from .client.content.events import ServerSentEvent
    from .client.cookies.jar import Cookie, CookieJar
    from .client.events import EventSource
    from .client.middlewares import BlockingMiddleware, CallNext, Middleware
    from .client.pool_transport import PoolTransport
    from .client.proxy.proxies import Proxy
    from .client.request import Headers, Options, Request
    from .client.response import Response
    from .client.retries import Retry
    from .client.websocket.connection import WebSocket
    from .connection import HTTP_PORT, HTTPConnection
    from .https import HTTPS_PORT, HTTPSConnection
    from .local_response import LocalResponse
    from .message.head import Interim
    from .message.links import Link
    from .message.mail import HTTPMessage
    from .message.repairs import Repair
    from .message.url import Params
    from .pool.group import HostStats, PoolStats
    from .response import HTTPResponse
    from .routes import Routes
    from .runner import run
    from .status import *  # noqa: F403  (OK, NOT_FOUND, ...: every name of http.HTTPStatus)
    from .status import responses
    from .stream.caching import CachingResolver
    from .stream.resolve import Resolver, StaticResolver
    from .stream.tls import TLSInfo, create_tls_context
    from .tracing.logs import LogTracer
    from .tracing.trace import ConnectionTrace, Resend, Trace
    from .tracing.tracer import Tracer
    from .transport import Transport, TransportRequest, TransportResponse

error = HTTPException
"""http.client's alias of HTTPException."""

__all__ = [
    "HTTPS_PORT",
    "HTTP_PORT",
    "Auth",
    "AuthLike",
    "AuthRequest",
    "BadStatusLine",
    "Basic",
    "Bearer",
    "BlockingMiddleware",
    "BodyNotReplayable",
    "CachingResolver",
    "CallNext",
    "CannotSendHeader",
    "CannotSendRequest",
    "ChecksumError",
    "Client",
    "ClientClosed",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionTrace",
    "ContentTooLarge",
    "Cookie",
    "CookieJar",
    "DecodingError",
    "Digest",
    "EventSource",
    "Fields",
    "HTTPConnection",
    "HTTPException",
    "HTTPMessage",
    "HTTPResponse",
    "HTTPSConnection",
    "Headers",
    "HostStats",
    "ImproperConnectionState",
    "IncompleteRead",
    "Interim",
    "InvalidJSON",
    "InvalidURL",
    "Limits",
    "LineTooLong",
    "Link",
    "LocalResponse",
    "LogTracer",
    "Middleware",
    "Netrc",
    "NotConnected",
    "Options",
    "Params",
    "Part",
    "PhaseTimeout",
    "PoolLimits",
    "PoolStats",
    "PoolTimeout",
    "PoolTransport",
    "PoolWarning",
    "ProtocolError",
    "Proxy",
    "ProxyError",
    "RateTimeout",
    "ReadTimeout",
    "RedirectError",
    "RemoteDisconnected",
    "Repair",
    "Request",
    "Resend",
    "Resolver",
    "Response",
    "ResponseError",
    "ResponseNotRead",
    "ResponseNotReady",
    "Retry",
    "Routes",
    "ServerSentEvent",
    "StaleConnectionError",
    "StaticResolver",
    "StatusError",
    "TLSError",
    "TLSInfo",
    "TLSTimeout",
    "Timeout",
    "Timings",
    "TooManyRedirects",
    "TotalTimeout",
    "Trace",
    "Tracer",
    "Transport",
    "TransportRequest",
    "TransportResponse",
    "UnimplementedFileMode",
    "UnknownProtocol",
    "UnknownTransferEncoding",
    "WebSocket",
    "WebSocketClosed",
    "WriteTimeout",
    "__version__",
    "create_tls_context",
    "error",
    "responses",
    "run",
]


_HOMES: Final = {
    "PoolTransport": "client.pool_transport",
    "LocalResponse": "local_response",
    "Routes": "routes",
    "Transport": "transport",
    "TransportRequest": "transport",
    "TransportResponse": "transport",
    "Client": "client.client",
    "Request": "client.request",
    "Response": "client.response",
    "Retry": "client.retries",
    "EventSource": "client.events",
    "BlockingMiddleware": "client.middlewares",
    "CallNext": "client.middlewares",
    "Middleware": "client.middlewares",
    "WebSocket": "client.websocket.connection",
    "ServerSentEvent": "client.content.events",
    "CookieJar": "client.cookies.jar",
    "Cookie": "client.cookies.jar",
    "Auth": "client.auth.schemes",
    "AuthRequest": "client.auth.schemes",
    "Basic": "client.auth.schemes",
    "Bearer": "client.auth.schemes",
    "Digest": "client.auth.digest",
    "Netrc": "client.auth.netrc",
    "Proxy": "client.proxy.proxies",
    "Part": "client.body.arguments",
    "CachingResolver": "stream.caching",
    "StaticResolver": "stream.resolve",
    "Resolver": "stream.resolve",
    "PoolStats": "pool.group",
    "HostStats": "pool.group",
    "Tracer": "tracing.tracer",
    "Trace": "tracing.trace",
    "ConnectionTrace": "tracing.trace",
    "Resend": "tracing.trace",
    "LogTracer": "tracing.logs",
    "HTTPConnection": "connection",
    "HTTPMessage": "message.mail",
    "HTTPResponse": "response",
    "HTTPSConnection": "https",
    "HTTPS_PORT": "https",
    "HTTP_PORT": "connection",
    "Interim": "message.head",
    "Repair": "message.repairs",
    "TLSInfo": "stream.tls",
    "create_tls_context": "stream.tls",
    "run": "runner",
    "AuthLike": "client.auth.schemes",
    "Headers": "client.request",
    "Link": "message.links",
    "Options": "client.request",
    "Params": "message.url",
}
"""The modules of names that are imported on first use, because they are slow to import or compat does not need them."""


if TYPE_CHECKING:
    from . import status

    __all__ += status.__all__  # at run time `import *` does not import status codes, as in http.client

if not TYPE_CHECKING:  # with a module-level __getattr__, a type checker would accept any name

    def __getattr__(name: str) -> object:
        """Import a name on first use, also the names of status codes and `responses`."""
        home = _HOMES.get(name) or ("status" if name.isupper() or name == "responses" else None)
        if home is not None:
            found: object = getattr(import_module(f".{home}", __name__), name, None)
            if found is not None:
                globals()[name] = found
                return found
        from .other_modules import explain_name  # imported on use: for errors only

        raise explain_name(__name__, name)

    def __dir__() -> list[str]:
        """List all names except status codes, for completion and for Python's "did you mean"."""
        return sorted({*globals(), *__all__})
