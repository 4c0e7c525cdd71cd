"""Responses of a client: heads, content in all its forms, and a connection that is clean or closed afterwards."""

import asyncio
import codecs
import gc
import itertools
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from asyncclient import (
    Client,
    IncompleteRead,
    NotConnected,
    ProtocolError,
    Response,
    ResponseNotRead,
    StatusError,
    Timeout,
    UnknownProtocol,
)
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Answering, Gate, becomes_true, gather_chunks, is_clean, redirect
from tests.connection.conversations import OK, chunked, reply
from tests.durations import lasts
from tests.servers import Caddy, Certificates


async def get(data: bytes, **options: Any) -> Response:
    with Answering(default=data) as server:
        async with Client() as client:
            return await client.get(server.url, **options)


@asynccontextmanager
async def streaming(data: bytes, **options: Any) -> AsyncIterator[Response]:
    with Answering(default=data) as server:
        async with Client() as client, client.stream("GET", server.url, **options) as response:
            yield response


# The head


async def test_the_head() -> None:
    data = b"HTTP/1.0 404 Not So Found\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nno"
    with Answering(default=data) as server:
        async with Client() as client:
            response = await client.get(f"{server.url}/x#part")
    assert (response.status, response.reason, response.version, response.ok) == (404, "Not So Found", 10, False)
    assert (response.headers["X-a"], response.headers.get_all("X-A")) == ("1, 2", ["1", "2"])
    assert list(response.headers.items()) == [("X-A", "1"), ("x-a", "2"), ("Content-Length", "2")]
    assert response.url == f"{server.url}/x#part"
    assert response.request.method == "GET"
    assert response.history == ()
    assert repr(response) == f"<Response 404 Not So Found '{server.url}/x#part'>"


