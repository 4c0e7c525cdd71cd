"""The connections of http.client, awaitable: methods that wait are coroutines, methods that only buffer are not."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final, Self

from .arguments import check_port, check_type
from .debug import PrintingStream, print_fields, print_received, print_sent, set_printing
from .errors import ImproperConnectionState, NotConnected
from .exchange.body import BLOCKSIZE, Body, open_source
from .exchange.exchange import Exchange
from .exchange.tunnel import build_connect
from .limits import DEFAULT, Limits
from .message import target as targets
from .message.cycle import Call, CloseReason, State, check_call
from .message.fields import Fields, HasItems, Headers, list_pairs
from .message.head import Head, HeadCache, build_field
from .message.request import RequestHead
from .response import HTTPResponse
from .stream.deadlines import TimeLimit, deadline_since
from .stream.dial import Route, open_stream
from .stream.files import offload, open_file
from .stream.hops import Tunnel
from .stream.interruptible import Interruptible
from .stream.opening import Opening
from .stream.options import SocketOption, parse_options
from .stream.tls import default_context
from .timeouts import GLOBAL_DEFAULT, NEVER, GlobalDefault, Timeout
from .wire import Wire

HTTP_PORT: Final = 80


class HTTPConnection:
    """A connection to one server, which serves one request at a time. The first request opens it.

    It belongs to the event loop that first uses it, and during a request to the task that sends the request; others are
    refused. A request or response that fails or is cancelled drops the connection; the next request opens it again.

    Args:
        host: a name or address, perhaps with a port: "host:port", "[v6]:port".
        port: the port; if neither argument has one, 80 (443 for HTTPSConnection).
        timeout: seconds for each single operation (connect, TLS handshake, write, read), or a Timeout for each phase;
            None sets no limit. If not given, socket.getdefaulttimeout(), as in http.client. The attribute may be
            changed for the next request.
        source_address: (host, port) to connect from.
        blocksize: bytes read from a body file at once.
        max_response_headers: the number of fields that a response may have; takes precedence over `limits.fields`.
        limits: limits on what the server may send.
        socket_path: a Unix socket to connect to; host and port then only name the server in requests.
        socket_options: (level, name, value) to set on the socket before it connects.

    Raises:
        InvalidURL, ValueError, TypeError: the host or the port, or another argument, is invalid.
    """

    default_port: ClassVar[int] = HTTP_PORT

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
        self._applied_timeout()  # refuses an invalid one
        check_port("in source_address", source_address[1] if source_address else 0)
        self.source_address = source_address
        if blocksize < 1:
            raise ValueError(f"expected a blocksize of at least 1, got {blocksize!r}")
        self.blocksize = blocksize
        check_type("limits", limits, Limits, "Limits")
        self.limits = limits if max_response_headers is None else replace(limits, fields=max_response_headers)
        self.socket_path = None if socket_path is None else os.fspath(socket_path)
        self.socket_options = parse_options(socket_options) if socket_options else ()
        self.auto_open = True
        self.debuglevel = 0
        # The open connection; perhaps one that has closed itself and was not noticed yet.
        self._wire: Wire | None = None
        # The exchange in progress, from its head on; its state is the state of this connection.
        self._exchange: Exchange | None = None
        # Interrupts the opening of the connection while it is in progress.
        self._opening: Interruptible | None = None
        # Why the last wire was closed; None while one is open.
        self._close_reason: CloseReason | None = None
        self._head_cache = HeadCache()
        self._host_line: bytes | None = None
        self._tunnel: tuple[str, int] | None = None
        self._tunnel_headers: Sequence[tuple[str, str]] = ()
        self._proxy_ssl: ssl.SSLContext | bool = False
        self._proxy_head: Head | None = None

    @property
    def _state(self) -> str:
        return State.IDLE if self._exchange is None else self._exchange.state

    # Opening and closing

    def set_tunnel(
        self,
        host: str,
        port: int | None = None,
        headers: HasItems | Iterable[tuple[str, str]] | None = None,
        *,
        proxy_ssl: ssl.SSLContext | bool = False,
    ) -> None:
        """Open the connection by CONNECT through an HTTP proxy: the host and port given to the constructor.

        Args:
            host, port: the server to reach; the default port is that of this class.
            headers: fields for the CONNECT request only, such as Proxy-Authorization.
            proxy_ssl: for a proxy that uses TLS itself, a context, or True for the default context.

        Raises:
            ImproperConnectionState: the connection is open already.
            InvalidURL, ValueError: host, port or headers can't be sent.
        """
        if self._is_open or self._opening is not None:
            raise ImproperConnectionState("a tunnel can't be set up on an open connection")
        if not isinstance(proxy_ssl, ssl.SSLContext | bool):
            raise TypeError(f"expected an SSLContext or a bool as proxy_ssl, got {type(proxy_ssl).__name__}")
        tunnel = targets.parse_host_port(host, port, self.default_port)
        pairs = list_pairs(headers or ())
        build_connect(targets.build_authority(*tunnel), pairs)
        self._tunnel, self._tunnel_headers, self._proxy_ssl = tunnel, pairs, proxy_ssl
        self._host_line = None

    def get_proxy_response_headers(self) -> Fields | None:
        """Return the fields of the proxy's response to CONNECT; None without a tunnel."""
        return None if self._proxy_head is None else self._proxy_head.fields

    def set_debuglevel(self, level: int) -> None:
        """Set the debug level: above 0, sent data and received heads are printed as in http.client, with secrets."""
        self.debuglevel = level

    async def connect(self) -> None:
        """Open the connection, or close it and open it again. A request opens a closed connection by itself.

        Raises:
            ConnectError: no connection could be opened; see ConnectTimeout, TLSError, TLSTimeout, ProxyError.
            ImproperConnectionState: an exchange is in progress, or another task is opening the connection.
        """
        if self._opening is not None or self._state not in (State.IDLE, State.HEAD):
            raise ImproperConnectionState(f"{self!r} can't be opened now")
        await self._open()

    async def _open(self) -> None:
        if self._opening is not None:
            raise ImproperConnectionState(f"{self!r} is being opened by another task")
        self._close_wire()
        opening = Opening(time.monotonic())
        timeout = self._applied_timeout()
        self._opening = Interruptible(f"connection to {self.host}:{self.port} was closed meanwhile")
        try:
            with self._opening:
                started = opening.started if self._exchange is None else self._exchange.started
                deadline = deadline_since(started, timeout.total)
                with TimeLimit.until(deadline, f"no connection to {self.host}:{self.port}"):
                    route = await self._route()
                    stream, self._proxy_head = await open_stream(route, timeout, opening, self.limits)
        finally:
            self._opening = None
        self._wire, self._close_reason = Wire(stream, self.limits, self._head_cache, opening), None
        if self.debuglevel > 0 and route.tunnel is not None and self._proxy_head is not None:
            print_sent(route.tunnel.head)
            print_fields(self._proxy_head)

    async def _route(self) -> Route:
        """Return the route to the server."""
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

    def _applied_timeout(self) -> Timeout:
        """Return the Timeout that `timeout` means now."""
        timeout = self._timeout = self.timeout
        if isinstance(timeout, Timeout):
            return timeout
        return Timeout.each(socket.getdefaulttimeout() if isinstance(timeout, GlobalDefault) else timeout)

    @property
    def _is_open(self) -> bool:
        return self._wire is not None and self._wire.close_reason is None

    def close(self) -> None:
        """Begin to close; never waits. A request in progress, in any task, ends with NotConnected."""
        if self._opening is not None:
            self._opening.end()
        self._close_wire()
        self._exchange = None

    async def aclose(self) -> None:
        """Close, and wait until the socket is closed, at most twice Timeout.close."""
        wire = self._wire
        self.close()
        if wire is not None:
            await wire.stream.wait_closed()

    def _close_wire(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._forget_closed(self._wire)

    def _forget_closed(self, wire: Wire) -> None:
        """Drop the reference to a wire that was closed, so that its memory, such as the state of TLS, is freed."""
        if wire.close_reason is not None and wire is self._wire:
            self._wire, self._close_reason = None, wire.close_reason

    def _forget(self, exchange: Exchange) -> None:
        """Return to the idle state, unless another exchange has begun meanwhile."""
        if exchange is self._exchange:
            self._exchange = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        wire: Wire | None = getattr(self, "_wire", None)
        if wire is not None and wire.stream.abort_if_abandoned():
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)

    def __repr__(self) -> str:
        where = self.socket_path or f"{self.host}:{self.port}"
        reason = self._close_reason if self._exchange is None else self._exchange.close_reason
        end = "" if reason is None else f" ({reason})"
        return f"<{type(self).__name__} {where} {'open' if self._is_open else 'closed'}, {self._state}{end}>"

    # The request

    async def request(
        self,
        method: str,
        url: str,
        body: Body | None = None,
        headers: Headers = {},  # noqa: B006  (http.client's signature; never changed)
        *,
        encode_chunked: bool = False,
    ) -> None:
        """Send a request; Host, `Accept-Encoding: identity` and the framing of the body are added unless given.

        Args:
            url: the request target, sent as given: a path with its query, "*", or a whole URL for a proxy.
            body: bytes or any buffer; str (sent as ISO-8859-1); a file (from its present position), also with an async
                read(); a path; an iterable or async iterable of bytes. If the length is known, it is sent as
                Content-Length; otherwise the body is sent in chunks.
            headers: fields to send, a mapping or pairs.
            encode_chunked: encode the body in chunks although the headers have `Transfer-Encoding: chunked`; if False,
                such a body is in chunks already.

        A final response during the sending of the body ends the sending; getresponse() returns it.

        Raises:
            CannotSendRequest: the previous response has not been read, or another task sends a request.
            ValueError, TypeError, InvalidURL: a value that can't be sent; the connection is unchanged.
            ConnectError, WriteTimeout, ReadTimeout, HTTPException, OSError: the connection is dropped, as after an
                error of the body and after cancellation.
        """
        if self._exchange is not None:
            check_call(Call.REQUEST, self._exchange.state)
        exchange = self._begin(method, url or "/", headers) if headers else self._begin(method, url or "/")
        if body is None:
            if exchange.head.length or exchange.head.is_chunked:
                raise ValueError("expected a body, as Content-Length or Transfer-Encoding says, got none")
            wire = self._find_wire(exchange)
            if wire is not None:
                self._exchange = exchange
                wire.send(exchange)
                return
        self._exchange = exchange
        exchange.state = State.SENDING
        await self._end_head(exchange, body, encode_chunked)

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        """Begin a request head. Raises CannotSendRequest, ValueError and InvalidURL as request() does."""
        check_call(Call.PUTREQUEST, self._state)
        self._exchange = self._begin(method, url or "/", (), skip_host, skip_accept_encoding)

    def _begin(
        self, method: str, url: str, headers: Headers = (), skip_host: bool = False, skip_encoding: bool = False
    ) -> Exchange:
        """Return a new exchange with its head; the connection is unchanged if the head can't be sent."""
        pairs = list_pairs(headers) if headers else ()
        if pairs:
            names = {(name.decode("latin-1") if isinstance(name, bytes) else str(name)).lower() for name, _ in pairs}
            skip_host, skip_encoding = "host" in names, "accept-encoding" in names
        built = () if skip_host else (self._build_host_line(method, url),)
        head = RequestHead(method, url, *built if skip_encoding else (*built, b"Accept-Encoding: identity"))
        for name, value in pairs:
            head.add(name, value)
        return Exchange(head, time.monotonic())

    def _build_host_line(self, method: str, target: Any) -> bytes:
        authority = None
        if method == "CONNECT":
            authority = target
        elif isinstance(target, str) and target[:1] != "/":  # a target that is not a str is refused later
            authority = targets.find_authority(target)
        if authority is not None:
            return build_field("Host", authority)
        if self._host_line is None:
            host, port = self._tunnel or (self.host, self.port)
            self._host_line = build_field("Host", targets.build_authority(host, port, self.default_port))
        return self._host_line

    def _current(self) -> Exchange:
        """Return the exchange in progress; call it only in a state in which there is one."""
        assert self._exchange is not None
        return self._exchange

    def putheader(self, name: str | bytes, *values: str | bytes | int) -> None:
        """Add a field; several values are sent as lines that continue after a tab.

        Raises:
            CannotSendHeader: no head is open.
            ValueError: a name or value that can't be sent, or a second Content-Length or Transfer-Encoding.
        """
        check_call(Call.PUTHEADER, self._state)
        self._current().head.add(name, *values)

    async def endheaders(self, message_body: Body | None = None, *, encode_chunked: bool = False) -> None:
        """End the head and send it, with a body if given. Raises the errors of request(), and CannotSendHeader."""
        check_call(Call.ENDHEADERS, self._state)
        exchange = self._current()
        exchange.state = State.SENDING
        await self._end_head(exchange, message_body, encode_chunked)

    async def _end_head(self, exchange: Exchange, body: Body | None, encode_chunked: bool) -> None:
        """Decide the framing and send. An error before the wire is ready leaves the connection unchanged."""
        if isinstance(body, os.PathLike):
            await self._send_path(exchange, body, encode_chunked)
            return
        try:
            source = None if body is None else await open_source(body, self.blocksize, offload=offload)
            self._check_current(exchange)
            if self.debuglevel > 0 and source is not None:
                source.data = None  # printed head and content are two lines, as in http.client: two writes
            chunked = source is not None and exchange.head.frame(source.length, encode_chunked=encode_chunked)
            wire = self._find_wire(exchange) or await self._ready_wire(exchange)
            self._check_current(exchange)
        except BaseException:
            self._forget(exchange)
            raise
        try:
            if source is None:
                wire.send(exchange)
            else:
                await wire.send_body(exchange, source, chunked=chunked)
        finally:
            self._forget_closed(wire)

    async def _send_path(self, exchange: Exchange, path: os.PathLike[str], encode_chunked: bool) -> None:
        try:
            file = await open_file(path)
        except BaseException:
            self._forget(exchange)
            raise
        with file:
            await self._end_head(exchange, file, encode_chunked)

    def _find_wire(self, exchange: Exchange) -> Wire | None:
        """Return the open wire, unless unsolicited data was received on it."""
        wire = self._wire
        if wire is None:
            return None
        if wire.stream.loop is not asyncio.get_running_loop():
            raise ImproperConnectionState(f"{self!r} belongs to another event loop: open one on each")
        return self._prepare(wire, exchange) if wire.is_available(exchange.started) else None

    def _prepare(self, wire: Wire, exchange: Exchange) -> Wire:
        """Apply the settings of this connection to a wire for an exchange; return the wire."""
        stream = wire.stream
        if self.timeout is not self._timeout:
            stream.timeout = self._applied_timeout()
        timeout = stream.timeout
        stream.total = NEVER if timeout.total is None else deadline_since(exchange.started, timeout.total)
        if self.debuglevel > 0 or type(stream) is PrintingStream:
            set_printing(stream, prints=self.debuglevel > 0)
        return wire

    async def _ready_wire(self, exchange: Exchange) -> Wire:
        wire = await self._absorb_tls_records(exchange)
        if wire is not None:
            return wire
        if not self.auto_open:
            raise NotConnected(f"connection to {self.host}:{self.port} is not open, and auto_open is off")
        await self._open()
        wire = self._find_wire(exchange) or await self._absorb_tls_records(exchange)
        if wire is None:
            raise self._build_refusal()
        return wire

    def _build_refusal(self) -> Exception:
        """Return the error of a connection that was opened, and on which no request may be sent."""
        if self._wire is None:
            return NotConnected(f"connection to {self.host}:{self.port} was closed meanwhile")
        return self._wire.build_refusal()

    async def _absorb_tls_records(self, exchange: Exchange) -> Wire | None:
        """Return the open wire, if only records of TLS itself were received on it, such as session tickets."""
        wire = self._wire
        return self._prepare(wire, exchange) if wire is not None and await wire.absorb_tls_records() else None

    def _check_current(self, exchange: Exchange) -> None:
        if exchange is not self._exchange:
            raise NotConnected(f"connection to {self.host}:{self.port} was closed while a request was being sent")

    async def send(self, data: Body) -> None:
        """Send more of a body after endheaders(), within the framing that the head declared.

        With `Transfer-Encoding: chunked` the data must be chunks. More data than the head declared are refused: the
        server would take them for the next request.

        Raises:
            CannotSendRequest: no request head was sent, or the response is being read.
            ValueError, TypeError: the data are more than declared, or can't be sent; the connection is dropped.
        """
        check_call(Call.SEND, self._state)
        wire, exchange = self._wire, self._current()
        assert wire is not None
        try:
            await wire.send_part(exchange, data, self.blocksize)
        finally:
            self._forget_closed(wire)

    # The response

    async def getresponse(self) -> HTTPResponse:
        """Return the response to the request that was sent, as soon as its head has been received.

        Interim responses (1xx) are skipped and kept as `interim`. An error or a cancellation drops the connection,
        except ResponseNotReady.

        Raises:
            ResponseNotReady: no request was sent completely, or its response was returned already.
            RemoteDisconnected: the server closed the connection without a response.
            BadStatusLine, UnknownProtocol, LineTooLong, ProtocolError, UnknownTransferEncoding, IncompleteRead: the
                response can't be read safely.
            ReadTimeout, TotalTimeout: it was not received in time.
        """
        wire, exchange = self._wire, self._exchange
        if exchange is None or exchange.state != State.SENT:
            check_call(Call.GETRESPONSE, self._state)
        assert wire is not None
        assert exchange is not None
        if self.debuglevel > 0:
            return await self._receive_printed(wire, exchange)
        return await wire.receive(exchange, self._end_exchange)

    async def _receive_printed(self, wire: Wire, exchange: Exchange) -> HTTPResponse:
        try:
            response = await wire.receive(exchange, self._end_exchange)
        finally:
            print_received(exchange.heads)
        response.debuglevel = self.debuglevel
        return response

    def _end_exchange(self, exchange: Exchange, at: float | None) -> None:
        """End an exchange. The response refers to this method, so the connection exists as long as the response."""
        if exchange is self._exchange:
            self._exchange = None
        wire = self._wire
        if wire is not None:
            wire.end(exchange, at)
            if wire.close_reason is not None:
                self._forget_closed(wire)
