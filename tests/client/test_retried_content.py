"""Content that is cut short inside get() and the other verbs is requested again; their callers got none of it."""

import asyncio
import gzip
import io
from collections.abc import Callable
from typing import Any

import pytest

import compat
from asyncclient import (
    Client,
    ContentTooLarge,
    DecodingError,
    IncompleteRead,
    ProtocolError,
    ReadTimeout,
    Request,
    Retry,
    Timeout,
)
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Recording, becomes_true, is_clean

HEAD = b"HTTP/1.1 200 OK\r\n"
WHOLE = HEAD + b"Content-Length: 10\r\n\r\nhelloworld"
PACKED = gzip.compress(b"helloworld", mtime=0)
AT_ONCE = Retry(total=3, backoff=0)

CUTS = {
    "length": WHOLE[:-5],
    "no content yet": WHOLE[:-10],
    "chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\na\r\nhello",
    "between chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "encoded": HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(PACKED), PACKED[:-9]),
}


class Breaking(RawServer):
    """A server whose first answers break off: each sends some bytes, then ends its connection; later ones are whole."""

    def __init__(self, *cuts: bytes, end: Callable[[RawConnection], object] = RawConnection.half_close) -> None:
        super().__init__(self._answer)
        self._cuts = list(cuts)
        self._leave = end
        self.lines: list[bytes] = []
        self.bodies: list[bytes] = []

    def _answer(self, connection: RawConnection) -> None:
        while (request := connection.read_request())[0]:
            self.lines.append(request[0].split(b" HTTP")[0])
            self.bodies.append(request[1])
            if self._cuts:
                connection.send(self._cuts.pop(0))
                self._leave(connection)
                return
            connection.send(WHOLE)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("end", [RawConnection.half_close, RawConnection.reset])
async def test_content_that_is_cut_short_is_requested_again(cut: bytes, end: Callable[[RawConnection], object]) -> None:
    with Breaking(cut, cut, end=end) as server:
        async with Client(retries=AT_ONCE, trust_env=False) as client:
            assert (await client.get(server.url)).content == b"helloworld"
            assert await is_clean(client)
        assert server.lines == [b"GET /"] * 3


async def test_content_that_is_late_is_requested_again() -> None:
    with Breaking(CUTS["length"], end=RawConnection.wait_closed) as server:
        async with Client(retries=AT_ONCE, timeout=Timeout(read=0.1), trust_env=False) as client:
            assert (await client.get(server.url)).content == b"helloworld"


async def test_a_request_that_was_made_before_has_the_same_retries() -> None:
    with Breaking(CUTS["length"]) as server:
        async with Client(retries=AT_ONCE, trust_env=False) as client:
            assert (await client.send(Request("GET", server.url))).content == b"helloworld"


def test_a_blocking_client_has_the_same_retries() -> None:
    with Breaking(CUTS["length"]) as server, compat.Client(retries=AT_ONCE, trust_env=False) as client:
        assert client.get(server.url).content == b"helloworld"


async def test_the_retries_of_a_request_are_counted_together() -> None:
    gone = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    tracer = Recording()
    with Breaking(CUTS["length"], b"", gone, CUTS["length"]) as server:
        async with Client(retries=AT_ONCE, tracers=[tracer], trust_env=False) as client:
            with pytest.raises(IncompleteRead) as raised:
                await client.get(server.url)
            assert raised.value.partial == b"hello"
    assert len(server.lines) == 4
    assert tracer.reasons == ["retry"] * 3


async def test_a_request_is_begun_once_for_a_tracer() -> None:
    tracer = Recording()
    with Breaking(CUTS["length"]) as server:
        async with Client(retries=AT_ONCE, tracers=[tracer], trust_env=False) as client:
            await client.get(server.url)
    told = [event for event in tracer.events if "opened" not in event]
    assert told == ["started", "retry", "received 200"]


async def test_only_the_last_request_of_a_redirect_is_resent() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    with Breaking(moved, CUTS["length"]) as server:
        async with Client(retries=AT_ONCE, trust_env=False) as client:
            response = await client.get(server.url + "/here")
            assert response.content == b"helloworld"
            assert [one.status for one in response.history] == [302]
    assert server.lines == [b"GET /here", b"GET /there", b"GET /there"]


