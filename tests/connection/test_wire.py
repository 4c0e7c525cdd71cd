"""A wire on a scripted transport, without a socket: one exchange at a time, and the reason why no other may follow."""

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from asyncclient import HTTPResponse, IncompleteRead, NotConnected, ReadTimeout, RemoteDisconnected, Timeout
from asyncclient.exchange.body import open_source
from asyncclient.exchange.exchange import Exchange
from asyncclient.limits import DEFAULT
from asyncclient.message.cycle import CloseReason, State
from asyncclient.message.head import HeadCache
from asyncclient.message.request import RequestHead
from asyncclient.stream.aio import AioStream
from asyncclient.timings import Timings
from asyncclient.wire import Wire
from tests.connection.conversations import OK, chunked, reply

LONG = 200_000  # bytes of content that a server may reject unread


class Kernel:
    """The transport's socket, as far as it is asked: a pipe with the bytes that the loop has not received."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()

    def fileno(self) -> int:
        return self._reading

    def add(self, data: bytes) -> None:
        os.write(self._writing, data)

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)


class Channel(asyncio.Transport):
    """A transport in memory: it keeps the written bytes, and `answer` returns the bytes received after each write."""

    def __init__(self, stream: AioStream, kernel: Kernel, answer: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self.stream = stream
        self.writes: list[bytes] = []
        self.how_closed = ""
        self._extra = {"socket": kernel, "peername": ("peer", 80)}
        self._answer = answer
        self._protocol: Any = stream

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._extra.get(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))
        if received := self._answer(b"".join(self.writes)):
            self.stream.loop.call_soon(self.stream.data_received, received)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return bool(self.how_closed)

    def close(self) -> None:
        self._end("close")

    def abort(self) -> None:
        self._end("abort")

    def _end(self, how: str) -> None:
        if not self.how_closed:
            self.how_closed = how
            self.stream.loop.call_soon(self._protocol.connection_lost, None)


def answer_nothing(written: bytes) -> bytes:
    return b""


class Rig:
    """A wire with its transport, and the kernel below it."""

    def __init__(self, answer: Callable[[bytes], bytes], timeout: Timeout, kernel: Kernel) -> None:
        stream = AioStream(asyncio.get_running_loop(), "peer:80", timeout)
        self.kernel = kernel
        self.channel = Channel(stream, kernel, answer)
        stream.connection_made(self.channel)
        self.stream = stream
        self.wire = Wire(stream, DEFAULT, HeadCache(), Timings(0.0))

    def send(self, method: str = "GET", *fields: tuple[str, str], content: bytes | None = None) -> Exchange:
        exchange = begin(method, *fields)
        self.wire.send(exchange, content)
        return exchange

    async def receive(self, exchange: Exchange) -> HTTPResponse:
        return await self.wire.receive(exchange, self.wire.end)

    async def converse(self, method: str = "GET", *fields: tuple[str, str]) -> tuple[int, bytes]:
        response = await self.receive(self.send(method, *fields))
        return response.status, await response.read()


def begin(method: str, *fields: tuple[str, str]) -> Exchange:
    head = RequestHead(method, "/")
    for name, value in fields:
        head.add(name, value)
    return Exchange(head, time.monotonic())


@contextmanager
def open_rig(answer: Callable[[bytes], bytes] = answer_nothing, timeout: Timeout | None = None) -> Iterator[Rig]:
    kernel = Kernel()
    rig = Rig(answer, timeout or Timeout(), kernel)
    try:
        yield rig
    finally:
        rig.wire.close()
        kernel.close()


def answer_each(*answers: bytes) -> Callable[[bytes], bytes]:
    """An answer to each request; the requests are heads."""
    return lambda written: answers[(written.count(b"\r\n\r\n") - 1) % len(answers)]


async def test_a_request_is_one_write_and_its_response_is_received() -> None:
    with open_rig(answer_each(reply(b"hello"))) as rig:
        exchange = rig.send("POST", ("Content-Length", "4"), content=b"body")
        assert rig.channel.writes == [b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"]
        assert (exchange.state, rig.wire.exchange) == (State.SENT, exchange)
        response = await rig.receive(exchange)
        assert (response.status, exchange.state) == (200, State.CONTENT)
        assert await response.read() == b"hello"
        assert (exchange.state, rig.wire.exchange, rig.wire.close_reason) == (State.IDLE, None, None)


@pytest.mark.parametrize("answer", [reply(b"ok"), chunked(b"o", b"k"), b"HTTP/1.1 204 No Content\r\n\r\n"])
async def test_a_wire_is_available_again_after_the_last_byte(answer: bytes) -> None:
    with open_rig(answer_each(answer)) as rig:
        for number in range(1, 4):
            assert rig.wire.is_available(time.monotonic())
            exchange = rig.send()
            assert not rig.wire.is_available(time.monotonic())
            response = await rig.receive(exchange)
            await response.read()
            assert len(rig.channel.writes) == number
        assert rig.wire.is_available(time.monotonic())
        assert rig.channel.how_closed == ""


async def test_interim_responses_are_kept_and_not_the_response() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    with open_rig(answer_each(interim + OK)) as rig:
        response = await rig.receive(rig.send())
        assert [each.status for each in response.interim] == [103]
        assert (response.status, await response.read()) == (200, b"ok")


UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nall"


@pytest.mark.parametrize(
    ("fields", "answer", "reason"),
    [
        ([], OK, None),
        ([("Connection", "close")], OK, CloseReason.CLIENT_CLOSE),
        ([], reply(b"ok", b"Connection: close"), CloseReason.SERVER_CLOSE),
        ([], b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", CloseReason.SERVER_CLOSE),
        ([("Content-Length", "9")], OK, CloseReason.EARLY_RESPONSE),
        ([("Transfer-Encoding", "chunked")], OK, CloseReason.EARLY_RESPONSE),
    ],
)
async def test_the_close_reason_is_known_with_the_head_and_closes_after_the_content(
    fields: list[tuple[str, str]], answer: bytes, reason: CloseReason | None
) -> None:
    with open_rig(answer_each(answer)) as rig:
        exchange = rig.send("POST", *fields)
        response = await rig.receive(exchange)
        assert (exchange.close_reason, rig.wire.close_reason) == (reason, None)
        assert await response.read() == b"ok"
        assert rig.wire.close_reason is reason
        assert rig.wire.is_available(time.monotonic()) is (reason is None)
        assert rig.channel.how_closed == ("" if reason is None else "close")


async def test_content_until_close_ends_with_the_connection() -> None:
    with open_rig(answer_each(UNTIL_CLOSE)) as rig:
        response = await rig.receive(rig.send())
        rig.stream.eof_received()
        assert await response.read() == b"all"
        assert rig.wire.close_reason is CloseReason.READ_UNTIL_CLOSE


@pytest.mark.parametrize(("length", "reason"), [(100, None), (LONG, CloseReason.REJECTED_UNREAD)])
async def test_a_rejection_of_long_content_is_a_reason_to_close(length: int, reason: CloseReason | None) -> None:
    rejection = reply(b"too large", status=b"413 Content Too Large")
    end = b"\r\n\r\n" + bytes(length)
    with open_rig(lambda written: rejection if written.endswith(end) else b"") as rig:
        exchange = begin("POST", ("Content-Length", str(length)))
        await rig.wire.send_body(exchange, await open_source(bytes(length)), chunked=False)
        response = await rig.receive(exchange)
        assert (response.status, await response.read()) == (413, b"too large")
        assert rig.wire.close_reason is reason


async def test_a_response_during_the_upload_ends_it() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1000)

    def reject(written: bytes) -> bytes:
        return reply(b"no", status=b"403 Forbidden") if len(rig.channel.writes) == 3 else b""

    with open_rig(reject) as rig:
        exchange = begin("POST", ("Transfer-Encoding", "chunked"))
        await rig.wire.send_body(exchange, await open_source(endless()), chunked=True)
        written = len(rig.channel.writes)
        assert exchange.close_reason is CloseReason.EARLY_RESPONSE
        response = await rig.receive(exchange)
        assert (response.status, await response.read()) == (403, b"no")
        assert len(rig.channel.writes) == written
        assert not rig.channel.writes[-1].endswith(b"0\r\n\r\n")
        assert rig.wire.close_reason is CloseReason.EARLY_RESPONSE


async def test_a_switch_of_protocols_hands_the_stream_over() -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nfirst"
    with open_rig(answer_each(switch)) as rig:
        exchange = rig.send("GET", ("Connection", "Upgrade"), ("Upgrade", "x"))
        response = await rig.receive(exchange)
        assert (exchange.state, rig.wire.close_reason) == (State.UPGRADED, CloseReason.UPGRADED)
        assert response.upgraded is not None
        reader, writer = response.upgraded
        assert await reader.readexactly(5) == b"first"
        writer.close()
        assert not rig.wire.is_available(time.monotonic())


FAILURES: list[tuple[bytes, type[Exception]]] = [
    (b"", RemoteDisconnected),
    (b"HTTP/1.1 200 OK\r\nContent-Le", IncompleteRead),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", IncompleteRead),
]


@pytest.mark.parametrize(("received", "error"), FAILURES)
async def test_a_failed_exchange_drops_the_connection(received: bytes, error: type[Exception]) -> None:
    with open_rig(answer_each(received)) as rig:
        exchange = rig.send()
        rig.stream.loop.call_soon(rig.stream.eof_received)
        with pytest.raises(error):
            await (await rig.receive(exchange)).read()
        assert (rig.wire.close_reason, rig.channel.how_closed) == (CloseReason.FAILED, "abort")
        assert exchange.state == State.IDLE


async def test_a_time_limit_drops_the_connection() -> None:
    with open_rig(timeout=Timeout(read=0.01)) as rig:
        with pytest.raises(ReadTimeout):
            await rig.receive(rig.send())
        assert (rig.wire.close_reason, rig.channel.how_closed) == (CloseReason.FAILED, "abort")


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
async def test_a_cancelled_exchange_drops_the_connection(received: bytes) -> None:
    async def read() -> None:
        await (await rig.receive(rig.send())).read()

    with open_rig(answer_each(received)) as rig:
        task = asyncio.create_task(read())
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (rig.wire.close_reason, rig.channel.how_closed) == (CloseReason.FAILED, "abort")


async def test_close_ends_the_exchange_of_another_task() -> None:
    with open_rig() as rig:
        task = asyncio.create_task(rig.receive(rig.send()))
        await asyncio.sleep(0)
        rig.wire.close()
        with pytest.raises(NotConnected):
            await task
        assert (rig.wire.close_reason, rig.channel.how_closed) == (CloseReason.CLOSED, "abort")


async def test_closing_an_idle_wire_is_orderly_and_the_first_reason_stays() -> None:
    with open_rig(answer_each(OK)) as rig:
        await rig.converse()
        rig.wire.close(CloseReason.UNSOLICITED)
        rig.wire.close()
        assert (rig.wire.close_reason, rig.channel.how_closed) == (CloseReason.UNSOLICITED, "close")


@pytest.mark.parametrize("data", [b"HTTP/1.1 408 Request Timeout\r\n\r\n", b""])
async def test_unsolicited_data_or_an_end_makes_a_wire_unavailable(data: bytes) -> None:
    with open_rig(answer_each(OK)) as rig:
        await rig.converse()
        if data:
            rig.stream.data_received(data)
        else:
            rig.stream.eof_received()
        assert not rig.wire.is_available(rig.wire.ended_at)


async def test_the_kernel_is_asked_for_unsolicited_data_unless_the_loop_has_just_read() -> None:
    with open_rig(answer_each(OK)) as rig:
        await rig.converse()
        assert rig.wire.is_available(rig.wire.ended_at + 60)
        rig.kernel.add(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        assert rig.wire.is_available(rig.wire.ended_at)
        assert not rig.wire.is_available(rig.wire.ended_at + 60)


async def test_an_exchange_that_is_over_does_not_end_the_next_one() -> None:
    with open_rig(answer_each(OK)) as rig:
        first = rig.send()
        await (await rig.receive(first)).read()
        second = rig.send()
        rig.wire.end(first, None)
        assert rig.wire.close_reason is None
        assert await (await rig.receive(second)).read() == b"ok"


async def test_an_abandoned_wire_frees_its_transport() -> None:
    with open_rig(answer_each(OK)) as rig:
        await rig.converse()
        channel = rig.channel
        del rig.wire
        gc.collect()
        await asyncio.sleep(0)
        assert channel.how_closed == "abort"
        rig.wire = Wire(rig.stream, DEFAULT, HeadCache(), Timings(0.0))  # for the end of the block


async def test_repr_names_the_state_and_the_reason() -> None:
    with open_rig(answer_each(reply(b"ok", b"Connection: close"))) as rig:
        assert repr(rig.wire) == "<Wire peer:80 idle>"
        exchange = rig.send()
        assert repr(rig.wire) == "<Wire peer:80 request sent>"
        response = await rig.receive(exchange)
        assert repr(rig.wire) == f"<Wire peer:80 {exchange.state} ({CloseReason.SERVER_CLOSE})>"
        await response.read()
        assert repr(rig.wire) == f"<Wire peer:80 closed ({CloseReason.SERVER_CLOSE})>"
