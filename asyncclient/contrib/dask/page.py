"""A page that a worker has fetched, and the values that travel between the workers and the crawler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...crawl.entry import Entry
from ...crawl.fetching import Fetched
from ...crawl.page import Page


class Report(NamedTuple):
    """The result of an entry on its way from a worker; see Fetched and RemotePage.

    Attributes:
        id: the number of the entry.
    """

    id: int
    status: int | None = None
    error: Exception | None = None
    reason: str = ""
    redirect: str | None = None
    is_again: bool = False
    rest: float | None = None
    size: int = 0
    digest: str = ""
    links: Sequence[str] = ()
    value: Any = None


def pack_entry(entry: Entry) -> tuple[Any, ...]:
    """Return an entry as a plain tuple, which is pickled faster than an object."""
    return (entry.id, entry.url, entry.host, entry.depth, entry.priority, entry.attempts, entry.meta)


def unpack_entry(values: tuple[Any, ...]) -> Entry:
    """Return the entry of a tuple."""
    number, url, host, depth, priority, attempts, meta = values
    return Entry(url, host=host, depth=depth, priority=priority, attempts=attempts, meta=meta, id=number)


class RemotePage(Page):
    """A page that a worker has fetched. It is small: the content stays on the worker, in a sink or with `on_page`.

    Attributes:
        entry: the entry of the frontier.
        response: None: it stays on the worker.
        error: why there is no response; None if there is one. It has neither request nor response.
        reason: why it counts as failed in the frontier; "" if it does not.
        digest: SHA-256 of that content, in hexadecimal digits; "" without a response.
        links: its links, if the crawler was told to return them.
        value: the value that `on_page` returned on the worker.
        worker: the address of the worker.
    """

    __slots__ = ("_size", "_status", "digest", "links", "value", "worker")

    def __init__(self, entry: Entry, report: Report, worker: str) -> None:
        super().__init__(entry, None, report.error, report.reason)
        self._status = report.status
        self._size = report.size
        self.digest = report.digest
        self.links = report.links
        self.value = report.value
        self.worker = worker

    @property
    def status(self) -> int | None:
        """The status code; None without a response."""
        return self._status

    @property
    def size(self) -> int:
        """Bytes of decoded content; 0 without a response."""
        return self._size

    @property
    def ok(self) -> bool:
        """True if there was a response with a status below 400."""
        return self._status is not None and self._status < 400


def judge_report(entry: Entry, report: Report, worker: str) -> Fetched:
    """Return the result of an entry for the crawler."""
    return Fetched(RemotePage(entry, report, worker), report.redirect, report.is_again, report.rest)
