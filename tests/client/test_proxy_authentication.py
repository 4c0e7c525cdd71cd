"""Fields for a proxy and authentication with it, for CONNECT and for requests in absolute form; its responses."""

import copy
import hashlib
import pickle
import re
from typing import Any

import pytest

from asyncclient import AuthRequest, Basic, Client, Digest, Proxy, ProxyError
from asyncclient.client.proxy.proxies import parse_proxy
from asyncclient.errors import InvalidURL
from asyncclient.message.credentials import basic_value
from asyncclient.testing import RawConnection, parse_fields
from tests.client.answering import Answering, Asked, redirect
from tests.connection.conversations import OK, reply
from tests.servers import Certificates, ConnectProxy

REFUSED = b"407 Proxy Authentication Required"
URL = "http://origin.example/a?b=c"


def challenge(nonce: str, more: str = "", *fields: bytes) -> bytes:
    value = f'Digest realm="proxy", nonce="{nonce}", qop="auth", algorithm=SHA-256{more}'
    return reply(b"who?", b"Proxy-Authenticate: " + value.encode(), *fields, status=REFUSED)


def proves(value: str | None, method: str, target: str, password: str = "secret") -> bool:
    """Whether a Digest proves that its sender knows the password."""
    if value is None or not value.startswith("Digest "):
        return False
    params = {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', value)}

    def digest(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    a1, a2 = digest(f"user:proxy:{password}"), digest(f"{method}:{target}")
    once = ":".join(params[name] for name in ("nonce", "nc", "cnonce", "qop"))
    return (params["uri"], params["response"]) == (target, digest(f"{a1}:{once}:{a2}"))


class DigestProxy(ConnectProxy):
    """A proxy for tunnels that demands Digest and, by choice, closes after a challenge."""

    def __init__(self, *, closes: bool, more: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._closes = closes
        self._more = more
        self.heads: list[dict[str, str]] = []

    def _converse(self, connection: RawConnection) -> None:
        while head := connection.read_head():
            fields = dict(parse_fields(head))
            self.heads.append(fields)
            if proves(fields.get("proxy-authorization"), "CONNECT", head.split()[1].decode()):
                self._tunnel(connection, head)
                return
            connection.send(challenge("n1", self._more, *([b"Connection: close"] if self._closes else [])))
            if self._closes:
                return


# Digest


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("proxy_speaks_tls", [True, False])
async def test_digest_opens_tunnels(tls: Certificates, closes: bool, proxy_speaks_tls: bool) -> None:
    with (
        Answering(default=reply(b"ok", b"Connection: close"), tls=tls.server_context()) as server,
        DigestProxy(
            closes=closes, more=', domain="/only"', tls=tls.server_context() if proxy_speaks_tls else None
        ) as connect,
    ):
        proxy = Proxy(connect.url, auth=Digest("user", "secret"))
        async with Client(proxy=proxy, ssl=tls.client_context()) as client:
            for _ in range(2):
                assert (await client.get(server.url)).content == b"ok"
    assert [len(asked.fields.get("proxy-authorization", [])) for asked in server.asked] == [0, 0]
    assert ["proxy-authorization" in fields for fields in connect.heads] == [False, True, True]
    assert [re.findall("nc=([0-9]+)", fields.get("proxy-authorization", "")) for fields in connect.heads] == [
        [],
        ["00000001"],
        ["00000002"],
    ]
    assert connect.accepted == (3 if closes else 2)


@pytest.mark.parametrize("closes", [True, False])
async def test_a_password_that_the_proxy_refuses_is_an_error_with_its_response(tls: Certificates, closes: bool) -> None:
    with DigestProxy(closes=closes) as connect:
        async with Client(proxy=Proxy(connect.url, auth=Digest("user", "wrong")), ssl=tls.client_context()) as client:
            with pytest.raises(ProxyError, match="answered 407") as raised:
                await client.get("https://localhost/")
    assert (raised.value.status, raised.value.body) == (407, b"who?")
    assert [name for name, _ in raised.value.headers if name == "Proxy-Authenticate"]
    assert len(connect.heads) == 2


async def test_digest_to_a_proxy_with_absolute_targets() -> None:
    def answer(asked: Asked) -> bytes:
        is_good = proves(asked["proxy-authorization"], asked.method, asked.target)
        return reply(asked.content) if is_good else challenge("n1", ', domain="/only"')

    with Answering(default=answer) as server:
        async with Client(proxy=Proxy(server.url, auth=Digest("user", "secret")), auth=("site", "own")) as client:
            assert (await client.post(URL, body=b"content")).content == b"content"
            assert (await client.get(URL)).status == 200
    assert server.targets == [URL] * 3
    assert [asked["proxy-authorization"] is not None for asked in server.asked] == [False, True, True]
    assert {asked["authorization"] for asked in server.asked} == {basic_value("site", "own")}


async def test_a_stale_nonce_is_answered_once_more_and_a_next_nonce_is_taken() -> None:
    answers = [
        challenge("n1"),
        challenge("n2", ", stale=true"),
        reply(b"", b'Proxy-Authentication-Info: nextnonce="n3"'),
        challenge("n4", ", stale=true"),
        challenge("n5", ", stale=true"),
        challenge("n6", ", stale=true"),
    ]
    with Answering({URL: list(answers)}) as server:
        async with Client(proxy=Proxy(server.url, auth=Digest("user", "secret"))) as client:
            assert [(await client.get(URL)).status for _ in range(2)] == [200, 407]
    nonces = [re.findall(r'nonce="(n.)"', asked["proxy-authorization"] or "") for asked in server.asked]
    assert nonces == [[], ["n1"], ["n2"], ["n3"], ["n4"], ["n5"]]


async def test_proxy_and_server_may_both_ask_for_digest() -> None:
    ask = reply(b"", b'WWW-Authenticate: Digest realm="site", nonce="s1", qop=auth', status=b"401 Unauthorized")

    def answer(asked: Asked) -> bytes:
        if not proves(asked["proxy-authorization"], asked.method, asked.target):
            return challenge("n1")
        return OK if asked["authorization"] else ask

    with Answering(default=answer) as server:
        async with Client(proxy=Proxy(server.url, auth=Digest("user", "secret")), auth=Digest("u", "p")) as client:
            assert (await client.get(URL)).status == 200
    assert len(server.asked) == 3


async def test_an_auth_gets_to_know_that_a_challenge_is_the_proxys() -> None:
    requests: list[AuthRequest] = []

    async def log_in(request: AuthRequest) -> str:
        requests.append(request)
        return "Token t"

    with Answering({URL: redirect("/d"), "http://origin.example/d": OK}) as server:
        async with Client(proxy=Proxy(server.url, auth=log_in)) as client:
            assert (await client.get(URL)).status == 200
    assert [asked["proxy-authorization"] for asked in server.asked] == ["Token t"] * 2
    first, second = requests
    assert (first.url, first.host, first.port, first.is_proxy) == (f"{server.url}/", server.host, server.port, True)
    assert (first.method, first.target, second.target) == ("GET", URL, "http://origin.example/d")


# Fields


async def test_fields_for_the_proxy_are_sent_to_it_alone(tls: Certificates) -> None:
    with Answering(default=OK, tls=tls.server_context()) as server, ConnectProxy() as connect:
        for fields in ({"X-Session": "7"}, [("X-Session", "8")]):
            async with Client(proxy=Proxy(connect.url, headers=fields), ssl=tls.client_context()) as client:
                await client.get(server.url)
        heads = [dict(parse_fields(head)) for head in connect.requests]
    assert [head["x-session"] for head in heads] == ["7", "8"]
    assert [asked["x-session"] for asked in server.asked] == [None, None]


async def test_proxy_fields_are_sent_with_absolute_targets_and_not_without_the_proxy() -> None:
    proxy_fields = {"X-Session": "7", "User-Agent": "for the proxy", "X-Other": "proxy"}
    with Answering(default=OK) as direct, Answering({URL: redirect(direct.url)}, default=OK) as server:
        proxies = {"http://origin.example": Proxy(server.url, headers=proxy_fields)}
        async with Client(proxy=proxies, headers={"X-Other": "client"}) as client:
            await client.get(URL)
            await client.get("http://origin.example/", headers={"X-Session": "own", "User-Agent": None})
    first, second = server.asked
    assert (first["x-session"], first["user-agent"], first["x-other"]) == ("7", "for the proxy", "proxy")
    assert (second["x-session"], second["user-agent"]) == ("own", None)
    assert (direct.asked[0]["x-session"], direct.asked[0]["x-other"]) == (None, "client")


async def test_a_given_proxy_authorization_takes_precedence_over_the_user() -> None:
    fields = Proxy("http://user:secret@p", headers={"proxy-authorization": "Token t"}).list_fields()
    assert fields == [("proxy-authorization", "Token t")]
    assert Proxy("http://user:secret@p").list_fields() == [("Proxy-Authorization", basic_value("user", "secret"))]


@pytest.mark.parametrize("value", [b"\xe9", "\xe9", 7])
def test_values_of_fields_are_text_bytes_or_numbers(value: Any) -> None:
    assert Proxy("http://p", headers={"X": value}).headers == (("X", "7" if value == 7 else "\xe9"),)


@pytest.mark.parametrize(
    "name",
    ["Host", "content-length", "Transfer-Encoding", "Connection", "Upgrade", "TE", "Expect", "X Y", "", "X\r\nY"],
)
def test_fields_that_the_client_sets_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"for a proxy|invalid"):
        Proxy("http://p", headers={name: "1"})


def test_a_value_with_a_line_end_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid"):
        Proxy("http://p", headers={"X": "1\r\nY: 2"})


# The answer


async def test_the_answer_to_connect_is_on_the_response(tls: Certificates) -> None:
    granted = b"HTTP/1.1 200 OK\r\nX-Exit: nl\r\nX-Exit: de\r\n\r\n"
    with Answering(default=OK, tls=tls.server_context()) as server, ConnectProxy(answer=granted) as connect:
        async with Client(proxy=connect.url, ssl=tls.client_context()) as client:
            responses = [await client.get(server.url) for _ in range(2)]
            async with client.stream("GET", server.url) as streamed:
                responses.append(streamed)
    responses.append(pickle.loads(pickle.dumps(responses[0])))
    for response in responses:
        assert response.proxy_headers is not None
        assert response.proxy_headers.get_all("x-exit") == ["nl", "de"]
        assert "x-exit" not in response.headers


async def test_without_a_tunnel_there_is_no_answer_of_a_proxy() -> None:
    with Answering(default=OK) as server:
        async with Client(proxy=server.url) as forwarded, Client() as direct:
            assert (await forwarded.get(URL)).proxy_headers is None
            assert (await direct.get(server.url)).proxy_headers is None


# The value


@pytest.mark.parametrize(
    "url", ["http://a%3Ab:secret@p", "https://a%3Ab@p", "http://a%00:secret@p", "http://u:secret%0A@p"]
)
def test_a_user_that_basic_refuses_is_refused(url: str) -> None:
    with pytest.raises(InvalidURL, match="expected a proxy as") as caught:
        parse_proxy(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Proxy("http", "p", 1, "a:b", "secret"),
        lambda: Proxy("http://p", auth=("a:b", "secret")),
        lambda: Proxy("http://u:secret@p", auth=("a", "secret")),
        lambda: Proxy("http://u:secret@p", auth=Basic("a", "secret")),
        lambda: Proxy("socks5://p", auth=Basic("a", "secret")),
        lambda: Proxy("socks5://p", headers={"X": "secret"}),
        lambda: Proxy("gopher", "p", 1),
        lambda: Proxy("http", "p:x", None),
        lambda: Proxy("http", "p/q", 1),
        lambda: Proxy("http", "p", 65536),
    ],
)
def test_invalid_proxy_credentials_are_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        make()
    assert "secret" not in str(caught.value)


def test_a_url_together_with_parts_is_refused() -> None:
    with pytest.raises(TypeError, match="a URL, or scheme, host and port"):
        Proxy("http://p", port=1)


def test_a_user_and_password_may_be_given_as_auth() -> None:
    assert (
        Proxy("http://p", auth=("u", "secret"))
        == parse_proxy("http://u:secret@p")
        == Proxy("http", "P", 80, "u", "secret")
    )
    assert Proxy("socks5://p", auth=("a:b", "secret")).username == "a:b"


def test_proxies_differ_by_their_fields_and_auth() -> None:
    auth = Digest("u", "secret")
    proxies = [
        Proxy("http://p"),
        Proxy("http://p", headers={"X": "1"}),
        Proxy("http://p", headers={"X": "2"}),
        Proxy("http://p", auth=auth),
        Proxy("http://p", auth=Digest("u", "secret")),
    ]
    assert len({*proxies, Proxy("http://p"), Proxy("http://p", auth=auth)}) == 5
    assert "secret" not in repr(proxies)
    assert (
        repr(Proxy("http://p", headers={"X": "secret"}, auth=auth)) == "<Proxy http://p:80 with credentials and fields>"
    )


def test_a_proxy_is_copied_and_pickled() -> None:
    proxy = Proxy("http://u:secret@p:1", headers={"X": "1"}).tunnelling()._replace(via=(Proxy("http://first"),))
    assert copy.copy(proxy) == copy.deepcopy(proxy) == pickle.loads(pickle.dumps(proxy)) == proxy
