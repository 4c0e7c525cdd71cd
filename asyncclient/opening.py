"""What a connection is opened to, by which way, and how it ends: the part of it that outlives a request."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import replace
from typing import ClassVar, Final, Self

from .arguments import check_type
from .debug import print_fields, print_sent
from .errors import ImproperConnectionState, NotConnected, TotalTimeout
from .exchange.body import BLOCKSIZE
from .exchange.exchange import Exchange
from .exchange.tunnel import build_connect
from .limits import DEFAULT, Limits
from .message import target as targets
from .message.cycle import State
from .message.fields import Fields, HasItems, list_pairs
from .message.head import Head
from .stream.aio import AioStream
from .stream.dial import Route, Tunnel, open_stream
from .stream.options import SocketOption, parse_options
from .stream.scope import TimeLimit
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

    # Of the class until they are set: see AioStream.__slots__ for why each attribute counts.
    _tunnel: tuple[str, int] | None = None
    _tunnel_headers: Sequence[tuple[str, str]] = ()
    _proxy_ssl: ssl.SSLContext | bool = False
    _last_head: Head | None = None
    _busy: asyncio.Task[object] | None = None
    _is_closed_meanwhile = False
    _proxy_head: Head | None = None
    _host_line: bytes | None = None

    def __init__(
        self,
        host: str,
        port: int | None = None,
        timeout: float | Timeout | GlobalDefault | None = GLOBAL_DEFAULT,
        source_address: tuple[str, int] | None = None,
        blocksize: int = BLOCKSIZE,
        *,
        max_response_headers: int | None = None,
        limits: Limits = DEFAULT,
        socket_path: str | os.PathLike[str] | None = None,
        socket_options: Sequence[SocketOption] = (),
    ) -> None:
        self.host, self.port = targets.parse_host_port(host, port, self.default_port)
        self.timeout = timeout
        self._limited_timeout()  # refuses what is none
        self.source_address = source_address
        if blocksize < 1:
            raise ValueError(f"expected a blocksize of at least 1, got {blocksize!r}")
        self.blocksize = blocksize
        check_type("limits", limits, Limits, "Limits")
        self.limits = limits
        if max_response_headers is not None:
            self.limits = replace(limits, fields=max_response_headers)
        self.socket_path = None if socket_path is None else os.fspath(socket_path)
        self.socket_options = parse_options(socket_options) if socket_options else ()
        self.auto_open = True
        self.debuglevel = 0
        self._stream: AioStream | None = None
        self._state: str = State.IDLE
        self._exchange: Exchange | None = None
        self._opening: Timings | None = None  # of connect(), until the first request
        self._idle_since = 0.0

    # Opening and closing

    def set_tunnel(
        self,
        host: str,
        port: int | None = None,
        headers: HasItems | Iterable[tuple[str, str]] | None = None,
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
        if self._stream is not None or self._busy is not None:
            raise ImproperConnectionState("a tunnel can't be set up on an open connection")
        if not isinstance(proxy_ssl, ssl.SSLContext | bool):
            raise TypeError(f"expected an SSLContext or a bool as proxy_ssl, got {type(proxy_ssl).__name__}")
        tunnel = targets.parse_host_port(host, port, self.default_port)
        pairs = list_pairs(headers or ())
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
        if self._busy is not None or self._state not in (State.IDLE, State.HEAD):
            raise ImproperConnectionState(f"{self!r} can't be opened now")
        await self._open()

    async def _open(self) -> None:
        if self._busy is not None:
            raise ImproperConnectionState(f"{self!r} is being opened by another task")
        self._drop_stream()
        timings = self._opening = Timings(time.monotonic())
        if self._exchange is not None:
            timings, self._opening = self._exchange.timings, None
        timeout = self._limited_timeout()
        with self._closable():
            left = (timeout.total or 0.0) - (time.monotonic() - timings.started)
            async with self._within_total(timeout, left):
                route = await self._route()
                opened = await open_stream(route, timeout, timings, self.limits)
        self._stream, self._proxy_head = opened
        self._idle_since = time.monotonic()
        if self.debuglevel > 0 and route.tunnel is not None and self._proxy_head is not None:
            print_sent(route.tunnel.head)
            print_fields(self._proxy_head)

    @contextmanager
    def _closable(self) -> Iterator[None]:
        """Let close() end what this task waits for elsewhere than on the stream, with NotConnected."""
        task, self._is_closed_meanwhile = asyncio.current_task(), False
        self._busy = task
        try:
            yield
        except asyncio.CancelledError:
            if self._is_closed_meanwhile and task is not None and not task.uncancel():
                raise NotConnected(f"connection to {self.host}:{self.port} was closed meanwhile") from None
            raise
        finally:
            self._busy = None

    def _within_total(self, timeout: Timeout, left: float) -> AbstractAsyncContextManager[None]:
        """Hold what is left of the total time limit where others are waited for than the stream, which holds it."""

        def build_error(_: float) -> TotalTimeout:
            seconds = timeout.total or 0.0
            return TotalTimeout(f"exchange not done with {self.host}:{self.port} in {seconds:g} s", "total", seconds)

        return TimeLimit(None if timeout.total is None else left, build_error)

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
            server_name=targets.build_server_name((self._tunnel or (self.host,))[0]),
        )

    async def _tls_context(self) -> ssl.SSLContext | None:
        return None

    def _limited_timeout(self) -> Timeout:
        timeout = self._timeout = self.timeout
        if isinstance(timeout, Timeout):
            return timeout
        return Timeout.each(socket.getdefaulttimeout() if isinstance(timeout, GlobalDefault) else timeout)

    def close(self) -> None:
        """Begin to close; never waits. A request under way, in whatever task, ends with NotConnected."""
        if self._busy is not None and self._busy is not _current_task() and not self._is_closed_meanwhile:
            self._is_closed_meanwhile = self._busy.cancel()
        self._drop_stream()
        self._state, self._exchange = State.IDLE, None

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

    def _forget(self, exchange: Exchange) -> None:
        """Return to the beginning, unless another exchange has begun meanwhile."""
        if exchange is self._exchange:
            self._state, self._exchange = State.IDLE, None

    def _fail(self, stream: AioStream, exchange: Exchange) -> None:
        """Drop a stream on which something went wrong; synchronous, for `except BaseException`."""
        stream.abort()
        if stream is self._stream:
            self._stream = None
        self._forget(exchange)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        stream = getattr(self, "_stream", None)
        if stream is not None and stream.abort_if_abandoned():
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)

    def __repr__(self) -> str:
        where = self.socket_path or f"{self.host}:{self.port}"
        return f"<{type(self).__name__} {where} {'open' if self._stream else 'closed'}, {self._state}>"


def _current_task() -> asyncio.Task[object] | None:
    """Return the task that runs now; close() may be called without any."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
