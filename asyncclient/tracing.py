"""Callbacks for the events of a client. Without a tracer they cost nothing."""

from __future__ import annotations

from typing import Any

from .timings import Timings


class Tracer:
    """Base class of tracers: each method is called after an event and does nothing here.

    The methods are called during requests: they must be fast, and an exception they raise ends the request. The URLs
    and fields passed to them may hold secrets.
    """

    def request_started(self, request: Any) -> None:
        """A request is about to be sent for the first time; `request` is the Request given to the client."""

    def request_repeated(self, request: Any, reason: str, seconds: float) -> None:
        """It is sent again after `seconds`. Reasons: "redirect", "challenge", "stale", "expectation", "retry"."""

    def response_received(self, request: Any, response: Any) -> None:
        """The head of the caller's response was received; also for a further response after content broke off."""

    def request_failed(self, request: Any, error: BaseException) -> None:
        """The request ended without a response, also by cancellation."""

    def connection_opened(self, label: str, timings: Timings) -> None:
        """A connection was opened; the label names its destination, the timings have the duration of each step."""

    def connection_failed(self, label: str, error: BaseException) -> None:
        """Opening a connection failed or was abandoned."""
