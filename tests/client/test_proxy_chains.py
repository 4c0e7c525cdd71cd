"""Chains of proxies on real sockets: tunnels in tunnels, TLS to each as asked, and credentials only for their proxy."""

import base64
from collections.abc import Callable

import pytest

from asyncclient import Client, ConnectTimeout, Digest, InvalidURL, Proxy, ProxyError, Timeout, TLSError
from asyncclient.client.proxy.proxies import ProxySelector, ProxySetting
from asyncclient.pool.group import Group
from asyncclient.testing import RawConnection, RawServer, parse_fields
from tests.client.answering import HOST, Answering, is_clean
from tests.client.test_known_issues_pool import becomes_clean
from tests.client.test_proxy_authentication import DigestProxy
from tests.client.test_proxy_requests import Refusing
from tests.connection.conversations import OK, echo_target
from tests.durations import FOREVER, lasts
from tests.servers import Certificates, ConnectProxy
from tests.socks_server import SECRET, PProxy, Socks4a
from tests.stream.peers import PATIENCE, cancel_at_each_turn

CHOSEN, GRANTED = b"\x05\x00", b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"

StartProxy = Callable[..., ConnectProxy]


Start = Callable[[str], str]


@pytest.fixture
def start(connect_proxy: StartProxy, tls: Certificates, pproxy: PProxy) -> Start:
    """start(kind): the URL of a proxy of that kind."""

    def start(kind: str) -> str:
        if kind.startswith("socks"):
            return f"{kind}://{pproxy.host}:{pproxy.port}"
        proxy = connect_proxy(tls=tls.server_context() if kind == "https" else None)
        return f"{kind}://localhost:{proxy.port}"

    return start


def targets_of(proxy: RawServer) -> list[str]:
    return [head.split()[1].decode() for head in proxy.requests]


def secrets_of(proxy: RawServer) -> list[str | None]:
    return [dict(parse_fields(head)).get("proxy-authorization") for head in proxy.requests]


def token(user: str, password: str = SECRET) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# Tunnels


@pytest.mark.parametrize("second", ["http", "https", "socks4", "socks5", "socks5h"])
@pytest.mark.parametrize("first", ["http", "https", "socks5"])
async def test_https_through_two_proxies_of_any_kind(first: str, second: str, start: Start, tls: Certificates) -> None:
    with RawServer(echo_target, tls=tls.server_context()) as server:
        async with Client(proxy=[start(first), start(second)], ssl=tls.client_context()) as client:
            for number in range(3):
                response = await client.get(f"https://localhost:{server.port}/{number}")
                assert (response.text, response.tls is not None) == (f"/{number}", True)
            assert await is_clean(client)
            assert client.stats().idle == 1
    assert server.accepted == 1


@pytest.mark.parametrize("first", ["http", "https", "socks5"])
async def test_http_urls_are_requested_from_the_last_proxy_by_absolute_targets(
    first: str, start: Start, tls: Certificates
) -> None:
    with Answering(default=OK) as last, Answering(default=OK, tls=tls.server_context()) as secure:
        for proxy in (last, secure):
            chain = [start(first), f"{'https' if proxy is secure else 'http'}://ali:{SECRET}@localhost:{proxy.port}"]
            async with Client(proxy=chain, ssl=tls.client_context()) as client:
                for path in ("a", "b"):
                    assert (await client.get(f"http://one.test/{path}")).content == b"ok"
            assert proxy.targets == ["http://one.test/a", "http://one.test/b"]
            assert [asked["proxy-authorization"] for asked in proxy.asked] == [token("ali")] * 2
            assert proxy.accepted == 1


async def test_http_urls_behind_a_socks_proxy_are_requested_from_the_server(start: Start) -> None:
    with Answering(default=OK) as server:
        async with Client(proxy=[start("http"), start("socks5")]) as client:
            assert (await client.get(f"{server.url}/a")).content == b"ok"
    assert server.targets == ["/a"]


async def test_a_chain_of_four_proxies(start: Start, tls: Certificates) -> None:
    chain = [start(kind) for kind in ("http", "https", "socks5h", "https")]
    with RawServer(echo_target, tls=tls.server_context()) as server:
        async with Client(proxy=chain, ssl=tls.client_context()) as client:
            assert (await client.get(f"https://localhost:{server.port}/a")).text == "/a"


