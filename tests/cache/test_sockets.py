"""The cache in front of real connections: the same bytes, and nothing of a response that is not complete."""

import asyncio
import gzip
from typing import Any

import pytest

from asyncclient import Client, HTTPException, PoolTransport
from asyncclient.cache import CacheStats, CacheTransport
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Answering, is_clean
from tests.connection.conversations import reply
from tests.servers import Caddy

CACHED = b"Cache-Control: max-age=60"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n"


class Cached(Client):
    def __init__(self, *, max_entry_size: int = 1_000_000, lenient: bool = False, **options: Any) -> None:
        self.pool_transport = PoolTransport(lenient=lenient)
        self.cache = CacheTransport(self.pool_transport, max_entry_size=max_entry_size)
        super().__init__(transport=self.cache, **options)


def chunked(content: bytes, *fields: bytes, trailers: bytes = b"") -> bytes:
    head = b"\r\n".join((b"HTTP/1.1 200 All right", CACHED, *fields, b"Transfer-Encoding: chunked", b"", b""))
    half = len(content) // 2
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (content[:half], content[half:]))
    return b"%b%b0\r\n%b\r\n" % (head, parts, trailers)


async def test_content_fields_and_trailers_are_those_that_were_received() -> None:
    content = gzip.compress(b"text " * 1000)
    fields = (b"content-TYPE: text/plain", b"X-A: 1", b"Content-Encoding: gzip", b"x-a: \xe9", b"Keep-Alive: a")
    answer = chunked(content, *fields, trailers=b"Content-MD5: 1\r\nx-t: 2\r\n")
    with Answering({"/": answer}) as server:
        async with Cached() as client:
            first, second = [await client.get(server.url) for _ in range(2)]
            third = await client.get(server.url, decode=False)
            async with client.stream("GET", server.url) as response:
                assert b"".join([chunk async for chunk in response.iter_chunks(7)]) == b"text " * 1000
    assert len(server.asked) == 1
    assert first.content == second.content == b"text " * 1000
    assert third.content == content
    kept = [pair for pair in first.headers.pairs() if pair[0] not in ("Transfer-Encoding", "Keep-Alive")]
    assert second.headers.pairs() == [*kept, ("Age", second.headers["age"])]
    assert (second.reason, second.version) == (first.reason, first.version)
    assert first.trailers is not None
    assert second.trailers is not None
    assert second.trailers.pairs() == first.trailers.pairs() == [("Content-MD5", "1"), ("x-t", "2")]


@pytest.mark.parametrize("size", [0, 1, 100_000])
async def test_content_is_stored_however_it_is_read(size: int) -> None:
    with Answering({"/": reply(bytes(size), CACHED)}) as server:
        for read in ("get", "stream", "chunks"):
            async with Cached() as client:
                for _ in range(2):
                    if read == "get":
                        assert len((await client.get(server.url)).content) == size
                        continue
                    async with client.stream("GET", server.url) as response:
                        if read == "stream":
                            assert len(await response.read()) == size
                        else:
                            assert sum([len(chunk) async for chunk in response.iter_chunks()]) == size
                assert client.cache.stats() == CacheStats(hits=1, misses=1, stored=1)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n" + CACHED + b"\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\n" + CACHED + b"\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\n" + CACHED + b"\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\n" + CACHED + b"\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nhalf",
    ],
)
async def test_a_response_that_breaks_off_is_not_stored(answer: bytes) -> None:
    with RawServer.replying(answer, then=RawConnection.close) as server:
        async with Cached() as client:
            with pytest.raises(HTTPException):
                await client.get(server.url)
            assert client.cache.stats() == CacheStats(misses=1)


async def test_content_up_to_the_end_of_the_connection_is_not_stored() -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + CACHED + b"\r\n\r\ncontent"
    with RawServer.replying(answer, then=RawConnection.close) as server:
        async with Cached() as client:
            assert (await client.get(server.url)).text == "content"
            assert client.cache.stats() == CacheStats(misses=1)


@pytest.mark.parametrize("end", ["close", "aclose", "leave", "cancel"])
async def test_a_response_that_is_not_read_to_its_end_is_not_stored(end: str) -> None:
    with Answering({"/": reply(bytes(50_000), CACHED)}) as server:
        async with Cached() as client:
            async with client.stream("GET", server.url) as response:
                await anext(response.iter_chunks(10))
                if end == "close":
                    response.close()
                elif end == "aclose":
                    await response.aclose()
                elif end == "cancel":
                    task = asyncio.create_task(response.read())
                    task.cancel()
                    await asyncio.wait([task])
            assert client.cache.stats() == CacheStats(misses=1)


async def test_a_repaired_response_is_not_stored() -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + CACHED + b"\r\nContent-Length: 9\r\n\r\nhalf"
    with RawServer.replying(answer, then=RawConnection.close) as server:
        async with Cached(lenient=True) as client:
            response = await client.get(server.url)
            assert (response.text, len(response.repairs)) == ("half", 1)
            assert client.cache.stats() == CacheStats(misses=1)


async def test_large_content_takes_no_memory_of_the_cache() -> None:
    answer = chunked(bytes(100_000))
    with Answering({"/": answer}) as server:
        async with Cached(max_entry_size=50_000) as client:
            for _ in range(2):
                assert len((await client.get(server.url)).content) == 100_000
            assert client.cache.stats() == CacheStats(misses=2)


async def test_an_upgrade_is_passed_on() -> None:
    with RawServer.replying(SWITCHED, then=RawConnection.wait_closed) as server:
        async with Cached() as client:
            response = await client.get(server.url, headers={"Connection": "Upgrade", "Upgrade": "shout"})
            assert response.upgraded is not None
            response.upgraded[1].close()
            await response.upgraded[1].wait_closed()


async def test_the_connection_is_kept_and_used_for_a_confirmation(caddy: Caddy) -> None:
    async with Cached(base_url=caddy.url) as client:
        first = await client.get("/1k.bin")
        for directives in ("max-age=100000", "no-cache", "no-cache"):
            response = await client.get("/1k.bin", headers={"Cache-Control": directives})
            assert response.content == first.content
            assert response.headers["etag"] == first.headers["etag"]
        stats = client.cache.stats()
        assert (stats.confirmed, stats.misses, stats.stored) == (2 + 1 - stats.hits, 1, 1)
        assert client.pool_transport.pool.stats().idle == 1


async def test_nothing_is_left_in_use() -> None:
    with Answering({"/": reply(b"ok", CACHED)}) as server:
        async with Client(transport=CacheTransport(pool := PoolTransport())) as client:
            await client.get(server.url)
            await client.get(server.url)
            assert pool.pool.stats().active == 0
        async with Client() as plain:
            assert await is_clean(plain)


# Arguments


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"transport": 1}, TypeError, "transport"),
        ({"store": 1}, TypeError, "expected an object with the methods of a Store as store, got int"),
        ({"shared": 1}, TypeError, "expected True or False as shared, got int"),
        ({"max_entry_size": -1}, ValueError, "expected max_entry_size of at least 0, got -1"),
    ],
)
def test_invalid_arguments(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        CacheTransport(**{"transport": PoolTransport(), **options})


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"a cache needs the extra asyncclient-http\[cache\]"):
        CacheTransport(PoolTransport())
