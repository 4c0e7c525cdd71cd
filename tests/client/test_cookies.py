"""The cookie jar: cookies of servers and of the user, the requests they are sent with, and limits (RFC 6265bis)."""

import operator
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.client.cookies import suffixes
from asyncclient.client.cookies.fields import (
    MAX_AGE,
    Cookie,
    accept_cookie,
    default_path,
    is_address,
    is_loopback,
    parse_date,
    parse_set_cookie,
    path_matches,
)
from asyncclient.client.cookies.jar import CookieJar
from asyncclient.client.cookies.suffixes import is_public_suffix

NOW = 1_700_000_000.0
HOST = "www.example.com"
SENT_BACK = "sid=1"
ROOT = Path(__file__).resolve().parents[2]


class Clock:
    """Seconds that the test lets pass."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jar(clock: Clock) -> CookieJar:
    return CookieJar(clock=clock)


@pytest.fixture
def without_list(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if publicsuffixlist were not installed."""
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    forget_suffixes()
    yield
    forget_suffixes()


def forget_suffixes() -> None:
    suffixes.load_suffixes.cache_clear()
    is_public_suffix.cache_clear()


def accept(field: str, host: str = HOST, path: str = "/a/b", *, is_secure: bool = True) -> Cookie | None:
    return accept_cookie(field, host, path, is_secure, NOW)


def roundtrip(field: str) -> str | None:
    jar = CookieJar()
    jar.store(HOST, "/", True, [field])
    return jar.build_header(HOST, "/", True)


def names(jar: CookieJar) -> list[str]:
    return [cookie.name for cookie in jar]


# a field's meaning


@pytest.mark.parametrize(
    ("field", "header"),
    [
        ("SID=31d4d96e407aad42", "SID=31d4d96e407aad42"),
        ("SID=31d4d96e407aad42; Path=/; Secure; HttpOnly", "SID=31d4d96e407aad42"),
        (" \ta \t=\t b c \t; Path=/", "a=b c"),
        ("a=b=c==", "a=b=c=="),
        ("a=", "a="),
        ('a="quoted; cut', 'a="quoted'),
        ('a="b\\054c"', 'a="b\\054c"'),
        ('a={"k":[1,2]}', 'a={"k":[1,2]}'),
        ("a=%20%0d%0A+", "a=%20%0d%0A+"),
        ("a=b,c=d", "a=b,c=d"),
        ("a=\xe9\xff\x80", "a=\xe9\xff\x80"),
        ("a=b\tc", "a=b\tc"),
        ("\xe9(),/:<>@[]{}=x", "\xe9(),/:<>@[]{}=x"),
        ("$Version=1", "$Version=1"),
        ("expires=x; unknown; =; ;;", "expires=x"),
        ("alone", "alone"),
        ("=alone", "alone"),
        ("alone; Path=/", "alone"),
    ],
)
def test_name_and_value_are_sent_back_unchanged(field: str, header: str) -> None:
    assert roundtrip(field) == header


@pytest.mark.parametrize(
    "field",
    [
        "",
        "=",
        " \t",
        "; Path=/",
        "=a=b",
        "==",
        "=__Host-sid=1",
        "__Secure-sid",
        "=__hOst-",
        "a=b\r",
        "a=b\nc",
        "a=b\x00",
        "a\x01=b",
        "a=b\x7f",
        "a=b; Path=/\x08",
        "a=\u0663",
        "a=\udc80",
        "a=b; \u017fecure",
    ],
)
def test_invalid_set_cookie_field_is_ignored(field: str) -> None:
    assert parse_set_cookie(field, NOW) is None
    assert roundtrip(field) is None


