"""The connection receives while it sends: expectations, early responses, silence."""

import statistics
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from asyncclient import HTTPConnection, HTTPException, HTTPSConnection, ProtocolError, Timeout, WriteTimeout
from asyncclient.testing import RawConnection, RawServer, parse_fields
from tests.connection.conversations import (
    MEBIBYTE,
    OK,
    TOO_LARGE,
    UPLOAD,
    EarlyAnswer,
    connection_to,
    fetch,
    start_exchange,
    wait_for_event,
    zeros,
)
from tests.durations import lasts
from tests.servers import App, Certificates

SMALL = b"small body"
BIG = bytes(5 * MEBIBYTE)


EXPECT = {"Expect": "100-continue"}


@pytest.mark.parametrize(
    ("first", "sends_body", "status"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", True, 200),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", True, 200),
        (b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n", False, 417),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno", False, 401),
        (b"", True, 200),
    ],
)
@pytest.mark.parametrize("body", [SMALL, [SMALL], BIG])
async def test_expectation(first: bytes, sends_body: bool, status: int, body: Any) -> None:
    contents = []

    def handler(peer: RawConnection) -> None:
        head = peer.read_head()
        peer.send(first)
        if not sends_body:
            contents.append(peer.read())
            return
        length = dict(parse_fields(head)).get("content-length")
        contents.append(peer.read_chunked() if length is None else peer.read_body(int(length)))
        peer.send(OK)

    with RawServer(handler) as server:
        async with connection_to(
            server, timeout=Timeout(read=10, write=10, expect=0.05 if not first else 10)
        ) as connection:
            response = await start_exchange(connection, "POST", "/", body=body, headers=EXPECT)
            assert response.status == status
            await response.read()
            assert response.will_close is not sends_body
        assert server.accepted == 1
    assert contents == [b"".join(body) if isinstance(body, list) else body] if sends_body else [b""]


# An answer in the middle of an upload


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("upload") / "big"
    with path.open("wb") as file:
        file.truncate(UPLOAD)
    return path


@pytest.mark.parametrize("then", ["reads", "closes", "resets"])
@pytest.mark.parametrize("kind", ["generator", "file", "path", "bytes"])
async def test_early_answer_is_delivered(then: str, kind: str, big_file: Path) -> None:
    script = EarlyAnswer(then)
    with RawServer(script) as server, big_file.open("rb") as file:
        for _ in range(10):
            file.seek(0)
            body: Any = {"generator": zeros(), "file": file, "path": big_file, "bytes": bytes(UPLOAD)}[kind]
            async with connection_to(server) as connection:
                response = await start_exchange(connection, "POST", "/", body=body)
                assert (response.status, response.will_close) == (413, True)
                assert await response.read() == b"too large"
                assert await fetch(connection) == (200, b"ok")
        assert server.accepted == 20
    # Once may be late: the server's thread has to get a turn before it can answer.
    assert statistics.median(script.received) < UPLOAD / 2


@pytest.mark.parametrize("then", ["reads", "closes", "resets"])
@pytest.mark.parametrize("kind", ["generator", "file", "bytes"])
async def test_early_answer_over_tls(then: str, kind: str, big_file: Path, tls: Certificates) -> None:
    script = EarlyAnswer(then)
    with RawServer(script, tls=tls.server_context()) as server, big_file.open("rb") as file:
        for _ in range(10):
            file.seek(0)
            body: Any = {"generator": zeros(), "file": file, "bytes": bytes(UPLOAD)}[kind]
            async with HTTPSConnection("localhost", server.port, 10, context=tls.client_context()) as connection:
                response = await start_exchange(connection, "POST", "/", body=body)
                assert (response.status, await response.read()) == (413, b"too large")


async def test_real_server_refuses_an_upload(app: App) -> None:
    async with HTTPConnection(app.host, app.port, 10) as connection:
        for _ in range(3):
            assert await fetch(connection, "POST", "/too-large", body=zeros()) == (413, b"too large\n")
            assert (await fetch(connection, "POST", "/echo", body=SMALL))[0] == 200


async def test_interim_response_does_not_end_an_upload() -> None:
    lengths = []

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        lengths.append(len(peer.read_chunked()))
        peer.send(OK)

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            assert await fetch(connection, "POST", "/", body=[bytes(MEBIBYTE)] * 10) == (200, b"ok")
    assert lengths == [10 * MEBIBYTE]


@pytest.mark.parametrize("kind", ["generator", "file", "bytes"])
async def test_server_that_does_not_read_is_a_write_timeout(kind: str, big_file: Path) -> None:
    with RawServer(RawConnection.hold) as server, big_file.open("rb") as file:
        body: Any = {"generator": zeros(), "file": file, "bytes": bytes(UPLOAD)}[kind]
        async with connection_to(server, timeout=Timeout(write=0.2)) as connection:
            with lasts(0.2), pytest.raises(WriteTimeout):
                await connection.request("POST", "/", body)


async def test_server_that_closes_in_an_upload_without_an_answer() -> None:
    with RawServer(RawConnection.read_head) as server:
        async with connection_to(server) as connection:
            with pytest.raises((HTTPException, ConnectionError)):
                await start_exchange(connection, "POST", "/", body=zeros())


async def test_an_early_answer_ends_a_slow_body_before_its_next_piece() -> None:
    answered, received = threading.Event(), list[int]()

    async def body() -> AsyncIterator[bytes]:
        yield SMALL
        await wait_for_event(answered)
        for _ in range(1000):
            yield SMALL * 1000

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(TOO_LARGE)
        answered.set()
        received.append(0)
        while data := peer.read():
            received[0] += len(data)

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection, "POST", "/", body=body())
            assert (response.status, response.will_close, await response.read()) == (413, True, b"too large")
    assert received[0] < 200_000


async def test_a_switch_of_protocols_in_the_middle_of_an_upload_is_refused() -> None:
    """The rest of the body would be read as the other protocol."""

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: own\r\nConnection: Upgrade\r\n\r\n")
        peer.wait_closed()

    headers = {"Upgrade": "own", "Connection": "Upgrade"}
    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            with pytest.raises(ProtocolError, match="got 101 before the whole request was sent"):
                await start_exchange(connection, "POST", "/", body=bytes(UPLOAD), headers=headers)
