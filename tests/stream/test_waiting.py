"""The contract of ByteStream, waiting: for room, for an answer, for the end; on the network, over TCP and over TLS."""

import asyncio
import itertools
import math
from collections.abc import Callable

import pytest

from asyncclient.errors import (
    HTTPException,
    ImproperConnectionState,
    NotConnected,
    ReadTimeout,
    TotalTimeout,
    WriteTimeout,
)
from asyncclient.testing import RawConnection
from asyncclient.timeouts import NEVER, Timeout
from tests.durations import FOREVER, lasts
from tests.pool.hosts import wait_until
from tests.stream.peers import READS, TOO_LARGE, Connect, Gate, Wait, fill_send_buffers


def sending(data: bytes) -> Callable[[RawConnection], None]:
    """Return a handler that sends this, and keeps the connection open."""

    def handler(connection: RawConnection) -> None:
        connection.send(data)
        connection.hold()

    return handler


# wait_readable()


async def test_waiting_for_something_to_read_ends_with_it(connect: Connect) -> None:
    gate = Gate()
    async with connect(gate.then(sending(b"x"))) as stream:
        assert not await stream.wait_readable(0)
        assert not await stream.wait_readable(0.01)
        gate.open()
        assert await stream.wait_readable(5)
        assert await stream.wait_readable(0)
        assert await stream.read(10) == b"x"
        assert not await stream.wait_readable(0)


async def test_the_end_counts_as_something_to_read(connect: Connect) -> None:
    async with connect(RawConnection.close) as stream:
        assert await stream.wait_readable(5)
        assert await stream.wait_readable(0)
        assert await stream.read(1) == b""


async def test_room_to_write_does_not_count_as_something_to_read(connect: Connect) -> None:
    gate = Gate()
    async with connect(gate.then(RawConnection.wait_closed)) as stream:
        await fill_send_buffers(stream)
        with lasts(0.2):
            gate.open()
            assert not await stream.wait_readable(0.2)


# drain()


async def test_drain_waits_until_the_peer_takes_more(connect: Connect) -> None:
    gate = Gate()
    async with connect(gate.then(RawConnection.wait_closed)) as stream:
        await fill_send_buffers(stream)
        waiting = asyncio.create_task(stream.drain())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        gate.open()
        assert await waiting is False


async def test_drain_ends_when_the_peer_begins_to_answer(connect: Connect) -> None:
    gate = Gate()
    async with connect(gate.then(sending(TOO_LARGE))) as stream:
        await fill_send_buffers(stream)
        waiting = asyncio.create_task(stream.drain())
        await asyncio.sleep(0.01)
        gate.open()
        assert await waiting is True
        assert await stream.drain() is True
        assert await stream.readhead(1000) == TOO_LARGE
        assert stream.take_exactly(1) is None


async def test_drain_ends_when_the_peer_closes(connect: Connect) -> None:
    gate = Gate()
    async with connect(gate.then(RawConnection.reset)) as stream:
        await fill_send_buffers(stream)
        gate.open()
        assert await stream.drain() is True


async def test_an_early_answer_is_found_while_writing_does_not_block(connect: Connect) -> None:
    """A peer that reads all the time: after some writes the loop receives."""

    def handler(connection: RawConnection) -> None:
        connection.send(TOO_LARGE)
        connection.wait_closed()

    async with connect(handler) as stream:
        for _ in range(100_000):
            stream.write(b"x" * 1024)
            if await stream.drain():
                break
        assert await stream.readhead(1000) == TOO_LARGE


@pytest.mark.parametrize("over", ["tcp"], indirect=True)  # over TLS the kernel has it encrypted
async def test_a_response_before_a_reset_is_received(connect: Connect) -> None:
    """A server that answers, and closes with the upload unread, resets the connection."""

    def handler(connection: RawConnection) -> None:
        connection.read(1)
        connection.send(TOO_LARGE)

    for _ in range(5):
        async with connect(handler) as stream:
            while not await stream.drain():
                stream.write(b"x" * 65_536)
            assert await stream.readhead(1000) == TOO_LARGE


@pytest.mark.parametrize("over", ["tcp"], indirect=True)
async def test_the_rest_of_a_response_before_a_reset_is_received(connect: Connect) -> None:
    """Its head was read while the upload was under way; what is written then finds the connection reset."""
    heard, done = Gate(), Gate()

    def handler(connection: RawConnection) -> None:
        connection.read(1)
        connection.send(TOO_LARGE)
        heard.wait()
        connection.send(b"too large")
        connection.reset()
        done.open()

    async with connect(handler) as stream:
        while not await stream.drain():
            stream.write(b"x" * 65_536)
        assert await stream.readhead(1000) == TOO_LARGE
        heard.open()
        done.wait()  # the loop notices nothing before it writes
        stream.write(b"x")
        assert await stream.readexactly(9) == b"too large"


# Time limits


