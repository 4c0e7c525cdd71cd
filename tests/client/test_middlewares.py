"""Client(middlewares=…): the order of calls, the methods of the client, and the ownership of responses."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import compat
from asyncclient import (
    CallNext,
    Client,
    LocalResponse,
    Middleware,
    Request,
    Response,
    Retry,
    StatusError,
    TooManyRedirects,
    TransportRequest,
)
from asyncclient.blocking.response import Response as BlockingResponse
from asyncclient.testing import MockTransport, RawServer
from examples.middlewares_coalescing import Coalescing
from examples.middlewares_signing import AWSSigner
from examples.middlewares_tokens import Tokens
from tests.client.answering import Answering, is_clean, redirect
from tests.connection.conversations import NOTHING, OK, echo_target, reply
from tests.pool.hosts import wait_until

URL = "http://a.test/"
EVENT = reply(b"data: a\n\n", b"Content-Type: text/event-stream")


def adding(name: str) -> Middleware:
    """A middleware that adds its name to the field X-Names of the request and to the events."""

    async def add(request: Request, call_next: CallNext) -> Response:
        names = dict(request.headers).get("X-Names", "") + name
        return await call_next(request.replace(headers={"X-Names": names}))

    return add


class Counting:
    """A middleware that counts requests and keeps their responses."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.responses: list[Response] = []

    async def __call__(self, request: Request, call_next: CallNext) -> Response:
        self.requests.append(request)
        self.responses.append(await call_next(request))
        return self.responses[-1]


async def test_the_first_middleware_is_the_outermost() -> None:
    transport = MockTransport({f"GET {URL}": 200})
    async with Client(transport=transport, middlewares=[adding("a"), adding("b"), adding("c")]) as client:
        await client.get(URL)
        await client.send(Request("GET", URL))
    assert [request.headers["X-Names"] for request in transport.requests] == ["abc", "abc"]


async def test_a_middleware_is_outside_redirects_and_retries() -> None:
    table: dict[str, Any] = {
        f"GET {URL}": LocalResponse(302, headers={"Location": "/b"}),
        f"GET {URL}b": [503, LocalResponse(content="b")],
    }
    counting = Counting()
    policy = Retry(backoff=0)
    async with Client(transport=MockTransport(table), middlewares=[counting], retries=policy) as client:
        response = await client.get(URL)
    assert [response] == counting.responses
    assert (response.text, len(response.history)) == ("b", 1)


async def test_content_is_read_for_get_and_not_for_stream() -> None:
    seen = []

    async def look(request: Request, call_next: CallNext) -> Response:
        response = await call_next(request)
        seen.append(response._content)
        return response

    with RawServer(echo_target) as server:
        async with Client(base_url=server.url, middlewares=[look]) as client:
            assert (await client.get("/a")).text == "/a"
            async with client.stream("GET", "/b") as response:
                assert await response.read() == b"/b"
    assert seen == [b"/a", None]


async def test_all_methods_that_send_requests_call_it(tmp_path: Path) -> None:
    counting = Counting()
    answers: dict[str, Any] = {"/a": OK, "/events": [EVENT, NOTHING]}
    with Answering(answers) as server:
        async with Client(base_url=server.url, middlewares=[counting]) as client:
            await client.post("/a", json=1)
            await client.download("/a", tmp_path / "file")
            async with client.events("/events", reconnect=Retry(backoff=0)) as events:
                assert [event.data async for event in events] == ["a"]
    assert [request.method for request in counting.requests] == ["POST", "GET", "GET", "GET"]


async def test_content_that_breaks_off_is_retried_inside() -> None:
    short = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    counting = Counting()

    def serve(connection: Any) -> None:
        connection.read_head()
        connection.send(short if len(server.requests) == 1 else OK)

    with RawServer(serve) as server:
        async with Client(middlewares=[counting], retries=Retry(backoff=0)) as client:
            assert (await client.get(server.url)).text == "ok"
    assert len(counting.requests) == 1


