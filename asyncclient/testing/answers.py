"""Answers of transports and servers for tests: a response in a few words, an exception, or a function."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypedDict, Unpack, cast

from ..arguments import explain_unknown
from ..client.body.arguments import UNSET, Unset, build_payload
from ..client.deadlines import await_in_time
from ..errors import copy_error
from ..local_response import LocalContent, LocalResponse
from ..message.fields import HasItems, list_pairs
from ..message.multipart import guess_content_type
from ..transport import TransportRequest, TransportResponse
from .sent import SentRequest

Function = Callable[[SentRequest], TransportResponse | Awaitable[TransportResponse]]

_Answer = LocalResponse | Exception | type[Exception] | Function

Answer = int | _Answer
"""An answer: a status, a LocalResponse, an exception to raise, or a function of the SentRequest, plain or async, that
returns a response or raises an exception."""

_WITHOUT_LENGTH: Final = (204, 304)
"""Statuses of responses without content and without Content-Length: 0."""


_INSTEAD: Final = {
    "body": "content=",
    "callback": "respond(function)",
    "content_type": "headers={'Content-Type': ...}",
    "data": "content=",
    "exception": "raises(error)",
    "payload": "json=",
    "status_code": "status=",
}
"""Arguments of other libraries for tests, and what to write for them."""

_HINTS: Final[dict[type, str]] = {
    **dict.fromkeys((dict, list, tuple), "; use json= for JSON"),
    str: "; use text= for text",
    bytes: "; use content= for bytes",
}
"""By the type of an answer that is invalid, what may have been meant."""


class ResponseParts(TypedDict, total=False):
    """The parts of a response; at most one of json, text, html, content and file.

    Attributes:
        headers: fields, which come before those that are added.
        json: content to be encoded as JSON.
        text, html: content in UTF-8.
        content: content as it is: bytes, a str, or an async iterable of bytes.
        file: the path of a file that has the content; its name gives the Content-Type.
        reason: the reason phrase; by default the usual one.
        trailers: fields after the content.
    """

    headers: HasItems | Iterable[tuple[str, str]]
    json: Any
    text: str
    html: str
    content: LocalContent
    file: str | PathLike[str]
    reason: str
    trailers: HasItems | Iterable[tuple[str, str]]


def build_response(status: int = 200, **parts: Unpack[ResponseParts]) -> LocalResponse:
    """Return a response with the fields of a server: Content-Type and Content-Length, unless they are given.

    >>> build_response(json={"id": 1}).headers.pairs()
    [('Content-Type', 'application/json'), ('Content-Length', '8')]

    Args:
        status: the status code.
        parts: see ResponseParts.

    Raises:
        ValueError: a status, a field or content that can't be sent.
        TypeError: an unknown part, a part of another type, or more than one kind of content.
        OSError: the file can't be read.
    """
    if unknown := parts.keys() - ResponseParts.__annotations__.keys():
        known = ("status", *ResponseParts.__annotations__)
        raise explain_unknown("a response", min(unknown), known, _INSTEAD)
    headers, reason, trailers = parts.pop("headers", ()), parts.pop("reason", None), parts.pop("trailers", ())
    content_type, content = _build_content(**parts)  # type: ignore[misc]
    fields = list_pairs(headers)
    names = {str(name).lower() for name, _ in fields}
    if content_type and "content-type" not in names:
        fields.append(("Content-Type", content_type))
    response = LocalResponse(status, headers=fields, content=content, reason=reason, trailers=trailers)
    if response.length is None or status in _WITHOUT_LENGTH or names & {"content-length", "transfer-encoding"}:
        return response
    fields.append(("Content-Length", str(response.length)))
    return LocalResponse(status, headers=fields, content=content, reason=reason, trailers=trailers)


def _build_content(
    *,
    json: Any = UNSET,
    text: str | None = None,
    html: str | None = None,
    content: LocalContent | None = None,
    file: str | PathLike[str] | None = None,
) -> tuple[str, LocalContent]:
    """Return the media type, "" if it is not known, and the content."""
    given = [text is not None, html is not None, content is not None, file is not None, not isinstance(json, Unset)]
    if sum(given) > 1:
        raise TypeError("expected one of json, text, html, content and file, got several")
    if text is not None:
        return "text/plain; charset=utf-8", text
    if html is not None:
        return "text/html; charset=utf-8", html
    if file is not None:
        return guess_content_type(str(file)) or "", Path(file).read_bytes()
    if not isinstance(json, Unset):
        payload = build_payload(json=json)
        assert payload is not None
        return "application/json", payload.data or b""
    return "", b"" if content is None else content


def check_answer(answer: object, owner: str) -> _Answer:
    """Return an answer, a status as a response.

    Args:
        answer: see Answer.
        owner: method and URL of its route, for error texts.

    Raises:
        TypeError: it is something else.
        ValueError: a status that is not from 200 to 599.
    """
    if isinstance(answer, int):
        return build_response(answer)
    if not (isinstance(answer, LocalResponse | Exception) or callable(answer)):
        wanted = "a status, a LocalResponse, an exception or a function"
        hint = _HINTS.get(type(answer), "")
        raise TypeError(f"expected {wanted} as answer to {owner}, got {type(answer).__name__}{hint}")
    return cast(_Answer, answer)  # a function is trusted to return a response


async def open_answer(answer: _Answer, sent: SentRequest, request: TransportRequest) -> TransportResponse:
    """Return a response that was not read before, or raise the exception.

    Raises:
        TotalTimeout: a function has not answered before the deadline of the request.
        Exception: the answer, or an exception of the function.
    """
    if isinstance(answer, LocalResponse):
        return answer.copy(content=b"" if sent.method == "HEAD" else None)
    if isinstance(answer, type):
        raise cast(type[Exception], answer)
    if isinstance(answer, Exception):
        raise copy_error(answer)  # a copy: raising an exception changes it
    found = answer(sent)
    if not inspect.isawaitable(found):
        return found
    return await await_in_time(found, request.deadline, request.destination.host)


def build_bytes(response: LocalResponse, *, has_content: bool = True) -> bytes:
    """Return a response as a server sends it: chunked if it has trailers, otherwise with its Content-Length.

    Args:
        response: the response; it stays unread.
        has_content: False for a response to HEAD.
    """
    own = response.copy()
    content = own.take()
    if content is None:
        raise TypeError("expected content in memory, got an async iterable")
    head, names = own.head.block, {name.lower() for name in own.headers}
    if own.status in _WITHOUT_LENGTH or names & {"content-length", "transfer-encoding"}:
        return head + content if has_content else head
    if not own.trailers:
        head = head[:-2] + b"Content-Length: %d\r\n\r\n" % len(content)
        return head + content if has_content else head
    trailers = "".join(f"{name}: {value}\r\n" for name, value in own.trailers.items()).encode("latin-1")
    chunk = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
    head = head[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
    return head + chunk + b"0\r\n" + trailers + b"\r\n" if has_content else head
