"""The events of requests and connections, on real sockets and on transports without one."""

import asyncio
import gc
import gzip
import io
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from asyncclient import (
    Basic,
    Client,
    ConnectError,
    ContentTooLarge,
    DecodingError,
    Digest,
    IncompleteRead,
    Interim,
    InvalidURL,
    LocalResponse,
    NotConnected,
    PoolLimits,
    PoolTransport,
    ReadTimeout,
    Retry,
    Timeout,
    Trace,
    Tracer,
)
from asyncclient.politeness import Polite, Rules
from asyncclient.testing import MockTransport
from tests.client.answering import Answering, becomes_true, redirect
from tests.connection.conversations import OK, reply
from tests.tracing.events import Events

URL = "http://example.com/"


async def tell(answers: Any, path: str = "/", *, method: str = "GET", expect: Any = None, **settings: Any) -> Events:
    """Return the events of a request to a server."""
    events = Events()
    with Answering(answers) as server:
        options = settings.pop("options", {})
        async with Client(tracers=[events], trust_env=False, **settings) as client:
            try:
                await client.request(method, server.url + path, **options)
            except Exception as error:
                if expect is None or not isinstance(error, expect):
                    raise
    return events


# The order


async def test_a_request_on_a_new_connection() -> None:
    events = await tell({"/": OK})
    assert events.names == [
        *("request_started", "attempt_started"),
        *("connection_started", "resolved", "connected", "connection_opened"),
        *("connection_acquired", "head_sent", "request_sent", "head_received"),
        *("connection_released", "content_received", "content_ended", "request_ended", "connection_closed"),
    ]
    trace = events.of("request_started")[0][0]
    assert all(args[0] is trace for name, args in events.told if name.startswith(("request", "head", "content")))
    assert events.of("head_received")[0][1] == 200
    assert events.of("content_received") == [(trace, 2)]
    assert events.of("request_ended") == [(trace, None)]
    assert (trace.attempt, trace.status, trace.received, trace.sent) == (1, 200, 2, 0)
    assert trace.has_ended
    assert trace.is_complete
    assert trace.timings.done is not None


async def test_the_steps_of_opening_a_connection_belong_to_one_object() -> None:
    events = await tell({"/": OK})
    connections = {args[0] for name, args in events.told if name in ("resolved", "connected", "connection_opened")}
    (connection,) = connections
    assert connection.trace is events.of("request_started")[0][0]
    assert events.of("connection_acquired")[0][1] is connection
    assert events.of("resolved") == [(connection, ("127.0.0.1",))]
    assert events.of("connected")[0][1] == connection.label
    assert connection.timings.connect is not None
    assert events.of("connection_closed") == [(connection, "it was closed by this side")]


async def test_a_reused_connection_has_the_same_object() -> None:
    events = Events()
    with Answering(default=OK) as server:
        async with Client(tracers=[events], trust_env=False) as client:
            for _ in range(2):
                await client.get(server.url)
    first, second = events.of("connection_acquired")
    assert first[1] is second[1]
    assert second[1].requests == 2
    assert first[0].number < second[0].number
    assert events.names.count("connection_started") == 1


async def test_a_tls_handshake_is_an_event(tls: Any) -> None:
    events = Events()
    with Answering(default=OK, tls=tls.server_context()) as server:
        async with Client(tracers=[events], ssl=tls.client_context(), trust_env=False) as client:
            await client.get(server.url)
    (connection, version, cipher) = events.of("secured")[0]
    assert (version, cipher.startswith("TLS_")) == ("TLSv1.3", True)
    assert connection.timings.tls > 0
    names = events.names
    assert names.index("connected") < names.index("secured") < names.index("connection_opened")


async def test_a_failed_dial() -> None:
    with Answering() as server:
        pass
    events = Events()
    async with Client(tracers=[events], trust_env=False) as client:
        with pytest.raises(ConnectError):
            await client.get(server.url)
    assert events.names == [
        *("request_started", "attempt_started", "connection_started", "resolved", "connection_failed"),
        "request_ended",
    ]
    assert isinstance(events.of("connection_failed")[0][1], ConnectError)
    assert isinstance(events.of("request_ended")[0][1], ConnectError)