async def test_a_middleware_may_answer_itself() -> None:
    async def answer(request: Request, call_next: CallNext) -> Response:
        return Response(request, request.url, LocalResponse(203, content="mine"))

    async with Client(transport=MockTransport({}), middlewares=[answer]) as client:
        response = await client.get(URL)
        assert (response.status, response.content) == (203, b"mine")
        async with client.stream("GET", URL) as response:
            assert await response.read() == b"mine"


async def test_an_error_passes_through_the_outer_middlewares() -> None:
    seen: list[BaseException] = []

    async def note(request: Request, call_next: CallNext) -> Response:
        try:
            return await call_next(request)
        except TooManyRedirects as error:
            seen.append(error)
            raise

    table = {f"GET {URL}": LocalResponse(302, headers={"Location": "/"})}
    async with Client(transport=MockTransport(table), middlewares=[note, adding("a")]) as client:
        with pytest.raises(TooManyRedirects) as caught:
            await client.get(URL)
    assert seen == [caught.value]


# Responses that are not returned


async def ask_twice(request: Request, call_next: CallNext) -> Response:
    await call_next(request)
    return await call_next(request)


async def fail_afterwards(request: Request, call_next: CallNext) -> Response:
    await call_next(request)
    raise LookupError("no")


async def test_a_response_that_is_not_returned_is_closed() -> None:
    with RawServer(echo_target) as server:
        async with Client(base_url=server.url, middlewares=[ask_twice]) as client:
            async with client.stream("GET", "/a") as response:
                assert client.stats().active == 1
                assert await response.read() == b"/a"
            assert await is_clean(client)


async def test_after_an_error_of_a_middleware_all_responses_are_closed() -> None:
    with RawServer(echo_target) as server:
        async with Client(base_url=server.url, middlewares=[fail_afterwards]) as client:
            with pytest.raises(LookupError):
                await client.stream("GET", "/a").__aenter__()
            assert await is_clean(client)


async def test_a_cancelled_request_leaves_nothing() -> None:
    arrived = asyncio.Event()

    async def wait(request: Request, call_next: CallNext) -> Response:
        await call_next(request)
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    with RawServer(echo_target) as server:
        async with Client(base_url=server.url, middlewares=[wait]) as client:
            task = asyncio.create_task(client.stream("GET", "/a").__aenter__())
            await arrived.wait()
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert await is_clean(client)


# Arguments


@pytest.mark.parametrize(
    ("middlewares", "text"),
    [
        (1, "expected a collection of functions as middlewares, got int"),
        ([1], "expected a function as middleware, got int"),
        (adding("a"), "expected a collection of functions as middlewares, got function"),
    ],
)
def test_invalid_middlewares(middlewares: Any, text: str) -> None:
    for kind in (Client, compat.Client):
        with pytest.raises(TypeError, match=text):
            kind(middlewares=middlewares)


async def returning_none(request: Request, call_next: CallNext) -> Any:
    await call_next(request)


def plain(request: Request, call_next: CallNext) -> Any:
    return None


async def passing_none(request: Request, call_next: Any) -> Any:
    return await call_next(None)


@pytest.mark.parametrize(
    ("middleware", "text"),
    [
        (returning_none, "expected a Response as result of the middleware returning_none, got NoneType"),
        (plain, "expected a coroutine function as middleware, got plain, which returned a value"),
        (passing_none, "expected a Request as request, got NoneType"),
    ],
)
async def test_a_middleware_with_another_result_is_named(middleware: Any, text: str) -> None:
    transport = MockTransport({f"GET {URL}": 200})
    async with Client(transport=transport, middlewares=[middleware, adding("a")]) as client:
        with pytest.raises(TypeError, match=text):
            await client.get(URL)


# Request.replace()