async def test_length_is_the_number_of_bytes_left_to_read() -> None:
    async with streaming(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") as response:
        assert response.length == 5
        assert await anext(response.iter_chunks(2)) == b"he"
        assert response.length == 3
        assert await response.read() == b"llo"
        assert response.length == pickle.loads(pickle.dumps(response)).length == 0
    async with streaming(chunked(b"hello")) as response:
        assert response.length is None


async def test_a_response_without_reason_or_fields() -> None:
    response = await get(b"HTTP/1.1 204\r\n\r\n")
    assert (response.status, response.reason, response.version, list(response.headers.items())) == (204, "", 11, [])
    assert (response.content, response.text, response.lines, response.ok) == (b"", "", [], True)


async def test_a_password_in_the_url_is_shown_nowhere() -> None:
    with Answering(default=reply(b"", status=b"403 Forbidden")) as server:
        async with Client() as client:
            response = await client.get(f"http://user:secret@{server.host}:{server.port}/x")
    with pytest.raises(StatusError) as raised:
        response.raise_for_status()
    shown = (repr(response), response.url, repr(response.request), str(raised.value))
    assert not [text for text in shown if "secret" in text or "user" in text]


@pytest.mark.parametrize(
    ("status", "fails"),
    [(200, False), (204, False), (304, False), (399, False), (400, True), (404, True), (503, True), (599, True)],
)
async def test_raise_for_status(status: int, fails: bool) -> None:
    response = await get(b"HTTP/1.1 %d Reason\r\nContent-Length: 0\r\n\r\n" % status)
    assert response.ok is not fails
    if not fails:
        assert response.raise_for_status() is response
        return
    with pytest.raises(StatusError, match=f"{status} Reason for GET '?http://127.0.0.1") as raised:
        response.raise_for_status()
    assert raised.value.response is response


async def test_content_type_that_is_repeated_is_one() -> None:
    field = b"Content-Type: text/plain; charset=windows-1251"
    response = await get(reply("да".encode("cp1251"), field, field))
    assert (response.text, response.encoding) == ("да", "cp1251")
    assert response.headers.get_all("content-type") == ["text/plain; charset=windows-1251"] * 2
    async with streaming(reply("да".encode("cp1251"), field, field)) as response:
        assert [text async for text in response.iter_text()] == ["да"]


async def test_interim_responses() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    response = await get(b"HTTP/1.1 102 Processing\r\n\r\n" + hints * 2 + OK)
    assert [interim.status for interim in response.interim] == [102, 103, 103]
    assert response.interim[1].headers["link"] == "</a.css>; rel=preload"
    assert (response.status, response.content) == (200, b"ok")


async def test_trailers_are_available_at_the_end_of_the_content() -> None:
    async with streaming(chunked(b"con", b"tent", trailers=b"X-Sum: 7\r\n")) as response:
        assert response.trailers is None
        assert await response.read() == b"content"
        assert response.trailers is not None
        assert dict(response.trailers.items()) == {"X-Sum": "7"}
        assert "x-sum" not in response.headers


async def test_links() -> None:
    first, second = b'Link: </p2>; rel=next, </p9>; rel="last index"', b"link: <//cdn/x>; rel=preload; as=style"
    response = await get(reply(b"", first, second))
    links, origin = response.links, response.url.rstrip("/")
    assert {relation: link.url for relation, link in links.items()} == {
        "next": f"{origin}/p2",
        "last": f"{origin}/p9",
        "index": f"{origin}/p9",
        "preload": "http://cdn/x",
    }
    assert links["preload"].params["as"] == "style"
    assert (await get(OK)).links == {}


async def test_timings() -> None:
    gate = Gate()

    def late(_: Any) -> bytes:
        gate.wait()
        return OK

    with Answering({"/": late, "/again": OK}) as server:
        async with Client() as client:
            task = asyncio.create_task(client.get(server.url))
            await becomes_true(gate.reached.is_set)
            gate.open()
            first = (await task).timings
            second = (await client.get(f"{server.url}/again")).timings
    assert (first.reused, second.reused) == (False, True)
    assert first.connect is not None
    assert (first.tls, second.connect, second.resolve) == (None, None, None)
    for timings in (first, second):
        assert 0 <= (timings.sent or -1) <= (timings.first_byte or -1) <= (timings.done or -1) < 10
    assert second.started >= first.started + (first.done or 0)


async def test_done_is_not_known_before_the_content_is_read() -> None:
    async with streaming(OK) as response:
        pass
    async with streaming(reply(bytes(200_000))) as response:
        assert response.timings.done is None
        await response.read()
        assert response.timings.done is not None


# TLS and the peer, while it is open and afterwards


async def test_tls_and_peer_are_known_after_the_connection_was_closed(tls: Certificates) -> None:
    with Answering(default=OK, tls=tls.server_context()) as server:
        async with Client(ssl=tls.client_context()) as client, client.stream("GET", server.url) as response:
            assert response.peer == (server.host, server.port)
            known = response.tls
            assert known is not None
            assert known.version in ("TLSv1.2", "TLSv1.3")
            await response.read()
    assert response.tls == known
    assert response.peer in (None, (server.host, server.port))


async def test_a_response_that_closes_its_connection_knows_its_tls(tls: Certificates) -> None:
    with Answering(default=reply(b"x", b"Connection: close"), tls=tls.server_context()) as server:
        async with Client(ssl=tls.client_context()) as client:
            response = await client.get(server.url)
    assert response.tls is not None
    assert response.tls.version in ("TLSv1.2", "TLSv1.3")


async def test_tls_is_not_set_over_plain_tcp() -> None:
    assert (await get(OK)).tls is None


# Text


HTML_UTF8 = b"Content-Type: text/html; charset=utf-8"
OK_LINE = b"200 OK\r\n"
HTML_LINES = b"200 OK\r\nContent-Type: text/html\r\n"


@pytest.mark.parametrize(
    ("content", "content_type", "encoding", "text"),
    [
        (b"\xc3\xa9", None, "utf-8", "é"),
        (b"\xe9", b"text/plain; charset=ISO-8859-1", "cp1252", "é"),
        (b"\xe9", b'text/html; Charset="latin1"', "cp1252", "é"),
        (b"\xe9", b"text/html", "utf-8", "\ufffd"),
        (b"\xc3\xa9", b"text/plain; charset=no-such", "utf-8", "é"),
        (codecs.BOM_UTF8 + b"x", b"text/plain; charset=latin-1", "utf-8-sig", "x"),
        ("é".encode("utf-16-le"), b"text/plain; charset=utf-16le", "utf-16-le", "é"),
        ('{"é": 1}'.encode("utf-16-le"), b"application/json", "utf-16-le", '{"é": 1}'),
        (b"", b"text/plain; charset=koi8-r", "koi8-r", ""),
    ],
)
async def test_text_and_encoding(content: bytes, content_type: bytes | None, encoding: str, text: str) -> None:
    fields = [] if content_type is None else [b"Content-Type: " + content_type]
    response = await get(reply(content, *fields))
    assert (codecs.lookup(response.encoding).name, response.text) == (encoding, text)
    async with streaming(reply(content, *fields)) as response:
        assert "".join([piece async for piece in response.iter_text()]) == text


async def test_html_may_declare_its_encoding() -> None:
    page = b'<!DOCTYPE html><meta charset="gbk"><p>' + "家居".encode("gbk")
    response = await get(reply(page, b"Content-Type: text/html"))
    assert (response.encoding, "家居" in response.text) == ("gb18030", True)
    async with streaming(chunked(*(bytes([byte]) for byte in page)).replace(OK_LINE, HTML_LINES)) as response:
        assert "".join([piece async for piece in response.iter_text()]).endswith("家居")


async def test_default_encoding_is_for_text_without_a_declared_encoding() -> None:
    asked: list[bytes] = []

    def detect(start: bytes) -> str:
        asked.append(start)
        return "GB2312"

    content = "镕".encode("gbk")
    with Answering(
        {"/": reply(content, b"Content-Type: text/plain")}, default=reply("é".encode(), HTML_UTF8)
    ) as server:
        for default, size in (("gbk", None), (detect, None), ("gbk", 1000)):
            async with Client(default_encoding=default, max_body_size=size) as client:
                response = await client.get(f"{server.url}/")
                assert (response.text, response.encoding, response.lines) == ("镕", "gb18030", ["镕"])
                async with client.stream("GET", f"{server.url}/") as response:
                    assert [text async for text in response.iter_text()] == ["镕"]
                assert (await client.get(f"{server.url}/declared")).text == "é"
    assert asked == [content, content]


@pytest.mark.parametrize(("default", "error"), [("no-such", ValueError), (b"utf-8", TypeError), (5, TypeError)])
async def test_default_encoding_of_a_wrong_type_or_label_is_refused_at_once(
    default: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="as default_encoding, got"):
        Client(default_encoding=default)


async def test_response_with_a_default_can_be_pickled_and_keeps_its_text() -> None:
    with Answering(default=reply("镕".encode("gbk"), b"Content-Type: text/plain")) as server:
        async with Client(default_encoding=lambda _: "gbk") as client:
            response = pickle.loads(pickle.dumps(await client.get(server.url)))
    assert (response.text, response.encoding) == ("镕", "gb18030")


async def test_encoding_that_is_set_may_be_a_label_and_respects_a_byte_order_mark() -> None:
    response = await get(reply("é".encode("utf-16"), b"Content-Type: text/plain; charset=koi8-r"))
    assert (response.text, response.encoding) == ("é", "utf-16")
    response.encoding = "utf-16-le"
    assert response.text == "\ufeffé"
    response.encoding = "UTF-16"
    assert (response.text, response.encoding) == ("é", "utf-16")
    response.encoding = "x-user-defined"
    assert response.text[:2] == "\uf7ff\uf7fe"


async def test_the_encoding_can_be_set() -> None:
    response = await get(reply(b"\xe9\xa9", b"Content-Type: text/plain; charset=utf-8"))
    response.encoding = "koi8-r"
    assert (response.encoding, response.text) == ("koi8-r", b"\xe9\xa9".decode("koi8-r"))
    assert [text async for text in response.iter_text()] == [response.text]
    for wrong in ("no-such", "base64", ""):
        with pytest.raises(ValueError, match="expected a text encoding"):
            response.encoding = wrong
    assert response.encoding == "koi8-r"


TEXT = "one\ntwo\r\nthree\rfour\u2028five\x0csix\n\nlast"
LINES = ["one", "two", "three", "four\u2028five\x0csix", "", "last"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_lines_however_the_content_is_cut(size: int) -> None:
    content = TEXT.encode()
    data = chunked(*(content[start : start + size] for start in range(0, len(content), size)))
    assert (await get(data)).lines == LINES
    async with streaming(data) as response:
        assert [line async for line in response.iter_lines()] == LINES
        assert response.closed


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ('"ü"'.encode("utf-16"), "ü"),
        (codecs.BOM_UTF8 + b"1", 1),
    ],
)
async def test_json(content: bytes, value: Any) -> None:
    assert (await get(reply(content))).json() == value