@pytest.mark.parametrize(
    ("attributes", "changes"),
    [
        ("", {}),
        ("Secure", {"secure": True}),
        ("secure = no;HTTPONLY", {"secure": True, "http_only": True}),
        ("insecure; xsecure; Secure-; http only", {}),
        ("Path=/x", {"path": "/x"}),
        (" \tPATH\t = /x y/ ", {"path": "/x y/"}),
        ("Path=/x; Path=/y", {"path": "/y"}),
        ("Path=/x; Path", {}),
        ("Path=x", {}),
        ('Path="/"', {}),
        ("Path=/" + "y" * 1023, {"path": "/" + "y" * 1023}),
        ("Path=/x; Path=/" + "y" * 1024, {"path": "/x"}),
        ("Domain=example.com", {"domain": "example.com", "host_only": False}),
        ("Domain=example.com; Domain=", {}),
        ("Domain=example.com; Domain=" + "x" * 1025, {"domain": "example.com", "host_only": False}),
        ("Max-Age=10", {"expires": NOW + 10}),
        ("Max-Age=10; Expires=Thu, 01 Jan 1970 00:00:00 GMT", {"expires": NOW + 10}),
        ("Max-Age=10; Max-Age=20; Max-Age=x", {"expires": NOW + 20}),
        ("Max-Age=" + "9" * 1000, {"expires": NOW + MAX_AGE}),
        ("Max-Age=0", {"expires": 0.0}),
        ("Max-Age=-1", {"expires": 0.0}),
        ("Max-Age=", {}),
        ("Max-Age=+1", {}),
        ("Max-Age=1.5", {}),
        ("Max-Age=\xb2", {}),
        ("Expires=Tue, 14 Nov 2023 22:13:21 GMT", {"expires": NOW + 1}),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", {"expires": 0.0}),
        ("Expires=Fri, 31 Dec 9999 23:59:59 GMT", {"expires": NOW + MAX_AGE}),
        ("Expires=Tue, 14 Nov 2023 22:13:21 GMT; Expires=soon; Expires=", {"expires": NOW + 1}),
        ("SameSite=Strict; Partitioned; Priority=High", {}),
    ],
)
def test_attributes(attributes: str, changes: dict[str, Any]) -> None:
    assert accept(f"a=b; {attributes}") == Cookie("a", "b", HOST, "/a", host_only=True)._replace(**changes)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("Wed, 09 Jun 2021 10:18:14 GMT", (2021, 6, 9, 10, 18, 14)),
        ("Wednesday, 09-Jun-21 10:18:14 GMT", (2021, 6, 9, 10, 18, 14)),
        ("Wed Jun  9 10:18:14 2021", (2021, 6, 9, 10, 18, 14)),
        ("10:18:14 2021 june 9th", (2021, 6, 9, 10, 18, 14)),
        ("9 JUNE 2021 1:2:3 +0200", (2021, 6, 9, 1, 2, 3)),
        ("9/jun/2021/10:18:14", (2021, 6, 9, 10, 18, 14)),
        ("9 Jun 2021 10:18:14.5", (2021, 6, 9, 10, 18, 14)),
        ("9 Jun 2021 10:18:14x", (2021, 6, 9, 10, 18, 14)),
        ("01 Jan 69 00:00:00", (2069, 1, 1, 0, 0, 0)),
        ("01 Jan 70 00:00:00", (1970, 1, 1, 0, 0, 0)),
        ("01 Jan 1601 00:00:00", (1601, 1, 1, 0, 0, 0)),
        ("29 Feb 2024 23:59:59", (2024, 2, 29, 23, 59, 59)),
        ("29 Feb 2023 00:00:00", None),
        ("01 Jan 1600 00:00:00", None),
        ("00 Jan 2021 00:00:00", None),
        ("32 Jan 2021 00:00:00", None),
        ("01 Jan 2021 24:00:00", None),
        ("01 Jan 2021 00:60:00", None),
        ("01 Jan 2021 00:00:60", None),
        ("01 Jan 2021 00:00", None),
        ("01 Jan 2021 00:00:000", None),
        ("01 Jan 12021 00:00:00", None),
        ("\xb21 Jan 2021 00:00:00", None),
        ("Jan 2021 00:00:00", None),
        ("1 2021 00:00:00", None),
        ("", None),
    ],
)
def test_dates_are_read_leniently(text: str, date: tuple[int, int, int, int, int, int] | None) -> None:
    assert parse_date(text) == (None if date is None else datetime(*date, tzinfo=UTC).timestamp())


# which host


@pytest.mark.parametrize(
    ("host", "domain", "expected"),
    [
        ("www.example.com", "", ("www.example.com", True)),
        ("www.example.com", ".", ("www.example.com", True)),
        ("www.example.com", "example.com", ("example.com", False)),
        ("www.example.com", ".Example.COM", ("example.com", False)),
        ("www.example.com", "www.example.com", ("www.example.com", False)),
        ("www.example.com", "..example.com", None),
        ("www.example.com", "a.www.example.com", None),
        ("www.example.com", "ample.com", None),
        ("www.example.com", "other.com", None),
        ("www.example.com", "com", None),
        ("www.example.com", "example.com.", None),
        ("www.example.com", "example.com:443", None),
        ("www.example.com", "http://example.com", None),
        ("www.example.com", "\xe9xample.com", None),
        ("www.example.com.", "example.com", None),
        ("www.example.com.", "example.com.", ("example.com.", False)),
        ("www.example.com.", "com.", None),
        ("www.example.co.uk", "co.uk", None),
        ("www.example.co.uk", "co.UK", None),
        ("www.example.co.uk.", "co.uk.", None),
        ("www.example.co.uk", "example.co.uk", ("example.co.uk", False)),
        ("me.github.io", "github.io", None),
        ("github.io", "github.io", ("github.io", True)),
        ("localhost", "localhost", ("localhost", True)),
        ("localhost", "", ("localhost", True)),
        ("127.0.0.1", "", ("127.0.0.1", True)),
        ("127.0.0.1", "127.0.0.1", ("127.0.0.1", True)),
        ("127.0.0.1", "0.0.1", None),
        ("127.0.0.1", "1", None),
        ("::1", "", ("::1", True)),
        ("::1", "::1", ("::1", True)),
        ("::ffff:1.2.3.4", "2.3.4", None),
        ("a.0x7f", "0x7f", None),
        ("", "", None),
        ("", "com", None),
    ],
)
def test_domain_of_a_cookie(host: str, domain: str, expected: tuple[str, bool] | None) -> None:
    cookie = accept(f"a=b; Domain={domain}", host)
    assert (cookie and (cookie.domain, cookie.host_only)) == expected


