"""TLS: the shared default context, and what a connection turned out to have."""

from __future__ import annotations

import asyncio
import ssl
import threading
from typing import Any, NamedTuple

_default: ssl.SSLContext | None = None
_lock = threading.Lock()


def build_default_context() -> ssl.SSLContext:
    """Return the context of this process, which verifies chain, host name and dates; made at the first call.

    Making it loads every authority of the system, 20 ms: once, and not on a loop (see default_context).
    """
    global _default
    with _lock:
        if _default is None:
            context = ssl.create_default_context()
            context.set_alpn_protocols(["http/1.1"])
            if context.post_handshake_auth is not None:
                context.post_handshake_auth = True
            _default = context
    return _default


async def default_context() -> ssl.SSLContext:
    """Return the context of this process; a worker thread makes it."""
    if _default is not None:
        return _default
    return await asyncio.get_running_loop().run_in_executor(None, build_default_context)


class TLSInfo(NamedTuple):
    """What was negotiated: protocol ("TLSv1.3"), cipher, ALPN protocol, and the peer's certificate as ssl gives it."""

    version: str | None
    cipher: str | None
    alpn: str | None
    certificate: dict[str, Any] | None


def describe(ssl_object: ssl.SSLObject) -> TLSInfo:
    """Return what was negotiated on a connection."""
    cipher = ssl_object.cipher()
    return TLSInfo(
        ssl_object.version(), cipher and cipher[0], ssl_object.selected_alpn_protocol(), ssl_object.getpeercert()
    )
