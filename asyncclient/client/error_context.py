"""Which request of a client an error belongs to: noted in the error, and named in its text."""

from __future__ import annotations

from typing import Final

from ..errors import HTTPException
from .request import Request

MAX_URL: Final = 120
"""Characters of a URL in the text of an error."""


def add_context(error: HTTPException, request: Request, response: object = None) -> None:
    """Note in an error which request failed, and the response whose head had been received by then."""
    if error.response is None:
        error.response = response
    if error.request is None:
        error.request = request
    if not error.context:
        error.context = f"{request.method} {shorten_url(request.url)}"


def shorten_url(url: str) -> str:
    """Return a URL for the text of an error: without userinfo, without the query's values, and not too long."""
    scheme, _, rest = url.partition("#")[0].partition("://")
    rest, mark, _ = rest.partition("?")
    authority, slash, path = rest.partition("/")
    short = f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    if len(short) > MAX_URL:
        short = f"{short[: MAX_URL - 3]}..."
    return f"{short}?..." if mark else short
