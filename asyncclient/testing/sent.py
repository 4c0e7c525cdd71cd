"""A request as a transport for tests has received it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from ..message.fields import Fields
from ..transport import TransportRequest


class SentRequest(NamedTuple):
    """A request that a transport for tests has received.

    Attributes:
        method: the method.
        url: the URL, without userinfo and fragment.
        headers: the fields. Content-Length is missing if only a connection would add it.
        content: the body; b"" without a body.
        path_params: the parts of the URL that its route names in braces, decoded.
    """

    method: str
    url: str
    headers: Fields
    content: bytes
    path_params: Mapping[str, str] = {}

    @property
    def params(self) -> list[tuple[str, str]]:
        """The parameters of the query, decoded, in the order sent."""
        return parse_query(self.url.partition("?")[2])

    @property
    def text(self) -> str:
        """The content as UTF-8; invalid bytes are replaced."""
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        """Return the content as parsed JSON; raises a ValueError if it is not JSON."""
        return json.loads(self.content)

    def form(self) -> list[tuple[str, str]]:
        """Return the fields of an URL-encoded form, in the order sent."""
        return parse_query(self.text)


async def receive_request(request: TransportRequest) -> SentRequest:
    """Return a request with its whole body, and tell that it has been sent.

    Raises:
        TotalTimeout: the body was not read in time.
        Exception: an error of the body or of `on_start`.
    """
    sent = SentRequest(request.method, request.url, request.headers, await request.read_body())
    if request.on_start is not None:
        request.on_start()
    return sent


def parse_query(text: str) -> list[tuple[str, str]]:
    """Return the parameters of a query, decoded; those without a value too."""
    return parse_qsl(text, keep_blank_values=True)
