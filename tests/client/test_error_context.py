"""Errors of a client name their request and carry what was received: request, response, method and URL."""

import copy
import pickle
from collections.abc import Callable

import pytest

from asyncclient import (
    Client,
    ConnectError,
    ContentTooLarge,
    DecodingError,
    HTTPConnection,
    HTTPException,
    IncompleteRead,
    Limits,
    LineTooLong,
    ProtocolError,
    ReadTimeout,
    RemoteDisconnected,
    Response,
    ResponseNotRead,
    Timeout,
    TooManyRedirects,
)
from asyncclient.client.error_context import shorten_url
from asyncclient.testing import RawConnection, RawServer
from tests.connection.conversations import reply

CUT = b"HTTP/1.1 431 Too Large\r\nContent-Length: 10\r\n\r\npart"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def answering(answer: bytes, then: Callable[[RawConnection], object] = RawConnection.close) -> RawServer:
    """Answer each request with these bytes; then is what happens to the connection."""

    def handler(peer: RawConnection) -> None:
        peer.read_request()
        peer.send(answer)
        then(peer)

    return RawServer(handler)


@pytest.mark.parametrize(
    ("answer", "kind", "has_response"),
    [
        (CUT, IncompleteRead, True),
        (CHUNKED + b"zz\r\n", ProtocolError, True),
        (CHUNKED + b"1;" + b"x" * 9000, LineTooLong, True),
        (reply(b"not gzip", b"Content-Encoding: gzip"), DecodingError, True),
        (reply(b"x" * 101), ContentTooLarge, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", ProtocolError, False),
        (b"HTTP/1.1 200 OK\r\nX: 1\r\n", IncompleteRead, False),
        (b"", RemoteDisconnected, False),
        (b"SSH-2.0\r\n\r\n", HTTPException, False),
    ],
)
@pytest.mark.parametrize("way", ["get", "iterate", "read"])
async def test_an_error_names_its_request_and_has_the_response(
    answer: bytes, kind: type[HTTPException], has_response: bool, way: str
) -> None:
    with answering(answer) as server:
        url = f"{server.url}/path?key=secret"
        async with Client(max_body_size=100) as client:
            with pytest.raises(kind) as raised:
                await fetch(client, way, url.replace("http://", "http://user:password@"))
    error = raised.value
    text = str(error)
    assert text.endswith(f" (GET {server.url}/path?...)")
    assert "secret" not in text
    assert "password" not in text
    assert error.request.method == "GET"
    assert (error.response is not None) is has_response
    if has_response:
        assert error.response.status == int(answer.split()[1])
        assert error.response.request is error.request


async def fetch(client: Client, way: str, url: str) -> None:
    if way == "get":
        await client.get(url)
        return
    async with client.stream("GET", url) as response:
        if way == "read":
            await response.read()
        async for _ in response.iter_text():
            pass


@pytest.mark.parametrize("then", [RawConnection.close, RawConnection.reset])
async def test_the_status_of_a_refusal_is_known_although_its_content_breaks(
    then: Callable[[RawConnection], object],
) -> None:
    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(CUT)
        then(peer)

    with RawServer(handler) as server:
        async with Client() as client:
            with pytest.raises(HTTPException) as raised:
                await client.post(server.url, body=bytes(5_000_000))
    if then is RawConnection.close:
        assert raised.value.response.status == 431
        assert raised.value.response.reason == "Too Large"


async def test_errors_of_time_and_of_connecting_name_their_request() -> None:
    with answering(b"", RawConnection.hold) as server:
        async with Client(timeout=Timeout(read=0.05)) as client:
            with pytest.raises(ReadTimeout, match=r"in 0\.05 s \(DELETE http://127\.0\.0\.1:\d+/a\)$") as raised:
                await client.delete(f"{server.url}/a")
            assert raised.value.request.url == f"{server.url}/a"
        url = server.url
    async with Client() as client:
        with pytest.raises(ConnectError, match=r"\(PUT http://127\.0\.0\.1:\d+\)$"):
            await client.put(url, body=b"x")


async def test_an_error_after_redirects_has_the_last_request() -> None:
    location = b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n"
    with answering(location) as server:
        async with Client(max_redirects=2) as client:
            with pytest.raises(TooManyRedirects, match=r"\(GET http://127\.0\.0\.1:\d+/next\)$") as raised:
                await client.post(f"{server.url}/first", body=b"x")
        assert raised.value.response.status == 302


async def test_content_that_was_not_read_names_its_request() -> None:
    with answering(reply(b"ok")) as server:
        async with Client() as client, client.stream("GET", server.url) as response:
            with pytest.raises(ResponseNotRead, match=r"\(GET http://") as raised:
                assert response.content
            assert raised.value.response is response


async def test_errors_of_a_connection_have_no_request() -> None:
    with answering(CUT) as server:
        async with HTTPConnection("127.0.0.1", server.port) as connection:
            await connection.request("GET", "/path?key=1")
            response = await connection.getresponse()
            with pytest.raises(IncompleteRead) as raised:
                await response.read()
    assert str(raised.value) == "IncompleteRead(4 bytes read, 6 more expected)"
    assert (raised.value.request, raised.value.response) == (None, None)


async def test_a_server_that_closes_during_an_upload_is_named_in_the_error() -> None:
    def handler(peer: RawConnection) -> None:
        peer.read_head()

    with RawServer(handler) as server:
        async with HTTPConnection("127.0.0.1", server.port) as connection:
            with pytest.raises(HTTPException, match=rf"127\.0\.0\.1:{server.port}"):
                await connection.request("POST", "/", body=bytes(20_000_000))
                await connection.getresponse()


async def test_an_error_with_request_and_response_can_be_pickled_and_copied() -> None:
    with answering(CUT) as server:
        async with Client(limits=Limits()) as client:
            with pytest.raises(IncompleteRead) as raised:
                await client.get(server.url)
    for twin in (pickle.loads(pickle.dumps(raised.value)), copy.copy(raised.value)):
        assert str(twin) == str(raised.value)
        assert isinstance(twin.response, Response)
        assert (twin.response.status, twin.request.method) == (431, "GET")


@pytest.mark.parametrize(
    ("url", "short"),
    [
        ("http://host/a/b", "http://host/a/b"),
        ("https://user:secret@host:8443/a?b=c&d", "https://host:8443/a?..."),
        ("http://host/@user/x#fragment", "http://host/@user/x"),
        ("http://host?q", "http://host?..."),
        ("http://host/" + "a" * 500, "http://host/" + "a" * 105 + "..."),
        ("http://host/" + "a" * 500 + "?token=1", "http://host/" + "a" * 105 + "...?..."),
    ],
)
def test_a_url_in_an_error_is_short_and_has_no_secrets(url: str, short: str) -> None:
    assert shorten_url(url) == short


def test_an_error_without_a_request_has_its_own_text() -> None:
    assert str(ConnectError("no connection")) == "no connection"
    assert str(RemoteDisconnected()) == "remote end closed connection without response"


async def test_invalid_json_has_its_request_and_response() -> None:
    with answering(reply(b"{")) as server:
        async with Client() as client:
            response = await client.get(server.url)
    with pytest.raises(DecodingError) as raised:
        response.json()
    assert (raised.value.request, raised.value.response) == (response.request, response)