async def test_a_body_is_sent_whole_again() -> None:
    with Breaking(CUTS["length"]) as server:
        async with Client(retries=AT_ONCE, trust_env=False) as client:
            assert (await client.put(server.url, body=io.BytesIO(b"body"))).content == b"helloworld"
    assert server.bodies == [b"body"] * 2


async def test_a_repeated_request_has_the_credentials() -> None:
    with Breaking(CUTS["length"]) as server:
        async with Client(retries=AT_ONCE, auth=("ada", "secret"), trust_env=False) as client:
            assert (await client.get(server.url)).content == b"helloworld"
        assert [b"Authorization: Basic " in head for head in server.requests] == [True, True]


ONCE: list[Any] = [
    pytest.param({}, {}, id="without a policy"),
    pytest.param({"retries": 0}, {}, id="no retries"),
    pytest.param({"retries": Retry(methods=("PUT",))}, {}, id="another method"),
    pytest.param({"retries": AT_ONCE}, {"method": "POST"}, id="POST"),
    pytest.param({"retries": AT_ONCE}, {"method": "PUT", "body": iter([b"once"])}, id="body that is gone"),
    pytest.param({"retries": Retry(backoff=60, jitter=0), "timeout": 5}, {}, id="pause beyond the total"),
]


@pytest.mark.parametrize(("settings", "options"), ONCE)
async def test_nothing_is_resent_where_the_policy_does_not_allow_it(settings: Any, options: Any) -> None:
    with Breaking(CUTS["length"]) as server:
        async with Client(trust_env=False, **settings) as client:
            with pytest.raises(IncompleteRead):
                await client.request(**{"method": "GET", **options}, url=server.url)
            assert await is_clean(client)
    assert len(server.lines) == 1


async def test_a_policy_may_name_post() -> None:
    with Breaking(CUTS["length"]) as server:
        async with Client(retries=Retry(methods=("POST",), backoff=0), trust_env=False) as client:
            assert (await client.post(server.url, body=b"x")).content == b"helloworld"


async def test_the_content_of_a_stream_is_not_requested_again() -> None:
    with Breaking(CUTS["length"]) as server:
        client = Client(retries=AT_ONCE, trust_env=False)
        async with client, client.stream("GET", server.url) as response:
            with pytest.raises(IncompleteRead):
                await response.read()
    assert len(server.lines) == 1


BROKEN: list[Any] = [
    pytest.param(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\njunk", DecodingError, {}, id="encoding"),
    pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", ProtocolError, {}, id="chunks"),
    pytest.param(WHOLE, ContentTooLarge, {"max_body_size": 5}, id="size"),
]


@pytest.mark.parametrize(("answer", "error", "settings"), BROKEN)
async def test_content_that_is_invalid_or_too_large_is_not_requested_again(
    answer: bytes, error: type[Exception], settings: Any
) -> None:
    with Breaking(answer) as server:
        async with Client(retries=AT_ONCE, trust_env=False, **settings) as client:
            with pytest.raises(error):
                await client.get(server.url)
    assert len(server.lines) == 1


async def test_cancelling_the_pause_ends_the_request() -> None:
    with Breaking(CUTS["length"]) as server:
        async with Client(retries=Retry(backoff=60, jitter=0), trust_env=False) as client:
            task = asyncio.create_task(client.get(server.url))
            assert await becomes_true(lambda: bool(client._settings.pauses))
            assert client.stats().active == 0
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await is_clean(client)
    assert len(server.lines) == 1


async def test_a_read_that_is_too_slow_is_an_error_at_last() -> None:
    with Breaking(*[CUTS["length"]] * 2, end=RawConnection.wait_closed) as server:
        async with Client(retries=Retry(total=1, backoff=0), timeout=Timeout(read=0.1), trust_env=False) as client:
            with pytest.raises(ReadTimeout):
                await client.get(server.url)
    assert len(server.lines) == 2
