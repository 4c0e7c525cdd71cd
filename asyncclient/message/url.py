"""URLs: parsing, joining, and adding query parameters (RFC 3986, RFC 9110 §4.2).

A URL is sent as the caller wrote it, byte for byte, because it may be signed. Only characters that a URL must not
contain are percent-encoded: blanks, non-ASCII characters and `"<>\\^`{|}`. Escapes and reserved characters are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ..errors import InvalidURL, clip
from .target import PORTS, check_host, encode_host, is_ipv6, parse_port, show_url

# All characters of a path or query (RFC 3986 §3.3), and brackets, which are reserved but not allowed there.
_LEGAL = r"A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]-"
_LABEL = r"[A-Za-z0-9_-]{1,63}+"

_PLAIN_ORIGIN = re.compile(rf"(https?+)://({_LABEL}(?:\.{_LABEL})*+\.?+)(?::([0-9]*+))?+")
_PLAIN_TARGET = re.compile(rf"/[{_LEGAL}]*+")
_ANY = re.compile(
    r"(https?+)://(?:([^/?#@\\ ]*+)@)?+(\[[^/?#@\\\[\]]*+\]|[^:/?#@\\\[\]]*+)"
    r"(?::([^/?#]*+))?+([/?][^#]*+)?+(?:#(.*+))?+",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_IP_LITERAL = re.compile(r"\[([0-9A-Fa-f:.]++)(?:%(?:25)?+([0-9A-Za-z._~-]++))?+\]")
_REFERENCE = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*+):)?+(//[^/?#]*+)?+([^?#]*+)(\?[^#]*+)?+(#.*+)?+", re.DOTALL
)  # RFC 3986 appendix B; it matches any text
_HAS_SCHEME = re.compile(r"https?:", re.IGNORECASE)
_HAS_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+://")
_UP_TO_PATH = re.compile(r"(?:https?:)?+//[^/?#]*+", re.IGNORECASE | re.ASCII)
_RAW_BYTES = re.compile(r"[\x80-\xff]++")
BLANKS = " \t\r\n"

_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_ILLEGAL = re.compile(rf"[^#{_LEGAL}]++")
_RESERVED = re.compile(r"[^A-Za-z0-9._~-]++")

DEFAULT_PORTS = {"http": 80, "https": 443}

Params = str | Mapping[str, Any] | Iterable[tuple[str, Any]]
"""Query parameters, see add_params()."""


class URL(NamedTuple):
    """A parsed URL. The first three items are its origin (RFC 9110 §4.3.1).

    Attributes:
        scheme: "http" or "https".
        host: in lower-case ASCII; an IPv6 address without brackets, its zone after a "%".
        port: from 1 to 65535.
        target: path and query as sent; begins with a slash.
        userinfo: `user:password`, percent-encoded as given; None if absent.
        fragment: the part after the first "#"; None if absent.
    """

    scheme: str
    host: str
    port: int
    target: str
    userinfo: str | None = None
    fragment: str | None = None

    def __repr__(self) -> str:
        """Show the URL without userinfo."""
        return f"<URL {build_url(self)}{' with userinfo' if self.userinfo else ''}>"


def parse_url(url: str) -> URL:
    """Parse an absolute http or https URL.

    Blanks and line ends around the URL are removed, as in browsers. Anything that programs read in different ways is
    refused: `http:x`, two "@", a backslash before the path, a percent-encoded host. An empty port is the default port
    (RFC 9110 §4.2.1).

    A plain URL, which has no userinfo, no fragment and no character to encode, takes one match (decision 51).

    Raises:
        TypeError: the URL is not a str.
        InvalidURL: it is not an http or https URL, has a control character, or its host can't be encoded.
    """
    try:
        at = url.find("/", 8)  # the first slash after "https://"
        if at > 0 and _PLAIN_TARGET.fullmatch(url, at) is not None:
            origin = _find_plain_origin(url[:at])
            if origin is not None:
                scheme, host, port = origin
                # Without the constructor of a NamedTuple, which is a Python function (decision 51).
                return tuple.__new__(URL, (scheme, host, port, url[at:], None, None))
    except (AttributeError, TypeError):
        pass  # not a str: strip_url() raises the error
    return _parse_any(strip_url(url))


@lru_cache(maxsize=1024)
def _find_plain_origin(text: str) -> tuple[str, str, int] | None:
    """Return the origin that a plain URL begins with; None if it has userinfo, or a host to check or to encode."""
    match = _PLAIN_ORIGIN.fullmatch(text)
    if match is None:
        return None
    scheme, host, port = match.groups()
    return scheme, host.lower(), parse_port(port) if port else DEFAULT_PORTS[scheme]


def _parse_any(url: str) -> URL:
    match = _ANY.fullmatch(url)
    if match is None or _UNSENDABLE.search(url):
        raise InvalidURL(_explain(url))
    scheme, userinfo, host, port, target, fragment = match.groups()
    scheme = scheme.lower()
    try:
        number = parse_port(port) if port else DEFAULT_PORTS[scheme]
    except InvalidURL:
        raise InvalidURL(_explain(url)) from None
    target = _ILLEGAL.sub(_encode_match, _begin_with_slash(target))
    fragment = None if fragment is None else _ILLEGAL.sub(_encode_match, fragment)
    return URL(scheme, _parse_host(host), number, target, userinfo or None, fragment)


def strip_url(url: str) -> str:
    """Return a URL without the blanks and line ends around it, for example from a line of a file.

    Raises:
        TypeError: the URL is not a str.
    """
    try:
        return url.strip(BLANKS)
    except (AttributeError, TypeError):
        raise TypeError(f"expected str as URL, got {type(url).__name__}") from None


def _explain(url: str) -> str:
    """Return the error text for an invalid URL, without its userinfo."""
    scheme, separator, rest = url.partition("://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    userinfo, at, location = authority.rpartition("@")
    wanted = "an http or https URL"
    if not separator or scheme.lower() not in DEFAULT_PORTS:
        pass
    elif _UNSENDABLE.search(url):
        wanted += " without control characters and lone surrogates"
    elif "\\" in authority:
        wanted += " without a backslash before its path"
    elif "@" in userinfo:
        wanted += " whose user and password have %40 for '@'"
    elif " " in userinfo:
        wanted += " whose user and password have %20 for a blank"
    elif not at and "@" in rest:  # http://user:pass/word@host/
        wanted += f" with {PORTS}; a user or password has %2F, %3F and %23 for '/', '?' and '#'"
    elif ":" in location.rpartition("]")[2]:
        wanted += f" with a host and {PORTS}"
    return f"expected {wanted}, got {show_url(url)}"


def _begin_with_slash(target: str | None) -> str:
    if not target:
        return "/"
    return target if target[0] == "/" else f"/{target}"


def _parse_host(text: str) -> str:
    if text.startswith("["):
        match = _IP_LITERAL.fullmatch(text)
        if match is None or not is_ipv6(match[1]):
            raise InvalidURL(f"expected an IPv6 address in brackets, got {clip(text)}")
        address = match[1].lower()
        return f"{address}%{match[2]}" if match[2] else address  # zone names are case-sensitive
    host = encode_host(text).lower()
    check_host(host)  # after encoding: IDNA maps some characters to delimiters
    if "%" in host:
        raise InvalidURL(f"expected a host that is not percent-encoded, got {clip(host)}")
    return host


def build_url(url: URL) -> str:
    """Return the absolute URL without userinfo and without the scheme's default port."""
    host = f"[{url.host.replace('%', '%25')}]" if ":" in url.host else url.host
    port = "" if url.port == DEFAULT_PORTS[url.scheme] else f":{url.port}"
    fragment = "" if url.fragment is None else f"#{url.fragment}"
    return f"{url.scheme}://{host}{port}{url.target}{fragment}"


