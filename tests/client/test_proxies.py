"""Proxies: their URLs, and which one a request goes through."""

import base64
import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.client.proxy.proxies import Proxy, ProxySelector, ProxySetting, ProxyValue, parse_proxy
from asyncclient.errors import InvalidURL

P = "http://p:3128"
VARIABLES = ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No proxies in the environment but those of the test."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://p:3128", ("http", "p", 3128, None, None)),
        ("HTTP://P:3128/", ("http", "p", 3128, None, None)),
        ("p:3128", ("http", "p", 3128, None, None)),
        ("p", ("http", "p", 80, None, None)),
        ("user:pw@p:3128", ("http", "p", 3128, "user", "pw")),
        ("http://p", ("http", "p", 80, None, None)),
        ("https://p", ("https", "p", 443, None, None)),
        ("socks4://p", ("socks4", "p", 1080, None, None)),
        ("socks4a://p", ("socks4a", "p", 1080, None, None)),
        ("socks5://p", ("socks5", "p", 1080, None, None)),
        ("socks5h://p", ("socks5h", "p", 1080, None, None)),
        ("socks://p:1", ("socks5h", "p", 1, None, None)),
        ("http://[::1]:3128", ("http", "::1", 3128, None, None)),
        ("http://[::1]", ("http", "::1", 80, None, None)),
        ("http://user:pw@p", ("http", "p", 80, "user", "pw")),
        ("http://user@p", ("http", "p", 80, "user", None)),
        ("http://user:@p", ("http", "p", 80, "user", "")),
        ("http://:pw@p", ("http", "p", 80, "", "pw")),
        ("http://@p", ("http", "p", 80, None, None)),
        ("socks5://us%3Aer:p%40w%2F%C3%BC@p", ("socks5", "p", 1080, "us:er", "p@w/ü")),
        ("http://user:a:b@p", ("http", "p", 80, "user", "a:b")),
        ("http://user:p/w@2#?@p:3128", ("http", "p", 3128, "user", "p/w@2#?")),
        ("http://user:grün@p", ("http", "p", 80, "user", "grün")),
        ("http://p:1/path/x?y#z", ("http", "p", 1, None, None)),
        ("http://user:pw@p/path", ("http", "p", 80, "user", "pw")),
        (" http://p:1\n", ("http", "p", 1, None, None)),
        ("http://BÜCHER.test", ("http", "xn--bcher-kva.test", 80, None, None)),
        ("http://[fe80::1%Eth0]", ("http", "fe80::1%Eth0", 80, None, None)),
    ],
)
def test_proxy_url(url: str, proxy: tuple[object, ...]) -> None:
    assert parse_proxy(url)[:5] == proxy
    assert parse_proxy(url)[5:] == ((), None, False, ())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "http://:3128",
        "http://user:secret@",
        "http://user:secret@:3128",
        "http://user:secret@p:x",
        "http://user:secret@p:",
        "http://user:secret@p:65536",
        "http://user:secret@p?query",
        "http://user:secret@p q",
        "http://user:secret@xn--a.\u00fc.test",
        "http://user:secret@a\u2488com",
        "http://user:secret@p\r\nX: y",
        "http://user:secret@[::1",
        "http://user:%FFsecret@p",
        "ftp://user:secret@p",
        "socks6://user:secret@p",
        "http+unix://user:secret@p",
        "://user:secret@p",
        "http://http://user:secret@p/x",
    ],
)
def test_invalid_proxy_urls_are_refused_without_showing_secrets(url: str) -> None:
    with pytest.raises(InvalidURL, match=r"expected .*proxy") as caught:
        parse_proxy(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(st.text(st.sampled_from(":/@[]%.socksht45h ") | st.characters()))
def test_any_text_is_a_proxy_or_an_invalid_url(text: str) -> None:
    try:
        proxy = parse_proxy(text)
    except InvalidURL:
        return
    assert parse_proxy(str(proxy))[:5] == (*proxy[:3], None, None)


def test_proxy_shows_no_credentials() -> None:
    proxy = parse_proxy("http://user:secret@p:3128")
    assert (str(proxy), repr(proxy)) == ("http://p:3128", "<Proxy http://p:3128 with credentials>")
    assert (f"{proxy}", f"{proxy!r}") == (str(proxy), repr(proxy))
    assert repr(parse_proxy("socks5://[::1]")) == "<Proxy socks5://[::1]:1080>"


def test_proxies_that_differ_in_credentials_are_two() -> None:
    proxies = {
        parse_proxy(url) for url in ("http://a:b@p", "http://a:b@P:80/", "http://a:c@p", "http://p", "https://p")
    }
    assert len(proxies) == 4


@pytest.mark.parametrize(
    ("url", "credentials"),
    [
        ("http://Aladdin:open%20sesame@p", "Aladdin:open sesame"),
        ("http://user@p", "user:"),
        ("http://:pw@p", ":pw"),
        ("http://üser:p%C3%BC@p", "üser:pü"),
        (f"http://{'u' * 100}:{'p' * 100}@p", f"{'u' * 100}:{'p' * 100}"),
    ],
)
def test_authorization_is_basic_in_utf_8(url: str, credentials: str) -> None:
    scheme, _, value = (parse_proxy(url).authorization or "").partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(value, validate=True).decode() == credentials


def test_no_user_no_authorization() -> None:
    assert parse_proxy("http://p").authorization is None


@pytest.mark.parametrize(
    ("scheme", "expected"), [("http", False), ("https", False), ("socks4", True), ("socks5h", True)]
)
def test_socks_proxies_are_recognised(scheme: str, expected: bool) -> None:
    assert Proxy(scheme, "p", 1).is_socks is expected


# The setting


def chosen(selector: ProxySelector, *origin: str | int) -> str | None:
    scheme, host, port = (*origin, *("http", "example.com", 80)[len(origin) :])
    proxy = selector.select(str(scheme), str(host), int(port))
    return None if proxy is None else str(proxy)


@pytest.mark.parametrize("proxy", [P, parse_proxy(P), {"all": P}, {"http": P, "https": parse_proxy(P)}, lambda url: P])
def test_proxy_for_everything(proxy: ProxySetting) -> None:
    selector = ProxySelector(proxy)
    assert not selector.is_empty
    assert chosen(selector) == chosen(selector, "https", "::1", 443) == chosen(selector, "http", "localhost") == P
    assert selector.select_for_url("https://example.com:81/x?y") == parse_proxy(P)


MAPPING: Mapping[str, ProxyValue] = {
    "http": "http://plain:1",
    "HTTPS": parse_proxy("http://secure:1"),
    "all": "http://rest:1",
    "https://Direct.test": None,
    "https://one.test": "http://one:1",
    "https://one.test:8443/": "http://port:1",
    "all://any.test": "http://any:1",
    "http://any.test": "http://anyplain:1",
    "all://any.test:9": "http://anyport:1",
    "http://[::1]": "http://six:1",
    "http://bücher.test": "http://idn:1",
}


@pytest.mark.parametrize(
    ("scheme", "host", "port", "expected"),
    [
        ("http", "example.com", 80, "http://plain:1"),
        ("https", "example.com", 443, "http://secure:1"),
        ("https", "direct.test", 443, None),
        ("https", "direct.test.", 443, None),
        ("http", "direct.test", 80, "http://plain:1"),
        ("https", "www.direct.test", 443, "http://secure:1"),
        ("https", "one.test", 443, "http://one:1"),
        ("https", "one.test", 8443, "http://port:1"),
        ("http", "one.test", 8443, "http://plain:1"),
        ("http", "any.test", 80, "http://anyplain:1"),
        ("https", "any.test", 443, "http://any:1"),
        ("http", "any.test", 9, "http://anyport:1"),
        ("http", "::1", 80, "http://six:1"),
        ("http", "xn--bcher-kva.test", 80, "http://idn:1"),
    ],
)
def test_the_most_exact_key_of_a_mapping_is_used(scheme: str, host: str, port: int, expected: str | None) -> None:
    assert chosen(ProxySelector(MAPPING), scheme, host, port) == expected


def test_schemes_without_an_entry_have_no_proxy() -> None:
    selector = ProxySelector({"https": P})
    assert chosen(selector, "http") is None
    assert chosen(ProxySelector({"all": P, "http": None}), "http") is None


@pytest.mark.parametrize("key", ["", "ftp", "http:", "ftp://h", "no_proxy", "*", "socks5", "example.com"])
def test_key_without_a_meaning_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="expected http, https or all"):
        ProxySelector({key: P})


