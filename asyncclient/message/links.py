"""Link fields (RFC 8288): where a response leads, such as the next page of a list.

What servers write is taken as it comes: nothing here raises, and every pattern walks over its text once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from .disposition import decode_extended
from .media import QUOTED_TEXT, parse_parameters
from .url import join_url, quote_raw_bytes

_LINK = re.compile(rf'<([^<>]*+)>((?:[^,"]++|{QUOTED_TEXT})*+)', re.DOTALL)

_MOST = 1000
"""Links that are made of fields: 1 MiB of `<>,` would be 350,000 of them."""


_MOST_TEXT = 1024 * 1024
"""Characters of their URLs together: a base of 64 KiB would be put before each."""


class Link(NamedTuple):
    """A link.

    Attributes:
        url: absolute: resolved against the URL of the response, which the server's may be relative to. What is not
            ASCII in it is percent-encoded.
        rel: relation types, in lower case, blanks between them; "" if there is none.
        params: all parameters, rel included, by their names in lower case. `title*`, decoded, takes title's place.
    """

    url: str
    rel: str
    params: dict[str, str]


def parse_links(values: Iterable[str], base: str) -> list[Link]:
    """Return the links of Link fields, in order, 1000 and 1 MiB of URLs at most; what is no link is left out.

    Of parameters with one name the first counts, as the RFC has it for rel, media, title and type.

    Args:
        values: of the fields, decoded as latin-1.
        base: the absolute URL of the response.
    """
    links: list[Link] = []
    left = _MOST_TEXT
    for match in islice((match for value in values for match in _LINK.finditer(value)), _MOST):
        links.append(_build_link(_resolve(match[1].strip(" \t"), base), match[2]))
        left -= len(links[-1].url)
        if left < 0:
            break
    return links


def _resolve(reference: str, base: str) -> str:
    try:
        reference = quote_raw_bytes(reference)
    except UnicodeError:  # a host that is not UTF-8: nothing can be connected to
        pass
    return join_url(base, reference)


def _build_link(url: str, section: str) -> Link:
    params = parse_parameters(section) if section else {}
    title = decode_extended(params.pop("title*", ""))
    if title is not None:
        params["title"] = title
    return Link(url, " ".join(params.get("rel", "").lower().split()), params)


def index_links(links: Iterable[Link]) -> dict[str, Link]:
    """Return links by each of their relation types; the first of a type counts.

    A link with an anchor is left out: it leads from somewhere else, not from this response (RFC 8288 §3.2).
    """
    index: dict[str, Link] = {}
    for link in links:
        if "anchor" not in link.params:
            for relation in link.rel.split():
                index.setdefault(relation, link)
    return index
