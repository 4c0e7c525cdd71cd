"""Client(lenient=True) over real connections: what is repaired and reported; its connection is not used again."""

import copy
import gzip
import pickle
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asyncclient import (
    Client,
    DecodingError,
    HTTPException,
    IncompleteRead,
    ProtocolError,
    Repair,
    Response,
    Retry,
)
from asyncclient.blocking.client import Client as BlockingClient
from asyncclient.client.content.decoding import Decoder, open_decoder
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Answering
from tests.client.test_decoding import CODINGS
from tests.servers import Certificates
from tests.stream.test_tls_transport import GARBAGE, ManualTLS, send_alert

OK = b"HTTP/1.1 200 OK\r\n"
END = b"Content-Length: 5\r\n\r\nhello"
GOOD = OK + END
IN_CHUNKS = b"\r\n5\r\nhello\r\n0\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
ZIPPED = gzip.compress(b"hello", mtime=0)


def coded(content: bytes, coding: bytes = b"gzip", *, chunked: bool = False) -> bytes:
    head = OK + b"Content-Encoding: %b\r\n" % coding
    if chunked:
        return head + CHUNKED + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(content), content)


class Faulty(RawServer):
    """A server that answers /good well and all else with one message, and counts connections.

    Args:
        message: the answer.
        ends: close the connection after it.
    """

    def __init__(self, message: bytes, *, ends: bool = False) -> None:
        super().__init__(self._answer_requests)
        self.connections = 0
        self._message, self._ends = message, ends

    def _answer_requests(self, connection: RawConnection) -> None:
        self.connections += 1
        while head := connection.read_request()[0]:
            if b" /good " in head:
                connection.send(GOOD)
                continue
            connection.send(self._message)
            if self._ends:
                return


@contextmanager
def faulty(message: bytes, *, ends: bool = False) -> Iterator[Faulty]:
    with Faulty(message, ends=ends) as server:
        yield server


FAULTS = [
    (OK + b"Content-Length : 5\r\n\r\nhello", Repair.BLANKS),
    (OK + b"PHP Warning:  foo() in /x.php on line 3\r\n" + END, Repair.STRAY_LINE),
    (OK + b"A: b\rc\r\n" + END, Repair.CONTROL),
    (OK + b"A: b\0c\r\n" + END, Repair.CONTROL),
    (b"HTTP/1.1 200OK\r\n" + END, Repair.STATUS_LINE),
    (b"\r\n" + GOOD, Repair.EMPTY_LINE),
    (OK + CHUNKED + CHUNKED + IN_CHUNKS, Repair.REPEATED_CHUNKED),
    (OK + CHUNKED + b"\r\n5\nhello\n0\n\n", Repair.BARE_LF),
    (OK + CHUNKED + b"\r\n5\r\nhello\r\n0\r\nA: b\x0b\r\n\r\n", Repair.CONTROL),
    (b"HTTP/1.1 103 Early\r\nA : b\r\n\r\n" + GOOD, Repair.BLANKS),
    (coded(ZIPPED + b"\n"), Repair.EXCESS),
    (coded(ZIPPED + b"<!-- -->", chunked=True), Repair.EXCESS),
]
CUT = [
    OK + CHUNKED + b"\r\n5\r\nhello\r\n",
    OK + CHUNKED + b"\r\n5\r\nhello\r\n0\r\n",
    OK + b"Content-Length: 9\r\n\r\nhello",
    OK + CHUNKED + b"Content-Encoding: gzip\r\n\r\n%x\r\n%b\r\n" % (len(ZIPPED), ZIPPED),
    OK + CHUNKED + b"Content-Encoding: gzip\r\n\r\n50\r\n" + ZIPPED[:-8],
]


async def stream(client: Client, url: str) -> tuple[bytes, Response]:
    async with client.stream("GET", url) as response:
        return b"".join([piece async for piece in response.iter_chunks()]), response


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("message", "repair"), FAULTS)
async def test_fault_is_repaired_and_its_connection_is_not_used_again(
    message: bytes, repair: Repair, streamed: bool
) -> None:
    with faulty(message) as server:
        async with Client(lenient=True) as client:
            await client.get(f"{server.url}/good")
            if streamed:
                content, response = await stream(client, server.url)
            else:
                response = await client.get(server.url)
                content = response.content
            assert (content, response.repairs) == (b"hello", (repair,))
            assert client.stats().idle == 0
            assert (await client.get(f"{server.url}/good")).repairs == ()
        assert server.connections == 2