@pytest.mark.parametrize(
    ("host", "is_sent"),
    [
        ("example.com", True),
        ("www.example.com", True),
        ("a.b.c.example.com", True),
        ("wwwexample.com", False),
        ("example.com.", False),
        ("com", False),
        ("example.org", False),
    ],
)
def test_domain_cookie_is_sent_to_subdomains(jar: CookieJar, host: str, is_sent: bool) -> None:
    jar.store(HOST, "/", True, ["sid=1; Domain=example.com"])
    assert (jar.build_header(host, "/", True) == SENT_BACK) is is_sent


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1", "::ffff:1.2.3.4", "localhost"])
def test_cookie_without_domain_is_sent_to_its_host_only(jar: CookieJar, host: str) -> None:
    jar.store(host, "/", True, ["sid=1"])
    assert jar.build_header(host, "/", True) == SENT_BACK
    assert jar.build_header(f"www.{host}", "/", True) is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("1.2.3.4", True),
        ("1.2.3.4.", True),
        ("0x7f000001", True),
        ("a.0x", True),
        ("2130706433", True),
        ("::1", True),
        ("fe80::1%eth0", True),
        ("a.1b", False),
        ("1.com", False),
        ("1.2.3.com.", False),
        ("localhost", False),
    ],
)
def test_addresses(host: str, expected: bool) -> None:
    assert is_address(host) is expected


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("com", True),
        ("COM.", True),
        ("co.uk", True),
        ("Co.Uk.", True),
        ("example.co.uk", False),
        ("github.io", True),
        ("kobe.jp", True),
        ("x.kobe.jp", True),
        ("city.kobe.jp", False),
        ("xn--85x722f.com.cn", False),
        ("\u516c\u53f8.cn", True),
        ("xn--55qx5d.cn", True),
        ("XN--55QX5D.CN", True),
        ("a.xn--55qx5d.cn", False),
        ("xn--\xe9.cn", True),
        ("no-such-suffix", True),
        ("a.no-such-suffix", False),
        ("", True),
        (".", True),
        (".com", True),
        ("a..com", True),
        ("com..", True),
    ],
)
def test_public_suffixes(domain: str, expected: bool) -> None:
    assert is_public_suffix(domain) is expected


@pytest.mark.usefixtures("without_list")
@pytest.mark.parametrize(("domain", "expected"), [("com", True), ("com.", True), ("co.uk", False), ("a..b", True)])
def test_without_a_list_single_labels_are_public(domain: str, expected: bool) -> None:
    assert suffixes.load_suffixes() is None
    assert is_public_suffix(domain) is expected


# which path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "/"),
        ("*", "/"),
        ("a/b", "/"),
        ("/", "/"),
        ("/a", "/"),
        ("/a/", "/a"),
        ("/a/b", "/a"),
        ("/a/b/", "/a/b"),
        ("//", "/"),
        ("/a;b/c", "/a;b"),
    ],
)
def test_default_path(path: str, expected: str) -> None:
    assert default_path(path) == expected
    cookie = accept("a=b", path=path)
    assert cookie is not None
    assert cookie.path == expected


@pytest.mark.parametrize(
    ("path", "cookie_path", "expected"),
    [
        ("/", "/", True),
        ("/a", "/", True),
        ("/a", "/a", True),
        ("/a/", "/a", True),
        ("/a/b", "/a", True),
        ("/a/b", "/a/", True),
        ("/a", "/a/", False),
        ("/ab", "/a", False),
        ("/", "/a", False),
        ("/A", "/a", False),
        ("/%61", "/a", False),
        ("", "/", True),
        ("*", "/", True),
    ],
)
def test_path_decides_whether_a_cookie_is_sent(jar: CookieJar, path: str, cookie_path: str, expected: bool) -> None:
    jar.store(HOST, "/", True, [f"sid=1; Path={cookie_path}"])
    assert (jar.build_header(HOST, path, True) == SENT_BACK) is expected
    assert path_matches(path or "/", cookie_path) is expected or path == "*"


def test_longer_paths_are_first_then_older_cookies(jar: CookieJar) -> None:
    jar.store(HOST, "/", True, ["z=1; Domain=example.com", "b=2", "c=3; Path=/a/b", "y=4; Path=/a; Domain=example.com"])
    jar.store(HOST, "/", True, ["a=5", "x=6; Path=/a", "w=7; Domain=example.com"])
    assert jar.build_header(HOST, "/a/b", True) == "c=3; y=4; x=6; z=1; b=2; a=5; w=7"
    assert "".join(names(jar)) == "zbcyaxw"


# which connection


