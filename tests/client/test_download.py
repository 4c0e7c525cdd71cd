"""Downloads: whole or not at all."""

import asyncio
import gzip
import os
import resource
import stat
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from asyncclient import (
    Client,
    ContentTooLarge,
    DecodingError,
    HTTPException,
    IncompleteRead,
    ProtocolError,
    ResponseNotRead,
    StatusError,
)
from asyncclient.client.download.download import MAX_WRITE_STEP, in_worker
from asyncclient.testing import DemoServer, RawConnection, RawServer
from tests.client.answering import Answering, Gate, becomes_true, is_clean, redirect
from tests.client.downloads import (
    AT_ONCE,
    CONTENT,
    CUT,
    DATES,
    SIZE,
    Interrupted,
    Store,
    digest,
    is_whole,
    leaves_whole_file,
    list_names,
    partial_response,
    stop_at_size,
)
from tests.connection.conversations import MEBIBYTE, chunked, reply, wait_for_event
from tests.servers import Caddy, Certificates

# A file


@pytest.mark.parametrize("size", [0, 1, MAX_WRITE_STEP - 1, MAX_WRITE_STEP, SIZE])
@pytest.mark.parametrize("framing", ["length", "chunks", "close"])
async def test_content_goes_to_the_file(tmp_path: Path, size: int, framing: str) -> None:
    content, steps = CONTENT[:size], list[tuple[int, int | None]]()
    answer = {
        "length": reply(content),
        "chunks": chunked(*(content[at : at + 9000] for at in range(0, size, 9000))),
        "close": b"HTTP/1.1 200 OK\r\n\r\n" + content,
    }[framing]
    then = RawConnection.close if framing == "close" else RawConnection.wait_closed
    with RawServer.replying(answer, then=then) as server, leaves_whole_file(tmp_path / "file", content):
        async with Client() as client:
            response = await client.download(server.url, tmp_path / "file", progress=lambda *step: steps.append(step))
            assert await is_clean(client)
    assert (response.status, response.closed, response.url) == (200, True, server.url)
    with pytest.raises(ResponseNotRead):
        _ = response.content
    totals = {total for _, total in steps}
    assert totals <= {size if framing == "length" else None}
    counts = [received for received, _ in steps]
    assert counts == sorted(set(counts))
    assert counts[-1:] == ([size] if size else [])
    assert all(b - a >= MAX_WRITE_STEP for a, b in pairwise(counts[:-1]))


async def test_rules_of_the_client_hold_for_downloads(tmp_path: Path) -> None:
    answers = {"/api/go?n=1&q=2": redirect("/file"), "/file": reply(CONTENT)}
    with Answering(answers) as server, leaves_whole_file(tmp_path / "file"):
        async with Client(base_url=f"{server.url}/api", params={"n": 1}) as client:
            response = await client.download("go", str(tmp_path / "file"), params={"q": 2}, headers={"X-Own": "1"})
    assert [one.status for one in (*response.history, response)] == [302, 200]
    assert [asked["accept-encoding"] for asked in server.asked] == ["identity"] * 2
    assert [asked["x-own"] for asked in server.asked] == ["1"] * 2


async def test_a_file_is_replaced_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    seen = []
    with Store() as server, leaves_whole_file(path):
        async with Client() as client:
            await client.download(
                server.url, path, progress=lambda *_: seen.append((path.read_bytes(), *list_names(tmp_path)))
            )
    assert set(seen) == {(b"old", "file", "file.part")}


@pytest.mark.parametrize(("old", "new"), [(None, 0o640), (0o600, 0o600), (0o444, 0o444), (0o666, 0o666)])
async def test_mode_of_the_file(tmp_path: Path, old: int | None, new: int) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.touch()
        path.chmod(old)
    before, modes = os.umask(0o027), set()
    try:
        with Store() as server, leaves_whole_file(path):
            async with Client() as client:
                part = Path(f"{path}.part")
                await client.download(server.url, path, progress=lambda *_: modes.add(part.stat().st_mode & 0o777))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == new
    assert [mode & ~(new | 0o200) for mode in modes] == [0]


async def test_a_link_is_followed(tmp_path: Path) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder / "file")
    with Store() as server, leaves_whole_file(folder / "file"):
        async with Client() as client:
            await client.download(server.url, link)
            await client.download(server.url, link)
    assert link.is_symlink()


def make_part_link(path: Path) -> None:
    (path.parent / "victim").touch()
    Path(f"{path}.part").symlink_to(path.parent / "victim")


