"""Agendas of many workers as one: hosts move, and nothing is lost, whatever joins, leaves and is lost meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from asyncclient.contrib.dask.spread import Spread
from asyncclient.crawl.agenda import Agenda
from asyncclient.crawl.entry import Entry, Outcome, State
from asyncclient.crawl.frontier import Taken
from asyncclient.crawl.keeper import Keeper
from asyncclient.crawl.memory import MemoryFrontier

HOSTS = [f"host{number}.test" for number in range(9)]
WORKERS = ["tcp://a", "tcp://b", "tcp://c", "tcp://d"]


class SlowFrontier(MemoryFrontier):
    """A frontier each of whose calls takes some turns of the loop, in which the workers change."""

    async def add(self, entries: Sequence[Entry]) -> dict[str, int]:
        await turns(3)
        return await super().add(entries)

    async def take(self, wanted: Mapping[str, int]) -> dict[str, Taken]:
        taken = await super().take(wanted)
        await turns(3)
        return taken

    async def finish(self, outcomes: Sequence[Outcome]) -> None:
        await turns(3)
        await super().finish(outcomes)

    async def find_hosts(self, limit: int, known: Collection[str]) -> list[str]:
        await turns(2)
        return await super().find_hosts(limit, known)


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def flush() -> None:
    """Pass nothing on."""


class Crawl:
    """A crawl without requests: the test says which fetches end.

    Attributes:
        running: entries in progress, by worker.
        done: how many times each URL was finished.
    """

    def __init__(self, most_hosts: int, max_pages: int | None = None) -> None:
        self.spread = Spread(lambda worker: Agenda(None, lambda host: 2, max_pages, most_hosts=most_hosts, capacity=20))
        self.keeper = Keeper(SlowFrontier(), self.spread, flush, lambda: None)
        self.running: dict[str, list[Entry]] = {}
        self.done: Counter[str] = Counter()
        self.urls: set[str] = set()
        self.errors: list[BaseException] = []

    def ask(self) -> None:
        self.keeper.ask(is_urgent=True)

    def join(self, worker: str) -> None:
        if worker not in self.running:
            self.running[worker] = []
            self.spread.add_worker(worker)
            self.ask()

    def lose(self, worker: str) -> None:
        if worker in self.running:
            lost = self.running.pop(worker)
            self.spread.remove_worker(worker)
            for entry in lost:
                self.end(entry, State.WAITING)
            self.ask()

    def end(self, entry: Entry, state: State) -> None:
        is_done = state is State.DONE
        self.done[entry.url] += is_done
        self.spread.end(entry, is_page=is_done, is_error=False)
        self.keeper.finish(Outcome(entry, state, counts=is_done))
        self.ask()

    def start(self, number: int) -> int:
        """Start fetches on each worker; return how many were started."""
        started = 0
        for worker, running in self.running.items():
            for _ in range(number):
                entry = self.spread.choose(worker, 0.0)
                if entry is None:
                    break
                self.check(worker, entry)
                running.append(entry)
                started += 1
        self.ask()
        return started

    def check(self, worker: str, entry: Entry) -> None:
        """Check that no other worker has the host, and that the entry is in progress once."""
        for other, entries in self.running.items():
            assert entry.id not in {each.id for each in entries}
            assert other == worker or entry.host not in {each.host for each in entries}
        assert not self.done[entry.url]

    def end_first(self, number: int) -> None:
        for running in self.running.values():
            for entry in running[:number]:
                self.end(entry, State.DONE)
            del running[:number]

    async def add(self, hosts: list[int], size: int) -> None:
        entries = [Entry(f"http://{HOSTS[host]}/{number}") for host in hosts for number in range(size)]
        self.urls.update(entry.url for entry in entries)
        for entry in entries:
            self.keeper.add(entry)
        self.ask()

    async def end_all(self) -> None:
        """Let two workers fetch until nothing is left."""
        self.join("tcp://a")
        self.join("tcp://b")
        while not (self.spread.is_over and self.keeper.is_idle):
            self.start(5)
            self.end_first(5)
            await turns(20)
            assert not self.errors


OPERATIONS = st.one_of(
    st.tuples(st.just("join"), st.sampled_from(WORKERS)),
    st.tuples(st.just("lose"), st.sampled_from(WORKERS)),
    st.tuples(st.just("start"), st.integers(1, 6)),
    st.tuples(st.just("end_first"), st.integers(1, 6)),
    st.tuples(st.just("add"), st.lists(st.integers(0, len(HOSTS) - 1), max_size=6), st.integers(1, 12)),
)


async def play(operations: list[tuple[tuple[str, object], int]], most_hosts: int, max_pages: int | None) -> Crawl:
    crawl = Crawl(most_hosts, max_pages)
    await crawl.keeper.open()
    crawl.keeper.start(crawl.errors.append)
    try:
        await crawl.add([0, 1, 2], 3)
        for (name, *arguments), pause in operations:
            result = getattr(crawl, name)(*arguments)
            if name == "add":
                await result
            await turns(pause)
        await asyncio.wait_for(crawl.end_all(), 20)
    finally:
        await crawl.keeper.aclose()
    return crawl


@given(st.lists(st.tuples(OPERATIONS, st.integers(0, 12)), max_size=30), st.sampled_from([2, 100]))
@example([(("join", "tcp://a"), 4), (("lose", "tcp://a"), 0)], 2)
def test_every_url_is_finished_once_while_workers_join_and_are_lost(
    operations: list[tuple[tuple[str, object], int]], most_hosts: int
) -> None:
    crawl = asyncio.run(play(operations, most_hosts, None))
    assert crawl.done == Counter(crawl.urls)
    assert (crawl.keeper.done, crawl.keeper.waiting) == (len(crawl.urls), 0)


@given(st.lists(st.tuples(OPERATIONS, st.integers(0, 12)), max_size=20))
def test_the_budget_of_a_host_holds_on_all_workers_together(
    operations: list[tuple[tuple[str, object], int]],
) -> None:
    crawl = asyncio.run(play(operations, 100, 4))
    pages = Counter(url.split("/")[2] for url in crawl.done.elements())
    wanted = Counter(url.split("/")[2] for url in crawl.urls)
    assert pages == {host: min(4, number) for host, number in wanted.items()}


def test_hosts_with_the_same_key_belong_to_the_same_worker() -> None:
    spread = Spread(lambda worker: Agenda(None, lambda host: 1), lambda host: host.partition(".")[2])
    for worker in WORKERS:
        spread.add_worker(worker)
    spread.note_added(HOSTS)
    assert spread.count_hosts() == len(HOSTS)
    assert sorted(agenda.count_hosts() for agenda in spread._agendas.values()) == [0, 0, 0, len(HOSTS)]
