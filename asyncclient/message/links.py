"""Link fields (RFC 8288): links from a response, for example to the next page of a list.

Malformed values raise nothing, and every pattern scans its text once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

from .disposition import decode_extended
from .media import QUOTED_TEXT, parse_parameters
from .url import encode_raw_bytes, join_url

_LINK = re.compile(rf'<([^<>]*+)>((?:[^,"]++|{QUOTED_TEXT})*+)', re.DOTALL)

_MAX_LINKS = 1000
"""Links parsed at most: a field of 1 MiB of `<>,` would give 350,000 of them."""


_MAX_URL_CHARACTERS = 1024 * 1024
"""Characters of all URLs together: each relative reference is prefixed by the base, which may have 64 KiB."""


class Link(NamedTuple):
    """A link.

    Attributes:
        url: absolute; a relative reference is resolved against the URL of the response. Non-ASCII characters are
            percent-encoded.
        rel: relation types in lower case, separated by blanks; "" if there is none.
        params: all parameters, rel included, by lower-case name, unquoted. A decoded `title*` replaces `title`.
    """

    url: str
    rel: str
    params: dict[str, str]


def _get_item(link: Link, key: Any) -> Any:
    """Return an item of a Link by its number. Raises TypeError for a name, which is an attribute."""
    if isinstance(key, str):
        raise TypeError(f"a Link has no keys: use link.url, link.rel or link.params instead of [{key!r}]")
    return tuple.__getitem__(link, key)


Link.__getitem__ = _get_item  # type: ignore[assignment,method-assign]  # in the class it would hide the types of the items


def parse_links(values: Iterable[str], base: str) -> list[Link]:
    """Return the links of Link fields in order, at most 1000 and 1 MiB of URLs; malformed links are skipped.

    The first of repeated parameters is kept, as the RFC requires for rel, media, title and type.

    Args:
        values: the field values, decoded as latin-1.
        base: the absolute URL of the response.
    """
    links: list[Link] = []
    left = _MAX_URL_CHARACTERS
    for match in islice((match for value in values for match in _LINK.finditer(value)), _MAX_LINKS):
        links.append(_build_link(_resolve(match[1].strip(" \t"), base), match[2]))
        left -= len(links[-1].url)
        if left < 0:
            break
    return links


def _resolve(reference: str, base: str) -> str:
    try:
        reference = encode_raw_bytes(reference)
    except UnicodeError:  # the host is not UTF-8: keep the reference; it will fail when it is parsed
        pass
    return join_url(base, reference)


def _build_link(url: str, section: str) -> Link:
    params = parse_parameters(section) if section else {}
    title = decode_extended(params.pop("title*", ""))
    if title is not None:
        params["title"] = title
    return Link(url, " ".join(params.get("rel", "").lower().split()), params)


def index_links(links: Iterable[Link]) -> dict[str, Link]:
    """Return links by relation type; the first link of a type is kept.

    A link with an anchor is skipped: it starts from another document, not from this response (RFC 8288 §3.2).
    """
    index: dict[str, Link] = {}
    for link in links:
        if "anchor" not in link.params:
            for relation in link.rel.split():
                index.setdefault(relation, link)
    return index
