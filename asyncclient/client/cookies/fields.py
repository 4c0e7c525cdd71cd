"""Cookies as values: parsing Set-Cookie, deciding whether to accept the cookie, and matching domains and paths.

All of it is stateless and follows RFC 6265bis. Text is latin-1, one character per byte; values are opaque and are never
unquoted or decoded.

Known faults of other jars are avoided: a Domain attribute is lower-cased before any comparison (CVE-2023-46218:
`co.UK`), a final dot makes another host (CVE-2022-27779), an address shares cookies with no other host, name prefixes
are compared without case, and a cookie without a name cannot imitate one with a name.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import NamedTuple

from ...errors import clip
from ...message.target import is_ipv6
from .suffixes import is_public_suffix

ATTRIBUTE_SIZE = 1024
"""Bytes of an attribute's value; longer ones are ignored (RFC 6265bis §5.6)."""

MAX_AGE = 400 * 24 * 3600
"""Seconds that a server may have a cookie stored (RFC 6265bis §5.5)."""

_BLANKS = " \t"
_SENDABLE = re.compile(r"[\t\x20-\x7e\x80-\xff]*+")  # all bytes except control characters; TAB is allowed
_ATTRIBUTE = re.compile(
    r";[ \t]*+(domain|path|expires|max-age|secure|httponly)[ \t]*+(?:=([^;]*+)|(?=;|\Z))", re.ASCII | re.IGNORECASE
)
_SECONDS = re.compile(r"-?[0-9]++", re.ASCII)

_NAME = re.compile(r"[^;=]*+")
_VALUE = re.compile(r"[^;]*+")
_PATH = re.compile(r"/.*+")
_DOMAIN = re.compile(r"[0-9a-z!$%&'()*+,;=._~-]*+")
_ADDRESS = re.compile(r"[^:]*+:.*|(?:.*\.)?(?:[0-9]++|0x[0-9a-f]*+)\.?", re.ASCII | re.DOTALL)

_LOOPBACK = re.compile(r"localhost\.?|127(?:\.(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}|0*+:[0:]*+1", re.ASCII)