async def test_connections_opened_in_advance_are_of_no_request() -> None:
    events = Events()
    with Answering(default=OK) as server:
        async with Client(tracers=[events], trust_env=False) as client:
            await client.preconnect(server.url, 2)
            assert [args[0].trace for args in events.of("connection_opened")] == [None, None]
            assert len(events.of("connection_released")) == 2
            await client.get(server.url)
    assert events.of("connection_acquired")[0][1] in [args[0] for args in events.of("connection_opened")]
    assert len(events.of("connection_closed")) == 2


# Sent bytes


@pytest.mark.parametrize(
    ("make", "sizes"),
    [
        (lambda: b"x" * 10, [10]),
        (lambda: io.BytesIO(b"x" * 10), [10]),
        (lambda: b"x" * 100_000, [100_000]),
        (lambda: iter([b"a" * 5, b"b" * 16]), [10, 22, 5]),
    ],
)
async def test_bytes_of_a_body(make: Callable[[], Any], sizes: list[int]) -> None:
    """Those of chunks include their lines."""
    with Answering(default=OK) as server:
        events = Events()
        async with Client(tracers=[events], trust_env=False) as client:
            await client.post(server.url, body=make())
            assert events.of("body_sent")[0][0].sent == sum(sizes) == len(server.asked[0].raw_body)
    assert [size for _, size in events.of("body_sent")] == sizes
    names = events.names
    assert names.index("head_sent") < names.index("body_sent") < names.index("request_sent")


async def test_a_file_that_the_kernel_sends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 300_000)
    events = await tell({"/": OK}, method="PUT", options={"body": path})
    assert sum(size for _, size in events.of("body_sent")) == 300_000
    assert events.names.count("request_sent") == 1


async def test_interim_responses() -> None:
    events = await tell({"/": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK})
    ((_, interim),) = events.of("interim_received")
    assert isinstance(interim, Interim)
    assert (interim.status, interim.headers["link"]) == (103, "</a>")
    assert events.names.index("interim_received") < events.names.index("head_received")


# Sending again


async def test_a_redirect_is_an_attempt_of_the_same_request() -> None:
    events = await tell({"/": redirect("/there"), "/there": OK})
    assert [resend for _, resend in events.of("request_resent")] == [("redirect", 0.0, 302, None)]
    started = events.of("attempt_started")
    assert started[0][0] is started[1][0] is events.of("request_ended")[0][0]
    trace = started[0][0]
    assert (trace.attempt, trace.url.endswith("/there"), trace.status) == (2, True, 200)
    assert [args[1] for args in events.of("head_received")] == [302, 200]
    assert len(events.of("request_ended")) == len(events.of("content_ended")) == 1


async def test_a_retry_says_which_status_and_which_pause() -> None:
    transport = MockTransport({f"GET {URL}": [503, LocalResponse(content="late")]})
    events = Events()
    async with Client(transport=transport, tracers=[events], retries=Retry(backoff=0)) as client:
        await client.get(URL)
    ((_, resend),) = events.of("request_resent")
    assert (resend.reason, resend.seconds, resend.status, resend.error) == ("retry", 0.0, 503, None)


async def test_a_retry_says_which_error() -> None:
    transport = MockTransport({f"GET {URL}": [ConnectError("refused"), 200]})
    events = Events()
    async with Client(transport=transport, tracers=[events], retries=Retry(backoff=0)) as client:
        await client.get(URL)
    ((_, resend),) = events.of("request_resent")
    assert (resend.reason, resend.status, type(resend.error)) == ("retry", None, ConnectError)


async def test_a_challenge_and_its_answer() -> None:
    challenge = LocalResponse(401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})
    transport = MockTransport({f"GET {URL}": [challenge, 200]})
    events = Events()
    async with Client(transport=transport, tracers=[events], auth=Digest("user", "password")) as client:
        await client.get(URL)
    ((_, resend),) = events.of("request_resent")
    assert (resend.reason, resend.status) == ("challenge", 401)


