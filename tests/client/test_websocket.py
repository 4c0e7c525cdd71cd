"""Client.websocket(): the handshake, messages, the end, and what a faulty peer may do, on real sockets."""

import asyncio
import base64
import hashlib
import socket
import struct
import threading
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

import compat
from asyncclient import (
    Client,
    ClientClosed,
    ImproperConnectionState,
    ProtocolError,
    StatusError,
    TotalTimeout,
    WebSocket,
    WebSocketClosed,
)
from asyncclient.blocking.response import Response
from asyncclient.stream.deadlines import timer_of
from asyncclient.testing import RawConnection, RawServer, parse_fields
from tests.client.answering import Answering, is_clean, redirect
from tests.connection.conversations import OK, reply
from tests.pool.hosts import wait_until
from tests.servers import App, Caddy, Certificates, ConnectProxy

HOST = "127.0.0.1"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

Handler = Callable[[ServerConnection], Awaitable[None]]


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def serving(handler: Handler = echo, **options: Any) -> AsyncIterator[str]:
    """The URL of a server of the library websockets."""
    async with serve(handler, HOST, 0, **options) as server:
        scheme = "wss" if "ssl" in options else "ws"
        yield f"{scheme}://localhost:{next(iter(server.sockets)).getsockname()[1]}/"


@asynccontextmanager
async def connected(
    handler: Handler = echo, *, known: list[Subprotocol] | None = None, client: Client | None = None, **options: Any
) -> AsyncIterator[WebSocket]:
    client = client or Client()
    async with (
        serving(handler, subprotocols=known, max_size=None) as url,
        client,
        client.websocket(url, **options) as ws,
    ):
        yield ws


# Messages


async def test_messages_are_text_and_bytes() -> None:
    async with connected() as websocket:
        assert websocket.subprotocol is None
        for message in ("", "text €", b"", b"\0\xff", "x" * 100_000, bytes(70_000)):
            await websocket.send(message)
            received = await websocket.receive()
            assert received == message
            assert type(received) is type(message)
        await websocket.send(memoryview(b"view"))
        await websocket.send(bytearray(b"array"))
        assert [await websocket.receive() for _ in range(2)] == [b"view", b"array"]


async def test_iterating_ends_when_the_peer_closes_in_order() -> None:
    async def count(connection: ServerConnection) -> None:
        for number in range(3):
            await connection.send(str(number))
        await connection.close(1001, "done")

    async with connected(count) as websocket:
        assert [message async for message in websocket] == ["0", "1", "2"]
        assert (websocket.closed, websocket.close_code) == (True, 1001)
        with pytest.raises(WebSocketClosed, match="WebSocket closed with code 1001: 'done'") as caught:
            await websocket.receive()
        assert (caught.value.code, caught.value.reason, caught.value.is_normal) == (1001, "done", True)


async def test_iterating_raises_another_end() -> None:
    async def fail(connection: ServerConnection) -> None:
        await connection.send("a")
        await connection.close(1011)

    async with connected(fail) as websocket:
        assert await anext(websocket) == "a"
        with pytest.raises(WebSocketClosed, match="closed with code 1011"):
            await anext(websocket)


async def test_a_fragmented_message_is_joined() -> None:
    async def fragment(connection: ServerConnection) -> None:
        await connection.send(["a€"[:1], "", "€b"])
        await connection.send([b"1", b"2"])

    async with connected(fragment) as websocket:
        assert await websocket.receive() == "a€b"
        assert await websocket.receive() == b"12"


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_compression_is_offered_unless_it_is_off(compression: Any) -> None:
    seen: list[str] = []

    async def note(connection: ServerConnection) -> None:
        seen.extend(extension.name for extension in connection.protocol.extensions)
        await echo(connection)

    async with connected(note, compression=compression) as websocket:
        await websocket.send("a" * 1000)
        assert await websocket.receive() == "a" * 1000
    assert seen == (["permessage-deflate"] if compression else [])


