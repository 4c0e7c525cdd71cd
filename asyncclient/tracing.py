"""Being told what a client does. Without a tracer nothing of this costs anything."""

from __future__ import annotations

from typing import Any

from .timings import Timings


class Tracer:
    """Base of tracers: each method is called when something has happened, and does nothing here.

    They are called in the middle of requests: they must be quick, and what they raise ends the request. URLs and fields
    that they are shown may hold secrets.
    """

    def request_started(self, request: Any) -> None:
        """A request is about to be sent for the first time; it is the Request given to the client."""

    def request_repeated(self, request: Any, reason: str, seconds: float) -> None:
        """It goes out again, after that many seconds; why: "redirect", "challenge", "stale", "expectation", "retry"."""

    def response_received(self, request: Any, response: Any) -> None:
        """The head of the response that the caller gets has come; of another, too, after content that broke off."""

    def request_failed(self, request: Any, error: BaseException) -> None:
        """It ended without a response; cancellation is an error, too."""

    def connection_opened(self, label: str, timings: Timings) -> None:
        """A connection was opened; the label says where to, the timings how long each step took."""

    def connection_failed(self, label: str, error: BaseException) -> None:
        """A connection could not be opened, or was given up while it was opened."""
