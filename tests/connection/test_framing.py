"""The beginning and the end of a response, of servers with faults in their framing, over real sockets."""

import asyncio
from collections.abc import Callable

import pytest

from asyncclient import (
    BadStatusLine,
    HTTPException,
    IncompleteRead,
    Limits,
    LineTooLong,
    ProtocolError,
    RemoteDisconnected,
    UnknownProtocol,
    UnknownTransferEncoding,
)
from asyncclient.testing import RawConnection, RawServer
from tests.connection.conversations import (
    MEBIBYTE,
    OK,
    chunked,
    connection_to,
    connection_with_replies,
    fetch,
    start_exchange,
)
from tests.durations import STALL

Then = Callable[[RawConnection], object]
HEAD = b"HTTP/1.1 200 OK\r\n"


async def is_refused(answer: bytes, error: type[BaseException], then: Then = RawConnection.wait_closed) -> None:
    """The response raises the error at once, and the next request uses another connection."""
    answers = iter([(answer, then), (OK, RawConnection.wait_closed)])

    def handler(peer: RawConnection) -> None:
        following, ending = next(answers)
        peer.read_head()
        peer.send(following)
        ending(peer)

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            with pytest.raises(error):
                await asyncio.wait_for(fetch(connection), STALL)
            assert await fetch(connection) == (200, b"ok")
        assert server.accepted == 2


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"HTTP/2.0 200 OK", UnknownProtocol),
        (b"HTTP/0.9 200 OK", UnknownProtocol),
        (b"HTTP/11 200 OK", BadStatusLine),
        (b"http/1.1 200 OK", BadStatusLine),
        (b"HTTP/1.1 20 OK", BadStatusLine),
        (b"HTTP/1.1 2000 OK", BadStatusLine),
        (b"HTTP/1.1 2x0 OK", BadStatusLine),
        (b"HTTP/1.1 +20 OK", BadStatusLine),
        (b"HTTP/1.1 -20 OK", BadStatusLine),
        (b"HTTP/1.1 099 OK", BadStatusLine),
        (b"HTTP/1.1 \xb2\xb2\xb2 OK", BadStatusLine),
        (b"HTTP/1.1  200 OK", BadStatusLine),
        (b"HTTP/1.1\t200 OK", BadStatusLine),
        (b"HTTP/1.\xb2 200 OK", BadStatusLine),
        (b"HTTP/1.1 200 O\rK", BadStatusLine),
        (b"HTTP/1.1 200 O\0K", BadStatusLine),
        (b"HTTP/1.1", BadStatusLine),
        (b"HTTP/1.1 ", BadStatusLine),
        (b" HTTP/1.1 200 OK", BadStatusLine),
        (b"ICY 200 OK", BadStatusLine),
        (b"SSH-2.0-OpenSSH_9", BadStatusLine),
        (b"<html>hello</html>", BadStatusLine),
        (b"\x16\x03\x01\x02", BadStatusLine),
    ],
)
async def test_invalid_status_line(line: bytes, error: type[HTTPException]) -> None:
    await is_refused(line + b"\r\nContent-Length: 0\r\n\r\n", error)


@pytest.mark.parametrize("data", [b"hello", b"GET / HTTP/1.1", b"\x16\x03\x01"])
async def test_other_protocols_are_refused_at_once(data: bytes) -> None:
    await is_refused(data, BadStatusLine)


@pytest.mark.parametrize("then", [RawConnection.close, RawConnection.reset])
@pytest.mark.parametrize(
    "end", [b"", b"H", b"HTTP/1.1 200 OK\r", HEAD, HEAD + b"A: 1\r\n", HEAD + b"Content-Length: 0\r\n\r"]
)
async def test_truncated_head(end: bytes, then: Then) -> None:
    await is_refused(end, RemoteDisconnected if not end else (HTTPException, OSError), then)  # type: ignore[arg-type]


async def test_error_names_the_server_that_closed_without_a_response() -> None:
    async with connection_with_replies(b"", then=RawConnection.close) as connection:
        with pytest.raises(ConnectionResetError, match=r"^127\.0\.0\.1:\d+ closed the connection without a response$"):
            await fetch(connection)


LENGTHS = [
    b"+2",
    b"-2",
    b"0x2",
    b"2_0",
    b"2 0",
    b"",
    b" ",
    b"2.0",
    b"\xb2",
    b"\xd9\xa2",
    b"2,3",
    b"2, 3",
    b"2,",
    b",2",
    b"2;",
    b"two",
    b"9" * 19,
    b"9" * 5000,
    b"1e3",
]


@pytest.mark.parametrize("value", LENGTHS)
async def test_invalid_content_length(value: bytes) -> None:
    await is_refused(HEAD + b"Content-Length: " + value + b"\r\n\r\nok", ProtocolError)


@pytest.mark.parametrize(
    "fields", [b"Content-Length: 2\r\nContent-Length: 3\r\n", b"content-length:2\r\nCONTENT-LENGTH:\t02, 3\r\n"]
)
async def test_different_content_lengths(fields: bytes) -> None:
    await is_refused(HEAD + fields + b"\r\nok", ProtocolError)