async def test_json_with_options_and_invalid_json() -> None:
    assert str((await get(reply(b"1.10"))).json(parse_float=str)) == "1.10"
    for content in (b"", b"{", b"<html>", b"\xff\xfe\xfd"):
        with pytest.raises(ValueError):  # noqa: PT011  (json's own)
            (await get(reply(content))).json()


# Content that has not been read


@pytest.mark.parametrize("name", ["content", "text", "lines", "json"])
async def test_content_that_was_not_read_is_not_available(name: str) -> None:
    async with streaming(OK) as response:
        with pytest.raises(ResponseNotRead, match=r"read\(\) returns it whole, iter_chunks\(\) in parts"):
            found = getattr(response, name)
            found()
        assert await response.read() == b"ok"
        found = getattr(response, name)
        assert found is not None


async def test_read_gives_the_same_again() -> None:
    async with streaming(OK) as response:
        assert await response.read() == await response.read() == response.content == b"ok"
    assert await response.read() == b"ok"
    assert await gather_chunks(response) == [b"ok"]
    assert await gather_chunks(response, 1) == [b"o", b"k"]


async def test_read_after_chunks_gives_the_rest() -> None:
    async with streaming(reply(bytes(range(250)))) as response:
        async for chunk in response.iter_chunks(100):
            assert chunk == bytes(range(100))
            break
        assert await response.read() == bytes(range(100, 250))


