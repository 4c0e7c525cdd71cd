"""Sending again: at once after a stale connection, else by a policy; not too often, and only complete requests."""

import asyncio
import io
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from asyncclient import (
    Client,
    ClientClosed,
    ConnectError,
    HTTPException,
    LocalResponse,
    PoolLimits,
    ReadTimeout,
    RemoteDisconnected,
    Retry,
    StaleConnectionError,
    Timeout,
)
from asyncclient.testing import MockTransport, RawConnection, RawServer
from tests.client.answering import Answering, Gate, Recording, becomes_true, is_clean, redirect
from tests.connection.conversations import OK, reply
from tests.durations import lasts

URL = "http://example.com/"
AT_ONCE = Retry(backoff=0)
BUSY = reply(b"busy", status=b"503 Service Unavailable")


def busy(*fields: bytes, status: bytes = b"503 Service Unavailable") -> bytes:
    return reply(b"busy", *fields, status=status)


# Stale connections


class Leaving:
    """A server that closes as soon as the next request is received, which a client can't know beforehand.

    `answers` of the connections, one by one: how many requests each answers before it closes.
    """

    def __init__(self, *answers: int, leave: Callable[[RawConnection], object] = RawConnection.close) -> None:
        self.answers = list(answers)
        self.leave = leave
        self.bodies: list[bytes] = []

    def __call__(self, connection: RawConnection) -> None:
        for _ in range(self.answers.pop(0) if self.answers else 999):
            head, body = connection.read_request()
            if not head:
                return
            self.bodies.append(body)
            connection.send(OK)
        if connection.read_head():
            self.leave(connection)