def make_twin(path: Path, suffix: str) -> None:
    (path.parent / "victim").write_bytes(b"content")
    os.link(path.parent / "victim", f"{path}{suffix}")


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (os.mkfifo, FileExistsError, "expected a regular file"),
        (lambda path: path.symlink_to(path), OSError, "symbolic links"),
        (make_part_link, OSError, "symbolic links"),
        (lambda path: os.mkfifo(f"{path}.part"), FileExistsError, "expected a regular file"),
        (lambda path: Path(f"{path}.part").mkdir(), IsADirectoryError, "directory"),
        (lambda path: make_twin(path, ".part"), FileExistsError, "second hard link"),
        (lambda path: os.mkfifo(f"{path}.part.note"), FileExistsError, "expected a regular file"),
        (lambda path: Path(f"{path}.part.note").symlink_to("/dev/zero"), OSError, "symbolic links"),
        (lambda path: Path(f"{path}.part.note").mkdir(), IsADirectoryError, "directory"),
        (lambda path: make_twin(path, ".part.note"), FileExistsError, "second hard link"),
        (lambda path: path.parent.rmdir(), FileNotFoundError, "No such file"),
    ],
)
async def test_a_download_to_a_path_that_cannot_be_a_file(
    tmp_path: Path, make: Callable[[Path], object], error: type[Exception], text: str, resume: bool
) -> None:
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    make(path)
    before = list_names(path.parent) if path.parent.exists() else []
    with Store() as server:
        async with Client() as client:
            with pytest.raises(error, match=text):
                await client.download(server.url, path, resume=resume)
    assert server.asked == []
    assert before == (list_names(path.parent) if path.parent.exists() else [])


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file may become larger."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("size", [2 * MAX_WRITE_STEP + 1000, SIZE - 1])
async def test_a_full_disk(tmp_path: Path, resume: bool, size: int) -> None:
    path = tmp_path / "file"
    with Store() as server:
        async with Client(retries=AT_ONCE) as client:
            with disk_of(size), pytest.raises(OSError, match="File too large"):
                await client.download(server.url, path, resume=resume)
            assert await is_clean(client)
            assert len(server.asked) == 1
            assert list_names(tmp_path) == (["file.part", "file.part.note"] if resume else [])
            await client.download(server.url, path, resume=resume)
    assert is_whole(path)
    assert server.ranges[1:] == [f"bytes={size - 1}-" if resume else None]


async def test_two_downloads_to_one_path(tmp_path: Path) -> None:
    path, gate = tmp_path / "file", Gate()

    def hold(connection: RawConnection) -> None:
        connection.read_head()
        answer = reply(CONTENT)
        connection.send(answer[:CUT])
        gate.wait()
        connection.send(answer[CUT:])

    with RawServer(hold) as slow, Store(b"other") as server, leaves_whole_file(path):
        async with Client() as client:
            first = asyncio.create_task(client.download(slow.url, path))
            await wait_for_event(gate.reached)
            with pytest.raises(BlockingIOError, match="another download"):
                await client.download(server.url, path)
            assert server.asked == []
            gate.open()
            await first