async def test_content_is_iterated_over_once() -> None:
    async with streaming(OK) as response:
        assert await gather_chunks(response) == [b"ok"]
        assert await gather_chunks(response) == []


@pytest.mark.parametrize("size", [1, 3, 4096, 100_000])
@pytest.mark.parametrize("is_chunked", [False, True])
async def test_chunks_of_a_size(size: int, is_chunked: bool) -> None:
    content = bytes(range(256)) * 40
    data = (
        chunked(*(content[start : start + 777] for start in range(0, len(content), 777)))
        if is_chunked
        else reply(content)
    )
    async with streaming(data) as response:
        chunks = await gather_chunks(response, size)
    assert b"".join(chunks) == content
    assert {len(chunk) for chunk in chunks[:-1]} <= {size}
    assert len(chunks[-1]) == len(content) % size or size


@pytest.mark.parametrize("size", [0, -1])
async def test_chunks_of_no_size(size: int) -> None:
    async with streaming(OK) as response:
        with pytest.raises(ValueError, match="at least 1 byte"):
            response.iter_chunks(size)


async def test_content_cut_short_within_a_chunk_is_in_the_error() -> None:
    def cut(connection: RawConnection) -> None:
        connection.read_head()
        connection.send_slowly([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", b"cd"])

    with RawServer(cut) as server:
        async with Client() as client, client.stream("GET", server.url) as response:
            with pytest.raises(IncompleteRead) as caught:
                await anext(response.iter_chunks(8))
    assert caught.value.partial == b"abcd"


async def test_chunks_are_received_as_they_are_sent() -> None:
    gate = Gate()

    def drip(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        gate.wait()
        connection.send(b"3\r\ntwo\r\n0\r\n\r\n")
        connection.wait_closed()

    with RawServer(drip) as server:
        async with Client() as client, client.stream("GET", server.url) as response:
            chunks = response.iter_chunks()
            assert await anext(chunks) == b"one"
            gate.open()
            assert await anext(chunks) == b"two"
            with pytest.raises(StopAsyncIteration):
                await anext(chunks)


# Content that is cut short


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
    ],
)
@pytest.mark.parametrize("how", ["get", "read", "chunks", "sized", "text", "lines"])
async def test_content_that_is_cut_short_is_an_error(data: bytes, how: str) -> None:
    with RawServer.replying(data, then=RawConnection.half_close) as server:
        async with Client() as client:
            with pytest.raises(IncompleteRead):
                await read_in_some_way(client, server.url, how)
            assert await is_clean(client)
            assert client.stats().idle == 0


async def read_in_some_way(client: Client, url: str, how: str) -> None:
    if how == "get":
        await client.get(url)
        return
    async with client.stream("GET", url) as response:
        ways: dict[str, Callable[[], Any]] = {
            "chunks": response.iter_chunks,
            "sized": lambda: response.iter_chunks(3),
            "text": response.iter_text,
            "lines": response.iter_lines,
        }
        if how == "read":
            await response.read()
        else:
            async for _ in ways[how]():
                pass


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"HTTP/2.0 200 OK\r\n\r\n", UnknownProtocol),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n", ProtocolError),
    ],
)
async def test_a_connection_is_never_reused_after_a_protocol_error(data: bytes, error: type[Exception]) -> None:
    with Answering({"/bad": data, "/": OK}) as server:
        async with Client() as client:
            with pytest.raises(error):
                await client.get(f"{server.url}/bad")
            assert await is_clean(client)
            assert (await client.get(server.url)).content == b"ok"
        assert server.accepted == 2


# Connections after stream()


class Left(Exception):
    """Raised to end a block."""


