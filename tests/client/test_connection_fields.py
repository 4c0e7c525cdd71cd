"""Fields of framing and routing that a caller sets: accepted, completed or refused."""

import io
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import compat
from asyncclient import Client, Request
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Answering, Asked, by_name, is_clean, redirect
from tests.connection.conversations import OK, reply

SMUGGLED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n"


async def ask(method: str = "GET", headers: Any = None, client: Any = None, **options: Any) -> Asked:
    """Return the request that a server receives; it must be a single request for any fields."""
    with Answering(default=OK) as server:
        async with Client(headers=client) as asking:
            await asking.request(method, server.url, headers=headers, **options)
            assert await is_clean(asking)
    (asked,) = server.asked
    return asked


async def refuse(text: str, headers: Any, method: str = "POST", **options: Any) -> None:
    """A request is refused, no byte of it is sent, and the client can be used."""
    with Answering(default=OK) as server:
        async with Client() as asking:
            with pytest.raises(ValueError, match=text):
                await asking.request(method, server.url, headers=headers, **options)
            assert await is_clean(asking)
            assert (await asking.get(f"{server.url}/good")).content == b"ok"
    assert server.targets == ["/good"]


# Framing

BODIES: list[Callable[[], dict[str, Any]]] = [
    lambda: {"body": SMUGGLED},
    lambda: {"body": bytearray(SMUGGLED)},
    lambda: {"body": SMUGGLED.decode()},
    lambda: {"body": io.BytesIO(SMUGGLED)},
    lambda: {"body": [SMUGGLED[:5], SMUGGLED[5:]]},
    lambda: {"body": lambda: SMUGGLED},
    lambda: {"data": SMUGGLED},
    lambda: {"body": SMUGGLED, "expect_continue": True},
    lambda: {"body": SMUGGLED, "trailers": {"X-Sum": "1"}},
]


@pytest.mark.parametrize("build", BODIES)
@pytest.mark.parametrize("value", ["chunked", b"Chunked", " chunked\t"])
async def test_the_client_puts_a_body_in_chunks_when_a_field_asks_for_them(
    build: Callable[[], dict[str, Any]], value: Any
) -> None:
    asked = await ask("POST", {"Transfer-Encoding": value}, **build())
    assert asked.content == SMUGGLED
    assert asked["content-length"] is None


async def test_the_body_of_a_repeated_request_is_in_chunks_again() -> None:
    with Answering({"/": redirect("/to", 307), "/to": OK}) as server:
        async with Client() as client:
            await client.post(server.url, body=SMUGGLED, headers={"Transfer-Encoding": "chunked"})
    assert [asked.content for asked in server.asked] == [SMUGGLED, SMUGGLED]


def test_the_blocking_client_puts_a_body_in_chunks_too() -> None:
    with Answering(default=OK) as server, compat.Client() as client:
        client.post(server.url, body=SMUGGLED, headers={"Transfer-Encoding": "chunked"})
    assert [asked.content for asked in server.asked] == [SMUGGLED]


@pytest.mark.parametrize(
    "value", ["gzip, chunked", "gzip", "identity", "", "chunked, chunked", "chunked;q=1", "xchunked", "\x0bchunked"]
)
async def test_other_transfer_codings_are_refused(value: str) -> None:
    await refuse("expected chunked as Transfer-Encoding, got ", {"Transfer-Encoding": value}, body=b"content")


@pytest.mark.parametrize(
    "headers",
    [
        [("Transfer-Encoding", "chunked"), ("transfer-encoding", "chunked")],
        {"Transfer-Encoding": "chunked", "Content-Length": "7"},
        [("Content-Length", "7"), ("content-length", "7")],
    ],
)
async def test_two_framings_are_refused(headers: Any) -> None:
    await refuse("expected chunked as|one Content-Length or Transfer-Encoding", headers, body=b"content")


@pytest.mark.parametrize("headers", [{"Transfer-Encoding": "chunked"}, {"Content-Length": "7"}])
async def test_framing_without_a_body_is_refused(headers: Any) -> None:
    await refuse("expected a body, as Content-Length or Transfer-Encoding says", headers)
    await refuse("expected a body, as Content-Length or Transfer-Encoding says", headers, "GET")


@pytest.mark.parametrize("value", ["3", 99, b"0", "-7", "7, 7", "+7", "7_0", "0x7", "٧", ""])
@pytest.mark.parametrize("options", [{"body": b"content"}, {"data": b"content"}, {"json": 1234567}])
async def test_a_length_that_is_not_the_bodys_is_refused(value: Any, options: dict[str, Any]) -> None:
    await refuse(r"[Ll]ength", {"Content-Length": value}, **options)


