"""Caddy as the server: files, ranges, codings, an application behind it, large content and many connections."""

import asyncio
import gzip
import hashlib
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from asyncclient import HTTPConnection, HTTPSConnection
from tests.connection.conversations import MEBIBYTE, fetch, start_exchange
from tests.servers import Caddy, Certificates

Connect = Callable[[], HTTPConnection]
HUNDRED = 100 * MEBIBYTE


@pytest.fixture(params=["plain", "tls"])
def connect(request: pytest.FixtureRequest, caddy: Caddy, tls: Certificates) -> Connect:
    if request.param == "plain":
        return lambda: HTTPConnection(caddy.host, caddy.port, 10)
    context = tls.client_context()
    return lambda: HTTPSConnection("localhost", caddy.tls_port, 10, context=context)


@pytest.fixture(scope="module")
def big(caddy: Caddy) -> str:
    return caddy.add_file("100m.bin", HUNDRED)


async def test_files_over_one_connection(connect: Connect, caddy: Caddy) -> None:
    async with connect() as connection:
        for name in ("1k.bin", "1m.bin", "1k.bin"):
            response = await start_exchange(connection, url=f"/{name}")
            content = (caddy.files / name).read_bytes()
            assert (response.status, response.reason, response.version) == (200, "OK", 11)
            assert response.getheader("content-length") == str(len(content))
            assert (response.timings.reused, await response.read()) == (
                name == "1m.bin" or response.timings.reused,
                content,
            )
        assert response.timings.reused


async def test_head_and_missing_file(connect: Connect) -> None:
    async with connect() as connection:
        response = await start_exchange(connection, "HEAD", "/1m.bin")
        assert (response.getheader("content-length"), await response.read()) == (str(MEBIBYTE), b"")
        for _ in range(2):
            response = await start_exchange(connection, url="/parrot.spam")
            assert (response.status, response.reason, await response.read()) == (404, "Not Found", b"")
        assert (await fetch(connection, url="/1k.bin"))[0] == 200


@pytest.mark.parametrize(
    ("asked", "part"), [("10-19", slice(10, 20)), ("-5", slice(-5, None)), ("1000-", slice(1000, None))]
)
async def test_ranges(asked: str, part: slice, connect: Connect, caddy: Caddy) -> None:
    async with connect() as connection:
        response = await start_exchange(connection, url="/1k.bin", headers={"Range": f"bytes={asked}"})
        assert (response.status, await response.read()) == (206, (caddy.files / "1k.bin").read_bytes()[part])
        response = await start_exchange(connection, url="/1k.bin", headers={"Range": "bytes=5000-"})
        assert (response.status, response.getheader("content-range")) == (416, "bytes */1024")


async def test_not_modified(connect: Connect) -> None:
    async with connect() as connection:
        response = await start_exchange(connection, url="/1k.bin")
        tag = response.headers["etag"]
        await response.read()
        assert await fetch(connection, url="/1k.bin", headers={"If-None-Match": tag}) == (304, b"")
        assert (await fetch(connection, url="/1k.bin"))[0] == 200


async def test_gzip_passes_undecoded(connect: Connect, caddy: Caddy) -> None:
    async with connect() as connection:
        response = await start_exchange(connection, url="/text.txt", headers={"Accept-Encoding": "gzip"})
        assert response.getheader("content-encoding") == "gzip"
        content = await response.read()
        assert gzip.decompress(content) == (caddy.files / "text.txt").read_bytes()
        response = await start_exchange(connection, url="/text.txt")
        assert (response.getheader("content-encoding"), len(await response.read())) == (None, 43_000)


async def test_application_behind_caddy(connect: Connect) -> None:
    async with connect() as connection:
        for size in (0, 10, 3 * MEBIBYTE):
            status, content = await fetch(connection, "POST", "/app/echo?a=b", body=bytes(size))
            found = json.loads(content)
            assert (status, found["method"], found["path"], found["query"]) == (200, "POST", "/echo", "a=b")
            assert (found["length"], found["sha256"]) == (size, hashlib.sha256(bytes(size)).hexdigest())


async def test_stream_of_lines(connect: Connect) -> None:
    async with connect() as connection:
        for count in (0, 1, 300):
            response = await start_exchange(connection, url=f"/app/stream/{count}")
            assert [line async for line in response] == [b"line %d\n" % number for number in range(count)]
        assert await fetch(connection, url="/app/empty") == (204, b"")


async def test_big_file_in_chunks(connect: Connect, big: str) -> None:
    async with connect() as connection:
        digest, size = hashlib.sha256(), 0
        async with await start_exchange(connection, url=big) as response:
            async for chunk in response.iter_chunks():
                digest.update(chunk)
                size += len(chunk)
        assert (size, digest.hexdigest()) == (HUNDRED, hashlib.sha256(bytes(HUNDRED)).hexdigest())
        assert (await fetch(connection, url="/1k.bin"))[0] == 200


async def test_big_file_into_a_buffer(connect: Connect, big: str) -> None:
    async with connect() as connection:
        response, buffer, size = await start_exchange(connection, url=big), bytearray(256 * 1024), 0
        while count := await response.readinto(buffer):
            size += count
        assert size == HUNDRED
        assert not any(buffer)


async def test_leaving_a_big_file_early(connect: Connect, big: str) -> None:
    async with connect() as connection:
        for _ in range(3):
            async with await start_exchange(connection, url=big) as response:
                assert await response.read(1000) == bytes(1000)
            assert (await fetch(connection, url="/1k.bin"))[0] == 200


async def test_many_connections_at_once(connect: Connect, caddy: Caddy) -> None:
    content = (caddy.files / "1m.bin").read_bytes()

    async def work(number: int) -> None:
        chance = random.Random(number)
        async with connect() as connection:
            for _ in range(5):
                start_at = chance.randrange(MEBIBYTE - 1000)
                part = {"Range": f"bytes={start_at}-{start_at + 999}"}
                assert await fetch(connection, url="/1m.bin", headers=part) == (
                    206,
                    content[start_at : start_at + 1000],
                )
                echoed = await fetch(connection, "POST", "/app/echo", body=bytes([number]) * 1000)
                assert json.loads(echoed[1])["sha256"] == hashlib.sha256(bytes([number]) * 1000).hexdigest()

    await asyncio.gather(*map(work, range(20)))


@asynccontextmanager
async def opened(connect: Connect, count: int) -> AsyncIterator[list[HTTPConnection]]:
    connections = [connect() for _ in range(count)]
    try:
        await asyncio.gather(*(connection.connect() for connection in connections))
        yield connections
    finally:
        await asyncio.gather(*(connection.aclose() for connection in connections))


async def test_connections_opened_before(connect: Connect) -> None:
    async with opened(connect, 20) as connections:
        answers = await asyncio.gather(*(fetch(connection, url="/1k.bin") for connection in connections))
    assert {status for status, _ in answers} == {200}