async def leave_at_once(response: Response) -> None:
    assert response.status == 200


async def read_all(response: Response) -> None:
    await response.read()


async def read_a_part(response: Response) -> None:
    async for chunk in response.iter_chunks(10):
        assert len(chunk) == 10
        break


async def break_off_lines(response: Response) -> None:
    async for _ in response.iter_lines():
        break


async def raise_something(response: Response) -> None:
    raise Left


async def raise_between(response: Response) -> None:
    async for _ in response.iter_chunks(10):
        raise Left


async def read_and_raise(response: Response) -> None:
    await response.read()
    raise Left


async def close(response: Response) -> None:
    response.close()
    assert response.closed


async def aclose(response: Response) -> None:
    await response.aclose()
    assert response.closed


@pytest.mark.parametrize("how", ["iter_chunks", "iter_text", "iter_lines"])
async def test_leaving_a_loop_early_leaves_no_task(how: str) -> None:
    """A generator that is left would be closed in a task that the garbage collector begins."""
    with Answering({"/": reply(SMALL)}) as server:
        async with Client() as client, client.stream("GET", server.url) as response:
            async for _ in getattr(response, how)():
                break
            for _ in range(3):
                await asyncio.sleep(0)
                assert asyncio.all_tasks() == {asyncio.current_task()}


SMALL, BIG = b"0123456789\n" * 100, bytes(1_000_000)

LEAVING = [
    (leave_at_once, SMALL, True),
    (leave_at_once, BIG, False),
    (read_all, SMALL, True),
    (read_all, BIG, True),
    (read_a_part, SMALL, True),
    (read_a_part, BIG, False),
    (break_off_lines, SMALL, True),
    (raise_something, SMALL, False),
    (raise_something, BIG, False),
    (raise_between, SMALL, False),
    (read_and_raise, SMALL, True),
    (read_and_raise, BIG, True),
    (close, SMALL, False),
    (close, BIG, False),
    (aclose, SMALL, True),
    (aclose, BIG, False),
]


@pytest.mark.parametrize("frame", [reply, chunked])
@pytest.mark.parametrize(("leave", "content", "is_kept"), LEAVING)
async def test_a_connection_is_clean_or_closed_after_stream(
    leave: Callable[[Response], Awaitable[None]], content: bytes, is_kept: bool, frame: Callable[[bytes], bytes]
) -> None:
    with Answering({"/": frame(content), "/next": OK}) as server:
        async with Client() as client:
            try:
                async with client.stream("GET", server.url) as response:
                    await leave(response)
            except Left:
                pass
            assert response.closed
            assert await is_clean(client)
            assert client.stats().idle == int(is_kept)
            assert (await client.get(f"{server.url}/next")).content == b"ok"
        assert server.accepted == (1 if is_kept else 2)


async def test_the_request_after_an_abandoned_response_gets_its_own_response() -> None:
    with Answering({"/": reply(b"x" * 70_000), "/next": reply(b"next")}) as server:
        async with Client() as client:
            for _ in range(10):
                async with client.stream("GET", server.url) as response:
                    async for _chunk in response.iter_chunks(100):
                        break
                assert (await client.get(f"{server.url}/next")).content == b"next"


@pytest.mark.parametrize("phase", ["head", "content", "leaving"])
async def test_cancelling_a_stream_drops_its_connection(phase: str) -> None:
    gate = Gate()

    def hang(connection: RawConnection) -> None:
        if b"next" in connection.read_head():
            connection.send(OK)
            connection.wait_closed()
            return
        if phase != "head":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
        gate.reached.set()
        connection.wait_closed()

    async def ask(client: Client, url: str, is_inside: asyncio.Event) -> None:
        async with client.stream("GET", url) as response:
            is_inside.set()
            if phase == "content":
                await response.read()

    with RawServer(hang) as server:
        async with Client() as client:
            is_inside = asyncio.Event()
            task = asyncio.create_task(ask(client, server.url, is_inside))
            assert await becomes_true(gate.reached.is_set)
            if phase != "head":
                await is_inside.wait()
            with lasts():
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert await is_clean(client)
            assert client.stats().idle == 0
            assert (await client.get(f"{server.url}/next")).content == b"ok"
        assert server.accepted == 2


