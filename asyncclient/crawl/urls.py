"""The normal form of URLs, by which a crawl knows that it has seen one.

A million URLs are added to a crawl in seconds, and nearly all links are normal as they are written. So a URL that is
normal takes one match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from ..arguments import list_collection
from ..errors import InvalidURL
from ..message.target import show_url
from ..message.url import URL, build_url, join_url, parse_url

MAX_LENGTH: Final = 8000
"""Characters of the longest URL that is taken from a page; servers should accept as much (RFC 9110 §4.1)."""

_PLAIN_HOST: Final = r"[a-z0-9_-]{1,63}+(?:\.[a-z0-9_-]{1,63}+)*+"
_PLAIN_PORT: Final = r"(?::(?!(?:80|443)/)(?:[1-5][0-9]{4}|[1-9][0-9]{0,3}))?+"
_LEGAL: Final = r"[A-Za-z0-9._~!$&'()*+,;=:@/?\[\]-]*+"
_UNRESERVED_HEX: Final = r"2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE]"
_ESCAPES: Final = rf"(?:%(?!{_UNRESERVED_HEX})[0-9A-F]{{2}}{_LEGAL})*+"

# A URL that has a dot segment, a final dot in its host or a port from 60000 on is not matched, although it may be
# normal: it takes the longer way.
_NORMAL: Final = re.compile(rf"https?+://{_PLAIN_HOST}{_PLAIN_PORT}/{_LEGAL}{_ESCAPES}")
_NORMAL_HOST: Final = re.compile(rf"https?+://({_PLAIN_HOST})[/:]")

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_STRAY: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]")

TRACKING: Final = frozenset(
    {
        *("_ga", "_gl", "dclid", "fbclid", "gbraid", "gclid", "gclsrc", "igshid", "mc_cid", "mc_eid", "mkt_tok"),
        *("msclkid", "srsltid", "ttclid", "twclid", "utm_*", "wbraid", "yclid"),
    }
)
"""Names of query parameters by which sites find out where a visitor comes from; see drop_params()."""


def normalize_url(url: str) -> str:
    """Return the normal form of an absolute http or https URL: equal URLs have the same (RFC 3986 §6.2.2, §6.2.3).

    - Scheme and host are in lower case; a host that is not ASCII is encoded by UTS 46, as in browsers. The final dot of
      a host is kept, because the server sees it.
    - The default port, an empty port, leading zeros of a port, and the fragment are removed. A missing path is "/".
    - Escapes of unreserved characters (letters, digits, `-._~`) are decoded, and other escapes have upper-case digits.
      Characters that a URL must not contain are escaped as UTF-8. If a "%" is not followed by two digits, it is unclear
      what the others mean, so that all escapes are only put in upper case.
    - The segments "." and ".." of the path are removed, also those that were escaped.

    Everything else is kept, because a server may tell it apart: an empty query (`/?`), the order of parameters, empty
    segments (`//`), a final slash. The normal form of a normal form is itself.

    Raises:
        InvalidURL: it is not an http or https URL, or it contains user and password.
        TypeError: it is not a str.
    """
    try:
        if _NORMAL.fullmatch(url) is not None and "/." not in url:
            return url
    except TypeError:
        pass  # not a str: parse_url() raises the error
    return _normalize(url)


def _normalize(url: str) -> str:
    parsed = parse_url(url)
    if parsed.userinfo is not None:
        raise InvalidURL(f"expected a URL without user and password, got {show_url(url)}")
    target = _ESCAPE.sub(_upper_escape, parsed.target)
    normal = _remove_dot_segments(build_url(URL(parsed.scheme, parsed.host, parsed.port, target)))
    if _STRAY.search(normal) is not None:
        return normal
    return _remove_dot_segments(_ESCAPE.sub(_decode_unreserved, normal))


def _remove_dot_segments(url: str) -> str:
    return join_url(url, url)


def _upper_escape(match: re.Match[str]) -> str:
    return match[0].upper()


def _decode_unreserved(match: re.Match[str]) -> str:
    letter = chr(int(match[1], 16))
    return letter if _UNRESERVED.match(letter) else match[0]


def find_host(url: str) -> str:
    """Return the host of a URL, as politeness rules know it: in lower case, without the final dot.

    A URL that is normal up to its path takes one match, and the rest of it is not checked.

    Raises:
        InvalidURL: it is not an http or https URL.
        TypeError: it is not a str.
    """
    try:
        match = _NORMAL_HOST.match(url)
    except TypeError:
        match = None  # not a str: parse_url() raises the error
    return parse_url(url).host.removesuffix(".") if match is None else match[1]


def drop_params(url: str, names: Iterable[str] = TRACKING) -> str:
    """Return a URL without the query parameters of these names; a query that becomes empty is removed.

    The result is another URL: the server may answer it differently. It is not part of normalize_url() for that reason.

    Args:
        url: a normalised URL.
        names: upper and lower case are equal; a "*" at the end stands for any end of a name.

    Raises:
        TypeError: the names are a str, or not strings.
    """
    at = url.find("?")
    if at < 0:
        return url
    if not isinstance(names, frozenset):
        names = frozenset(list_collection("names", names, str, "names of query parameters"))
    dropped = _compile_names(names)
    params = url[at + 1 :].split("&")
    kept = [param for param in params if dropped.match(param) is None]
    if len(kept) == len(params):
        return url
    return f"{url[:at]}?{'&'.join(kept)}" if kept else url[:at]


@lru_cache(maxsize=16)
def _compile_names(names: frozenset[str]) -> re.Pattern[str]:
    wholes = "|".join(re.escape(name) for name in sorted(names) if not name.endswith("*"))
    starts = "|".join(re.escape(name[:-1]) for name in sorted(names) if name.endswith("*"))
    return re.compile(rf"(?:(?:{wholes or '(?!)'})(?:=|\Z)|(?:{starts or '(?!)'}))", re.IGNORECASE)
