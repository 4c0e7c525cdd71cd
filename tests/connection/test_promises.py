"""Small promises of the documentation, each of which was broken once."""

import asyncio
import os
import pathlib

import pytest

from asyncclient import HTTPConnection, NotConnected, UnknownProtocol
from asyncclient.testing import RawConnection, RawServer
from tests.connection.conversations import (
    NOTHING,
    OK,
    connection_to,
    connection_with_replies,
    echo_target,
    fetch,
    reply,
    start_exchange,
)
from tests.durations import STALL


async def test_declared_body_that_is_not_given_is_refused() -> None:
    async with connection_with_replies(NOTHING) as connection:
        with pytest.raises(ValueError, match="expected a body"):
            await connection.request("PUT", "/", headers={"Transfer-Encoding": "chunked"})


async def test_file_that_can_not_be_read_is_refused(tmp_path: pathlib.Path) -> None:
    async with connection_with_replies(NOTHING) as connection:
        with (tmp_path / "out").open("wb") as file, pytest.raises(ValueError, match="open for reading"):
            await connection.request("PUT", "/", file)


async def test_a_request_is_not_sent_if_its_connection_closes_while_its_file_opens(
    tmp_path: pathlib.Path,
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            sending = asyncio.ensure_future(connection.request("PUT", "/", fifo))
            await asyncio.sleep(0)
            connection.close()
            writer = await asyncio.to_thread(os.open, fifo, os.O_WRONLY)  # lets the opening continue
            with pytest.raises(NotConnected):
                await sending
            os.close(writer)
        assert server.accepted == 0


async def test_cancelling_while_a_file_is_opened_leaves_it_closed(tmp_path: pathlib.Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    before = len(os.listdir("/proc/self/fd"))
    connection = HTTPConnection("127.0.0.1", 1)
    sending = asyncio.ensure_future(connection.request("PUT", "/", fifo))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    os.close(await asyncio.to_thread(os.open, fifo, os.O_WRONLY))
    async with asyncio.timeout(STALL):
        await asyncio.get_running_loop().shutdown_default_executor()  # the worker has opened the file
        for _ in range(3):
            await asyncio.sleep(0)
    assert len(os.listdir("/proc/self/fd")) == before


async def test_reading_closed_content_is_an_error() -> None:
    async with connection_with_replies(reply(b"hello")) as connection:
        response = await start_exchange(connection)
        await response.aclose()
        with pytest.raises(NotConnected):
            await response.read()


async def test_version_without_a_minor_one_is_another_protocol() -> None:
    async with connection_with_replies(b"HTTP/2 200 OK\r\n\r\n") as connection:
        with pytest.raises(UnknownProtocol, match="'HTTP/2'"):
            await start_exchange(connection)


async def test_connect_request_names_its_target_as_host() -> None:
    with RawServer.replying(b"HTTP/1.1 200 OK\r\n\r\n") as server:
        async with connection_to(server) as connection:
            response = await start_exchange(connection, "CONNECT", "target.example:443")
            assert response.upgraded is not None
            response.upgraded[1].close()
        assert b"\r\nHost: target.example:443\r\n" in server.requests[0]


async def test_timeout_may_be_changed_between_requests() -> None:
    with RawServer.replying(OK) as server:
        async with connection_to(server) as connection:
            await fetch(connection)
            connection.timeout = 0.05
            await connection.request("GET", "/")
            with pytest.raises(TimeoutError, match=r"in 0\.05 s"):
                await connection.getresponse()


@pytest.mark.parametrize("size", [0, -1])
async def test_chunks_have_at_least_one_byte(size: int) -> None:
    async with connection_with_replies(reply(b"hello")) as connection:
        response = await start_exchange(connection)
        with pytest.raises(ValueError, match="at least 1 byte"):
            async for _ in response.iter_chunks(size):
                pass


async def test_message_is_one_object() -> None:
    async with connection_with_replies(reply(b"", b"A: 1")) as connection:
        response = await start_exchange(connection)
        response.msg.replace_header("A", "2")
        assert response.msg["A"] == "2"


async def test_source_address_may_be_any() -> None:
    with RawServer(echo_target) as server:
        async with connection_to(server, source_address=("", 0)) as connection:
            assert await fetch(connection, url="/1") == (200, b"/1")


async def test_connection_that_is_kept_after_an_upload_has_one_descriptor() -> None:
    """During the upload there are two, so that no part of an early response is lost."""

    def handler(peer: RawConnection) -> None:
        while head := peer.read_head():
            if head.startswith(b"PUT"):
                peer.read_chunked()
            peer.send(OK)

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            await fetch(connection)
            before = len(os.listdir("/proc/self/fd"))
            assert await fetch(connection, "PUT", "/", body=[bytes(1000)] * 100) == (200, b"ok")
            assert len(os.listdir("/proc/self/fd")) == before
        assert server.accepted == 1