@pytest.mark.parametrize(
    ("field", "sent_over_tls", "sent_without"),
    [("sid=1", True, True), ("sid=1; Secure", True, False)],
)
def test_secure_cookie_is_sent_over_tls_only(
    jar: CookieJar, field: str, sent_over_tls: bool, sent_without: bool
) -> None:
    jar.store(HOST, "/", True, [field])
    assert (jar.build_header(HOST, "/", True) is not None) is sent_over_tls
    assert (jar.build_header(HOST, "/", False) is not None) is sent_without


@pytest.mark.parametrize(
    ("field", "is_secure", "is_taken"),
    [
        ("a=b; Secure", False, False),
        ("__Secure-a=b; Secure", True, True),
        ("__Secure-a=b", True, False),
        ("__sEcure-a=b", True, False),
        ("__Secure-a=b; Secure", False, False),
        ("__Secure-a=b; Secure; Domain=example.com", True, True),
        ("__Host-a=b; Secure; Path=/", True, True),
        ("__HOST-a=b; Path=/", True, False),
        ("__Host-a=b; Secure", True, False),
        ("__Host-a=b; Secure; Path=/x", True, False),
        ("__Host-a=b; Secure; Path=/; Domain=example.com", True, False),
        ("__Host-a=b; Secure; Path=/; Domain=www.example.com", True, False),
        ("__Hosta=b", False, True),
    ],
)
def test_cookies_with_prefixes_must_meet_their_conditions(field: str, is_secure: bool, is_taken: bool) -> None:
    assert (accept(field, path="/", is_secure=is_secure) is not None) is is_taken


@pytest.mark.parametrize(
    ("secure_one", "host", "field", "is_taken"),
    [
        ("sid=1", "www.example.com", "sid=2", False),
        ("sid=1", "www.example.com", "sid=; Max-Age=0", False),
        ("sid=1", "www.example.com", "sid=2; Domain=example.com", False),
        ("sid=1; Domain=example.com", "www.example.com", "sid=2", False),
        ("sid=1; Path=/", "www.example.com", "sid=2; Path=/a", False),
        ("sid=1; Path=/a", "www.example.com", "sid=2; Path=/", True),
        ("sid=1; Path=/a", "www.example.com", "sid=2; Path=/a/b", False),
        ("sid=1", "www.example.com", "other=2", True),
        ("sid=1", "other.example.com", "sid=2", True),
        ("sid=1", "other.example.com", "sid=2; Domain=example.com", False),
        ("sid=1", "www.example.org", "sid=2", True),
    ],
)
def test_without_tls_no_secure_cookie_is_touched(
    jar: CookieJar, secure_one: str, host: str, field: str, is_taken: bool
) -> None:
    jar.store(HOST, "/", True, [f"{secure_one}; Secure"])
    jar.store(host, "/", False, [field])
    assert [cookie.value for cookie in jar] == (["1", "2"] if is_taken else ["1"])
    jar.store(host, "/", True, [field])
    assert [cookie.value for cookie in jar] != ["1"] or "Max-Age" in field


def test_secure_cookie_that_has_expired_protects_nothing(jar: CookieJar, clock: Clock) -> None:
    jar.store(HOST, "/", True, ["sid=1; Secure; Max-Age=5"])
    clock.now += 5
    jar.store(HOST, "/", False, ["sid=2"])
    assert jar.build_header(HOST, "/", False) == "sid=2"


# how long


def test_cookie_is_gone_when_it_expires(jar: CookieJar, clock: Clock) -> None:
    jar.store(HOST, "/", True, ["a=1; Max-Age=10", "b=2; Max-Age=20", "c=3"])
    clock.now += 9.9
    assert jar.build_header(HOST, "/", True) == "a=1; b=2; c=3"
    clock.now += 0.1
    assert jar.build_header(HOST, "/", True) == "b=2; c=3"
    clock.now += 10
    assert (len(jar), names(jar)) == (1, ["c"])


def test_jar_is_empty_when_its_cookies_have_expired(jar: CookieJar, clock: Clock) -> None:
    jar.store(HOST, "/", True, ["a=1; Max-Age=10"])
    assert jar
    clock.now += 10
    assert not jar
    assert jar.build_header(HOST, "/", True) is None