_DATE_TOKEN = re.compile(r"[^\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]++")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE_PARTS = (
    ("time", re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")),
    ("day", re.compile(r"([0-9]{1,2})(?![0-9])")),
    ("month", re.compile("(" + "|".join(_MONTHS) + ")", re.ASCII | re.IGNORECASE)),
    ("year", re.compile(r"([0-9]{2,4})(?![0-9])")),
)


class Cookie(NamedTuple):
    """One cookie and where it is sent. Its repr omits the value, which is usually a secret.

    Attributes:
        name, value: as sent, latin-1; a cookie without a name is sent as its value alone.
        domain: lower-case ASCII; "" for every host, which only the user can set.
        path: begins with "/"; the cookie is sent to it and to paths below.
        expires: Unix seconds; None for the end of the session, which is the end of the jar or clear_session().
        secure: sent over TLS only.
        http_only: not for scripts. It has no effect here; cookie files keep it.
        host_only: sent to `domain` itself, not to hosts below it.
        created: Unix seconds; 0 lets the jar set it.
    """

    name: str
    value: str
    domain: str
    path: str = "/"
    expires: float | None = None
    secure: bool = False
    http_only: bool = False
    host_only: bool = False
    created: float = 0.0

    def __repr__(self) -> str:
        return f"<Cookie {clip(self.name)} for {clip(self.domain)} {clip(self.path)}>"


class SetCookie(NamedTuple):
    """A parsed Set-Cookie field. `domain` and `path` are "" if absent or invalid."""

    name: str
    value: str
    domain: str
    path: str
    expires: float | None
    secure: bool
    http_only: bool

    def __repr__(self) -> str:
        return f"<SetCookie {clip(self.name)}>"


def parse_set_cookie(field: str, now: float) -> SetCookie | None:
    """Parse the value of a Set-Cookie field; None if all of it must be ignored (RFC 6265bis §5.6).

    `now`, in Unix seconds, is the base of Max-Age, which takes precedence over Expires. A cookie without a name is
    accepted unless its value, when it is sent back, would be read as name and value or as a name with a prefix.
    """
    if _SENDABLE.fullmatch(field) is None:
        return None
    pair = field.partition(";")[0]
    name, equals, value = pair.partition("=")
    if not equals:
        name, value = "", pair
    name, value = name.strip(_BLANKS), value.strip(_BLANKS)
    if not name and (not value or "=" in value or value.lower().startswith(("__secure-", "__host-"))):
        return None
    return SetCookie(name, value, *_parse_attributes(field, len(pair), now))


def _parse_attributes(field: str, start: int, now: float) -> tuple[str, str, float | None, bool, bool]:
    """Return the last valid value of each attribute from `start` on; invalid values are ignored.

    Unknown attributes are skipped by the pattern. SameSite is one of them: requests here do not come from a site.
    """
    domain = path = ""
    expires = max_age = None
    secure = http_only = False
    for key, text in _ATTRIBUTE.findall(field, start):
        text = text.strip(_BLANKS)
        if len(text) > ATTRIBUTE_SIZE:
            continue
        match key.lower():
            case "domain":
                domain = fold_domain(text)
            case "path":
                path = text if text.startswith("/") else ""
            case "expires":
                date = parse_date(text)
                expires = expires if date is None else min(date, now + MAX_AGE)
            case "max-age":
                max_age = min(int(text), MAX_AGE) if _SECONDS.fullmatch(text) else max_age
            case "secure":
                secure = True
            case _:
                http_only = True
    if max_age is not None:
        expires = now + max_age if max_age > 0 else 0.0
    return domain, path, expires, secure, http_only


def parse_date(text: str) -> float | None:
    """Return the Unix seconds of a cookie date; None if it is malformed (RFC 6265bis §5.1.1).

    Its parts may be in any order, with any text between them; the time zone is always UTC.
    """
    found: dict[str, re.Match[str]] = {}
    for token in _DATE_TOKEN.findall(text):
        for part, pattern in _DATE_PARTS:
            if part not in found and (match := pattern.match(token)) is not None:
                found[part] = match
                break
    if len(found) < len(_DATE_PARTS):
        return None
    year = int(found["year"][1])
    year += 1900 if 70 <= year <= 99 else 2000 if year <= 69 else 0
    month = _MONTHS.index(found["month"][1].lower()) + 1
    hour, minute, second = map(int, found["time"].groups())
    try:
        date = datetime(year, month, int(found["day"][1]), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return date.timestamp() if year >= 1601 else None


def accept_cookie(field: str, host: str, path: str, is_secure: bool, now: float) -> Cookie | None:
    """Return the cookie for a Set-Cookie field received from `host`; None if it is refused.

    RFC 6265bis §5.7, except the checks that depend on the jar. A default path has the same length limit as the
    attribute.
    """
    sent = parse_set_cookie(field, now)
    scope = None if sent is None or not host else _decide_scope(sent.domain, host)
    if sent is None or scope is None or (sent.secure and not is_secure) or _breaks_prefix(sent):
        return None
    domain, host_only = scope
    path = sent.path or default_path(path)
    if len(path) > ATTRIBUTE_SIZE:
        return None
    return Cookie(sent.name, sent.value, domain, path, sent.expires, sent.secure, sent.http_only, host_only)


def _decide_scope(domain: str, host: str) -> tuple[str, bool] | None:
    """Return the domain of a cookie and whether it is for that host only; None refuses the cookie."""
    if not domain:
        return host, True
    if domain == host:
        return host, is_address(host) or is_public_suffix(host)
    return (domain, False) if domain_matches(host, domain) and not is_public_suffix(domain) else None


def _breaks_prefix(sent: SetCookie) -> bool:
    name = sent.name.lower()
    if name.startswith("__host-"):
        return not sent.secure or sent.domain != "" or sent.path != "/"
    return name.startswith("__secure-") and not sent.secure


def check_cookie(cookie: Cookie) -> Cookie:
    """Return a user's cookie with its domain in lower case and without a leading dot.

    It becomes host-only if other owners could share its domain: a public suffix or an address.

    Raises:
        TypeError: its name, value, domain or path is not a str.
        ValueError: one of them is invalid; the text does not show the value.
    """
    if not isinstance(cookie, Cookie):
        raise TypeError(f"expected a Cookie, got {type(cookie).__name__}")
    for what, text in zip(("name", "value", "domain", "path"), cookie[:4], strict=True):
        if not isinstance(text, str):
            raise TypeError(f"expected str as {what} of a cookie, got {type(text).__name__}")
    domain = fold_domain(cookie.domain)
    _check_text("name", _NAME, cookie.name, cookie)
    _check_text("value", _VALUE, cookie.value, cookie)
    _check_text("path", _PATH, cookie.path, cookie)
    address, _, zone = domain.partition("%") if ":" in domain else ("", "", domain)
    if address and not is_ipv6(address):
        raise ValueError(f"invalid domain of cookie {clip(cookie.name)} for {clip(cookie.domain)}")
    _check_text("domain", _DOMAIN, zone, cookie)
    if not cookie.name and (not cookie.value or "=" in cookie.value):
        raise ValueError("expected a name for a cookie whose value is empty or has a '='")
    if cookie.expires is not None and not math.isfinite(cookie.expires):
        raise ValueError(f"expected Unix seconds or None as expires of cookie {clip(cookie.name)}")
    host_only = domain != "" and (cookie.host_only or is_address(domain) or is_public_suffix(domain))
    return cookie._replace(domain=domain, host_only=host_only)


def fold_domain(text: str) -> str:
    """Return the domain of a cookie in lower case and without a leading dot."""
    return text.lower().removeprefix(".")


def _check_text(what: str, pattern: re.Pattern[str], text: str, cookie: Cookie) -> None:
    if pattern.fullmatch(text) is None or _SENDABLE.fullmatch(text) is None or text != text.strip(_BLANKS):
        raise ValueError(f"invalid {what} of cookie {clip(cookie.name)} for {clip(cookie.domain)}")


def is_address(host: str) -> bool:
    """Return True if a host is an IP address or would be read as one, because its last label is a number."""
    return _ADDRESS.fullmatch(host) is not None


def is_loopback(host: str) -> bool:
    """Return True if a host is this machine: `localhost` or a loopback address.

    A request to it is as safe as one over TLS, so Secure cookies are sent to it without TLS, as in browsers and curl
    (Secure Contexts §3.1). Names below `localhost` are excluded: the DNS may resolve them.
    """
    return _LOOPBACK.fullmatch(host) is not None


def domain_matches(host: str, domain: str) -> bool:
    """Return True if a host is the domain or, being a name, below it (RFC 6265bis §5.1.3)."""
    return host == domain or (host.endswith("." + domain) and not is_address(host))


def default_path(path: str) -> str:
    """Return the path of a cookie without Path: that of the request up to its last slash (RFC 6265bis §5.1.4)."""
    return (path.startswith("/") and path[: path.rfind("/")]) or "/"


def path_matches(path: str, cookie_path: str) -> bool:
    """Return True if a request's path is the cookie's path or below it (RFC 6265bis §5.1.4)."""
    if not path.startswith(cookie_path):
        return False
    return cookie_path.endswith("/") or path[len(cookie_path) : len(cookie_path) + 1] in ("", "/")