def test_a_replaced_request() -> None:
    request = Request("POST", URL, headers=[("A", "1"), ("b", "2"), ("B", "3")], json=[1], timeout=3, decode=False)
    changed = request.replace(headers={"B": "4", "c": None}, method="put", url=f" {URL}x ", timeout=None)
    assert (changed.method, changed.url) == ("PUT", f"{URL}x")
    assert changed.headers == [("A", "1"), ("B", "4"), ("c", None)]
    assert changed.payload is request.payload
    assert (changed.choices.timeout, changed.choices.decode) == (None, False)
    assert request.headers == [("A", "1"), ("b", "2"), ("B", "3")]
    assert (request.method, request.url, request.choices.timeout) == ("POST", URL, 3)


def test_a_request_replaced_by_the_same() -> None:
    request = Request("GET", URL)
    assert request.replace().choices is request.choices


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"method": "CONNECT"}, ValueError),
        ({"headers": {"Expect": "100-continue"}}, ValueError),
        ({"headers": "a"}, TypeError),
        ({"url": 1}, TypeError),
        ({"timeout": -1}, ValueError),
        ({"foo": 1}, TypeError),
    ],
)
def test_invalid_changes_of_a_request(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Request("GET", URL).replace(**changes)


# Examples


@pytest.mark.parametrize(
    ("signer", "url", "fields", "when", "signature"),
    [
        (  # aws-sig-v4-test-suite, get-vanilla
            AWSSigner("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service"),
            "https://example.amazonaws.com/",
            {},
            datetime(2015, 8, 30, 12, 36),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (  # the example of the IAM User Guide
            AWSSigner("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "iam"),
            "https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers",
            {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
            datetime(2015, 8, 30, 12, 36),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
        (  # the example of the Amazon S3 API Reference
            AWSSigner("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", "s3"),
            "https://examplebucket.s3.amazonaws.com/test.txt",
            {"Range": "bytes=0-9"},
            datetime(2013, 5, 24),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
    ],
)
def test_signatures_are_those_that_amazon_publishes(
    signer: AWSSigner, url: str, fields: dict[str, str], when: datetime, signature: str
) -> None:
    signed = signer.sign("GET", url, fields, b"", when)
    assert signed["Authorization"].endswith(f"Signature={signature}")
    assert "secret" not in repr(signer)


async def test_the_signature_covers_the_body_that_is_sent() -> None:
    transport = MockTransport({f"POST {URL}": 200})
    signer = AWSSigner("key", "secret", "us-east-1", "s3")
    async with Client(transport=transport, middlewares=[signer]) as client:
        await client.post(URL, body=b"abc")
        with pytest.raises(ValueError, match="expected a body in memory"):
            await client.post(URL, body=iter([b"abc"]))
    (sent,) = transport.requests
    expected = signer.sign("POST", URL, {}, b"abc", datetime.strptime(sent.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
    assert {name: sent.headers[name] for name in expected} == expected


async def test_many_tasks_renew_a_token_once_and_other_servers_get_none() -> None:
    fetched: list[str] = []

    async def fetch() -> str:
        await asyncio.sleep(0)
        fetched.append(str(len(fetched)))
        return fetched[-1]

    def check(request: Any) -> LocalResponse:
        return LocalResponse(200 if request.headers["Authorization"] == "Bearer 1" else 401)

    transport = MockTransport({f"GET {URL}": check, "GET http://b.test/": 200})
    async with Client(transport=transport, middlewares=[Tokens(URL, fetch)]) as client:
        statuses = [response.status for response in await asyncio.gather(*(client.get(URL) for _ in range(50)))]
        await client.get("http://b.test/")
    assert statuses == [200] * 50
    assert fetched == ["0", "1"]
    assert "Authorization" not in transport.requests[-1].headers


class Held:
    """A transport that answers when the test says so."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self.may_answer = asyncio.Event()
        self.cancelled = 0

    async def send(self, request: TransportRequest) -> LocalResponse:
        self.targets.append(request.target)
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return LocalResponse(content=request.target)

    async def aclose(self) -> None:
        self.may_answer.set()


async def test_equal_requests_share_a_response_and_each_may_be_cancelled() -> None:
    transport = Held()
    async with Client(transport=transport, middlewares=[Coalescing()]) as client:
        tasks = [asyncio.create_task(client.get(f"{URL}{name}")) for name in "aaab"]
        tasks.append(asyncio.create_task(client.get(f"{URL}a", headers={"B": "1"})))
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        transport.may_answer.set()
        responses = await asyncio.gather(*tasks[1:])
    assert [response.text for response in responses] == ["/a", "/a", "/b", "/a"]
    assert responses[0] is not responses[1]
    assert sorted(transport.targets) == ["/a", "/a", "/b"]


async def test_a_shared_request_ends_when_all_that_wait_are_cancelled() -> None:
    transport = Held()
    async with Client(transport=transport, middlewares=[Coalescing()]) as client:
        tasks = [asyncio.create_task(client.get(URL)) for _ in range(3)]
        await wait_until(lambda: transport.targets)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await wait_until(lambda: transport.cancelled == 1)


# The blocking client

BlockingNext = Callable[[Request], BlockingResponse]


def block_twice(request: Request, call_next: BlockingNext) -> BlockingResponse:
    first = call_next(request.replace(headers={"X-First": "1"}))
    return first if first.status == 404 else call_next(request)


def test_middlewares_of_the_blocking_client(tmp_path: Path) -> None:
    seen: list[str] = []

    def note(request: Request, call_next: BlockingNext) -> BlockingResponse:
        response = call_next(request)
        seen.append(f"{request.method} {response.status}")
        return response

    answers: dict[str, Any] = {"/a": OK, "/events": [EVENT, EVENT, NOTHING], "/b": redirect("/a")}
    middlewares = [note, block_twice]
    with Answering(answers) as server, compat.Client(base_url=server.url, middlewares=middlewares) as client:
        assert client.get("/b").text == "ok"
        with client.stream("GET", "/a") as response:
            assert response.read() == b"ok"
        client.download("/a", tmp_path / "file")
        with client.events("/events", reconnect=Retry(backoff=0)) as events:
            assert [event.data for event in events] == ["a"]
    assert seen == ["GET 200"] * 4 + ["GET 204"]
    assert [asked["x-first"] for asked in server.asked] == ["1", "1", None, None, *["1", None] * 4]


def test_a_middleware_of_the_blocking_client_may_use_the_client() -> None:
    def ask(request: Request, call_next: BlockingNext) -> BlockingResponse:
        if not request.url.endswith("/token"):
            token = client.get("/token").text
            request = request.replace(url=f"{request.url}?{token[1:]}")
        return call_next(request)

    with RawServer(echo_target) as server, compat.Client(base_url=server.url, middlewares=[ask]) as client:
        assert client.get("/a").text == "/a?token"


def test_errors_in_middlewares_of_the_blocking_client() -> None:
    def check(request: Request, call_next: BlockingNext) -> BlockingResponse:
        return call_next(request).raise_for_status()

    def interrupt(request: Request, call_next: BlockingNext) -> BlockingResponse:
        call_next(request)
        raise KeyboardInterrupt

    def answer(request: Request, call_next: BlockingNext) -> Any:
        return None

    with Answering({"/a": reply(b"", status=b"404 Not Found"), "/b": OK}) as server:
        with compat.Client(base_url=server.url, middlewares=[check]) as client:
            with pytest.raises(StatusError) as caught:
                client.get("/a")
            assert isinstance(caught.value.response, BlockingResponse)
        with compat.Client(base_url=server.url, middlewares=[interrupt]) as client:
            with pytest.raises(KeyboardInterrupt):
                client.stream("GET", "/b").__enter__()
            assert client.stats().active == 0
        text = "expected a Response as result of the middleware .*answer"
        with compat.Client(base_url=server.url, middlewares=[answer]) as client, pytest.raises(TypeError, match=text):
            client.get("/a")
