"""The proxy of a request: given to the client, from the environment, and after redirects."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from asyncclient import Client, InvalidURL, Proxy
from tests.client.answering import HOST, Answering, by_name, is_clean, redirect
from tests.client.test_proxy_requests import TOKEN, Refusing, with_user
from tests.connection.conversations import reply
from tests.servers import Certificates, ConnectProxy

StartProxy = Callable[..., ConnectProxy]
Serve = Callable[[str], Answering]

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without proxies."""
    for name in (*VARIABLES, "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def serve() -> Iterator[Serve]:
    """serve(name): a server, or a proxy for http URLs, that answers with its name."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(Answering(default=reply(name.encode())))


async def answers(client: Client, *urls: str) -> list[str]:
    found = [(await client.get(url)).text for url in urls]
    assert await is_clean(client)
    return found


# Given to the client


async def test_a_proxy_for_each_scheme(serve: Serve, tls: Certificates, connect_proxy: StartProxy) -> None:
    plain, tunnels = serve("proxy"), connect_proxy()
    with Answering(default=reply(b"server"), tls=tls.server_context()) as server:
        proxies = {"http": plain.url, "https": tunnels.url}
        async with Client(proxy=proxies, ssl=tls.client_context()) as client:
            assert await answers(client, "http://one.test/", server.url) == ["proxy", "server"]
    assert (plain.targets, len(tunnels.requests)) == (["http://one.test/"], 1)


async def test_proxies_by_host_and_port_and_direct_connections(serve: Serve) -> None:
    usual, special, direct = serve("usual"), serve("special"), serve("direct")
    proxies = {
        "all": usual.url,
        "http://one.test": Proxy("http", special.host, special.port),
        "http://two.test:81": special.url,
        f"all://{HOST}": None,
    }
    async with Client(proxy=proxies, resolver=Refusing()) as client:
        urls = ("http://one.test/", "http://two.test/", "http://two.test:81/", "http://a.one.test/", direct.url)
        assert await answers(client, *urls) == ["special", "usual", "special", "usual", "direct"]


async def test_a_proxy_function_is_called_for_each_url(serve: Serve) -> None:
    proxy, direct = serve("proxy"), serve("direct")
    asked: list[str] = []

    def choose(url: str) -> str | None:
        asked.append(url)
        return proxy.url if "?via" in url else None

    urls = (f"{direct.url}/a", f"{direct.url}/a?via", f"{direct.url}/b")
    async with Client(proxy=choose) as client:
        assert await answers(client, *urls) == ["direct", "proxy", "direct"]
    assert asked == list(urls)
    assert (direct.accepted, proxy.accepted) == (1, 1)


@pytest.mark.parametrize("found", [5, "ftp://p", "http://p:x"])
async def test_invalid_results_of_a_proxy_function_are_errors(found: Any) -> None:
    async with Client(proxy=lambda url: found) as client:
        with pytest.raises((TypeError, InvalidURL), match="proxy"):
            await client.get("http://one.test/")
        assert await is_clean(client)


# By the environment


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
async def test_the_environment_names_a_proxy(environment: pytest.MonkeyPatch, serve: Serve, name: str) -> None:
    proxy, direct = serve("proxy"), serve("direct")
    environment.setenv(name, with_user(proxy))
    async with Client() as client, Client(trust_env=False) as own, Client(proxy={}) as none:
        assert await answers(client, direct.url, "http://one.test/") == ["proxy", "proxy"]
        assert await answers(own, direct.url) == await answers(none, direct.url) == ["direct"]
    assert [asked["proxy-authorization"] for asked in proxy.asked] == [TOKEN, TOKEN]
    assert [asked["proxy-authorization"] for asked in direct.asked] == [None, None]


async def test_the_environment_names_a_proxy_for_https(
    environment: pytest.MonkeyPatch, tls: Certificates, connect_proxy: StartProxy
) -> None:
    proxy = connect_proxy()
    environment.setenv("https_proxy", f"{HOST}:{proxy.port}")  # no scheme: http
    with Answering(default=reply(b"server"), tls=tls.server_context()) as server:
        async with Client(ssl=tls.client_context()) as client:
            assert await answers(client, server.url) == ["server"]
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    ("no_proxy", "is_direct"),
    [
        ("one.test", [True, True, False]),
        (".one.test", [True, True, False]),
        ("*.one.test", [False, True, False]),
        ("ONE.test:1", [False, False, False]),
        ("two.test, 127.0.0.0/8", [False, False, True]),
        ("one.test 127.0.0.1", [True, True, True]),
        ("*", [True, True, True]),
        ("10.0.0.0/8,::1/128", [False, False, False]),
        ("", [False, False, False]),
    ],
)
async def test_hosts_without_the_environments_proxy(
    environment: pytest.MonkeyPatch, serve: Serve, no_proxy: str, is_direct: list[bool]
) -> None:
    proxy, direct = serve("proxy"), serve("direct")
    environment.setenv("http_proxy", proxy.url)
    environment.setenv("no_proxy", no_proxy)
    urls = [direct.url_as("one.test"), direct.url_as("a.one.test"), direct.url]
    async with Client(resolver=by_name("one.test", "a.one.test")) as client:
        assert await answers(client, *urls) == ["direct" if each else "proxy" for each in is_direct]


async def test_a_given_proxy_takes_precedence_over_the_environment(
    environment: pytest.MonkeyPatch, serve: Serve
) -> None:
    given = serve("given")
    environment.setenv("http_proxy", "http://broken:x")
    environment.setenv("no_proxy", "*")
    async with Client(proxy=given.url) as client:
        assert await answers(client, "http://one.test/") == ["given"]


async def test_an_invalid_variable_is_an_error_of_the_requests_that_use_it(
    environment: pytest.MonkeyPatch, serve: Serve
) -> None:
    environment.setenv("HTTPS_PROXY", "http://user:s3cret@p:x")
    direct = serve("direct")
    async with Client() as client:
        assert await answers(client, direct.url) == ["direct"]
        with pytest.raises(InvalidURL, match="environment variable HTTPS_PROXY") as raised:
            await client.get("https://one.test/")
        assert "s3cret" not in str(raised.value)
        assert await is_clean(client)


# After redirects


async def test_a_redirect_from_a_proxy_to_a_host_without_one(environment: pytest.MonkeyPatch, serve: Serve) -> None:
    proxy, direct = serve("proxy"), serve("direct")
    proxy.answers["http://one.test/"] = [redirect(f"{direct.url}/to")]
    direct.answers["/to"] = [redirect("http://one.test/end")]
    environment.setenv("http_proxy", with_user(proxy))
    environment.setenv("no_proxy", HOST)
    async with Client(auth=("user", "origin's")) as client:
        response = await client.get("http://one.test/", headers={"Proxy-Authorization": "own"})
        assert (response.text, response.url, len(response.history)) == ("proxy", "http://one.test/end", 2)
    assert [asked.target for asked in proxy.asked] == ["http://one.test/", "http://one.test/end"]
    (reached,) = direct.asked
    assert reached.target == "/to"  # not the absolute form: the server is not a proxy
    assert {"proxy-authorization", "authorization"} & set(reached.fields) == set()
    assert [asked["proxy-authorization"] for asked in proxy.asked] == ["own", TOKEN]


async def test_redirects_between_http_and_https_through_proxies(
    serve: Serve, tls: Certificates, connect_proxy: StartProxy
) -> None:
    plain, tunnels = serve("proxy"), connect_proxy()
    with Answering(tls=tls.server_context()) as server:
        plain.answers["http://one.test/"] = [redirect(f"{server.url}/a")]
        server.answers["/a"] = [redirect("http://one.test/b")]
        proxies = {"http": with_user(plain), "https": with_user(tunnels)}
        async with Client(proxy=proxies, ssl=tls.client_context()) as client:
            assert (await client.get("http://one.test/")).text == "proxy"
    assert plain.targets == ["http://one.test/", "http://one.test/b"]
    assert [asked["proxy-authorization"] for asked in (*plain.asked, *server.asked)] == [TOKEN, TOKEN, None]
