"""The opening handshake of a WebSocket, as a request and the response to it (RFC 6455 §4)."""

from __future__ import annotations

import asyncio
import importlib.util
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Literal

from ...arguments import check_number, list_collection
from ...errors import HTTPException, ProtocolError, clip
from ...message import syntax
from ...message.url import strip_url
from ..error_context import add_context
from ..request import Request, build_derived
from ..response import Response, build_status_error

if TYPE_CHECKING:
    from websockets.client import ClientProtocol

Compression = Literal["deflate"] | None

SCHEME: Final = re.compile(r"\Aws(?=s?:)", re.IGNORECASE)


def check_extra() -> None:
    """Check that the library is installed; raises ImportError."""
    if importlib.util.find_spec("websockets") is None:
        raise ImportError("WebSocket needs the extra asyncclient-http[websocket]")


def to_http(url: str) -> str:
    """Return a URL with the scheme http or https in place of ws or wss."""
    return SCHEME.sub("http", strip_url(url), count=1)


def open_protocol(subprotocols: Iterable[str], compression: object, max_message_size: int | None) -> ClientProtocol:
    """Return the protocol of a new connection.

    Raises:
        ValueError, TypeError: an argument that is invalid.
    """
    from websockets.client import ClientProtocol
    from websockets.extensions.permessage_deflate import enable_client_permessage_deflate
    from websockets.uri import parse_uri

    names: Any = list_collection("subprotocols", subprotocols, str, "a collection of names")
    for name in names:
        if syntax.TOKEN.fullmatch(name) is None:
            raise ValueError(f"expected names of tokens as subprotocols, got {clip(name)}")
    if compression not in ("deflate", None):
        raise ValueError(f"expected 'deflate' or None as compression, got {clip(compression)}")
    if max_message_size is not None:
        check_number("max_message_size", max_message_size, 1, "bytes or None")
    extensions = enable_client_permessage_deflate(None) if compression else None
    # The URL is not used: the request is the client's own.
    uri = parse_uri("ws://localhost/")
    return ClientProtocol(uri, extensions=extensions, subprotocols=names or None, max_size=max_message_size)


def build_opening(request: Request, protocol: ClientProtocol) -> Request:
    """Return the request with the fields of the handshake, to be sent through tunnels of proxies."""
    opening = protocol.connect()
    fields = [(name, value) for name, value in opening.headers.raw_items() if name.lower() != "host"]
    changed = request.replace(headers=fields)
    choices = changed.choices._replace(needs_tunnel=True)
    return build_derived(changed.method, changed.url, changed.headers, changed.payload, choices)


def accept(response: Response, protocol: ClientProtocol) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Check the response to the handshake, and return the connection; the protocol is open then.

    Raises:
        StatusError: the status is not 101.
        ProtocolError: the response does not fit the request.
    """
    if response.status != 101 or response.upgraded is None:
        raise build_status_error(response, "status 101 of a WebSocket")
    reader, writer = response.upgraded
    head = "".join(f"{name}: {value}\r\n" for name, value in response.headers.pairs())
    protocol.receive_data(f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n".encode("latin-1"))
    fault = protocol.handshake_exc
    if fault is not None:
        writer.transport.abort()
        error: HTTPException = ProtocolError(f"expected a WebSocket handshake: {clip(str(fault))[1:-1]}")
        add_context(error, response.request, response)
        raise error from fault
    protocol.events_received()
    return reader, writer


def take_received(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """Return the bytes that a reader has received already, and whether they are the last ones."""
    parts: list[bytes] = []
    try:
        while not reader.at_eof():
            part = _read_now(reader)
            if part is None:
                return b"".join(parts), False
            parts.append(part)
    except (OSError, HTTPException):  # the connection is lost
        pass
    return b"".join(parts), True


def _read_now(reader: asyncio.StreamReader) -> bytes | None:
    """Return received bytes; None if they would have to be waited for."""
    reading = reader.read(64 * 1024)
    try:
        reading.send(None)
    except StopIteration as done:
        data: bytes = done.value
        return data
    reading.close()
    return None
