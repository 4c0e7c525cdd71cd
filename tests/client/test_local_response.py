"""LocalResponse: a response without a connection, as a transport of the caller's returns it."""

import asyncio
import copy
import gzip
import pickle
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from asyncclient import (
    Client,
    ContentTooLarge,
    LocalResponse,
    NotConnected,
    StatusError,
    Timeout,
    TransportRequest,
    TransportResponse,
)
from tests.client.answering import becomes_true

URL = "http://example.com/"


class Fixed:
    """A transport that gives one response to any request."""

    def __init__(self, response: TransportResponse) -> None:
        self.response = response

    async def send(self, request: TransportRequest) -> TransportResponse:
        return self.response

    async def aclose(self) -> None:
        pass


class Chunks:
    """Content in chunks, which notes whether the generator of it is finished."""

    def __init__(self, *chunks: bytes, error: Exception | None = None) -> None:
        self.chunks = chunks
        self.error = error
        self.ended = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            for chunk in self.chunks:
                yield chunk
            if self.error is not None:
                raise self.error
        finally:
            self.ended += 1


async def test_a_client_returns_status_fields_and_content_of_a_local_response() -> None:
    response = LocalResponse(404, headers={"Content-Type": "text/plain", "X-A": "1"}, content="päge")
    async with Client(transport=Fixed(response)) as client:
        got = await client.get(URL)
    assert (got.status, got.reason, got.version, got.text) == (404, "Not Found", 11, "päge")
    assert got.headers.pairs() == [("Content-Type", "text/plain"), ("X-A", "1")]
    assert (got.upgraded, got.peer, got.tls, got.proxy_headers, got.repairs, got.interim) == (None,) * 4 + ((), ())
    assert (got.closed, got.length) == (True, 0)
    assert got.timings.done is not None
    with pytest.raises(StatusError):
        got.raise_for_status()


async def test_encoded_content_is_decoded_and_limited_by_the_client() -> None:
    response = LocalResponse(headers={"Content-Encoding": "gzip"}, content=gzip.compress(b"x" * 1000))
    async with Client(transport=Fixed(response.copy())) as client:
        assert (await client.get(URL)).content == b"x" * 1000
    async with Client(transport=Fixed(response.copy()), max_body_size=999) as client:
        with pytest.raises(ContentTooLarge):
            await client.get(URL)


async def test_cookies_of_a_local_response_are_stored() -> None:
    async with Client(transport=Fixed(LocalResponse(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]))) as client:
        await client.get(URL)
        assert [cookie.name for cookie in client.cookies] == ["a", "b"]


@pytest.mark.parametrize("content", [b"abcdef", bytearray(b"abcdef"), Chunks(b"abc", b"", b"def")])
async def test_streamed_content_has_chunks_of_the_given_size(content: Any) -> None:
    async with (
        Client(transport=Fixed(LocalResponse(content=content, trailers={"X-Sum": "7"}))) as client,
        client.stream("GET", URL) as response,
    ):
        assert (response.closed, response.trailers) == (False, None)
        assert response.length == (6 if isinstance(content, bytes | bytearray) else None)
        assert [chunk async for chunk in response.iter_chunks(4)] == [b"abcd", b"ef"]
        assert response.closed
        assert response.trailers is not None
        assert response.trailers["x-sum"] == "7"


async def test_read1_returns_at_most_n_bytes() -> None:
    response = LocalResponse(content=Chunks(b"abc", b"de"))
    assert [await response.read1(2) for _ in range(4)] == [b"ab", b"c", b"de", b""]
    assert await LocalResponse(content=b"abc").read1() == b"abc"
    assert response.timings.done is not None


async def test_content_from_an_iterable_is_not_taken_without_waiting() -> None:
    response = LocalResponse(content=Chunks(b"abc"))
    assert response.take() is None
    assert (await response.read(), response.take()) == (b"abc", b"")


def test_a_response_without_content_is_closed_at_once() -> None:
    response = LocalResponse(204)
    assert (response.closed, response.length, response.take()) == (True, 0, b"")
    assert response.trailers is not None


async def test_the_end_of_the_stream_block_closes_the_generator_of_the_content() -> None:
    content = Chunks(b"abc", b"def")
    async with Client(transport=Fixed(LocalResponse(content=content))) as client:
        async with client.stream("GET", URL) as response:
            assert await anext(response.iter_chunks()) == b"abc"
        assert (content.ended, response.closed, response.trailers) == (1, True, None)
        with pytest.raises(NotConnected, match="closed before its content was read"):
            await response.read()


async def test_a_response_closed_early_gives_no_content() -> None:
    response = LocalResponse(content=b"abc")
    response.close()
    assert response.length == 0
    with pytest.raises(NotConnected):
        response.take()


async def test_closing_a_response_that_was_read_keeps_its_trailers() -> None:
    response = LocalResponse(content=b"abc", trailers={"A": "1"})
    assert await response.read() == b"abc"
    await response.aclose()
    assert response.trailers is not None
    assert response.trailers["a"] == "1"
    assert await response.read() == b""


