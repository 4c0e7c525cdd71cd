"""A page: what a crawler returns for each URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .entry import Entry

if TYPE_CHECKING:
    from ..client.response import Response


class Page:
    """The result of fetching a URL: a response with its whole content, or an error.

    Attributes:
        entry: the entry of the frontier.
        response: the response, of any status; None if there is an error.
        error: why there is no response; None if there is one.
        reason: why it counts as failed in the frontier; "" if it does not.
    """

    __slots__ = ("entry", "error", "reason", "response")

    def __init__(
        self, entry: Entry, response: Response | None, error: Exception | None = None, reason: str = ""
    ) -> None:
        self.entry = entry
        self.response = response
        self.error = error
        self.reason = reason

    @property
    def url(self) -> str:
        """The normalised URL."""
        return self.entry.url

    @property
    def depth(self) -> int:
        """The number of links that led to it from a URL that was added first."""
        return self.entry.depth

    @property
    def meta(self) -> Any:
        """The value that was added with the URL."""
        return self.entry.meta

    @property
    def status(self) -> int | None:
        """The status code; None without a response."""
        return None if self.response is None else self.response.status

    @property
    def size(self) -> int:
        """Bytes of decoded content; 0 without a response."""
        return 0 if self.response is None else len(self.response.content)

    @property
    def ok(self) -> bool:
        """True if there is a response with a status below 400."""
        return self.response is not None and self.response.status < 400

    def __repr__(self) -> str:
        return f"<Page {self.url} {self.error or self.status!r}>"