@pytest.mark.parametrize("death", ["Max-Age=0", "Max-Age=-5", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
def test_server_removes_a_cookie_by_expiry(jar: CookieJar, death: str) -> None:
    jar.store(HOST, "/", True, ["a=1", "b=2"])
    jar.store(HOST, "/", True, [f"a=; {death}", f"b=; Path=/x; {death}", f"c=; {death}"])
    assert jar.build_header(HOST, "/", True) == "b=2"
    jar.store(HOST, "/", True, [f"b=; {death}"])
    assert repr(jar) == "<CookieJar 0 cookies for 0 domains>"


def test_replaced_cookie_keeps_its_age_and_nothing_else(jar: CookieJar, clock: Clock) -> None:
    jar.store(HOST, "/", True, ["a=1; Secure; Max-Age=5", "b=2"])
    clock.now += 1
    jar.store(HOST, "/", True, ["a=3"])
    clock.now += 10
    assert jar.build_header(HOST, "/", False) == "a=3; b=2"
    assert [cookie.created for cookie in jar] == pytest.approx([NOW, NOW], abs=1e-3)


def test_clock_set_back_keeps_the_order(jar: CookieJar, clock: Clock) -> None:
    jar.store(HOST, "/", True, ["a=1"])
    clock.now -= 1000
    jar.store(HOST, "/", True, ["b=2"])
    assert jar.build_header(HOST, "/", True) == "a=1; b=2"


def test_name_domain_path_and_host_only_distinguish_cookies(jar: CookieJar) -> None:
    jar.store("example.com", "/", True, ["a=1", "a=2; Path=/x", "a=3; Domain=example.com"])
    assert jar.build_header("example.com", "/x", True) == "a=2; a=1; a=3"
    assert jar.build_header(HOST, "/x", True) == "a=3"


# bounds


@pytest.mark.parametrize(("size", "is_taken"), [(4096, True), (4097, False)])
def test_larger_cookies_are_ignored(jar: CookieJar, size: int, is_taken: bool) -> None:
    jar.store(HOST, "/", True, ["a=old", "a=" + "x" * (size - 1)])
    header = jar.build_header(HOST, "/", True)
    assert header is not None
    assert len(header) == (size + 1 if is_taken else len("a=old"))


def test_domain_has_a_share_only(clock: Clock) -> None:
    jar = CookieJar(max_per_domain=3, clock=clock)
    jar.store(HOST, "/", True, ["a=1; Path=/x", "b=2", "c=3; Path=/x", "d=4; Domain=example.com"])
    clock.now += 1
    assert jar.build_header(HOST, "/x", True) == "a=1; c=3; b=2; d=4"
    clock.now += 1
    jar.build_header(HOST, "/x/", True)
    clock.now += 1
    jar.store(HOST, "/", True, ["e=5; Path=/y"])
    assert names(jar) == ["b", "c", "d", "e"]
    clock.now += 1
    jar.build_header(HOST, "/", True)
    jar.store(HOST, "/", True, ["f=6"])
    assert names(jar) == ["b", "d", "e", "f"]


def test_secure_cookies_outlive_others_of_their_domain(clock: Clock) -> None:
    jar = CookieJar(max_per_domain=2, clock=clock)
    jar.store(HOST, "/", True, ["a=1; Secure", "b=2"])
    for number in range(5):
        clock.now += 1
        jar.store(HOST, "/", False, [f"n{number}=1"])
    assert names(jar) == ["a", "n4"]
    jar.store(HOST, "/", True, ["c=3; Secure", "d=4"])
    assert names(jar) == ["a", "c"]


def test_the_least_used_cookies_are_dropped_beyond_the_bounds(clock: Clock) -> None:
    jar = CookieJar(max_cookies=3, clock=clock)
    for host in ("a.com", "b.com", "c.com"):
        jar.store(host, "/", True, [f"{host[0]}=1"])
        clock.now += 1
    jar.build_header("a.com", "/", True)
    jar.store("d.com", "/", True, ["d=1"])
    assert names(jar) == ["a", "c", "d"]


def test_a_full_jar_drops_expired_cookies_first(clock: Clock) -> None:
    jar = CookieJar(max_cookies=2, clock=clock)
    jar.store("a.com", "/", True, ["a=1"])
    clock.now += 1
    jar.store("b.com", "/", True, ["b=1; Max-Age=1"])
    clock.now += 1
    jar.set("c", "1", domain="c.com")
    assert names(jar) == ["a", "c"]


def test_flood_of_cookies_drops_a_tenth(clock: Clock) -> None:
    jar = CookieJar(max_cookies=100, clock=clock)
    for number in range(101):
        jar.store(f"h{number}.com", "/", True, ["a=1"])
    assert len(jar) == 90
    for number in range(500):
        jar.store(f"g{number}.com", "/", True, ["a=1"])
        assert len(jar) <= 100


def test_users_own_cookies_are_outside_the_bounds(clock: Clock) -> None:
    own = {f"own{number}": "1" for number in range(10)}
    jar = CookieJar(own, max_cookies=2, max_per_domain=2, clock=clock)
    for number in range(5):
        clock.now += 1
        jar.store(f"h{number}.com", "/", True, ["a=1"])
    assert names(jar) == [*own, "a", "a"]


@pytest.mark.parametrize("bound", ["max_cookies", "max_per_domain", "max_size"])
def test_bounds_are_at_least_one(bound: str) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        CookieJar(**{bound: 0})  # type: ignore[arg-type]


# the user's side


def test_mapping_goes_to_every_host() -> None:
    jar = CookieJar({"a": "1", "b": '"2"'})
    for host in ("example.com", "127.0.0.1", "::1", "localhost", "example.com."):
        assert jar.build_header(host, "/x", False) == 'a=1; b="2"'


def test_cookie_of_a_server_hides_the_users_cookie_but_does_not_change_it(jar: CookieJar) -> None:
    jar.update({"sid": "mine", "b": "1"})
    jar.store(HOST, "/", True, ["sid=theirs"])
    assert jar.build_header(HOST, "/", True) == "b=1; sid=theirs"
    assert jar.build_header("example.com", "/", True) == "sid=mine; b=1"
    jar.store(HOST, "/", True, ["sid=; Max-Age=0"])
    assert jar.build_header(HOST, "/", True) == "sid=mine; b=1"


def test_no_server_reaches_every_host(jar: CookieJar) -> None:
    jar.store("", "/", True, ["a=1", "a=1; Domain="])
    jar.store(".", "/", True, ["a=1; Domain=."])
    assert jar.build_header(HOST, "/", True) is None


def test_set_keeps_all_its_arguments(jar: CookieJar) -> None:
    jar.set("a", "1", domain=".Example.COM", path="/x", expires=NOW + 5, secure=True, http_only=True)
    jar.set("b", "2", domain="example.com", host_only=True)
    assert list(jar) == [
        Cookie("a", "1", "example.com", "/x", NOW + 5, True, True, False, created=NOW),
        Cookie("b", "2", "example.com", host_only=True, created=list(jar)[1].created),
    ]
    assert jar.build_header(HOST, "/x", True) == "a=1"
    assert jar.build_header("example.com", "/", False) == "b=2"
    jar.set("a", "", domain="example.com", path="/x", expires=NOW)
    assert names(jar) == ["b"]


@pytest.mark.parametrize("domain", ["localhost", "co.uk", "github.io", "0.0.1", "::1", "fe80::1%eth0"])
def test_cookie_set_for_an_unusual_host_is_sent_to_no_other(jar: CookieJar, domain: str) -> None:
    jar.set("sid", "1", domain=domain)
    assert jar.build_header(domain, "/", True) == SENT_BACK
    assert jar.build_header(f"127.{domain}", "/", True) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a=b"},
        {"name": "a;b"},
        {"name": " a"},
        {"name": "a\r\nb"},
        {"name": "\u0661"},
        {"name": "", "value": ""},
        {"name": "", "value": "SECRET=1"},
        {"value": "SECRET; b=1"},
        {"value": "SECRET\r\nX: y"},
        {"value": "SECRET\x00"},
        {"value": "SECRET\x7f"},
        {"value": "SECRET "},
        {"value": "SECRET\u20ac"},
        {"value": "SECRET" + "x" * 4096},
        {"path": ""},
        {"path": "x"},
        {"path": "/\n"},
        {"domain": "http://example.com"},
        {"domain": "example.com:80"},
        {"domain": "example.com/"},
        {"domain": "[::1]"},
        {"domain": "1:2"},
        {"domain": "0::0::0"},
        {"domain": "b\xfccher.example"},
        {"domain": "example.com\n"},
        {"expires": float("nan")},
        {"expires": float("inf")},
    ],
)
def test_set_refuses_cookies_that_cannot_be_sent(jar: CookieJar, wrong: dict[str, object]) -> None:
    arguments = {"name": "a", "value": "SECRET", "domain": "example.com"} | wrong
    with pytest.raises(ValueError, match="cookie") as caught:
        jar.set(**arguments)  # type: ignore[arg-type]
    assert "SECRET" not in str(caught.value)
    assert not jar


