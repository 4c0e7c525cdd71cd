"""Requests that a client sends: methods, URLs, fields, bodies, expectations, trailers."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import asyncclient
from asyncclient import Auth, BodyNotReplayable, Client, InvalidURL, Limits, Part, PoolLimits, Request, Retry, Timeout
from asyncclient.testing import RawConnection, RawServer
from asyncclient.testing.raw import TIMEOUT
from tests.client.answering import Answering, Asked, Recording, becomes_true, by_name, is_clean, parse_request
from tests.connection.conversations import OK, EarlyAnswer, reply
from tests.durations import FOREVER, lasts
from tests.servers import raw_response

OWN_FIELDS = {"user-agent": f"asyncclient/{asyncclient.__version__}", "accept": "*/*"}


async def ask(method: str = "GET", target: str = "/", options: dict[str, Any] | None = None, **client: Any) -> Asked:
    """Return the request that a server receives from a client with these options."""
    with Answering(default=OK) as server:
        async with Client(**client) as asking:
            response = await asking.request(method, server.url + target, **(options or {}))
            assert response.status == 200
            assert await is_clean(asking)
    (asked,) = server.asked
    return asked


# Methods


@pytest.mark.parametrize("verb", ["get", "head", "options", "post", "put", "patch", "delete"])
async def test_verbs(verb: str) -> None:
    with Answering(default=b"HTTP/1.1 204 No Content\r\n\r\n") as server:
        async with Client() as client:
            response = await getattr(client, verb)(f"{server.url}/x", headers={"X-Own": "1"})
    assert (response.status, response.request.method) == (204, verb.upper())
    assert (server.asked[0].method, server.asked[0].target, server.asked[0]["x-own"]) == (verb.upper(), "/x", "1")


@pytest.mark.parametrize(
    ("given", "sent"), [("get", "GET"), ("Post", "POST"), ("PROPFIND", "PROPFIND"), ("m-Search", "m-Search")]
)
async def test_standard_methods_are_put_in_upper_case(given: str, sent: str) -> None:
    assert (await ask(given)).method == sent


@pytest.mark.parametrize(
    ("method", "length"), [("GET", None), ("DELETE", None), ("HEAD", None), ("POST", "0"), ("PUT", "0"), ("PATCH", "0")]
)
async def test_methods_that_expect_content_declare_an_empty_body(method: str, length: str | None) -> None:
    with Answering(default=b"HTTP/1.1 204 No Content\r\n\r\n") as server:
        async with Client() as client:
            await client.request(method, server.url)
    assert server.asked[0]["content-length"] == length
    assert server.asked[0]["transfer-encoding"] is None


async def test_a_plain_get() -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            await client.get(f"{server.url}/a?b")
    (head,) = server.requests
    lines = head.split(b"\r\n")
    assert lines[:2] == [b"GET /a?b HTTP/1.1", b"Host: 127.0.0.1:%d" % server.port]
    asked = server.asked[0]
    assert {name: asked[name] for name in OWN_FIELDS} == OWN_FIELDS
    assert {"gzip", "deflate"} <= set((asked["accept-encoding"] or "").split(", "))
    assert set(asked.fields) == {*OWN_FIELDS, "accept-encoding", "host"}


# URLs


@pytest.mark.parametrize(
    ("base", "url", "target"),
    [
        ("", "/x", "/x"),
        ("/api", "users", "/api/users"),
        ("/api/", "/users", "/api/users"),
        ("/api", "", "/api"),
        ("/api", "?q=1", "/api?q=1"),
        ("/api", "//evil.example/x", "/api//evil.example/x"),
    ],
)
async def test_base_url(base: str, url: str, target: str) -> None:
    with Answering(default=OK) as server:
        async with Client(base_url=server.url + base) as client:
            response = await client.get(url)
    assert server.targets == [target]
    assert response.url == server.url + target


async def test_an_absolute_url_goes_past_base_url() -> None:
    with Answering(default=OK) as base, Answering(default=OK) as other:
        async with Client(base_url=base.url) as client:
            await client.get(f"{other.url}/x")
    assert (base.targets, other.targets) == ([], ["/x"])


@pytest.mark.parametrize(
    ("target", "client", "request_params", "sent"),
    [
        ("/", None, {"q": "a b", "n": 1}, "/?q=a%20b&n=1"),
        ("/?x=1", {"key": "k"}, {"q": [1, 2]}, "/?x=1&key=k&q=1&q=2"),
        ("/", [("a", 1), ("a", 2)], None, "/?a=1&a=2"),
        ("/?x=%2f+", None, {"on": True, "none": None}, "/?x=%2f+&on=true"),
        ("/", None, "raw=%20a+b", "/?raw=%20a+b"),
        ("/#part", None, {"ü": "&="}, "/?%C3%BC=%26%3D"),
        ("/", None, {}, "/"),
    ],
)
async def test_params(target: str, client: Any, request_params: Any, sent: str) -> None:
    assert (await ask(target=target, options={"params": request_params}, params=client)).target == sent


@pytest.mark.parametrize(
    "target",
    [
        "/a%2Fb/%7euser?X-Amz-Signature=ab%2fCD%3D&x=a+b%20c",
        "/bucket/key%3Fwith%23marks?Policy=eyJ~_&Signature=a-b~c_&Key-Pair-Id=K",
        "/a/../b/./c",
        "//double//slash",
        "/;p=1,2;!$&'()*?[x]=:@/?",
    ],
)
async def test_a_signed_url_is_sent_unchanged(target: str) -> None:
    assert (await ask(target=target)).target == target


async def test_illegal_characters_of_a_url_are_quoted() -> None:
    assert (await ask(target="/ü b?q=<é>")).target == "/%C3%BC%20b?q=%3C%C3%A9%3E"


async def test_an_international_host_is_sent_in_ascii() -> None:
    with Answering(default=OK) as server:
        async with Client(resolver=by_name("xn--bcher-kva.example")) as client:
            response = await client.get(f"http://bücher.example:{server.port}/ß")
    assert server.asked[0]["host"] == f"xn--bcher-kva.example:{server.port}"
    assert server.targets == ["/%C3%9F"]
    assert response.content == b"ok"


@pytest.mark.parametrize(
    "url", ["/relative", "ftp://h/", "http:/h", "http://h:0/", "http://a\r\nb/", "http://h/\r\nX: y"]
)
async def test_invalid_urls_are_refused_before_connecting(url: str) -> None:
    async with Client() as client:
        with pytest.raises(InvalidURL):
            await client.get(url)
        assert client.stats().connecting == 0


RELATIVE: list[Callable[[Client], Awaitable[Any]]] = [
    lambda client: client.get("/json"),
    lambda client: client.stream("GET", "/json").__aenter__(),
    lambda client: client.events("/json").__aenter__(),
    lambda client: client.websocket("/json").__aenter__(),
    lambda client: client.download("/json", "json"),
    lambda client: client.preconnect("/json"),
]


@pytest.mark.parametrize("send", RELATIVE)
async def test_a_relative_url_without_a_base_url_is_explained(send: Callable[[Client], Awaitable[Any]]) -> None:
    text = r"^expected an absolute URL such as \S+, got the relative URL '/json': Client\(base_url=\.\.\.\) comp"
    async with Client() as client:
        with pytest.raises(InvalidURL, match=text):
            await send(client)


# Fields


THREE_FIELDS: list[Callable[[], Any]] = [
    lambda: {"X-One": "1", "X-Two": 2, "X-Three": b"\xff"},
    lambda: [("X-One", "1"), (b"X-Two", "2"), ("X-Three", "ÿ")],
    lambda: iter([("X-One", "1"), ("X-Two", 2), ("X-Three", "ÿ")]),
    lambda: asyncclient.Fields([("X-One", "1"), ("X-Two", "2"), ("X-Three", "ÿ")]),
]


@pytest.mark.parametrize("build", THREE_FIELDS)
async def test_headers_as_mapping_or_pairs(build: Callable[[], Any]) -> None:
    for asked in (await ask(headers=build()), await ask(options={"headers": build()})):
        assert (asked["x-one"], asked["x-two"], asked["x-three"]) == ("1", "2", "ÿ")


async def test_pairs_of_one_name_are_all_sent() -> None:
    asked = await ask(options={"headers": [("X-A", "1"), ("X-A", "2")]}, headers=[("X-B", "1"), ("X-B", "2")])
    assert (asked.fields["x-a"], asked.fields["x-b"]) == (["1", "2"], ["1", "2"])


async def test_fields_of_a_request_replace_those_of_the_client() -> None:
    client = {"X-Key": "client", "X-Gone": "client", "X-Kept": "client", "User-Agent": "client"}
    asked = await ask(headers=client, options={"headers": {"x-KEY": "own", "x-gone": None, "accept": None}})
    assert asked["x-key"] == "own"
    assert asked["x-kept"] == asked["user-agent"] == "client"
    assert not {"x-gone", "accept"} & set(asked.fields)


@pytest.mark.parametrize("name", ["User-Agent", "accept", "Accept-Encoding"])
async def test_a_client_can_do_without_its_own_fields(name: str) -> None:
    assert name.lower() not in (await ask(headers={name: None})).fields


@pytest.mark.parametrize("where", ["client", "request", "both"])
async def test_host_is_sent_once(where: str) -> None:
    client = {"Host": "one.example"} if where != "request" else None
    options = {"headers": {"host": "two.example"}} if where != "client" else None
    asked = await ask(headers=client, options=options)
    assert asked.fields["host"] == ["one.example" if where == "client" else "two.example"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X\r\nY": "1"},
        {"X": "1\r\nY: 2"},
        {"X": "\0"},
        {"X Y": "1"},
        {"": "1"},
        {"X": "\u0400"},
        {"X": 1.5},
        {"X": object()},
    ],
)
@pytest.mark.parametrize("is_clients", [False, True])
async def test_a_request_with_invalid_fields_sends_no_byte(headers: Any, is_clients: bool) -> None:
    with Answering(default=OK) as server:
        async with Client(base_url=server.url, headers=headers if is_clients else None) as client:
            with pytest.raises((ValueError, TypeError)):
                await client.get("/bad", headers=None if is_clients else headers)
            assert await is_clean(client)
        async with Client(base_url=server.url) as client:
            assert (await client.get("/good")).content == b"ok"
    assert server.targets == ["/good"]


@pytest.mark.parametrize("headers", [{"Host": None}, [("Host", "a.test"), ("host", "b.test")]])
async def test_a_request_has_one_host(headers: Any) -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            with pytest.raises(ValueError, match="expected one Host field, got "):
                await client.get(server.url, headers=headers)
            assert await is_clean(client)
    assert server.asked == []


@pytest.mark.parametrize("name", [5, None])
async def test_names_of_fields_are_text(name: Any) -> None:
    refused = pytest.raises(TypeError, match="expected str or bytes as header name, got ")
    with refused:
        Client(headers=[(name, "x")])
    async with Client() as client:
        with refused:
            await client.get("http://h/", headers=[(name, "x")])


async def test_a_base_url_may_have_a_user_and_is_checked_at_once() -> None:
    with Answering(default=OK) as home, Answering(default=OK) as other:
        async with Client(base_url=home.url.replace("//", "//user:pass@")) as client:
            response = await client.get("/x")
            await client.get(f"{other.url}/x")
    assert (home.asked[0]["authorization"], other.asked[0]["authorization"]) == ("Basic dXNlcjpwYXNz", None)
    assert response.url == f"{home.url}/x"
    for wrong in ("example.org", "/api", "ftp://h/"):
        with pytest.raises(InvalidURL):
            Client(base_url=wrong)


# Bodies


async def agenerate(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


def generate(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces


async def open_later() -> io.BytesIO:
    return io.BytesIO(b"content")


class AsyncFile:
    """A file whose read() is a coroutine function."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    async def read(self, n: int = -1) -> bytes:
        return self._file.read(n)


