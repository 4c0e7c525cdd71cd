"""The content of a response as a file: of the client, and of the blocking one."""

import csv
import gzip
import io
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import compat
from asyncclient import Client, IncompleteRead, ReadTimeout, Timeout
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Answering, gather_chunks
from tests.connection.conversations import OK, chunked, reply

CONTENT = bytes(range(251)) * 4000
TEXT = "name,size\r\nä,1\r\n".encode()


@pytest.fixture
def server() -> Iterator[Answering]:
    answers = {
        "/": reply(CONTENT),
        "/chunks": chunked(CONTENT[:5], CONTENT[5:]),
        "/gzip": reply(gzip.compress(CONTENT), b"Content-Encoding: gzip"),
        "/text": reply(TEXT),
    }
    with Answering(answers, default=OK) as server:
        yield server


@pytest.fixture
def blocking() -> Iterator[compat.Client]:
    with compat.Client() as client:
        yield client


# Asynchronous


@pytest.mark.parametrize("target", ["/", "/chunks", "/gzip"])
@pytest.mark.parametrize("n", [1000, 65_537, len(CONTENT), len(CONTENT) + 1, 1 << 40])
async def test_read_returns_exactly_n_bytes_until_the_end(server: Answering, target: str, n: int) -> None:
    async with Client() as client, client.stream("GET", server.url + target) as response:
        file = response.as_file()
        pieces = []
        while piece := await file.read(n):
            pieces.append(piece)
        assert (await file.read(n), await file.read(), await file.read1()) == (b"", b"", b"")
    assert b"".join(pieces) == CONTENT
    assert {len(piece) for piece in pieces[:-1]} <= {n}


@pytest.mark.parametrize("n", [-1, None])
async def test_read_without_a_number_returns_the_rest(server: Answering, n: int | None) -> None:
    async with Client() as client, client.stream("GET", server.url) as response:
        file = response.as_file()
        assert (await file.read(0), await file.read1(0), await file.read(3)) == (b"", b"", CONTENT[:3])
        first = await file.read1(10)
        assert 1 <= len(first) <= 10
        assert first + await file.read(n) == CONTENT[3:]
        assert response.closed


async def test_read1_does_not_wait_for_more() -> None:
    more = threading.Event()

    def handler(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        assert more.wait(10)
        connection.send(b"half")

    with RawServer(handler) as server:
        async with Client() as client, client.stream("GET", server.url) as response:
            file = response.as_file()
            assert await file.read1() == b"half"
            more.set()
            assert await file.read() == b"half"


async def test_a_file_begins_where_the_content_was_read_up_to(server: Answering) -> None:
    async with Client() as client:
        async with client.stream("GET", server.url) as response:
            assert await anext(response.iter_chunks(7)) == CONTENT[:7]
            assert await response.as_file().read(5) == CONTENT[7:12]
            assert b"".join(await gather_chunks(response)) == CONTENT[12:]
        assert await (await client.get(server.url)).as_file().read() == CONTENT


async def test_content_can_be_the_body_of_another_request(server: Answering) -> None:
    async with Client() as client, client.stream("GET", server.url) as response:
        assert response.as_file().readable()
        await client.put(f"{server.url}/copy", body=response.as_file())
    assert (server.asked[-1].target, server.asked[-1].content) == ("/copy", CONTENT)


async def test_content_that_breaks_off_is_an_error_and_not_the_end_of_the_file() -> None:
    with RawServer.replying(reply(CONTENT)[:-1], then=RawConnection.close) as server:
        async with Client() as client, client.stream("GET", server.url) as response:
            with pytest.raises(IncompleteRead):
                await response.as_file().read()


# Blocking


@pytest.mark.parametrize("mode", ["r|", "r|gz", "r|*"])
def test_tarfile_reads_an_archive_while_it_is_received(blocking: compat.Client, mode: str, tmp_path: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz" if mode != "r|" else "w") as tar:
        for name in ("one", "two"):
            info = tarfile.TarInfo(name)
            info.size = len(CONTENT)
            tar.addfile(info, io.BytesIO(CONTENT))
    with (
        Answering(default=reply(archive.getvalue())) as server,
        blocking.stream("GET", server.url) as response,
        tarfile.open(fileobj=response.as_file(), mode=mode) as tar,  # type: ignore[call-overload]
    ):
        tar.extractall(tmp_path, filter="data")
    assert [(tmp_path / name).read_bytes() for name in ("one", "two")] == [CONTENT] * 2


def test_copyfileobj_gzip_text_and_csv_read_content(blocking: compat.Client, server: Answering) -> None:
    copy = io.BytesIO()
    with blocking.stream("GET", f"{server.url}/chunks") as response:
        shutil.copyfileobj(response.as_file(), copy)
    assert copy.getvalue() == CONTENT
    with blocking.stream("GET", f"{server.url}/gzip", decode=False) as response:
        assert gzip.GzipFile(fileobj=response.as_file()).read() == CONTENT
    with blocking.stream("GET", f"{server.url}/text") as response:
        text = io.TextIOWrapper(response.as_file(), encoding="utf-8", newline="")
        assert list(csv.DictReader(text)) == [{"name": "ä", "size": "1"}]


def test_a_blocking_file_is_read_by_lines_pieces_and_into_buffers(blocking: compat.Client, server: Answering) -> None:
    with blocking.stream("GET", f"{server.url}/text") as response:
        assert [*response.as_file()] == TEXT.splitlines(keepends=True)
    with blocking.stream("GET", server.url) as response:
        file = response.as_file()
        buffer = bytearray(300_000)
        assert (file.readable(), file.seekable(), file.writable()) == (True, False, False)
        assert file.read(3) == CONTENT[:3]
        assert file.readinto(buffer) == len(buffer)  # type: ignore[attr-defined]
        assert buffer == CONTENT[3:300_003]
        assert file.read() == CONTENT[300_003:]
        assert file.read(1) == b""


def test_content_that_was_read_is_a_file_that_can_seek(blocking: compat.Client, server: Answering) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("one", CONTENT)
    with Answering(default=reply(archive.getvalue())) as other:
        assert zipfile.ZipFile(blocking.get(other.url).as_file()).read("one") == CONTENT


def test_closing_a_blocking_file_leaves_the_response_open(blocking: compat.Client, server: Answering) -> None:
    with blocking.stream("GET", server.url) as response:
        with response.as_file() as file:
            assert file.read(1) == CONTENT[:1]
        assert not response.closed


def test_a_blocking_file_raises_the_errors_of_read(blocking: compat.Client) -> None:
    with (
        RawServer.replying(reply(CONTENT)[:-1], then=RawConnection.close) as server,
        blocking.stream("GET", server.url) as response,
        pytest.raises(IncompleteRead),
    ):
        shutil.copyfileobj(response.as_file(), io.BytesIO())


def test_a_read_that_times_out_is_an_error_and_not_the_end_of_the_file() -> None:
    def half(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(reply(CONTENT)[:-1])
        connection.wait_closed()

    with (
        RawServer(half) as server,
        compat.Client() as client,
        pytest.raises(ReadTimeout),
        client.stream("GET", server.url, timeout=Timeout(read=0.05)) as response,
    ):
        response.as_file().read()
