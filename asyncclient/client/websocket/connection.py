"""A WebSocket connection, for callers."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from ...arguments import check_number, check_type
from ...caller import Caller
from ...errors import ImproperConnectionState, WebSocketClosed, clip
from ...stream.aio import AioStream
from ..request import Request
from ..response import Response
from .link import Limits, Link, Message
from .opening import accept, build_opening, take_received

if TYPE_CHECKING:
    from websockets.client import ClientProtocol

MAX_REASON = 123
"""Bytes of the reason in a close frame (RFC 6455 §5.5)."""


class WebSocket(AsyncIterator[Message]):
    """An open WebSocket connection; see Client.websocket().

    Any number of tasks may send, one may receive. Pings are answered, and the peer's closing is completed, also while
    no task receives. Iterating gives the messages until the peer closes in order.

    Attributes:
        response: the response to the handshake, with status 101.
        subprotocol: the subprotocol that the server has chosen; None for none.
    """

    def __init__(self, response: Response, protocol: ClientProtocol, link: Link, caller: Caller) -> None:
        self.response = response
        self.subprotocol: str | None = protocol.subprotocol
        self._protocol = protocol
        self._link = link
        self._caller = caller
        self._loop = asyncio.get_running_loop()

    @property
    def writer(self) -> asyncio.StreamWriter:
        """The connection, for the blocking client, which closes it at its end."""
        return self._link.writer

    @property
    def closed(self) -> bool:
        """True if no message can be sent any more: one side has begun to close, or the connection is lost."""
        return self._link.has_ended

    @property
    def close_code(self) -> int | None:
        """The code of the end, see WebSocketClosed; None while the connection is open."""
        return self._link.build_closed().code if self.closed else None

    async def send(self, message: Message | bytearray | memoryview) -> None:
        """Send a message, str as text and bytes as binary; wait while the peer does not take it.

        If the call is cancelled, the message is sent nevertheless.

        Raises:
            WebSocketClosed: the connection is closed.
            TypeError: it is neither str nor bytes.
        """
        check_type("message", message, str | bytes | bytearray | memoryview, "str or bytes")
        self._link.send(message)
        await self._link.wait_written()

    async def receive(self) -> Message:
        """Return the next message, text as str and binary as bytes.

        Raises:
            WebSocketClosed: the connection is closed, and all messages were received.
            ImproperConnectionState: another task is receiving.
        """
        if self._link.is_received_from:
            raise ImproperConnectionState("another task is receiving from the WebSocket")
        return await self._link.receive()

    async def __anext__(self) -> Message:
        """Return the next message; stop when the peer has closed in order. Raises the errors of receive()."""
        try:
            return await self.receive()
        except WebSocketClosed as error:
            if not error.is_normal:
                raise
        raise StopAsyncIteration

    async def ping(self, data: bytes = b"") -> float:
        """Send a ping, wait for its pong, and return the seconds between them.

        Args:
            data: up to 125 bytes, which must differ from those of other pings; by default random.

        Raises:
            WebSocketClosed: the connection is closed, or is closed meanwhile.
            ValueError: the data are too long.
        """
        if len(data) > 125:
            raise ValueError(f"expected data of up to 125 bytes for a ping, got {len(data)}")
        started = time.monotonic()
        await self._link.ping(bytes(data))
        return time.monotonic() - started

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close in order, and wait for the peer, `close_timeout` seconds at most. May be called again.

        Messages that were not received yet are dropped.

        Raises:
            ValueError: the code or the reason can't be sent.
        """
        check_close(code, reason)
        try:
            self._link.send_close(code, reason)
            await self._link.wait_lost()
        except BaseException:
            self._link.abort()
            raise

    def abort(self, code: int = 1001) -> None:
        """Close at once, without waiting for the peer."""
        self._link.drop(code)

    def __repr__(self) -> str:
        return f"<WebSocket {'closed' if self.closed else 'open'} {self.response!r}>"

    def __del__(self) -> None:
        if self._link.is_closing or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._link.abort)
        text = f"unclosed WebSocket, opened at {self._caller}: leave its `async with` block, or close it"
        warnings.warn_explicit(text, ResourceWarning, self._caller.file, self._caller.line, source=self)


class OpeningWebSocket(AbstractAsyncContextManager[WebSocket]):
    """A WebSocket that is opened when the `async with` block is entered; see Client.websocket().

    Args:
        open: sends a request, and returns its response.
        request: the request, without the fields of the handshake.
        protocol: the protocol of the connection, which is not open yet.
        limits: see Limits.
        caller: where the WebSocket is opened; it may be replaced.
    """

    def __init__(
        self,
        open: Callable[[Request], Awaitable[Response]],
        request: Request,
        protocol: ClientProtocol,
        limits: Limits,
        caller: Caller,
    ) -> None:
        for name, seconds in limits._asdict().items():
            if seconds is not None or name == "close_timeout":
                check_number(name, seconds, 0, "seconds")
        self.caller = caller
        self._open = open
        self._request = build_opening(request, protocol)
        self._protocol = protocol
        self._limits = limits
        self._websocket: WebSocket | None = None

    async def __aenter__(self) -> WebSocket:
        if self._websocket is not None:
            raise ImproperConnectionState("expected to open a WebSocket once: call websocket() for each")
        response = await self._open(self._request)
        try:
            reader, writer = accept(response, self._protocol)
        except BaseException:
            response.close()
            raise
        link = Link(self._protocol, writer, self._limits)
        early, has_eof = take_received(reader)
        if isinstance(reader, AioStream):
            reader.detach()
        link.start(early, has_eof=has_eof)
        self._websocket = WebSocket(response, self._protocol, link, self.caller)
        return self._websocket

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        websocket = self._websocket
        if websocket is None:
            return
        if kind is None:
            await websocket.close()
        else:
            websocket.abort(find_abort_code(kind))

    def abort(self) -> None:
        """Close the WebSocket at once, if it was opened."""
        if self._websocket is not None:
            self._websocket.abort()


def find_abort_code(kind: type[BaseException]) -> int:
    """Return the code of a block that an exception has ended: 1011 for an error, 1001 for another end."""
    return 1011 if issubclass(kind, Exception) else 1001


def check_close(code: int, reason: str) -> None:
    """Check the code and the reason of a close frame (RFC 6455 §7.4).

    Raises:
        ValueError, TypeError: they can't be sent.
    """
    check_type("code", code, int, "a number")
    check_type("reason", reason, str, "str")
    if not (code in (1000, 1001, 1002, 1003, *range(1007, 1015)) or 3000 <= code <= 4999):
        raise ValueError(f"expected a close code of 1000 to 1003, 1007 to 1014 or 3000 to 4999, got {code}")
    if len(reason.encode()) > MAX_REASON:
        raise ValueError(f"expected a reason of up to {MAX_REASON} bytes, got {clip(reason)}")
