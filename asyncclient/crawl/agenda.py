"""The entries that are at hand, and which of them may be fetched now. Pure state, without a loop.

The frontier holds all entries. The agenda holds the next few of each host, so that choosing one takes no I/O. Hosts
take turns. A host that may not be asked yet is looked at again when its time has come, or when one of its fetches has
ended; until then it costs nothing.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Final, NamedTuple

from .entry import Entry, Outcome
from .frontier import Taken

CAPACITY: Final = 32_768
"""Entries that may be at hand, of all hosts together."""

MOST_HOSTS: Final = 8192
"""Hosts with entries at hand; further ones take their places when they have none left."""

MOST_PER_HOST: Final = 128
LEAST_PER_HOST: Final = 4

LONG_REST: Final = 10.0
"""Seconds of rest after which a host gives its place to others for as long."""

RECHECK: Final = 0.05
"""Seconds after which a host is looked at again if its next request depends on one that is about to be sent."""


class Line:
    """The entries of one host.

    Attributes:
        host: its name.
        limit: fetches that may be in progress.
        entries: those at hand, the next one first.
        running: fetches in progress.
        errors: fetches that have failed.
        unwritten: ended fetches that the frontier does not know yet.
        pages: pages that were fetched, or are being fetched.
        is_all: True if no other entry of the host waits in the frontier.
        is_loading: True while entries are taken from the frontier.
        is_queued: True if it is in the queue of hosts that may be asked.
        wakes_at: when it is looked at again; infinite without a time.
    """

    __slots__ = (
        "entries",
        "errors",
        "host",
        "is_all",
        "is_loading",
        "is_queued",
        "limit",
        "pages",
        "running",
        "unwritten",
        "wakes_at",
    )

    def __init__(self, host: str, limit: int) -> None:
        self.host = host
        self.limit = limit
        self.entries: deque[Entry] = deque()
        self.running = 0
        self.unwritten = 0
        self.errors = 0
        self.pages = 0
        self.is_all = False
        self.is_loading = False
        self.is_queued = False
        self.wakes_at = math.inf

    @property
    def is_over(self) -> bool:
        """True if the frontier knows all that is known here, and no entry waits."""
        return not (self.entries or self.running or self.unwritten or self.is_loading) and self.is_all


class HostAgenda(NamedTuple):
    """A host at one moment.

    Attributes:
        host: its name.
        at_hand: entries that are loaded from the frontier; more may wait there.
        running: fetches in progress.
        pages: pages that were fetched, or are being fetched.
        errors: fetches that have failed since the host was admitted.
    """

    host: str
    at_hand: int
    running: int
    pages: int
    errors: int


class Agenda:
    """Chooses the next entry.

    Args:
        ready_at: returns from when on a host may be asked; infinite if that depends on a request in progress.
        per_host: returns how many fetches of a host may be in progress.
        max_pages: the budget of pages per host; None for no limit.
        most_hosts: hosts with entries at hand.
        capacity: entries at hand.
    """

    def __init__(
        self,
        ready_at: Callable[[str], float] | None,
        per_host: Callable[[str], int],
        max_pages: int | None = None,
        *,
        most_hosts: int = MOST_HOSTS,
        capacity: int = CAPACITY,
    ) -> None:
        self._ready_at = ready_at
        self._per_host = per_host
        self._max_pages = math.inf if max_pages is None else max_pages
        self._most_hosts = most_hosts
        self._capacity = capacity
        self._lines: dict[str, Line] = {}
        self._queue: deque[Line] = deque()
        self._hungry: dict[str, Line] = {}
        self._resting: list[tuple[float, int, Line]] = []
        self._delayed: list[tuple[float, int, Outcome]] = []
        self._parked: dict[str, float] = {}
        self._spent: set[str] = set()
        self._numbers = count()
        self._given_back: list[Entry] = []
        self._left: set[int] = set()  # ids of entries, see leave()
        self.has_unknown_hosts = False  # in the frontier

    # Hosts

    def note_added(self, hosts: Iterable[str]) -> None:
        """Note that the frontier has new entries of these hosts."""
        for host in hosts:
            line = self._lines.get(host)
            if line is not None:
                line.is_all = False
                self._check_stock(line)
            elif host not in self._parked and host not in self._spent:
                self._admit(host)

    def _admit(self, host: str) -> None:
        if len(self._lines) >= self._most_hosts:
            self.has_unknown_hosts = True
            return
        line = self._lines[host] = Line(host, self._per_host(host))
        self._hungry[host] = line

    def count_places(self) -> int:
        """Return how many further hosts may be admitted."""
        return self._most_hosts - len(self._lines)

    def count_hosts(self) -> int:
        """Return how many hosts have entries at hand or fetches in progress, or rest."""
        return len(self._lines) + len(self._parked)

    def list_known(self) -> list[str]:
        """Return the hosts that need not be looked for in the frontier."""
        return [*self._lines, *self._parked, *self._spent]

    def hosts(self) -> Iterator[HostAgenda]:
        """Yield the hosts that have entries at hand or fetches in progress."""
        for line in self._lines.values():
            yield HostAgenda(line.host, len(line.entries), line.running, line.pages, line.errors)

    # Stock

    @property
    def _per_line(self) -> int:
        """The number of entries to have at hand for each host."""
        return max(LEAST_PER_HOST, min(MOST_PER_HOST, self._capacity // max(1, len(self._lines))))

    def _check_stock(self, line: Line) -> None:
        if not line.is_all and not line.is_loading and len(line.entries) <= self._per_line // 4:
            self._hungry[line.host] = line

    def want(self) -> dict[str, int]:
        """Return how many entries to take from the frontier for which hosts; put() ends each of them."""
        hungry, self._hungry = self._hungry, {}
        each = self._per_line
        wanted = {}
        for host, line in hungry.items():
            if self._lines.get(host) is line:
                line.is_loading = True
                wanted[host] = max(1, each - len(line.entries))
        return wanted

    @property
    def is_hungry(self) -> bool:
        """True if a host has few entries at hand, and others in the frontier."""
        return bool(self._hungry)

    @property
    def has_places(self) -> bool:
        """True if there are places for so many hosts that looking for them in the frontier is worth it."""
        return self.count_places() > self._most_hosts // 4

    @property
    def wants(self) -> bool:
        """True if entries should be taken from the frontier, or hosts be looked for in it."""
        return bool(self._hungry) or (self.has_unknown_hosts and self.has_places)

    def put(self, taken: dict[str, Taken]) -> None:
        """Put the entries at hand that were taken for the hosts of want(); a host that is missing has none."""
        for host, (entries, is_all, pages) in taken.items():
            line = self._lines[host]
            line.is_loading = False
            line.is_all = is_all
            line.pages = max(line.pages, pages + line.running)
            line.entries.extend(entries)
            self._update(line)

    def prefer(self, entry: Entry) -> None:
        """Make room for a new entry that comes before those at hand: these go back to the frontier."""
        line = self._lines.get(entry.host)
        if line is not None and line.entries and line.entries[-1].priority < entry.priority and not line.is_loading:
            self._given_back.extend(line.entries)
            line.entries.clear()
            line.is_all = False
            self._check_stock(line)

    def give_back(self) -> list[Entry]:
        """Return entries at hand that must go back to the frontier: their hosts rest, or have no budget left."""
        entries, self._given_back = self._given_back, []
        return entries

    def empty(self, host: str) -> None:
        """Give the entries of a host back and take no more of them; it is forgotten when its fetches are written."""
        self._parked.pop(host, None)
        self._spent.discard(host)
        self._hungry.pop(host, None)
        line = self._lines.get(host)
        if line is not None:
            self._given_back.extend(line.entries)
            line.entries.clear()
            line.is_all = True
            self._remove_if_over(line)

    def __contains__(self, host: object) -> bool:
        """Return True if a host has entries at hand or fetches whose outcomes are not written."""
        return host in self._lines

    # Choosing

    def choose(self, now: float) -> Entry | None:
        """Return the next entry that may be fetched, whose fetch is then in progress; None if there is none."""
        self._wake(now)
        queue = self._queue
        while queue:
            line = queue.popleft()
            line.is_queued = False
            if self._may_start(line, now):
                return self._start(line)
        return None

    def choose_again(self, host: str, now: float) -> Entry | None:
        """Return the next entry of a host that may be fetched, out of turn, because a connection to it is open."""
        line = self._lines.get(host)
        if line is None or not line.entries or not self._may_start(line, now):
            return None
        return self._start(line)

    def _start(self, line: Line) -> Entry:
        entry = line.entries.popleft()
        line.running += 1
        line.pages += 1
        if line.entries:
            self._enqueue(line)
        self._check_stock(line)
        return entry

    def _may_start(self, line: Line, now: float) -> bool:
        """Return True if the next entry of a host may be fetched; otherwise see to it that it is looked at again."""
        if not line.entries:
            return False
        if line.pages >= self._max_pages:
            self._end_budget(line)
            return False
        if line.running >= line.limit:
            return False  # it is looked at again when a fetch ends
        at = -math.inf if self._ready_at is None else self._ready_at(line.host)
        if at <= now:
            return True
        if LONG_REST < at - now < math.inf and not line.running and not line.unwritten:
            self._park(line, at)
        else:
            self._rest(line, now + RECHECK if at == math.inf else at)
        return False

    def end(self, entry: Entry, *, is_page: bool, is_error: bool) -> None:
        """Note the end of a fetch, whose outcome is written later.

        Args:
            entry: from choose().
            is_page: False if it does not count against the budget.
            is_error: True if it has failed.
        """
        line = self._lines[entry.host]
        line.errors += is_error
        line.running -= 1
        line.pages -= not is_page
        line.unwritten += 1
        self._update(line)

    def delay(self, outcome: Outcome, until: float) -> None:
        """Keep the outcome of a fetch that has ended until a time; see take_due()."""
        heapq.heappush(self._delayed, (until, next(self._numbers), outcome))

    def take_due(self, now: float) -> Iterator[Outcome]:
        """Yield the delayed outcomes whose time has come."""
        delayed = self._delayed
        while delayed and delayed[0][0] <= now:
            yield heapq.heappop(delayed)[2]

    def note_written(self, entries: Iterable[Entry]) -> None:
        """Note that the frontier knows the outcomes of these entries, whose fetches have ended."""
        for entry in entries:
            if entry.id in self._left:
                self._left.discard(entry.id)
            else:
                self._end_unwritten(self._lines[entry.host])

    def leave(self, entry: Entry) -> None:
        """Wait no longer for the outcome of an ended fetch: its page may never be finished."""
        self._left.add(entry.id)
        self._end_unwritten(self._lines[entry.host])

    def _end_unwritten(self, line: Line) -> None:
        line.unwritten -= 1
        if line.entries and not line.unwritten and line.pages >= self._max_pages:
            self._enqueue(line)  # _end_budget() has waited for this
        self._remove_if_over(line)

    def _remove_if_over(self, line: Line) -> None:
        if line.is_over:
            del self._lines[line.host]

    def _update(self, line: Line) -> None:
        """Look at a host again after something has changed."""
        if line.entries:
            self._enqueue(line)
        self._check_stock(line)
        self._remove_if_over(line)

    def _enqueue(self, line: Line) -> None:
        if not line.is_queued:
            line.is_queued = True
            line.wakes_at = math.inf
            self._queue.append(line)

    def _end_budget(self, line: Line) -> None:
        """Give the entries of a host back that has no budget left, once no fetch in progress can return some of it."""
        if not line.running and not line.unwritten:
            self._spent.add(line.host)
            self._drop(line)

    def _drop(self, line: Line) -> None:
        self._given_back.extend(line.entries)
        line.entries.clear()
        self._hungry.pop(line.host, None)
        if not line.is_loading:
            del self._lines[line.host]

    # Time

    def _park(self, line: Line, until: float) -> None:
        """Take the place of a host that rests for long."""
        if line.is_loading:
            self._rest(line, until)
            return
        self._drop(line)
        self._parked[line.host] = until
        heapq.heappush(self._resting, (until, next(self._numbers), line))
        line.wakes_at = until

    def _rest(self, line: Line, until: float) -> None:
        line.wakes_at = until
        heapq.heappush(self._resting, (until, next(self._numbers), line))

    def _wake(self, now: float) -> None:
        """Put the hosts into the queue whose time has come."""
        resting = self._resting
        while resting and resting[0][0] <= now:
            when, _, line = heapq.heappop(resting)
            if line.wakes_at != when:
                continue
            line.wakes_at = math.inf
            if self._parked.pop(line.host, None) is None:
                self._enqueue(line)
            else:
                self._admit(line.host)

    @property
    def wakes_at(self) -> float:
        """When a host may be asked that rests now, or a delayed outcome is due; infinite without any."""
        resting, delayed = self._resting, self._delayed
        while resting and resting[0][0] != resting[0][2].wakes_at:
            heapq.heappop(resting)
        at = resting[0][0] if resting else math.inf
        return min(at, delayed[0][0]) if delayed else at

    @property
    def has_ready(self) -> bool:
        """True if a host may have an entry that may be fetched now."""
        return bool(self._queue)

    @property
    def is_over(self) -> bool:
        """True if nothing is at hand, in progress, or waiting in the frontier, but for hosts without budget."""
        return not (self._lines or self._parked or self.has_unknown_hosts)
