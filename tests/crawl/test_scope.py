"""The scope of a crawl: hosts, patterns, limits, functions."""

import copy
import pickle
import re
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.crawl.scope import Scope
from tests.fuzz.growth import assert_grows_less

SEEDS = {"a.example", "www.b.example"}


def allowed(scope: Scope, *urls: str, seeds: Collection[str] = SEEDS) -> list[str]:
    return [url for url in urls if scope.allows(url, seeds=seeds)]


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://a.example/", True),
        ("http://a.example:8080/x?y", True),
        ("http://www.a.example/", True),
        ("http://b.example/", True),
        ("http://a.example./", True),
        ("http://sub.a.example/", False),
        ("http://example/", False),
        ("http://nota.example/", False),
        ("http://other.example/?a.example", False),
    ],
)
def test_the_default_is_the_hosts_of_the_seeds_with_and_without_www(url: str, is_allowed: bool) -> None:
    assert Scope().allows(url, seeds=SEEDS) is is_allowed


def test_names_below_the_seeds_belong_to_it_by_choice() -> None:
    urls = ["http://x.y.a.example/", "http://a.example/", "http://nota.example/", "http://example/"]
    assert allowed(Scope(subdomains=True), *urls) == urls[:2]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["A.Example"], ["http://a.example/"]),
        (["*.a.example"], ["http://x.a.example/", "http://y.x.a.example/"]),
        (["a.example", "*.a.example"], ["http://a.example/", "http://x.a.example/", "http://y.x.a.example/"]),
        (["*"], ["http://a.example/", "http://x.a.example/", "http://y.x.a.example/", "http://[::1]/"]),
        (["[::1]"], ["http://[::1]/"]),
        ([], []),
    ],
)
def test_hosts_are_given_in_place_of_the_seeds(hosts: list[str], expected: list[str]) -> None:
    urls = ["http://a.example/", "http://x.a.example/", "http://y.x.a.example/", "http://[::1]/"]
    assert allowed(Scope(hosts=hosts), *urls, seeds=["seed.example"]) == expected


def test_names_below_the_given_hosts_belong_to_it_by_choice() -> None:
    scope = Scope(hosts=["bücher.example"], subdomains=True)
    urls = ["http://xn--bcher-kva.example/", "http://a.b.xn--bcher-kva.example/"]
    assert allowed(scope, *urls, "http://a.example/") == urls


def test_a_known_host_is_not_searched_again() -> None:
    assert Scope(hosts=["other.example"]).allows("http://a.example/", host="other.example")


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("/blog/*", ["http://a.example/blog/", "https://a.example/blog/x?y"], ["http://a.example/x/blog/"]),
        ("/blog", ["http://a.example/blog"], ["http://a.example/blog/", "http://a.example/blog?x"]),
        ("*.pdf", ["http://a.example/x.pdf"], ["http://a.example/x.pdf?x", "http://a.example/xpdf"]),
        ("*?page=*", ["http://a.example/?page=1"], ["http://a.example/apage=1"]),
        ("/*/a*b/*c", ["http://a.example/x/ab/c", "http://a.example/x/a/a1b/cc"], ["http://a.example/a/ba/c"]),
        ("/é *", ["http://a.example/%C3%A9%20x"], ["http://a.example/x"]),
        ("*", ["http://a.example/", "https://a.example/?x"], []),
        ("/a*a", ["http://a.example/aa"], ["http://a.example/a"]),
        ("/+(x)|y", ["http://a.example/+(x)|y"], ["http://a.example/y"]),
    ],
)
def test_a_pattern_matches_a_whole_url_or_path(pattern: str, matching: list[str], others: list[str]) -> None:
    assert allowed(Scope(include=[pattern]), *matching, *others) == matching
    assert allowed(Scope(exclude=[pattern]), *matching, *others) == others


def test_a_pattern_with_a_host_is_not_limited_to_the_hosts_but_others_are() -> None:
    scope = Scope(include=["https://Docs.Other.example/en/*", "/blog/*"])
    urls = ["https://docs.other.example/en/x", "http://a.example/blog/"]
    others = ["http://docs.other.example/en/x", "https://docs.other.example/blog/", "http://a.example/en/x"]
    assert allowed(scope, *urls, *others) == urls
    assert allowed(Scope(include=["https://docs.other.example/*"]), "http://a.example/") == []


def test_an_excluded_url_is_never_allowed() -> None:
    scope = Scope(include=["http://a.example/*"], exclude=["/private/*", "*.zip"], accept=lambda _: True)
    assert allowed(scope, "http://a.example/x", "http://a.example/private/x", "http://a.example/x.zip") == [
        "http://a.example/x"
    ]


