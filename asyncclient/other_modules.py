"""Names of other libraries' modules, with ours, for error texts."""

from __future__ import annotations

from typing import Final

_CONNECTION: Final = "asyncclient.ConnectError to open one, OSError for all errors of a connection"
_ALL: Final = {
    **dict.fromkeys(("BasicAuth", "HTTPBasicAuth"), "auth=(user, password), or asyncclient.Basic"),
    **dict.fromkeys(("DigestAuth", "DigestAuthMiddleware", "HTTPDigestAuth"), "asyncclient.Digest"),
    **dict.fromkeys(("ClientError", "RequestError"), "asyncclient.HTTPException"),
    **dict.fromkeys(("ClientResponseError", "HTTPStatusError"), "asyncclient.StatusError"),
    **dict.fromkeys(("AsyncHTTPTransport", "HTTPTransport", "TCPConnector"), "asyncclient.PoolTransport"),
    **{name: f"client.{name}(), of one Client for the program" for name in ("get", "post", "put", "patch", "delete")},
    **dict.fromkeys(("ClientConnectionError", "ClientConnectorError", "ConnectionError"), _CONNECTION),
    **dict.fromkeys(
        ("ClientSSLError", "ClientConnectorCertificateError", "SSLError"), "asyncclient.TLSError, or ssl.SSLError"
    ),
    **{name: f"asyncclient.testing.{name}" for name in ("ASGITransport", "MockTransport", "WSGITransport")},
    **{name: f"import asyncclient.{name}" for name in ("cache", "contrib", "crawl", "politeness", "testing")},
    "ClientTimeout": "asyncclient.Timeout",
    "Cookies": "asyncclient.CookieJar",
    "FormData": "data= and files= of a request",
    "HTTPAdapter": "Client(retries=..., pool=...)",
    "HTTPError": "asyncclient.StatusError for a status, asyncclient.HTTPException for all errors of a server",
    "JSONDecodeError": "asyncclient.InvalidJSON",
    "RemoteProtocolError": "asyncclient.ProtocolError",
    "RequestException": "asyncclient.HTTPException, and OSError for errors of a connection",
    "ServerDisconnectedError": "asyncclient.RemoteDisconnected",
    "TimeoutException": "asyncclient.PhaseTimeout",
    "request": "client.request(), of one Client for the program",
}
_CLIENTS: Final = ("ClientSession", "PoolManager", "session")
_INSTEAD: Final = {
    "asyncclient": {
        **_ALL,
        **dict.fromkeys(("AsyncClient", *_CLIENTS), "asyncclient.Client"),
        "Session": "asyncclient.Client, or compat.Client without asyncio",
    },
    "compat": {
        **_ALL,
        **dict.fromkeys(("Session", *_CLIENTS), "compat.Client"),
        "AsyncClient": "asyncclient.Client, or compat.Client without asyncio",
    },
}
"""By module, the equivalents of names of aiohttp, httpx, requests and urllib3."""


def explain_name(module: str, name: str) -> AttributeError:
    """Return the error for a name that a module does not have, with its equivalent if there is one."""
    advice = _INSTEAD[module.rpartition(".")[2]].get(name)
    return AttributeError(f"module {module!r} has no attribute {name!r}" + (f": use {advice}" if advice else ""))