async def test_each_proxy_gets_the_address_of_the_next_and_resolves_names(
    connect_proxy: StartProxy, tls: Certificates
) -> None:
    first = connect_proxy()
    with Socks4a() as second, RawServer(echo_target, tls=tls.server_context("server.test")) as server:
        chain = [f"http://{HOST}:{first.port}", f"socks4a://{HOST}:{second.port}"]
        async with Client(proxy=chain, ssl=tls.client_context(), resolver=Refusing()) as client:
            assert (await client.get(f"https://server.test:{server.port}/a")).text == "/a"
    assert targets_of(first) == [f"{HOST}:{second.port}"]
    assert [asked[1:] for asked in second.asked] == [("server.test", server.port)]


# Credentials


async def test_credentials_and_fields_of_a_proxy_are_sent_to_it_alone(
    connect_proxy: StartProxy, tls: Certificates
) -> None:
    one, two = connect_proxy(credentials=("one", SECRET)), connect_proxy(credentials=("two", SECRET))
    chain = [
        Proxy(f"http://one:{SECRET}@{HOST}:{one.port}", headers={"X-Own": "1"}),
        Proxy(f"http://two:{SECRET}@{HOST}:{two.port}", headers={"X-Own": "2"}),
    ]
    with Answering(default=OK, tls=tls.server_context()) as server:
        async with Client(proxy=chain, ssl=tls.client_context(), auth=("user", "origin's")) as client:
            assert (await client.get(f"https://localhost:{server.port}/")).content == b"ok"
    assert (secrets_of(one), secrets_of(two)) == ([token("one")], [token("two")])
    assert [dict(parse_fields(proxy.requests[0]))["x-own"] for proxy in (one, two)] == ["1", "2"]
    (asked,) = server.asked
    assert (asked["proxy-authorization"], asked["x-own"]) == (None, None)


async def test_credentials_of_a_socks_proxy_behind_tls(start: Start, strict_pproxy: PProxy, tls: Certificates) -> None:
    with RawServer(echo_target, tls=tls.server_context()) as server:
        for password, opens in ((SECRET, True), ("wrong", False)):
            chain = [start("https"), f"socks5://ali:{password}@{HOST}:{strict_pproxy.port}"]
            async with Client(proxy=chain, ssl=tls.client_context()) as client:
                if opens:
                    assert (await client.get(f"https://localhost:{server.port}/a")).text == "/a"
                else:
                    with pytest.raises(ProxyError) as raised:
                        await client.get(f"https://localhost:{server.port}/a")
                    assert "wrong" not in str(raised.value)
                assert await is_clean(client)


@pytest.mark.parametrize("closes", [True, False])
async def test_each_proxy_of_a_chain_may_ask_for_digest(tls: Certificates, closes: bool) -> None:
    with (
        Answering(default=OK, tls=tls.server_context()) as server,
        DigestProxy(closes=closes) as one,
        DigestProxy(closes=closes, tls=tls.server_context()) as two,
    ):
        chain = [Proxy(one.url, auth=Digest("user", "secret")), Proxy(two.url, auth=Digest("user", "secret"))]
        async with Client(proxy=chain, ssl=tls.client_context()) as client:
            assert (await client.get(server.url)).content == b"ok"
            assert client._pool.counted == 1
    assert server.accepted == 1


# Errors


async def test_an_error_names_the_tunnel_that_was_refused_and_no_secret(connect_proxy: StartProxy) -> None:
    one, two = connect_proxy(), connect_proxy(credentials=("two", SECRET))
    last = f"http://two:wrong-{SECRET}@{HOST}:{two.port}"
    async with Client(proxy=[f"http://{HOST}:{one.port}", last]) as client:
        with pytest.raises(ProxyError, match=r"no tunnel to server\.test:443: the proxy answered 407") as raised:
            await client.get("https://server.test/")
        assert (raised.value.status, SECRET in str(raised.value)) == (407, False)
        assert await becomes_clean(client)
        assert client._pool.counted == 0


async def test_a_proxy_that_can_not_reach_the_next_one_is_an_error(connect_proxy: StartProxy, closed_port: int) -> None:
    one = connect_proxy()
    async with Client(proxy=[f"http://{HOST}:{one.port}", f"socks5://{HOST}:{closed_port}"]) as client:
        with pytest.raises(ProxyError, match=rf"no tunnel to {HOST}:{closed_port}: the proxy answered 502"):
            await client.get("https://server.test/")
        assert client._pool.counted == 0