async def test_an_endless_rest_is_dropped_after_the_close_timeout() -> None:
    def drip(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        connection.send_slowly(itertools.repeat(b"x"), pause=0.02)

    with RawServer(drip) as server:
        async with Client(timeout=Timeout(close=0.2)) as client:
            with lasts(0.2):
                async with client.stream("GET", server.url):
                    pass
            assert await is_clean(client)
            assert client.stats().idle == 0


@pytest.mark.parametrize("end", ["left", "closed", "aclosed"])
async def test_reading_after_the_end_is_an_error(end: str) -> None:
    with Answering(default=reply(BIG)) as server:
        async with Client() as client:
            async with client.stream("GET", server.url) as response:
                if end == "closed":
                    response.close()
                elif end == "aclosed":
                    await response.aclose()
            for way in (response.read, lambda: gather_chunks(response), lambda: gather_chunks(response, 5)):
                with pytest.raises(NotConnected, match="closed before its content was read"):
                    await way()
            with pytest.raises(ResponseNotRead):
                response.content  # noqa: B018


async def test_a_small_rest_that_was_discarded_cannot_be_read() -> None:
    async with streaming(reply(SMALL)) as response:
        pass
    with pytest.raises(NotConnected):
        await response.read()


async def test_closing_the_client_ends_a_stream() -> None:
    with Answering(default=reply(BIG)) as server:
        async with Client() as client, client.stream("GET", server.url) as response:
            await client.aclose()
            with pytest.raises(NotConnected):
                await response.read()


async def test_two_streams_on_one_connection_after_each_other_and_two_at_once() -> None:
    with Answering({"/a": reply(BIG), "/b": reply(b"b" * 100_000)}) as server:
        async with Client() as client:
            async with client.stream("GET", f"{server.url}/a") as a, client.stream("GET", f"{server.url}/b") as b:
                assert client.stats().active == 2
                chunks_a, chunks_b = a.iter_chunks(50_000), b.iter_chunks(50_000)
                for _ in range(2):
                    assert set(await anext(chunks_a)) == {0}
                    assert set(await anext(chunks_b)) == {ord("b")}
            assert client.stats().active == 0
            assert len((await client.get(f"{server.url}/b")).content) == 100_000


async def test_an_abandoned_stream_frees_its_socket() -> None:
    with Answering(default=reply(BIG)) as server:
        async with Client() as client:
            streaming = client.stream("GET", server.url)
            response = await streaming.__aenter__()
            assert client.stats().active == 1
            held = [response, streaming]
            del response, streaming
            with pytest.warns(ResourceWarning, match="unclosed response to GET"):
                held.clear()
            gc.collect()
        assert client.stats().active == 0


async def test_an_upgrade_hands_the_connection_to_the_caller() -> None:
    def upgrade(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello")
        connection.send(connection.read())

    with RawServer(upgrade) as server:
        async with Client() as client:
            headers = {"Connection": "upgrade", "Upgrade": "echo"}
            async with client.stream("GET", server.url, headers=headers) as response:
                assert (response.status, response.upgraded is None) == (101, False)
                assert response.upgraded is not None
                reader, writer = response.upgraded
                assert await reader.readexactly(5) == b"hello"
                writer.write(b"echo")
                assert await reader.readexactly(4) == b"echo"
                writer.close()
                await writer.wait_closed()
            assert await is_clean(client)


# History


async def test_history() -> None:
    answers: dict[str, Any] = {"/a": redirect("/b", 301, b"gone"), "/b": redirect("/c", 307), "/c": OK}
    with Answering(answers) as server:
        async with Client() as client:
            response = await client.get(f"{server.url}/a")
    assert [(one.status, one.url) for one in response.history] == [(301, f"{server.url}/a"), (307, f"{server.url}/b")]
    assert [one.history for one in response.history] == [(), response.history[:1]]
    assert (response.url, response.request.url) == (f"{server.url}/c", f"{server.url}/c")
    assert response.history[0].request.url == f"{server.url}/a"
    with pytest.raises(ResponseNotRead):
        response.history[0].content  # noqa: B018


# A server that is one


async def test_a_real_server(caddy: Caddy) -> None:
    async with Client(base_url=caddy.url) as client:
        response = await client.get("/text.txt")
        assert response.headers["content-encoding"] in ("gzip", "zstd", "br")
        assert (len(response.lines), response.lines[0]) == (1000, "all work and no play makes jack a dull boy")
        echo = (await client.post("/app/echo", json={"a": 1}, params={"q": "ä"})).json()
        assert (echo["method"], echo["query"], echo["length"]) == ("POST", "q=%C3%A4", 7)
        async with client.stream("GET", "/app/stream/100") as response:
            assert [line async for line in response.iter_lines()] == [f"line {number}" for number in range(100)]
        assert client.stats().idle == 1
