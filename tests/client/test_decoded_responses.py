"""Content codings of responses: decoding, refusals, and limits of size. Sockets serve a few cases of each rule."""

import gzip
import importlib.util
import os
import zlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from asyncclient import Client, ContentTooLarge, DecodingError, LocalResponse, Response
from asyncclient.client.content.decoding import MAX_SIZE, RATIO_FREE
from asyncclient.testing import MockTransport, RawConnection, RawServer
from tests.client.answering import Answering, becomes_true, gather_chunks, is_clean
from tests.connection.conversations import OK, chunked, reply

# Without the time, which would be in the names of tests: each run would have others.
pack = partial(gzip.compress, mtime=0)

TEXT = b"".join(b"line %d of the content\n" % number for number in range(5000))


def deflate_raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": pack, "deflate": zlib.compress}
if importlib.util.find_spec("brotli"):
    import brotli

    CODINGS["br"] = brotli.compress
if importlib.util.find_spec("backports") and importlib.util.find_spec("backports.zstd"):
    from backports import zstd

    CODINGS["zstd"] = zstd.compress
elif importlib.util.find_spec("compression"):
    from compression import zstd  # type: ignore[import-not-found,no-redef]

    CODINGS["zstd"] = zstd.compress

CODED: list[tuple[str, bytes]] = [
    *((name, encode(TEXT)) for name, encode in CODINGS.items()),
    ("x-gzip", pack(TEXT)),
    ("GZip", pack(TEXT)),
    ("identity", TEXT),
    ("", TEXT),
    ("deflate", deflate_raw(TEXT)),
    ("gzip", pack(TEXT[:1000]) + pack(TEXT[1000:])),
    ("gzip", pack(TEXT) + bytes(512)),
    ("deflate, gzip", pack(zlib.compress(TEXT))),
    ("gzip,identity , gzip", pack(pack(TEXT))),
    ("gzip, gzip, gzip, gzip, gzip", pack(pack(pack(pack(pack(TEXT)))))),
]


def coded(coding: str, content: bytes, frame: Callable[..., bytes] = reply) -> bytes:
    field = b"Content-Encoding: " + coding.encode() + b"\r\n"
    pieces = [content[start : start + 777] for start in range(0, len(content), 777)] if frame is chunked else [content]
    return frame(*pieces).replace(b"\r\n", b"\r\n" + field, 1)


async def get(data: bytes, client: dict[str, Any] | None = None, **options: Any) -> Response:
    with Answering({"/": data, "/next": OK}) as server:
        async with Client(**(client or {})) as asking:
            response = await asking.get(server.url, **options)
            assert (await asking.get(f"{server.url}/next")).content == b"ok"
        assert server.accepted == 1
    return response


async def read_whole(client: Client, url: str, **options: Any) -> bytes:
    return (await client.get(url, **options)).content


async def read_later(client: Client, url: str, **options: Any) -> bytes:
    async with client.stream("GET", url, **options) as response:
        return await response.read()


async def read_chunks(client: Client, url: str, **options: Any) -> bytes:
    async with client.stream("GET", url, **options) as response:
        return b"".join(await gather_chunks(response))


async def read_sized(client: Client, url: str, **options: Any) -> bytes:
    async with client.stream("GET", url, **options) as response:
        chunks = await gather_chunks(response, 10_000)
        assert all(len(chunk) == 10_000 for chunk in chunks[:-1])
        return b"".join(chunks)


async def read_rest(client: Client, url: str, **options: Any) -> bytes:
    async with client.stream("GET", url, **options) as response:
        async for chunk in response.iter_chunks(100):
            return chunk + await response.read()
        return b""


async def read_lines(client: Client, url: str, **options: Any) -> bytes:
    async with client.stream("GET", url, **options) as response:
        return "".join([f"{line}\n" async for line in response.iter_lines()]).encode()


