"""A WebSocket of the blocking client."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any, TypeVar

from ..caller import Caller
from ..client.websocket import connection as awaitable
from ..client.websocket.link import Message
from ..errors import ClientClosed, ResponseError
from .events import take_next
from .portal import Portal
from .response import Response, replace_response

_T = TypeVar("_T")


class WebSocket(Iterator[Message]):
    """An open WebSocket connection; see asyncclient.WebSocket.

    Any number of threads may send, one may receive. A wait that is interrupted, for example by Ctrl-C, closes it.

    Args:
        websocket: the asyncclient.WebSocket that does the work.
        portal: runs it.

    Attributes:
        response: the response to the handshake, with status 101.
        subprotocol: the subprotocol that the server has chosen; None for none.
    """

    def __init__(self, websocket: awaitable.WebSocket, portal: Portal) -> None:
        self.response = Response(websocket.response, portal)
        self.subprotocol = websocket.subprotocol
        self._websocket = websocket
        self._portal = portal
        portal.upgraded.add(websocket.writer)

    @property
    def closed(self) -> bool:
        """True if no message can be sent any more: one side has begun to close, or the connection is lost."""
        return self._websocket.closed

    @property
    def close_code(self) -> int | None:
        """The code of the end, see WebSocketClosed; None while the connection is open."""
        return self._websocket.close_code

    def send(self, message: Message | bytearray | memoryview) -> None:
        """Send a message, str as text and bytes as binary. Raises WebSocketClosed and TypeError."""
        self._run(self._websocket.send(message))

    def receive(self) -> Message:
        """Return the next message, text as str and binary as bytes. Raises WebSocketClosed."""
        return self._run(self._websocket.receive())

    def __next__(self) -> Message:
        """Return the next message; stop when the peer has closed in order. Raises WebSocketClosed."""
        message = self._run(take_next(self._websocket))
        if message is None:
            raise StopIteration
        return message

    def ping(self, data: bytes = b"") -> float:
        """Send a ping, wait for its pong, and return the seconds between them. Raises WebSocketClosed."""
        return self._run(self._websocket.ping(data))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close in order, and wait for the peer, `close_timeout` seconds at most. Raises ValueError."""
        self._portal.upgraded.discard(self._websocket.writer)
        with suppress(ClientClosed):  # the client has closed it
            self._run(self._websocket.close(code, reason))

    def abort(self, code: int = 1001) -> None:
        """Close at once, without waiting for the peer."""
        self._portal.upgraded.discard(self._websocket.writer)
        self._portal.call_soon(lambda: self._websocket.abort(code))

    def _run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return self._portal.run(coroutine, self._websocket.abort)

    def __repr__(self) -> str:
        return repr(self._websocket)


class OpeningWebSocket(AbstractContextManager[WebSocket]):
    """A WebSocket that is opened when the `with` block is entered; see Client.websocket().

    Args:
        opening: the asyncclient object that does the work.
        portal: runs it.
        caller: where the WebSocket is opened.
    """

    def __init__(self, opening: awaitable.OpeningWebSocket, portal: Portal, caller: Caller) -> None:
        opening.caller = caller
        self._opening = opening
        self._portal = portal
        self._websocket: WebSocket | None = None

    def __enter__(self) -> WebSocket:
        try:
            self._websocket = WebSocket(self._portal.run(self._opening.__aenter__(), self._opening.abort), self._portal)
        except ResponseError as error:
            replace_response(error, self._portal)
            raise
        return self._websocket

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._websocket is None:
            return
        if kind is None:
            self._websocket.close()
        else:
            self._websocket.abort(awaitable.find_abort_code(kind))