def test_a_function_is_asked_last_and_with_the_url() -> None:
    asked: list[str] = []

    def accept(url: str) -> bool:
        asked.append(url)
        return url.endswith("c")

    scope = Scope(exclude=["/b"], accept=accept)
    urls = ["http://a.example/a", "http://a.example/b", "http://a.example/c", "http://other.example/c"]
    assert allowed(scope, *urls) == ["http://a.example/c"]
    assert asked == ["http://a.example/a", "http://a.example/c"]


def test_limits_of_length_segments_and_repeated_segments() -> None:
    scope = Scope(max_length=40, max_segments=5, max_repeats=2)
    start = "http://a.example"
    urls = [f"{start}/".ljust(40, "x"), f"{start}/1/2/3/4/5", f"{start}/a/b/a/b", f"{start}/a//b/"]
    others = [f"{start}/".ljust(41, "x"), f"{start}/1/2/3/4/5/", f"{start}/a/b/a/a", f"{start}/a////"]
    assert allowed(scope, *urls, *others) == urls
    assert allowed(scope, f"{start}/?/////////") == [f"{start}/?/////////"]


def test_the_default_limits_stop_paths_that_grow() -> None:
    url, count = "http://a.example/", 0
    while Scope().allows(url, seeds=SEEDS):
        url, count = f"{url}shop/news/", count + 1
    assert count == 4


def test_a_scope_is_made_of_a_function_or_patterns() -> None:
    scope = Scope(max_repeats=1)
    assert Scope.of(scope) is scope
    assert Scope.of(None) == Scope()
    patterns = Scope.of(iter(["/blog/*", "https://c.example/*"]))
    assert allowed(
        patterns, "http://a.example/blog/", "https://c.example/", "http://a.example/", "http://c.example/blog/"
    ) == [
        "http://a.example/blog/",
        "https://c.example/",
    ]
    function = Scope.of(re.compile(r"//\w+\.example/\d+\Z").search)
    assert allowed(function, "http://x.example/12", "http://x.example/a", seeds=()) == ["http://x.example/12"]


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"hosts": "a.example"}, TypeError, "expected names of hosts as hosts, got the str"),
        ({"include": "/a"}, TypeError, "expected patterns of URLs as include, got the str"),
        ({"exclude": [1]}, TypeError, "of URLs as exclude, of str,|patterns of URLs, of str, as exclude"),
        ({"accept": "x"}, TypeError, "expected a function as accept, got str"),
        ({"hosts": ["a b"]}, ValueError, "expected a host"),
        ({"include": ["blog/*"]}, ValueError, "begins with http://, https://, / or"),
        ({"include": ["http://é.example/*"]}, ValueError, "whose host is in ASCII"),
        ({"max_length": 0}, ValueError, "expected max_length of at least 1"),
        ({"max_segments": 1.5}, TypeError, "expected a whole number as max_segments"),
        ({"deny": ["/a"]}, TypeError, "use exclude="),
    ],
)
def test_a_wrong_argument_is_refused_by_its_name(arguments: dict[str, Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        Scope(**arguments)


@pytest.mark.parametrize("value", ["/blog/*", 1, [1]])
def test_other_values_are_not_a_scope(value: Any) -> None:
    with pytest.raises(TypeError, match="expected a Scope, a function or patterns"):
        Scope.of(value)


def test_a_scope_can_be_pickled_and_compared() -> None:
    scope = Scope(hosts=["*.a.example"], include=["/blog/*"], exclude=["*.pdf"])
    for copied in (pickle.loads(pickle.dumps(scope)), copy.copy(scope)):
        assert copied == scope
        assert allowed(copied, "http://x.a.example/blog/", "http://x.a.example/") == ["http://x.a.example/blog/"]
    assert repr(Scope(hosts=["A"])).startswith(
        "Scope(hosts=('a',), subdomains=False, include=(), exclude=(), accept=None"
    )


@given(st.text("ab*/", max_size=8).map("/".__add__), st.text("ab/", max_size=12).map("/".__add__))
def test_a_pattern_means_the_same_as_a_regular_expression(pattern: str, path: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), path) is not None
    scope = Scope(include=[pattern], max_repeats=100)
    assert scope.allows(f"http://a.example{path}", seeds=SEEDS) is expected


def test_many_asterisks_take_linear_time() -> None:
    scope = Scope(exclude=["*".join("/" + "a" * 30 + "b")], max_length=10**6)
    assert_grows_less(lambda n: lambda: scope.allows(f"http://a.example/{'a' * n}", seeds=SEEDS), 5000, 4, 12)
