"""Known issues of other HTTP clients about responses: time limits, trailers, bounds; each test names them."""

import gzip
from functools import cache
from typing import Any

import pytest

from asyncclient import (
    Client,
    ContentTooLarge,
    DecodingError,
    HTTPException,
    Limits,
    LineTooLong,
    ProtocolError,
    RateTimeout,
    Response,
    Timeout,
    TotalTimeout,
)
from asyncclient.testing import RawConnection, RawServer, parse_fields
from tests.client.answering import Answering, gather_chunks, is_clean, redirect
from tests.connection.conversations import MEBIBYTE, OK, chunked, echo_target, reply
from tests.durations import FOREVER, STALL, lasts
from tests.servers import raw_response

# Time


async def limits_in_force(client: Client, url: str, **options: Any) -> Timeout:
    """Return the time limits of the connection for the current request."""
    async with client.stream("GET", url, **options) as response:
        timeout: Timeout = raw_response(response)._stream.timeout
        await response.read()
    return timeout


async def test_there_are_time_limits_by_default() -> None:
    """psf/requests#3070: without a timeout it hangs. encode/httpx#444: `timeout=None` is not the default."""
    with RawServer(echo_target) as server:
        async with Client() as client:
            usual = await limits_in_force(client, server.url)
            assert (usual.connect, usual.tls, usual.write, usual.read) == (10.0, 10.0, 60.0, 60.0)
            for_ever = await limits_in_force(client, server.url, timeout=None)
            assert {for_ever.connect, for_ever.tls, for_ever.write, for_ever.read, for_ever.total} == {None}
            assert (await limits_in_force(client, server.url, timeout=5)).total == 5
        async with Client(timeout=None) as client:
            assert (await limits_in_force(client, server.url)).read is None


def drip(connection: RawConnection) -> None:
    """Send content byte by byte, endlessly: no read of it takes long."""
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.send_slowly([b"x"], pause=0.01)


@pytest.mark.parametrize(
    ("timeout", "error", "text"),
    [
        (Timeout(read=0.2, total=0.3), TotalTimeout, r"0\.3 s"),
        (0.3, TotalTimeout, r"0\.3 s"),
        (Timeout(read=0.2, min_rate=1000, rate_patience=0.3), RateTimeout, r"slower than 1000 bytes/s for 0\.3 s"),
    ],
)
async def test_dripping_content_is_ended_by_a_time_limit(
    timeout: Timeout | float, error: type[Exception], text: str
) -> None:
    """encode/httpx#1450: against a slow-loris server the timeout of each read never fires."""
    with RawServer(drip) as server:
        async with Client(timeout=timeout) as client:
            with lasts(0.3), pytest.raises(error, match=text):
                await client.get(server.url)
            with lasts(0.3), pytest.raises(error, match=text):
                async with client.stream("GET", server.url) as response:
                    await gather_chunks(response)
            assert await is_clean(client)


