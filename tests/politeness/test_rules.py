"""The values of Rules, and which rules are for which host."""

import math
from typing import Any

import pytest

from asyncclient import LocalResponse
from asyncclient.politeness import Polite, Rules
from asyncclient.politeness.rules import RuleTable
from asyncclient.testing import ManualClock, MockTransport
from tests.politeness.hosts import Crawl

TABLE = RuleTable(
    {
        "*": Rules(connections=1),
        "*.example.com": Rules(connections=2),
        "*.deep.example.com": Rules(connections=3),
        "www.example.com": Rules(connections=4),
        "Bücher.example": Rules(connections=5),
        "[::1]": Rules(connections=6),
        "127.0.0.1": Rules(connections=7),
    }
)


@pytest.mark.parametrize(
    ("host", "connections"),
    [
        ("other.com", 1),
        ("example.com", 1),
        ("notexample.com", 1),
        ("a.example.com", 2),
        ("a.b.example.com", 2),
        ("deep.example.com", 2),
        ("a.deep.example.com", 3),
        ("www.example.com", 4),
        ("a.www.example.com", 2),
        ("xn--bcher-kva.example", 5),
        ("::1", 6),
        ("127.0.0.1", 7),
        ("com", 1),
        ("", 1),
    ],
)
def test_the_most_specific_pattern_is_used(host: str, connections: int) -> None:
    assert TABLE.find(host).connections == connections


def test_hosts_without_a_pattern_have_the_default_rules() -> None:
    assert RuleTable({"a.test": Rules(rate=1)}).find("b.test") == Rules()
    assert RuleTable(Rules(rate=1)).find("b.test") == Rules(rate=1)


@pytest.mark.parametrize("pattern", ["", "http://a.test", "a.test:80", "a*.test", "*a.test", "**", "a b", "*."])
def test_invalid_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        RuleTable({pattern: Rules()})


def test_two_patterns_that_mean_the_same_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected each pattern once, got 'A\.test' twice"):
        RuleTable({"a.test": Rules(), "A.test": Rules()})


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"connections": 0}, "expected connections of at least 1, got 0"),
        ({"burst": 0}, "expected burst of at least 1, got 0"),
        ({"rate": 0}, "expected rate above 0, or None"),
        ({"rate": -1}, "expected rate of at least 0, got -1"),
        ({"rate": math.inf}, "expected rate to be finite, got inf"),
        ({"delay": math.nan}, "expected delay of at least 0, got nan"),
        ({"target_latency": 0.0}, "expected target_latency above 0, or None"),
        ({"max_failures": 0}, "expected max_failures of at least 1, got 0"),
        ({"max_wait": -1}, "expected max_wait of at least 0, got -1"),
        ({"recovery": math.inf}, "expected recovery to be finite, got inf"),
    ],
)
def test_numbers_out_of_range_are_refused(values: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Rules(**values)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"connections": 1.5}, "expected a whole number as connections, got float"),
        ({"connections": None}, "expected a whole number as connections, got NoneType"),
        ({"rate": "1"}, "expected a number as rate, got str"),
        ({"delay": None}, "expected a number as delay, got NoneType"),
        ({"download_delay": 1}, "use delay="),
        ({"requests_per_second": 1}, "use rate="),
        ({"rat": 1}, "use rate="),
    ],
)
def test_values_of_another_type_and_unknown_names_are_refused(values: dict[str, Any], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        Rules(**values)


def test_rules_take_keyword_arguments_only() -> None:
    with pytest.raises(TypeError, match=r"Rules takes keyword arguments only: use Rules\(rate="):
        Rules(1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((object(),), {}, "expected an object with send"),
        ((MockTransport({}), 1), {}, "expected Rules, or a mapping"),
        ((MockTransport({}), {"*": 1}), {}, "expected Rules as rules for '\\*', got int"),
        ((MockTransport({}),), {"robots": "examplebot"}, "expected Robots"),
    ],
)
def test_arguments_of_another_type_are_refused(arguments: tuple[Any, ...], options: dict[str, Any], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        Polite(*arguments, **options)


async def test_a_table_of_rules_holds_for_each_host() -> None:
    async with Crawl({"fast.test": Rules(rate=10, connections=9), "*": Rules(rate=1, connections=9)}) as crawl:
        await crawl.finish(crawl.get(*["http://fast.test/"] * 3, *["http://other.test/"] * 3))
    assert crawl.hosts.times("fast.test") == pytest.approx([0, 0.1, 0.2])
    assert crawl.hosts.times("other.test") == [0, 1, 2]


def test_repr() -> None:
    polite = Polite(MockTransport({"GET http://a.test/": LocalResponse()}))
    assert repr(polite) == "<Polite 0 hosts, 0 active, 0 waiting, <MockTransport 1 routes, 0 calls>>"
    assert repr(ManualClock(3)) == "<ManualClock 3 s>"
