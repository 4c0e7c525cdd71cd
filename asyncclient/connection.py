"""The connections of http.client, awaitable: what waits is a coroutine, what only buffers a plain method."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, Final, cast

from .debug import Printing, print_received, print_sent
from .errors import ImproperConnectionState, NotConnected, ProtocolError, RemoteDisconnected
from .exchange.body import Body, Source, open_source
from .exchange.exchange import Exchange
from .exchange.receive import ResponseHeads
from .exchange.send import Trailers, fits_single_write, may_be_rejected_unread, send_content, send_request
from .exchange.stream import Buffer
from .message import target as targets
from .message.buffer import LAST_HEAD
from .message.cycle import CloseReason, Event, State, advance
from .message.fields import Headers, list_pairs
from .message.head import Head, build_field
from .message.request import BodyGuard, RequestHead
from .opening import Connection
from .response import HTTPResponse
from .stream.aio import AioStream
from .stream.files import offload, open_file
from .stream.handover import hand_over
from .timings import Timings, copy_opening

SHORT_IDLE: Final = 20e-6
"""Seconds after a response in which the kernel is not asked for bytes that nobody asked for: the loop has just looked,
and what comes a moment after the request was written is not told from its answer anyway. The call costs 1.5 µs."""


class HTTPConnection(Connection):
    """A connection to one server, serving one request at a time; opened with the first one.

    It belongs to the loop and, while it serves a request, to the task that use it first: another is refused. A request
    or response that fails or is cancelled drops the connection; the next request opens it anew.

    Args:
        host: a name or address; may hold the port: "host:port", "[v6]:port".
        port: 80 if it is nowhere (443 for HTTPSConnection).
        timeout: seconds for each single operation (connect, TLS handshake, write, read), or a Timeout that tells
            them apart; None waits for ever. socket.getdefaulttimeout() if not given, as in http.client. The attribute
            may be changed: the next request goes by it.
        source_address: (host, port) to connect from.
        blocksize: bytes read from a body file at once.
        max_response_headers: fields a response may have, 256 if not given.
        limits: all bounds on what the server may send; max_response_headers goes before its fields.
        socket_path: a Unix socket to connect to; host and port then only name the server in requests.
        socket_options: (level, name, value) to set on the socket before it connects.

    Raises:
        InvalidURL: host or port can't be one.
    """

    async def request(
        self,
        method: str,
        url: str,
        body: Body | None = None,
        headers: Headers = {},  # noqa: B006  (http.client's signature; never changed)
        *,
        encode_chunked: bool = False,
    ) -> None:
        """Send a request; Host, Accept-Encoding: identity and the framing of the body are added unless given.

        Args:
            url: the request target, sent as it is: a path with its query, "*", or a whole URL to a proxy.
            body: bytes or any buffer; str (sent as ISO-8859-1); a file (from its present position), also one with an
                async read(); a path; an iterable or async iterable of bytes. Where the length can be known it goes as
                Content-Length, else the body goes in chunks.
            headers: fields to send, a mapping or pairs.
            encode_chunked: put the body in chunks although the headers have Transfer-Encoding: chunked; without it such
                a body is in chunks already.

        A final response that comes while the body is being sent ends the sending; getresponse() gives it.

        Raises:
            CannotSendRequest: the response before this has not been read, or another task is at work.
            ValueError, TypeError, InvalidURL: something that can't be sent; the connection stays as it was.
            ConnectError, WriteTimeout, ReadTimeout, HTTPException, OSError: the connection is dropped, as for whatever
                the body raises, and for cancellation.
        """
        following = advance(self._state, Event.REQUEST)
        exchange = self._begin(method, url or "/", headers) if headers else self._begin(method, url or "/")
        if body is None:
            if exchange.head.length or exchange.head.is_chunked:
                raise ValueError("expected a body, as Content-Length or Transfer-Encoding says, got none")
            stream = self._find_fresh_stream(exchange)
            if stream is not None:
                self._exchange = exchange
                self._send_now(stream, exchange)
                self._state = following
                return
        self._exchange = exchange
        self._state = State.SENDING
        await self._end_head(exchange, body, encode_chunked)

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        """Begin a request head; raises CannotSendRequest, ValueError and InvalidURL as request() does."""
        following = advance(self._state, Event.PUTREQUEST)
        self._exchange = self._begin(method, url or "/", (), skip_host, skip_accept_encoding)
        self._state = following

    def _begin(
        self, method: str, url: str, headers: Headers = (), skip_host: bool = False, skip_encoding: bool = False
    ) -> Exchange:
        """Return a new exchange with its head; nothing is changed until it is known to be one that can be sent."""
        pairs = list_pairs(headers) if headers else ()
        if pairs:
            names = {(name.decode("latin-1") if isinstance(name, bytes) else str(name)).lower() for name, _ in pairs}
            skip_host, skip_encoding = "host" in names, "accept-encoding" in names
        built = () if skip_host else (self._build_host_line(method, url),)
        head = RequestHead(method, url, *built if skip_encoding else (*built, b"Accept-Encoding: identity"))
        for name, value in pairs:
            head.add(name, value)
        exchange = Exchange(head, Timings(time.monotonic()))
        if self._opening is not None:  # connect() was called for this request
            copy_opening(self._opening, exchange.timings)
            self._opening = None
        return exchange

    def _build_host_line(self, method: str, target: Any) -> bytes:
        authority = None
        if method == "CONNECT":
            authority = target
        elif isinstance(target, str) and target[:1] != "/":  # what is no str is refused with the request line
            authority = targets.find_authority(target)
        if authority is not None:
            return build_field("Host", authority)
        if self._host_line is None:
            host, port = self._tunnel or (self.host, self.port)
            self._host_line = build_field("Host", targets.build_authority(host, port, self.default_port))
        return self._host_line

    def _current(self) -> Exchange:
        """Return the exchange under way; the state says that there is one."""
        assert self._exchange is not None
        return self._exchange

    def putheader(self, name: str | bytes, *values: str | bytes | int) -> None:
        """Add a field; several values make lines that go on after a tab.

        Raises:
            CannotSendHeader: no head is open.
            ValueError: a name or value that can't be sent, or a second Content-Length or Transfer-Encoding.
        """
        advance(self._state, Event.PUTHEADER)
        self._current().head.add(name, *values)

    async def endheaders(self, message_body: Body | None = None, *, encode_chunked: bool = False) -> None:
        """End the head and send it, with a body if given; raises what request() does, or CannotSendHeader."""
        self._state = advance(self._state, Event.ENDHEADERS)
        await self._end_head(self._current(), message_body, encode_chunked)

    async def _end_head(self, exchange: Exchange, body: Body | None, encode_chunked: bool) -> None:
        """Settle the framing and send: what is refused until the stream is ready leaves the connection as it was."""
        if isinstance(body, os.PathLike):
            await self._send_path(exchange, body, encode_chunked)
            return
        try:
            source = None if body is None else await open_source(body, self.blocksize, offload=offload)
            self._check_current(exchange)
            chunked = source is not None and exchange.head.frame(source.length, encode_chunked=encode_chunked)
            stream = self._find_fresh_stream(exchange) or await self._ready_stream(exchange)
            self._check_current(exchange)
        except BaseException:
            self._forget(exchange)
            raise
        if source is None:
            self._send_now(stream, exchange)
        else:
            await self._send_with_body(stream, exchange, source, chunked)
        self._note_sent(stream, exchange)

    async def _send_path(self, exchange: Exchange, path: os.PathLike[str], encode_chunked: bool) -> None:
        try:
            file = await open_file(path)
        except BaseException:
            self._forget(exchange)
            raise
        with file:
            await self._end_head(exchange, file, encode_chunked)

    def _find_fresh_stream(self, exchange: Exchange) -> AioStream | None:
        """Return the open stream, if nothing came on it that nobody asked for."""
        stream = self._stream
        if stream is None:
            return None
        if stream.loop is not asyncio.get_running_loop():
            raise ImproperConnectionState(f"{self!r} belongs to another event loop: open one on each")
        if not stream.is_fresh(ask_kernel=exchange.timings.started - self._idle_since > SHORT_IDLE):
            return None
        return self._limit(stream, exchange)

    def _limit(self, stream: AioStream, exchange: Exchange) -> AioStream:
        """Have the time limits of this connection hold on the stream for an exchange; return the stream."""
        if self.timeout is not self._timeout:
            stream.timeout = self._limited_timeout()
        total = stream.timeout.total
        if total is not None:
            stream.total_until = stream.loop.time() + total - (time.monotonic() - exchange.timings.started)
        return stream

    async def _ready_stream(self, exchange: Exchange) -> AioStream:
        stream = await self._find_settled_stream(exchange)
        if stream is not None:
            return stream
        if not self.auto_open:
            raise NotConnected(f"connection to {self.host}:{self.port} is not open, and auto_open is off")
        await self._open()
        stream = self._find_fresh_stream(exchange) or await self._find_settled_stream(exchange)
        if stream is None:
            raise self._build_refusal()
        return stream

    def _build_refusal(self) -> Exception:
        """Return the error of a connection that was opened and can't be used."""
        if self._stream is None:
            return NotConnected(f"connection to {self.host}:{self.port} was closed meanwhile")
        return self._stream.build_loss("sent data or closed before the request")

    async def _find_settled_stream(self, exchange: Exchange) -> AioStream | None:
        """Return the open stream, if all that was received on it was TLS's own, such as a session ticket."""
        stream = self._stream
        return self._limit(stream, exchange) if stream is not None and await stream.absorb_tls_records() else None

    def _send_now(self, stream: AioStream, exchange: Exchange, content: Buffer | None = None) -> None:
        """Send a head, and the content that may go with it, if any: one write, and nothing to wait for."""
        head = exchange.head
        if content is not None:
            data = b"".join((head.build(), content))
        else:
            data = head.build_without_body()
            if head.length or head.is_chunked:
                exchange.declared = BodyGuard(head)
                exchange.may_be_rejected_unread = may_be_rejected_unread(head.length)
        if self.debuglevel > 0:
            print_sent(data)
        try:
            stream.write(data)
        except BaseException:
            self._fail(stream, exchange)
            raise
        exchange.timings.sent = time.monotonic() - exchange.timings.started

    async def _send_with_body(
        self, stream: AioStream, exchange: Exchange, source: Source, chunked: bool, trailers: Trailers | None = None
    ) -> None:
        head = exchange.head
        data = None if self.debuglevel > 0 else source.data
        if data is not None and fits_single_write(head, data, trailers):
            self._send_now(stream, exchange, data)
            return
        exchange.may_be_rejected_unread = may_be_rejected_unread(source.length)
        if head.length is not None:
            source.length = head.length
        declared = exchange.declared = BodyGuard(head) if head.is_chunked and not chunked else None
        try:
            with self._closable():
                async with self._within_total(stream.timeout, stream.total_until - stream.loop.time()):
                    await send_request(
                        cast(AioStream, Printing(stream)) if self.debuglevel > 0 else stream,
                        head.build(),
                        source,
                        exchange.heads,
                        self.limits,
                        chunked=chunked,
                        expect=stream.timeout.expect if head.expects_continue else None,
                        check=None if declared is None else declared.check,
                        trailers=trailers,
                    )
            if not (exchange.heads.final is not None or declared is None or declared.is_complete):
                raise ValueError("body ended before its last chunk")
        except BaseException:
            self._fail(stream, exchange)
            raise
        if exchange.heads.final is None:
            exchange.timings.sent = time.monotonic() - exchange.timings.started

    def _note_sent(self, stream: AioStream, exchange: Exchange) -> None:
        try:
            self._check_current(exchange)
        except NotConnected:
            self._fail(stream, exchange)
            raise
        self._state = advance(self._state, Event.SENT)

    def _check_current(self, exchange: Exchange) -> None:
        if exchange is not self._exchange:
            raise NotConnected(f"connection to {self.host}:{self.port} was closed while a request was being sent")

    async def send(self, data: Body) -> None:
        """Send more of a body after endheaders(), within the framing that the head declared.

        With Transfer-Encoding: chunked the data are chunks already. What the head did not declare is refused, for the
        server would take it for the next request.

        Raises:
            CannotSendRequest: no request head was sent, or the response is being read.
            ValueError, TypeError: more than declared, or nothing that can be sent; the connection is dropped.
        """
        following = advance(self._state, Event.SEND)
        stream, exchange = self._stream, self._current()
        assert stream is not None
        self._state = following
        try:
            source = await open_source(data, self.blocksize, offload=offload)
            if exchange.heads.final is None:
                await send_content(stream, source, exchange.heads, self.limits, self._check_sent)
        except BaseException:
            self._fail(stream, exchange)
            raise
        self._note_sent(stream, exchange)

    def _check_sent(self, data: Buffer) -> Buffer:
        declared = self._current().declared
        if declared is None:
            raise ValueError(f"{len(data)} bytes to send, where the head declared no more")
        declared.check(data)
        if self.debuglevel > 0:
            print_sent(data)
        return data

    # The response

    async def getresponse(self) -> HTTPResponse:
        """Return the response to the request that was sent, as soon as its head has come.

        Interim responses (1xx) are skipped and kept as `interim`. In all cases below, and when cancelled, the
        connection is dropped.

        Raises:
            ResponseNotReady: no request was sent whole, or its response was given already.
            RemoteDisconnected: the server closed the connection without a response.
            BadStatusLine, UnknownProtocol, LineTooLong, ProtocolError, UnknownTransferEncoding, IncompleteRead: no
                response that can be read safely.
            ReadTimeout, TotalTimeout: it did not come in time.
        """
        following = advance(self._state, Event.GETRESPONSE)
        stream, exchange = self._stream, self._exchange
        assert stream is not None
        assert exchange is not None
        self._state = following
        is_early, heads = exchange.heads.final is not None, exchange.heads
        try:
            while heads.final is None:
                data = await stream.readhead(self.limits.head, heads.starts)
                if not data:
                    raise RemoteDisconnected(f"{stream.peer} closed the connection without a response")
                self._keep_head(heads, data)
            return self._build_response(stream, exchange, heads.final, is_early)
        except BaseException:
            self._fail(stream, exchange)
            raise

    def _keep_head(self, heads: ResponseHeads, data: bytes) -> None:
        """Keep a head that came; one that the connection gave before, to the byte, is not parsed again."""
        last = self._last_head
        if last is not None and data is last.block:
            heads.final = last
            heads.first_at = heads.first_at or time.monotonic()
            return
        head = heads.add(data, self.limits)
        if head is heads.final and head.status == 200 and len(data) <= LAST_HEAD:
            self._last_head = head

    def _build_response(self, stream: AioStream, exchange: Exchange, final: Head, is_early: bool) -> HTTPResponse:
        head, timings = exchange.head, exchange.timings
        content, reason = exchange.open_content(stream, final, head.method, self.limits)
        timings.first_byte = (exchange.heads.first_at or 0.0) - timings.started
        if head.asks_close:
            reason = CloseReason.CLIENT_CLOSE
        elif is_early or (exchange.declared is not None and not exchange.declared.is_complete):
            reason = CloseReason.EARLY_RESPONSE
        elif exchange.may_be_rejected_unread and final.status >= 300:
            reason = reason or CloseReason.REJECTED_UNREAD
        exchange.close_reason = reason
        if self.debuglevel > 0:
            print_received(exchange.heads)
        is_upgrade = final.status == 101 or (head.method == "CONNECT" and final.status < 300)
        if is_upgrade:
            self._check_upgrade(final, exchange, is_early)
            self._state, self._stream = advance(self._state, Event.UPGRADE), None
            self._forget(exchange)
        else:
            self._state = advance(self._state, Event.RECEIVED)
        response = HTTPResponse(self._response_ended, stream, exchange, final, content)
        if is_upgrade:
            response.upgraded = hand_over(stream)
        if self.debuglevel > 0:
            response.debuglevel = self.debuglevel
        return response

    def _check_upgrade(self, final: Head, exchange: Exchange, is_early: bool) -> None:
        if is_early:
            raise ProtocolError(f"got {final.status} before the whole request was sent, and another protocol after it")
        if final.status == 101 and not exchange.head.asks_upgrade:
            raise ProtocolError("got 101 Switching Protocols, which was not asked for")
        if exchange.repairs:
            faults = ", ".join(exchange.repairs)
            raise ProtocolError(f"got {final.status} with a fault in its head, and another protocol after it: {faults}")

    def _response_ended(self, stream: AioStream, exchange: Exchange, at: float | None) -> None:
        if at is None:
            self._fail(stream, exchange)
        elif exchange is self._exchange:
            self._idle_since = at
            self._exchange = None
            self._state = advance(self._state, Event.FINISHED)
            if exchange.close_reason is not None:
                self._drop_stream()
            else:
                stream.end_exchange()
