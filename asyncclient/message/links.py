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

_LINK = re.compile(rf'<([^<>]*+)>((?:[^,"]++|{QUOTED_TEXT})*+)', re.DOTALL)

_MOST = 1000
"""Links that are made of fields: 1 MiB of `<>,` would be 350,000 of them."""


class Link(NamedTuple):
    """A link.

    Attributes:
        url: as the server wrote it, so it may be relative: to the URL of the response.
        rel: relation types, in lower case, blanks between them; "" if there is none.
        params: all parameters, rel included, by their names in lower case. `title*`, decoded, takes title's place.
    """

    url: str
    rel: str
    params: dict[str, str]


def parse_links(values: Iterable[str]) -> list[Link]:
    """Return the links of Link fields, in order, 1000 at most; what is no link is left out.

    Of parameters with one name the first counts, as the RFC has it for rel, media, title and type.
    """
    found = (match for value in values for match in _LINK.finditer(value))
    return [_build_link(match[1], match[2]) for match in islice(found, _MOST)]


def _build_link(url: str, section: str) -> Link:
    params = parse_parameters(section) if section else {}
    title = decode_extended(params.pop("title*", ""))
    if title is not None:
        params["title"] = title
    return Link(url.strip(" \t"), " ".join(params.get("rel", "").lower().split()), params)


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