@pytest.mark.parametrize(
    "fields", [b"Content-Length: 2\r\nContent-Length: 2\r\n", b"Content-Length: 2, 2\r\n", b"Content-Length:2 \t\r\n"]
)
async def test_equal_content_lengths(fields: bytes) -> None:
    async with connection_with_replies(HEAD + fields + b"\r\nok", OK) as connection:
        assert await fetch(connection) == await fetch(connection) == (200, b"ok")


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 999999999999999999\r\n\r\nab",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nab",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n7FFFFFFFFFFFFFFE\r\nab",
    ],
)
async def test_claimed_size_is_never_allocated(answer: bytes) -> None:
    async with connection_with_replies(answer, then=RawConnection.close) as connection:
        for read in ("read", "read1"):
            response = await start_exchange(connection)
            with pytest.raises(IncompleteRead):
                while await getattr(response, read)():
                    pass
            response = await start_exchange(connection)
            with pytest.raises(IncompleteRead):
                while await response.readinto(bytearray(10)):
                    pass


@pytest.mark.parametrize(
    "coding",
    [
        b"gzip",
        b"gzip, chunked",
        b"chunked, gzip",
        b"chunked, chunked",
        b"xchunked",
        b"\x0bchunked",
        b"identity",
        b"chunked;q=1",
        b"",
        b"chunked\xa0",
        b"chunked,",
        b'"chunked"',
    ],
)
async def test_unknown_transfer_coding(coding: bytes) -> None:
    await is_refused(HEAD + b"Transfer-Encoding: " + coding + b"\r\n\r\n2\r\nok\r\n0\r\n\r\n", UnknownTransferEncoding)


@pytest.mark.parametrize("coding", [b"chunked", b"CHUNKED", b"\t chUnked \t"])
async def test_chunked_in_any_case(coding: bytes) -> None:
    async with connection_with_replies(
        HEAD + b"transfer-ENCODING:" + coding + b"\r\n\r\n2\r\nok\r\n0\r\n\r\n", OK
    ) as connection:
        assert await fetch(connection) == await fetch(connection) == (200, b"ok")


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 12\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
)
async def test_transfer_coding_overrides_the_length_and_closes_the_connection(answer: bytes) -> None:
    with RawServer.replying(answer, answer) as server:
        async with connection_to(server) as connection:
            for _ in range(2):
                assert await fetch(connection) == (200, b"ok")
        assert server.accepted == 2


CHUNKS = [
    b"2\nok\r\n0\r\n\r\n",
    b"2\r\nok\n0\r\n\r\n",
    b"2\r\nok\r\n0\n\r\n",
    b"2\r\nok\r\n0\r\n\n",
    b"2\rok\r\n0\r\n\r\n",
    b"2\r\nokX\r\n0\r\n\r\n",
    b"2\r\nok0\r\n\r\n",
    b"0x2\r\nok\r\n0\r\n\r\n",
    b"+2\r\nok\r\n0\r\n\r\n",
    b"-2\r\nok\r\n0\r\n\r\n",
    b"2_0\r\nok\r\n0\r\n\r\n",
    b" 2\r\nok\r\n0\r\n\r\n",
    b"\r\nok\r\n0\r\n\r\n",
    b";x\r\nok\r\n0\r\n\r\n",
    b"g\r\nok\r\n0\r\n\r\n",
    b"2;a\nb\r\nok\r\n0\r\n\r\n",
    b"2;a\rb\r\nok\r\n0\r\n\r\n",
    b"2\r\nok\r\n0\r\nbad trailer\r\n\r\n",
    b"2\r\nok\r\n0\r\nA : 1\r\n\r\n",
    b"2\r\nok\r\n0\r\nA: \0\r\n\r\n",
    b"2;" + b"x" * 100_000 + b"\r\nok\r\n0\r\n\r\n",
    b"0" * 100_000,
    b"f" * 30 + b"\r\n",
    b"2\r\nok\r\n0\r\nA: " + b"x" * MEBIBYTE,
    b"2\r\nok\r\n0\r\n" + b"A: 1\r\n" * 10_000,
]


@pytest.mark.parametrize("body", CHUNKS, ids=lambda body: repr(body[:30]))
@pytest.mark.parametrize("read", ["read", "read1", "readline"])
async def test_invalid_chunks(body: bytes, read: str) -> None:
    async with connection_with_replies(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body) as connection:
        response = await start_exchange(connection)
        with pytest.raises(HTTPException):
            async with asyncio.timeout(STALL):
                while await getattr(response, read)():
                    pass


async def test_chunk_extensions_larger_than_the_content_are_refused() -> None:
    body = (b"1;" + b"x" * 1000 + b"\r\na\r\n") * 100 + b"0\r\n\r\n"
    await is_refused(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body, ProtocolError)


