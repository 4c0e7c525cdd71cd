"""Options that other HTTP clients have under another name, and what to write here instead."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

from ..errors import clip

_TIMEOUT: Final = "timeout=Timeout(connect=..., read=..., total=...)"
_LIMITS: Final = "Client(limits=Limits(connections=..., connections_per_host=..., idle=..., keep_alive=...))"
_TRUST: Final = "Client(ssl=...), an SSLContext; ssl=False verifies nothing"
_PROXY: Final = "Client(proxy=...), a URL, or a mapping by scheme or host"
_TRACER: Final = "Client(tracer=...), a Tracer"

_INSTEAD: Final = {
    "allow_redirects": "follow_redirects=",
    "app": "asyncclient.testing, which has servers for tests",
    "auto_decompress": "decode=",
    "cafile": "Client(ssl=ssl.create_default_context(cafile=...))",
    "ca_certs": "Client(ssl=ssl.create_default_context(cafile=...))",
    "cert": "Client(ssl=context), after context.load_cert_chain(...)",
    "chunked": "headers={'Transfer-Encoding': 'chunked'}",
    "compress": "body= with compressed bytes, and Content-Encoding among headers=",
    "connect_timeout": _TIMEOUT,
    "connector": _LIMITS,
    "conn_timeout": _TIMEOUT,
    "content": "body=",
    "cookie_jar": "Client(cookies=CookieJar())",
    "decode_content": "decode=",
    "event_hooks": _TRACER,
    "expect100": "expect_continue=",
    "fields": "data=, with files= for a multipart form",
    "fingerprint": "Client(ssl='sha256:...')",
    "form": "data=",
    "hooks": _TRACER,
    "http1": "nothing: HTTP/1.1 is what a Client speaks",
    "http2": "nothing: HTTP/1.1 is what a Client speaks",
    "json_serialize": "Client(encode_json=...)",
    "keepalive_expiry": _LIMITS,
    "limit": _LIMITS,
    "limit_per_host": _LIMITS,
    "local_addr": "Client(local_address=...)",
    "loop": "nothing: a Client belongs to the loop that uses it first",
    "max_connections": _LIMITS,
    "max_keepalive_connections": _LIMITS,
    "max_retries": "Client(retries=...), a number or a Retry",
    "mounts": _PROXY,
    "pool_connections": _LIMITS,
    "pool_limits": _LIMITS,
    "pool_maxsize": _LIMITS,
    "pool_timeout": "timeout=Timeout(pool=...)",
    "proxies": _PROXY,
    "proxy_auth": "Client(proxy='http://user:password@host:port')",
    "query": "params=",
    "raise_for_status": "response.raise_for_status()",
    "read_timeout": _TIMEOUT,
    "requote_redirect_url": "nothing: URLs go out as given",
    "session": "the Client itself, which keeps connections and cookies",
    "sock_connect": _TIMEOUT,
    "sock_read": _TIMEOUT,
    "source_address": "Client(local_address=...)",
    "ssl_context": _TRUST,
    "stream": "async with client.stream(method, url) as response",
    "total_timeout": "timeout=, in seconds",
    "trace_configs": _TRACER,
    "transport": "asyncclient.testing, which has servers for tests",
    "uds": "Client(socket_path=...)",
    "user_agent": "headers={'User-Agent': ...}",
    "verify": _TRUST,
    "verify_ssl": _TRUST,
    "write_timeout": _TIMEOUT,
}
"""By the names that aiohttp, httpx, requests and urllib3 have."""


def explain_client_option(name: str, known: Collection[str], of_requests: Collection[str]) -> TypeError:
    """Return the error for an option that Client does not have, which says how to write it here.

    Args:
        name: of the option.
        known: names of the options that Client has.
        of_requests: names of those that requests have.
    """
    advice = f"it is for each request, client.get(url, {name}=...)" if name in of_requests else None
    return _build("Client", name, advice or _advise(name, known))


def explain_request_option(name: str, known: Collection[str], of_client: Collection[str]) -> TypeError:
    """Return the error for an option that a request does not have; see explain_client_option()."""
    advice = f"it is for Client({name}=...)" if name in of_client else None
    return _build("a request", name, advice or _advise(name, known))


def _build(what: str, name: str, advice: str) -> TypeError:
    return TypeError(f"{what} got an unexpected keyword argument {clip(name)}: {advice}")


def _advise(name: str, known: Collection[str]) -> str:
    if name in _INSTEAD:
        return f"use {_INSTEAD[name]}"
    near = get_close_matches(name, known, 1)
    return f"use {near[0]}=" if near else f"there are {', '.join(sorted(known))}"
