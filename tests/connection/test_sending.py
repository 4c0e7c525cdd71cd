"""Bodies of all kinds arrive unchanged over real sockets, and failing bodies drop the connection."""

import asyncio
import hashlib
import inspect
import io
import json
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiofiles
import pytest

from asyncclient import HTTPConnection, HTTPSConnection
from asyncclient.testing import RawConnection, RawServer, parse_fields
from tests.connection.conversations import MEBIBYTE, OK, connection_to, fetch, reply
from tests.servers import App, Caddy, Certificates

SMALL = b"small body"
BIG = random.Random(2).randbytes(5 * MEBIBYTE + 1)


def pieces(content: bytes, size: int = 100_000) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


async def async_pieces(content: bytes) -> AsyncIterator[bytes]:
    for piece in pieces(content):
        yield piece


def file_at(path: Path, position: int, mode: str = "rb", **options: Any) -> Any:
    file = path.open(mode, **options)
    file.seek(position)
    return file


async def async_file_at(path: Path, position: int) -> Any:
    file = await aiofiles.open(path, "rb")
    await file.seek(position)
    return file


Make = Callable[[Path, bytes], Any]
SIZED: dict[str, Make] = {
    "bytes": lambda path, content: content,
    "bytearray": lambda path, content: bytearray(content),
    "memoryview": lambda path, content: memoryview(content),
    "memoryview of ints": lambda path, content: memoryview(content[: len(content) // 4 * 4]).cast("I"),
    "str": lambda path, content: content.decode("latin-1"),
    "file": lambda path, content: file_at(path, 0),
    "file at a position": lambda path, content: file_at(path, 3),
    "unbuffered file": lambda path, content: file_at(path, 3, buffering=0),
    "path": lambda path, content: path,
    "aiofiles": lambda path, content: async_file_at(path, 0),
    "aiofiles at a position": lambda path, content: async_file_at(path, 3),
    "BytesIO": lambda path, content: io.BytesIO(content),
}
UNSIZED: dict[str, Make] = {
    "text file": lambda path, content: file_at(path, 0, "r", encoding="latin-1", newline=""),
    "list": lambda path, content: list(pieces(content)),
    "generator": lambda path, content: pieces(content),
    "generator with empty items": lambda path, content: (piece for item in pieces(content) for piece in (b"", item)),
    "generator of buffers": lambda path, content: (bytearray(item) for item in pieces(content)),
    "async generator": lambda path, content: async_pieces(content),
}


def expected(name: str, content: bytes) -> bytes:
    if "position" in name or name.startswith("unbuffered"):
        return content[3:]
    return content[: len(content) // 4 * 4] if "ints" in name else content


async def echo(connection: HTTPConnection, url: str, body: Any, **options: Any) -> dict[str, Any]:
    """Return the description of the request by the application."""
    if inspect.iscoroutine(body):
        body = await body
    try:
        status, content = await fetch(connection, "POST", url, body=body, **options)
    finally:
        if hasattr(body, "close") and (closing := body.close()) is not None:
            await closing
    assert status == 200
    found: dict[str, Any] = json.loads(content)
    found["fields"] = {name.lower(): value for name, value in found["fields"]}
    return found


@pytest.mark.parametrize("name", [*SIZED, *UNSIZED])
@pytest.mark.parametrize("content", [SMALL, BIG])
@pytest.mark.parametrize("way", ["plain", "tls"])
async def test_body_arrives_unchanged(
    name: str, content: bytes, way: str, tmp_path: Path, app: App, caddy: Caddy, tls: Certificates
) -> None:
    path = tmp_path / "body"
    path.write_bytes(content)
    plain, sent = HTTPConnection(app.host, app.port, 10), expected(name, content)
    secure = HTTPSConnection("localhost", caddy.tls_port, 10, context=tls.client_context())
    async with plain if way == "plain" else secure as connection:
        for _ in range(2):  # the connection is kept
            body = {**SIZED, **UNSIZED}[name](path, content)
            found = await echo(connection, "/echo" if way == "plain" else "/app/echo", body)
            assert (found["length"], found["sha256"]) == (len(sent), hashlib.sha256(sent).hexdigest())
            length = str(len(sent)) if name in SIZED else None
            if way == "plain":
                assert found["fields"].get("content-length") == length
                assert ("transfer-encoding" in found["fields"]) == (name in UNSIZED)


@pytest.mark.parametrize("body", [SMALL, [SMALL], "file"])
@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}])
async def test_encode_chunked(body: Any, headers: dict[str, str], app: App, tmp_path: Path) -> None:
    if body == "file":
        (tmp_path / "body").write_bytes(SMALL)
        body = tmp_path / "body"
    async with HTTPConnection(app.host, app.port, 10) as connection:
        found = await echo(connection, "/echo", body, headers=headers, encode_chunked=bool(headers) or body is SMALL)
    assert found["sha256"] == hashlib.sha256(SMALL).hexdigest()


