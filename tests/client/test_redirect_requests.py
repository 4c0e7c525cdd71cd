"""Redirects: the next request, its fields and secrets, and the content of the redirect. Sockets serve a few cases."""

import gzip
import io
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from asyncclient import (
    BodyNotReplayable,
    Client,
    CookieJar,
    LocalResponse,
    RedirectError,
    Response,
    Retry,
    StaticResolver,
    Timeout,
    TooManyRedirects,
)
from asyncclient.testing import MockTransport, RawConnection, RawServer, SentRequest
from tests.client.answering import Answering, Asked, Recording, by_name, is_clean, redirect
from tests.connection.conversations import OK, chunked, reply
from tests.durations import lasts
from tests.servers import Certificates


async def follow(
    answers: dict[str, Any], method: str = "GET", start: str = "/", client: dict[str, Any] | None = None, **options: Any
) -> tuple[Response, list[Asked]]:
    """Return the last response, and all requests that a server received."""
    with Answering(answers) as server:
        async with Client(**(client or {})) as asking:
            response = await asking.request(method, server.url + start, **options)
            assert await is_clean(asking)
    return response, server.asked


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
ONE = "http://one.example"
TWO = "http://two.example"


def moved(location: str, status: int = 302) -> LocalResponse:
    return LocalResponse(status, headers={"Location": location}, content=b"moved")


async def follow_offline(
    answers: Mapping[str, LocalResponse],
    start: str = f"{ONE}/",
    client: dict[str, Any] | None = None,
    method: str = "GET",
    **options: Any,
) -> tuple[Response, list[SentRequest]]:
    """Return the last response and all requests, without a socket; the answers are by URL, for any method."""
    transport = MockTransport({f"{verb} {url}": answer for url, answer in answers.items() for verb in METHODS})
    async with Client(transport=transport, **(client or {})) as asking:
        response = await asking.request(method, start, **options)
    return response, transport.requests


# Methods and bodies


GET_AFTER = {("POST", 301), ("POST", 302)} | {(method, 303) for method in ("GET", "POST", "PUT", "PATCH", "DELETE")}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_request_after_a_redirect(method: str, status: int) -> None:
    fields = {"Content-Language": "en", "X-Own": "1"}
    body = None if method in ("GET", "HEAD") else b"content"
    answers = {ONE: moved("/to", status), f"{ONE}/to": LocalResponse(204)}
    response, (first, second) = await follow_offline(answers, method=method, headers=fields, body=body)
    is_get = (method, status) in GET_AFTER
    assert (first.method, first.content, second.url) == (method, body or b"", f"{ONE}/to")
    assert second.method == ("GET" if is_get else method)
    assert second.content == (b"" if body is None or is_get else body)
    assert second.headers.get("content-language") == (None if is_get or status == 303 else "en")
    assert second.headers["x-own"] == "1"
    assert response.request.method == second.method


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 301), ("HEAD", 302), ("POST", 302), ("PUT", 302), ("PUT", 303), ("POST", 307)]
)
async def test_the_request_after_a_redirect_has_its_own_framing(method: str, status: int) -> None:
    fields = {"Content-Language": "en", "X-Own": "1"}
    body = None if method in ("GET", "HEAD") else b"content"
    response, asked = await follow(
        {"/": redirect("/to", status), "/to": b"HTTP/1.1 204 No Content\r\n\r\n"}, method, headers=fields, body=body
    )
    first, second = asked
    is_get = (method, status) in GET_AFTER
    keeps_body = body is not None and not is_get
    assert (first.method, first.content, second.target) == (method, body or b"", "/to")
    assert second.method == ("GET" if is_get else method)
    assert second.content == (b"content" if keeps_body else b"")
    assert second["content-length"] == ("7" if keeps_body else None)
    assert second["transfer-encoding"] is None
    assert second["content-language"] == (None if is_get or status == 303 else "en")
    assert second["x-own"] == "1"
    assert response.request.method == second.method


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 306, 399, 404])
async def test_other_statuses_are_not_followed(status: int) -> None:
    response, sent = await follow_offline({ONE: LocalResponse(status, headers={"Location": "/to"})})
    assert (response.status, response.history, len(sent)) == (status, (), 1)


