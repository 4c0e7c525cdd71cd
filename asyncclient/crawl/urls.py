"""The normal form of URLs, by which a crawl knows that it has seen one."""

from __future__ import annotations

from ..message.url import parse_url


def find_host(url: str) -> str:
    """Return the host of a URL, as politeness rules know it: in lower case, without the final dot.

    Raises:
        InvalidURL: it is not an http or https URL.
    """
    return parse_url(url).host.removesuffix(".")