@pytest.mark.parametrize("message", [message for message, _ in FAULTS])
async def test_client_is_strict_by_default(message: bytes) -> None:
    with faulty(message) as server:
        async with Client() as client:
            with pytest.raises(HTTPException):
                await client.get(server.url)


@pytest.mark.parametrize(
    "message",
    [
        GOOD,
        b"HTTP/1.1 200\r\n" + END,
        b"HTTP/1.1 200 OK\n" + END,
        OK + CHUNKED + IN_CHUNKS,
        coded(ZIPPED),
        coded(ZIPPED + b"\0\0", chunked=True),
        coded(ZIPPED[:-8] + ZIPPED[-8:] + gzip.compress(b"")),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_valid_response_keeps_its_connection_and_has_no_repairs(message: bytes, streamed: bool) -> None:
    for lenient in (False, True):
        with faulty(message) as server:
            async with Client(lenient=lenient) as client:
                for _ in range(3):
                    if streamed:
                        content, response = await stream(client, server.url)
                    else:
                        response = await client.get(server.url)
                        content = response.content
                    assert (content, response.repairs) == (b"hello", ())
            assert server.connections == 1


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("message", CUT)
async def test_content_cut_short_is_given_and_marked(message: bytes, streamed: bool) -> None:
    with faulty(message, ends=True) as server:
        async with Client() as client:
            with pytest.raises(IncompleteRead):
                await client.get(server.url)
        async with Client(lenient=True) as client:
            if streamed:
                content, response = await stream(client, server.url)
            else:
                response = await client.get(server.url)
                content = response.content
            assert (content, response.repairs) == (b"hello", (Repair.INCOMPLETE,))


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length : 5\r\n" + CHUNKED,
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Content-Length: x\r\n",
    ],
)
async def test_ambiguous_end_stays_an_error(fields: bytes) -> None:
    with faulty(OK + fields + IN_CHUNKS) as server:
        async with Client(lenient=True) as client:
            with pytest.raises(HTTPException):
                await client.get(server.url)
            assert client.stats().idle == 0


async def test_repaired_head_is_not_remembered_for_valid_ones() -> None:
    """The client knows a head that it has parsed before: a repaired one must not be used for a valid one."""
    valid = OK + b"A: b\r\n" + END
    with Answering({"/": [OK + b"A : b\r\n" + END, valid, valid]}) as server:
        async with Client(lenient=True) as client:
            assert [(await client.get(f"{server.url}/")).repairs for _ in range(3)] == [(Repair.BLANKS,), (), ()]


async def test_upgrade_with_a_repaired_head_is_refused() -> None:
    fields = {"Connection": "upgrade", "Upgrade": "chat"}
    with faulty(b"HTTP/1.1 101 Go\r\nUpgrade : chat\r\n\r\n") as server:
        async with Client(lenient=True) as client:
            with pytest.raises(ProtocolError, match="101 with a fault"):
                await client.get(server.url, headers=fields)


async def test_response_that_is_left_early_waits_for_nothing_and_reports_no_fault_of_the_rest() -> None:
    with faulty(coded(ZIPPED)) as server:
        async with Client(lenient=True) as client:
            async with client.stream("GET", server.url) as response:
                async for _ in response.iter_chunks(1):
                    break
            assert response.repairs == ()
            assert (await client.get(server.url)).content == b"hello"
        assert server.connections == 1


