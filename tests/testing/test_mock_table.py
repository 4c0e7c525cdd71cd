"""MockTransport with a table: a client's requests answered by method and URL."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import compat
from asyncclient import Client, ConnectError, Digest, LocalResponse, ReadTimeout, Retry, TotalTimeout
from asyncclient.testing import MockTransport, SentRequest, UnexpectedRequest

URL = "https://example.com"


async def test_answers_are_found_by_method_and_url_and_requests_are_recorded() -> None:
    transport = MockTransport(
        {f"GET {URL}/a?b=1": LocalResponse(content="got"), f"POST {URL}/a": 201, f"GET {URL}": LocalResponse(203)}
    )
    async with Client(transport=transport, headers={"X-Client": "7"}) as client:
        assert (await client.get(f"{URL}/a?b=1#part")).text == "got"
        assert (await client.post(f"{URL}:443/a", json={"a": 1})).status == 201
        assert (await client.get("https://user:secret@EXAMPLE.com/")).status == 203
    assert [(sent.method, sent.url, sent.content) for sent in transport.requests] == [
        ("GET", f"{URL}/a?b=1", b""),
        ("POST", f"{URL}/a", b'{"a":1}'),
        ("GET", f"{URL}/", b""),
    ]
    fields = transport.requests[1].headers
    assert (fields["host"], fields["x-client"], fields["content-type"]) == ("example.com", "7", "application/json")
    assert "authorization" in transport.requests[2].headers
    assert transport.is_closed
    assert repr(transport) == "<MockTransport 3 routes, 3 calls>"


async def test_an_answer_is_given_any_number_of_times_and_a_list_once_in_order() -> None:
    transport = MockTransport({f"GET {URL}/": LocalResponse(content="same"), f"PUT {URL}/": [503, 200]})
    async with Client(transport=transport) as client:
        assert [(await client.get(URL)).text for _ in range(2)] == ["same", "same"]
        assert [(await client.put(URL)).status for _ in range(2)] == [503, 200]
        with pytest.raises(
            UnexpectedRequest, match=rf"no route matches PUT '{URL}/'(?s:.*)\n  PUT '{URL}/' \(used 2 times\)"
        ):
            await client.put(URL)


async def test_a_request_that_is_not_in_the_table_fails_at_once_and_names_the_table() -> None:
    transport = MockTransport({f"GET {URL}/known": 200})
    async with Client(transport=transport, retries=3) as client:
        with pytest.raises(
            UnexpectedRequest, match=f"GET '{URL}/other'; the routes are:\n  GET '{URL}/known' .another URL.$"
        ):
            await client.get(f"{URL}/other")
    assert len(transport.requests) == 1  # it is not retried
    async with Client(transport=MockTransport()) as client:
        with pytest.raises(UnexpectedRequest, match="there is no route"):
            await client.get(URL)


async def test_exceptions_are_raised_with_the_request_and_retried() -> None:
    error = ConnectError("refused")
    transport = MockTransport({f"GET {URL}/": [error, error, 200], f"POST {URL}/": ReadTimeout("slow", "read", 1.0)})
    async with Client(transport=transport, retries=2) as client:
        assert (await client.get(URL)).status == 200
        with pytest.raises(ReadTimeout, match=rf"slow \(POST {URL}\)"):
            await client.post(URL)
    assert len(transport.requests) == 4
    assert (error.request, error.__traceback__) == (None, None)


async def test_an_exception_may_be_given_as_a_class() -> None:
    async with Client(transport=MockTransport({f"GET {URL}/": KeyError})) as client:
        with pytest.raises(KeyError):
            await client.get(URL)


async def test_functions_answer_by_the_request() -> None:
    def echo(sent: SentRequest) -> LocalResponse:
        return LocalResponse(content=sent.content)

    async def later(sent: SentRequest) -> LocalResponse:
        await asyncio.sleep(0)
        return LocalResponse(headers={"X-Method": sent.method})

    transport = MockTransport({f"POST {URL}/": echo, f"GET {URL}/": [later]})
    async with Client(transport=transport) as client:
        assert (await client.post(URL, body=b"abc")).content == b"abc"
        assert (await client.get(URL)).headers["x-method"] == "GET"


async def test_a_function_is_limited_by_the_total_timeout_and_can_be_cancelled() -> None:
    began = asyncio.Event()
    ended: list[type[BaseException]] = []

    async def stall(sent: SentRequest) -> LocalResponse:
        began.set()
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            ended.append(type(error))
            raise
        return LocalResponse()

    async with Client(transport=MockTransport({f"GET {URL}/": stall})) as client:
        with pytest.raises(TotalTimeout):
            await client.get(URL, timeout=0.01)
        began.clear()
        task = asyncio.create_task(client.get(URL))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended == [asyncio.CancelledError] * 2


async def test_a_response_to_head_has_no_content() -> None:
    transport = MockTransport({f"HEAD {URL}/": LocalResponse(headers={"Content-Length": "3"}, content=b"abc")})
    async with Client(transport=transport) as client:
        response = await client.head(URL)
    assert (response.content, response.headers["content-length"]) == (b"", "3")


async def test_rules_of_the_client_apply() -> None:
    login = LocalResponse(401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})
    moved = LocalResponse(302, headers={"Location": "/b", "Set-Cookie": "a=1"})
    transport = MockTransport({f"GET {URL}/a": [login, moved], f"GET {URL}/b": [503, 200]})
    retries = Retry(total=1, statuses=(503,), backoff=0)
    async with Client(transport=transport, retries=retries, auth=Digest("ada", "lovelace")) as client:
        response = await client.get(f"{URL}/a")
    assert (response.status, [each.status for each in response.history]) == (200, [302])
    assert [sent.url[-1] for sent in transport.requests] == ["a", "a", "b", "b"]
    assert transport.requests[-1].headers["cookie"] == "a=1"
    assert transport.requests[-1].headers["authorization"].startswith("Digest ")


async def test_every_kind_of_body_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"from a path")
    ended: list[bool] = []

    def generate() -> Iterator[bytes]:
        try:
            yield from (b"in ", b"chunks")
        finally:
            ended.append(True)

    transport = MockTransport({f"PUT {URL}/": 200})
    async with Client(transport=transport) as client:
        for body in (path, io.BytesIO(b"file"), generate(), "text", None):
            await client.put(URL, body=body)
    assert [sent.content for sent in transport.requests] == [b"from a path", b"file", b"in chunks", b"text", b""]
    assert ended == [True]


async def test_a_body_that_fails_ends_the_request_and_is_closed() -> None:
    ended: list[str] = []

    async def produce(item: Any) -> AsyncIterator[bytes]:
        try:
            yield b"abc"
            yield item if item != 0 else 1 // item
        finally:
            ended.append(f"item {item}")

    transport = MockTransport({f"PUT {URL}/": 200})
    async with Client(transport=transport) as client:
        with pytest.raises(ZeroDivisionError):
            await client.put(URL, body=produce(0))
        with pytest.raises(TypeError, match="expected bytes from the body, got int"):
            await client.put(URL, body=produce(3))
        assert (transport.requests, ended) == ([], ["item 0", "item 3"])


def test_invalid_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a method and a URL as key"):
        MockTransport({URL: 200})
    with pytest.raises(ValueError, match="expected an http or https URL"):
        MockTransport({"GET /path": 200})
    with pytest.raises(TypeError, match=rf"as answer to GET '{URL}', got str"):
        MockTransport({f"GET {URL}": ["text"]})  # type: ignore[list-item]
    with pytest.raises(TypeError, match="got bytes"):
        MockTransport({f"GET {URL}": b"text"})
    with pytest.raises(ValueError, match="expected a status from 200 to 599, got 99"):
        MockTransport({f"GET {URL}": [200, 99]})
    with pytest.raises(TypeError, match=r"got function; a function answers by mock\.route\(\)\.respond\(function\)$"):
        MockTransport(lambda request: LocalResponse())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a mapping of answers as table, got list"):
        MockTransport([200])  # type: ignore[arg-type]


def test_the_blocking_client_takes_a_transport() -> None:
    moved = LocalResponse(302, headers={"Location": "/b"})
    transport = MockTransport(
        {f"POST {URL}/a": moved, f"GET {URL}/b": LocalResponse(content="x\ny"), f"PUT {URL}/": ConnectError("no")}
    )
    with compat.Client(transport=transport) as client:
        response = client.post(f"{URL}/a", body=iter([b"in ", b"chunks"]))
        assert (response.status, response.text, len(response.history)) == (200, "x\ny", 1)
        with client.stream("GET", f"{URL}/b") as stream:
            assert (list(stream.iter_lines()), stream.upgraded) == (["x", "y"], None)
        with pytest.raises(ConnectError, match="no"):
            client.put(URL)
        with pytest.raises(UnexpectedRequest):
            client.get(f"{URL}/other")
    assert transport.requests[0].content == b"in chunks"
    assert transport.is_closed
