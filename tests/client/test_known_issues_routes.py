"""Known issues of other HTTP clients about redirects, proxies, addresses and retries; each test names them."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asyncclient import Client, Retry, StaticResolver, Timeout
from asyncclient.stream import racing
from asyncclient.testing import RawServer
from tests.client.answering import HOST, Answering, Recording, by_name, is_clean, redirect
from tests.client.test_known_issues_pool import black_hole
from tests.connection.conversations import OK, echo_target, reply
from tests.durations import FOREVER, lasts
from tests.servers import Certificates, ConnectProxy

StartProxy = Callable[..., ConnectProxy]

# Secrets

SECRETS = {
    "Authorization": "Bearer s3cret",
    "Cookie": "session=s3cret",
    "Proxy-Authorization": "Basic s3cret",
    "X-Api-Key": "s3cret",
}
ELSEWHERE = {
    "same origin": ("http://one.test:{one}/to", True),
    "relative": ("/to", True),
    "other case": ("HTTP://ONE.test:{one}/to", True),
    "other host": ("http://two.test:{one}/to", False),
    "host below": ("http://a.one.test:{one}/to", False),
    "host with a dot": ("http://one.test.:{one}/to", False),
    "other port": ("http://one.test:{two}/to", False),
    "other scheme": ("https://one.test:{secure}/to", False),
    "no scheme, other host": ("//two.test:{one}/to", False),
    "user": ("http://user:password@two.test:{one}/to", False),
}


@pytest.mark.parametrize(("location", "is_same"), ELSEWHERE.values(), ids=ELSEWHERE)
@pytest.mark.parametrize("given_to", ["client", "request"])
async def test_secrets_are_not_sent_to_another_origin_nor_after_it(
    tls: Certificates, location: str, is_same: bool, given_to: str
) -> None:
    """CVE-2018-20060, CVE-2023-43804, CVE-2024-37891, CVE-2026-44431: what leaks by redirects across origins."""
    names = ("one.test", "two.test", "a.one.test")
    answers: dict[str, Any] = {"/": b"", "/to": redirect("http://one.test:1/end")}
    with (
        Answering(answers) as one,
        Answering(answers) as two,
        Answering(answers, tls=tls.server_context(*names)) as secure,
    ):
        ports = {"one": one.port, "two": two.port, "secure": secure.port}
        one.answers |= {"/": [redirect(location.format(**ports))], "/end": [OK]}
        for server in (one, two, secure):
            server.answers["/to"] = [redirect(f"http://one.test:{one.port}/end")]
        options: dict[str, Any] = {"headers": SECRETS} if given_to == "client" else {}
        async with Client(
            ssl=tls.client_context(), resolver=by_name(*names, "one.test."), secret_headers=["x-api-key"], **options
        ) as client:
            response = await client.get(one.url_as("one.test"), headers=SECRETS if given_to == "request" else None)
            assert (response.status, len(response.history)) == (200, 2)
    first, (reached,), last = (
        one.asked[0],
        [a for s in (one, two, secure) for a in s.asked if a.target == "/to"],
        one.asked[-1],
    )
    for name, value in SECRETS.items():
        expected = value if is_same else None
        assert (first[name.lower()], reached[name.lower()], last[name.lower()]) == (value, expected, expected)


async def test_auth_cookies_and_userinfo_stay_with_their_origin() -> None:
    """CVE-2018-18074 and its like: what a client puts in by itself."""
    with Answering(default=OK) as other, Answering() as server:
        server.answers["/"] = [redirect(other.url_as("two.test"))]
        async with Client(resolver=by_name("one.test", "two.test"), auth=("ali", "s3cret")) as client:
            url = server.url_as("one.test")
            await client.get(url, cookies={"a": "s3cret"})
            await client.get(url, auth=("baba", "s3cret"))
            await client.get(url.replace("one.test", "user:s3cret@one.test"))
    assert [asked["authorization"] is None for asked in server.asked] == [False] * 3
    assert [set(asked.fields) & {"authorization", "cookie"} for asked in other.asked] == [set()] * 3


async def test_proxy_credentials_are_sent_to_the_proxy_alone(tls: Certificates, connect_proxy: StartProxy) -> None:
    """CVE-2018-20060, GHSA-j8r2-6x86-q33q: Proxy-Authorization is sent to servers through tunnels and by redirects."""
    proxy = connect_proxy(credentials=("ali", "s3cret"))
    with Answering(default=OK, tls=tls.server_context()) as end, Answering(tls=tls.server_context()) as start:
        start.answers["/"] = [redirect(end.url)]
        given = f"http://ali:s3cret@{proxy.host}:{proxy.port}"
        async with Client(proxy=given, ssl=tls.client_context()) as client:
            assert (await client.get(start.url)).content == b"ok"
    token = base64.b64encode(b"ali:s3cret").decode()
    assert [f"Proxy-Authorization: Basic {token}".encode() in head for head in proxy.requests] == [True, True]
    assert [asked["proxy-authorization"] for asked in (*start.asked, *end.asked)] == [None, None]


# Addresses


@pytest.mark.parametrize("order", ["dead first", "dead last"])
async def test_an_address_that_does_not_answer_costs_little_time(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """urllib3/urllib3#797, #2030; python/cpython#105249: broken IPv6 means two minutes' wait."""
    delay = racing.HAPPY_EYEBALLS_DELAY
    if order == "dead last":  # not even the delay
        monkeypatch.setattr(racing, "HAPPY_EYEBALLS_DELAY", FOREVER)
    with black_hole("::1") as dead, RawServer(echo_target) as server:
        addresses = [("::1", dead), (HOST, server.port)][:: 1 if order == "dead first" else -1]
        resolver = StaticResolver({"both.test": addresses})
        async with Client(resolver=resolver, timeout=Timeout(connect=FOREVER)) as client:
            with lasts(delay if order == "dead first" else 0):
                assert (await client.get(f"http://both.test:{server.port}/a")).text == "/a"
            assert await is_clean(client)


