"""Adding the failed request to an error, and its method and URL to the text."""

from __future__ import annotations

from typing import Final

from ..errors import HTTPException
from .request import Request

MAX_URL: Final = 120
"""Characters of a URL in an error text."""


def add_context(error: HTTPException, request: Request, response: object = None) -> None:
    """Set the failed request of an error, and the response if its head was received."""
    if error.response is None:
        error.response = response
    if error.request is None:
        error.request = request
    if not error.context:
        error.context = f"{request.method} {shorten_url(request.url)}"


def shorten_url(url: str) -> str:
    """Return a URL for an error text: without userinfo and query values, and shortened."""
    scheme, _, rest = url.partition("#")[0].partition("://")
    rest, mark, _ = rest.partition("?")
    authority, slash, path = rest.partition("/")
    short = f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    if len(short) > MAX_URL:
        short = f"{short[: MAX_URL - 3]}..."
    return f"{short}?..." if mark else short
