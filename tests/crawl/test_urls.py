"""The normal form of URLs: which URLs are equal, which are not, and that the form is stable."""

from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncclient.crawl.urls import TRACKING, drop_params, find_host, normalize_url
from asyncclient.errors import InvalidURL
from asyncclient.message.url import parse_url

HOSTS = st.sampled_from(
    ["a.example", "A.Example", "h", "h.", "127.0.0.1", "[::1]", "[FE80::1%25Eth0]", "bücher.example"]
)
PORTS = st.sampled_from(["", ":", ":80", ":443", ":8080", ":0080", ":65535", ":00443"])
PIECES = st.sampled_from(
    [
        *"/?#.aA~-_ é&=+:@;[]{}|\\^",
        "..",
        "/.",
        "/..",
        "%",
        "%2",
        "%2e",
        "%2E",
        "%2f",
        "%41",
        "%61",
        "%7e",
        "%zz",
        "%%36",
        "%C3%A9",
    ]
)
TARGETS = st.lists(PIECES, max_size=12).map(lambda pieces: "".join(["/", *pieces])) | st.text(max_size=12).map(
    "/".__add__
)
URLS = st.builds("{}://{}{}{}".format, st.sampled_from(["http", "https", "HTTP"]), HOSTS, PORTS, TARGETS)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("HTTP://Example.COM/A", "http://example.com/A"),
        ("http://h", "http://h/"),
        ("http://h?q", "http://h/?q"),
        ("http://h:80/", "http://h/"),
        ("https://h:443/", "https://h/"),
        ("http://h:/", "http://h/"),
        ("http://h:0080/", "http://h/"),
        ("http://h:08080/", "http://h:8080/"),
        ("http://h/#f", "http://h/"),
        ("http://h/?q#f?x", "http://h/?q"),
        (" http://h/a\r\n", "http://h/a"),
        ("http://h/a/./b/../c", "http://h/a/c"),
        ("http://h/../../a/.", "http://h/a/"),
        ("http://h/a/..", "http://h/"),
        ("http://h/a/%2e%2E/b", "http://h/b"),
        ("http://h/.a/..b", "http://h/.a/..b"),
        ("http://h/%7Ea%41%2d?%5f%30", "http://h/~aA-?_0"),
        ("http://h/%c3%a9?%c3%a9", "http://h/%C3%A9?%C3%A9"),
        ("http://h/é?é", "http://h/%C3%A9?%C3%A9"),
        ("http://h/a b\\c", "http://h/a%20b%5Cc"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://ex。com/", "http://ex.com/"),
        ("http://[2001:DB8::A]:80/", "http://[2001:db8::a]/"),
        ("http://[fe80::1%eth0]/", "http://[fe80::1%25eth0]/"),
        ("http://@h/", "http://h/"),
        # A stray "%": "%%36" and a "1" must not become "%61", which is an "a".
        ("http://h/%%361", "http://h/%%361"),
        ("http://h/%4%361%c3", "http://h/%4%361%C3"),
        ("http://h/%/../%61", "http://h/a"),
    ],
)
def test_equal_urls_have_one_normal_form(url: str, normal: str) -> None:
    assert normalize_url(url) == normal
    assert normalize_url(normal) == normal


@pytest.mark.parametrize(
    "url",
    [
        "http://h/",
        "http://h./",
        "http://h/?",
        "http://h/a//b",
        "http://h/a/",
        "http://h/?b=1&a=2&&",
        "http://h/?q=/./../a",
        "http://h/%2F%3F%23%25%20+",
        "http://h/!$&'()*+,;=:@[]-._~",
        "http://h/index.html",
        "https://h:80/",
        "http://h:443/",
        "http://h:65535/",
        "http://a_b-c.xn--bcher-kva.example:8080/a?b",
        "http://h/;jsessionid=1?utm_source=x",
    ],
)
def test_differences_that_a_server_may_see_are_kept(url: str) -> None:
    assert normalize_url(url) == url


