"""Client.events() and Response.iter_events(): connecting, reconnecting, and the end, on real sockets."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import compat
from asyncclient import (
    Client,
    ConnectError,
    ContentTooLarge,
    DecodingError,
    EventSource,
    ReadTimeout,
    RemoteDisconnected,
    Retry,
    StatusError,
    Timeout,
)
from asyncclient.blocking.response import Response
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Answering
from tests.connection.conversations import NOTHING, reply
from tests.durations import FOREVER
from tests.pool.hosts import wait_until
from tests.servers import App

AT_ONCE = Retry(total=3, backoff=0.0)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
MOVED = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /events\r\nContent-Length: 0\r\n\r\n"


def stream(content: bytes, content_type: bytes = b"text/event-stream") -> bytes:
    return reply(content, b"Content-Type: " + content_type)


async def collect(url: str, **options: Any) -> list[str]:
    async with Client() as client, client.events(url, **{"reconnect": AT_ONCE, **options}) as events:
        return await collect_rest(events)


async def collect_rest(events: EventSource) -> list[str]:
    return [event.data async for event in events]


# Reconnects


async def test_events_go_on_after_the_last_id_until_status_204() -> None:
    answers = [stream(b"id: 1\ndata: a\n\nid: 2\ndata: b\n\n"), stream(b"data: c\n\n"), NOTHING]
    with Answering({"/events": [*answers]}) as server:
        assert await collect(f"{server.url}/events") == ["a", "b", "c"]
    assert [asked["last-event-id"] for asked in server.asked] == [None, "2", "2"]
    assert {(asked["accept"], asked["cache-control"]) for asked in server.asked} == {("text/event-stream", "no-store")}


async def test_an_incomplete_event_is_dropped_and_asked_for_again() -> None:
    answers = [stream(b"id: 1\ndata: a\n\nid: 2\ndata: b\n"), NOTHING]
    with Answering({"/": [*answers]}) as server:
        assert await collect(server.url) == ["a"]
    assert server.asked[1]["last-event-id"] == "1"


async def test_an_id_is_sent_as_utf_8_and_the_callers_id_first() -> None:
    with Answering({"/": [stream("id: é\n\ndata: a\n\n".encode()), NOTHING]}) as server:
        assert await collect(server.url, last_event_id="7", headers={"Last-Event-ID": "old"}) == ["a"]
    assert [asked["last-event-id"] for asked in server.asked] == ["7", "Ã©"]


async def test_a_stream_that_is_cut_off_is_opened_again() -> None:
    def serve(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(HEAD + b"data: a\n\n")
        connection.reset()

    with RawServer(serve) as server:
        async with Client() as client, client.events(server.url, reconnect=AT_ONCE) as events:
            assert [(await anext(events)).data for _ in range(5)] == ["a"] * 5
    assert len(server.requests) == 5


async def test_a_status_of_the_policy_is_asked_again_and_another_one_is_an_error() -> None:
    answers = [
        stream(b"data: a\n\n"),
        UNAVAILABLE,
        UNAVAILABLE,
        stream(b"data: b\n\n"),
        reply(b"", status=b"404 Not Found"),
    ]
    with Answering({"/": [*answers]}) as server:
        async with Client() as client, client.events(server.url, reconnect=AT_ONCE) as events:
            assert [(await anext(events)).data for _ in range(2)] == ["a", "b"]
            with pytest.raises(StatusError, match="404"):
                await anext(events)
            assert [event async for event in events] == []
    assert len(server.asked) == 5


async def test_connections_without_an_event_are_limited_in_number() -> None:
    with Answering({"/": [stream(b"data: a\n\n"), stream(b": nothing\n\n")]}) as server:
        async with Client() as client, client.events(server.url, reconnect=AT_ONCE) as events:
            await anext(events)
            with pytest.raises(RemoteDisconnected, match=r"event stream ended \(GET http://.*\)"):
                await anext(events)
    assert len(server.asked) == 4  # an event ends the count: that of the first connection


@pytest.mark.parametrize("options", [{"method": "POST"}, {"reconnect": None}, {"reconnect": 0}])
async def test_without_a_reconnect_the_end_of_the_content_ends_the_events(options: dict[str, Any]) -> None:
    with Answering({"/": stream(b"data: a\n\n")}) as server:
        async with Client() as client, client.events(server.url, **options) as events:
            assert [event.data async for event in events] == ["a"]
    assert len(server.asked) == 1


async def test_a_body_is_sent_again() -> None:
    policy = AT_ONCE._replace(methods=frozenset(("POST",)))
    with Answering({"/": [stream(b"data: a\n\n"), NOTHING]}) as server:
        assert await collect(server.url, method="POST", json=[1], reconnect=policy) == ["a"]
    assert [(asked.method, asked.content) for asked in server.asked] == [("POST", b"[1]")] * 2


async def test_the_pause_is_the_one_that_the_server_asks_for() -> None:
    with Answering({"/": [stream(b"retry: 30000\ndata: a\n\n"), NOTHING]}) as server:
        async with Client() as client, client.events(server.url, reconnect=AT_ONCE) as events:
            await anext(events)
            task = asyncio.create_task(collect_rest(events))
            await wait_until(lambda: len(client._settings.pauses))
            (end,) = client._settings.pauses._ends
            end.set_result(None)
            assert await task == []
    assert len(server.asked) == 2


async def test_a_pause_is_at_most_the_one_that_the_policy_allows() -> None:
    policy = AT_ONCE._replace(max_retry_after=0.0)
    with Answering({"/": [stream(b"retry: 999999999999\ndata: a\n\n"), NOTHING]}) as server:
        async with Client() as client, client.events(server.url, reconnect=policy) as events:
            assert await collect_rest(events) == ["a"]


async def test_redirects_are_followed_each_time() -> None:
    with Answering({"/": MOVED, "/events": [stream(b"data: a\n\n"), NOTHING]}) as server:
        assert await collect(server.url) == ["a"]
    assert [asked.target for asked in server.asked] == ["/", "/events"] * 2


# Opening


async def test_a_connection_that_cannot_be_opened_first_is_an_error(unused_tcp_port_factory: Callable[[], int]) -> None:
    async with Client() as client:
        with pytest.raises(ConnectError):
            async with client.events(f"http://127.0.0.1:{unused_tcp_port_factory()}"):
                pass


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (UNAVAILABLE, StatusError, "503 Service Unavailable for GET"),
        (reply(b"", status=b"201 Created"), StatusError, "201 Created for GET"),
        (stream(b"{}", b"application/json"), DecodingError, "expected text/event-stream .*, got 'application/json'"),
        (reply(b"x"), DecodingError, "expected text/event-stream .*, got None"),
    ],
)
async def test_another_answer_is_an_error(answer: bytes, error: type[Exception], text: str) -> None:
    with Answering({"/": answer}) as server:
        async with Client() as client:
            with pytest.raises(error, match=text):
                await client.events(server.url).__aenter__()
            assert client.stats().active == 0


async def test_status_204_first_gives_no_events() -> None:
    with Answering({"/": NOTHING}) as server:
        assert await collect(server.url) == []


async def test_a_head_is_waited_for_as_long_as_the_timeout_says() -> None:
    with RawServer(RawConnection.hold) as server:
        async with Client(timeout=60) as client:
            with pytest.raises(ReadTimeout, match=r"no event stream from http://\S+ in 0\.05 s"):
                await client.events(server.url, timeout=0.05).__aenter__()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"last_event_id": 1}, TypeError, "expected str as last_event_id, got int"),
        ({"last_event_id": "a\n"}, ValueError, "Last-Event-ID"),
        ({"reconnect": True}, TypeError, "expected a Retry, a number or None as reconnect, got bool"),
        ({"read_timeout": -1}, ValueError, "expected read_timeout of at least 0, got -1"),
        ({"max_event_size": 0}, ValueError, "expected max_event_size of at least 1, got 0"),
        ({"foo": 1}, TypeError, "foo"),
    ],
)
async def test_invalid_arguments(options: dict[str, Any], error: type[Exception], text: str) -> None:
    async with Client() as client:
        with pytest.raises(error, match=text):
            client.events("http://a.test/", **options)


# Quiet streams, and the end


def send_once(connection: RawConnection) -> None:
    """Send one event, and nothing more."""
    connection.read_head()
    connection.send(HEAD + b"data: a\n\n")
    connection.hold()


async def test_a_quiet_stream_is_opened_again_only_if_that_is_asked_for() -> None:
    with RawServer(send_once) as server:
        patient = Retry(total=100, backoff=0.0)  # a busy machine may be late with a head, too
        async with Client(timeout=Timeout(read=0.05, total=30), retries=patient) as client:
            async with client.events(server.url) as events:
                await anext(events)
                waiting = asyncio.create_task(anext(events))
                done, _ = await asyncio.wait([waiting], timeout=0.2)
                assert not done
                waiting.cancel()
                await asyncio.wait([waiting])
            async with client.events(server.url, read_timeout=0.05, reconnect=patient) as events:
                assert [(await anext(events)).data for _ in range(3)] == ["a"] * 3
    assert len(server.requests) >= 4


async def test_the_time_limit_of_reading_does_not_hold_for_the_head() -> None:
    may_answer = threading.Event()

    def answer_late(connection: RawConnection) -> None:
        connection.read_head()
        assert may_answer.wait(FOREVER)
        connection.send(HEAD + b"data: a\n\n")
        connection.hold()

    with RawServer(answer_late) as server:
        async with Client(timeout=Timeout(read=FOREVER)) as client:
            source = client.events(server.url, read_timeout=0.05, reconnect=None)
            opening = asyncio.create_task(source.__aenter__())
            done, _ = await asyncio.wait([opening], timeout=0.2)
            assert not done
            may_answer.set()
            events = await opening
            assert (await anext(events)).data == "a"
            with pytest.raises(ReadTimeout, match=r"no more data from http://\S+ in 0\.05 s"):
                await anext(events)
            assert client.stats().active == 0
    assert len(server.requests) == 1


async def test_leaving_the_block_drops_the_connection() -> None:
    with RawServer(send_once) as server:
        async with Client() as client:
            async with client.events(server.url) as events:
                assert events.response is not None
                async for _ in events:
                    break
            assert client.stats().active == 0
            assert [event async for event in events] == []


async def test_events_that_are_collected_drop_their_connection_with_a_warning() -> None:
    with RawServer(send_once) as server:
        async with Client() as client:
            events = await client.events(server.url).__aenter__()
            assert events.response is not None
            with pytest.warns(ResourceWarning, match=r"unclosed response to GET .*test_event_streams\.py"):
                del events
            await wait_until(lambda: client.stats().active == 0)


async def test_closing_the_client_ends_a_pause() -> None:
    with Answering({"/": stream(b"retry: 50000\ndata: a\n\n")}) as server:
        client = Client()
        async with client.events(server.url) as events:
            await anext(events)
            task = asyncio.create_task(collect_rest(events))
            await wait_until(lambda: len(client._settings.pauses))
            await client.aclose()
            with pytest.raises(Exception, match="the client was closed meanwhile"):
                await task


# Response.iter_events()


async def test_events_of_a_response() -> None:
    with Answering({"/": stream(b"id: 1\ndata: a\n\ndata: b\n\n", b"text/event-stream; charset=latin-1")}) as server:
        async with Client() as client:
            async with client.stream("GET", server.url) as response:
                assert [(event.id, event.data) async for event in response.iter_events()] == [("1", "a"), ("1", "b")]
            read = await client.get(server.url)
            assert [event.data async for event in read.iter_events()] == ["a", "b"]


async def test_another_type_has_no_events() -> None:
    with Answering({"/": stream(b"data: a\n\n", b"text/plain")}) as server:
        async with Client() as client:
            response = await client.get(server.url)
            with pytest.raises(DecodingError, match=r"got 'text/plain' \(GET http://.*\)") as caught:
                response.iter_events()
            assert caught.value.response is response


async def test_an_event_that_is_too_large_drops_the_connection() -> None:
    def serve(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(HEAD + b"data: " + bytes(2000))
        connection.wait_closed()

    with RawServer(serve) as server:
        async with Client() as client, client.stream("GET", server.url) as response:
            with pytest.raises(ContentTooLarge, match=r"larger than 1000 characters \(GET"):
                await anext(response.iter_events(max_event_size=1000))
            assert response.closed


# sse-starlette, and the blocking client


async def test_events_of_sse_starlette(app: App) -> None:
    async with Client(base_url=app.url) as client, client.events("/events/7", reconnect=AT_ONCE) as events:
        received = [event async for event in events]
    assert [event.id for event in received] == [str(number) for number in range(1, 8)]
    assert {event.type for event in received} == {"count"}
    assert received[-1].data == "line 7\nof event"
    assert received[-1].retry == 0.001


def test_events_of_the_blocking_client(app: App) -> None:
    with compat.Client(base_url=app.url) as client:
        with client.events("/events/7", reconnect=AT_ONCE) as events:
            assert [event.id for event in events] == [str(number) for number in range(1, 8)]
            assert events.last_event_id == "7"
        with client.stream("GET", "/events/2") as response:
            assert [event.id for event in response.iter_events()] == ["1", "2"]


def test_errors_of_the_blocking_client(app: App) -> None:
    with compat.Client(base_url=app.url) as client:
        with pytest.raises(StatusError) as caught, client.events("/none"):
            pass
        assert isinstance(caught.value.response, Response)
        with pytest.raises(DecodingError):
            client.get("/echo").iter_events()
