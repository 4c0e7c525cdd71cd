"""The routes of the demo server: each is a plain function from a request to a reply.

    /                the list of routes, as HTML            /echo           method, fields and content length, as JSON
    /json            a small JSON document                  /early-hints    103, then 200
    /bytes/N         N bytes with Content-Length, an        /gzip           JSON in gzip
                     ETag, and ranges of them
    /chunked/N       N bytes chunked, with a trailer        /lines/N        N lines of text, chunked
    /delay/SECONDS   a reply after up to 60 s               /cookies        the received cookies, as JSON
    /status/CODE     a reply with this status               /cookies/N/V    the same, and sets the cookie N to V
    /from/TIME       503 until that time in Unix seconds    /redirect/CODE/PATH     a redirect to PATH
    /cached/SECONDS  the time, with this max-age and an ETag; 304 if that is in If-None-Match
    /events/N        the next three of N events after Last-Event-ID, as text/event-stream; 204 after the last one
    /site/N/K        page K of a site of N pages, as HTML; its links lead to the pages 2K + 1 and 2K + 2
    /basic/USER/PASSWORD, /digest/USER/PASSWORD, /bearer/TOKEN      401 without these credentials

The server has no state between requests.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urlsplit

CONTENT_BLOCK = 64 * 1024

PHRASES = {status.value: status.phrase for status in HTTPStatus}

_NONCE = secrets.token_hex(16)
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,"]*))')


@dataclass(frozen=True, slots=True)
class Request:
    """A request; of its content only the length is kept."""

    method: str
    target: str
    version: int
    fields: list[tuple[str, str]]
    length: int = 0

    @property
    def path(self) -> str:
        """The path of the target, also in absolute form (RFC 9112 §3.2.2)."""
        try:
            return urlsplit(self.target).path or "/"
        except ValueError:
            raise Refused(400) from None

    @property
    def is_persistent(self) -> bool:
        """True if the connection persists after this request (RFC 9112 §9.3)."""
        options = [option.lower() for option in self.members("connection")]
        return "close" not in options and (self.version >= 11 or "keep-alive" in options)

    def values(self, name: str) -> list[str]:
        """Return the values of all fields with this name."""
        return [value for key, value in self.fields if key.lower() == name]

    def members(self, name: str) -> list[str]:
        """Return the comma-separated members of all fields with this name, including empty ones."""
        return [member.strip(" \t") for value in self.values(name) for member in value.split(",")]


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply of a route. If the length is None, the content is chunked, with its digest as a trailer."""

    status: int
    content: Iterable[bytes] = ()
    length: int | None = 0
    fields: tuple[tuple[str, str], ...] = ()
    interim: bytes = b""
    delay: float = 0.0

    @property
    def has_content(self) -> bool:
        """True if the status allows content (RFC 9110 §6.4.1)."""
        return self.status not in (204, 304)


