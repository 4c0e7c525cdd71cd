"""The states of http.client's connection."""

from __future__ import annotations

from typing import Final


class State:
    """Strings, which http.client shows in its errors, and which programs compare and set."""

    IDLE: Final = "Idle"
    STARTED: Final = "Request-started"
    SENT: Final = "Request-sent"
