"""IncompleteRead has the bytes that were read before a truncation, for every way of reading."""

import pytest

from asyncclient import HTTPResponse, IncompleteRead
from asyncclient.testing import RawConnection
from tests.connection.conversations import unread_response

CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\none\ntwo"


async def by_lines(response: HTTPResponse) -> None:
    assert await response.readline() == b"one\n"
    await response.readline()


async def by_iteration(response: HTTPResponse) -> None:
    async for line in response:
        assert line == b"one\n"


async def after_a_peek(response: HTTPResponse) -> None:
    assert b"one\ntwo".startswith(await response.peek())
    assert await response.read(4) == b"one\n"
    await response.read()


@pytest.mark.parametrize("read", [by_lines, by_iteration, after_a_peek])
async def test_the_received_part_is_in_the_error(read: object) -> None:
    async with unread_response(CUT, then=RawConnection.close) as response:
        with pytest.raises(IncompleteRead) as caught:
            await read(response)  # type: ignore[operator]
        assert caught.value.partial == b"two"
        assert response.closed