LENGTH, CHUNKS = "content-length", "transfer-encoding"

BODIES: list[tuple[Callable[[], Any], str, str | None]] = [
    (lambda: b"content", LENGTH, None),
    (lambda: bytearray(b"content"), LENGTH, None),
    (lambda: memoryview(b"content"), LENGTH, None),
    (lambda: "contént", LENGTH, "text/plain; charset=utf-8"),
    (lambda: [b"con", b"", b"tent"], CHUNKS, None),
    (lambda: generate(b"con", b"", b"tent"), CHUNKS, None),
    (lambda: agenerate(b"con", b"", b"tent"), CHUNKS, None),
    (lambda: io.BytesIO(b"content"), LENGTH, None),
    (lambda: AsyncFile(b"content"), CHUNKS, None),
    (lambda: lambda: b"content", LENGTH, None),
    (lambda: lambda: io.BytesIO(b"content"), LENGTH, None),
    (lambda: lambda: agenerate(b"con", b"tent"), CHUNKS, None),
    (lambda: lambda: AsyncFile(b"content"), CHUNKS, None),
    (lambda: open_later, LENGTH, None),
]


@pytest.mark.parametrize(("build", "framing", "content_type"), BODIES)
async def test_kinds_of_bodies(build: Callable[[], Any], framing: str, content_type: str | None) -> None:
    body = build()
    asked = await ask("POST", options={"body": body})
    assert asked.content == (body.encode() if isinstance(body, str) else b"content")
    assert {LENGTH, CHUNKS} & set(asked.fields) == {framing}
    assert asked["content-type"] == content_type