@pytest.mark.parametrize("wait", READS.values(), ids=READS)
async def test_a_silent_peer_is_a_read_timeout(connect: Connect, wait: Wait) -> None:
    async with connect(RawConnection.hold, read=0.1) as stream:
        with lasts(0.1), pytest.raises(ReadTimeout, match=r"from 127\.0\.0\.1:[0-9]+ in 0\.1 s") as raised:
            await wait(stream)
        assert (raised.value.phase, raised.value.seconds) == ("read", 0.1)
        with pytest.raises(HTTPException):
            await stream.read(1)
        with pytest.raises(HTTPException):
            stream.write(b"x")


async def test_a_timeout_begins_with_each_wait(connect: Connect) -> None:
    def echo(connection: RawConnection) -> None:
        while data := connection.read(1):
            connection.send(data)

    async with connect(echo, read=FOREVER) as stream:
        reading = asyncio.create_task(stream.readexactly(3))
        deadlines = [math.inf]
        for _ in range(3):
            await wait_until(lambda: stream.deadline != deadlines[-1])
            deadlines.append(stream.deadline)
            await asyncio.sleep(0.02)
            stream.write(b"x")
        assert await reading == b"xxx"
    assert all(later - earlier > 0.01 for earlier, later in itertools.pairwise(deadlines[1:]))


async def test_a_peer_that_takes_nothing_is_a_write_timeout(connect: Connect) -> None:
    async with connect(RawConnection.hold, write=0.1, read=None) as stream:
        await fill_send_buffers(stream)
        with (
            lasts(0.1),
            pytest.raises(WriteTimeout, match=r"no data accepted by 127\.0\.0\.1:[0-9]+ in 0\.1 s") as raised,
        ):
            await stream.drain()
        assert (raised.value.phase, raised.value.seconds) == ("write", 0.1)


@pytest.mark.parametrize("read", [None, FOREVER])
async def test_drips_do_not_extend_the_total_time(connect: Connect, read: float | None) -> None:
    def handler(connection: RawConnection) -> None:
        connection.send_slowly(itertools.repeat(b"x"), pause=0.02)

    async with connect(handler, read=read) as stream:
        with lasts(0.1), pytest.raises(TotalTimeout, match=r"in 0\.1 s") as raised, stream.limited(0.1):
            await stream.readexactly(1000)
        assert raised.value.phase == "total"


async def test_the_total_time_ends_an_upload(connect: Connect) -> None:
    async with connect(RawConnection.hold, write=None) as stream:
        await fill_send_buffers(stream)
        with pytest.raises(TotalTimeout), stream.limited(0.1):
            await stream.drain()


async def test_a_total_time_that_is_over_leaves_no_time_to_wait(connect: Connect) -> None:
    async with connect(RawConnection.hold) as stream:
        with pytest.raises(TotalTimeout), stream.limited(0):
            await stream.read(1)


async def test_a_limited_scope_never_extends_the_limit_around_it_and_ends_with_it(connect: Connect) -> None:
    async with connect(RawConnection.hold, read=None) as stream:
        with stream.limited(5):
            outer = stream.total
            with stream.limited(60):
                assert stream.total == outer
            with stream.limited(1):
                assert stream.total.total == 1
            with stream.limited(None):
                assert stream.total == outer
            assert stream.total == outer
        assert stream.total == NEVER


# One wait at a time


@pytest.mark.parametrize("second", READS.values(), ids=READS)
async def test_a_second_reader_is_refused_and_the_first_goes_on(connect: Connect, second: Wait) -> None:
    gate = Gate()
    async with connect(gate.then(sending(b"hello"))) as stream:
        first = asyncio.create_task(stream.readexactly(5))
        await asyncio.sleep(0)
        with pytest.raises(ImproperConnectionState, match="another task"):
            await second(stream)
        with pytest.raises(ImproperConnectionState, match="another task"):
            await stream.wait_readable(1)
        assert stream.take_exactly(0) is None
        gate.open()
        assert await first == b"hello"


async def test_bytes_that_another_reader_waits_with_are_not_shown(connect: Connect) -> None:
    gate = Gate()

    def handler(connection: RawConnection) -> None:
        connection.send(b"hel")
        gate.then(sending(b"lo\n"))(connection)

    async with connect(handler) as stream:
        await stream.wait_readable(5)
        first = asyncio.create_task(stream.readline(100))
        await asyncio.sleep(0)
        assert stream.buffered() == (b"", 0)
        gate.open()
        assert await first == b"hello\n"
        assert stream.buffered() == (b"", 0)


async def test_a_second_writer_is_refused(connect: Connect) -> None:
    async with connect(RawConnection.hold) as stream:
        await fill_send_buffers(stream)
        first = asyncio.create_task(stream.drain())
        await asyncio.sleep(0)
        with pytest.raises(ImproperConnectionState):
            await stream.drain()
        stream.abort()
        with pytest.raises(NotConnected):
            await first


async def test_a_cancelled_wait_leaves_the_stream_as_it_was(connect: Connect) -> None:
    gate = Gate()
    async with connect(gate.then(sending(b"hello")), read=0.1) as stream:
        waiting = asyncio.create_task(stream.read(5))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0.2)  # its time limit went with it
        stream.timeout = Timeout(read=5.0)
        gate.open()
        assert await stream.readexactly(5) == b"hello"
