"""Files that the kernel sends: complete, in order, stopped by a response, and no descriptor left."""

import asyncio
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

from asyncclient import Client
from asyncclient.errors import ConnectError, NotConnected, WriteTimeout
from asyncclient.testing import RawConnection, RawServer
from tests.durations import lasts
from tests.pool.hosts import wait_until
from tests.stream.peers import MEBIBYTE, TOO_LARGE, Connect, Gate, fill_send_buffers

SIZE = 20 * len(MEBIBYTE)  # more than any socket takes at once


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sent") / "file.bin"
    path.write_bytes(bytes(range(251)) * (SIZE // 251) + bytes(SIZE % 251))
    return path


@pytest.fixture
def file(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as opened:
        yield opened


@pytest.fixture
def over() -> str:
    return "tcp"


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def send_greeting(connection: RawConnection) -> None:
    """Say that the connection is there, and take nothing."""
    connection.send(b"!")
    connection.hold()


async def descriptors_are_closed(before: int) -> bool:
    """Whether as few descriptors are open as before, as soon as worker threads are done."""
    for _ in range(100):
        if descriptors() <= before:
            return True
        await asyncio.sleep(0.02)
    return False


async def test_the_whole_file_is_sent_after_the_written_bytes(connect: Connect, file: IO[bytes]) -> None:
    received: list[bytes] = []
    done = Gate()

    def handler(connection: RawConnection) -> None:
        received.append(connection.read_body(5 + SIZE - 3))
        done.open()
        connection.hold()

    async with connect(handler) as stream:
        stream.write(b"head:")
        sent = 0
        while sent < SIZE - 3:
            sent += await stream.sendfile(file.fileno(), 3 + sent, SIZE - 3 - sent) or 0
            assert not await stream.drain()
        await asyncio.to_thread(done.wait)
        assert file.tell() == 0
    file.seek(3)
    assert received == [b"head:" + file.read()]


async def test_a_part_in_the_middle_is_sent(connect: Connect, file: IO[bytes]) -> None:
    received: list[bytes] = []
    done = Gate()

    def handler(connection: RawConnection) -> None:
        received.append(connection.read_body(20))
        done.open()
        connection.hold()

    async with connect(handler) as stream:
        assert await stream.sendfile(file.fileno(), 100, 10) == 10
        stream.write(b"0123456789")
        await asyncio.to_thread(done.wait)
    file.seek(100)
    assert received == [file.read(10) + b"0123456789"]


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Have the process open no more files than it has open now."""
    limits, kept = resource.getrlimit(resource.RLIMIT_NOFILE), list[int]()
    highest = os.dup(0)
    os.close(highest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
    try:
        with suppress(OSError):
            while True:
                kept.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for number in kept:
            os.close(number)


async def test_without_a_free_descriptor_a_body_is_sent_nevertheless(file: IO[bytes]) -> None:
    sizes: list[int] = []

    def count(connection: RawConnection) -> None:
        while connection.read_request()[0]:
            sizes.append(len(connection.raw_body))
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with RawServer(count) as server:
        async with Client() as client:
            await client.get(server.url)
            await asyncio.to_thread(file.tell)  # its thread is there
            with no_descriptor_left():
                with pytest.raises(OSError, match="Too many open files"):
                    os.dup(0)
                for body in (file, MEBIBYTE):
                    assert (await client.post(server.url, body=body)).status == 200
            text = r"^no connection to 127\.0\.0\.1:1: \[Errno 24\] Too many open files \(GET "
            with no_descriptor_left(), pytest.raises(ConnectError, match=text):
                await client.get("http://127.0.0.1:1/")
    assert sizes == [0, SIZE, len(MEBIBYTE)]


async def test_a_file_that_ends_early_is_sent_as_far_as_it_goes(connect: Connect, file: IO[bytes]) -> None:
    async with connect(RawConnection.hold) as stream:
        assert await stream.sendfile(file.fileno(), SIZE - 50, 1000) == 50
        assert await stream.sendfile(file.fileno(), SIZE, 1000) == 0


async def test_the_loop_runs_while_a_file_is_sent(
    connect: Connect, file: IO[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a fast peer a single call would send all of it, and no response would be received meanwhile."""
    counts, send = [], os.sendfile

    def noting(to: int, source: int, offset: int, count: int) -> int:
        counts.append(count)
        return send(to, source, offset, count)

    monkeypatch.setattr(os, "sendfile", noting)
    async with connect(lambda connection: connection.read_body(SIZE)) as stream:
        assert await stream.sendfile(file.fileno(), 0, SIZE) == SIZE
    assert 0 < max(counts) <= len(MEBIBYTE)


@pytest.mark.parametrize("fills", [False, True], ids=["in the file", "before the file"])
async def test_an_early_answer_stops_a_file(connect: Connect, file: IO[bytes], fills: bool) -> None:
    gate = Gate()

    def handler(connection: RawConnection) -> None:
        connection.read(1)
        gate.wait()
        connection.send(TOO_LARGE)
        connection.hold()

    async with connect(handler) as stream:
        stream.write(b"head")
        if fills:
            await fill_send_buffers(stream)
        asyncio.get_running_loop().call_later(0.05, gate.open)
        sent = await stream.sendfile(file.fileno(), 0, SIZE)
        assert sent is not None
        assert sent < SIZE
        assert await stream.drain()
        assert await stream.readhead(1000) == TOO_LARGE


@pytest.mark.parametrize("fills", [False, True], ids=["in the file", "before the file"])
@pytest.mark.parametrize("end", [RawConnection.close, RawConnection.reset])
async def test_a_peer_that_ends_stops_a_file(
    connect: Connect, file: IO[bytes], end: Callable[[RawConnection], None], fills: bool
) -> None:
    gate = Gate()

    def handler(connection: RawConnection) -> None:
        connection.read(1)
        gate.wait()
        end(connection)

    async with connect(handler) as stream:
        stream.write(b"head")
        if fills:
            await fill_send_buffers(stream)
        asyncio.get_running_loop().call_later(0.05, gate.open)
        sent = await stream.sendfile(file.fileno(), 0, SIZE)
        assert sent is not None
        assert sent < SIZE
        assert await stream.drain()


@pytest.mark.parametrize("fills", [False, True], ids=["in the file", "before the file"])
async def test_a_peer_that_takes_nothing_of_a_file_is_a_write_timeout(
    connect: Connect, file: IO[bytes], fills: bool
) -> None:
    """The error is kept, its traceback with it; they must not keep the connection open."""
    async with connect(send_greeting, write=0.1) as stream:
        await stream.readexactly(1)
        await asyncio.to_thread(int)  # the executor's thread is there
        before = descriptors()
        if fills:
            await fill_send_buffers(stream)
        with lasts(), pytest.raises(WriteTimeout) as raised:
            await stream.sendfile(file.fileno(), 0, SIZE)
        await stream.wait_closed()
        assert await descriptors_are_closed(before - 1), raised


@pytest.mark.parametrize("fills", [False, True], ids=["in the file", "before the file"])
async def test_an_end_from_this_side_stops_a_file(connect: Connect, file: IO[bytes], fills: bool) -> None:
    async with connect(RawConnection.hold) as stream:
        if fills:
            await fill_send_buffers(stream)
        sending = asyncio.create_task(stream.sendfile(file.fileno(), 0, SIZE))
        await wait_until(lambda: stream._wake_up)  # for room
        stream.abort()
        with pytest.raises(NotConnected):
            await sending


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 50])
async def test_a_cancelled_file_leaves_no_descriptor(connect: Connect, file: IO[bytes], turns: int) -> None:
    async with connect(send_greeting) as stream:
        await stream.readexactly(1)
        stream.write(b"head")
        await asyncio.to_thread(int)  # the executor's thread is there
        before = descriptors()
        sending = asyncio.create_task(stream.sendfile(file.fileno(), 0, SIZE))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        stream.abort()
        await stream.wait_closed()
        del sending
        assert await descriptors_are_closed(before - 1)


class TestOverTLS:
    @pytest.fixture
    def over(self) -> str:
        return "tls"

    async def test_tls_sends_no_files(self, connect: Connect, file: IO[bytes]) -> None:
        async with connect(RawConnection.hold) as stream:
            assert await stream.sendfile(file.fileno(), 0, 10) is None