async def test_without_location_the_redirect_is_the_response() -> None:
    response, _ = await follow_offline({ONE: LocalResponse(302, content=b"no way")})
    assert (response.status, response.content) == (302, b"no way")


@pytest.mark.parametrize(
    ("client", "option", "follows"),
    [(True, None, True), (True, False, False), (False, None, False), (False, True, True), (True, True, True)],
)
async def test_follow_redirects(client: bool, option: bool | None, follows: bool) -> None:
    answers = {ONE: moved("/to"), f"{ONE}/to": LocalResponse(content=b"ok")}
    response, sent = await follow_offline(answers, client={"follow_redirects": client}, follow_redirects=option)
    assert (response.status, response.content) == ((200, b"ok") if follows else (302, b"moved"))
    assert len(sent) == 1 + follows
    assert response.ok
    assert response.raise_for_status() is response


async def test_a_stream_follows_redirects() -> None:
    with Answering({"/": redirect("/to", 302, b"moved"), "/to": OK}) as server:
        async with Client() as client, client.stream("GET", server.url) as response:
            assert (response.status, len(response.history)) == (200, 1)
            assert await response.read() == b"ok"
        assert server.accepted == 1


async def test_the_tracer_is_called_for_each_redirect() -> None:
    tracer = Recording()
    answers = {ONE: moved("/b"), f"{ONE}/b": moved("/c"), f"{ONE}/c": LocalResponse()}
    await follow_offline(answers, client={"tracers": [tracer]})
    assert tracer.repeats == [("redirect", 0.0)] * 2


# How many


async def test_max_redirects_is_exact() -> None:
    answers = {f"{ONE}/{number}": moved(f"/{number + 1}") for number in range(3)} | {f"{ONE}/3": LocalResponse()}
    response, _ = await follow_offline(answers, f"{ONE}/0", {"max_redirects": 3})
    assert len(response.history) == 3
    with pytest.raises(TooManyRedirects, match="more than 2 redirects") as raised:
        await follow_offline(answers, f"{ONE}/0", {"max_redirects": 2})
    assert isinstance(raised.value.response, Response)
    assert (raised.value.response.status, len(raised.value.response.history)) == (302, 2)


async def test_max_redirects_0_allows_no_redirect() -> None:
    with pytest.raises(TooManyRedirects):
        await follow_offline({ONE: moved("/")}, client={"max_redirects": 0})


async def test_a_loop_ends_after_twenty_and_leaks_nothing() -> None:
    with Answering({"/": redirect("/")}) as server:
        async with Client() as client:
            with pytest.raises(TooManyRedirects):
                await client.get(server.url)
            assert await is_clean(client)
    assert (len(server.asked), server.accepted) == (21, 1)


# Locations


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/to", "/to"),
        ("to?x=1", "/dir/to?x=1"),
        ("?x", "/dir/page?x"),
        ("../to", "/to"),
        ("//{authority}/to", "/to"),
        ("http://{authority}/a/../b?sig=%2f%7e+/../&x=a%20b", "/b?sig=%2f%7e+/../&x=a%20b"),
        ("/a%2Fb?X-Signature=ab%2fCD%3D", "/a%2Fb?X-Signature=ab%2fCD%3D"),
        ("/a b<c>", "/a%20b%3Cc%3E"),
        ("/\u00c3\u00a9?\u00e9", "/%C3%A9?%E9"),  # bytes, as latin-1
        ("http://{authority}", "/"),
        ("HTTP://{authority}/to", "/to"),
        ("/to#part", "/to"),
        ("#part", "/dir/page"),
    ],
)
async def test_a_location_is_used_as_received(location: str, target: str) -> None:
    site = "http://one.example:8080"
    found = moved(location.format(authority="one.example:8080"))
    table: dict[str, Any] = {f"GET {site}{target}": LocalResponse(), f"GET {site}/dir/page": [found, LocalResponse()]}
    transport = MockTransport(table)
    async with Client(transport=transport) as client:
        response = await client.get(f"{site}/dir/page")
    assert [request.url for request in transport.requests] == [f"{site}/dir/page", f"{site}{target}"]
    assert response.url.startswith(f"{site}{target}")


