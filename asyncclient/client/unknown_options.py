"""Options of other HTTP clients, with their equivalents here, for error texts."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from ..arguments import explain_unknown
from ..errors import clip
from ..stream.tls import FILE_HINT

_TIMEOUT: Final = "timeout=Timeout(connect=..., read=..., total=...)"
_POOL: Final = "Client(pool=PoolLimits(connections=..., per_host=..., idle=..., keep_alive=...))"
_TRUST: Final = f"Client(ssl=...), an SSLContext; ssl=False verifies nothing; {FILE_HINT}"
_STREAM: Final = "client.stream(method, url) in an async with block, with compat in a with block"
_PROXY: Final = "Client(proxy=...), a URL, or a mapping by scheme or host"
_RETRY: Final = "Client(retries=Retry(total=..., statuses=..., methods=..., backoff=...))"
_TRACER: Final = "Client(tracers=[...]), of Tracers"

_INSTEAD: Final = {
    "allow_redirects": "follow_redirects=",
    "allowed_methods": _RETRY,
    "app": "Client(transport=...), a Transport that calls it",
    "assert_fingerprint": "Client(ssl='sha256:...')",
    "auto_decompress": "decode=",
    "backoff_factor": _RETRY,
    "cafile": "Client(ssl=asyncclient.create_tls_context(cafile=...))",
    "ca_certs": "Client(ssl=asyncclient.create_tls_context(cafile=...))",
    "cert": "Client(ssl=context), after context.load_cert_chain(...)",
    "cert_reqs": _TRUST,
    "chunked": "body= with a generator, whose length is not known",
    "connect_timeout": _TIMEOUT,
    "connections": _POOL,
    "connections_per_host": _POOL,
    "connector": _POOL,
    "conn_timeout": _TIMEOUT,
    "content": "body=",
    "cookie_jar": "Client(cookies=CookieJar())",
    "decode_content": "decode=",
    "default_headers": "headers=",
    "default_params": "params=",
    "event_hooks": _TRACER,
    "expect100": "expect_continue=",
    "fields": "data=, with files= for a multipart form",
    "fingerprint": "Client(ssl='sha256:...')",
    "form": "data=",
    "hooks": _TRACER,
    "http1": "nothing: a Client always uses HTTP/1.1",
    "http2": "nothing: a Client always uses HTTP/1.1",
    "json_serialize": "Client(encode_json=...)",
    "keep_alive": _POOL,
    "keepalive_expiry": _POOL,
    "limit": _POOL,
    "limit_per_host": _POOL,
    "local_addr": "Client(local_address=...)",
    "loop": "nothing: a Client belongs to the event loop that first uses it",
    "max_connections": _POOL,
    "max_field_size": "Client(limits=Limits(line=...))",
    "max_keepalive_connections": _POOL,
    "max_line_size": "Client(limits=Limits(line=...))",
    "max_retries": "Client(retries=...), a number or a Retry",
    "maxsize": _POOL,
    "mounts": "Client(transport=Routes({...}))",
    "num_pools": _POOL,
    "pool_connections": _POOL,
    "pool_limits": _POOL,
    "pool_maxsize": _POOL,
    "pool_timeout": "timeout=Timeout(pool=...)",
    "preload_content": _STREAM,
    "proxies": _PROXY,
    "proxy_auth": "Client(proxy='http://user:password@host:port')",
    "query": "params=",
    "raise_for_status": "response.raise_for_status()",
    "read_timeout": _TIMEOUT,
    "redirect": "follow_redirects=",
    "requote_redirect_url": "nothing: URLs are sent as given",
    "server_hostname": "headers={'Host': ...} and Client(resolver=StaticResolver({...}))",
    "session": "the Client itself, which keeps connections and cookies",
    "skip_auto_headers": "headers={name: None}",
    "sock_connect": _TIMEOUT,
    "sock_read": _TIMEOUT,
    "source_address": "Client(local_address=...)",
    "ssl_context": _TRUST,
    "status_forcelist": _RETRY,
    "stream": _STREAM,
    "total_timeout": "timeout=, in seconds",
    "trace_configs": _TRACER,
    "tracer": _TRACER,
    "uds": "Client(socket_path=...)",
    "user_agent": "headers={'User-Agent': ...}",
    "verify": _TRUST,
    "verify_ssl": _TRUST,
    "write_timeout": _TIMEOUT,
}
"""The equivalents of options of aiohttp, httpx, requests and urllib3."""


_INSTEAD_IN_DOWNLOADS: Final = {
    **_INSTEAD,
    **dict.fromkeys(
        ("dest", "destination", "directory", "file", "filename", "output", "target"), "the path, a file or a directory"
    ),
    **{name: f"checksum='{name}:...'" for name in ("md5", "sha1", "sha256", "sha384", "sha512")},
    **dict.fromkeys(("block_size", "chunk_size"), "nothing: each chunk is written as it is received"),
    "callback": "progress=",
    "force": "overwrite=",
    "hash": "checksum='sha256:...'",
}
"""The same for Client.download(), which has a path."""

_OPTION: Final = re.compile(r"(\w+)=")


def explain_client_option(name: str, known: Collection[str], of_requests: Collection[str]) -> TypeError:
    """Return the error for an unknown option of Client, with its equivalent if there is one.

    Args:
        name: the unknown option; "" for a positional argument.
        known: names of the options of Client.
        of_requests: names of the options of requests.
    """
    if not name:
        return TypeError("Client takes keyword arguments only: use Client(base_url=...), or client.get(url)")
    if name in of_requests:
        return _build("Client", name, f"it is for each request, client.get(url, {name}=...)")
    option = _OPTION.fullmatch(_INSTEAD.get(name, ""))
    if option is not None and option[1] in of_requests and option[1] not in known:
        return _build("Client", name, f"use client.get(url, {option[1]}=...)")
    return explain_unknown("Client", name, known, _INSTEAD)


def explain_request_option(name: str, known: Collection[str], of_client: Collection[str]) -> TypeError:
    """Return the error for an unknown option of a request; see explain_client_option()."""
    if name in of_client:
        return _build("a request", name, f"it is for Client({name}=...)")
    return explain_unknown("a request", name, known, _INSTEAD)


def explain_download_option(name: str, known: Collection[str], of_client: Collection[str]) -> TypeError:
    """Return the error for an unknown option of Client.download(); see explain_client_option()."""
    if name in of_client and name not in known:
        return _build("download()", name, f"it is for Client({name}=...)")
    return explain_unknown("download()", name, known, _INSTEAD_IN_DOWNLOADS)


def _build(what: str, name: str, advice: str) -> TypeError:
    return TypeError(f"{what} got an unexpected keyword argument {clip(name)}: {advice}")