@pytest.mark.parametrize("wrong", [{"name": b"a"}, {"value": 1}, {"domain": None}, {"path": None}])
def test_set_refuses_values_that_are_not_text(jar: CookieJar, wrong: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=f"expected str as {next(iter(wrong))}"):
        jar.set(**{"name": "a", "value": "1", "domain": "example.com"} | wrong)  # type: ignore[arg-type]


def test_value_is_in_no_repr(jar: CookieJar) -> None:
    jar.set("sid", "SECRET", domain="example.com")
    (cookie,) = jar
    parsed = parse_set_cookie("sid=SECRET", NOW)
    assert repr(jar) == "<CookieJar 1 cookie for 1 domain>"
    assert repr(cookie) == str(cookie) == "<Cookie 'sid' for 'example.com' '/'>"
    assert "SECRET" not in f"{cookie} {[cookie]} {parsed!r}"


def test_update_takes_another_jar_as_it_is(clock: Clock) -> None:
    first = CookieJar({"own": "1"}, clock=clock)
    first.store(HOST, "/a;b/c", True, ["a=1; Max-Age=5; Secure; HttpOnly", "b=2; Domain=example.com", "nameless"])
    first.store("o~dd,host.", "/", True, ["c=3"])
    clock.now += 1
    second = CookieJar(first, clock=clock)
    assert list(second) == list(first)
    second.update(second)
    assert list(second) == list(first)


