"""Building the head of a request from the caller's fields, implied fields and the client's fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial

from ..message.head import build_field
from ..message.request import RequestHead
from ..message.url import URL
from .connection_fields import CONTROLLED, check_fields, check_tunnelled
from .content.decoding import IDENTITY
from .cookies.jar import CookieJar
from .request import USUAL, Request
from .round import Round
from .site import Site


def build_head(request: Request, current: Round, jar: CookieJar, auth: Sequence[tuple[str, str]]) -> RequestHead:
    """Return the head of a request.

    Precedence: the caller's fields, then those implied by body, cookies and credentials, then the client's defaults.

    Args:
        request: the request; framing is not declared here, unless by its own fields.
        current: how it is sent; its site has the fields for each request to the origin.
        jar: the cookie jar.
        auth: fields that authenticate.

    Raises:
        ValueError, TypeError, InvalidURL: a value that can't be sent.
    """
    pairs, site, target = request.headers, current.site, current.target
    is_usual = not (pairs or auth or jar.stored) and request.choices is USUAL
    if is_usual and site.block is not None and (request.payload is None or "content-type" not in site.names):
        return _build_usual(request, target, site.block)
    if request.payload is not None or auth or request.choices is not USUAL or jar.stored:
        given = {name.lower() for name, _ in pairs}
        implied = _list_implied(request, current, jar, auth)
        pairs = [*pairs, *(pair for pair in implied if pair[0].lower() not in given)]
    names = {name.lower() for name, _ in pairs}
    if "range" in names and "accept-encoding" not in names and not site.chooses_codings:
        pairs = [*pairs, IDENTITY]
        names.add("accept-encoding")
    if not CONTROLLED.isdisjoint(names):
        connection = partial(site.find_value, "connection")
        pairs = check_fields(pairs, trailers=request.choices.trailers, connection=connection)
        names.update(name.lower() for name, _ in pairs)
    if site.is_tunnelled:
        check_tunnelled(names)
    head = _begin(request.method, target, site, names)
    for name, value in pairs:
        if value is not None:  # None removes a field of the client
            head.add(name, value)
    if request.payload is None and (head.length or head.is_chunked):
        raise ValueError("expected a body, as Content-Length or Transfer-Encoding says, got none")
    return head


def _build_usual(request: Request, target: str, block: bytes) -> RequestHead:
    """Return a head with the fields for each request to the origin and the type of the content (decision 12)."""
    payload = request.payload
    if payload is None or payload.content_type is None:
        return RequestHead(request.method, target, block)
    return RequestHead(request.method, target, block, _build_type_line(payload.content_type))


@lru_cache(maxsize=64)
def _build_type_line(content_type: str) -> bytes:
    return build_field("Content-Type", content_type)


def _begin(method: str, target: str, site: Site, names: set[str]) -> RequestHead:
    """Return a head with those fields of the site that the request does not have itself."""
    if site.block is not None and site.names.isdisjoint(names):
        return RequestHead(method, target, site.block)
    head = RequestHead(method, target)
    for name, line in site.fields:
        if name not in names:
            head.add_line(line)
    return head


def _list_implied(
    request: Request, current: Round, jar: CookieJar, auth: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    payload, choices = request.payload, request.choices
    if payload is not None:
        if payload.content_type is not None:
            yield "Content-Type", payload.content_type
        if current.expects_continue:
            yield "Expect", "100-continue"
        if choices.trailers is not None and not callable(choices.trailers):
            yield "Trailer", ", ".join(name for name, _ in choices.trailers)
    if (choices.cookies or jar) and (cookies := build_cookies(current.url, current.site, choices.cookies or {}, jar)):
        yield "Cookie", cookies
    yield from auth


def build_cookies(url: URL, site: Site, own: Mapping[str, str], jar: CookieJar) -> str:
    """Return the value of Cookie; cookies of the request take precedence over those of the jar."""
    where = locate(url, site)
    kept = (jar.build_header(*where, any_host=site.is_home) or "").split("; ")
    given = (CookieJar(own).build_header(*where) or "") if own else ""
    return "; ".join(filter(None, (*(pair for pair in kept if pair.partition("=")[0] not in own), given)))


def locate(url: URL, site: Site) -> tuple[str, str, bool]:
    """Return the arguments of the jar for a request: host, path, and whether the connection is secure."""
    return url.host, url.target.partition("?")[0], site.is_secure
