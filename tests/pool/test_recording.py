"""Recordings have the exact bytes of an exchange, as a server received and sent them."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asyncclient import Client, HTTPResponse, PoolTransport, Timeout, TransportRequest
from asyncclient.errors import IncompleteRead, ReadTimeout, RemoteDisconnected
from asyncclient.message.request import RequestHead
from asyncclient.stream.aio import AioStream
from asyncclient.testing import RawConnection, RawServer
from asyncclient.timeouts import NEVER
from asyncclient.transport import Destination
from asyncclient.wire import Wire
from tests.pool.hosts import let_loop_turn, wait_until
from tests.pool.witness import Recorded, Witness, reply, stale_once
from tests.servers import Certificates, ConnectProxy

CHUNKED = b"HTTP/1.1 200 OK\r\nX:  two blanks \r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
LONG = bytes(range(256)) * 8192

REPLIES = {
    "/length": reply(b"hello"),
    "/empty": reply(b""),
    "/chunked": CHUNKED + b"5;ext=1\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
    "/close": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
    "/old": b"HTTP/1.0 200\r\nFolded: a\r\n b\r\nConnection: close\r\n\r\nold",
    "/204": b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n",
    "/304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "/gzip": reply(gzip.compress(b"hello " * 100), b"Content-Encoding: gzip"),
    "/long": reply(LONG),
    "/long-chunks": CHUNKED + b"%x\r\n%b\r\n" % (len(LONG), LONG) * 2 + b"0\r\n\r\n",
}


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
async def test_responses_of_each_framing_are_recorded_byte_for_byte(tls: Certificates, is_secure: bool) -> None:
    recorded = Recorded(PoolTransport(ssl=tls.client_context()))
    with Witness(REPLIES, tls=tls.server_context() if is_secure else None) as server:
        async with Client(transport=recorded) as client:
            for path in (*REPLIES, *REPLIES):
                await client.get(server.url + path)
        assert recorded.seen == server.seen
        assert [recording.peer for recording in recorded.recordings] == [(server.host, server.port)] * 20
    assert server.accepted == 4 + 1  # two responses end their connection, twice
    assert not any(recording.request_cut or recording.response_cut for recording in recorded.recordings)
    heads = {recording.response[: recording.head_size].endswith(b"\r\n\r\n") for recording in recorded.recordings}
    assert heads == {True}


async def test_a_response_to_head_has_no_content() -> None:
    recorded = Recorded(PoolTransport())
    with Witness({"/": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"}) as server:
        async with Client(transport=recorded) as client:
            await client.head(server.url)
            await client.head(server.url)
    assert recorded.seen == server.seen
    assert recorded.last.head_size == len(recorded.last.response)


async def test_interim_responses_are_recorded_apart() -> None:
    interim = [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"]
    recorded = Recorded(PoolTransport())
    with Witness({"/": [*interim, reply(b"hello")]}) as server:
        async with Client(transport=recorded) as client:
            await client.post(server.url, body=b"content", headers={"Expect": "100-continue"})
    assert recorded.seen == server.seen
    assert recorded.last.interim == b"".join(interim)


async def chunks() -> AsyncIterator[bytes]:
    for part in (b"a", bytes(300_000), b"b"):
        yield part


async def test_request_bodies_are_recorded_as_they_were_sent(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(LONG)
    recorded = Recorded(PoolTransport())
    with Witness({"/": reply(b"hello")}) as server:
        async with Client(transport=recorded) as client:
            await client.post(server.url, body=b"short")
            await client.post(server.url, body=LONG)
            await client.post(server.url, body=path)
            await client.post(server.url, body=chunks())
            await client.post(server.url, body=chunks(), trailers={"X-Sum": "1"})
    assert recorded.seen == server.seen
    assert [recording.request_cut for recording in recorded.recordings] == [None] * 5


async def test_no_more_of_a_body_is_recorded_than_was_sent_before_an_early_response() -> None:
    def reject(connection: RawConnection) -> None:
        connection.send(reply(b"no", status=b"413 Content Too Large"))
        connection.wait_closed()

    sent: list[bytes] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            sent.append(b"x" * 1000)
            yield sent[-1]

    recorded = Recorded(PoolTransport())
    with Witness({"/": reject}) as server:
        async with Client(transport=recorded) as client:
            assert (await client.post(server.url, body=endless())).status == 413
    assert recorded.last.response == reply(b"no", status=b"413 Content Too Large")
    head, _, body = recorded.last.request.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    assert body == b"3E8\r\n%b\r\n" % (b"x" * 1000) * (len(body) // 1007)
    assert len(body) // 1007 in (len(sent), len(sent) - 1)


async def test_requests_to_a_proxy_are_recorded_as_sent_and_tunnels_from_the_inside(tls: Certificates) -> None:
    with (
        Witness(REPLIES) as forward,
        ConnectProxy() as connect,
        Witness(REPLIES, tls=tls.server_context()) as server,
    ):
        recorded = Recorded(PoolTransport(ssl=tls.client_context()))
        async with Client(transport=recorded, proxy=forward.url) as client:
            await client.get("http://a.test/length")
        assert recorded.seen == forward.seen
        assert recorded.last.request.startswith(b"GET http://a.test/length HTTP/1.1\r\n")
        recorded = Recorded(PoolTransport(ssl=tls.client_context()))
        async with Client(transport=recorded, proxy=connect.url) as client:
            await client.get(server.url + "/length")
            await client.get(server.url + "/chunked")
        assert recorded.seen == server.seen
    assert connect.accepted == 1


async def test_a_redirect_is_an_exchange_of_its_own() -> None:
    recorded = Recorded(PoolTransport())
    moved = reply(b"moved", b"Location: /length", status=b"302 Found")
    with Witness({"/": moved, **REPLIES}) as server:
        async with Client(transport=recorded) as client:
            await client.get(server.url + "/")
    assert recorded.seen == server.seen
    assert len(recorded.recordings) == 2


async def test_a_resend_after_a_stale_connection_is_an_exchange_of_its_own() -> None:
    recorded = Recorded(PoolTransport())
    with stale_once() as server:
        async with Client(transport=recorded) as client:
            assert (await client.get(server.url)).text == "one"
            assert (await client.get(server.url)).text == "two"
    first, stale, again = recorded.recordings
    assert (first.response, again.response) == (reply(b"one"), reply(b"two"))
    assert (stale.head_size, stale.response, stale.response_cut) == (0, b"", "disconnect")
    assert stale.request == again.request


def cut(connection: RawConnection) -> None:
    connection.send(reply(b"hello world")[:-6])


def stall(connection: RawConnection) -> None:
    cut(connection)
    connection.hold()


async def test_a_response_that_the_server_breaks_off_is_recorded_so_far() -> None:
    recorded = Recorded(PoolTransport())
    with Witness({"/": cut}) as server:
        async with Client(transport=recorded) as client:
            with pytest.raises(IncompleteRead):
                await client.get(server.url)
    assert (recorded.last.response, recorded.last.response_cut) == (reply(b"hello world")[:-6], "disconnect")


async def test_a_response_that_a_lenient_client_accepts_is_marked_as_broken_off() -> None:
    recorded = Recorded(PoolTransport(lenient=True))
    with Witness({"/": cut}) as server:
        async with Client(transport=recorded) as client:
            assert (await client.get(server.url)).text == "hello"
    assert recorded.last.response_cut == "disconnect"


async def test_a_response_that_is_not_received_in_time_is_marked_as_such() -> None:
    recorded = Recorded(PoolTransport())
    with Witness({"/": stall}) as server:
        async with Client(transport=recorded) as client:
            with pytest.raises(ReadTimeout):
                await client.get(server.url, timeout=Timeout(read=0.05))
    assert (recorded.last.response, recorded.last.response_cut) == (reply(b"hello world")[:-6], "time")


async def test_a_response_that_is_closed_before_its_end_is_marked_as_such() -> None:
    def send_part(connection: RawConnection) -> None:
        connection.send(reply(LONG)[:100_000])
        connection.hold()

    recorded = Recorded(PoolTransport())
    with Witness({"/": send_part}) as server:
        async with Client(transport=recorded) as client, client.stream("GET", server.url) as response:
            assert response.status == 200
    assert recorded.last.response_cut == "unspecified"


async def test_a_request_without_a_response_has_no_head() -> None:
    recorded = Recorded(PoolTransport())
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    with RawServer.replying(interim, then=RawConnection.close) as server:
        async with Client(transport=recorded) as client:
            with pytest.raises(RemoteDisconnected):
                await client.get(server.url)
    assert (recorded.last.head_size, recorded.last.interim, recorded.last.response) == (0, interim, b"")


@pytest.mark.parametrize("limit", [0, 10, 60, 100])
async def test_no_more_is_kept_than_the_limit(limit: int) -> None:
    recorded = Recorded(PoolTransport(), limit)
    with Witness({"/": reply(b"x" * 100)}) as server:
        async with Client(transport=recorded) as client:
            assert (await client.post(server.url, body=bytes(100))).content == b"x" * 100
    last, seen = recorded.last, server.seen[0]
    assert (last.request, last.response) == (seen.request[:limit], seen.response[:limit])
    assert (last.request_cut, last.response_cut) == ("length", "length")


async def test_bytes_after_a_response_are_not_recorded() -> None:
    recorded = Recorded(PoolTransport())
    with Witness({"/": reply(b"hello") + b"HTTP/1.1 200 of nobody"}) as server:
        async with Client(transport=recorded) as client:
            await client.get(server.url)
            await client.get(server.url)
    assert [seen.response for seen in recorded.seen] == [reply(b"hello")] * 2
    assert server.accepted == 2


async def test_an_upgrade_is_recorded_up_to_its_head() -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n"

    def upgrade(connection: RawConnection) -> None:
        connection.send(switch + b"first")
        connection.wait_closed()

    recorded = Recorded(PoolTransport())
    with Witness({"/": upgrade}) as server:
        async with Client(transport=recorded) as client:
            headers = {"Connection": "upgrade", "Upgrade": "echo"}
            async with client.stream("GET", server.url, headers=headers) as response:
                assert response.upgraded is not None
                reader, writer = response.upgraded
                assert await reader.readexactly(5) == b"first"
                writer.close()
                await writer.wait_closed()
    assert (recorded.last.response, recorded.last.response_cut) == (switch, None)


async def test_content_that_is_read_into_a_buffer_is_recorded() -> None:
    recorded, buffer, at = Recorded(PoolTransport()), bytearray(len(LONG)), 0
    with Witness(REPLIES) as server:
        async with recorded:
            response = await recorded.send(request_to(server, "/long"))
            assert isinstance(response, HTTPResponse)
            while count := await response.readinto(memoryview(buffer)[at:]):
                at += count
    assert buffer == LONG
    assert recorded.seen == server.seen


async def test_a_cancelled_read_leaves_each_byte_recorded_once() -> None:
    recorded, part = Recorded(PoolTransport()), reply(b"hello world")[:-6]
    with Witness({"/": stall}) as server:
        async with recorded:
            response = await recorded.send(request_to(server, "/"))
            reading = asyncio.create_task(response.read())
            await wait_until(lambda: received_of(response) == len(part))
            await let_loop_turn(3)
            reading.cancel()
            await asyncio.wait([reading])
    assert (recorded.last.response, recorded.last.response_cut) == (part, "unspecified")


async def test_closing_the_transport_ends_the_recordings_in_progress() -> None:
    recorded = Recorded(PoolTransport())
    with Witness({"/": stall}) as server:
        async with recorded:
            response = await recorded.send(request_to(server, "/"))
            await recorded.aclose()
            assert recorded.last.response_cut == "unspecified"
            response.close()
    assert len(recorded.recordings) == 1


def received_of(response: object) -> int:
    assert isinstance(response, HTTPResponse)
    return response._stream.recording.received.size  # type: ignore[attr-defined,no-any-return]


def request_to(server: RawServer, target: str) -> TransportRequest:
    head = RequestHead("GET", target)
    head.add("Host", f"{server.host}:{server.port}")
    return TransportRequest(head, Destination("http", server.host, server.port), Timeout(), NEVER)


async def test_an_error_of_the_recorder_sends_nothing_and_leaves_the_connection_to_others() -> None:
    inner = PoolTransport()
    with Witness(REPLIES) as server:
        async with Recorded(inner):
            await (await inner.send(request_to(server, "/length"))).read()
            with pytest.raises(ZeroDivisionError):
                await inner.send(request_to(server, "/length").replace(recorder=lambda: 1 // 0))  # type: ignore[arg-type,return-value]
            await (await inner.send(request_to(server, "/length"))).read()
    assert (len(server.seen), server.accepted) == (2, 1)


async def test_a_request_that_is_not_sent_has_no_recording_although_another_uses_the_connection() -> None:
    class Refused:
        data = None
        is_replayable = False

        async def open(self) -> None:
            raise ZeroDivisionError("of the body")

        async def aclose(self) -> None:
            pass

    recorded = Recorded(PoolTransport())
    with Witness(REPLIES) as server:
        async with recorded:
            refused = request_to(server, "/length")
            refused.body = Refused()  # type: ignore[assignment]
            with pytest.raises(ZeroDivisionError):
                await recorded.send(refused)
            await (await recorded.inner.send(request_to(server, "/length"))).read()
            assert not recorded.recordings
            await (await recorded.send(request_to(server, "/chunked"))).read()
    assert server.accepted == 1
    assert recorded.seen == server.seen[1:]


async def test_a_connection_is_as_before_after_its_exchange() -> None:
    inner = PoolTransport()
    recorded = Recorded(inner)
    with Witness(REPLIES) as server:
        async with recorded:
            await (await recorded.send(request_to(server, "/length"))).read()
            (lease,) = inner.pool.slots.idle
            assert (type(lease.wire), type(lease.wire.stream)) == (Wire, AioStream)
            await (await inner.send(request_to(server, "/length"))).read()
    assert recorded.seen == server.seen[:1]