async def test_any_number_of_tasks_send_and_one_receives() -> None:
    async with connected() as websocket:
        first = asyncio.create_task(websocket.receive())
        await asyncio.sleep(0)
        with pytest.raises(ImproperConnectionState, match="another task is receiving"):
            await websocket.receive()
        await asyncio.gather(*(websocket.send(str(number)) for number in range(50)))
        received = [await first] + [await websocket.receive() for _ in range(49)]
    assert sorted(map(str, received), key=int) == [str(number) for number in range(50)]


async def test_a_cancelled_receive_loses_nothing() -> None:
    async with connected() as websocket:
        task = asyncio.create_task(websocket.receive())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await websocket.send("a")
        assert await websocket.receive() == "a"


# The handshake


async def test_a_subprotocol_is_chosen_by_the_server() -> None:
    async with connected(known=[Subprotocol("b"), Subprotocol("c")], subprotocols=["a", "b"]) as websocket:
        assert websocket.subprotocol == "b"
        assert websocket.response.status == 101


async def test_cookies_fields_and_credentials_are_sent() -> None:
    seen: list[Any] = []

    async def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append({name: connection.request.headers.get(name) for name in ("Cookie", "Authorization", "Origin")})

    client = Client(cookies={"a": "1"}, auth=("u", "p"))
    async with connected(note, client=client, headers={"Origin": "http://b.test"}) as websocket:
        assert [message async for message in websocket] == []
    assert seen == [{"Cookie": "a=1", "Authorization": "Basic dTpw", "Origin": "http://b.test"}]


async def test_redirects_and_challenges_are_followed() -> None:
    denied = reply(b"", b'WWW-Authenticate: Digest realm="r", nonce="n"', status=b"401 Unauthorized")
    async with serving() as url:
        with Answering({"/": redirect(url.replace("ws:", "http:")), "/denied": denied}) as server:
            async with Client(base_url=server.url) as client:
                async with client.websocket("/") as websocket:
                    await websocket.send("a")
                    assert await websocket.receive() == "a"
                    assert len(websocket.response.history) == 1
                with pytest.raises(StatusError, match="401"):
                    await client.websocket("/denied").__aenter__()


async def test_tls(tls: Certificates) -> None:
    client = Client(ssl=tls.client_context())
    async with serving(ssl=tls.server_context()) as url, client, client.websocket(url) as websocket:
        await websocket.send("a" * 1_000_000)
        assert len(await websocket.receive()) == 1_000_000


@pytest.mark.parametrize("is_secure", [False, True])
async def test_a_proxy_opens_a_tunnel(
    is_secure: bool, tls: Certificates, connect_proxy: Callable[..., ConnectProxy]
) -> None:
    proxy = connect_proxy()
    options: dict[str, Any] = {"ssl": tls.server_context()} if is_secure else {}
    async with serving(**options) as url, Client(proxy=proxy.url, ssl=tls.client_context()) as client:
        for _ in range(2):
            async with client.websocket(url) as websocket:
                await websocket.send("a")
                assert await websocket.receive() == "a"
    assert [head.split()[0] for head in proxy.requests] == [b"CONNECT"] * 2


async def test_other_requests_to_the_origin_are_still_sent_to_the_proxy(
    connect_proxy: Callable[..., ConnectProxy],
) -> None:
    with RawServer.replying(OK) as proxy:
        async with Client(proxy=proxy.url) as client:
            request = client.build_request("GET", "http://a.test/")
            choices = request.choices._replace(needs_tunnel=True)
            found = client._settings.rounds.find(request.url)
            request.choices = choices
            tunnelled = client._settings.rounds.adapt(found, request).site
            assert (tunnelled.is_tunnelled, found.site.is_tunnelled) == (True, False)
            await client.get("http://a.test/")
    assert proxy.requests[0].startswith(b"GET http://a.test/ ")


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (reply(b"no", status=b"403 Forbidden"), StatusError, "403 Forbidden for GET"),
        (OK, StatusError, "200 OK for GET"),
    ],
)
async def test_another_answer_is_an_error(answer: bytes, error: type[Exception], text: str) -> None:
    with Answering({"/": answer}) as server:
        async with Client() as client:
            with pytest.raises(error, match=text):
                await client.websocket(server.url).__aenter__()
            assert await is_clean(client)


