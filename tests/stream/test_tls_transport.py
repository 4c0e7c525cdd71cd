"""TLS over a transport: session tickets in pieces, late alerts, close_notify, and responses before a reset."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from asyncclient import Client, HTTPSConnection, Retry, TLSError
from asyncclient.exchange.tunnel import build_connect
from asyncclient.stream.aio import AioStream
from asyncclient.stream.hops import Tunnel
from asyncclient.stream.tls_transport import BufferedTLSTransport
from asyncclient.stream.transport import is_readable
from asyncclient.testing import RawConnection, RawServer
from asyncclient.timeouts import Timeout
from tests.durations import FOREVER, lasts
from tests.servers import Certificates, ConnectProxy
from tests.stream.peers import connected_stream, dial, route_to

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large"


class ManualTLS:
    """The server's side of TLS on a plain connection, whose ciphertext the test sends in the pieces it wants."""

    def __init__(self, peer: RawConnection, context: ssl.SSLContext) -> None:
        self.peer = peer
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def shake_hands(self) -> bytes:
        """Go through the handshake; return what follows it, the session tickets, which is not sent yet."""
        while True:
            try:
                self.tls.do_handshake()
                return self.outgoing.read()
            except ssl.SSLWantReadError:
                self.peer.send(self.outgoing.read())
                self.incoming.write(self.peer.read())

    def read_head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            try:
                head += self.tls.read()
            except ssl.SSLWantReadError:
                self.incoming.write(self.peer.read())
        return head

    def encrypt(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self.outgoing.read()


def serve_tickets(context: ssl.SSLContext, first: slice, exchanges: int) -> Callable[[RawConnection], None]:
    """Send a part of the session tickets at once, and the rest with the first response."""

    def handler(peer: RawConnection) -> None:
        tls = ManualTLS(peer, context)
        tickets = tls.shake_hands()
        assert len(tickets) > 100
        peer.send(tickets[first])
        rest = tickets[first.stop :] if first.stop else b""
        for _ in range(exchanges):
            tls.read_head()
            peer.send(rest + tls.encrypt(OK))
            rest = b""

    return handler


# Session tickets


@pytest.mark.parametrize("part", [1, 5, 100, -1])
async def test_a_part_of_a_session_ticket_is_not_unsolicited_data(tls: Certificates, part: int) -> None:
    with RawServer(serve_tickets(tls.server_context(), slice(0, part), 2)) as server:
        async with HTTPSConnection(server.host, server.port, 10, context=tls.client_context()) as connection:
            for _ in range(2):
                await connection.request("GET", "/")
                assert await (await connection.getresponse()).read() == b"ok"
        assert server.accepted == 1


@pytest.mark.parametrize("part", [1, 100])
async def test_a_client_uses_a_new_connection_before_its_session_tickets_are_complete(
    tls: Certificates, part: int
) -> None:
    url = "https://127.0.0.1:{}/".format
    with RawServer(serve_tickets(tls.server_context(), slice(0, part), 2)) as server:
        async with Client(ssl=tls.client_context(), timeout=10) as client:
            for _ in range(2):
                assert (await client.get(url(server.port))).content == b"ok"
        assert server.accepted == 1


async def test_ciphertext_that_the_kernel_still_has_is_not_unsolicited_data(tls: Certificates) -> None:
    def handler(peer: RawConnection) -> None:
        peer.send(b"early")
        peer.hold()

    async with connected_stream(handler, tls, Timeout(read=5.0)) as stream:
        _transport_of(stream).pause_reading()
        while not is_readable(stream.transport):
            os.sched_yield()
        assert not stream.is_fresh(ask_kernel=True)
        assert await stream.absorb_tls_records()
        _transport_of(stream).resume_reading()
        assert await stream.read(5) == b"early"


async def test_decrypted_data_before_the_request_are_unsolicited(tls: Certificates) -> None:
    def handler(peer: RawConnection) -> None:
        peer.send(OK)
        peer.wait_closed()

    with RawServer(handler, tls=tls.server_context()) as server:
        async with HTTPSConnection(server.host, server.port, 10, context=tls.client_context()) as connection:
            await connection.connect()
            assert connection._wire is not None
            await connection._wire.stream.wait_readable(5)
            connection.auto_open = False
            with pytest.raises(Exception, match="not open"):
                await connection.request("GET", "/")


# Alerts


@pytest.mark.parametrize("body", [None, bytes(2_000_000)])
async def test_a_missing_client_certificate_is_a_tls_error_that_is_not_retried(tls: Certificates, body: Any) -> None:
    """In TLS 1.3 the server's alert is received after the client's handshake."""
    context = tls.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    with RawServer(RawConnection.hold, tls=context) as server:
        policy = Retry(total=3, backoff=0.001, methods=["GET", "POST"])
        async with Client(ssl=tls.client_context(), retries=policy, timeout=10) as client:
            with pytest.raises(TLSError, match=r"(?i)alert certificate required") as raised:
                await client.request("GET" if body is None else "POST", server.url, body=body)
        assert isinstance(raised.value.__cause__, ssl.SSLError)
        assert server.accepted == 1


GARBAGE = b"\x17\x03\x03\x00\x13" + bytes(19)  # a record that can't be decrypted


def send_garbage(tls: ManualTLS) -> None:
    tls.peer.send(GARBAGE)


def send_alert(tls: ManualTLS) -> None:
    tls.incoming.write(GARBAGE)
    with pytest.raises(ssl.SSLError):
        tls.tls.read()
    tls.peer.send(tls.outgoing.read())


@pytest.mark.parametrize(("fail", "text"), [(send_garbage, "bad record mac"), (send_alert, "alert bad record mac")])
async def test_a_tls_failure_on_a_kept_connection_is_a_tls_error(
    tls: Certificates, fail: Callable[[ManualTLS], None], text: str
) -> None:
    context = tls.server_context()

    def handler(peer: RawConnection) -> None:
        server = ManualTLS(peer, context)
        peer.send(server.shake_hands())
        server.read_head()
        peer.send(server.encrypt(OK))
        server.read_head()
        fail(server)
        peer.wait_closed()

    with RawServer(handler) as server:
        url = f"https://127.0.0.1:{server.port}/"
        async with Client(ssl=tls.client_context(), timeout=10, retries=Retry(backoff=0.001)) as client:
            assert (await client.get(url)).content == b"ok"
            with pytest.raises(TLSError, match=f"(?i)before a response: .*{text}"):
                await client.get(url)
        assert server.accepted == 1


# Responses before a reset


@pytest.mark.parametrize("end", [RawConnection.close, RawConnection.close_without_notify, RawConnection.reset])
async def test_an_early_answer_is_delivered_for_any_end_of_the_connection(
    tls: Certificates, end: Callable[[RawConnection], None]
) -> None:
    def refuse(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(TOO_LARGE)
        peer.read(1)
        end(peer)

    with RawServer(refuse, tls=tls.server_context()) as server:
        async with Client(ssl=tls.client_context(), timeout=10) as client:
            for _ in range(20 if end is not RawConnection.reset else 1):
                response = await client.post(server.url, body=bytes(5_000_000))
                assert (response.status, response.content) == (413, b"too large")


@pytest.mark.parametrize("through_proxy", [False, True])
async def test_unread_data_of_a_lost_connection_is_decrypted(tls: Certificates, through_proxy: bool) -> None:
    def handler(peer: RawConnection) -> None:
        peer.read(4)
        peer.send(b"x" * 100_000)
        peer.unwrap()

    with RawServer(handler, tls=tls.server_context()) as server, ConnectProxy(tls=tls.server_context()) as proxy:
        route = route_to(server, tls)
        if through_proxy:
            authority = f"{server.host}:{server.port}"
            tunnel = Tunnel(authority, build_connect(authority, []))
            route = route._replace(port=proxy.port, tunnel=tunnel, proxy_tls=tls.client_context())
        stream = await dial(route, Timeout(read=5.0, write=5.0))
        await stream.drain()  # content follows: the descriptor is kept twice from here on
        stream.write(b"data")
        _transport_of(stream).pause_reading()
        while len(_peek(stream)) < 100_000:
            os.sched_yield()
        _transport_of(stream).abort()
        assert await stream.readexactly(100_000) == b"x" * 100_000
        assert await stream.read(1) == b""


def _transport_of(stream: AioStream) -> asyncio.Transport:
    assert stream.transport is not None
    return stream.transport


def _peek(stream: AioStream) -> bytes:
    assert stream.sending is not None
    assert stream.sending.duplicate is not None
    copy = socket.socket(fileno=socket.dup(stream.sending.duplicate.number))
    with copy:
        try:
            return copy.recv(1_000_000, socket.MSG_PEEK)
        except BlockingIOError:
            return b""


# Closing


async def test_closing_sends_close_notify_and_does_not_wait_for_the_peers(tls: Certificates) -> None:
    ends: list[bytes] = []

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(OK)
        ends.append(peer.read())  # b"" after close_notify, an ssl.SSLError without
        peer.hold()

    with RawServer(handler, tls=tls.server_context()) as server:
        async with Client(ssl=tls.client_context(), timeout=Timeout(close=FOREVER)) as client:
            assert (await client.get(server.url)).content == b"ok"
            with lasts():
                await client.aclose()
    assert ends == [b""]


async def test_the_wait_for_the_peers_close_notify_is_a_choice(tls: Certificates) -> None:
    with RawServer(RawConnection.hold, tls=tls.server_context()) as server:
        stream = await dial(route_to(server, tls), Timeout(tls_close=0.2, close=FOREVER))
        with lasts(0.2):
            stream.close()
            await stream.wait_closed()


async def test_the_wait_for_close_notify_ends_when_it_has_arrived(tls: Certificates) -> None:
    def answer_goodbye(peer: RawConnection) -> None:
        peer.read()
        peer.unwrap()

    with RawServer(answer_goodbye, tls=tls.server_context()) as server:
        stream = await dial(route_to(server, tls), Timeout(tls_close=FOREVER, close=FOREVER))
        with lasts():
            stream.close()
            await stream.wait_closed()


# Renegotiation


class Renegotiates(ssl.SSLObject):
    """Refuses to encrypt until something was received, as OpenSSL does while TLS 1.2 is renegotiated."""

    refusals = 0

    def write(self, data: Any) -> int:
        if Renegotiates.refusals:
            Renegotiates.refusals -= 1
            raise ssl.SSLWantReadError
        return super().write(data)


async def test_data_that_waits_for_encryption_is_sent_in_order(
    tls: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = tls.client_context()
    context.sslobject_class = Renegotiates

    def handler(peer: RawConnection) -> None:
        peer.send(b"go")
        peer.send(peer.read_body(30_003))

    with RawServer(handler, tls=tls.server_context()) as server:
        stream = await dial(route_to(server, tls)._replace(tls=context), Timeout(read=5.0))
        monkeypatch.setattr(Renegotiates, "refusals", 2)
        for data in (b"a" * 30_000, b"b", b"cc"):
            stream.write(data)
        assert _transport_of(stream).get_write_buffer_size() >= 3
        assert await stream.readexactly(2) == b"go"
        assert await stream.readexactly(30_003) == b"a" * 30_000 + b"bcc"
        stream.close()
        await stream.wait_closed()


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_many_connections_receive_into_one_buffer(tls: Certificates) -> None:
    """Each side receives its data, for any division into records."""

    def handler(peer: RawConnection) -> None:
        letter = peer.read(1)
        peer.send_slowly([letter * 50_000] * 4)

    with RawServer(handler, tls=tls.server_context()) as server:
        streams = [await dial(route_to(server, tls), Timeout(read=5.0)) for _ in range(8)]
        buffers = {
            id(stream.transport.get_buffer(-1))
            for stream in streams
            if isinstance(stream.transport, BufferedTLSTransport)
        }
        assert len(buffers) == 1
        for number, stream in enumerate(streams):
            stream.write(b"%d" % number)
        contents = await asyncio.gather(*(stream.readexactly(200_000) for stream in streams))
        assert contents == [b"%d" % number * 200_000 for number in range(8)]
        for stream in streams:
            stream.close()
            await stream.wait_closed()


# Connections that are given away

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: own\r\nConnection: Upgrade\r\n\r\n"


async def upgraded(url: str, tls: Certificates) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with Client(ssl=tls.client_context(), timeout=10) as client:
        response = await client.get(url, headers={"Upgrade": "own", "Connection": "Upgrade"})
        assert response.upgraded is not None
        return response.upgraded


async def test_written_bytes_arrive_although_the_peer_sends_after_close(tls: Certificates) -> None:
    received = []

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(SWITCH + b"x" * 60_000)
        data = b""
        while part := peer.read():
            data += part
        received.append(len(data))
        peer.close()

    with RawServer(handler, tls=tls.server_context()) as server:
        _, writer = await upgraded(server.url, tls)
        assert writer.get_extra_info("cipher")[1] == "TLSv1.3"
        assert writer.transport.get_write_buffer_limits()[1] > 0
        writer.write(bytes(3_000_000))
        writer.close()
        await writer.wait_closed()
    assert received == [3_000_000]


@pytest.mark.parametrize("end", [RawConnection.unwrap, RawConnection.close])
async def test_a_close_notify_after_our_own_is_a_clean_end(
    tls: Certificates, end: Callable[[RawConnection], None]
) -> None:
    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(SWITCH)
        peer.read()
        end(peer)

    with RawServer(handler, tls=tls.server_context()) as server:
        reader, writer = await upgraded(server.url, tls)
        writer.close()
        await writer.wait_closed()
        assert reader.exception() is None