class Refused(Exception):
    """A request that cannot be framed or accepted. The reply has this status, and the connection closes."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status} {PHRASES[status]}")
        self.status = status


def refuse(refusal: Refused) -> Reply:
    """Return the reply to a refused request."""
    return _text(refusal.status, f"{refusal}\n")


def _text(status: int, text: str, *fields: tuple[str, str], kind: str = "text/plain") -> Reply:
    content = text.encode()
    return Reply(status, [content], len(content), (("Content-Type", kind), *fields))


def _json(value: object, *fields: tuple[str, str]) -> Reply:
    return _text(200, json.dumps(value, indent=1) + "\n", *fields, kind="application/json")


def _blocks(start: int, stop: int) -> Iterator[bytes]:
    """Return content from one position to another; each byte is the lowest byte of its position."""
    block = bytes(position % 256 for position in range(start, start + 256)) * (CONTENT_BLOCK // 256)
    yield from (block[: stop - position] for position in range(start, stop, CONTENT_BLOCK))


def give_ranges(
    request: Request,
    size: int,
    tag: str,
    read: Callable[[int, int], Iterable[bytes]],
    *fields: tuple[str, str],
) -> Reply:
    """Return the reply with content, or with the one range that the request asks for (RFC 9110 §13, §14).

    Args:
        request: the request, which may be conditional.
        size: bytes of the content.
        tag: a strong ETag of it.
        read: returns the content from one position to another.
        fields: of the reply.
    """
    fields = (*fields, ("ETag", tag), ("Accept-Ranges", "bytes"))
    if tag in request.members("if-none-match"):
        return Reply(304, fields=fields)
    conditions = request.values("if-range")
    is_partial = request.method == "GET" and (not conditions or conditions == [tag])
    asked = _RANGE.fullmatch(next(iter(request.values("range")), "")) if is_partial else None
    if asked is None or not (asked[1] or asked[2]):
        return Reply(200, read(0, size), size, fields)
    start, stop = _find_span(asked[1], asked[2], size)
    if start >= stop:
        return Reply(416, fields=(*fields, ("Content-Range", f"bytes */{size}")))
    return Reply(206, read(start, stop), stop - start, (*fields, ("Content-Range", f"bytes {start}-{stop - 1}/{size}")))


def _find_span(first: str, last: str, size: int) -> tuple[int, int]:
    """Return the first byte and the byte after the last one that a Range asks for (RFC 9110 §14.1.2)."""
    if not first:
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size


# Content


def _index(request: Request) -> Reply:
    items = "".join(f"<li>{route.pattern}\n" for route, _, _ in _ROUTES)
    return _text(200, f"<!doctype html><title>asyncclient</title>\n<ul>\n{items}</ul>\n", kind="text/html")


def _bytes(request: Request, n: str) -> Reply:
    size = int(n)
    return give_ranges(request, size, f'"bytes-{size}"', _blocks, ("Content-Type", "application/octet-stream"))


def _chunked(request: Request, n: str) -> Reply:
    fields = (("Content-Type", "application/octet-stream"), ("Trailer", "Content-Digest"))
    return Reply(200, _blocks(0, int(n)), None, fields)


def _lines(request: Request, n: str) -> Reply:
    lines = (b"line %d\n" % number for number in range(int(n)))
    return Reply(200, lines, None, (("Content-Type", "text/plain"), ("Trailer", "Content-Digest")))


def _events(request: Request, n: str) -> Reply:
    last = "".join(request.values("last-event-id"))
    start = int(last) if last.isascii() and last.isdigit() else 0
    numbers = range(start + 1, min(start + 3, int(n)) + 1)
    events = (b"retry: 10\nid: %d\nevent: count\ndata: line %d\n\n" % (number, number) for number in numbers)
    return Reply(200, events, None, (("Content-Type", "text/event-stream"),)) if numbers else Reply(204)


def _cached(request: Request, seconds: str) -> Reply:
    fields = (("Cache-Control", f"max-age={seconds}"), ("ETag", '"demo"'))
    if request.values("if-none-match") == ['"demo"']:
        return Reply(304, fields=fields)
    return _text(200, f"{time.time()}\n", *fields)


def _gzip(request: Request) -> Reply:
    content = gzip.compress(json.dumps({"gzipped": True, "padding": "-" * 1000}).encode(), mtime=0)
    fields = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"))
    return Reply(200, [content], len(content), fields)


def _site(request: Request, size: str, number: str) -> Reply:
    pages, page = int(size), int(number)
    if page >= pages:
        return _text(404, "no such page\n")
    links = [f'<a href="/site/{pages}/{link}">page {link}</a>' for link in (2 * page + 1, 2 * page + 2) if link < pages]
    text = f"<!doctype html>\n<title>page {page}</title>\n<p>{' '.join(links)}</p>\n"
    return _text(200, text, kind="text/html")


def _echo(request: Request) -> Reply:
    return _json({"method": request.method, "fields": request.fields, "length": request.length})


def _early_hints(request: Request) -> Reply:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n"
    return replace(_text(200, "hinted\n"), interim=hints)


# Statuses and delays


def _delay(request: Request, seconds: str) -> Reply:
    return replace(_text(200, f"{seconds} s\n"), delay=min(float(seconds), 60.0))


def _from(request: Request, moment: str) -> Reply:
    return _text(200, "open\n") if time.time() >= float(moment) else _text(503, "not yet\n", ("Retry-After", "0"))


def _status(request: Request, code: str) -> Reply:
    return _text(int(code), f"status {code}\n", *_STATUS_FIELDS.get(int(code), ()))


def _redirect(request: Request, code: str, path: str) -> Reply:
    return _text(int(code), f"to {path}\n", ("Location", path))


# Cookies and authentication


def _cookies(request: Request) -> Reply:
    pairs = (pair.strip(" ").partition("=") for value in request.values("cookie") for pair in value.split(";"))
    return _json({name: value for name, _, value in pairs})


def _set_cookie(request: Request, name: str, value: str) -> Reply:
    reply = _cookies(request)
    return replace(reply, fields=(*reply.fields, ("Set-Cookie", f"{name}={value}; Path=/; HttpOnly")))


def _basic(request: Request, user: str, password: str) -> Reply:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return _authenticate(user, 'Basic realm="demo"', request.values("authorization") == [f"Basic {token}"])


def _bearer(request: Request, token: str) -> Reply:
    return _authenticate("somebody", 'Bearer realm="demo"', request.values("authorization") == [f"Bearer {token}"])


def _digest(request: Request, user: str, password: str) -> Reply:
    """Authenticate by Digest with SHA-256 (RFC 7616); the nonce may be used any number of times."""
    found = _PARAMETER.findall("".join(request.values("authorization")).removeprefix("Digest "))
    given = {name: quoted or plain for name, quoted, plain in found}
    secret, request_hash = _hash(f"{user}:demo:{password}"), _hash(f"{request.method}:{given.get('uri')}")
    proof = _hash(":".join([secret, _NONCE, given.get("nc", ""), given.get("cnonce", ""), "auth", request_hash]))
    challenge = f'Digest realm="demo", qop="auth", algorithm=SHA-256, nonce="{_NONCE}"'
    return _authenticate(user, challenge, given.get("response") == proof and given["uri"] == request.target)


def _authenticate(user: str, challenge: str, is_valid: bool) -> Reply:
    return _json({"user": user}) if is_valid else _text(401, "who are you?\n", ("WWW-Authenticate", challenge))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_READ = ("GET", "HEAD")
_ANY = (*_READ, "POST", "PUT", "PATCH", "DELETE")
_ROUTES: list[tuple[re.Pattern[str], tuple[str, ...], Callable[..., Reply]]] = [
    (re.compile(r"/"), _READ, _index),
    (re.compile(r"/json"), _READ, lambda request: _json({"server": "asyncclient demo"})),
    (re.compile(r"/bytes/([0-9]{1,12})"), _READ, _bytes),
    (re.compile(r"/chunked/([0-9]{1,12})"), _READ, _chunked),
    (re.compile(r"/lines/([0-9]{1,12})"), _READ, _lines),
    (re.compile(r"/delay/([0-9]{1,2}(?:\.[0-9]{1,3})?)"), _READ, _delay),
    (re.compile(r"/from/([0-9]{1,12}(?:\.[0-9]{1,6})?)"), _READ, _from),
    (re.compile(r"/status/([2-5][0-9]{2})"), _READ, _status),
    (re.compile(r"/redirect/(30[12378])(/(?!/).*)"), _ANY, _redirect),
    (re.compile(r"/echo"), _ANY, _echo),
    (re.compile(r"/early-hints"), _READ, _early_hints),
    (re.compile(r"/cached/([0-9]{1,9})"), _READ, _cached),
    (re.compile(r"/events/([0-9]{1,9})"), _READ, _events),
    (re.compile(r"/site/([0-9]{1,9})/([0-9]{1,9})"), _READ, _site),
    (re.compile(r"/gzip"), _READ, _gzip),
    (re.compile(r"/cookies"), _READ, _cookies),
    (re.compile(r"/cookies/(\w+)/(\w+)"), _READ, _set_cookie),
    (re.compile(r"/basic/(\w+)/(\w+)"), _READ, _basic),
    (re.compile(r"/bearer/(\w+)"), _READ, _bearer),
    (re.compile(r"/digest/(\w+)/(\w+)"), _READ, _digest),
]
_STATUS_FIELDS = {  # fields that HTTP requires with these statuses
    **dict.fromkeys((301, 302, 303, 307, 308), (("Location", "/"),)),
    401: (("WWW-Authenticate", 'Basic realm="demo"'),),
    405: (("Allow", ", ".join(_READ)),),
    407: (("Proxy-Authenticate", 'Basic realm="demo"'),),
}


def answer(request: Request) -> Reply:
    """Return the reply of the matching route, otherwise 404 or 405."""
    for pattern, methods, route in _ROUTES:
        if match := pattern.fullmatch(request.path):
            if request.method in methods:
                return route(request, *match.groups())
            return _text(405, "method not allowed\n", ("Allow", ", ".join(methods)))
    return _text(404, "not found\n")
