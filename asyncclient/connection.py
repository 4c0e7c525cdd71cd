"""The connections of http.client, awaitable: what waits is a coroutine, what only buffers a plain method."""

from __future__ import annotations

import asyncio
import math
import os
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from .debug import print_received, print_sent
from .errors import ImproperConnectionState, NotConnected, ProtocolError, RemoteDisconnected
from .exchange.content import BLOCK, Body, Source, open_source
from .exchange.receive import Answer, open_content
from .exchange.send import send_more, send_request
from .limits import DEFAULT, Limits
from .message import target as targets
from .message.cycle import Event, State, advance
from .message.framing import decide_framing
from .message.head import Head, build_field
from .message.request import DeclaredBody, RequestHead
from .opening import GLOBAL_DEFAULT, Connection, GlobalDefault
from .response import HTTPResponse
from .stream.aio import AioStream
from .stream.base import Buffer
from .stream.dial import SocketOption
from .stream.handover import hand_over
from .stream.tls import default_context
from .timeouts import Timeout
from .timings import Timings

HTTPS_PORT: Final = 443

SHORT_IDLE: Final = 0.001
"""Seconds after a response in which the kernel is not asked for bytes that nobody asked for: the loop has just looked,
and what comes a moment after the request was written is not told from its answer anyway. The call costs 1.5 µs."""

Headers = Mapping[str, str | bytes | int] | Iterable[tuple[str, str | bytes | int]]