def switch(connection: RawConnection, *fields: bytes, key: bytes | None = None) -> None:
    """Answer the handshake."""
    head = connection.read_head()
    if key is None:
        sent = dict(parse_fields(head))["sec-websocket-key"].encode()
        key = base64.b64encode(hashlib.sha1(sent + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    lines = (b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: upgrade", *fields)
    connection.send(b"\r\n".join((*lines, b"Sec-WebSocket-Accept: " + key, b"", b"")))


@pytest.mark.parametrize(
    ("fields", "key", "text"),
    [
        ((), b"wrong", "Sec-WebSocket-Accept"),
        ((b"Sec-WebSocket-Protocol: b",), None, "no subprotocols supported"),
        ((b"Sec-WebSocket-Extensions: x",), None, "Unsupported extension"),
    ],
)
async def test_a_handshake_that_does_not_fit_is_an_error(
    fields: tuple[bytes, ...], key: bytes | None, text: str
) -> None:
    def answer(connection: RawConnection) -> None:
        switch(connection, *fields, key=key)
        connection.wait_closed()

    with RawServer(answer) as server:
        async with Client() as client:
            with pytest.raises(ProtocolError, match=rf"expected a WebSocket handshake: .*{text}.*\(GET"):
                await client.websocket(server.url).__aenter__()


async def test_the_handshake_has_the_timeouts_of_a_request() -> None:
    with RawServer(RawConnection.hold) as server:
        async with Client() as client:
            with pytest.raises(TotalTimeout):
                await client.websocket(server.url, timeout=0.05).__aenter__()


async def test_a_timeout_of_the_request_does_not_end_the_websocket() -> None:
    async def wait(connection: ServerConnection) -> None:
        await asyncio.sleep(0.3)
        await connection.send("late")

    async with connected(wait, timeout=0.25) as websocket:
        assert await websocket.receive() == "late"


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"subprotocols": "a"}, TypeError, "subprotocols"),
        ({"subprotocols": ["a b"]}, ValueError, "expected names of tokens as subprotocols, got 'a b'"),
        ({"compression": "gzip"}, ValueError, "expected 'deflate' or None as compression, got 'gzip'"),
        ({"max_message_size": 0}, ValueError, "expected max_message_size of at least 1"),
        ({"ping_interval": -1}, ValueError, "expected ping_interval of at least 0"),
        ({"close_timeout": None}, TypeError, "close_timeout"),
        ({"foo": 1}, TypeError, "foo"),
    ],
)
async def test_invalid_arguments(options: dict[str, Any], error: type[Exception], text: str) -> None:
    async with Client() as client:
        with pytest.raises(error, match=text):
            client.websocket("ws://a.test/", **options)


async def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    async with Client() as client:
        with pytest.raises(ImportError, match=r"WebSocket needs the extra asyncclient-http\[websocket\]"):
            client.websocket("ws://a.test/")


async def test_a_websocket_is_opened_once() -> None:
    async with serving() as url, Client() as client:
        opening = client.websocket(url)
        async with opening:
            pass
        with pytest.raises(ImproperConnectionState, match="expected to open a WebSocket once"):
            await opening.__aenter__()
        await client.aclose()
        with pytest.raises(ClientClosed):
            await client.websocket(url).__aenter__()


# The end


