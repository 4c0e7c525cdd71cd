"""HAR 1.2: exchanges as the entries of an HTTP archive, with secrets masked; pure.

The format is that of the W3C's draft and of browsers' developer tools. Content is stored decoded, as browsers store it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from ..client.content.decoding import MAX_DECODE_STEP, open_decoder
from ..errors import ContentTooLarge, DecodingError
from ..message.fields import Fields
from ..message.media import find_charset, parse_content_type
from ..timings import Timings
from ..version import __version__
from .masks import Masks
from .sent import parse_query

_FORM: Final = "application/x-www-form-urlencoded"


class Exchange(NamedTuple):
    """A request and its response, as they were sent and received.

    Attributes:
        method, url, headers: of the request.
        body: of the request; None if it is not kept.
        status, reason, version: of the response; status 0 without a response.
        response_headers: of the response.
        content: as it was received; None if it is not kept.
        size: bytes of content that were received.
        started: when the request began, in Unix seconds.
        timings: of the response; None without one.
        seconds: from the start to the end.
        peer: the address of the server; "" if unknown.
        error: the text of the error that ended the exchange; "" without one.
    """

    method: str
    url: str
    headers: Fields
    body: bytes | None
    status: int
    reason: str
    version: int
    response_headers: Fields
    content: bytes | None
    size: int
    started: float
    timings: Timings | None
    seconds: float
    peer: str = ""
    error: str = ""


def build_archive(entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return an archive with these entries, to be stored as JSON."""
    creator = {"name": "asyncclient", "version": __version__}
    return {"log": {"version": "1.2", "creator": creator, "pages": [], "entries": [*entries]}}


def build_entry(exchange: Exchange, masks: Masks) -> dict[str, Any]:
    """Return the entry of an exchange."""
    moment = datetime.fromtimestamp(exchange.started, UTC).isoformat(timespec="milliseconds")
    timings = _build_timings(exchange)
    entry: dict[str, Any] = {
        "startedDateTime": moment.replace("+00:00", "Z"),
        "time": sum(value for name, value in timings.items() if value > 0 and name != "ssl"),
        "request": _build_request(exchange, masks),
        "response": _build_response(exchange, masks),
        "cache": {},
        "timings": timings,
    }
    if exchange.peer:
        entry["serverIPAddress"] = exchange.peer
    return entry


def _build_request(exchange: Exchange, masks: Masks) -> dict[str, Any]:
    url = masks.mask_url(exchange.url)
    request = {
        "method": exchange.method,
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": _list_cookies(exchange.headers, "cookie", masks),
        "headers": _list_fields(exchange.headers, masks),
        "queryString": [{"name": name, "value": value} for name, value in parse_query(url.partition("?")[2])],
        "headersSize": -1,
        "bodySize": -1 if exchange.body is None else len(exchange.body),
    }
    if exchange.body:
        request["postData"] = build_body(exchange.headers, exchange.body, masks)
    return request


def build_body(headers: Fields, body: bytes, masks: Masks) -> dict[str, Any]:
    """Return the body of a request. HAR has no encoding for it: other bytes than UTF-8 have a field of their own."""
    content_type = headers.get("content-type", "")
    media_type = parse_content_type(content_type)[0]
    built: dict[str, Any] = {"mimeType": content_type, "params": [], "text": ""}
    data, _ = decode_content(body, headers.get("content-encoding", ""))
    if data is None:
        return built | {"comment": "not kept"}
    text, is_masked = _mask_data(data, content_type, masks)
    if not is_masked and (data is not body or not _is_utf8(body)):
        return built | {"_base64": base64.b64encode(body).decode()}
    pairs = parse_query(text) if media_type == _FORM else ()
    return built | {"params": [{"name": name, "value": value} for name, value in pairs], "text": text}


def _build_response(exchange: Exchange, masks: Masks) -> dict[str, Any]:
    headers = exchange.response_headers
    response = {
        "status": exchange.status,
        "statusText": exchange.reason,
        "httpVersion": "HTTP/1.0" if exchange.version == 10 else "HTTP/1.1",
        "cookies": _list_cookies(headers, "set-cookie", masks),
        "headers": _list_fields(headers, masks),
        "content": _build_content(exchange, masks),
        "redirectURL": masks.mask_url(headers.get("location", "")),
        "headersSize": -1,
        "bodySize": exchange.size if exchange.status else -1,
    }
    return response | ({"_error": exchange.error} if exchange.error else {})


