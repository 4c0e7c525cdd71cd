"""Responses, requests and errors in pickles and copies, and in other processes."""

import asyncio
import copy
import gc
import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

import asyncclient
import compat
from asyncclient import (
    BodyNotReplayable,
    Client,
    IncompleteRead,
    Request,
    Response,
    ResponseNotRead,
    StaleConnectionError,
    StatusError,
)
from asyncclient.politeness import CircuitOpen, HostResting, RobotsDisallowed
from asyncclient.testing import RawConnection, RawServer
from asyncclient.testing.raw import TIMEOUT
from tests.client.answering import Answering, redirect
from tests.connection.conversations import NOT_FOUND, OK, reply
from tests.servers import Certificates

WHOLE = (
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n2\r\n\xc3\xa9\r\n0\r\nX-Sum: 7\r\n\r\n"
)
FIELDS = (b"X-A: 1", b"x-a: 2", b"Content-Type: text/plain; charset=utf-8")


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


AGAIN = pytest.mark.parametrize("again", [pickled, copy.copy, copy.deepcopy])


async def get(data: bytes, **options: Any) -> Response:
    with Answering({"/moved": redirect("/")}, data) as server:
        async with Client() as client:
            return await client.get(f"{server.url}/moved", **options)


@AGAIN
async def test_a_response_that_was_read_keeps_everything_but_its_connection(again: Callable[[Any], Any]) -> None:
    response = await get(WHOLE)
    response.encoding = "latin-1"
    twin = again(response)
    assert type(twin) is Response
    for name in ("status", "url", "reason", "version", "content", "text", "encoding", "peer", "tls", "closed", "ok"):
        assert getattr(twin, name) == getattr(response, name), name
    assert twin.headers == response.headers
    assert twin.trailers == response.trailers == asyncclient.Fields([("X-Sum", "7")])
    assert [one.status for one in twin.interim] == [103]
    assert twin.timings.done == response.timings.done
    assert repr(twin) == repr(response)
    assert [one.url for one in twin.history] == [one.url for one in response.history]
    assert await twin.read() == response.content
    assert b"".join([chunk async for chunk in twin.iter_chunks()]) == response.content
    await twin.aclose()
    twin.close()


async def test_a_pickle_of_a_pickle_is_the_same_again() -> None:
    response = await get(reply(b"content", b"X-A: 1"))
    twin = pickled(pickled(response))
    assert (twin.content, twin.headers, twin.url) == (response.content, response.headers, response.url)


async def test_a_pickled_response_keeps_its_tls_parameters(tls: Certificates) -> None:
    with RawServer.replying(OK, tls=tls.server_context()) as server:
        async with Client(ssl=tls.client_context()) as client:
            response = await client.get(f"https://localhost:{server.port}/")
            assert pickled(response).tls == response.tls
            assert response.tls is not None


@AGAIN
async def test_content_that_was_discarded_is_not_available_afterwards(again: Callable[[Any], Any]) -> None:
    response = (await get(OK)).history[0]
    twin = again(response)
    assert (twin.status, twin.closed) == (302, True)
    with pytest.raises(ResponseNotRead):
        twin.content  # noqa: B018
    with pytest.raises(ResponseNotRead, match="before the response was pickled"):
        await twin.read()
    with pytest.raises(ResponseNotRead):
        await anext(twin.iter_chunks())


@AGAIN
async def test_a_response_that_is_still_open_is_refused(again: Callable[[Any], Any]) -> None:
    with Answering(default=reply(bytes(1_000_000))) as server:
        async with Client() as client, client.stream("GET", server.url) as response:
            with pytest.raises(TypeError, match=r"can't pickle or copy <Response 200 OK .* open> while its content"):
                again(response)
            await response.read()
            assert again(response).content == bytes(1_000_000)


