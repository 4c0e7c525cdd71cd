"""The reader and the writer of a connection after an upgrade: asyncio's whole interface, over TCP and over TLS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from asyncclient import HTTPConnection, HTTPSConnection
from asyncclient.testing import RawConnection, RawServer
from asyncclient.testing.raw import TIMEOUT
from tests.connection.conversations import Script
from tests.servers import Certificates

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(params=["tcp", "tls"])
def certificates(request: pytest.FixtureRequest, tls: Certificates) -> Certificates | None:
    return tls if request.param == "tls" else None


@asynccontextmanager
async def upgraded(certificates: Certificates | None, early: bytes, then: Script) -> AsyncIterator[Pair]:
    """The pair of a connection whose peer sends some bytes with the head of its 101, and then follows the script.

    The connection has a time limit, which must not hold for the pair.
    """

    def handler(peer: RawConnection) -> None:
        peer.read_head()
        peer.send(SWITCH + early)
        then(peer)

    with RawServer(handler, tls=None if certificates is None else certificates.server_context()) as server:
        if certificates is None:
            connection = HTTPConnection(server.host, server.port, timeout=0.1)
        else:
            connection = HTTPSConnection(server.host, server.port, 0.1, context=certificates.client_context())
        async with connection:
            await connection.request("GET", "/", headers={"Connection": "Upgrade", "Upgrade": "x"})
            pair = (await connection.getresponse()).upgraded
        assert pair is not None
        try:
            yield pair
        finally:
            pair[1].close()
            with suppress(ConnectionResetError):  # raised again after a reset
                await pair[1].wait_closed()


async def test_each_method_of_the_reader_works(certificates: Certificates | None) -> None:
    def then(peer: RawConnection) -> None:
        peer.read_body(2)
        peer.send_slowly([b"EQ", b"UAL exact", b"ly a line\nanother", b" line\nrest", b" and all"])

    async with upgraded(certificates, b"one|two|SE", then) as (reader, writer):
        assert await reader.readuntil(b"|") == b"one|"
        assert await reader.readuntil(b"|") == b"two|"
        assert not reader.at_eof()
        writer.write(b"go")
        await writer.drain()
        assert await reader.readuntil(b"EQUAL") == b"SEEQUAL"
        assert await reader.readexactly(8) == b" exactly"
        assert await reader.readline() == b" a line\n"
        assert await anext(aiter(reader)) == b"another line\n"
        assert await reader.read(2) == b"re"
        assert await reader.read(-1) == b"st and all"
        assert reader.at_eof()
        assert await reader.read() == b""


async def test_a_cancelled_read_leaves_the_bytes_in_the_buffer(certificates: Certificates | None) -> None:
    def then(peer: RawConnection) -> None:
        peer.read_body(2)
        peer.send(b"defgh")

    async with upgraded(certificates, b"abc", then) as (reader, writer):
        for wait in (reader.readexactly(5), reader.readuntil(b"f")):
            task = asyncio.ensure_future(wait)
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        writer.write(b"go")
        assert await reader.readexactly(8) == b"abcdefgh"


async def test_bytes_missing_at_the_end_are_an_error_of_asyncio(certificates: Certificates | None) -> None:
    async with upgraded(certificates, b"abc", RawConnection.close) as (reader, _):
        with pytest.raises(asyncio.IncompleteReadError, match="3 bytes read on a total of 5") as raised:
            await reader.readexactly(5)
        assert (raised.value.partial, raised.value.expected) == (b"abc", 5)
        with pytest.raises(asyncio.IncompleteReadError):
            await reader.readuntil(b"\n")


async def test_a_line_beyond_the_limit_is_an_error_of_asyncio(certificates: Certificates | None) -> None:
    async with upgraded(certificates, b"x" * 70_000 + b"\nnext\n", RawConnection.wait_closed) as (reader, _):
        with pytest.raises(asyncio.LimitOverrunError):
            await reader.readuntil(b"\n")
        with pytest.raises(ValueError, match="limit"):
            await reader.readline()
        while b"next" not in await reader.readline():  # the part of the line that had arrived is gone
            pass


async def test_no_time_limit_holds_for_the_pair(certificates: Certificates | None) -> None:
    def then(peer: RawConnection) -> None:
        peer.send_slowly([b"", b"late"], pause=0.3)

    async with upgraded(certificates, b"", then) as (reader, _):
        assert await asyncio.wait_for(reader.read(4), TIMEOUT) == b"late"


async def test_reading_goes_on_after_the_buffer_was_full(certificates: Certificates | None) -> None:
    size = 4 * 1024 * 1024

    async with upgraded(certificates, b"", lambda peer: peer.send(bytes(size))) as (reader, _):
        await asyncio.sleep(0.1)
        assert await reader.readexactly(size) == bytes(size)
        assert await reader.read(1) == b""


async def test_a_reset_is_raised_by_the_reader() -> None:
    def then(peer: RawConnection) -> None:
        peer.read(1)
        peer.reset()

    async with upgraded(None, b"", then) as (reader, writer):
        writer.write(b"x")
        with pytest.raises(ConnectionError):
            await reader.read()
        assert isinstance(reader.exception(), ConnectionError)
