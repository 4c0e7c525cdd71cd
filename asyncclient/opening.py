"""What a connection is opened to, by which way, and how it ends: the part of it that outlives a request."""

from __future__ import annotations

import socket
import ssl
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Self

from .errors import ImproperConnectionState, NotConnected
from .exchange.content import BLOCK
from .exchange.receive import Answer
from .exchange.tunnel import build_connect
from .limits import DEFAULT, Limits
from .message import target as targets
from .message.cycle import State
from .message.fields import Fields
from .message.head import Head
from .message.request import DeclaredBody, RequestHead
from .stream.aio import AioStream
from .stream.dial import Route, SocketOption, Tunnel, open_stream
from .stream.tls import default_context
from .timeouts import Timeout
from .timings import Timings

HTTP_PORT: Final = 80


class GlobalDefault:
    """The timeout that socket.setdefaulttimeout() has set when the connection is opened."""

    def __repr__(self) -> str:
        return "<global default timeout>"


GLOBAL_DEFAULT: Final = GlobalDefault()


class Connection:
    """Base of HTTPConnection, which documents the arguments: opening and closing, and the state of the exchange."""

    default_port: ClassVar[int] = HTTP_PORT

    def __init__(
        self,
        host: str,
        port: int | None = None,
        timeout: float | Timeout | GlobalDefault | None = GLOBAL_DEFAULT,
        source_address: tuple[str, int] | None = None,
        blocksize: int = BLOCK,
        *,
        max_response_headers: int | None = None,
        limits: Limits = DEFAULT,
        socket_path: str | None = None,
        socket_options: Sequence[SocketOption] = (),
    ) -> None:
        self.host, self.port = targets.parse_host_port(host, port, self.default_port)
        self.timeout = timeout
        self.source_address = source_address
        self.blocksize = blocksize
        self.limits = limits if max_response_headers is None else Limits(fields=max_response_headers)
        self.socket_path = socket_path
        self.socket_options = tuple(socket_options)
        self.auto_open = True
        self.debuglevel = 0
        self._stream: AioStream | None = None
        self._state: str = State.IDLE
        self._head: RequestHead | None = None
        self._answer = Answer()
        self._timings: Timings | None = None
        self._declared: DeclaredBody | None = None  # what send() may send; None: the whole body went out
        self._must_close = False
        self._idle_since = 0.0
        self._is_opening = False
        self._closings = 0
        self._tunnel: tuple[str, int] | None = None
        self._tunnel_headers: list[tuple[str, str]] = []
        self._proxy_ssl: ssl.SSLContext | bool = False
        self._proxy_head: Head | None = None
        self._host_line: bytes | None = None

    # Opening and closing

    def set_tunnel(
        self,
        host: str,
        port: int | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        proxy_ssl: ssl.SSLContext | bool = False,
    ) -> None:
        """Have the connection go through an HTTP proxy, the host and port given to the constructor, by CONNECT.

        Args:
            host, port: the server to reach; the port is the default port of this class if it is nowhere.
            headers: fields for the CONNECT request only, such as Proxy-Authorization.
            proxy_ssl: the proxy itself speaks TLS: a context, or True for the default one.

        Raises:
            ImproperConnectionState: the connection is open already.
            InvalidURL, ValueError: something that can't be sent.
        """
        if self._stream is not None:
            raise ImproperConnectionState("a tunnel can't be set up on an open connection")
        tunnel = targets.parse_host_port(host, port, self.default_port)
        pairs = [*(headers or {}).items()]
        build_connect(targets.build_authority(*tunnel), pairs)
        self._tunnel, self._tunnel_headers, self._proxy_ssl = tunnel, pairs, proxy_ssl
        self._host_line = None

    def get_proxy_response_headers(self) -> Fields | None:
        """Return the fields of the proxy's answer to CONNECT; None if there was none."""
        return None if self._proxy_head is None else self._proxy_head.fields

    def set_debuglevel(self, level: int) -> None:
        """Print http.client's lines of what goes out and comes in, if above 0. Headers are among them, secrets too."""
        self.debuglevel = level

    async def connect(self) -> None:
        """Open the connection, anew if it is open. Requests do this by themselves.

        Raises:
            ConnectError: and its subclasses ConnectTimeout, TLSError, TLSTimeout, ProxyError.
            ImproperConnectionState: a request is under way, or another task is opening it.
        """
        if self._is_opening or self._state not in (State.IDLE, State.HEAD, State.SENDING):
            raise ImproperConnectionState(f"{self!r} can't be opened now")
        self._drop_stream()
        closings, self._is_opening = self._closings, True
        try:
            timings = self._timings = self._timings or Timings(time.monotonic())
            opened = await open_stream(await self._route(), self._limited_timeout(), timings, self.limits)
        finally:
            self._is_opening = False
        if self._closings != closings:
            opened.stream.abort()
            raise NotConnected(f"{self!r} was closed while it was being opened")
        self._stream, self._proxy_head = opened

    async def _route(self) -> Route:
        """Return the way to the server."""
        proxy_tls = await default_context() if self._proxy_ssl is True else self._proxy_ssl or None
        tunnel = None
        if self._tunnel is not None:
            authority = targets.build_authority(*self._tunnel)
            tunnel = Tunnel(authority, build_connect(authority, self._tunnel_headers))
        return Route(
            self.host,
            self.port,
            socket_path=self.socket_path,
            source_address=self.source_address,
            socket_options=self.socket_options,
            proxy_tls=proxy_tls,
            tunnel=tunnel,
            tls=await self._tls_context(),
            server_name=targets.encode_host((self._tunnel or (self.host,))[0]).strip("[]"),
        )

    async def _tls_context(self) -> ssl.SSLContext | None:
        return None

    def _limited_timeout(self) -> Timeout:
        timeout = self.timeout
        if isinstance(timeout, Timeout):
            return timeout
        return Timeout.each(socket.getdefaulttimeout() if isinstance(timeout, GlobalDefault) else timeout)

    def close(self) -> None:
        """Begin to close; never waits. A request under way, in whatever task, ends with NotConnected."""
        self._closings += 1
        self._drop_stream()
        self._forget()

    async def aclose(self) -> None:
        """Close, and wait until the socket is free: a second at most (Timeout.close) where the peer is silent."""
        stream = self._stream
        self.close()
        if stream is not None:
            await stream.wait_closed()

    def _drop_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            # Politely only where nothing is under way: the peer may never take what is still to be sent.
            stream.close() if self._state in (State.IDLE, State.HEAD) else stream.abort()

    def _forget(self) -> None:
        """Return to the beginning: no request is under way."""
        self._state = State.IDLE
        self._head = self._timings = None

    def _fail(self, stream: AioStream) -> None:
        """Drop a stream on which something went wrong; synchronous, for `except BaseException`."""
        stream.abort()
        if stream is self._stream:
            self._stream = None
            self._forget()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        stream = getattr(self, "_stream", None)
        if stream is not None and stream.drop():
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)

    def __repr__(self) -> str:
        where = self.socket_path or f"{self.host}:{self.port}"
        return f"<{type(self).__name__} {where} {'open' if self._stream else 'closed'}, {self._state}>"
