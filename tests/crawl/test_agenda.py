"""The agenda: which entry is fetched next, of which host, and when."""

import math
from collections.abc import Callable

from asyncclient.crawl.agenda import LEAST_PER_HOST, Agenda
from asyncclient.crawl.entry import Entry, Outcome, State
from asyncclient.crawl.frontier import Taken


def entries_of(host: str, number: int) -> list[Entry]:
    return [Entry(f"http://{host}/{n}", host=host) for n in range(number)]


def agenda_with(
    hosts: dict[str, int],
    *,
    ready_at: Callable[[str], float] | None = None,
    per_host: int = 100,
    max_pages: int | None = None,
) -> Agenda:
    agenda = Agenda(ready_at, lambda _: per_host, max_pages)
    agenda.note_added(hosts)
    assert agenda.want().keys() == hosts.keys()
    agenda.put({host: Taken(entries_of(host, number), True, 0) for host, number in hosts.items()})
    return agenda


def choose_all(agenda: Agenda, now: float = 0.0) -> list[Entry]:
    return list(iter(lambda: agenda.choose(now), None))


def finish(agenda: Agenda, entry: Entry, *, is_page: bool = True) -> None:
    agenda.end(entry, is_page=is_page, is_error=False)
    agenda.note_written([entry])


def test_hosts_take_turns() -> None:
    chosen = choose_all(agenda_with({"a": 3, "b": 1, "c": 2}))
    assert [entry.host for entry in chosen] == ["a", "b", "c", "a", "c", "a"]


def test_a_host_has_no_more_fetches_than_its_limit() -> None:
    agenda = agenda_with({"a": 3, "b": 1}, per_host=2)
    first, other, second = choose_all(agenda)
    assert (first.host, other.host, second.host) == ("a", "b", "a")
    finish(agenda, other)
    assert agenda.choose(0) is None
    finish(agenda, first)
    assert choose_all(agenda) != []


def test_a_resting_host_is_chosen_after_its_rest() -> None:
    agenda = agenda_with({"a": 1, "b": 1}, ready_at={"a": 5.0, "b": 0.0}.__getitem__)
    assert [entry.host for entry in choose_all(agenda)] == ["b"]
    assert agenda.wakes_at == 5.0
    assert agenda.choose(4.9) is None
    assert [entry.host for entry in choose_all(agenda, 5.0)] == ["a"]


def test_a_host_of_unknown_readiness_is_checked_again_soon() -> None:
    times = {"a": math.inf}
    agenda = agenda_with({"a": 1}, ready_at=times.__getitem__)
    assert agenda.choose(0) is None
    assert 0 < agenda.wakes_at < 0.1
    times["a"] = 0.0
    assert agenda.choose(agenda.wakes_at) is not None


def test_a_long_rest_gives_entries_back_and_makes_a_place_free() -> None:
    agenda = agenda_with({"a": 2}, ready_at={"a": 3600.0}.__getitem__)
    assert agenda.choose(0) is None
    assert len(agenda.give_back()) == 2
    assert list(agenda.hosts()) == []
    assert not agenda.is_over
    agenda.note_added(["a"])
    assert agenda.want() == {}
    assert agenda.choose(3600.0) is None
    assert agenda.want().keys() == {"a"}


def test_a_host_without_budget_gives_its_entries_back() -> None:
    agenda = agenda_with({"a": 5}, max_pages=2)
    first, second = choose_all(agenda)
    finish(agenda, first)
    finish(agenda, second)
    assert agenda.choose(0) is None
    assert len(agenda.give_back()) == 3
    assert agenda.is_over


def test_fetches_without_a_page_do_not_use_the_budget() -> None:
    agenda = agenda_with({"a": 3}, max_pages=1)
    (first,) = choose_all(agenda)
    finish(agenda, first, is_page=False)
    assert len(choose_all(agenda)) == 1


def test_pages_of_earlier_crawls_use_the_budget() -> None:
    agenda = Agenda(None, lambda _: 8, 3)
    agenda.note_added(["a"])
    agenda.want()
    agenda.put({"a": Taken(entries_of("a", 5), True, 2)})
    assert len(choose_all(agenda)) == 1


def test_a_host_is_not_over_before_its_outcomes_are_written() -> None:
    agenda = agenda_with({"a": 1})
    entry = agenda.choose(0)
    assert entry is not None
    agenda.end(entry, is_page=True, is_error=False)
    assert not agenda.is_over
    agenda.note_written([entry])
    assert agenda.is_over


def test_entries_are_taken_from_the_frontier_before_those_at_hand_are_used_up() -> None:
    agenda = Agenda(None, lambda _: 8, most_hosts=4, capacity=4 * 16)
    agenda.note_added(["a"])
    (number,) = agenda.want().values()
    assert number >= LEAST_PER_HOST
    agenda.put({"a": Taken(entries_of("a", number), False, 0)})
    assert not agenda.wants
    for _ in range(number - 1):
        assert agenda.choose(0) is not None
        agenda.end(Entry("http://a/", host="a"), is_page=True, is_error=False)
    assert agenda.want().keys() == {"a"}


def test_further_hosts_get_places_when_others_are_over() -> None:
    agenda = Agenda(None, lambda _: 8, most_hosts=4)
    agenda.note_added("abcdef")
    assert agenda.has_unknown_hosts
    assert list(agenda.want()) == list("abcd")
    agenda.put({host: Taken(entries_of(host, 1), True, 0) for host in "abcd"})
    assert not agenda.wants
    for entry in choose_all(agenda)[:2]:
        finish(agenda, entry)
    assert agenda.wants
    assert agenda.count_places() == 2
    assert set(agenda.list_known()) == set("cd")


def test_a_delayed_outcome_is_returned_when_it_is_due() -> None:
    agenda = agenda_with({"a": 1})
    entry = agenda.choose(0)
    assert entry is not None
    agenda.end(entry, is_page=False, is_error=True)
    outcome = Outcome(entry, State.WAITING, "reset", counts=False)
    agenda.delay(outcome, 2.0)
    assert not agenda.is_over
    assert agenda.wakes_at == 2.0
    assert list(agenda.take_due(1.9)) == []
    assert list(agenda.take_due(2.0)) == [outcome]


def test_a_host_may_be_chosen_again_out_of_turn() -> None:
    agenda = agenda_with({"a": 2, "b": 2}, per_host=1)
    first = agenda.choose(0)
    assert first is not None
    assert agenda.choose_again("a", 0) is None
    finish(agenda, first)
    second = agenda.choose_again("a", 0)
    assert second is not None
    assert second.host == "a"
    assert agenda.choose_again("unknown", 0) is None


def test_figures_of_hosts() -> None:
    agenda = agenda_with({"a": 3})
    first, second = agenda.choose(0), agenda.choose(0)
    assert first is not None
    assert second is not None
    agenda.end(first, is_page=True, is_error=True)
    assert [tuple(host) for host in agenda.hosts()] == [("a", 1, 1, 2, 1)]
    assert agenda.count_hosts() == 1
