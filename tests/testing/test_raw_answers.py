"""RawServer with readable answers and requests, and as an async context."""

import asyncio
from typing import Any

import pytest

from asyncclient import Client, IncompleteRead, LocalResponse
from asyncclient.testing import RawConnection, RawServer, SentRequest, build_response
from asyncclient.testing.answers import build_bytes
from tests.servers import Certificates


async def test_responses_are_sent_with_their_framing() -> None:
    answers: list[LocalResponse | bytes] = [
        build_response(json={"a": 1}),
        LocalResponse(content="without a length"),
        LocalResponse(204),
        LocalResponse(content="summed", trailers={"X-Sum": "9"}),
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nraw",
    ]
    async with RawServer.replying(*answers) as server, Client() as client:
        assert (await client.get(server.url)).json() == {"a": 1}
        assert (await client.get(server.url)).headers["Content-Length"] == "16"
        assert (await client.get(server.url)).headers.pairs() == []
        response = await client.get(server.url)
        assert (response.text, response.trailers and response.trailers["x-sum"]) == ("summed", "9")
        assert (await client.get(server.url)).text == "raw"
    assert server.accepted == 1


async def test_a_response_to_head_has_its_length_and_no_content() -> None:
    answers = [build_response(text="content"), LocalResponse(content="more"), LocalResponse(trailers={"X-A": "1"})]
    async with RawServer.replying(*answers) as server, Client() as client:
        responses = [await client.head(server.url) for _ in answers]
    assert [response.headers.get("content-length") for response in responses] == ["7", "4", None]
    assert server.accepted == 1


async def test_a_handler_receives_requests_and_responds(tls: Certificates) -> None:
    received: list[SentRequest | None] = []

    def handler(connection: RawConnection) -> None:
        while (sent := connection.receive()) is not None:
            received.append(sent)
            connection.respond(build_response(status=201, text=sent.text.upper()))
        received.append(None)

    async with RawServer(handler, tls=tls.server_context()) as server, Client(ssl=tls.client_context()) as client:
        response = await client.post(f"{server.url}/a?b=1", body=iter([b"in ", b"chunks"]))
        assert (response.status, response.text) == (201, "IN CHUNKS")
    first, last = received
    assert first is not None
    assert (first.method, first.url, first.params) == ("POST", f"{server.url}/a?b=1", [("b", "1")])
    assert (first.content, last) == (b"in chunks", None)


async def test_the_errors_of_handlers_are_raised_at_the_end_of_the_block() -> None:
    def fail(connection: RawConnection) -> None:
        connection.receive()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")
        raise AssertionError("not as expected")

    with pytest.raises(AssertionError, match="not as expected"):
        async with RawServer(fail) as server, Client() as client:
            with pytest.raises(IncompleteRead):
                await client.get(server.url)


async def test_the_loop_goes_on_while_the_block_ends() -> None:
    released = asyncio.Event()
    loop = asyncio.get_running_loop()

    def handler(connection: RawConnection) -> None:
        connection.send(b"x")
        asyncio.run_coroutine_threadsafe(release(), loop).result(10)

    async def release() -> None:
        released.set()

    async with RawServer(handler) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        await reader.readexactly(1)
        writer.close()
    assert released.is_set()


def test_content_that_is_streamed_can_not_be_sent() -> None:
    class Chunks:
        def __aiter__(self) -> "Chunks":
            return self

        async def __anext__(self) -> bytes:
            raise StopAsyncIteration

    with pytest.raises(TypeError):
        build_bytes(LocalResponse(content=Chunks()))


@pytest.mark.parametrize("response", [b"HTTP/1.1 200 OK\r\n\r\n", build_response()])
def test_a_response_in_place_of_a_handler_is_refused(response: Any) -> None:
    with pytest.raises(TypeError, match=r"a function as handler, got \w+; RawServer\.replying\(\) takes responses"):
        RawServer(response)