def generate(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces


LEAVES = [RawConnection.close, RawConnection.reset]


@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
async def test_idempotent_requests_are_resent_on_stale_connections(method: str, leave: Any) -> None:
    script, tracer = Leaving(1, leave=leave), Recording()
    with RawServer(script) as server:
        async with Client(tracers=[tracer]) as client:
            await client.get(server.url)
            body = b"content" if method == "PUT" else None
            response = await client.request(method, server.url, body=body)
            assert response.status == 200
            assert await is_clean(client)
        assert (server.accepted, len(server.requests)) == (2, 3)
    assert tracer.reasons == ["stale"]
    assert response.timings.reused is False


@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("method", ["POST", "PATCH", "LOCK"])
@pytest.mark.parametrize("body", [None, b"content", lambda: generate(b"content")])
async def test_requests_that_are_not_idempotent_are_not_resent(method: str, body: Any, leave: Any) -> None:
    with RawServer(Leaving(1, leave=leave)) as server:
        async with Client() as client:
            await client.get(server.url)
            with pytest.raises(
                StaleConnectionError, match=rf"{server.port} was closed or reset .* may have read .* \({method} "
            ) as raised:
                await client.request(method, server.url, body=body)
            assert raised.value.bytes_received == 0
            assert isinstance(raised.value, ConnectionError)
            assert await is_clean(client)
            assert (await client.get(server.url)).content == b"ok"
        assert len(server.requests) == 3


async def test_a_policy_may_name_more_methods() -> None:
    with RawServer(Leaving(1)) as server:
        async with Client(retries=Retry(total=1, methods=("POST",))) as client:
            await client.get(server.url)
            assert (await client.post(server.url, body=b"content")).content == b"ok"


@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
async def test_without_retries_nothing_is_sent_twice(method: str, leave: Any) -> None:
    with RawServer(Leaving(1, leave=leave)) as server:
        async with Client(retries=0) as client:
            await client.get(server.url)
            with pytest.raises(StaleConnectionError) as raised:
                await client.request(method, server.url)
            assert raised.value.was_sent
            assert await is_clean(client)
        assert len(server.requests) == 2


def is_gone(client: Client) -> bool:
    """Whether the connection in use has been closed by the server."""
    leased = [connection for group in client._pool._groups.values() for connection in group.leased]
    return any(connection.wire.stream.ending is not None for connection in leased)


@pytest.mark.parametrize("retries", [None, 0])
async def test_an_unwritten_request_is_resent_for_any_method(retries: int | None) -> None:
    """The server closes while the body is being made."""
    leave, script = threading.Event(), Leaving()
    is_first = iter([True])

    def serve(connection: RawConnection) -> None:
        if next(is_first, False):
            connection.read_request()
            connection.send(OK)
            leave.wait(10)
        else:
            script(connection)

    with RawServer(serve) as server:
        async with Client(retries=retries) as client:
            await client.get(server.url)

            async def make() -> bytes:
                if not leave.is_set():
                    leave.set()
                    assert await becomes_true(lambda: is_gone(client))
                return b"content"

            assert (await client.post(server.url, body=make)).content == b"ok"
            assert await is_clean(client)
        assert (server.accepted, len(server.requests)) == (2, 2)
    assert script.bodies == [b"content"]


@pytest.mark.parametrize(
    ("make", "sent"),
    [
        (lambda: b"content", b"content"),
        (lambda: [b"con", b"tent"], b"content"),
        (lambda: io.BytesIO(b"content"), b"content"),
        (lambda: lambda: generate(b"con", b"tent"), b"content"),
        (lambda: generate(b"content"), None),
    ],
)
async def test_a_resent_body_is_complete_or_not_sent(make: Callable[[], Any], sent: bytes | None) -> None:
    def leave_after_body(connection: RawConnection) -> None:
        if connection.read_request()[0]:
            connection.send(OK)
            connection.read_request()

    script = Leaving()
    is_first = iter([True])

    def serve(connection: RawConnection) -> None:
        leave_after_body(connection) if next(is_first, False) else script(connection)

    with RawServer(serve) as server:
        async with Client() as client:
            await client.get(server.url)
            if sent is None:
                with pytest.raises(StaleConnectionError):
                    await client.put(server.url, body=make())
            else:
                assert (await client.put(server.url, body=make())).content == b"ok"
            assert await is_clean(client)
    assert script.bodies == ([] if sent is None else [sent])


async def test_all_idle_connections_may_be_stale() -> None:
    """The repeat does not take the next idle connection, which is as old, but a new one."""
    gate = asyncio.Event()
    script = Leaving(1, 1, 1)
    with RawServer(script) as server:
        async with Client() as client:
            await client.preconnect(server.url, 3)
            assert client.stats().idle == 3

            async def ask() -> bytes:
                async with client.stream("GET", server.url) as response:
                    await gate.wait()
                    return await response.read()

            tasks = [asyncio.create_task(ask()) for _ in range(3)]
            assert await becomes_true(lambda: client.stats().active == 3 and len(server.requests) == 3)
            gate.set()
            await asyncio.gather(*tasks)
            assert client.stats().idle == 3
            assert (await client.get(server.url)).content == b"ok"
        assert server.accepted == 4


async def test_a_request_is_resent_once() -> None:
    with RawServer(Leaving(1, 0, 0)) as server:
        async with Client() as client:
            await client.get(server.url)
            with pytest.raises(RemoteDisconnected) as raised:
                await client.get(server.url)
            assert not isinstance(raised.value, StaleConnectionError)
        assert len(server.requests) == 3


async def test_a_new_connection_that_is_closed_is_not_stale() -> None:
    for leave in LEAVES:
        with RawServer(Leaving(0, leave=leave)) as server:
            async with Client() as client:
                with pytest.raises(ConnectionError) as raised:
                    await client.get(server.url)
                assert not isinstance(raised.value, StaleConnectionError)
            assert len(server.requests) == 1


@pytest.mark.parametrize("part", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_after_one_byte_of_a_response_nothing_is_resent(part: bytes) -> None:
    def answer_in_part(connection: RawConnection) -> None:
        connection.send(part)
        connection.close()

    with RawServer(Leaving(1, leave=answer_in_part)) as server:
        async with Client() as client:
            await client.get(server.url)
            with pytest.raises((HTTPException, OSError)) as raised:
                await client.get(server.url)
            assert not isinstance(raised.value, StaleConnectionError)
            assert await is_clean(client)
        assert len(server.requests) == 2


async def test_unsolicited_data_ends_an_idle_connection() -> None:
    """408 of a server that is tired of waiting, and a FIN: neither is ever an answer to the next request."""
    gate = Gate()

    def tire(connection: RawConnection) -> None:
        connection.read_request()
        connection.send(OK)
        if server.accepted == 1:
            gate.wait()
            connection.send(reply(b"", status=b"408 Request Timeout"))
            connection.close()
            return
        connection.wait_closed()

    tracer = Recording()
    with RawServer(tire) as server:
        async with Client(tracers=[tracer]) as client:
            await client.get(server.url)
            gate.open()
            assert await becomes_true(lambda: client.stats().idle == 0)
            assert (await client.post(server.url, body=b"x")).content == b"ok"
    assert tracer.reasons == []


# By a policy


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_statuses_are_retried(status: int, method: str) -> None:
    tracer = Recording()
    with Answering({"/": [busy(status=b"%d No" % status), busy(status=b"%d No" % status), OK]}) as server:
        async with Client(retries=AT_ONCE, tracers=[tracer]) as client:
            body = io.BytesIO(b"content") if method == "PUT" else None
            response = await client.request(method, server.url, body=body)
            assert response.content == b"ok"
        assert (len(server.asked), server.accepted) == (3, 1)
    assert {asked.content for asked in server.asked} == {b"content" if method == "PUT" else b""}
    assert tracer.repeats == [("retry", 0.0)] * 2


@pytest.mark.parametrize(
    ("retries", "method", "status"),
    [
        (None, "GET", 503),
        (0, "GET", 503),
        (AT_ONCE, "POST", 503),
        (AT_ONCE, "GET", 500),
        (AT_ONCE, "GET", 404),
        (Retry(statuses=(500,), backoff=0), "GET", 503),
        (Retry(methods=("POST",), backoff=0), "GET", 503),
    ],
)
async def test_responses_that_are_not_retried(retries: Retry | int | None, method: str, status: int) -> None:
    transport = MockTransport({f"{method} {URL}": [LocalResponse(status, content=b"busy")]})
    async with Client(transport=transport, retries=retries) as client:
        response = await client.request(method, URL)
        assert (response.status, response.content) == (status, b"busy")
    assert len(transport.requests) == 1


@pytest.mark.parametrize("total", [1, 2, 5])
async def test_never_more_attempts_than_allowed(total: int) -> None:
    with Answering(default=BUSY) as server:
        async with Client(retries=Retry(total=total, backoff=0)) as client:
            response = await client.get(server.url)
            assert (response.status, response.content) == (503, b"busy")
            assert await is_clean(client)
    assert len(server.asked) == total + 1


async def test_a_number_of_retries() -> None:
    with Answering({"/": [busy(b"Retry-After: 0"), OK]}) as server:
        async with Client(retries=Retry(total=1, jitter=1, backoff=0.01)) as client:
            assert (await client.get(server.url)).content == b"ok"
        async with Client(retries=1) as client:
            assert (await client.get(server.url)).content == b"ok"


async def test_redirects_and_challenges_do_not_count_as_retries() -> None:
    answers: dict[str, Any] = {"/": redirect("/b"), "/b": redirect("/c"), "/c": [BUSY, OK]}
    with Answering(answers) as server:
        async with Client(retries=Retry(total=1, backoff=0)) as client:
            assert (await client.get(server.url)).content == b"ok"
    assert server.targets == ["/", "/b", "/c", "/c"]


async def test_each_request_has_its_own_retries() -> None:
    urls = [f"{URL}{number}" for number in range(10)]
    transport = MockTransport({f"GET {url}": 503 for url in urls})
    async with Client(transport=transport, retries=Retry(total=1, backoff=0, budget=None)) as client:
        await asyncio.gather(*map(client.get, urls))
    assert sorted(request.url for request in transport.requests) == sorted(urls * 2)


async def test_a_request_with_a_used_up_body_is_not_retried() -> None:
    with Answering({"/": [BUSY, OK]}) as server:
        async with Client(retries=AT_ONCE) as client:
            response = await client.put(server.url, body=generate(b"content"))
    assert (response.status, response.content, len(server.asked)) == (503, b"busy", 1)


async def test_the_response_to_a_stream_is_the_last_one() -> None:
    with Answering({"/": [BUSY, OK]}) as server:
        async with Client(retries=AT_ONCE) as client, client.stream("GET", server.url) as response:
            assert await response.read() == b"ok"
        assert server.accepted == 1


# Pauses


async def test_retry_after_is_waited_for() -> None:
    tracer = Recording()
    with Answering({"/": [busy(b"Retry-After: 0.15"), OK]}) as server:
        async with Client(retries=AT_ONCE, tracers=[tracer]) as client:
            with lasts(0.15):
                assert (await client.get(server.url)).content == b"ok"
    assert tracer.repeats == [("retry", 0.15)]


@pytest.mark.parametrize(
    "value",
    [b"61", b"3600", b"99999999999999999999", b"Fri, 31 Dec 9999 23:59:59 GMT"],
    ids=["61", "3600", "many digits", "a date"],
)
async def test_a_long_retry_after_is_not_waited_for(value: bytes) -> None:
    with Answering({"/": [busy(b"Retry-After: " + value), OK]}) as server:
        async with Client(retries=AT_ONCE) as client:
            with lasts():
                assert (await client.get(server.url)).status == 503


@pytest.mark.parametrize(
    "value",
    [b"", b"soon", b"-5", b"1e9", b"0x10", b"\xff", b"Thu, 01 Jan 1970 00:00:00 GMT", b"Thu, 99 Foo 9999 99:99:99 GMT"],
)
async def test_an_invalid_retry_after_is_ignored(value: bytes) -> None:
    with Answering({"/": [busy(b"Retry-After: " + value), OK]}) as server:
        async with Client(retries=AT_ONCE) as client:
            with lasts():
                assert (await client.get(server.url)).content == b"ok"


async def test_retry_after_that_is_repeated_is_one() -> None:
    fields = b"Retry-After: 0.15\r\nRetry-After: 0.15"
    with Answering({"/": [busy(fields), OK]}) as server:
        async with Client(retries=Retry(backoff=0)) as client:
            with lasts(0.15):
                assert (await client.get(server.url)).content == b"ok"


async def test_retry_after_may_be_ignored() -> None:
    with Answering({"/": [busy(b"Retry-After: 30"), OK]}) as server:
        async with Client(retries=Retry(backoff=0, respect_retry_after=False)) as client:
            with lasts():
                assert (await client.get(server.url)).content == b"ok"


async def test_pauses_double_up_to_the_longest() -> None:
    tracer = Recording()
    with Answering(default=BUSY) as server:
        policy = Retry(total=4, backoff=0.01, max_backoff=0.03, jitter=0)
        async with Client(retries=policy, tracers=[tracer]) as client:
            with lasts(0.09):
                await client.get(server.url)
    assert [seconds for _, seconds in tracer.repeats] == [0.01, 0.02, 0.03, 0.03]


async def test_jitter_shortens_them() -> None:
    tracer = Recording()
    with Answering(default=BUSY) as server:
        async with Client(retries=Retry(total=5, backoff=0.01, max_backoff=0.01), tracers=[tracer]) as client:
            await client.get(server.url)
    pauses = [seconds for _, seconds in tracer.repeats]
    assert len(set(pauses)) > 1
    assert all(0 <= seconds <= 0.01 for seconds in pauses)


async def test_a_connection_is_not_held_during_a_pause() -> None:
    with Answering({"/slow": busy(b"Retry-After: 60"), "/": OK}) as server:
        tracer = Recording()
        async with Client(retries=AT_ONCE, tracers=[tracer], pool=PoolLimits(connections=1)) as client:
            task = asyncio.create_task(client.get(f"{server.url}/slow"))
            assert await becomes_true(lambda: bool(tracer.repeats))
            with lasts():
                assert (await client.get(server.url)).content == b"ok"
            task.cancel()


async def test_a_pause_can_be_cancelled() -> None:
    tracer = Recording()
    with Answering(default=busy(b"Retry-After: 30")) as server:
        async with Client(retries=AT_ONCE, tracers=[tracer]) as client:
            task = asyncio.create_task(client.get(server.url))
            assert await becomes_true(lambda: bool(tracer.repeats))
            task.cancel()
            with lasts(), pytest.raises(asyncio.CancelledError):
                await task
            assert await is_clean(client)


async def test_closing_the_client_ends_a_pause() -> None:
    tracer = Recording()
    with Answering(default=busy(b"Retry-After: 30")) as server:
        async with Client(retries=AT_ONCE, tracers=[tracer]) as client:
            task = asyncio.create_task(client.get(server.url))
            assert await becomes_true(lambda: bool(tracer.repeats))
            with lasts():
                await client.aclose()
                with pytest.raises(ClientClosed):
                    await task


async def test_total_bounds_the_pauses() -> None:
    for limit in (Timeout(total=50.0), 50.0):
        with Answering({"/": [busy(b"Retry-After: 0.1"), busy(b"Retry-After: 49.95"), OK]}) as server:
            async with Client(retries=AT_ONCE, timeout=limit) as client:
                with lasts(0.1):
                    assert (await client.get(server.url)).status == 503
        assert len(server.asked) == 2


async def test_a_pause_that_would_go_beyond_the_total_is_not_begun() -> None:
    with Answering(default=busy(b"Retry-After: 60")) as server:
        async with Client(retries=AT_ONCE, timeout=50) as client:
            with lasts():
                response = await client.get(server.url)
            assert (response.status, response.content) == (503, b"busy")


# Errors


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_failed_dials_are_retried_for_any_method(method: str) -> None:
    tracer, port = Recording(), free_port()
    async with Client(retries=Retry(total=2, backoff=0), tracers=[tracer]) as client:
        with pytest.raises(ConnectError, match=str(port)):
            await client.request(method, f"http://127.0.0.1:{port}/", body=generate(b"content"))
        assert await is_clean(client)
    assert tracer.reasons == ["retry"] * 2
    assert tracer.events.count(f"not opened 127.0.0.1:{port}") == 3


async def test_a_server_that_starts_meanwhile_is_reached_by_a_retry() -> None:
    """The second attempt finds what the first did not."""

    class Late:
        addresses = iter([("127.0.0.1", free_port())])

        async def resolve(self, host: str, port: int) -> list[tuple[str, int]]:
            return [next(self.addresses, (server.host, server.port))]

    with Answering(default=OK) as server:
        async with Client(retries=AT_ONCE, resolver=Late()) as client:
            response = await client.post("http://late.example/", body=generate(b"content"))
    assert (response.content, server.asked[0].content) == (b"ok", b"content")


async def test_names_that_do_not_exist_are_not_retried() -> None:
    class Nowhere:
        asked = 0

        async def resolve(self, host: str, port: int) -> list[str]:
            self.asked += 1
            raise socket.gaierror(socket.EAI_NONAME, "no such name")

    resolver = Nowhere()
    async with Client(retries=AT_ONCE, resolver=resolver) as client:
        with pytest.raises(ConnectError, match="no such name"):
            await client.get("http://nowhere.example/")
    assert resolver.asked == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("leave", LEAVES)
async def test_a_connection_that_breaks_is_retried_if_that_does_no_harm(method: str, leave: Any) -> None:
    with RawServer(Leaving(0, 0, leave=leave)) as server:
        async with Client(retries=AT_ONCE) as client:
            if method == "GET":
                assert (await client.get(server.url)).content == b"ok"
            else:
                with pytest.raises(ConnectionError):
                    await client.post(server.url, body=b"x")
            assert await is_clean(client)
        assert len(server.requests) == (3 if method == "GET" else 1)


async def test_a_read_timeout_is_retried() -> None:
    def hang(connection: RawConnection) -> None:
        head = connection.read_head()
        if head and server.accepted > 1:
            connection.send(OK)
        connection.wait_closed()

    with RawServer(hang) as server:
        async with Client(retries=AT_ONCE, timeout=Timeout(read=0.1)) as client:
            assert (await client.get(server.url)).content == b"ok"
        async with Client(retries=0, timeout=Timeout(read=0.1)) as client:
            server.accepted = 0
            with pytest.raises(ReadTimeout):
                await client.get(server.url)


async def test_a_head_that_is_cut_short_is_retried() -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-"

    def cut_first(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(cut if server.accepted == 1 else OK)

    with RawServer(cut_first) as server:
        async with Client(retries=AT_ONCE) as client:
            assert (await client.get(server.url)).content == b"ok"
        assert server.accepted == 2


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n\r\n", b"HTTP/2.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX\r\n\r\n"])
async def test_a_broken_answer_is_not_retried(data: bytes) -> None:
    with Answering(default=data) as server:
        async with Client(retries=AT_ONCE) as client:
            with pytest.raises(HTTPException):
                await client.get(server.url)
    assert len(server.asked) == 1


async def test_stale_and_retries_add_up() -> None:
    """The free repeat is not one of the retries that are granted."""
    tracer = Recording()
    with RawServer(Leaving(1, 0, 0)) as server:
        async with Client(retries=Retry(total=2, backoff=0), tracers=[tracer]) as client:
            await client.get(server.url)
            assert (await client.get(server.url)).content == b"ok"
    assert tracer.reasons == ["stale", "retry", "retry"]


# Budget


async def count_requests(requests: int, budget: float | None, urls: Sequence[str] = (URL,)) -> list[int]:
    """Make requests that are always answered with 503; return how many were sent to each URL."""
    transport = MockTransport({f"GET {url}": 503 for url in urls})
    async with Client(transport=transport, retries=Retry(total=1, backoff=0, budget=budget)) as client:
        for url in urls:
            for _ in range(requests):
                assert (await client.get(url)).status == 503
    sent = [request.url for request in transport.requests]
    return [sent.count(url) for url in urls]


async def test_the_budget_bounds_the_added_requests() -> None:
    (count,) = await count_requests(100, 0.2)
    assert 100 + 10 + 15 <= count <= 100 + 10 + 25


async def test_without_budget_all_are_retried() -> None:
    assert await count_requests(40, None) == [80]


async def test_the_budget_is_each_origins_own() -> None:
    assert await count_requests(20, 0, ("http://one.example/", "http://other.example/")) == [30, 30]


async def test_a_budget_bounds_the_added_requests_to_a_server() -> None:
    with Answering(default=BUSY) as server:
        async with Client(retries=Retry(total=1, backoff=0, budget=0)) as client:
            for _ in range(12):
                assert (await client.get(server.url)).status == 503
    assert len(server.asked) == 22
