"""The head of a request: what its caller gave, what its body, cookies and login imply, and what goes with each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from ..message.request import RequestHead
from ..message.url import URL
from .connection_fields import CONTROLLED, check_fields, check_tunnelled
from .content.decoding import IDENTITY
from .cookies.jar import CookieJar
from .request import Request
from .site import Site


def build_head(
    request: Request, site: Site, url: URL, jar: CookieJar, login: Sequence[tuple[str, str]], expects_continue: bool
) -> RequestHead:
    """Return the head of a request. What a caller gave counts more than what is implied, and that than the client's.

    Args:
        request: whose framing is not declared here, unless its caller did.
        site: what goes with each request to its origin.
        url: the request's.
        jar: its cookies go along.
        login: fields that log in.
        expects_continue: ask for 100 Continue.

    Raises:
        ValueError, TypeError, InvalidURL: something that can't be sent.
    """
    pairs = request.headers
    target = site.prefix + url.target if site.prefix else url.target
    if request.payload is not None or login or request.choices.cookies or jar:
        given = {name.lower() for name, _ in pairs}
        implied = _list_implied(request, site, url, jar, login, expects_continue)
        pairs = [*pairs, *(pair for pair in implied if pair[0].lower() not in given)]
    if not pairs and site.block is not None:
        return RequestHead(request.method, target, site.block)
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
        if value is not None:  # None takes away a field of the client's
            head.add(name, value)
    if request.payload is None and (head.length or head.is_chunked):
        raise ValueError("expected a body, as Content-Length or Transfer-Encoding says, got none")
    return head


def _begin(method: str, target: str, site: Site, names: set[str]) -> RequestHead:
    """Return a head with the fields of the site that the request has not itself."""
    if site.block is not None and site.names.isdisjoint(names):
        return RequestHead(method, target, site.block)
    head = RequestHead(method, target)
    for name, line in site.fields:
        if name not in names:
            head.add_line(line)
    return head


def _list_implied(
    request: Request, site: Site, url: URL, jar: CookieJar, login: Sequence[tuple[str, str]], expects_continue: bool
) -> Iterator[tuple[str, str]]:
    payload, choices = request.payload, request.choices
    if payload is not None:
        if payload.content_type is not None:
            yield "Content-Type", payload.content_type
        if expects_continue:
            yield "Expect", "100-continue"
        if choices.trailers is not None and not callable(choices.trailers):
            yield "Trailer", ", ".join(name for name, _ in choices.trailers)
    if (choices.cookies or jar) and (cookies := build_cookies(url, site, choices.cookies or {}, jar)):
        yield "Cookie", cookies
    yield from login


def build_cookies(url: URL, site: Site, own: Mapping[str, str], jar: CookieJar) -> str:
    """Return the value of Cookie; cookies of the request count more than those of the jar."""
    where = locate(url, site)
    kept = (jar.build_header(*where) or "").split("; ")
    given = (CookieJar(own).build_header(*where) or "") if own else ""
    return "; ".join(filter(None, (*(pair for pair in kept if pair.partition("=")[0] not in own), given)))


def locate(url: URL, site: Site) -> tuple[str, str, bool]:
    """Return what cookies go by: host, path, and whether the way there is secure."""
    return url.host, url.target.partition("?")[0], site.is_secure