def unquote_userinfo(text: str, of: str) -> str:
    """Return a user or password from a URL, percent-decoded.

    Raises:
        InvalidURL: the decoded bytes are not UTF-8; the error text does not show them.
    """
    if "%" not in text:
        return text
    from urllib.parse import unquote  # imported on use: slow to import and rarely needed (decision 52)

    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise InvalidURL(f"expected user and password of {of} in percent-encoded UTF-8") from None


def is_same_origin(a: URL, b: URL) -> bool:
    """Return True if scheme, host and port are equal (RFC 9110 §4.3.1)."""
    return a[:3] == b[:3]


def join_url(base: str, reference: str) -> str:
    """Resolve a reference against an absolute URL, strictly by RFC 3986 §5.2; nothing is encoded or checked.

    A reference whose path is not hierarchical, such as `mailto:a@b`, is returned unchanged.

    Raises:
        InvalidURL: the base has no scheme and authority.
    """
    scheme, authority, path, query, fragment = _split(reference)
    if scheme is not None:
        path = _remove_dot_segments(path) if path[:1] == "/" else path
        return f"{scheme}:{authority or ''}{path}{query or ''}{fragment or ''}"
    scheme, base_authority, base_path, base_query, _ = _split(base)
    if scheme is None or base_authority is None:
        raise InvalidURL(f"expected an absolute URL as base, got {show_url(base)}")
    if authority is None:
        authority = base_authority
        if path:
            directory = "" if path[0] == "/" else base_path[: base_path.rfind("/") + 1] or "/"
            path = _remove_dot_segments(directory + path)
        else:
            path = base_path
            query = base_query if query is None else query
    else:
        path = _remove_dot_segments(path)
    return f"{scheme}:{authority}{path}{query or ''}{fragment or ''}"


