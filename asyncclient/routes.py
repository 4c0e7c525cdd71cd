"""Transports by URL: each request is sent by the transport for its scheme, host and port."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final, NamedTuple

from .errors import clip
from .message.target import check_host, encode_host, parse_port
from .transport import Destination, Transport, TransportRequest, TransportResponse, check_transport

_PATTERN: Final = re.compile(
    r"(?:(\*|https?)://)?+(\*(?:\.[^\s*:/?#@\[\]]++)?+|[^\s*:/?#@\[\]]++|\[[^\s*/?#@\[\]]++\])(?::([0-9]++))?+/?",
    re.IGNORECASE,
)


class _Pattern(NamedTuple):
    """A parsed pattern: "*" as scheme stands for any scheme, None as port for any port.

    `host` is a whole name, or "*" and the end of a name.
    """

    scheme: str
    host: str
    port: int | None

    def matches(self, destination: Destination) -> bool:
        """Return True if requests to a destination match."""
        if self.scheme not in ("*", destination.scheme) or self.port not in (None, destination.port):
            return False
        if self.host.startswith("*"):
            return destination.host.endswith(self.host[1:])
        return destination.host == self.host

    @property
    def specificity(self) -> tuple[bool, int, bool, bool]:
        """The order of patterns: a whole host, otherwise a longer end of a name, then a port, then a scheme."""
        return not self.host.startswith("*"), len(self.host), self.port is not None, self.scheme != "*"


class Routes:
    """A transport that sends each request by the transport for its URL.

    A pattern is ``scheme://host:port``. The scheme and the port may be left out, and then stand for any. ``*`` as host
    stands for any host, ``*.example.com`` for all names below example.com. Of several patterns that match, the most
    specific is used: a whole host, otherwise a longer end of a name; then a port, then a scheme.

    >>> from asyncclient import LocalResponse, PoolTransport
    >>> from asyncclient.testing import MockTransport
    >>> offline = MockTransport({"GET https://api.example.com/": LocalResponse(content="hello")})
    >>> transport = Routes({"*": PoolTransport(), "api.example.com": offline})

    Args:
        routes: transports by pattern. One transport may be given several times.

    Raises:
        ValueError: a pattern is invalid, or means the same as another one.
        TypeError: a value has no send() and aclose().
    """

    def __init__(self, routes: Mapping[str, Transport]) -> None:
        found: dict[_Pattern, Transport] = {}
        for text, transport in routes.items():
            pattern = _parse(text)
            if pattern in found:
                raise ValueError(f"expected each pattern once, got {clip(text)} twice")
            check_transport(transport)
            found[pattern] = transport
        self._routes = sorted(found.items(), key=lambda route: route[0].specificity, reverse=True)

    async def send(self, request: TransportRequest) -> TransportResponse:
        """Send a request by the transport for its URL; see Transport.send().

        Raises:
            LookupError: no pattern matches.
        """
        for pattern, transport in self._routes:
            if pattern.matches(request.destination):
                return await transport.send(request)
        raise LookupError(f"no transport for {request!r}: the pattern '*' matches any URL")

    async def aclose(self) -> None:
        """Close all transports, each once. If this fails for some, the others are closed nevertheless."""
        async with AsyncExitStack() as stack:
            for transport in {id(transport): transport for _, transport in self._routes}.values():
                stack.push_async_callback(transport.aclose)

    def __repr__(self) -> str:
        return f"<Routes {len(self._routes)}>"


def _parse(text: str) -> _Pattern:
    match = _PATTERN.fullmatch(text)
    if match is None:
        wanted = "scheme://host:port as pattern, with * or *.name as a host with a wildcard"
        raise ValueError(f"expected {wanted}, got {clip(text)}")
    scheme, host, port = match.groups()
    return _Pattern((scheme or "*").lower(), parse_host_pattern(host), None if port is None else parse_port(port))


def parse_host_pattern(text: str) -> str:
    """Return a pattern of hosts as it is compared with them: a host as sent and in lower case, `*.` and a name, or `*`.

    Raises:
        ValueError, InvalidURL: it is not a host, with or without `*.` before it.
    """
    if text == "*":
        return text
    name = encode_host(text.removeprefix("*.").strip("[]"))
    check_host(name)
    if "*" in name:
        raise ValueError(f"expected a host, *.name or * as pattern of hosts, got {clip(text)}")
    return ("*." if text.startswith("*.") else "") + name.lower()
