"""What a blocking connection is opened to, and how: what http.client's HTTPConnection has beside requests.

A socket is opened on a private loop where that changes nothing: where nobody has put something else in the place of the
calls that http.client would make (as httpretty, pytest-socket, gevent and many tests do).
"""

from __future__ import annotations

import errno
import http.client as std
import socket
import sys
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from asyncclient.exchange.tunnel import build_connect
from asyncclient.message import lenient

from . import lines
from .dial import dial
from .message import HTTPMessage, parse_header_lines, read_lines
from .names import find, say
from .sockets import LoopSocket

DEFAULT_TIMEOUT: Any = socket._GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]

_GENUINE: Final = tuple(
    call if call.__module__ == "socket" else None
    for call in (socket.create_connection, socket.create_connection, socket.getaddrinfo, socket.socket)
)
"""The calls that http.client makes; None for one that was replaced before this module was imported."""

_METHODS: Final = frozenset(("connect", "connect_ex", "send", "sendall", "recv", "recv_into"))
"""What programs put into the class to guard or record it; its own are those of the class beneath."""


class Opening:
    """Base of HTTPConnection: host, port, tunnel, and connecting."""

    default_port: ClassVar[int] = std.HTTP_PORT
    debuglevel = 0
    response_class: Any
    _http_vsn_str = "HTTP/1.1"

    def __init__(self, host: str, port: Any, timeout: Any, source_address: tuple[str, int] | None) -> None:
        self.timeout = timeout
        self.source_address = source_address
        self.sock: Any = None
        self._method: str | None = None
        self._tunnel_host: str | None = None
        self._tunnel_port: int | None = None
        self._tunnel_headers: dict[str, Any] = {}
        self._raw_proxy_headers: list[bytes] | None = None
        self.host, self.port = self._get_hostport(host, port)
        self._validate_host(self.host)
        self._create_connection: Any = vars(std)["socket"].create_connection

    def _get_hostport(self, host: str, port: Any) -> tuple[str, Any]:
        if port is None:
            name, colon, digits = host.rpartition(":")
            port = self.default_port
            if colon and "]" not in digits:
                host, port = name, self._parse_port(digits) if digits else port
        if host[:1] == "[" and host[-1:] == "]":
            host = host[1:-1]
        return host, port

    def _parse_port(self, digits: str) -> int:
        try:
            return int(digits)
        except ValueError:
            raise std.InvalidURL(f"nonnumeric port: '{digits}'") from None

    def _validate_host(self, host: str) -> None:
        lines.check_url(host)

    def _wrap_ipv6(self, ip: bytes) -> bytes:
        return b"[%b]" % ip if b":" in ip and ip[:1] != b"[" else ip

    def set_debuglevel(self, level: int) -> None:
        """Print what goes out and comes in, if above 0."""
        self.debuglevel = level

    # The tunnel

    def set_tunnel(self, host: str, port: int | None = None, headers: Mapping[str, Any] | None = None) -> None:
        """Have the connection go through an HTTP proxy, the host and port given to the constructor, by CONNECT.

        Raises:
            RuntimeError: the connection is open.
        """
        if self.sock:
            raise RuntimeError("Can't set up tunnel for established connection")
        self._tunnel_host, self._tunnel_port = self._get_hostport(host, port)
        self._tunnel_headers = dict(headers) if headers else {}
        if sys.version_info >= (3, 12) and not any(name.lower() == "host" for name in self._tunnel_headers):
            # 3.11 has no Host of its own here, and its tests compare; on the wire it is there.
            self._tunnel_headers["Host"] = self._tunnel_authority()

    def _tunnel_authority(self) -> str:
        host = (self._tunnel_host or "").encode("idna")
        return f"{self._wrap_ipv6(host).decode('ascii')}:{self._tunnel_port}"

    def _build_connect(self) -> bytes:
        """Return the head of the CONNECT request (RFC 9110 §9.3.6).

        Raises:
            ValueError: a host or header that can't be sent.
        """
        host = self._tunnel_host or ""
        if lenient.NOT_IN_TARGET.search(host):
            raise ValueError(f"Tunnel host can't contain control characters {host!r}")
        for name, value in self._tunnel_headers.items():
            lines.build_line(name, (str(value),))
        fields = [(name, str(value)) for name, value in self._tunnel_headers.items()]
        version = self._http_vsn_str.encode("ascii")
        return build_connect(self._tunnel_authority(), fields).replace(b" HTTP/1.1\r\n", b" %b\r\n" % version, 1)

    def _tunnel(self) -> None:
        try:
            self.send(self._build_connect())
            self._enter_tunnel()
        except BaseException:
            # Half a tunnel: the next request would go to the proxy. close() may be somebody's own, and do more.
            self._drop_socket()
            raise

    def _enter_tunnel(self) -> None:
        """Read the proxy's answer, and not a byte more: what comes after it is the target's."""
        sock = self.sock if type(self.sock) is LoopSocket else None
        if sock is not None:
            sock.reads_ahead = False
        response = self.response_class(self.sock, method=self._method)
        try:
            code, reason = self._read_proxy_head(response)
        finally:
            response.close()
        if code != 200:
            self.close()
            raise OSError(f"Tunnel connection failed: {code} {reason.strip()}")
        if sock is not None:
            sock.reads_ahead = True
            if sock.has_unsolicited():
                raise OSError("Tunnel connection failed: the proxy sent more than its answer")

    def _read_proxy_head(self, response: Any) -> tuple[int, str]:
        """Read the proxy's answer, interim ones skipped (100 at most); return its code and reason."""
        code, reason = 100, ""
        for _ in range(101):
            _, code, reason = response._read_status()
            self._raw_proxy_headers = section = find("_read_headers", read_lines)(response.fp)
            if self.debuglevel > 0:
                for line in section:
                    say("header:", line.decode("iso-8859-1"))
            if not 100 <= code < 200:
                break
        return code, reason

    def get_proxy_response_headers(self) -> HTTPMessage | None:
        """Return the fields of the proxy's answer to CONNECT; None if there was none."""
        if self._raw_proxy_headers is None:
            return None
        message: HTTPMessage = find("_parse_header_lines", parse_header_lines)(self._raw_proxy_headers)
        return message

    # Connecting

    def connect(self) -> None:
        """Connect to the host and port given to the constructor. Raises what the socket calls raise."""
        sys.audit("http.client.connect", self, self.host, self.port)
        self.sock = self._open_socket()
        if self._tunnel_host:
            self._tunnel()

    def _open_socket(self) -> Any:
        timeout = socket.getdefaulttimeout() if self.timeout is DEFAULT_TIMEOUT else self.timeout
        if self._may_dial(timeout):
            return dial(self.host, self.port, timeout, self.source_address)
        sock = self._create_connection((self.host, self.port), self.timeout, self.source_address)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as exc:
            if exc.errno != errno.ENOPROTOOPT:
                raise
        return sock

    def _may_dial(self, timeout: Any) -> bool:
        """Return whether a private loop may connect: the calls are Python's own, the arguments plain ones."""
        calls = (self._create_connection, socket.create_connection, socket.getaddrinfo, socket.socket)
        is_timed = timeout is None or (isinstance(timeout, (int, float)) and timeout > 0)
        is_own = calls == _GENUINE and _METHODS.isdisjoint(vars(socket.socket))
        is_plain = type(self.port) is int and 0 <= self.port < 65536 and bool(self.host) and self.host.isascii()
        return is_own and is_timed and is_plain

    def _drop_socket(self) -> None:
        sock, self.sock = self.sock, None
        if sock:
            sock.close()

    def send(self, data: Any) -> None:
        """Send data to the server."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connection."""
        raise NotImplementedError