async def test_content_that_breaks_off_and_is_retried_ends_the_request_once() -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nabc"
    with Answering({"/": [lambda asked: cut, OK]}) as server:
        events = Events()
        async with Client(tracers=[events], retries=Retry(backoff=0), timeout=Timeout(read=0.2), trust_env=False) as c:
            assert (await c.get(server.url)).content == b"ok"
    ((_, resend),) = events.of("request_resent")
    assert (resend.reason, type(resend.error)) == ("retry", ReadTimeout)
    assert events.of("request_ended") == [(events.of("request_started")[0][0], None)]


# Failures of the content


async def broken() -> AsyncIterator[bytes]:
    yield b"first"
    raise IncompleteRead(b"", 95)


@pytest.mark.parametrize("retries", [None, Retry(total=0)])
async def test_content_that_breaks_off_is_a_failure(retries: Retry | None) -> None:
    transport = MockTransport({f"GET {URL}": lambda sent: LocalResponse(content=broken())})
    events = Events()
    async with Client(transport=transport, tracers=[events], retries=retries) as client:
        with pytest.raises(IncompleteRead) as caught:
            await client.get(URL)
    ((trace, error),) = events.of("request_ended")
    assert (error, trace.status, trace.is_complete) == (caught.value, 200, False)
    assert "content_ended" not in events.names