def encode_raw_bytes(reference: str) -> str:
    """Return a reference from a field, decoded as latin-1, with its raw bytes percent-encoded and its host as UTF-8.

    Raises:
        UnicodeDecodeError: the bytes of the host are not UTF-8.
    """
    if reference.isascii():
        return reference
    match = _UP_TO_PATH.match(reference)
    at = match.end() if match else 0
    return reference[:at].encode("latin-1").decode("utf-8") + _RAW_BYTES.sub(_encode_latin1, reference[at:])


def _split(text: str) -> tuple[str | None, str | None, str, str | None, str | None]:
    """Return scheme, authority with "//", path, query with "?" and fragment with "#"."""
    match = _REFERENCE.fullmatch(text)
    assert match is not None
    return match[1], match[2], match[3], match[4], match[5]


def _remove_dot_segments(path: str) -> str:
    """Remove the segments "." and ".." from a path that begins with a slash (RFC 3986 §5.2.4)."""
    if "/." not in path:
        return path
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def add_params(url: str, params: Params) -> str:
    """Return the URL with query parameters appended to its query, before the fragment.

    All but unreserved characters are percent-encoded as UTF-8. A blank becomes %20, which every server decodes. The
    existing query is not changed.

    Args:
        url: absolute or relative.
        params: a mapping or pairs (name, value). A list or tuple becomes one parameter per item, True and False become
            `true` and `false`, and None omits the parameter. A str is a query that is encoded already.

    Raises:
        TypeError: a name is not a str, or a value has another type.
        ValueError: a str can't be encoded as UTF-8.
    """
    added = params.replace("#", "%23") if isinstance(params, str) else "&".join(_build_params(params))
    if not added:
        return url
    start, sharp, fragment = url.partition("#")
    separator = "?" if "?" not in start else "" if start.endswith(("?", "&")) else "&"
    return f"{start}{separator}{added}{sharp}{fragment}"


def _build_params(params: Any) -> Iterator[str]:
    for name, value in list_values(params, "params", "a mapping, pairs (name, value) or a str"):
        text = value if isinstance(value, str) else value.decode("latin-1")
        encode = _encode_match if isinstance(value, str) else _encode_latin1
        yield f"{_RESERVED.sub(_encode_match, name)}={_RESERVED.sub(encode, text)}"