class HTTPConnection(Connection):
    """A connection to one server, serving one request at a time; opened with the first one.

    It belongs to the loop and, while it serves a request, to the task that use it first: another is refused. A request
    or response that fails or is cancelled drops the connection; the next request opens it anew.

    Args:
        host: a name or address; may hold the port: "host:port", "[v6]:port".
        port: 80 if it is nowhere (443 for HTTPSConnection).
        timeout: seconds for each single operation (connect, TLS handshake, write, read), or a Timeout that tells
            them apart; None waits for ever. socket.getdefaulttimeout() if not given, as in http.client.
        source_address: (host, port) to connect from.
        blocksize: bytes read from a body file at once.
        max_response_headers: fields a response may have, 256 if not given.
        limits: all bounds on what the server may send; instead of max_response_headers.
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
        if not headers:
            self.putrequest(method, url)
        else:
            self._put_head(method, url, headers)
        if body is None and self._head is not None and self._head.length:
            self._forget()
            raise ValueError("a Content-Length above 0 in the headers, and no body")
        self._state = advance(self._state, Event.ENDHEADERS)
        await self._end_head(body, encode_chunked)

    def _put_head(self, method: str, url: str, headers: Headers) -> None:
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        names = {(name.decode("latin-1") if isinstance(name, bytes) else name).lower() for name, _ in pairs}
        self.putrequest(method, url, "host" in names, "accept-encoding" in names)
        try:
            for name, value in pairs:
                self.putheader(name, value)
        except BaseException:
            self._forget()
            raise

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        """Begin a request head; raises CannotSendRequest, ValueError and InvalidURL as request() does."""
        state = advance(self._state, Event.PUTREQUEST)
        built = [] if skip_host else [self._build_host_line(url)]
        if not skip_accept_encoding:
            built.append(b"Accept-Encoding: identity")
        self._head = RequestHead(method, url or "/", *built)
        self._state = state
        opening, self._timings = self._timings, Timings(time.monotonic())
        if opening is not None:  # by connect(), for this request
            self._timings.add_opening(opening)

    def _build_host_line(self, target: str) -> bytes:
        authority = None if target[:1] == "/" else targets.find_authority(target)
        if authority is not None:
            return build_field("Host", authority)
        if self._host_line is None:
            host, port = self._tunnel or (self.host, self.port)
            self._host_line = build_field("Host", targets.build_authority(host, port, self.default_port))
        return self._host_line

    def putheader(self, name: str | bytes, *values: str | bytes | int) -> None:
        """Add a field; several values make lines that go on after a tab.

        Raises:
            CannotSendHeader: no head is open.
            ValueError: a name or value that can't be sent, or a second Content-Length or Transfer-Encoding.
        """
        advance(self._state, Event.PUTHEADER)
        assert self._head is not None
        self._head.add(name, *values)

    async def endheaders(self, message_body: Body | None = None, *, encode_chunked: bool = False) -> None:
        """End the head and send it, with a body if given; raises what request() does, or CannotSendHeader."""
        self._state = advance(self._state, Event.ENDHEADERS)
        await self._end_head(message_body, encode_chunked)

    async def _end_head(self, body: Body | None, encode_chunked: bool) -> None:
        """Settle the framing and send: what is refused until the stream is ready leaves the connection as it was."""
        head = self._head
        assert head is not None
        if isinstance(body, os.PathLike):
            await self._send_path(body, encode_chunked)
            return
        try:
            source = None if body is None else await open_source(body, self.blocksize)
            chunked = head.frame(source and source.length, has_body=source is not None, encode_chunked=encode_chunked)
            stream = self._find_fresh_stream() or await self._open_stream()
        except BaseException:
            self._forget()
            raise
        try:
            self._answer = Answer()
            self._declared = None
            if source is None:
                self._send_bare(stream, head)
            else:
                await self._send_with_body(stream, head, source, chunked)
        except BaseException:
            self._fail(stream)
            raise
        self._note_sent(stream)

    async def _send_path(self, path: os.PathLike[str], encode_chunked: bool) -> None:
        import aiofiles  # only here: most requests have no file

        try:
            file = await aiofiles.open(path, "rb")
        except BaseException:
            self._forget()
            raise
        try:
            await self._end_head(file, encode_chunked)
        finally:
            await file.close()

    def _find_fresh_stream(self) -> AioStream | None:
        """Return the open stream, if nothing came on it that nobody asked for."""
        stream = self._stream
        if stream is None:
            return None
        if stream.loop is not asyncio.get_running_loop():
            raise ImproperConnectionState(f"{self!r} belongs to another event loop: open one on each")
        started = math.inf if self._timings is None else self._timings.started
        if not stream.is_fresh(ask_kernel=started - self._idle_since > SHORT_IDLE):
            return None
        if stream.timeout.total is not None or stream.total_until != math.inf:
            stream.total_until = stream.loop.time() + (stream.timeout.total or math.inf)
        return stream

    async def _open_stream(self) -> AioStream:
        if not self.auto_open:
            raise NotConnected(f"{self!r} is not open, and auto_open is off")
        await self.connect()
        self._idle_since = time.monotonic()
        stream = self._find_fresh_stream()
        if stream is None:
            raise RemoteDisconnected(f"{self!r}: the server spoke or closed before the request")
        return stream

    def _send_bare(self, stream: AioStream, head: RequestHead) -> None:
        data = head.build()
        if self.debuglevel > 0:
            print_sent(data, None)
        stream.write(data)
        if head.length or head.is_chunked:
            self._declared = DeclaredBody(head)

    async def _send_with_body(self, stream: AioStream, head: RequestHead, source: Source, chunked: bool) -> None:
        declared = DeclaredBody(head) if head.is_chunked and not chunked else None
        data = head.build()
        if self.debuglevel > 0:
            print_sent(data, source)
        await send_request(
            stream,
            data,
            source if head.length is None else source._replace(length=head.length),
            self._answer,
            self.limits,
            chunked=chunked,
            expect=stream.timeout.expect if head.expects_continue else None,
            count=None if declared is None else declared.count,
        )
        if declared is not None and not declared.is_complete and not self._answer.is_early:
            raise ValueError("body ended before its last chunk")

    def _note_sent(self, stream: AioStream) -> None:
        timings = self._timings
        if stream is not self._stream or timings is None:
            raise NotConnected(f"{self!r} was closed while a request was being sent")
        self._state = advance(self._state, Event.SENT)
        timings.sent = time.monotonic() - timings.started

    async def send(self, data: Body) -> None:
        """Send more of a body after endheaders(), within the framing that the head declared.

        With Transfer-Encoding: chunked the data are chunks already. What the head did not declare is refused, for the
        server would take it for the next request.

        Raises:
            CannotSendRequest: no request head was sent, or the response is being read.
            ValueError, TypeError: more than declared, or nothing that can be sent; the connection is dropped.
        """
        self._state = advance(self._state, Event.SEND)
        stream = self._stream
        assert stream is not None
        try:
            source = await open_source(data, self.blocksize)
            if self._answer.final is None:
                await send_more(stream, source, self._answer, self.limits, self._count_sent)
        except BaseException:
            self._fail(stream)
            raise
        self._note_sent(stream)

    def _count_sent(self, data: Buffer) -> None:
        if self._declared is None:
            raise ValueError(f"{len(data)} bytes to send, where the head declared no more")
        self._declared.count(data)
        if self.debuglevel > 0:
            print("send:", repr(bytes(data)))

    # The response

    async def getresponse(self) -> HTTPResponse:
        """Return the response to the request that was sent, as soon as its head has come.

        Interim responses (1xx) are skipped and kept as `informational`.

        Raises:
            ResponseNotReady: no request was sent whole, or its response was given already.
            RemoteDisconnected: the server closed the connection without a response.
            BadStatusLine, UnknownProtocol, LineTooLong, ProtocolError, UnknownTransferEncoding, IncompleteRead: no
                response that can be read safely.
            ReadTimeout, TotalTimeout: it did not come in time.
            In all these cases, and when cancelled, the connection is dropped.
        """
        self._state = advance(self._state, Event.GETRESPONSE)
        stream, head, timings, answer = self._stream, self._head, self._timings, self._answer
        assert stream is not None
        assert head is not None
        assert timings is not None
        try:
            final = answer.final or await answer.receive(stream, self.limits)
            return self._build_response(stream, head, final, timings)
        except BaseException:
            self._fail(stream)
            raise

    def _build_response(self, stream: AioStream, request: RequestHead, final: Head, timings: Timings) -> HTTPResponse:
        answer = self._answer
        is_upgrade = final.status == 101 or (request.method == "CONNECT" and 200 <= final.status < 300)
        if final.status == 101 and not request.asks_upgrade:
            raise ProtocolError("got 101 Switching Protocols, which was not asked for")
        framing = decide_framing(final, request.method)
        is_whole = self._declared is None or self._declared.is_complete
        self._must_close = answer.is_early or not (framing[2] and is_whole)
        if self.debuglevel > 0:
            print_received(answer)
        self._state = advance(self._state, Event.UPGRADE if is_upgrade else Event.RECEIVED)
        content = open_content(stream, framing, self.limits)
        response = HTTPResponse(self._response_ended, stream, answer, final, content, timings, self._must_close)
        if self.debuglevel > 0:
            response.debuglevel = self.debuglevel
        if is_upgrade:
            response.upgraded = hand_over(stream)
            self._stream = None
            self._forget()
        return response

    def _response_ended(self, stream: AioStream, is_complete: bool) -> None:
        if not is_complete:
            self._fail(stream)
        elif stream is self._stream and self._state is State.CONTENT:
            if self._timings is not None and self._timings.done is not None:
                self._idle_since = self._timings.started + self._timings.done
            self._forget()
            if self._must_close:
                self._drop_stream()


class HTTPSConnection(HTTPConnection):
    """An HTTPConnection over TLS: host name and chain are verified, ALPN offers http/1.1.

    Args:
        context: an ssl.SSLContext to use as it is; the process has one for all who give none.

    The other arguments are those of HTTPConnection; the default port is 443.
    """

    default_port: ClassVar[int] = HTTPS_PORT

    def __init__(
        self,
        host: str,
        port: int | None = None,
        timeout: float | Timeout | GlobalDefault | None = GLOBAL_DEFAULT,
        source_address: tuple[str, int] | None = None,
        blocksize: int = BLOCK,
        *,
        context: ssl.SSLContext | None = None,
        max_response_headers: int | None = None,
        limits: Limits = DEFAULT,
        socket_path: str | None = None,
        socket_options: Sequence[SocketOption] = (),
    ) -> None:
        super().__init__(
            host,
            port,
            timeout,
            source_address,
            blocksize,
            max_response_headers=max_response_headers,
            limits=limits,
            socket_path=socket_path,
            socket_options=socket_options,
        )
        self._context = context

    async def _tls_context(self) -> ssl.SSLContext | None:
        return self._context or await default_context()