@pytest.mark.parametrize(
    ("location", "target"),
    [("to?x=1", "/dir/to?x=1"), ("http://{authority}/to#part", "/to"), (b"/\xc3\xa9?\xe9", "/%C3%A9?%E9")],
)
async def test_a_location_of_a_server_is_used_as_received(location: str | bytes, target: str) -> None:
    with Answering(default=lambda asked: OK if len(server.asked) > 1 else redirect(found)) as server:
        authority = f"{server.host}:{server.port}"
        found = location if isinstance(location, bytes) else location.format(authority=authority)
        async with Client() as client:
            response = await client.get(f"{server.url}/dir/page")
    assert server.targets == ["/dir/page", target]
    assert response.url.startswith(f"{server.url}{target}")


@pytest.mark.parametrize(("location", "fragment"), [("/to", "#old"), ("/to#new", "#new"), ("/to#", "#")])
async def test_fragments_are_kept_and_never_sent(location: str, fragment: str) -> None:
    response, asked = await follow_offline({ONE: moved(location), f"{ONE}/to": LocalResponse()}, f"{ONE}/#old")
    assert response.url.endswith(f"/to{fragment}")
    assert [request.url for request in asked] == [f"{ONE}/", f"{ONE}/to"]


@pytest.mark.parametrize("host", ["bücher.example", "xn--bcher-kva.example", "B\u00fcCHER.example"])
async def test_a_location_with_an_international_host(host: str) -> None:
    location = f"http://{host}:8080/to".encode().decode("latin-1")  # raw UTF-8, as servers send it
    to = "http://xn--bcher-kva.example:8080/to"
    response, sent = await follow_offline({ONE: moved(location), to: LocalResponse()})
    assert sent[1].headers["host"] == "xn--bcher-kva.example:8080"
    assert response.url == sent[1].url == to


@pytest.mark.parametrize(
    "location",
    [
        "ftp://h/x", "file:///etc/passwd", "javascript:alert(1)", "data:,x", "mailto:a@h", "http:///x", "http://",
        "http:x", "http://h:0/", "http://h:99999/", "http://[::1/", "http://a b/", "http://a\tb/", "http://h\\@x/",
        "http://\xff.example/",
    ],
)  # fmt: skip
async def test_an_invalid_location_is_an_error(location: str) -> None:
    with pytest.raises(RedirectError, match="no http or https URL in the Location of a 302") as raised:
        await follow_offline({ONE: moved(location)})
    assert raised.value.response is not None
    assert raised.value.response.headers["location"]
    response, _ = await follow_offline({ONE: moved(location)}, follow_redirects=False)
    assert response.content == b"moved"


async def test_an_invalid_location_leaves_the_client_usable() -> None:
    with Answering({"/": redirect("ftp://h/x", content=b"body")}) as server:
        async with Client() as client:
            with pytest.raises(RedirectError):
                await client.get(server.url)
            assert await is_clean(client)
            response = await client.get(server.url, follow_redirects=False)
            assert response.content == b"body"


async def test_a_password_in_a_location_is_in_no_message() -> None:
    with pytest.raises(RedirectError) as raised:
        await follow_offline({ONE: moved("ftp://user:secret@h/")})
    assert "secret" not in str(raised.value)