async def test_leaving_the_block_closes_in_order() -> None:
    codes: list[Any] = []

    async def note(connection: ServerConnection) -> None:
        await connection.wait_closed()
        codes.append((connection.close_code, connection.close_reason))

    async with serving(note) as url, Client() as client:
        async with client.websocket(url):
            pass
        async with client.websocket(url) as websocket:
            await websocket.close(4001, "later")
            await websocket.close()
            with pytest.raises(WebSocketClosed):
                await websocket.send("a")
            with pytest.raises(WebSocketClosed):
                await websocket.ping()
        with pytest.raises(LookupError):
            async with client.websocket(url):
                raise LookupError
        await wait_until(lambda: len(codes) == 3)
        assert await is_clean(client)
    assert codes == [(1000, ""), (4001, "later"), (1011, "")]


async def test_a_cancelled_block_leaves_nothing() -> None:
    codes: list[Any] = []
    begun = asyncio.Event()

    async def note(connection: ServerConnection) -> None:
        await connection.wait_closed()
        codes.append(connection.close_code)

    async def use(client: Client, url: str) -> None:
        async with client.websocket(url) as websocket:
            begun.set()
            await websocket.receive()

    async with serving(note) as url, Client() as client:
        task = asyncio.create_task(use(client, url))
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await wait_until(lambda: codes)
    assert codes == [1001]


@pytest.mark.parametrize(
    ("code", "reason"), [(999, ""), (1005, ""), (1006, ""), (2000, ""), (5000, ""), (1000, "é" * 62)]
)
async def test_a_close_that_cannot_be_sent(code: int, reason: str) -> None:
    async with connected() as websocket:
        with pytest.raises(ValueError, match="expected a"):
            await websocket.close(code, reason)
        assert not websocket.closed


async def test_a_peer_that_does_not_end_the_connection_is_dropped() -> None:
    ended: list[str] = []

    def ignore(connection: RawConnection) -> None:
        switch(connection)
        ended.append(connection.wait_closed())

    with RawServer(ignore) as server:
        async with Client() as client, client.websocket(server.url, close_timeout=0.05) as websocket:
            await websocket.close()
            assert websocket.close_code == 1000
    assert len(ended) == 1


async def test_a_close_that_is_cancelled_drops_the_connection() -> None:
    def ignore(connection: RawConnection) -> None:
        switch(connection)
        connection.wait_closed()

    with RawServer(ignore) as server:
        async with Client() as client:
            websocket = await client.websocket(server.url).__aenter__()
            task = asyncio.create_task(websocket.close())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert websocket._link._transport.is_closing()


async def test_a_websocket_that_is_collected_is_closed_with_a_warning() -> None:
    async with serving() as url, Client() as client:
        websocket = await client.websocket(url).__aenter__()
        with pytest.warns(ResourceWarning, match=r"unclosed WebSocket, opened at .*test_websocket\.py"):
            del websocket


async def test_the_timer_of_the_loop_keeps_no_stream_of_an_upgraded_connection() -> None:
    timer = timer_of(asyncio.get_running_loop())
    async with serving() as url, Client() as client:
        for _ in range(3):
            async with client.websocket(url):
                pass
    switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n"
    with RawServer.replying(switched, then=RawConnection.wait_closed) as server:
        async with Client(headers={"Connection": "Upgrade", "Upgrade": "shout"}) as client:
            response = await client.get(server.url)
            assert response.upgraded is not None
            response.upgraded[1].close()
            await response.upgraded[1].wait_closed()
    assert not timer._known


# Pings and pressure


async def test_pings() -> None:
    async with connected() as websocket:
        assert await websocket.ping() > 0
        assert await websocket.ping(b"a") > 0
        await asyncio.gather(*(websocket.ping() for _ in range(10)))
        with pytest.raises(ValueError, match="up to 125 bytes for a ping, got 126"):
            await websocket.ping(bytes(126))