async def test_a_connection_that_is_reset_within_the_content_is_a_failure() -> None:
    events = await tell(
        {"/": lambda asked: b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"},
        expect=ReadTimeout,
        timeout=Timeout(read=0.1),
    )
    assert isinstance(events.of("request_ended")[0][1], ReadTimeout)


@pytest.mark.parametrize(
    ("content", "settings", "kind"),
    [(b"not gzip", {}, DecodingError), (gzip.compress(b"x" * 1000), {"max_body_size": 500}, ContentTooLarge)],
    ids=["coding", "size"],
)
@pytest.mark.parametrize("streams", [False, True])
async def test_content_that_is_refused_is_a_failure(
    content: bytes, settings: Any, kind: type[Exception], streams: bool
) -> None:
    answer = LocalResponse(content=content, headers={"Content-Encoding": "gzip"})
    events = Events()
    async with Client(transport=MockTransport({f"GET {URL}": answer}), tracers=[events], **settings) as client:
        with pytest.raises(kind) as caught:
            if streams:
                async with client.stream("GET", URL) as response:
                    async for _ in response.iter_chunks():
                        pass
            else:
                await client.get(URL)
    ((trace, error),) = events.of("request_ended")
    assert error is caught.value
    assert trace.status == 200


async def test_a_cancellation_while_content_is_read_is_a_failure() -> None:
    begun = asyncio.Event()

    async def never() -> AsyncIterator[bytes]:
        begun.set()
        await asyncio.Event().wait()
        yield b""

    events = Events()
    transport = MockTransport({f"GET {URL}": lambda sent: LocalResponse(content=never())})
    async with Client(transport=transport, tracers=[events]) as client:
        task = asyncio.create_task(client.get(URL))
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
    assert isinstance(events.of("request_ended")[0][1], asyncio.CancelledError)


async def test_an_invalid_url_ends_the_request_before_an_attempt() -> None:
    events = Events()
    async with Client(tracers=[events], trust_env=False) as client:
        with pytest.raises(InvalidURL):
            await client.get("ftp://user:secret@host/#part")
    assert events.names == ["request_started", "request_ended"]
    trace = events.of("request_ended")[0][0]
    assert (trace.attempt, trace.url) == (0, "ftp://host/")


# Streams


async def test_a_stream_ends_with_its_last_byte() -> None:
    events = Events()
    answer = LocalResponse(content=b"abcdef")
    client = Client(transport=MockTransport({f"GET {URL}": answer}), tracers=[events])
    async with client, client.stream("GET", URL) as response:
        assert "request_ended" not in events.names
        assert [chunk async for chunk in response.iter_chunks(4)] == [b"abcd", b"ef"]
        assert events.names[-2:] == ["content_ended", "request_ended"]
    assert len(events.of("request_ended")) == 1


async def test_a_stream_that_is_closed_early_has_no_error_and_is_incomplete() -> None:
    events = Events()
    answer = LocalResponse(content=b"abcdef")
    client = Client(transport=MockTransport({f"GET {URL}": answer}), tracers=[events])
    async with client, client.stream("GET", URL):
        pass
    ((trace, error),) = events.of("request_ended")
    assert (error, trace.is_complete, trace.received) == (None, False, 0)


async def test_a_response_without_content_ends_at_once() -> None:
    events = Events()
    async with Client(transport=PoolTransport(), tracers=[events]) as client:
        with Answering(default=reply(b"")) as server:
            async with client.stream("GET", server.url):
                assert events.names[-1] == "request_ended"
            assert events.of("request_ended")[0][0].is_complete


async def test_a_response_that_is_dropped_ends_its_request() -> None:
    events = Events()
    answer = LocalResponse(content=b"abcdef")
    async with Client(transport=MockTransport({f"GET {URL}": answer}), tracers=[events]) as client:
        streaming = client.stream("GET", URL)
        await streaming.__aenter__()
        del streaming
        gc.collect()
        await asyncio.sleep(0)
    assert isinstance(events.of("request_ended")[0][1], NotConnected)


# Queues


async def test_waiting_in_the_pool_has_two_events() -> None:
    events = Events()
    with Answering(default=OK) as server:
        async with Client(tracers=[events], pool=PoolLimits(connections=1), trust_env=False) as client:
            async with client.stream("GET", server.url) as held:
                task = asyncio.create_task(client.get(server.url))
                assert await becomes_true(lambda: client.stats().waiting == 1)
                assert events.of("queue_joined")[0][1] == "pool"
                assert "queue_left" not in events.names
                await held.read()
            response = await task
    ((trace, queue, seconds),) = events.of("queue_left")
    assert (trace, queue) == (events.of("queue_joined")[0][0], "pool")
    assert trace.timings is response.timings
    assert response.timings.queued >= seconds > 0


async def test_a_cancelled_request_leaves_the_queue() -> None:
    events = Events()
    with Answering(default=OK) as server:
        client = Client(tracers=[events], pool=PoolLimits(connections=1), trust_env=False)
        async with client, client.stream("GET", server.url):
            task = asyncio.create_task(client.get(server.url))
            assert await becomes_true(lambda: client.stats().waiting == 1)
            task.cancel()
            await asyncio.wait([task])
            assert events.names[-2:] == ["queue_left", "request_ended"]


async def test_politeness_reports_its_own_queue() -> None:
    events = Events()
    transport = Polite(MockTransport({f"GET {URL}": LocalResponse(content="a")}), Rules(connections=1))
    async with Client(transport=transport, tracers=[events]) as client:
        await client.get(URL)
    assert events.of("queue_joined")[0][1] == "politeness"
    assert events.names.index("queue_left") < events.names.index("head_received")


# Adding fields


class Adding(Tracer):
    def __init__(self, name: str, value: str) -> None:
        self.field = name, value
        self.errors: list[str] = []

    def attempt_started(self, trace: Trace) -> None:
        try:
            trace.add_header(*self.field)
        except (ValueError, RuntimeError) as error:
            self.errors.append(str(error))

    def head_received(self, trace: Trace, status: int, headers: object) -> None:
        try:
            trace.add_header(*self.field)
        except RuntimeError as error:
            self.errors.append(str(error))


async def test_a_tracer_adds_fields_to_each_attempt() -> None:
    transport = MockTransport({f"GET {URL}": [503, 200]})
    tracers = [Adding("traceparent", "00-1-2-01"), Adding("tracestate", "a=1")]
    async with Client(transport=transport, tracers=tracers, retries=Retry(backoff=0)) as client:
        await client.get(URL)
    assert [(sent.headers["traceparent"], sent.headers["tracestate"]) for sent in transport.requests] == [
        ("00-1-2-01", "a=1")
    ] * 2
    assert tracers[0].errors == ["expected add_header() to be called by attempt_started()"] * 2


async def test_a_field_of_the_caller_takes_precedence() -> None:
    transport = MockTransport({f"GET {URL}": 200})
    async with Client(transport=transport, tracers=[Adding("traceparent", "mine")]) as client:
        await client.get(URL, headers={"Traceparent": "yours"})
    assert transport.requests[0].headers.get_all("traceparent") == ["yours"]


@pytest.mark.parametrize(("name", "value"), [("Host", "evil"), ("content-length", "5"), ("X", "a\r\nb"), ("a b", "c")])
async def test_a_field_that_would_harm_the_request_is_refused(name: str, value: str) -> None:
    transport, tracer = MockTransport({f"GET {URL}": 200}), Adding(name, value)
    async with Client(transport=transport, tracers=[tracer]) as client:
        await client.get(URL)
    assert len(tracer.errors) == 2
    assert dict(transport.requests[0].headers)["Host"] == "example.com"


# Tracers cannot harm


class Raising(Events):
    def _note(self, name: str, *args: Any) -> None:
        super()._note(name, *args)
        raise KeyError(name)


async def test_exceptions_of_a_tracer_are_logged_once_and_harm_nothing(caplog: pytest.LogCaptureFixture) -> None:
    raising, other = Raising(), Events()
    with Answering({"/": redirect("/there"), "/there": OK}) as server:
        async with Client(tracers=[raising, other], trust_env=False) as client:
            for _ in range(2):
                assert (await client.get(server.url)).content == b"ok"
    assert raising.names == other.names
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == len(set(texts)) == len(set(other.names))
    assert "tracer Raising: request_started() raised an exception" in texts


class Slow(Events):
    def _note(self, name: str, *args: Any) -> None:
        super()._note(name, *args)
        time.sleep(0.15)  # holds up the loop, as a tracer that writes to a slow disk


async def test_a_slow_tracer_is_named_once_and_ends_no_wait(caplog: pytest.LogCaptureFixture) -> None:
    with Answering({"/": OK}) as server:
        async with Client(tracers=[Slow()], timeout=Timeout(read=5), trust_env=False) as client:
            assert (await client.get(server.url)).content == b"ok"
            assert (await client.get(server.url)).content == b"ok"
    texts = [record.getMessage() for record in caplog.records]
    assert sum(text.startswith("tracer Slow: head_sent() took 0.") for text in texts) == 1


@pytest.mark.parametrize("make", [lambda: [object()], lambda: [print]])
def test_other_objects_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="expected a Tracer among tracers"):
        Client(tracers=make())