async def test_locations_that_differ_are_an_error() -> None:
    found = LocalResponse(302, headers=[("Location", "/to"), ("Location", "/other")])
    with pytest.raises(RedirectError, match="expected one Location, got several that differ") as raised:
        await follow_offline({ONE: found, f"{ONE}/to": LocalResponse(), f"{ONE}/other": LocalResponse()})
    assert raised.value.response is not None
    assert (raised.value.response.status, raised.value.response.url) == (302, f"{ONE}/")


async def test_location_that_is_repeated_is_one() -> None:
    response, asked = await follow({"/": redirect("/to", 302, b"", b"location: /to"), "/to": OK})
    assert (response.content, [request.target for request in asked]) == (b"ok", ["/", "/to"])


async def test_locations_of_other_responses_are_ignored() -> None:
    response, _ = await follow_offline({ONE: LocalResponse(201, headers=[("Location", "/a"), ("Location", "/b")])})
    assert (response.status, response.headers.get_all("Location")) == (201, ["/a", "/b"])


async def test_a_host_that_is_not_there() -> None:
    with Answering() as gone:
        pass
    with Answering({"/": redirect(f"{gone.url}/x")}) as server:
        async with Client(timeout=Timeout(connect=2)) as client:
            with pytest.raises(ConnectionError, match=str(gone.port)):
                await client.get(server.url)
            assert await is_clean(client)


# Secrets


SECRET = "secret"  # in each of them, so that one search in a head finds all


def secret_options(is_clients: bool) -> dict[str, Any]:
    fields = {
        "Authorization": f"Bearer {SECRET}",
        "Cookie": f"own={SECRET}",
        "Proxy-Authorization": f"Basic {SECRET}",
        "X-Api-Key": SECRET,
        "X-Plain": "plain",
    }
    return {"headers": fields} if is_clients else {"headers": list(fields.items())}


GIVEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "fields of the request": ({}, secret_options(False)),
    "fields of the client": (secret_options(True), {}),
    "auth of the request": ({}, {"auth": ("user", SECRET)}),
    "auth of the client": ({"auth": ("user", SECRET)}, {}),
    "function of the request": ({}, {"auth": lambda _: {"X-Api-Key": SECRET}}),
    "function of the client": ({"auth": lambda _: {"X-Api-Key": SECRET}}, {}),
    "cookies of the request": ({}, {"cookies": {"own": SECRET}}),
    "cookies of the client": ({"cookies": {"own": SECRET}}, {}),
}


def has_secret(asked: Asked | SentRequest) -> bool:
    """Return True if a secret is in a head, also in base64."""
    values = str(asked.headers) if isinstance(asked, SentRequest) else str(asked.fields)
    return SECRET in values or "dXNlcjpzZWNyZXQ=" in values


@contextmanager
def three_origins(tls: Certificates, other: str) -> Iterator[tuple[Answering, Answering, dict[str, Any]]]:
    """A first server, which leads to another origin, from there back, and on; and what a client needs for both."""
    with ExitStack() as stack:
        context = tls.server_context("one.example", "two.example") if other == "scheme" else None
        first = stack.enter_context(Answering({}))
        second = stack.enter_context(Answering({}, tls=context)) if other != "host" else first
        host = "two.example" if other == "host" else "one.example"
        first.answers |= {"/start": [redirect(second.url_as(host) + "/there")], "/back": [redirect("/on")], "/on": [OK]}
        second.answers |= {"/there": [redirect(first.url_as("one.example") + "/back")]}
        options = {"resolver": by_name("one.example", "two.example"), "ssl": tls.client_context()}
        yield first, second, options


@pytest.mark.parametrize("there", ["https://one.example/", f"{TWO}/", f"{ONE}:8080/"])
@pytest.mark.parametrize("given", GIVEN)
async def test_no_secret_is_sent_to_another_origin_or_after_it(there: str, given: str) -> None:
    client_options, options = GIVEN[given]
    answers = {
        ONE: moved(there),
        there: moved(f"{ONE}/back"),
        f"{ONE}/back": moved("/on"),
        f"{ONE}/on": LocalResponse(),
    }
    client_options = {"secret_headers": ["x-api-KEY"], **client_options}
    _, sent = await follow_offline(answers, client=client_options, **options)
    assert [request.url for request in sent] == [f"{ONE}/", there, f"{ONE}/back", f"{ONE}/on"]
    assert [has_secret(request) for request in sent] == [True, False, False, False]
    if "headers" in client_options or "headers" in options:
        assert [request.headers["x-plain"] for request in sent] == ["plain"] * 4