# Proxies


async def test_https_through_an_https_proxy(tls: Certificates, connect_proxy: StartProxy) -> None:
    """aio-libs/aiohttp#3816, #5992; encode/httpcore#254; python/cpython#28073; python-socks#49: TLS in TLS."""
    proxy = connect_proxy(tls=tls.server_context())
    with RawServer(echo_target, tls=tls.server_context()) as server:
        async with Client(proxy=f"https://localhost:{proxy.port}", ssl=tls.client_context()) as client:
            for target in ("/a", "/b"):
                response = await client.get(server.url + target)
                assert (response.text, response.tls is not None) == (target, True)
            assert (await client.post(server.url, body=bytes(300_000))).status == 200
    assert (proxy.accepted, server.accepted) == (1, 1)


@pytest.mark.parametrize(
    ("no_proxy", "is_direct"),
    [
        (HOST, True),
        ("127.0.0.0/8", True),
        ("10.0.0.0/8, 127.0.0.1/32", True),
        ("::ffff:127.0.0.0/104", True),
        ("*", True),
        ("127.0.0.1:{port}", True),
        ("127.0.0.1:1", False),
        ("127.0.0.2", False),
        ("127.0.0.1/33,[,/,junk/8", False),
        ("junk/8,\t127.1", False),
        ("[::1]", False),
        ("", False),
    ],
)
async def test_no_proxy_accepts_networks_ports_and_wildcards(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, is_direct: bool
) -> None:
    """psf/requests#6313, #7148; encode/httpx#829, #967; urllib3/urllib3#3615: IPv6, CIDR, wildcards, ports."""
    with Answering(default=reply(b"proxy")) as proxy, Answering(default=reply(b"server")) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", no_proxy.format(port=server.port))
        async with Client() as client:
            assert (await client.get(server.url)).text == ("server" if is_direct else "proxy")


async def test_a_tunnel_to_an_ipv6_address(tls: Certificates, connect_proxy: StartProxy) -> None:
    """python/cpython#156336, urllib3/urllib3#3615, curl/curl#19828: CONNECT to IPv6 literals."""
    proxy = connect_proxy()
    with RawServer(echo_target, tls=tls.server_context(), host="::1") as server:
        async with Client(proxy=proxy.url, ssl=tls.client_context()) as client:
            assert (await client.get(f"{server.url}/a")).text == "/a"
    assert proxy.requests[0].startswith(b"CONNECT [::1]:%d HTTP/1.1\r\nHost: [::1]:%d\r\n" % (server.port, server.port))


# Retries

BUSY = reply(b"busy", b"Retry-After: 0", status=b"503 Service Unavailable")
NOW = Retry(total=2, backoff=0.0)


@pytest.mark.parametrize(
    ("method", "policy", "answers", "status", "asked"),
    [
        ("GET", None, [BUSY, OK], 503, 1),
        ("GET", 2, [BUSY, OK], 200, 2),
        ("GET", NOW, [BUSY, BUSY, OK], 200, 3),
        ("GET", NOW, [BUSY], 503, 3),
        ("POST", NOW, [BUSY, OK], 503, 1),
        ("POST", NOW._replace(methods=frozenset({"POST"})), [BUSY, OK], 200, 2),
        ("GET", NOW._replace(statuses=frozenset({500})), [BUSY, OK], 503, 1),
        ("GET", NOW, [reply(b"", b"Retry-After: 3600", status=b"503 Busy"), OK], 503, 1),
        ("GET", NOW, [b"", OK], 200, 2),
    ],
)
async def test_retries_follow_the_policy(
    method: str, policy: Any, answers: list[bytes], status: int, asked: int
) -> None:
    """encode/httpx#108, #1141: retries by status, with backoff, heeding Retry-After."""
    with Answering({"/": list(answers)}) as server:
        async with Client(retries=policy) as client:
            assert (await client.request(method, server.url)).status == status
            assert await is_clean(client)
    assert len(server.asked) == asked


async def test_pauses_grow_and_follow_retry_after() -> None:
    """encode/httpx#1141: backoff, and Retry-After up to a bound."""
    tracer = Recording()
    busy = reply(b"", status=b"503 Busy")
    with Answering({"/": [busy, reply(b"", b"Retry-After: 0.1", status=b"429 Slow Down"), busy, OK]}) as server:
        async with Client(retries=Retry(total=3, backoff=0.01, jitter=0.0), tracers=[tracer]) as client:
            with lasts(0.15):
                assert (await client.get(server.url)).status == 200
    assert tracer.repeats == [("retry", 0.01), ("retry", 0.1), ("retry", 0.04)]


async def test_retries_have_a_budget() -> None:
    """encode/httpx#1141: a server in trouble is not sent several times as much."""
    with Answering(default=BUSY) as server:
        async with Client(retries=Retry(total=3, backoff=0.0, budget=0.1)) as client:
            for _ in range(50):
                await client.get(server.url)
    assert 50 + 10 <= len(server.asked) <= 50 + 10 + 50 * 0.1 + 5


async def test_a_body_that_cannot_be_resent_is_never_retried() -> None:
    """encode/httpx#108: a retried upload that is empty."""

    def pieces() -> Iterator[bytes]:
        yield b"content"

    with Answering({"/": [BUSY, OK]}) as server:
        async with Client(retries=NOW) as client:
            assert (await client.put(server.url, body=pieces())).status == 503
            assert (await client.put(server.url, body=pieces)).status == 200  # a function makes another one
    assert [asked.content for asked in server.asked] == [b"content", b"content"]
