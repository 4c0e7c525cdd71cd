"""ASGITransport: requests as an application receives them, streams, disconnects, failures and the lifespan."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import compat
from asyncclient import (
    Client,
    ClientClosed,
    IncompleteRead,
    Part,
    ReadTimeout,
    Retry,
    Timeout,
    TotalTimeout,
)
from asyncclient.testing import ASGITransport

URL = "http://testserver"
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]

START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}


def body(data: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


class App:
    """An application that records scopes and messages, and then does what its handler does."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.scopes: list[Scope] = []
        self.received: list[dict[str, Any]] = []
        self.ended: list[str] = []
        self.has_ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError("no lifespan")

        async def recording() -> dict[str, Any]:
            self.received.append(message := await receive())
            return message

        self.scopes.append(scope)
        try:
            await self.handler(scope, recording, send)
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise
        self.ended.append("returned")
        self.has_ended.set()


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    content = b""
    more = True
    while more:
        message = await receive()
        content += message["body"]
        more = message["more_body"]
    await send(START | {"headers": [(b"x-length", b"%d" % len(content))]})
    await send(body(content))


def client_of(handler: Handler, **settings: Any) -> tuple[App, Client]:
    app = App(handler)
    return app, Client(transport=ASGITransport(app, **settings), timeout=Timeout(total=20))


# Requests


async def test_the_scope_has_the_request_as_asgi_defines_it() -> None:
    app, client = client_of(echo, root_path="/api", client=("10.0.0.1", 4))
    async with client:
        await client.get("https://api.example.com:8443/api/a%20b/%C3%A4%2Fc?x=1&y=%20#part", headers={"X-A": "Ä"})
    (scope,) = app.scopes
    headers = scope.pop("headers")
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/api/a b/ä/c",
        "raw_path": b"/api/a%20b/%C3%A4%2Fc",
        "query_string": b"x=1&y=%20",
        "root_path": "/api",
        "client": ("10.0.0.1", 4),
        "server": ("api.example.com", 8443),
        "extensions": {"http.response.trailers": {}},
        "state": {},
    }
    assert (b"host", b"api.example.com:8443") in headers
    assert (b"x-a", "Ä".encode("latin-1")) in headers
    assert all(name == name.lower() for name, _ in headers)


async def test_a_request_without_a_body_is_one_empty_message() -> None:
    app, client = client_of(echo)
    async with client:
        assert (await client.get(URL)).content == b""
    assert app.received == [{"type": "http.request", "body": b"", "more_body": False}]


async def test_a_body_in_memory_is_one_message_with_its_length() -> None:
    app, client = client_of(echo)
    async with client:
        assert (await client.post(URL, json=[1])).content == b"[1]"
    assert app.received == [{"type": "http.request", "body": b"[1]", "more_body": False}]
    assert (b"content-length", b"3") in app.scopes[0]["headers"]


async def test_bodies_of_every_kind_are_streamed(tmp_path: Path) -> None:
    async def produce() -> AsyncIterator[bytes]:
        yield b"in "
        yield b"chunks"

    path = tmp_path / "file"
    path.write_bytes(b"f" * 600_000)
    app, client = client_of(echo)
    async with client:
        assert (await client.put(URL, body=produce())).content == b"in chunks"
        assert (b"transfer-encoding", b"chunked") in app.scopes[0]["headers"]
        assert [message["more_body"] for message in app.received] == [True, True, False]
        app.received.clear()
        assert len((await client.put(URL, body=path)).content) == 600_000
        assert (b"content-length", b"600000") in app.scopes[1]["headers"]
        assert len(app.received) == 3
        files = {"file": Part("a.txt", b"content")}
        assert b'filename="a.txt"' in (await client.post(URL, files=files)).content
        await client.put(URL, body=b"x", expect_continue=True)


