"""Streams of every kind with a scripted peer behind each."""

import asyncio
import threading
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from itertools import count, product
from typing import Any

import pytest

from asyncclient.exchange.stream import ByteStream
from asyncclient.stream.aio import AioStream
from asyncclient.stream.dial import Route, open_stream
from asyncclient.stream.opening import Opening
from asyncclient.testing import RawConnection, RawServer
from asyncclient.timeouts import Timeout
from tests.durations import STALL
from tests.scripted import ScriptedStream
from tests.servers import Certificates

Connect = Callable[..., AbstractAsyncContextManager[AioStream]]
Feed = Callable[..., AbstractAsyncContextManager[ByteStream]]

Wait = Callable[[AioStream], Awaitable[object]]
READS: dict[str, Wait] = {
    "readhead": lambda stream: stream.readhead(1000),
    "readline": lambda stream: stream.readline(1000),
    "read": lambda stream: stream.read(1000),
    "readexactly": lambda stream: stream.readexactly(2),
    "readinto": lambda stream: stream.readinto(memoryview(bytearray(10))),
    "readinto, large": lambda stream: stream.readinto(memoryview(bytearray(512 * 1024))),
}
MEBIBYTE = bytes(1024 * 1024)
PATIENCE = Timeout(connect=STALL, tls=STALL, read=STALL, close=0.2)
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\n\r\n"


class Gate:
    """An event that the peer waits for."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.open = self._event.set

    def wait(self) -> None:
        assert self._event.wait(STALL)

    def then(self, action: Callable[[RawConnection], object]) -> Callable[[RawConnection], None]:
        """Return a server's handler that acts once the gate is open."""

        def handler(connection: RawConnection) -> None:
            self.wait()
            action(connection)

        return handler


async def fill_send_buffers(stream: AioStream) -> None:
    """Write until nothing more fits; TLS and the loop have buffers of their own."""
    for _ in range(64):
        stream.write(MEBIBYTE)
        await asyncio.sleep(0)
        if not stream.may_write:
            return
    raise AssertionError("nothing holds up the writing")


async def dial(route: Route, timeout: Timeout) -> AioStream:
    stream, _ = await open_stream(route, timeout, Opening(0.0))
    return stream


def route_to(server: RawServer, tls: Certificates | None, **options: Any) -> Route:
    context = None if tls is None else tls.client_context()
    return Route(server.host, server.port, tls=context, server_name=None if tls is None else server.host, **options)


@asynccontextmanager
async def connected_stream(
    handler: Callable[[RawConnection], object], tls: Certificates | None, timeout: Timeout, **options: Any
) -> AsyncIterator[AioStream]:
    """Open a stream to a server that runs the handler; it is dropped at the end."""
    with RawServer(handler, tls=None if tls is None else tls.server_context()) as server:
        stream = await dial(route_to(server, tls, **options), timeout)
        try:
            yield stream
        finally:
            stream.abort()
            await stream.wait_closed()


@asynccontextmanager
async def stream_with_pieces(
    pieces: Sequence[bytes], tls: Certificates | None, *, stays: bool = False
) -> AsyncIterator[ByteStream]:
    """Open a stream whose peer sends these pieces and ends, or stays silent."""

    def send(connection: RawConnection) -> None:
        connection.send_slowly(pieces)
        if stays:
            connection.hold()

    async with connected_stream(send, tls, Timeout(read=5.0)) as stream:
        yield stream


@asynccontextmanager
async def scripted_stream(pieces: Sequence[bytes], *, stays: bool = False) -> AsyncIterator[ByteStream]:
    silence: list[bytes | Exception] = [AssertionError("waited for a peer that stays silent")]
    yield ScriptedStream([*pieces, *(silence if stays else [])])


async def cancel_at_each_turn(route: Route, timeout: Timeout, pause: float) -> None:
    """Dial and cancel after 0, 1, 2 … pauses, until it is open by then: how many that takes is up to the machine."""
    for turns in count():
        opening = asyncio.create_task(dial(route, timeout))
        for _ in range(turns):
            await asyncio.sleep(pause)
        if opening.done():
            opening.result().abort()
            return
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening


async def cancel_in_each_wait(route: Route, timeout: Timeout) -> None:
    """Dial and cancel as its 1st, 2nd … wait begins, and as it has ended; what is there at once is not waited for."""

    async def dial_cancelled(number: int, *, has_ended: bool) -> AioStream:
        return await _cancelled_in_wait(number, dial(route, timeout), has_ended=has_ended)

    for number, has_ended in product(range(1, 9), (False, True)):
        opening = asyncio.create_task(dial_cancelled(number, has_ended=has_ended))
        await asyncio.wait([opening])
        if not opening.cancelled():
            opening.result().abort()


@types.coroutine
def _cancelled_in_wait(
    number: int, work: Coroutine[Any, Any, AioStream], *, has_ended: bool
) -> Generator[Any, Any, AioStream]:
    """Do the work, and cancel the task that does it in its wait of that number.

    At the end of the wait: its result is there, and the task has not been resumed.
    """
    task = asyncio.current_task()
    assert task is not None
    go_on: Callable[[], Any] = partial(work.send, None)
    for wait in count(1):
        try:
            awaited = go_on()
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        if wait == number and has_ended and awaited is not None:
            awaited.add_done_callback(lambda _: task.cancel())
        elif wait == number:
            task.cancel()
        try:
            yield awaited
            go_on = partial(work.send, None)
        except BaseException as exc:
            go_on = partial(work.throw, exc)
    raise AssertionError("worked without end")