@pytest.mark.parametrize("key", ["http://h:x", "http://a b", "all://h/path"])
def test_key_with_a_bad_host_is_refused(key: str) -> None:
    with pytest.raises(InvalidURL):
        ProxySelector({key: P})


@pytest.mark.parametrize("proxy", [1, b"http://p", [1], {"all": 1}, {"all": {"http": P}}])
def test_other_settings_are_refused(proxy: ProxySetting) -> None:
    with pytest.raises(TypeError, match="expected a URL, Proxy, list, mapping, callable or None as proxy, got "):
        ProxySelector(proxy)


@pytest.mark.parametrize("proxy", ["", "ftp://p", {"http": "http://user:secret@p:x"}])
def test_invalid_proxy_is_an_error_of_the_constructor(proxy: ProxySetting) -> None:
    with pytest.raises(InvalidURL, match="expected a proxy") as caught:
        ProxySelector(proxy)
    assert "secret" not in str(caught.value)


def test_callable_gets_the_whole_url() -> None:
    urls: list[str] = []
    answers: dict[str, ProxyValue] = {"http://a.test/x?y#z": "p:1", "http://b.test/": Proxy("http", "q", 2)}

    def choose(url: str) -> ProxyValue:
        urls.append(url)
        return answers.get(url)

    selector = ProxySelector(choose)
    assert selector.needs_url
    assert not selector.is_empty
    assert selector.select_for_url("http://a.test/x?y#z") == Proxy("http", "p", 1)
    assert selector.select("http", "b.test", 80) == Proxy("http", "q", 2)
    assert selector.select("https", "::1", 8443) is None
    assert urls == ["http://a.test/x?y#z", "http://b.test/", "https://[::1]:8443/"]