async def test_a_server_that_drips_fast_enough_is_read_to_the_end() -> None:
    """encode/httpx#1450: a rate is not a time limit."""
    content = b"x" * 40

    def drip_to_the_end(connection: RawConnection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
        connection.send_slowly(content[n : n + 1] for n in range(40))

    with RawServer(drip_to_the_end) as server:
        async with Client(timeout=Timeout(read=STALL, min_rate=1, rate_patience=STALL)) as client:
            assert (await client.get(server.url)).content == content


# Trailers


async def test_trailers_are_sent_and_read() -> None:
    """urllib3/urllib3#804, aio-libs/aiohttp#1652, #8452, encode/httpx#1149, psf/requests#6697: trailers both ways."""
    answer = chunked(b"con", b"tent", trailers=b"x-amz-checksum-crc32: AAAA\r\nServer-Timing: db\r\n")
    with Answering(default=answer) as server:
        async with Client() as client:
            async with client.stream("POST", server.url, body=b"up", trailers={"Digest": "abc"}) as response:
                assert response.trailers is None
                assert await response.read() == b"content"
                assert response.trailers is not None
                assert dict(response.trailers) == {"x-amz-checksum-crc32": "AAAA", "Server-Timing": "db"}
            assert client.stats().idle == 1
    assert server.asked[0].raw_body == b"2\r\nup\r\n0\r\nDigest: abc\r\n\r\n"


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Host", "Set-Cookie", "Authorization"])
async def test_a_trailer_never_counts_as_a_field_of_the_head(name: str) -> None:
    """urllib3/urllib3#804: framing, routing and credentials are not allowed there (RFC 9110 §6.5.1)."""
    with Answering(default=chunked(b"content", trailers=f"{name}: 5\r\n".encode())) as server:
        async with Client() as client:
            for _ in range(2):
                response = await client.get(server.url)
                assert (response.content, list(response.headers)) == (b"content", ["Transfer-Encoding"])
                assert len(client.cookies) == 0
            if name != "Set-Cookie":  # no field of requests
                with pytest.raises(ValueError, match="trailer"):
                    await client.post(server.url, body=b"x", trailers={name: "5"})
            assert await is_clean(client)
    assert len(server.asked) == 2


# Interim responses

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


class Expecting:
    """A server that answers a head with Expect, reads the content unless it refused it, and answers again."""

    def __init__(self, first: bytes, last: bytes = OK) -> None:
        self.first, self.last = first, last
        self.contents: list[bytes] = []

    def __call__(self, connection: RawConnection) -> None:
        while head := connection.read_head():
            fields = dict(parse_fields(head))
            connection.send(self.first if "expect" in fields else b"")
            if "expect" in fields and self.first.startswith(b"HTTP/1.1 4"):
                return
            self.contents.append(connection.read_body(int(fields.get("content-length", 0))))
            connection.send(self.last)


@pytest.mark.parametrize(
    ("first", "last", "expect", "statuses"),
    [
        (CONTINUE, OK, FOREVER, [100, 200]),
        (HINTS + CONTINUE, OK, FOREVER, [103, 100, 200]),
        (b"", OK, 0.05, [200]),
        (b"", CONTINUE + OK, 0.05, [100, 200]),
    ],
    ids=["100", "103, then 100", "silence", "late 100"],
)
async def test_content_waits_for_100_continue_for_a_limited_time(
    first: bytes, last: bytes, expect: float, statuses: list[int]
) -> None:
    """python/cpython#42550, psf/requests#713, #3614, httpie/cli#152: Expect: 100-continue."""
    script = Expecting(first, last)
    with RawServer(script) as server:
        async with Client(timeout=Timeout(expect=expect)) as client:
            with lasts():
                response = await client.post(server.url, body=b"content", expect_continue=True)
            assert [*(interim.status for interim in response.interim), response.status] == statuses
            assert (await client.get(server.url)).content == b"ok"
    assert (script.contents, server.accepted) == ([b"content", b""], 1)


@pytest.mark.parametrize(
    ("status", "final", "contents"),
    [
        (b"401 Unauthorized", 401, []),
        (b"413 Content Too Large", 413, []),
        (b"417 Expectation Failed", 200, [b"content"]),  # asked again, without the expectation
    ],
)
async def test_after_a_refused_expectation_no_content_is_sent(status: bytes, final: int, contents: list[bytes]) -> None:
    """python/cpython#42550: what 100-continue is for."""
    script = Expecting(reply(b"no", status=status))
    with RawServer(script) as server:
        async with Client(timeout=Timeout(expect=10)) as client:
            response = await client.post(server.url, body=b"content", expect_continue=True)
            assert (response.status, response.content) == (final, b"ok" if final == 200 else b"no")
            assert await is_clean(client)
            assert (await client.get(server.url)).content == b"ok"
    assert script.contents == [*contents, b""]


@pytest.mark.parametrize("count", [0, 1, 2, 100])
@pytest.mark.parametrize("interim", [HINTS, CONTINUE, b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 199 X\r\n\r\n"])
async def test_interim_responses_are_never_the_final_response(interim: bytes, count: int) -> None:
    """urllib3/urllib3#3336, snoyberg/http-client#521: a 103 is taken for final, then all answers are one late."""

    def hint(connection: RawConnection) -> None:
        while head := connection.read_request()[0]:
            connection.send(interim * count + reply(head.split()[1]))

    with RawServer(hint) as server:
        async with Client() as client:
            for number in range(20):
                response = await client.get(f"{server.url}/{number}")
                assert (response.status, response.text) == (200, f"/{number}")
                assert len(response.interim) == count
    assert server.accepted == 1


def repeat(connection: RawConnection, first: bytes, piece: bytes, pause: float = 0) -> None:
    """Send the piece again and again, until the client closes."""
    connection.read_request()
    connection.send(first)
    while True:
        connection.send_slowly([piece], pause=pause)


TRAILER = b"X-Trailer: value\r\n"
ENDLESS = [
    (b"", CONTINUE, ProtocolError),
    (b"", b"HTTP/1.1 103 Hints\r\n" + b"Link: <a>\r\n" * 200 + b"\r\n", ProtocolError),
    (chunked(b"content")[:-2], TRAILER, (ProtocolError, LineTooLong)),
    (chunked(b"content")[:-2], b"X" * 1000, LineTooLong),
    (b"HTTP/1.1 200 OK\r\n", TRAILER, (ProtocolError, LineTooLong)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 1000, HTTPException),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 1000, HTTPException),
]


@pytest.mark.parametrize(("first", "piece", "error"), ENDLESS)
async def test_endless_trailers_and_interim_responses_are_ended_by_their_size(
    first: bytes, piece: bytes, error: Any
) -> None:
    """python/cpython#150743: endless trailers or 100s hang a client."""
    with RawServer(lambda connection: repeat(connection, first, piece)) as server:
        async with Client(timeout=Timeout(total=FOREVER)) as client:
            with lasts(), pytest.raises(error) as raised:
                await client.get(server.url)
            assert not isinstance(raised.value, TotalTimeout)
            assert await is_clean(client)


@pytest.mark.parametrize("first", [b"", chunked(b"content")[:-2], b"HTTP/1.1 200 OK\r\n"])
async def test_endless_dripping_is_ended_by_the_total_limit(first: bytes) -> None:
    """python/cpython#150743: and despite a timeout."""
    piece = TRAILER if first else CONTINUE
    with RawServer(lambda connection: repeat(connection, first, piece, 0.05)) as server:
        async with Client(timeout=Timeout(read=FOREVER, total=0.3)) as client:
            with lasts(0.3), pytest.raises(TotalTimeout):
                await client.get(server.url)
            assert await is_clean(client)


# Bounds


async def get_fields(count: int, **limits: int) -> Response:
    """A response with so many fields, Content-Length among them."""
    with Answering(default=reply(b"", *(b"X-%d: 1" % n for n in range(count - 1)))) as server:
        async with Client(limits=Limits(**limits)) as client:
            return await client.get(server.url)


async def test_256_fields_are_accepted_by_default() -> None:
    """python/cpython#131724, psf/requests#3097, httpie/cli#802, seanmonstar/reqwest#3065: got more than 100 headers."""
    assert len((await get_fields(256)).headers) == 256
    with pytest.raises(ProtocolError, match="got more than 256 header fields"):
        await get_fields(257)
    assert len((await get_fields(1000, fields=1000)).headers) == 1000
    with pytest.raises(ProtocolError, match="got more than 50 header fields"):
        await get_fields(51, fields=50)


@cache
def compressed(size: int, *levels: str) -> bytes:
    data = bytes(size)
    for _ in levels:
        data = gzip.compress(data, 9)
    return data


@pytest.mark.parametrize("levels", [("gzip",), ("gzip", "gzip"), ("gzip",) * 3])
async def test_a_bomb_is_stopped_for_any_nesting_of_codings(levels: tuple[str, ...]) -> None:
    """GHSA-2xpw-w6gg-jr37, GHSA-38jv-5279-wg99, CVE-2026-44432: decompression bombs, also through a stream."""
    answer = reply(compressed(64 * MEBIBYTE, *levels), b"Content-Encoding: " + ", ".join(levels).encode())
    with Answering(default=answer) as server:
        async with Client() as client:
            with pytest.raises((ContentTooLarge, DecodingError)):
                await client.get(server.url)
            seen = 0
            with pytest.raises((ContentTooLarge, DecodingError)):
                async with client.stream("GET", server.url) as response:
                    async for chunk in response.iter_chunks():
                        assert len(chunk) <= MEBIBYTE
                        seen += len(chunk)
            assert seen <= 32 * MEBIBYTE
            assert await is_clean(client)


@pytest.mark.parametrize("size", [None, 10_000])
async def test_max_body_size_bounds_received_and_decoded_content(size: int | None) -> None:
    """GHSA-2xpw-w6gg-jr37: a bound that the user sets."""
    plain, coded = reply(bytes(10_001)), reply(compressed(10_001, "gzip"), b"Content-Encoding: gzip")
    with Answering({"/plain": plain, "/coded": coded, "/chunks": chunked(bytes(10_001))}) as server:
        async with Client(max_body_size=size) as client:
            for target in ("/plain", "/coded", "/chunks"):
                if size is None:
                    assert len((await client.get(server.url + target)).content) == 10_001
                with pytest.raises(ContentTooLarge, match="10000") as raised:
                    await client.get(server.url + target, max_body_size=10_000)
                assert raised.value.limit == 10_000
                assert len((await client.get(server.url + target, max_body_size=10_001)).content) == 10_001


async def test_more_than_five_codings_are_refused() -> None:
    """CVE-2025-66418 and its like: a chain of codings, each a decoder."""
    with Answering(default=reply(b"x", b"Content-Encoding: " + b"gzip, " * 5 + b"gzip")) as server:
        async with Client() as client:
            with pytest.raises(DecodingError, match="5"):
                await client.get(server.url)


@pytest.mark.parametrize(
    ("content", "accepted"),
    [(b"no gzip", 1), (compressed(10 * MEBIBYTE, "gzip"), 1), (bytes(65_537), 2), (bytes(10 * MEBIBYTE), 2)],
    ids=["broken", "bomb", "long", "very long"],
)
async def test_content_of_redirects_is_drained_undecoded_up_to_a_bound(content: bytes, accepted: int) -> None:
    """GHSA-gm62-xv2j-4w53: a bomb in the content of a redirect, which is not read."""
    with Answering({"/": redirect("/to", 302, content, b"Content-Encoding: gzip"), "/to": OK}) as server:
        async with Client() as client:
            response = await client.get(server.url)
            assert (response.content, response.history[0].status) == (b"ok", 302)
    assert server.accepted == accepted