@pytest.mark.parametrize("other", ["scheme", "host", "port"])
@pytest.mark.parametrize("given", ["fields of the request", "fields of the client", "auth of the client"])
async def test_no_secret_is_sent_to_another_server_or_after_it(tls: Certificates, other: str, given: str) -> None:
    client_options, options = GIVEN[given]
    with three_origins(tls, other) as (first, second, network):
        async with Client(secret_headers=["x-api-KEY"], **network, **client_options) as client:
            response = await client.get(first.url_as("one.example") + "/start", **options)
            assert response.status == 200
            again = await client.get(first.url_as("one.example") + "/on", **options)
    asked = first.asked if first is second else [first.asked[0], *second.asked, *first.asked[1:]]
    assert [one.target for one in asked] == ["/start", "/there", "/back", "/on", "/on"]
    assert [has_secret(one) for one in asked] == [True, False, False, False, True]
    if "headers" in client_options or "headers" in options:
        assert [one["x-plain"] for one in asked] == ["plain"] * 5
    assert again.status == 200


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key", "X-AUTH-TOKEN"])
@pytest.mark.parametrize("is_clients", [True, False])
async def test_usual_fields_of_credentials_are_secret_without_an_option(name: str, is_clients: bool) -> None:
    given: dict[str, Any] = {"headers": {name: SECRET}}
    client, options = (given, {}) if is_clients else ({}, given)
    _, sent = await follow_offline({ONE: moved(TWO), TWO: LocalResponse()}, client=client, **options)
    assert [has_secret(request) for request in sent] == [True, False]


@pytest.mark.parametrize("other", ["scheme", "host", "port"])
async def test_the_user_of_a_url_is_sent_to_its_origin_only(tls: Certificates, other: str) -> None:
    with three_origins(tls, other) as (first, second, network):
        async with Client(**network) as client:
            response = await client.get(f"http://user:{SECRET}@one.example:{first.port}/start")
    asked = first.asked if first is second else [first.asked[0], *second.asked, *first.asked[1:]]
    assert [has_secret(one) for one in asked] == [True, False, False, False]
    assert not [one.url for one in (*response.history, response) if SECRET in one.url]


@pytest.mark.parametrize(
    ("client", "options"),
    [*GIVEN.values(), ({}, {"url": "userinfo"})],
    ids=[*GIVEN, "user of the URL"],
)
async def test_secrets_stay_within_one_origin(client: dict[str, Any], options: dict[str, Any]) -> None:
    url = ONE
    if "url" in options:
        options, url = {}, url.replace("//", f"//user:{SECRET}@")
    _, sent = await follow_offline({ONE: moved("/to"), f"{ONE}/to": LocalResponse()}, url, client, **options)
    assert [has_secret(request) for request in sent] == [True, True]


async def test_userinfo_in_a_location_is_not_used() -> None:
    found = moved(f"http://user:{SECRET}@one.example/to")
    response, sent = await follow_offline({ONE: found, f"{ONE}/to": LocalResponse()})
    assert "authorization" not in sent[1].headers
    assert SECRET not in response.url


async def test_a_host_field_is_sent_to_its_origin_only() -> None:
    virtual = {"Host": "virtual"}
    for clients, own in ((virtual, None), (None, virtual)):
        answers = {ONE: moved(TWO), TWO: LocalResponse()}
        _, sent = await follow_offline(answers, client={"headers": clients}, headers=own)
        assert [request.headers["host"] for request in sent] == ["virtual", "two.example"]


