"""Repeated heads: they are parsed once, and each response has its own nevertheless."""

from collections.abc import Sequence

import pytest

from asyncclient import Client
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Answering

FIRST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Number: 1\r\n"
SECOND = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Number: 2\r\n"
CLOSES = b"Connection: close\r\n\r\n"
ONE, TWO = FIRST + b"\r\nab", SECOND + b"\r\ncde"
LAST_ONE, LAST_TWO = FIRST + CLOSES + b"AB", SECOND + CLOSES + b"CDE"
CHUNKED = FIRST.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked") + b"\r\n2\r\nfg\r\n0\r\n\r\n"
MISSING = LAST_ONE.replace(b"200 OK", b"404 Not Found")
CONTENT = {ONE: b"ab", TWO: b"cde", LAST_ONE: b"AB", LAST_TWO: b"CDE", CHUNKED: b"fg", MISSING: b"AB"}


@pytest.mark.parametrize(
    ("answers", "connections"),
    [
        ([ONE, ONE, TWO, ONE, ONE], 1),
        ([LAST_ONE, LAST_ONE, LAST_TWO, LAST_ONE], 4),
        ([ONE, LAST_ONE, LAST_ONE, ONE, LAST_TWO, TWO], 4),
        ([CHUNKED, LAST_ONE, CHUNKED, LAST_ONE, CHUNKED], 3),
        ([MISSING, LAST_ONE, MISSING, ONE], 4),
    ],
)
async def test_each_response_has_its_own_head(answers: Sequence[bytes], connections: int) -> None:
    with Answering({"/": [*answers]}) as server:
        async with Client() as client:
            for answer in answers:
                response = await client.get(server.url)
                assert response.content == CONTENT[answer]
                assert response.headers["x-number"] == ("1" if b"Number: 1" in answer else "2")
                assert response.status == (404 if answer is MISSING else 200)
    assert server.accepted == connections


async def test_a_repeated_head_is_recognised_on_a_new_connection() -> None:
    with Answering({"/": [LAST_ONE, LAST_ONE, LAST_TWO]}) as server, Answering(default=LAST_ONE) as other:
        async with Client() as client:
            first, second, third = [await client.get(server.url) for _ in range(3)]
            elsewhere = await client.get(other.url)
    assert first.headers is second.headers
    assert first.headers is not third.headers
    assert elsewhere.headers == first.headers
    assert elsewhere.headers is not first.headers


async def test_changing_the_pairs_does_not_change_later_responses() -> None:
    with Answering(default=ONE) as server:
        async with Client() as client:
            (await client.get(server.url)).headers.pairs().clear()
            assert (await client.get(server.url)).headers["x-number"] == "1"


async def test_a_head_with_the_same_beginning_is_a_different_head() -> None:
    more = FIRST + b"X-More: 1\r\n" + CLOSES + b"AB"
    with Answering({"/": [LAST_ONE, more, LAST_ONE]}) as server:
        async with Client() as client:
            found = [(await client.get(server.url)).headers.get("x-more") for _ in range(3)]
    assert found == [None, "1", None]


async def test_a_repeated_head_in_parts_is_recognised_when_it_is_complete() -> None:
    def drip(connection: RawConnection) -> None:
        connection.read_request()
        connection.send_slowly([LAST_ONE[:30], LAST_ONE[30:-3], LAST_ONE[-3:]])

    with RawServer(drip) as server:
        async with Client() as client:
            responses = [await client.get(server.url) for _ in range(3)]
    assert [response.content for response in responses] == [b"AB"] * 3