async def agenerate() -> AsyncIterator[bytes]:
    yield b"con"
    yield b"tent"


def generate() -> Iterator[bytes]:
    yield b"con"
    yield b"tent"


@pytest.mark.parametrize("make", [generate, agenerate, lambda: io.BytesIO(b"content"), lambda: b"content"])
async def test_the_length_of_a_body_that_does_not_know_it_may_be_given(make: Callable[[], Any]) -> None:
    asked = await ask("POST", {"Content-Length": "7"}, body=make())
    assert (asked.content, asked["content-length"], asked["transfer-encoding"]) == (b"content", "7", None)
    assert (await ask("POST", {"Content-Length": 0}))["content-length"] == "0"


@pytest.mark.parametrize("length", [6, 8])
async def test_a_body_is_held_to_the_length_that_was_given(length: int) -> None:
    def read_all(connection: RawConnection) -> None:
        connection.read_head()
        received.append(connection.read_body(length) if length < 7 else connection.wait_closed())

    received: list[Any] = []
    with RawServer(read_all) as server:
        async with Client() as client:
            with pytest.raises(ValueError, match=r"body (is longer than|ended 1 bytes before) its length of "):
                await client.post(server.url, body=generate(), headers={"Content-Length": length})
            assert await is_clean(client)
            assert client.stats().idle == 0


# Host


@pytest.mark.parametrize("host", ["a.example", "a.example:81", "[::1]:81", "under_score", b"a.example", "xn--a-b.c"])
async def test_one_host_is_taken(host: Any) -> None:
    expected = host.decode() if isinstance(host, bytes) else host
    assert (await ask(headers={"hOST": host})).fields["host"] == [expected]
    assert (await ask(client={"Host": host})).fields["host"] == [expected]


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "a b",
        "a, b",
        "a/b",
        "u@h",
        "a\tb",
        "a:b",
        "[::1",
        "[1:2]",
        "[0::0::0]",
        "http://a",
        "a?b",
        "a#",
        "ä",
        None,
    ],
)
async def test_a_host_that_servers_read_differently_is_refused(host: Any) -> None:
    await refuse("expected one Host field|expected a host and perhaps a port as Host", {"Host": host}, "GET")


# Connection and what it has to name


@pytest.mark.parametrize(
    ("headers", "client", "sent"),
    [
        ({"Connection": "close"}, None, ["close"]),
        ({"Connection": "keep-alive"}, None, ["keep-alive"]),
        ({"TE": "trailers"}, None, ["te"]),
        ({"TE": "trailers", "Connection": "close"}, None, ["close, te"]),
        ({"TE": "trailers", "Connection": "TE, close"}, None, ["TE, close"]),
        ({"TE": "trailers"}, {"Connection": "close"}, ["close, te"]),
        ({"TE": "trailers", "Connection": None}, {"Connection": "close"}, ["te"]),
        ({"Upgrade": "echo"}, None, ["upgrade"]),
        ({"Upgrade": "echo", "Connection": "Upgrade"}, None, ["Upgrade"]),
        ([("Upgrade", "echo"), ("Connection", "X-Hop"), ("connection", "close")], None, ["X-Hop, close, upgrade"]),
        ({"Keep-Alive": "timeout=5"}, None, ["keep-alive"]),
        ({"X-A": "1"}, {"TE": "trailers"}, ["te"]),
        (None, {"TE": "trailers", "Connection": "close"}, ["close, te"]),
        ({"Connection": None}, {"Connection": "close"}, None),
        ({"Connection": ""}, None, [""]),
    ],
)
async def test_connection_names_the_fields_for_the_next_hop(headers: Any, client: Any, sent: list[str] | None) -> None:
    asked = await ask(headers=headers, client=client)
    assert asked.fields.get("connection") == sent


async def test_a_connection_that_was_asked_to_close_is_not_used_again() -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            await client.get(server.url, headers={"TE": "trailers", "Connection": "close"})
            assert client.stats().idle == 0


@pytest.mark.parametrize(
    "option",
    ["Host", "close, Content-Length", "transfer-encoding", "Content-Type", "authorization", "Cookie", "a b", "x=y"],
)
async def test_connection_cannot_name_fields_that_the_server_needs(option: str) -> None:
    await refuse("Connection can't name |expected options of Connection", {"Connection": option}, "GET")


