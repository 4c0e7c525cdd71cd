"""The tunnel of a connection through an HTTP proxy (RFC 9110 §9.3.6)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from asyncclient.exchange.tunnel import build_connect
from asyncclient.message import lenient
from asyncclient.message.target import build_authority

from . import lines
from .message import read_lines
from .names import find, say
from .sockets import LoopSocket


def set_tunnel(connection: Any, host: str, port: int | None, headers: Mapping[str, Any] | None) -> None:
    """See HTTPConnection.set_tunnel()."""
    if connection.sock:
        raise RuntimeError("Can't set up tunnel for established connection")
    connection._tunnel_host, connection._tunnel_port = connection._get_hostport(host, port)
    connection._tunnel_headers = fields = dict(headers) if headers else {}
    if sys.version_info >= (3, 12) and not any(name.lower() == "host" for name in fields):
        # 3.11 has no Host of its own here, and its tests compare; on the wire it is there.
        fields["Host"] = _build_authority(connection)


def _build_authority(connection: Any) -> str:
    def encode(host: str) -> str:
        return str(connection._wrap_ipv6(host.encode("idna")), "ascii")

    port: Any = connection._tunnel_port
    return build_authority(connection._tunnel_host or "", port, None, encode)


def build_head(connection: Any) -> bytes:
    """Return the head of the CONNECT request. Raises ValueError: a host or header can't be sent."""
    host = connection._tunnel_host or ""
    if lenient.NOT_IN_TARGET.search(host):
        raise ValueError(f"Tunnel host can't contain control characters {host!r}")
    fields = [(name, str(value)) for name, value in connection._tunnel_headers.items()]
    for name, value in fields:
        lines.build_line(name, (value,))
    version = connection._http_vsn_str.encode("ascii")
    return build_connect(_build_authority(connection), fields).replace(b" HTTP/1.1\r\n", b" %b\r\n" % version, 1)


def enter(connection: Any) -> None:
    """Read the proxy's response, and not a byte more: bytes after it are the target's."""
    sock = connection.sock if type(connection.sock) is LoopSocket else None
    if sock is not None:
        sock.reads_ahead = False
    response = connection.response_class(connection.sock, method=connection._method)
    try:
        code, reason = _read_head(connection, response)
    finally:
        response.close()
    if code != 200:
        connection.close()
        raise OSError(f"Tunnel connection failed: {code} {reason.strip()}")
    if sock is not None:
        sock.reads_ahead = True
        if sock.has_unsolicited():
            raise OSError("Tunnel connection failed: the proxy sent more than its answer")


def _read_head(connection: Any, response: Any) -> tuple[int, str]:
    """Read the proxy's response, skipping interim ones (100 at most); return its code and reason."""
    code, reason = 100, ""
    for _ in range(101):
        _, code, reason = response._read_status()
        connection._raw_proxy_headers = section = find("_read_headers", read_lines)(response.fp)
        if connection.debuglevel > 0:
            for line in section:
                say("header:", line.decode("iso-8859-1"))
        if not 100 <= code < 200:
            break
    return code, reason