def test_update_takes_all_cookies_or_raises(jar: CookieJar) -> None:
    with pytest.raises(ValueError, match="invalid value"):
        jar.update([Cookie("a", "1", "example.com"), Cookie("b", "1\r\nX: y", "example.com")])
    with pytest.raises(TypeError, match="expected a Cookie, got str"):
        jar.update(["ab"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Cookies as cookies, got str; for a file: jar\.load\(path\)$"):
        jar.update("cookies.txt")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"got PosixPath; for a file: jar\.load\(path\)$"):
        CookieJar(Path("cookies.txt"))  # type: ignore[arg-type]
    assert not jar


def test_get_returns_the_value_of_one_cookie(jar: CookieJar) -> None:
    jar.update([Cookie("a", "1", "a.com"), Cookie("a", "2", "b.com"), Cookie("a", "2", "b.com", "/x")])
    jar.update([Cookie("c", "3", "c.com")])
    assert (jar.get("c"), jar.get("b"), jar.get("b", "none"), jar.get("c", domain="a.com")) == ("3", None, "none", None)
    assert (jar.get("a", domain="a.com"), jar.get("a", domain="b.com"), jar.get("a", path="/x")) == ("1", "2", "2")
    with pytest.raises(
        ValueError, match=r"expected one cookie 'a', got several: give domain= or path= \(domain='a\.com'"
    ):
        jar.get("a")


def test_a_jar_contains_names_and_cookies(jar: CookieJar) -> None:
    jar.update([Cookie("a", "1", "a.com")])
    assert "a" in jar
    assert "b" not in jar
    assert next(iter(jar)) in jar
    assert Cookie("a", "1", "a.com", created=5) not in jar
    assert 5 not in jar


def test_an_expired_cookie_is_not_in_the_jar(jar: CookieJar, clock: Clock) -> None:
    jar.set("a", "1", domain="a.com", expires=clock.now + 5)
    assert ("a" in jar, jar.get("a")) == (True, "1")
    clock.now += 5
    assert ("a" in jar, jar.get("a")) == (False, None)


@pytest.mark.parametrize(
    ("use", "advice"),
    [
        (lambda jar: jar.get_dict(), r"\{cookie\.name: cookie\.value for cookie in jar\}"),
        (lambda jar: jar.items(), r"\{cookie\.name: cookie\.value for cookie in jar\}"),
        (lambda jar: jar.pop("a"), r"remove\(name\)"),
    ],
)
def test_attributes_of_other_jars_are_answered_with_ours(
    jar: CookieJar, use: Callable[[Any], object], advice: str
) -> None:
    with pytest.raises(AttributeError, match=rf"^'CookieJar' object has no attribute '\w+': use {advice}$"):
        use(jar)


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda jar: jar["a"], r"is not subscriptable: use get\(name\)"),
        (lambda jar: operator.setitem(jar, "a", 1), r"does not support item assignment: use set\(name, value, domain="),
        (lambda jar: operator.delitem(jar, "a"), r"does not support item deletion: use remove\(name\)"),
    ],
)
def test_items_of_a_jar_are_a_type_error_with_the_method_to_use(
    jar: CookieJar, use: Callable[[Any], object], text: str
) -> None:
    with pytest.raises(TypeError, match=f"^'CookieJar' object {text}") as caught:
        use(jar)
    assert traceback.format_exception_only(caught.value)[0].startswith("TypeError: ")
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (type(copied), str(copied)) == (TypeError, str(caught.value))
    assert not any(hasattr(jar, name) for name in ("__getitem__", "__setitem__", "__delitem__"))
    assert create_autospec(CookieJar, instance=True).get


@pytest.mark.parametrize("domain", ["B.Example.com", ".b.example.com"])
def test_a_domain_is_compared_as_set_reads_it(jar: CookieJar, domain: str) -> None:
    jar.set("a", "1", domain=domain)
    assert jar.get("a", domain=domain) == "1"
    assert jar.remove("a", domain) == 1


def test_update_leaves_out_large_and_expired_cookies(clock: Clock) -> None:
    jar = CookieJar([Cookie("a", "12345", "a.com"), Cookie("b", "1", "a.com", "/", NOW)], max_size=5, clock=clock)
    assert len(jar) == 0


@pytest.mark.parametrize(
    ("arguments", "removed"),
    [
        (("a",), 3),
        (("a", "example.com"), 2),
        (("a", "example.com", "/x"), 1),
        (("a", None, "/"), 2),
        (("b",), 0),
        (("a", "com"), 0),
    ],
)
def test_remove(jar: CookieJar, arguments: tuple[str, ...], removed: int) -> None:
    jar.update([Cookie("a", "1", "example.com"), Cookie("a", "2", "example.com", "/x"), Cookie("a", "3", "b.com")])
    assert jar.remove(*arguments) == removed
    assert len(jar) == 3 - removed


def test_clear_and_end_of_session(jar: CookieJar, clock: Clock) -> None:
    jar.update({"own": "1"})
    jar.store(HOST, "/", True, ["a=1", "b=2; Max-Age=9"])
    jar.clear_session()
    assert names(jar) == ["b"]
    jar.clear()
    assert (len(jar), bool(jar), list(jar)) == (0, False, [])
    jar.store(HOST, "/", True, ["c=1; Max-Age=9"])
    clock.now += 9
    jar.expire()
    assert "0 cookies for 0 domains" in repr(jar)


def test_jar_may_change_while_it_is_walked(jar: CookieJar) -> None:
    jar.update({"a": "1", "b": "2"})
    for cookie in jar:
        jar.remove(cookie.name)
    assert not jar