async def test_upgrade_alone_gets_the_connection() -> None:
    with RawServer.replying(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n") as server:
        async with Client() as client, client.stream("GET", server.url, headers={"Upgrade": "echo"}) as response:
            assert response.upgraded is not None
            response.upgraded[1].close()
            await response.upgraded[1].wait_closed()
    assert b"\r\nConnection: upgrade\r\n" in server.requests[0]


@pytest.mark.parametrize("value", ["gzip", "trailers, deflate;q=0.5", "chunked"])
async def test_te_may_be_trailers_only(value: str) -> None:
    await refuse("expected trailers as TE, got .* Accept-Encoding", {"TE": value}, "GET")


async def test_proxy_connection_is_refused() -> None:
    await refuse("Proxy-Connection is not a field of HTTP/1.1", {"Proxy-Connection": "keep-alive"}, "GET")


# Expect and Trailer


@pytest.mark.parametrize("value", ["100-continue", b"100-Continue "])
async def test_field_expect_has_the_effect_of_expect_continue(value: Any) -> None:
    """A server that refuses an expectation gets the request again without."""

    def refuse_expectations(connection: RawConnection) -> None:
        while head := connection.read_head():
            expects.append(b"\r\nExpect: 100-continue\r\n" in head)
            if not expects[-1]:
                assert connection.read_body(7) == b"content"
            connection.send(reply(b"", status=b"417 Expectation Failed") if expects[-1] else OK)

    expects: list[bool] = []

    with RawServer(refuse_expectations) as server:
        async with Client() as client:
            response = await client.post(server.url, body=b"content", headers={"expect": value})
    assert (expects, response.status) == ([True, False], 200)


async def test_an_expectation_without_a_body_is_left_out() -> None:
    assert (await ask("POST", {"Expect": "100-continue"}))["expect"] is None
    assert (await ask("POST", {"Expect": None}, body=b"x"))["expect"] is None


@pytest.mark.parametrize("value", ["200-ok", "100-Continue, x", ""])
def test_another_expectation_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="expected 100-continue as Expect, got "):
        Request("POST", "http://h/", body=b"x", headers={"Expect": value})


@pytest.mark.parametrize("trailers", [{"X-Sum": "1", "X-B": "2"}, lambda: {"X-Sum": "1"}])
async def test_trailer_may_announce_the_trailers_that_are_sent(trailers: Any) -> None:
    asked = await ask("POST", {"Trailer": "x-b, X-Sum"}, body=b"content", trailers=trailers)
    assert (asked["trailer"], asked.content) == ("x-b, X-Sum", b"content")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"body": b"x"}, "give them as trailers="),
        ({}, "give them as trailers="),
        ({"body": b"x", "trailers": {"X-Other": "1"}}, r"Trailer announces \['x-sum'\], trailers= has \['x-other'\]"),
    ],
)
async def test_trailer_that_announces_something_else_is_refused(options: dict[str, Any], text: str) -> None:
    await refuse(text, {"Trailer": "X-Sum"}, **options)


# Fields of the client, of authentication, and for a proxy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
        ("Content-Encoding", "gzip"),
        ("Content-Range", "bytes 0-1/2"),
        ("Expect", "100-continue"),
        ("Trailer", "X"),
        ("Proxy-Connection", "close"),
        ("Host", "a b"),
        ("TE", "gzip"),
        ("Connection", "Host"),
    ],
)
def test_fields_that_no_client_can_send_with_each_request(name: str, value: str) -> None:
    for kind in (Client, compat.Client):
        with pytest.raises(ValueError, match=rf"(?i){name}"):
            kind(headers=[(name, value)])
    Client(headers=[(name, None)])


@pytest.mark.parametrize("fields", [{"Transfer-Encoding": "gzip"}, {"Host": "a, b"}, {"Content-Length": "5"}])
async def test_fields_of_an_auth_function_are_held_to_the_same(fields: dict[str, str]) -> None:
    await refuse("expected|[Ll]ength", None, body=b"content", auth=lambda request: fields)


async def test_credentials_of_a_proxy_are_not_sent_through_its_tunnel() -> None:
    fields, url = {"Proxy-Authorization": "Basic c2VjcmV0"}, "https://h.example/"
    resolver = by_name("h.example")
    for clients, requests in ((None, fields), (fields, None)):
        for proxy in ("http://127.0.0.1:1", "socks5://127.0.0.1:1"):
            async with Client(proxy=proxy, headers=clients, resolver=resolver) as client:
                with pytest.raises(ValueError, match="through the tunnel to the server") as raised:
                    await client.get(url, headers=requests)
                assert "c2VjcmV0" not in str(raised.value)
