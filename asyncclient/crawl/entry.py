"""Entries of a frontier: URLs to fetch, their states, and the outcome of fetching them."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any, NamedTuple

from .urls import find_host


class Entry:
    """A URL to fetch.

    Attributes:
        url: normalised, see normalize_url().
        host: the name whose rules hold for it, see Polite.
        depth: the number of links that lead to it from a URL that was added first.
        priority: entries of a host with a higher number are fetched before others.
        attempts: how many times it was fetched without success.
        meta: any value of the user that JSON can hold; None without one.
        id: its number in the frontier, in the order in which URLs of its host were added; 0 before that.
    """

    __slots__ = ("attempts", "depth", "host", "id", "meta", "priority", "url")

    def __init__(
        self,
        url: str,
        *,
        host: str | None = None,
        depth: int = 0,
        priority: int = 0,
        attempts: int = 0,
        meta: Any = None,
        id: int = 0,
    ) -> None:
        self.url = url
        self.host = find_host(url) if host is None else host
        self.depth = depth
        self.priority = priority
        self.attempts = attempts
        self.meta = meta
        self.id = id

    def __repr__(self) -> str:
        return f"<Entry {self.id} {self.url} depth {self.depth}, {self.attempts} attempts>"


def check_meta(meta: object) -> None:
    """Check that JSON can hold the meta of an entry.

    Raises:
        TypeError, ValueError: it can't.
    """
    if meta is not None:
        json.dumps(meta)


class State(IntEnum):
    """The state of an entry.

    Attributes:
        WAITING: it is to be fetched.
        DONE: it was fetched, and its page was handled.
        FAILED: it is not fetched again.
    """

    WAITING = 0
    DONE = 1
    FAILED = 2


class Outcome(NamedTuple):
    """The result of a taken entry.

    Attributes:
        entry: the entry.
        state: WAITING to fetch it again after the other entries of its host.
        reason: why it failed; "" if it did not.
        counts: True if it was fetched, so that it counts as an attempt and against the budget of its host.
    """

    entry: Entry
    state: State
    reason: str = ""
    counts: bool = True


class Counts(NamedTuple):
    """How many entries of a frontier are in each state. Taken entries are waiting until they are finished.

    Attributes:
        pages: how many outcomes count against a budget; redirects that were followed, for example, do not.
    """

    waiting: int = 0
    done: int = 0
    failed: int = 0
    pages: int = 0