def test_jar_imports_neither_the_list_nor_http_cookiejar() -> None:
    code = (
        "import sys; from asyncclient.client.cookies.jar import CookieJar;"
        "jar = CookieJar({'a': 'b'}); jar.update(jar);"
        "jar.store('example.com', '/', True, ['a=b', 'c=d; Domain=com', 'e=f; Domain=other.org']);"
        "print(jar.build_header('example.com', '/', True), *sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.startswith("a=b ")
    assert not {"http.cookiejar", "http.cookies", "publicsuffixlist"} & set(result.stdout.split())


# Any input

PIECES = [
    *'=; \tab\xe9".-/1',
    *("\r\n", "\x00", "Domain=", "example.com", "com", "Path=", "Max-Age=", "9" * 400, "Expires="),
    *("01 Jan 2030 00:00:00", "Secure", "HttpOnly", "__Host-", "own="),
]
FIELDS = st.one_of(
    st.text(),
    st.binary().map(lambda raw: raw.decode("latin-1")),
    st.lists(st.sampled_from(PIECES)).map("".join),
)
OCTETS = st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters=";=\x7f")


@given(st.lists(FIELDS), st.sampled_from([HOST, "example.com", "localhost", "1.2.3.4", "::1", ""]), st.booleans())
def test_no_field_raises_or_sends_a_control_character(fields: list[str], host: str, is_secure: bool) -> None:
    jar = CookieJar({"own": "1"}, max_cookies=5, max_per_domain=2)
    jar.store(host, "/a/b", is_secure, fields)
    header = jar.build_header(host, "/a/b", is_secure) or ""
    assert all(char == "\t" or char >= " " for char in header)
    assert "\x7f" not in header
    header.encode("latin-1")
    assert "own=" in header
    again = CookieJar(jar)
    assert (again.build_header(host, "/a/b", is_secure) or "") == header
    assert len(jar) == len(list(jar)) <= 6


@given(st.text(OCTETS, min_size=1), st.text(st.one_of(OCTETS, st.just("="))))
def test_name_and_value_roundtrip_with_any_bytes(name: str, value: str) -> None:
    is_refused = name.lower().startswith(("__secure-", "__host-"))
    assert roundtrip(f"{name}={value}; Path=/") == (None if is_refused else f"{name}={value}")


@given(st.text())
def test_dates_never_raise(text: str) -> None:
    date = parse_date(text)
    assert date is None or date < 253_402_300_800


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from(["a.example.com", "b.example.com", "example.org"]),
            st.sampled_from(["", "; Domain=example.com", "; Max-Age=3", "; Max-Age=0", "; Secure", "; Path=/x"]),
            st.integers(0, 2),
        )
    )
)
def test_bounds_and_count_hold_after_every_step(steps: list[tuple[str, str, str, int]]) -> None:
    clock = Clock()
    jar = CookieJar(max_cookies=4, max_per_domain=2, clock=clock)
    for name, host, attributes, seconds in steps:
        clock.now += seconds
        jar.store(host, "/", seconds > 0, [f"{name}=1{attributes}"])
        domains = [cookie.domain for cookie in jar]
        assert len(jar) == len(domains) <= 4
        assert all(domains.count(domain) <= 2 for domain in domains)
        assert all(cookie.expires is None or cookie.expires > clock.now for cookie in jar)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost.", True),
        ("127.0.0.1", True),
        ("127.255.0.9", True),
        ("::1", True),
        ("0:0:0:0:0:0:0:1", True),
        ("::0001", True),
        ("a.localhost", False),
        ("localhost.example", False),
        ("128.0.0.1", False),
        ("127.0.0.1.example", False),
        ("127.255.255.255", True),
        ("127.0.0.256", False),
        ("127.0.0.300", False),
        ("::", False),
        ("1::", False),
        ("::11", False),
        ("::2:1", False),
        ("01", False),
        ("::ffff:127.0.0.1", False),
    ],
)
def test_hosts_that_are_this_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(("size", "is_taken"), [(1024, True), (1025, False)])
def test_a_path_by_default_is_bounded_as_the_attribute_is(size: int, is_taken: bool) -> None:
    path = "/" + "a" * (size - 1)
    cookie = accept_cookie("n=v", "example.com", f"{path}/x", False, 0.0)
    assert (cookie is not None and cookie.path == path) is is_taken


def test_recorded_expiries_are_bounded_by_the_number_of_cookies() -> None:
    now = 0.0
    jar = CookieJar(clock=lambda: now)
    jar.store("example.com", "/", False, ["other=v; Max-Age=500"])
    for number in range(5000):
        jar.store("example.com", "/", False, [f"n={number}; Max-Age=1000"])
    assert len(jar._expiries) <= 2 * len(jar) + 101
    now = 999.0
    assert jar.build_header("example.com", "/", False) == "n=4999"
    now = 1000.0
    assert jar.build_header("example.com", "/", False) is None
    assert not jar._expiries
