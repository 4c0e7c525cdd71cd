"""Redirects: the request that follows a redirect, and the fields that it may carry (RFC 9110 §15.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeVar

from ..errors import RedirectError
from ..message.credentials import SECRET_FIELDS
from ..message.fields import Fields
from ..message.target import show_url
from ..message.url import build_url, encode_raw_bytes, is_same_origin, join_url, parse_url

_T = TypeVar("_T")

REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
"""Statuses of redirects that a client follows."""

_BOUND_TO_ORIGIN = frozenset((*SECRET_FIELDS, "host"))

_ABOUT_CONTENT = frozenset(("digest", "expect", "last-modified", "repr-digest", "trailer", "transfer-encoding"))
"""In addition to all fields whose names begin with `content-`."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*+):")


class Redirect(NamedTuple):
    """The request that a redirect asks for.

    Attributes:
        method: of the next request.
        url: absolute, without userinfo; the fragment is that of the Location, otherwise that of the previous URL.
        keeps_body: True if the content, if any, is sent again.
        is_cross_origin: True if scheme, host or port changed.
        is_downgrade: True if the redirect leads from https to http.
    """

    method: str
    url: str
    keeps_body: bool
    is_cross_origin: bool
    is_downgrade: bool = False


def find_location(fields: Fields) -> str | None:
    """Return the value of Location; None if it is missing.

    Raises:
        RedirectError: several Locations differ. One of them may have been added by an intermediary or injected;
            browsers refuse the response too. The error has no response yet.
    """
    location = fields.get_single("location")
    if location is None and "location" in fields:
        raise RedirectError("expected one Location, got several that differ")
    return location


def decide_redirect(method: str, url: str, status: int, location: str | None) -> Redirect | None:
    """Return the next request; None if the response is not a redirect that can be followed.

    303 changes every method except HEAD to a GET without content; 301 and 302 do so only for POST, as in browsers;
    other methods are repeated unchanged. A redirect from https to http is followed: it leads to another origin, which
    gets no secret of this one. Userinfo in a Location is dropped: no server may choose the credentials for another.

    Args:
        method: of the request that was answered.
        url: its absolute URL.
        status: of the response.
        location: value of Location, decoded as latin-1; None or "" if absent. Its bytes are used as received, with
            non-ASCII bytes percent-encoded and the host read as UTF-8.

    Raises:
        RedirectError: the Location is not an http or https URL. The error has no response yet.
    """
    if status not in REDIRECTS or not location:
        return None
    old = parse_url(url)
    try:
        new = parse_url(join_url(url, encode_raw_bytes(location)))
    except ValueError as exc:  # includes InvalidURL and UnicodeError
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
    """Return the fields that the next request may carry, in their order.

    Removed are: for another origin the fields of credentials (SECRET_FIELDS) and Host; fields that describe or frame
    the content, if it is not sent again; and for an http URL the Referer of an https page (RFC 9110 §10.1.3). Pass the
    result to the next redirect: a removed field must not return when a chain leads back to the first origin
    (CVE-2018-18074 and many others).

    Args:
        pairs: fields of the redirected request.
        redirect: from decide_redirect().
        secret_names: further names, in any case, that only the first origin may receive.
    """
    secrets = _BOUND_TO_ORIGIN.union(name.lower() for name in secret_names) if redirect.is_cross_origin else ()
    kept = [(name, value) for name, value in pairs if value is None or name.lower() not in secrets]
    if redirect.url.startswith("http:"):
        kept = [pair for pair in kept if not reveals_secure_page(*pair, is_relative_secure=redirect.is_downgrade)]
    return kept if redirect.keeps_body else [pair for pair in kept if not _is_about_content(pair[0].lower())]


def reveals_secure_page(name: str, value: object, *, is_relative_secure: bool) -> bool:
    """Return True if a field is the Referer of an https page, which an http request must not carry (RFC 9110 §10.1.3).

    Args:
        is_relative_secure: True if a Referer without a scheme, relative to the request's URL, names an https page.
    """
    if name.lower() != "referer" or value is None:
        return False
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    scheme = _SCHEME.match(text.strip())
    return is_relative_secure if scheme is None else scheme[1].lower() == "https"


def _is_about_content(name: str) -> bool:
    return name.startswith("content-") or name in _ABOUT_CONTENT