async def test_pings_of_the_peer_are_answered_while_no_task_receives() -> None:
    done = asyncio.Event()

    async def check(connection: ServerConnection) -> None:
        await (await connection.ping())
        done.set()
        await connection.wait_closed()

    async with connected(check):
        await done.wait()


async def test_the_connection_is_dropped_when_pings_are_not_answered() -> None:
    def ignore(connection: RawConnection) -> None:
        switch(connection)
        connection.wait_closed()

    with RawServer(ignore) as server:
        async with Client() as client, client.websocket(server.url, ping_interval=0.02) as websocket:
            ping = asyncio.create_task(websocket.ping())
            with pytest.raises(WebSocketClosed, match="code 1006") as caught:
                await websocket.receive()
            assert str(caught.value.__cause__) == "no pong in 0.02 s"
            with pytest.raises(WebSocketClosed):
                await ping


async def test_answered_pings_keep_the_connection() -> None:
    async def wait(connection: ServerConnection) -> None:
        await asyncio.sleep(0.2)
        await connection.send("late")

    async with connected(wait, ping_interval=0.05) as websocket:
        assert await websocket.receive() == "late"
        assert len(websocket._link._pings) <= 1


async def test_a_peer_waits_while_messages_are_not_received() -> None:
    sent: list[int] = []

    async def flood(connection: ServerConnection) -> None:
        try:
            for number in range(2000):
                await connection.send(bytes(10_000))
                sent.append(number)
        except ConnectionClosed:
            pass

    async with serving(flood, compression=None) as url, Client() as client, client.websocket(url) as websocket:
        await wait_until(lambda: not websocket._link._is_reading)
        count = -1
        while count != len(sent):  # until the buffers of the kernel are full, too
            count = len(sent)
            await asyncio.sleep(0.05)
        assert len(sent) < 2000
        assert websocket._link._size < 1024 * 1024
        for _ in range(2000):
            assert len(await websocket.receive()) == 10_000


async def test_compressed_messages_are_decoded_as_they_are_received() -> None:
    async def flood(connection: ServerConnection) -> None:
        for _ in range(50):
            await connection.send(bytes(500_000))

    async with connected(flood) as websocket:
        await wait_until(lambda: not websocket._link._is_reading)
        assert websocket._link._size < 20_000_000
        assert [len(message) async for message in websocket] == [500_000] * 50


async def test_sending_waits_while_the_peer_does_not_read() -> None:
    release = asyncio.Event()

    async def ignore(connection: ServerConnection) -> None:
        await release.wait()
        await echo(connection)

    async with connected(ignore, compression=None, max_message_size=None) as websocket:
        task = asyncio.create_task(send_all(websocket))
        done, _ = await asyncio.wait([task], timeout=0.1)
        assert not done
        release.set()
        assert len([await websocket.receive() for _ in range(100)]) == 100
        await task


async def send_all(websocket: WebSocket) -> None:
    for _ in range(100):
        await websocket.send(bytes(200_000))


async def test_an_end_while_sending_is_an_error() -> None:
    def read_nothing(connection: RawConnection) -> None:
        switch(connection)
        connection.read()
        connection.reset()

    with RawServer(read_nothing) as server:
        async with Client() as client, client.websocket(server.url, compression=None) as websocket:
            with pytest.raises(WebSocketClosed, match="code 1006"):
                await websocket.send(bytes(10_000_000))


# Faulty peers

STRICT: Any = {"compression": None, "max_message_size": 1000}