async def test_an_error_of_the_body_is_raised_in_the_client_and_disconnects() -> None:
    async def produce() -> AsyncIterator[bytes]:
        yield b"begun"
        raise KeyError("broken")

    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    app, client = client_of(read)
    async with client:
        with pytest.raises(KeyError, match="broken"):
            await client.put(URL, body=produce())
    assert (app.received[-1], app.ended) == ({"type": "http.disconnect"}, ["returned"])


# Responses


async def test_each_chunk_is_read_before_the_application_sends_the_one_after_the_next() -> None:
    sent: list[int] = []

    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        for number in range(10):
            await send(body(b"%d" % number, more=True))
            sent.append(number)
        await send(body())

    _, client = client_of(count)
    async with client, client.stream("GET", URL) as response:
        chunks = response.iter_chunks()
        for number in range(5):
            assert await anext(chunks) == b"%d" % number
            assert len(sent) <= number + 2
        assert b"".join([chunk async for chunk in chunks]) == b"56789"
    assert len(sent) == 10


async def test_both_directions_are_streamed_at_once() -> None:
    go_on = asyncio.Event()

    async def produce() -> AsyncIterator[bytes]:
        yield b"first"
        await go_on.wait()
        yield b"second"

    async def shout(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        while chunk := (await receive())["body"]:
            await send(body(chunk.upper(), more=True))
        await send(body())

    _, client = client_of(shout)
    async with client, client.stream("POST", URL, body=produce()) as response:
        chunks = response.iter_chunks()
        assert await anext(chunks) == b"FIRST"
        go_on.set()
        assert await anext(chunks) == b"SECOND"
        assert [chunk async for chunk in chunks] == []


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_responses_without_content_have_none(method: str, status: int) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"5")] if status != 204 else []
        await send(START | {"status": status, "headers": headers})
        await send(body(b"12", more=True))
        await send(body(b"345"))

    app, client = client_of(answer)
    async with client:
        response = await client.request(method, URL)
    assert (response.status, response.content, app.ended) == (status, b"", ["returned"])


async def test_trailers_of_the_application() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START | {"trailers": True})
        await send(body(b"abc"))
        await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"6")], "more_trailers": True})
        await send({"type": "http.response.trailers", "headers": [(b"x-end", b"1")]})

    _, client = client_of(answer)
    async with client:
        response = await client.get(URL)
    assert response.trailers is not None
    assert response.trailers.pairs() == [("x-sum", "6"), ("x-end", "1")]


async def test_rules_of_the_client_apply_to_applications() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/a":
            await send(START | {"status": 302, "headers": [(b"location", b"/b"), (b"set-cookie", b"sid=1")]})
        elif b"cookie" in dict(scope["headers"]) and len(app.scopes) > 2:
            await send(START)
        else:
            await send(START | {"status": 503})
        await send(body(scope["path"].encode()))

    app = App(answer)
    retries = Retry(total=1, backoff=0)
    async with Client(transport=ASGITransport(app), retries=retries, base_url=URL) as client:
        response = await client.get("a")
    assert (response.status, response.text, len(app.scopes)) == (200, "/b", 3)
    assert response.timings.first_byte is not None


async def test_the_end_of_a_response_is_the_end_of_the_application() -> None:
    ended: list[str] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(START)
        await send(body(b"abc"))
        ended.append((await receive())["type"])  # as a server says it after the response
        await asyncio.sleep(0)
        ended.append("background work")

    _, client = client_of(answer)
    async with client:
        await client.get(URL)
        assert ended == ["http.disconnect", "background work"]


# Leaving early