async def test_a_path_as_body(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(bytes(300_000))
    asked = await ask("PUT", options={"body": path})
    assert (asked.content, asked[LENGTH], asked["content-type"]) == (bytes(300_000), "300000", None)


@pytest.mark.parametrize("body", [None, 5, {"a": 1}, 1.5, object()])
async def test_invalid_bodies_are_refused(body: Any) -> None:
    async with Client() as client:
        if body is None:
            assert client.build_request("POST", "http://h/", body=body).payload is None
        else:
            with pytest.raises(TypeError, match="expected bytes, str, a file"):
                await client.post("http://h/", body=body)


class BadClose(io.BytesIO):
    """A file that can't be closed: what was buffered could not be written, or it lies in a network."""

    def close(self) -> None:
        super().close()
        raise OSError("close failed")


async def test_a_file_that_fails_to_close_leaks_nothing() -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            with pytest.raises(OSError, match="close failed"):
                await client.post(server.url, body=lambda: BadClose(b"content"))
            assert await is_clean(client)
            assert (await client.get(server.url)).content == b"ok"


class Broken(Exception):
    """Raised by the source of a body."""


def break_off(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces
    raise Broken


async def break_off_async(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    raise Broken


def fail() -> bytes:
    raise Broken


@pytest.mark.parametrize("retries", [None, 2])
@pytest.mark.parametrize("body", [fail, break_off, lambda: break_off(b"con"), lambda: break_off_async(b"con")])
async def test_exceptions_of_a_body_reach_the_caller_and_end_the_connection(
    body: Callable[[], Any], retries: int | None
) -> None:
    with RawServer(refuse_whole_requests) as server:
        async with Client(retries=retries) as client:
            with pytest.raises(Broken):
                await client.put(server.url, body=body)
            assert await is_clean(client)


def refuse_whole_requests(connection: RawConnection) -> None:
    if connection.read_head():
        with pytest.raises((ConnectionError, ConnectionAbortedError)):
            connection.read_chunked()


@pytest.mark.parametrize(
    ("options", "content", "content_type"),
    [
        ({"json": {"a": [1, None, "ü"]}}, '{"a":[1,null,"ü"]}'.encode(), "application/json"),
        ({"json": None}, b"null", "application/json"),
        ({"json": []}, b"[]", "application/json"),
        ({"data": {"a": "1 2", "b": ["x", "y"]}}, b"a=1+2&b=x&b=y", "application/x-www-form-urlencoded"),
        ({"data": [("a", "é"), ("a", "&")]}, b"a=%C3%A9&a=%26", "application/x-www-form-urlencoded"),
        ({"data": "a=b"}, b"a=b", "application/x-www-form-urlencoded"),
        ({"data": {}}, b"", "application/x-www-form-urlencoded"),
        ({"body": b""}, b"", None),
        ({"body": "x", "headers": {"Content-Type": "text/csv"}}, b"x", "text/csv"),
        ({"json": 1, "headers": [("content-type", "application/ld+json")]}, b"1", "application/ld+json"),
        ({"json": 1, "headers": {"Content-Type": None}}, b"1", None),
    ],
)
async def test_json_and_forms(options: dict[str, Any], content: bytes, content_type: str | None) -> None:
    asked = await ask("POST", options=options)
    assert (asked.content, asked["content-type"]) == (content, content_type)
    assert asked[LENGTH] == str(len(content))


@pytest.mark.parametrize("encode", [lambda value: f"<{value}>", lambda value: f"<{value}>".encode()])
async def test_a_custom_json_encoder(encode: Callable[[Any], str | bytes]) -> None:
    assert (await ask("POST", options={"json": 5}, encode_json=encode)).content == b"<5>"


@pytest.mark.parametrize(
    "options",
    [{"json": 1, "body": b"x"}, {"data": {}, "json": None}, {"files": {}, "body": b"x"}, {"json": float("nan")}],
)
async def test_several_bodies_or_invalid_json_are_refused(options: dict[str, Any]) -> None:
    async with Client() as client:
        with pytest.raises(ValueError, match=r"got several|JSON"):
            await client.post("http://h/", **options)


def parse_parts(asked: Asked) -> list[tuple[bytes, bytes]]:
    """Head and content of each part of a multipart form."""
    kind, _, boundary = (asked["content-type"] or "").partition("; boundary=")
    assert kind == "multipart/form-data"
    mark = b"--" + boundary.encode()
    first, *parts, last = asked.content.split(mark)
    assert (first, last) == (b"", b"--\r\n")
    return [tuple(part[2:-2].split(b"\r\n\r\n", 1)) for part in parts]  # type: ignore[misc]


async def test_a_multipart_form(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"png")
    files = [
        ("path", path),
        ("bytes", b"raw"),
        ("file", ("name.txt", io.BytesIO(b"text"))),
        ("part", Part('a"\r\nb', b"x", "text/csv", {"X-Own": "1"})),
    ]
    asked = await ask("POST", options={"data": {"field": "välue"}, "files": files})
    parts = parse_parts(asked)
    assert [content for _, content in parts] == ["välue".encode(), b"png", b"raw", b"text", b"x"]
    assert b'name="path"; filename="picture.png"\r\nContent-Type: image/png' in parts[1][0]
    assert b'filename="name.txt"\r\nContent-Type: text/plain' in parts[3][0]
    assert b'filename="a%22%0D%0Ab"' in parts[4][0]
    assert b"X-Own: 1" in parts[4][0]
    assert asked[LENGTH] == str(len(asked.content))


async def test_a_multipart_form_from_a_source_without_length_is_sent_in_chunks() -> None:
    files = {"stream": ("s.bin", lambda: agenerate(b"a" * 70_000, b"b"))}
    asked = await ask("POST", options={"files": files})
    assert (asked[CHUNKS], asked[LENGTH]) == ("chunked", None)
    assert [content for _, content in parse_parts(asked)] == [b"a" * 70_000 + b"b"]


@pytest.mark.parametrize("length", [b"3", b"-1", b"99"])
async def test_a_content_length_that_is_not_the_bodys_is_refused(length: bytes) -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            with pytest.raises(ValueError, match=r"[Ll]ength"):
                await client.post(server.url, body=b"content", headers={"Content-Length": length})
            assert await is_clean(client)
            assert (await client.post(server.url, body=b"x", headers={"Content-Length": "1"})).status == 200
    assert server.asked[0].content == b"x"


async def test_chunks_may_be_asked_for() -> None:
    asked = await ask("POST", options={"body": b"content", "headers": {"Transfer-Encoding": "chunked"}})
    assert (asked.content, asked[CHUNKS], asked[LENGTH]) == (b"content", "chunked", None)


# Requests that are made before


async def test_a_request_is_sent_any_number_of_times() -> None:
    with Answering(default=OK) as server:
        request = Request("put", f"{server.url}/x", params={"a": 1}, body=b"content", cookies={"c": "1"})
        async with Client(params={"not": "added"}) as client:
            for _ in range(2):
                response = await client.send(request)
                assert response.request is request
                assert response.content == b"ok"
    assert [(asked.method, asked.target, asked.content, asked["cookie"]) for asked in server.asked] == [
        ("PUT", "/x?a=1", b"content", "c=1")
    ] * 2


async def test_a_used_up_body_is_never_resent_as_empty() -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            request = client.build_request("POST", server.url, body=generate(b"content"))
            await client.send(request)
            with pytest.raises(BodyNotReplayable):
                await client.send(request)
            assert await is_clean(client)
    assert [asked.content for asked in server.asked] == [b"content"]


async def test_build_request_applies_the_clients_defaults() -> None:
    async with Client(base_url="http://h/api", params={"k": 1}, encode_json=str) as client:
        request = client.build_request("get", "x", params={"a": 2}, headers={b"X": 1})
    assert (request.method, request.url, request.headers) == ("GET", "http://h/api/x?k=1&a=2", [("X", 1)])
    assert repr(request) == "<Request GET 'http://h/api/x?k=1&a=2'>"


# Expectations


class Expecting:
    """A server that answers Expect: 100-continue, and then reads the content or not."""

    def __init__(self, first: bytes, last: bytes = OK) -> None:
        self.first = first
        self.last = last
        self.asked: list[Asked] = []
        self.content: bytes | None = None

    def __call__(self, connection: RawConnection) -> None:
        while head := connection.read_head():
            asked = parse_request(head)
            self.asked.append(asked)
            if asked["expect"]:
                connection.send(self.first)
                if self.first and not self.first.startswith(b"HTTP/1.1 1"):
                    connection.wait_closed()
                    return
            self.content = connection.read_body(int(asked[LENGTH] or 0))
            connection.send(self.last)


def patient(expect: float) -> Timeout:
    return Timeout(expect=expect)


@pytest.mark.parametrize(
    "first", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"]
)
async def test_the_content_is_sent_after_100_continue(first: bytes) -> None:
    script = Expecting(first)
    with RawServer(script) as server:
        async with Client(timeout=patient(FOREVER)) as client:
            with lasts():
                response = await client.post(server.url, body=b"content", expect_continue=True)
            assert (await client.get(server.url)).content == b"ok"
    assert (script.asked[0]["expect"], response.status) == ("100-continue", 200)
    assert [interim.status for interim in response.interim][-1] == 100
    assert server.accepted == 1


async def test_the_content_is_sent_if_no_100_continue_is_received() -> None:
    script = Expecting(b"")
    with RawServer(script) as server:
        async with Client(timeout=patient(0.05)) as client:
            with lasts(0.05):
                response = await client.post(server.url, body=b"content", expect_continue=True)
    assert (response.content, script.content) == (b"ok", b"content")


@pytest.mark.parametrize("status", [401, 413, 500])
async def test_an_early_refusal_is_the_response_and_nothing_is_sent(status: int) -> None:
    script = Expecting(reply(b"no", status=b"%d No" % status))
    with RawServer(script) as server:
        async with Client(timeout=patient(TIMEOUT)) as client:
            response = await client.post(server.url, body=b"content", expect_continue=True)
            assert (response.status, response.content) == (status, b"no")
            assert await is_clean(client)
            assert client.stats().idle == 0
    assert script.content is None


async def test_after_417_the_request_is_resent_without_expectation() -> None:
    script, tracer = Expecting(reply(b"", status=b"417 Expectation Failed")), Recording()
    with RawServer(script) as server:
        async with Client(timeout=patient(TIMEOUT), tracers=[tracer]) as client:
            response = await client.post(
                server.url, body=generate(b"content"), expect_continue=True, headers={LENGTH: 7}
            )
    assert (response.status, script.content) == (200, b"content")
    assert [asked["expect"] for asked in script.asked] == ["100-continue", None]
    assert (tracer.reasons, server.accepted) == (["expectation"], 2)


async def test_417_to_the_resent_request_is_the_response() -> None:
    script = Expecting(reply(b"", status=b"417 No"), reply(b"still", status=b"417 No"))
    with RawServer(script) as server:
        async with Client(timeout=patient(TIMEOUT)) as client:
            response = await client.post(server.url, body=b"content", expect_continue=True)
    assert (response.status, response.content, len(script.asked)) == (417, b"still", 2)


class Answers(Auth):
    """Has an answer to one challenge, and nothing before."""

    def answer(
        self, request: asyncclient.AuthRequest, status: int, challenges: object, attempt: int
    ) -> list[tuple[str, str]]:
        return [("Authorization", "Answer")]


@pytest.mark.parametrize(
    ("first", "options"),
    [
        (reply(b"", status=b"401 Unauthorized"), {"auth": Answers()}),
        (reply(b"", b"Location: /", status=b"307 Temporary"), {}),
        (reply(b"", status=b"503 Busy"), {}),
    ],
)
async def test_a_refused_expectation_leaves_the_body_unread(first: bytes, options: dict[str, Any]) -> None:
    """An early answer to an expectation leaves even a body that can be read only once as it is."""
    served: list[bytes] = []

    def refuse_first(connection: RawConnection) -> None:
        while head := connection.read_head():
            if len(server.requests) == 1:
                connection.send(first)
                return
            assert b"Expect: 100-continue" in head
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            served.append(connection.read_chunked())
            connection.send(OK)

    with RawServer(refuse_first) as server:
        async with Client(timeout=patient(TIMEOUT), retries=Retry(backoff=0)) as client:
            response = await client.put(server.url, body=generate(b"content"), expect_continue=True, **options)
            assert await is_clean(client)
    assert (response.status, served) == (200, [b"content"])


async def test_without_a_body_nothing_is_expected() -> None:
    assert (await ask("POST", options={"expect_continue": True}))["expect"] is None


# Early responses


@pytest.mark.parametrize("then", ["reads", "closes", "resets"])
async def test_an_answer_in_the_middle_of_an_upload_ends_it(then: str) -> None:
    script = EarlyAnswer(then)
    with RawServer(script) as server:
        async with Client() as client:
            response = await client.post(server.url, body=lambda: iter([bytes(65_536)] * 640))
            assert (response.status, response.content) == (413, b"too large")
            assert await is_clean(client)
            assert (await client.get(server.url)).content == b"ok"
    assert script.received[0] < 40 * 1024 * 1024
    assert server.accepted == 2


# Trailers


@pytest.mark.parametrize(
    ("trailers", "announced"),
    [
        ({"Digest": "abc", "X-B": "2"}, "Digest, X-B"),
        ([("Digest", "abc"), ("X-B", "2")], "Digest, X-B"),
        (lambda: {"Digest": "abc", "X-B": "2"}, None),
    ],
)
@pytest.mark.parametrize("body", [b"content", lambda: generate(b"con", b"tent")])
async def test_trailers_follow_the_content(trailers: Any, announced: str | None, body: Any) -> None:
    asked = await ask("POST", options={"body": body, "trailers": trailers})
    assert (asked.content, asked["trailer"], asked[CHUNKS]) == (b"content", announced, "chunked")
    assert asked.raw_body.endswith(b"\r\n0\r\nDigest: abc\r\nX-B: 2\r\n\r\n")


async def test_trailers_are_made_when_the_content_is_sent() -> None:
    sent: list[bytes] = []

    def pieces() -> Iterable[bytes]:
        for piece in (b"con", b"tent"):
            sent.append(piece)
            yield piece

    asked = await ask("POST", options={"body": pieces, "trailers": lambda: {"X-Size": str(len(b"".join(sent)))}})
    assert asked.raw_body.endswith(b"X-Size: 7\r\n\r\n")


@pytest.mark.parametrize("trailers", [{"Content-Length": "5"}, {"X\r\n": "1"}, lambda: {"Host": "x"}])
async def test_fields_that_cannot_be_trailers(trailers: Any) -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            with pytest.raises(ValueError, match=r"trailer|Trailer|header name"):
                await client.post(server.url, body=b"content", trailers=trailers)
            assert await is_clean(client)
            assert (await client.get(server.url)).content == b"ok"


@pytest.mark.parametrize("trailers", [{}, []])
async def test_no_trailers_at_all_change_nothing(trailers: Any) -> None:
    asked = await ask("POST", options={"body": b"content", "trailers": trailers})
    assert (asked.content, asked["trailer"], asked[LENGTH]) == (b"content", None, "7")


async def test_trailers_without_a_body_are_refused() -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            with pytest.raises(ValueError, match="trailers can only follow content"):
                await client.post(server.url, trailers={"X": "1"})
            assert await is_clean(client)


# Other options of a client


async def test_local_address() -> None:
    with Answering(default=OK) as server:
        async with Client(local_address="127.0.0.2") as client, client.stream("GET", server.url) as response:
            assert response.peer == (server.host, server.port)
            assert raw_response(response)._stream.get_extra_info("sockname")[0] == "127.0.0.2"


async def test_ssl_decides_which_certificates_are_good(tls: Any) -> None:
    with Answering(default=OK, tls=tls.server_context()) as server:
        async with Client() as client:
            with pytest.raises(asyncclient.TLSError, match=f"{server.port}"):
                await client.get(server.url)
        for trust in (tls.client_context(), False):
            async with Client(ssl=trust) as client:
                assert (await client.get(server.url)).content == b"ok"
    assert len(server.asked) == 2


async def test_limits_bound_responses() -> None:
    with Answering(default=reply(b"", *(b"X: 1",) * 20)) as server:
        async with Client(limits=Limits(fields=10)) as client:
            with pytest.raises(asyncclient.ProtocolError, match="10"):
                await client.get(server.url)
            assert await is_clean(client)


async def test_a_client_of_another_loop_or_closed_is_refused() -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            await client.get(server.url)
            with pytest.raises(asyncclient.ImproperConnectionState, match="another event loop"):
                await asyncio.to_thread(lambda: asyncio.run(client.request("GET", server.url)))
        with pytest.raises(asyncclient.ClientClosed, match="the client is closed"):
            await client.get(server.url)


async def test_the_tracer_is_called_for_each_event() -> None:
    tracer = Recording()
    with Answering({"/": OK}) as server:
        async with Client(tracers=[tracer], timeout=Timeout(read=TIMEOUT)) as client:
            await client.get(server.url)
            await client.get(server.url)
            with pytest.raises(asyncclient.RemoteDisconnected):
                await client.post(f"{server.url}/gone")
    label = f"127.0.0.1:{server.port}"
    assert tracer.events == [
        *("started", f"opened {label}", "received 200"),
        *("started", "received 200"),
        *("started", "failed StaleConnectionError"),
    ]


async def test_the_tracer_is_called_for_failed_dials() -> None:
    tracer = Recording()
    with Answering({"/": OK}) as server:
        pass
    async with Client(tracers=[tracer]) as client:
        with pytest.raises(asyncclient.ConnectError):
            await client.get(server.url)
    assert tracer.events == ["started", f"not opened 127.0.0.1:{server.port}", "failed ConnectError"]


async def test_preconnect_opens_connections_that_requests_then_use() -> None:
    with Answering(default=OK) as server:
        async with Client(base_url=f"{server.url}/api", pool=PoolLimits(connections=3)) as client:
            await client.preconnect("/", 2)
            assert client.stats().idle == 2
            assert await becomes_true(lambda: server.accepted == 2)
            assert repr(client) == "<Client <Pool 0 active, 2 idle, 0 connecting, 0 waiting>>"
            assert (await client.get("x")).status == 200
            await client.preconnect(server.url, 99)
            assert client.stats().idle == 3
            assert await becomes_true(lambda: server.accepted == 3)
        assert server.targets == ["/api/x"]


async def test_preconnect_raises_the_error_of_the_dial() -> None:
    with Answering() as server:
        pass
    async with Client() as client:
        with pytest.raises(asyncclient.ConnectError, match=str(server.port)):
            await client.preconnect(server.url, 3)
        assert await is_clean(client)


async def test_cancelling_while_a_body_is_opened_leaks_nothing() -> None:
    opening = asyncio.Event()

    async def open_never() -> bytes:
        opening.set()
        await asyncio.get_running_loop().create_future()
        return b""

    with Answering(default=OK) as server:
        async with Client() as client:
            task = asyncio.create_task(client.post(server.url, body=open_never))
            await opening.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await is_clean(client)
            assert (await client.get(server.url)).content == b"ok"


def test_unknown_options_are_refused() -> None:
    with pytest.raises(TypeError, match="tiemout"):
        Request("GET", "http://h/", tiemout=5)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="tiemout"):
        Client(tiemout=5)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"limits": 5}, TypeError, "expected Limits as limits, got int"),
        ({"retries": "3"}, TypeError, "as retries, got str"),
        ({"retries": True}, TypeError, "as retries, got bool"),
        ({"secret_headers": "X-Key"}, TypeError, "as secret_headers, got the str 'X-Key'"),
        ({"max_redirects": "x"}, TypeError, "as max_redirects, got str"),
        ({"max_redirects": None}, TypeError, "as max_redirects, got NoneType"),
        ({"max_redirects": -1}, ValueError, "max_redirects of at least 0, got -1"),
        ({"max_body_size": "1"}, TypeError, "as max_body_size, got str"),
        ({"max_body_size": -1}, ValueError, "max_body_size of at least 0, got -1"),
    ],
)
def test_a_client_refuses_invalid_options(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Client(**options)


async def test_send_refuses_other_types_and_connect() -> None:
    async with Client() as client:
        with pytest.raises(TypeError, match="expected a Request, got str"):
            await client.send("http://localhost/")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="CONNECT opens tunnels"):
            await client.request("connect", "http://localhost/")


@pytest.mark.parametrize("size", [1, 100_000])
async def test_trailers_that_have_no_chunks_to_follow_are_refused(size: int) -> None:
    """Short content goes with its head; its trailers would be dropped without a word."""
    with Answering(default=OK) as server:
        async with Client() as client:
            with pytest.raises(ValueError, match="trailers can only follow content in chunks"):
                await client.put(
                    server.url, body=bytes(size), headers={"Content-Length": str(size)}, trailers={"X-Sum": "1"}
                )