def frame(opcode: int, data: bytes, *, fin: bool = True) -> bytes:
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack("!H", len(data))
    return bytes([opcode | 0x80 * fin]) + size + data


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"a") + frame(TEXT, b"\xff") + frame(TEXT, b"b"), 1007),
        (frame(TEXT, b"\xe2\x82", fin=False) + frame(0, b"a"), 1007),
        (frame(0, b"a"), 1002),
        (frame(3, b"a"), 1002),
        (frame(PING, bytes(126)), 1002),
        (b"\x81\x80\0\0\0\0", 1002),  # masked
        (b"\xc1\x01a", 1002),  # a reserved bit without an extension
        (frame(BINARY, bytes(1001)), 1009),
        (frame(BINARY, bytes(600), fin=False) + frame(0, bytes(600)), 1009),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, struct.pack("!H", 1006)), 1002),
    ],
)
async def test_a_faulty_frame_ends_the_connection_with_the_code_for_it(data: bytes, code: int) -> None:
    received: list[bytes] = []

    def send(connection: RawConnection) -> None:
        switch(connection)
        connection.send(data)
        received.append(connection.read())

    with RawServer(send) as server:
        async with Client() as client, client.websocket(server.url, **STRICT) as websocket:
            with pytest.raises(WebSocketClosed) as caught:
                while True:
                    assert await websocket.receive() == "a"
            assert caught.value.code == code
            assert caught.value.__cause__ is not None
    masked = received[0][6:8]
    assert struct.unpack("!H", bytes(a ^ b for a, b in zip(masked, received[0][2:4], strict=True)))[0] == code


async def test_pings_of_a_peer_that_reads_nothing_take_little_memory() -> None:
    is_small, is_over = threading.Event(), threading.Event()

    def flood(connection: RawConnection) -> None:
        switch(connection)
        is_small.wait()
        connection.send(frame(PING, bytes(125)) * 20_000 + frame(TEXT, b"end"))
        is_over.wait()

    with RawServer(flood) as server:
        async with Client() as client, client.websocket(server.url, close_timeout=0, **STRICT) as websocket:
            transport = websocket._link._transport
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            is_small.set()
            assert await websocket.receive() == "end"
            assert 0 < transport.get_write_buffer_size() < 256 * 1024
            is_over.set()


async def test_small_fragments_take_no_more_memory_than_their_content() -> None:
    begun = threading.Event()

    def send(connection: RawConnection) -> None:
        switch(connection)
        begun.wait()
        connection.send(frame(BINARY, b"a", fin=False) + frame(0, b"b", fin=False) * 20_000 + frame(0, b"c"))
        connection.wait_closed()

    with RawServer(send) as server:
        options: Any = {"compression": None, "max_message_size": 30_000, "close_timeout": 0}
        async with Client() as client, client.websocket(server.url, **options) as websocket:
            tracemalloc.start()
            try:
                begun.set()
                assert await websocket.receive() == b"a" + b"b" * 20_000 + b"c"
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize("end", [RawConnection.close, RawConnection.reset])
async def test_an_end_without_a_close_frame(end: Callable[[RawConnection], object]) -> None:
    def send(connection: RawConnection) -> None:
        switch(connection)
        connection.send(frame(TEXT, b"a") + frame(TEXT, b"b", fin=False))
        connection.read()  # the client has received both, and says so
        end(connection)

    with RawServer(send) as server:
        async with Client() as client, client.websocket(server.url) as websocket:
            assert await websocket.receive() == "a"
            await websocket.send("received")
            with pytest.raises(WebSocketClosed, match="WebSocket closed with code 1006"):
                await anext(websocket)


