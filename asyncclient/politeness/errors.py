"""The errors of a polite transport. Nothing was sent when one of them is raised."""

from __future__ import annotations

from ..errors import HTTPException


class HostResting(HTTPException):
    """The host asked for a pause, with status 429 or 503, that is longer than `Rules.max_wait`.

    Attributes:
        host: the name of the host.
        seconds: after how many seconds a request may be sent to it.
    """

    def __init__(self, message: str, host: str, seconds: float) -> None:
        super().__init__(message)
        self.host = host
        self.seconds = seconds


class CircuitOpen(HostResting):
    """The last requests to the host have failed, `Rules.max_failures` of them in a row, so none is sent for a while."""


class RobotsDisallowed(HTTPException):
    """The robots.txt of an origin does not allow the URL, or could not be fetched (RFC 9309).

    Attributes:
        url: the URL of the request, with its query.
        is_unreachable: True if robots.txt could not be fetched, because of a status of 5xx or a network error; a later
            request may find it.
    """

    def __init__(self, message: str, url: str, *, is_unreachable: bool) -> None:
        super().__init__(message)
        self.url = url
        self.is_unreachable = is_unreachable
