"""The links of a page, as a crawl follows them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from ..arguments import check_number, check_type
from ..client.content.text import decode_text
from ..client.response import Response
from ..errors import InvalidURL
from ..message.media import choose_content_type, parse_content_type
from ..message.url import build_url, join_url, parse_url
from .page import Page
from .tags import BLANKS, find_tags
from .urls import MAX_LENGTH, normalize_url

MAX_LINKS: Final = 10_000
"""Links of a page that are returned, unless the caller sets another limit."""

_MAX_CHARACTERS: Final = 8 * 1024 * 1024
"""Characters of all links of a page together: a long base would make each of many short references long."""

_RELATIONS: Final = frozenset({"canonical", "next", "prev"})
"""The relations of `link` elements and Link fields that lead to other pages."""

_HTML: Final = ("text/html", "application/xhtml+xml")
_SNIFFED: Final = re.compile(rb"(?:\xef\xbb\xbf)?+[ \t\n\f\r]*+<[a-zA-Z!?]")
_OTHER_SCHEME: Final = re.compile(r"(?!https?+:)[a-z][a-z0-9+.-]*+:", re.IGNORECASE | re.ASCII)
_UNUSUAL: Final = re.compile(r"[\t\n\r\\]")
_QUERY: Final = re.compile("[?#]")
_NOFOLLOW: Final = re.compile(r"\b(?:nofollow|none)\b", re.IGNORECASE)
_OTHER_AGENT: Final = re.compile(r"[ \t]*+(?!unavailable_after)[\w-]++[ \t]*+:", re.IGNORECASE)
_REFRESH: Final = re.compile(
    r"[ \t\n\f\r]*+[0-9.]++(?:[ \t\n\f\r]*+[;,]|[ \t\n\f\r])[ \t\n\f\r]*+(?:url[ \t\n\f\r]*+=[ \t\n\f\r]*+)?+"
    r"(?:'([^']++)|\"([^\"]++)|([^'\"].*+))",
    re.IGNORECASE | re.DOTALL,
)


def find_links(
    source: Page | Response | str | bytes,
    base: str | None = None,
    *,
    obey_nofollow: bool = True,
    limit: int = MAX_LINKS,
) -> list[str]:
    """Return the URLs to which a page leads, normalised, each once, in order.

    In HTML these are `a`, `area`, `frame` and `iframe`; `link` with `rel` canonical, next or prev; and a refresh by
    `meta`. They are resolved against `base` in the document, if there is one. In a response Link fields of the same
    relations follow. Other content than HTML has no links. URLs that are not http or https, are invalid or longer than
    8000 characters, and links within the page are left out.

    The page takes time in proportion to its length, about 20 ms for 1 MB, which matters to an event loop if it is much
    longer.

    Args:
        source: a page or response whose content was read, or HTML.
        base: the absolute URL of the page; by default that of the response. Needed for HTML.
        obey_nofollow: leave out links with `rel=nofollow`, and all links of a page that says nofollow or none for
            robots in a `meta` element or in X-Robots-Tag.
        limit: how many links are examined at most.

    Raises:
        ResponseNotRead: the content was not read.
        InvalidURL: the base is not an http or https URL.
        TypeError, ValueError: an argument is of another type or out of its range.
    """
    check_type("limit", limit, int, "a whole number")
    check_number("limit", limit, 1)
    response = source.response if isinstance(source, Page) else source
    if response is None:
        return []
    if isinstance(response, Response):
        html, fields = _read_html(response), response.headers.get_all("x-robots-tag", [])
        if obey_nofollow and any(map(_says_nofollow, fields)):
            return []
        document = _Document(base or response.url, obey_nofollow, limit)
        return document.find(html, [link.url for name, link in response.links.items() if name in _RELATIONS])
    check_type("source", response, str | bytes, "a Page, a Response, str or bytes")
    if base is None:
        raise TypeError("expected the URL of the page as base, if the source is HTML")
    html = response if isinstance(response, str) else decode_text(response, "text/html")
    return _Document(base, obey_nofollow, limit).find(html)


def _read_html(response: Response) -> str:
    """Return the content as text; "" unless it is HTML, or has no Content-Type and begins as HTML does."""
    content_type = choose_content_type(response.headers.get_all("content-type", []))
    if content_type is None:
        return response.text if _SNIFFED.match(response.content[:256]) else ""
    return response.text if parse_content_type(content_type)[0] in _HTML else ""


def _says_nofollow(robots: str) -> bool:
    """Return True if an X-Robots-Tag says nofollow to all robots; a name before a colon is that of one of them."""
    return _OTHER_AGENT.match(robots) is None and _NOFOLLOW.search(robots) is not None


class _Document:
    """The links of a document.

    The references are collected first and resolved afterwards, because `base` may follow them.
    """

    __slots__ = ("_base", "_has_base", "_limit", "_may_follow", "_obeys", "_references")

    def __init__(self, url: str, obeys: bool, limit: int) -> None:
        self._base = build_url(parse_url(url))
        self._has_base = False
        self._obeys = obeys
        self._may_follow = True
        self._limit = limit
        self._references: dict[str, None] = {}

    def find(self, html: str, others: Iterable[str] = ()) -> list[str]:
        """Return the links of an HTML document, and then the others."""
        for name, attributes in find_tags(html):
            self._take(name, attributes)
            if not self._may_follow:
                return []
            if len(self._references) >= self._limit:
                break
        for url in others:
            self._add(url)
        return self._resolve_all()

    def _take(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in ("a", "area"):
            if "rel" not in attributes or not (self._obeys and "nofollow" in _split(attributes["rel"])):
                self._add(attributes.get("href"))
        elif name == "link":
            if not _RELATIONS.isdisjoint(_split(attributes.get("rel", ""))):
                self._add(attributes.get("href"))
        elif name == "meta":
            self._take_meta(attributes)
        elif name == "base":
            self._take_base(attributes.get("href"))
        else:
            self._add(attributes.get("src"))

    def _take_meta(self, attributes: Mapping[str, str]) -> None:
        content = attributes.get("content", "")
        if attributes.get("name", "").lower() == "robots":
            self._may_follow = not (self._obeys and _NOFOLLOW.search(content))
        elif attributes.get("http-equiv", "").lower() == "refresh":
            match = _REFRESH.match(content)
            if match is not None:
                self._add(match[1] or match[2] or match[3])

    def _take_base(self, reference: str | None) -> None:
        """Set the base to the first `base` element that has an address; an invalid one leaves the URL of the page."""
        if reference is not None and not self._has_base:
            self._has_base = True
            self._base = _resolve(self._base, _clean(reference)) or self._base

    def _add(self, reference: str | None) -> None:
        if reference is None:
            return
        reference = _clean(reference)
        is_elsewhere = reference != "" and reference[0] != "#" and _OTHER_SCHEME.match(reference) is None
        if is_elsewhere and len(reference) <= MAX_LENGTH:
            self._references[reference] = None

    def _resolve_all(self) -> list[str]:
        links: dict[str, None] = {}
        left = _MAX_CHARACTERS
        for reference in self._references:
            url = _resolve(self._base, reference)
            if url is not None and left >= len(url):
                left -= len(url)
                links[url] = None
        return [*links][: self._limit]


def _clean(reference: str) -> str:
    """Return a reference as browsers read it: without blanks around it and line ends in it, and with slashes."""
    reference = reference.strip(BLANKS)
    if _UNUSUAL.search(reference) is None:
        return reference
    reference = reference.replace("\t", "").replace("\n", "").replace("\r", "")
    match = _QUERY.search(reference)
    at = len(reference) if match is None else match.start()
    return reference[:at].replace("\\", "/") + reference[at:]


def _resolve(base: str, reference: str) -> str | None:
    """Return the normalised URL of a reference; None if it is not a valid http or https URL."""
    try:
        if reference[:1] == "/" and reference[:2] != "//":  # the most frequent kind
            return normalize_url(base[: base.index("/", 8)] + reference)
        return normalize_url(join_url(base, reference))
    except InvalidURL:
        return None


def _split(relations: str) -> list[str]:
    return relations.lower().split()
