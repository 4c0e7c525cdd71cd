"""Attributes of other clients and their responses, with those here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from ..missing import answers, given_once
from .request import CLIENT_OPTIONS

_K = TypeVar("_K", bound=type)

RESPONSE: Final = {
    "aiter_bytes": "iter_chunks()",
    "aiter_lines": "iter_lines()",
    "aiter_raw": "iter_chunks(), in a request with decode=False",
    "aiter_text": "iter_text()",
    "apparent_encoding": "encoding",
    "aread": "read()",
    "body": "content",
    "charset": "encoding",
    "charset_encoding": "encoding",
    "code": "status",
    "content_length": "length, or headers.get('Content-Length')",
    "content_type": "headers.get('Content-Type')",
    "cookies": "headers.get_all('Set-Cookie'), or client.cookies",
    "data": "content",
    "default_encoding": "encoding",
    "elapsed": "timings.done, in seconds",
    "extensions": "interim, peer, tls, trailers and upgraded",
    "get_encoding": "encoding",
    "getcode": "status",
    "getheader": "headers.get(name)",
    "getheaders": "headers.pairs()",
    "has_redirect_location": "headers.get('Location')",
    "http_version": "version, 11 for HTTP/1.1",
    "info": "headers",
    "is_closed": "closed",
    "is_error": "ok",
    "is_permanent_redirect": "status in (301, 308)",
    "is_redirect": "status in (301, 302, 303, 307, 308)",
    "is_success": "ok",
    "iter_any": "iter_chunks()",
    "iter_bytes": "iter_chunks()",
    "iter_chunked": "iter_chunks(size)",
    "iter_content": "iter_chunks(size)",
    "iter_raw": "iter_chunks(), in a request with decode=False",
    "method": "request.method",
    "msg": "reason, or headers",
    "next": "headers.get('Location'), in a request with follow_redirects=False",
    "next_request": "headers.get('Location'), in a request with follow_redirects=False",
    "num_bytes_downloaded": "len(content)",
    "raw": "as_file()",
    "raw_headers": "headers.pairs()",
    "readlines": "lines",
    "real_url": "url",
    "reason_phrase": "reason",
    "release": "close()",
    "release_conn": "close()",
    "request_info": "request",
    "status_code": "status",
    "stream": "iter_chunks(size)",
    "streaming": "iter_chunks()",
}
"""The equivalents of attributes of requests, httpx, aiohttp, urllib3 and http.client."""

_BOTH: Final = {
    "closed": "nothing: a request on a closed client raises ClientClosed",
    "get_adapter": "Client(transport=Routes({...}))",
    "is_closed": "nothing: a request on a closed client raises ClientClosed",
    "mount": "Client(transport=Routes({...}))",
    "prepare_request": "build_request()",
    "urlopen": "request()",
    "ws_connect": "websocket()",
}
CLIENT: Final = {
    **_BOTH,
    "__enter__": "async with; without asyncio use compat.Client",
    "close": "await client.aclose(), or async with",
}
BLOCKING_CLIENT: Final = {
    **_BOTH,
    "__aenter__": "with; for asyncio use asyncclient.Client",
    "aclose": "close(), or with",
}
"""The equivalents of methods of other clients."""

SETTINGS: Final = {
    "cert": "ssl",
    "connector": "pool",
    "cookie_jar": "cookies",
    "event_hooks": "tracers",
    "hooks": "tracers",
    "json_serialize": "encode_json",
    "max_retries": "retries",
    "mounts": "transport",
    "proxies": "proxy",
    "verify": "ssl",
}
"""Settings that programs assign to other clients, and their names here."""


def answers_clients(methods: Mapping[str, str]) -> Callable[[_K], _K]:
    """Give a client an answer for its settings and for methods of other clients."""
    return lambda kind: given_once(CLIENT_OPTIONS, SETTINGS)(answers(methods)(kind))
