"""Histories made at random: both frontiers agree with a simple model, whenever they are closed or crash."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from asyncclient.crawl.entry import Counts, Entry, Outcome, State
from asyncclient.crawl.frontier import Frontier
from asyncclient.crawl.memory import MemoryFrontier
from asyncclient.crawl.sqlite import SQLiteFrontier

T = TypeVar("T")

HOSTS = ["a", "b", "c"]
ADDED = st.tuples(st.sampled_from(HOSTS), st.integers(0, 9), st.integers(-1, 1))
OUTCOMES = st.tuples(st.sampled_from(State), st.booleans())


@dataclass
class Known:
    """An entry of the model."""

    id: int
    host: str
    url: str
    priority: int
    attempts: int = 0
    state: State = State.WAITING
    is_taken: bool = False
    reason: str = ""


class Model:
    def __init__(self) -> None:
        self.entries: dict[str, Known] = {}
        self.pages: Counter[str] = Counter()

    def add(self, host: str, url: str, priority: int) -> bool:
        if url in self.entries:
            return False
        self.entries[url] = Known(len(self.entries) + 1, host, url, priority)
        return True

    def takeable(self, host: str) -> list[Known]:
        found = [
            each
            for each in self.entries.values()
            if (each.host, each.state, each.is_taken) == (host, State.WAITING, False)
        ]
        return sorted(found, key=lambda each: (-each.priority, each.attempts, each.id))

    def count(self) -> Counts:
        states = Counter(each.state for each in self.entries.values())
        return Counts(states[State.WAITING], states[State.DONE], states[State.FAILED], self.pages.total())


class Machine(RuleBasedStateMachine):
    """Drives a frontier in memory and one in a file in the same way."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.crashes = 0
        self.model = Model()
        self.memory, self.stored = MemoryFrontier(), SQLiteFrontier(self.path)
        self.taken: list[tuple[Entry, Entry]] = []
        self.both(lambda frontier: frontier.open())

    @property
    def path(self) -> Path:
        return Path(self.folder.name, f"{self.crashes}.db")

    @property
    def frontiers(self) -> list[Frontier]:
        return [self.memory, self.stored]

    def both(self, call: Any) -> Any:
        """Return the result of a call, which is the same in both frontiers."""
        found, other = (self.runner.run(call(frontier)) for frontier in self.frontiers)
        assert found == other
        return found

    @rule(added=st.lists(ADDED, max_size=12))
    def add(self, added: list[tuple[str, int, int]]) -> None:
        entries = [Entry(f"http://{host}/{path}", priority=priority) for host, path, priority in added]
        new = [each.host for each in entries if self.model.add(each.host, each.url, each.priority)]
        assert self.both(lambda frontier: frontier.add(entries)) == Counter(new)

    @rule(wanted=st.dictionaries(st.sampled_from(HOSTS), st.integers(0, 4)))
    def take(self, wanted: dict[str, int]) -> None:
        results = [self.run(frontier.take(wanted)) for frontier in self.frontiers]
        for host, number in wanted.items():
            expected = self.model.takeable(host)
            for found in results:
                facts = [(each.url, each.priority, each.attempts) for each in found[host].entries]
                assert facts == [(each.url, each.priority, each.attempts) for each in expected[:number]]
                assert found[host][1:] == (number >= len(expected), self.model.pages[host])
            for each in expected[:number]:
                each.is_taken = True
            self.taken += zip(*(found[host].entries for found in results), strict=True)

    @precondition(lambda self: self.taken)
    @rule(outcomes=st.lists(OUTCOMES, min_size=1, max_size=5), is_from_end=st.booleans())
    def finish(self, outcomes: list[tuple[State, bool]], is_from_end: bool) -> None:
        finished: tuple[list[Outcome], list[Outcome]] = ([], [])
        for state, counts in outcomes[: len(self.taken)]:
            entries = self.taken.pop(-1 if is_from_end else 0)
            known = self.model.entries[entries[0].url]
            known.is_taken, known.state, known.reason = False, state, f"reason {known.attempts}"
            known.attempts += counts
            self.model.pages[known.host] += counts
            for entry, results in zip(entries, finished, strict=True):
                entry.attempts += counts
                results.append(Outcome(entry, state, known.reason, counts))
        for frontier, results in zip(self.frontiers, finished, strict=True):
            self.run(frontier.finish(results))

    @rule(limit=st.integers(0, 3), known=st.sets(st.sampled_from(HOSTS)))
    def find_hosts(self, limit: int, known: set[str]) -> None:
        expected = {host for host in HOSTS if host not in known and self.model.takeable(host)}
        for frontier in self.frontiers:
            found = self.run(frontier.find_hosts(limit, known))
            assert len(found) == len(set(found)) == min(limit, len(expected))
            assert expected.issuperset(found)

    @rule()
    def retry_failed(self) -> None:
        failed = [each for each in self.model.entries.values() if each.state is State.FAILED]
        for each in failed:
            each.state, each.attempts = State.WAITING, 0
        assert self.both(lambda frontier: frontier.retry_failed()) == len(failed)

    @rule()
    def close_and_open(self) -> None:
        self.both(lambda frontier: frontier.aclose())
        self.open()

    @rule()
    def crash(self) -> None:
        old = self.path
        self.crashes += 1
        for path in old.parent.glob(f"{old.name}*"):
            shutil.copy(path, f"{self.path}{path.name.removeprefix(old.name)}")
        self.both(lambda frontier: frontier.aclose())
        self.stored = SQLiteFrontier(self.path)
        self.open()

    def open(self) -> None:
        self.taken.clear()
        for each in self.model.entries.values():
            each.is_taken = False
        assert self.both(lambda frontier: frontier.open()) == self.model.count()

    @invariant()
    def failures_are_known(self) -> None:
        failed = {each.url: each.reason for each in self.model.entries.values() if each.state is State.FAILED}
        for frontier in self.frontiers:
            assert self.run(collect_failures(frontier)) == failed

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    def teardown(self) -> None:
        try:
            self.close_and_open()
            self.both(lambda frontier: frontier.aclose())
        finally:
            self.run(self.stored.aclose())
            self.runner.close()
            self.folder.cleanup()


async def collect_failures(frontier: Frontier) -> dict[str, str]:
    return {entry.url: reason async for entry, reason in frontier.failures()}


TestHistories = Machine.TestCase