async def test_cookies_of_the_jar_are_sent_to_their_own_hosts() -> None:
    jar = CookieJar()
    jar.set("a", "1", domain="one.example")
    jar.set("b", "2", domain="two.example")
    _, sent = await follow_offline({ONE: moved(TWO), TWO: LocalResponse()}, client={"cookies": jar})
    assert [request.headers["cookie"] for request in sent] == ["a=1", "b=2"]


async def test_cookie_none_holds_for_redirects_to_other_origins() -> None:
    answers = {ONE: moved(TWO), TWO: LocalResponse()}
    _, sent = await follow_offline(answers, client={"cookies": {"a": "1"}}, headers={"Cookie": None})
    assert ["cookie" in request.headers for request in sent] == [False, False]


# With a base_url, what the client knows in secret goes home only


@pytest.mark.parametrize(
    "options",
    [
        {"auth": ("user", SECRET)},
        {"headers": {"X-Api-Key": SECRET}},
        {"headers": {"Authorization": SECRET}},
        {"cookies": {"own": SECRET}},
    ],
)
async def test_with_a_base_url_secrets_are_sent_to_its_origin_only(options: dict[str, Any]) -> None:
    transport = MockTransport({f"GET {url}": 200 for url in (f"{ONE}/api/x", f"{TWO}/x", f"{ONE}/elsewhere")})
    async with Client(transport=transport, base_url=f"{ONE}/api", secret_headers=["X-Api-Key"], **options) as client:
        await client.get("/x")
        await client.get(f"{TWO}/x")
        await client.get(f"{ONE}/elsewhere")
    assert [has_secret(request) for request in transport.requests] == [True, False, True]


@pytest.mark.parametrize("is_clients", [True, False])
async def test_the_referer_of_an_https_page_is_dropped_by_a_redirect_to_http(is_clients: bool) -> None:
    fields: dict[str, Any] = {"headers": {"Referer": "https://secret.example/page"}}
    given, chosen = (fields, {}) if is_clients else ({}, fields)
    answers = {"https://one.example": moved("/2"), "https://one.example/2": moved(ONE), ONE: LocalResponse()}
    _, sent = await follow_offline(answers, "https://one.example", given, **chosen)
    assert [request.headers.get("referer") for request in sent] == [*["https://secret.example/page"] * 2, None]


async def test_credentials_of_a_request_are_sent_to_its_own_url() -> None:
    for own in ({"auth": ("user", SECRET)}, {"headers": {"Authorization": SECRET}}):
        options: dict[str, Any] = own
        _, sent = await follow_offline({TWO: LocalResponse()}, TWO, {"base_url": ONE}, **options)
        assert [has_secret(request) for request in sent] == [True]


# The content of the redirect