Read = Callable[..., Any]
Frame = Callable[..., bytes]
WAYS: list[Read] = [read_whole, read_later, read_chunks, read_sized, read_rest, read_lines]
FRAMED: list[tuple[Read, Frame]] = [(read_whole, reply), (read_later, reply), *((read, chunked) for read in WAYS)]


class Pieces:
    """Content that a transport receives piece by piece."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.content), 777):
            yield self.content[start : start + 777]


URL = "http://example.com/"
Content = Callable[[bytes], Any]
READ: list[tuple[Read, Content]] = [(read_whole, bytes), (read_later, bytes), *((read, Pieces) for read in WAYS)]


def offline(coding: str, content: bytes | Pieces, **options: Any) -> Client:
    """A client whose transport answers each request with encoded content."""
    response = LocalResponse(headers={"Content-Encoding": coding}, content=content)
    return Client(transport=MockTransport({f"GET {URL}": response}), **options)


# Decoding


@pytest.mark.parametrize(("read", "build"), READ)
@pytest.mark.parametrize(("coding", "content"), CODED)
async def test_content_is_decoded(coding: str, content: bytes, read: Read, build: Content) -> None:
    async with offline(coding, build(content)) as client:
        assert await read(client, URL) == TEXT


@pytest.mark.parametrize(("read", "frame"), FRAMED)
@pytest.mark.parametrize(("coding", "content"), [*CODED[: len(CODINGS)], ("aws-chunked", TEXT)])
async def test_content_of_a_server_is_decoded(coding: str, content: bytes, read: Read, frame: Frame) -> None:
    with Answering({"/": coded(coding, content, frame), "/next": OK}) as server:
        async with Client() as client:
            assert await read(client, server.url) == TEXT
            assert (await client.get(f"{server.url}/next")).content == b"ok"
        assert server.accepted == 1


async def test_content_until_the_end_of_the_connection_is_decoded() -> None:
    data = b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + pack(TEXT)
    with RawServer.replying(data, then=RawConnection.half_close) as server:
        async with Client() as client:
            assert await read_whole(client, server.url) == TEXT


async def test_two_fields_are_one_list() -> None:
    fields = [("Content-Encoding", "deflate"), ("Content-Encoding", "gzip")]
    response = LocalResponse(headers=fields, content=pack(zlib.compress(TEXT)))
    async with Client(transport=MockTransport({f"GET {URL}": response})) as client:
        assert await read_whole(client, URL) == TEXT


async def test_accept_encoding_names_all_codings_that_can_be_decoded() -> None:
    transport = MockTransport({f"GET {URL}": 200})
    async with Client(transport=transport) as client:
        await client.get(URL)
    assert {*CODINGS} <= set(transport.requests[0].headers["accept-encoding"].split(", "))


async def test_length_and_fields_are_those_of_the_encoded_content() -> None:
    content = pack(TEXT)
    response = await get(coded("gzip", content))
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["content-length"] == str(len(content))
    assert (response.text, len(response.lines)) == (TEXT.decode(), 5000)


async def test_decode_can_be_turned_off() -> None:
    for coding in ("gzip", "no-such"):
        content = pack(TEXT)
        async with offline(coding, content) as client:
            assert await read_whole(client, URL, decode=False) == content


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10000\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Encoding: compress\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Encoding: gzip\r\nContent-Length: 10000\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Encoding: compress\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Encoding: br\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Encoding: compress\r\nContent-Length: 0\r\n\r\n"),
    ],
)
async def test_without_content_there_is_nothing_to_decode(method: str, data: bytes) -> None:
    with Answering({"/": data, "/next": OK}) as server:
        async with Client(max_body_size=100) as client:
            response = await client.request(method, server.url)
            assert response.content == b""
            async with client.stream(method, server.url) as response:
                assert await gather_chunks(response) == []
            assert (await client.get(f"{server.url}/next")).content == b"ok"
        assert server.accepted == 1


# Words that are not codings


@pytest.mark.parametrize(("read", "build"), READ)
@pytest.mark.parametrize("coding", ["none", "utf-8", "aws-chunked", "", "binary, UTF-8"])
async def test_content_is_given_as_sent_where_its_encoding_is_not_a_coding(
    coding: str, read: Read, build: Content
) -> None:
    async with offline(coding, build(TEXT)) as client:
        assert await read(client, URL) == TEXT
        response = await client.get(URL)
        assert response.headers["content-encoding"] == coding


async def test_an_empty_encoding_of_a_server_is_not_a_coding() -> None:
    assert (await get(coded(" ", TEXT))).content == TEXT


async def test_words_that_are_not_codings_leave_the_codings_next_to_them() -> None:
    for coding in ("aws-chunked, gzip", "gzip,aws-chunked"):
        async with offline(coding, pack(TEXT)) as client:
            assert await read_whole(client, URL) == TEXT


# Content that can't be decoded


BROKEN: list[tuple[str, bytes]] = [
    *((name, encode(TEXT)[:-1]) for name, encode in CODINGS.items()),
    *((name, encode(TEXT)[: len(encode(TEXT)) // 2]) for name, encode in CODINGS.items()),
    ("gzip", pack(TEXT)[:5]),
    ("gzip", pack(TEXT)[:-8] + b"\0" * 8),
    ("gzip", pack(TEXT) + b"junk"),
    ("gzip", b"no gzip at all"),
    ("deflate", b"\xff\xff\xff\xff"),
    ("gzip, gzip", pack(TEXT)),
    ("gzip, compress", TEXT),
    ("compress", TEXT),
    (", ".join(["gzip"] * 6), TEXT),
]


@pytest.mark.parametrize(("read", "build"), READ)
@pytest.mark.parametrize(("coding", "content"), BROKEN)
async def test_content_that_is_broken_or_not_supported_is_an_error(
    coding: str, content: bytes, read: Read, build: Content
) -> None:
    async with offline(coding, build(content)) as client:
        with pytest.raises(DecodingError) as raised:
            await read(client, URL)
        assert len(str(raised.value)) < 200


@pytest.mark.parametrize(("read", "frame"), FRAMED)
@pytest.mark.parametrize(("coding", "content"), [("gzip", pack(TEXT)[:-1]), ("compress", TEXT)])
async def test_broken_content_of_a_server_leaves_the_client_usable(
    coding: str, content: bytes, read: Read, frame: Frame
) -> None:
    with Answering({"/": coded(coding, content, frame), "/next": OK}) as server:
        async with Client() as client:
            with pytest.raises(DecodingError):
                await read(client, server.url)
            assert await is_clean(client)
            assert (await client.get(f"{server.url}/next")).content == b"ok"


async def test_unsupported_coding_is_ignored_without_content() -> None:
    with Answering(default=coded("compress", TEXT[:1000])) as server:
        async with Client() as client:
            async with client.stream("GET", server.url) as response:
                assert response.status == 200
            assert client.stats().idle == 1


async def test_a_decoding_error_is_raised_again() -> None:
    with Answering(default=coded("gzip", b"no gzip")) as server:
        async with Client() as client, client.stream("GET", server.url) as response:
            with pytest.raises(DecodingError):
                await response.read()
            with pytest.raises(Exception, match=r"gzip|closed before"):
                await response.read()


# Size


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": pack,
    "gzip, deflate": lambda data: zlib.compress(pack(data)),
}


@pytest.mark.parametrize(("read", "build"), READ[:-1])
@pytest.mark.parametrize("coding", PACKED)
@pytest.mark.parametrize("is_clients", [True, False])
async def test_max_body_size_is_exact(coding: str, read: Read, build: Content, is_clients: bool) -> None:
    clients, options = (10_000, {}) if is_clients else (5, {"max_body_size": 10_000})
    async with offline(coding, build(PACKED[coding](bytes(10_000))), max_body_size=clients) as client:
        assert len(await read(client, URL, **options)) == 10_000
    async with offline(coding, build(PACKED[coding](bytes(10_001))), max_body_size=clients) as client:
        with pytest.raises(ContentTooLarge, match="larger than 10000 bytes") as raised:
            await read(client, URL, **options)
        assert raised.value.limit == 10_000


def announced(size: int) -> bytes:
    return reply(bytes(size))


def in_chunks(size: int) -> bytes:
    return (
        chunked(*[bytes(100)] * (size // 100), bytes(size % 100))
        if size % 100
        else chunked(*[bytes(100)] * (size // 100))
    )


def packed(size: int) -> bytes:
    return coded("gzip", gzip.compress(bytes(size)))


def packed_twice(size: int) -> bytes:
    return coded("gzip, deflate", zlib.compress(gzip.compress(bytes(size))), chunked)


@pytest.mark.parametrize("read", WAYS[:-1])
@pytest.mark.parametrize("build", [announced, in_chunks, packed, packed_twice])
async def test_content_of_a_server_beyond_max_body_size_leaves_the_client_usable(
    build: Callable[[int], bytes], read: Read
) -> None:
    with Answering({"/right": build(10_000), "/more": build(10_001), "/next": OK}) as server:
        async with Client(max_body_size=10_000) as client:
            assert len(await read(client, f"{server.url}/right")) == 10_000
            assert client.stats().idle == 1
            with pytest.raises(ContentTooLarge, match="larger than 10000 bytes") as raised:
                await read(client, f"{server.url}/more")
            assert raised.value.limit == 10_000
            assert await is_clean(client)
            if build in (announced, in_chunks):  # compressed content was received completely
                assert client.stats().idle == 0
            assert await read_whole(client, f"{server.url}/next", max_body_size=2) == b"ok"


@pytest.mark.parametrize("frame", [reply, chunked])
@pytest.mark.parametrize("size", [1, 7_000, 8_200, 70_000, 500_000])
async def test_gzip_of_any_length_is_decoded(frame: Frame, size: int) -> None:
    content = os.urandom(size // 2) + bytes(size // 2)
    assert (await get(coded("gzip", pack(content), frame))).content == content


@pytest.mark.parametrize("frame", [reply, chunked])
async def test_short_gzip_may_be_long_content(frame: Frame) -> None:
    assert (await get(coded("gzip", pack(bytes(1_000_000)), frame))).content == bytes(1_000_000)
    assert (await get(coded("gzip", pack(b"a") + pack(b"b") + bytes(9), frame))).content == b"ab"


@pytest.mark.parametrize("frame", [reply, chunked])
@pytest.mark.parametrize("data", [pack(b"text")[:-1], pack(b"text")[:-4] + b"1234", pack(b"text") + b"more", b"text"])
async def test_short_gzip_that_is_invalid_is_refused(frame: Frame, data: bytes) -> None:
    with pytest.raises(DecodingError, match="gzip content"):
        await get(coded("gzip", data, frame))


async def test_a_request_may_have_no_limit() -> None:
    async with offline("", bytes(10_000), max_body_size=5) as client:
        assert len(await read_whole(client, URL, max_body_size=None)) == 10_000
        with pytest.raises(ContentTooLarge):
            await read_whole(client, URL)


async def test_a_limit_of_0_allows_empty_content_only() -> None:
    async with offline("", b"", max_body_size=0) as client:
        assert await read_whole(client, URL) == b""
    async with offline("", b"x", max_body_size=0) as client:
        with pytest.raises(ContentTooLarge):
            await read_whole(client, URL)


async def test_a_content_length_above_the_limit_is_refused_at_once() -> None:
    def announce(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999\r\n\r\n")
        closings.append(connection.wait_closed())

    closings: list[str] = []
    with RawServer(announce) as server:
        async with Client(max_body_size=1000, timeout=5) as client:
            with pytest.raises(ContentTooLarge):
                await client.get(server.url)
    assert closings


async def test_the_size_limit_holds_for_the_received_bytes_too() -> None:
    content = gzip.compress(os.urandom(2000), 0)
    async with offline("gzip", content, max_body_size=2000) as client:
        with pytest.raises(ContentTooLarge):
            await client.get(URL)
        assert len(await read_whole(client, URL, max_body_size=len(content))) == 2000


async def test_with_decoding_turned_off_the_limit_holds_for_the_wire() -> None:
    content = gzip.compress(bytes(1_000_000))
    async with offline("gzip", content, max_body_size=2000) as client:
        assert await read_whole(client, URL, decode=False) == content
        with pytest.raises(ContentTooLarge):
            await read_whole(client, URL, decode=False, max_body_size=500)


# Bombs


def bomb(coding: str) -> bytes:
    """24 MiB, packed."""
    if coding == "gzip, gzip":
        return gzip.compress(bomb("gzip"))
    data = bytes(24 * 1024 * 1024)
    return brotli.compress(data, quality=5) if coding == "br" else CODINGS[coding](data)


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    return {coding: bomb(coding) for coding in ("gzip", "deflate", "gzip, gzip", *{"br", "zstd"} & {*CODINGS})}


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
@pytest.mark.parametrize("read", [read_whole, read_later])
async def test_a_bomb_is_stopped_by_its_ratio(bombs: dict[str, bytes], coding: str, read: Read) -> None:
    async with offline(coding, bombs[coding]) as client:
        with pytest.raises(ContentTooLarge, match="more than 250 times"):
            await read(client, URL)


@pytest.mark.parametrize("read", [read_whole, read_later])
async def test_a_bomb_of_a_server_leaves_the_client_usable(bombs: dict[str, bytes], read: Read) -> None:
    with Answering({"/": coded("gzip", bombs["gzip"]), "/next": OK}) as server:
        async with Client() as client:
            with pytest.raises(ContentTooLarge, match="more than 250 times"):
                await read(client, server.url)
            assert await is_clean(client)
            assert (await client.get(f"{server.url}/next")).content == b"ok"


async def test_the_connection_of_an_endless_bomb_is_closed() -> None:
    closings: list[str] = []

    def pour(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 999999999\r\n\r\n")
        packer = zlib.compressobj(wbits=31)
        connection.send(packer.compress(bytes(24 * 1024 * 1024)) + packer.flush(zlib.Z_SYNC_FLUSH))
        closings.append(connection.wait_closed())

    with RawServer(pour) as server:
        async with Client() as client:
            with pytest.raises(ContentTooLarge, match="more than 250 times"):
                await client.get(server.url)
            assert await is_clean(client)
            assert client.stats().idle == 0
            assert await becomes_true(lambda: len(closings) == 1)


async def test_no_more_of_a_bomb_than_the_limit_is_given_to_the_reader(bombs: dict[str, bytes]) -> None:
    with Answering(default=coded("gzip", bombs["gzip"])) as server:
        async with Client() as client, client.stream("GET", server.url) as response:
            total = 0
            with pytest.raises(ContentTooLarge):
                async for chunk in response.iter_chunks():
                    assert len(chunk) <= 128 * 1024
                    total += len(chunk)
            assert RATIO_FREE - 128 * 1024 <= total <= RATIO_FREE + 128 * 1024


async def test_the_rest_of_an_unread_bomb_is_not_decoded(
    bombs: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Answering({"/": coded("gzip", bombs["gzip"][:60_000]), "/next": OK}) as server:
        async with Client() as client:
            async with client.stream("GET", server.url) as response:
                assert response.status == 200
            assert (await client.get(f"{server.url}/next")).content == b"ok"
        assert server.accepted == 1


def test_the_largest_size_is_bounded_by_default() -> None:
    assert MAX_SIZE == 1024**3


async def test_content_that_compresses_well_is_not_a_bomb() -> None:
    content = b"all work and no play makes jack a dull boy\n" * 500_000
    packed_content = gzip.compress(content, 1)
    assert len(content) / len(packed_content) > 100
    async with offline("gzip", packed_content) as client:
        assert await read_whole(client, URL) == content
