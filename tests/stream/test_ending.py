"""How connections end, from either side, over TCP and TLS: losses, errors of waiters, and waits that are bounded."""

import asyncio
from collections.abc import Callable

import pytest

from asyncclient.errors import (
    HTTPException,
    NotConnected,
    RemoteDisconnected,
)
from asyncclient.stream.aio import AioStream
from asyncclient.testing import RawConnection
from tests.durations import FOREVER, STALL, lasts
from tests.stream.peers import MEBIBYTE, READS, Connect, Gate, Wait, fill_send_buffers


@pytest.mark.parametrize("end", [RawConnection.close, RawConnection.unwrap])
async def test_a_clean_close_of_the_peer_is_not_a_loss(connect: Connect, end: Callable[[RawConnection], None]) -> None:
    def handler(connection: RawConnection) -> None:
        connection.send(b"all")
        end(connection)

    async with connect(handler) as stream:
        assert await stream.readexactly(3) == b"all"
        assert await stream.read(1) == b""
        assert stream.loss() is None
        assert await stream.readhead(100) == b""


async def test_tls_without_close_notify_is_a_loss(connect: Connect, over: str) -> None:
    def handler(connection: RawConnection) -> None:
        connection.send(b"all")
        connection.close_without_notify()

    async with connect(handler) as stream:
        assert await stream.readexactly(3) == b"all"
        assert await stream.read(1) == b""
        assert (stream.loss() is None) is (over == "tcp")


async def test_a_reset_is_a_loss(connect: Connect) -> None:
    def handler(connection: RawConnection) -> None:
        connection.read(1)
        connection.reset()

    async with connect(handler) as stream:
        stream.write(b"x")
        assert await stream.read(1) == b""
        assert isinstance(stream.loss(), OSError)
        with pytest.raises(RemoteDisconnected):
            await stream.readhead(100)
        stream.write(b"dropped without a word")
        assert await stream.drain()


@pytest.mark.parametrize("wait", READS.values(), ids=READS)
@pytest.mark.parametrize("end", [AioStream.abort, AioStream.close])
async def test_closing_the_stream_ends_a_wait_with_not_connected(
    connect: Connect, wait: Wait, end: Callable[[AioStream], None]
) -> None:
    async with connect(RawConnection.hold) as stream:
        waiting = asyncio.ensure_future(wait(stream))
        await asyncio.sleep(0)
        end(stream)
        with pytest.raises(NotConnected, match="was closed"):
            await waiting


async def test_aborting_with_an_error_raises_it_in_the_waiter(connect: Connect) -> None:
    reason = HTTPException("shut down")
    async with connect(RawConnection.hold) as stream:
        waiting = asyncio.create_task(stream.wait_readable(5))
        await asyncio.sleep(0)
        stream.abort(reason)
        stream.abort()
        with pytest.raises(HTTPException) as raised:
            await waiting
        assert raised.value is reason


async def test_closing_drops_data_that_the_peer_does_not_read(connect: Connect) -> None:
    def handler(connection: RawConnection) -> None:
        connection.send(b"never read")
        connection.hold()

    async with connect(handler, close=FOREVER) as stream:
        await fill_send_buffers(stream)
        await stream.wait_readable(STALL)
        with lasts():
            stream.close()
            stream.close()
            await stream.wait_closed()
            await stream.wait_closed()


async def test_a_peer_that_never_closes_is_not_waited_for(connect: Connect) -> None:
    async with connect(RawConnection.hold, close=0.1) as stream:
        with lasts():
            stream.close()
            await stream.wait_closed()


async def test_an_end_with_close_notify_is_clean(connect: Connect) -> None:
    ends: list[str] = []
    done = Gate()

    def handler(connection: RawConnection) -> None:
        ends.append(connection.wait_closed(5))
        done.open()

    async with connect(handler) as stream:
        stream.write(b"x")
        stream.close()
        await stream.wait_closed()
        await asyncio.to_thread(done.wait)
    assert ends == ["eof"]


async def test_a_peer_that_sends_endlessly_is_throttled(connect: Connect) -> None:
    def handler(connection: RawConnection) -> None:
        for _ in range(50):
            connection.send(MEBIBYTE)
        connection.hold()

    async with connect(handler) as stream:
        assert await stream.readexactly(1) == b"\0"
        await asyncio.sleep(0.2)
        assert stream.take_exactly(len(MEBIBYTE)) is None
        buffer, left = memoryview(bytearray(256 * 1024)), 50 * len(MEBIBYTE) - 1
        while left:
            left -= await stream.readinto(buffer)