async def test_files_are_touched_in_workers_only(tmp_path: Path) -> None:
    calls = set[str]()

    def note(frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call":
            calls.add(function.__qualname__)

    with Store(CONTENT, b'ETag: "v1"', digest("Repr-Digest")) as server:
        async with Client() as client:
            await client.download(server.url, tmp_path / "file")  # it imports
            sys.setprofile(note)  # of this thread
            try:
                with pytest.raises(Interrupted):
                    await client.download(
                        server.url, tmp_path / "file", resume=True, progress=stop_at_size(MAX_WRITE_STEP)
                    )
                await client.download(server.url, tmp_path / "file", resume=True)
            finally:
                sys.setprofile(None)
    assert len(calls) > 20
    assert {"open", "stat", "lstat", "fstat", "replace", "remove", "chmod"}.isdisjoint(calls)
    assert [name for name in calls if name.startswith(("FileIO.", "_IOBase.", "HASH.update"))] == []


async def test_content_is_not_kept(tmp_path: Path, caddy: Caddy) -> None:
    size = 16 * MEBIBYTE
    path = caddy.add_file("16m.bin", size)
    async with Client() as client:
        await client.download(f"{caddy.url}/1m.bin", tmp_path / "file")
        tracemalloc.start()
        try:
            await client.download(caddy.url + path, tmp_path / "file")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (tmp_path / "file").stat().st_size == size
    assert peak < 2 * MEBIBYTE


# Nothing is left of a failed download


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(b"gone", status=b"404 Not Found"), StatusError),
        (reply(b"", status=b"500 Oops"), StatusError),
        (redirect("/x"), StatusError),
        (reply(b"", status=b"304 Not Modified"), StatusError),
        (partial_response(b"data", "bytes 0-3/4"), ProtocolError),
        (partial_response(b"data", "bytes 0-3/4", b'ETag: "v1"'), ProtocolError),
        (reply(b"data", b"Content-Range: bytes 4-7/8"), ProtocolError),
        (reply(b"data", b"Content-Range: bytes 0-3/8"), ProtocolError),
        (reply(b"data", b"Content-Range: bytes 0-4/5"), ProtocolError),
        (reply(b"data", b"Content-Range: bytes 4-7/8", b'ETag: "v1"', status=b"201 Created"), ProtocolError),
        (chunked(CONTENT)[:-5] + b"parrot\r\n", ProtocolError),
        (reply(CONTENT, digest("Content-Digest", b"other")), DecodingError),
        (reply(CONTENT, digest("Repr-Digest", b"other", "sha-512")), DecodingError),
        (reply(CONTENT, b"Content-Digest: sha-256=:AAAA:", digest("Repr-Digest")), DecodingError),
        (chunked(CONTENT, trailers=digest("Content-Digest", b"other") + b"\r\n"), DecodingError),
        (reply(bytes(SIZE + 1)), ContentTooLarge),
        (chunked(CONTENT, b"!"), ContentTooLarge),
    ],
)
@pytest.mark.parametrize("resume", [False, True])
async def test_a_failure_leaves_the_file_as_it_was(
    tmp_path: Path, answer: bytes, error: type[HTTPException], resume: bool
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with RawServer.replying(answer) as server, leaves_whole_file(path, b"old"):
        async with Client(max_body_size=SIZE, retries=AT_ONCE, follow_redirects=False) as client:
            with pytest.raises(error) as caught:
                await client.download(server.url, path, resume=resume)
            assert await is_clean(client)
    assert len(server.requests) == 1
    if isinstance(caught.value, StatusError):
        assert caught.value.response.status == int(answer[9:12])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (partial_response(b"data", "bytes 0-3/4"), ProtocolError),
        (reply(b"data", b"Content-Range: bytes 4-7/8"), ProtocolError),
        (reply(b"data", digest("Repr-Digest", b"other")), DecodingError),
        (chunked(CONTENT, b"!"), ContentTooLarge),
        (reply(b"", status=b"404 Not Found"), StatusError),
        (reply(CONTENT)[:-1], IncompleteRead),
        (b"HTTP/1.1 200 OK\r\nContent-Range: bytes 0-9/10\r\n\r\ndata", IncompleteRead),
    ],
)
async def test_an_error_has_its_request_and_response(tmp_path: Path, answer: bytes, error: type[HTTPException]) -> None:
    def serve(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(redirect("/to"))
        connection.read_head()
        connection.send(answer)

    with RawServer(serve) as server:
        async with Client(max_body_size=SIZE) as client:
            with pytest.raises(error, match=r"GET .*/to") as caught:
                await client.download(f"{server.url}/from", tmp_path / "file")
    assert caught.value.response.status == int(answer[9:12])
    assert caught.value.request.url == f"{server.url}/to"


@pytest.mark.parametrize(("coding", "content"), [("gzip", b"no gzip"), ("gzip", gzip.compress(b"cut", mtime=0)[:-1])])
@pytest.mark.parametrize("resume", [False, True])
async def test_content_that_can_not_be_decoded(tmp_path: Path, coding: str, content: bytes, resume: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    answer = reply(content, f"Content-Encoding: {coding}".encode(), b'ETag: "v1"')
    with RawServer.replying(answer) as server, leaves_whole_file(path, b"old"):
        async with Client(retries=AT_ONCE) as client:
            with pytest.raises(DecodingError):
                await client.download(server.url, path, resume=resume, decode=True)
            assert await is_clean(client)


async def test_an_error_status_raises(tmp_path: Path) -> None:
    with Answering(default=reply(b"gone", status=b"404 Not Found")) as server:
        async with Client() as client:
            with pytest.raises(StatusError, match=r"^404 Not Found for GET 'http://\S+/x'$"):
                await client.download(f"{server.url}/x", tmp_path / "file")
            assert client.stats().idle == 1


async def test_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with Answering(default=b"HTTP/1.1 304 Not Modified\r\n\r\n") as server, leaves_whole_file(path, b"old"):
        async with Client() as client:
            response = await client.download(server.url, path, headers={"If-None-Match": '"v1"'})
    assert response.status == 304


@pytest.mark.parametrize("name", ["Range", "if-range"])
async def test_a_range_field_of_the_caller_is_refused(tmp_path: Path, name: str) -> None:
    async with Client() as client:
        with pytest.raises(ValueError, match="expected no Range"):
            await client.download("http://localhost/", tmp_path / "file", headers={name: "bytes=1-"})
    assert list_names(tmp_path) == []


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("fields", [(b'ETag: "v1"',), (b'ETag: W/"v1"', *DATES), (b"X-None: 1",)])
async def test_a_cut(tmp_path: Path, resume: bool, fields: tuple[bytes, ...]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    may_resume = resume and fields != (b"X-None: 1",)
    with Store(CONTENT, *fields, cuts=(CUT,)) as server:
        async with Client() as client:
            with pytest.raises(IncompleteRead):
                await client.download(server.url, path, resume=resume)
            assert await is_clean(client)
    assert path.read_bytes() == b"old"
    assert list_names(tmp_path) == (["file", "file.part", "file.part.note"] if may_resume else ["file"])


async def test_a_cut_before_the_first_byte_leaves_nothing(tmp_path: Path) -> None:
    with Store(cuts=(0,)) as server:
        async with Client() as client:
            with pytest.raises(IncompleteRead):
                await client.download(server.url, tmp_path / "file", resume=True)
    assert list_names(tmp_path) == []


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("moment", ["head", "content"])
async def test_cancelling(tmp_path: Path, resume: bool, moment: str) -> None:
    path, steps, reached = tmp_path / "file", list[int](), threading.Event()

    def hold(connection: RawConnection) -> None:
        connection.read_head()
        reached.set()
        if moment == "content":
            connection.send(reply(CONTENT, b'ETag: "v1"')[:-1000])
        connection.wait_closed()

    with RawServer(hold) as server:
        async with Client() as client:
            task = asyncio.create_task(
                client.download(server.url, path, resume=resume, progress=lambda n, _: steps.append(n))
            )
            await wait_for_event(reached)
            assert await becomes_true(lambda: moment == "head" or len(steps) > 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            left = list_names(tmp_path)
            assert await is_clean(client)
    assert left == (["file.part", "file.part.note"] if resume and moment == "content" else [])
    if left:
        assert CONTENT.startswith(Path(f"{path}.part").read_bytes())


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597])
async def test_cancelling_at_any_turn_of_the_loop(tmp_path: Path, turns: int) -> None:
    path = tmp_path / "file"
    with Store() as server:
        async with Client() as client:
            task = asyncio.create_task(client.download(server.url, path))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                assert list_names(tmp_path) in ([], ["file"])
            assert await is_clean(client)
            await client.download(server.url, path)
    assert is_whole(path)


async def test_the_end_of_a_worker_is_waited_for() -> None:
    gate, ended = Gate(), threading.Event()

    def work() -> None:
        gate.wait()
        ended.set()
        raise OSError("not to be told")

    task = asyncio.create_task(in_worker(work))
    await wait_for_event(gate.reached)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


# Real servers


@pytest.mark.parametrize("is_secure", [False, True])
async def test_caddy(tmp_path: Path, caddy: Caddy, tls: Certificates, is_secure: bool) -> None:
    path, url = tmp_path / "file", caddy.tls_url if is_secure else caddy.url
    with leaves_whole_file(path, (caddy.files / "1m.bin").read_bytes()):
        async with Client(ssl=tls.client_context()) as client:
            with pytest.raises(Interrupted):
                await client.download(f"{url}/1m.bin", path, resume=True, progress=stop_at_size(2 * MAX_WRITE_STEP))
            size = Path(f"{path}.part").stat().st_size
            response = await client.download(f"{url}/1m.bin", path, resume=True)
    assert response.status == 206
    assert response.headers["content-range"] == f"bytes {size - 1}-1048575/1048576"


async def test_caddy_with_a_changed_file(tmp_path: Path, caddy: Caddy) -> None:
    path, source = tmp_path / "file", caddy.files / "changing.bin"
    source.write_bytes(CONTENT)
    async with Client() as client:
        with pytest.raises(Interrupted):
            await client.download(f"{caddy.url}/changing.bin", path, resume=True, progress=stop_at_size(MAX_WRITE_STEP))
        source.write_bytes(CONTENT[::-1] + b"!")
        response = await client.download(f"{caddy.url}/changing.bin", path, resume=True)
    assert response.status == 200
    assert is_whole(path, CONTENT[::-1] + b"!")


async def test_demo_server_with_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    async with DemoServer() as demo, Client() as client:
        response = await client.download(f"{demo.url}/chunked/1000000", path)
    assert response.trailers is not None
    assert response.trailers["content-digest"] == digest("", path.read_bytes()).decode()[2:]
    assert is_whole(path, (bytes(range(256)) * 3907)[:1_000_000])