async def test_an_error_of_the_content_ends_the_response() -> None:
    content = Chunks(b"abc", error=OSError("disk"))
    response = LocalResponse(content=content)
    with pytest.raises(OSError, match="disk"):
        await response.read()
    with pytest.raises(NotConnected):
        await response.read()
    assert content.ended == 1


async def test_content_of_another_type_is_refused_while_it_is_read() -> None:
    async def numbers() -> AsyncIterator[Any]:
        yield 3

    with pytest.raises(TypeError, match="expected bytes from the body, got int"):
        await LocalResponse(content=numbers()).read()


async def test_after_a_cancelled_read_the_content_does_not_end_early() -> None:
    blocked = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield b"abc"
        blocked.set()
        await asyncio.Event().wait()

    response = LocalResponse(content=stalled())
    reading = asyncio.create_task(response.read())
    await blocked.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    with pytest.raises(NotConnected):
        await response.read1()
    assert response.closed


async def test_a_copy_has_the_unread_content() -> None:
    response = LocalResponse(201, headers={"A": "1"}, content=b"abc", trailers={"B": "2"})
    await response.read()
    other = response.copy()
    assert (other.status, other.headers["a"], await other.read()) == (201, "1", b"abc")
    assert other.trailers == response.trailers
    assert await response.copy(content="other").read() == b"other"
    chunked = LocalResponse(content=Chunks(b"abc"))
    assert await chunked.read() == await chunked.copy().read() == b"abc"


async def test_content_that_can_be_read_once_cannot_be_copied() -> None:
    content = aiter(Chunks(b"abc"))
    with pytest.raises(TypeError, match="content from an async iterator"):
        LocalResponse(content=content).copy()


async def test_a_read_response_can_be_pickled_and_copied() -> None:
    async with Client(transport=Fixed(LocalResponse(headers={"A": "1"}, content=b"abc"))) as client:
        response = await client.get(URL)
    for other in (pickle.loads(pickle.dumps(response)), copy.copy(response)):
        assert (other.status, other.content, other.headers["a"]) == (200, b"abc", "1")


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"status": 101}, ValueError, "expected a status from 200 to 599, got 101"),
        ({"status": 600}, ValueError, "expected a status"),
        ({"status": "200"}, TypeError, "expected a number as status, got str"),
        ({"status": 204, "content": b"x"}, ValueError, "expected no content with status 204, got 1 bytes"),
        ({"reason": "OK\r\nX-Injected: 1"}, ValueError, "expected a reason without line ends"),
        ({"reason": "\u20ac"}, ValueError, "latin-1"),
        ({"headers": {"A": "1\r\nB: 2"}}, ValueError, "invalid value of header A"),
        ({"headers": {"A B": "1"}}, ValueError, "invalid header name"),
        ({"headers": "A: 1"}, TypeError, "as headers"),
        ({"trailers": {"A": "1\nB: 2"}}, ValueError, "invalid value of header A"),
        ({"content": 3}, TypeError, "expected bytes, str or an async iterable of bytes as content, got int"),
    ],
)
def test_invalid_arguments_are_refused(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        LocalResponse(**arguments)


def test_an_unknown_status_has_an_empty_reason_and_a_reason_may_be_given() -> None:
    assert (LocalResponse(299).reason, LocalResponse(reason="Fine").reason) == ("", "Fine")
    assert repr(LocalResponse(reason="Fine")) == "<LocalResponse 200 Fine>"


async def test_a_slow_iterable_is_limited_by_the_minimum_rate() -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"abc"
        await asyncio.Event().wait()

    timeout = Timeout(min_rate=1000, rate_patience=0.05)
    async with Client(transport=Fixed(LocalResponse(content=stalled())), timeout=timeout) as client:
        with pytest.raises(TimeoutError):
            await client.get(URL)


async def test_many_fields_are_allowed() -> None:
    response = LocalResponse(headers=[(f"X-{n}", "v" * 100_000 if n == 0 else "v") for n in range(1000)])
    assert len(response.headers) == 1000


async def test_a_local_response_can_be_downloaded(tmp_path: Path) -> None:
    for content in (b"abcdef", Chunks(b"abc", b"def")):
        async with Client(transport=Fixed(LocalResponse(content=content))) as client:
            response = await client.download(URL, tmp_path / "file")
        assert ((tmp_path / "file").read_bytes(), response.status) == (b"abcdef", 200)


async def test_an_error_in_the_stream_block_ends_the_generator_of_the_content() -> None:
    content = Chunks(b"abc", b"def")
    async with Client(transport=Fixed(LocalResponse(content=content))) as client:
        with pytest.raises(ZeroDivisionError):
            async with client.stream("GET", URL) as response:
                await anext(response.iter_chunks())
                raise ZeroDivisionError
        assert response.closed
        del response
        assert await becomes_true(lambda: content.ended == 1)