def _build_content(exchange: Exchange, masks: Masks) -> dict[str, Any]:
    content_type = exchange.response_headers.get("content-type", "")
    if exchange.content is None:
        return {"size": exchange.size, "mimeType": content_type, "comment": "not kept"}
    data, is_decoded = decode_content(exchange.content, exchange.response_headers.get("content-encoding", ""))
    if data is None:
        return {"size": exchange.size, "mimeType": content_type, "comment": "not kept"}
    content: dict[str, Any] = {"size": len(data), "mimeType": content_type}
    if is_decoded:
        content["compression"] = len(data) - len(exchange.content)
    text, is_masked = _mask_data(data, content_type, masks)
    if is_masked or _is_text(data, content_type):
        return content | {"text": text}
    return content | {"text": base64.b64encode(data).decode(), "encoding": "base64"}


def decode_content(data: bytes, coding: str) -> tuple[bytes | None, bool]:
    """Return content without its content coding, and whether it had one.

    Content that breaks off is decoded as far as possible, since a part of it may be secret. If nothing of it can be
    decoded, text is returned as it is, and None for other bytes, whose secrets nothing could mask.
    """
    pieces: list[bytes] = []
    try:
        decoder = open_decoder(coding) if data else None
        if decoder is None:
            return data, False
        decoder.feed(data)
        while piece := decoder.take(MAX_DECODE_STEP):
            pieces.append(piece)
    except ContentTooLarge:
        return None, False
    except DecodingError:
        if not pieces:
            return data if _is_utf8(data) else None, False
    return b"".join(pieces), True


def _mask_data(data: bytes, content_type: str, masks: Masks) -> tuple[str, bool]:
    """Return data as text with secrets masked, and whether there were any."""
    media_type = parse_content_type(content_type)[0]
    text = ""
    for codec in _list_codecs(data, content_type):
        text = data.decode(codec, "replace")
        masked = masks.mask_content(media_type, text)
        if masked != text:
            return masked, True
    return text, False


def _list_codecs(data: bytes, content_type: str) -> Iterable[str]:
    """Return the codecs in which data may be text with secrets; UTF-8 is the last of them."""
    detected = json.detect_encoding(data)
    codecs = [] if detected.startswith("utf-8") else [str(detected)]  # JSON in UTF-16 is also valid UTF-8
    if not _is_utf8(data):
        codecs.append(find_charset(content_type) or "utf-8")
    return dict.fromkeys([*codecs, "utf-8"])


def _is_text(data: bytes, content_type: str) -> bool:
    """Return whether content is text in UTF-8, and would become the same bytes again."""
    media_type, _ = parse_content_type(content_type)
    is_text = media_type.startswith("text/") or media_type.endswith(("json", "xml", "javascript", "urlencoded"))
    charset = (find_charset(content_type) or "utf-8").lower()
    return is_text and charset in ("utf-8", "utf8", "us-ascii") and _is_utf8(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _list_fields(fields: Fields, masks: Masks) -> list[dict[str, str]]:
    return [{"name": name, "value": masks.mask_field(name, value)} for name, value in fields.items()]


def _list_cookies(fields: Fields, name: str, masks: Masks) -> list[dict[str, str]]:
    """Return the cookies of a head, by name and value."""
    values = [masks.mask_field(name, value) for value in fields.get_all(name, [])]
    if name == "set-cookie":
        values = [value.partition(";")[0] for value in values]
    pairs = (pair.strip().partition("=") for value in values for pair in value.split(";"))
    return [{"name": cookie, "value": value} for cookie, _, value in pairs if cookie]


def _build_timings(exchange: Exchange) -> dict[str, float]:
    """Return the durations of the phases in milliseconds; -1 for a phase that did not happen."""
    found = exchange.timings
    queued = None if found is None else found.queued
    whole = exchange.seconds - (queued or 0.0)
    first = whole if found is None or found.first_byte is None else found.first_byte
    opening = [None] * 4 if found is None else [found.resolve, found.connect, found.tunnel, found.tls]
    opened = sum(seconds or 0.0 for seconds in opening)
    sent = min(max(0.0 if found is None or found.sent is None else found.sent - opened, 0.0), first)
    blocked, dns, connect, tunnel, ssl = (-1.0 if s is None else round(1000 * s, 3) for s in (queued, *opening))
    for part in (tunnel, ssl):
        if part >= 0:
            connect = round(max(connect, 0.0) + part, 3)  # HAR counts TLS as a part of connecting, and has no tunnels
    rest = {"send": sent, "wait": max(first - opened - sent, 0.0), "receive": max(whole - first, 0.0)}
    return {
        "blocked": blocked,
        "dns": dns,
        "connect": connect,
        "ssl": ssl,
        **{name: round(1000 * seconds, 3) for name, seconds in rest.items()},
    }