async def test_early_answer_to_an_upload_is_repaired() -> None:
    answer = b"HTTP/1.1 413 Too Large\r\nno colon\r\nContent-Length: 5\r\n\r\nhello"

    def refuse(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(answer)
        connection.wait_closed()

    with RawServer(refuse) as server:
        async with Client(lenient=True, timeout=5) as client:
            response = await client.post(server.url, body=b"x" * 5_000_000)
            assert (response.status, response.content, response.repairs) == (413, b"hello", (Repair.STRAY_LINE,))


async def test_pickled_and_copied_responses_keep_their_repairs() -> None:
    with faulty(OK + b"A : b\r\n" + END) as server:
        async with Client(lenient=True) as client:
            response = await client.get(server.url)
    for other in (copy.copy(response), pickle.loads(pickle.dumps(response))):
        assert (other.content, other.repairs) == (b"hello", (Repair.BLANKS,))


async def test_incomplete_content_does_not_finish_a_download(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with faulty(OK + CHUNKED + b"\r\n5\r\nhello\r\n", ends=True) as server:
        async with Client(lenient=True) as client:
            with pytest.raises(IncompleteRead):
                await client.download(server.url, path)
    assert list(tmp_path.iterdir()) == []


async def test_download_with_a_repaired_head_is_finished(tmp_path: Path) -> None:
    with faulty(OK + b"no colon\r\n" + END) as server:
        async with Client(lenient=True, retries=Retry(total=1)) as client:
            response = await client.download(server.url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"hello"
    assert response.repairs == (Repair.STRAY_LINE,)


def test_blocking_client_repairs_as_well() -> None:
    with faulty(OK + b"A : b\r\n" + END) as server, BlockingClient(lenient=True) as client:
        response = client.get(server.url)
        assert (response.content, response.repairs) == (b"hello", (Repair.BLANKS,))


# Bytes after the end of compressed content


def decode(decoder: Decoder, data: bytes, step: int) -> bytes:
    parts = []
    for at in range(0, len(data), step):
        decoder.feed(data[at : at + step])
        while part := decoder.take(3):
            parts.append(part)
    decoder.finish()
    return b"".join(parts)


def lenient_decoder(coding: str) -> Decoder:
    decoder = open_decoder(coding, is_lenient=True)
    assert decoder is not None
    return decoder


@pytest.mark.parametrize("step", [1, 5, 1000])
@pytest.mark.parametrize("excess", [b"\n", b"\r\n", b"<html>", b"PHP", b"(x", b"\x1f\n", b"\0\0x", b"x" * 3000])
@pytest.mark.parametrize("name", ["gzip", "zlib", "raw deflate", "zstd"])
def test_bytes_after_the_end_are_dropped(name: str, excess: bytes, step: int) -> None:
    coding, compress = CODINGS[name]
    decoder = lenient_decoder(coding)
    assert decode(decoder, compress(b"hello" * 9) + excess, step) == b"hello" * 9
    assert decoder.has_excess


@pytest.mark.parametrize("step", [1, 5, 1000])
@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_further_members_do_not_count_as_excess(name: str, step: int) -> None:
    coding, compress = CODINGS[name]
    decoder = lenient_decoder(coding)
    assert decode(decoder, compress(b"a") + compress(b"") + compress(b"b"), step) == b"ab"
    assert not decoder.has_excess


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        ZIPPED[:-1],
        ZIPPED + ZIPPED[:12],
        ZIPPED[:-8] + b"12345678",
        gzip.compress(b"x" * 99) + gzip.compress(bytes(range(256)))[:-8] + b"12345678",
    ],
)
def test_broken_content_stays_an_error(data: bytes, step: int) -> None:
    with pytest.raises(DecodingError):
        decode(lenient_decoder("gzip"), data, step)


def test_excess_within_several_codings_is_found() -> None:
    decoder = lenient_decoder("deflate, gzip")
    assert decode(decoder, gzip.compress(zlib.compress(b"hello") + b"\n"), 1000) == b"hello"
    assert decoder.has_excess


@pytest.mark.parametrize("fault", [GARBAGE, None])
@pytest.mark.parametrize("head", [OK + b"Content-Length: 50\r\n\r\n", OK + CHUNKED + b"\r\n32\r\n", OK + b"\r\n"])
async def test_a_tls_failure_after_content_is_an_error_for_a_lenient_client_too(
    tls: Certificates, head: bytes, fault: bytes | None
) -> None:
    context = tls.server_context()

    def handler(peer: RawConnection) -> None:
        server = ManualTLS(peer, context)
        peer.send(server.shake_hands())
        server.read_head()
        peer.send(server.encrypt(head + b"hello"))
        if fault is None:
            send_alert(server)
        else:
            peer.send(fault)
        peer.wait_closed()

    with RawServer(handler) as server:
        async with Client(lenient=True, ssl=tls.client_context(), timeout=10) as client:
            with pytest.raises(IncompleteRead):
                await client.get(f"https://127.0.0.1:{server.port}/")
