"""The secure cookies that a cookie would replace: the index, compared with the rule itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.client.cookies.fields import Cookie, domain_matches, path_matches
from asyncclient.client.cookies.secure import MAX_LABELS, MAX_SEGMENTS, SecureCookies


def is_rival(cookie: Cookie, secure: Cookie) -> bool:
    """RFC 6265bis §5.7, at "secure-only-flag"."""
    return (
        cookie.name == secure.name
        and path_matches(cookie.path, secure.path)
        and (domain_matches(cookie.domain, secure.domain) or domain_matches(secure.domain, cookie.domain))
    )


NAMES = st.sampled_from(["a", "b"])
DOMAINS = st.sampled_from(["x", "a.x", "b.x", "c.a.x", "d.c.a.x", "aa.x", "1.2.3.4", "2.3.4", "::1", "x.", "a.x."])
PATHS = st.lists(st.sampled_from(["a", "b", "", "ab"]), max_size=4).map(lambda parts: "/" + "/".join(parts))
COOKIES = st.builds(Cookie, NAMES, st.just("v"), DOMAINS, PATHS)


@given(st.lists(COOKIES, max_size=8), st.lists(COOKIES, max_size=8), st.lists(COOKIES, min_size=1, max_size=8))
def test_the_index_agrees_with_the_rule(kept: list[Cookie], removed: list[Cookie], asked: list[Cookie]) -> None:
    index = SecureCookies()
    for cookie in [*removed, *kept]:
        index.add(cookie)
    for cookie in removed:
        index.remove(cookie)
    for cookie in asked:
        assert index.has_conflict(cookie) == any(is_rival(cookie, secure) for secure in kept)


@given(st.integers(0, 4), st.integers(0, 4), st.integers(-3, 3), st.integers(-3, 3), st.booleans())
def test_cut_domains_and_paths_lose_no_rival(
    labels: int, more_labels: int, segments: int, more_segments: int, ends_with_slash: bool
) -> None:
    def build(label_count: int, segment_count: int) -> Cookie:
        domain = ".".join(["a"] * label_count)
        return Cookie("n", "v", domain, "/a" * segment_count + "/" * ends_with_slash or "/")

    secure = build(MAX_LABELS + labels, MAX_SEGMENTS + segments)
    cookie = build(MAX_LABELS + more_labels, MAX_SEGMENTS + more_segments)
    index = SecureCookies()
    index.add(secure)
    assert index.has_conflict(cookie) or not is_rival(cookie, secure)


@pytest.mark.parametrize("count", [MAX_LABELS, 127])
def test_one_cookie_costs_a_bounded_number_of_entries(count: int) -> None:
    index = SecureCookies()
    index.add(Cookie("n", "v", ".".join(["a"] * count), "/a" * 512))
    assert len(index._at) == 1
    assert len(index._below) <= MAX_LABELS
    assert max(len(path) for paths in index._below.values() for path in paths) <= 2 * MAX_SEGMENTS


def test_removed_cookies_leave_the_index_empty() -> None:
    index = SecureCookies()
    cookies = [Cookie("n", "v", domain, path) for domain in ("a.b", "b") for path in ("/", "/a")]
    for cookie in cookies:
        index.add(cookie)
    for cookie in cookies:
        index.remove(cookie)
    assert not index._at
    assert not index._below