async def test_frames_received_together_with_the_response_are_kept() -> None:
    def send(connection: RawConnection) -> None:
        head = connection.read_head()
        sent = dict(parse_fields(head))["sec-websocket-key"].encode()
        key = base64.b64encode(hashlib.sha1(sent + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        lines = (b"HTTP/1.1 101 X", b"Upgrade: WebSocket", b"Connection: keep-alive, Upgrade")
        head = b"\r\n".join((*lines, b"Sec-WebSocket-Accept: " + key, b"", b""))
        connection.send(head + frame(TEXT, b"a") + frame(CLOSE, struct.pack("!H", 1000)))
        connection.close()

    with RawServer(send) as server:
        async with Client() as client, client.websocket(server.url) as websocket:
            assert [message async for message in websocket] == ["a"]


# Other servers


async def test_uvicorn(app: App) -> None:
    async with Client(base_url=app.url) as client, client.websocket("/any", subprotocols=["a"]) as websocket:
        assert websocket.subprotocol == "a"
        for message in ("text", b"bytes", "x" * 100_000):
            await websocket.send(message)
            assert await websocket.receive() == message
        assert await websocket.ping() > 0
        await websocket.send("bye")
        with pytest.raises(WebSocketClosed, match="closed with code 4000: 'as you wish'"):
            await anext(websocket)


async def test_uvicorn_behind_caddy_over_tls(caddy: Caddy, tls: Certificates) -> None:
    client = Client(ssl=tls.client_context())
    async with client, client.websocket(f"{caddy.tls_url}/app/any") as websocket:
        await websocket.send("text")
        assert await websocket.receive() == "text"


async def test_aiohttp() -> None:
    from aiohttp import WSMsgType, web

    async def handle(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse(protocols=["b"])
        await response.prepare(request)
        async for message in response:
            await (response.send_str if message.type is WSMsgType.TEXT else response.send_bytes)(message.data)
        return response

    application = web.Application()
    application.router.add_get("/", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    try:
        async with Client() as client:
            url = f"ws://{HOST}:{runner.addresses[0][1]}/"
            async with client.websocket(url, subprotocols=["a", "b"]) as websocket:
                assert websocket.subprotocol == "b"
                for message in ("text", b"bytes", "x" * 100_000):
                    await websocket.send(message)
                    assert await websocket.receive() == message
                assert await websocket.ping() > 0
    finally:
        await runner.cleanup()


# The blocking client


def test_the_blocking_client(app: App) -> None:
    with compat.Client(base_url=app.url) as client:
        with client.websocket("/any", subprotocols=["a"]) as websocket:
            assert (websocket.subprotocol, websocket.response.status) == ("a", 101)
            for message in ("text", b"bytes"):
                websocket.send(message)
                assert websocket.receive() == message
            assert websocket.ping() > 0
            assert not websocket.closed
            websocket.send("bye")
            with pytest.raises(WebSocketClosed, match="closed with code 4000: 'as you wish'"):
                next(websocket)
            assert (websocket.closed, websocket.close_code) == (True, 4000)
        with client.websocket("/any") as websocket:
            websocket.close(4001)
            assert websocket.close_code == 4001
        with pytest.raises(LookupError), client.websocket("/any") as websocket:
            raise LookupError
        assert websocket.closed or becomes_closed(websocket)


def becomes_closed(websocket: Any) -> bool:
    """Wait for the loop's thread, which the end of the connection takes place in."""
    with pytest.raises(WebSocketClosed):
        websocket.receive()
    return bool(websocket.closed)


def test_closing_the_blocking_client_closes_its_websockets(app: App) -> None:
    client = compat.Client(base_url=app.url)
    with client.websocket("/any") as websocket:
        client.close()
        with pytest.raises(ClientClosed):
            websocket.receive()
        websocket.close()
        websocket.abort()
        assert websocket.closed


def test_a_refused_websocket_of_the_blocking_client() -> None:
    with Answering({"/": reply(b"no", status=b"403 Forbidden")}) as server, compat.Client() as client:
        with pytest.raises(StatusError) as caught:
            client.websocket(server.url).__enter__()
        assert isinstance(caught.value.response, Response)


def test_iterating_with_the_blocking_client_ends_in_order() -> None:
    def send(connection: RawConnection) -> None:
        switch(connection)
        connection.send(frame(TEXT, b"a") + frame(BINARY, b"b") + frame(CLOSE, struct.pack("!H", 1000)))
        connection.read()

    with RawServer(send) as server, compat.Client() as client, client.websocket(server.url) as websocket:
        assert [*websocket] == ["a", b"b"]