def list_values(
    given: Any, what: str, expected: str = "a mapping or pairs (name, value)"
) -> Iterator[tuple[str, str | bytes]]:
    """Yield the parameters of a query or the fields of a form, one value at a time, not encoded.

    A list or tuple yields one pair per item, True and False become `true` and `false`, and None is omitted.

    Args:
        given: a mapping or pairs (name, value).
        what: name of the caller's argument, for error texts.
        expected: types of the caller's argument, for error texts.

    Raises:
        TypeError: `given` is not a mapping or pairs, a name is not a str, or a value has another type.
    """
    for name, value in list_named(given, what, expected):
        for item in value if isinstance(value, list | tuple) else (value,):
            if item is not None:
                yield name, _to_text(item, what)


def list_named(given: Any, what: str, expected: str = "a mapping or pairs (name, value)") -> Iterator[tuple[str, Any]]:
    """Yield the pairs of a mapping or an iterable; raises TypeError unless all names are str. See list_values()."""
    pairs = given.items() if hasattr(given, "items") else given
    if not isinstance(pairs, Iterable):
        raise TypeError(f"expected {expected} as {what}, got {type(given).__name__}")
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):
            raise TypeError(f"expected a mapping with names of str, or pairs (name, value), as {what}")
        yield pair[0], pair[1]


def _to_text(value: object, what: str) -> str | bytes:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, int | float):
        return str(value)
    raise TypeError(f"expected str, bytes, a number, True, False or None in {what}, got {type(value).__name__}")


def percent_encode(data: bytes) -> str:
    """Return every byte of `data` percent-encoded, in upper-case hexadecimal digits (RFC 3986 §2.1)."""
    return f"%{data.hex('%').upper()}"


def _encode_latin1(match: re.Match[str]) -> str:
    return percent_encode(match[0].encode("latin-1"))


def _encode_match(match: re.Match[str]) -> str:
    return percent_encode(match[0].encode())


def join_base(base_url: str, url: str) -> str:
    """Return a URL below a base URL that parse_base() has checked.

    `users` and `/users` are appended to the base's path. A path with a leading slash that already starts with the
    base's path, as in links from the server, is not appended again: with the base `https://host/api`, both
    `/api/users` and `users` give `https://host/api/users`. `?query` is appended. A URL with a scheme and authority is
    returned unchanged; nothing else leads to another host: `//host/x` becomes part of the path.

    Raises:
        InvalidURL: the URL has the scheme http or https without `//`.
        ValueError: the base has a query or a fragment.
    """
    if _HAS_AUTHORITY.match(url):
        return url
    if _HAS_SCHEME.match(url):
        raise InvalidURL(f"expected // after the scheme of a URL, got {show_url(url)}")
    _check_base(base_url)
    if not url or url[0] in "?#":
        return base_url + url
    base = base_url.removesuffix("/")
    start = base.find("/", base.find("://") + 3)  # the start of the base's path
    if start > 0 and url.startswith(base[start:]) and url[len(base) - start :][:1] in ("", "/", "?", "#"):
        return base[:start] + url
    return f"{base}/{url.removeprefix('/')}"


def parse_joined(url: str) -> URL:
    """Parse the URL of a request, to which the base URL of the client was joined if it has any.

    Raises:
        TypeError, InvalidURL: see parse_url(); for a relative URL the text says how to give the rest.
    """
    try:
        return parse_url(url)
    except InvalidURL:
        if not _is_relative(url):
            raise
    wanted = "expected an absolute URL such as 'https://example.com/'"
    raise InvalidURL(f"{wanted}, got the relative URL {show_url(url)}: Client(base_url=...) completes it")


def _is_relative(url: str) -> bool:
    """Return True if a URL has neither scheme nor host (RFC 3986 §4.2)."""
    scheme, authority, *_ = _split(url)
    return scheme is None and authority is None and _UNSENDABLE.search(url) is None


def parse_base(base_url: str) -> URL:
    """Parse the base URL of a client.

    Raises:
        TypeError, InvalidURL: see parse_url().
        ValueError: the URL has a query or a fragment, to which no path can be appended.
    """
    url = parse_url(base_url)
    _check_base(base_url)
    return url


def _check_base(base_url: str) -> None:
    if "?" in base_url or "#" in base_url:
        raise ValueError(f"expected a base URL without query and fragment, got {show_url(base_url)}")
