"""When a host may be asked by another worker."""

import math

import pytest

from asyncclient.contrib.dask.crawler import find_depth
from asyncclient.contrib.dask.holds import PRUNE_FROM, Holds, find_recovery
from asyncclient.politeness import Rules


@pytest.mark.parametrize(
    ("rules", "seconds"),
    [
        (Rules(), 0),
        (Rules(delay=3), 3),
        (Rules(rate=2), 0.5),
        (Rules(rate=2, burst=5), 2.5),
        (Rules(rate=2, delay=4), 4),
    ],
)
def test_a_host_is_ready_for_another_worker_when_its_delay_has_passed_and_its_tokens_are_back(
    rules: Rules, seconds: float
) -> None:
    holds = Holds(lambda host: rules)
    holds.note_asked("a", ["h"], {}, 100.0)
    assert find_recovery(rules) == seconds
    assert holds.ready_at("h", "a") == -math.inf
    assert holds.ready_at("h", "b") == (100.0 + seconds if seconds else -math.inf)
    assert holds.ready_at("other", "b") == -math.inf


def test_the_crawl_delay_of_a_host_counts_if_it_is_longer() -> None:
    holds = Holds(lambda host: Rules(delay=1))
    holds.note_asked("a", ["h", "i"], {"h": 5.0}, 100.0)
    holds.note_asked("a", ["h", "i"], {}, 110.0)
    assert (holds.ready_at("h", "b"), holds.ready_at("i", "b")) == (115.0, 111.0)


def test_a_rest_holds_for_every_worker() -> None:
    holds = Holds(lambda host: Rules())
    holds.note_rest("h", 200.0)
    holds.note_rest("h", 150.0)
    holds.note_asked("a", ["h"], {}, 100.0)
    assert (holds.ready_at("h", "a"), holds.ready_at("h", "b")) == (200.0, 200.0)


def test_hosts_are_forgotten_when_their_time_is_over() -> None:
    holds = Holds(lambda host: Rules(delay=1))
    for number in range(3 * PRUNE_FROM):
        holds.note_asked("a", [f"h{number}"], {}, float(number))
    assert len(holds) <= PRUNE_FROM + 1
    assert holds.ready_at(f"h{3 * PRUNE_FROM - 1}", "b") == 3.0 * PRUNE_FROM


@pytest.mark.parametrize(
    ("rules", "entries"),
    [(Rules(connections=2), 32), (Rules(rate=1), 4), (Rules(delay=4), 3), (Rules(rate=0.1, connections=1), 2)],
)
def test_a_worker_has_few_entries_of_a_slow_host(rules: Rules, entries: int) -> None:
    assert find_depth(rules) == entries
