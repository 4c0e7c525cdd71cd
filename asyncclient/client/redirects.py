"""Redirects: whether a response is one, what is asked next, and which fields may go with it (RFC 9110 §15.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeVar

from ..errors import RedirectError
from ..message.fields import Fields
from ..message.target import show_url
from ..message.url import build_url, encode_raw_bytes, is_same_origin, join_url, parse_url

_T = TypeVar("_T")

REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
"""Statuses of redirects that a client follows."""

_BOUND_TO_ORIGIN = frozenset(("authorization", "cookie", "proxy-authorization", "host"))

_ABOUT_CONTENT = frozenset(("digest", "expect", "last-modified", "repr-digest", "trailer", "transfer-encoding"))
"""Beside all fields whose names begin with `content-`."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*+):")


class Redirect(NamedTuple):
    """What a redirect asks for.

    Attributes:
        method: of the next request.
        url: absolute, without userinfo; the fragment is the redirect's or else the one there was.
        keeps_body: whether the content is sent again, if there was any.
        is_cross_origin: whether scheme, host or port changed.
        is_downgrade: whether it leads from https to http.
    """

    method: str
    url: str
    keeps_body: bool
    is_cross_origin: bool
    is_downgrade: bool = False


def find_location(fields: Fields) -> str | None:
    """Return the value of Location, None if it is missing.

    Raises:
        RedirectError: there are several that differ. An intermediary or an injected field may have added one of them;
            browsers refuse the response, too. The response is not set in the error.
    """
    location = fields.get_single("location")
    if location is None and "location" in fields:
        raise RedirectError("expected one Location, got several that differ")
    return location


def decide_redirect(method: str, url: str, status: int, location: str | None) -> Redirect | None:
    """Decide what to ask next; None where the response is no redirect that can be followed.

    303 makes every method but HEAD a GET without content; 301 and 302 do so with POST alone, as browsers do, and any
    other method is repeated as it was. From https to http is followed too: it is another origin, for which no secret
    of this one is meant. A user or password in a Location is dropped: no server logs a client in elsewhere.

    Args:
        method: of the request that was answered.
        url: absolute, of that request.
        status: of the response.
        location: value of the field Location, decoded as latin-1; its bytes are used as received, those that are not
            ASCII percent-encoded (a host is taken as UTF-8). None or "" if there is none.

    Raises:
        RedirectError: the Location is no URL, or neither http nor https. The response is not set in it.
    """
    if status not in REDIRECTS or not location:
        return None
    old = parse_url(url)
    try:
        new = parse_url(join_url(url, encode_raw_bytes(location)))
    except ValueError as exc:  # InvalidURL and UnicodeError
        raise RedirectError(f"no http or https URL in the Location of a {status}: {show_url(location)}") from exc
    if new.fragment is None:
        new = new._replace(fragment=old.fragment)  # RFC 9110 §10.2.2
    becomes_get = (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST")
    keeps_body = status != 303 and not becomes_get
    return Redirect(
        "GET" if becomes_get else method,
        build_url(new),
        keeps_body,
        is_cross_origin=not is_same_origin(old, new),
        is_downgrade=(old.scheme, new.scheme) == ("https", "http"),
    )


def strip_fields(
    pairs: Iterable[tuple[str, _T]], redirect: Redirect, secret_names: frozenset[str] = frozenset()
) -> list[tuple[str, _T]]:
    """Return the fields that may go with the next request, in their order.

    For another origin Authorization, Cookie, Proxy-Authorization and Host are left out; where the content is not sent
    again, so is what describes or frames it; and for an http URL the Referer of an https page (RFC 9110 §10.1.3). The
    next redirect is to be given what this one left: nothing dropped comes back on the way home (CVE-2018-18074 and many
    more).

    Args:
        pairs: fields of the request that was redirected.
        redirect: what was decided.
        secret_names: more names, in any case, that only the first origin may see.
    """
    secrets = _BOUND_TO_ORIGIN.union(name.lower() for name in secret_names) if redirect.is_cross_origin else ()
    kept = [(name, value) for name, value in pairs if value is None or name.lower() not in secrets]
    if redirect.url.startswith("http:"):
        kept = [pair for pair in kept if not reveals_secure_page(*pair, is_relative_secure=redirect.is_downgrade)]
    return kept if redirect.keeps_body else [pair for pair in kept if not _is_about_content(pair[0].lower())]


def reveals_secure_page(name: str, value: object, *, is_relative_secure: bool) -> bool:
    """Return whether a field is the Referer of an https page, which no http request may carry (RFC 9110 §10.1.3).

    Args:
        is_relative_secure: a Referer without a scheme, relative to the request's URL, names an https page.
    """
    if name.lower() != "referer" or value is None:
        return False
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    scheme = _SCHEME.match(text.strip())
    return is_relative_secure if scheme is None else scheme[1].lower() == "https"


def _is_about_content(name: str) -> bool:
    return name.startswith("content-") or name in _ABOUT_CONTENT