async def test_trailers_do_not_change_the_headers() -> None:
    trailers = (
        b"Content-Length: 99\r\nTransfer-Encoding: gzip\r\nConnection: close\r\nX: 1\r\nSet-Cookie: a\r\nHost: b\r\n"
    )
    async with connection_with_replies(chunked(b"ok", trailers=trailers), OK) as connection:
        response = await start_exchange(connection)
        assert await response.read() == b"ok"
        assert response.getheaders() == [("Transfer-Encoding", "chunked")]
        assert response.trailers is not None
        assert list(response.trailers.items()) == [("X", "1")]
        assert await fetch(connection) == (200, b"ok")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("framing", [b"Content-Length: 4", b"Transfer-Encoding: chunked"])
async def test_bytes_after_a_response_without_content_end_the_connection(method: str, framing: bytes) -> None:
    status = b"304 Not Modified" if method == "GET" else b"200 OK"
    evil = b"HTTP/1.1 %b\r\n%b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil" % (status, framing)
    with RawServer.replying(evil, OK) as server:
        async with connection_to(server) as connection:
            for _ in range(2):
                assert (await fetch(connection, method))[1] == b""
        assert server.accepted == 2


@pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints", b"199 Odd"])
async def test_interim_responses_are_skipped(interim: bytes) -> None:
    early = b"HTTP/1.1 " + interim + b"\r\nContent-Length: 7\r\n\r\n"
    async with connection_with_replies(early * 3 + OK, OK) as connection:
        response = await start_exchange(connection)
        assert [r.status for r in response.interim] == [int(interim[:3])] * 3
        assert await response.read() == b"ok"
        assert (await start_exchange(connection)).interim == ()


async def test_more_than_100_interim_responses_are_refused() -> None:
    await is_refused(b"HTTP/1.1 100 Continue\r\n\r\n" * 101 + OK, ProtocolError)
    async with connection_with_replies(b"HTTP/1.1 100 Continue\r\n\r\n" * 100 + OK) as connection:
        assert await fetch(connection) == (200, b"ok")


async def test_endless_interim_responses() -> None:
    def flood(peer: RawConnection) -> None:
        while True:
            peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 50_000 + b"\r\n\r\n")

    await is_refused(b"", ProtocolError, flood)


async def test_switch_of_protocols_without_a_request_for_it() -> None:
    await is_refused(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + OK, ProtocolError)


@pytest.mark.parametrize(
    "line",
    [
        b"A B: 1",
        b"A : 1",
        b": 1",
        b"A",
        b"\xe9: 1",
        b"A(: 1",
        b"A: \x00",
        b"A: b\rc",
        b" A: 1",
        b"A: 1\r\n\tB\0: 2",
        b"\x0cA: 1",
    ],
)
async def test_invalid_field_line(line: bytes) -> None:
    await is_refused(HEAD + line + b"\r\nContent-Length: 2\r\n\r\nok", ProtocolError)


async def test_lines_end_with_crlf_or_lf_and_nothing_else() -> None:
    odd = b"A: 1\x85B: 2\x0b\x0cC: 3\x1c\x1dD\n"
    async with connection_with_replies(b"HTTP/1.1 200 OK\n" + odd + b"Content-Length: 2\r\n\nok") as connection:
        response = await start_exchange(connection)
        assert response.getheader("A") == "1\x85B: 2\x0b\x0cC: 3\x1c\x1dD"
        assert await response.read() == b"ok"


async def test_folded_lines_are_joined() -> None:
    async with connection_with_replies(HEAD + b"A: 1 \r\n \t 2\r\n\r\n", then=RawConnection.close) as connection:
        assert (await start_exchange(connection)).getheader("a") in ("1 2", "1  2")  # RFC 9112 §5.2: one SP or more


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"A: " + b"x" * 70_000,
        b"HTTP/1.1 200 " + b"x" * 300_000,
        HEAD + b"A: 1\r\n" * 300 + b"\r\n",
        HEAD + b"A: %b\r\n" % (b"x" * 60_000) * 10,
        HEAD + b"A: 1\r\n" + b" 2\r\n" * 300 + b"\r\n",
    ],
    ids=len,
)
async def test_limits_are_errors_before_the_head_is_complete(answer: bytes) -> None:
    complete = answer if answer.endswith(b"\r\n\r\n") else answer + b"x" * 300_000
    await is_refused(complete, HTTPException)


async def test_leading_blank_lines_are_refused() -> None:
    await is_refused(b"\r\n" * 1000, HTTPException)


async def test_limits_can_be_chosen() -> None:
    with RawServer.replying(HEAD + b"A: 1\r\n" * 3 + b"Content-Length: 0\r\n\r\n") as server:
        async with connection_to(server, max_response_headers=3) as connection:
            with pytest.raises(HTTPException, match="3"):
                await fetch(connection)
        async with connection_to(server, limits=Limits(head=50)) as connection:
            with pytest.raises(LineTooLong, match="50"):
                await fetch(connection)
        async with connection_to(server, max_response_headers=4) as connection:
            assert await fetch(connection) == (200, b"")
