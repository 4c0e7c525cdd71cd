"""The figures of a crawl."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(slots=True)
class Tally:
    """The numbers that a crawler counts since its start; CrawlStats describes them."""

    pages: int = 0
    errors: int = 0
    retries: int = 0
    redirects: int = 0
    bytes: int = 0


class CrawlStats(NamedTuple):
    """The figures of a crawl.

    Attributes:
        seconds: since its start.
        pages: pages that were fetched, of any status, since its start.
        errors: the ones among them with an error or a status from 400.
        retries: fetches that were tried again since its start.
        redirects: redirects whose targets were added, or were known, since its start.
        bytes: of decoded content since its start.
        running: fetches in progress, with those that wait for politeness.
        ready: pages that wait for the program.
        waiting: URLs in the frontier that are not finished.
        done: finished URLs, also of earlier crawls with the same frontier.
        failed: the same, of those that failed.
        hosts: hosts that are being asked or will be soon.
    """

    seconds: float
    pages: int
    errors: int
    retries: int
    redirects: int
    bytes: int
    running: int
    ready: int
    waiting: int
    done: int
    failed: int
    hosts: int

    @property
    def rate(self) -> float:
        """Pages per second since the start."""
        return self.pages / self.seconds if self.seconds else 0.0


class HostStats(NamedTuple):
    """The figures of a host in a crawl.

    Attributes:
        host: its name.
        at_hand: URLs that are loaded from the frontier; more may wait there.
        running: fetches in progress.
        pages: pages that were fetched, also in earlier crawls with the same frontier.
        errors: the ones among them with an error or a status from 400, since it was last loaded.
        resting: seconds until it may be asked again; 0 if it may be asked now.
    """

    host: str
    at_hand: int
    running: int
    pages: int
    errors: int
    resting: float
