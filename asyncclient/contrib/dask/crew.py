"""The workers of a cluster: entries are given to them and results taken from them, many in each call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from ...crawl.entry import Entry
from ...crawl.fetching import Fetched
from ...crawl.workers import Fetching
from ...errors import HTTPException
from ...politeness import Clock
from .fetcher import Settings, Yield
from .holds import Holds
from .page import Report, judge_report, pack_entry
from .plugin import FetchPlugin, exchange, unpack
from .spread import Spread

if TYPE_CHECKING:
    from distributed import Client

LINGER: Final = 0.05
"""Seconds after a first result for which a worker collects more."""

PATIENCE: Final = 10.0
"""Seconds for which a worker waits for a first result, before it is called again."""

PROBE_EVERY: Final = 0.05
"""Seconds after which an event is sent again that shows whether events are received."""

GRACE: Final = 1.0
"""Seconds for which a worker may go on to fetch after the scheduler has dropped it, before dask closes it."""

JOIN_PATIENCE: Final = 5.0
"""Seconds for which the present workers are awaited, some of which may be lost meanwhile."""

MOST_LOSSES: Final = 2
"""Workers that may be lost with an entry until it has failed."""


class WorkerLost(HTTPException):
    """The worker was lost while the URL was in progress there, for the second time; so it may be the cause."""


class _Lost(Exception):
    """A worker has closed, or there is no connection to it.

    Attributes:
        grace: seconds for which it may still send requests.
    """

    def __init__(self, grace: float) -> None:
        super().__init__("a worker has closed, or there is no connection to it")
        self.grace = grace


class Shard:
    """The share of a worker.

    Attributes:
        worker: the address of the worker.
        running: the entries in progress there, by number.
        recalled: hosts whose entries are to be returned that are not being fetched yet; None for all hosts.
        is_waiting: True while the worker waits for results to return.
        is_feeding: True while entries are given to it meanwhile.
        has_successor: True if a new worker has this address already.
    """

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self.running: dict[int, Entry] = {}
        self.recalled: list[str] | None = []
        self.is_waiting = False
        self.is_feeding = False
        self.has_successor = False

    def recall(self, hosts: list[str]) -> None:
        """Note hosts whose entries are to be returned, in addition to others."""
        if self.recalled is not None:
            self.recalled += hosts


class Crew(Fetching):
    """Lets the workers of a cluster fetch the entries of their agendas.

    A call waits on each worker, and returns as soon as there are results, with all of them. Entries are given with the
    next call, or with one of their own if that is going to wait. Messages are so few that they cost little, and a slow
    host holds up no other.

    Args:
        client: the client of the cluster.
        name: the name of the crawl.
        settings: how the workers fetch.
        spread: the agendas.
        holds: told which worker may have asked which hosts.
        clock: the clock of the agendas.
        batch: results for which a worker does not wait any longer.
        window: entries that may be in progress on a worker.
        settle: handles a result; it waits while the program is behind.
        on_change: called when entries could be started, or when a worker has joined or left.
        on_error: called with an error that ends the crawl.
    """

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        settings: Settings,
        spread: Spread,
        holds: Holds,
        clock: Clock,
        batch: int,
        window: int,
        settle: Callable[[Fetched], Awaitable[None]],
        on_change: Callable[[], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        super().__init__(clock, on_change)
        self._client: Any = client  # dask has few annotations
        self._name = name
        self._settings = settings
        self._spread = spread
        self._holds = holds
        self._batch = batch
        self._window = window
        self._settle = settle
        self._on_change = on_change
        self._on_error = on_error
        self._is_open = False
        self._is_subscribed = False
        self._has_event = asyncio.Event()
        self._shards: dict[str, Shard] = {}
        self._lost: dict[int, int] = {}

    # The cluster

    async def open(self) -> None:
        """Open a fetcher on each worker, also on those that join later; return when the present ones are ready."""
        self._is_open = True
        self._client.subscribe_topic(self._name, self._note_event)
        while not self._is_subscribed:  # the subscription and the plugin take different ways to the scheduler
            await self._client.log_event(self._name, {"worker": None})
            await self._wait_for_event(PROBE_EVERY)
        present = await self._client.register_plugin(FetchPlugin(self._name, self._settings), name=self._name)
        deadline = self._clock.now() + JOIN_PATIENCE
        while not self._shards.keys() >= present.keys() and self._clock.now() < deadline:
            await self._wait_for_event(PROBE_EVERY)

    async def _wait_for_event(self, seconds: float) -> None:
        self._has_event.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._has_event.wait()
        except TimeoutError:
            pass

    def _note_event(self, event: tuple[float, Any]) -> None:
        """Note that a worker has opened a fetcher; it may have the address of one whose loss is not noticed yet."""
        self._is_subscribed = True
        self._has_event.set()
        worker = event[1]["worker"]
        if worker in self._shards:
            self._shards[worker].has_successor = True
        elif worker is not None and not self._is_stopped:
            self._join(worker)

    def _join(self, worker: str) -> None:
        shard = self._shards[worker] = Shard(worker)
        for other, hosts in self._spread.add_worker(worker).items():
            self._shards[other].recall(hosts)
        self._spawn(self._guard(shard, self._attend(shard)))
        self._on_change()

    async def _guard(self, shard: Shard, talk: Awaitable[None]) -> None:
        """Run a conversation with a worker."""
        try:
            await talk
        except _Lost as lost:
            if self._client.status == "running":
                await self._lose(shard, lost.grace)
            else:
                self._on_error(lost.__cause__ or lost)
        except Exception as error:
            self._on_error(error)

    @property
    def workers(self) -> list[str]:
        """The addresses of the workers."""
        return [*self._shards]

    # Entries

    def __len__(self) -> int:
        return sum(len(shard.running) for shard in self._shards.values())

    @property
    def are_idle(self) -> bool:
        """True if a worker could have more in progress."""
        return any(self._has_room(shard) for shard in self._shards.values())

    def _has_room(self, shard: Shard) -> bool:
        return len(shard.running) <= self._window - self._batch

    def start(self) -> None:
        """Give the workers as many entries as they may have in progress."""
        for shard in self._shards.values():
            if shard.is_waiting and not shard.is_feeding:
                entries = self._choose(shard) if self._has_room(shard) else []
                if entries or shard.recalled != []:
                    shard.is_feeding = True
                    self._spawn(self._guard(shard, self._feed(shard, entries)))
        self._wake_at(self._spread.wakes_at)

    def _choose(self, shard: Shard) -> list[tuple[Any, ...]]:
        """Return entries for a worker, which are in progress from now on."""
        entries = []
        now = self._clock.now()
        while self.may_start and len(shard.running) < self._window:
            entry = self._spread.choose(shard.worker, now)
            if entry is None:
                break
            self.left -= 1
            shard.running[entry.id] = entry
            entries.append(pack_entry(entry))
        return entries

    # Conversations

    async def _attend(self, shard: Shard) -> None:
        """Give entries to a worker and take its results, until it closes."""
        is_closing = False
        while not is_closing:
            shard.is_waiting = True
            found = await self._call(shard, self._choose(shard), LINGER, PATIENCE)
            shard.is_waiting = False
            is_closing = found.is_closing
            await self._note(shard, found)
        if is_closing:
            raise _Lost(0.0)

    async def _feed(self, shard: Shard, entries: list[tuple[Any, ...]]) -> None:
        """Give entries to a worker while a call waits there."""
        found = await self._call(shard, entries, 0.0, 0.0)
        shard.is_feeding = False
        await self._note(shard, found)

    async def _call(self, shard: Shard, entries: list[tuple[Any, ...]], linger: float, patience: float) -> Yield:
        recalled, shard.recalled = shard.recalled, []
        try:
            found = await self._client.run(
                exchange, self._name, entries, recalled, self._batch, linger, patience, workers=[shard.worker]
            )
        except OSError as error:
            raise _Lost(GRACE) from error
        return unpack(found[shard.worker])

    async def _note(self, shard: Shard, found: Yield) -> None:
        now = self._clock.now()
        reports = [Report(*report) for report in found.reports]
        ended = [(entry, report) for report in reports if (entry := shard.running.get(report.id)) is not None]
        self._holds.note_asked(shard.worker, {entry.host for entry, _ in ended}, found.delays, now)
        for entry, report in ended:
            if report.rest:
                self._holds.note_rest(entry.host, now + report.rest)
            del shard.running[entry.id]
            self._lost.pop(entry.id, None)
            await self._settle(judge_report(entry, report, shard.worker))
        self._on_change()

    async def _lose(self, shard: Shard, grace: float) -> None:
        """Pass the hosts of a worker on, and return its entries in progress to the frontier."""
        if self._shards.pop(shard.worker, None) is None:
            return
        running, shard.running = shard.running, {}
        self._holds.note_asked(shard.worker, {entry.host for entry in running.values()}, {}, self._clock.now() + grace)
        self._spread.remove_worker(shard.worker)
        self._on_change()
        for entry in running.values():
            await self._settle(judge_report(entry, self._build_loss(entry, shard.worker), shard.worker))
        self._on_change()
        if shard.has_successor:
            self._join(shard.worker)

    def _build_loss(self, entry: Entry, worker: str) -> Report:
        losses = self._lost.get(entry.id, 0) + 1
        if losses < MOST_LOSSES:
            self._lost[entry.id] = losses
            return Report(entry.id, rest=0.0)
        del self._lost[entry.id]
        error = WorkerLost(f"the worker {worker} was lost, and another one before, with this URL in progress")
        return Report(entry.id, error=error, reason=f"WorkerLost: {error}")

    # The end

    def stop(self) -> None:
        """Give the workers no more entries, and recall those that are not being fetched yet."""
        super().stop()
        for shard in self._shards.values():
            shard.recalled = None

    async def aclose(self) -> None:
        """End the conversations, and close the fetchers; may be called any number of times.

        Raises:
            Exception: a sink of a worker can't be closed.
        """
        await super().aclose()
        if self._is_open and self._client.status == "running":
            self._is_open = False
            self._client.unsubscribe_topic(self._name)
            await self._client.unregister_worker_plugin(self._name)