def test_text_of_a_callable_is_parsed_once() -> None:
    selector = ProxySelector(lambda url: "http://user:pw@rotated.test:3128")
    assert selector.select_for_url("http://a.test/") is selector.select_for_url("http://b.test/")


def test_callable_that_returns_something_else() -> None:
    selector = ProxySelector(lambda url: 1)  # type: ignore[arg-type,return-value]
    with pytest.raises(TypeError, match="as proxy, got int"):
        selector.select_for_url("http://a.test/")


def test_callable_that_returns_a_bad_url() -> None:
    selector = ProxySelector(lambda url: "ftp://user:secret@p")
    with pytest.raises(InvalidURL, match="expected a proxy of scheme http, https") as caught:
        selector.select_for_url("http://a.test/")
    assert "secret" not in str(caught.value)


def test_url_is_needed_by_callables_only() -> None:
    assert not ProxySelector(P).needs_url
    assert not ProxySelector(MAPPING).needs_url


@pytest.mark.parametrize("proxy", [None, {}, {"http": None, "https://h": None}])
def test_empty_selector_is_empty(proxy: ProxySetting) -> None:
    selector = ProxySelector(proxy)
    assert selector.is_empty
    assert chosen(selector) is None


# The environment


@pytest.mark.parametrize(
    ("variables", "http", "https"),
    [
        ({}, None, None),
        ({"http_proxy": P}, P, None),
        ({"HTTP_PROXY": P}, P, None),
        ({"https_proxy": P}, None, P),
        ({"HTTPS_PROXY": P}, None, P),
        ({"all_proxy": P}, P, P),
        ({"ALL_PROXY": P}, P, P),
        ({"all_proxy": P, "https_proxy": "q:1"}, P, "http://q:1"),
        ({"http_proxy": P, "HTTP_PROXY": "q:1"}, P, None),
        ({"https_proxy": "", "HTTPS_PROXY": P}, None, None),
        ({"https_proxy": "", "all_proxy": P}, P, P),
        ({"http_proxy": "  "}, None, None),
        ({"http_proxy": f" {P}\n"}, P, None),
        ({"http_proxy": "p:3128"}, P, None),
        ({"all_proxy": "socks5h://p"}, "socks5h://p:1080", "socks5h://p:1080"),
        ({"Http_Proxy": P}, None, None),
        # a CGI program gets the field Proxy as HTTP_PROXY (httpoxy)
        ({"HTTP_PROXY": P, "REQUEST_METHOD": "GET"}, None, None),
        ({"HTTP_PROXY": P, "REQUEST_METHOD": ""}, None, None),
        ({"http_proxy": P, "REQUEST_METHOD": "GET"}, P, None),
        ({"HTTPS_PROXY": P, "REQUEST_METHOD": "GET"}, None, P),
        ({"HTTP_PROXY": "q:1", "ALL_PROXY": P, "REQUEST_METHOD": "GET"}, P, P),
        ({"all_proxy": P, "no_proxy": "example.com"}, None, None),
        ({"all_proxy": P, "NO_PROXY": "example.com:443"}, P, None),
        ({"all_proxy": P, "no_proxy": "", "NO_PROXY": "*"}, P, P),
        ({"all_proxy": P, "no_proxy": "example.org", "NO_PROXY": "*"}, P, P),
        ({"all_proxy": P, "no_proxy": "*"}, None, None),
    ],
)
def test_environment(
    environment: pytest.MonkeyPatch, variables: dict[str, str], http: str | None, https: str | None
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    selector = ProxySelector()
    assert chosen(selector, "http", "example.com", 80) == http
    assert chosen(selector, "https", "example.com", 443) == https
    found = selector.select_for_url("https://Example.com/x")
    assert (None if found is None else str(found)) == https
    assert ProxySelector(trust_env=False).is_empty


@pytest.mark.parametrize(("variables", "is_empty"), [({}, True), ({"no_proxy": "*"}, True), ({"http_proxy": P}, False)])
def test_environment_without_proxies_is_empty(
    environment: pytest.MonkeyPatch, variables: dict[str, str], is_empty: bool
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    assert ProxySelector().is_empty is is_empty


def test_environment_is_read_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("http_proxy", P)
    selector = ProxySelector()
    environment.setenv("http_proxy", "http://later:1")
    environment.setenv("no_proxy", "*")
    assert chosen(selector) == P


@pytest.mark.parametrize("proxy", ["http://given:1", {"http": "http://given:1"}, lambda url: "http://given:1"])
def test_proxy_given_leaves_the_environment_unread(environment: pytest.MonkeyPatch, proxy: ProxySetting) -> None:
    environment.setenv("all_proxy", "http://user:secret@broken:x")
    environment.setenv("no_proxy", "*")
    assert chosen(ProxySelector(proxy)) == "http://given:1"


def test_mapping_without_the_scheme_leaves_the_environment_unread(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("all_proxy", P)
    assert chosen(ProxySelector({"https": P}), "http") is None


def test_invalid_variable_is_an_error_at_its_first_use(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", "http://user:secret@p:x")
    environment.setenv("no_proxy", "direct.test")
    selector = ProxySelector()
    assert not selector.is_empty
    assert chosen(selector, "http") is None
    assert chosen(selector, "https", "direct.test", 443) is None
    errors = []
    for _ in range(2):
        with pytest.raises(InvalidURL, match=r"environment variable HTTPS_PROXY: expected a proxy as ") as caught:
            selector.select("https", "example.com", 443)
        assert "secret" not in str(caught.value)
        errors.append(caught.value)
    assert errors[0] is not errors[1]


def test_no_slow_module_is_imported() -> None:
    code = (
        "import sys, json; from asyncclient.client.proxy.proxies import ProxySelector;"
        "ProxySelector('http://u:p@p').select('http', '10.0.0.1', 80); print(json.dumps(sorted(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert not {"urllib.request", "urllib.parse", "http.client", "ipaddress", "idna", "base64"} & set(
        json.loads(result.stdout)
    )


@pytest.mark.parametrize("tunnels_all", [False, True])
def test_a_proxy_can_be_pickled_and_copied(tunnels_all: bool) -> None:
    proxy = Proxy("http://user:password@p:3128", headers={"A": "1"}, tunnels_all=tunnels_all)
    assert pickle.loads(pickle.dumps(proxy)) == copy.copy(proxy) == proxy
    assert proxy.tunnelling().tunnels_all
    assert (proxy.tunnelling() == proxy) == tunnels_all