@pytest.fixture
def closed_port() -> int:
    with RawServer(RawConnection.close) as server:
        return server.port


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
async def test_a_silent_proxy_behind_another_is_a_timeout(scheme: str, connect_proxy: StartProxy) -> None:
    one = connect_proxy()
    with RawServer(RawConnection.wait_closed) as silent:
        limit = Timeout(connect=0.5, total=FOREVER)
        async with Client(proxy=[f"http://{HOST}:{one.port}", f"{scheme}://{HOST}:{silent.port}"]) as client:
            with lasts(0.5), pytest.raises(ConnectTimeout) as raised:
                await client.get("https://server.test/", timeout=limit)
            assert (raised.value.phase, raised.value.seconds) == ("proxy", 0.5)
            assert await is_clean(client)


async def test_data_after_the_reply_of_a_socks_proxy_is_not_taken_for_that_of_the_server(
    connect_proxy: StartProxy,
) -> None:
    def answer(connection: RawConnection) -> None:
        connection.read()
        connection.send(CHOSEN)
        connection.read()
        connection.send(GRANTED + OK)
        connection.wait_closed()

    one = connect_proxy()
    with RawServer(answer) as socks:
        async with Client(proxy=[f"http://{HOST}:{one.port}", f"socks5h://{HOST}:{socks.port}"]) as client:
            with pytest.raises(ProxyError, match="the proxy sent more than its reply, or closed"):
                await client.get("http://server.test/")
            assert client._pool.counted == 0


async def test_a_certificate_of_another_name_is_refused_at_each_end(start: Start, tls: Certificates) -> None:
    wrong = tls.wrong_host_context()
    with ConnectProxy(tls=wrong) as other, RawServer(echo_target, tls=wrong) as server:
        for chain in ([start("http"), f"https://localhost:{other.port}"], [start("https"), start("http")]):
            async with Client(proxy=chain, ssl=tls.client_context()) as client:
                with pytest.raises(TLSError):
                    await client.get(f"https://localhost:{server.port}/")
                assert client._pool.counted == 0


@pytest.mark.parametrize("second", ["https", "socks5"])
async def test_cancelling_in_any_turn_of_a_chain_leaves_nothing(second: str, start: Start, tls: Certificates) -> None:
    with RawServer(echo_target, tls=tls.server_context()) as server:
        async with Client(proxy=[start("https"), start(second)], ssl=tls.client_context()) as client:
            await client.get(f"https://localhost:{server.port}/")
            (group,) = client._pool._groups.values()
            assert isinstance(group, Group)
            await cancel_at_each_turn(group.route, PATIENCE, 0.0005)


# The setting


def select(setting: ProxySetting, scheme: str = "https") -> Proxy | None:
    return ProxySelector(setting).select(scheme, "a.test", 443)


@pytest.mark.parametrize(
    "setting",
    [
        ["http://one", "socks5://two:1"],
        ("http://one", Proxy("socks5://two:1")),
        {"https": ["http://one", "socks5://two:1"]},
        lambda url: ["http://one", "socks5://two:1"],
    ],
)
def test_a_chain_is_given_as_a_single_proxy_is(setting: ProxySetting) -> None:
    found = select(setting)
    assert found is not None
    assert (str(found), [str(proxy) for proxy in found.via]) == ("socks5://two:1", ["http://one:80"])
    assert repr(found) == "<Proxy socks5://two:1 via http://one:80>"


def test_a_chain_of_one_proxy_is_that_proxy() -> None:
    assert select(["http://one"]) == select("http://one")


@pytest.mark.parametrize("setting", [[], (), ["http://one", None], {"https": []}])
def test_a_chain_without_a_proxy_is_refused(setting: ProxySetting) -> None:
    with pytest.raises(ValueError, match="expected at least one proxy, and no None, in a chain of proxies"):
        ProxySelector(setting)


def test_an_invalid_proxy_in_a_chain_is_refused_without_its_secret() -> None:
    with pytest.raises(InvalidURL) as raised:
        ProxySelector(["http://one", f"ftp://ali:{SECRET}@two"])
    assert SECRET not in str(raised.value)


async def test_connections_of_different_chains_are_not_shared_and_have_labels(start: Start) -> None:
    one, two, three = (start("http") for _ in range(3))
    chains = {"/a": [one, three], "/b": [two, three], "/c": three}
    with RawServer(echo_target) as server:
        socks = start("socks5")
        setting = {path: [*([chain] if isinstance(chain, str) else chain), socks] for path, chain in chains.items()}
        async with Client(proxy=lambda url: setting["/" + url.rpartition("/")[2]]) as client:
            for path in setting:
                assert (await client.get(server.url + path)).text == path
            assert client.stats().idle == 3
            assert f"{HOST}:{server.port} via {one}, {three}, {socks}" in client.stats().hosts
    assert server.accepted == 3