def endless(connection: RawConnection) -> None:
    """Redirect with content that never ends, as fast as it is taken; on /to answer."""
    while head := connection.read_head():
        if b" /to " in head:
            connection.send(OK)
            continue
        connection.send(b"HTTP/1.1 302 Found\r\nLocation: /to\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(2000):
            connection.send(b"4000\r\n" + bytes(0x4000) + b"\r\n")
        pytest.fail("32 MiB of a redirect were read")


async def test_an_endless_redirect_is_dropped() -> None:
    with RawServer(endless) as server:
        async with Client() as client:
            with lasts():
                response = await client.get(server.url)
        assert (response.content, server.accepted) == (b"ok", 2)


async def test_a_slow_redirect_is_dropped_after_the_close_timeout() -> None:
    def drip(connection: RawConnection) -> None:
        while head := connection.read_head():
            if b" /to " in head:
                connection.send(OK)
                continue
            connection.send(b"HTTP/1.1 302 Found\r\nLocation: /to\r\nContent-Length: 1000\r\n\r\n")
            connection.send_slowly(itertools.repeat(b"x"), pause=0.02)

    with RawServer(drip) as server:
        async with Client(timeout=Timeout(close=0.2)) as client:
            with lasts(0.2):
                response = await client.get(server.url)
        assert (response.content, server.accepted) == (b"ok", 2)


@pytest.mark.parametrize(
    ("content", "frame", "is_kept"),
    [
        (bytes(300), reply, True),
        (bytes(300), chunked, True),
        (b"", reply, True),
        (bytes(65_536), reply, True),
        (bytes(300_000), reply, False),
    ],
)
async def test_a_short_redirect_keeps_its_connection(content: bytes, frame: Any, is_kept: bool) -> None:
    found = frame(content).replace(b"200 OK", b"302 Found\r\nLocation: /to", 1)
    with Answering({"/": found, "/to": OK}) as server:
        async with Client() as client:
            assert (await client.get(server.url)).content == b"ok"
        assert server.accepted == (1 if is_kept else 2)


async def test_the_content_of_a_redirect_is_not_decoded() -> None:
    bomb = gzip.compress(bytes(30_000_000))
    answers: dict[str, Any] = {
        "/": redirect("/broken", 302, bomb, b"Content-Encoding: gzip"),
        "/broken": redirect("/unknown", 302, b"no gzip", b"Content-Encoding: gzip"),
        "/unknown": redirect("/to", 302, b"x", b"Content-Encoding: compress"),
        "/to": OK,
    }
    assert len(bomb) < 65_536
    with Answering(answers) as server:
        async with Client(max_body_size=10) as client:
            assert (await client.get(server.url)).content == b"ok"
        assert server.accepted == 1


# Bodies that are sent again


class Counting(io.BytesIO):
    """A file that knows how often it was rewound."""

    seeks = 0

    def seek(self, *args: Any) -> int:
        self.seeks += 1
        return super().seek(*args)


def generate(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces


async def agenerate(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def open_at(position: int, content: bytes) -> io.BytesIO:
    file = Counting(content)
    io.BytesIO.seek(file, position)
    return file


REPLAYABLE: list[Callable[[], dict[str, Any]]] = [
    lambda: {"body": b"content"},
    lambda: {"body": [b"con", b"tent"]},
    lambda: {"body": io.BytesIO(b"content")},
    lambda: {"body": open_at(4, b"not content")},
    lambda: {"body": lambda: generate(b"con", b"tent")},
    lambda: {"body": lambda: agenerate(b"con", b"tent")},
    lambda: {"body": lambda: io.BytesIO(b"content")},
    lambda: {"json": {"a": 1}},
    lambda: {"data": {"a": "1"}},
    lambda: {"data": {"a": "1"}, "files": {"f": ("f.txt", io.BytesIO(b"text"))}},
    lambda: {"body": b"content", "trailers": {"X-T": "1"}},
    lambda: {"body": b"content", "trailers": iter([("X-T", "1")])},
    lambda: {"body": b"content", "headers": iter([("X-H", "1")])},
]


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("build", REPLAYABLE)
async def test_a_body_is_sent_again_unchanged(build: Callable[[], dict[str, Any]], status: int) -> None:
    answers: dict[str, Any] = {"/": redirect("/b", status), "/b": redirect("/c", status), "/c": OK}
    _, asked = await follow(answers, "POST", **build())
    assert len(asked) == 3
    first = asked[0]
    assert first.content
    for one in asked[1:]:
        assert (one.method, one.content, one.raw_body) == ("POST", first.content, first.raw_body)
        assert one.fields == first.fields


ONCE: list[Callable[[], Any]] = [
    lambda: generate(b"content"),
    lambda: agenerate(b"content"),
    lambda: iter([b"content"]),
]


@pytest.mark.parametrize("make", ONCE)
@pytest.mark.parametrize("retries", [None, Retry(total=3, backoff=0)])
async def test_a_used_up_body_is_never_sent_as_empty(make: Callable[[], Any], retries: Retry | None) -> None:
    transport = MockTransport({f"PUT {ONE}": moved("/to", 307)})
    async with Client(transport=transport, retries=retries) as client:
        with pytest.raises(BodyNotReplayable, match="give a function that creates it again"):
            await client.put(ONE, body=make())
    assert [request.content for request in transport.requests] == [b"content"]


async def test_a_used_up_body_leaves_the_client_usable() -> None:
    with Answering({"/": redirect("/to", 307), "/next": OK}) as server:
        async with Client() as client:
            with pytest.raises(BodyNotReplayable):
                await client.put(server.url, body=generate(b"content"))
            assert await is_clean(client)
            assert (await client.get(f"{server.url}/next")).status == 200
    assert [(asked.target, asked.content) for asked in server.asked] == [("/", b"content"), ("/next", b"")]


@pytest.mark.parametrize("make", ONCE)
async def test_a_factory_that_returns_the_same_used_up_body_is_an_error(make: Callable[[], Any]) -> None:
    body = make()
    transport = MockTransport({f"PUT {ONE}": moved("/to", 307), f"PUT {ONE}/to": 200})
    async with Client(transport=transport) as client:
        with pytest.raises(BodyNotReplayable):
            await client.put(ONE, body=lambda: body)
    assert b"".join(request.content for request in transport.requests) == b"content"


async def test_417_after_a_redirect_without_the_body_is_the_response() -> None:
    answers: dict[str, Any] = {"/": redirect("/to", 303), "/to": reply(b"", status=b"417 No")}
    with Answering(answers) as server:
        async with Client(timeout=Timeout(expect=0)) as client:
            response = await client.post(server.url, body=b"content", expect_continue=True)
    assert (response.status, len(server.asked)) == (417, 2)


async def test_a_redirect_to_get_needs_no_second_body() -> None:
    answers: dict[str, Any] = {"/": redirect("/to", 303), "/to": OK}
    response, asked = await follow(answers, "POST", body=generate(b"content"), expect_continue=False)
    assert (response.status, asked[1].content, asked[1].method) == (200, b"", "GET")


async def test_an_expectation_goes_with_the_body() -> None:
    def continued(connection: RawConnection) -> None:
        while head := connection.read_head():
            if b"Expect: 100-continue" in head:
                connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                connection.read_body(7)
            found = {b"/": redirect("/b", 307), b"/b": redirect("/c", 303), b"/c": OK}
            connection.send(found[head.split()[1]])

    with RawServer(continued) as server:
        async with Client() as client:
            response = await client.post(server.url, body=b"content", expect_continue=True, trailers=None)
    assert [b"Expect" in head for head in server.requests] == [True, True, False]
    assert response.content == b"ok"


async def test_trailers_do_not_outlive_the_body() -> None:
    _, asked = await follow({"/": redirect("/to", 303), "/to": OK}, "POST", body=b"x", trailers={"X-T": "1"})
    assert asked[0]["trailer"] == "X-T"
    assert (asked[1]["trailer"], asked[1]["transfer-encoding"]) == (None, None)


# Options that stay with a request


async def test_options_stay_wherever_a_redirect_leads() -> None:
    content = gzip.compress(b"content")
    with Answering({"/to": reply(content, b"Content-Encoding: gzip")}) as other, Answering() as server:
        server.answers["/?not=again"] = [redirect(f"{other.url}/to")]
        async with Client(params={"not": "again"}) as client:
            response = await client.get(server.url, decode=False, max_body_size=100, headers={"X-Own": "1"})
    assert response.content == content
    assert (other.asked[0]["x-own"], other.targets) == ("1", ["/to"])


async def test_a_resolver_is_called_for_the_new_host() -> None:
    with Answering({"/to": OK}) as server:
        server.answers["/"] = [redirect("http://elsewhere.example/to")]
        resolver = StaticResolver({"elsewhere.example": (server.host, server.port)})
        async with Client(resolver=resolver) as client:
            response = await client.get(server.url)
    assert (response.url, server.asked[1]["host"]) == ("http://elsewhere.example/to", "elsewhere.example")