@pytest.mark.parametrize("url", ["http://user@h/", "http://user:secret@h/", "HTTP://:secret@h/"])
def test_a_url_with_user_and_password_is_refused_without_showing_them(url: str) -> None:
    with pytest.raises(InvalidURL, match="expected a URL without user and password") as caught:
        normalize_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "h", "/a", "//h/", "ftp://h/", "mailto:a@b", "http:h", "http://", "http://a..b/", "http://h/\0"]
)
@pytest.mark.parametrize("function", [normalize_url, find_host])
def test_anything_but_an_absolute_http_url_is_refused(function: Any, url: str) -> None:
    if function is find_host and url.endswith("\0"):
        assert find_host(url) == "h"  # only the part before the path is checked
        return
    with pytest.raises(InvalidURL):
        function(url)


@pytest.mark.parametrize("function", [normalize_url, find_host])
def test_a_url_of_another_type_is_refused(function: Any) -> None:
    for wrong in (b"http://h/", None, 1):
        with pytest.raises(TypeError, match="expected str as URL"):
            function(wrong)


@given(URLS)
@example("http://h/%%361")
@example("http://h/a%/../%2e%2e/%61")
def test_the_normal_form_is_stable_and_a_valid_url(url: str) -> None:
    try:
        normal = normalize_url(url)
    except InvalidURL:
        return
    assert normalize_url(normal) == normal
    assert parse_url(normal)[:3] == parse_url(url)[:3]
    assert "#" not in normal
    assert normal.isascii()


@given(URLS)
def test_the_query_and_a_path_without_dots_mean_the_same_to_a_server(url: str) -> None:
    try:
        before, after = urlsplit(f"//{parse_url(url).target}"), urlsplit(f"//{parse_url(normalize_url(url)).target}")
    except InvalidURL:
        return
    assert unquote_to_bytes(after.query) == unquote_to_bytes(before.query)
    if b"/." not in unquote_to_bytes(before.path):
        assert unquote_to_bytes(after.path) == unquote_to_bytes(before.path)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://h/", "h"),
        ("https://a.example:8443/x", "a.example"),
        ("http://a.example./", "a.example"),
        ("http://A.Example", "a.example"),
        ("http://[2001:DB8::1]:80/", "2001:db8::1"),
        ("http://user@h/", "h"),
        ("http://bücher.example/", "xn--bcher-kva.example"),
        ("http://127.0.0.1:8000/", "127.0.0.1"),
    ],
)
def test_the_host_is_the_one_of_politeness_rules(url: str, host: str) -> None:
    assert find_host(url) == host


@given(URLS)
def test_the_host_is_that_of_the_parsed_url(url: str) -> None:
    try:
        parsed = parse_url(url)
    except InvalidURL:
        return
    assert find_host(url) == parsed.host.removesuffix(".")
    if parsed.userinfo is None:
        assert find_host(normalize_url(url)) == parsed.host.removesuffix(".")


@pytest.mark.parametrize(
    ("url", "left"),
    [
        ("http://h/", "http://h/"),
        ("http://h/?a=1&utm_source=x&b=2", "http://h/?a=1&b=2"),
        ("http://h/?utm_source=x&UTM_Medium=y&gclid=1", "http://h/"),
        ("http://h/?fbclid", "http://h/"),
        ("http://h/?fbclid2=1&a=utm_source=x", "http://h/?fbclid2=1&a=utm_source=x"),
        ("http://h/?a&&b=", "http://h/?a&&b="),
        ("http://h/?", "http://h/?"),
    ],
)
def test_tracking_parameters_are_dropped(url: str, left: str) -> None:
    assert drop_params(url) == left


def test_parameters_are_dropped_by_the_names_of_the_caller() -> None:
    assert drop_params("http://h/?sid=1&page=2&utm_source=x&S.x=1", ["sid", "s.*"]) == "http://h/?page=2&utm_source=x"
    assert drop_params("http://h/?sid=1&utm_id=2", TRACKING | {"sid"}) == "http://h/"
    assert drop_params("http://h/?sid=1", []) == "http://h/?sid=1"
    with pytest.raises(TypeError, match="expected names of query parameters as names, got the str 'sid'"):
        drop_params("http://h/?sid=1", "sid")