def test_coroutine_functions_are_refused() -> None:
    class Wrong(Tracer):
        async def head_sent(self, trace: Trace, size: int) -> None:  # type: ignore[override]
            pass

    with pytest.raises(TypeError, match=r"got the coroutine function head_sent\(\)"):
        Client(tracers=[Wrong()])


async def test_the_url_of_a_trace_has_no_userinfo() -> None:
    events = Events()
    transport = MockTransport({f"GET {URL}?q=1": 200})
    async with Client(transport=transport, tracers=[events], auth=Basic("a", "b")) as client:
        await client.get("http://user:secret@example.com/?q=1#part")
    trace = events.of("request_ended")[0][0]
    assert trace.url == f"{URL}?q=1"


async def test_without_tracers_and_log_nothing_is_made() -> None:
    seen = []

    class Watching:
        async def send(self, request: Any) -> LocalResponse:
            seen.append(request.trace)
            return LocalResponse()

        async def aclose(self) -> None:
            pass

    async with Client(transport=Watching()) as client:
        await client.get(URL)
        logging.getLogger("asyncclient").setLevel(logging.INFO)
        try:
            await client.get(URL)
        finally:
            logging.getLogger("asyncclient").setLevel(logging.NOTSET)
    assert seen[0] is None
    assert isinstance(seen[1], Trace)