async def listen(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(START)
    await send(body(b"first", more=True))
    while (await receive())["type"] != "http.disconnect":
        pass
    await send(body(b"nobody reads this", more=True))


async def test_closing_a_response_early_is_a_disconnect() -> None:
    app, client = client_of(listen)
    async with client:
        async with client.stream("GET", URL) as response:
            assert await anext(response.iter_chunks()) == b"first"
        await app.has_ended.wait()
        app.has_ended.clear()
        async with client.stream("GET", URL) as response:
            response.close()
        await app.has_ended.wait()  # before the client is closed
    assert app.ended == ["returned", "returned"]
    assert app.received.count({"type": "http.disconnect"}) == 2


async def test_cancelling_a_request_is_a_disconnect() -> None:
    began = asyncio.Event()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        began.set()
        await receive()

    app, client = client_of(wait)
    async with client:
        task = asyncio.create_task(client.get(URL))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (app.received[-1], app.ended) == ({"type": "http.disconnect"}, ["returned"])


async def test_an_application_that_does_not_answer_is_limited_in_time() -> None:
    async def stall(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/content":
            await send(START)
        await receive()
        await receive()

    app, client = client_of(stall)
    async with client:
        with pytest.raises(ReadTimeout, match=r"no response from testserver in 0\.01 s"):
            await client.get(URL, timeout=Timeout(read=0.01))
        with pytest.raises(ReadTimeout):
            await client.get(f"{URL}/content", timeout=Timeout(read=0.01))
        with pytest.raises(TotalTimeout, match="no complete response from testserver"):
            await client.get(URL, timeout=0.01)
    assert app.ended == ["returned"] * 3


async def test_closing_the_client_ends_requests_in_progress() -> None:
    app, client = client_of(listen)
    async with client.stream("GET", URL) as response:
        reading = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        await client.aclose()
        with pytest.raises(ClientClosed):
            await reading
    assert app.ended == ["returned"]
    with pytest.raises(ClientClosed):
        await client.get(URL)


async def test_content_that_was_not_read_is_lost_when_the_client_is_closed() -> None:
    _, client = client_of(listen)
    async with client.stream("GET", URL) as response:
        await client.aclose()
        with pytest.raises(ClientClosed):
            await response.read()


async def test_an_application_that_ignores_the_disconnect_is_cancelled_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def send_on(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        while True:
            await send(body(b"more", more=True))

    monkeypatch.setattr("asyncclient.testing.asgi.CLOSE_TIMEOUT", 0.01)
    app, client = client_of(send_on)
    async with client:
        async with client.stream("GET", URL) as response:
            await anext(response.iter_chunks())
        assert app.ended == []
    assert app.ended == ["CancelledError"]


# Failures


class Failed(Exception):
    pass


async def fail_before(scope: Scope, receive: Receive, send: Send) -> None:
    raise Failed("before")


async def fail_within(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    await send(body(b"part", more=True))
    raise Failed("within")


async def fail_after(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    await send(body(b"all"))
    raise Failed("after")


@pytest.mark.parametrize("handler", [fail_before, fail_within, fail_after])
async def test_exceptions_of_the_application_are_raised(handler: Handler) -> None:
    _, client = client_of(handler)
    async with client:
        with pytest.raises(Failed, match=handler.__name__.removeprefix("fail_")):
            await client.get(URL)


async def test_exceptions_of_the_application_are_answered_as_by_a_server() -> None:
    _, client = client_of(fail_before, raise_app_exceptions=False)
    async with client:
        response = await client.get(URL)
        assert (response.status, response.text) == (500, "Internal Server Error")
    _, client = client_of(fail_within, raise_app_exceptions=False)
    async with client:
        async with client.stream("GET", URL) as response:
            with pytest.raises(IncompleteRead) as caught:
                await response.read()
        assert isinstance(caught.value.__cause__, Failed)
    _, client = client_of(fail_after, raise_app_exceptions=False)
    async with client:
        assert (await client.get(URL)).text == "all"


async def test_outcomes_of_pytest_in_an_application_fail_the_test() -> None:
    async def check(scope: Scope, receive: Receive, send: Send) -> None:
        pytest.fail("not as expected")

    _, client = client_of(check)
    async with client:
        with pytest.raises(pytest.fail.Exception, match="not as expected"):
            await client.get(URL)


async def test_an_application_must_send_the_messages_in_order() -> None:
    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    async def begin(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)

    async def body_first(scope: Scope, receive: Receive, send: Send) -> None:
        await send(body(b"a"))

    async def start_twice(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(START)

    async def body_twice(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(b"a"))
        await send(body(b"b"))

    for handler, text in (
        (nothing, "application has returned without a response"),
        (begin, "application has returned before the end of its response"),
        (body_first, "expected another message of the application, got 'http.response.body'"),
        (start_twice, "expected another message of the application, got 'http.response.start'"),
        (body_twice, "expected another message of the application, got 'http.response.body'"),
    ):
        _, client = client_of(handler)
        async with client:
            with pytest.raises(RuntimeError, match=text):
                await client.get(URL)


# Lifespan


class Lived:
    """An application with a lifespan that records its steps, and answers with its state."""

    def __init__(self, failing: str = "", error: Exception | None = None) -> None:
        self.steps: list[str] = []
        self.failing = failing
        self.error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send(START)
            await send(body(scope["state"]["name"]))
            scope["state"]["name"] = b"of one request"
            return
        for step in ("startup", "shutdown"):
            message = await receive()
            self.steps.append(message["type"])
            scope["state"]["name"] = b"of the application"
            if self.error is not None and step == "shutdown":
                raise self.error
            if self.failing == step:
                await send({"type": f"lifespan.{step}.failed", "message": "no database"})
                raise RuntimeError("no database")
            await send({"type": f"lifespan.{step}.complete"})


async def test_the_startup_runs_once_before_the_first_request_and_the_shutdown_at_the_end() -> None:
    app = Lived()
    async with Client(transport=ASGITransport(app)) as client:
        assert app.steps == []
        responses = await asyncio.gather(*(client.get(URL) for _ in range(3)))
        assert {response.text for response in responses} == {"of the application"}
        assert app.steps == ["lifespan.startup"]
    assert app.steps == ["lifespan.startup", "lifespan.shutdown"]


async def test_a_block_runs_the_startup_at_once() -> None:
    app = Lived()
    async with ASGITransport(app) as transport:
        assert app.steps == ["lifespan.startup"]
        assert (await Client(transport=transport).get(URL)).status == 200
    await transport.aclose()
    assert app.steps == ["lifespan.startup", "lifespan.shutdown"]


async def test_without_a_lifespan_neither_runs() -> None:
    app, client = client_of(echo, lifespan=False)
    async with client:
        await client.get(URL)
    assert "state" not in app.scopes[0]
    lived = Lived()
    await ASGITransport(lived).aclose()
    assert lived.steps == []


async def test_failures_of_the_lifespan_are_raised() -> None:
    client = Client(transport=ASGITransport(Lived("startup")))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="startup of the application failed: no database"):
            await client.get(URL)
    await client.aclose()
    for app, error in ((Lived("shutdown"), RuntimeError), (Lived(error=KeyError("x")), KeyError)):
        client = Client(transport=ASGITransport(app))
        await client.get(URL)
        with pytest.raises(error):
            await client.aclose()


# The blocking client, arguments


def test_the_blocking_client_calls_applications() -> None:
    app = App(echo)
    with compat.Client(transport=ASGITransport(app)) as client:
        assert client.post(URL, body=iter([b"in ", b"chunks"])).text == "in chunks"
        with client.stream("POST", URL, body=b"abc") as response:
            assert response.read() == b"abc"


def test_invalid_arguments_are_refused() -> None:
    wrong: Any = "app"
    with pytest.raises(TypeError, match="expected an ASGI application as app, got str"):
        ASGITransport(wrong)
    with pytest.raises(TypeError, match="expected str as root_path, got int"):
        ASGITransport(App(echo), root_path=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected \(address, port\) as client, got str"):
        ASGITransport(App(echo), client="127.0.0.1")  # type: ignore[arg-type]
