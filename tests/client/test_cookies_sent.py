"""Cookies of a client: set by responses and redirects, sent back to their hosts, shared, and never an error."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asyncclient import Client, CookieJar, Digest, LocalResponse, Retry
from asyncclient.testing import MockTransport
from tests.client.answering import Answering, by_name, is_clean, redirect
from tests.connection.conversations import OK, reply
from tests.servers import Certificates

URL = "http://one.example/"
NAMES = ("one.example", "sub.one.example", "two.example", "localhost.example")


def setting(*cookies: bytes, content: bytes = b"ok", status: bytes = b"200 OK") -> bytes:
    return reply(content, *(b"Set-Cookie: " + cookie for cookie in cookies), status=status)


def sets(*cookies: str) -> LocalResponse:
    return LocalResponse(headers=[("Set-Cookie", cookie) for cookie in cookies])


async def test_a_cookie_is_sent_back() -> None:
    with Answering({"/login": setting(b"sid=1; Path=/; HttpOnly"), "/": OK}) as server:
        async with Client() as client:
            assert (await client.get(f"{server.url}/login")).content == b"ok"
            await client.get(server.url)
            await client.post(server.url, body=b"x")
    assert [asked["cookie"] for asked in server.asked] == [None, "sid=1", "sid=1"]


IN_DIR = {"one.example/dir/x", "one.example/dir"}
AT_ONE = {*IN_DIR, "one.example/"}
BELOW_ONE = {*AT_ONE, "sub.one.example/"}


@pytest.mark.parametrize(
    ("cookie", "sent_to"),
    [
        ("a=1", IN_DIR),
        ("a=1; Path=/", AT_ONE),
        ("a=1; Path=/dir/x", {"one.example/dir/x"}),
        ("a=1; Path=/; Domain=one.example", BELOW_ONE),
        ("a=1; Path=/; Domain=.ONE.example", BELOW_ONE),
        ("a=1; Path=/; Domain=two.example", set()),
        ("a=1; Path=/; Domain=sub.one.example", set()),
        ("a=1; Path=/; Domain=example", set()),
        ("a=1; Path=/; Secure", set()),
        ("a=1; Path=/; Max-Age=0", set()),
        ("a=1; Path=/; Max-Age=-5", set()),
        ("a=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", set()),
        ("__Host-a=1; Path=/; Secure", set()),
    ],
)
async def test_hosts_to_which_a_cookie_is_sent(cookie: str, sent_to: set[str]) -> None:
    places = ("one.example/dir/x", "one.example/dir", "one.example/", "sub.one.example/", "two.example/")
    login = "http://one.example/dir/login"
    transport = MockTransport(
        {f"GET {login}": sets(cookie), **{f"GET http://{place}": LocalResponse() for place in places}}
    )
    async with Client(transport=transport) as client:
        await client.get(login)
        for place in places:
            await client.get(f"http://{place}")
    sent = zip(places, transport.requests[1:], strict=True)
    assert {place for place, request in sent if request.headers.get("cookie") == "a=1"} == sent_to


async def test_a_secure_cookie_is_sent_over_tls_only(tls: Certificates) -> None:
    with (
        Answering(default=OK) as plain,
        Answering(default=setting(b"a=1; Secure"), tls=tls.server_context("one.example")) as secure,
    ):
        async with Client(ssl=tls.client_context(), resolver=by_name(*NAMES)) as client:
            for server in (secure, plain, secure):
                await client.get(server.url_as("one.example"))
    assert [asked["cookie"] for asked in (*secure.asked, *plain.asked)] == [None, "a=1", None]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
async def test_secure_cookies_are_kept_on_this_machine(host: str) -> None:
    with Answering(
        default=setting(b"__Host-a=1; Secure; Path=/"), host="::1" if "[" in host else "127.0.0.1"
    ) as server:
        async with Client() as client:
            for _ in range(2):
                await client.get(server.url_as(host))
    assert [asked["cookie"] for asked in server.asked] == [None, "__Host-a=1"]


async def test_secure_cookies_of_this_machine_are_not_sent_through_a_proxy() -> None:
    with Answering(default=setting(b"a=1; Secure")) as proxy:
        async with Client(proxy=proxy.url) as client:
            client.cookies.set("b", "2", domain="localhost", secure=True)
            for _ in range(2):
                await client.get("http://localhost/")
    assert [asked["cookie"] for asked in proxy.asked] == [None, None]


@pytest.mark.parametrize(
    ("make", "sent"),
    [
        (lambda: {"a": 1, "b": True, "c": 1.5, "d": b"\xe9", "e": None, "f": "x"}, "a=1; b=true; c=1.5; d=\xe9; f=x"),
        (lambda: [("a", 1), ("b", "2")], "a=1; b=2"),
        (lambda: iter([("a", 1)]), "a=1"),
        (lambda: {"a": [1, 2]}, "a=2"),
    ],
)
@pytest.mark.parametrize("is_clients", [True, False])
async def test_cookies_are_given_as_params_are(make: Callable[[], Any], sent: str, is_clients: bool) -> None:
    given: dict[str, Any] = {"cookies": make()}
    moved = LocalResponse(302, headers={"Location": "/to"})
    transport = MockTransport({f"GET {URL}": moved, f"GET {URL}to": 200})
    async with Client(transport=transport, **(given if is_clients else {})) as client:
        await client.get(URL, **({} if is_clients else given))
    assert [request.headers["cookie"] for request in transport.requests] == [sent] * 2


@pytest.mark.parametrize("cookies", [{"a": {}}, {1: "a"}, ["a"], 1, {"a": object()}])
async def test_cookies_of_another_type_are_a_type_error(cookies: Any) -> None:
    with pytest.raises(TypeError, match=r"[Cc]ookie"):
        Client(cookies=cookies)
    async with Client() as client:
        with pytest.raises(TypeError, match="cookies"):
            client.build_request("GET", "http://h/", cookies=cookies)


async def test_a_cookie_is_sent_to_any_port_of_its_host() -> None:
    with Answering(default=setting(b"a=1")) as first, Answering(default=OK) as second:
        async with Client() as client:
            await client.get(first.url)
            await client.get(second.url)
    assert second.asked[0]["cookie"] == "a=1"


async def test_several_cookies_are_sent_in_one_field_longest_path_first() -> None:
    with Answering({"/a/b": setting(b"root=1; Path=/", b"dir=2", b"also=3; Path=/")}, default=OK) as server:
        async with Client() as client:
            await client.get(f"{server.url}/a/b")
            await client.get(f"{server.url}/a/c")
    assert server.asked[1]["cookie"] == "dir=2; root=1; also=3"


async def test_a_redirect_sets_and_gets_cookies() -> None:
    found = redirect("/to", 302, b"", b"Set-Cookie: a=1; Path=/", b"Set-Cookie: b=2; Path=/to")
    with Answering({"/": found, "/to": setting(b"a=; Max-Age=0; Path=/"), "/next": OK}) as server:
        async with Client() as client:
            await client.get(server.url)
            await client.get(f"{server.url}/next")
            await client.get(f"{server.url}/to")
    assert [asked["cookie"] for asked in server.asked] == [None, "b=2; a=1", None, "b=2"]


async def test_cookies_of_all_answers_are_kept() -> None:
    answers: dict[str, Any] = {
        "/": [setting(b"a=1", status=b"503 Busy"), setting(b"b=1", status=b"401 Unauthorized"), setting(b"c=1")]
    }
    with Answering(answers) as server:
        async with Client(retries=Retry(backoff=0)) as client:
            await client.get(server.url, auth=Digest("u", "p"))
            assert [cookie.name for cookie in client.cookies] == ["a", "b"]
            async with client.stream("GET", server.url):
                assert [cookie.name for cookie in client.cookies] == ["a", "b", "c"]


async def test_cookies_of_a_request_are_its_own() -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            await client.get(server.url, cookies={"a": "1", "b": "2"})
            await client.get(server.url)
            assert not client.cookies
    assert [asked["cookie"] for asked in server.asked] == ["a=1; b=2", None]


@pytest.mark.parametrize(
    ("client", "jar", "own", "headers", "sent"),
    [
        ({"c": "1"}, "j=1", {"o": "1"}, None, {"c=1", "j=1", "o=1"}),
        ({"a": "client"}, "a=jar", None, None, {"a=jar"}),
        ({}, "a=jar", {"a": "own"}, None, {"a=own"}),
        ({"a": "client"}, "", {"a": "own"}, None, {"a=own"}),
        ({"c": "1"}, "j=1", {"o": "1"}, {"cookie": "mine=1"}, {"mine=1"}),
        ({"c": "1"}, "j=1", None, {"Cookie": None}, set()),
    ],
)
async def test_precedence_of_cookies(
    client: dict[str, str], jar: str, own: dict[str, str] | None, headers: Any, sent: set[str]
) -> None:
    transport = MockTransport({f"GET {URL}set": sets(jar) if jar else 200, f"GET {URL}": 200})
    async with Client(transport=transport, cookies=client) as asking:
        await asking.get(f"{URL}set")
        await asking.get(URL, cookies=own, headers=headers)
    cookie = transport.requests[1].headers.get("cookie", "")
    assert set(cookie.split("; ")) - {""} == sent


async def test_a_jar_is_shared() -> None:
    jar = CookieJar()
    with Answering({"/set": setting(b"a=1; Path=/"), "/": OK}) as server:
        async with Client(cookies=jar) as first, Client(cookies=jar) as second:
            assert first.cookies is second.cookies is jar
            await first.get(f"{server.url}/set")
            await second.get(server.url)
            await asyncio.gather(*(client.get(server.url) for client in (first, second) for _ in range(5)))
    assert {asked["cookie"] for asked in server.asked[1:]} == {"a=1"}


async def test_clients_share_nothing_by_themselves() -> None:
    with Answering({"/set": setting(b"a=1; Path=/"), "/": OK}) as server:
        async with Client() as first, Client() as second:
            await first.get(f"{server.url}/set")
            await second.get(server.url)
    assert server.asked[1]["cookie"] is None


@pytest.mark.parametrize(
    "cookie",
    [
        b"",
        b";",
        b"=",
        b"=;=",
        b"; Path=/",
        b"a=\x01",
        b"a=1\x00",
        b"a=\xff\xfe",
        b"a=1; Expires=\xff",
        b"a=1; Expires=Thu, 99 Foo 99999 99:99:99",
        b"a=1; Max-Age=99999999999999999999999999",
        b"a=1; Max-Age=-",
        b"a=1; Domain=; Path=",
        b"a=1; Domain=.." + b"." * 1000,
        b"a=1; Domain=\xff.example",
        b"a=1; Domain=xn--",
        b"a=" + b"x" * 50_000,
        b"a=1;" + b"x;" * 10_000,
        b'a="unfinished; Path=/',
        b"a=1, b=2, Set-Cookie: c=3",
    ],
)
async def test_no_cookie_breaks_a_response(cookie: bytes) -> None:
    data = b"HTTP/1.1 200 OK\r\nSet-Cookie: " + cookie + b"\r\nSet-Cookie: good=1\r\nContent-Length: 2\r\n\r\nok"
    with Answering(default=data.replace(b"\x00", b"\x02")) as server:
        async with Client() as client:
            assert (await client.get(server.url)).content == b"ok"
            assert (await client.get(server.url)).content == b"ok"
            assert await is_clean(client)
        assert server.accepted == 1
    assert "good=1" in (server.asked[1]["cookie"] or "").split("; ")


@pytest.mark.parametrize(
    "value", [b'"quoted"', b"a%20b%2F", b"a b", b"\\054", b"a=b=c", b"\xc3\xa9", b'{"j":1}', b"1,2", b"a:b/c?d"]
)
async def test_a_cookie_value_is_sent_back_unchanged(value: bytes) -> None:
    with Answering(default=setting(b"a=" + value)) as server:
        async with Client() as client:
            await client.get(server.url)
            await client.get(server.url)
    assert (server.asked[1]["cookie"] or "").encode("latin-1") == b"a=" + value


@pytest.mark.parametrize(
    "cookies", [{"a\r\nX: 1": "b"}, {"a": "b\r\nX: 1"}, {"a": "b; c=d"}, {"a=b": "c"}, {"a": "\u0400"}]
)
async def test_cookies_given_cannot_add_fields_or_cookies(cookies: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="cookie"):
        Client(cookies=cookies)
    with Answering(default=OK) as server:
        async with Client() as client:
            with pytest.raises(ValueError, match="cookie"):
                await client.get(server.url, cookies=cookies)
            assert await is_clean(client)
    assert not server.asked
