"""Attributes of other clients' responses: reading one is an AttributeError that names ours.

Each is a descriptor. A `__getattr__` would make every attribute of a response slower to read (decision 108).
"""

from __future__ import annotations

from typing import Any, Final

_INSTEAD: Final = {
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
    "raw": "iter_chunks(), in a request with decode=False",
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


class Missing:
    """A descriptor of an attribute that does not exist."""

    __slots__ = ("_advice", "_name")

    def __init__(self, name: str, advice: str) -> None:
        self._name = name
        self._advice = advice

    def __get__(self, owner: object, kind: type) -> Any:
        """Raise the AttributeError that names the attribute here."""
        text = f"{kind.__name__!r} object has no attribute {self._name!r}: use {self._advice}"
        raise AttributeError(text, name=self._name, obj=owner)


class OtherNames:
    """Base of responses. Type checkers, dir() and hasattr() know nothing of the names that it answers."""

    __slots__ = ()

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in _INSTEAD]


for _name, _advice in _INSTEAD.items():
    setattr(OtherNames, _name, Missing(_name, _advice))