async def test_an_upgraded_connection_is_refused() -> None:
    with RawServer.replying(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n") as server:
        async with Client() as client:
            response = await client.get(server.url, headers={"Connection": "upgrade", "Upgrade": "echo"})
            with pytest.raises(TypeError, match="it holds an upgraded connection"):
                pickle.dumps(response)
            assert response.upgraded is not None
            response.upgraded[1].close()
            await response.upgraded[1].wait_closed()


# Requests


BODIES: list[dict[str, Any]] = [
    {},
    {"body": b"content"},
    {"body": memoryview(b"content")},
    {"json": {"a": 1}},
    {"data": {"a": "1"}},
    {"files": {"f": b"content"}},
    {"body": "text", "headers": {"X-A": 1}, "cookies": {"a": "b"}, "timeout": 3, "trailers": {"X-T": "1"}},
]


@AGAIN
@pytest.mark.parametrize("options", BODIES)
async def test_a_copied_request_with_a_body_in_memory_is_sent_alike(
    again: Callable[[Any], Any], options: dict[str, Any]
) -> None:
    request = Request("post", "http://h/x", **options)
    with Answering(default=OK) as server:
        request.url = server.url
        async with Client() as client:
            await client.send(request)
            await client.send(again(request))
    assert server.asked[0] == server.asked[1]


def generate() -> Iterator[bytes]:
    yield b"content"


def log_in(request: object) -> str:
    return "Secret"


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"body": generate}, BodyNotReplayable, "body is not kept in a pickle"),
        ({"body": [b"content"]}, BodyNotReplayable, "body is not kept in a pickle"),
        ({"auth": ("user", "secret")}, ValueError, "auth is not kept in a pickle"),
        ({"auth": log_in}, ValueError, "auth is not kept in a pickle"),
        ({"body": b"x", "trailers": lambda: {"X": "1"}}, ValueError, "trailers is not kept in a pickle"),
    ],
)
async def test_a_pickled_request_without_its_secrets_is_an_error_when_sent(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    request = Request("POST", "http://h/", **options)
    assert b"secret" not in pickle.dumps(request)
    with Answering(default=OK) as server:
        twin = pickled(request)
        twin.url = request.url = server.url
        async with Client() as client:
            with pytest.raises(error, match=text):
                await client.send(twin)
            await client.send(copy.copy(request))
    assert len(server.asked) == 1


@pytest.mark.parametrize("auth", [None, asyncclient.Request("GET", "http://h/").choices.auth])
def test_auth_that_is_not_given_stays_so_in_a_pickle(auth: Any) -> None:
    assert pickled(Request("GET", "http://h/", auth=auth, timeout=1)).choices.auth is auth


# Errors


@AGAIN
async def test_errors_keep_the_request_and_the_response(again: Callable[[Any], Any]) -> None:
    with Answering(default=NOT_FOUND) as server:
        async with Client() as client:
            response = await client.post(server.url, body=b"x", headers={"X-A": "1"})
    with pytest.raises(StatusError) as raised:
        response.raise_for_status()
    twin = again(raised.value)
    assert (str(twin), twin.response.content) == (str(raised.value), response.content)
    for error in (IncompleteRead(b"ab", 3), StaleConnectionError("text"), asyncclient.ConnectError("text")):
        error.request, error.response = response.request, response
        twin = again(error)
        assert (type(twin), str(twin)) == (type(error), str(error))
        assert (twin.request.url, twin.response.status) == (server.url, 404)
        assert twin.response.request is twin.request


POLITE = [
    HostResting("text", "example.com", 3.5),
    CircuitOpen("text", "example.com", 30.0),
    RobotsDisallowed("text", "http://example.com/a?b", is_unreachable=True),
]


@AGAIN
@pytest.mark.parametrize("error", POLITE, ids=lambda error: type(error).__name__)
def test_errors_of_politeness_keep_their_attributes(again: Callable[[Any], Any], error: Exception) -> None:
    twin = again(error)
    assert (type(twin), str(twin), vars(twin)) == (type(error), "text", vars(error))


@AGAIN
async def test_the_parts_of_a_response_are_pickled_and_copied_alone(again: Callable[[Any], Any]) -> None:
    response = await get(WHOLE)
    assert again(response.headers) == response.headers
    timings = again(response.timings)
    assert (timings.done, timings.first_byte) == (response.timings.done, response.timings.first_byte)
    assert [(one.status, one.headers) for one in again(response.interim)] == [(103, response.interim[0].headers)]


# The blocking client


@pytest.mark.parametrize("make", [Client, compat.Client])
@pytest.mark.parametrize("again", [pickled, copy.deepcopy])
def test_a_client_is_refused_without_a_second_error(make: Any, again: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="the connections of a client can't be copied or pickled"):
        again(make())
    gc.collect()


@AGAIN
def test_blocking_responses(again: Callable[[Any], Any]) -> None:
    with Answering({"/moved": redirect("/")}, reply("é\n".encode(), *FIELDS)) as server, compat.Client() as client:
        response = client.get(f"{server.url}/moved")
        response.encoding = "latin-1"
        twin = again(response)
        for name in ("status", "url", "headers", "content", "text", "lines", "peer", "tls", "closed", "upgraded"):
            assert getattr(twin, name) == getattr(response, name), name
        assert list(twin.iter_lines()) == list(response.iter_lines())
        assert (twin.history[0].status, twin.read()) == (302, response.content)
        with pytest.raises(ResponseNotRead):
            twin.history[0].read()
        with pytest.raises(ResponseNotRead):
            list(twin.history[0].iter_chunks())
        twin.close()
        with client.stream("GET", server.url) as streamed:
            pass
        assert again(streamed).status == 200


def test_a_blocking_response_that_is_still_open_is_refused() -> None:
    with (
        Answering(default=reply(bytes(1_000_000))) as server,
        compat.Client() as client,
        client.stream("GET", server.url) as response,
        pytest.raises(TypeError, match="can't pickle or copy"),
    ):
        pickle.dumps(response)


# Other processes


def fetch(url: str, *, checked: bool) -> Any:
    """Return a response in another process, or raise its error there."""
    with compat.Client(timeout=TIMEOUT) as client:
        response = client.get(url)
        return response.raise_for_status() if checked else response


def text_of(response: Response) -> str:
    return response.text


def serve(connection: RawConnection) -> None:
    if connection.read_head():
        connection.send(NOT_FOUND)


def test_responses_and_errors_are_received_from_another_process() -> None:
    spawning = multiprocessing.get_context("spawn")
    with RawServer(serve) as server, ProcessPoolExecutor(1, mp_context=spawning) as processes:
        response = processes.submit(fetch, server.url, checked=False).result(TIMEOUT)
        assert (response.status, response.url) == (404, server.url)
        with pytest.raises(StatusError, match="404 Not Found for GET") as raised:
            processes.submit(fetch, server.url, checked=True).result(TIMEOUT)
        assert raised.value.response.content == response.content
        assert processes.submit(text_of, asyncio.run(get(reply(b"text")))).result(TIMEOUT) == "text"
