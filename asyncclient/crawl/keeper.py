"""Writing to the frontier and taking from it, together for many entries, by one task."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, Protocol

from .agenda import HostAgenda
from .entry import Entry, Outcome, State
from .frontier import Frontier, FrontierError, Taken

WRITE_EVERY: Final = 0.005
"""Seconds for which changes are collected before they are written, unless something waits for them."""

MOST_UNWRITTEN: Final = 64
"""Outcomes that are written at once; if there are more, the program waits until they are written."""


class Stock(Protocol):
    """The entries at hand, as a keeper and a crawler see them; see Agenda."""

    @property
    def has_unknown_hosts(self) -> bool:
        """True if the frontier may have hosts that are not known here."""
        ...

    @has_unknown_hosts.setter
    def has_unknown_hosts(self, value: bool) -> None: ...

    @property
    def wants(self) -> bool:
        """True if entries should be taken from the frontier, or hosts be looked for in it."""
        ...

    @property
    def is_over(self) -> bool:
        """True if nothing is left to do."""
        ...

    def note_added(self, hosts: Iterable[str]) -> None:
        """Note that the frontier has new entries of these hosts."""
        ...

    def prefer(self, entry: Entry) -> None:
        """Make room for a new entry that comes before those at hand."""
        ...

    def count_places(self) -> int:
        """Return how many further hosts may be admitted."""
        ...

    def count_hosts(self) -> int:
        """Return how many hosts are known."""
        ...

    def list_known(self) -> list[str]:
        """Return the hosts that need not be looked for in the frontier."""
        ...

    def hosts(self) -> Iterator[HostAgenda]:
        """Yield the hosts that have entries at hand or fetches in progress."""
        ...

    def want(self) -> dict[str, int]:
        """Return how many entries to take from the frontier for which hosts."""
        ...

    def put(self, taken: dict[str, Taken]) -> None:
        """Put the entries at hand that were taken."""
        ...

    def give_back(self) -> list[Entry]:
        """Return entries that must go back to the frontier."""
        ...

    def end(self, entry: Entry, *, is_page: bool, is_error: bool) -> None:
        """Note the end of a fetch."""
        ...

    def delay(self, outcome: Outcome, until: float) -> None:
        """Keep the outcome of a fetch until a time."""
        ...

    def take_due(self, now: float) -> Iterator[Outcome]:
        """Yield the delayed outcomes whose time has come."""
        ...

    def leave(self, entry: Entry) -> None:
        """Wait no longer for the outcome of an ended fetch."""
        ...

    def note_written(self, entries: Iterable[Entry]) -> None:
        """Note that the frontier knows the outcomes of these entries."""
        ...


class Keeper:
    """Keeps frontier and agenda equal: it writes new entries and outcomes, and takes entries for hosts that run out.

    An outcome is written after all entries that were added before it: after a crash, no page is finished whose links
    are not known.

    Args:
        frontier: the frontier.
        agenda: the agenda.
        flush: called before outcomes are written; it passes the pages on to their sinks.
        on_change: called after entries were written or taken.

    Attributes:
        waiting, done, failed: the numbers of entries in the frontier.
        pages: how many outcomes of earlier crawls count against the budget.
    """

    def __init__(
        self,
        frontier: Frontier,
        agenda: Stock,
        flush: Callable[[], Awaitable[None]],
        on_change: Callable[[], None],
    ) -> None:
        self._frontier = frontier
        self._agenda = agenda
        self._flush = flush
        self._on_change = on_change
        self._added: list[Entry] = []
        self._outcomes: list[Outcome] = []
        self._adders: list[asyncio.Future[None]] = []
        self._is_wanted = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._is_busy = self._is_closing = self._has_failed = False
        self._task: asyncio.Task[None] | None = None
        self.waiting = self.done = self.failed = self.pages = 0

    async def open(self) -> None:
        """Open the frontier, and note what an earlier crawl has left in it."""
        self.waiting, self.done, self.failed, self.pages = await self._frontier.open()
        self._agenda.has_unknown_hosts = self.waiting > 0

    @property
    def is_idle(self) -> bool:
        """True if the frontier knows everything, and nothing is to be taken from it."""
        return not (self._is_busy or self._added or self._outcomes or self._agenda.wants)

    # Changes

    def add(self, entry: Entry) -> None:
        """Add an entry; the frontier ignores it if it has seen the URL."""
        self._added.append(entry)

    async def add_all(self, entries: Iterable[Entry]) -> None:
        """Add entries; return when they are written."""
        self._added.extend(entries)
        if self._has_failed:
            raise FrontierError("the frontier has failed before")
        future = asyncio.get_running_loop().create_future()
        self._adders.append(future)
        self._is_wanted.set()
        await future

    def finish(self, outcome: Outcome) -> None:
        """Note the outcome of an entry whose fetch has ended."""
        self._outcomes.append(outcome)

    async def wait_for_room(self) -> None:
        """Return when few enough outcomes are unwritten; at once, if the frontier is not behind."""
        while len(self._outcomes) >= MOST_UNWRITTEN and not (self._has_failed or self._is_closing):
            await self.add_all(())

    def ask(self, *, is_urgent: bool) -> None:
        """Let the changes be written and entries be taken: now, or together with those of the next few milliseconds."""
        if is_urgent or self._agenda.wants or len(self._outcomes) >= MOST_UNWRITTEN:
            self._is_wanted.set()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_EVERY, self._is_wanted.set)

    # The task

    def start(self, on_error: Callable[[BaseException], None]) -> None:
        """Start the task; `on_error` is called if the frontier or a sink fails."""
        self._task = asyncio.create_task(self._run(on_error))

    async def _run(self, on_error: Callable[[BaseException], None]) -> None:
        try:
            while not self._is_closing:
                await self._is_wanted.wait()
                self._is_wanted.clear()
                self._stop_timer()
                await self._work()
                self._on_change()
        except Exception as error:
            self._has_failed = True
            self._fail_adders(error)
            on_error(error)

    async def _work(self) -> None:
        self._is_busy = True
        try:
            await self._write()
            if not self._is_closing:
                await self._load()
        finally:
            self._is_busy = False

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _write(self) -> None:
        outcomes, self._outcomes = self._outcomes, []  # first: the links of later pages may not have been added yet
        await self._write_added()
        back = [Outcome(entry, State.WAITING, counts=False) for entry in self._agenda.give_back()]
        if not outcomes and not back:
            return
        await self._flush()
        await self._frontier.finish(outcomes + back)
        self._count(outcomes)
        self._agenda.note_written(outcome.entry for outcome in outcomes)
        self._agenda.note_added({outcome.entry.host for outcome in outcomes if outcome.state is State.WAITING})

    async def _write_added(self) -> None:
        added, self._added = self._added, []
        adders, self._adders = self._adders, []  # together: later callers wait for the next write
        if added:
            try:
                new = await self._frontier.add(added)
            except BaseException:
                self._adders = adders + self._adders  # they get the error, too
                raise
            self.waiting += sum(new.values())
            self._agenda.note_added(new)
            for entry in added:
                self._agenda.prefer(entry)
        for future in adders:
            if not future.done():
                future.set_result(None)

    def _count(self, outcomes: list[Outcome]) -> None:
        done = sum(outcome.state is State.DONE for outcome in outcomes)
        failed = sum(outcome.state is State.FAILED for outcome in outcomes)
        self.done += done
        self.failed += failed
        self.waiting -= done + failed

    async def _load(self) -> None:
        agenda = self._agenda
        if agenda.has_unknown_hosts and (places := agenda.count_places()):
            agenda.has_unknown_hosts = False  # it may be set while the frontier is asked
            hosts = await self._frontier.find_hosts(places, agenda.list_known())
            agenda.has_unknown_hosts |= len(hosts) >= places
            agenda.note_added(hosts)
        wanted = agenda.want()
        if wanted:
            agenda.put(await self._frontier.take(wanted))
        if agenda.wants:
            self._is_wanted.set()

    def _fail_adders(self, error: Exception) -> None:
        for future in self._adders:
            if not future.done():
                future.set_exception(error)

    async def aclose(self) -> None:
        """Write everything, unless that has failed before, and close the frontier."""
        self._is_closing = True
        self._is_wanted.set()
        try:
            if self._task is not None:
                await self._task
            if not self._has_failed:
                await self._write()  # outcomes that were added meanwhile
        except Exception as error:
            self._fail_adders(error)
            raise
        finally:
            self._stop_timer()
            await self._frontier.aclose()