@pytest.mark.parametrize("body", [b"3\r\nabc\r\n0\r\n\r\n", [b"3\r", b"\nabc\r\n0;", b"x\r\n", b"A: 1\r\n\r\n"]])
async def test_body_in_chunks_of_its_caller(body: Any, app: App) -> None:
    async with HTTPConnection(app.host, app.port, 10) as connection:
        found = await echo(connection, "/echo", body, headers={"Transfer-Encoding": "chunked"})
        assert (found["length"], found["sha256"]) == (3, hashlib.sha256(b"abc").hexdigest())
        assert (await echo(connection, "/echo", b""))["length"] == 0


async def test_iterable_with_a_length_given(app: App) -> None:
    async with HTTPConnection(app.host, app.port, 10) as connection:
        found = await echo(connection, "/echo", pieces(BIG), headers={"Content-Length": str(len(BIG))})
    assert (found["fields"]["content-length"], found["length"]) == (str(len(BIG)), len(BIG))


async def test_small_body_is_sent_with_the_head_in_one_piece() -> None:
    with RawServer(lambda peer: peer.send(reply(peer.read()))) as server:
        async with connection_to(server) as connection:
            _, sent = await fetch(connection, "POST", "/", body=SMALL)
    assert sent.endswith(b"\r\n\r\n" + SMALL)


async def test_file_is_left_at_its_end(tmp_path: Path, app: App) -> None:
    (tmp_path / "body").write_bytes(BIG)
    with (tmp_path / "body").open("rb") as file:
        async with HTTPConnection(app.host, app.port, 10) as connection:
            await fetch(connection, "POST", "/echo", body=file)
        assert file.tell() == len(BIG)


# A body that fails


def failing() -> Iterator[bytes]:
    yield SMALL
    raise LookupError("the body's own")


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        (failing, {}, LookupError),
        (failing, {"Content-Length": "100"}, LookupError),
        (lambda: [SMALL, "text"], {}, TypeError),
        (lambda: [SMALL, None], {}, TypeError),
        (lambda: iter([SMALL]), {"Content-Length": "100"}, ValueError),
        (lambda: iter([SMALL]), {"Content-Length": "5"}, ValueError),
        (lambda: [b"3\r\nabc\r\n"], {"Transfer-Encoding": "chunked"}, ValueError),
        (lambda: [b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n"], {"Transfer-Encoding": "chunked"}, ValueError),
    ],
)
async def test_body_that_fails_drops_the_connection(
    body: Callable[[], Any], headers: dict[str, str], error: type[Exception]
) -> None:
    received = []

    def handler(peer: RawConnection) -> None:
        head = peer.read_head()
        if b"/next" in head:
            peer.send(OK)
            return
        try:
            while data := peer.read():
                received.append(data)
        except ConnectionError:
            pass

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            with pytest.raises(error):
                await connection.request("POST", "/", body(), headers)
            assert await fetch(connection, url="/next") == (200, b"ok")
        assert server.accepted == 2
    assert b"0\r\n\r\n" not in b"".join(received)
    assert len(b"".join(received)) < 100


class ThreadNotingFile:
    """A file that notes the threads in which it is read."""

    def __init__(self) -> None:
        self.blocks = [b"abc", b""]
        self.threads: list[int] = []

    def read(self, n: int) -> bytes:
        self.threads.append(threading.get_ident())
        return self.blocks.pop(0)


async def test_file_is_read_in_a_worker_thread(app: App) -> None:
    file = ThreadNotingFile()
    async with HTTPConnection(app.host, app.port, 10) as connection:
        assert (await echo(connection, "/echo", file))["length"] == 3
    assert len(file.threads) == 2
    assert threading.get_ident() not in file.threads


@pytest.mark.parametrize("change", [-1, 1])
async def test_file_that_changes_its_size(change: int, tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(bytes(20 * MEBIBYTE))
    taking = threading.Event()
    lengths = []

    def handler(peer: RawConnection) -> None:
        fields = dict(parse_fields(peer.read_head()))
        taking.wait(10)
        lengths.append(len(peer.read_body(int(fields["content-length"]))))
        peer.send(OK)

    with RawServer(handler) as server:
        async with connection_to(server) as connection:
            with path.open("r+b") as file:
                task = asyncio.create_task(fetch(connection, "POST", "/", body=file))
                await asyncio.wait((task,), timeout=0.05)
                file.truncate(20 * MEBIBYTE + change)
                taking.set()
                if change > 0:
                    assert await task == (200, b"ok")
                else:
                    with pytest.raises(ValueError, match="ended"):
                        await task
    assert lengths == ([20 * MEBIBYTE] if change > 0 else [])
